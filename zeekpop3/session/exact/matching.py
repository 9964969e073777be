"""Gives each response to the line that it answers, and hands the exchange to the dialogue.

    client    RETR 1          NOOP, APOP (one line, or two?)  RETR 1        RETR 2          RETR 3
    server          +OK mail                                  +OK      +OK mail    +OK mail
                    sure      in doubt from here on                                        sure again

Goal: no number and no user stands for certain in a row where lines and answers may be out of step. Plan:

- A response answers the client's next line. After losses, the sizes of LIST and the form of the response may
  show that it answers another one, or one that was lost.
- A doubt begins with the line or the answer that causes it. It ends with a line that the client sent when all
  lines before it were answered, and all answers read; where the server said more than it was asked, never.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, auto

from zeekpop3.defects import Defect
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.client import ClientLine, ClientLines, LostRequests, is_listing
from zeekpop3.session.exact.responses import STATUS_LENGTH, Response, may_hold_another
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import is_message, message_number

_MAX_AHEAD = 512


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


class Doubt(IntEnum):
    """Whether lines and answers may be out of step."""

    NONE = auto()
    NOW = auto()  # until all lines are answered
    TO_THE_END = auto()  # one answer too many: a client that reads them in order is ahead from here on


@dataclass(slots=True)
class Matcher:
    """Takes responses; moves the stream's position behind them, and removes the lines that they answer.

    `status_length` is that of the last reply to RETR. `skipped` counts the bytes of the present response that
    were dropped. Messages that begin up to `ambiguous_until` may be others than the client received.
    """

    dialogue: Dialogue
    stream: ServerStream
    client: ClientLines
    requests: LostRequests
    tls: Tls = Tls.NO
    challenges: Challenges | None = None
    status_length: int = STATUS_LENGTH
    skipped: int = 0
    ambiguous_until: int = -1
    _doubt: Doubt = Doubt.NONE
    _doubt_at: int = 0

    def doubt(self, doubt: Doubt, at: int | None = None) -> None:
        """What follows is in doubt; also that an answer begins at `at`, by default the stream's position."""
        self._doubt = max(self._doubt, doubt)
        self._doubt_at = self.stream.position if at is None else at

    def look_for_step(self, sent: ClientLine | None) -> None:
        """End the doubt, if all was answered when the client sent `sent`, which is to be answered next."""
        if self._doubt is Doubt.NOW and sent and sent.offset == self.stream.position > self._doubt_at:
            self._doubt = Doubt.NONE

    def exchange(self, response: Response, sent: ClientLine, *, is_certain: bool = True) -> Exchange:
        """A response as the answer to `sent`, with its place in offsets of the log, and with what was dropped
        of it. `is_certain`: it begins where it seems to begin.
        """
        exchange = response.exchange(self.stream, sent)
        dropped, self.skipped = self.skipped, 0
        before = self.stream.skipped - dropped
        exchange.stream_start = response.start + before if is_certain else None
        exchange.stream_end = response.stop + before + dropped if exchange.ended else None
        if dropped:
            exchange.defects.append(Defect.MESSAGE_TOO_LARGE)
            if exchange.missing >= 0:
                missing = exchange.missing
                exchange.missing = missing + dropped if exchange.ended else max(missing, dropped)
        return exchange

    def emit(self, sent: ClientLine | None, exchange: Exchange) -> None:
        """Hand on the exchange that `sent` began; None: no line of the log did."""
        if sent is not None and sent.uncertain:
            self.doubt(Doubt.NOW)
        if sent is not None and sent.inferred:
            exchange.defects.append(Defect.REQUEST_MISSING)
        exchange.doubtful = exchange.doubtful or self._doubt > Doubt.NONE
        if self.stream.position <= self.ambiguous_until and exchange.body is not None:
            exchange.defects.append(Defect.STREAM_AMBIGUOUS)
        self.dialogue.add(exchange)

    def skip(self, count: int) -> None:
        """So many bytes of the present response were dropped."""
        self.skipped += count
        self.dialogue.lose(count)

    # -- AUTH ------------------------------------------------------------------------------------------

    @property
    def challenged(self) -> bool:
        """True if the server's last line was a challenge, and the client's next one is the response to it."""
        return self.challenges is not None and self.challenges.pending

    def take_challenge(self, stop: int) -> None:
        """The server asks for a response; the answer to AUTH is still to come."""
        self.challenges = self.challenges or Challenges(self.stream.time_at(self.stream.position))
        self.challenges.pending = True
        self.stream.position = stop

    def merge_sasl(self) -> None:
        """The line with which the client answered a challenge belongs to the AUTH before it, if there is
        one."""
        auth, line, challenges = (
            self.client.first,
            self.client.sasl_line(self.stream.position),
            self.challenges,
        )
        assert challenges is not None
        challenges.pending = False
        if auth is not None and line is not None:
            if line.uncertain:
                self.doubt(Doubt.NOW)
            mechanism, named, _ = auth.argument.partition(" ")
            challenges.responses += 1 if challenges.responses or not named else 2  # with the initial one
            if not named and line.command is None and line.argument and mechanism:
                auth.argument += " " + line.argument
            self.client.drop_second()

    def give_up_auth(self) -> None:
        """The server does not answer AUTH: it has gone on to another line."""
        auth, self.challenges = self.client.pop(), None
        self.doubt(Doubt.NOW)
        self.emit(auth, auth.exchange())

    # -- an answer that is complete --------------------------------------------------------------------

    def take_response(self, sent: ClientLine, response: Response, early: bool) -> None:
        """A response is complete: it answers `sent`, unless the evidence says otherwise."""
        exchange = self.exchange(response, sent)
        if self.challenges is not None:
            exchange.challenged, exchange.reply_ts = True, self.challenges.ts
            exchange.responses = self.challenges.responses
        if exchange.body is not None:
            begin = response.body_start or 0
            if sent.command == "RETR":
                self.status_length = begin - response.start
                if self.requests.is_other(sent, exchange.body):
                    if self.requests.damage_seen:
                        self._take_other(exchange, response.stop)
                        return
                    exchange.defects.append(Defect.NUMBER_DOUBTFUL)
            elif sent.command is None and is_message(exchange.body):
                sent = self._request_of_unknown(sent, exchange, response)
            if may_hold_another(self.stream, self.client, exchange.body, begin, response.stop):
                exchange.defects.append(Defect.TERMINATOR_UNUSUAL)
                self.doubt(Doubt.NOW, response.stop)
        if early:
            exchange.defects.append(Defect.ANSWERED_EARLY)
            self.doubt(Doubt.TO_THE_END)
        self._take(sent, exchange, response.stop)

    def _request_of_unknown(self, sent: ClientLine, exchange: Exchange, response: Response) -> ClientLine:
        """A message answers a line that is not a known command. If the client has requested one right behind
        that line, the server did not answer the line, it seems."""
        following = self.client.second
        if following is not None and following.command == "RETR" and following.offset <= response.start:
            self.dialogue.add(self.client.pop().exchange())
            exchange.command, exchange.argument, exchange.ts = "RETR", following.argument, following.ts
            exchange.defects.append(Defect.NUMBER_DOUBTFUL)
            self.doubt(Doubt.NOW)
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
                    self.emit(skipped, skipped.exchange())
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
        self.emit(None, exchange)
        self._answer_ends()
        self.stream.position = end

    def take_unrequested(self, response: Response) -> None:
        """A response that answers no line, or a message that no line requested."""
        stream, requests = self.stream, self.requests
        exchange = self.exchange(response, ClientLine(None, "", 0, stream.time_before(response.start)))
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
                self.doubt(Doubt.TO_THE_END)
        self.emit(None, exchange)
        stream.position = response.stop

    def take_lossy(self, responses: list[Response]) -> None:
        """Take the responses to the next lines, one each."""
        stream = self.stream
        self._answer_ends()
        for number, response in enumerate(responses):
            sent = self.client.first
            assert sent is not None
            # Wherever the loss is, the first begins where the answer before it ended.
            is_certain = number == 0 or (response.status is not None and not response.defects)
            exchange = self.exchange(response, sent, is_certain=is_certain)
            if sent.command == "RETR" and exchange.body and is_listing(exchange.body):
                # The best way to match commands and responses, but not a good one.
                exchange.command, exchange.argument = self.requests.guess("", exchange.body)
                exchange.defects.append(Defect.REQUEST_MISSING)
                self.emit(None, exchange)
                exchange = sent.exchange()
            if sent.command == "STLS" and exchange.status is None:
                self.tls = Tls.POSSIBLE
                self.dialogue.session.add_defect(Defect.STATUS_MISSING)
            self.emit(sent, exchange)
            self.client.pop()
            stream.position = max(stream.position, response.stop)

    def _take(self, sent: ClientLine, exchange: Exchange, end: int) -> None:
        """The response to the client's next line ends at `end`."""
        self._answer_ends()
        self.emit(sent, exchange)
        following = self.client.next_offset
        if following is not None and following < end:  # the client did not wait
            self.client.pipelined_from = min(self.client.pipelined_from, self.stream.position)
        self.client.pop()
        self.stream.position = end
        if exchange.command == "STLS" and exchange.status == "OK":
            self.tls = Tls.POSSIBLE

    def _answer_ends(self) -> None:
        self.challenges = None
        self.tls = Tls.NO
