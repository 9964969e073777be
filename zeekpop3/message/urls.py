"""URLs: found in a text, and taken apart as browsers do.

Defanged forms (hxxp, [.]) do not count: they are written so that they cannot be followed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.sites import MAX_HOST, host_and_site

MAX_URLS = 10_000
_MAX_LENGTH = 8_192  # characters, as in the expressions below

_SCHEME = re.compile(
    r"(?:https?|ftps?|s?ftp|file|gopher|news|nntp|irc|ldap|rtsp|mms|wss?)\Z", re.IGNORECASE | re.ASCII
)
_URL = re.compile(r"://[^\s<>\"\x00-\x20\x7f\u3000]{1,8192}")
# The same for ASCII text: a class of allowed characters is faster than one of forbidden characters.
_ASCII_URL = re.compile(r"://[!#-;=?-~]{1,8192}")
_PARTS = re.compile(r"\s*+(?:([A-Za-z][A-Za-z0-9+.-]*+):)?+([/\\]*+)(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"[^/\\?#]*+")
_WITH_HOST = frozenset(("http", "https", "ftp", "ws", "wss"))
_SHORTEST = len("http://")
_NUMBER = re.compile(r"[0-9]{1,20}|0x[0-9a-f]{0,16}")
_CLOSING = frozenset(".,;:!?'*_)]}|")
_TRAILING = ".,;:!?'*_}|"


def split(url: str) -> tuple[str | None, str, str | None]:
    """Scheme, host and site of a URL, read as browsers do (WHATWG URL): backslashes are slashes, user names
    are left out, numbers are IPv4 addresses. The host is "" if there is none, as in `mailto:`.
    """
    # Up to the first slash of the path: so many URLs have the same beginning.
    end = url.find("/", _SHORTEST)
    if end > 0 and url[end - 1] not in ":/\\":
        url = url[:end]
    return _cached(url) if len(url) <= MAX_HOST else _split(url)


def _split(url: str) -> tuple[str | None, str, str | None]:
    scheme, slashes, rest = _PARTS.match(url).groups()  # type: ignore[union-attr]
    scheme = scheme.lower() if scheme is not None else None
    if scheme not in _WITH_HOST and len(slashes) < 2:
        return scheme, "", None
    authority = _AUTHORITY.match(rest)[0].rpartition("@")[2]  # type: ignore[index]
    host = authority.partition("]")[0] + "]" if authority[:1] == "[" else authority.partition(":")[0]
    if "%" in host:
        host = unquote(host)
    name, site = host_and_site(host)
    if site is None and name[:1].isdigit():
        name = _dotted(name)
    return scheme, name, site


_cached = lru_cache(1 << 12)(_split)


def _dotted(host: str) -> str:
    """An IPv4 address in any of the forms that browsers take (`0x7f.1`, `2130706433`) with four numbers."""
    numbers: list[int] = []
    for part in host.split("."):
        if _NUMBER.fullmatch(part) is None:
            return host
        base = 16 if part[:2] == "0x" else 8 if part[0] == "0" and part.isdigit() and len(part) > 1 else 10
        try:
            numbers.append(int(part[2:] or "0" if base == 16 else part, base))
        except ValueError:
            return host
    *first, last = numbers
    if len(first) > 3 or any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return host
    value = last + sum(number << 8 * (3 - i) for i, number in enumerate(first))
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def in_text(text: str, defects: Defects) -> list[str]:
    """The URLs in a text, each once, in order."""
    found: dict[str, None] = {}
    for match in (_ASCII_URL if text.isascii() else _URL).finditer(text):
        at, end = match.span()
        if text[at - 4 : at] == "http":
            start = at - 4
        elif text[at - 5 : at] == "https":
            start = at - 5
        else:
            scheme = _SCHEME.search(text, max(0, at - 6), at)
            if scheme is None:
                continue
            start = scheme.start()
        url = text[start:end]
        if url[-1] in _CLOSING:
            url = _trimmed(url)
        if len(url) > at + 3 - start:
            if len(found) == MAX_URLS and url not in found:
                defects[Defect.URLS_CUT] = None
                break
            found[url] = None
            if len(url) > _MAX_LENGTH:
                defects[Defect.URLS_CUT] = None
    return list(found)


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around the URL."""
    for left, right in ("()", "[]"):
        url = url.rstrip(_TRAILING)
        # A bracket that the URL itself has opened belongs to it.
        over = min(url.count(right) - url.count(left), len(url) - len(url.rstrip(right)))
        if over > 0:
            url = url[:-over]
    return url.rstrip(_TRAILING)
