"""Links that a mail gateway has rewritten, back to where they lead.

Only the link itself is used; nothing is fetched. Gateways whose links are opaque (Mimecast, McAfee) are not
here: nothing in their links says where they lead. A link may be rewritten several times.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import unquote

from zeekpop3.message.urls import split

_MAX_REWRITES = 5
_MAX_LENGTH = 1 << 16  # characters
_ABSOLUTE = re.compile(r"(?:https?|ftp):/", re.IGNORECASE)
_PARAMETER = re.compile(r"[?&;]([A-Za-z]{1,20})=([^&#]*)")
_ONE_SLASH = re.compile(r"(?<=:)/(?!/)")

_Decoder = Callable[[str], str | None]


def original(url: str, host: str, site: str | None) -> str | None:
    """Where `url` leads, if a gateway that is known has rewritten it. `host`, `site`: those of `url`."""
    found: str | None = None
    for _ in range(_MAX_REWRITES):
        decoder = _decoder(host, site, url)
        target = decoder(url) if decoder is not None and len(url) <= _MAX_LENGTH else None
        if target is None or _ABSOLUTE.match(target) is None:
            return found
        found = url = target
        _, host, site = split(url)
    return found


def _decoder(host: str, site: str | None, url: str) -> _Decoder | None:
    if site is None:
        return None
    if site.startswith("google."):
        # www.google.TLD/url, and no other page of Google's.
        return _parameter("q", "url") if host.startswith("www.google.") and _GOOGLE.search(url) else None
    known = _GATEWAYS.get(site)
    if known is None:
        return None
    suffix, decoder = known
    return decoder if host == suffix or host.endswith("." + suffix) else None


_GOOGLE = re.compile(r"/url\?")


def _parameter(*names: str) -> _Decoder:
    """The value of the first of these parameters, percent-decoded."""

    def decode(url: str) -> str | None:
        values = {name.lower(): value for name, value in reversed(_PARAMETER.findall(url))}
        for name in names:
            if name in values:
                return unquote(values[name])
        return None

    return decode


def _base64_parameter(name: str) -> _Decoder:
    raw = _parameter(name)

    def decode(url: str) -> str | None:
        value = raw(url)
        return None if value is None else _from_base64(value)

    return decode


def _from_base64(value: str) -> str | None:
    value = value.rstrip("=")
    try:
        data = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_")
        return data.decode("utf-8")
    except (binascii.Error, ValueError):
        return None


_PROOFPOINT_V3 = re.compile(r"/v3/__(.+?)__;([A-Za-z0-9_=-]*)!", re.DOTALL)
_STARS = re.compile(r"\*(\*.)?", re.DOTALL)
_RUNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_V2 = str.maketrans("-_", "%/")


def _proofpoint(url: str) -> str | None:
    """URL Defense. v1: a parameter; v2: with `-` for `%` and `_` for `/`; v3: characters replaced by `*`, in
    Base64 behind the URL, a run of 2 or more as `**` and a letter for its length.
    """
    match = _PROOFPOINT_V3.search(url)
    if match is not None:
        return _proofpoint_v3(match[1], match[2])
    raw = dict(reversed(_PARAMETER.findall(url))).get("u")
    if raw is None:
        return None
    return unquote(raw.translate(_V2) if "/v2/" in url else raw)


def _proofpoint_v3(url: str, replaced: str) -> str | None:
    url = _ONE_SLASH.sub("//", url, count=1)
    characters = _from_base64(replaced)
    if characters is None:
        return None
    out: list[str] = []
    at = here = 0
    for match in _STARS.finditer(url):
        length = 1 if match[1] is None else _RUNS.find(match[1][1]) + 2
        out += (url[at : match.start()], characters[here : here + length])
        here += length
        at = match.end()
    return "".join(out) + url[at:]


def _last_in_path(url: str) -> str | None:
    """A percent-encoded URL as the last part of the path (Cisco Secure Web)."""
    last = url.rstrip("/").rpartition("/")[2].partition("?")[0]
    return unquote(last)


_CHECK_POINT = re.compile(r"/v\d+/(?:[^/]+/)?___(.+?)___(?:\.|$)", re.DOTALL)


def _check_point(url: str) -> str | None:
    """Between three underscores; v2 has it as it is (Avanan, Check Point)."""
    match = _CHECK_POINT.search(url)
    return match[1] if match is not None else None


def _base64_in_path(url: str) -> str | None:
    """Base64 as the last part of the path (Bitdefender)."""
    return _from_base64(unquote(url.partition("?")[0].rpartition("/")[2]))


# By the site of the gateway: the suffix that its hosts have, and how the link is read.
_GATEWAYS: dict[str, tuple[str, _Decoder]] = {
    "outlook.com": ("safelinks.protection.outlook.com", _parameter("url")),
    "office365.us": ("safelinks.protection.office365.us", _parameter("url")),
    "proofpoint.com": ("urldefense.proofpoint.com", _proofpoint),
    "urldefense.com": ("urldefense.com", _proofpoint),
    "urldefense.us": ("urldefense.us", _proofpoint),
    "cudasvc.com": ("linkprotect.cudasvc.com", _parameter("a")),
    "trendmicro.com": ("trendmicro.com", _parameter("url")),
    "sophos.com": ("protection.sophos.com", _base64_parameter("u")),
    "cisco.com": ("secure-web.cisco.com", _last_in_path),
    "fireeye.com": ("fireeye.com", _parameter("u")),
    "trellix.com": ("trellix.com", _parameter("u")),
    "symantec.com": ("clicktime.symantec.com", _parameter("u")),
    "trustwave.com": ("scanmail.trustwave.com", _parameter("u")),
    "vadesecure.com": ("vadesecure.com", _parameter("u")),
    "zixcentral.com": ("link.zixcentral.com", _parameter("u")),
    "avanan.click": ("url.avanan.click", _check_point),
    "checkpoint.com": ("protect.checkpoint.com", _check_point),
    "linkscan.io": ("linkscan.io", _base64_in_path),
    "facebook.com": ("l.facebook.com", _parameter("u")),
    "instagram.com": ("l.instagram.com", _parameter("u")),
    "slack-redir.net": ("slack-redir.net", _parameter("url")),
}
