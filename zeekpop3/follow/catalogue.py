"""Which log is where: a log is known by the hash of its beginning, not by its name.

The hash covers the header and the first row. A first row (`ts`, `uid`, `seq`) occurs once in all logs, so a
log that was renamed, moved, compressed or copied is the same log, and one that was truncated in place and
rewritten is another one. Folders of old logs are listed again only if their own time has changed, or once a
minute: there may be years of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from zeekpop3.errors import LogError, reason
from zeekpop3.log.file import LogFile, open_log
from zeekpop3.log.find import is_log_name
from zeekpop3.log.header import HEAD_BYTES, Head, parse_head, read_start
from zeekpop3.log.json_lines import looks_like_json
from zeekpop3.pipeline.records import first_ts

_OLD_NS = 3_600_000_000_000
_RELIST_S = 60.0
_HEADER_LINES = re.compile(rb"\A(?:#.*\n)*")


@dataclass(slots=True)
class KnownLog:
    """A log and how far its rows were read.

    `number` stands for it in the checkpoint, `mark` is the hash of its beginning (decompressed), `offset` and
    `line` are the place of the next row, `first` is the first row's `ts` (microseconds). `seen`: for each
    path of the log, size and mtime (ns) of the file when all of it had been read. `entered`: it has a row in
    the table `inputs`.
    """

    number: int
    mark: str
    first: int
    offset: int = 0
    line: int = 1
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    gone_since: int | None = None
    entered: bool = False


class PendingLog(NamedTuple):
    """A log with something to read at a path; size in bytes and mtime in nanoseconds."""

    log: KnownLog
    path: Path
    size: int
    mtime: int

    def order(self) -> tuple[int, int, bool, int]:
        """By time; of several files with the same log the uncompressed and longest one first."""
        return self.log.first, self.log.number, self.path.suffix == ".gz", -self.size


class FileKey(NamedTuple):
    """As long as this stays, a file has not changed. `size` in bytes, `mtime` in nanoseconds."""

    device: int
    inode: int
    size: int
    mtime: int


class _Listing(NamedTuple):
    mtime: int
    subfolders: list[str]
    logs: list[tuple[Path, FileKey]]


@dataclass(slots=True)
class Catalogue:
    """All logs that are known, by mark, and where the last look found them (`paths`, by mark)."""

    files: dict[str, KnownLog] = field(default_factory=dict)
    paths: dict[str, list[Path]] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    next_number: int = 1
    _places: dict[Path, tuple[FileKey, str | None]] = field(default_factory=dict)
    _lister: LogLister = field(default_factory=lambda: LogLister())

    def look(self, folders: Iterable[Path], now_s: int) -> list[PendingLog]:
        """Look for logs; returns those that may have something to read, in order of time.

        A log at several places (a copy, a compressed one that is not complete yet) is read wherever it has
        more than was read elsewhere. `problems` then says which files could not be used, and why.
        """
        self.problems = {}
        places: dict[Path, tuple[FileKey, str | None]] = {}
        self.paths = {}
        for path, key in self._lister.logs(folders, self.problems):
            before = self._places.get(path)
            mark = before[1] if before is not None and before[0] == key else self._identify(path)
            if mark is None and path in self.problems:
                continue  # not remembered: it is tried again
            places[path] = (key, mark)
            if mark is not None:
                self.paths.setdefault(mark, []).append(path)
        self._places = places
        for log in self.files.values():
            if log.mark in self.paths:
                log.gone_since = None
            elif log.gone_since is None:
                log.gone_since = now_s
        return sorted(self._pending(), key=PendingLog.order)

    def _pending(self) -> Iterator[PendingLog]:
        for mark, paths in self.paths.items():
            log = self.files[mark]
            if len(log.seen) >= len(paths):
                for name in log.seen.keys() - set(map(name_of, paths)):
                    del log.seen[name]
            for path in paths:
                key = self._places[path][0]
                if log.seen.get(name_of(path)) != key[2:]:
                    yield PendingLog(log, path, key.size, key.mtime)

    def look_again(self, path: Path) -> None:
        """Identify the log at a path again at the next look."""
        self._places.pop(path, None)

    def forget(self, before_s: int) -> None:
        """Forget logs that have been gone since before a time (epoch seconds)."""
        for file in list(self.files.values()):
            if file.gone_since is not None and file.gone_since < before_s:
                del self.files[file.mark]

    def _identify(self, path: Path) -> str | None:
        """The mark of the log at a path, which is entered if it is new; None if it has no row yet."""
        try:
            with open_log(path) as file:
                head = head_with_row(file, path)
        except LogError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                self.problems[path] = error.reason
            return None
        if head is None:
            return None
        mark = mark_of(head)
        first = first_ts(head) or 0
        if mark in self.files:
            self.files[mark].first = first  # a row that was added since may give it better
        else:
            self.files[mark] = KnownLog(self.next_number, mark, first, head.start)
            self.next_number += 1
        return mark


def head_with_row(file: LogFile, path: Path) -> Head | None:
    """The head of an open log; None while it has no complete row. Raises LogError if it is something else."""
    text, start = read_start(file)
    rows = _HEADER_LINES.sub(b"", text)
    if not text or rows.startswith(b"#"):
        return None
    is_begun = b"\n" in rows or len(text) >= HEAD_BYTES
    if looks_like_json(text) and not (is_begun or text.endswith(b"}")):
        return None  # the first row is being written
    head = parse_head(text, start, path)
    return head if is_begun else None


def mark_of(head: Head) -> str:
    """A log's identity: the hash of its header and its first row."""
    end = head.text.find(b"\n", head.header.size) + 1 or len(head.text)
    return hashlib.sha256(head.text[:end]).hexdigest()[:24]


