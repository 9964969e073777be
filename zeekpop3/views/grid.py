"""Rows of an SQL answer as lines for a terminal: a table if it fits the width, else one below the other.

Long text is shortened; uids, hashes, numbers and times never are: half of one is worth nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from zeekpop3.views.text import cell, cut_to_width, text_width

#: A column of text is not made narrower than this; other columns keep their width.
_MIN_TEXT = 16
#: Most lines of one value in a record.
_VALUE_LINES = 5
#: Widest column of names in a record: a SHA-256 beside it fits 80 cells.
_NAME_WIDTH = 14
_UNBREAKABLE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[CF][A-Za-z0-9]{8,20}(/\d+)?")

Rows = Sequence[Sequence[Any]]


def grid(columns: Sequence[str], rows: Rows, width: int, *, vertical: bool = False) -> Iterator[str]:
    """The lines of an answer."""
    table = None if vertical else _table(columns, rows, width)
    return iter(table) if table is not None else _records(columns, rows, width)


def _table(columns: Sequence[str], rows: Rows, width: int) -> list[str] | None:
    """A table of `width` cells at most, or None if it does not fit."""
    texts = [[cell(value) for value in row] for row in rows]
    heads = [cell(column) for column in columns]
    widths = [max(map(text_width, column)) for column in zip(heads, *texts, strict=True)]
    least = {index: _least(rows, index) for index, wide in enumerate(widths) if wide > _MIN_TEXT}
    spare = {index: widths[index] - low for index, low in least.items() if low < widths[index]}
    extra = width - 2 * (len(widths) - 1) - sum(widths) + sum(spare.values())
    if extra < 0:
        return None
    for left, index in enumerate(sorted(spare, key=spare.__getitem__)):
        more = min(spare[index], extra // (len(spare) - left))
        widths[index] += more - spare[index]
        extra -= more
    right = [_is_number(rows, index) for index in range(len(widths))]
    if any(widths[index] < max(map(text_width, column)) for index, column in _lists(rows, texts)):
        return None  # the end of a list is as much of an answer as its beginning
    lines = [_line(heads, widths, right), _line(["─" * wide for wide in widths], widths, right)]
    return lines + [_line(row, widths, right) for row in texts]


def _lists(rows: Rows, texts: Sequence[Sequence[str]]) -> Iterator[tuple[int, list[str]]]:
    """The columns with lists: their index and texts."""
    for index in range(len(rows[0]) if rows else 0):
        if any(isinstance(row[index], (list, tuple)) for row in rows):
            yield index, [text[index] for text in texts]


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    shown = []
    for text, width, to_right in zip(texts, widths, right, strict=True):
        text = cut_to_width(text, width)
        blanks = " " * (width - text_width(text))
        shown.append(blanks + text if to_right else text + blanks)
    return "  ".join(shown).rstrip()


def _records(columns: Sequence[str], rows: Rows, width: int) -> Iterator[str]:
    """Each row as a block of lines `name value`."""
    names = [cell(column) for column in columns]
    indent = min(_NAME_WIDTH, max(map(text_width, names), default=0)) + 2
    for number, row in enumerate(rows, 1):
        title = f"── {number} "
        yield title + "─" * max(0, min(width, 60) - len(title))
        for heading, value in zip(names, row, strict=True):
            name, text = heading, cell(value)
            if not text:
                continue
            start = max(indent, text_width(name) + 2)
            if text_width(text) > width - start and (_is_atomic(text) or start > indent):
                yield name
                name, start = "", 2
            for line in _folded(text, width - start):
                yield name + " " * (start - text_width(name)) + line
                name = ""


def _folded(text: str, width: int) -> list[str]:
    """Text in lines of at most `width` cells, shortened after a few; what must not be broken is one line."""
    if _is_atomic(text):
        return [text]
    width = max(width, _MIN_TEXT)
    text = cut_to_width(text, width * _VALUE_LINES)
    lines = []
    while text_width(text) > width:
        line = cut_to_width(text, width + 1).removesuffix("…")
        blank = line.rfind(" ")
        line = line[: blank + 1] if blank > len(line) // 2 else line
        lines.append(line)
        text = text[len(line) :]
    return [*lines, text]


def _is_atomic(text: str) -> bool:
    return _UNBREAKABLE.fullmatch(text) is not None


def _least(rows: Rows, index: int) -> int:
    """The width to which a column may be narrowed: text down to `_MIN_TEXT`, anything else not at all."""
    least = _MIN_TEXT
    for row in rows:
        value = row[index]
        shortened = isinstance(value, (list, tuple, dict)) or (
            isinstance(value, str) and not _is_atomic(cell(value))
        )
        if not shortened:
            least = max(least, text_width(cell(value)))
    return least


def _is_number(rows: Rows, index: int) -> bool:
    values = [row[index] for row in rows if row[index] is not None]
    return bool(values) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )
