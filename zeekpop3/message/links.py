"""The links of a mail: URLs in its texts, then what its HTML leads to and shows, each different one once.

`url` is what is written. Where a mail gateway has rewritten it, `target` is the original, and scheme, host
and site are the target's: they say where the link leads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import html_text, urls
from zeekpop3.message.gateways import original
from zeekpop3.message.html_page import Element
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
    else None. `scheme`, `host`, `site`: those of `target`, or of `url`, or None. `text`: what is shown for
    it, None if nothing is. `origin`: `text`, `html`, `shown` (a URL or a host that is only text
    in the HTML), or `attachment`. `text_site`: the site that `text` shows, if that is the text of a link.
    `attachment`: the section of the attachment that it is in, else None.
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
    attachment: str | None = None


# A link before it is taken apart: URL, origin, text, site that the text shows.
_Found = tuple[str, str, str | None, str | None]


def collect(
    texts: Iterable[str], htmls: Sequence[str], defects: Defects, bases: Sequence[str | None] = ()
) -> tuple[list[Link], list[str]]:
    """The links of a message's texts and HTML bodies, and the visible text of each HTML body.

    `bases`: for each HTML body the URL that header fields give for relative ones (Content-Base,
    Content-Location; RFC 2557), or None.
    """
    found: dict[_Found, None] = {}
    for text in texts:
        found |= dict.fromkeys([(url, "text", None, None) for url in urls.in_text(text, defects)])
    visible: list[str] = []
    for number, html in enumerate(htmls):
        shown, elements, seen = html_text.read(html, defects, bases[number] if bases else None)
        visible.append(shown)
        found |= dict.fromkeys(_of_html(elements, seen))
    if len(found) > MAX_LINKS:
        defects[Defect.URLS_CUT] = None
    return [_link(number, each) for number, each in enumerate(islice(found, MAX_LINKS), 1)], visible


def of_attachment(
    text: str, html: str, section: str, defects: Defects, named: Iterable[str] = ()
) -> list[Link]:
    """The links of the attachment `section`: those in its text and in its HTML, and `named`, URLs that were
    found otherwise. Their positions are 0.
    """
    found: dict[_Found, None] = {}
    if html:
        _, elements, seen = html_text.read(html, defects)
        found |= dict.fromkeys(_of_html(elements, seen))
    known = {url for url, *_ in found}
    more = chain(named, urls.in_text(text, defects))
    found |= {(url, "", None, None): None for url in more if url not in known}
    if len(found) > MAX_LINKS:
        defects[Defect.URLS_CUT] = None
    return [_link(0, each, section) for each in islice(found, MAX_LINKS)]


def _of_html(elements: list[Element], seen: list[str]) -> Iterator[_Found]:
    """The links of HTML: what its elements lead to, then URLs and hosts that are only text in it."""
    led_to: set[str] = set()
    shown = dict.fromkeys(seen)
    for url, text, is_link_text in elements:
        site = None
        if text and is_link_text and "." in text:
            host, site = _shown_host(text)
            if host is not None:
                shown[host] = None
        led_to.add(_bare(url))
        yield url, "html", text, site
    for url in shown:
        if (bare := _bare(url)) not in led_to:
            led_to.add(bare)
            yield url, "shown", None, None


def _bare(url: str) -> str:
    """A URL without what its text often lacks: scheme and last slash."""
    return (url.partition("://")[2] or url).rstrip("/")


def _link(position: int, found: _Found, attachment: str | None = None) -> Link:
    url, origin, text, text_site = found
    if attachment is not None:
        origin = "attachment"
    scheme, host, site = urls.split(url)
    if not host and scheme is None:
        scheme, host, site = urls.split("//" + url)  # a host alone
    target = original(url, host, site)
    if target is not None:
        scheme, host, site = urls.split(target)
    return Link(position, url, target, scheme, host or None, site, text, origin, text_site, attachment)


def _shown_host(text: str) -> tuple[str | None, str | None]:
    """The first host name that a text shows, and its site; without the name if it is that of a URL or of a
    mail address.
    """
    for match in _SHOWN_HOST.finditer(text):
        name = match[1]
        # "here.Now" is the end of one sentence and the beginning of another.
        is_host = name.rpartition(".")[2].islower() or len(name) == len(text)
        site = None
        before = text[: match.start(1)][-1:]
        if match[0].startswith("://"):
            site = site_of(name)  # with any suffix: after a scheme it is a host
        elif is_host and not name.endswith(_OF_FILES):
            site = listed_site(name)
        if site is not None:
            is_alone = before not in ("/", "@") and name[:4].lower() not in ("www.", "ftp.")
            return name if is_alone else None, site
    return None, None
