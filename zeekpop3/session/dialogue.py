"""What was said in a connection, put together: exchanges in, commands, transfers and the session out.

Both forms of the log end here. An exchange is a request and its response; whoever reads the form has already
found where the response starts and ends, and how much of it is missing.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from zeekpop3.session.events import Command, Session, Transfer
from zeekpop3.session.protocol import (
    MESSAGE_COMMANDS,
    count_lines,
    declared_octets,
    parse_listing,
    to_text,
)
from zeekpop3.session.rows import ConnId

Event = Transfer | Command | Session

_STAT: Final = re.compile(r"\s*(\d{1,18})\s+(\d{1,18})")
_NUMBER: Final = re.compile(r"\s*\+?(\d{1,10})(?:\s|$)")


class Exchange:
    """A request and its response. `body` is what the lines of a multi-line response hold, unstuffed, CRLF.

    `ended` is True if the response's end was seen; `missing` counts the bytes that the body lacks;
    -1: it lacks some, nobody knows how many.
    """

    __slots__ = (
        "argument", "body", "command", "defects", "ended", "lines", "message", "missing", "reply_ts",
        "status", "ts", "wire_octets",
    )  # fmt: skip

    def __init__(
        self,
        command: str | None,
        argument: str | None,
        ts: int,
        status: str | None = None,
        message: str | None = None,
        reply_ts: int | None = None,
    ) -> None:
        self.command = command
        self.argument = argument
        self.ts = ts
        self.status = status
        self.message = message
        self.reply_ts = reply_ts
        self.body: bytes | None = None
        self.ended = True
        self.missing = 0
        self.wire_octets: int | None = None
        self.lines: int | None = None
        self.defects: list[str] = []

    def __reduce__(self) -> tuple[Any, ...]:
        said = (self.command, self.argument, self.ts, self.status, self.message, self.reply_ts)
        read = (self.body, self.ended, self.missing, self.wire_octets, self.lines, self.defects)
        return Exchange, said, read

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.body, self.ended, self.missing, self.wire_octets, self.lines, self.defects = state


class Dialogue:
    """Turns the exchanges of one connection, in order, into events; keeps what later ones need to know."""

    def __init__(self, uid: str, fidelity: str, heard: Callable[[Exchange], None] | None = None) -> None:
        self.uid = uid
        self.heard = heard
        self.session = Session(uid=uid, ts=0, conn_id=None, fidelity=fidelity)
        self.sizes: dict[int, int] = {}
        self.unique_ids: dict[int, str] = {}
        self.out: list[Event] = []
        self.user_typed: str | None = None
        self.trans_depth = 0
        self.last_number: int | None = None
        self.arguments: dict[str, deque[str]] = {}
        self._greeted = False
        self._failures_told = 0
        self._failures_seen = 0

    def __reduce__(self) -> tuple[Any, ...]:
        state = (
            self.session, self.sizes, self.unique_ids, self.out, self.user_typed, self.trans_depth,
            self.last_number, self.arguments, self._greeted, self._failures_told, self._failures_seen,
        )  # fmt: skip
        return Dialogue, (self.uid, self.session.fidelity, self.heard), state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        (
            self.session, self.sizes, self.unique_ids, self.out, self.user_typed, self.trans_depth,
            self.last_number, self.arguments, self._greeted, self._failures_told, self._failures_seen,
        ) = state  # fmt: skip

    @property
    def conn_id(self) -> ConnId | None:
        return self.session.conn_id

    def greeting(self, status: str, message: str) -> None:
        """The server's first line (RFC 1939, section 4)."""
        self._greeted = True
        self.session.greeting = message
        if status == "ERR":
            self.session.errors += 1
        if self.heard is not None:
            self.heard(Exchange(None, None, 0, status, message))

    @property
    def expects_greeting(self) -> bool:
        return not self._greeted

    def no_greeting(self) -> None:
        """The connection's beginning was not seen: what comes is no greeting."""
        self._greeted = True

    def note_argument(self, command: str, argument: str) -> None:
        """An argument that the event log gives apart from the command (exact form: `request` rows)."""
        self.arguments.setdefault(command, deque(maxlen=1000)).append(argument)
        self.note_user(command, argument)

    def note_user(self, command: str, argument: str) -> None:
        """Remember who wants to log in (RFC 1939, section 7: USER)."""
        if command == "USER":
            self.user_typed = argument or None

    def login(self, result: str, user: str | None) -> None:
        """Zeek's login event: `result` is "success" or "failure"."""
        session = self.session
        if result == "success":
            session.auth_result = "success"
            session.user = user or session.user
        else:
            # Zeek tells of a failure only where it knows the user; the replies tell the others.
            self._failures_told += 1
            session.logins_failed = max(session.logins_failed, self._failures_told)
            session.auth_result = session.auth_result or "failure"
            session.user = session.user or user

    def add(self, exchange: Exchange) -> None:
        """Take the next exchange: a command, perhaps a transfer, and what they say of the session."""
        session = self.session
        command, argument = exchange.command, exchange.argument
        if command is not None and argument is None and command in self.arguments:
            waiting = self.arguments[command]
            argument = exchange.argument = waiting.popleft() if waiting else None
        if self.heard is not None:
            self.heard(exchange)
        lines, octets = exchange.lines, exchange.wire_octets
        if exchange.body is not None and lines is None:
            lines = count_lines(exchange.body)
        seq = session.commands
        session.commands += 1
        if command is None:
            session.unknown += 1
        if exchange.status == "ERR":
            session.errors += 1
        if (
            exchange.defects
            and "request_missing" in exchange.defects
            and "request_missing" not in session.defects
        ):
            session.defects.append("request_missing")
        self.out.append(
            Command(
                self.uid,
                seq,
                exchange.ts,
                command,
                argument,
                exchange.status,
                exchange.message,
                lines,
                octets,
                exchange.reply_ts,
            )
        )
        if command in MESSAGE_COMMANDS:
            if exchange.status == "OK" or (exchange.status is None and exchange.body):
                self._transfer(exchange, command, argument)
        elif command is not None:
            self._learn(command, argument, exchange)

    def _transfer(self, exchange: Exchange, command: str, argument: str | None) -> None:
        session = self.session
        self.trans_depth += 1
        if command == "RETR":
            session.retrieved += 1
        msg_num = _message_number(argument) if argument else None
        if msg_num is not None:
            self.last_number = msg_num
        octets = declared_octets(exchange.message) if command == "RETR" else None
        if octets is None and msg_num is not None:
            octets = self.sizes.get(msg_num)
        if exchange.missing > 0:
            session.missing_bytes += exchange.missing
        self.out.append(
            Transfer(
                self.uid,
                exchange.ts,
                session.conn_id,
                session.user or self.user_typed,
                self.trans_depth,
                command,
                msg_num,
                self.unique_ids.get(msg_num) if msg_num is not None else None,
                octets,
                session.fidelity,
                exchange.ended and exchange.missing == 0 and exchange.status == "OK",
                exchange.missing if exchange.missing >= 0 else None,
                exchange.body or b"",
                exchange.defects,
            )
        )

    def _learn(self, command: str, argument: str | None, exchange: Exchange) -> None:
        session, ok = self.session, exchange.status == "OK"
        if command == "DELE":
            session.deleted += ok
            return
        message = exchange.message or ""
        if command == "USER":
            self.user_typed = argument or self.user_typed
        elif command in ("PASS", "APOP", "AUTH"):
            self._authentication(command, argument, exchange)
        elif command == "QUIT":
            session.quit = True
        elif not ok:
            return
        elif command == "STAT":
            if found := _STAT.match(message):
                session.stat_messages, session.stat_octets = int(found[1]), int(found[2])
        elif command == "LIST":
            session.listed = self._listing(exchange, unique_ids=False)
        elif command == "UIDL":
            session.listed = self._listing(exchange, unique_ids=True)
        elif command == "RSET":
            session.deleted = 0
        elif command == "STLS":
            session.tls = True
        elif command == "CAPA" and exchange.body is not None:
            session.capabilities = [
                to_text(line).strip() for line in exchange.body.splitlines() if line.strip()
            ]

    def _authentication(self, command: str, argument: str | None, exchange: Exchange) -> None:
        session = self.session
        if command == "AUTH" and (not argument or exchange.body is not None):
            if exchange.body is not None or exchange.status != "OK":
                return  # it asked for the mechanisms only
            argument = argument or ""
        words = (argument or "").split()
        mechanism = "USER" if command == "PASS" else command
        if command == "AUTH" and words:
            mechanism = words[0].upper()
        session.auth_mechanism = mechanism
        claimed = self.user_typed if command == "PASS" else words[0] if command == "APOP" and words else None
        if command == "AUTH" and len(words) > 1:
            claimed = words[1]
        if exchange.status == "OK":
            session.auth_result = "success"
            session.user = session.user or claimed
        elif exchange.status == "ERR":
            self._failures_seen += 1
            session.logins_failed = max(session.logins_failed, self._failures_seen)
            session.auth_result = session.auth_result or "failure"

    def _listing(self, exchange: Exchange, unique_ids: bool) -> int | None:
        """Remember what LIST or UIDL told (RFC 1939, sections 5 and 7); how many messages it named."""
        body = exchange.body
        # LIST n, UIDL n: one line, in the status line itself.
        lines = [(exchange.message or "").encode()] if body is None else body.splitlines()
        count = 0
        for line in lines:
            found = parse_listing(line)
            if found is None:
                continue
            number, value = found
            count += 1
            if unique_ids:
                self.unique_ids[number] = to_text(value)
            elif value.isdigit():
                self.sizes[number] = int(value[:18])
        return self.session.listed if body is None else count


def _message_number(argument: str) -> int | None:
    if argument.isdigit() and argument.isascii() and len(argument) <= 10:  # as nearly all are
        return int(argument)
    number = _NUMBER.match(argument)
    return int(number[1]) if number else None
