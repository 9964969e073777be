"""What a reader sees of an HTML body, and where its elements lead to.

One pass over the tokens; no tree. Not shown: comments, script, style, title, template, and elements that
their own attributes hide. Of what is not shown the links count all the same, also of comments that are shown
by Outlook.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from io import StringIO
from itertools import chain
from urllib.parse import urljoin

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import urls
from zeekpop3.message.html_attributes import is_hidden, is_pixel, loaded, survey
from zeekpop3.message.html_space import tidy, with_characters, without_references
from zeekpop3.message.html_tokens import Token, attribute_values, tokens
from zeekpop3.message.memo import Memo

MAX_LINKS = 10_000
MAX_URL = 8_192  # characters
MAX_LINK_TEXT = 1_000  # characters
_MAX_JOINED = 4  # characters of a body's relative URLs with their base, for each of the body

_PARAGRAPH = "p h1 h2 h3 h4 h5 h6 hr blockquote ul ol dl table pre form"
_LINE = (
    "address article aside body caption center dd details dialog dir div dt fieldset figcaption figure "
    "footer head header hgroup html legend li main menu nav optgroup option search section select summary "
    "tbody tfoot thead title tr"
)
# What stands for an element's begin and end in the text. Of lines without words only those with a form feed
# become empty lines.
_BREAKS = {
    prefix + name: mark
    for mark, names in (("\n\f\n", _PARAGRAPH), ("\n", _LINE), ("\n\f", "br"), (" ", "td th"))
    for name in names.split()
    for prefix in ("", "/")
}
# Elements that lead somewhere, and by which attribute.
_LEADS = {
    "a": "href", "area": "href", "base": "href", "link": "href",
    "img": "src", "image": "src", "iframe": "src", "frame": "src", "embed": "src", "script": "src",
    "source": "src", "video": "src", "audio": "src", "track": "src", "bgsound": "src", "v:imagedata": "src",
    "v:fill": "src", "v:image": "src", "input": "src", "body": "background", "form": "action",
    "button": "formaction", "object": "data", "meta": "content",
}  # fmt: skip
# Tags that change what follows, or lead somewhere.
_TEMPLATE = "template"
_SPECIAL = frozenset((*_LEADS, "/a", "pre", "/pre", _TEMPLATE))
_VOID = frozenset(
    ("area", "base", "body", "br", "col", "embed", "hr", "html", "img", "input", "link",
     "meta", "source", "track", "wbr")
)  # fmt: skip
# Elements whose end tag cannot be left out: an end tag too many ends the element around it.
_PAIRED = frozenset(["div", "table", "center", "ul", "ol", "blockquote", "section", "form", "article"])

_REFRESH = re.compile(
    r"\s*+[\d.]*+\s*+[;,]?\s*+(?:url\s*+=\s*+)?[\"']?(.*)", re.IGNORECASE | re.ASCII | re.DOTALL
)

# A comment that Outlook shows (conditional comments of Internet Explorer 5 and Word).
_CONDITIONAL = re.compile(r"<!--\[if\b[^>]{0,200}+>((?:[^-]++|-(?!-!?>))*+)", re.IGNORECASE | re.ASCII)

# A URL that needs no cleaning, and one as the link of an element whose attributes have the usual form.
_CLEAN_URL = re.compile(r"https?://[!#-%'-;=?-~]++")
_HREF = re.compile(
    r"(?:\s++(?![hH][rR][eE][fF][\s=])[a-zA-Z-]++=\"[^\"]*+\")*+"
    rf"\s++[hH][rR][eE][fF]=\"({_CLEAN_URL.pattern})\""
)
# A reference in an attribute counts without its semicolon only if no letter, digit or "=" follows.
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]*(?:;|(?![=a-zA-Z0-9])))")
_EDGES = "".join(map(chr, range(33)))
_BREAKS_IN_URL = re.compile(r"[\r\n\t]+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:|[/\\]{2}")
_NOT_LINKS = ("cid:", "mid:", "data:", "javascript:", "vbscript:", "about:")


Element = tuple[str, str | None, bool]
"""An element that leads somewhere, or a URL in the text: the URL, absolute, with its character references
decoded; what is shown for it; and whether that is the text of a link, which may show another site.
"""


def read(html: str, defects: Defects, *, text: bool = True) -> tuple[str | None, list[Element]]:
    """The visible text (None unless `text`), and the elements that lead somewhere, each different one once.

    Lines of the text end with LF; white space is collapsed; paragraphs are an empty line apart.
    """
    page = _Page(defects, _MAX_JOINED * len(html))
    _read_tokens(page, chain.from_iterable(_flushed(page, html.replace("\n", "\r"))))
    page.close_link()
    page.flush()
    if "<!--[" in html:
        for comment in _CONDITIONAL.findall(html):
            page.read_comment(comment)
    return tidy(page.done.getvalue()) if text else None, list(page.elements)


def _flushed(page: _Page, html: str) -> Iterator[list[Token]]:
    """The tokens of a body in blocks; the text of each is made final before the next one is read."""
    for block in tokens(html):
        page.hides, page.loads = survey(block)
        yield block
        page.flush()


def _meaning(tag: str) -> tuple[str, str]:
    """For a tag as written: what stands for it in the text, and its name in lower case if it is special."""
    name = tag.lower()
    return _BREAKS.get(name, ""), name if name in _SPECIAL else ""


_TAGS = Memo(_meaning, longest=32)


def _read_tokens(page: _Page, tokens: Iterator[Token]) -> None:
    append = page.out.append
    tags = _TAGS
    for text, _, tag, attributes in tokens:
        if text:
            append(text.replace("\r", "\n\f") if page.pre else text)
        mark, special = tags[tag]
        if mark:
            append(mark)
        if special:
            if special == _TEMPLATE:
                page.skip_hidden(special, tokens)
            else:
                page.element(special, attributes)
        elif attributes and page.loads and "//" in attributes:
            page.load(attribute_values(attributes))
        if attributes and page.hides and is_hidden(attribute_values(attributes)):
            page.skip_hidden(tag.lower(), tokens)


@dataclass(slots=True)
class _Page:
    """The state while a body is read.

    `out`: text since the last `flush`, `done`: text before it. `hides`, `loads`: see `survey`. `hidden`:
    whether an element hides what is being read. `link`: URL of the open link; its text is `link_text`, and
    what stands in `out` from `link_at` on; `alt` is that of an image in it. `seen`: attributes that were read
    already. `shown`: URLs that are the text of links. `room`: characters that relative URLs may still get.
    """

    defects: Defects
    room: int
    hides: bool = False
    loads: bool = False
    out: list[str] = field(default_factory=list)
    done: StringIO = field(default_factory=StringIO)
    elements: dict[Element, None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    base: str = ""
    pre: bool = False
    hidden: bool = False
    link: str | None = None
    link_text: str = ""
    link_at: int = 0
    alt: str | None = None

    def flush(self) -> None:
        """The text so far is final."""
        if self.link is not None:
            self._keep_link_text()
            self.link_at = 0
        text = "".join(self.out)
        self.out.clear()
        self.done.write(text)
        if "://" in text:
            # Mail programs make links of URLs in the text, too.
            for url in urls.in_text(without_references(text), self.defects):
                if url not in self.shown:
                    self._add(url, None)

    def _keep_link_text(self) -> None:
        if len(self.link_text) < MAX_LINK_TEXT:
            self.link_text += "".join(self.out[self.link_at :])[:MAX_LINK_TEXT]

    def element(self, tag: str, attributes: str) -> None:
        """A tag of `_SPECIAL`, but not a template."""
        if tag == "a":
            self._open_link(attributes)
        elif tag == "/a":
            self.close_link()
        elif tag == "pre" or tag == "/pre":
            self.pre = tag == "pre"
        else:
            self._lead(tag, attributes)

    def _open_link(self, attributes: str) -> None:
        self.close_link()
        href = _HREF.match(attributes)
        if href is not None:
            self.link = href[1]
        else:
            values = attribute_values(attributes)
            value = values.get("href") or values.get("xlink:href")
            self.link = self._url(value) if value else None
        self.link_text = ""
        self.link_at = len(self.out)
        self.alt = None

    def close_link(self) -> None:
        """The open link, if any, ends here."""
        if self.link is not None:
            self._keep_link_text()
            text = " ".join(without_references(self.link_text).split())
            if "://" in text:
                self.shown.update(urls.in_text(text, self.defects))
            self._add(self.link, text or self.alt, is_link_text=True)
            self.link = None

    def _lead(self, tag: str, attributes: str) -> None:
        if self.link is None and attributes in self.seen:
            return  # the same image again
        values = attribute_values(attributes)
        alt = values.get("alt")
        if alt:
            alt = " ".join(without_references(alt[:MAX_LINK_TEXT]).split())
            if tag == "img" and self.link is not None and not self._is_unseen(values):
                self.alt = alt
        value = _refresh(values) if tag == "meta" else values.get(_LEADS[tag])
        url = self._url(value) if value else None
        if url is not None:
            if tag == "base" and not self.base:
                self.base = url[:MAX_URL]
            self._add(url, alt)
            if len(self.seen) < MAX_LINKS:
                self.seen.add(attributes)
        if self.loads:
            self.load(values)

    def load(self, values: dict[str, str]) -> None:
        """The attributes of any element."""
        for value in loaded(values):
            url = self._url(value)
            if url is not None:
                self._add(url, None)

    def _is_unseen(self, image: dict[str, str]) -> bool:
        """Whether an image is not shown, or is too small to be seen, as tracking images are."""
        return self.hidden or is_hidden(image) or is_pixel(image)

    def _add(self, url: str, text: str | None, *, is_link_text: bool = False) -> None:
        if len(self.elements) >= MAX_LINKS:
            self.defects[Defect.URLS_CUT] = None
            return
        if len(url) > MAX_URL:
            self.defects[Defect.URLS_CUT] = None
            url = url[:MAX_URL]
        self.elements[url, text or None, is_link_text and bool(text)] = None

    def _url(self, value: str) -> str | None:
        """The URL that an attribute's value leads to; None if it leads nowhere."""
        if _CLEAN_URL.fullmatch(value):
            return value
        if "&" in value:
            value = _REFERENCE.sub(lambda match: with_characters(match[0]), value)
        value = _BREAKS_IN_URL.sub("", value.strip(_EDGES))
        if value.startswith(("http://", "https://")):
            return value
        if _ABSOLUTE.match(value) is None:
            return self._at_base(value) if self.base and value and value[0] != "#" else None
        return None if value[:11].lower().startswith(_NOT_LINKS) else value

    def _at_base(self, value: str) -> str | None:
        """The URL that a relative one stands for."""
        url = _joined(self.base, value) if self.room >= 0 else None
        self.room -= len(url or "")
        if self.room < 0:
            self.defects[Defect.URLS_CUT] = None
            return None
        return url

    def skip_hidden(self, tag: str, tokens: Iterator[Token]) -> None:
        """Reads the hidden element `tag` to its end, for its links alone."""
        if tag in _VOID or tag[:1] == "/":
            return
        same = paired = 0
        for _, _, inner, attributes in tokens:
            inner = inner.lower()
            self._read_hidden(inner, attributes)
            name = inner.removeprefix("/")
            step = 1 if name == inner else -1
            if name == tag:
                same += step
            elif name in _PAIRED:
                paired += step
            if same < 0 or paired < 0:
                break

    def read_comment(self, html: str) -> None:
        """Reads a comment that some programs show, for its links alone."""
        self.loads = True
        for block in tokens(html):
            for _, _, tag, attributes in block:
                self._read_hidden(tag.lower(), attributes)
        self.close_link()

    def _read_hidden(self, tag: str, attributes: str) -> None:
        self.hidden = True
        if tag in _LEADS or tag == "/a":
            self.element(tag, attributes)
        elif self.loads and "//" in attributes:
            self.load(attribute_values(attributes))
        self.hidden = False


@lru_cache(256)
def _joined(base: str, url: str) -> str | None:
    try:
        return urljoin(base, url)
    except ValueError:
        return None


def _refresh(values: dict[str, str]) -> str | None:
    """The URL to which a `meta` element leads."""
    if values.get("http-equiv", "").strip().lower() != "refresh":
        return None
    match = _REFRESH.match(values.get("content", ""))
    return match[1].rstrip("\"' ") if match is not None else None
