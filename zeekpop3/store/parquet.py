"""One Parquet file: written whole and flushed under a temporary name, then renamed; or not at all.

The temporary name begins with a dot and does not end in `.parquet`, so no reader's glob meets it. While it
is being written its writer holds a lock on it (flock, which the kernel drops when the process dies, however
it dies): that is how `sweep` tells a dead writer's file from a living one's.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import OutputError

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns whose few values repeat: a dictionary pays there, and costs elsewhere (measured on real mail).
_DICTIONARY = {
    "uid", "id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p", "user", "command", "fidelity", "content_type",
    "charset", "mime_version", "complete", "status", "disposition", "closed", "auth_mechanism", "auth_result",
}  # fmt: skip
#: Columns that filters and joins ask for: only these get minimum and maximum.
_STATISTICS = {
    "ts", "uid", "user", "trans_depth", "size", "complete", "missing_bytes", "sha256", "date", "msg_id",
    "part", "seq", "msg_num",
}  # fmt: skip
_ROW_GROUP_BYTES = 64 << 20
_BATCH_ROWS = 1024
_BATCH_BYTES = 4 << 20
_TEMPORARY = ".tmp-"


def write_parquet(table: pa.Table, path: Path) -> Path:
    """Write and flush a table beside `path`, under a temporary name, and return that; `publish` renames it.

    Raises OutputError if it cannot be written; nothing is left then.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    temporary, descriptor = _create(path)
    try:
        with pa.OSFile(str(temporary), "wb") as out:
            pq.write_table(table, out, row_group_size=_row_group_rows(table), **_options(table))
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
    """Give a finished file its name. What was there before under that name is replaced, never half."""
    try:
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_reason(error)}") from error


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, 0700, so that they outlast a power failure. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)


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
    """Remove the temporary files that dead writers left anywhere below a folder; returns what was removed."""
    removed = []
    for path in _temporaries(folder):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed.append(path)
        except OSError:
            continue  # Locked: its writer lives. Or gone: another one swept.
        finally:
            os.close(descriptor)
    return removed


def _create(path: Path) -> tuple[Path, int]:
    temporary = path.with_name(f".{path.name}{_TEMPORARY}{uuid.uuid4().hex[:12]}")
    try:
        while True:
            descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError:
                pass  # No locks on this file system: then only the name protects it from a sweep.
            # A sweep may have come between open and lock; then the name is gone, and we take it anew.
            if temporary.exists():
                return temporary, descriptor
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_reason(error)}") from error


def _temporaries(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob(f".*.parquet{_TEMPORARY}*") if path.is_file())


def _row_group_rows(table: pa.Table) -> int:
    rows, size = int(table.num_rows), int(table.nbytes)
    return max(1, min(rows, rows * _ROW_GROUP_BYTES // max(1, size)))


def _options(table: pa.Table) -> dict[str, Any]:
    names = table.column_names
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [name for name in names if name in _DICTIONARY],
        "write_statistics": [name for name in names if name in _STATISTICS],
        "write_batch_size": _batch_rows(table),
    }


def _batch_rows(table: pa.Table) -> int:
    """So many rows are encoded before Arrow looks whether a page is full: few, where they are large.

    A page of many times its size (1 MiB) is written no better, and needs as much memory three times over.
    """
    largest = max((column.nbytes for column in table.columns), default=0)
    return max(1, min(_BATCH_ROWS, int(table.num_rows) * _BATCH_BYTES // max(1, largest)))


def _reason(error: OSError) -> str:
    return error.strerror or str(error).splitlines()[0]
