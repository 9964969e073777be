"""Which file is which: a log is known by the hash of its head, up to its first row's end, not by its name.

A first row (`ts`, `uid`, `seq`) occurs once in all logs, so a log that was renamed, moved, compressed or
copied is the same log, and one that was truncated in place and written anew is another. Device and inode only
save the trouble of looking again at what did not change.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zeekpop3.errors import LogError
from zeekpop3.log.header import COLUMNS, LOG_PATH, Header, parse_header
from zeekpop3.log.stream import GZIP_MAGIC, ByteStream

#: Zeek's names, and those that logrotate makes of them (`.log.1`, `.log-20240101.gz`).
_NAME = re.compile(rf"{LOG_PATH}.*\.log([.-]\d[\d.-]*)?(\.gz)?")
_HEAD = 1 << 16


@dataclass(slots=True)
class LogFile:
    """A log and how far its rows have been taken in.

    `number` stands for it in the checkpoint. `mark` is the hash of its first `head` bytes (decompressed),
    `offset` and `line` are the place of the next row, `first` is the first row's `ts` (microseconds).
    `seen` is size and mtime (ns) of the file at `path` when nothing more was in it.
    """

    number: int
    mark: str
    head: int
    path: Path
    first: int
    offset: int = 0
    line: int = 1
    seen: tuple[int, int] | None = None
    gone_since: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What the beginning of a log tells: its header, the mark, and the time of its first row."""

    header: Header
    mark: str
    size: int
    first: int


@dataclass(slots=True)
class Catalogue:
    """All logs that are known, by mark; `places` is what the last look found at each path."""

    files: dict[str, LogFile] = field(default_factory=dict)
    places: dict[Path, tuple[tuple[int, int, int, int], str | None]] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    next_number: int = 1

    def look(self, folders: Iterable[Path], now_s: int) -> list[LogFile]:
        """Look at what is there; returns the logs with something to read, in order of time.

        `problems` then says which files could not be used, and why.
        """
        self.problems = {}
        places: dict[Path, tuple[tuple[int, int, int, int], str | None]] = {}
        paths: dict[str, list[Path]] = {}
        inodes: set[tuple[int, int]] = set()
        for path in self._paths(folders):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                self.problems[path] = f"cannot be read: {error.strerror or error}"
                continue
            if (status.st_dev, status.st_ino) in inodes:
                continue  # reached by a second link
            inodes.add((status.st_dev, status.st_ino))
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            before = self.places.get(path)
            mark = before[1] if before is not None and before[0] == key else self._identify(path)
            if mark is None and path in self.problems:
                continue  # not remembered: it is tried again
            places[path] = (key, mark)
            if mark is not None:
                paths.setdefault(mark, []).append(path)
        self.places = places
        waiting = []
        for mark, where in paths.items():
            file = self.files[mark]
            file.gone_since = None
            if file.path not in where:
                # The original first, while it is there: a compressed or copied one may still be incomplete.
                file.path, file.seen = min(where, key=lambda path: (path.suffix == ".gz", str(path))), None
            size, mtime = places[file.path][0][2:]
            if file.seen != (size, mtime):
                waiting.append(file)
        for file in self.files.values():
            if file.mark not in paths and file.gone_since is None:
                file.gone_since = now_s
        return sorted(waiting, key=lambda file: (file.first, file.number))

    def forget(self, before_s: int, needed: set[int]) -> None:
        """Forget logs that have been gone since before a time (epoch seconds)."""
        for file in list(self.files.values()):
            if file.gone_since is not None and file.gone_since < before_s and file.number not in needed:
                del self.files[file.mark]

    def _paths(self, folders: Iterable[Path]) -> Iterator[Path]:
        for folder in folders:
            if folder.is_file():
                yield folder
            else:
                yield from self._below(folder)

    def _below(self, folder: Path) -> Iterator[Path]:
        seen: set[str] = set()

        def tell(error: OSError) -> None:
            self.problems[Path(error.filename)] = f"cannot be read: {error.strerror or error}"

        # Links are followed (zeekctl's `current` is one), but never in a circle.
        for where, folders, names in os.walk(folder, onerror=tell, followlinks=True):
            real = os.path.realpath(where)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if is_log_name(name):
                    yield Path(where, name)

    def _identify(self, path: Path) -> str | None:
        """The mark of the log at a path, which is entered if it is new; None if it has no row yet."""
        try:
            head = read_head(path)
        except FileNotFoundError:
            return None
        except LogError as error:
            self.problems[path] = error.reason
            return None
        except OSError as error:
            self.problems[path] = f"cannot be read: {error.strerror or error}"
            return None
        if head is None:
            return None
        if head.mark not in self.files:
            self.files[head.mark] = LogFile(self.next_number, head.mark, head.size, path, head.first)
            self.next_number += 1
        return head.mark


def is_log_name(name: str) -> bool:
    """Tell whether a file name is one of an event log."""
    return _NAME.fullmatch(name) is not None


def read_head(path: Path) -> Head | None:
    """The head of a log; None while it has no whole row. Raises LogError if it is something else, OSError."""
    with path.open("rb", buffering=0) as file:
        magic = file.read(2)
    if magic != GZIP_MAGIC:
        with path.open("rb", buffering=0) as file:
            return head_of(file.read(_HEAD), path)
    with ByteStream(path) as stream:
        return head_of(stream.read(_HEAD), path)


def head_of(text: bytes, path: Path) -> Head | None:
    """What the first bytes of a log, up to 64 KiB, tell; see `read_head`."""
    if not text:
        return None
    begin = 0
    if text[:1] == b"\0":
        # A log that was truncated under a writer that went on at its old place begins with a hole.
        begin = len(text) - len(text.lstrip(b"\0"))
        if begin == len(text):
            raise LogError(path, "begins with a hole that is larger than 64 KiB: it was truncated in place")
    at = begin
    while text[at : at + 1] == b"#":
        newline = text.find(b"\n", at)
        if newline < 0:
            return None
        at = newline + 1
    if at > begin:
        header, _ = parse_header(text[begin:at], path)
    elif text[:1] != b"\0" and not text[:1].isdigit():
        header, _ = parse_header(text, path)  # which says what it is instead
    else:
        # Truncated in place: the header went with the rows. It was our package's.
        header = Header(path, tuple(COLUMNS), tuple(COLUMNS.values()))
    end = text.find(b"\n", at) + 1
    if not end:
        if len(text) < _HEAD:
            return None
        end = len(text)
    fields = text[at:end].split(header.separator.encode())
    try:
        first = int(float(fields[header.fields.index("ts")]) * 1_000_000)
    except (ValueError, IndexError, OverflowError):
        if at == begin:
            raise LogError(path, "is no Zeek log: it does not begin with a Zeek header") from None
        first = 0
    return Head(header, hashlib.sha256(text[:end]).hexdigest()[:24], end, first)
