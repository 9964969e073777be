"""A chunk of the log → a batch of columns: times exact, data decoded, bad rows dropped and named.

Rows are read all at once; only when that fails are they looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import LogError
from zeekpop3.log.apart import data_apart
from zeekpop3.log.base64 import DataColumn, DataFields, decode_column
from zeekpop3.log.chunk import Chunk, OnError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Objects = npt.NDArray[np.object_]

MAX_TOLD = 10
"""So many bad rows of a chunk are told one by one; of the rest only the number."""

_NUMBERS = ("seq", "offset", "length", "id.orig_p", "id.resp_p")
_PORTS = ("id.orig_p", "id.resp_p")
_NUMBER = {name: re.compile(rb"\d{1,5}" if name.endswith("_p") else rb"\d{1,18}") for name in _NUMBERS}
_TIME = re.compile(rb"[1-8]?\d{1,9}(\.\d+)?")
_LAST_SECOND = 9e9  # until 2255, before pandas' nanoseconds end
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|\\)")


@dataclass(frozen=True)
class Batch:
    """Rows of one log as parallel columns, in the log's order.

    `uids` are the different uids in order of first appearance, `uid_code` the index into it for each row.
    `ts` is in microseconds since the epoch (UTC). Numbers that were unset are -1, texts None, `data` empty.
    """

    path: Path
    uids: list[str]
    uid_code: Ints
    ts: Ints
    seq: Ints
    kind: Objects
    command: Objects
    offset: Ints
    length: Ints
    payload: DataColumn | DataFields
    orig_h: Objects
    orig_p: Ints
    resp_h: Objects
    resp_p: Ints

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def uid(self) -> list[str]:
        uids = self.uids
        return [uids[code] for code in self.uid_code.tolist()]

    @cached_property
    def data(self) -> list[bytes]:
        return self.payload.between(0, len(self))

    @cached_property
    def whole(self) -> bool:
        """Whether no row's data is cut or broken."""
        return not self.payload.broken and not _cut(self)


def read_chunk(chunk: Chunk, on_error: OnError) -> Batch:
    """The rows of `chunk`; each that cannot be used is dropped, and `on_error` is told file and line.

    Data that is broken or cut is kept as far as it decodes; `length` still says what it should be. Raises
    LogError only if the file is not what it was when it was cut into chunks.
    """
    from zeekpop3.log.reader import BadRows

    text = chunk.text()
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    tell = _Teller(chunk, on_error)
    lines: list[int] | None = None
    try:
        batch = _batch(chunk, text)
        good = b"\r" not in text and not _has_holes(batch)
    except BadRows:
        good = False
    if not good:
        text, lines = _usable(chunk, bytes(text), tell)
        batch = _batch(chunk, text)
    for row in batch.payload.broken:
        tell(lines[row] if lines else row, "the data is no base64, or cut; what decodes of it is used")
    for row in _cut(batch):
        tell(
            lines[row] if lines else row,
            f"the data has {len(batch.data[row])} bytes, not the {batch.length[row]} that length says",
        )
    tell.end()
    return batch


def _batch(chunk: Chunk, text: bytes | bytearray) -> Batch:
    from zeekpop3.log.reader import BadRows, EventLogReader

    header = chunk.header
    apart = data_apart(text, header)
    payload = None
    if apart is None:
        columns = EventLogReader(header).columns(text)
    else:
        rest, payload = apart
        columns = EventLogReader(header, without_data=True).columns(rest)
        if len(columns["ts"]) != len(payload.fields):
            raise BadRows("a line is empty but for its data")
    ts = _microseconds(_numpy(columns["ts"]))
    return batch_of(columns.__getitem__, ts, chunk.path, header.empty_field.encode(), payload)


def _microseconds(seconds: npt.NDArray[np.float64]) -> Ints:
    """Zeek's times, exact: until 2242 a float64 is less than half a microsecond off; -1 for what is none."""
    import numpy as np

    good = (seconds >= 0) & (seconds < _LAST_SECOND)
    return np.where(good, np.rint(np.where(good, seconds, 0.0) * 1e6), -1.0).astype(np.int64)


