"""Packed bytes → unpacked pieces, within a budget of work, whatever the format; the files in tar archives.

The budget counts what goes in and what comes out, so that neither a bomb nor a stream that unpacks to nothing
takes long. Every function here raises `TooLargeError` when it is used up, and `BrokenError` for bytes that
are not in the format; what came before was good.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

PIECE = 1 << 17
_INPUT = 1 << 16
_SLOW = 8  # bzip2 and LZMA take as much time for a byte as deflate for so many
_MAX_STREAMS = 1_000
_LZMA_MEMORY = 64 << 20
_BLOCK = 512
_MAX_NAME = 1 << 16
_MAX_RECORDS = 100  # of a pax header


class TooLargeError(Exception):
    """The budget does not allow to unpack all."""


class BrokenError(Exception):
    """The bytes are not in their format."""


class LeftOverError(BrokenError):
    """What was unpacked is good, but other bytes stand behind it."""


class Budget:
    """What may still be unpacked of one mail: `room` bytes of work, `entries` files."""

    def __init__(self, room: int, entries: int) -> None:
        self.room = room
        self.entries = entries

    def take(self, size: int) -> None:
        """Count `size` bytes. Raises TooLargeError."""
        self.room -= size
        if self.room < 0:
            raise TooLargeError

    def take_entry(self) -> None:
        """Count a file. Raises TooLargeError."""
        self.entries -= 1
        if self.entries < 0:
            raise TooLargeError


class _Decompressor(Protocol):
    """As in bz2 and lzma."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Deflate:
    """zlib with the interface of bz2 and lzma."""

    def __init__(self, window: int) -> None:
        self._zlib = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def inflated(data: bytes, start: int, end: int, budget: Budget) -> Iterator[bytes]:
    """Raw deflate (RFC 1951), as in zip files."""
    return _one(lambda: _Deflate(-zlib.MAX_WBITS), data, start, end, budget, 1)


def bunzipped(data: bytes, start: int, end: int, budget: Budget) -> Iterator[bytes]:
    """Bzip2, one stream or several."""
    return _all(bz2.BZ2Decompressor, data, start, end, budget, _SLOW)


def unxzipped(data: bytes, start: int, end: int, budget: Budget) -> Iterator[bytes]:
    """XZ, one stream or several."""
    return _all(lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY), data, start, end, budget, _SLOW)


def gunzipped(data: bytes, start: int, end: int, budget: Budget) -> Iterator[bytes]:
    """Gzip (RFC 1952), one member or several."""
    return _all(lambda: _Deflate(zlib.MAX_WBITS | 16), data, start, end, budget, 1)


def lzma_of_zip(data: bytes, start: int, end: int, budget: Budget) -> Iterator[bytes]:
    """LZMA as in zip files (APPNOTE 5.8.8): its properties stand in front."""
    size = int.from_bytes(data[start + 2 : start + 4], "little")
    properties = data[start + 4 : start + 4 + size]
    if size != 5 or len(properties) != size or properties[0] >= 225:
        raise BrokenError
    rest, literal = divmod(properties[0], 9)
    position, low = divmod(rest, 5)
    if int.from_bytes(properties[1:], "little") > _LZMA_MEMORY or literal + low > 4:
        raise TooLargeError
    made = {
        "id": lzma.FILTER_LZMA1,
        "lc": literal,
        "lp": low,
        "pb": position,
        "dict_size": int.from_bytes(properties[1:], "little"),
    }
    return _one(
        lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[made]),
        data, start + 4 + size, end, budget, _SLOW, needs_end=False,
    )  # fmt: skip


def stored(data: bytes, start: int, end: int, budget: Budget) -> Iterator[bytes]:
    """Bytes that are not packed."""
    for at in range(start, end, PIECE):
        piece = data[at : min(at + PIECE, end)]
        budget.take(len(piece))
        yield piece


def _one(
    make: Callable[[], _Decompressor],
    data: bytes,
    start: int,
    end: int,
    budget: Budget,
    weight: int,
    *,
    needs_end: bool = True,
) -> Iterator[bytes]:
    ends = None
    for piece, at in _stream(make(), data, start, end, budget, weight):
        ends = at
        yield piece
    if needs_end and ends is None:
        raise BrokenError


