"""The event log rows of packets, in both forms, without a Zeek: reassembly, gaps, and what the package
writes of it.

A row is what design and package agreed on; the tests of the session machine and of the pipeline feed on
these where no Zeek is, or where a property test wants hundreds of sessions.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from support.traffic.pcap import ACK, FIN, SYN, Flow, Packet
from support.traffic.zeek import VERBS, Lines, Pop3
from zeekpop3.session.events import ConnId, Rows

NUMBERED = ("RETR", "TOP", "LIST", "UIDL", "DELE")
KNOWN = {*VERBS} - {"OK", "ERR"}
LOGGED = {*KNOWN, "LANG", "UTF8", "XOIP", "XTND"}
MECHANISMS = {"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "NTLM", "GSSAPI", "EXTERNAL"}
MAX_HOLD = 1_000_000  # microseconds
UNSET = -1


class Row(NamedTuple):
    ts: int
    kind: str
    command: str | None = None
    offset: int = UNSET
    length: int = UNSET
    data: bytes = b""


class _Side:
    """Puts one direction's bytes in order. A hole is a gap as soon as the other end acknowledges what lies
    beyond."""

    def __init__(self, deliver: Callable[[int, bytes], None], gap: Callable[[int, int], None]) -> None:
        self.at = 0
        self.fin: int | None = None
        self._deliver, self._gap = deliver, gap
        self._held: dict[int, bytes] = {}

    def data(self, offset: int, payload: bytes) -> None:
        if offset + len(payload) <= self.at:
            return
        if len(payload) > len(self._held.get(offset, b"")):
            self._held[offset] = payload
        self._drain()

    def acknowledged(self, upto: int) -> None:
        if self.fin is not None:
            upto = min(upto, self.fin)
        while self.at < upto:
            end = min([*self._held, upto])
            if end > self.at:
                start, self.at = self.at, end
                self._gap(start, end - start)
            self._drain()

    def _drain(self) -> None:
        while self._held:
            offset = min(self._held)
            if offset > self.at:
                return
            piece = self._held.pop(offset)[self.at - offset :]
            if piece:
                start, self.at = self.at, self.at + len(piece)
                self._deliver(start, piece)


class _Login:
    """What the package remembers of a login, so that the user's name is logged and no secret is."""

    def __init__(self) -> None:
        self.mechanism, self.user = "", b""
        self.named = self.doubtful = self.asked = self.done = False

    def command(self, verb: str, argument: bytes) -> None:
        words = argument.split()
        self.asked = verb in ("PASS", "APOP") or (verb == "AUTH" and bool(words))
        if verb in ("USER", "APOP", "AUTH"):
            self.mechanism = words[0].upper().decode("latin-1") if words and verb == "AUTH" else ""
            self.named = len(words) > 1 if verb == "AUTH" else verb == "APOP" and len(words) == 1
            self.user = _user_of(self.mechanism, words[1]) if verb == "AUTH" and self.named else b""
        elif verb in ("STAT", "LIST", "RETR", "DELE", "NOOP", "RSET", "LAST", "TOP", "UIDL"):
            self.done = True

    def reply(self, status: str | None) -> None:
        self.done = self.done or (self.asked and status == "OK")
        self.asked = False

    def gap(self, client: bool) -> None:
        if not self.done and (client or self.mechanism):
            self.doubtful = True

    def public(self, verb: str, argument: bytes) -> bytes:
        """What of a command's argument is logged."""
        words = argument.split()
        if verb == "PASS" or not words or (self.doubtful and not self.done):
            return b""
        if verb == "APOP":
            return words[0] if len(words) > 1 else b""
        if verb == "AUTH":
            known = self.mechanism in MECHANISMS
            return b" ".join([self.mechanism.encode(), self.user]).strip() if known else b""
        return argument

    def name(self, user: bytes) -> bytes:
        return b"" if self.doubtful else self.user if self.named else user


def _user_of(mechanism: str, response: bytes) -> bytes:
    try:
        parts = base64.b64decode(response, validate=True).split(b"\0")
    except ValueError:
        return b""
    if mechanism == "PLAIN" and len(parts) == 3:
        return parts[1]
    return parts[0] if mechanism == "LOGIN" and len(parts) == 1 else b""


