"""What floods cost a sensor: CPU, memory and log of Zeek with each form, against Zeek alone.

    python tests/bench/floods.py [--only NAME...] [--rounds 2] [--folder DIR]

Limits: 5 times the CPU (start-up subtracted) of Zeek alone or of a script that only counts the bytes of both
sides, 64 MiB more memory, 3 bytes of log per byte on the wire and 1 MiB. A figure over its limit has a `!`; exit
1 if there is one. Captures are made once and kept in `--folder`.
"""
# ruff: noqa: E501

from __future__ import annotations

import argparse
import base64
import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "bench"), str(ROOT)]

import measure  # noqa: E402

from support import hostile_logins  # noqa: E402
from support.traffic import pcap, tcp  # noqa: E402
from support.traffic.pcap import Flow, Packet  # noqa: E402

COUNTING = """
global bytes = 0;
event zeek_init()
	{
	local ports: function(t: table[port] of bool) = function(t: table[port] of bool) { t[110/tcp] = T; };
	ports(tcp_content_delivery_ports_orig);
	ports(tcp_content_delivery_ports_resp);
	}
event tcp_contents(c: connection, is_orig: bool, seq: count, contents: string)
	{ bytes += |contents|; }
"""
SCRIPTS: dict[str, list[Path | str]] = {
    "alone": [],
    "counting": ["counting.zeek"],
    "exact": [ROOT / "zeek-scripts" / "exact.zeek"],
    "plain": [ROOT / "zeek-scripts"],
}
CPU, MEMORY, LOG = 5.0, 64.0, 3.0
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


def b64(text: bytes) -> bytes:
    return base64.b64encode(text)


def again(turns: int, *lines: bytes) -> Talk:
    """The same exchange again and again: lines of the client and of the server in turn."""
    return [(n % 2 == 0, line + b"\r\n") for _ in range(turns) for n, line in enumerate(lines)]


def ntlm(user: str) -> bytes:
    """The messages of an NTLM login, as lines of both sides."""
    third = hostile_logins.ntlm(user, "DOMAIN" * 5)
    return b64(third)


def twins(packets: list[Packet]) -> Iterator[Packet]:
    """Each packet with bytes comes again with other ones."""
    for packet in packets:
        yield packet
        if packet.payload:
            yield packet._replace(payload=b"z" * len(packet.payload))


