"""Files that are written completely or not at all, and their folders; for their owner only.

A file is written under a temporary name in its own folder, flushed, and renamed. So a reader sees the old
content or the new one, and a renamed file survives a power failure. The temporary name begins with a dot
and ends with a random number, so that no reader's glob matches it. Its writer holds a lock on it (which the
kernel releases when the process ends), so `sweep` can tell the file of a dead writer from that of a running
one. The other locks of the output are here, too.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zeekpop3.errors import OutputError, reason

_YOUNG_S = 60.0  # before its lock, and from the end of writing to the rename, only its age protects a file
_TEMPORARY = ".tmp-"


@contextmanager
def new_file(path: str | Path, *, mode: int = 0o600, exclusive: bool = False) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends, and then replaces a file of that name in one step.

    `exclusive`: it replaces none. If the block raises, nothing is left. Raises OutputError if the file cannot
    be written, or exists.
    """
    path = Path(path)
    if exclusive and os.path.lexists(path):
        raise OutputError(f"{path}: exists already")
    with staged(path, mode=mode) as (temporary, descriptor), os.fdopen(os.dup(descriptor), "wb") as file:
        yield file
    try:
        if exclusive and _linked(temporary, path):
            temporary.unlink()
            sync_folder(path.parent)
        else:
            publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _linked(temporary: Path, path: Path) -> bool:
    """Give a file a second name, unless that exists by now; False where there are no hard links."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise OutputError(f"{path}: exists already") from None
    except OSError:
        return False
    return True


@contextmanager
def staged(path: Path, *, mode: int = 0o600) -> Iterator[tuple[Path, int]]:
    """A new temporary file next to `path`, and its descriptor. When the block ends it is flushed, and waits
    for `publish`.

    If the block raises, it is removed. Raises OutputError if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}{_TEMPORARY}{uuid.uuid4().hex[:12]}")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    except OSError as error:  # it is about the folder: the file's name is new
        place = path if path.parent.is_dir() else path.parent
        raise OutputError(f"{place}: cannot be written: {reason(error)}") from error
    try:
        with writing(path):
            try:
                lock(descriptor, wait=True)
            except OSError:
                pass  # the file system has no locks: then only its age protects the file from a sweep
            yield temporary, descriptor
            if mode != 0o600:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def publish(temporary: Path, path: Path) -> None:
    """Rename a finished file to its name, durably. An existing file of that name is replaced in one step."""
    try:
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {reason(error)}") from error
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, 0700, so that they survive a power failure. Raises OutputError."""
    try:
        for path in reversed([path for path in (folder, *folder.parents) if not path.is_dir()]):
            path.mkdir(mode=0o700, exist_ok=True)
            sync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"{folder}: cannot create the folder: {reason(error)}") from error


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a power failure. Raises OutputError if it is gone."""
    with writing(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some file systems (FUSE, SMB) refuse fsync on folders; the rename itself still holds
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors of the system become an OutputError that names the file."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{error.filename or path}: cannot be written: {reason(error)}") from error


def sweep(folder: Path) -> list[Path]:
    """Remove the temporary files of dead writers anywhere below a folder; returns what was removed.

    Files of the last minute stay: their writer may be about to publish them.
    """
    removed = []
    for path in folder.rglob(f".*{_TEMPORARY}*"):
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


# -- locks -------------------------------------------------------------------------------------------


# `flock` on files and folders. The kernel releases a lock when its process ends.

#: A follower's folder in an output, its checkpoint there, and the file that it keeps locked.
FOLLOWER_FOLDER = ".zeekpop3-follow"
FOLLOWER_STATE = "state.json"
FOLLOWER_LOCK = "lock"


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file or folder until `unlock`; False if another process has it.

    Raises OSError if the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError):  # some network file systems report EACCES
        return False
    return True


def unlock(descriptor: int) -> None:
    """Close a file or folder, and end its lock: a process that another thread starts has a copy of the
    descriptor until its `exec`.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except OSError:
        pass  # the file system has no locks
    os.close(descriptor)


def open_locked(path: Path, *, wait: bool = False) -> int | None:
    """Open a file or folder for reading and lock it; returns the descriptor for `unlock`.

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
            unlock(descriptor)


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
        unlock(descriptor)


def holder(descriptor: int) -> str:
    """The process that has locked a file, as it wrote into it."""
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
