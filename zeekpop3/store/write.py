"""An output folder opened for writing: new, append or overwrite.

An overwrite writes to another folder and replaces the old tables only at the end, in steps that a crash may
interrupt anywhere: the next run that opens the folder finishes them.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, get_args

from zeekpop3.errors import OutputError, UsageError
from zeekpop3.store.files import (
    FOLLOWER_FOLDER,
    FOLLOWER_STATE,
    exclusive,
    make_folder,
    open_locked,
    refuse_live_follower,
    sweep,
    sync_folder,
    unlock,
)
from zeekpop3.store.parquet import PartWriter, check_appendable, fill_empty, new_token, newest_parts
from zeekpop3.tables.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

Mode = Literal["new", "append", "overwrite"]

_STAGING = ".zeekpop3-staging"
_RETIRED = ".zeekpop3-retired"
_READY = "READY"
_SPARK_MARKS = {"_SUCCESS", "._SUCCESS.crc"}


def check_mode(mode: str) -> None:
    """Raise UsageError for an unknown mode."""
    if mode not in get_args(Mode):
        raise UsageError(f"unknown mode {mode!r}; modes: {', '.join(get_args(Mode))}")


class TableWriter:
    """An output folder opened for writing; a context manager.

    `new` refuses a folder that contains tables, `append` adds parts to them, `overwrite` replaces them when
    the `with` block ends without an exception; otherwise the old tables stay as they were. Raises
    OutputError if the folder cannot be used.
    """

    def __init__(self, out: str | Path, mode: Mode = "new", *, token: str | None = None) -> None:
        if "://" in str(out):
            raise OutputError(
                f"{out}: only local folders are supported; zeekpop3.spark writes to other storage"
            )
        self.out = Path(out)
        self.mode = mode
        self._token = token or new_token()
        make_folder(self.out)
        with exclusive(self.out):
            _recover(self.out)
            for name in TABLES:
                sweep(self.out / name)
        self._check()
        self.root = self.out / f"{_STAGING}-{self._token}" if mode == "overwrite" else self.out
        self._staging_lock: int | None = None
        if mode == "overwrite":
            with exclusive(self.out):
                make_folder(self.root)
                self._staging_lock = open_locked(self.root, wait=True)
        self._writer = PartWriter(self.root, self._token)
        self._numbers = itertools.count()

    def _check(self) -> None:
        """Raise OutputError if the mode does not allow what the folder contains."""
        newest = {name: newest_parts(self.out / name) for name in TABLES}
        existing = [name for name, paths in newest.items() if paths]
        if existing and self.mode == "new":
            raise OutputError(
                f"{self.out}: already contains tables ({', '.join(existing)}); use --append or --overwrite"
            )
        if self.mode == "append":
            for name, paths in newest.items():
                for path in paths:
                    check_appendable(path, name)
        if self.mode == "overwrite":
            for name in TABLES:
                _refuse_other_files(self.out / name)
            refuse_live_follower(self.out)

    def write(self, name: str, table: pa.Table) -> list[Path]:
        """See `PartWriter.write`."""
        return self._writer.write(name, table, next(self._numbers))

    def close(self) -> None:
        """Finish the run: empty tables get an empty part, and an overwrite replaces the old tables."""
        fill_empty(self.root)
        if self.mode == "overwrite":
            with exclusive(self.out):
                try:
                    refuse_live_follower(self.out)
                except OutputError:
                    self.abandon()
                    raise
                make_folder(self.root / _READY)
                _swap(self.out, self.root)
            self._unlock()

    def abandon(self) -> None:
        """Drop an overwrite; in the other modes, parts that are written stay."""
        if self.mode == "overwrite":
            shutil.rmtree(self.root, ignore_errors=True)
            self._unlock()

    def _unlock(self) -> None:
        if self._staging_lock is not None:
            unlock(self._staging_lock)
            self._staging_lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def _refuse_other_files(folder: Path) -> None:
    """An overwrite removes the folder, so it must contain nothing but parts. Raises OutputError."""
    for path in folder.rglob("*"):
        part = path.parent.parent == folder and ".parquet" in path.name
        if path.is_file() and not part and path.name not in _SPARK_MARKS:
            raise OutputError(f"{path}: not written by zeekpop3; refusing to overwrite {folder}")


def _swap(out: Path, staging: Path) -> None:
    """Replace the old tables by those of a finished run. Any prefix of these steps may run again."""
    retired = out / (_RETIRED + staging.name.removeprefix(_STAGING))
    make_folder(retired)
    for name in TABLES:
        if (staging / name).is_dir():
            if (out / name).is_dir():
                (out / name).rename(retired / name)
            (staging / name).rename(out / name)
    # A follower must not rely on the old tables: without its checkpoint it looks what the new ones hold.
    (out / FOLLOWER_FOLDER / FOLLOWER_STATE).unlink(missing_ok=True)
    sync_folder(out)
    shutil.rmtree(retired)
    shutil.rmtree(staging)


def _recover(out: Path) -> None:
    """Finish an interrupted swap; remove what a run left that died before its swap."""
    for staging in sorted(out.glob(f"{_STAGING}-*")):
        if (staging / _READY).exists():
            _swap(out, staging)
            continue
        descriptor = open_locked(staging)
        if descriptor is not None:  # the run is dead
            shutil.rmtree(staging, ignore_errors=True)
            unlock(descriptor)
    for retired in out.glob(f"{_RETIRED}-*"):
        shutil.rmtree(retired, ignore_errors=True)
