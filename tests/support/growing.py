"""A log that grows and is rotated as Zeek, zeekctl and logrotate do it; and what must come out of it.

`sessions` makes connections without a Zeek, `GrowingLog` writes their rows in pieces, `tables` reads an
output back row by row, so that two of them can be compared.
"""

from __future__ import annotations

import gzip
import logging
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from support.traffic import mails, pcap, pop3, tcp
from support.traffic.eventlog import log_header, log_lines, uid_of
from support.traffic.rows import of_packets
from zeekpop3.session.events import Rows
from zeekpop3.tables.schema import TABLES

#: Rows of each table.
Expected = dict[str, list[dict[str, Any]]]

KEYS = {name: table.key for name, table in TABLES.items() if name not in ("hits", "inputs")}
NAME = "pop3_events.log"


def sessions(
    count: int,
    *,
    per_connection: int = 4,
    apart_us: int = 2_000_000,
    turn_us: int = 400_000,
    seed: int = 0,
    tiny: bool = False,
) -> dict[str, Rows]:
    """Connections that overlap in time, exact and plain ones, with `per_connection` mails each."""
    rng = random.Random(seed)
    found: dict[str, Rows] = {}
    for number in range(count):
        first = number * per_connection
        if tiny:
            box = [_tiny(first + n) for n in range(per_connection)]
        else:
            box = [mails.small(first + n, seed) for n in range(per_connection - 1)]
            box.append(mails.with_attachment(first + per_connection, 3000, seed))
        mailbox = pop3.Mailbox(box, user=f"user{number % 7}")
        turns = pop3.dialogue(mailbox, pop3.fetch_all(mailbox, delete=number % 5 == 0))
        flow = pcap.Flow(
            f"10.0.{number >> 8 & 255}.{number & 255}", 1024 + number % 60000, "192.0.2.110", 110, 7, 9
        )
        start = tcp.START + number * apart_us
        made = tcp.Connection(flow, start=start, turn=rng.randint(turn_us // 4, turn_us), gap=20)
        made.play(pop3.steps(turns, window=rng.choice([1, 1, 3]), rng=rng))
        for rows in of_packets(made.packets, exact=number % 3 != 0, row_bytes=2000).values():
            found[uid_of(number + seed * 1_000_000)] = rows
    return found


def _tiny(number: int) -> bytes:
    return (
        f"From: robot{number % 13}@mail.example\r\nTo: lisi@example.org\r\nSubject: notice {number}\r\n"
        f"Message-ID: <{number}@mail.example>\r\n\r\nLine {number * 7919}\r\n"
    ).encode()


class Note(NamedTuple):
    """A record of a follower's log."""

    level: str
    text: str
    fields: dict[str, Any]


class Notes(logging.Handler):
    """Collects the records of a follower's log."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", {})
        self.notes.append(Note(record.levelname.lower(), record.getMessage(), fields))


class GrowingLog:
    """Zeek's log in a folder; `rotate` does what the site's rotation does.

    Where a log is not compressed at once, `compress_one` does it later.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.path = folder / "spool" / NAME
        self.archive = folder / "2023-11-14"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.archive.mkdir(exist_ok=True)
        self.rotations = 0
        self.plain: list[Path] = []
        self._fd = -1
        self._line_end = True
        self._waiting = ""

    def write(self, data: bytes) -> None:
        """Add bytes, as the operating system would show them: perhaps half a line."""
        if self._waiting and b"\n" in data:
            end = data.index(b"\n") + 1
            self._append(data[:end])
            self._rotate(self._waiting)
            self._waiting, data = "", data[end:]
        if data:
            self._append(data)

    def _append(self, data: bytes) -> None:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
            data = log_header() + data
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._line_end = data.endswith(b"\n")

    def rotate(self, kind: str = "rename") -> None:
        """End this log, once its last line is whole; what is written then begins a new one."""
        if self._fd < 0:
            return
        if self._line_end:
            self._rotate(kind)
        else:
            self._waiting = kind

    def _rotate(self, kind: str) -> None:
        self.rotations += 1
        if kind == "copytruncate":
            copy = self.path.with_name(f"{NAME}.{self.rotations}")
            copy.write_bytes(self.path.read_bytes())
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, log_header())
            return
        os.write(self._fd, b"#close\t2023-11-14-22-00-00\n")
        os.close(self._fd)
        self._fd = -1
        renamed = self.path.with_name(f"pop3_events-{self.rotations:05d}.log")
        self.path.rename(renamed)
        if kind == "rename":
            self.plain.append(renamed)
        else:
            self._compress(renamed)

    def compress_one(self) -> None:
        """Compress a log that was rotated some time ago."""
        if self.plain:
            self._compress(self.plain.pop(0))

    def _compress(self, path: Path) -> None:
        # As `gzip < log > archive; rm log`: for a while there are both, one of them half.
        number = path.stem.rpartition("-")[2]
        packed = self.archive / f"pop3_events.{number}.log.gz"
        data = gzip.compress(path.read_bytes(), 1)
        with packed.open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            file.write(data[len(data) // 2 :])
        path.unlink()

    def close(self) -> None:
        """Zeek ends."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def logs(self) -> list[Path]:
        """All logs that there are."""
        return sorted(path for path in self.folder.rglob("pop3_events*") if path.is_file())


def lines_of(found: dict[str, Rows]) -> list[bytes]:
    """The rows of all connections as lines, by time."""
    return log_lines(found)


def shreds(data: Iterable[bytes], rng: random.Random, most: int) -> Iterator[bytes]:
    """Lines put together and cut anywhere, as a writer's buffer does."""
    rest = b""
    for line in data:
        rest += line
        while len(rest) > most:
            size = rng.randint(1, most)
            yield rest[:size]
            rest = rest[size:]
    if rest:
        yield rest


def tables(out: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, by key, without the names of logs: they change."""
    found = {}
    for name, key in KEYS.items():
        parts = [pq.ParquetFile(path).read() for path in sorted((out / name).glob("day=*/*.parquet"))]
        rows = pa.concat_tables(parts).to_pylist() if parts else []
        for row in rows:
            row.pop("log", None)
        found[name] = sorted(rows, key=lambda row: tuple(row[column] for column in key))
    return found


def assert_same(out: Path, expected: Expected) -> None:
    """The tables hold these rows, each once."""
    got = tables(out)
    for name, key in KEYS.items():
        keys = [tuple(row[column] for column in key) for row in got[name]]
        wanted = [tuple(row[column] for column in key) for row in expected[name]]
        assert len(keys) == len(set(keys)), f"{name}: {len(keys) - len(set(keys))} rows twice"
        assert set(keys) == set(wanted), f"{name}: {len(set(wanted) - set(keys))} rows lost"
        for mine, theirs in zip(got[name], expected[name], strict=True):
            assert mine == theirs, name
