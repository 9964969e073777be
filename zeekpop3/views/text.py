r"""Text for people and programs: what is hidden in it made visible, and values as text.

All text that can come from a mail, a log or a path passes through `visible` before it is printed. Control
characters (C0, C1, DEL), format characters that reorder or hide text (bidi overrides and isolates, zero-width
characters, tags), line and paragraph separators, invisible fillers and lone surrogates are written as \xNN,
\uNNNN or \UNNNNNNNN; newline, return and tab as \n, \r, \t. No mail can then move the cursor, change the
title, imitate our own lines, or look different from what is stored. Backslashes are not escaped: this is text
for people, JSON is for programs.
"""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

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
#: A spreadsheet takes a cell that begins with one of these for a formula (full-width forms included).
_FORMULA = frozenset("=+-@\u2212")
#: Where a cell begins, and its first character: many spreadsheets separate cells at `;` or tabs, too, and
#: read quotes that are not closed there as nothing.
_CELL_START = re.compile(r'(^|[;\t])((?:[^\S\t]|")*+)([^\s";])')


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


def text_width(text: str) -> int:
    """The width of visible text on a terminal: East Asian wide characters take two cells, marks none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def cut_to_width(text: str, width: int) -> str:
    """Visible text that takes at most `width` cells; a cut is marked by "…"."""
    if text_width(text) <= width:
        return text
    used = 0
    for index, character in enumerate(text):
        used += _width(character)
        if used > width - 1:
            return text[:index] + "…"
    return text


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def human_size(size: float | None) -> str:
    """Bytes with a decimal unit: 999 B, 1.2 kB, 34 MB."""
    amount = float(size or 0)
    units = ["TB", "GB", "MB", "kB", "B"]
    while amount >= 999.5 and len(units) > 1:
        amount, _ = amount / 1000, units.pop()
    return f"{amount:.0f} {units[-1]}" if units[-1] == "B" or amount >= 99.5 else f"{amount:.1f} {units[-1]}"


def plural(number: int, noun: str) -> str:
    """A number and its noun: 1 mail, 2 mails."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def stamp(moment: dt.datetime | None) -> str:
    """A time for people: UTC, to the second."""
    if moment is None:
        return ""
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def iso(moment: dt.datetime) -> str:
    """A time for programs: ISO 8601, UTC with `Z`."""
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def to_jsonable(value: Any) -> Any:
    """A value as JSON has it: times ISO 8601, bytes base64, anything unknown its text."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime):
        return iso(value)
    if isinstance(value, dict):
        return {str(name): to_jsonable(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_jsonable(entry) for entry in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    return str(value)


def json_line(value: Any) -> str:
    """A value as JSON on one line; lossless, and safe on a terminal."""
    text = json.dumps(to_jsonable(value), ensure_ascii=False, separators=(", ", ": "), allow_nan=False)
    if text.isascii() and text.isprintable():
        return text
    return HIDDEN.sub(lambda match: json.dumps(match[0])[1:-1], text)


def row_lines(columns: Sequence[str], rows: Iterable[Iterable[Any]], *, csv: bool) -> Iterator[str]:
    """Rows as CSV with a header, or as a JSON object each; unknown is null."""
    if csv:
        return csv_lines(columns, rows)
    return (json_line(dict(zip(columns, row, strict=True))) for row in rows)


def csv_lines(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """A header line and a line per row (RFC 4180, LF): lists joined by "; ", unknown empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header = map(csv_cell, columns)
    for values in chain([header], (map(_csv_value, row) for row in rows)):
        writer.writerow(values)
        yield out.getvalue().rstrip("\n")
        out.seek(0)
        out.truncate()


def csv_cell(text: str) -> str:
    """Text as a CSV cell: visible, and nowhere a formula to a spreadsheet (a ' is put before one)."""
    return _CELL_START.sub(_no_formula, visible(text))


def _no_formula(found: re.Match[str]) -> str:
    separator, blanks, start = found.groups()
    formula = unicodedata.normalize("NFKC", start)[:1] in _FORMULA
    return f"{separator}'{blanks}{start}" if formula else found[0]


def cell(value: Any) -> str:
    """A value on one visible line of a table: times to the second, unknown empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return stamp(value)
    if isinstance(value, list) and not any(isinstance(entry, (dict, list)) for entry in value):
        return visible("; ".join(str(to_jsonable(entry)) for entry in value))
    if isinstance(value, (list, tuple, dict)):
        return json_line(value)
    if isinstance(value, (bytes, bytearray)):
        return f"({plural(len(value), 'byte')})"
    return visible(str(value))


def _csv_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, list):
        return csv_cell("; ".join(_csv_entry(entry) for entry in value))
    if isinstance(value, dict):
        return csv_cell(json_line(value))
    return csv_cell(str(to_jsonable(value)))


def _csv_entry(value: Any) -> str:
    """One entry of a list; an attachment is represented by its name or hash."""
    if isinstance(value, dict):
        return str(value.get("filename") or value.get("sha256") or json_line(value))
    return str(to_jsonable(value))