def _all(
    make: Callable[[], _Decompressor], data: bytes, start: int, end: int, budget: Budget, weight: int
) -> Iterator[bytes]:
    """All streams that follow each other, and zeros. Raises LeftOverError for other bytes behind the first:
    most programs ignore them, some find a file in them.
    """
    for number in range(_MAX_STREAMS):
        ends = None
        try:
            for piece, at in _stream(make(), data, start, end, budget, weight):
                ends = at
                yield piece
        except BrokenError as error:
            raise LeftOverError if number else BrokenError from error
        if ends is None:
            raise BrokenError
        if ends >= end or not data[ends:end].strip(b"\0"):
            return
        start = ends
    raise TooLargeError


def _stream(
    unpacker: _Decompressor, data: bytes, start: int, end: int, budget: Budget, weight: int
) -> Iterator[tuple[bytes, int | None]]:
    """Pieces of one stream, each with None, or, at the end of the stream, where it ends in `data`."""
    at = start
    while not unpacker.eof:
        given = b""
        if unpacker.needs_input:
            given = data[at : min(at + _INPUT, end)]
            at += len(given)
            budget.take(len(given))
        try:
            piece = unpacker.decompress(given, PIECE)
        except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError) as error:
            raise BrokenError from error
        budget.take(len(piece) * weight)
        if unpacker.eof:
            yield piece, at - len(unpacker.unused_data)
        elif piece:
            yield piece, None
        elif at >= end and not given:
            return


def name_in_gzip(data: bytes) -> str | None:
    """The name of the file that was packed (RFC 1952, section 2.3)."""
    if len(data) < 10 or not data[3] & 8:
        return None
    at = 10
    if data[3] & 4:
        at += 2 + int.from_bytes(data[10:12], "little")
    return data[at : data.find(b"\0", at, at + _MAX_NAME)].decode("latin-1") or None


def tar_files(data: bytes, budget: Budget) -> Iterator[tuple[str, Iterator[bytes] | None, int]]:
    """Name, content and size of the regular files in a tar archive (POSIX.1-1988, GNU, and names of pax), of
    those behind its end, too. The content of files with holes (sparse) is None: it is not put together.
    """
    at, longer, has_holes = 0, None, False
    while at + _BLOCK <= len(data):
        block = data[at : at + _BLOCK]
        at += _BLOCK
        budget.take(_BLOCK)
        if not block.strip(b"\0"):
            continue
        if sum(block[:148]) + sum(block[156:]) + 8 * 32 != _number(block[148:156]):
            raise BrokenError
        size, kind = _number(block[124:136]), block[156:157]
        if size < 0 or size > len(data) - at:
            raise BrokenError
        if kind in (b"L", b"x"):
            content = data[at : at + min(size, _MAX_NAME)]
            if kind == b"x":
                has_holes = b"GNU.sparse." in content
                longer = _pax_value(content, b"GNU.sparse.name=") or _pax_value(content, b"path=")
            else:
                longer = content.partition(b"\0")[0]
        elif kind in (b"0", b"\0", b"7", b"S"):
            name = block[:100].partition(b"\0")[0]
            if block[257:262] == b"ustar" and (prefix := block[345:500].partition(b"\0")[0]):
                name = prefix + b"/" + name
            shown = (longer or name).decode("utf-8", "replace")
            if kind == b"S" or has_holes:
                yield shown, None, size
            else:
                yield shown, stored(data, at, at + size, budget), size
            longer, has_holes = None, False
        elif kind not in (b"K", b"g"):
            longer, has_holes = None, False
        at += -(-size // _BLOCK) * _BLOCK


def _number(field: bytes) -> int:
    """An octal number, or a binary one (GNU). Raises BrokenError."""
    if field[:1] in (b"\x80", b"\xff"):
        return int.from_bytes(field[1:], "big", signed=field[:1] == b"\xff")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise BrokenError from error


def _pax_value(records: bytes, name: bytes) -> bytes | None:
    """The value of `name` (with `=`) among pax records, each `LENGTH NAME=VALUE` and a line end. Raises
    BrokenError for very many.
    """
    at = 0
    for _ in range(_MAX_RECORDS):
        blank = records.find(b" ", at, at + 20)
        if blank < 0 or not records[at:blank].isdigit():
            return None
        length = int(records[at:blank])
        if records.startswith(name, blank + 1):
            return records[blank + 1 + len(name) : at + length].rstrip(b"\n")
        if length <= 0:
            return None
        at += length
    raise BrokenError
