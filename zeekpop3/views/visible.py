r"""Text out of a mail on its way to a terminal passes here: what cannot be seen is written as an escape.

Control characters (C0, C1, DEL), the format characters that reorder or hide text (bidi overrides and
isolates, zero-width ones, tags), line and paragraph separators, invisible fillers and lone surrogates
become \xNN, \uNNNN or \UNNNNNNNN; newline, return and tab become \n, \r, \t. So no mail can move the
cursor, change the title, fake a line of ours, or read otherwise than it is stored. Backslashes stay as they
are: this is for eyes, JSON is for programs.
"""

from __future__ import annotations

import json
import re
from typing import Any

_HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]"
)
_BLANKS = re.compile(r"[ \t]+")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    """One line of text in which every character is one that can be seen."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_escape, text)


def visible_field(text: str) -> str:
    """A header field's value on one line: as `visible`, but a tab with the blanks around it, as folded fields
    have it where their lines met, is one blank."""
    if "\t" in text:
        text = _BLANKS.sub(lambda run: " " if "\t" in run[0] else run[0], text)
    return visible(text)


def visible_lines(text: str) -> list[str]:
    """Text of several lines: its line ends are kept as such, tabs are set, all else is as in `visible`."""
    return [visible(line.expandtabs(8)) for line in re.split(r"\r\n|\r|\n", text)]


def json_line(value: Any) -> str:
    """A value as JSON on one line that is lossless, and safe on a terminal all the same."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), allow_nan=False)
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_json_escape, text)


def csv_cell(text: str) -> str:
    """A cell of a CSV file: visible, and no formula to a spreadsheet (a ' is put before it)."""
    text = visible(text)
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