class Tap:
    """Packets of one connection in, rows out.

    `exact` chooses the form. In the exact form server bytes are held up to `row_bytes` or a second; they
    are written as well before a `sent` row if `flush_before_sent`, and whenever `rng` likes: positions make
    the order free. Requests and replies are not written in it, but for names (USER, APOP, AUTH), unless
    `all_control`.
    """

    def __init__(
        self,
        *,
        exact: bool,
        row_bytes: int = 32768,
        flush_before_sent: bool = False,
        all_control: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self.exact = exact
        self._row_bytes, self._before_sent, self._rng = row_bytes, flush_before_sent, rng
        self._all_control = all_control
        self._now = 0
        self._begun, self._asked, self._confirmed = False, False, not exact
        self._released = False  # the analyzer is taken off after the login
        self._server_next = 0
        self._kept: list[Row] = []
        self._buffer, self._buffer_at, self._since = b"", 0, 0
        self._line, self._challenge, self._sasl, self._challenged = b"", b"", False, False
        self._lines = (Lines(), Lines())
        self._login = _Login()
        self._pop3 = Pop3(self._event)
        self._client = _Side(self._client_data, lambda at, n: self._gap("client", at, n))
        self._server = _Side(self._server_data, lambda at, n: self._gap("server", at, n))

    def packet(self, packet: Packet) -> None:
        self._now = packet.ts
        if self._confirmed and self._now - self._since >= MAX_HOLD:
            self._flush()
        side, peer = (self._client, self._server) if packet.from_client else (self._server, self._client)
        if packet.flags & ACK:
            peer.acknowledged(packet.ack - 1)
        if packet.payload:
            side.data(packet.offset, packet.payload)
        if packet.flags & FIN:
            side.fin = packet.offset + len(packet.payload)

    def close(self) -> list[Row]:
        """The capture or the connection has ended."""
        if self._client.fin is not None:
            for line in self._lines[0].end():
                self._pop3.client_line(line)
        if self._server.fin is not None:
            for line in self._lines[1].end():
                self._pop3.server_line(line)
        self._pop3.end()
        self._flush()
        if self._confirmed:
            self._write(Row(self._now, "close", data=b"ShADadFf", length=8))
        return self.rows

    def _write(self, row: Row) -> None:
        (self.rows if self._confirmed else self._kept).append(row)

    def _confirm(self) -> None:
        if not self._confirmed:
            self._confirmed = True
            self.rows.extend(self._kept)
            self._kept = []

    def _flush(self) -> None:
        if self._buffer:
            self._write(Row(self._since, "contents", None, self._buffer_at, len(self._buffer), self._buffer))
            self._buffer = b""

    def _event(self, kind: str, command: str | None, data: bytes) -> None:
        if self._released and not self._all_control:
            return
        hidden, self._begun = False, True
        if kind == "request":
            self._asked = True
            self._login.command(command or "", data)
            data = self._login.public(command or "", data)
            hidden = not data or (command in NUMBERED and re.fullmatch(rb"\d+( \d+)?", data) is not None)
        elif kind == "reply":
            hidden = True
            self._login.reply(command)
            if self._asked:
                self._confirm()
            self._released = self.exact and self._confirmed and self._login.done
        elif kind == "unexpected":
            self._asked = self._asked or command in KNOWN
            if data.startswith(b"unknown AUTH method "):
                data = b"unknown AUTH method " + self._login.public("AUTH", data[20:]).split(b" ")[0]
                data = data.rstrip()
        elif kind == "login":
            data = self._login.name(data)
            self._login.done = self._login.done or command == "success"
        elif kind == "starttls":
            self._confirm()
            self._flush()
        elif kind in ("data", "header", "end") and self.exact:
            return
        if hidden and self.exact and not self._all_control:
            return
        self._write(
            Row(self._now, kind, command, UNSET, len(data) if data or kind == "data" else UNSET, data)
        )

    def _gap(self, side: str, offset: int, length: int) -> None:
        if not self._begun:
            return  # the package has not met the connection yet
        if side == "server":
            self._server_next = offset + length
        self._login.gap(side == "client")
        if side == "server":
            self._flush()
            self._challenge = b""
        else:
            self._line = b""
        self._sasl = self._challenged = False
        if not (self.exact and self._pop3.tls):
            self._write(Row(self._now, "gap", side, offset, length))

    def _client_data(self, offset: int, data: bytes) -> None:
        self._begun = self._begun or self.exact
        if self.exact and not self._pop3.tls:
            *lines, self._line = (self._line + data).split(b"\n")
            for line in lines:
                self._sent(line)
        for line in self._lines[0].feed(data):
            self._pop3.client_line(line)

    def _sent(self, line: bytes) -> None:
        if self._challenged:
            self._challenged = False
            return
        words = line.split()
        verb = words[0].upper().decode("latin-1") if words else ""
        if verb not in LOGGED:
            return
        if self._before_sent:
            self._flush()
        numbers = b" ".join(words[1:]) if verb in NUMBERED else b""
        if not re.fullmatch(rb"\d+ \d+|\d+" if verb == "TOP" else rb"\d+", numbers):
            numbers = b""
        self._sasl, self._challenge = verb == "AUTH" and len(words) > 1, b""
        length = len(numbers) if numbers else UNSET
        self._write(Row(self._now, "sent", verb, self._server_next, length, numbers))

    def _server_data(self, offset: int, data: bytes) -> None:
        self._begun = self._begun or self.exact
        if offset > self._server_next and self.exact and not self._pop3.tls:
            self._gap("server", self._server_next, offset - self._server_next)
        self._server_next = offset + len(data)
        if self.exact and not self._pop3.tls:
            if not self._buffer:
                self._buffer_at, self._since = offset, self._now
            self._buffer += data
            if len(self._buffer) >= self._row_bytes or (self._rng is not None and self._rng.random() < 0.3):
                self._flush()
            if self._sasl:
                self._watch_challenge(data)
        for line in self._lines[1].feed(data):
            self._pop3.server_line(line)

    def _watch_challenge(self, data: bytes) -> None:
        *lines, self._challenge = (self._challenge + data).split(b"\n")
        for line in lines:
            if line.startswith((b"+OK", b"-ERR")):
                self._sasl = self._challenged = False
            elif line.startswith(b"+"):
                self._challenged = True


def of_packets(
    packets: Iterable[Packet],
    *,
    exact: bool,
    ports: Iterable[int] = (110,),
    row_bytes: int = 32768,
    flush_before_sent: bool = False,
    all_control: bool = False,
    rng: random.Random | None = None,
) -> dict[Flow, Rows]:
    """The rows of each connection. One without a captured handshake has none, as with Zeek; the exact form
    falls back to the plain one on other `ports`."""
    taps: dict[Flow, Tap] = {}
    for packet in packets:
        tap = taps.get(packet.flow)
        if tap is None:
            if not packet.flags & SYN:
                continue
            tap = Tap(
                exact=exact and packet.flow.server_p in ports,
                row_bytes=row_bytes,
                flush_before_sent=flush_before_sent,
                all_control=all_control,
                rng=rng,
            )
            taps[packet.flow] = tap
        tap.packet(packet)
    made = {flow: tap.close() for flow, tap in taps.items()}
    return {flow: as_rows(rows, flow) for flow, rows in made.items() if rows}


def as_rows(rows: list[Row], flow: Flow) -> Rows:
    """Rows of one connection as the session machine takes them."""
    ts, kind, command, offset, length, data = (list(column) for column in zip(*rows, strict=True))
    return Rows(ts, list(range(len(rows))), kind, command, offset, length, data, ConnId(*flow.key))


def part(rows: Rows, start: int, stop: int | None = None) -> Rows:
    """Some of the rows, as where a log is split or was begun late."""
    columns = (column[start:stop] for column in rows[:-1])
    return Rows(*columns, conn_id=rows.conn_id)


def without(rows: Rows, index: int) -> Rows:
    """The rows without one: a hole in `seq`."""
    columns = ([*column[:index], *column[index + 1 :]] for column in rows[:-1])
    return Rows(*columns, conn_id=rows.conn_id)
