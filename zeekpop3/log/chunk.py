"""A log file cut into pieces of whole lines, each of a bounded size, with what is needed to read it alone.

Only lines that begin with `#` are understood here: they end a piece, and a new header (logs that were
concatenated) holds for the rows below it. A data field never begins a line with `#`, as `ts` comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeekpop3.errors import LogError
from zeekpop3.log.header import Header, parse_header
from zeekpop3.log.stream import ByteStream
from zeekpop3.session.protocol import count_lines

OnError = Callable[[LogError], None]

DEFAULT_SIZE = 8 << 20
_MAX_LINE = 1 << 28
_HEAD = 1 << 16
_ROOM = 1 << 18  # what fits in a processor's cache


@dataclass(frozen=True)
class Chunk:
    """Whole lines of rows of one log: bytes `offset` to `offset + size` of its (decompressed) text.

    `line` is the 1-based number of the first of them. A chunk of a plain file is pickled without its bytes:
    they are read again where it arrives.
    """

    header: Header
    offset: int
    size: int
    line: int
    data: bytes | bytearray | None = None
    is_gzip: bool = False

    @property
    def path(self) -> Path:
        return self.header.path

    def text(self) -> bytes | bytearray:
        """The bytes; raises LogError if the file is gone, or was cut, since."""
        if self.data is not None:
            return self.data
        data = bytearray(self.size)
        with ByteStream(self.path, self.offset) as stream, memoryview(data) as room:
            size = stream.readinto(room)
        if size != self.size:
            raise LogError(self.path, "became shorter while it was read", self.line)
        return data

    def __reduce__(self) -> tuple[Any, ...]:
        data = self.data if self.is_gzip else None
        return Chunk, (self.header, self.offset, self.size, self.line, data, self.is_gzip)


def chunks(
    path: str | Path, *, size: int = DEFAULT_SIZE, on_error: OnError, keep: bool = True
) -> Iterator[Chunk]:
    """The rows of one log, in pieces of about `size` bytes.

    What is wrong with the file goes to `on_error`, and what stands before that place is used; memory is
    bounded by `size` and the longest line. `keep`: False where chunks are only sent away; the same ones then
    come without their bytes where these can be read again.
    """
    path = Path(path)
    try:
        with ByteStream(path) as stream:
            yield from _Cutter(path, stream, size, on_error, keep).run()
    except LogError as error:
        on_error(error)


class _Cutter:
    """Reads a stream piece by piece; `offset` and `line` are the place of the bytes that are not yet given
    away."""

    def __init__(self, path: Path, stream: ByteStream, size: int, on_error: OnError, keep: bool) -> None:
        self.path = path
        self.stream = stream
        self.size = max(size, 1)
        self.on_error = on_error
        self.keep = keep
        self.offset = 0
        self.line = 1
        self.header: Header | None = None

    def run(self) -> Iterator[Chunk]:
        rest: bytes | bytearray = self.stream.read(_HEAD)
        if not rest:
            raise LogError(self.path, self.stream.problem or "is empty")
        self.header, _ = parse_header(_whole(bytes(rest)), self.path)
        if self.stream.rewind():
            rest = b""
        room = bytearray(0 if self.keep else min(self.size, _ROOM))
        while True:
            while room and not rest and (chunk := self._passed_by(room)):
                yield chunk
            text = (None if rest else self.stream.read_lines(self.size)) or self._behind(rest)
            if text is None:
                break
            end = _before_meta(text, text.rfind(b"\n") + 1)
            if end == 0 and len(text) > _MAX_LINE:
                raise LogError(
                    self.path, f"a line is longer than {_MAX_LINE >> 20} MiB: reading ends here", self.line
                )
            rest = text[end:]
            if isinstance(text, bytearray):
                del text[end:]
            elif rest:
                text = text[:end]
            yield from self._lines(text)
        # Only a last row whose data is cut can still say something; whatever else is cut off is no row.
        yield from self._lines(rest if self._is_row(rest) else rest[: rest.rfind(b"\n") + 1])
        if self.stream.problem:
            self.on_error(LogError(self.path, self.stream.problem, self.line))
        elif not self._is_row(rest):
            self.on_error(LogError(self.path, "ends in the middle of a row", self.line))

    def _passed_by(self, room: bytearray) -> Chunk | None:
        """The next chunk without its bytes, which are looked at as they pass through `room`.

        None, and nothing has passed, where lines begin with `#`, or it cannot be told where lines end.
        """
        size = self.stream.whole_lines(self.size)
        if not size or self.header is None:
            return None
        lines, done, last = 0, 0, 0x0A
        while done < size:
            with memoryview(room)[: size - done] as view:
                count = self.stream.readinto(view)
            piece = room if count == len(room) else room[:count]
            if not piece or (piece[0] == 0x23 and last == 0x0A) or _next_meta(piece, 0) < count:
                self.stream.rewind(self.offset)
                return None
            lines += count_lines(piece)
            done += count
            last = piece[-1]
        chunk = Chunk(self.header, self.offset, size, self.line)
        self.offset += size
        self.line += lines
        return chunk

    def _behind(self, rest: bytes | bytearray) -> bytearray | None:
        """What comes behind `rest`, and that before it; None if nothing comes."""
        room_left = self.size - len(rest)
        text = bytearray(len(rest) + self._room(room_left if room_left > self.size >> 1 else self.size))
        text[: len(rest)] = rest
        with memoryview(text)[len(rest) :] as room:
            size = self.stream.readinto(room)
        if not size:
            return None
        del text[len(rest) + size :]
        return text

    def _room(self, size: int) -> int:
        """`size`, or what is left of a file that has less: room costs time even if nothing comes into it."""
        left = self.stream.left()
        return size if left is None else min(size, max(left, 0) + 1)

    def _is_row(self, rest: bytes | bytearray) -> bool:
        """Whether the last line of `rest` is whole, or has as many fields as a row."""
        last = rest[rest.rfind(b"\n") + 1 :]
        if not last or last.startswith(b"#") or self.header is None:
            return True
        return last.count(self.header.separator.encode()) == len(self.header.fields) - 1

    def _lines(self, text: bytes | bytearray) -> Iterator[Chunk]:
        """Chunks from lines, which `#` lines part."""
        begin = 0
        while begin < len(text):
            if text[begin] == 0x23:
                begin += self._meta(text, begin)
                continue
            end = _next_meta(text, begin)
            if end - begin > self.size:
                end = min(end, text.find(b"\n", begin + self.size - 1) + 1 or end)
            piece = text if end - begin == len(text) else text[begin:end]
            if self.header is not None:
                chunk = Chunk(self.header, self.offset, len(piece), self.line, piece, self.stream.is_gzip)
                self._pass(piece)
                yield chunk
            else:
                self._pass(piece)
            begin = end

    def _meta(self, text: bytes | bytearray, begin: int) -> int:
        """Takes the `#` lines at `begin`; their size."""
        end = begin
        while end < len(text) and text[end] == 0x23:
            end = text.find(b"\n", end) + 1 or len(text)
        block = text[begin:end]
        if any(line.startswith((b"#separator", b"#fields")) for line in block.split(b"\n")):
            # A file closed and opened again has #close before the next header's lines.
            try:
                self.header, _ = parse_header(bytes(block), self.path, self.line)
            except LogError as error:
                self.header = None
                self.on_error(error)
        self._pass(block)
        return end - begin

    def _pass(self, piece: bytes | bytearray) -> None:
        self.offset += len(piece)
        self.line += count_lines(piece)


def _whole(head: bytes) -> bytes:
    """`head` without a line that is cut at its end, unless it has no other."""
    return head[: head.rfind(b"\n") + 1] or head


def _before_meta(text: bytes | bytearray, end: int) -> int:
    """`end`, or where the `#` lines before it begin: a header must not be parted."""
    while end > 0:
        begin = text.rfind(b"\n", 0, end - 1) + 1
        if text[begin] != 0x23:
            break
        end = begin
    return end


def _next_meta(text: bytes | bytearray, begin: int) -> int:
    """Where the next line that begins with `#` begins, or the end of `text`."""
    at = text.find(b"#", begin)  # one byte: memchr, far faster than b"\n#"
    while at > 0 and text[at - 1] != 0x0A:
        at = text.find(b"#", at + 1)
    return at if at > 0 else len(text)
