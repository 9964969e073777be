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
- Where two readings are possible, the message carries a defect.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from zeekpop3.defects import Defect
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.answers import Answers, Found, Step
from zeekpop3.session.exact.client import ClientLines, LostRequests, Sent, is_listing
from zeekpop3.session.exact.handover import Doubt, Handover
from zeekpop3.session.exact.reckoning import cross
from zeekpop3.session.exact.responses import STATUS_LENGTH, LossReader, Response, may_hold_another, status_at
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import MESSAGE_COMMANDS, is_message, message_number, to_text

SEVERAL = "lines"  # stands for the commands in `data`, one a line
UNCERTAIN = "?"  # the command of a line of which the server may have read another line, or none
_TLS_RECORD = (b"\x15\x03", b"\x16\x03")  # alert, handshake
_KEPT_END = 8  # bytes that may be the beginning of a terminator
_MAX_AHEAD = 512
_MAX_CROSSED = 160
_MAX_WAITING = 100_000  # lines without an answer
_SENT_COST = 200  # bytes of memory


class Tls(Enum):
    """Whether what follows is TLS."""

    NO = auto()
    POSSIBLE = auto()  # the last line was STLS, and its answer was +OK, or is lost
    STARTED = auto()  # the rest of the stream is not POP3


@dataclass(slots=True)
class Challenges:
    """The server has answered the present AUTH with challenges (RFC 5034), first at `ts`. The client has sent
    `responses`, the initial one included; with `pending` its next line is one."""

    ts: int | None
    responses: int = 0
    pending: bool = True


