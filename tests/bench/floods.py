"""What floods cost a sensor: CPU, memory and log of Zeek with each form, against Zeek alone.

    python tests/bench/floods.py [--only NAME...] [--rounds 2] [--folder DIR]

Limits: 3 times the CPU (start-up subtracted), 64 MiB more memory, 3 bytes of log per byte on the wire and 1
MiB. A figure over its limit has a `!`; exit 1 if there is one. Captures are made once and kept in `--folder`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "bench"), str(ROOT)]

import measure  # noqa: E402

from support.traffic import pcap, tcp  # noqa: E402
from support.traffic.pcap import Flow, Packet  # noqa: E402

SCRIPTS = {"alone": [], "exact": [ROOT / "zeek-scripts" / "exact.zeek"], "plain": [ROOT / "zeek-scripts"]}
CPU, MEMORY, LOG = 3.0, 64.0, 3.0
CPU_SPARE = 0.15  # seconds below which a ratio says nothing
MB = 1_000_000
Talk = list[tuple[bool, bytes]]
HELLO: Talk = [(False, b"+OK ready\r\n")]
LOGIN: Talk = [*HELLO, (True, b"USER u\r\n"), (False, b"+OK\r\n"), (True, b"PASS p\r\n"), (False, b"+OK\r\n")]
RETR: Talk = [*LOGIN, (True, b"RETR 1\r\n"), (False, b"+OK\r\nSubject: x\r\n\r\n")]


def play(talk: Talk, number: int = 0, port: int = 110, size: int = 1460, at: int = 0) -> list[Packet]:
    """The packets of one connection; it is not closed."""
    flow = Flow(f"10.1.{number >> 8}.{number & 255}", 1024 + number, "192.0.2.110", port)
    made = tcp.Connection(flow, start=tcp.START + at, turn=100, gap=1).open()
    for from_client, data in talk:
        made.send(from_client, data, tcp.by_size(size))
    return made.packets


def many(count: int, talk: Callable[[int], Talk], port: int = 110) -> Iterator[Packet]:
    """Connections one after the other, all open until the end."""
    for number in range(count):
        yield from play(talk(number), number, port, at=number * 1000)


def holes(from_client: bool, data: bytes, size: int) -> list[Packet]:
    """Every second segment of one side is lost; the other side acknowledges them all."""
    start = len(play(LOGIN))
    packets = play([*LOGIN, (from_client, data)], size=size)
    kept, seen = packets[:start], 0
    for packet in packets[start:]:
        if packet.payload:
            seen += 1
        if not packet.payload or seen % 2 == 0:
            kept.append(packet)
    return kept


def numbered(form: str, size: int) -> bytes:
    """Lines that all differ, about `size` bytes of them."""
    count = size // len(form.format(500_000))
    return "".join(form.format(n) for n in range(count)).encode()


def junk(size: int, line_ends: bool) -> bytes:
    block = bytes(value for value in range(256) if line_ends or value not in (10, 13))
    return (block * (size // len(block) + 1))[:size]


FLOODS: dict[str, Callable[[], Iterator[Packet] | list[Packet]]] = {
    "20 MB of LF from a client": lambda: play([*LOGIN, (True, b"\n" * 20 * MB)]),
    "10 M lines x": lambda: play([*LOGIN, (True, b"x\n" * 10 * MB)]),
    "1 M NOOP, not answered": lambda: play([*LOGIN, (True, b"NOOP\r\n" * MB)]),
    "5 MB of LF from a server in AUTH": lambda: play(
        [*HELLO, (True, b"AUTH PLAIN\r\n"), (False, b"+ \r\n" + b"\n" * 5 * MB)]
    ),
    "150 connections, short lines behind STAT": lambda: many(
        150, lambda n: [*LOGIN, (True, b"STAT\r\n" + b"x\n" * 65_500)]
    ),
    "2000 connections that are not POP3": lambda: many(
        2000, lambda n: [(True, junk(30_000, False)), (False, junk(30_000, False))]
    ),
    "10 connections of 17 MB without a line end": lambda: many(
        10, lambda n: [*HELLO, (True, b"CAPA\r\n"), (True, junk(17 * MB, False))]
    ),
    "NOOP and STAT in turn": lambda: play([*LOGIN, (True, b"NOOP\r\nSTAT\r\n" * (MB // 2))]),
    "RETR 1 again and again": lambda: play([*LOGIN, (True, b"RETR 1\r\n" * (MB // 2))]),
    "RETR of all numbers": lambda: play([*LOGIN, (True, numbered("RETR {}\r\n", 6 * MB))]),
    "unknown lines, some commands": lambda: play([*LOGIN, (True, (b"a\nb\n" * 300 + b"NOOP\n") * 8000)]),
    "lines that start like commands": lambda: play([*LOGIN, (True, numbered("RETRX{}\n", 10 * MB))]),
    "PASS with all words": lambda: play([*LOGIN, (True, numbered("PASS {}\r\n", 6 * MB))]),
    "USER with all names": lambda: play([*LOGIN, (True, numbered("USER {}\r\n", 6 * MB))]),
    "LF after AUTH": lambda: play([*HELLO, (True, b"AUTH PLAIN\r\n"), (True, b"\n" * 20 * MB)]),
    "challenges": lambda: play([*HELLO, (True, b"AUTH PLAIN\r\n"), (False, b"+\n" * (5 * MB // 2))]),
    "-ERR behind many lines and AUTH": lambda: play(
        [*LOGIN, (True, b"x\n" * 100_000 + b"AUTH PLAIN\r\n"), (False, b"-ERR\n" * MB)]
    ),
    "-ERR before a command": lambda: play([(False, b"-ERR\n" * MB), (True, b"x\n")]),
    "LF of a server before a command": lambda: play([(False, b"\n" * 20 * MB)]),
    "+OK and STLS": lambda: play([*HELLO, (True, b"STLS\r\n"), (False, b"+x\n+OK\n" * MB)]),
    "TLS of a client only": lambda: play(
        [*HELLO, (True, b"STLS\r\n"), (False, b"+OK\r\n"), (True, b"\x16\x03" + junk(20 * MB, True))]
    ),
    "holes of a server": lambda: holes(False, b"+OK x\r\n" * 300_000, 40),
    "holes of a client": lambda: holes(True, b"RETR 1\r\n" * 250_000, 40),
    "a line a segment": lambda: play([*LOGIN, (True, b"NOOP\n" * 50_000)], size=5),
    "a byte a segment": lambda: play([*LOGIN, (True, b"RETR 1\r\n" * 10_000)], size=1),
    "NOOP and +OK": lambda: play([*LOGIN, *[(True, b"NOOP\r\n"), (False, b"+OK\r\n")] * 50_000]),
    "binary data of both sides": lambda: play([(True, junk(20 * MB, True)), (False, junk(20 * MB, True))]),
    "20,000 short connections": lambda: many(
        20_000, lambda n: [*HELLO, (True, b"QUIT\r\n"), (False, b"+OK\r\n")]
    ),
    "2000 mails in transit": lambda: many(2000, lambda n: [*RETR, (False, junk(30_000, False))]),
    "5000 long AUTH lines": lambda: many(5000, lambda n: [*HELLO, (True, b"AUTH PLAIN " + b"A" * 12_000)]),
    "plain: short lines in a mail": lambda: play([*RETR, (False, b"x\r\n" * 2 * MB)], port=1110),
    "plain: header fields": lambda: play([*RETR, (False, b"a: b\r\n" * 10_000)] * 30, port=1110),
    "plain: 1000 mails in transit": lambda: many(1000, lambda n: [*RETR, (False, b"xyz\r\n" * 5000)], 1110),
    "plain: 150 connections, long lines behind STAT": lambda: many(
        150, lambda n: [*LOGIN, (True, b"STAT\r\n" + (b"x" * 130 + b"\n") * 2000)], 1110
    ),
}  # fmt: skip


def empty() -> list[Packet]:
    """A capture that costs nothing but Zeek's start."""
    return play(HELLO)[:3]


