"""A chunk of the log → a batch of columns → the rows of each connection.

Times are exact, data is decoded, bad rows are left out and reported. The rows become columns by Arrow's CSV
reader, all at once and with no special meaning of quotes, `#` or `NA`, in the types that the log's header
names. Only if that fails the rows are checked one by one (`bad_rows`).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pybase64

from zeekpop3.log.bad_rows import RowErrors, good_rows
from zeekpop3.log.chunks import Chunk, OnError, next_meta
from zeekpop3.log.find import log_name
from zeekpop3.log.header import COLUMNS, LAST_SECOND, LogHeader, unescape
from zeekpop3.log.json_lines import tsv_of
from zeekpop3.session import ConnId, Rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Ints = npt.NDArray[np.int64]
    Objects = npt.NDArray[np.object_]


class BadRows(Exception):
    """Some row has the wrong number of fields, or a field that is not of its column's type."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one log as parallel columns, in the log's order.

    `uids` are the different uids in order of first appearance, `uid_code` is the index into it for each row.
    `ts` is in microseconds since the epoch (UTC). Unset numbers are -1, unset texts None, unset data empty.
    `log` is the log's name in the tables.
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
    payload: Payload
    orig_h: Objects
    orig_p: Ints
    resp_h: Objects
    resp_p: Ints
    log: str | None = None

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def data(self) -> list[bytes]:
        return self.payload.fields


def read_chunk(chunk: Chunk, on_error: OnError) -> Batch:
    """The rows of `chunk`. Each row that cannot be used is left out and goes to `on_error` with its line.

    Invalid or truncated data is kept as far as it decodes; `length` still says what it should be. Raises
    LogError only if the file was changed after it was cut into chunks.
    """
    text = chunk.text()
    errors = RowErrors(chunk, on_error)
    if chunk.header.is_json:
        text = tsv_of(text, chunk.header.fields, errors.of_line)
    errors.text = text
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    text = _without_meta(text)
    batch = None
    if b"\r" not in text:
        try:
            batch = _batch(chunk, text)
        except BadRows:
            pass
    if batch is None or _has_holes(batch):
        batch = _batch(chunk, good_rows(chunk, bytes(text), errors))
    for row in batch.payload.invalid:
        errors.of_row(row, "invalid or truncated base64 in `data`; using the part that decodes")
    for row in _truncated(batch):
        size, length = len(batch.data[row]), batch.length[row]
        errors.of_row(row, f"`data` has {size} bytes, but `length` is {length}")
    errors.finish()
    return batch


def _without_meta(text: bytes | bytearray) -> bytes | bytearray:
    """The lines that do not begin with `#`."""
    at = next_meta(text, 0)
    if at == len(text):
        return text
    parts = [text[:at]]
    while at < len(text):
        begin = text.find(b"\n", at) + 1 or len(text)
        at = next_meta(text, begin)
        parts.append(text[begin:at])
    return b"".join(parts)


def _batch(chunk: Chunk, text: bytes | bytearray) -> Batch:
    header, payload = chunk.header, None
    fields = header.fields
    if apart := data_apart(text, header):
        text, payload = apart
        fields = fields[:-1]
    columns = _read_columns(text, header, fields)
    if payload is not None and len(columns["ts"]) != len(payload.fields):
        raise BadRows("a line is empty but for its data")
    ts = _microseconds(_numpy(columns["ts"]))
    log = chunk.log or log_name(chunk.path)
    return batch_of(columns.__getitem__, ts, chunk.path, header.empty_field.encode(), payload, log)


