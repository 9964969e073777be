"""One Parquet file: how its columns are stored."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3.store.files import staged
from zeekpop3.tables.column import Column
from zeekpop3.tables.schema import TABLE_KEY, TABLES

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_GROUP_BYTES = 32 << 20  # in memory; readers skip row groups by their statistics
_BATCH_ROWS = 1024
_BATCH_BYTES = 4 << 20


def write_parquet(table: pa.Table, path: Path) -> Path:
    """Write and flush a table next to `path`, under a temporary name, and return that; `publish` renames it.

    Raises OutputError if it cannot be written; then nothing is left.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with staged(path) as (temporary, _), pa.OSFile(str(temporary), "wb") as out:
        pq.write_table(table, out, **_options(table))
    return temporary


def _options(table: pa.Table) -> dict[str, Any]:
    """How the columns are stored, according to the schema of the table."""
    import pyarrow.parquet as pq

    name = (table.schema.metadata or {}).get(TABLE_KEY, b"").decode()
    columns = TABLES[name].columns if name in TABLES else ()
    largest = max((column.nbytes for column in table.columns), default=0)
    group_rows = _rows_within(_ROW_GROUP_BYTES, table.num_rows, table.nbytes)
    options: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 1,
        "row_group_size": group_rows,
        # Dictionaries and statistics of all columns cost more than they save (measured on real mail).
        "use_dictionary": [path for column in columns for path in _repeating(column)],
        "write_statistics": [column.name for column in columns if column.searched or column.looked_up],
        # So many rows are encoded before Arrow checks whether a page is full: few if they are large. A page
        # of many times its size (1 MiB) saves nothing and takes three times its memory.
        "write_batch_size": min(_BATCH_ROWS, _rows_within(_BATCH_BYTES, table.num_rows, largest)),
    }
    if "bloom_filter_options" in inspect.signature(pq.ParquetWriter.__init__).parameters:
        size = {"ndv": group_rows, "fpp": 0.01}
        options["bloom_filter_options"] = {column.name: size for column in columns if column.looked_up}
    return options


def _repeating(column: Column) -> list[str]:
    """The paths of a column, or of the fields of its structs, whose values occur many times."""
    if column.fields:
        return [f"{column.name}.list.element.{field.name}" for field in column.fields if field.repeats]
    return [column.name] if column.repeats else []


def _rows_within(limit: int, rows: int, size: int) -> int:
    """How many of `rows` rows, which together have `size` bytes, have about `limit` bytes; at least one."""
    return max(1, min(rows, rows * limit // max(1, size)))
