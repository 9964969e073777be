"""Rows that cannot be used: found one by one, reported by their line, left out."""

from __future__ import annotations

import re
from functools import cached_property

from zeekpop3.errors import LogError
from zeekpop3.log.chunks import Chunk, OnError

MAX_REPORTED_ROWS = 10
"""At most this many bad rows of a chunk are reported one by one; the rest are counted."""

_PORT = re.compile(rb"0*(?:[1-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])")
_COUNT = re.compile(rb"\d{1,18}")
_VALUES = {
    "seq": _COUNT,
    "offset": _COUNT,
    "length": _COUNT,
    "id.orig_p": _PORT,
    "id.resp_p": _PORT,
    "ts": re.compile(rb"[1-8]?\d{1,9}(\.\d+)?"),
}
_REQUIRED = ("ts", "uid", "seq", "kind")


class RowErrors:
    """Reports the bad rows of a chunk. `text` is the chunk as it stands in the log, or, for JSON, the rows
    that were made of its lines.
    """

    def __init__(self, chunk: Chunk, on_error: OnError) -> None:
        self._chunk = chunk
        self.text: bytes | bytearray = b""
        self._on_error = on_error
        self._count = 0

    @cached_property
    def lines(self) -> list[int]:
        """The line of each row that is used, counted from the chunk's first."""
        lines = bytes(self.text).split(b"\n")
        return [number for number, line in enumerate(lines) if not line.startswith(b"#")]

    def of_row(self, row: int, reason: str) -> None:
        """Report a row, by its index among the rows that are used."""
        self._count += 1
        if self._count <= MAX_REPORTED_ROWS:
            self._on_error(LogError(self._chunk.path, reason, self._chunk.line + self.lines[row]))

    def of_line(self, index: int, reason: str) -> None:
        """Report a line that cannot be read as a row, by its index in the chunk."""
        self._count += 1
        if self._count <= MAX_REPORTED_ROWS:
            self._on_error(LogError(self._chunk.path, reason, self._chunk.line + index))

    def keep(self, rows: list[int]) -> None:
        """From now on, row n is what was row `rows[n]`."""
        self.lines = [self.lines[row] for row in rows]

    def finish(self) -> None:
        """Report how many more there are."""
        more = self._count - MAX_REPORTED_ROWS
        if more > 0:
            self._on_error(
                LogError(self._chunk.path, f"{more} more bad rows after this line", self._chunk.line)
            )


def good_rows(chunk: Chunk, text: bytes, errors: RowErrors) -> bytes:
    """The lines of `text` that are rows of the log; the others are reported."""
    fields = chunk.header.fields
    separator, unset = chunk.header.separator.encode(), chunk.header.unset_field.encode()
    places = {name: fields.index(name) for name in {*_VALUES, *_REQUIRED}}
    kept, indices = [], []
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for index, line in enumerate(lines):
        values = line.split(separator)
        if len(values) != len(fields):
            errors.of_row(index, f"expected {len(fields)} fields, found {len(values)}; row skipped")
        elif b"\r" in line:
            errors.of_row(index, "carriage return in the row; row skipped")
        elif name := _invalid_field(values, places, unset):
            errors.of_row(index, f"invalid value in `{name}`; row skipped")
        else:
            kept.append(line)
            indices.append(index)
    errors.keep(indices)
    return b"\n".join(kept) + b"\n" if kept else b""


def _invalid_field(values: list[bytes], places: dict[str, int], unset: bytes) -> str | None:
    for name in _REQUIRED:
        if values[places[name]] == unset:
            return name
    for name, expected in _VALUES.items():
        value = values[places[name]]
        if value != unset and not expected.fullmatch(value):
            return name
    return None
