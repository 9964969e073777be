"""The exact form: responses are found by their position in the server's stream, not by the order of rows.

The k-th command's response starts where the previous one ended, or at the command's own offset if that is
later: the offset is where the server's stream stood when the client sent the command, so no response starts
before it. While nothing is missing, the bytes alone say where each response ends. Where a loss lies in a
response, the next command's offset bounds it if the client waits for each response; if it does not, `align`
decides.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.align import align
from zeekpop3.session.exact.commands import Sent, lost_commands
from zeekpop3.session.exact.losses import exchange_of, may_end_at, unmatched_message
from zeekpop3.session.exact.responses import Response, read_line
from zeekpop3.session.exact.spans import STATUS_LENGTH, Span, bounded_span
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.exact.unmatched import LostRequests
from zeekpop3.session.protocol import (
    ALWAYS_MULTILINE,
    MULTILINE_IF_LINES_FOLLOW,
    STATUS_START,
    is_multiline,
    message_number,
    parse_status,
    to_text,
)

_NEVER = 1 << 62
_CHALLENGE = (b"+ ", b"+\r", b"+\n")
_KEPT_END = 8  # bytes that may be the beginning of a terminator
_MANY = 32
_MAX_AHEAD = 1000


@dataclass(slots=True)
class ExactReader:
    """Reads `sent`, `contents` and `gap` rows; hands exchanges to the dialogue as they end.

    `finished` is True once the rest of the stream is not POP3 (TLS). From `pipelined_from` on the client has
    been seen not to wait; before that offset it waits for each response.
    """

    dialogue: Dialogue
    max_message: int
    requests: LostRequests
    stream: ServerStream = field(default_factory=ServerStream)
    pending: list[Sent] | deque[Sent] = field(default_factory=list)
    pipelined_from: int = _NEVER
    finished: bool = False
    _response: Response | None = None  # the response at the stream's position, if its end is not known yet
    _last_sent: Sent | None = None
    _last_offset: int = -1
    _skipped: int = 0  # bytes of the present response that were dropped
    _status_length: int = STATUS_LENGTH  # of the last reply to RETR

    @property
    def held_bytes(self) -> int:
        """About how much memory is held, in bytes."""
        return self.stream.held_bytes + 200 * len(self.pending)

    # -- rows ------------------------------------------------------------------------------------------

    def sent(self, command: str | None, argument: bytes, offset: int, ts: int) -> None:
        """A `sent` row: the client sent a line when the server's stream stood at `offset`."""
        here = max(self.stream.place(offset), 0)
        if here == self._last_offset and here < self.pipelined_from:
            self.pipelined_from = here  # two commands at one offset
        self._last_offset = here
        sent = Sent(command, to_text(argument) if argument else "", here, ts)
        if self.requests.lost:
            # In a batch the loss cuts lines at both its ends.
            slack = 32 if self.pipelined_from <= here else 0
            inferred = lost_commands(self._last_sent, sent, self.requests.lost, slack)
            self.requests.found(inferred)
            self.pending.extend(inferred)
        self._last_sent = sent
        self.pending.append(sent)
        if len(self.pending) > _MANY and isinstance(self.pending, list):
            self.pending = deque(
                self.pending
            )  # takes ten times the memory of a list, but loses its front cheaply

    def argument(self, command: str, argument: str) -> None:
        """A `request` row: what the `sent` row of the same command leaves out."""
        for sent in reversed(self.pending):
            if sent.command == command:
                if not sent.argument:
                    sent.argument = argument
                    self.dialogue.note_user(command, argument)
                    return
                break
        self.dialogue.note_argument(command, argument)

    def contents(self, offset: int, length: int, data: bytes, ts: int) -> None:
        """A `contents` row: bytes of the server's stream."""
        if not self.finished:
            self.stream.append(offset, length, data, ts)

    def gap(self, side: str | None, offset: int, length: int) -> None:
        """A `gap` row: bytes of either side that the capture lacks."""
        if side == "client":
            self.requests.lose(length)
        elif not self.finished:
            self.stream.lose(offset, length)
        self.requests.damage_seen = True

    def lose_rows(self) -> None:
        """Rows of the log are missing here; the offsets show which bytes they held."""
        self.requests.damage_seen = True

    def advance(self) -> None:
        """Read what can be read for certain with the rows so far."""
        stream = self.stream
        if stream.position >= stream.end:
            return
        while not self.finished and self._step(final=False):
            pass
        self._bound_memory()
        stream.release()

    def finish(self) -> None:
        """The connection is over: read the rest as well as it can be read."""
        while not self.finished and self._step(final=True):
            pass
        for sent in self.pending:
            self._emit(sent, Exchange(sent.command, sent.argument or None, sent.ts))
        self.pending.clear()

    # -- one response ----------------------------------------------------------------------------------

    def _step(self, final: bool) -> bool:
        """Read one response at the present position; False if that needs more rows."""
        start = self.stream.position
        if start >= self.stream.end:
            return False
        sent = self.pending[0] if self.pending and self.pending[0].offset <= start else None
        if sent is None:
            return self._read_unmatched(start, final)
        done = self._read(sent, start)
        return self._read_damaged(sent, start, final) if done is None else done

    def _read(self, sent: Sent, start: int) -> bool | None:
        """Read a response without a loss in it. None: a loss lies in it, or it is not all there yet."""
        stream, response = self.stream, self._response
        hole = stream.first_hole(start)
        if response is None or response.start != start:
            response = self._begin(sent, start, hole)
            if response is None:
                return None if stream.position == start else True
            if self.requests.damage_seen and self._refuted(response, hole):
                if sent.inferred:
                    del self.pending[0]
                return self._read_unmatched(start, False)
            self._response = response
        if response.search is not None and not response.find_end(stream, hole):
            return None
        exchange = response.exchange(stream, sent, start)
        self._response = None
        if self._skipped:
            exchange.missing, self._skipped = self._skipped, 0
            exchange.defects.append("message_too_large")
        if sent.command == "RETR" and exchange.body is not None:
            self._status_length = response.body_start - start
            if not self.requests.is_asked_for(sent, exchange.body):
                self._take_other(start, exchange, response.stop)
                return True
        self._take(sent, exchange, response.stop)
        return True

    def _begin(self, sent: Sent, start: int, hole: int) -> Response | None:
        """The status line of the response at `start`; None if it is not there yet, or was no status line and
        has been passed."""
        stream, at = self.stream, start
        while line := read_line(stream, at, hole):
            end = at + len(line)
            if (parsed := parse_status(line)) is not None:
                break
            if not line.startswith(_CHALLENGE):
                self.dialogue.session.add_defect("reply_malformed")
                stream.position = end
                return None
            at = end  # a SASL challenge (RFC 5034): the answer to AUTH is still to come
        else:
            return None
        response = Response(start, *parsed, end, stop=end)
        if response.status == "OK":
            following = stream.bytes_at(end, end + 5) if end < hole else b""
            multiline = self._has_lines(sent, end, following)
            if multiline is None:
                return None
            if multiline:
                response.expect_lines(line)
        return response

    def _has_lines(self, sent: Sent, after: int, following: bytes) -> bool | None:
        """True if lines follow the +OK line that ends at `after`; None: the bytes that follow will tell."""
        command, argument = sent.command, self._argument_of(sent)
        if command in ALWAYS_MULTILINE:
            return True
        by_content = command in MULTILINE_IF_LINES_FOLLOW and not argument
        if not by_content and not is_multiline(command, argument, "OK"):
            return False
        if self._next_offset() == after <= self.pipelined_from:
            return False
        if following:
            return not STATUS_START.match(following)
        return None if by_content else True

    def _refuted(self, response: Response, hole: int) -> bool:
        """True if lines follow a status line where the command has none, or the other way round."""
        after = response.body_start
        if self._next_offset() == after <= self.pipelined_from:
            return response.search is not None
        return (
            response.search is None
            and after < hole
            and not STATUS_START.match(self.stream.bytes_at(after, after + 5))
        )

    def _next_offset(self) -> int | None:
        return self.pending[1].offset if len(self.pending) > 1 else None

    def _argument_of(self, sent: Sent) -> str | None:
        waiting = self.dialogue.arguments.get(sent.command or "")
        return sent.argument or (waiting[0] if waiting else None)

    # -- losses ----------------------------------------------------------------------------------------

    def _read_damaged(self, sent: Sent, start: int, final: bool) -> bool:
        stream = self.stream
        sent.argument = self._argument_of(sent) or ""
        if stream.first_hole(start) >= stream.end and not final:
            return False  # nothing is missing: the rest of the response is still to come
        following = self._next_offset()
        if following is not None and start < following <= self.pipelined_from:
            if stream.end < following:
                return self._align() if final else False
            if stream.end == following and not final:
                return False
            if may_end_at(stream, following):
                sizes, length = self.dialogue.mailbox.sizes, self._status_length
                self._take_spans([bounded_span(stream, start, following, sent, sizes, length)])
                return True
            self.pipelined_from = start
        return self._align() if final else False

    def _align(self) -> bool:
        stream = self.stream
        sizes = self.dialogue.mailbox.sizes
        spans = align(stream, stream.position, stream.end, list(self.pending), sizes)
        self._take_spans(spans)
        return bool(spans)

    def _take_spans(self, spans: list[Span]) -> None:
        """Take the responses to the next commands, a span each."""
        stream = self.stream
        for span in spans:
            sent = self.pending[0]
            exchange = exchange_of(stream, sent, span)
            if sent.command == "RETR" and self.requests.is_listing(exchange.body):
                # The best way to match commands and responses, but not a good one.
                exchange.command, exchange.argument = self.requests.guess(span.message or "", exchange.body)
                exchange.defects.append("request_missing")
                self._emit(None, exchange)
                exchange = Exchange(sent.command, sent.argument or None, sent.ts)
            self._emit(sent, exchange)
            del self.pending[0]
            stream.position = max(stream.position, span.stop)

    # -- responses without a request -------------------------------------------------------------------

    def _read_unmatched(self, start: int, final: bool) -> bool:
        """Read the greeting, or the reply to a command that the log does not have."""
        stream = self.stream
        if self.requests.lost and not self.pending and not final:
            return False  # the next command may show which one was lost
        limit = next((sent.offset for sent in islice(self.pending, 2) if sent.offset > start), None)
        stop = stream.end if limit is None else min(limit, stream.end)
        more = not final and (limit is None or stream.end < limit)
        hole = stream.first_hole(start)
        after = stream.line_end(start, min(hole, stop))
        if after < 0:
            if hole < stop:
                return self._read_unmatched_damaged(start, stop, more)
            if limit is not None and stream.end >= limit:
                self.dialogue.session.add_defect("reply_malformed")
                stream.position = stop
                return True
            return False
        line = stream.bytes_at(start, after)
        parsed = parse_status(line)
        if self.dialogue.expects_greeting and start == 0:
            self.dialogue.greeting(*(parsed or ("", to_text(line).rstrip("\r\n"))))
            stream.position = after
            return True
        if parsed is None:
            if not line.startswith(b"+"):  # else a challenge whose AUTH was lost
                self.dialogue.session.add_defect("reply_malformed")
            stream.position = after
            return True
        if after == stop and more:
            return False  # whether lines follow is not yet known
        response = Response(start, *parsed, after, stop=after)
        following = stream.bytes_at(after, min(after + 5, stop))
        sent = Sent(None, "", start, stream.time_before(start))
        ended = True
        if response.status == "OK" and following and not STATUS_START.match(following):
            previous = self._response
            if previous is not None and previous.start == start and previous.search is not None:
                response = previous
            else:
                response.expect_lines(line)
                self._response = response
            if not response.find_end(stream, min(hole, stop)):
                if hole < stop:
                    return self._read_unmatched_damaged(start, stop, more)
                if more:
                    return False
                ended = False
        self._take_unmatched(sent, response, stop, ended)
        return True

    def _take_unmatched(self, sent: Sent, response: Response, stop: int, ended: bool) -> None:
        exchange = response.exchange(self.stream, sent, response.start, None if ended else stop)
        self._response = None
        if response.status == "OK":
            exchange.command, exchange.argument = self.requests.guess(response.message, exchange.body)
        self.requests.damage_seen = True
        exchange.defects.append("request_missing")
        self._emit(None, exchange)
        self.stream.position = response.stop if ended else stop

    def _read_unmatched_damaged(self, start: int, stop: int, more: bool) -> bool:
        """The same where bytes are missing: a message that has begun is kept as far as it goes."""
        if more:
            return False
        stream = self.stream
        exchange, end = unmatched_message(stream, start, stop, self.requests)
        if self.dialogue.expects_greeting:
            self.dialogue.expects_greeting = False
            exchange, end = None, min(stream.hole_stop(start), stop)
        if exchange is None:
            self.dialogue.session.missing_bytes += stream.missing(start, end)
        else:
            exchange.defects.append("request_missing")
            self._emit(None, exchange)
        stream.position = end
        return True

    def _take_other(self, start: int, exchange: Exchange, end: int) -> None:
        """A message is not the one requested: the request for it, or the response to others, was lost."""
        body = exchange.body or b""
        for ahead, sent in enumerate(islice(self.pending, _MAX_AHEAD)):
            if sent.offset <= start and self.requests.listed_size(sent) == len(body):
                for _ in range(ahead):
                    skipped = self.pending[0]
                    self._emit(skipped, Exchange(skipped.command, skipped.argument or None, skipped.ts))
                    del self.pending[0]
                exchange.argument, exchange.ts = sent.argument, sent.ts
                self._take(sent, exchange, end)
                return
        following = message_number(self.pending[0].argument)
        exchange.command, exchange.argument = self.requests.guess(exchange.message or "", body, following)
        if exchange.command == "RETR" and exchange.argument is None and not self.requests.unexplained:
            # No request is missing, so a response is: this is another message than the one requested.
            exchange.defects.append("number_doubtful")
            self._take(self.pending[0], exchange, end)
            return
        exchange.defects.append("request_missing")
        self._emit(None, exchange)
        self.stream.position = end

    # -- handing on ------------------------------------------------------------------------------------

    def _take(self, sent: Sent, exchange: Exchange, end: int) -> None:
        """The next command's response ends at `end`."""
        self._emit(sent, exchange)
        following = self._next_offset()
        if following is not None and following < end:  # the client did not wait
            self.pipelined_from = min(self.pipelined_from, self.stream.position)
        del self.pending[0]
        self.stream.position = end

    def _emit(self, sent: Sent | None, exchange: Exchange) -> None:
        if sent is not None and sent.inferred:
            exchange.defects.append("request_missing")
        self.dialogue.add(exchange)
        if exchange.command == "STLS" and exchange.status == "OK":
            self.finished = True  # what follows is TLS

    def _bound_memory(self) -> None:
        """Hold no more of a message than `max_message` bytes: what is over is counted and dropped."""
        stream, response = self.stream, self._response
        held = len(stream.buffer) - (stream.position - stream.base)
        if held <= self.max_message or not self.pending:
            return
        if (
            response is not None
            and response.search is not None
            and response.start == stream.position
            and stream.first_hole(stream.position) >= stream.end
        ):
            if held <= self.max_message + _KEPT_END:
                return
            count = stream.skip(stream.position + self.max_message, stream.end - _KEPT_END)
            self._skipped += count
            response.search.newline = min(response.search.newline, stream.end - _KEPT_END)
            response.search.stuffed = True  # there may be two dots where the parts meet
            for sent in self.pending:
                if sent.offset > stream.position:
                    sent.offset = max(sent.offset - count, stream.position)
        elif not self._align():
            stream.position = stream.end
