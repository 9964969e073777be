"""Which file is which: a log is known by the hash of its head, up to its first row's end, not by its name.

A first row (`ts`, `uid`, `seq`) occurs once in all logs, so a log that was renamed, moved, compressed or
copied is the same log, and one that was truncated in place and written anew is another. Device and inode only
save the trouble of looking again at what did not change.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from zeekpop3.errors import LogError
from zeekpop3.follow.walk import Key, Walker
from zeekpop3.log.header import COLUMNS, Header, parse_header
from zeekpop3.log.stream import GZIP_MAGIC, ByteStream

_HEAD = 1 << 16


@dataclass(slots=True)
class LogFile:
    """A log and how far its rows have been taken in.

    `number` stands for it in the checkpoint, `mark` is the hash of its head (decompressed), `offset` and
    `line` are the place of the next row, `first` is the first row's `ts` (microseconds).
    `seen`: for each path where the log is, size and mtime (ns) of the file when nothing more was in it.
    """

    number: int
    mark: str
    first: int
    offset: int = 0
    line: int = 1
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    gone_since: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What the beginning of a log tells: its header, the mark, where it begins, and the first row's time."""

    header: Header
    mark: str
    start: int
    first: int


class Place(NamedTuple):
    """A log that has something to read at a path; size in bytes and mtime in nanoseconds."""

    log: LogFile
    path: Path
    size: int
    mtime: int


@dataclass(slots=True)
class Catalogue:
    """All logs that are known, by mark; `places` is what the last look found at each path, `paths` the
    reverse."""

    files: dict[str, LogFile] = field(default_factory=dict)
    places: dict[Path, tuple[Key, str | None]] = field(default_factory=dict)
    paths: dict[str, list[Path]] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    next_number: int = 1
    _walker: Walker = field(default_factory=Walker)

    def look(self, folders: Iterable[Path], now_s: int) -> list[Place]:
        """Look at what is there; returns the logs that may have something to read, in order of time.

        A log that is at several places (a copy, a packed one that is not complete yet) is read wherever it
        has more than was read elsewhere; first where it is not packed, and longest.

        `problems` then says which files could not be used, and why.
        """
        self.problems = {}
        places: dict[Path, tuple[Key, str | None]] = {}
        paths: dict[str, list[Path]] = {}
        for path, key in self._walker.look(folders, self.problems):
            before = self.places.get(path)
            mark = before[1] if before is not None and before[0] == key else self._identify(path)
            if mark is None and path in self.problems:
                continue  # not remembered: it is tried again
            places[path] = (key, mark)
            if mark is not None:
                paths.setdefault(mark, []).append(path)
        self.places = places
        self.paths = paths
        waiting = []
        for mark, where in paths.items():
            log = self.files[mark]
            log.gone_since = None
            if len(log.seen) >= len(where):
                for name in log.seen.keys() - set(map(str, where)):
                    del log.seen[name]
            for path in where:
                key = places[path][0]
                if log.seen.get(str(path)) != key[2:]:
                    waiting.append(Place(log, path, key.size, key.mtime))
        for log in self.files.values():
            if log.mark not in paths and log.gone_since is None:
                log.gone_since = now_s
        return sorted(waiting, key=_order)

    def forget(self, before_s: int, needed: set[int]) -> None:
        """Forget logs that have been gone since before a time (epoch seconds)."""
        for file in list(self.files.values()):
            if file.gone_since is not None and file.gone_since < before_s and file.number not in needed:
                del self.files[file.mark]

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
            log = LogFile(self.next_number, head.mark, head.first, offset=head.start)
            self.files[head.mark] = log
            self.next_number += 1
        return head.mark


def _order(place: Place) -> tuple[int, int, bool, int]:
    return place.log.first, place.log.number, place.path.suffix == ".gz", -place.size


def read_head(path: Path) -> Head | None:
    """The head of a log; None while it has no whole row. Raises LogError if it is something else, OSError."""
    with path.open("rb", buffering=0) as file:
        if os.pread(file.fileno(), 2, 0) != GZIP_MAGIC:
            return head_of(*plain_start(file.fileno()), path)
    return head_of(*packed_start(path), path)


def plain_start(descriptor: int) -> tuple[bytes, int]:
    """The first 64 KiB of a file, and where they begin: behind the hole that truncation in place leaves."""
    text, at = os.pread(descriptor, _HEAD, 0), 0
    if text[:1] != b"\0":
        return text, 0
    try:
        at = os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError:  # nothing but a hole, or a file system that has none
        pass
    while text := os.pread(descriptor, _HEAD, at):
        if data := text.lstrip(b"\0"):
            at += len(text) - len(data)
            return os.pread(descriptor, _HEAD, at), at
        at += len(text)
    return b"", 0


def packed_start(path: Path) -> tuple[bytes, int]:
    """The same of a packed file, in its decompressed text."""
    with ByteStream(path) as stream:
        at = 0
        while text := stream.read(_HEAD):
            if data := text.lstrip(b"\0"):
                return data + stream.read(_HEAD - len(data)), at + len(text) - len(data)
            at += len(text)
    return b"", 0


def head_of(text: bytes, start: int, path: Path) -> Head | None:
    """What the first bytes of a log, up to 64 KiB, tell; see `read_head`."""
    at = 0
    while text[at : at + 1] == b"#":
        newline = text.find(b"\n", at)
        if newline < 0:
            return None
        at = newline + 1
    if not text:
        return None
    if at or not text[:1].isdigit():
        header, _ = parse_header(text[:at] or text, path)  # which says what it is instead
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
        if not at:
            raise LogError(path, "is no Zeek log: it does not begin with a Zeek header") from None
        first = 0
    return Head(header, hashlib.sha256(text[:end]).hexdigest()[:24], start, first)
