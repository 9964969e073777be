"""The event log rows of packets, in both forms, without a Zeek: reassembly, gaps, and what the package
writes of it.

A row is what design and package agreed on; the tests of the session machine and of the pipeline feed on
these where no Zeek is, or where a property test wants hundreds of sessions.
"""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import NamedTuple

from support.traffic.pcap import ACK, FIN, SYN, Flow, Packet
from support.traffic.sent import NUMBERED, SentLines, clean_name, public_argument, user_of_response
from support.traffic.zeek import Lines, Pop3
from zeekpop3.session.events import ConnId, Rows

MAX_HOLD = 1_000_000  # microseconds
UNSET = -1
_CLIENT_RECORD = re.compile(rb"\x16\x03[\0-\4]")


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


class Tap(ABC):
    """Packets of one connection in, rows out: what both forms share. `partial`: the capture does not have its
    beginning; streams then begin with their first byte in it."""

    def __init__(self, partial: bool = False) -> None:
        self.rows: list[Row] = []
        self.now = 0
        self.partial = partial
        self._starts: list[int | None] = [None, None]
        self._client = _Side(self.client_data, lambda at, n: self.gap("client", at, n))
        self._server = _Side(self.server_data, lambda at, n: self.gap("server", at, n))

    def packet(self, packet: Packet) -> None:
        self.now = packet.ts
        self.tick()
        if self.partial:
            packet = self._from_the_start(packet)
        side, peer = (self._client, self._server) if packet.from_client else (self._server, self._client)
        if packet.flags & ACK:
            peer.acknowledged(packet.ack - 1)
        if packet.payload:
            side.data(packet.offset, packet.payload)
        if packet.flags & FIN:
            side.fin = packet.offset + len(packet.payload)

    def _from_the_start(self, packet: Packet) -> Packet:
        mine, starts = int(not packet.from_client), self._starts
        if starts[mine] is None:
            starts[mine] = packet.seq - 1
        if starts[1 - mine] is None and packet.flags & ACK:
            starts[1 - mine] = packet.ack - 1
        return packet._replace(
            seq=packet.seq - (starts[mine] or 0),
            ack=packet.ack - (starts[1 - mine] or 0) if packet.flags & ACK else 0,
        )

    def close(self) -> list[Row]:
        """The capture or the connection has ended."""
        self.end(self._client.fin is not None, self._server.fin is not None)
        if self.rows:
            history = b"DadFf" if self.partial else b"ShADadFf"
            self.rows.append(Row(self.now, "close", data=history, length=len(history)))
        return self.rows

    def write(self, row: Row) -> None:
        self.rows.append(row)

    def tick(self) -> None:  # noqa: B027
        """A second has passed; only the exact form has something to do."""

    @abstractmethod
    def client_data(self, offset: int, data: bytes) -> None: ...

    @abstractmethod
    def server_data(self, offset: int, data: bytes) -> None: ...

    @abstractmethod
    def gap(self, side: str, offset: int, length: int) -> None: ...

    @abstractmethod
    def end(self, client_fin: bool, server_fin: bool) -> None: ...


