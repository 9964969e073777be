"""zat's LogToDataFrame, made lossless and fast for the event log: the one place that imports zat, pandas
and Arrow.

zat reads with pandas' defaults: quotes, `#`, `NA`, `null` in a text are damaged. Here its
`_create_initial_df` takes the rows from memory, in the types that zat gives, by Arrow's CSV reader with all
of that switched off: three times as fast as pandas' own, and a row with a field too many or too few is an
error, not a guess.
"""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
from zat.log_to_dataframe import LogToDataFrame

from zeekpop3.log.header import COLUMNS, Header

BLOCK = 4 << 20
"""Arrow reads in blocks of so many bytes, each of which must hold a whole row."""

_ARROW_TYPES: dict[str, pa.DataType] = {
    "float": pa.float64(),
    "UInt64": pa.uint64(),
    "UInt16": pa.uint16(),
}
_TEXT = pa.dictionary(pa.int32(), pa.binary())


class BadRows(Exception):
    """Some row has the wrong number of fields, or a field that is not of its column's type."""


class EventLogToDataFrame(LogToDataFrame):  # type: ignore[misc]
    """zat's reader for the rows of one chunk of an event log."""

    def __init__(self, header: Header) -> None:
        super().__init__()
        self._header = header
        self._rows: bytes | bytearray = b""

    def frame(self, rows: bytes | bytearray, without_data: bool = False) -> pd.DataFrame:
        """The columns of `COLUMNS` as a DataFrame, one row for each line of `rows`.

        `ts` is datetime64; numbers are nullable; texts are dictionaries of bytes; `data` is bytes, still
        base64. `without_data`: the last field, `data`, is not in the lines, and so not in the DataFrame.
        Raises BadRows.
        """
        self._rows = rows
        fields = self._header.fields
        file = _header_file(fields[:-1] if without_data else fields)
        wanted = [name for name in COLUMNS if name != "data" or not without_data]
        try:
            return self.create_dataframe(file, ts_index=False, aggressive_category=False, usecols=wanted)
        except pd.errors.OutOfBoundsDatetime as error:
            raise BadRows(str(error)) from None

    def _create_initial_df(
        self, log_filename: str, all_fields: list[str], usecols: list[str], dtypes: dict[str, str]
    ) -> pd.DataFrame:
        """zat's hook: the rows in the primary types (`dtypes` is by column, in zat's names)."""
        types = {name: _ARROW_TYPES.get(dtypes[name], _TEXT) for name in usecols}
        if "data" in types:
            types["data"] = pa.binary()
        try:
            if self._rows:
                table = self._read(all_fields, usecols, types, min(BLOCK, len(self._rows) + 1))
            else:
                table = pa.schema(types.items()).empty_table()
        except pa.ArrowInvalid as error:
            if len(self._rows) <= BLOCK:
                raise BadRows(str(error)) from None
            # Perhaps only a row that is longer than a block.
            try:
                table = self._read(all_fields, usecols, types, len(self._rows) + 1)
            except pa.ArrowInvalid as second:
                raise BadRows(str(second)) from None
        table = table.unify_dictionaries().combine_chunks()
        columns: dict[str, Any] = {
            name: table[name].to_numpy()
            if types[name] == pa.float64()
            else pd.Series(pd.arrays.ArrowExtensionArray(table[name]))
            for name in usecols
        }
        return pd.DataFrame(columns)

    def _read(self, fields: list[str], usecols: list[str], types: dict[str, Any], block: int) -> pa.Table:
        return pacsv.read_csv(
            pa.BufferReader(self._rows),
            # One thread: the pipeline has its own workers.
            pacsv.ReadOptions(column_names=fields, use_threads=False, block_size=block),
            pacsv.ParseOptions(delimiter=self._header.separator, quote_char=False),
            pacsv.ConvertOptions(
                column_types=types,
                include_columns=usecols,
                null_values=[self._header.unset_field],
                strings_can_be_null=True,
            ),
        )


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
