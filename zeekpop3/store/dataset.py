"""A table as a pyarrow dataset, whatever versions its files have, with the present columns and `day`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from zeekpop3.errors import QueryError, first_line
from zeekpop3.store.versions import refuse_newer
from zeekpop3.tables.schema import TABLES, schema


def dataset(path: str | Path, name: str) -> ds.Dataset:
    """The table `name` of an output folder (or of the folder of any of its tables).

    Columns that a file lacks are null, a table that the folder lacks is empty; `day` (a date) is the last
    column. Raises QueryError if there are no tables, or one was written by a newer version.
    """
    folder = table_folder(path, name)
    day = pa.schema([pa.field("day", pa.date32())])
    columns = schema(name).append(day.field("day"))
    with reading(path):
        if not any(folder.glob("day=*/*.parquet")):
            return ds.dataset(columns.empty_table())
        partitioning = ds.partitioning(day, flavor="hive")
        found = ds.dataset(folder, schema=columns, format="parquet", partitioning=partitioning)
        for fragment in found.get_fragments():
            refuse_newer(fragment.metadata.metadata, fragment.path, QueryError)
    return found


def table_folder(path: str | Path, name: str) -> Path:
    """The folder of a table, given an output folder or any of its tables; it may not exist.

    Raises QueryError if there are no tables.
    """
    path = Path(path)
    for root in (path, path.parent) if path.name in TABLES else (path,):
        if any((root / each).is_dir() for each in TABLES):
            return root / name
    if not path.exists():
        raise QueryError(f"{path}: no such folder")
    raise QueryError(f"{path}: no tables found")


@contextmanager
def reading(path: str | Path, *more: type[Exception]) -> Iterator[None]:
    """Errors of Arrow and of the system, and of the classes in `more`, become a QueryError of one line."""
    try:
        yield
    except (OSError, pa.ArrowException, *more) as error:
        raise QueryError(f"{path}: cannot be read: {first_line(error)}") from error
