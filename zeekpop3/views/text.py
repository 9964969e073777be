r"""All text that can come from a mail, a log or a path passes through here before it is printed.

Control characters (C0, C1, DEL), format characters that reorder or hide text (bidi overrides and isolates,
zero-width characters, tags), line and paragraph separators, invisible fillers and lone surrogates are written
as \xNN, \uNNNN or \UNNNNNNNN; newline, return and tab as \n, \r, \t. No mail can then move the cursor, change
the title, imitate our own lines, or look different from what is stored. Backslashes are not escaped: this is
text for people, JSON is for programs.
"""

from __future__ import annotations

import re
import unicodedata

HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]"
)
"""Characters that are never printed as they are."""

_BLANKS = re.compile(r"[ \t]+")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    """One line of text; hidden characters are escaped."""
    return text if text.isascii() and text.isprintable() else HIDDEN.sub(_escape, text)


def visible_field(text: str) -> str:
    """A header field on one visible line; a tab and the blanks around it, left by unfolding, become one."""
    if "\t" in text:
        text = _BLANKS.sub(lambda run: " " if "\t" in run[0] else run[0], text)
    return visible(text)


def visible_lines(text: str) -> list[str]:
    """Text of several lines: line ends split it, tabs are expanded, the rest as in `visible`."""
    lines = re.split(r"\r\n|\r|\n", text)
    if text.isascii() and "".join(lines).isprintable():
        return lines
    return [visible(line.expandtabs(8)) for line in lines]


def shorten(text: str | None, length: int) -> str:
    """One visible line of at most about `length` characters; a cut is marked by "…"."""
    if not text:
        return ""
    if len(text) <= length and text.isascii() and text.isprintable():
        return text
    shown = visible(text[: length + 1])
    return shown if len(shown) <= length else shown[:length] + "…"


def cells(text: str) -> int:
    """The width of visible text on a terminal: East Asian wide characters take two cells, marks none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut_to_cells(text: str, width: int) -> str:
    """Visible text that takes at most `width` cells; a cut is marked by "…"."""
    if cells(text) <= width:
        return text
    used = 0
    for index, character in enumerate(text):
        used += _cells(character)
        if used > width - 1:
            return text[:index] + "…"
    return text


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