class ExactTap(Tap):
    """The exact form. Server bytes are held up to `row_bytes` or a second; they are written as well before a
    `sent` row if `flush_before_sent`, and whenever `rng` likes: positions make the order free."""

    def __init__(
        self, row_bytes: int, flush_before_sent: bool, rng: random.Random | None, partial: bool = False
    ) -> None:
        super().__init__(partial)
        self._row_bytes, self._before_sent, self._rng = row_bytes, flush_before_sent, rng
        self._lines = SentLines(self._sent_line)
        self._kept: list[Row] = []
        self._tls = False
        self._hello = b""
        self._buffer, self._buffer_at, self._since = b"", 0, 0
        self._sent: Row | None = None
        self._count = 0

    def write(self, row: Row) -> None:
        if self._lines.confirmed:
            self.rows += self._kept
            self._kept = []
            self.rows.append(row)
        else:
            self._kept.append(row)

    def tick(self) -> None:
        since = self._sent.ts if self._sent else self._since
        if self._lines.confirmed and self.now - since >= MAX_HOLD:
            self._flush_sent()
            self._flush()

    def client_data(self, offset: int, data: bytes) -> None:
        if self._tls:
            return
        lines = self._lines
        if self._hello or (lines.stls_accepted and lines.between_lines and data[:1] == b"\x16"):
            self._hello += data
        else:
            lines.client(data)

    def server_data(self, offset: int, data: bytes) -> None:
        if self._tls or self._turns_to_tls(data):
            return
        self._flush_sent()
        if not self._buffer:
            self._buffer_at, self._since = offset, self.now
        self._buffer += data
        self._lines.server(data)
        if len(self._buffer) >= self._row_bytes or (self._rng is not None and self._rng.random() < 0.3):
            self._flush()

    def gap(self, side: str, offset: int, length: int) -> None:
        if self._tls:
            return
        self._flush_sent()
        self._flush()
        self.write(Row(self.now, "gap", side, offset, length))
        if side == "client":
            self._hello = b""
            self._lines.client_gap()
        else:
            self._lines.server_gap(length)

    def end(self, client_fin: bool, server_fin: bool) -> None:
        self._flush_sent()
        self._flush()
        if _CLIENT_RECORD.match(self._hello):
            self.write(Row(self.now, "starttls"))
        if not self._lines.confirmed and self._may_hide_mail:
            self._kept = []
            self.rows.append(Row(self.now, "unexpected", "not_understood", self._lines.server_next))

    @property
    def _may_hide_mail(self) -> bool:
        return self._client.at > 0 or self._lines.server_next > 512 or self.partial

    def _turns_to_tls(self, data: bytes) -> bool:
        hello, self._hello = self._hello, b""
        if _CLIENT_RECORD.match(hello) and data[0] in range(0x14, 0x18):
            self._lines.answered = self._lines.answered or self._lines.commanded
            self._flush_sent()
            self._flush()
            self.write(Row(self.now, "starttls"))
            self._tls = True
        elif hello:
            self._lines.client(hello)
        return self._tls

    def _sent_line(self, verb: str | None, data: bytes, offset: int) -> None:
        row = Row(self.now, "sent", verb, offset, len(data) or UNSET, data)
        if self._sent and not data and self._sent._replace(ts=row.ts) == row:
            self._count += 1
            return
        self._flush_sent()
        if self._before_sent:
            self._flush()
        self._sent, self._count = row, 1

    def _flush_sent(self) -> None:
        row, self._sent = self._sent, None
        if row is not None:
            self.write(row._replace(length=self._count) if self._count > 1 else row)

    def _flush(self) -> None:
        if self._buffer:
            self.write(Row(self._since, "contents", None, self._buffer_at, len(self._buffer), self._buffer))
            self._buffer = b""