def batch_of(
    arrow: Callable[[str], Any], ts: Ints, path: Path, empty: bytes, payload: DataFields | None = None
) -> Batch:
    """A batch of columns that somebody else has read: `arrow` gives each as an Arrow array by its name.

    Numbers are integers of any width, `data` (not asked for if `payload` has it) is binary, still base64,
    the other texts are dictionaries of binary, as Zeek wrote them; null is unset. `ts` is in microseconds;
    `empty` stands for an empty text.
    """
    import numpy as np

    def number(name: str) -> Ints:
        column = arrow(name)
        if column.null_count == len(column):
            return np.full(len(column), -1, np.int64)
        numbers: Ints = _numpy(column).astype(np.int64, copy=False)
        return numbers

    def text(name: str) -> tuple[list[str], Ints]:
        column = arrow(name)
        names = [_text(value, empty) for value in column.dictionary.to_pylist()]
        return names, _numpy(column.indices)

    def objects(name: str) -> Objects:
        names, codes = text(name)
        table = np.empty(len(names) + 1, object)
        table[:-1] = names  # the last, index -1, stays None: unset
        return table[codes]

    uids, uid_code = text("uid")
    return Batch(
        path=path,
        uids=uids,
        uid_code=uid_code,
        ts=ts,
        seq=number("seq"),
        kind=objects("kind"),
        command=objects("command"),
        offset=number("offset"),
        length=number("length"),
        payload=decode_column(arrow("data"), empty) if payload is None else payload,
        orig_h=objects("id.orig_h"),
        orig_p=number("id.orig_p"),
        resp_h=objects("id.resp_h"),
        resp_p=number("id.resp_p"),
    )


def _numpy(numbers: Any) -> Any:
    """An Arrow array of numbers as NumPy's, -1 for null; Arrow's own way there loads pandas, or its
    functions."""
    import numpy as np

    size, offset = len(numbers), numbers.offset
    valid, values = numbers.buffers()
    array = np.frombuffer(values, numbers.type.to_pandas_dtype(), size, offset * numbers.type.byte_width)
    if array.dtype.kind == "u":
        array = array.astype(np.int64)  # Zeek's count is a uint64; no stream comes near its upper half
    if numbers.null_count:
        bits = np.unpackbits(np.frombuffer(valid, np.uint8), count=offset + size, bitorder="little")
        array = np.where(bits[offset:], array, array.dtype.type(-1))
    return array


def _text(value: bytes, empty: bytes) -> str:
    """A text of Zeek's ASCII writer: `\\xNN` and `\\\\` undone; bytes that are no UTF-8 stay written as
    `\\xNN`."""
    if value == empty:
        return ""
    if b"\\" in value:
        value = _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else b"\\", value)
    return value.decode("utf-8", "backslashreplace")


def _has_holes(batch: Batch) -> bool:
    """Whether a row lacks what every row has (time, uid, seq, kind), or a number is beyond reason."""
    if not len(batch):
        return False
    must = min(batch.uid_code.min(), batch.seq.min(), batch.ts.min())
    may = min(batch.offset.min(), batch.length.min())
    return bool(must < 0 or may < -1 or not batch.kind.all())


def _cut(batch: Batch) -> list[int]:
    """The rows whose data is shorter (or longer) than `length` says; in a `gap` row it counts what is
    missing."""
    import numpy as np

    differ = np.flatnonzero((batch.length >= 0) & (batch.payload.sizes != batch.length)).tolist()
    broken = set(batch.payload.broken)
    return [row for row in differ if batch.kind[row] != "gap" and row not in broken]


def _usable(chunk: Chunk, text: bytes, tell: _Teller) -> tuple[bytes, list[int]]:
    """The lines that are rows, one by one, and the index of each in the chunk."""
    fields = chunk.header.fields
    separator, unset = chunk.header.separator.encode(), chunk.header.unset_field.encode()
    place = {name: fields.index(name) for name in (*_NUMBERS, "ts", "uid", "kind")}
    kept, indices = [], []
    rows = text.split(b"\n")
    if not rows[-1]:
        rows.pop()
    for index, row in enumerate(rows):
        values = row.split(separator)
        if len(values) != len(fields):
            tell(index, f"the row has {len(values)} fields, not {len(fields)}; it is left out")
            continue
        wrong = next(
            (n for n in _NUMBERS if (v := values[place[n]]) != unset and not _NUMBER[n].fullmatch(v)), None
        )
        if wrong is None and not _TIME.fullmatch(values[place["ts"]]):
            wrong = "ts"
        if wrong is None:
            wrong = next(
                (n for n in _PORTS if values[place[n]] != unset and int(values[place[n]]) > 0xFFFF), None
            )
        if wrong is None:
            wrong = next((n for n in ("uid", "seq", "kind") if values[place[n]] == unset), None)
        if wrong is None and b"\r" in row:
            wrong = "the line"
        if wrong:
            tell(index, f"{wrong} is not what it must be; the row is left out")
            continue
        kept.append(row)
        indices.append(index)
    return b"\n".join(kept) + b"\n" if kept else b"", indices


class _Teller:
    """Tells of bad rows by their line; after the first ones only counts them."""

    def __init__(self, chunk: Chunk, on_error: OnError) -> None:
        self._chunk = chunk
        self._on_error = on_error
        self._count = 0

    def __call__(self, row: int, reason: str) -> None:
        self._count += 1
        if self._count <= MAX_TOLD:
            self._on_error(LogError(self._chunk.path, reason, self._chunk.line + row))

    def end(self) -> None:
        more = self._count - MAX_TOLD
        if more > 0:
            self._on_error(
                LogError(self._chunk.path, f"{more} more bad rows below that line", self._chunk.line)
            )
