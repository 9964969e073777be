"""The state while an HTML body is read: its visible text, and the elements that lead somewhere.

Of what is not shown the links count all the same, and the URLs in its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from itertools import chain
from urllib.parse import unquote

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import urls
from zeekpop3.message.budget import Budget, current
from zeekpop3.message.html_hidden import HiddenElement, has_content, hidden_by, is_pixel
from zeekpop3.message.html_tokens import (
    MAX_ATTRIBUTES,
    Token,
    attribute_values,
    closes_itself,
    tokens,
    with_characters,
    without_references,
)
from zeekpop3.message.html_urls import (
    ABSOLUTE,
    CLEAN_URL,
    MAX_URL,
    NOT_LINKS,
    cleaned,
    document,
    joined,
    link_may_load,
    loaded,
    refresh,
    style_texts,
    style_urls,
)

USUAL = 1  # attributes load something by a URL with "//"
ANY = 2  # or by any other
_MAX_TAG = 32  # characters
_MAX_TAGS = 4_096
MAX_LINKS = 10_000
MAX_LINK_TEXT = 1_000  # characters
_MAX_DOCUMENTS = 3  # within each other
_DECODED_AT_ONCE = 64  # characters of a URL within a URL that take as long as an element
_FOLDER = 8  # characters: what joining costs for each folder of the base beyond some
_USUAL_FOLDERS = 32
MAX_DATA = 1 << 20  # characters of data: URLs of a body that are read

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
    "button": "formaction", "object": "data", "meta": "content", "param": "value",
    "set": "to", "animate": "to",
}  # fmt: skip
_FOREIGN = frozenset(("svg", "math", "/svg", "/math"))
# Tags that change what follows, or lead somewhere.
_TEMPLATE = "template"
_SPECIAL = frozenset((*_LEADS, *_FOREIGN, "/a", "pre", "/pre", "listing", "/listing", _TEMPLATE))
_QUOTES = ('"', "'", "`")
# Fields of a form whose value is seen.
_SHOWS_VALUE = frozenset(("", "text", "submit", "button", "reset", "email", "search", "url", "tel", "number"))


Element = tuple[str, str | None, bool]
"""An element that leads somewhere: the URL, absolute, with its character references decoded; what is shown
for it; and whether that is the text of a link, which may show another site.
"""


class _Tags(dict[str, tuple[str, str]]):
    """For a tag as written: what stands for it in the text, and its name in lower case if it is special.

    Mails choose the tags, so only so many short ones are kept.
    """

    def __missing__(self, tag: str) -> tuple[str, str]:
        name = tag.lower()
        meaning = _BREAKS.get(name, ""), name if name in _SPECIAL else ""
        if len(tag) <= _MAX_TAG:
            if len(self) >= _MAX_TAGS:
                self.clear()
            self[tag] = meaning
        return meaning


_TAGS = _Tags()


def read_tokens(page: Page, tokens: Iterator[Token]) -> None:
    # What ends a hidden element is read once more, as what comes after it.
    again: Token | None = None
    while True:
        again = _read_until_hidden(page, tokens if again is None else chain((again,), tokens), tokens)
        if again is None:
            return


def _read_until_hidden(page: Page, tokens: Iterator[Token], rest: Iterator[Token]) -> Token | None:
    """Reads tokens to their end, or to that of a hidden element; then its last token is the result. `rest`:
    the tokens that a hidden element may have.
    """
    append = page.out.append
    tags = _TAGS
    for text, raw, tag, attributes, content in tokens:
        if text:
            append(text.replace("\r", "\n\f") if page.pre else text)
        mark, special = tags[tag]
        if mark:
            append(mark)
        if special:
            if special == _TEMPLATE:
                return page.skip_hidden(special, rest)
            page.element(special, attributes)
        elif attributes and page.loads and (page.loads == ANY or "//" in attributes):
            page.load(page.values(attributes), None)
        if raw:
            page.raw(raw.lower(), content, attributes)
        if attributes and page.hides:
            last = page.hidden_element(tag, attributes, rest)
            if last is not None:
                return last
    return None


@dataclass(slots=True)
class Page:
    """The state while a body is read.

    `out`: text since the last `flush`, `done`: text before it, `unseen`: text that is not shown. `hides`,
    `loads`: see `scan_attributes` in `html_text`. `hidden`: whether an element hides what is being read.
    `foreign`: whether it is in SVG or MathML. `link`: URL of the open link; its text is `link_text`, and what
    stands in `out` from `link_at` on; `alt` is that of an image in it. `seen`: elements that were read
    already. `room`: characters that relative URLs may still get, `data_room`: those of data: URLs that may be
    read. `depth`: of the document within documents that is being read. `limits`: those of the mail.
    """

    defects: Defects
    room: int
    hides: bool = False
    loads: int = 0
    out: list[str] = field(default_factory=list)
    done: StringIO = field(default_factory=StringIO)
    unseen: StringIO = field(default_factory=StringIO)
    elements: dict[Element, None] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)
    base: str = ""
    pre: bool = False
    hidden: bool = False
    foreign: bool = False
    link: str | None = None
    link_text: str = ""
    link_at: int = 0
    alt: str | None = None
    data_room: int = MAX_DATA
    depth: int = 0
    limits: Budget = field(default_factory=current)

    def takes(self) -> bool:
        """Whether one more element or URL may be read; if so, it counts. That one is left out is a defect."""
        self.limits.elements -= 1
        if self.limits.elements < 0:
            self.defects[Defect.URLS_CUT] = None
        return self.limits.elements >= 0

    def values(self, attributes: str) -> dict[str, str]:
        """The attributes by name; that some are left out is a defect."""
        if len(attributes) > MAX_ATTRIBUTES:
            self.defects[Defect.URLS_CUT] = None
        return attribute_values(attributes) if self.takes() else {}

    def flush(self) -> None:
        """The text so far is final."""
        if self.link is not None:
            self._keep_link_text()
            self.link_at = 0
        self.done.write("".join(self.out))
        self.out.clear()

    def _keep_link_text(self) -> None:
        if len(self.link_text) < MAX_LINK_TEXT:
            self.link_text += "".join(self.out[self.link_at :])[:MAX_LINK_TEXT]

    def element(self, tag: str, attributes: str) -> None:
        """A tag of `_SPECIAL`, but not a template."""
        if tag == "a":
            self._open_link(attributes)
        elif tag == "/a":
            self.close_link()
        elif tag in _LEADS:
            self._lead(tag, attributes)
        elif tag in _FOREIGN:
            self.foreign = tag[0] != "/" and not closes_itself(attributes)
            if attributes and self.loads:
                self.load(self.values(attributes), None)
        else:
            self.pre = tag[0] != "/"

    def _open_link(self, attributes: str) -> None:
        self.close_link()
        if self.limits.elements <= 0 or len(self.elements) >= MAX_LINKS:
            self.defects[Defect.URLS_CUT] = None
            return
        values = self.values(attributes)
        value = values.get("href") or values.get("xlink:href")
        self.link = self.url(value) if value else None
        self.link_text = ""
        self.link_at = len(self.out)
        self.alt = None
        if self.loads and link_may_load(attributes):
            self.load(values, "href")

    def close_link(self) -> None:
        """The open link, if any, ends here."""
        if self.link is not None:
            self._keep_link_text()
            text = " ".join(without_references(self.link_text).split())
            self._add(self.link, text or self.alt, is_link_text=True)
            self.link = None

    def _lead(self, tag: str, attributes: str) -> None:
        key = tag, attributes
        if self.link is None and key in self.seen and tag != "input":
            return  # the same image again
        values = self.values(attributes)
        alt = values.get("alt")
        if alt:
            alt = " ".join(without_references(alt[:MAX_LINK_TEXT]).split())
            if "://" in alt or "www." in alt:
                self.unseen.write(f"{values['alt'][:MAX_LINK_TEXT]}\n")
            if tag == "img" and self.link is not None and not self._is_unseen(values):
                self.alt = alt
        known = _LEADS[tag]
        value = values.get(known)
        if tag == "meta":
            value = refresh(values)
        elif tag in ("set", "animate"):  # another attribute, of the element around it
            value = value if value and "//" in value else None
            self._load_all([each for each in values.get("values", "").split(";") if "//" in each])
        elif tag == "param":
            value = value if value and "//" in value else None
        elif tag == "input" and values.get("value") and values.get("type", "").lower() in _SHOWS_VALUE:
            if not self._is_unseen(values):
                self.out.append(f" {values['value']} ")
        elif tag == "iframe" and "srcdoc" in values:
            self._read_document(with_characters(values["srcdoc"]))
        url = self.url(value) if value else None
        if url is not None:
            self._add(url, alt)
            if len(self.seen) < MAX_LINKS:
                self.seen.add(key)
        if self.loads:
            self.load(values, known)

    def load(self, values: dict[str, str], known: str | None) -> None:
        """The attributes of any element, but for the one that is known."""
        self._load_all(loaded(values, known))

    def _load_all(self, values: Iterable[str]) -> None:
        """URLs as written."""
        for value in values:
            if not self.takes():
                return
            url = self.url(value)
            if url is not None:
                self._add(url, None)

    def raw(self, tag: str, content: str, attributes: str) -> None:
        """An element whose content is not markup."""
        if not content:
            return
        if self.foreign and not self.hidden and "<" in content:  # but here it is
            read_tokens(self, chain.from_iterable(tokens(content, foreign=True)))
        elif tag == "style":
            self.unseen.writelines(f"{text}\n" for text in style_texts(content))
            if content.count("\\") < self.limits.elements:  # escapes, which are read one by one
                self._load_all(style_urls(content))
            else:
                self.defects[Defect.URLS_CUT] = None
        elif tag in ("textarea", "xmp", "plaintext"):
            shown = content.replace("\r", "\n\f")
            text = f"\n{shown if tag == 'textarea' else shown.replace('&', '&amp;')}\n"
            if self.hidden or hidden_by(self.values(attributes)) is not None:
                self.unseen.write(text)
            else:
                self.out.append(text)
        elif tag != "script" and self.takes():
            # The title of SVG has elements in it; some programs do not know `iframe`, `noembed`, `noframes`.
            self.read_aside(content, foreign=True)

    def _is_unseen(self, image: dict[str, str]) -> bool:
        """Whether an image is not shown, or is too small to be seen, as tracking images are."""
        return self.hidden or hidden_by(image) is not None or is_pixel(image)

    def _add(self, url: str, text: str | None, *, is_link_text: bool = False) -> None:
        if len(self.elements) >= MAX_LINKS:
            self.defects[Defect.URLS_CUT] = None
            return
        if len(url) > MAX_URL:
            self.defects[Defect.URLS_CUT] = None
            url = url[:MAX_URL]
        self.elements[url, text or None, is_link_text and bool(text)] = None

    def url(self, value: str) -> str | None:
        """The URL that an attribute's value leads to; None if it leads nowhere."""
        if CLEAN_URL.fullmatch(value):
            return value
        value = cleaned(value)
        if value.startswith(("http://", "https://")):
            return value
        if ABSOLUTE.match(value) is None:
            if value[:1] in _QUOTES and len(value) > 1:  # not for browsers of today
                return self.url(value.strip("\"'` "))
            return self._at_base(value) if self.base and value and value[0] != "#" else None
        if value[:11].lower().startswith(NOT_LINKS):
            return self._of_what_is_no_link(value)
        scheme, colon, rest = value.partition(":")
        self.limits.elements -= len(rest) // _DECODED_AT_ONCE
        inner = urls.handed_over(scheme.lower(), rest) if colon else None
        if inner is not None:
            self._add(inner, None)
        return value

    def _of_what_is_no_link(self, value: str) -> str | None:
        """Of a document within the URL its links; it is a link itself. Of a script the URLs."""
        inside = document(value, self.data_room)
        if inside is None:
            if value[:15].lower().startswith(("javascript:", "vbscript:")):
                for url in urls.in_text(unquote(value[:MAX_URL]), self.defects):
                    self._add(url, None)
            return None
        if inside.is_cut:
            self.defects[Defect.URLS_CUT] = None
        self.data_room -= inside.size
        self._read_document(inside.html)
        return value

    def _read_document(self, html: str) -> None:
        """Reads a document within an attribute, for its links alone; not data: URLs within such documents."""
        if self.depth >= _MAX_DOCUMENTS:
            self.defects[Defect.URLS_CUT] = None
            return
        room, self.data_room = self.data_room, 0
        self.depth += 1
        self.read_aside(html)
        self.depth -= 1
        self.data_room = room

    def _at_base(self, value: str) -> str | None:
        """The URL that a relative one stands for."""
        if self.room >= 0:
            url = joined(self.base, value)
            self.room -= len(url or "") + _FOLDER * max(self.base.count("/") - _USUAL_FOLDERS, 0)
            if self.room >= 0:
                return url
        self.defects[Defect.URLS_CUT] = None
        return None

    def hidden_element(self, tag: str, attributes: str, tokens: Iterator[Token]) -> Token | None:
        """If a start tag opens a hidden element, reads it and gives the token that ends it."""
        name = tag.lower()
        is_foreign = self.foreign or ":" in name or name in _FOREIGN
        if not has_content(name) or (is_foreign and closes_itself(attributes)):
            return None
        how = hidden_by(self.values(attributes))
        if how is None or (self.foreign and "style" not in attributes.lower()):
            return None
        return self.skip_hidden(name, tokens, how)

    def skip_hidden(self, tag: str, tokens: Iterator[Token], how: str = "display") -> Token | None:
        """Reads the hidden element `tag` to its end, for its links alone; gives the token that ends it."""
        element = HiddenElement(tag)
        unseen = self.unseen.write
        self.hidden = True
        last: Token | None = None
        for text, raw, inner, attributes, content in tokens:
            if text:
                if element.moves() and not text.isspace():
                    self.out.append(text)
                else:
                    unseen(text)
            name = inner.lower()
            is_raw = raw and not (self.foreign and "<" in content)
            shows = how == "visibility" and "visibility" in attributes.lower()
            if (
                element.ends_at(name)
                or (raw and not is_raw)
                or (shows and hidden_by(self.values(attributes)) is None)
            ):
                last = ("", raw, inner, attributes, content)
                break
            unseen(_TAGS[inner][0])
            self._read_hidden(name, attributes)
            if raw:
                self.raw(raw.lower(), content, attributes)
        self.hidden = False
        return last

    def read_aside(self, html: str, *, foreign: bool = False) -> None:
        """Reads what only some programs show, for its links and its URLs alone."""
        before = self.hidden, self.foreign, self.loads, self.link, self.link_text, self.link_at, self.alt
        self.hidden, self.foreign, self.loads, self.link = True, foreign, ANY, None
        for block in tokens(html, foreign=foreign):
            for text, raw, tag, attributes, content in block:
                self.unseen.write(text + _TAGS[tag][0])
                self._read_hidden(tag.lower(), attributes)
                if raw:
                    self.raw(raw.lower(), content, attributes)
        self.unseen.write("\n")
        self.close_link()
        self.hidden, self.foreign, self.loads, self.link, self.link_text, self.link_at, self.alt = before

    def _read_hidden(self, tag: str, attributes: str) -> None:
        if tag in _LEADS or tag in _FOREIGN or tag == "/a":
            self.element(tag, attributes)
        elif attributes and self.loads and (self.loads == ANY or "//" in attributes):
            self.load(self.values(attributes), None)
