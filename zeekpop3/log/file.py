"""A log file opened for reading: plain or gzip, from any offset, as far as its bytes can be had.

Damage is a text in `problem`, not an exception in the middle of reading: everything before it is used. Only
regular files are opened; a FIFO or a device with the name of a log would block, or never end.
"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from io import FileIO
from pathlib import Path
from typing import Self

from zeekpop3.errors import LogError, reason

_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 16


class LogFile:
    """The text of one log, decompressed. `problem` says why reading ended early, or is None.

    `offset` is the place in the decompressed text, so it holds before and after compression. A gzip file is
    recognised by its first two bytes, whatever its name.
    """

    def __init__(self, file: FileIO) -> None:
        self.problem: str | None = None
        self.offset = 0
        self._file = file
        self.is_gzip = file.read(2) == _GZIP_MAGIC
        self._gzip = gzip.GzipFile(fileobj=file) if self.is_gzip else None
        self._inflated = b""
        file.seek(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def seek(self, offset: int) -> None:
        """Go to an offset, or to the end of the text if that is before it."""
        if self._gzip is None:
            self._file.seek(offset)
            self.offset = offset
        elif offset < self.offset:
            self._gzip.rewind()
            self._inflated, self.offset, self.problem = b"", 0, None
        while self.offset < offset and self.read(min(_BLOCK, offset - self.offset)):
            pass

    def skip_hole(self) -> int:
        """Go behind leading NUL bytes, which truncation in place leaves; returns the offset there."""
        self.seek(0)
        if self._gzip is None and self.read(1) == b"\0":
            try:
                self.seek(os.lseek(self._file.fileno(), 0, os.SEEK_DATA))
            except OSError:  # only a hole, or a file system without holes
                pass
        else:
            self.seek(0)
        while block := self.read(_BLOCK):
            if text := block.lstrip(b"\0"):
                self.seek(self.offset - len(text))
                break
        return self.offset

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end, or before damage."""
        data = bytearray(size)
        with memoryview(data) as view:
            size = self.readinto(view)
        return bytes(data[:size])

    def readinto(self, view: memoryview) -> int:
        """Fill `view` as far as there are bytes; returns how many."""
        filled = 0
        while filled < len(view) and (count := self._some(view[filled:])):
            filled += count
        self.offset += filled
        return filled

    def _some(self, view: memoryview) -> int:
        try:
            if self._gzip is None:
                return self._file.readinto(view) or 0
            if not self._inflated and self.problem is None:
                # What the library has decompressed before it finds damage, it has given out.
                self._inflated = self._gzip.read1()
        except EOFError:
            self.problem = "truncated gzip file; using the readable part"
        except (gzip.BadGzipFile, zlib.error) as error:
            if str(error).startswith("Not a gzipped file"):
                self.problem = "trailing garbage after gzip data ignored"
            else:
                self.problem = f"damaged gzip data ({error}); using the readable part"
        except OSError as error:
            self.problem = f"cannot be read any further: {reason(error)}"
        size = min(len(self._inflated), len(view))
        view[:size] = self._inflated[:size]
        self._inflated = self._inflated[size:]
        return size


def open_log(path: Path) -> LogFile:
    """Open a log. Raises LogError if it is not a regular file, or cannot be opened.

    The error's `__cause__` is the OSError, if there is one.
    """
    try:
        # Not blocking: a FIFO without a writer opens at once, and is refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise LogError(path, "no such file") from error
    except OSError as error:
        raise LogError(path, f"cannot be read: {reason(error)}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LogError(path, "not a regular file")
        return LogFile(FileIO(descriptor))
    except OSError as error:
        os.close(descriptor)
        raise LogError(path, f"cannot be read: {reason(error)}") from error
    except LogError:
        os.close(descriptor)
        raise
