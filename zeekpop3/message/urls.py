"""URLs in a mail: those in its text, and the targets in its HTML (href, src, action). Each once, in order.

Defanged forms (hxxp, [.]) do not count: they are written so that they cannot be followed.
"""

from __future__ import annotations

import re
from html import unescape
from itertools import islice

from zeekpop3.message.defects import Defects

MAX_URLS = 10_000
_MAX_LENGTH = 8_192  # characters, as in the expressions below
_MAX_ATTRIBUTES = 100_000
_SHORT = 1 << 20  # characters; more are not searched all at once

_SCHEME = re.compile(r"(?:https?|ftps?|s?ftp|file|gopher|news|nntp|irc|ldap|rtsp|mms|wss?)\Z", re.IGNORECASE)
_URL = re.compile(r"://[^\s<>\"\x00-\x20\x7f\u3000]{1,8192}")
# The same for ASCII text: a class of allowed characters is faster than one of forbidden characters.
_ASCII_URL = re.compile(r"://[!#-;=?-~]{1,8192}")
# The search for the equals sign makes this fast; one blank before it is allowed.
_NAMES = "".join(
    rf"(?<={name}{blank}=)|"
    for blank in ("", r"\s")
    for name in ("[hH][rR][eE][fF]", "[sS][rR][cC]", "[aA][cC][tT][iI][oO][nN]")
)
_ABSOLUTE = r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}:|//)"
_ATTRIBUTE = re.compile(
    rf"=(?<=[fFcCnN\s]=)(?:{_NAMES[:-1]})\s*+(\"\s*+{_ABSOLUTE}[^\"]{{1,8192}}|'\s*+{_ABSOLUTE}[^']{{1,8192}}"
    rf"|{_ABSOLUTE}[^\s\"'<>]{{1,8192}})"
)
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
    for url in found:
        if len(url) > _MAX_LENGTH:
            defects["urls_cut"] = None
            break
    return list(found)


def _from_text(text: str, found: dict[str, None]) -> None:
    expression = _ASCII_URL if text.isascii() else _URL
    for match in expression.finditer(text):
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
    """Without the punctuation of the sentence around the URL."""
    for left, right in ("()", "[]"):
        url = url.rstrip(_TRAILING)
        # A bracket that the URL itself has opened belongs to it.
        over = min(url.count(right) - url.count(left), len(url) - len(url.rstrip(right)))
        if over > 0:
            url = url[:-over]
    return url.rstrip(_TRAILING)


def _from_html(html: str, found: dict[str, None], defects: Defects) -> None:
    if len(html) <= _SHORT:
        values: dict[str, None] = dict.fromkeys(_ATTRIBUTE.findall(html))
    else:
        matches = _ATTRIBUTE.finditer(html)
        values = dict.fromkeys(match[1] for match in islice(matches, _MAX_ATTRIBUTES))
        if next(matches, None) is not None:
            defects["urls_cut"] = None
    for value in values:
        if value[0] == '"' or value[0] == "'":
            value = value[1:].lstrip()
        if not value.startswith(("http://", "https://")) and value[:11].lower().startswith(_NOT_LINKS):
            continue
        if "&" in value:
            value = unescape(value)
        value = value.strip()
        if "\n" in value or "\r" in value or "\t" in value:
            value = _BREAKS.sub("", value)
        found[value] = None
        if len(found) > MAX_URLS:
            return
