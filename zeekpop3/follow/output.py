"""Parts on their way into the tables: staged, named in the checkpoint, published; each step may be repeated.

Staged parts are in a folder of the follower's own, on the tables' file system, where no reader's glob and no
other writer's sweep finds them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.errors import OutputError, reason
from zeekpop3.follow.state import PUBLISHED, State
from zeekpop3.store.files import (
    FOLLOWER_FOLDER,
    FOLLOWER_LOCK,
    FOLLOWER_STATE,
    holder,
    lock,
    make_folder,
    publish,
    sync_folder,
    unlock,
)
from zeekpop3.store.maintenance import Swap
from zeekpop3.store.parquet import PartWriter, part_files

if TYPE_CHECKING:
    import pyarrow as pa


class Output:
    """Exclusive use of an output folder. Raises OutputError if another follower has it."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.home = out / FOLLOWER_FOLDER
        self.staged = self.home / "staged"
        self.merged = self.home / "merged"
        self.state_path = self.home / FOLLOWER_STATE
        self._lock = self._locked()

    def _locked(self) -> int:
        path = self.home / FOLLOWER_LOCK
        try:
            make_folder(self.home)
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise OutputError(f"{self.out}: cannot be used: {reason(error)}") from error
        try:
            if not lock(descriptor):
                process = holder(descriptor)
                os.close(descriptor)
                raise OutputError(f"{self.out}: in use by another follower (process {process})")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise OutputError(f"{path}: cannot be locked: {reason(error)}") from error
        return descriptor

    def check(self) -> None:
        """Raises OSError if the folder was removed, OutputError if it was replaced."""
        ours = os.fstat(self._lock)
        try:
            found = (self.home / FOLLOWER_LOCK).stat()
        except OSError as error:
            raise OSError(error.errno, "output directory was removed") from None
        if (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino):
            raise OutputError(f"{self.out}: output directory was replaced")

    def close(self) -> None:
        """Release the folder."""
        if self._lock >= 0:
            unlock(self._lock)
            self._lock = -1

    def stage(self, tables: list[tuple[str, pa.Table]], token: str, number: int) -> list[str]:
        """Write tables as parts, to be published later; their names, relative to the tables.

        Staging again under the same number replaces what was staged before. Raises OutputError, OSError.
        """
        writer = PartWriter(self.staged, token)
        paths: list[Path] = []
        for name, table in sorted(tables, key=lambda item: PUBLISHED.index(item[0])):
            paths += writer.write(name, table, number)
        return [str(path.relative_to(self.staged)) for path in paths]

    def settle(self, state: State) -> None:
        """Publish what a checkpoint names, as far as that is not done yet. Raises OutputError, OSError."""
        for name in state.publish:
            staged, path = self.staged / name, self.out / name
            if staged.exists():
                make_folder(path.parent)
                publish(staged, path)
        for swap in state.swaps:
            self._swap(swap)
        state.publish, state.swaps = [], []

    def sweep(self) -> None:
        """Remove what was staged and is not in the checkpoint; only after `settle`."""
        for path in self.home.glob(".*.tmp-*"):  # of a follower that was killed; we have its lock
            path.unlink()
        shutil.rmtree(self.staged, ignore_errors=True)
        shutil.rmtree(self.merged, ignore_errors=True)

    def publish_all(self) -> None:
        """Publish all staged parts, because the checkpoint is lost."""
        paths = [path for name in PUBLISHED for path in part_files(self.staged / name)]
        self.settle(State("", publish=[str(path.relative_to(self.staged)) for path in paths]))

    def _swap(self, swap: Swap) -> None:
        """Replace parts by the merged parts that hold the same rows: the old ones go once the new ones are
        there for good.
        """
        merged, folder = self.merged / swap.folder, self.out / swap.folder
        if not folder.is_dir():
            return  # pruned meanwhile
        for name in swap.parts:
            if (merged / name).exists():
                (merged / name).replace(folder / name)
        sync_folder(folder)
        if all((folder / name).exists() for name in swap.parts):
            for name in swap.replaces:
                (folder / name).unlink(missing_ok=True)
            sync_folder(folder)
