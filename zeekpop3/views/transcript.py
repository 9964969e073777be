"""The dialogue of each connection as text: the log's rows in the plain form, the bytes in the exact form.

reply: cmd: OK, msg: Dovecot ready.
request: cmd: RETR, arg: 2
data: Return-Path: <lisi@localdomain.com>
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from zeekpop3.errors import LogError
from zeekpop3.log.batch import group, read_chunk
from zeekpop3.log.chunks import chunks
from zeekpop3.log.find import find_logs
from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import Exchange
from zeekpop3.session.protocol import to_text


class _Transcript:
    """Collects the lines of one connection from its rows."""

    def __init__(self, uid: str) -> None:
        self.connection = Connection(uid, on_exchange=self._on_exchange)
        self.uid = uid
        self.plain: list[str] = []
        self.exact: list[str] = []

    def receive(self, rows: Rows) -> None:
        for kind, command, data in zip(rows.kind, rows.command, rows.data, strict=True):
            if kind == "data":
                # A row holds several lines. A line that starts with NUL is a mark of ours, not data.
                lines = (line for line in data.split(b"\n") if not line.startswith(b"\0"))
                self.plain += ("data: " + to_text(line) for line in lines)
            elif kind in ("request", "reply"):
                self.plain.append(_line(kind, command, to_text(data)))
        self.connection.receive(rows)

    def _on_exchange(self, exchange: Exchange) -> None:
        lines = self.exact
        if exchange.command is not None:
            lines.append(_line("request", exchange.command, exchange.argument or ""))
        if exchange.status is not None:
            lines.append(_line("reply", exchange.status, exchange.message or ""))
        if exchange.body:
            body = exchange.body.removesuffix(b"\n").removesuffix(b"\r")
            lines += ("data: " + to_text(line.removesuffix(b"\r")) for line in body.split(b"\n"))

    def lines(self, data: bool) -> list[str]:
        self.connection.finish("open")
        lines = self.exact if self.connection.fidelity == "exact" else self.plain
        return lines if data else [line for line in lines if not line.startswith("data:")]

    def title(self) -> str:
        conn_id = self.connection.conn_id
        if conn_id is None:
            return f"connection: {self.uid}"
        return f"connection: {self.uid} {conn_id.orig_h}:{conn_id.orig_p} > {conn_id.resp_h}:{conn_id.resp_p}"


def _line(kind: str, command: str | None, text: str) -> str:
    label = "arg" if kind == "request" else "msg"
    return f"{kind}: cmd: {command or ''}, {label}: {text}"


def transcript(
    logs: str | Path | Iterable[str | Path],
    *,
    uid: str | None = None,
    data: bool = True,
    on_error: Callable[[LogError], None],
) -> Iterator[str]:
    """The lines of each connection, one connection after the other as they end; texts are not escaped.

    A line `connection: …` precedes each connection, unless there is only one. `uid` selects a connection,
    `data=False` leaves out messages and other multi-line responses. Raises LogError if there is no log.
    """
    return _lines(_ended(find_logs(logs), uid, on_error), data)


def _lines(ended: Iterator[_Transcript], data: bool) -> Iterator[str]:
    waiting: _Transcript | None = None
    printed = 0
    for current in ended:
        if waiting is not None:
            yield from (waiting.title(), *waiting.lines(data), "")
            printed += 1
        waiting = current
    if waiting is not None:
        yield from (waiting.title(), *waiting.lines(data)) if printed else waiting.lines(data)


def _ended(paths: list[Path], uid: str | None, on_error: Callable[[LogError], None]) -> Iterator[_Transcript]:
    open_connections: dict[str, _Transcript] = {}
    for path in paths:
        for chunk in chunks(path, on_error=on_error):
            for this_uid, rows in group(read_chunk(chunk, on_error)):
                if uid is not None and this_uid != uid:
                    continue
                current = open_connections.setdefault(this_uid, _Transcript(this_uid))
                current.receive(rows)
                if current.connection.done:
                    yield open_connections.pop(this_uid)
    yield from open_connections.values()
