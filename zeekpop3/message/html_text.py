"""What a reader sees of an HTML body, and where its elements lead to.

One pass over the tokens; no tree. Not shown: comments, script, style, title, template, and elements that
their own attributes hide. Of what is not shown the links count all the same, also of comments that are shown
by Outlook, and the URLs in its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import urls
from zeekpop3.message.html_attributes import survey
from zeekpop3.message.html_page import Element, Page, read_tokens
from zeekpop3.message.html_space import tidy
from zeekpop3.message.html_tokens import Token, tokens
from zeekpop3.message.html_urls import normal_base

MAX_TAGS = 1_000_000  # of a body; more are not read as tags
_MAX_JOINED = 4  # characters of a body's relative URLs with their base, for each of the body

# A comment that Outlook shows (conditional comments of Internet Explorer 5 and Word), up to its end.
_CONDITIONAL = re.compile(r"<!--\[if\b((?:[^-]++|-(?!-!?>))*+)", re.IGNORECASE | re.ASCII)
_BASE = re.compile(r"<base[\s/]", re.IGNORECASE | re.ASCII)
_CHARACTER_DATA = "<![CDATA["
_WITH_CHARACTER_DATA = re.compile(r"<(?:svg|math)\b", re.IGNORECASE | re.ASCII)


def read(html: str, defects: Defects, base: str | None = None) -> tuple[str, list[Element], list[str]]:
    """The visible text, the elements that lead somewhere, each different one once, and the URLs in the text.

    Lines of the text end with LF; white space is collapsed; paragraphs are an empty line apart. `base`: what
    relative URLs refer to if the document does not say it.
    """
    if _CHARACTER_DATA in html and _WITH_CHARACTER_DATA.search(html):
        html = html.replace(_CHARACTER_DATA, " ")
    page = Page(defects, _MAX_JOINED * len(html))
    if html.count("<") > MAX_TAGS:
        defects[Defect.URLS_CUT] = None
        end = _place_after(html, MAX_TAGS + 1) - 1
        page.unseen.write(html[end:] + "\n")
        html = html[:end]
    page.base = normal_base(_first_base(page, html) or base or "")
    read_tokens(page, chain.from_iterable(_flushed(page, html.replace("\n", "\r"))))
    page.close_link()
    page.flush()
    if "<!--[" in html:
        for comment in _CONDITIONAL.findall(html):
            page.read_aside(comment.partition(">")[2])
    text = tidy(page.done.getvalue())
    shown = urls.in_text(text, defects)
    hidden = page.unseen.getvalue()
    if hidden and urls.may_be_in(hidden):
        shown += urls.in_text(tidy(hidden), defects)
    return text, list(page.elements), shown


def _flushed(page: Page, html: str) -> Iterator[list[Token]]:
    """The tokens of a body in blocks; the text of each is made final before the next one is read."""
    for block in tokens(html):
        page.hides, page.loads = survey(block)
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
    if _BASE.search(html) is None:
        return None
    for block in tokens(html):
        for _, _, tag, attributes, _ in block:
            if attributes and tag.lower() == "base":
                value = page.values(attributes).get("href")
                if value:
                    return page.url(value)
    return None
