"""URLs: found in a text, and taken apart as browsers do.

Defanged forms (hxxp, [.]) do not count: they are written so that they cannot be followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from heapq import merge
from sys import intern
from urllib.parse import unquote

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import current
from zeekpop3.message.sites import MAX_HOST, compressed, dotted, host_and_site

MAX_URLS = 10_000
_MAX_LENGTH = 8_192  # characters, as in the expressions below

# By their last letter. Of two that end alike the longer one comes first.
_SCHEMES = (
    "http nntp rtsp sftp ftp ldap", "https news webcals wss ws ftps mms ldaps", "file", "webcal", "gopher",
    "irc", "smb", "feed",
)  # fmt: skip
_KNOWN = "|".join(
    f"(?<={schemes[-1]}://)(?:{'|'.join(f'(?<=({scheme})://)' for scheme in schemes.split())}|)"
    for schemes in _SCHEMES
)
# A URL from its "://" on; the group is its scheme. Without one, what follows is no URL, nor is one in it.
_URL = re.compile(rf"://(?ai:{_KNOWN}|)" r"[^\s<>\"\x00-\x20\x7f\u3000]{1,8192}")
_REST = r"(?u:[^\s<>\"\x00-\x20\x7f\u3000]{0,8192})"
# What mail programs link without "://". Each expression begins with a character that texts have few of, which
# is searched for fastest; its group is where the link begins. A link that is found is not searched again.
_HOST = re.compile(  # Thunderbird, Outlook, Gmail
    rf"\.(?<=(www|ftp)\.)(?<![\w@./\\:=-]...\.)(?=(?:[\w-]{{1,63}}+\.){{1,9}}[^\W\d_]){_REST}", re.IGNORECASE
)
_PROGRAM = re.compile(  # of Windows and Office
    rf"-(?:(?<=(search)-)(?<![\w-]search-)ms|(?<=(ms)-)(?<![\w-]ms-)[a-z-]{{2,30}}+):(?=[\w%]){_REST}",
    re.IGNORECASE | re.ASCII,
)
_FEW_SLASHES = re.compile(  # Thunderbird: "http:a.example" and "http:/a.example"
    r":(?=/?[\w-])(?:(?<=(http):)(?<![\w.-]http:)|(?<=(https):)(?<![\w.-]https:))/?+(?=(?:[\w-]{1,63}+\.){1,9}[^\W\d_])"
    + _REST,
    re.IGNORECASE,
)
_SHARE = re.compile(  # of Windows (UNC; also over WebDAV: `\\host@SSL\share`)
    rf"\\(?<=(\\))(?<![\\\w:/]\\)\\(?=[a-zA-Z0-9_.-]{{1,253}}+(?:@[a-zA-Z0-9@]{{1,20}}+)?\\){_REST}"
)
_BACKSLASHES = re.compile(
    r"\\(?:(?<=(http):\\)(?<![\w.-]http:\\)|(?<=(https):\\)(?<![\w.-]https:\\)|(?<=(file):\\)(?<![\w.-]file:\\))"
    r"\\{0,8}(?=[\w%\[])" + _REST,
    re.IGNORECASE | re.ASCII,
)
_WITHOUT_BACKSLASH = (_HOST, _PROGRAM, _FEW_SLASHES)
_OTHER_URLS = (*_WITHOUT_BACKSLASH, _SHARE, _BACKSLASHES)
# Links that hand over another one: to Office, to the search of Windows, to a browser.
_HANDLER = re.compile(r"ms-[a-z-]+|search(?:-ms)?|microsoft-edge|view-source|feed|webcals?", re.ASCII)
_INNER = re.compile(r"(?:https?|ftp|file|smb)://|\\\\", re.IGNORECASE | re.ASCII)
_PARTS = re.compile(r"\s*+(?:([A-Za-z][A-Za-z0-9+.-]*+):)?+([/\\]*+)(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"[^/\\?#]*+")
_BARE_HOST = re.compile(r"(?:www|ftp)\.", re.IGNORECASE)
_WITH_HOST = frozenset(("http", "https", "ftp", "ws", "wss"))
_SHORTEST = len("http://")

_Span = tuple[int, int]  # of a URL in a text
_CLOSING = frozenset(".,;:!?'*_)]}|")
_TRAILING = ".,;:!?'*_}|"


def split(url: str) -> tuple[str | None, str, str | None]:
    """Scheme, host and site of a URL, read as browsers do (WHATWG URL): backslashes are slashes, user names
    are left out, numbers are IPv4 addresses. The host is "" if there is none, as in `mailto:`. Of a link that
    hands over another one (`ms-word:ofe|u|https://…`) the host is that of the other one.
    """
    # Up to the first slash of the path: so many URLs have the same beginning.
    end = url.find("/", _SHORTEST)
    if end > 0 and url[end - 1] not in ":/\\|" and url[:4] in ("http", "HTTP"):
        url = url[:end]
    return _cached(url) if len(url) <= MAX_HOST else _split(url)


def _split(url: str) -> tuple[str | None, str, str | None]:
    if _BARE_HOST.match(url):
        scheme, slashes, rest = None, "//", url
    else:
        scheme, slashes, rest = _PARTS.match(url).groups()  # type: ignore[union-attr]
    scheme = intern(scheme.lower()) if scheme is not None else None  # thousands of links have the same
    if scheme not in _WITH_HOST:
        if len(slashes) < 2:
            inner = handed_over(scheme, rest)
            return (scheme, *_split(inner)[1:]) if inner is not None else (scheme, "", None)
        if scheme is not None and len(slashes) == 3:
            return scheme, "", None  # an empty host and a path, as in file:///C:/
    authority = _AUTHORITY.match(rest)[0]  # type: ignore[index]
    # Of a share over WebDAV the port comes after "@".
    if scheme is None and slashes[0] == "\\":
        authority = authority.partition("@")[0]
    else:
        authority = authority.rpartition("@")[2]
    host = authority.partition("]")[0] + "]" if authority[:1] == "[" else authority.partition(":")[0]
    if "%" in host:
        host = unquote(host)
    name, site = host_and_site(host)
    if name[:1] == "[":
        name = compressed(name)
    if site is None and name[:1].isdigit():
        name = dotted(name)
    return scheme, name, site


_cached = lru_cache(1 << 11)(_split)


def handed_over(scheme: str | None, rest: str) -> str | None:
    """The URL within a link that starts a program with it: `https://a.example/b` of `ms-word:ofe|u|…`."""
    if scheme is None or _HANDLER.fullmatch(scheme) is None:
        return None
    inner = _INNER.search(rest)
    if inner is None and "%" in rest:
        rest = unquote(rest)
        inner = _INNER.search(rest)
    return rest[inner.start() :] if inner is not None else None


_SHORTEST_LINK = len("www.a")


def in_text(text: str, defects: Defects) -> list[str]:
    """The URLs in a text, each once, in order: those with a scheme and `//`, and what mail programs make a
    link of beside them (`www.…`, `ftp.…`, `\\\\host\\share`, `search-ms:…`).
    """
    if len(text) < _SHORTEST_LINK:
        return []
    expressions = _OTHER_URLS if "\\" in text else _WITHOUT_BACKSLASH
    spans = _with_scheme(text)
    others = [_without_scheme(text, each) for each in expressions if each.search(text) is not None]
    if others:
        spans = _merged(spans, merge(*others))
    found: dict[str, None] = {}
    limits = current()
    for start, end in spans:
        limits.urls -= 1
        if limits.urls < 0:
            defects[Defect.URLS_CUT] = None
            break
        url = text[start:end]
        if url[-1] in _CLOSING:
            url = _trimmed(url)
        if url.endswith("://"):
            continue
        if len(found) == MAX_URLS and url not in found:
            defects[Defect.URLS_CUT] = None
            break
        found[url] = None
        if len(url) > _MAX_LENGTH:
            defects[Defect.URLS_CUT] = None
    return list(found)


def may_be_in(text: str) -> bool:
    """Whether there may be URLs in a text whose character references are not decoded yet."""
    return (
        "://" in text
        or "&" in text
        or not text.isascii()
        or any(expression.search(text) for expression in _OTHER_URLS)
    )


def _with_scheme(text: str) -> Iterator[_Span]:
    """Where URLs with a scheme and `//` start and end."""
    for match in _URL.finditer(text):
        if (scheme := match.lastindex) is not None:
            yield match.start(scheme), match.end()


def _without_scheme(text: str, expression: re.Pattern[str]) -> Iterator[_Span]:
    """Where links start and end that one of `_OTHER_URLS` finds."""
    for match in expression.finditer(text):
        yield match.start(match.lastindex), match.end()  # type: ignore[arg-type]


def _merged(spans: Iterator[_Span], others: Iterator[_Span]) -> Iterator[_Span]:
    """All spans in order, without those of `others` that begin within another one."""
    end = 0
    other = next(others, None)
    for span in spans:
        while other is not None and other[0] < span[0]:
            if other[0] >= end:
                yield other
                end = other[1]
            other = next(others, None)
        yield span
        end = max(end, span[1])
    while other is not None:
        if other[0] >= end:
            yield other
            end = other[1]
        other = next(others, None)


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around the URL."""
    for left, right in ("()", "[]"):
        url = url.rstrip(_TRAILING)
        # A bracket that the URL itself has opened belongs to it.
        over = min(url.count(right) - url.count(left), len(url) - len(url.rstrip(right)))
        if over > 0:
            url = url[:-over]
    return url.rstrip(_TRAILING)
