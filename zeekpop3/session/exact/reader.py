"""The exact form: responses are found by their position in the server's stream, not by the order of rows.

    client      USER    PASS          RETR 1                                  RETR 2
    offset      0..12   17            22                                      1240
    server  +OK hello   +OK   +OK in  +OK 1200 octets, message, CRLF.CRLF     +OK ...

Goal: each response goes to the line that it answers, and bytes never move silently between messages. Plan:
the k-th line's response starts where the previous one ended, or at the line's own offset if that is later:
the offset is where the server's stream stood when the client sent the line, so no response starts before it.

- While nothing is missing, the bytes alone say where each response ends (`answers`).
- Where a loss lies in a response, the next line's offset bounds it if the client waits for each response
  (`responses`); if it does not, sizes tell (`reckoning`).
- Where two readings are possible, the message carries a defect (`matching`).
"""

from __future__ import annotations

from dataclasses import dataclass

from zeekpop3.defects import Defect
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.exact.answers import Answers, Found, Step
from zeekpop3.session.exact.client import ClientLine, ClientLines, LostRequests
from zeekpop3.session.exact.matching import Doubt, Matcher, Tls
from zeekpop3.session.exact.reckoning import cross
from zeekpop3.session.exact.responses import LossReader, Response, status_at
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import MESSAGE_COMMANDS, is_message, to_text

SEVERAL = "lines"  # stands for the commands in `data`, one a line
UNCERTAIN = "?"  # the command of a line of which the server may have read another line, or none
_TLS_RECORD = (b"\x15\x03", b"\x16\x03")  # alert, handshake
_KEPT_END = 8  # bytes that may be the beginning of a terminator
_MAX_CROSSED = 160
_MAX_WAITING = 100_000  # lines without an answer
_SENT_COST = 200  # bytes of memory


