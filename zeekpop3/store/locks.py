"""Exclusive locks on files and folders (flock). The kernel releases a lock when its process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zeekpop3.errors import OutputError, reason

#: A follower's folder in an output, its checkpoint there, and the file that it keeps locked.
FOLLOWER_FOLDER = ".zeekpop3-follow"
FOLLOWER_STATE = "state.json"
FOLLOWER_LOCK = "lock"


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file or folder until `descriptor` is closed; False if another process has it.

    Raises OSError if the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError):  # some network file systems report EACCES
        return False
    return True


def open_locked(path: Path, *, wait: bool = False) -> int | None:
    """Open a file or folder for reading and lock it; returns the descriptor, whose `os.close` unlocks it.

    None if another process has the lock. Where the file system has no locks, `wait` opens it unlocked (then
    only one process may write at a time), and without `wait` the answer is None. Raises OSError if `path`
    cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        locked = lock(descriptor, wait=wait)
    except OSError:
        locked = wait
    if locked:
        return descriptor
    os.close(descriptor)
    return None


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of an output folder while its tables are changed. Errors become OutputError."""
    descriptor: int | None = None
    try:
        descriptor = open_locked(folder, wait=True)
        yield
    except OSError as error:
        raise OutputError(f"{folder}: {reason(error)}") from error
    finally:
        if descriptor is not None:
            os.close(descriptor)


def refuse_live_follower(out: Path) -> None:
    """Raise OutputError if a follower is using an output folder."""
    try:
        descriptor = os.open(out / FOLLOWER_FOLDER / FOLLOWER_LOCK, os.O_RDWR)
    except OSError:
        return
    try:
        if not lock(descriptor):
            raise OutputError(f"{out}: in use by a follower (process {holder(descriptor)}); stop it first")
    except OSError:
        pass  # this file system has no locks
    finally:
        os.close(descriptor)


def holder(descriptor: int) -> str:
    """The process that has locked a file, as it wrote into it."""
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
