"""Runs the package in a real Zeek on packets made for the test, and reads the rows it wrote."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.traffic import pcap
from support.traffic.pcap import Packet

FIELDS = (
    *("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"),
    *("seq", "kind", "command", "offset", "length", "data"),
)


@dataclass(frozen=True)
class Row:
    """A row of the log, `data` decoded; what was unset is None."""

    ts: float
    uid: str
    orig_h: str | None
    seq: int
    kind: str
    command: str | None
    offset: int | None
    length: int | None
    data: bytes | None


def _apart(row: Row) -> list[Row]:
    if row.kind != "sent" or row.command != "lines":
        return [row]
    parts = [line.partition(b" ") for line in (row.data or b"").split(b"\n")]
    return [
        replace(row, command=verb.decode(), length=len(numbers) or None, data=numbers or None)
        for verb, _, numbers in parts
    ]


@dataclass
class Result:
    """What a run of Zeek left: the log, what it said, the folder."""

    folder: Path
    stderr: str
    stdout: str = ""
    raw: bytes = b""
    rows: list[Row] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Row]:
        """The rows of these kinds; commands that share a row have one each."""
        return [one for row in self.rows if row.kind in kinds for one in _apart(row)]

    def brief(self, *kinds: str) -> list[tuple[str | None, bytes | None]]:
        """Command and data of the rows of these kinds."""
        return [(row.command, row.data) for row in self.of(*kinds)]

    def server_bytes(self) -> bytes:
        """The server's stream as the contents rows give it; fails where they overlap or leave a hole."""
        at, out = 0, b""
        for row in self.of("contents"):
            assert row.offset == at, "contents rows follow each other"
            assert row.data is not None and len(row.data) == row.length
            out += row.data
            at += len(row.data)
        return out


def read(path: Path) -> list[Row]:
    """The rows of a log, its header checked."""
    rows: list[Row] = []
    for line in path.read_bytes().split(b"\n"):
        if line.startswith(b"#"):
            if line.startswith(b"#fields"):
                assert tuple(line.decode().split("\t")[1:]) == FIELDS
            continue
        if not line:
            continue
        cells = [None if cell == b"-" else cell.decode() for cell in line.split(b"\t")]
        assert len(cells) == len(FIELDS)
        ts, uid, orig_h, _, _, _, seq, kind, command, offset, length, data = cells
        rows.append(
            Row(
                float(ts or 0),
                uid or "",
                orig_h,
                int(seq or -1) if seq != "0" else 0,
                kind or "",
                command,
                None if offset is None else int(offset),
                None if length is None else int(length),
                None if data is None else base64.b64decode(data, validate=True),
            )
        )
    return rows


@dataclass(frozen=True)
class Zeek:
    """A zeek, the package, and a folder to run in."""

    program: str
    scripts: Path
    folder: Path

    def run(
        self, packets: Iterable[Packet], *load: str, more: Sequence[str] = (), quiet: bool = True
    ) -> Result:
        """Runs Zeek on packets with scripts of the package (`.` is the package itself) and further
        arguments.

        Fails where Zeek fails, and, if `quiet`, where it says anything on stderr.
        """
        folder = self.folder / f"run{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        pcap.write(folder / "x.pcap", packets)
        names = [str(self.scripts / name) for name in load]
        command = [self.program, "-C", "-r", "x.pcap", *names, *more]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        if quiet:
            assert done.stderr == ""
        log = folder / "pop3_events.log"
        if not log.exists():
            return Result(folder, done.stderr, done.stdout)
        return Result(folder, done.stderr, done.stdout, log.read_bytes(), read(log))