@dataclass(slots=True)
class ExactReader:
    """Reads `sent`, `contents` and `gap` rows; hands exchanges to the dialogue as they end.

    It and its `Matcher` own all that changes: `Answers`, `LossReader` and `cross` only look at it.
    """

    dialogue: Dialogue
    max_message: int
    stream: ServerStream
    client: ClientLines
    requests: LostRequests
    answers: Answers
    matcher: Matcher

    @classmethod
    def of(cls, dialogue: Dialogue, max_message: int) -> ExactReader:
        """A reader for a new connection."""
        stream, requests = ServerStream(), LostRequests(dialogue)
        client = ClientLines(requests)
        matcher = Matcher(dialogue, stream, client, requests)
        return cls(dialogue, max_message, stream, client, requests, Answers(stream, client), matcher)

    @property
    def held_bytes(self) -> int:
        """About how much memory is held, in bytes."""
        return self.stream.held_bytes + _SENT_COST * len(self.client)

    # -- rows ------------------------------------------------------------------------------------------

    def sent(self, command: str | None, argument: bytes, offset: int, ts: int, length: int) -> None:
        """A `sent` row: a line of the client, or several, when the server stood at `offset`."""
        if self.matcher.tls is Tls.STARTED:
            return
        if command == SEVERAL:
            for line in argument.split(b"\n"):
                verb, _, numbers = line.partition(b" ")
                self.sent(to_text(verb), numbers, offset, ts, -1)
            return
        here = max(self.stream.place(offset), 0)
        count = length if length > 1 and not argument else 1
        uncertain = command == UNCERTAIN
        argument_text = to_text(argument) if argument else ""
        self.client.add(
            ClientLine(None if uncertain else command, argument_text, here, ts, count, uncertain=uncertain)
        )
        if len(self.client) > _MAX_WAITING:
            sent = self.client.pop()
            self.dialogue.add(sent.exchange())
            self.matcher.doubt(Doubt.NOW)

    def contents(self, offset: int, length: int, data: bytes, ts: int) -> None:
        """A `contents` row: bytes of the server's stream."""
        if self.matcher.tls is not Tls.STARTED:
            self.stream.append(offset, length, data, ts)

    def gap(self, side: str | None, offset: int, length: int) -> None:
        """A `gap` row: bytes of either side that the capture lacks."""
        if side == "client":
            self.requests.lose(length)
            self.dialogue.lose(length)
        elif self.matcher.tls is Tls.STARTED:
            self.dialogue.lose(length)
        else:
            self.stream.lose(offset, length)
        self.requests.damage_seen = True

    def lose_rows(self) -> None:
        """Rows of the log are missing here; the offsets show which bytes they held."""
        self.requests.damage_seen = True

    def ambiguous(self, offset: int) -> None:
        """There are two versions of bytes that the server sent before `offset`, or a little behind it."""
        self.matcher.ambiguous_until = max(self.stream.place(offset), self.stream.end)

    def start_tls(self) -> None:
        """A `starttls` row: what follows on either side is TLS."""
        self.advance()
        self.matcher.tls = Tls.STARTED

    def advance(self) -> None:
        """Read what can be read for certain with the rows so far."""
        if self.stream.position < self.stream.end:
            while self._step(final=False):
                pass
            self.stream.release()
            if self.stream.held > self.max_message:
                self._bound_memory()
                self.stream.release()

    def finish(self) -> None:
        """The connection is over: read the rest as well as it can be read."""
        while self._step(final=True):
            pass
        if self.matcher.challenged:
            self.matcher.merge_sasl()
        end = self.stream.end
        for sent in self.client.pop_all():
            if self.stream.ends_in_hole and sent.command in MESSAGE_COMMANDS:
                # Zeek takes what comes after an acknowledgement of bytes that it has not seen for old bytes.
                self.matcher.emit(
                    sent, self.matcher.exchange(self._losses().lost(end, end, sent), sent, is_certain=False)
                )
            elif not sent.inferred:
                self.matcher.emit(sent, sent.exchange())
        self.dialogue.lose(self.stream.lost)

    # -- what was found, and what follows from it ------------------------------------------------------

    def _step(self, final: bool) -> bool:
        """Go on from the present position; False if that needs more rows."""
        stream, sent, answers = self.stream, self.client.first, self.answers
        start, greeting = stream.position, self.dialogue.expects_greeting
        if start >= stream.end or (self.matcher.tls is Tls.POSSIBLE and self._tls_begins(start, final)):
            return False
        self.matcher.look_for_step(sent)
        if sent is None or sent.offset > start:
            step = answers.next_unrequested(greeting, final)
        else:
            step = answers.next(self.matcher.challenged, final)
            if step is None:
                # While nothing is missing, the rest of the answer is still to come.
                lossy = final or stream.has_hole
                return lossy and self._read_loss(sent, final)
            if step.found is Found.OTHER:
                if sent.inferred:
                    self.client.pop()
                step = answers.next_unrequested(greeting, final=False)
        if step is None:
            return False
        self._follow(step, sent)
        return True

    def _follow(self, step: Step, sent: ClientLine | None) -> None:
        """What follows from what was found; `sent` is the client's next line."""
        stream, matcher, response = self.stream, self.matcher, step.response
        if step.doubtful:
            matcher.doubt(Doubt.NOW, step.stop)
        if step.malformed or (response is not None and Defect.REPLY_MALFORMED in response.defects):
            self.dialogue.session.add_defect(Defect.REPLY_MALFORMED)
        match step.found:
            case Found.ANSWER | Found.EARLY:
                assert sent is not None and response is not None
                matcher.take_response(sent, response, early=step.found is Found.EARLY)
            case Found.CHALLENGE:
                matcher.take_challenge(step.stop)
            case Found.SASL:
                matcher.merge_sasl()
            case Found.NO_ANSWER:
                matcher.give_up_auth()
            case Found.GREETING:
                assert response is not None
                self.dialogue.greeting(response.status or "", response.message or "")
                stream.position = step.stop
            case Found.UNSOLICITED:
                assert response is not None
                matcher.take_unrequested(response)
            case Found.LOSS:
                self._read_unrequested_loss(step.stop)
            case _:
                stream.position = step.stop

    def _tls_begins(self, start: int, final: bool) -> bool:
        """True if the server's next bytes are a TLS record, or may turn out to be. The lines that the client
        seems to have sent since STLS are of its own record then."""
        first = self.stream.bytes_at(start, start + 2)
        sent = self.client.first
        if sent is not None and sent.command is not None:
            self.matcher.tls = Tls.NO
        elif first in _TLS_RECORD:
            self.dialogue.session.tls, self.matcher.tls = True, Tls.STARTED
            self.client.pop_all()
            self.stream.position = self.stream.end
        elif len(first) == 2 or final:
            self.matcher.tls = Tls.NO
        return self.matcher.tls is not Tls.NO

    # -- losses, and responses without a request ------------------------------------------------------

    def _read_unrequested_loss(self, stop: int) -> None:
        """There is a hole in what answers no line: a message that has begun is kept as far as it goes."""
        stream = self.stream
        start = stream.position
        status = status_at(stream, start)
        end = min(stream.hole_stop(start), stop)
        if self.dialogue.expects_greeting:
            self.dialogue.expects_greeting = False
        elif status and is_message(stream.bytes_at(status[2], stream.first_hole(start))):
            sent = ClientLine("RETR", "", 0, stream.time_before(start))
            response = self._losses().read(start, stop, sent, bounded=False)
            exchange = self.matcher.exchange(response, sent)
            exchange.defects.append(Defect.REQUEST_MISSING)
            self.matcher.emit(None, exchange)
            end = response.stop
        stream.position = end

    def _losses(self) -> LossReader:
        return LossReader(self.stream, self.dialogue.mailbox.sizes, self.matcher.status_length)

    def _read_loss(self, sent: ClientLine, final: bool) -> bool:
        """Read a response with a loss in it, as soon as its extent is certain."""
        stream = self.stream
        start = stream.position
        if stream.first_hole(start) >= stream.end and not final:
            return False  # nothing is missing: the rest of the response is still to come
        behind = stream.hole_stop(start)
        if sent.command == "STLS" and stream.bytes_at(behind, behind + 2) in _TLS_RECORD:
            self.matcher.take_lossy([Response(start, behind, defects=[Defect.STATUS_MISSING])])
            return True
        following = self.client.next_offset
        if following is not None and start < following <= self.client.pipelined_from:
            if stream.end < following:
                return final and self._cross()
            if stream.end == following and not final:
                return False
            losses = self._losses()
            if losses.may_end_at(following):
                self.matcher.take_lossy([losses.read(start, following, sent, bounded=True)])
                return True
            self.client.pipelined_from = start
        return final and self._cross()

    def _cross(self) -> bool:
        """Read over a hole whose extent the client's lines do not bound."""
        lines = self.client.ahead(_MAX_CROSSED)
        crossing = cross(self._losses(), lines, more=len(self.client) > len(lines))
        self.matcher.take_lossy(crossing.responses)
        if not crossing.sure:
            self.matcher.doubt(Doubt.NOW)
        return bool(crossing.responses)

    def _bound_memory(self) -> None:
        """Hold no more of a message than about `max_message` bytes: what is over is counted and dropped."""
        stream, response = self.stream, self.answers.begun
        held = stream.held
        if (
            response is not None
            and response.search is not None
            and response.start == stream.position
            and stream.first_hole(stream.position) >= stream.end
        ):
            # The middle of a message goes; its beginning, and what may be the start of its end, stay.
            if held <= self.max_message + (self.max_message >> 3) + _KEPT_END:
                return
            kept = stream.end - _KEPT_END
            count = stream.skip(stream.position + self.max_message, kept)
            self.matcher.skip(count)
            response.search.newline = min(response.search.newline, stream.end - _KEPT_END)
            response.search.dotted = True  # there may be two dots where the parts meet
            self.client.move_back(stream.position, kept, count)
        elif self.client.first is None and self._step(final=True):
            self.advance()  # what no line has requested is not held for the next line
        elif self.client.first is None or not self._cross():
            self.dialogue.lose(held)
            self.dialogue.session.add_defect(Defect.MESSAGE_TOO_LARGE)
            stream.position = stream.end
