"""One Parquet file: written and flushed completely under a temporary name, then renamed; or not at all.

The temporary name begins with a dot and does not end in `.parquet`, so no reader's glob matches it. Its
writer holds a lock on it (which the kernel releases when the process ends), so `sweep` can tell the file of
a dead writer from that of a running one.
"""

from __future__ import annotations

import inspect
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import OutputError
from zeekpop3.store.locks import lock, open_locked
from zeekpop3.tables.column import Column
from zeekpop3.tables.schema import TABLE_KEY, TABLES

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_GROUP_BYTES = 32 << 20  # in memory; readers skip row groups by their statistics
_BATCH_ROWS = 1024
_BATCH_BYTES = 4 << 20
_ATTEMPTS, _WAIT_S = 20, 0.05
_YOUNG_S = 60.0  # before its lock, and from the end of writing to the rename, only its age protects a file
_TEMPORARY = ".tmp-"


def write_parquet(table: pa.Table, path: Path) -> Path:
    """Write and flush a table next to `path`, under a temporary name, and return that; `publish` renames it.

    Raises OutputError if it cannot be written; then nothing is left.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    temporary, descriptor = _create(path)
    try:
        with pa.OSFile(str(temporary), "wb") as out:
            pq.write_table(table, out, **_options(table))
        os.fsync(descriptor)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"{path}: cannot be written: {_reason(error)}") from error
        raise
    finally:
        os.close(descriptor)
    return temporary


def publish(temporary: Path, path: Path) -> None:
    """Give a finished file its name, for good. An existing file of that name is replaced in one step."""
    for attempt in range(_ATTEMPTS):
        try:
            temporary.replace(path)
            break
        except OSError as error:
            # A follower that merges parts replaces the folder, and then moves other files back into it.
            if not isinstance(error, FileNotFoundError) or attempt == _ATTEMPTS - 1:
                raise OutputError(f"{path}: cannot be written: {_reason(error)}") from error
            time.sleep(_WAIT_S)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, 0700, so that they outlast a power failure. Raises OutputError."""
    try:
        for path in reversed([path for path in (folder, *folder.parents) if not path.is_dir()]):
            path.mkdir(mode=0o700, exist_ok=True)
            sync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"{folder}: cannot create the folder: {_reason(error)}") from error


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder outlast a power failure. Raises OutputError if it is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {_reason(error)}") from error
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # Some file systems (FUSE, SMB) refuse fsync on folders; the rename itself still holds.
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> list[Path]:
    """Remove the temporary files of dead writers anywhere below a folder; returns what was removed.

    Files of the last minute stay: their writer may be about to publish them.
    """
    removed = []
    for path in folder.rglob(f".*.parquet{_TEMPORARY}*"):
        try:
            if time.time() - path.stat().st_mtime < _YOUNG_S:
                continue
            descriptor = open_locked(path)
        except OSError:
            continue  # another process removed it
        if descriptor is None:
            continue  # its writer is running
        try:
            path.unlink()
            removed.append(path)
        except OSError:  # it has no name any more, or it is a folder
            pass
        finally:
            os.close(descriptor)
    return removed


def _create(path: Path) -> tuple[Path, int]:
    temporary = path.with_name(f".{path.name}{_TEMPORARY}{uuid.uuid4().hex[:12]}")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_reason(error)}") from error
    try:
        lock(descriptor, wait=True)
    except OSError:
        pass  # The file system has no locks: then only its age protects it from a sweep.
    return temporary, descriptor


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


def _reason(error: OSError) -> str:
    return error.strerror or str(error).splitlines()[0]