def _read_columns(rows: bytes | bytearray, header: LogHeader, fields: tuple[str, ...]) -> dict[str, pa.Array]:
    """The columns of `COLUMNS` by name, a row for each line of `rows`; unset is null. Raises BadRows.

    `ts` is float64, in seconds; other numbers are unsigned; texts are dictionaries of binary; `data` is
    binary, still base64.
    """
    import pyarrow as pa
    import pyarrow.csv as csv

    types = {
        name: _arrow_type(name, kind)
        for name, kind in zip(fields, header.types, strict=False)
        if name in COLUMNS
    }
    if not rows:
        return {name: pa.array([], kind) for name, kind in types.items()}
    try:
        table = csv.read_csv(
            pa.BufferReader(rows),
            # One thread: the pipeline has its own workers. One block: each column is one array.
            csv.ReadOptions(column_names=fields, use_threads=False, block_size=len(rows) + 1),
            csv.ParseOptions(delimiter=header.separator, quote_char=False),
            csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[header.unset_field],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise BadRows(str(error)) from None
    return {name: table[name].chunk(0) for name in types}


def _arrow_type(name: str, kind: str) -> pa.DataType:
    import pyarrow as pa

    if name == "data":
        return pa.binary()
    numbers = {"time": pa.float64(), "count": pa.uint64(), "port": pa.uint16()}
    return numbers.get(kind, pa.dictionary(pa.int32(), pa.binary()))


def batch_of(
    arrow: Callable[[str], Any],
    ts: Ints,
    path: Path,
    empty: bytes,
    payload: Payload | None = None,
    log: str | None = None,
) -> Batch:
    """A batch of columns that the caller has read: `arrow` gives each as an Arrow array by its name.

    Numbers are integers of any width; `data` (not used if there is a `payload`) is binary, still base64; the
    other texts are dictionaries of binary, as Zeek wrote them; null is unset. `ts` is in microseconds;
    `empty` stands for an empty text.
    """
    import numpy as np

    def number(name: str) -> Ints:
        numbers: Ints = _numpy(arrow(name)).astype(np.int64, copy=False)
        return numbers

    def objects(name: str) -> Objects:
        column = arrow(name)
        names = [_text(value, empty) for value in column.dictionary.to_pylist()]
        table = np.empty(len(names) + 1, object)
        table[:-1] = names  # the last, index -1, stays None: unset
        values: Objects = table[_numpy(column.indices)]
        return values

    uids = arrow("uid")
    return Batch(
        path=path,
        uids=[_text(value, empty) for value in uids.dictionary.to_pylist()],
        uid_code=_numpy(uids.indices),
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
        log=log,
    )


def _microseconds(seconds: npt.NDArray[np.float64]) -> Ints:
    """Zeek's times, exact: until 2242 a float64 is less than half a microsecond off. Invalid times are -1."""
    import numpy as np

    good = (seconds >= 0) & (seconds < LAST_SECOND)
    return np.where(good, np.rint(np.where(good, seconds, 0.0) * 1e6), -1.0).astype(np.int64)


def _numpy(numbers: Any) -> Any:
    """An Arrow array of numbers as NumPy's, -1 for null.

    From its buffers: `to_numpy` would import pandas (0.4 s of CPU), `cast` and `fill_null` pyarrow.compute
    (0.15 s), in each process.
    """
    import numpy as np

    size, offset = len(numbers), numbers.offset
    if numbers.null_count == size:
        return np.full(size, -1)
    valid, values = numbers.buffers()
    array = np.frombuffer(values, numbers.type.to_pandas_dtype(), size, offset * numbers.type.byte_width)
    if array.dtype.kind != "f":
        array = array.astype(np.int64)  # Zeek's count is a uint64; no stream comes near its upper half
    if numbers.null_count:
        bits = np.unpackbits(np.frombuffer(valid, np.uint8), count=offset + size, bitorder="little")
        array = np.where(bits[offset:], array, array.dtype.type(-1))
    return array


def _text(value: bytes, empty: bytes) -> str:
    return "" if value == empty else unescape(value)


def _has_holes(batch: Batch) -> bool:
    """Whether a row lacks what every row has (time, uid, seq, kind), or a number is out of range."""
    if not len(batch):
        return False
    required = min(batch.uid_code.min(), batch.seq.min(), batch.ts.min())
    optional = min(batch.offset.min(), batch.length.min())
    return bool(required < 0 or optional < -1 or not batch.kind.all())


def _truncated(batch: Batch) -> list[int]:
    """The rows whose data has not the size that `length` says. A row without data uses `length` otherwise:
    in a `gap` row it counts missing bytes, in a `sent` row client lines."""
    import numpy as np

    sizes = np.fromiter(map(len, batch.data), np.int64, len(batch))
    differ = np.flatnonzero((batch.length >= 0) & (sizes != batch.length)).tolist()
    invalid = set(batch.payload.invalid)
    return [
        row
        for row in differ
        if row not in invalid and batch.kind[row] != "gap" and (batch.kind[row] != "sent" or batch.data[row])
    ]


# -- the column `data`: base64 → bytes ---------------------------------------------------------------


_VALID = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_PROBE = 1 << 18
_LONG = 1_000  # bytes a line, on average, from which on `data_apart` pays


@dataclass(frozen=True, slots=True)
class Payload:
    """The decoded fields of a batch, and the indices of those that are invalid or truncated base64."""

    fields: list[bytes] = field(default_factory=list)
    invalid: list[int] = field(default_factory=list)

    def add(self, text: bytes | memoryview) -> None:
        """Decode the next field, as far as that is possible."""
        try:
            decoded, is_valid = pybase64.b64decode(text, None, True), True
        except ValueError:
            decoded, is_valid = decode_field(bytes(text))
        if not is_valid:
            self.invalid.append(len(self.fields))
        self.fields.append(decoded)


def decode_field(text: bytes) -> tuple[bytes, bool]:
    """What of a field decodes, and whether that is all of it."""
    prefix = _VALID.match(text)[0]  # type: ignore[index]
    if len(prefix) & 3:
        # An incomplete group of two or three characters still holds one or two bytes.
        prefix = prefix.rstrip(b"=")
        prefix = prefix[: len(prefix) - (len(prefix) % 4 == 1)]
        prefix += b"=" * (-len(prefix) % 4)
    return pybase64.b64decode(prefix), prefix == text


def decode_column(column: Any, empty: bytes) -> Payload:
    """Decode an Arrow binary array. Null and the text `empty` become empty."""
    payload = Payload()
    for text in column.to_pylist():
        payload.add(b"" if text is None or text == empty else text)
    return payload


def data_apart(text: bytes | bytearray, header: LogHeader) -> tuple[bytes, Payload] | None:
    """The lines of `text` without their last field, `data`, and that field decoded, before the CSV reader
    copies it: this saves 8 % of the stage, and 80 MiB, on logs with long lines.

    None where it does not pay, or cannot be done: `data` is not the last column, lines are short, or a line
    has no separator. Whether a line has all other fields is left to the CSV reader.
    """
    if header.fields[-1] != "data" or text.count(b"\n", 0, _PROBE) * _LONG > min(_PROBE, len(text)):
        return None
    separator = header.separator.encode()
    nothing = (header.unset_field.encode(), header.empty_field.encode())
    longest = max(map(len, nothing))
    rest: list[bytes | bytearray] = []
    payload = Payload()
    begin = 0
    with memoryview(text) as view:
        while begin < len(text):
            end = text.find(b"\n", begin)
            if end < 0:
                end = len(text)
            last = text.rfind(separator, begin, end)
            if last < 0:
                return None
            rest.append(text[begin:last])
            begin = end + 1
            data = view[last + len(separator) : end]
            payload.add(b"" if len(data) <= longest and bytes(data) in nothing else data)
    rest.append(b"")
    return b"\n".join(rest), payload


# -- the rows of each connection ---------------------------------------------------------------------


def group(batch: Batch) -> Iterator[tuple[str, Rows]]:
    """The uids of `batch` in order of first appearance, each with its rows."""
    import numpy as np

    if not len(batch):
        return
    order = np.lexsort((batch.seq, batch.uid_code))
    codes = batch.uid_code.take(order)
    begins = np.concatenate(([0], np.flatnonzero(np.diff(codes)) + 1))
    ends = np.append(begins[1:], len(codes)).tolist()
    ids = _conn_ids(batch, order, codes)
    ts, seq = _numbers(batch.ts, order), _numbers(batch.seq, order)
    offset, length = _numbers(batch.offset, order), _numbers(batch.length, order)
    kind, command = batch.kind.take(order), batch.command.take(order)
    data = list(map(batch.data.__getitem__, order.tolist()))
    for begin, end, code in zip(begins.tolist(), ends, codes[begins].tolist(), strict=True):
        at = slice(begin, end)
        kinds, commands = kind[at].tolist(), command[at].tolist()
        of_uid = ts[at], seq[at], kinds, commands, offset[at], length[at], data[at]
        rows = Rows(*of_uid, ids.get(code), batch.log)
        yield batch.uids[code], rows


def _numbers(column: Ints, order: Ints) -> array[int]:
    """A column in an order. Most of its numbers are never used, so no Python object is made of them."""
    numbers = array("q")
    numbers.frombytes(column.take(order).data.cast("B"))
    return numbers


def _conn_ids(batch: Batch, order: Ints, codes: Ints) -> dict[int, ConnId]:
    """For each uid (by its code) the four-tuple of its first row that has one."""
    import numpy as np

    having = np.flatnonzero(batch.orig_p.take(order) >= 0)
    uids, first = np.unique(codes[having], return_index=True)
    rows = order[having[first]]
    columns = [column[rows].tolist() for column in (batch.orig_h, batch.orig_p, batch.resp_h, batch.resp_p)]
    ids = map(ConnId, *columns)
    return {code: each for code, each in zip(uids.tolist(), ids, strict=True) if None not in each}
