"""Parts of tables: `DIR/<table>/day=YYYY-MM-DD/part-….parquet`, folders 0700 and files 0600.

Several processes may write parts into one output at the same time, each with its own token. Every part has
the version of the schema in its metadata.
"""

from __future__ import annotations

import inspect
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import OutputError, ZeekPop3Error, first_line
from zeekpop3.store.files import make_folder, publish, staged
from zeekpop3.tables.column import Column
from zeekpop3.tables.schema import SCHEMA_VERSION, TABLE_KEY, TABLES, VERSION_KEY, schema

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


# -- parts of tables ---------------------------------------------------------------------------------


#: Microseconds of a day.
DAY_US = 86_400_000_000
#: Years 1 to 9999: dates that Parquet readers support.
_DAYS = (-719_162, 2_932_896)


def new_token() -> str:
    """A token for part names that no other writer has; tokens sort by the time they were made."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class PartWriter:
    """Writes parts below one folder, for example in a worker process."""

    root: Path
    token: str = field(default_factory=new_token)

    def write(self, name: str, table: pa.Table, number: int) -> list[Path]:
        """Write the rows of a table as one part per day, in the order given; returns the paths.

        All parts are written before readers see the first. `number` is the part's number in its name; a part
        of the same number is replaced. Raises OutputError.
        """
        staged: dict[Path, Path] = {}
        try:
            for day, rows in split_by_day(table):
                path = self.root / name / f"day={day}" / f"part-{self.token}-{number:06d}.parquet"
                make_folder(path.parent)
                staged[path] = write_parquet(rows, path)
        except BaseException:
            for temporary in staged.values():
                temporary.unlink(missing_ok=True)
            raise
        for path, temporary in staged.items():
            publish(temporary, path)
        return list(staged)


def part_files(folder: Path, first: str = "", last: str = "") -> list[Path]:
    """The parts of a table from day `first` to day `last` (YYYY-MM-DD), sorted; none without the folder."""
    return [Path(name) for _, name in part_names(folder, first, last)]


def part_names(folder: Path, first: str = "", last: str = "") -> list[tuple[str, str]]:
    """The same as text, which is fast for years of days: the name of the day's folder, and the path."""
    low, high = f"day={first}", f"day={last or '~'}"
    days = [(day, f"{folder}/{day}") for day in _days(folder) if low <= day <= high]
    return [(day, f"{path}/{name}") for day, path in days for name in _parts(path)]


def newest_parts(folder: Path) -> list[Path]:
    """The parts of a table's newest day."""
    days = (folder / day for day in reversed(_days(folder)))
    return next(([day / name for name in names] for day in days if (names := _parts(day))), [])


def _days(folder: Path) -> list[str]:
    return sorted(name for name in _names(folder) if name.startswith("day="))


def _parts(folder: Path | str) -> list[str]:
    return sorted(name for name in _names(folder) if name[:1] != "." and name.endswith(".parquet"))


def _names(folder: Path | str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 (a fifth of the time, and there may be years of days)
    except (FileNotFoundError, NotADirectoryError):
        return []


def fill_empty(root: Path) -> None:
    """Give tables without parts an empty one, so that any Parquet reader can open them. Raises OutputError.

    It is put into the last day of the other tables. If no table has rows, only folders are made.
    """
    newest = {name: newest_parts(root / name) for name in TABLES}
    days = [parts[0].parent.name for parts in newest.values() if parts]
    for name in TABLES:
        folder = root / name
        make_folder(folder)
        if days and not newest[name]:
            path = folder / max(days) / "part-empty.parquet"
            make_folder(path.parent)
            publish(write_parquet(schema(name).empty_table(), path), path)


def split_by_day(table: pa.Table) -> list[tuple[str, pa.Table]]:
    """The rows by the UTC day of their `ts`, days ascending, each day's rows in the order they had."""
    import numpy as np
    import pyarrow as pa

    if table.num_rows == 0:
        return []
    column = table.column("ts").combine_chunks().view(pa.int64())
    ts = np.from_dlpack(column.fill_null(0) if column.null_count else column)  # `to_numpy` imports pandas
    days = np.clip(ts // DAY_US, *_DAYS).astype("datetime64[D]")
    if days.min() == days.max():
        return [(str(days[0]), table)]
    order = np.argsort(days, kind="stable")
    table = table.take(pa.array(order))
    names, starts = np.unique(days[order], return_index=True)
    ends = [*starts[1:], len(days)]
    return [(str(day), table.slice(a, b - a)) for day, a, b in zip(names, starts, ends, strict=True)]


# -- schema versions ---------------------------------------------------------------------------------


# Versions from `OLDEST` on are read (missing columns are null), others are refused. A file without a version
# was not written by this package's own writer (Spark writes none); it is read by the names of its columns.

#: The version of zeekpop3 0.2, the first that was released.
OLDEST = 2


def check_version(metadata: Mapping[bytes, bytes] | None, path: object, error: type[ZeekPop3Error]) -> None:
    """Raise `error` if a file with this metadata was written by a newer version, or one that is too old."""
    text = (metadata or {}).get(VERSION_KEY)
    if text is None:
        return
    found = text.decode("ascii", "replace")
    if found.isdecimal() and int(found) < OLDEST:
        raise error(
            f"{path}: written by zeekpop3 0.1 (schema version {found}), which is no longer read; "
            "make the tables again from the logs"
        )
    if not found.isdecimal() or int(found) > SCHEMA_VERSION:
        raise error(
            f"{path}: written by a newer zeekpop3 (schema version {found}; this one reads up to "
            f"{SCHEMA_VERSION}); upgrade zeekpop3"
        )


def check_appendable(path: Path, name: str) -> None:
    """Raise OutputError unless a part can be read together with new parts of the table `name`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_schema(path)
    except FileNotFoundError:
        return  # merged or pruned meanwhile
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: not a readable Parquet file: {first_line(error)}") from error
    check_version(found.metadata, path, OutputError)
    if missing := [
        column for column in ("ts", "uid") if column in schema(name).names and column not in found.names
    ]:
        raise OutputError(f"{path}: not a part of the table {name}: {' and '.join(missing)} missing")


def upgraded(table: pa.Table, name: str) -> pa.Table:
    """The rows of an older part with the present columns of the table; columns that it lacks are null."""
    import pyarrow as pa

    present = schema(name)
    if table.schema.equals(present, check_metadata=True):
        return table
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in present
    ]
    return pa.table(columns, schema=present)
