"""What was said in each connection, as text: the log's rows in the plain form, the bytes in the exact one.

reply: cmd: OK, msg: Dovecot ready.
request: cmd: RETR, arg: 2
data: Return-Path: <lisi@localdomain.com>
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from zeekpop3.errors import LogError
from zeekpop3.log import chunks, find_logs, group, read_chunk
from zeekpop3.session import Connection, Rows
from zeekpop3.session.dialogue import Exchange
from zeekpop3.session.protocol import to_text

_PLAIN = frozenset({"request", "reply", "data"})


class _Speech:
    """The transcript of one connection, as its rows come."""

    def __init__(self, uid: str) -> None:
        self.connection = Connection(uid, heard=self._heard)
        self.uid = uid
        self.plain: list[str] = []
        self.exact: list[str] = []

    def receive(self, rows: Rows) -> None:
        for kind, command, data in zip(rows.kind, rows.command, rows.data, strict=True):
            if kind in _PLAIN:
                self.plain.append(_line(kind, command, to_text(data)))
        self.connection.receive(rows)

    def _heard(self, exchange: Exchange) -> None:
        lines = self.exact
        if exchange.command is not None:
            lines.append(_line("request", exchange.command, exchange.argument or ""))
        if exchange.status is not None:
            lines.append(_line("reply", exchange.status, exchange.message or ""))
        if exchange.body:
            body = exchange.body.removesuffix(b"\n").removesuffix(b"\r")
            lines += ("data: " + to_text(line.removesuffix(b"\r")) for line in body.split(b"\n"))

    def lines(self) -> list[str]:
        self.connection.finish("open")
        return self.exact if self.connection.fidelity == "exact" else self.plain

    def title(self) -> str:
        conn_id = self.connection.conn_id
        if conn_id is None:
            return f"connection: {self.uid}"
        return f"connection: {self.uid} {conn_id.orig_h}:{conn_id.orig_p} > {conn_id.resp_h}:{conn_id.resp_p}"


def _line(kind: str, command: str | None, text: str) -> str:
    if kind == "data":
        return f"data: {text}"
    label = "arg" if kind == "request" else "msg"
    return f"{kind}: cmd: {command or ''}, {label}: {text}"


def transcript(
    logs: Iterable[str | Path], *, uid: str | None = None, on_error: Callable[[LogError], None]
) -> Iterator[str]:
    """The lines of each connection, connections one after the other as they end; texts are not escaped.

    A line `connection: …` goes before each connection, but for a log that has one only. `uid` asks for that
    connection alone. Raises LogError if there is no log.
    """
    speeches: dict[str, _Speech] = {}
    waiting: _Speech | None = None
    told = 0
    for speech in _ended(find_logs(logs), uid, speeches, on_error):
        if waiting is not None:
            yield from (waiting.title(), *waiting.lines(), "")
            told += 1
        waiting = speech
    if waiting is not None:
        yield from (waiting.title(), *waiting.lines()) if told else waiting.lines()


def _ended(
    paths: list[Path], uid: str | None, speeches: dict[str, _Speech], on_error: Callable[[LogError], None]
) -> Iterator[_Speech]:
    for path in paths:
        for chunk in chunks(path, on_error=on_error):
            for this_uid, rows in group(read_chunk(chunk, on_error)):
                if uid is not None and this_uid != uid:
                    continue
                speech = speeches.setdefault(this_uid, _Speech(this_uid))
                speech.receive(rows)
                if speech.connection.done:
                    yield speeches.pop(this_uid)
    yield from speeches.values()
