"""The exact form: responses are found by their position in the server's stream, not by Zeek's own order.

The k-th command's response starts where the one before ended, or at its own offset if that is later (the
offset is where the server's stream stood when the client sent the command, so no response starts before it).
While nothing is missing, the bytes alone say where each response ends (`whole`). Where a loss lies in a
response, the next command's offset bounds it if the client waits for each response; where it does not,
`align` decides.
"""

from __future__ import annotations

from typing import Any

from zeekpop3.session.dialogue import Exchange
from zeekpop3.session.exact.align import STATUS_START, Sent, Span, align, only
from zeekpop3.session.exact.inference import lost_commands
from zeekpop3.session.exact.stream import terminator
from zeekpop3.session.exact.whole import MAX_STATUS_LINE, WholeReader
from zeekpop3.session.protocol import (
    declared_octets,
    parse_status,
    to_text,
    unstuff,
)


class ExactReader(WholeReader):
    """Reads `sent`, `contents` and `gap` rows; hands exchanges to the dialogue as they end."""

    def __reduce__(self) -> tuple[Any, ...]:
        state = (
            self.stream, self.pending, self.pipelined_from, self.finished, self.strays, self._waiting,
            self._last_sent, self._last_offset, self._skipped, self._status_length,
        )  # fmt: skip
        return ExactReader, (self.dialogue, self.max_message), state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        (
            self.stream, self.pending, self.pipelined_from, self.finished, self.strays, self._waiting,
            self._last_sent, self._last_offset, self._skipped, self._status_length,
        ) = state  # fmt: skip

    # -- rows ------------------------------------------------------------------------------------------

    def sent(self, command: str | None, argument: bytes, offset: int, ts: int) -> None:
        """A `sent` row: the client sent a command when the server's stream stood at `offset`."""
        here = max(self.stream.place(offset), 0)
        if here == self._last_offset and here < self.pipelined_from:
            self.pipelined_from = here  # two commands at one offset
        self._last_offset = here
        sent = Sent(command, to_text(argument) if argument else "", here, ts)
        if self.strays.lost:
            # In a batch the loss cuts lines at both its ends.
            lost, slack = sum(self.strays.lost), 32 if self.pipelined_from <= here else 0
            inferred = lost_commands(self._last_sent, sent, lost, slack)
            self.strays.found(inferred)
            self.pending.extend(inferred)
        self._last_sent = sent
        self.pending.append(sent)

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
        if self.finished:
            return
        stream = self.stream
        here = stream.place(offset)
        if (
            here != stream.end
            or len(data) < length
            or stream.holes
            or not self.pending
            or self.strays.damage_seen
            or self._skipped
        ):
            stream.append(offset, length, data, ts)
            return
        # What begins and ends in this row is cut out of it; only what goes on from row to row is gathered.
        start = stream.position
        if start < here:
            stream.append(offset, length, data, ts)
            if self._waiting.start == start and self._step(final=False):
                self._whole(data, here, stream.position, ts)
                stream.release()
            return
        if start == 0 and self.dialogue.expects_greeting and self.pending[0].offset > 0:
            newline = data.find(b"\n", 0, self.pending[0].offset)
            if newline >= 0:
                self._greeting(data[:newline])
                start = newline + 1
        start = self._whole(data, here, start, ts)
        stream.append_rest(here, start, data, ts)

    def gap(self, side: str | None, offset: int, length: int) -> None:
        """A `gap` row: bytes of either side that the capture lacks."""
        if side == "client":
            self.strays.lose(length)
        elif not self.finished:
            self.stream.lose(offset, length)
        self.strays.damage_seen = True

    def lose_rows(self) -> None:
        """Rows of the log are missing here; what bytes they held shows in the offsets."""
        self.strays.damage_seen = True

    @property
    def waits_for_bytes(self) -> bool:
        """Whether a further command makes no difference to what can be read."""
        stream = self.stream
        position = stream.position
        return position >= stream.base + len(stream.buffer) or (
            self._waiting.start == position and not stream.holes
        )

    def advance(self) -> None:
        """Read what can be read for certain with the rows so far."""
        stream = self.stream
        if stream.position >= stream.base + len(stream.buffer):
            return
        strays = self.strays
        while not self.finished:
            if self.pending and not (strays.damage_seen or stream.holes or self._skipped):
                self._whole(stream.buffer, stream.base, stream.position, -1)
            if not self._step(final=False):
                break
        self._bound_memory()
        self.stream.release()

    def finish(self) -> None:
        """The connection is over: read the rest as well as it can be read."""
        while not self.finished and self._step(final=True):
            pass
        for left in self.pending:
            self._emit(left, None)
        self.pending.clear()

    # -- one response ----------------------------------------------------------------------------------

    def _step(self, final: bool) -> bool:
        """Read one response at the present position; False if more rows are needed for it."""
        stream = self.stream
        start = stream.position
        sent = self.pending[0] if self.pending and self.pending[0].offset <= start else None
        if start >= stream.end:
            return False
        if sent is None:
            return self._unasked(start, final)
        done = self._clean(sent, start)
        if done is not None:
            return done
        return self._damaged(sent, start, final)

    def _clean(self, sent: Sent, start: int) -> bool | None:
        """Read a response without a loss in it. None: a loss lies in it, or it is not all there yet."""
        stream, waiting = self.stream, self._waiting
        hole = stream.first_hole(start)
        if waiting.start != start:
            line_start = start
            while True:
                newline = stream.find(b"\n", line_start, min(hole, line_start + MAX_STATUS_LINE))
                if newline < 0:
                    return None
                line = stream.bytes_at(line_start, newline + 1)
                if not line.startswith((b"+ ", b"+\r", b"+\n")):
                    break
                line_start = newline + 1  # a SASL challenge (RFC 5034): the answer to AUTH is still to come
            parsed = parse_status(line)
            if parsed is None:
                self._note("reply_malformed")
                stream.position = newline + 1
                return True
            waiting.status, waiting.message = parsed
            waiting.body_start = newline + 1
            waiting.search_from = newline - 1
            waiting.stuffed = False
            more = stream.bytes_at(newline + 1, newline + 6) if newline + 1 < hole else b""
            has_lines = self._has_lines(sent, parsed[0], newline + 1, more)
            if has_lines is None:
                return None
            if self.strays.damage_seen and self._refuted(newline + 1, has_lines, hole):
                if sent.inferred:
                    self.pending.popleft()
                return self._unasked(start, False)
            if not has_lines:
                self._emit(sent, self._exchange(sent, start, parsed[0], parsed[1]))
                self._end_at(newline + 1)
                return True
            waiting.start = start
        found = self._end_of_lines(hole)
        if found is None:
            return None
        body_end, end = found
        body = stream.bytes_at(waiting.body_start, body_end)
        exchange = self._exchange(sent, start, waiting.status, waiting.message)
        exchange.body = unstuff(body) if waiting.stuffed else body
        exchange.wire_octets = len(body)
        if sent.command == "RETR":
            self._status_length = waiting.body_start - start
        if sent.command == "RETR" and not self.strays.is_asked_for(sent, exchange.body):
            return self._out_of_step(start, exchange, end)
        self._emit(sent, exchange)
        self._end_at(end)
        return True

    def _refuted(self, after: int, has_lines: bool, hole: int) -> bool:
        """Tell whether lines follow a status line where the command has none, or the other way round."""
        if self._next_offset() == after <= self.pipelined_from:
            return has_lines
        return (
            not has_lines and after < hole and not STATUS_START.match(self.stream.bytes_at(after, after + 5))
        )

    def _end_of_lines(self, hole: int) -> tuple[int, int] | None:
        """The end of the present response's lines and its own, if it lies before `hole`; else remembers how
        far the search has come."""
        stream, waiting = self.stream, self._waiting
        base, body_start = stream.base, waiting.body_start
        if hole < stream.end or body_start - base < 2 or stream.buffer[body_start - base - 2] != 0x0D:
            waiting.stuffed = True  # not looked for
            found = self._terminator(waiting.search_from, body_start, hole)
            if found is None:
                waiting.search_from = max(waiting.search_from, min(hole, stream.end) - 4)
            return found
        # The search goes on with the LF that the last line may have ended with.
        waiting.stuffed, end = terminator(stream.buffer, waiting.search_from + 1 - base, waiting.stuffed)
        if end < 0:
            waiting.search_from = max(waiting.search_from, stream.end - 4)
            return None
        return base + end - 3, base + end

    def _terminator(self, start: int, body_start: int, stop: int) -> tuple[int, int] | None:
        """The end of the lines and of the response, if a terminator lies before `stop` (RFC 1939, section 3).

        A server that ends its status line with a bare LF is taken to end all its lines so.
        """
        stream = self.stream
        if body_start - stream.base >= 2 and stream.bytes_at(body_start - 2, body_start) != b"\r\n":
            found = stream.find(b"\n.\n", max(start, body_start - 1), stop)
            return (found + 1, found + 3) if found >= 0 else None
        found = stream.find(b"\r\n.\r\n", start, stop)
        return (found + 2, found + 5) if found >= 0 else None

    def _end_at(self, end: int) -> None:
        """A response ended: where the next starts, and whether the client had waited for it."""
        following = self._next_offset()
        if following is not None and following < end:
            self.pipelined_from = min(self.pipelined_from, self.stream.position)
        self.pending.popleft()
        self.stream.position = end

    # -- losses ----------------------------------------------------------------------------------------

    def _damaged(self, sent: Sent, start: int, final: bool) -> bool:
        stream = self.stream
        sent.argument = self._argument_of(sent) or ""
        if stream.first_hole(start) >= stream.end and not final:
            return False  # nothing is missing: the rest of it is still to come
        following = self._next_offset()
        if following is not None and start < following <= self.pipelined_from:
            if stream.end < following:
                return self._align() if final else False
            if stream.end == following and not final:
                return False
            if self._may_end_at(following):
                sizes, length = self.dialogue.sizes, self._status_length
                self._take([only(stream, start, following, sent, sizes, length)])
                return True
            self.pipelined_from = start
        return self._align() if final else False

    def _may_end_at(self, offset: int) -> bool:
        """Tell whether what is known around an offset allows a response to end there."""
        stream = self.stream
        hole = stream.first_hole(max(stream.position, offset - 2))
        if hole >= offset and stream.bytes_at(offset - 1, offset) != b"\n":
            return False
        after = stream.bytes_at(offset, offset + 1)
        return not after or stream.first_hole(offset) == offset or after in b"+-"

    def _align(self) -> bool:
        stream = self.stream
        spans = align(stream, stream.position, stream.end, list(self.pending), self.dialogue.sizes)
        if not spans:
            return False
        self._take(spans)
        return True

    def _take(self, spans: list[Span]) -> None:
        """Hand on what `align` has found, a span a command."""
        stream = self.stream
        for span in spans:
            sent = self.pending[0]
            body = unstuffed = None
            if span.body_start is not None:
                body = stream.known(span.body_start, span.body_stop)
                unstuffed = unstuff(body)
            reply_ts = stream.time_at(span.start) if span.status else None
            asked = sent.argument or None
            exchange = Exchange(sent.command, asked, sent.ts, span.status, span.message, reply_ts)
            exchange.body, exchange.ended, exchange.missing = unstuffed, span.ended, span.missing
            exchange.wire_octets = len(body) if body is not None else None
            exchange.defects = list(span.defects)
            if sent.command == "RETR" and self.strays.is_listing(unstuffed):
                # The best way to match commands and responses, but not a good one.
                exchange.command, exchange.argument = self.strays.guess(span.message or "", unstuffed)
                exchange.defects.append("request_missing")
                self._emit(None, exchange)
                exchange = Exchange(sent.command, sent.argument or None, sent.ts)
            self._emit(sent, exchange)
            self.pending.popleft()
            stream.position = max(stream.position, span.stop)

    # -- responses that nobody asked for ---------------------------------------------------------------

    def _unasked(self, start: int, final: bool) -> bool:
        """Read the greeting, or the reply to a command that the log does not have."""
        stream = self.stream
        if self.strays.lost and not self.pending and not final:
            return False  # the next command may tell which one was lost
        limit = next((sent.offset for sent in self.pending if sent.offset > start), None)
        stop = stream.end if limit is None else min(limit, stream.end)
        hole = stream.first_hole(start)
        newline = stream.find(b"\n", start, min(hole, stop))
        if newline < 0:
            if hole < stop:
                return self._unasked_damaged(start, stop, limit, final)
            if limit is not None and stream.end >= limit:
                self._note("reply_malformed")
                stream.position = stop
                return True
            return False
        after = newline + 1
        parsed = parse_status(stream.bytes_at(start, after))
        if self.dialogue.expects_greeting and start == 0:
            self._greeting(stream.bytes_at(start, newline))
            stream.position = after
            return True
        if parsed is None:
            if not stream.bytes_at(start, after).startswith(b"+"):  # else a challenge whose AUTH was lost
                self._note("reply_malformed")
            stream.position = after
            return True
        more = not final and (limit is None or stream.end < limit)
        if after == stop and more:
            return False  # whether lines follow is not yet known
        status, message = parsed
        exchange = Exchange(None, None, stream.time_before(start), status, message, stream.time_at(start))
        following = stream.bytes_at(after, min(after + 5, stop))
        end = after
        if status == "OK" and following and not STATUS_START.match(following):
            found = self._terminator(newline - 1, after, min(hole, stop))
            if found is None:
                if hole < stop:
                    return self._unasked_damaged(start, stop, limit, final)
                if more:
                    return False
                found = (stop, stop)
            body_end, end = found
            body = stream.bytes_at(after, body_end)
            exchange.body, exchange.ended, exchange.wire_octets = unstuff(body), body_end != end, len(body)
        if status == "OK":
            exchange.command, exchange.argument = self.strays.guess(message, exchange.body)
        self.strays.damage_seen = True
        exchange.defects.append("request_missing")
        self._emit(None, exchange)
        stream.position = end
        return True

    def _unasked_damaged(self, start: int, stop: int, limit: int | None, final: bool) -> bool:
        """The same where bytes are missing: a message that has begun is kept as far as it goes."""
        stream = self.stream
        if not final and (limit is None or stream.end < limit):
            return False
        hole = stream.first_hole(start)
        hole_end = next(b for a, b in stream.holes if b > start)
        newline = stream.find(b"\n", start, hole)
        parsed = parse_status(stream.bytes_at(start, newline + 1)) if newline >= 0 else None
        end = min(hole_end, stop)
        if self.dialogue.expects_greeting:
            self.dialogue.no_greeting()
        elif (
            parsed is not None
            and self.strays.guess(parsed[1], stream.bytes_at(newline + 1, hole))[0] == "RETR"
        ):
            after = newline + 1
            exchange = Exchange("RETR", None, stream.time_before(start), *parsed, stream.time_at(start))
            exchange.defects.append("request_missing")
            found = self._terminator(newline - 1, after, stop)
            body_end, end = found or (stop, stop)
            octets = declared_octets(parsed[1])
            if octets is not None and body_end - after > octets + (octets >> 6) + 64:
                # The end of this message lies in the hole, and with it the beginning of another.
                body_end, found = hole, None
            body = stream.known(after, body_end)
            exchange.body, exchange.ended, exchange.wire_octets = unstuff(body), found is not None, len(body)
            if octets is None:
                exchange.missing = stream.missing(after, body_end) if found else -1
            else:
                exchange.missing = max(1, octets - len(exchange.body))
            self._emit(None, exchange)
            stream.position = end
            return True
        self.dialogue.session.missing_bytes += stream.missing(start, end)
        stream.position = end
        return True

    def _out_of_step(self, start: int, exchange: Exchange, end: int) -> bool:
        """What came is not what was asked for: the request for it, or the response to others, was lost."""
        body = exchange.body or b""
        for ahead, sent in enumerate(self.pending):
            if sent.command == "RETR" and self.strays.listed_size(sent) == len(body) and sent.offset <= start:
                for _ in range(ahead):
                    self._emit(self.pending.popleft(), None)
                exchange.argument, exchange.ts = sent.argument, sent.ts
                self._emit(sent, exchange)
                self._end_at(end)
                return True
        following = self.strays.listed_number(self.pending[0])
        exchange.command, exchange.argument = self.strays.guess(exchange.message or "", body, following)
        if exchange.command == "RETR" and exchange.argument is None and not self.strays.spare:
            # No request is missing, so a response is: this is another message than the one asked for.
            exchange.defects.append("number_doubtful")
            self._emit(self.pending[0], exchange)
            self._end_at(end)
            return True
        exchange.defects.append("request_missing")
        self._emit(None, exchange)
        self.stream.position = end
        return True

    # -- handing on ------------------------------------------------------------------------------------

    def _exchange(self, sent: Sent, start: int, status: str, message: str) -> Exchange:
        reply_ts = self.stream.time_at(start)
        exchange = Exchange(sent.command, sent.argument or None, sent.ts, status, message, reply_ts)
        if self._skipped:
            exchange.missing, self._skipped = self._skipped, 0
            exchange.defects.append("message_too_large")
        return exchange

    def _emit(self, sent: Sent | None, exchange: Exchange | None) -> None:
        if exchange is None:
            assert sent is not None
            exchange = Exchange(sent.command, sent.argument or None, sent.ts)
        if sent is not None and sent.inferred:
            exchange.defects.append("request_missing")
        self.dialogue.add(exchange)
        if exchange.command == "STLS" and exchange.status == "OK":
            self.finished = True  # what follows is TLS

    def _note(self, defect: str) -> None:
        defects = self.dialogue.session.defects
        if defect not in defects:
            defects.append(defect)

    def _bound_memory(self) -> None:
        """Hold no more of a message than `max_message` bytes: what is over is counted and dropped."""
        stream = self.stream
        held = stream.end - stream.position
        if held <= self.max_message or not self.pending:
            return
        if self._waiting.start == stream.position and stream.first_hole(stream.position) >= stream.end:
            if held <= self.max_message + 8:
                return  # the last bytes are kept: they may be the beginning of the terminator
            count = stream.skip(stream.position + self.max_message, stream.end - 8)
            self._skipped += count
            self._waiting.search_from = stream.end - 8
            self._waiting.stuffed = True  # there may be two dots where the parts meet
            for sent in self.pending:
                if sent.offset > stream.position:
                    sent.offset = max(sent.offset - count, stream.position)
        elif not self._align():
            stream.position = stream.end
