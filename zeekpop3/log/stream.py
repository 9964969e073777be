"""Bytes of one file, decompressed if it is gzip, as far as they can be had.

What is wrong with the file is a reason in words (`problem`), never an exception in the middle of reading: a
gzip member that is cut off, or garbage behind one, costs nothing of what stands before it.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

from zeekpop3.errors import LogError

GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 18
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

    def read(self, size: int) -> bytes:
        """At most `size` bytes; exactly so many unless the end is near; b"" at the end."""
        pieces: list[bytes] = []
        missing = size
        while missing > 0 and not self._ended:
            piece = self._inflated(missing) if self.is_gzip else self._raw(missing)
            missing -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _raw(self, size: int) -> bytes:
        try:
            piece = self._file.read(size)
        except OSError as error:
            self.problem = f"cannot be read any further: {error.strerror or error}"
            piece = b""
        if not piece:
            self._ended = True
        return piece

    def _inflated(self, size: int) -> bytes:
        if not self._input:
            self._input = self._raw(_PIECE)
        if not self._input:
            if self._inflate is not None and self.problem is None:
                self.problem = "the gzip file is cut off in the middle; what was readable is used"
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
