"""The dialogue of one connection: exchanges in; commands, transfers and the session out.

Both forms of the log end here. The reader of a form has already found where each response starts and ends,
and how much of it is missing. The mailbox is what LIST and UIDL said of it (RFC 1939, sections 5 and 7).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zeekpop3.defects import Defect
from zeekpop3.session.events import Command, ConnId, Event, Exchange, Listed, Session, Transfer
from zeekpop3.session.login import Logins
from zeekpop3.session.protocol import (
    LOGIN_COMMANDS,
    MESSAGE_COMMANDS,
    STAT_MESSAGE,
    TRANSACTION_COMMANDS,
    count_lines,
    declared_octets,
    is_message,
    message_number,
    parse_listing,
    to_text,
)

_MAX_CAPABILITIES = 1 << 16  # bytes
MAX_LISTED = 1_000_000  # sizes, and unique ids, of one connection
_MAX_SAME_SIZE = 100
_MAX_COUNT = 1 << 62  # a column has 64 bits
_MECHANISMS = re.compile(rb"(?:[A-Z0-9_-]{1,20}\r?\n)*+", re.IGNORECASE)  # RFC 4422, section 3.1
_OF_SESSION = frozenset({Defect.REQUEST_MISSING, Defect.RESPONSE_UNSOLICITED})
"""Defects of an exchange that are also defects of the session."""


@dataclass(slots=True)
class Mailbox:
    """Sizes in octets and unique ids by message number. The numbers by size are indexed when first needed.

    `is_full`: a listing had more messages than the limit; of further ones nothing is kept.
    """

    sizes: dict[int, int] = field(default_factory=dict)
    unique_ids: dict[int, str] = field(default_factory=dict)
    is_full: bool = False
    _by_size: dict[int, list[int]] | None = None
    _id_characters: int = 0

    @property
    def held_bytes(self) -> int:
        """About how much memory the listings take, in bytes."""
        return 160 * len(self.sizes) + 200 * len(self.unique_ids) + self._id_characters

    def listing(self) -> list[Listed]:
        """The messages in the order of their numbers."""
        numbers = sorted(self.sizes.keys() | self.unique_ids.keys())
        return [Listed(number, self.sizes.get(number), self.unique_ids.get(number)) for number in numbers]

    def learn(self, lines: list[bytes], unique_ids: bool) -> int:
        """Take the lines of a response to LIST, or to UIDL; return how many name a message."""
        count = 0
        for line in lines:
            found = parse_listing(line)
            if found is None:
                continue
            number, value = found
            count += 1
            known: dict[int, Any] = self.unique_ids if unique_ids else self.sizes
            if len(known) >= MAX_LISTED and number not in known:
                self.is_full = True
            elif unique_ids:
                self._id_characters += len(value) - len(self.unique_ids.get(number, ""))
                self.unique_ids[number] = to_text(value)
            elif value.isdigit():
                self._set_size(number, int(value[:18]))
        return count

    def _set_size(self, number: int, octets: int) -> None:
        if self._by_size is not None and self.sizes.get(number) != octets:
            self._index(number, octets)
        self.sizes[number] = octets

    def numbers_of_size(self, octets: int) -> list[int]:
        """The messages that have this size; at most 100 of them."""
        if self._by_size is None:
            self._by_size = {}
            for number, size in self.sizes.items():
                self._index(number, size)
        return [number for number in self._by_size.get(octets, ()) if self.sizes.get(number) == octets]

    def _index(self, number: int, octets: int) -> None:
        assert self._by_size is not None
        numbers = self._by_size.setdefault(octets, [])
        if len(numbers) < _MAX_SAME_SIZE:
            numbers.append(number)


@dataclass(slots=True)
class Dialogue:
    """Turns the exchanges of one connection, in order, into events; keeps what later ones need to know."""

    session: Session
    logins: Logins
    on_exchange: Callable[[Exchange], None] | None = None
    log: str | None = None  # that is being read
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
        # A log that just ends has no gap row for the rest of the last message.
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
        if command is None and Defect.REQUEST_MISSING in exchange.defects:
            self.logins.unknown_request(exchange)
        if exchange.status == "OK" and command in TRANSACTION_COMMANDS:
            self.logins.transaction()
        if command in MESSAGE_COMMANDS:
            if exchange.status == "OK" or (exchange.status is None and (exchange.body or exchange.missing)):
                self._transfer(command, message_number(exchange.argument), exchange)
            return
        if command is not None:
            self._learn(command, exchange)
        if exchange.body is not None and is_message(exchange.body):
            # Whatever the client said: no message is hidden in the answer to another command.
            exchange.defects.append(Defect.NUMBER_DOUBTFUL)
            self._transfer("RETR", None, exchange)
        elif exchange.body and not self._keeps(command, exchange.body):
            session.add_defect(Defect.LINES_NOT_KEPT)

    @staticmethod
    def _keeps(command: str | None, body: bytes) -> bool:
        """Whether the lines of a response stand in a table, or have a form that leaves no room for text."""
        if command in ("LIST", "UIDL"):
            return all(map(parse_listing, body.splitlines()))
        return command == "CAPA" or (command == "AUTH" and _MECHANISMS.fullmatch(body) is not None)

    def _transfer(self, command: str, msg_num: int | None, exchange: Exchange) -> None:
        session = self.session
        self.trans_depth += 1
        session.retrieved += command == "RETR"
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
                missing_bytes=min(exchange.missing, _MAX_COUNT) if exchange.missing >= 0 else None,
                raw=exchange.body or b"",
                defects=defects,
                authenticated_as=session.authenticated_as if known else None,
                log=self.log,
                stream_start=exchange.stream_start,
                stream_end=exchange.stream_end,
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
