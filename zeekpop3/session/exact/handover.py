"""Hands exchanges to the dialogue, and says what is in doubt about them.

    client    RETR 1          NOOP, APOP (one line, or two?)  RETR 1        RETR 2          RETR 3
    server          +OK mail                                  +OK      +OK mail    +OK mail
                    sure      in doubt from here on                                        sure again

Goal: no number and no user stands for certain in a row where lines and answers may be out of step. Plan: a
doubt begins with the line or the answer that causes it. It ends with a line that the client sent when all
lines before it were answered, and all answers read; where the server has said more than it was asked, never.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

from zeekpop3.defects import Defect
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.client import Sent
from zeekpop3.session.exact.responses import Response
from zeekpop3.session.exact.stream import ServerStream


class Doubt(IntEnum):
    """Whether lines and answers may be out of step."""

    NONE = auto()
    NOW = auto()  # until all lines are answered
    TO_THE_END = auto()  # one answer too many: a client that reads them in order is ahead from here on


@dataclass(slots=True)
class Handover:
    """`skipped` counts the bytes of the present response that were dropped. Messages that begin up to
    `ambiguous_until` may be others than the client received."""

    dialogue: Dialogue
    stream: ServerStream
    skipped: int = 0
    ambiguous_until: int = -1
    _doubt: Doubt = Doubt.NONE
    _doubt_at: int = 0

    def doubt(self, doubt: Doubt, at: int | None = None) -> None:
        """What follows is in doubt; also that an answer begins at `at`, by default the stream's position."""
        self._doubt = max(self._doubt, doubt)
        self._doubt_at = self.stream.position if at is None else at

    def look_for_step(self, sent: Sent | None) -> None:
        """End the doubt, if all was answered when the client sent `sent`, which is to be answered next."""
        if self._doubt is Doubt.NOW and sent and sent.offset == self.stream.position > self._doubt_at:
            self._doubt = Doubt.NONE

    def exchange(self, response: Response, sent: Sent, *, is_certain: bool = True) -> Exchange:
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

    def emit(self, sent: Sent | None, exchange: Exchange) -> None:
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
