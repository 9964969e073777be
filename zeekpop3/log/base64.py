"""A whole column of base64 decoded at once.

Each field is padded to four characters, so the fields, as they lie one behind the other in Arrow's buffer,
are one long base64 text in which `=` stands for bits that nobody reads: one call decodes them all, and the
fields are slices. Where that does not hold (a field that is cut, or no base64 at all) the fields are
decoded one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pybase64

from zeekpop3.log.cut import pieces

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

_VALID = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


@dataclass(frozen=True)
class DataColumn:
    """The decoded fields: field i is `buffer[starts[i]:ends[i]]`; `broken` are the rows that were no good
    base64."""

    buffer: bytes
    starts: Ints
    ends: Ints
    broken: list[int]

    @property
    def sizes(self) -> Ints:
        return self.ends - self.starts

    def take(self, order: Ints) -> DataColumn:
        """The rows in another order; which are broken is not told again."""
        return DataColumn(self.buffer, self.starts.take(order), self.ends.take(order), [])

    def between(self, begin: int, end: int) -> list[bytes]:
        """The fields of the rows `begin` to `end`."""
        starts, ends = self.starts[begin:end], self.ends[begin:end]
        return pieces(self.buffer, starts.tolist(), ends.tolist())


@dataclass(frozen=True)
class DataFields:
    """The same, where each field was decoded by itself."""

    fields: list[bytes]
    broken: list[int]

    @property
    def sizes(self) -> Ints:
        import numpy as np

        return np.fromiter(map(len, self.fields), np.int64, len(self.fields))

    def take(self, order: Ints) -> DataFields:
        """The rows in another order; which are broken is not told again."""
        fields = self.fields
        return DataFields([fields[row] for row in order.tolist()], [])

    def between(self, begin: int, end: int) -> list[bytes]:
        """The fields of the rows `begin` to `end`."""
        return self.fields[begin:end]


def decode_column(column: Any, empty: bytes) -> DataColumn | DataFields:
    """`column` is an Arrow binary array without offset; null is nothing, and so is `empty`."""
    import numpy as np

    count = len(column)
    if count == column.null_count:
        nothing = np.zeros(count, np.int64)
        return DataColumn(b"", nothing, nothing, [])
    _, offsets_buffer, text = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset : column.offset + count + 1].astype(
        np.int64
    )
    first, last = int(offsets[0]), int(offsets[-1])
    chars = np.frombuffer(text, np.uint8)[first:last]
    offsets -= first
    begins, ends = offsets[:-1], offsets[1:]
    if not ((ends - begins) & 3).any():
        # How many of the last two characters of each field are `=`; at any other the decoder stumbles.
        filled = ends > begins
        padding = np.zeros(count, np.int64)
        padding[filled] = chars[ends[filled] - 1] == 0x3D
        chars = chars.copy()
        padded = np.flatnonzero(padding)
        final = ends[padded] - 1
        twice = chars[final - 1] == 0x3D
        padding[padded] += twice
        chars[final] = 0x41
        chars[final[twice] - 1] = 0x41
        try:
            buffer = pybase64.b64decode(chars.data, None, True)
        except ValueError:
            pass
        else:
            return DataColumn(buffer, begins // 4 * 3, ends // 4 * 3 - padding, [])
    return _one_by_one(column.to_pylist(), empty)


def _one_by_one(fields: list[bytes | None], empty: bytes) -> DataFields:
    pieces: list[bytes] = []
    broken: list[int] = []
    for row, field in enumerate(fields):
        if field is None or field == empty:
            pieces.append(b"")
            continue
        piece, good = decoded_field(field)
        if not good:
            broken.append(row)
        pieces.append(piece)
    return DataFields(pieces, broken)


def decoded_field(field: bytes) -> tuple[bytes, bool]:
    """A field as far as it decodes, and whether that is all of it."""
    prefix = _VALID.match(field)[0]  # type: ignore[index]
    if len(prefix) & 3:
        # A last group of two or three characters still holds one or two bytes.
        prefix = prefix.rstrip(b"=")
        prefix = prefix[: len(prefix) - (len(prefix) % 4 == 1)]
        prefix += b"=" * (-len(prefix) % 4)
    return pybase64.b64decode(prefix), prefix == field