class PlainTap(Tap):
    """The plain form: what Zeek's analyzer says, its lines gathered."""

    def __init__(self, row_bytes: int) -> None:
        super().__init__()
        self._row_bytes = row_bytes
        self._lines = (Lines(), Lines())
        self._pop3 = Pop3(self._event)
        self._gathered: list[bytes] = []
        self._memory, self._since = 0, 0
        self._user, self._named = b"", b""
        self._naming = self._asked = self._done = self._initial = False
        self._client_lost = self._server_lost = self._cut = False

    def client_data(self, offset: int, data: bytes) -> None:
        for line in self._lines[0].feed(data):
            self._pop3.client_line(line)

    def server_data(self, offset: int, data: bytes) -> None:
        for line in self._lines[1].feed(data):
            self._pop3.server_line(line)

    def gap(self, side: str, offset: int, length: int) -> None:
        if not self.rows and not self._gathered:
            return  # the package has not met the connection yet
        if side == "client":
            self._client_lost = self._cut = True
        else:
            self._server_lost = self._server_lost or not self._done
        self._flush()
        self.write(Row(self.now, "gap", side, offset, length))

    def end(self, client_fin: bool, server_fin: bool) -> None:
        if client_fin:
            for line in self._lines[0].end():
                self._pop3.client_line(line)
        if server_fin:
            for line in self._lines[1].end():
                self._pop3.server_line(line)
        self._pop3.end()
        self._flush()

    def _event(self, kind: str, command: str | None, data: bytes) -> None:
        if kind in ("data", "header"):
            self._gather(data if kind == "data" else b"\0" + (command or "").encode("latin-1"))
            return
        if kind == "login":  # the script draws its own conclusions
            if command == "success" and self._initial and data != self._user:
                self._user = b""
            return
        self._flush()
        if kind == "request":
            data = self._request(command or "", data)
        elif kind == "reply":
            self._reply(command == "OK")
        elif data.startswith(b"unknown AUTH method "):
            mechanism = public_argument("AUTH", data.split()[2:4])
            data = (b"unknown AUTH method " + mechanism).rstrip()
        self.write(Row(self.now, kind, command, UNSET, len(data) or UNSET, data))

    def _request(self, command: str, argument: bytes) -> bytes:
        words = [command.encode(), *argument.split()]
        doubtful = self._cut or (self._client_lost and not (self._done and command in NUMBERED))
        self._cut = False
        if command == "USER":
            self._done, self._user, self._naming = False, b"", True
            self._named = clean_name(words[1]) if len(words) == 2 else b""
        elif command in ("PASS", "APOP") or (command == "AUTH" and argument):
            self._done, self._asked, self._initial = False, True, False
            if command == "APOP":
                self._user = clean_name(words[1]) if len(words) == 3 else b""
            elif command == "AUTH":
                mechanism = words[1].upper().decode("latin-1")
                seen = len(words) == 3 and mechanism not in ("LOGIN", "CRAM-MD5")
                self._user = user_of_response(mechanism, words[2]) if seen else b""
                self._initial = mechanism == "PLAIN"
        return b"" if doubtful else public_argument(command, words)

    def _reply(self, ok: bool) -> None:
        if self._naming:
            self._naming, self._user = False, self._named if ok else b""
        if self._asked:
            self._asked, self._done = False, ok
            user = b"" if self._client_lost or self._server_lost else self._user
            outcome = "success" if ok else "failure"
            self.write(Row(self.now, "login", outcome, UNSET, len(user) or UNSET, user))

    def _gather(self, line: bytes) -> None:
        if not self._gathered:
            self._since = self.now
        self._gathered.append(line)
        self._memory += len(line) + 100
        if self._memory >= 4 * self._row_bytes:
            self._flush()

    def _flush(self) -> None:
        if self._gathered:
            data = b"\n".join(self._gathered)
            self.write(Row(self._since, "data", None, UNSET, len(data), data))
            self._gathered, self._memory = [], 0


def of_packets(
    packets: Iterable[Packet],
    *,
    exact: bool,
    ports: Iterable[int] = (110, 995),
    row_bytes: int = 32768,
    flush_before_sent: bool = False,
    rng: random.Random | None = None,
) -> dict[Flow, Rows]:
    """The rows of each connection. One without a captured handshake has none in the plain form, as with Zeek;
    the exact form falls back to the plain one on other `ports`."""
    taps: dict[Flow, Tap] = {}
    for packet in packets:
        tap = taps.get(packet.flow)
        if tap is None:
            partial = not packet.flags & SYN
            if exact and packet.flow.server_p in ports:
                tap = ExactTap(row_bytes, flush_before_sent, rng, partial)
            elif partial:
                continue
            else:
                tap = PlainTap(row_bytes)
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
    columns = (column[start:stop] for column in rows[:7])
    return Rows(*columns, conn_id=rows.conn_id)


def without(rows: Rows, index: int) -> Rows:
    """The rows without one: a hole in `seq`."""
    columns = ([*column[:index], *column[index + 1 :]] for column in rows[:7])
    return Rows(*columns, conn_id=rows.conn_id)
