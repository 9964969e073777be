"""How the time of the session machine grows on hostile logs.

Four times the rows must take at most five times as long, and a megabyte of log at most two seconds.

    python tests/bench/shapes.py [--rows 8000] [--only NAME]
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from zeekpop3.session import Connection, Rows  # noqa: E402

Row = tuple[str, str | None, int, bytes | int]
"""Kind, command, offset, and the data or the length."""

SHAPES: dict[str, Callable[[int], Iterator[Row]]] = {}
MAIL = b"Subject: x\r\n\r\nHello\r\n.\r\n"


def shape(function: Callable[[int], Iterator[Row]]) -> Callable[[int], Iterator[Row]]:
    """Register a shape: a function of the number of rows, about."""
    SHAPES[function.__name__] = function
    return function


class Stream:
    """Rows of the exact form with their offsets."""

    def __init__(self) -> None:
        self.at = 0

    def contents(self, data: bytes) -> Row:
        row = ("contents", None, self.at, data)
        self.at += len(data)
        return row

    def lose(self, length: int) -> Row:
        row = ("gap", "server", self.at, length)
        self.at += length
        return row

    def sent(self, verb: str | None, data: bytes = b"") -> Row:
        return ("sent", verb, self.at, data)


@shape
def challenges_without_end(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("AUTH", b"LOGIN"))
    yield from (s.contents(b"+\r\n") for _ in range(n))


@shape
def challenges_and_responses(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("AUTH", b"LOGIN"))
    for _ in range(n // 2):
        yield from (s.contents(b"+\r\n"), s.sent(None))


@shape
def pipelined_with_holes(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent("RETR", b"%d" % k) for k in range(1, n // 4))
    for _ in range(n // 4):
        yield from (s.contents(b"+OK 20 octets\r\nSubject: x\r\n"), s.lose(7), s.contents(b"x\r\n.\r\n"))


@shape
def pipelined_all_in_holes(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent("RETR", b"%d" % k) for k in range(1, n // 3))
    for _ in range(n // 3):
        yield from (s.contents(b"x"), s.lose(20_000))


@shape
def pipelined_single_lines_with_holes(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent("DELE", b"%d" % k) for k in range(1, n // 4))
    for _ in range(n // 4):
        yield from (s.contents(b"+OK del"), s.lose(4), s.contents(b"ed\r\n"))


@shape
def stats_with_holes(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent("STAT") for _ in range(1, n // 3))
    for _ in range(n // 3):
        yield from (s.contents(b"+OK 3"), s.lose(9))


@shape
def windowed_with_holes(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("RETR", b"1"), s.sent("RETR", b"2"))
    for k in range(3, n // 4):
        yield from (s.contents(b"+OK\r\nSubject: x\r\n"), s.sent("RETR", b"%d" % k))
        yield from (s.lose(7), s.contents(b"x\r\n.\r\n"))


@shape
def listing_then_strays(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("LIST"))
    lines = b"".join(b"%d %d\r\n" % (k, 20 + k % 7) for k in range(1, n))
    yield s.contents(b"+OK\r\n" + lines + b".\r\n")
    yield ("gap", "client", 10, 8 * n)
    yield from (s.contents(b"+OK\r\n" + MAIL) for _ in range(n))
    yield s.sent("QUIT")


@shape
def listing_then_other_sizes(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("LIST"))
    lines = b"".join(b"%d 22\r\n" % k for k in range(1, n))
    yield s.contents(b"+OK\r\n" + lines + b".\r\n")
    yield ("gap", "client", 10, 3)
    for k in range(1, n // 2):
        yield from (s.sent("RETR", b"%d" % k), s.contents(b"+OK\r\nSubject: xy\r\n\r\nHello\r\n.\r\n"))


@shape
def client_gaps(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    for k in range(1, n // 3):
        yield ("gap", "client", 10 * k, 24)
        yield from (s.sent("RETR", b"%d" % (3 * k)), s.contents(b"+OK\r\n" + MAIL))


@shape
def client_gaps_in_a_batch(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    for k in range(1, n // 2):
        yield ("gap", "client", 10 * k, 7000)
        yield s.sent("RETR", b"%d" % (900 * k))
    yield from (s.contents(b"+OK\r\n" + MAIL) for _ in range(n // 4))


@shape
def never_answered(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent(("NOOP", "STAT")[k % 2]) for k in range(n))


@shape
def never_answered_with_requests(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    for _ in range(n // 2):
        yield s.sent("NOOP")
        yield ("request", "XSENDER", -1, b"x")


@shape
def never_answered_then_holes(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent(("NOOP", "STAT")[k % 2]) for k in range(n // 2))
    for _ in range(n // 4):
        yield from (s.lose(1), s.contents(b"x"))


@shape
def no_line_end(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"x" * 20) for _ in range(n))


@shape
def no_line_end_after_a_command(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("STAT"))
    yield from (s.contents(b"x" * 20) for _ in range(n))


@shape
def no_terminator(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("RETR", b"1"), s.contents(b"+OK\r\n"))
    yield from (s.contents(b"\n.\n..\r\n.x") for _ in range(n))


@shape
def one_byte_rows(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("RETR", b"1"), s.contents(b"+OK\r\n"))
    yield from (s.contents(b".") for _ in range(n))


@shape
def commands_during_a_message(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("RETR", b"1"), s.contents(b"+OK\r\n"))
    for k in range(n // 2):
        yield from (s.contents(b"text.\r\n"), s.sent("RETR", b"%d" % k))


@shape
def unsolicited(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n") for _ in range(n))


@shape
def unsolicited_messages(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.contents(b"+OK\r\n" + MAIL) for _ in range(n))
    yield from (s.sent("USER", b"x"), s.contents(b"+OK\r\n"))


@shape
def early_answers(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.contents(b"+OK\r\n" + MAIL) for _ in range(n // 2))
    yield from (s.sent("RETR", b"%d" % k) for k in range(n // 2))
    yield s.contents(b"+OK\r\n")


@shape
def early_answers_in_turn(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    for _ in range(n // 3):
        yield from (s.contents(b"+OK\r\n+OK\r\n" + MAIL), s.sent("NOOP"), s.sent("RETR", b"1"))


@shape
def noise(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("RETR", b"1"))
    yield from (s.contents(b"noise\r\n") for _ in range(n))


@shape
def noise_for_each_command(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    for k in range(n // 2):
        yield from (s.sent(("RETR", "NOOP")[k % 2], b"1"), s.contents(b"noise\r\nnoise\r\n"))


@shape
def noise_for_a_batch(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent(("RETR", "NOOP")[k % 2], b"1") for k in range(n // 2))
    yield from (s.contents(b"noise\r\n") for _ in range(n // 2))


@shape
def holes_between_bytes(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    for _ in range(n // 2):
        yield from (s.contents(b"x"), s.lose(1))


@shape
def holes_in_a_message(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("RETR", b"1"), s.contents(b"+OK\r\n"))
    for _ in range(n // 2):
        yield from (s.contents(b"x\r\n"), s.lose(1))
    yield s.contents(b".\r\n")


@shape
def large_holes(n: int) -> Iterator[Row]:
    s = Stream()
    yield from (s.contents(b"+OK\r\n"), s.sent("RETR", b"1"), s.contents(b"+OK\r\n"))
    for _ in range(n // 2):
        yield from (s.contents(b"x\r\n"), s.lose(1 << 30))


@shape
def too_large(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent("RETR", b"%d" % k) for k in range(n // 2))
    yield s.contents(b"+OK\r\n")
    yield from (s.contents(b"x" * 200) for _ in range(n // 2))


@shape
def too_large_with_holes(n: int) -> Iterator[Row]:
    s = Stream()
    yield s.contents(b"+OK\r\n")
    yield from (s.sent("RETR", b"%d" % k) for k in range(n // 2))
    for _ in range(n // 4):
        yield from (s.contents(b"x" * 200), s.lose(1))


@shape
def plain_lines_with_gaps(n: int) -> Iterator[Row]:
    yield from (("request", "RETR", -1, b"1"), ("reply", "OK", -1, b""))
    for _ in range(n // 2):
        yield from (("data", None, -1, b"x: y"), ("gap", "server", -1, 5))


@shape
def plain_logins(n: int) -> Iterator[Row]:
    yield from (("request", "RETR", -1, b"1"), ("reply", "OK", -1, b""))
    for k in range(n // 2):
        yield from (("data", None, -1, b"x: y"), ("login", "failure", -1, b"%d" % k))


@shape
def plain_marks(n: int) -> Iterator[Row]:
    yield from (("request", "RETR", -1, b"1"), ("reply", "OK", -1, b""))
    for _ in range(n // 2):
        yield from (("data", None, -1, b"x: y\n\0x\nz\n\0Z"), ("header", "x", -1, b""))


@shape
def plain_status_lines(n: int) -> Iterator[Row]:
    yield ("gap", "server", -1, 5)
    for _ in range(n // 3):
        yield from (("request", "RETR", -1, b"1"), ("reply", "OK", -1, b""), ("data", None, -1, b"+OK"))


def batches(made: Iterable[Row], size: int) -> list[Rows]:
    """The rows in batches, as a reader of logs gives them."""
    rows = list(made)
    found = []
    for at in range(0, len(rows), size):
        part = rows[at : at + size]
        data = [d if isinstance(d, bytes) else b"" for *_, d in part]
        length = [(len(d) or -1) if isinstance(d, bytes) else d for *_, d in part]
        seq = list(range(at, at + len(part)))
        kind, command, offset = ([row[k] for row in part] for k in range(3))
        found.append(Rows(list(seq), seq, kind, command, offset, length, data))  # type: ignore[arg-type]
    return found


def log_size(made: Iterable[Rows]) -> int:
    """About how many bytes these rows take in a log."""
    return sum(70 * len(rows.ts) + sum(map(len, rows.data)) * 4 // 3 for rows in made)


def seconds(made: list[Rows], max_message: int) -> float:
    """CPU time of the machine for these rows."""
    machine = Connection("C1", max_message)
    gc.collect()
    began = time.process_time()
    for rows in made:
        machine.receive(rows)
        machine.held_bytes  # noqa: B018
    machine.finish("open")
    return time.process_time() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=8000, help="rows of the small log")
    parser.add_argument("--batch", type=int, default=500, help="rows that the machine is given at once")
    parser.add_argument("--only", help="this shape only")
    args = parser.parse_args()
    worst = 0.0
    for name, function in SHAPES.items():
        if args.only and args.only != name:
            continue
        limit = 10_000 if name.startswith("too_large") else 1 << 26
        small, large = (batches(function(args.rows * factor), args.batch) for factor in (1, 4))
        short, long = min(seconds(small, limit) for _ in range(3)), seconds(large, limit)
        factor, per_mb = long / short, long / (log_size(large) / 1e6)
        mark = "  <<<" if factor > 5 or per_mb > 2 else ""
        times = f"{short:7.3f} s → {long:7.3f} s  ×{factor:5.1f}  {per_mb:6.2f} s/MB"
        print(f"{name:36} {times}{mark}", flush=True)
        worst = max(worst, factor)
    print(f"{'worst':36} ×{worst:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
