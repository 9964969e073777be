"""Mutated hostile dialogues through a real Zeek and the session machine.

    python tests/fuzz/wire.py [--seconds 600] [--seed 0]

The rows of the exact form must equal those of the stand-in (tests/support/traffic/rows.py), a second reading
of the scripts, unless a limit was reached or packets are missing (when a gap is noticed differs); the machine
must not raise.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support import hostile  # noqa: E402
from support.dialogues import fed  # noqa: E402
from support.hostile_dialogues import Talk  # noqa: E402
from support.traffic import damage, eventlog, pcap, record, rows, tcp  # noqa: E402
from support.traffic.pcap import Flow, Packet  # noqa: E402

PIECES = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"",
        b" ",
        b"\0",
        b"+OK\r\n",
        b"-ERR\r\n",
        b"+ \r\n",
        b"+",
        b".\r\n",
        b"\x16\x03",
    ),
    *(
        b"RETR 1\r\n",
        b"USER x\r\n",
        b"PASS y\r\n",
        b"AUTH LOGIN\r\n",
        b"AUTH PLAIN\r\n",
        b"STLS\r\n",
        b"*\r\n",
    ),
    *(b"QUIT\r\n", b"am9l\r\n", b"\x15\x03", b"\xff", b"x" * 290, b"NOOP\r\n" * 90, b"\n" * 90, b"AUTH "),
]


def mutated(talk: Talk, rng: random.Random) -> Talk:
    """A dialogue with some steps dropped, doubled, swapped, joined, or with other bytes in them."""
    talk = list(talk)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(talk))
        from_client, data = talk[at]
        what = rng.randrange(6)
        if what == 0 and len(talk) > 2:
            del talk[at]
        elif what == 1:
            talk.insert(rng.randrange(len(talk)), (from_client, data))
        elif what == 2:
            other = rng.randrange(len(talk))
            talk[at], talk[other] = talk[other], talk[at]
        elif what == 3:
            cut = rng.randrange(len(data) + 1)
            end = cut + rng.randint(0, 4)
            talk[at] = (from_client, data[:cut] + rng.choice(PIECES) + data[end:])
        elif what == 4:
            talk.insert(at, (rng.random() < 0.5, rng.choice(PIECES)))
        else:
            talk[at] = (not from_client, data)
    return [step for step in talk if step[1]]


def packets_of(number: int, rng: random.Random) -> list[Packet]:
    case = rng.choice(hostile.CASES)
    flow = Flow("192.0.2.7", 20000 + number, "192.0.2.110", 110)
    made = tcp.Connection(flow, start=tcp.START + number * 10_000_000)
    made.play(mutated(case.talk, rng) or [(True, b"x")], rng.choice([None, tcp.by_size(rng.randint(1, 40))]))
    if rng.random() < 0.3:
        data = damage.data_indices(made.packets)
        return damage.drop(made.packets, rng.sample(data, min(len(data), rng.randint(1, 3))))
    return made.packets


def said(held: rows.Rows) -> list[object]:
    """What both sides sent, wherever rows are cut."""
    stream, client = b"", []
    for kind, command, offset, length, data in zip(*held[2:7], strict=True):
        if kind == "contents":
            stream += data
        elif (kind, command) == ("sent", "lines"):
            for line in data.split(b"\n"):
                verb, _, numbers = line.partition(b" ")
                client.append((kind, verb.decode(), offset, len(numbers) or -1, numbers))
        elif kind == "sent" and not data:
            client += [(kind, command, offset, -1, data)] * max(length, 1)
        elif kind == "sent" or (kind, command) == ("gap", "client"):
            client.append((kind, command, offset, length, data))
        elif kind == "gap":
            stream += b"<gap %d>" % length
        elif kind == "starttls":
            stream += b"<tls>"
    return [stream, client]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--connections", type=int, default=1000, help="per run of Zeek")
    args = parser.parse_args()
    stop, seed, bad = time.monotonic() + args.seconds, args.seed, 0
    while time.monotonic() < stop:
        rng = random.Random(seed)
        packets = tcp.interleave(*(packets_of(number, rng) for number in range(args.connections)))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            pcap.write(folder / "x.pcap", packets)
            for form in ("plain", "exact"):
                record.zeek(folder / "x.pcap", form, folder)
                found = eventlog.read_log(folder / "pop3_events.log").values()
                real = {held.conn_id: held for held in found}
                for held in real.values():
                    fed([held])
            made = {held.conn_id: held for held in rows.of_packets(packets, exact=True).values()}
            for conn_id in real.keys() | made.keys():
                one, other = real.get(conn_id), made.get(conn_id)
                if one is not None and ("limit" in one.command or "gap" in one.kind):
                    continue
                if one is None or other is None or said(one) != said(other):
                    bad += 1
                    print(f"seed {seed}, port {conn_id.orig_p if conn_id else 0}: rows differ", flush=True)
        seed += 1
    print(f"{(seed - args.seed) * args.connections} dialogues in each form, {bad} differ")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
