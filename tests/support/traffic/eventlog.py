"""Event logs as files: rows written as Zeek writes them, and read back without any of the code under test."""

from __future__ import annotations

import base64
import gzip
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zeekpop3.session.events import ConnId, Rows

COLUMNS = (
    *("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"),
    *("seq", "kind", "command", "offset", "length", "data"),
)
TYPES = (
    *("time", "string", "addr", "port", "addr", "port"),
    *("count", "string", "string", "count", "count", "string"),
)


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
        written = 0
        for ts, seq, kind, command, offset, length, data in zip(*rows[:7], strict=True):
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
            written = max(written, ts)  # a connection's rows stay in their order, whatever their ts
            lines.append((written, len(lines), b"\t".join(cells) + b"\n"))
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


def read_log(path: Path | str) -> dict[str, Rows]:
    """The rows of an event log (packed or not) by connection; wrong files raise whatever they raise."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rb") as file:
        text = file.read()
    columns: dict[str, list[list[Any]]] = {}
    ids: dict[str, ConnId] = {}
    for line in text.splitlines():
        if line.startswith(b"#"):
            continue
        ts, uid, orig_h, orig_p, resp_h, resp_p, seq, kind, command, offset, length, data = line.split(b"\t")
        name = uid.decode()
        if orig_h != b"-":
            ids.setdefault(name, ConnId(orig_h.decode(), int(orig_p), resp_h.decode(), int(resp_p)))
        cells = (
            int(ts.replace(b".", b"")),
            int(seq),
            kind.decode(),
            None if command == b"-" else _plain(command),
            -1 if offset == b"-" else int(offset),
            -1 if length == b"-" else int(length),
            b"" if data == b"-" else base64.b64decode(data),
        )
        for column, cell in zip(columns.setdefault(name, [[] for _ in cells]), cells, strict=True):
            column.append(cell)
    return {uid: Rows(*held, conn_id=ids.get(uid)) for uid, held in columns.items()}


def _plain(cell: bytes) -> str:
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), cell).decode("latin-1")
