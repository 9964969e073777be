"""URLs in a mail: those written in its text, and those that its HTML leads to (href, src, action). Each once,
in order.

Defanged forms (hxxp, [.]) are left alone: they are what somebody wrote so that nobody follows them.
"""

from __future__ import annotations

import re
from html import unescape

from zeekpop3.message.defects import Defects

MAX_URLS = 10_000
_MAX_ATTRIBUTES = 100_000

_SCHEME = re.compile(r"(?:https?|ftps?|s?ftp|file|gopher|news|nntp|irc|ldap|rtsp|mms|wss?)\Z", re.IGNORECASE)
_URL = re.compile(r"://[^\s<>\"\x00-\x20\x7f\u3000]{1,8192}")
_VALUE = r"\s*+(?:\"([^\"]{0,8192})|'([^']{0,8192})|([^\s\"'<>]{1,8192}))"
# Looking for the equals sign first is what makes this quick.
_ATTRIBUTE = re.compile(
    r"=(?:(?<=[hH][rR][eE][fF]=)|(?<=[sS][rR][cC]=)|(?<=[aA][cC][tT][iI][oO][nN]=))" + _VALUE
)
_SPACED = re.compile(_ATTRIBUTE.pattern.replace("=(?:(?<=", r"=(?:(?<=[ \t\r\n]=)|(?<=", 1))
_ABSOLUTE = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}:|//)[^\s]", re.IGNORECASE)
_NOT_LINKS = ("cid:", "mid:", "data:", "javascript:", "vbscript:", "about:")
_BREAKS = re.compile(r"[\r\n\t]+")
_CLOSING = frozenset(".,;:!?'*_)]}|")
_TRAILING = ".,;:!?'*_}|"


def collect(text: str | None, html: str | None, defects: Defects) -> list[str]:
    """URLs of a mail's text, then of its HTML."""
    found: dict[str, None] = {}
    if text is not None:
        _from_text(text, found)
    if html is not None:
        _from_html(html, found, defects)
    if not found:
        return []
    if len(found) > MAX_URLS:
        defects["urls_cut"] = None
        return list(found)[:MAX_URLS]
    return list(found)


def _from_text(text: str, found: dict[str, None]) -> None:
    for match in _URL.finditer(text):
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
            found[url] = None
            if len(found) > MAX_URLS:
                return


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence that the URL stands in."""
    for left, right in ("()", "[]"):
        url = url.rstrip(_TRAILING)
        # What closes a bracket that the URL itself has opened is part of it.
        over = min(url.count(right) - url.count(left), len(url) - len(url.rstrip(right)))
        if over > 0:
            url = url[:-over]
    return url.rstrip(_TRAILING)


def _from_html(html: str, found: dict[str, None], defects: Defects) -> None:
    spaced = " =" in html or "\n=" in html
    seen: set[str] = set()
    for count, match in enumerate((_SPACED if spaced else _ATTRIBUTE).finditer(html)):
        if count > _MAX_ATTRIBUTES:
            defects["urls_cut"] = None
            return
        if spaced and not _is_link(html, match.start()):
            continue
        double, single, bare = match.groups()
        value = double or single or bare
        if not value or value in seen:
            continue
        seen.add(value)
        if not value.startswith(("http://", "https://")):
            value = value.strip()
            if _ABSOLUTE.match(value) is None or value[:11].lower().startswith(_NOT_LINKS):
                continue
        if "&" in value:
            value = unescape(value)
        if "\n" in value or "\r" in value or "\t" in value:
            value = _BREAKS.sub("", value)
        found[value] = None
        if len(found) > MAX_URLS:
            return


def _is_link(html: str, at: int) -> bool:
    """Whether what stands before the equals sign at `at` is one of the three names."""
    return html[max(at - 24, 0) : at].rstrip().lower().endswith(("href", "src", "action"))
