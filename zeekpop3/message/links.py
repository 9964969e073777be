"""The links of a mail: URLs in its text, then what its HTML leads to, each different one once.

`url` is what is written. Where a mail gateway has rewritten it, `target` is the original, and scheme, host
and site are the target's: they say where the link leads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import html_text, urls
from zeekpop3.message.gateways import original
from zeekpop3.message.sites import listed_site, site_of

MAX_LINKS = 10_000

# A host in the text of a link: after a scheme, after "@" or "www.", or on its own between blanks.
_SHOWN_HOST = re.compile(
    r"(?:://(?:[^\s/?#@]*@)?|(?<![^\s(<\[\"'@]))((?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62})(?![\w@.-]*@)"
)
# Suffixes that more often are those of files.
_OF_FILES = (".zip", ".mov", ".md", ".sh", ".py", ".pl", ".rs", ".ps", ".ai", ".app")


class Link(NamedTuple):
    """One link.

    `position` counts in the message, from 1. `target`: the original of a URL that a gateway has rewritten,
    else None. `scheme`, `host`, `site`: those of `target`, or of `url`; None if there are none. `text`: what
    is shown for it, None if nothing is. `origin`: `text` or `html`. `text_site`: the site that `text` shows,
    if that is the text of a link.
    """

    position: int
    url: str
    target: str | None
    scheme: str | None
    host: str | None
    site: str | None
    text: str | None
    origin: str
    text_site: str | None


def collect(texts: Sequence[str], htmls: Sequence[str], defects: Defects) -> tuple[list[Link], list[str]]:
    """The links of a message's texts and HTML bodies, and the visible text of each HTML body."""
    found: dict[tuple[str, str, str | None, bool], None] = {}
    for text in texts:
        if "://" in text:
            found |= dict.fromkeys([(url, "text", None, False) for url in urls.in_text(text, defects)])
    visible: list[str] = []
    for html in htmls:
        shown, elements = html_text.read(html, defects)
        visible.append(shown or "")
        found |= dict.fromkeys([(url, "html", label, is_text) for url, label, is_text in elements])
    if len(found) > MAX_LINKS:
        defects[Defect.URLS_CUT] = None
    out: list[Link] = []
    for url, origin, label, is_text in islice(found, MAX_LINKS):
        text_site = shown_site(label) if label and is_text and "." in label else None
        out.append(_link(len(out) + 1, url, origin, label, text_site))
    return out, visible


def _link(
    position: int, url: str, origin: str, text: str | None = None, text_site: str | None = None
) -> Link:
    scheme, host, site = urls.split(url)
    target = original(url, host, site)
    if target is not None:
        scheme, host, site = urls.split(target)
    return Link(position, url, target, scheme, host or None, site, text, origin, text_site)


def shown_site(text: str) -> str | None:
    """The site of the first host name that a text shows."""
    for match in _SHOWN_HOST.finditer(text):
        name = match[1]
        # "here.Now" is the end of one sentence and the beginning of another.
        is_host = name.rpartition(".")[2].islower() or len(name) == len(text)
        site = None
        if match[0].startswith("://"):
            site = site_of(name)  # with any suffix: after a scheme it is a host
        elif is_host and not name.endswith(_OF_FILES):
            site = listed_site(name)
        if site is not None:
            return site
    return None
