"""Bytes of one file, decompressed if it is gzip, as far as they can be had.

What is wrong with the file is a reason in words (`problem`), never an exception in the middle of reading: a
gzip member that is cut off, or garbage behind one, costs nothing of what stands before it.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

from zeekpop3.errors import LogError

GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 18
_WINDOW = 1 << 18
_GZIP_WINDOW = 31  # zlib: gzip container, largest window


class ByteStream:
    """A file opened for reading from `start`, in bytes; gzip is told by its first two bytes, not by the name.

    Raises LogError if the file cannot be opened. After `read` has given b"", `problem` says why the stream
    ended before its time, or is None.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self.problem: str | None = None
        self._ended = False
        self._inflate: zlib._Decompress | None = None
        self._input = b""
        if not path.exists():
            raise LogError(path, "no such file")
        if not path.is_file():
            raise LogError(path, "not a file")
        try:
            self._file = path.open("rb", buffering=0)
            self.is_gzip = self._file.read(2) == GZIP_MAGIC
            self._file.seek(start)
        except OSError as error:
            raise LogError(path, f"cannot be read: {error.strerror or error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def left(self) -> int | None:
        """How many bytes are still to come, as far as can be told; None if it cannot."""
        if self.is_gzip:
            return None
        try:
            return os.fstat(self._file.fileno()).st_size - self._file.tell()
        except OSError:
            return None

    def rewind(self, start: int = 0) -> bool:
        """Go back to `start`; False where that cannot be: then nothing has changed."""
        if self.is_gzip:
            return False
        self._file.seek(start)
        self._ended = False
        return True

    def whole_lines(self, size: int) -> int:
        """How many of the next `size` bytes are whole lines.

        0 where that cannot be told: the file is compressed, has not so many bytes left, a line is long, or
        something is wrong with it.
        """
        left = self.left()
        if left is None or left <= size:
            return 0
        before = max(0, size - _WINDOW)
        try:
            window = os.pread(self._file.fileno(), size - before, self._file.tell() + before)
        except OSError:
            return 0
        return before + window.rfind(b"\n") + 1 if b"\n" in window else 0

    def read_lines(self, size: int) -> bytes | None:
        """Whole lines, at most `size` bytes of them, read in one go, so that none is copied.

        None, and nothing is read, where that is not to be had (`whole_lines`).
        """
        wanted = self.whole_lines(size)
        if not wanted:
            return None
        at = self._file.tell()
        try:
            lines = self._file.read(wanted)
        except OSError:
            lines = b""
        if len(lines) == wanted:
            return lines
        self._file.seek(at)
        return None

    def read(self, size: int) -> bytes:
        """At most `size` bytes; exactly so many unless the end is near; b"" at the end."""
        data = bytearray(size)
        del data[self.readinto(memoryview(data)) :]
        return bytes(data)

    def readinto(self, room: memoryview) -> int:
        """Fills `room`, or what of it the rest of the stream fills; the number of bytes."""
        have = 0
        while have < len(room) and not self._ended:
            if self.is_gzip:
                piece = self._inflated(len(room) - have)
                room[have : have + len(piece)] = piece
                have += len(piece)
            else:
                size = self._from_file(room[have:])
                have += size
                self._ended = not size
        return have

    def _from_file(self, room: memoryview) -> int:
        try:
            return self._file.readinto(room) or 0
        except OSError as error:
            self.problem = f"cannot be read any further: {error.strerror or error}"
            return 0

    def _inflated(self, size: int) -> bytes:
        """Some bytes, at most `size`; none does not mean that it is the end."""
        if not self._input:
            room = bytearray(_PIECE)
            del room[self._from_file(memoryview(room)) :]
            self._input = bytes(room)
        if not self._input:
            self._ended = True
            if self._inflate is None:
                return b""
            if self.problem is None:
                self.problem = "the gzip file is cut off in the middle; what was readable is used"
            try:
                return self._inflate.flush()
            except zlib.error:
                return b""
        if self._inflate is None:
            # Some programs pad the last member with zeros (gzip itself accepts that).
            self._input = self._input.lstrip(b"\0")
            if not self._input:
                return b""
            if self._input[:1] != GZIP_MAGIC[:1]:
                self._stop("there is something behind the gzip data that is none; it is left out")
                return b""
            self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        try:
            piece = self._inflate.decompress(self._input, size)
        except zlib.error:
            self._stop("the gzip data are broken; what was readable before is used")
            return b""
        if self._inflate.eof:
            self._input = self._inflate.unused_data
            self._inflate = None
        else:
            self._input = self._inflate.unconsumed_tail
        return piece

    def _stop(self, problem: str) -> None:
        self.problem = problem
        self._ended = True
