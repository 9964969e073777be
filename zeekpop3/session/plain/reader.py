"""The plain form: an exchange is a request, its reply, and the data lines up to the next control row.

Zeek raises its events in the order of the dialogue, a request only when the response before it has ended
(src/analyzer/protocol/pop3/POP3.cc), so requests, replies and lines of one connection never mix. The lines
come trimmed; `refold` joins the header fields again.
"""

from __future__ import annotations

import re
from typing import Any, Final

from zeekpop3.session.dialogue import Dialogue, Exchange
from zeekpop3.session.plain.fold import refold
from zeekpop3.session.protocol import MESSAGE_COMMANDS, declared_octets, is_multiline, parse_status, to_text
from zeekpop3.session.rows import Rows, WholeRows

_STATUS_LINE: Final = re.compile(rb"\+OK\b", re.IGNORECASE)
_FIELD_LINE: Final = re.compile(rb"[!-9;-~]{1,76} ?:")
# What trimming takes from a line is little; a message that has less of its octets than this lacks a part.
_LEAST_LEFT: Final = 0.75
_MOST_LATE: Final = 16

OTHER: Final = frozenset({"login", "starttls", "close"})
"""The kinds of rows that say something of the whole connection: whoever has it reads them."""


class PlainReader:
    """Reads `request`, `reply`, `data`, `header`, `end` and `gap` rows; hands exchanges to the dialogue."""

    def __init__(self, dialogue: Dialogue, max_message: int) -> None:
        self.dialogue = dialogue
        self.max_message = max_message
        self.exchange: Exchange | None = None
        self.lines: list[bytes] = []
        self.marks: list[tuple[int, bytes]] = []
        self.end_seen = False
        self.gaps: list[tuple[int, int]] = []  # (lines before it, bytes missing)
        self.lost_rows = 0
        self.held = 0
        self.over = 0
        self.damage_seen = False
        self.in_step = True  # whether requests and responses surely still belong together
        self.late = 0  # by how many responses Zeek's analyzer is behind the server

    def __reduce__(self) -> tuple[Any, ...]:
        state = (
            self.exchange, self.lines, self.marks, self.end_seen, self.gaps, self.lost_rows, self.held,
            self.over, self.damage_seen, self.in_step, self.late,
        )  # fmt: skip
        return PlainReader, (self.dialogue, self.max_message), state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        (
            self.exchange, self.lines, self.marks, self.end_seen, self.gaps, self.lost_rows, self.held,
            self.over, self.damage_seen, self.in_step, self.late,
        ) = state  # fmt: skip

    # -- rows ------------------------------------------------------------------------------------------

    def receive(self, rows: Rows, kinds: list[str], data: list[bytes], start: int, stop: int) -> int:
        """Take the rows from `start` on, up to one that is not the plain form's own; its index, or `stop`.

        `kinds` and `data` are those of `rows`.
        """
        commands, lengths = rows.command, rows.length
        may_be_cut = not isinstance(rows, WholeRows)
        lines, marks, held, most = self.lines, self.marks, self.held, self.max_message
        for index in range(start, stop):
            kind = kinds[index]
            if kind == "data":  # as nearly all are
                line = data[index]
                if held <= most:
                    lines.append(line)
                    held += len(line) + 2
                else:
                    self.over += len(line) + 2
                if may_be_cut and len(line) < lengths[index]:
                    self.gaps.append((len(lines), lengths[index] - len(line)))
                continue
            if kind == "header":
                marks.append((len(lines), _field_name(commands[index])))
                continue
            self.held = held
            if kind in OTHER:
                return index
            self._control(kind, rows, index)
            lines, marks, held = self.lines, self.marks, self.held
        self.held = held
        return stop

    def _control(self, kind: str, rows: Rows, index: int) -> None:
        """A row that stands between the lines."""
        command = rows.command[index]
        if kind == "end":
            self.end_seen = True
        elif kind == "request":
            self._close()
            self._request(command, rows.data[index], rows.ts[index])
        elif kind == "reply":
            if self.exchange is None or self.exchange.status is not None:
                self._close()
            self._reply(command, rows.data[index], rows.ts[index])
        elif kind == "gap":
            self.damage_seen = True
            if command != "client":
                self.gaps.append((len(self.lines), rows.length[index]))
                if not self.lines:
                    self.in_step = False  # between responses: any number of them may be missing
        elif kind == "unexpected":
            self._unexpected(command, rows.ts[index])

    def lose_rows(self, count: int) -> None:
        """Rows of the log are missing here (a hole in `seq`)."""
        self.lost_rows += count
        self.damage_seen = True

    def bound(self, max_message: int) -> None:
        """Hold at most so many bytes of one response from now on."""
        self.max_message = max_message
        while self.lines and self.held > max_message:
            size = len(self.lines.pop()) + 2
            self.held -= size
            self.over += size

    def finish(self) -> None:
        """The connection is over, or given up."""
        # Without a further command, `end` may only say that the connection ended (Zeek's MIME analyzer is
        # told to finish then): the end of the mail itself was not seen for certain.
        self._close(last=True)

    # -- exchanges -------------------------------------------------------------------------------------

    def _request(self, command: str | None, argument: bytes, ts: int) -> None:
        self.exchange = Exchange(command, to_text(argument), ts)

    def _reply(self, status: str | None, message: bytes, ts: int) -> None:
        text = to_text(message)
        exchange = self.exchange
        if exchange is None:
            if self.dialogue.expects_greeting:
                self.dialogue.greeting(status or "", text)
                return
            exchange = self.exchange = Exchange(None, None, ts)
        exchange.status, exchange.message, exchange.reply_ts = status, text, ts

    def _unexpected(self, command: str | None, ts: int) -> None:
        """A command that Zeek's analyzer did not expect stands in for its `request` row."""
        if command is None or not command.isalpha() or command in ("OK", "ERR", "AUTH"):
            return
        self._close()
        if self.dialogue.expects_greeting:
            self.dialogue.no_greeting()
        self.exchange = Exchange(command, None, ts)

    def _close(self, last: bool = False) -> None:
        """The exchange at hand has ended: hand it on."""
        exchange, lines = self.exchange, self.lines
        if exchange is None and lines and (self.marks or self.end_seen):
            exchange = Exchange("RETR", None, 0)
            exchange.defects.append("request_missing")
        if exchange is not None:
            if exchange.command in MESSAGE_COMMANDS and (lines or exchange.status == "OK"):
                self._message(exchange, last)
            else:
                if lines or is_multiline(exchange.command, exchange.argument, exchange.status):
                    self._listing(exchange)
                elif exchange.status is None and not last and exchange.command == "STLS":
                    exchange.status = "OK"
                self.dialogue.add(exchange)
        self.exchange = None
        self.lines, self.marks, self.gaps = [], [], []
        self.end_seen = False
        self.lost_rows = self.held = self.over = 0

    def _listing(self, exchange: Exchange) -> None:
        lines = self.lines
        exchange.body = b"\r\n".join(lines) + b"\r\n" if lines else b""
        exchange.lines, exchange.wire_octets = len(lines), self.held
        exchange.missing = sum([length for _, length in self.gaps])

    def _message(self, exchange: Exchange, last: bool) -> None:
        """A message; after a loss perhaps a part of one, and the message of the next command behind it."""
        marks = self.marks or None
        cut = self._splice() if self.damage_seen else None
        if cut is None:
            self._fill(exchange, self.lines, marks, self.gaps)
            exchange.missing += self.over
            if self.over:
                exchange.defects.append("message_too_large")
            exchange.ended = self._ended(exchange, last)
            if not exchange.ended and exchange.missing == 0:
                exchange.missing = -1  # trimmed lines do not tell how much
            self._finish(exchange)
            return
        # A terminator was lost: Zeek has not noticed that a response ended, and another began.
        first = self.lines[:cut]
        self._fill(exchange, first, [m for m in marks or () if m[0] <= cut] or None, self.gaps)
        exchange.missing, exchange.ended = -1, False
        self._finish(exchange)
        status = parse_status(self.lines[cut])
        assert status is not None
        following = Exchange("RETR", None, exchange.ts, *status, exchange.reply_ts)
        gaps = [(at - cut - 1, length) for at, length in self.gaps if at > cut]
        self._fill(following, self.lines[cut + 1 :], None, gaps)
        following.ended = not last
        self._finish(following)

    def _fill(
        self,
        exchange: Exchange,
        lines: list[bytes],
        marks: list[tuple[int, bytes]] | None,
        gaps: list[tuple[int, int]],
    ) -> None:
        exchange.lines = len(lines)
        exchange.wire_octets = self.held if lines is self.lines else _octets(lines)
        exchange.missing = sum([length for _, length in gaps])
        if self.lost_rows:
            exchange.defects.append("rows_missing")
            exchange.missing = -1
        if _has_stuffed(lines):
            lines = [line[1:] if line.startswith(b"..") else line for line in lines]
        exchange.body, defects = refold(lines, marks)
        exchange.defects += defects

    def _finish(self, exchange: Exchange) -> None:
        if self.damage_seen:
            self._identify(exchange)
        self.dialogue.add(exchange)

    def _identify(self, exchange: Exchange) -> None:
        """After a loss Zeek may be a response late: is this the message that the request names?

        What the reply declares and what LIST gave must agree; where neither is there, the number is doubtful.
        """
        sizes = self.dialogue.sizes
        declared = declared_octets(exchange.message)
        number = exchange.argument
        listed = sizes.get(int(number)) if number and number.isdigit() and len(number) < 10 else None
        if exchange.command == "RETR" and declared is not None and sizes:
            asked = int(number) if listed is not None and number else (self.dialogue.last_number or 0) + 1
            # Zeek falls behind, it does not catch up: as late as before, or later, if only one way fits.
            fits = [n for n in range(self.late, self.late + _MOST_LATE) if sizes.get(asked + n) == declared]
            known = fits and (fits[0] == self.late or len(fits) == 1)
            exchange.argument = str(asked + fits[0]) if known else None
            self.late = fits[0] if known else self.late
            if self.late or not known:
                exchange.defects.append("desynchronized")
        elif number is not None and self.in_step:
            exchange.defects.append("number_doubtful")
        else:
            exchange.argument = None
            exchange.defects.append("desynchronized")
        octets = declared if declared is not None else listed
        there = exchange.wire_octets or 0
        if octets is not None and exchange.missing == 0 and not octets * _LEAST_LEFT <= there <= octets + 64:
            exchange.missing = -1
        if exchange.missing and (octets is None or there + max(exchange.missing, 0) > octets + 64):
            self.in_step = False  # what is missing may well be the end of it

    def _splice(self) -> int | None:
        """The index of a line that is the status line of another response; None if there is none.

        A message may well hold a line that looks like one, so this is asked after a loss only.
        """
        lines = self.lines
        start = max(self.gaps[0][0] - 1, 0) if self.gaps else 0
        stop = len(lines) if self.gaps else min(1, len(lines))
        for index in range(start, stop):
            if _STATUS_LINE.match(lines[index]):
                declares = declared_octets(to_text(lines[index])) is not None
                if declares or any(map(_FIELD_LINE.match, lines[index + 1 : index + 2])):
                    return index
        return None

    def _ended(self, exchange: Exchange, last: bool) -> bool:
        if not last:
            return True  # Zeek takes the next command only after the terminator
        if not self.end_seen:
            return False
        octets = declared_octets(exchange.message)
        return octets is not None and exchange.wire_octets == octets


def _field_name(name: str | None) -> bytes:
    if not name:
        return b""
    return name.encode() if name.isascii() else name.encode("utf-8", "surrogateescape")


def _has_stuffed(lines: list[bytes]) -> bool:
    for line in lines:  # noqa: SIM110 - compiled, a loop is a loop
        if line.startswith(b".."):
            return True
    return False


def _octets(lines: list[bytes]) -> int:
    return sum(map(len, lines)) + 2 * len(lines)
