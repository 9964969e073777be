"""Parquet datasets whose parts are there whole or not at all: `DIR/<table>/day=YYYY-MM-DD/part-….parquet`.

Folders are 0700 and files 0600: there is mail in them. Several processes may write parts into one output at
once, each with its own token. An `overwrite` writes beside the old tables and takes their place only at the
end, in a step that a crash may interrupt at any point: the next sink to be opened finishes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from zeekpop3.errors import OutputError
from zeekpop3.store.parquet import publish, sweep, sync_folder, write_parquet
from zeekpop3.tables.schema import SCHEMA_VERSION, TABLES, VERSION_KEY, schema

if TYPE_CHECKING:
    import pyarrow as pa

Mode = Literal["new", "append", "overwrite"]

#: Where a table without rows has its one, empty part, so that it can be read all the same.
EMPTY_DAY = "1970-01-01"
EMPTY_PART = "part-empty.parquet"
_STAGING = ".zeekpop3-staging"
_RETIRED = ".zeekpop3-retired"
_READY = "READY"
_DAY_US = 86_400_000_000
#: Years 1 to 9999: what a date can be, in Parquet's readers as well.
_DAYS = (-719_162, 2_932_896)


class Part(NamedTuple):
    """A part that is written and flushed, but has not its name yet."""

    temporary: Path
    path: Path


@dataclass
class PartWriter:
    """Writes parts below one root. Picklable: a worker process gets a copy, with a token of its own."""

    root: Path
    token: str = field(default_factory=lambda: new_token())
    number: int = 0

    def write(self, name: str, table: pa.Table, number: int | None = None) -> list[Path]:
        """Write the rows of a table as one part a day, in the order given; returns the parts' paths.

        `number` is the part's number in its name (default: counted up). Raises OutputError.
        """
        return self.publish(self.stage(name, table, number))

    def stage(self, name: str, table: pa.Table, number: int | None = None) -> list[Part]:
        """As `write`, but the parts are not to be seen before `publish`."""
        if number is None:
            number, self.number = self.number, self.number + 1
        parts: list[Part] = []
        try:
            for day, rows in split_by_day(table):
                path = self.root / name / f"day={day}" / f"part-{self.token}-{number:06d}.parquet"
                _make_folder(path.parent)
                parts.append(Part(write_parquet(rows, path), path))
        except BaseException:
            for part in parts:
                part.temporary.unlink(missing_ok=True)
            raise
        return parts

    def publish(self, parts: list[Part]) -> list[Path]:
        """Give staged parts their names. Raises OutputError."""
        for part in parts:
            publish(part.temporary, part.path)
        for folder in {part.path.parent for part in parts}:
            sync_folder(folder)
        return [part.path for part in parts]


class Sink:
    """An output folder with the four tables, opened for writing; a context manager.

    `new` refuses a folder that holds tables already, `append` adds parts to them, `overwrite` replaces them
    when all has gone well: leaving the `with` block by an exception (or never) leaves the old tables as they
    were. Raises OutputError where the folder cannot be used.
    """

    def __init__(self, out: str | Path, mode: Mode = "new", *, token: str | None = None) -> None:
        self.out = Path(out)
        self.mode = mode
        self._token = token or new_token()
        _make_folder(self.out)
        with locked(self.out):
            _recover(self.out)
            for name in TABLES:
                sweep(self.out / name)
        held = [name for name in TABLES if _parts(self.out / name)]
        if held and mode == "new":
            raise OutputError(f"{self.out}: holds tables already ({', '.join(held)}): append or overwrite?")
        if mode == "append":
            for name in held:
                _check_version(self.out / name)
        if mode == "overwrite":
            for name in TABLES:
                _check_ours_alone(self.out / name)
        self.root = self.out / f"{_STAGING}-{self._token}" if mode == "overwrite" else self.out
        self._staging_lock: int | None = None
        if mode == "overwrite":
            with locked(self.out):
                _make_folder(self.root)
                self._staging_lock = _lock(self.root)
        self._writer = PartWriter(self.root, self._token)
        self.parts = 0

    def writer(self, token: str) -> PartWriter:
        """A writer for another process or thread; its parts are part of this run."""
        return PartWriter(self.root, token)

    def write(self, name: str, table: pa.Table, number: int | None = None) -> list[Path]:
        """See `PartWriter.write`."""
        paths = self._writer.write(name, table, number)
        self.parts += len(paths)
        return paths

    def close(self) -> None:
        """All is written: tables without rows get an empty part; an overwrite takes the old tables' place."""
        fill_empty(self.root)
        if self.mode == "overwrite":
            with locked(self.out):
                _write_marker(self.root / _READY)
                _swap(self.out, self.root)
            self._release()

    def abandon(self) -> None:
        """Something went wrong: an overwrite is dropped; parts already written otherwise stay."""
        if self.mode == "overwrite":
            shutil.rmtree(self.root, ignore_errors=True)
            self._release()

    def _release(self) -> None:
        if self._staging_lock is not None:
            os.close(self._staging_lock)
            self._staging_lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def new_token() -> str:
    """A token for part names that no other writer has, and that sorts by the time it was made."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}"


def fill_empty(root: Path) -> None:
    """Give each table that has no part at all an empty one, so that it can be read. Raises OutputError."""
    for name in TABLES:
        if not _parts(root / name):
            path = root / name / f"day={EMPTY_DAY}" / EMPTY_PART
            _make_folder(path.parent)
            publish(write_parquet(schema(name).empty_table(), path), path)
            sync_folder(path.parent)


def split_by_day(table: pa.Table) -> list[tuple[str, pa.Table]]:
    """The rows by the UTC day of their `ts`, days ascending, each day's rows in the order they had."""
    import numpy as np
    import pyarrow as pa

    if table.num_rows == 0:
        return []
    column = table.column("ts").combine_chunks().view(pa.int64())
    ts = np.from_dlpack(column.fill_null(0) if column.null_count else column)  # `to_numpy` loads pandas
    days = np.clip(ts // _DAY_US, *_DAYS)
    if days.min() == days.max():
        return [(_day(int(days[0])), table)]
    order = np.argsort(days, kind="stable")
    table, days = table.take(pa.array(order)), days[order]
    starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    ends = [*starts[1:], len(days)]
    return [(_day(int(days[a])), table.slice(a, b - a)) for a, b in zip(starts, ends, strict=True)]


def _day(number: int) -> str:
    import numpy as np

    return str(np.datetime64(number, "D"))


def _make_folder(folder: Path) -> None:
    try:
        if not folder.is_dir():
            _make_folder(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror or error}") from error


def _parts(folder: Path) -> list[Path]:
    """The parts of a table, sorted; none if there is no such table."""
    return sorted(folder.glob("day=*/*.parquet"))


def _check_version(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in (_parts(folder)[0], _parts(folder)[-1]):
        try:
            found = (pq.read_schema(path).metadata or {}).get(VERSION_KEY)
        except (OSError, pa.ArrowException) as error:
            raise OutputError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
        if found != str(SCHEMA_VERSION).encode():
            version = "an unknown" if found is None else f"version {found.decode('ascii', 'replace')} of the"
            raise OutputError(
                f"{path}: has {version} schema, not version {SCHEMA_VERSION}: it cannot be appended to"
            )


def _check_ours_alone(folder: Path) -> None:
    """An overwrite removes the folder: it must hold nothing that a sink did not write."""
    for path in folder.rglob("*"):
        if path.is_file() and not (path.parent.parent == folder and ".parquet" in path.name):
            raise OutputError(f"{path}: is no part of a table; {folder} is not overwritten")


def _write_marker(path: Path) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def _swap(out: Path, staging: Path) -> None:
    """Put a finished run in the place of the old tables. Any prefix of these steps may be run again."""
    retired = out / (_RETIRED + staging.name.removeprefix(_STAGING))
    _make_folder(retired)
    for name in TABLES:
        if (staging / name).is_dir():
            if (out / name).is_dir():
                (out / name).rename(retired / name)
            (staging / name).rename(out / name)
    sync_folder(out)
    shutil.rmtree(retired)
    shutil.rmtree(staging)


def _recover(out: Path) -> None:
    """Finish the swap that a crash interrupted; remove what a run that died before it left."""
    for staging in sorted(out.glob(f"{_STAGING}-*")):
        if (staging / _READY).exists():
            _swap(out, staging)
            continue
        lock = _lock(staging, wait=False)
        if lock is not None:  # Nobody holds it: its run is dead.
            shutil.rmtree(staging, ignore_errors=True)
            os.close(lock)
    for retired in out.glob(f"{_RETIRED}-*"):
        shutil.rmtree(retired, ignore_errors=True)


def _lock(folder: Path, *, wait: bool = True) -> int | None:
    """Lock a folder for this process, as long as it lives; None if another one has it (and we don't wait)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        # Taken; or the file system knows no locks: then nothing is called dead, and one run at a time is the
        # user's care.
        if not wait:
            os.close(descriptor)
            return None
    return descriptor


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone while the tables are put in place, or put in order."""
    descriptor = _lock(folder)
    try:
        yield
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error
    finally:
        if descriptor is not None:
            os.close(descriptor)
