"""The event log rows of packets, in both forms, without a Zeek: reassembly, gaps, and what the package
writes of it.

A row is what design and package agreed on; the tests of the session machine and of the pipeline feed on
these where no Zeek is, or where a property test wants hundreds of sessions.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from traffic.pcap import ACK, FIN, SYN, Flow, Packet
from traffic.zeek import VERBS, Lines, Pop3
from zeekpop3.session.events import ConnId, Rows

COLUMNS = (
    *("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"),
    *("seq", "kind", "command", "offset", "length", "data"),
)
TYPES = (
    *("time", "string", "addr", "port", "addr", "port"),
    *("count", "string", "string", "count", "count", "string"),
)
NUMBERED = ("RETR", "TOP", "LIST", "UIDL", "DELE")
KNOWN = {*VERBS} - {"OK", "ERR"}
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


class Tap:
    """Packets of one connection in, rows out.

    `exact` chooses the form. In the exact form server bytes are gathered up to `row_bytes`; they are
    written out before a `sent` row if `flush_before_sent`, else whenever `rng` likes (positions make their
    order free).
    """

    def __init__(
        self,
        *,
        exact: bool,
        row_bytes: int = 65536,
        flush_before_sent: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self.exact = exact
        self._row_bytes, self._before_sent, self._rng = row_bytes, flush_before_sent, rng
        self._now = 0
        self._confirmed = False
        self._kept: list[Row] = []
        self._buffer, self._buffer_at = b"", 0
        self._line = b""
        self._lines = (Lines(), Lines())
        self._pop3 = Pop3(self._event, confirmed=self._confirm)
        self._client = _Side(self._client_data, lambda at, n: self._gap("client", at, n))
        self._server = _Side(self._server_data, lambda at, n: self._gap("server", at, n))

    def packet(self, packet: Packet) -> None:
        self._now = packet.ts
        side, peer = (self._client, self._server) if packet.from_client else (self._server, self._client)
        if packet.flags & ACK:
            peer.acknowledged(packet.ack - 1)
        if packet.payload:
            side.data(packet.offset, packet.payload)
        if packet.flags & FIN:
            side.fin = packet.offset + len(packet.payload)

    def close(self) -> list[Row]:
        """The capture or the connection has ended."""
        for line in self._lines[0].end():
            self._pop3.client_line(line)
        for line in self._lines[1].end():
            self._pop3.server_line(line)
        self._flush()
        self._pop3.end()
        self._write(Row(self._now, "close", data=b"ShADadFf", length=8))
        return self.rows

    def _write(self, row: Row) -> None:
        if row.kind in ("contents", "sent") and not self._confirmed:
            self._kept.append(row)
        elif not (self.exact and row.kind in ("data", "header", "end")):
            self.rows.append(row)

    def _confirm(self) -> None:
        if not self._confirmed:
            self._confirmed = True
            self.rows.extend(self._kept)
            self._kept = []

    def _flush(self) -> None:
        if self._buffer:
            self._write(Row(self._now, "contents", None, self._buffer_at, len(self._buffer), self._buffer))
            self._buffer = b""

    def _event(self, kind: str, command: str | None, data: bytes) -> None:
        if kind == "request":
            data = public(command or "", data)
        if kind == "starttls":
            self._flush()
        self._write(Row(self._now, kind, command, UNSET, len(data) if data else UNSET, data))

    def _gap(self, side: str, offset: int, length: int) -> None:
        if side == "server":
            self._flush()
        else:
            self._line = b""
        self._write(Row(self._now, "gap", side, offset, length))

    def _client_data(self, offset: int, data: bytes) -> None:
        if self.exact and not self._pop3.tls:
            self._line += data
            while (match := re.search(rb"\r\n|\r(?=.)|\n", self._line, re.S)) is not None:
                line, self._line = self._line[: match.start()], self._line[match.end() :]
                self._sent(line)
        for line in self._lines[0].feed(data):
            self._pop3.client_line(line)

    def _sent(self, line: bytes) -> None:
        words = line.split()
        verb = words[0].upper().decode("latin-1") if words else ""
        if verb not in KNOWN:
            return
        if self._before_sent:
            self._flush()
        numbers = b""
        if verb in NUMBERED and all(word.isdigit() for word in words[1:]):
            numbers = b" ".join(words[1:])
        self._write(
            Row(self._now, "sent", verb, self._server.at, len(numbers) if numbers else UNSET, numbers)
        )

    def _server_data(self, offset: int, data: bytes) -> None:
        if self.exact and not self._pop3.tls:
            if not self._buffer:
                self._buffer_at = offset
            self._buffer += data
            if len(self._buffer) >= self._row_bytes or (self._rng is not None and self._rng.random() < 0.3):
                self._flush()
        for line in self._lines[1].feed(data):
            self._pop3.server_line(line)


def public(verb: str, argument: bytes) -> bytes:
    """What the package logs of a request's argument: secrets left out."""
    words = argument.split()
    if verb == "PASS" or not words:
        return b""
    if verb == "APOP":
        return words[0]
    if verb == "AUTH":
        return words[0]
    return argument