def churn(count: int) -> Iterator[Packet]:
    """Connections that are closed at once."""
    for number in range(count):
        flow = Flow(f"10.1.{number >> 8}.{number & 255}", 1024 + number, "192.0.2.110", 110)
        yield from (
            tcp.Connection(flow, start=tcp.START + number * 1000, turn=100, gap=1)
            .play([*HELLO, (True, b"QUIT\r\n"), (False, b"+OK\r\n")])
            .packets
        )


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
    "NTLM logins": lambda: play(
        [*HELLO, *again(3000, b"AUTH NTLM", b"+ ", b64(b"NTLMSSP\0\1" + b"\0" * 20), b"+ TlRM", ntlm("j" * 300), b"-ERR")]
    ),
    "NTLM logins, not ASCII": lambda: play(
        [*HELLO, *(step for n in range(3000) for step in again(
            1, b"AUTH NTLM", b"+ ", b64(b"NTLMSSP\0\1" + b"\0" * 20), b"+ TlRM",
            ntlm("".join(chr(0x4E00 + (n * 64 + m) % 20000) for m in range(64))), b"-ERR"))]
    ),
    "AUTH lines of 12 kB, cut": lambda: many(300, lambda n: [*HELLO, (True, b"AUTH PLAIN " + b"A" * 20_000 + b"\r\n")]),
    "AUTH lines of 12 kB, in small segments": lambda: itertools.chain.from_iterable(
        play([*HELLO, (True, b"AUTH PLAIN " + b"A" * 20_000 + b"\r\n")], n, size=50) for n in range(50)
    ),
    "AUTH PLAIN, answered": lambda: play([*HELLO, *again(10_000, b"AUTH PLAIN " + b64(b"\0joe\0pw"), b"-ERR no")]),
    "AUTH PLAIN with a challenge, answered": lambda: play(
        [*HELLO, *again(8_000, b"AUTH PLAIN", b"+ ", b64(b"\0joe\0pw"), b"-ERR no")]
    ),
    "AUTH PLAIN, answered, many connections": lambda: many(
        1000, lambda n: [*HELLO, *again(10, b"AUTH PLAIN " + b64(b"\0joe\0pw"), b"-ERR no")]
    ),
    "packets in turn": lambda: play([*LOGIN, *again(40_000, b"x", b"y")]),
    "packets in turn, half lines": lambda: play([*LOGIN, *[(True, b"x"), (False, b"y")] * 40_000]),
    "100 lines in a SASL exchange": lambda: play(
        [*HELLO, *again(600, b"AUTH PLAIN\r\n" + b"\r\n".join([b"QUJD"] * 100), b"-ERR no")]
    ),
    "100 lines in a SASL exchange, a packet each": lambda: play(
        [*HELLO, *(step for _ in range(300) for step in
                   [(True, b"AUTH PLAIN\r\n"), *[(True, b"QUJD\r\n")] * 100, (False, b"-ERR no\r\n")])]
    ),
    "STLS again and again": lambda: play([*HELLO, *again(15_000, b"STLS", b"+OK")]),
    "STLS again and again, refused": lambda: play([*HELLO, *again(15_000, b"STLS", b"-ERR")]),
    "STLS and an invalid record": lambda: play(
        [*HELLO, *again(8_000, b"STLS", b"+OK", b"\x16\x03\x01" + b"x" * 600, b"-ERR")]
    ),
    "AUTH lines of 513 bytes": lambda: play([*HELLO, *again(5_000, b"AUTH PLAIN " + b"A" * 502, b"-ERR")]),
    "AUTH SCRAM": lambda: play(
        [*HELLO, *again(5_000, b"AUTH SCRAM-SHA-256", b"+ ", b64(b"n,,n=joe,r=" + b"x" * 200), b"+ cj0=", b"QUJD", b"-ERR")]
    ),
    "unconfirmed, a byte a segment, of servers": lambda: itertools.chain.from_iterable(
        play([(False, b"x" * 20_000)], n, size=1) for n in range(5)
    ),
    "unconfirmed, a byte a segment, of clients": lambda: itertools.chain.from_iterable(
        play([*HELLO, (True, b"x" * 20_000)], n, size=1) for n in range(5)
    ),
    "60 connections of one-byte segments": lambda: itertools.chain.from_iterable(
        play([(False, b"x" * 10_000)], n, size=1) for n in range(60)
    ),
    "mails in one-byte segments": lambda: itertools.chain.from_iterable(
        play([*RETR, (False, b"x" * 20_000)], n, size=1) for n in range(20)
    ),
    "USER of all names, answered": lambda: play(
        [*HELLO, *(step for n in range(20_000) for step in ((True, b"USER %d\r\n" % n), (False, b"+OK\r\n")))]
    ),
    "USER of all names, many connections": lambda: many(
        60, lambda n: [*HELLO, (True, numbered("USER {}\r\n", 20_000)), (False, b"+OK\r\n")]
    ),
    "churn": lambda: churn(20_000),
    "lines with a bare LF": lambda: play([*LOGIN, (True, b"NOOP\r\nRETR 7\n" * 500_000)]),
    "lines with a bare LF, answered": lambda: play([*LOGIN, *[(True, b"NOOP\nRETR 7\r\n"), (False, b"+OK\r\n")] * 15_000]),
    "short lines in segments of 350 bytes": lambda: play([*LOGIN, (True, b"\n" * 3 * MB)], size=350),
    "RETR in segments of 60 bytes": lambda: play([*LOGIN, (True, numbered("RETR {}\r\n", 2 * MB))], size=60),
    "connections with a packet of another protocol": lambda: many(10_000, lambda n: [(True, b"x" * 40)]),
    "two versions of bytes": lambda: twins(play([*LOGIN, (True, b"NOOP\r\n" * 30_000)], size=60)),
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
        (Path(name) / "counting.zeek").write_text(COUNTING)
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
    print(
        f"{'':46} {'alone s':>8} {'counts s':>8}  form    {'CPU s':>7} {'ratio':>7}  {'MiB more':>8}"
        f"  {'log / wire':>10}"
    )
    for name, make in FLOODS.items():
        if args.only and not any(part in name for part in args.only):
            continue
        path = capture(args.folder, name, make)
        wire = path.stat().st_size
        alone = best(zeek, path, "alone", args.rounds)
        cpu_alone = alone[0] - start["alone"][0]
        cpu_counting = best(zeek, path, "counting", args.rounds)[0] - start["counting"][0]
        cpu_least = max(cpu_alone, cpu_counting)
        for form in args.forms:
            cpu, rss, log = best(zeek, path, form, args.rounds)
            cpu -= start[form][0]
            more = rss - start[form][1] - (alone[1] - start["alone"][1])
            limit = max(CPU * cpu_least, cpu_least + CPU_SPARE)
            figures = [
                shown(cpu, limit, f"{cpu:7.2f} {cpu / max(cpu_alone, 0.01):7.2f}"),
                shown(more, MEMORY, f"{more:8.0f}"),
                shown(log, LOG * wire + 2**20, f"{log / wire:10.2f}"),
            ]
            over += sum(text.endswith("!") for text in figures)
            before = f"{cpu_alone:8.2f} {cpu_counting:8.2f}"
            print(f"{name:46} {before}  {form:7} {' '.join(figures)}", flush=True)
    return int(over > 0)


if __name__ == "__main__":
    raise SystemExit(main())
