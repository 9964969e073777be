"""What HTML hides: whether its attributes hide an element, and where a hidden element ends.

Style sheets are not read: only the attributes of the element itself count, and in doubt it is shown. Where it
ends (HTML standard, section 13.2.6, tree construction) is known as far as that goes without a tree.

An element ends at its own end tag; at a start tag before which its end tag may be left out (`<p>` ends a
paragraph); at an end tag that nothing in it opened, which is that of an element around it. Where browsers
differ or the rules are longer than that, it ends earlier: what is shown by mistake does less harm than what
is hidden by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zeekpop3.message.html_tokens import with_characters


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Elements without content.
VOID = _names(
    "area base basefont bgsound br col embed frame hr img image input isindex keygen link meta param source "
    "track wbr"
)
# Elements that show what is in them whatever their own attributes say.
_SHOWN = _names("body html head frameset")
_ROWS = ("tr", "tbody", "tfoot", "thead", "caption", "colgroup")
_BLOCKS = _names(
    "address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr li listing main menu nav ol p plaintext pre search "
    "section summary table ul xmp"
)
_HEADINGS = _names("h1 h2 h3 h4 h5 h6")
# For an element the start tags before which its end tag may be left out, or that browsers do not nest in it.
_ENDED_BY: dict[str, frozenset[str]] = {
    "p": _BLOCKS,
    "li": _names("li"),
    "dt": _names("dt dd"),
    "dd": _names("dt dd"),
    "option": _names("option optgroup select input textarea hr"),
    "optgroup": _names("optgroup select input textarea hr"),
    "select": _names("select input textarea keygen"),
    "td": frozenset(("td", "th", *_ROWS)),
    "th": frozenset(("td", "th", *_ROWS)),
    "tr": frozenset(_ROWS),
    "tbody": frozenset(_ROWS[1:]),
    "thead": frozenset(_ROWS[1:]),
    "tfoot": frozenset(_ROWS[1:]),
    "caption": frozenset(("col", "td", "th", *_ROWS)),
    "colgroup": frozenset(("td", "th", *_ROWS)),
    "rb": _names("rb rt rp rtc"),
    "rt": _names("rb rt rp rtc"),
    "rp": _names("rb rt rp rtc"),
    "rtc": _names("rb rtc"),
    "a": _names("a"),
    "nobr": _names("nobr"),
    "button": _names("button"),
    **dict.fromkeys(_HEADINGS, _HEADINGS),
}
_MAX_OPEN = 1_000  # elements within a hidden one; deeper text is shown
# Elements within which a start tag does not end one around them.
_SCOPES = _names(
    "table td th caption ul ol dl menu dir object applet marquee button select template ruby svg math"
)
# … and around a part of a table.
_TABLE_SCOPES = _names("table template")
_TABLE_PARTS = _names("td th tr tbody thead tfoot caption colgroup")
# What a table has outside of its cells; browsers move anything else there in front of the table.
_OUTSIDE_CELLS = _names("table tbody thead tfoot tr colgroup")
_IN_TABLES = _TABLE_PARTS | _names("col script style template input form")

_ONE_PIXEL = re.compile(r"\s*+(?:0*1|0++)(?:\.0*+)?\s*+(?:px)?\s*+", re.IGNORECASE | re.ASCII)

# Declarations of a style (CSS Syntax 3): without comments and strings, what stands between semicolons.
_NOT_CODE = re.compile(
    r"/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)|\"(?:[^\"\\]++|\\.)*+(?:\"|\Z)|'(?:[^'\\]++|\\.)*+(?:'|\Z)", re.DOTALL
)
_BRACKETS = re.compile(r"[(){}\[\];]")
_IMPORTANT = re.compile(r"!\s*+important\Z")
_ZERO = re.compile(r"-[\d.]+%?|\+?(?:0++(?:\.0*+)?|\.0++)(?:e[+-]?\d++)?%?", re.ASCII)
_HIDING_PROPERTIES = ("display", "visibility", "opacity")


def hidden_by(values: dict[str, str]) -> str | None:
    """What hides an element with these attributes: `display` (or `opacity`), or `visibility`, which what is
    in it can undo; None if it is shown.
    """
    style = values.get("style")
    said = declared(with_characters(style) if "&" in style else style) if style else {}
    display = said.get("display")
    if display == "none" or (display is None and "hidden" in values):
        return "display"
    opacity = said.get("opacity")
    if opacity is not None and _ZERO.fullmatch(opacity):
        return "display"
    return "visibility" if said.get("visibility") == "hidden" else None


def declared(style: str) -> dict[str, str]:
    """The values of the properties that can hide an element: the last declaration counts, unless one before
    it is important.
    """
    style = _NOT_CODE.sub(" ", style).lower()
    values: dict[str, str] = {}
    important: set[str] = set()
    for declaration in _declarations(style):
        name, _, value = declaration.partition(":")
        name, value = name.strip(), value.strip()
        if name == "all":
            values = {other: values[other] for other in important} | {"display": value}
        if name not in _HIDING_PROPERTIES:
            continue
        strong = _IMPORTANT.search(value)
        if strong is not None:
            important.add(name)
            value = value[: strong.start()].rstrip()
        elif name in important:
            continue
        values[name] = value
    return values


def _declarations(style: str) -> Iterator[str]:
    """What stands between the semicolons that are in no brackets."""
    if _BRACKETS.search(style.replace(";", "")) is None:
        yield from style.split(";")
        return
    depth = start = 0
    for bracket in _BRACKETS.finditer(style):
        if bracket[0] == ";":
            if depth == 0:
                yield style[start : bracket.start()]
                start = bracket.end()
        elif bracket[0] in "({[":
            depth += 1
        else:
            depth = max(depth - 1, 0)
    if depth == 0:
        yield style[start:]


def is_pixel(values: dict[str, str]) -> bool:
    """Whether an image with these attributes is too small to be seen, as tracking images are."""
    return all(_ONE_PIXEL.fullmatch(values.get(side, "")) for side in ("width", "height"))


def has_content(tag: str) -> bool:
    """Whether what follows a start tag (in lower case) is in the element that it opens."""
    return tag not in VOID and tag not in _SHOWN and tag[:1] != "/"


class HiddenElement:
    """A hidden element, from its start tag `tag` (in lower case) on."""

    def __init__(self, tag: str) -> None:
        self._scoping = _TABLE_SCOPES if tag in _TABLE_PARTS else _SCOPES
        self._moves = tag in _OUTSIDE_CELLS
        self._ended_by = _ENDED_BY.get(tag, frozenset())
        self._open = [tag]
        self._counts = {tag: 1}
        self._scopes = 0

    def ends_at(self, tag: str) -> bool:
        """Whether the element ends before, or with, the next tag; an end tag has `/` in front."""
        if tag[:1] != "/":
            if (tag in self._ended_by and not self._scopes) or len(self._open) > _MAX_OPEN:
                return True
            if tag not in _IN_TABLES and self.moves():
                return True
            if tag == "form" and self._counts.get(tag):
                return False  # forms do not nest
            if tag not in VOID:
                self._open.append(tag)
                self._counts[tag] = self._counts.get(tag, 0) + 1
                self._scopes += tag in self._scoping
            return False
        name = tag[1:]
        if not self._counts.get(name):
            return True
        while True:
            last = self._open.pop()
            self._counts[last] -= 1
            if not self._open:
                return True
            self._scopes -= last in self._scoping
            if last == name:
                return False

    def moves(self) -> bool:
        """Whether the element is a table, or a part of one, and a text at this place is moved out of it."""
        if not self._moves or self._open[-1] not in _OUTSIDE_CELLS:
            return False
        return not self._counts.get("td") and not self._counts.get("th")
