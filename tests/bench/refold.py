"""How many whole headers come back from the plain form in each way, and what it costs.

    python tests/bench/refold.py [MAILS.tar.gz | FOLDER ...]

tests/support/zeek_lines.py simulates Zeek. A header counts if its list of (name, value), as the standard
library reads it, equals the original's, white space apart.
"""

from __future__ import annotations

import argparse
import email
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support import zeek_lines as zeek  # noqa: E402
from zeekpop3.session.plain.refold import refold  # noqa: E402

SAMPLE = ROOT.parent / "shared" / "mail-sample.tar.gz"
Fields = list[tuple[str, str]]
Case = tuple[str, bytes, list[bytes], list[tuple[int, bytes]]]


def mails(source: Path) -> Iterator[tuple[str, bytes]]:
    """The mails of a tar (its .eml files) or of a folder (all its files)."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                yield path.name, path.read_bytes()
        return
    with tarfile.open(source) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file and member.name.endswith(".eml"):
                yield member.name, file.read()


def headers(raw: bytes) -> list[Fields]:
    """The header of the message, and of each of its parts."""
    message = email.message_from_bytes(raw)
    return [[(name, " ".join(str(value).split())) for name, value in part.items()] for part in message.walk()]


def seconds(call: Callable[[Case], object], cases: list[Case]) -> float:
    """CPU time a mail, the best of five."""
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        for case in cases:
            call(case)
        best = min(best, time.process_time() - begun)
    return best / max(len(cases), 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sources", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument(
        "--show", type=int, default=0, help="name so many mails whose header did not come back"
    )
    args = parser.parse_args()
    for source in args.sources:
        if not source.exists():
            print(f"{source}: not there; name a tar or a folder of mails")
            return 1
    cases: list[Case] = []
    for source in args.sources:
        for name, raw in mails(source):
            whole = b"".join(line + b"\r\n" for line in zeek.split_lines(raw))
            cases.append((name, whole, *zeek.simulate(whole)))
    ways: dict[str, Callable[[Case], bytes]] = {
        "as it is": lambda case: b"\r\n".join([*case[2], b""]),
        "by marks": lambda case: refold(case[2], case[3])[0],
        "by looks": lambda case: refold(case[2], None)[0],
    }
    total = len(cases)
    print(f"{total} mails, {sum(len(case[1]) for case in cases) / max(total, 1):,.0f} bytes on average")
    for way, call in ways.items():
        whole_header = with_parts = 0
        missed = []
        for case in cases:
            want, got = headers(case[1]), headers(call(case))
            whole_header += want[0] == got[0]
            with_parts += want == got
            if want[0] != got[0]:
                missed.append(case[0])
        print(
            f"{way}: {whole_header:5} whole headers, {100 * whole_header / total:6.2f} %;"
            f" with all parts' {100 * with_parts / total:6.2f} %; {1e6 * seconds(call, cases):5.1f} µs a mail"
        )
        for name in missed[: args.show if way != "as it is" else 0]:
            print(f"    {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
