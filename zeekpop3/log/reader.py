"""zat's ZeekLogReader, made lossless and fast for the event log: the one place that imports zat.

zat finds the fields of a log and their types, and would make a dictionary of each row, by the defaults of a
script: `-` becomes 0, times lose their microseconds. Here the rows, which are in memory, become columns in
the types that zat found, by Arrow's CSV reader with nothing taken for anything else (quotes, `#`, `NA`), and
a row with a field too many or too few is an error, not a guess. zat's LogToDataFrame would need pandas, whose
loading takes longer than Python's, NumPy's and Arrow's together.
"""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
from zat.zeek_log_reader import ZeekLogReader

from zeekpop3.log.header import COLUMNS, Header

BLOCK = 4 << 20
"""Arrow reads in blocks of so many bytes, each of which must hold a whole row."""

_TEXT = pa.dictionary(pa.int32(), pa.binary())
_ARROW_TYPES: dict[str, pa.DataType] = {
    "time": pa.float64(),
    "count": pa.uint64(),
    "port": pa.uint16(),
}


class BadRows(Exception):
    """Some row has the wrong number of fields, or a field that is not of its column's type."""


class EventLogReader(ZeekLogReader):  # type: ignore[misc]
    """zat's reader for the rows of an event log's chunks.

    `without_data`: the last field, `data`, is not in the lines, and so not among the columns.
    """

    def __init__(self, header: Header, without_data: bool = False) -> None:
        super().__init__(_header_file(header.fields[:-1] if without_data else header.fields))
        self._header = header
        _, self.field_names, self.field_types, _ = self._parse_zeek_header(self._filepath)

    def columns(self, rows: bytes | bytearray) -> dict[str, pa.Array]:
        """The columns of `COLUMNS` by name, one row for each line of `rows`.

        `ts` is float64, in seconds; other numbers are unsigned; texts are dictionaries of binary; `data` is
        binary, still base64. What is unset is null. Raises BadRows.
        """
        types = {
            name: _ARROW_TYPES.get(kind, _TEXT)
            for name, kind in zip(self.field_names, self.field_types, strict=True)
            if name in COLUMNS
        }
        if "data" in types:
            types["data"] = pa.binary()
        try:
            if rows:
                table = self._read(rows, types, min(BLOCK, len(rows) + 1))
            else:
                table = pa.schema(types.items()).empty_table()
        except pa.ArrowInvalid as error:
            if len(rows) <= BLOCK:
                raise BadRows(str(error)) from None
            # Perhaps only a row that is longer than a block.
            try:
                table = self._read(rows, types, len(rows) + 1)
            except pa.ArrowInvalid as second:
                raise BadRows(str(second)) from None
        table = table.unify_dictionaries().combine_chunks()
        return {name: _one(table[name]) for name in types}

    def _read(self, rows: bytes | bytearray, types: dict[str, pa.DataType], block: int) -> pa.Table:
        return pacsv.read_csv(
            pa.BufferReader(rows),
            # One thread: the pipeline has its own workers.
            pacsv.ReadOptions(column_names=self.field_names, use_threads=False, block_size=block),
            pacsv.ParseOptions(delimiter=self._header.separator, quote_char=False),
            pacsv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[self._header.unset_field],
                strings_can_be_null=True,
            ),
        )


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


@lru_cache(maxsize=16)
def _header_file_object(fields: tuple[str, ...], process: int) -> Any:
    """A file with nothing but a header, in the types that this program expects, for zat to find the fields
    in.

    zat opens files by name, and only uncompressed ones. Each process has its own, deleted when it ends.
    """
    file = tempfile.NamedTemporaryFile("w", prefix="zeekpop3-", suffix=".header", encoding="utf-8")  # noqa: SIM115
    types = [COLUMNS.get(name, "string") for name in fields]
    file.write(
        "#separator \\x09\n" + "\t".join(("#fields", *fields)) + "\n" + "\t".join(("#types", *types)) + "\n"
    )
    file.flush()
    return file


def _header_file(fields: tuple[str, ...]) -> str:
    file = _header_file_object(fields, os.getpid())
    if not Path(file.name).exists():  # some systems sweep their temporary files
        _header_file_object.cache_clear()
        file = _header_file_object(fields, os.getpid())
    name: str = file.name
    return name
