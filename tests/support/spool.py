"""Event logs of made-up sessions, for tests of what feeds the session machine."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

from support.traffic import eventlog, mails, pcap, pop3, rows, tcp


def sessions(count: int, *, exact: bool, seed: int = 0, row_bytes: int = 700) -> list[bytes]:
    """The log lines of `count` connections, four at once, each fetching up to five mails."""
    rng = random.Random(seed)
    stock = mails.all_small(seed)
    packets: list[pcap.Packet] = []
    start = tcp.START
    for first in range(0, count, 4):
        group = []
        for number in range(first, min(first + 4, count)):
            box = pop3.Mailbox(list(islice(stock, rng.randint(1, 5))), user=f"user{number}")
            turns = pop3.dialogue(box, pop3.fetch_all(box, "USER"), pop3.FLAVOURS["dovecot"])
            flow = pcap.Flow(f"10.0.0.{number % 250}", 20_000 + number, "192.0.2.110", 110, 1, 2)
            made = tcp.Connection(flow, start=start, turn=500, gap=10)
            made.play(pop3.steps(turns, rng=rng))
            group.append(made)
            start += 300
        packets += tcp.interleave(*group)
        start = packets[-1].ts + 1000
    found = rows.of_packets(packets, exact=exact, row_bytes=row_bytes)
    return eventlog.log_lines({eventlog.uid_of(number): each for number, each in enumerate(found.values())})


def write(path: Path, lines: list[bytes]) -> Path:
    """A log file of these lines."""
    path.write_bytes(eventlog.log_header() + b"".join(lines) + b"#close\t2024-01-01-00-00-01\n")
    return path
