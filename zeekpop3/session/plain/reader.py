"""The plain form: an exchange is a request, its reply, and the data lines up to the next control row.

Zeek raises its events in the order of the dialogue, a request only when the response before it has ended
(src/analyzer/protocol/pop3/POP3.cc), so requests, replies and lines of one connection never mix.

The lines of a response are held as the log has them, in pieces: lines joined by LF, each header mark (NUL and
a field's name) as a line of its own. They are split once, when the response has ended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from operator import methodcaller
from typing import NamedTuple

from zeekpop3.defects import Defect
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.events import Exchange, Rows
from zeekpop3.session.plain.refold import refold
from zeekpop3.session.protocol import (
    FIELD_START,
    MESSAGE_COMMANDS,
    declared_octets,
    is_multiline,
    message_number,
    parse_status,
    to_text,
)

_STATUS_LINE = re.compile(rb"\+OK\b", re.IGNORECASE)
# A status line before what may be a header: the next message may begin there.
_OTHER_MESSAGE = re.compile(rb"\n\+OK\b[^\n]*+\n[!-9;-~]{1,76}+[ \t]*+:", re.IGNORECASE)
# Trimming removes little of a line; a message that has less of its octets than this lacks a part.
_MIN_SIZE_RATIO = 0.75
_MAX_LATE = 16
_MAX_QUEUED = (
    1000  # commands that Zeek keeps (POP3::max_pending_commands, as zeek-scripts/plain.zeek sets it)
)
_MAX_UNKNOWN = 10  # then Zeek's analyzer gives up (POP3::max_unknown_client_commands)
_is_stuffed = methodcaller("startswith", b"..")

_OTHER = frozenset({"login", "starttls", "close"})
_OTHER_UNEXPECTED = frozenset({"limit", "not_understood", "rexmit_inconsistency", "syn"})
"""Rows about the whole connection, which the machine reads."""


class Content(NamedTuple):
    """Lines without line ends; for each header mark the number of lines before it and the field's name; for
    each gap the number of lines before it and the bytes missing."""

    lines: list[bytes]
    marks: list[tuple[int, bytes]]
    gaps: list[tuple[int, int]]


@dataclass(slots=True)
class Lines:
    """`held` counts the bytes of the pieces, `over` the bytes dropped beyond the limit.

    `gaps` are like those of `Content`, but count pieces.
    """

    pieces: list[bytes] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    held: int = 0
    over: int = 0

    def __bool__(self) -> bool:
        return bool(self.pieces)

    @property
    def held_bytes(self) -> int:
        """About how much memory is held, in bytes."""
        return self.held + 41 * len(self.pieces) + 100 * len(self.gaps)

    @property
    def marked(self) -> bool:
        """True if there is a header mark."""
        return any(b"\0" in piece for piece in self.pieces)

    def drop(self, piece: bytes) -> None:
        """A piece beyond the limit: only its bytes on the wire are counted."""
        self.over += len(piece) + piece.count(b"\n") + 2

    def bound(self, limit: int) -> None:
        """Drop the last pieces until at most `limit` bytes are held."""
        while self.pieces and self.held > limit:
            piece = self.pieces.pop()
            self.held -= len(piece) + 2
            self.drop(piece)

    def content(self) -> Content:
        """The lines, split."""
        found = Content([], [], [])
        starts = [0]  # for each piece the number of lines before it
        for piece in self.pieces:
            _split(piece, found)
            starts.append(len(found.lines))
        found.gaps.extend((starts[before], missing) for before, missing in self.gaps)
        return found


def _split(piece: bytes, found: Content) -> None:
    """Add the lines of a piece, and its marks."""
    lines = piece.split(b"\n")
    if b"\0" not in piece:
        found.lines.extend(lines)
        return
    for line in lines:
        if line.startswith(b"\0"):
            found.marks.append((len(found.lines), line[1:]))
        else:
            found.lines.append(line)


@dataclass(slots=True)
class PlainReader:
    """Reads `request`, `reply`, `data`, `end` and `gap` rows; hands exchanges to the dialogue."""

    dialogue: Dialogue
    max_message: int
    exchange: Exchange | None = None
    lines: Lines = field(default_factory=Lines)
    end_seen: bool = False
    rows_lost: bool = False
    damage_seen: bool = False
    in_step: bool = True  # whether requests and responses surely still belong together
    _last_ts: int = -1  # of the row before
    _queued: int = 0  # requests in a row that were sent before the response before them had ended
    _overflow: bool = False  # Zeek may have dropped a command
    _unknown: int = 0  # replies to commands that Zeek does not know
    _ambiguous: bool = False  # the message under way, or else the next one, has two versions
    late: int = 0  # by how many responses Zeek's analyzer is behind the server

    @property
    def held_bytes(self) -> int:
        """About how much memory is held, in bytes."""
        return self.lines.held_bytes

    # -- rows ------------------------------------------------------------------------------------------

    def receive(self, rows: Rows, start: int, stop: int) -> int:
        """Take the rows from `start` on, up to one about the whole connection; return its index, or
        `stop`."""
        kinds, data, lengths = rows.kind, rows.data, rows.length
        lines, limit = self.lines, self.max_message
        pieces, held = lines.pieces, lines.held
        for index in range(start, stop):
            kind = kinds[index]
            if kind == "data":  # nearly all
                piece = data[index]
                if held <= limit:
                    pieces.append(piece)
                    held += len(piece) + 2
                else:
                    lines.drop(piece)
                if len(piece) < lengths[index]:  # the log was cut here
                    lines.gaps.append((len(pieces), lengths[index] - len(piece)))
                    self.dialogue.lose(lengths[index] - len(piece))
                continue
            lines.held = held
            if index:
                self._last_ts = rows.ts[index - 1]
            if kind in _OTHER or (kind == "unexpected" and rows.command[index] in _OTHER_UNEXPECTED):
                return index
            self._control(kind, rows, index)
            lines = self.lines
            pieces, held = lines.pieces, lines.held
        lines.held = held
        self._last_ts = rows.ts[stop - 1]
        return stop

    def _control(self, kind: str, rows: Rows, index: int) -> None:
        """A row that stands between the lines."""
        command = rows.command[index]
        if kind == "end":
            self.end_seen = True
        elif kind == "request":
            self._close()
            # Zeek raises a request that has waited at the time of the packet that ended the response before.
            self._queued = self._queued + 1 if rows.ts[index] == self._last_ts else 0
            self._overflow = self._overflow or self._queued >= _MAX_QUEUED
            self.exchange = Exchange(command, to_text(rows.data[index]), rows.ts[index])
        elif kind == "reply":
            if self.exchange is None or self.exchange.status is not None:
                self._close()
            self._reply(command, rows.data[index], rows.ts[index])
        elif kind == "gap":
            self.damage_seen = True
            self.dialogue.lose(rows.length[index])
            if command != "client":
                if not self.lines:
                    self.in_step = False  # between responses: any number of them may be missing
                self.lines.gaps.append((len(self.lines.pieces), rows.length[index]))
        elif kind == "unexpected":
            self._unexpected(command, rows.ts[index])

    def ambiguous(self, offset: int) -> None:
        """There are two versions of bytes that the server sent; `offset` means nothing here."""
        self._ambiguous = True

    def lose_rows(self) -> None:
        """Rows of the log are missing here (a hole in `seq`)."""
        self.rows_lost = self.damage_seen = True

    def bound(self, max_message: int) -> None:
        """Hold at most so many bytes of one response from now on."""
        self.max_message = max_message
        self.lines.bound(max_message)

    def finish(self) -> None:
        """The connection is over, or given up."""
        # Without a further command, `end` may only say that the connection ended, because Zeek's MIME
        # analyzer finishes then: the end of the mail itself was not seen for certain.
        self._close(last=True)

    # -- exchanges -------------------------------------------------------------------------------------

    def _reply(self, status: str | None, message: bytes, ts: int) -> None:
        text = to_text(message)
        exchange = self.exchange
        if exchange is None:
            if self.dialogue.expects_greeting:
                self.dialogue.greeting(status or "", text)
                return
            exchange = self.exchange = Exchange(None, None, ts)
            self._unknown += not self.damage_seen
            if self._unknown == _MAX_UNKNOWN:
                self.dialogue.stand(Defect.LIMIT_REACHED)
        exchange.status, exchange.message, exchange.reply_ts = status, text, ts

    def _unexpected(self, command: str | None, ts: int) -> None:
        """A command that Zeek's analyzer did not expect takes the place of its `request` row."""
        if command is None or not command.isalpha() or command in ("OK", "ERR", "AUTH"):
            return
        self._close()
        self.dialogue.expects_greeting = False
        self.exchange = Exchange(command, None, ts)

    def _close(self, last: bool = False) -> None:
        """The present exchange has ended: hand it on."""
        exchange, lines = self.exchange, self.lines
        self.dialogue.lose(lines.over)
        if exchange is None and lines and (lines.marked or self.end_seen):
            exchange = Exchange("RETR", None, 0)
            exchange.defects.append(Defect.REQUEST_MISSING)
        if exchange is not None:
            if exchange.command in MESSAGE_COMMANDS and (lines or exchange.status == "OK"):
                self._message(exchange, last)
            else:
                if lines or is_multiline(exchange.command, exchange.argument, exchange.status):
                    self._listing(exchange)
                elif exchange.status is None and exchange.command in MESSAGE_COMMANDS:
                    self._answer_missing(exchange, last)
                elif exchange.status is None and self.lines.gaps:
                    exchange.defects.append(Defect.STATUS_MISSING)
                elif exchange.status is None and not last and exchange.command == "STLS":
                    exchange.status = "OK"
                self.dialogue.add(exchange)
        self.exchange = None
        self.lines = Lines()
        self.end_seen = self.rows_lost = False

    def _answer_missing(self, exchange: Exchange, last: bool) -> None:
        """Nothing answers a RETR or TOP. If something was lost in its place, or before it while Zeek took
        answers for those to other commands, so was a message."""
        gaps = self.lines.gaps
        if gaps or (last and not self.in_step):
            exchange.defects.append(Defect.ANSWER_MISSING)
            exchange.ended, exchange.missing = False, -1
            if not (gaps and self.in_step):
                exchange.argument = None
                exchange.defects.append(Defect.DESYNCHRONIZED)

    def _listing(self, exchange: Exchange) -> None:
        content = self.lines.content()
        exchange.body = b"".join(line + b"\r\n" for line in content.lines)
        exchange.lines, exchange.wire_octets = len(content.lines), len(exchange.body)
        exchange.missing = sum(length for _, length in content.gaps)
        if any(map(_STATUS_LINE.match, content.lines)):
            # Zeek took the next response for a part of this one, and will be late from now on.
            self.damage_seen, self.in_step = True, False

    def _message(self, exchange: Exchange, last: bool) -> None:
        """A message; after a loss perhaps a part of one, and behind it the message of the next command."""
        over = self.lines.over
        lines, marks, gaps = self.lines.content()
        cut = _status_line(lines, gaps) if self.damage_seen else None
        if cut is None:
            self._fill(exchange, lines, marks or None, gaps)
            exchange.missing += over
            body = exchange.body or b""
            if not self.damage_seen and (_STATUS_LINE.match(body) or _OTHER_MESSAGE.search(body)):
                exchange.defects.append(Defect.TERMINATOR_UNUSUAL)
            if over:
                exchange.defects.append(Defect.MESSAGE_TOO_LARGE)
            exchange.ended = self._ended(exchange, last)
            if not exchange.ended and exchange.missing == 0:
                exchange.missing = -1  # trimmed lines do not show how much
            self._finish(exchange)
            return
        # A terminator was lost: Zeek did not notice that a response ended and another began.
        earlier = [mark for mark in marks if mark[0] <= cut]
        self._fill(exchange, lines[:cut], earlier or None, gaps)
        exchange.missing, exchange.ended = -1, False
        self._finish(exchange)
        status = parse_status(lines[cut])
        assert status is not None
        following = Exchange("RETR", None, exchange.ts, *status, exchange.reply_ts)
        later = [(at - cut - 1, length) for at, length in gaps if at > cut]
        self._fill(following, lines[cut + 1 :], None, later)
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
        exchange.wire_octets = sum(map(len, lines)) + 2 * len(lines)
        exchange.missing = sum(length for _, length in gaps)
        if self.rows_lost:
            exchange.defects.append(Defect.ROWS_MISSING)
            exchange.missing = -1
        if any(map(_is_stuffed, lines)):
            lines = [line[1:] if line.startswith(b"..") else line for line in lines]
        exchange.body, defects = refold(lines, marks)
        exchange.defects += defects

    def _finish(self, exchange: Exchange) -> None:
        if self.damage_seen:
            self._identify(exchange)
        elif exchange.command == "RETR" and self._is_other(exchange):
            exchange.defects.append(Defect.NUMBER_DOUBTFUL)
        if self._ambiguous:
            self._ambiguous = False
            exchange.defects.append(Defect.STREAM_AMBIGUOUS)
        self.dialogue.add(exchange)

    def _is_other(self, exchange: Exchange) -> bool:
        """True if this may be another message: the reply declares the size that LIST gave for another one; or
        Zeek may have dropped a command, and the sizes do not show that it has not."""
        mailbox, declared = self.dialogue.mailbox, declared_octets(exchange.message)
        listed = mailbox.sizes.get(message_number(exchange.argument) or -1)
        if declared is None or listed is None:
            return self._overflow
        return declared != listed and (self._overflow or bool(mailbox.numbers_of_size(declared)))

    def _identify(self, exchange: Exchange) -> None:
        """After a loss Zeek may be a response late: is this the message that the request names?

        The size that the reply declares and the size that LIST gave must agree; without both, the number is
        doubtful.
        """
        sizes = self.dialogue.mailbox.sizes
        declared = declared_octets(exchange.message)
        number = message_number(exchange.argument) if exchange.command == "RETR" else None
        listed = sizes.get(number) if number is not None else None
        if exchange.command == "RETR" and declared is not None and sizes:
            asked = number if listed is not None and number else (self.dialogue.last_number or 0) + 1
            # Zeek falls behind, it does not catch up: as late as before, or later if only one distance fits.
            fits = [n for n in range(self.late, self.late + _MAX_LATE) if sizes.get(asked + n) == declared]
            known = bool(fits) and (fits[0] == self.late or len(fits) == 1)
            exchange.argument = str(asked + fits[0]) if known else None
            self.late = fits[0] if known else self.late
            if self.late or not known:
                exchange.defects.append(Defect.DESYNCHRONIZED)
        elif exchange.argument is not None and self.in_step:
            exchange.defects.append(Defect.NUMBER_DOUBTFUL)
        else:
            exchange.argument = None
            exchange.defects.append(Defect.DESYNCHRONIZED)
        octets = declared if declared is not None else listed
        present = exchange.wire_octets or 0
        if (
            octets is not None
            and exchange.missing == 0
            and not octets * _MIN_SIZE_RATIO <= present <= octets + 64
        ):
            exchange.missing = -1
        if exchange.missing and (octets is None or present + max(exchange.missing, 0) > octets + 64):
            self.in_step = False  # what is missing may well be the end of it

    def _ended(self, exchange: Exchange, last: bool) -> bool:
        if not last:
            return True  # Zeek takes the next command only after the terminator
        octets = declared_octets(exchange.message) if self.end_seen else None
        return octets is not None and exchange.wire_octets == octets


def _status_line(lines: list[bytes], gaps: list[tuple[int, int]]) -> int | None:
    """The index of a line that is the status line of another response; None if there is none.

    A message may contain a line that looks like one, so this is asked after a loss only.
    """
    start = max(gaps[0][0] - 1, 0) if gaps else 0
    stop = len(lines) if gaps else min(1, len(lines))
    for index in range(start, stop):
        if _STATUS_LINE.match(lines[index]) and parse_status(lines[index]) is not None:
            declares = declared_octets(to_text(lines[index])) is not None
            if declares or any(map(FIELD_START.match, lines[index + 1 : index + 2])):
                return index
    return None
