"""One response without a loss: its status line, whether lines follow, where they end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from zeekpop3.defects import Defect
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.client import ClientLines, Sent
from zeekpop3.session.exact.losses import MAX_STATUS_LINE
from zeekpop3.session.exact.stream import LinesSearch, ServerStream
from zeekpop3.session.protocol import parse_status, starts_status, to_text

_UNUSUAL_END = re.compile(rb"\.\r?\n\Z")
_MAX_CANDIDATES = 100


@dataclass(slots=True)
class Response:
    """A response whose status line has been read. `search` looks for the end of its lines, if it has any.

    `stop` is the offset after its last byte, `body_stop` after its last line; -1 while unknown.
    """

    start: int
    status: str | None
    message: str
    body_start: int
    stop: int = -1
    search: LinesSearch | None = None
    body_stop: int = -1
    ended: bool = True
    defects: list[Defect] = field(default_factory=list)

    def expect_lines(self, status_line: bytes) -> None:
        """Lines follow the status line, up to a terminator."""
        self.stop = -1
        bare = status_line.endswith(b"\n") and not status_line.endswith(b"\r\n")
        self.search = LinesSearch(self.body_start - 1, bare)

    def find_end(self, stream: ServerStream, stop: int) -> bool:
        """Search for the end of the lines up to `stop`; True if it is known."""
        if self.search is not None and self.stop < 0:
            self.stop = stream.find_terminator(self.search, stop)
            self.body_stop = self.stop - (2 if self.search.bare else 3)
        return self.stop >= 0

    def end_at(self, stream: ServerStream, stop: int) -> None:
        """The response ends at `stop`, because the client continued there, without the usual terminator."""
        tail = _UNUSUAL_END.search(stream.bytes_at(max(self.body_start, stop - 3), stop))
        self.stop = stop
        self.body_stop = stop - len(tail[0]) if tail else stop
        self.ended = tail is not None
        self.defects.append(Defect.TERMINATOR_UNUSUAL)

    def exchange(self, stream: ServerStream, sent: Sent) -> Exchange:
        """The response as an exchange."""
        exchange = Exchange(
            sent.command,
            sent.argument or None,
            sent.ts,
            self.status,
            self.message,
            stream.time_at(self.start),
            defects=self.defects,
        )
        if self.search is not None:
            exchange.take_body(stream.bytes_at(self.body_start, self.body_stop), self.search.dotted)
            exchange.ended = self.ended
        return exchange


def read_line(stream: ServerStream, start: int, stop: int) -> bytes:
    """The line at `start`, with its LF; empty if it does not end before `stop`.

    Of a status line that is longer than any client reads, the beginning is the line.
    """
    longest = start + MAX_STATUS_LINE
    end = stream.line_end(start, min(stop, longest))
    if end >= 0:
        return stream.bytes_at(start, end)
    begin = stream.bytes_at(start, start + 5)
    return stream.bytes_at(start, longest) if longest <= stop and starts_status(begin, False) else b""


def read_status(line: bytes) -> tuple[str | None, str, bool]:
    """A line as status and text, and whether it is a status line as RFC 1939 (section 3) has it.

    Other lines that start with + or - count as OK or ERR, as in clients that look at this character only.
    """
    parsed = parse_status(line)
    if parsed is not None:
        return (*parsed, True)
    status = {b"+": "OK", b"-": "ERR"}.get(line[:1])
    text = to_text(line[1:] if status else line).strip()
    return status, text, False


def may_continue_at(stream: ServerStream, start: int, offset: int, waited: bool, final: bool) -> bool | None:
    """True if the next response starts at `offset`, although the one that starts at `start` has no terminator
    there: the client has sent the next command at this point. None: further bytes will tell.

    `waited`: the client has been seen to wait for each response.
    """
    after = stream.bytes_at(offset, offset + 5)
    if stream.first_hole(start) < offset + len(after):
        return False
    starts = starts_status(after, not final)
    if starts is not True:
        return starts
    before = stream.bytes_at(max(start, offset - 3), offset)
    return _UNUSUAL_END.search(before) is not None or (waited and before.endswith(b"\n"))


def may_hold_another(stream: ServerStream, client: ClientLines, body: bytes, start: int, stop: int) -> bool:
    """True if the lines of a response, `body`, between two offsets may be those of two responses: there is a
    status line where they begin, where the client continued, or behind something like an end.
    """
    if starts_status(body[:5], False):
        return True
    following = client.next_offset
    if following is None or following >= stop:
        return False
    return _has_other_end(body) or any(
        starts_status(stream.bytes_at(offset, offset + 5), False) for offset in client.offsets(start, stop)
    )


def _has_other_end(body: bytes) -> bool:
    """True if lines contain something like the end of a message and the status line of another."""
    for marker in (b"\n+OK", b"\n-ERR"):
        at = -1
        for _ in range(_MAX_CANDIDATES):
            at = body.find(marker, at + 1)
            if at < 0:
                break
            if _UNUSUAL_END.search(body, max(at - 2, 0), at + 1):
                return True
    return False
