"""Schema versions of files: those from `OLDEST` on are read (missing columns are null), others are refused.

A file without a version was not written by this package's own writer (Spark writes none); it is read by the
names of its columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.errors import OutputError, ZeekPop3Error, first_line
from zeekpop3.tables.schema import SCHEMA_VERSION, VERSION_KEY, schema

if TYPE_CHECKING:
    import pyarrow as pa


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