def name_of(path: Path) -> str:
    """A path as text for the checkpoint; bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class LogLister:
    """Lists the logs in folders; remembers the folders of old logs from one listing to the next."""

    def __init__(self) -> None:
        self._old: dict[str, _Listing] = {}
        self._relisted_at = -_RELIST_S

    def logs(self, folders: Iterable[Path], problems: dict[Path, str]) -> Iterator[tuple[Path, FileKey]]:
        """The logs in the folders and their subfolders. What cannot be read goes to `problems`."""
        if time.monotonic() - self._relisted_at >= _RELIST_S:
            self._relisted_at = time.monotonic()
            self._old.clear()
        files: set[tuple[int, int]] = set()
        seen: set[tuple[int, int]] = set()
        for folder in folders:
            if folder.is_file():
                found = self._key(folder, problems)
                logs = [(folder, found)] if found is not None else []
            else:
                logs = list(self._below(str(folder), seen, problems))
            for path, key in logs:
                if key[:2] not in files:  # else reached by a second link
                    files.add(key[:2])
                    yield path, key

    def _below(
        self, folder: str, seen: set[tuple[int, int]], problems: dict[Path, str]
    ) -> Iterator[tuple[Path, FileKey]]:
        waiting = [folder]  # no recursion: folders may be a thousand deep
        while waiting:
            listing = self._listing(waiting.pop(), seen, problems)
            if listing is not None:
                yield from listing.logs
                waiting += reversed(listing.subfolders)

    def _listing(self, folder: str, seen: set[tuple[int, int]], problems: dict[Path, str]) -> _Listing | None:
        """What is in a folder; None if it cannot be read, or was seen."""
        try:
            status = os.stat(folder)  # noqa: PTH116
            # Links are followed (zeekctl's `current` is one), but each folder is entered once.
            if (status.st_dev, status.st_ino) in seen:
                return None
            seen.add((status.st_dev, status.st_ino))
            listing = self._old.get(folder)
            if listing is None or listing.mtime != status.st_mtime_ns:
                listing = self._listed(folder, status.st_mtime_ns, problems)
        except FileNotFoundError:
            return None
        except OSError as error:
            problems[Path(folder)] = f"cannot be read: {reason(error)}"
            return None
        return listing

    def _listed(self, folder: str, mtime: int, problems: dict[Path, str]) -> _Listing:
        listing = _Listing(mtime, [], [])
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if is_log_name(entry.name):
                    path = Path(entry.path)
                    if (key := self._key(path, problems)) is not None:
                        listing.logs.append((path, key))
                elif not entry.name.startswith(".") and entry.is_dir():
                    listing.subfolders.append(entry.path)
        newest = max([mtime, *(key.mtime for _, key in listing.logs)])
        if newest < time.time_ns() - _OLD_NS:
            self._old[folder] = listing
        return listing

    def _key(self, path: Path, problems: dict[Path, str]) -> FileKey | None:
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            problems[path] = f"cannot be read: {reason(error)}"
            return None
        return FileKey(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


# -- when to look again ------------------------------------------------------------------------------


class Watcher:
    """Waits for changes below folders; `poll`: without file-system notifications. `close` ends its threads.

    Some file systems (NFS) report nothing, and links are not watched: looking at intervals always works.
    """

    def __init__(self, folders: Iterable[Path], *, poll: bool = False) -> None:
        self._event = threading.Event()
        self._observer: Any = None
        self.watching = False
        if not poll:
            self._watch(folders)

    def _watch(self, folders: Iterable[Path]) -> None:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        event = self._event

        class Handler(FileSystemEventHandler):
            def on_any_event(self, change: Any) -> None:
                if change.event_type in ("opened", "closed_no_write"):
                    return  # by this process, most likely
                paths = (change.src_path, getattr(change, "dest_path", ""))
                if any(is_log_name(Path(str(path)).name) for path in paths):
                    event.set()

        observer = Observer()
        try:
            for folder in folders:
                where = folder if folder.is_dir() else folder.parent
                observer.schedule(Handler(), str(where), recursive=True)
            observer.start()
            self._observer, self.watching = observer, True
        except (OSError, RuntimeError):  # no such folder yet, or no more watches: look at intervals
            pass

    def wait(self, seconds: float) -> bool:
        """Wait for a change, but no longer than this; True if there was one."""
        changed = self._event.wait(seconds)
        self._event.clear()
        return changed

    def close(self) -> None:
        """End the watching."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(2)