@dataclass(slots=True)
class ExactReader:
    """Reads `sent`, `contents` and `gap` rows; hands exchanges to the dialogue as they end.

    It owns all that changes: `Answers`, `LossReader` and `cross` only look at it.
    """

    dialogue: Dialogue
    max_message: int
    stream: ServerStream
    client: ClientLines
    requests: LostRequests
    answers: Answers
    handover: Handover
    tls: Tls = Tls.NO
    _challenges: Challenges | None = None
    _status_length: int = STATUS_LENGTH  # of the last reply to RETR

    @classmethod
    def of(cls, dialogue: Dialogue, max_message: int) -> ExactReader:
        """A reader for a new connection."""
        stream, requests = ServerStream(), LostRequests(dialogue)
        client, handover = ClientLines(requests), Handover(dialogue, stream)
        return cls(dialogue, max_message, stream, client, requests, Answers(stream, client), handover)

    @property
    def held_bytes(self) -> int:
        """About how much memory is held, in bytes."""
        return self.stream.held_bytes + _SENT_COST * len(self.client)

    # -- rows ------------------------------------------------------------------------------------------

    def sent(self, command: str | None, argument: bytes, offset: int, ts: int, length: int) -> None:
        """A `sent` row: a line of the client, or several, when the server stood at `offset`."""
        if self.tls is Tls.STARTED:
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
            Sent(None if uncertain else command, argument_text, here, ts, count, uncertain=uncertain)
        )
        if len(self.client) > _MAX_WAITING:
            sent = self.client.pop()
            self.dialogue.add(sent.exchange())
            self.handover.doubt(Doubt.NOW)

    def contents(self, offset: int, length: int, data: bytes, ts: int) -> None:
        """A `contents` row: bytes of the server's stream."""
        if self.tls is not Tls.STARTED:
            self.stream.append(offset, length, data, ts)

    def gap(self, side: str | None, offset: int, length: int) -> None:
        """A `gap` row: bytes of either side that the capture lacks."""
        if side == "client":
            self.requests.lose(length)
            self.dialogue.lose(length)
        elif self.tls is Tls.STARTED:
            self.dialogue.lose(length)
        else:
            self.stream.lose(offset, length)
        self.requests.damage_seen = True

    def lose_rows(self) -> None:
        """Rows of the log are missing here; the offsets show which bytes they held."""
        self.requests.damage_seen = True

    def ambiguous(self, offset: int) -> None:
        """There are two versions of bytes that the server sent before `offset`, or a little behind it."""
        self.handover.ambiguous_until = max(self.stream.place(offset), self.stream.end)

    def start_tls(self) -> None:
        """A `starttls` row: what follows on either side is TLS."""
        self.advance()
        self.tls = Tls.STARTED

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
        if self._challenges is not None and self._challenges.pending:
            self._merge_sasl(self._challenges)
        end = self.stream.end
        for sent in self.client.pop_all():
            if self.stream.ends_in_hole and sent.command in MESSAGE_COMMANDS:
                # Zeek takes what comes after an acknowledgement of bytes that it has not seen for old bytes.
                self.handover.emit(
                    sent, self.handover.exchange(self._losses().lost(end, end, sent), sent, is_certain=False)
                )
            elif not sent.inferred:
                self.handover.emit(sent, sent.exchange())
        self.dialogue.lose(self.stream.lost)

    # -- what was found, and what follows from it ------------------------------------------------------

    def _step(self, final: bool) -> bool:
        """Go on from the present position; False if that needs more rows."""
        stream, sent, answers = self.stream, self.client.first, self.answers
        start, greeting = stream.position, self.dialogue.expects_greeting
        if start >= stream.end or (self.tls is Tls.POSSIBLE and self._tls_begins(start, final)):
            return False
        self.handover.look_for_step(sent)
        if sent is None or sent.offset > start:
            step = answers.next_unrequested(greeting, final)
        else:
            step = answers.next(self._challenges is not None and self._challenges.pending, final)
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

    def _follow(self, step: Step, sent: Sent | None) -> None:
        """What follows from what was found; `sent` is the client's next line."""
        stream, response = self.stream, step.response
        if step.doubtful:
            self.handover.doubt(Doubt.NOW, step.stop)
        if step.malformed or (response is not None and Defect.REPLY_MALFORMED in response.defects):
            self.dialogue.session.add_defect(Defect.REPLY_MALFORMED)
        match step.found:
            case Found.ANSWER | Found.EARLY:
                assert sent is not None and response is not None
                self._take_response(sent, response, early=step.found is Found.EARLY)
            case Found.CHALLENGE:
                self._challenges = self._challenges or Challenges(stream.time_at(stream.position))
                self._challenges.pending = True
                stream.position = step.stop
            case Found.SASL:
                assert self._challenges is not None
                self._merge_sasl(self._challenges)
            case Found.NO_ANSWER:
                auth = self.client.pop()
                self._challenges = None
                self.handover.doubt(Doubt.NOW)
                self.handover.emit(auth, auth.exchange())
            case Found.GREETING:
                assert response is not None
                self.dialogue.greeting(response.status or "", response.message or "")
                stream.position = step.stop
            case Found.UNSOLICITED:
                assert response is not None
                self._take_unrequested(response)
            case Found.LOSS:
                self._read_unrequested_loss(step.stop)
            case _:
                self.answers.begun = None
                stream.position = step.stop

    def _merge_sasl(self, challenges: Challenges) -> None:
        """The line with which the client answered a challenge belongs to the AUTH before it, if there is
        one."""
        auth, line = self.client.first, self.answers.sasl_line()
        challenges.pending = False
        if auth is not None and line is not None:
            if line.uncertain:
                self.handover.doubt(Doubt.NOW)
            mechanism, named, _ = auth.argument.partition(" ")
            challenges.responses += 1 if challenges.responses or not named else 2  # with the initial one
            if not named and line.command is None and line.argument and mechanism:
                auth.argument += " " + line.argument
            self.client.drop_second()

    def _tls_begins(self, start: int, final: bool) -> bool:
        """True if the server's next bytes are a TLS record, or may turn out to be. The lines that the client
        seems to have sent since STLS are of its own record then."""
        first = self.stream.bytes_at(start, start + 2)
        sent = self.client.first
        if sent is not None and sent.command is not None:
            self.tls = Tls.NO
        elif first in _TLS_RECORD:
            self.dialogue.session.tls, self.tls = True, Tls.STARTED
            self.client.pop_all()
            self.stream.position = self.stream.end
        elif len(first) == 2 or final:
            self.tls = Tls.NO
        return self.tls is not Tls.NO

    # -- an answer that is complete --------------------------------------------------------------------

    def _take_response(self, sent: Sent, response: Response, early: bool) -> None:
        """A response is complete: it answers `sent`, unless the evidence says otherwise."""
        exchange = self.handover.exchange(response, sent)
        if self._challenges is not None:
            exchange.challenged, exchange.reply_ts = True, self._challenges.ts
            exchange.responses = self._challenges.responses
        if exchange.body is not None:
            begin = response.body_start or 0
            if sent.command == "RETR":
                self._status_length = begin - response.start
                if self.requests.is_other(sent, exchange.body):
                    if self.requests.damage_seen:
                        self._take_other(exchange, response.stop)
                        return
                    exchange.defects.append(Defect.NUMBER_DOUBTFUL)
            elif sent.command is None and is_message(exchange.body):
                sent = self._request_of_unknown(sent, exchange, response)
            if may_hold_another(self.stream, self.client, exchange.body, begin, response.stop):
                exchange.defects.append(Defect.TERMINATOR_UNUSUAL)
                self.handover.doubt(Doubt.NOW, response.stop)
        if early:
            exchange.defects.append(Defect.ANSWERED_EARLY)
            self.handover.doubt(Doubt.TO_THE_END)
        self._take(sent, exchange, response.stop)

    def _request_of_unknown(self, sent: Sent, exchange: Exchange, response: Response) -> Sent:
        """A message answers a line that is not a known command. If the client has requested one right behind
        that line, the server did not answer the line, it seems."""
        following = self.client.second
        if following is not None and following.command == "RETR" and following.offset <= response.start:
            self.dialogue.add(self.client.pop().exchange())
            exchange.command, exchange.argument, exchange.ts = "RETR", following.argument, following.ts
            exchange.defects.append(Defect.NUMBER_DOUBTFUL)
            self.handover.doubt(Doubt.NOW)
            return following
        if self.requests.damage_seen:
            _, exchange.argument = self.requests.guess("", exchange.body)
            exchange.command = "RETR"
            exchange.defects.append(Defect.REQUEST_MISSING)
        return sent

    def _take_other(self, exchange: Exchange, end: int) -> None:
        """A message is not the one requested: the request for it, or the response to others, was lost."""
        body, start = exchange.body or b"", self.stream.position
        lines = self.client.ahead(_MAX_AHEAD)
        for ahead, sent in enumerate(lines):
            if sent.offset <= start and self.requests.listed_size(sent) == len(body):
                for _ in range(ahead):
                    skipped = self.client.pop()
                    self.handover.emit(skipped, skipped.exchange())
                exchange.argument, exchange.ts = sent.argument, sent.ts
                self._take(sent, exchange, end)
                return
        following = message_number(lines[0].argument)
        exchange.command, exchange.argument = self.requests.guess(exchange.message or "", body, following)
        if exchange.command == "RETR" and exchange.argument is None and not self.requests.unexplained:
            # No request is missing, so a response is: this is another message than the one requested.
            exchange.defects.append(Defect.NUMBER_DOUBTFUL)
            self._take(lines[0], exchange, end)
            return
        exchange.defects.append(Defect.REQUEST_MISSING)
        self.handover.emit(None, exchange)
        self._answer_ends()
        self.stream.position = end

    # -- losses, and responses without a request ------------------------------------------------------

    def _take_unrequested(self, response: Response) -> None:
        """A response that answers no line, or a message that no line requested."""
        stream, requests = self.stream, self.requests
        exchange = self.handover.exchange(response, Sent(None, "", 0, stream.time_before(response.start)))
        if response.status != "ERR":
            exchange.command, number = requests.guess(exchange.message or "", exchange.body)
            if requests.damage_seen and number is not None:
                exchange.argument = number
                requests.answered.add(number)
        if requests.damage_seen:
            exchange.defects.append(Defect.REQUEST_MISSING)
        else:
            exchange.defects.append(Defect.RESPONSE_UNSOLICITED)
            if self.dialogue.expects_greeting and exchange.body is None:
                # The client did not wait for the greeting, which was taken for the first answer.
                self.dialogue.expects_greeting = False
            else:
                self.handover.doubt(Doubt.TO_THE_END)
        self.handover.emit(None, exchange)
        self.answers.begun = None
        stream.position = response.stop

    def _read_unrequested_loss(self, stop: int) -> None:
        """There is a hole in what answers no line: a message that has begun is kept as far as it goes."""
        stream = self.stream
        start = stream.position
        status = status_at(stream, start)
        end = min(stream.hole_stop(start), stop)
        if self.dialogue.expects_greeting:
            self.dialogue.expects_greeting = False
        elif status and is_message(stream.bytes_at(status[2], stream.first_hole(start))):
            sent = Sent("RETR", "", 0, stream.time_before(start))
            response = self._losses().read(start, stop, sent, bounded=False)
            exchange = self.handover.exchange(response, sent)
            exchange.defects.append(Defect.REQUEST_MISSING)
            self.handover.emit(None, exchange)
            end = response.stop
        self.answers.begun = None
        stream.position = end

    def _losses(self) -> LossReader:
        return LossReader(self.stream, self.dialogue.mailbox.sizes, self._status_length)

    def _read_loss(self, sent: Sent, final: bool) -> bool:
        """Read a response with a loss in it, as soon as its extent is certain."""
        stream = self.stream
        start = stream.position
        if stream.first_hole(start) >= stream.end and not final:
            return False  # nothing is missing: the rest of the response is still to come
        behind = stream.hole_stop(start)
        if sent.command == "STLS" and stream.bytes_at(behind, behind + 2) in _TLS_RECORD:
            self._take_lossy([Response(start, behind, defects=[Defect.STATUS_MISSING])])
            return True
        following = self.client.next_offset
        if following is not None and start < following <= self.client.pipelined_from:
            if stream.end < following:
                return final and self._cross()
            if stream.end == following and not final:
                return False
            losses = self._losses()
            if losses.may_end_at(following):
                self._take_lossy([losses.read(start, following, sent, bounded=True)])
                return True
            self.client.pipelined_from = start
        return final and self._cross()

    def _cross(self) -> bool:
        """Read over a hole whose extent the client's lines do not bound."""
        lines = self.client.ahead(_MAX_CROSSED)
        crossing = cross(self._losses(), lines, more=len(self.client) > len(lines))
        self._take_lossy(crossing.responses)
        if not crossing.sure:
            self.handover.doubt(Doubt.NOW)
        return bool(crossing.responses)

    def _take_lossy(self, responses: list[Response]) -> None:
        """Take the responses to the next lines, one each."""
        stream = self.stream
        self._answer_ends()
        for number, response in enumerate(responses):
            sent = self.client.first
            assert sent is not None
            # Wherever the loss is, the first begins where the answer before it ended.
            is_certain = number == 0 or (response.status is not None and not response.defects)
            exchange = self.handover.exchange(response, sent, is_certain=is_certain)
            if sent.command == "RETR" and exchange.body and is_listing(exchange.body):
                # The best way to match commands and responses, but not a good one.
                exchange.command, exchange.argument = self.requests.guess("", exchange.body)
                exchange.defects.append(Defect.REQUEST_MISSING)
                self.handover.emit(None, exchange)
                exchange = sent.exchange()
            if sent.command == "STLS" and exchange.status is None:
                self.tls = Tls.POSSIBLE
                self.dialogue.session.add_defect(Defect.STATUS_MISSING)
            self.handover.emit(sent, exchange)
            self.client.pop()
            stream.position = max(stream.position, response.stop)

    # -- handing on ------------------------------------------------------------------------------------

    def _take(self, sent: Sent, exchange: Exchange, end: int) -> None:
        """The response to the client's next line ends at `end`."""
        self._answer_ends()
        self.handover.emit(sent, exchange)
        following = self.client.next_offset
        if following is not None and following < end:  # the client did not wait
            self.client.pipelined_from = min(self.client.pipelined_from, self.stream.position)
        self.client.pop()
        self.stream.position = end
        if exchange.command == "STLS" and exchange.status == "OK":
            self.tls = Tls.POSSIBLE

    def _answer_ends(self) -> None:
        self.answers.begun = self._challenges = None
        self.tls = Tls.NO

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
            self.handover.skip(count)
            response.search.newline = min(response.search.newline, stream.end - _KEPT_END)
            response.search.dotted = True  # there may be two dots where the parts meet
            self.client.move_back(stream.position, kept, count)
        elif self.client.first is None and self._step(final=True):
            self.advance()  # what no line has requested is not held for the next line
        elif self.client.first is None or not self._cross():
            self.dialogue.lose(held)
            self.dialogue.session.add_defect(Defect.MESSAGE_TOO_LARGE)
            stream.position = stream.end
