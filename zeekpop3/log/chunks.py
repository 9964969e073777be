"""A log → pieces of whole lines: read a block, cut it at its last line end, carry the rest.

Only lines that begin with `#` are understood here. They separate pieces, and a new header (of logs that were
joined) holds for the rows below it. A row never begins with `#`, as its first field is `ts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from zeekpop3.errors import LogError
from zeekpop3.log.file import LogFile, open_log
from zeekpop3.log.header import HEAD_BYTES, Head, LogHeader, head_of, parse_header, read_by_zat

OnError = Callable[[LogError], None]

DEFAULT_SIZE = 8 << 20
_MAX_LINE = 1 << 28
_MAX_CHANGES = 1_000  # of the header in one log; each costs a chunk


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole rows of one log: bytes `offset` to `offset + size` of its (decompressed) text.

    `line` is the 1-based number of the first row's line, `lines` how many lines there are, `data` the bytes.
    Without `data` they are read from the file when they are needed. `log` is the log's name in the tables.
    """

    header: LogHeader
    offset: int
    size: int
    line: int
    lines: int
    data: bytes | bytearray | None
    is_gzip: bool = False
    log: str = ""

    @property
    def path(self) -> Path:
        return self.header.path

    @property
    def end(self) -> int:
        """The offset behind the chunk."""
        return self.offset + self.size

    @property
    def end_line(self) -> int:
        """The number of the line behind the chunk."""
        return self.line + self.lines

    def without_data(self) -> Chunk:
        """The chunk to be sent to another process: without its bytes, unless they are hard to read again."""
        return self if self.is_gzip else replace(self, data=None)

    def text(self) -> bytes | bytearray:
        """The bytes. Raises LogError if the file was removed or truncated meanwhile."""
        if self.data is not None:
            return self.data
        with open_log(self.path) as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise LogError(self.path, "file was truncated while being read", self.line)
        return data


def chunks(
    path: str | Path,
    *,
    size: int = DEFAULT_SIZE,
    on_error: OnError,
    done: Callable[[Head, str | None], None] | None = None,
) -> Iterator[Chunk]:
    """The rows of a log, in pieces of about `size` bytes. Memory is bounded by `size` and the longest line.

    Problems of the file go to `on_error`; what stands before them is used. At the end `done` gets the head
    and the SHA-256 of the file, if it can be had.
    """
    path = Path(path)
    try:
        with open_log(path, hashed=done is not None) as file:
            head = head_of(file, path)
            cutter = LogCutter(path, file, head, size=size, on_error=on_error)
            try:
                yield from cutter.chunks()
            except LogError as error:
                on_error(error)
            if done is not None:
                done(head, file.sha256())
    except LogError as error:
        on_error(error)


