"""Responses that are there from end to end: while nothing is missing, the bytes alone say where each ends.

Nearly all are read here, many at a time, cut out of the row that holds them or of what several rows hold.
What is not as usual is left to the reader that is derived from this one.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from zeekpop3.session.dialogue import Dialogue, Exchange
from zeekpop3.session.exact.align import STATUS_LENGTH, STATUS_START, Sent
from zeekpop3.session.exact.strays import Strays
from zeekpop3.session.exact.stream import ServerStream, cut, terminator
from zeekpop3.session.protocol import (
    ALWAYS_MULTILINE,
    MULTILINE_BY_LOOKS,
    MULTILINE_WITHOUT_ARGUMENT,
    is_multiline,
    parse_status,
    to_text,
    unstuff,
)

MAX_STATUS_LINE: Final = 64 * 1024
_NEVER: Final = 1 << 62
# What follows the status line depends on more than the command; or everything after it is another protocol.
_UNUSUAL: Final = MULTILINE_BY_LOOKS | {"STLS"}


class Waiting:
    """Where the search for the present response's end goes on when more bytes come.

    `stuffed` is True once a line has been seen that begins with two dots.
    """

    def __init__(self) -> None:
        self.start = -1
        self.search_from = 0
        self.body_start = 0
        self.status = ""
        self.message = ""
        self.stuffed = False

    def __reduce__(self) -> tuple[Any, ...]:
        told = (self.status, self.message, self.stuffed)
        return Waiting, (), (self.start, self.search_from, self.body_start, *told)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.start, self.search_from, self.body_start, self.status, self.message, self.stuffed = state


class WholeReader:
    """Reads what is whole; hands exchanges to the dialogue as they end."""

    def __init__(self, dialogue: Dialogue, max_message: int) -> None:
        self.dialogue = dialogue
        self.stream = ServerStream()
        self.pending: deque[Sent] = deque()
        # From this offset on the client has been seen not to wait; before it, it waits for each response.
        self.pipelined_from = _NEVER
        self.finished = False
        self.max_message = max_message
        self.strays = Strays(dialogue)
        self._waiting = Waiting()
        self._last_sent: Sent | None = None
        self._last_offset = -1
        self._skipped = 0
        self._status_length = STATUS_LENGTH  # of the last reply to RETR

    def _whole(self, buffer: bytes | bytearray, base: int, start: int, ts: int) -> int:
        """Read the responses that are there from end to end, where nothing was ever missing.

        `buffer` holds the stream from `base` on, the next response begins at `start`. `ts` is the time of the
        byte at `base`; -1: the stream knows. Returns the offset after the last response that was read.
        Nearly all responses are read here, and in the same way as `_clean` would: what is not as usual is
        left to it.
        """
        stream, pending, dialogue, waiting = self.stream, self.pending, self.dialogue, self._waiting
        count = len(buffer)
        while pending:
            sent = pending[0]
            command = sent.command
            if sent.offset > start or waiting.start == start or command is None or command in _UNUSUAL:
                break
            begin = start - base
            newline = buffer.find(b"\n", begin, begin + MAX_STATUS_LINE)
            if newline < 0 or buffer[newline - 1] != 0x0D:
                break
            parsed = parse_status(cut(buffer, begin, newline))
            if parsed is None:
                break
            status, message = parsed
            reply_ts = stream.time_at(start) if ts < 0 else ts if start == base else None
            exchange = Exchange(command, sent.argument or None, sent.ts, status, message, reply_ts)
            end = newline + 1
            if is_multiline(command, sent.argument, status) and (
                command in ALWAYS_MULTILINE
                or self._has_lines(sent, status, base + end, cut(buffer, end, min(end + 5, count)))
            ):
                stuffed, end = terminator(buffer, newline, False)
                if end < 0:
                    waiting.start, waiting.body_start = start, base + newline + 1
                    waiting.search_from = base + max(newline - 1, count - 4)
                    waiting.status, waiting.message, waiting.stuffed = status, message, stuffed
                    break
                exchange.wire_octets = end - 4 - newline
                body = cut(buffer, newline + 1, end - 3)
                if stuffed:
                    body = unstuff(body)
                exchange.body = body
                if command == "RETR":
                    self._status_length = newline + 1 - begin
                    self.strays.is_asked_for(sent, body)
            dialogue.add(exchange)
            pending.popleft()
            end += base
            if pending and pending[0].offset < end and start < self.pipelined_from:
                self.pipelined_from = start
            start = stream.position = end
        return start

    def _has_lines(self, sent: Sent, status: str, after: int, more: bytes) -> bool | None:
        """Tell whether lines follow the status line that ends at `after`; None: the next bytes will tell.

        `more`: the first bytes behind it, as far as they are there.
        """
        by_looks = sent.command in MULTILINE_BY_LOOKS and not self._argument_of(sent)
        if status != "OK" or not (by_looks or is_multiline(sent.command, self._argument_of(sent), status)):
            return False
        if not by_looks and sent.command not in MULTILINE_WITHOUT_ARGUMENT:
            return True
        if self._next_offset() == after <= self.pipelined_from:
            return False
        if more:
            return not STATUS_START.match(more)
        return None if by_looks else True

    def _next_offset(self) -> int | None:
        return self.pending[1].offset if len(self.pending) > 1 else None

    def _argument_of(self, sent: Sent) -> str | None:
        waiting = self.dialogue.arguments.get(sent.command or "")
        return sent.argument or (waiting[0] if waiting else None)

    def _greeting(self, line: bytes) -> None:
        status, message = parse_status(line) or ("", to_text(line).rstrip("\r"))
        self.dialogue.greeting(status, message)
