"""Compound files ([MS-CFB]): older Office documents, macros, .msi, .msg → the names and contents of streams.

A file is a small file system: sectors, chained in a table (FAT); short streams share the sectors of another
stream, in smaller ones (mini FAT). The directory is a tree of entries. Every chain and the tree are followed
for as many steps as there are sectors or entries, so no loop has an end that the file decides.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from zeekpop3.inside.unpack import BrokenError, Budget

_ENTRY_BYTES = 128
_FREE = 0xFFFFFFFA  # this and above: no sector
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_MAX_ENTRIES = 10_000
_MAX_PATH = 1_024  # characters
_AT_ONCE = 1 << 11  # small sectors
_MAX_NAME = 1_024  # characters
_FILE_PASS, _FIRST_RECORDS = 0x2F, 8
FIRST_STREAMS = frozenset(("WordDocument", "Workbook", "Book"))
"""Names of the streams whose beginning tells whether the document has a password."""
_PACKAGE = "\x01Ole10Native"  # an embedded file, with its name


class Stream(NamedTuple):
    """A stream: its path, its content in pieces, its size in bytes."""

    path: str
    pieces: Iterator[bytes]
    size: int


class _Entry(NamedTuple):
    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int


def streams(data: bytes, budget: Budget) -> Iterator[Stream]:
    """The streams, in the order of the tree, then those that the tree does not reach. Raises BrokenError."""
    return _Compound(data, budget).streams()


class EmbeddedFile(NamedTuple):
    """The file in a stream `Ole10Native`: its names, its content, and whether all of it is there."""

    names: list[str]
    content: bytes
    is_whole: bool


def embedded_file(content: bytes) -> EmbeddedFile | None:
    """The file in a stream `Ole10Native`; None if it does not hold one. Behind the content the names follow
    once more, in Unicode: that of a temporary file, the label, the path.
    """
    at = 6
    names = []
    for _ in range(2):
        end = content.find(b"\0", at)
        if end < 0:
            return None
        names.append(content[at:end].decode("cp1252", "replace"))
        at = end + 1
    at += 4
    at += 4 + _number(content, at, 4)
    size = _number(content, at, 4)
    at += 4
    end = at + size
    file = content[at:end]
    wide = []
    for _ in range(3):
        length = _number(content, end, 4)
        wide.append(content[end + 4 : end + 4 + 2 * min(length, _MAX_NAME)].decode("utf-16-le", "replace"))
        end += 4 + 2 * length
    known: dict[str, None] = {}
    for name in (names[0], _last(names[1]), wide[1], _last(wide[2])):
        if name.strip("\0"):
            known[name.strip("\0")] = None
    return EmbeddedFile(list(known) or ["file"], file, len(file) == size)


def _last(path: str) -> str:
    return path.replace("/", "\\").rpartition("\\")[2]


def is_embedded_file(path: str) -> bool:
    """Whether a stream of this path is for `embedded_file`."""
    return path.rpartition("/")[2] == _PACKAGE


def is_encrypted(path: str, content: bytes) -> bool:
    """Whether a stream of this name that begins with `content` is that of an Office document with a password
    ([MS-OFFCRYPTO], section 2.3; [MS-DOC], fEncrypted; [MS-XLS], FilePass; [MS-PPT], EncryptedSummary).
    """
    if path in ("EncryptedPackage", "EncryptedSummary"):
        return True
    if path == "WordDocument":
        return content.startswith(b"\xec\xa5") and bool(content[11:12] > b"\0" and content[11] & 1)
    if path not in FIRST_STREAMS:
        return False
    at = 0
    for _ in range(_FIRST_RECORDS):
        record, size = _number(content, at, 2), _number(content, at + 2, 2)
        if record == _FILE_PASS:
            return True
        at += 4 + size
    return False


class _Compound:
    """A compound file whose tables were read."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        shift, mini_shift = _number(data, 30, 2), _number(data, 32, 2)
        if shift not in (9, 12) or mini_shift != 6 or len(data) < 1 << shift:
            raise BrokenError
        self._data = data
        self._budget = budget
        self._shift = shift
        self._cutoff = _number(data, 56, 4)
        self._sectors = (len(data) - 1) >> shift  # behind the header
        self._fat = self._table(self._fat_sectors())
        self._entries = self._read_entries()
        self._mini_fat = self._table(self._chain(_number(data, 60, 4), self._fat))
        root = self._entries[0]
        self._mini = b"".join(self._sectors_of(root.start, root.size)) if root.size else b""

    def streams(self) -> Iterator[Stream]:
        reached = {0}
        stack = [(self._entries[0].child, "")]
        while stack:
            number, parent = stack.pop()
            if number in reached or number >= len(self._entries):
                continue
            reached.add(number)
            entry = self._entries[number]
            stack += [(other, parent) for other in (entry.right, entry.left) if other < len(self._entries)]
            if entry.kind == _STORAGE:
                stack.append((entry.child, f"{parent}{entry.name}/"[:_MAX_PATH]))
            elif entry.kind == _STREAM:
                yield self._stream(entry, parent)
        for number, entry in enumerate(self._entries):
            if number not in reached and entry.kind == _STREAM and entry.size:
                yield self._stream(entry, "")

    def _stream(self, entry: _Entry, parent: str) -> Stream:
        return Stream(parent + entry.name, self._content(entry), entry.size)

    def _content(self, entry: _Entry) -> Iterator[bytes]:
        if entry.size >= self._cutoff:
            yield from self._sectors_of(entry.start, entry.size)
            return
        left = entry.size
        pieces: list[bytes] = []
        at_once = 1
        for number in self._chain(entry.start, self._mini_fat):
            if left <= 0:
                break
            piece = self._mini[number << 6 : (number << 6) + min(left, 64)]
            if not piece:
                raise BrokenError
            self._budget.take(64)
            left -= len(piece)
            pieces.append(piece)
            if len(pieces) >= at_once:
                at_once = _AT_ONCE  # after the first one: whether there are more is known by the pieces
                yield b"".join(pieces)
                pieces.clear()
        if pieces:
            yield b"".join(pieces)
        if left:
            raise BrokenError

    def _sectors_of(self, start: int, size: int) -> Iterator[bytes]:
        """The content of a chain of sectors; sectors that follow each other are one piece."""
        left, first, after = size, -1, -1
        for number in self._chain(start, self._fat):
            if first >= 0 and (number != after or (after - first) << self._shift >= min(left, 1 << 17)):
                yield self._run(first, after, left)
                left -= (after - first) << self._shift
                first = -1
            if left <= 0:
                return
            if first < 0:
                first = number
            after = number + 1
        if first >= 0:
            yield self._run(first, after, left)
            left -= (after - first) << self._shift
        if left > 0:
            raise BrokenError

    def _run(self, first: int, after: int, most: int) -> bytes:
        begin = (first + 1) << self._shift
        self._budget.take((after - first) << self._shift)  # each is a step, also behind the end of the file
        return self._data[begin : min(begin + most, (after + 1) << self._shift)]

    def _fat_sectors(self) -> Iterator[int]:
        """The sectors of the FAT: the first are listed in the header, the others in sectors of their own."""
        size = 1 << self._shift
        numbers = array("I", self._data[76:512])
        following, steps = _number(self._data, 68, 4), 0
        while following < _FREE and steps < self._sectors:
            begin = (following + 1) << self._shift
            more = array("I")
            more.frombytes(_padded(self._data[begin : begin + size], size))
            numbers += more[:-1]
            following, steps = _little(more)[-1], steps + 1
        return (number for number in _little(numbers) if number < _FREE)

    def _table(self, sectors: Iterator[int]) -> array[int]:
        size = 1 << self._shift
        parts = []
        for steps, number in enumerate(sectors):
            if steps > self._sectors:
                raise BrokenError
            begin = (number + 1) << self._shift
            self._budget.take(size)
            parts.append(_padded(self._data[begin : begin + size], size))
        return _little(array("I", b"".join(parts)))

    def _chain(self, number: int, table: array[int]) -> Iterator[int]:
        """The sectors of a chain. Raises BrokenError for one that is longer than the table."""
        for _ in range(len(table) + 1):
            if number >= _FREE:
                return
            if number >= len(table):
                raise BrokenError
            yield number
            number = table[number]
        raise BrokenError

    def _read_entries(self) -> list[_Entry]:
        found: list[_Entry] = []
        for number in self._chain(_number(self._data, 48, 4), self._fat):
            begin = (number + 1) << self._shift
            self._budget.take(1 << self._shift)
            for at in range(begin, min(begin + (1 << self._shift), len(self._data) - 127), _ENTRY_BYTES):
                found.append(self._entry(self._data[at : at + _ENTRY_BYTES]))
            if len(found) > _MAX_ENTRIES:
                break
        if not found or found[0].kind != _ROOT:
            raise BrokenError
        return found

    def _entry(self, entry: bytes) -> _Entry:
        length = min(max(_number(entry, 64, 2) - 2, 0), 62)
        name = entry[:length].decode("utf-16-le", "replace")
        size = _number(entry, 120, 8 if self._shift == 12 else 4)
        left, right, child, start = (_number(entry, at, 4) for at in (68, 72, 76, 116))
        return _Entry(name, entry[66], left, right, child, start, min(size, len(self._data)))


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _padded(data: bytes, size: int) -> bytes:
    return data.ljust(size, b"\xff")


def _little(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