def of_packets(
    packets: Iterable[Packet],
    *,
    exact: bool,
    row_bytes: int = 65536,
    flush_before_sent: bool = True,
    rng: random.Random | None = None,
) -> dict[Flow, Rows]:
    """The rows of each connection. One without a captured handshake has none, as with Zeek."""
    taps: dict[Flow, Tap] = {}
    for packet in packets:
        tap = taps.get(packet.flow)
        if tap is None:
            if not packet.flags & SYN:
                continue
            tap = Tap(exact=exact, row_bytes=row_bytes, flush_before_sent=flush_before_sent, rng=rng)
            taps[packet.flow] = tap
        tap.packet(packet)
    return {flow: as_rows(tap.close(), flow) for flow, tap in taps.items()}


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


def uid_of(number: int) -> str:
    """A connection id that looks like Zeek's."""
    rng = random.Random(number)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "C" + "".join(rng.choice(letters) for _ in range(17))


def log_lines(sessions: Mapping[str, Rows]) -> list[bytes]:
    """The rows of all connections as lines of an event log, by time."""
    lines: list[tuple[int, int, bytes]] = []
    for uid, rows in sessions.items():
        ids = b"-\t-\t-\t-"
        if rows.conn_id is not None:
            c = rows.conn_id
            ids = f"{c.orig_h}\t{c.orig_p}\t{c.resp_h}\t{c.resp_p}".encode()
        for ts, seq, kind, command, offset, length, data in zip(*rows[:-1], strict=True):
            cells = (
                f"{ts // 1_000_000}.{ts % 1_000_000:06d}".encode(),
                uid.encode(),
                b"-\t-\t-\t-" if kind in ("data", "contents") else ids,
                str(seq).encode(),
                kind.encode(),
                b"-" if command is None else _escaped(command.encode("latin-1")),
                b"-" if offset < 0 else str(offset).encode(),
                b"-" if length < 0 else str(length).encode(),
                base64.b64encode(data) or b"-",
            )
            lines.append((ts, len(lines), b"\t".join(cells) + b"\n"))
    return [line for *_, line in sorted(lines)]


def _escaped(text: bytes) -> bytes:
    return re.sub(rb"[^ -~]|\\", lambda m: b"\\\\" if m[0] == b"\\" else b"\\x%02x" % m[0][0], text)


def log_header(path: str = "pop3_events") -> bytes:
    """The lines that stand before the rows of a Zeek log."""
    fields, types = "\t".join(COLUMNS), "\t".join(TYPES)
    return (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
        f"#path\t{path}\n#open\t2024-01-01-00-00-00\n#fields\t{fields}\n#types\t{types}\n"
    ).encode()


def write_log(path: Path | str, sessions: Mapping[str, Rows]) -> None:
    """An event log as Zeek would write it."""
    Path(path).write_bytes(log_header() + b"".join(log_lines(sessions)) + b"#close\t2024-01-01-00-00-01\n")