class LogCutter:
    """Cuts an open log into chunks, from its first row or from a later place.

    `offset` and `line` are the place behind what was given out. A `live` log may grow, so what it ends with
    is not a problem yet: an incomplete last line is left for later.
    """

    def __init__(
        self,
        path: Path,
        file: LogFile,
        head: Head,
        *,
        size: int = DEFAULT_SIZE,
        on_error: OnError,
        start: tuple[int, int] | None = None,
        stop: int | None = None,
        live: bool = False,
    ) -> None:
        self.path = path
        self.head = head
        first_row = head.start + head.header.size, 1 + head.header.text.count(b"\n")
        self.offset, self.line = start or first_row
        # zat reads no gzip, and only the beginning of a log. A live one may be truncated at this moment: zat
        # would then search for #fields without end.
        at_start = not (live or file.is_gzip or head.start or not head.header.text)
        self._header: LogHeader | None = read_by_zat(head.header) if at_start else head.header
        self._file = file
        self._size = max(size, 1)
        self._on_error = on_error
        self._stop = stop
        self._live = live
        self._meta = bytearray()  # `#` lines that may become a header
        self._meta_line = 0
        self._changes = 0

    def chunks(self) -> Iterator[Chunk]:
        """The rows from here on. Raises LogError if a line is longer than 256 MiB."""
        self._file.seek(self.offset)
        rest = bytearray()
        while text := self._next_text(rest):
            end = text.rfind(b"\n", len(rest)) + 1
            if not end and len(text) > _MAX_LINE:
                raise LogError(self.path, f"line longer than {_MAX_LINE >> 20} MiB", self.line)
            rest = text[end:]
            del text[end:]
            yield from self._pieces(text)
        if not self._live:
            yield from self._last(rest)

    def _next_text(self, rest: bytearray) -> bytearray | None:
        """`rest` and the block behind it; None at the end. A long line doubles the block, to stay linear."""
        size = max(self._size, len(rest))
        if self._stop is not None:
            size = min(size, max(0, self._stop - self._file.offset))
        text = bytearray(len(rest) + size)
        text[: len(rest)] = rest
        with memoryview(text) as view:
            count = self._file.readinto(view[len(rest) :])
        del text[len(rest) + count :]
        return text if count else None

    def _pieces(self, text: bytearray) -> Iterator[Chunk]:
        """Chunks of whole lines. `#` lines within a chunk are left to its reader, unless they change the
        header."""
        begin = at = counted = 0
        line = self.line
        while at < len(text):
            if text[at] == 0x23:
                end = text.find(b"\n", at) + 1 or len(text)
                line += text.count(b"\n", counted, at)
                counted = at
                self._take_meta(text[at:end], line)
                if begin == at:
                    self._advance(text, begin, end)
                    begin = end
            else:
                if self._meta and (header := self._new_header()) != self._header:
                    yield from self._rows(text, begin, at)
                    begin = at
                    self._change_header(header)
                end = next_meta(text, at)
            at = end
        yield from self._rows(text, begin, at)

    def _rows(self, text: bytearray, begin: int, end: int) -> Iterator[Chunk]:
        """The lines from `begin` to `end` in chunks of about the size asked for."""
        while begin < end:
            stop = end
            if end - begin > self._size:
                stop = text.find(b"\n", begin + self._size - 1, end) + 1 or end
            rows = text if stop - begin == len(text) else text[begin:stop]
            offset, line = self.offset, self.line
            self._advance(text, begin, stop)
            if self._header is not None:
                lines = self.line - line
                yield Chunk(self._header, offset, len(rows), line, lines, rows, self._file.is_gzip)
            begin = stop

    def _advance(self, text: bytearray, begin: int, end: int) -> None:
        self.offset += end - begin
        self.line += text.count(b"\n", begin, end)

    def _last(self, rest: bytearray) -> Iterator[Chunk]:
        """The end of a log that will not grow: an incomplete last line is used if it has all its fields."""
        header = self._header
        is_whole = not rest or rest.startswith(b"#") or header is None
        if header is not None and header.is_json:
            is_whole = is_whole or rest.rstrip().endswith(b"}")
        elif header is not None and rest.count(header.separator.encode()) == len(header.fields) - 1:
            is_whole = True
        if is_whole:
            yield from self._pieces(rest)
        if self._meta:
            self._new_header()
        if self._file.problem:
            self._on_error(LogError(self.path, self._file.problem, self.line))
        elif not is_whole:
            self._on_error(LogError(self.path, "file ends in the middle of a row", self.line))

    def _take_meta(self, text: bytearray, line: int) -> None:
        """A line that begins with `#`; a new header begins with `#separator` or `#fields`."""
        if self._meta or text.startswith((b"#separator", b"#fields")):
            if not self._meta:
                self._meta_line = line
            if len(self._meta) < HEAD_BYTES:
                self._meta += text

    def _change_header(self, header: LogHeader | None) -> None:
        self._header = header
        self._changes += 1
        if self._changes > _MAX_CHANGES:
            raise LogError(self.path, f"more than {_MAX_CHANGES} different headers", self._meta_line)

    def _new_header(self) -> LogHeader | None:
        """The header that the last `#` lines make; None if it is not an event log's."""
        text, self._meta = bytes(self._meta), bytearray()
        try:
            return parse_header(text, self.path, self._meta_line)
        except LogError as error:
            self._on_error(error)
            return None


def next_meta(text: bytes | bytearray, begin: int) -> int:
    """Where the next line that begins with `#` begins, or the end of `text`."""
    at = text.find(b"#", begin)  # one byte: memchr, far faster than b"\n#"
    while at > 0 and text[at - 1] != 0x0A:
        at = text.find(b"#", at + 1)
    return at if at >= 0 else len(text)
