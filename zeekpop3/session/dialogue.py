"""The dialogue of one connection: exchanges in; commands, transfers and the session out.

Both forms of the log end here. The reader of a form has already found where each response starts and ends,
and how much of it is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zeekpop3.defects import Defect
from zeekpop3.session.events import Command, ConnId, Event, Exchange, Session, Transfer
from zeekpop3.session.login import Logins
from zeekpop3.session.mailbox import Mailbox
from zeekpop3.session.protocol import (
    LOGIN_COMMANDS,
    MESSAGE_COMMANDS,
    STAT_MESSAGE,
    TRANSACTION_COMMANDS,
    count_lines,
    declared_octets,
    message_number,
    to_text,
)

_MAX_CAPABILITIES = 1 << 16  # bytes
_MAX_COUNT = 1 << 62  # a column has 64 bits
_OF_SESSION = frozenset({Defect.REQUEST_MISSING, Defect.RESPONSE_UNSOLICITED})
"""Defects of an exchange that are also defects of the session."""


@dataclass(slots=True)
class Dialogue:
    """Turns the exchanges of one connection, in order, into events; keeps what later ones need to know."""

    session: Session
    logins: Logins
    on_exchange: Callable[[Exchange], None] | None = None
    mailbox: Mailbox = field(default_factory=Mailbox)
    out: list[Event] = field(default_factory=list)
    standing: list[Defect] = field(default_factory=list)  # of the session, and of each mail from now on
    lacking: int = 0  # bytes that the messages lack
    trans_depth: int = 0
    last_number: int | None = None
    expects_greeting: bool = True

    @property
    def conn_id(self) -> ConnId | None:
        return self.session.conn_id

    def greeting(self, status: str, message: str) -> None:
        """The server's first line (RFC 1939, section 4)."""
        self.expects_greeting = False
        self.session.greeting = message
        if status == "ERR":
            self.session.errors += 1
        if self.on_exchange is not None:
            self.on_exchange(Exchange(None, None, 0, status, message))

    def stand(self, defect: Defect) -> None:
        """Note a defect of the session that touches each mail from now on."""
        self.session.add_defect(defect)
        if defect not in self.standing:
            self.standing.append(defect)

    def lose(self, count: int) -> None:
        """Bytes of either side are missing."""
        self.session.missing_bytes = min(self.session.missing_bytes + max(count, 0), _MAX_COUNT)

    def finish(self) -> None:
        """The connection is over."""
        # What a log that just ends lacks of the last message is no gap.
        session = self.session
        session.missing_bytes = min(max(session.missing_bytes, self.lacking), _MAX_COUNT)
        if Defect.STREAM_AMBIGUOUS in self.standing:
            session.user = session.authenticated_as = None
        if session.listed is not None:
            session.listing = self.mailbox.listing()

    def add(self, exchange: Exchange) -> None:
        """Take the next exchange: a command, perhaps a transfer, and what they say of the session."""
        session, command = self.session, exchange.command
        if self.on_exchange is not None:
            self.on_exchange(exchange)
        lines = exchange.lines
        if exchange.body is not None and lines is None:
            lines = count_lines(exchange.body)
        self.out.append(
            Command(
                session.uid,
                session.commands,
                exchange.ts,
                command,
                exchange.argument,
                exchange.status,
                exchange.message,
                lines,
                exchange.wire_octets,
                exchange.reply_ts,
            )
        )
        session.commands += 1
        session.unknown += command is None
        session.errors += exchange.status == "ERR"
        if exchange.defects:
            for defect in _OF_SESSION.intersection(exchange.defects):
                session.add_defect(defect)
        if command is None:
            if Defect.REQUEST_MISSING in exchange.defects:
                self.logins.unknown_request(exchange)
            return
        if exchange.status == "OK" and command in TRANSACTION_COMMANDS:
            self.logins.transaction()
        if command not in MESSAGE_COMMANDS:
            self._learn(command, exchange)
        elif exchange.status == "OK" or (exchange.status is None and (exchange.body or exchange.missing)):
            self._transfer(command, exchange)

    def _transfer(self, command: str, exchange: Exchange) -> None:
        session = self.session
        self.trans_depth += 1
        session.retrieved += command == "RETR"
        msg_num = message_number(exchange.argument)
        octets = declared_octets(exchange.message) if command == "RETR" else None
        unique_id = None
        if msg_num is not None:
            self.last_number = msg_num
            unique_id = self.mailbox.unique_ids.get(msg_num)
            if octets is None:
                octets = self.mailbox.sizes.get(msg_num)
        self.lacking += max(exchange.missing, 0)
        defects = exchange.defects
        if defects or self.standing or exchange.doubtful:
            doubt = [Defect.NUMBER_DOUBTFUL] if exchange.doubtful else []
            defects = list(dict.fromkeys([*defects, *doubt, *self.standing]))
        known = not exchange.doubtful and Defect.STREAM_AMBIGUOUS not in self.standing
        self.out.append(
            Transfer(
                uid=session.uid,
                ts=exchange.ts,
                conn_id=session.conn_id,
                user=session.user if known else None,
                trans_depth=self.trans_depth,
                command=command,
                msg_num=msg_num,
                uidl=unique_id,
                octets_declared=octets,
                fidelity=session.fidelity,
                complete=exchange.ended and exchange.missing == 0 and exchange.status == "OK",
                missing_bytes=exchange.missing if exchange.missing >= 0 else None,
                raw=exchange.body or b"",
                defects=defects,
                authenticated_as=session.authenticated_as if known else None,
            )
        )

    def _learn(self, command: str, exchange: Exchange) -> None:
        session, ok = self.session, exchange.status == "OK"
        message = exchange.message or ""
        if command in LOGIN_COMMANDS:
            self.logins.exchange(exchange)
        elif command == "QUIT":
            session.quit = True
        elif not ok:
            return
        elif command == "DELE":
            session.deleted += 1
        elif command == "RSET":
            session.deleted = 0
        elif command == "STAT":
            if found := STAT_MESSAGE.match(message):
                session.stat_messages, session.stat_octets = int(found[1]), int(found[2])
        elif command in ("LIST", "UIDL"):
            if exchange.body is None:  # of one message: the status line names it
                self.mailbox.learn([message.encode()], command == "UIDL")
            else:
                session.listed = self.mailbox.learn(exchange.body.splitlines(), command == "UIDL")
            if self.mailbox.is_full:
                session.add_defect(Defect.MESSAGE_TOO_LARGE)
        elif command == "CAPA" and exchange.body is not None:
            if len(exchange.body) > _MAX_CAPABILITIES:
                session.add_defect(Defect.MESSAGE_TOO_LARGE)
            lines = exchange.body[:_MAX_CAPABILITIES].splitlines()
            session.capabilities = [to_text(line).strip() for line in lines if line.strip()]
            session.starttls_offered = any(line.upper() == "STLS" for line in session.capabilities)
