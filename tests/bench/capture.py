"""Makes captures of any size for benchmarks, with the truth about every mail in them.

    python tests/bench/capture.py --out x.pcap --mb 100 --truth x.json

Connections overlap in time, some eight at once; each fetches several mails. Servers declare octets in
different places, clients log in in different ways. With real mails (`--mails`, a tar of .eml files) each
further round over them puts another field in front, so that no mail occurs twice.
"""

from __future__ import annotations

import argparse
import random
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support.traffic import damage, mails, pcap, pop3, tcp, truth  # noqa: E402

SAMPLE = ROOT.parent / "shared" / "mail-sample.tar.gz"
AT_ONCE = 8


def size_of(text: str) -> int:
    """'1MB', '300k', '5000' as a number of bytes."""
    number = text.lower().rstrip("ib")
    unit = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}.get(number[-1], 1)
    return int(float(number.rstrip("kmg")) * unit)


def real_mails(path: Path) -> Iterator[bytes]:
    """The mails of a tar, round after round, with CRLF line ends."""
    with tarfile.open(path) as tar:
        files = [tar.extractfile(member) for member in tar if member.name.endswith(".eml")]
        found = [pop3.crlf(file.read()) for file in files if file]
    if not found:
        raise SystemExit(f"{path}: no .eml file in it")
    yield from found
    turn = 1
    while True:
        for mail in found:
            # Behind an mbox's separator, which is one only as the first line.
            start = mail.find(b"\n") + 1 if mail.startswith(b"From ") else 0
            yield mail[:start] + b"X-Round: %d\r\n" % turn + mail[start:]
        turn += 1


def source(args: argparse.Namespace) -> Iterator[bytes]:
    if args.attachment:
        number = 0
        while True:
            yield mails.with_attachment(number, size_of(args.attachment), args.seed)
            number += 1
    elif args.generated:
        yield from mails.all_small(args.seed)
    elif not args.mails.exists():
        raise SystemExit(f"{args.mails}: not there; give --mails TAR or --generated")
    else:
        yield from real_mails(args.mails)


def status_apart(mss: int) -> tcp.Cut:
    """Segments as of a server that writes the status line by itself before the rest of a response."""
    rest = tcp.by_size(mss)

    def cut(data: bytes) -> Iterator[bytes]:
        end = data.find(b"\r\n") + 2
        yield data[:end]
        yield from rest(data[end:])

    return cut


def connection(
    number: int, start: int, stock: Iterator[bytes], args: argparse.Namespace, rng: random.Random
) -> tuple[tcp.Connection, list[truth.Truth]]:
    """One session that fetches the next mails of the stock."""
    count = 2 if args.attachment else args.per_connection
    size = count if args.even else rng.randint(1, 2 * count - 1)
    box = pop3.Mailbox([next(stock) for _ in range(size)], user=f"user{number % 97}")
    flavour = pop3.FLAVOURS[args.flavour or rng.choice(list(pop3.FLAVOURS))]
    lines = pop3.fetch_all(box, rng.choice(["USER", "PLAIN", "PLAIN+", "LOGIN"]), delete=args.delete)
    turns = pop3.dialogue(box, lines, flavour)
    client = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    isn = (rng.getrandbits(32), rng.getrandbits(32))
    flow = pcap.Flow(client, 1024 + rng.randrange(60000), "192.0.2.110", args.port, *isn)
    made = tcp.Connection(flow, start=start, turn=rng.randint(200, 4000), gap=rng.randint(5, 40))
    kinds = {"batch": {"batch": rng.choice([3, 10, 1000])}, "window": {"window": rng.choice([2, 5, 20])}}
    how = args.pipelined or "lock-step"
    steps = pop3.steps(
        turns, rng=rng, **kinds.get(rng.choice(["batch", "window"]) if how == "mixed" else how, {})
    )
    made.play(steps, status_apart(flow.mss) if args.status_apart else None)
    return made, truth.of_turns(turns, flow)


def damaged(packets: list[pcap.Packet], args: argparse.Namespace, rng: random.Random) -> list[pcap.Packet]:
    if args.retransmit:
        chosen = [i for i in damage.data_indices(packets) if rng.random() < args.retransmit]
        packets = damage.retransmit(packets, chosen, after=5)
    if args.reorder:
        chosen = [i for i in damage.data_indices(packets) if rng.random() < args.reorder]
        packets = damage.delay(packets, chosen, by=rng.randint(1, 4))
    return damage.lose(packets, args.loss, rng) if args.loss else packets


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the pcap to write")
    parser.add_argument("--truth", type=Path, help="JSON: four-tuple, number, hash, what is missing")
    parser.add_argument("--mb", type=float, default=100, help="size of the capture in 10^6 bytes")
    parser.add_argument("--mails", type=Path, default=SAMPLE, help="a tar of .eml files")
    parser.add_argument("--generated", action="store_true", help="small mails of our own making instead")
    parser.add_argument("--attachment", metavar="SIZE", help="mails with an attachment so large, e.g. 1MB")
    parser.add_argument("--per-connection", type=int, default=6, help="mails per connection, on average")
    parser.add_argument("--even", action="store_true", help="exactly so many, not on average")
    parser.add_argument(
        "--pipelined",
        nargs="?",
        const="mixed",
        choices=["mixed", "batch", "window"],
        help="clients that do not wait",
    )
    parser.add_argument("--flavour", choices=list(pop3.FLAVOURS), help="one kind of server (default: all)")
    parser.add_argument(
        "--status-apart", action="store_true", help="the status line in a segment of its own (lock-step)"
    )
    parser.add_argument("--delete", action="store_true", help="DELE after each RETR")
    parser.add_argument("--loss", type=float, default=0, help="share of packets that the tap loses")
    parser.add_argument("--retransmit", type=float, default=0, help="share of segments seen twice")
    parser.add_argument("--reorder", type=float, default=0, help="share of segments that arrive late")
    parser.add_argument("--port", type=int, default=110)
    parser.add_argument("--connections", type=int, default=0, help="stop after so many")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    rng = random.Random(args.seed)
    stock = source(args)
    told: list[dict[str, Any]] = []
    began = time.process_time()
    state = {"size": 24, "connections": 0, "mails": 0, "whole": 0}

    def frames() -> Iterator[tuple[int, bytes]]:
        start = tcp.START
        while state["size"] < args.mb * 1e6 and not 0 < args.connections <= state["connections"]:
            group = []
            for _ in range(AT_ONCE):
                made, found = connection(state["connections"], start, stock, args, rng)
                group.append((made, found))
                state["connections"] += 1
                start += rng.randint(0, 20_000)
                if 0 < args.connections <= state["connections"]:
                    break
            whole = tcp.interleave(*(made for made, _ in group))
            seen = damaged(whole, args, rng)
            found = [t for _, found in group for t in found]
            found = truth.after(found, whole, seen) if args.loss else found
            state["mails"] += len(found)
            state["whole"] += sum(t.complete for t in found)
            if args.truth:
                told.extend(map(truth.as_json, found))
            start = max(whole[-1].ts, start) + 1000
            for packet in seen:
                data = pcap.frame(packet)
                state["size"] += 16 + len(data)
                yield packet.ts, data

    args.out.parent.mkdir(parents=True, exist_ok=True)
    size = pcap.write_frames(args.out, frames())
    if args.truth:
        truth.save(args.truth, told, capture=args.out.name, seed=args.seed, loss=args.loss)
    print(
        f"{args.out}: {size / 1e6:.1f} MB, {state['connections']} connections, {state['mails']} mails "
        f"({state['whole']} whole), {time.process_time() - began:.1f} s CPU",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
