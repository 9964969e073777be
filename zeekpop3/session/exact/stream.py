"""The server's bytes of one connection, by position: what came, what is missing, when.

Offsets count from 0, the first byte that the server sent. A hole is a run of bytes that is known to be
missing (a capture loss, a lost or cut row of the log); it is held as zero bytes, so that positions stay true.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any, Final

# A slice of a bytearray is a copy of its own: worth going round for what is longer.
_COPIED_ONCE: Final = 4096
_WORTH_A_LOOK: Final = 1 << 14
_HOLE_LIMIT: Final = 1 << 20  # a longer hole is held as one of this length, and later offsets are moved


_LINE_DOT: Final = re.compile(rb"\n\.")
_PIECE: Final = 1 << 16


def terminator(buffer: bytes | bytearray, newline: int, stuffed: bool) -> tuple[bool, int]:
    """Where a multi-line response ends whose lines go on behind the LF at `newline`, which follows a CR.

    Returns whether a line begins with two dots (or did before: `stuffed`), and the index after the
    terminator (RFC 1939, section 3), -1 if it is not there yet.
    """
    at = newline
    while True:
        # Base64 has no dots, and a single byte is searched for many times faster than two.
        dot = buffer.find(b".", at + 1)
        if dot < 0:
            return stuffed, -1
        at = dot - 1
        stop = at + _PIECE
        while found := _LINE_DOT.search(buffer, at, stop):
            at = found.start()
            after = cut(buffer, at + 2, at + 4)
            if after == b"\r\n" and buffer[at - 1] == 0x0D:
                return stuffed, at + 4
            if after.startswith(b"."):
                stuffed = True
            at += 2
        at = max(at, stop - 1)


def cut(buffer: bytes | bytearray, start: int, stop: int) -> bytes:
    """A part of a buffer, copied once."""
    if isinstance(buffer, bytes):
        return buffer[start:stop]
    if stop - start < _COPIED_ONCE:
        return bytes(buffer[start:stop])
    with memoryview(buffer) as view:
        return bytes(view[start:stop])


class ServerStream:
    """A window on the server's stream; `position` is the first byte that nobody has read yet."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.base = 0
        self.position = 0
        self.holes: list[tuple[int, int]] = []
        self.moved = 0
        self._moves: list[tuple[int, int]] = []  # (where, bytes left out there)
        self._clock_at: list[int] = []
        self._clock: list[int] = []

    def __reduce__(self) -> tuple[Any, ...]:
        clock = (self._clock_at, self._clock)
        held = (self.buffer, self.base, self.position, self.holes)
        return ServerStream, (), (*held, self.moved, self._moves, *clock)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.buffer, self.base, self.position, self.holes = state[:4]
        self.moved, self._moves, self._clock_at, self._clock = state[4:]

    @property
    def end(self) -> int:
        return self.base + len(self.buffer)

    def place(self, offset: int) -> int:
        """Zeek's stream offset as an offset here (they differ after a hole that was too long to hold)."""
        return offset - self.moved

    def append(self, offset: int, length: int, data: bytes, ts: int) -> None:
        """Take a `contents` row: `length` bytes at `offset`, of which the log has kept `data`."""
        here = self.place(offset)
        end = self.base + len(self.buffer)
        if here > end:
            self.lose(offset, -1)
            here = end = self.end
        elif here < end:  # said twice
            data = data[end - here :]
            length -= end - here
            here = end
            if length <= 0:
                return
        self._clock_at.append(here)
        self._clock.append(ts)
        self.buffer += data
        if len(data) < length:
            self._hole(self.end, length - len(data))

    def append_rest(self, start: int, read: int, data: bytes, ts: int) -> None:
        """Take a row that begins at `start`, where all that came before has been read, and that has itself
        been read up to `read`."""
        self.base = self.position = read
        self._clock_at, self._clock = [start], [ts]
        self.buffer = bytearray(data[read - start :] if read > start else data)

    def lose(self, offset: int, length: int) -> None:
        """Take a gap: `length` bytes at `offset` are missing; -1: all up to `offset` are."""
        here, end = self.place(offset), self.end
        stop = here if length < 0 else here + length
        if stop > end:
            self._hole(end, stop - end)

    def _hole(self, start: int, length: int) -> None:
        held = min(length, _HOLE_LIMIT)
        if held < length:
            self.moved += length - held
            self._moves.append((start, length - held))
        if self.holes and self.holes[-1][1] == start:
            self.holes[-1] = (self.holes[-1][0], start + held)
        else:
            self.holes.append((start, start + held))
        self.buffer += bytes(held)

    def skip(self, start: int, stop: int) -> int:
        """Drop the bytes from `start` to `stop` for good, without a hole; return how many."""
        count = stop - start
        del self.buffer[start - self.base : stop - self.base]
        self.moved += count
        return count

    def missing(self, start: int, stop: int) -> int:
        """How many bytes between two offsets are missing."""
        count = sum(min(b, stop) - max(a, start) for a, b in self.holes if a < stop and b > start)
        return count + sum(n for at, n in self._moves if start <= at < stop)

    def first_hole(self, start: int) -> int:
        """The offset of the first missing byte at or after `start`; the end if there is none."""
        for a, b in self.holes:
            if b > start:
                return max(a, start)
        return self.end

    def known(self, start: int, stop: int) -> bytes:
        """What there is between two offsets, the holes left out."""
        base, parts = self.base, []
        for a, b in self.holes:
            if a >= stop:
                break
            if b > start:
                parts.append(self.buffer[start - base : max(a, start) - base])
                start = b
        if start < stop:
            parts.append(self.buffer[start - base : stop - base])
        return b"".join(parts)

    def bytes_at(self, start: int, stop: int) -> bytes:
        """The bytes between two offsets, with zeros where they are missing."""
        return cut(self.buffer, start - self.base, stop - self.base)

    def find(self, needle: bytes, start: int, stop: int | None = None) -> int:
        """The offset of `needle` at or after `start` (and wholly before `stop`); -1 if it is not there."""
        base = self.base
        # A terminator in Base64: no dot is far sooner found than no terminator.
        if (
            b"." in needle
            and self.end - start > _WORTH_A_LOOK
            and self.buffer.find(b".", start - base, None if stop is None else stop - base) < 0
        ):
            return -1
        found = self.buffer.find(needle, start - base, None if stop is None else stop - base)
        return found if found < 0 else found + base

    def time_at(self, offset: int) -> int | None:
        """When the byte at an offset came, if a row starts with it: rows have their first byte's time."""
        index = bisect_right(self._clock_at, offset) - 1
        return self._clock[index] if index >= 0 and self._clock_at[index] == offset else None

    def time_before(self, offset: int) -> int:
        """When the row began that has the byte at an offset: it came then, or a little later."""
        index = bisect_right(self._clock_at, offset) - 1
        return self._clock[max(index, 0)] if self._clock else 0

    def release(self) -> None:
        """Forget what lies before `position`."""
        count = self.position - self.base
        if count <= 0:
            return
        del self.buffer[:count]
        self.base = self.position
        if self.holes and self.holes[0][1] <= self.position:
            self.holes = [hole for hole in self.holes if hole[1] > self.position]
        index = bisect_right(self._clock_at, self.position) - 1
        if index > 0:
            del self._clock_at[:index], self._clock[:index]
