"""The plain form: an exchange is a request, its reply, and the data lines up to the next control row.

Zeek raises its events in the order of the dialogue, a request only when the response before it has ended
(src/analyzer/protocol/pop3/POP3.cc), so requests, replies and lines of one connection never mix. The lines
come trimmed; `refold` joins the header fields again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import gt

from zeekpop3.refold import refold
from zeekpop3.session.dialogue import Dialogue, Exchange
from zeekpop3.session.events import Rows
from zeekpop3.session.protocol import MESSAGE_COMMANDS, declared_octets, is_multiline, parse_status, to_text

_OCTETS_REPLY = re.compile(rb"\+OK\b.*\b\d+ (?:octets|bytes)\b", re.IGNORECASE)
_FIELD_LINE = re.compile(rb"[!-9;-~]{1,76} ?:")


class PlainReader:
    """Reads `request`, `reply`, `data`, `header`, `end` and `gap` rows; hands exchanges to the dialogue."""

    def __init__(self, dialogue: Dialogue, max_message: int) -> None:
        self.dialogue = dialogue
        self.max_message = max_message
        self.exchange: Exchange | None = None
        self.lines: list[bytes] = []
        self.marks: list[tuple[int, bytes]] = []
        self.marked = False
        self.end_seen = False
        self.gaps: list[tuple[int, int]] = []  # (lines before it, bytes missing)
        self.lost_rows = 0
        self.held = 0
        self.over = 0
        self.adrift = False

    # -- rows ------------------------------------------------------------------------------------------

    def receive(self, rows: Rows, start: int, stop: int, control: Sequence[int]) -> None:
        """Take a run of rows that are the plain form's own; `control` are those of them that are no lines."""
        kinds, data, commands, stamps = rows.kind, rows.data, rows.command, rows.ts
        sizes = list(map(len, data[start:stop]))
        # Nearly always: no field is cut, and all would fit even if it were one message.
        fits = self.held + sum(sizes) + 2 * len(sizes) <= self.max_message
        as_is = fits and not any(map(gt, rows.length[start:stop], sizes))
        lines, before = self.lines, len(self.lines)
        for index in control:
            if start < index:
                if as_is:
                    lines += data[start:index]
                else:
                    self._take_lines(data[start:index], rows.length[start:index])
            start = index + 1
            kind = kinds[index]
            if kind == "header":
                self.marked = True
                name = (commands[index] or "").encode("utf-8", "surrogateescape")
                self.marks.append((len(lines), name))
            elif kind == "end":
                self.end_seen = True
            elif kind == "request":
                self._close()
                self._request(commands[index], data[index], stamps[index])
            elif kind == "reply":
                if self.exchange is None or self.exchange.status is not None:
                    self._close()
                self._reply(commands[index], data[index], stamps[index])
            elif kind == "gap":
                if commands[index] != "client":
                    self.gaps.append((len(lines), rows.length[index]))
            elif kind == "unexpected":
                self._unexpected(commands[index], stamps[index])
            if lines is not self.lines:
                lines, before = self.lines, 0
        if not as_is:
            self._take_lines(data[start:stop], rows.length[start:stop])
            return
        lines += data[start:stop]
        self.held += sum(map(len, lines[before:])) + 2 * (len(lines) - before)

    def _take_lines(self, new: Sequence[bytes], lengths: Sequence[int]) -> None:
        lines = self.lines
        for line, length in zip(new, lengths, strict=True):
            if self.held <= self.max_message:
                lines.append(line)
                self.held += len(line) + 2
            else:
                self.over += len(line) + 2
            if len(line) < length:
                self.gaps.append((len(lines), length - len(line)))

    def lose_rows(self, count: int) -> None:
        """Rows of the log are missing here (a hole in `seq`)."""
        self.lost_rows += count

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
        if exchange is None and lines and (self.marked or self.end_seen):
            exchange = Exchange("RETR", None, 0, None, defects=["request_missing"])
        if exchange is not None:
            if lines or is_multiline(exchange.command, exchange.argument, exchange.status):
                self._fill(exchange, last)
            elif exchange.status is None and not last and exchange.command == "STLS":
                exchange.status = "OK"
            self.dialogue.add(exchange)
        self.exchange = None
        self.lines, self.marks, self.gaps = [], [], []
        self.marked = self.end_seen = False
        self.lost_rows = self.held = self.over = 0

    def _fill(self, exchange: Exchange, last: bool) -> None:
        lines = self.lines
        exchange.lines = len(lines)
        exchange.missing = sum(length for _, length in self.gaps) + self.over
        if self.over:
            exchange.defects.append("message_too_large")
        if self.lost_rows:
            exchange.defects.append("rows_missing")
            exchange.missing = max(exchange.missing, 1)
        if exchange.command not in MESSAGE_COMMANDS:
            exchange.body = _join(lines)
            exchange.wire_octets = sum(map(len, lines)) + 2 * len(lines)
            return
        if self.adrift or (self.gaps and self._splice(exchange)):
            # A terminator was lost: Zeek is one response late from here on, and names the wrong mail.
            if not self.adrift:
                self.adrift = True
            else:
                exchange.argument = None
            exchange.defects.append("desynchronized")
            exchange.missing = max(exchange.missing, 1)
            lines = self.lines
        exchange.wire_octets = sum(map(len, lines)) + 2 * len(lines)
        unstuffed = (
            [line[1:] if line.startswith(b"..") else line for line in lines]
            if b"\n.." in b"\n".join([b"", *lines])
            else lines
        )
        marks = [mark for mark in self.marks if mark[0] <= len(lines)] if self.marked else None
        exchange.body, defects = refold(unstuffed, marks)
        exchange.defects += defects
        exchange.ended = self._ended(exchange, last)

    def _splice(self, exchange: Exchange) -> bool:
        """After a loss: does a reply to RETR stand among the lines? Then cut them there."""
        first = self.gaps[0][0]
        for index in range(max(first - 1, 0), len(self.lines)):
            if self.lines[index].startswith(b"+OK") and (
                _OCTETS_REPLY.match(self.lines[index]) or self._looks_like_mail(index + 1)
            ):
                del self.lines[index:]
                return True
        octets = declared_octets(exchange.message)
        return octets is not None and sum(map(len, self.lines)) > octets

    def _looks_like_mail(self, index: int) -> bool:
        parsed = parse_status(self.lines[index - 1])
        return parsed is not None and any(
            _FIELD_LINE.match(line) is not None for line in self.lines[index : index + 1]
        )

    def _ended(self, exchange: Exchange, last: bool) -> bool:
        if not last:
            return True  # Zeek takes the next command only after the terminator
        if not self.end_seen:
            return False
        octets = declared_octets(exchange.message)
        return octets is not None and exchange.wire_octets == octets


def _join(lines: list[bytes]) -> bytes:
    return b"\r\n".join(lines) + b"\r\n" if lines else b""
