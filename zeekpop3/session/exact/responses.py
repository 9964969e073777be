"""One response without a loss: its status line, whether lines follow, where they end."""

from __future__ import annotations

from dataclasses import dataclass

from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.commands import Sent
from zeekpop3.session.exact.spans import MAX_STATUS_LINE
from zeekpop3.session.exact.stream import LinesSearch, ServerStream
from zeekpop3.session.protocol import unstuff


@dataclass(slots=True)
class Response:
    """A response whose status line has been read. `search` looks for the end of its lines, if it has any."""

    start: int
    status: str
    message: str
    body_start: int
    search: LinesSearch | None = None
    stop: int = -1  # after its last byte; -1 while that is not known

    def expect_lines(self, status_line: bytes) -> None:
        """Lines follow the status line, up to a terminator."""
        self.search = LinesSearch(self.body_start - 1, not status_line.endswith(b"\r\n"))

    def find_end(self, stream: ServerStream, stop: int) -> bool:
        """Search for the end of the lines up to `stop`; True if it is there."""
        assert self.search is not None
        self.stop = stream.find_terminator(self.search, stop)
        return self.stop >= 0

    def exchange(
        self, stream: ServerStream, sent: Sent, reply_at: int, cut_at: int | None = None
    ) -> Exchange:
        """The response as an exchange. `reply_at` is the offset of its first byte. Its lines were cut off at
        `cut_at`, or else are complete."""
        exchange = Exchange(
            sent.command, sent.argument or None, sent.ts, self.status, self.message, stream.time_at(reply_at)
        )
        if self.search is not None:
            body_stop = self.stop - (2 if self.search.bare else 3) if cut_at is None else cut_at
            body = stream.bytes_at(self.body_start, body_stop)
            exchange.wire_octets = len(body)
            exchange.body = unstuff(body) if self.search.stuffed else body
            exchange.ended = cut_at is None
        return exchange


def read_line(stream: ServerStream, start: int, stop: int) -> bytes:
    """The line at `start`, with its LF; empty if it does not end before `stop`."""
    end = stream.line_end(start, min(stop, start + MAX_STATUS_LINE))
    return stream.bytes_at(start, end) if end >= 0 else b""
