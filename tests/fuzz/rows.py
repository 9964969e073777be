"""Random rows through the session machine, in both forms and mixed; no dependency.

    python tests/fuzz/rows.py [--seconds 3600] [--seed 0]     one process, until the time is over
    python tests/fuzz/rows.py --only SEED                      a single seed again

Checks what no log may break: nothing is raised; batches, pickling and memory limits of the reader make no
difference to what comes out; numbers count up; defects are on the list; a mail has no more bytes than the
rows; the time is bounded.
"""

from __future__ import annotations

import argparse
import pickle
import random
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (2, 1)]

from zeekpop3.session import DEFECTS, Command, Connection, ConnId, Rows, Session, Transfer  # noqa: E402
from zeekpop3.session.events import Event  # noqa: E402

VERBS = (
    *("USER", "PASS", "APOP", "AUTH", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET", "NOOP", "QUIT"),
    *("CAPA", "STLS", "XTND", "LANG", "retr", "X", "", None, "?", "lines"),
)
WORDS = ("success", "failure", "limit", "rexmit_inconsistency", "not_understood", "syn", "Subject", None)
ARGUMENTS = (
    b"",
    b"PLAIN a\0b",
    b"RETR 1\nNOOP",
    b"1",
    b"2",
    b"3",
    b"17",
    b"1 0",
    b"lisi",
    b"PLAIN",
    b"PLAIN lisi",
    b"LOGIN",
    b"99999999999",
)
PIECES = (
    *(
        b"+OK\r\n",
        b"+OK ",
        b"-ERR no\r\n",
        b"+ \r\n",
        b"+",
        b"\r\n",
        b"\n",
        b"\r",
        b".\r\n",
        b".\n",
        b".",
        b"..",
    ),
    *(
        b"+OK 2 300\r\n",
        b"1 22\r\n",
        b"2 22\r\n",
        b"1 abc\r\n",
        b"+OK 22 octets\r\n",
        b"Subject: x\r\n",
        b"x" * 40,
    ),
    *(
        b"Subject: x\r\n\r\nHello\r\n.\r\n",
        b"\0",
        b"\xff",
        b"\x16\x03\x01",
        b"STLS\r\n",
        b"\nx\n\0Subject\n y",
    ),
)
SECONDS = 2.0


def rows_of(rng: random.Random) -> list[tuple[str, str | None, int, int, bytes]]:
    """Kind, command, offset, length and data of the rows of one connection."""
    made: list[tuple[str, str | None, int, int, bytes]] = []
    form = rng.choice(["exact", "exact", "plain", "mixed"])
    rare = rng.choice([0.0, 0.02, 0.2])  # how often something is lost or wrong
    at = 0
    for _ in range(rng.choice([5, 20, 60, 200])):
        data = b"".join(rng.choices(PIECES, k=rng.randint(1, 6)))
        exact = form == "exact" or (form == "mixed" and rng.random() < 0.5)
        if rng.random() < rare:
            size, side = rng.choice([1, 5, 24, 4000, 1 << 40]), rng.choice(["client", "server"])
            kind = rng.choice(
                ["gap", "gap", "login", "starttls", "unexpected", "close", "header", "end", "?"]
            )
            command = side if kind == "gap" else rng.choice(WORDS)
            data = rng.choice([side.encode(), b"a\0b", b"^dD", b"ShF", b""]) if kind != "gap" else b""
            made.append((kind, command, at if side == "server" else -1, len(data) or size, data))
            at += size if kind == "gap" and side == "server" else 0
        elif rng.random() < 0.5:
            argument = rng.choice(ARGUMENTS)
            offset = (at + (rng.randint(-9, 9) if rng.random() < rare else 0)) if exact else -1
            count = rng.choice([2, 9, 5000]) if exact and not argument and rng.random() < rare else -1
            kind = "sent" if exact else "request"
            made.append((kind, rng.choice(VERBS), max(offset, -1), len(argument) or count, argument))
        elif exact:
            offset = at + (rng.randint(-9, 9) if rng.random() < rare else 0)
            length = len(data) + (rng.randint(0, 50) if rng.random() < rare else 0)
            made.append(("contents", None, max(offset, 0), length, data))
            at = max(offset, 0) + length
        else:
            kind = rng.choice(["reply", "data", "data", "data"])
            made.append((kind, rng.choice(["OK", "ERR"]) if kind == "reply" else None, -1, len(data), data))
    return made


def columns(made: list[tuple[str, str | None, int, int, bytes]], rng: random.Random) -> Rows:
    """The rows, perhaps with holes in `seq`, or with numbers that come twice."""
    seq, number = [], 0
    other = rng.choice([1, 1, 1, 2, 0])
    for _ in made:
        seq.append(number)
        number += other if rng.random() < 0.1 else 1
    kind, command, offset, length, data = (list(column) for column in zip(*made, strict=True))
    stamps = [1_700_000_000_000_000 + 1000 * n for n in range(len(made))]
    return Rows(stamps, seq, kind, command, offset, length, data, ConnId("192.0.2.7", 9, "192.0.2.1", 110))


def outcome(rows: Rows, cuts: list[int], *, pickled: bool, limit: int) -> list[Event]:
    """What comes out of a connection that gets the rows in batches."""
    connection, events = Connection("C1", limit), []
    for start, stop in zip([0, *cuts], [*cuts, len(rows.ts)], strict=True):
        events += connection.receive(rows.part(start, stop))
        if pickled:
            connection = pickle.loads(pickle.dumps(connection))
    return [*events, *connection.finish("open")]


def check(seed: int) -> None:
    """Raises if what comes of the rows of a seed breaks a rule."""
    rng = random.Random(seed)
    rows = columns(rows_of(rng), rng)
    limit = rng.choice([1 << 26, 1 << 26, 64, 1000])
    began = time.process_time()
    events = outcome(rows, [], pickled=False, limit=limit)
    assert time.process_time() - began < SECONDS
    cuts = sorted(rng.sample(range(1, len(rows.ts)), min(len(rows.ts) - 1, rng.randint(0, 9))))
    assert outcome(rows, cuts, pickled=rng.random() < 0.3, limit=limit) == events
    commands = [event for event in events if isinstance(event, Command)]
    transfers = [event for event in events if isinstance(event, Transfer)]
    assert [command.seq for command in commands] == list(range(len(commands)))
    assert [transfer.trans_depth for transfer in transfers] == list(range(1, len(transfers) + 1))
    [session] = [event for event in events if isinstance(event, Session)]
    assert session is events[-1]
    assert session.commands == len(commands)
    assert sum(len(transfer.raw) for transfer in transfers) <= 2 * sum(map(len, rows.data)) + 4 * len(rows.ts)
    for event in (*transfers, session):
        assert DEFECTS.keys() >= set(event.defects)
        assert len(set(event.defects)) == len(event.defects)
    assert 0 <= session.missing_bytes < 1 << 63
    for transfer in transfers:
        assert not (transfer.complete and transfer.missing_bytes)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--only", type=int, help="this seed only")
    args = parser.parse_args()
    if args.only is not None:
        check(args.only)
        return 0
    seed, end, failed = args.seed, time.monotonic() + args.seconds, 0
    while time.monotonic() < end and failed < 20:
        try:
            check(seed)
        except Exception as error:
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}", flush=True)
        seed += 1
    print(f"{seed - args.seed} seeds, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    raise SystemExit(main())
