"""Links that a mail gateway has rewritten, back to where they lead.

Only the link itself is used; nothing is fetched. Gateways whose links are opaque (Mimecast, McAfee) are not
here: nothing in their links says where they lead. A link may be rewritten several times.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from urllib.parse import unquote

from zeekpop3.message.urls import split

_MAX_REWRITES = 5
_MAX_LENGTH = 1 << 16  # characters
_ABSOLUTE = re.compile(r"(?:https?|ftp):/", re.IGNORECASE | re.ASCII)
_PARAMETER = re.compile(r"[?&;]([A-Za-z]{1,20})=([^&#]*)")
_ONE_SLASH = re.compile(r"(?<=:)/(?!/)")
_PROOFPOINT_V3 = "/v3/__"
_PROOFPOINT_V3_END = re.compile(r"__;([A-Za-z0-9_=-]*+)!")
_STARS = re.compile(r"\*(\*.)?", re.DOTALL)
_RUNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_V2 = str.maketrans("-_", "%/")
_CHECK_POINT = re.compile(r"/v[0-9]++/(?:[^/]++/)?+___")
_CHECK_POINT_END = re.compile(r"___(?:\.|$)")


def original(url: str, host: str, site: str | None) -> str | None:
    """Where `url` leads, if a gateway that is known has rewritten it. `host`, `site`: those of `url`."""
    found: str | None = None
    for _ in range(_MAX_REWRITES):
        target = _unwrapped(url, host, site) if site is not None else None
        if target is None or _ABSOLUTE.match(target) is None:
            break
        found = url = target
        _, host, site = split(url)
    return found


def _unwrapped(url: str, host: str, site: str) -> str | None:
    if site.startswith("google."):
        # www.google.TLD/url, and no other page of Google's.
        is_link = host.startswith("www.google.") and "/url?" in url and len(url) <= _MAX_LENGTH
        return _parameter(url, "q", "url") if is_link else None
    suffix, read = _GATEWAYS.get(site, ("", ""))
    if not suffix or len(url) > _MAX_LENGTH or not (host == suffix or host.endswith("." + suffix)):
        return None
    return _parameter(url, read) if isinstance(read, str) else read(url)


def _parameter(url: str, *names: str) -> str | None:
    """The value of the first of these parameters, percent-decoded."""
    values = {name.lower(): value for name, value in reversed(_PARAMETER.findall(url))}
    return next((unquote(values[name]) for name in names if name in values), None)


def _from_base64(value: str) -> str | None:
    value = value.rstrip("=")
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode("utf-8")
    except ValueError:
        return None


def _proofpoint(url: str) -> str | None:
    """URL Defense. v1: a parameter; v2: with `-` for `%` and `_` for `/`; v3: characters replaced by `*`, in
    Base64 behind the URL, a run of 2 or more as `**` and a letter for its length.
    """
    start = url.find(_PROOFPOINT_V3) + len(_PROOFPOINT_V3)
    # From the first place where it may begin: an end that comes later would be found from there, too.
    end = _PROOFPOINT_V3_END.search(url, start + 1) if start >= len(_PROOFPOINT_V3) else None
    if end is None:
        return _parameter(url.translate(_V2) if "/v2/" in url else url, "u")
    characters = _from_base64(end[1])
    if characters is None:
        return None
    url = _ONE_SLASH.sub("//", url[start : end.start()], count=1)
    out: list[str] = []
    at = here = 0
    for stars in _STARS.finditer(url):
        length = 1 if stars[1] is None else _RUNS.find(stars[1][1]) + 2
        out += (url[at : stars.start()], characters[here : here + length])
        here += length
        at = stars.end()
    return "".join(out) + url[at:]


def _sophos(url: str) -> str | None:
    value = _parameter(url, "u")
    return None if value is None else _from_base64(value)


def _cisco(url: str) -> str:
    """A percent-encoded URL as the last part of the path."""
    return unquote(url.rstrip("/").rpartition("/")[2].partition("?")[0])


def _check_point(url: str) -> str | None:
    """Between three underscores; v2 has it as it is."""
    start = _CHECK_POINT.search(url)
    end = _CHECK_POINT_END.search(url, start.end() + 1) if start is not None else None
    return url[start.end() : end.start()] if start is not None and end is not None else None


def _bitdefender(url: str) -> str | None:
    """Base64 as the last part of the path."""
    return _from_base64(unquote(url.partition("?")[0].rpartition("/")[2]))


# By the site of the gateway: the suffix that its hosts have, and the parameter with the link, or its reader.
_GATEWAYS: dict[str, tuple[str, str | Callable[[str], str | None]]] = {
    "outlook.com": ("safelinks.protection.outlook.com", "url"),
    "office365.us": ("safelinks.protection.office365.us", "url"),
    "proofpoint.com": ("urldefense.proofpoint.com", _proofpoint),
    "urldefense.com": ("urldefense.com", _proofpoint),
    "urldefense.us": ("urldefense.us", _proofpoint),
    "cudasvc.com": ("linkprotect.cudasvc.com", "a"),
    "trendmicro.com": ("trendmicro.com", "url"),
    "sophos.com": ("protection.sophos.com", _sophos),
    "cisco.com": ("secure-web.cisco.com", _cisco),
    "fireeye.com": ("fireeye.com", "u"),
    "trellix.com": ("trellix.com", "u"),
    "symantec.com": ("clicktime.symantec.com", "u"),
    "trustwave.com": ("scanmail.trustwave.com", "u"),
    "vadesecure.com": ("vadesecure.com", "u"),
    "zixcentral.com": ("link.zixcentral.com", "u"),
    "avanan.click": ("url.avanan.click", _check_point),
    "checkpoint.com": ("protect.checkpoint.com", _check_point),
    "linkscan.io": ("linkscan.io", _bitdefender),
    "facebook.com": ("l.facebook.com", "u"),
    "instagram.com": ("l.instagram.com", "u"),
    "slack-redir.net": ("slack-redir.net", "url"),
}
