"""A log from some place on, as chunks of whole lines; a line whose end is not written yet is left for later.

Offsets are those of the decompressed text, so that they hold for the log before and after compression.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zeekpop3.errors import LogError
from zeekpop3.follow.files import LogFile, head_of, packed_start, plain_start
from zeekpop3.log import Chunk, Header
from zeekpop3.log.header import parse_header
from zeekpop3.log.stream import GZIP_MAGIC, ByteStream

BLOCK = 4 << 20
_MAX_LINE = 1 << 28


class Moved(Exception):
    """There is another log at the path by now: look again which is where."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of a log up to `stop` (offset and number of the line after them), as chunks of rows."""

    chunks: list[Chunk]
    offset: int
    line: int
    size: int


def pieces(
    log: LogFile,
    path: Path,
    start: tuple[int, int],
    stop: int | None = None,
    *,
    final: bool = False,
    tell: Callable[[LogError], None],
) -> Iterator[Piece]:
    """The lines of a log from `start` (offset, line number) to `stop` or as far as they are written.

    `final`: nothing will be added any more, so a last line without an end is taken if it has all fields
    (as in a batch run). Raises Moved, LogError if the file cannot be opened or read, or is damaged.
    """
    try:
        with _opened(log, path) as (read, header, is_gzip, problem):
            yield from _Lines(path, header, is_gzip, tell).run(read, start, stop, final)
            if problem() and final:
                tell(LogError(path, problem() or ""))
    except FileNotFoundError:
        raise Moved from None
    except OSError as error:
        raise LogError(path, f"cannot be read: {error.strerror or error}") from None


Read = Callable[[int, int], bytes]
"""Called with offset and size, the offsets never going back."""


class _opened:
    """The log at a path, if it is still that one; a context manager."""

    def __init__(self, log: LogFile, path: Path) -> None:
        self._log, self._path = log, path
        self._file: BinaryIO | None = None
        self._stream: ByteStream | None = None
        self._at = 0

    def __enter__(self) -> tuple[Read, Header, bool, Callable[[], str | None]]:
        path = self._path
        self._file = path.open("rb", buffering=0)
        try:
            is_gzip = os.pread(self._file.fileno(), 2, 0) == GZIP_MAGIC
            found = head_of(*(packed_start(path) if is_gzip else plain_start(self._file.fileno())), path)
            if found is None or found.mark != self._log.mark:
                raise Moved
            if is_gzip:
                self._stream = ByteStream(path)
                return self._read_gzip, found.header, True, self._problem
            return self._read_plain, found.header, False, self._problem
        except BaseException:
            self._file.close()
            raise

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if self._stream is not None:
            self._stream.__exit__(None, None, None)

    def _problem(self) -> str | None:
        return self._stream.problem if self._stream is not None else None

    def _read_plain(self, offset: int, size: int) -> bytes:
        assert self._file is not None
        return os.pread(self._file.fileno(), size, offset)

    def _read_gzip(self, offset: int, size: int) -> bytes:
        assert self._stream is not None
        while self._at < offset:
            skipped = len(self._stream.read(min(BLOCK, offset - self._at)))
            if not skipped:
                return b""
            self._at += skipped
        data = self._stream.read(size)
        self._at += len(data)
        return data


class _Lines:
    """Cuts what is read into lines, and the lines into chunks, which `#` lines part."""

    def __init__(self, path: Path, header: Header, is_gzip: bool, tell: Callable[[LogError], None]) -> None:
        self.path = path
        self.header: Header | None = header
        self.is_gzip = is_gzip
        self.tell = tell

    def run(self, read: Read, start: tuple[int, int], stop: int | None, final: bool) -> Iterator[Piece]:
        offset, line = start
        rest = b""
        while True:
            at = offset + len(rest)
            size = BLOCK if stop is None else min(BLOCK, stop - at)
            block = read(at, size) if size > 0 else b""
            if not block:
                break
            text = rest + block if rest else block
            end = text.rfind(b"\n") + 1
            if end == 0 and len(text) > _MAX_LINE:
                raise LogError(self.path, f"a line is longer than {_MAX_LINE >> 20} MiB", line)
            rest = text[end:]
            if end:
                piece = self._piece(text[:end], offset, line)
                offset, line = piece.offset, piece.line
                yield piece
        if rest and final:
            if self._is_row(rest):
                yield self._piece(rest, offset, line)
            else:
                self.tell(LogError(self.path, "ends in the middle of a row", line))

    def _is_row(self, rest: bytes) -> bool:
        return (
            self.header is not None
            and not rest.startswith(b"#")
            and (rest.count(self.header.separator.encode()) == len(self.header.fields) - 1)
        )

    def _piece(self, text: bytes, offset: int, line: int) -> Piece:
        size, chunks, at = len(text), [], 0
        if text[:1] == b"\0":  # a hole that truncation in place left
            at = len(text) - len(text.lstrip(b"\0"))
        while at < size:
            if text[at] == 0x23:
                end = self._after_meta(text, at)
                self._meta(text[at:end], line)
            else:
                end = text.find(b"\n#", at) + 1 or size
                if self.header is not None:
                    rows = text if end - at == size else text[at:end]
                    chunks.append(Chunk(self.header, offset + at, len(rows), line, rows, self.is_gzip))
            line += text.count(b"\n", at, end)
            at = end
        return Piece(chunks, offset + size, line, size)

    def _after_meta(self, text: bytes, at: int) -> int:
        while at < len(text) and text[at] == 0x23:
            at = text.find(b"\n", at) + 1 or len(text)
        return at

    def _meta(self, block: bytes, line: int) -> None:
        """A header in the middle of a log (logs that were joined) holds for the rows below it."""
        if b"#fields" not in block:
            return
        try:
            self.header, _ = parse_header(block, self.path, line)
        except LogError as error:
            self.header = None
            self.tell(error)