def capture(folder: Path, name: str, make: Callable[[], Iterator[Packet] | list[Packet]]) -> Path:
    """The capture of a flood, made if it is not there."""
    path = folder / ("".join(char if char.isalnum() else "-" for char in name) + ".pcap")
    if not path.exists():
        pcap.write_frames(path, ((packet.ts, pcap.frame(packet)) for packet in make()))
    return path


def run(zeek: str, path: Path, form: str) -> tuple[float, float, float]:
    """CPU seconds, peak memory in MiB, size of the event log."""
    with tempfile.TemporaryDirectory() as name:
        cost = measure.run([zeek, "-C", "-r", path.resolve(), *SCRIPTS[form]], Path(name))
        log = Path(name) / "pop3_events.log"
        return cost.cpu, cost.rss, log.stat().st_size if log.exists() else 0


def best(zeek: str, path: Path, form: str, rounds: int) -> tuple[float, float, float]:
    runs = [run(zeek, path, form) for _ in range(rounds)]
    return min(cpu for cpu, *_ in runs), min(rss for _, rss, _ in runs), runs[0][2]


def shown(value: float, limit: float, text: str) -> str:
    return f"{text}{'!' if value > limit else ' '}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", default=[], help="floods whose names contain one of these")
    parser.add_argument("--forms", nargs="+", default=["exact", "plain"], choices=["exact", "plain"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "floods")
    args = parser.parse_args()
    zeek = shutil.which("zeek")
    if zeek is None:
        raise SystemExit("no zeek on PATH")
    args.folder.mkdir(parents=True, exist_ok=True)
    start = {form: best(zeek, capture(args.folder, "empty", empty), form, 3) for form in SCRIPTS}
    over = 0
    print(f"{'':46} {'alone s':>8}  form    {'CPU s':>7} {'ratio':>7}  {'MiB more':>8}  {'log / wire':>10}")
    for name, make in FLOODS.items():
        if args.only and not any(part in name for part in args.only):
            continue
        path = capture(args.folder, name, make)
        wire = path.stat().st_size
        alone = best(zeek, path, "alone", args.rounds)
        cpu_alone = alone[0] - start["alone"][0]
        for form in args.forms:
            cpu, rss, log = best(zeek, path, form, args.rounds)
            cpu -= start[form][0]
            more = rss - start[form][1] - (alone[1] - start["alone"][1])
            limit = max(CPU * cpu_alone, cpu_alone + CPU_SPARE)
            figures = [
                shown(cpu, limit, f"{cpu:7.2f} {cpu / max(cpu_alone, 0.01):7.2f}"),
                shown(more, MEMORY, f"{more:8.0f}"),
                shown(log, LOG * wire + 2**20, f"{log / wire:10.2f}"),
            ]
            over += sum(text.endswith("!") for text in figures)
            print(f"{name:46} {cpu_alone:8.2f}  {form:7} {' '.join(figures)}", flush=True)
    return int(over > 0)


if __name__ == "__main__":
    raise SystemExit(main())
