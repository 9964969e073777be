"""What a reader sees of an HTML body, and where its elements lead to.

One pass over the tokens; no tree. Not shown: comments, script, style, title, template, and elements that
their own attributes hide. Of what is not shown the links count all the same, also of comments that are shown
by Outlook, and the URLs in its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from itertools import chain

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import urls
from zeekpop3.message.html_page import ANY, USUAL, Element, Page, read_tokens
from zeekpop3.message.html_tokens import AT_ONCE, Token, tokens, without_references
from zeekpop3.message.html_urls import normal_base

_MAX_JOINED = 4  # characters of a body's relative URLs with their base, for each of the body

# A comment that Outlook shows (conditional comments of Internet Explorer 5 and Word), up to its end.
_CONDITIONAL = re.compile(r"<!--\[if\b((?:[^-]++|-(?!-!?>))*+)", re.IGNORECASE | re.ASCII)
_BASE = re.compile(r"<base[\s/]", re.IGNORECASE | re.ASCII)
_CHARACTER_DATA = "<![CDATA["
_WITH_CHARACTER_DATA = re.compile(r"<(?:svg|math)\b", re.IGNORECASE | re.ASCII)
_CHUNK = 1 << 16  # characters
_MAX_REFERENCE = 40  # characters

# Words without which no attribute hides an element, in lower case.
_HIDING_WORDS = ("display", "visibility", "opacity", "hidden")
# (What is written at more length than this is shown.)
_HIDING = re.compile(
    r"display[^;:]{0,30}+:[^;]{0,30}?none|visibility[^;:]{0,30}+:[^;]{0,30}?hidden|"
    r"opacity[^;:]{0,30}+:[^;]{0,30}?[0.&-]|(?<=[\s/\"'])hidden(?![^\s/=])"
)
# Elements whose `href` and `src` are read anyway; their other attributes load less often.
_LEADING_TAGS = frozenset(
    name for tag in ("a", "area", "base", "link", "img", "script", "iframe", "input", "form", "meta")
    for name in (tag, tag.upper())
)  # fmt: skip
_WORDS_OF_ANY = ("href", "src", "action", "cite", "longdesc", "ping", "data")
_WORDS_OF_ALL = (
    "background",
    "poster",
    "srcset",
    "xlink:",
    "formaction",
    "lowsrc",
    "dynsrc",
    "longdesc",
    "ping",
)
_ASSIGNED = re.compile(r"[a-z:]{1,20}+(?:[ \t\n\r\f]{20}|[ \t\n\r\f]{0,19}+=)")
# A letter of `url(` in a style, or a backslash, as a character reference.
_STYLE_REFERENCE = re.compile(
    r"&(?:#(?:x0*+(?:[57][25]|[46]c|28|5c)|0*+(?:117|85|114|82|108|76|40|92))(?![0-9a-f])|lpar|bsol)"
)
# A URL that is written otherwise than with "//".
_ODD = re.compile(
    r"&(?:#|sol|bsol|colon|tab|newline)"
    r"|:(?!//)(?:(?<=http:)|(?<=https:)|(?<=ftp:)|(?<=ws:)|(?<=wss:)|(?<=file:))"
)


def extract(html: str, defects: Defects, base: str | None = None) -> tuple[str, list[Element], list[str]]:
    """The visible text, the elements that lead somewhere, each different one once, and the URLs in the text.

    Lines of the text end with LF; white space is collapsed; paragraphs are an empty line apart. `base`: what
    relative URLs refer to if the document does not say it.
    """
    if _CHARACTER_DATA in html and _WITH_CHARACTER_DATA.search(html):
        html = html.replace(_CHARACTER_DATA, " ")
    page = Page(defects, _MAX_JOINED * len(html))
    passes = 1 if _BASE.search(html) is None else 2
    most = page.limits.tags // passes
    tags = html.count("<")
    if tags > most:
        defects[Defect.URLS_CUT] = None
        end = _place_after(html, most + 1) - 1
        page.unseen.write(html[end:] + "\n")
        html, tags = html[:end], most
    page.limits.tags -= passes * tags
    page.base = normal_base((_first_base(page, html) if passes > 1 else None) or base or "")
    read_tokens(page, chain.from_iterable(_flushed(page, html.replace("\n", "\r"))))
    page.close_link()
    page.flush()
    if "<!--[" in html:
        for comment in _CONDITIONAL.finditer(html):
            if not page.takes():
                break
            page.read_aside(comment[1].partition(">")[2])
    text = collapse_space(page.done.getvalue())
    shown = urls.in_text(text, defects)
    hidden = page.unseen.getvalue()
    if hidden and urls.may_be_in(hidden):
        shown += urls.in_text(collapse_space(hidden), defects)
    if page.limits.references < 0:
        defects[Defect.URLS_CUT] = None  # some are not decoded
    return text, list(page.elements), shown


def _flushed(page: Page, html: str) -> Iterator[list[Token]]:
    """The tokens of a body in blocks; the text of each is made final before the next one is read."""
    for block in tokens(html):
        page.hides, page.loads = scan_attributes(block) if page.limits.elements > 0 else (False, 0)
        yield block
        page.flush()


def _place_after(html: str, number: int) -> int:
    """The place after so many `<`."""
    low, high = 0, len(html)
    while low < high:
        middle = (low + high) // 2
        if html.count("<", 0, middle) < number:
            low = middle + 1
        else:
            high = middle
    return low


def _first_base(page: Page, html: str) -> str | None:
    """The URL that relative ones refer to: of the first element `base` that has one, wherever it stands."""
    for block in tokens(html):
        for _, _, tag, attributes, _ in block:
            if attributes and tag.lower() == "base":
                value = page.values(attributes).get("href")
                if value:
                    return page.url(value)
    return None


def scan_attributes(block: list[Token]) -> tuple[bool, int]:
    """Whether attributes of some tokens may hide an element, and whether they may have what `loaded` finds
    (0: no, `USUAL`, `ANY`).

    Many attributes are not searched for that.
    """
    # Tables repeat the same attributes in many tags; each is searched once.
    with_attributes = [token for token in block if token[3]]
    all_of_them = " ".join(dict.fromkeys([token[3] for token in with_attributes]))
    if len(all_of_them) > AT_ONCE:
        return True, ANY
    all_of_them = all_of_them.lower()
    hides = _has(all_of_them, _HIDING_WORDS, _HIDING)
    others = [token[3] for token in with_attributes if token[2] not in _LEADING_TAGS]
    if _has(" ".join(dict.fromkeys(others)).lower(), _WORDS_OF_ANY, _ASSIGNED):
        return hides, ANY
    is_odd = "srcdoc" in all_of_them or ("style" in all_of_them and _has_escapes(all_of_them))
    if not (
        is_odd
        or "url(" in all_of_them
        or "image-set(" in all_of_them
        or _has(all_of_them, _WORDS_OF_ALL, _ASSIGNED)
    ):
        return hides, 0
    is_odd = is_odd or "\\" in all_of_them or _ODD.search(all_of_them) is not None
    return hides, ANY if is_odd else USUAL


def _has_escapes(attributes: str) -> bool:
    """Whether a style among them may have a URL with escapes of CSS or of HTML instead of its letters."""
    return "\\" in attributes or ("&" in attributes and _STYLE_REFERENCE.search(attributes) is not None)


def _has(attributes: str, words: tuple[str, ...], expression: re.Pattern[str]) -> bool:
    """Whether the expression matches where one of the words is."""
    for word in words:
        at = attributes.find(word)
        while at >= 0:
            if expression.match(attributes, at):
                return True
            at = attributes.find(word, at + 1)
    return False


def collapse_space(text: str) -> str:
    """Text with its character references decoded and its white space collapsed."""
    out = StringIO()
    follows = False  # whether a line has been written
    empty = False  # whether an empty line comes before the next one
    for chunk in _chunks(text):
        for line in without_references(chunk).split("\n"):
            words = line.split()
            if words:
                out.write("\n\n" if empty and follows else "\n" if follows else "")
                out.write(" ".join(words))
                follows, empty = True, False
            elif "\f" in line:
                empty = True
    return out.getvalue()


def _chunks(text: str) -> Iterator[str]:
    """The text in pieces that end with a line. A line longer than a piece is broken, at a blank if it can."""
    at = 0
    while len(text) - at > _CHUNK:
        stop = text.rfind("\n", at, at + _CHUNK)
        if stop <= at:
            stop = max(
                text.rfind(" ", at, at + _CHUNK), text.rfind("&", at + _CHUNK - _MAX_REFERENCE, at + _CHUNK)
            )
            stop = stop if stop > at else at + _CHUNK
        yield text[at:stop]
        at = stop
    yield text[at:]
