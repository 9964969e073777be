"""URLs in HTML: which attributes and styles have some, and what a browser would follow (WHATWG URL)."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterator
from functools import lru_cache
from html.entities import html5
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urljoin

from zeekpop3.message.html_tokens import with_characters

MAX_URL = 8_192  # characters

# A URL that needs no cleaning.
CLEAN_URL = re.compile(r"https?://[!#-%'-;=?-~]++")
ABSOLUTE = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{0,63}:|[/\\]{2}|(?:www|ftp)\.[^/]{1,200}\.", re.IGNORECASE | re.ASCII
)
#: Schemes of URLs that are not links themselves, although their content may have links.
NOT_LINKS = ("cid:", "mid:", "data:", "javascript:", "vbscript:", "about:")

# A reference in an attribute counts without its semicolon only if no letter, digit or "=" follows.
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]*(?:;|(?![=a-zA-Z0-9])))")
_EDGES = "".join(map(chr, range(33)))
_NOT_IN_URL = re.compile(r"[\r\n\t\0]+")
_REFRESH = re.compile(
    r"\s*+[\d.]*+\s*+[;,]?\s*+(?:url\s*+=\s*+)?[\"']?(.*)", re.IGNORECASE | re.ASCII | re.DOTALL
)
_DATA = re.compile(
    r"data:\s*+(?:|text/(?:html|plain|xml)|image/svg\+xml|application/(?:xhtml\+)?xml)\s*+(;[^,]{0,200}+)?,",
    re.IGNORECASE | re.ASCII,
)
_SCHEME_WITH_HOST = re.compile(r"(https?|ftp):[/\\]*+", re.IGNORECASE | re.ASCII)
# Attributes of any element that load something or lead somewhere, and how a style does it.
_LOADING = (
    "href", "xlink:href", "src", "background", "poster", "action", "formaction", "lowsrc", "dynsrc",
    "longdesc", "cite", "ping", "data",
)  # fmt: skip
# Attributes of SVG whose values are those of styles.
_STYLES = frozenset(("fill", "stroke", "filter", "mask", "clip-path", "cursor", "marker-end"))
_SETS = ("srcset", "imagesrcset")
_CANDIDATE = re.compile(r"(?:\A|[\s,])([^\s,/]*+(?://|\\\\|:/)\S*+)")
_STYLE_URL = re.compile(
    r"url\(\s*+[\"']?([^\"')\s]++)|@import(?:\s++|/\*(?:[^*]++|\*(?!/))*+\*/)*+[\"']([^\"']++)",
    re.IGNORECASE | re.ASCII,
)
# The strings of an image-set() are URLs, but for those that name a type (CSS Images 4, section 2.6).
_IMAGE_SET = re.compile(r"image-set\(([^;{}]*+)", re.IGNORECASE | re.ASCII)
_IMAGE = re.compile(r"type\(\s*+[\"'][^\"']*+[\"']|[\"']([^\"']++)[\"']", re.IGNORECASE | re.ASCII)
_SHOWN_TEXT = re.compile(r"content\s*+:([^;}]{0,8192}+)", re.IGNORECASE | re.ASCII)
_STYLE_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL | re.ASCII)
_LINK_LOADS = re.compile(r"(?:style|background|poster|ping)[ \t\n\r\f]*=")


def cleaned(value: str) -> str:
    """The URL of an attribute's raw value: references decoded, without line breaks and NULs."""
    if "&" in value:
        value = _REFERENCE.sub(_character, value)
    return _NOT_IN_URL.sub("", value.strip(_EDGES))


def _character(match: re.Match[str]) -> str:
    """`&not;` is a character; in an attribute `&notit;`, which only begins like it, is not one."""
    name = match[0][1:]
    return with_characters(match[0]) if name[0] == "#" else html5.get(name, match[0])


def normal_base(base: str) -> str:
    """A URL that relative ones refer to, with slashes where browsers read backslashes as such."""
    base = base[:MAX_URL].replace("\\", "/")
    return _SCHEME_WITH_HOST.sub(r"\1://", base, count=1) if _SCHEME_WITH_HOST.match(base) else base


@lru_cache(256)
def joined(base: str, url: str) -> str | None:
    """The URL that a relative one stands for; None if there is none."""
    try:
        return urljoin(base, url.replace("\\", "/"))
    except ValueError:
        return None


def refresh(values: dict[str, str]) -> str | None:
    """The URL to which a `meta` element leads."""
    if values.get("http-equiv", "").strip().lower() != "refresh":
        return None
    match = _REFRESH.match(values.get("content", ""))
    return match[1].rstrip("\"' ") if match is not None else None


class Document(NamedTuple):
    """A document within a URL. `size`: characters of the URL that were read for it."""

    html: str
    size: int
    is_cut: bool


def document(url: str, room: int) -> Document | None:
    """The document that a `data:` URL holds, as far as `room` characters go; None if it holds none that a
    browser shows as HTML, XML or text.
    """
    head = _DATA.match(url)
    if head is None:
        return None
    content = url[head.end() : head.end() + room]
    size = len(content)
    data = unquote_to_bytes(content)
    if "base64" in (head[1] or "").lower():
        data = b"".join(data.split()).rstrip(b"=")
        try:
            data = a2b_base64(data + b"=" * (-len(data) % 4))
        except ValueError:
            data = b""
    return Document(data.decode("utf-8", "replace"), size, head.end() + size < len(url))


def link_may_load(attributes: str) -> bool:
    """Whether an element `a` may load something. Plain searches rule that out for nearly all links."""
    lowered = attributes.lower()
    return (
        "style" in lowered or "background" in lowered or "poster" in lowered or "ping" in lowered
    ) and _LINK_LOADS.search(lowered) is not None


def loaded(values: dict[str, str], known: str | None = None) -> list[str]:
    """The URLs, as written, that an element with these attributes loads or leads to, whatever it is, but for
    the attribute `known`. Relative ones may be missing.
    """
    found = [values[name] for name in _LOADING if name in values and name != known]
    for name in _SETS:
        if name in values:
            found += [candidate.rstrip(",") for candidate in _CANDIDATE.findall(values[name])]
    if not _STYLES.isdisjoint(values):
        for name in sorted(_STYLES.intersection(values)):
            found += style_urls(values[name])
    style = values.get("style", "")
    if style:
        found += style_urls(with_characters(style) if "&" in style else style)
    return found


def style_urls(style: str) -> Iterator[str]:
    """The URLs that a style, or a style sheet, loads."""
    if "\\" in style:
        style = _STYLE_ESCAPE.sub(_escaped, style)
    if "(" in style or "@" in style:
        for match in _STYLE_URL.finditer(style):
            yield match[1] or match[2]
        for images in _IMAGE_SET.finditer(style):
            for image in _IMAGE.finditer(images[1]):
                if image[1]:
                    yield image[1]


def style_texts(style: str) -> list[str]:
    """What a style sheet shows as text, as it is written (CSS 2.2, section 12.2)."""
    return _SHOWN_TEXT.findall(style)


def _escaped(match: re.Match[str]) -> str:
    if match[2] is not None:
        return match[2].strip("\r\n")  # a line end in a string is left out
    number = int(match[1], 16)
    return chr(number) if 0 < number < 0xD800 or 0xE000 <= number <= 0x10FFFF else "\ufffd"
