"""What a question about one day costs in tables of many days, and in tables of one day.

    python tests/bench/days.py [--days 1500] [--rounds 3]

Each line: a command, its CPU seconds with one day and with all days (the least of the rounds), and the
ratio. The commands run one after the other, in turns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import run

from support.many_days import LOG, many_days


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        one, many = Path(name, "one"), Path(name, "many")
        first = str(many_days(one, 1)[0])
        day = str(many_days(many, args.days)[args.days // 2])
        for command in ("read", "sql", "export", "append"):
            best: dict[Path, float] = {}
            for _ in range(args.rounds):
                for out, wanted in ((one, first), (many, day)):
                    seconds = _seconds(command, out, wanted)
                    best[out] = min(seconds, best.get(out, seconds))
            ratio = best[many] / best[one]
            print(f"{command:8} {best[one]:6.2f} s {best[many]:6.2f} s  {ratio:.2f}", flush=True)


def _seconds(command: str, out: Path, day: str) -> float:
    span = ["--since", day, "--until", f"{day}T23:59:59"]
    program = [sys.executable, "-m", "zeekpop3"]
    arguments = {
        "read": [
            sys.executable,
            "-c",
            f"import zeekpop3; zeekpop3.read({str(out)!r}, 'emails', since={day!r})",
        ],
        "sql": [
            *program,
            "sql",
            str(out),
            f"select count(*) from emails where ts::date = date '{day}' and day = '{day}'",
        ],
        "export": [*program, "export", str(out), "--as", "ecs", *span],
        "append": [*program, "run", str(LOG), "--out", str(out), "--append", "--force"],
    }[command]
    if command == "read":
        arguments[-1] = arguments[-1].replace(")", f", until='{day}T23:59:59')")
    seconds = run(arguments).cpu
    for part in out.rglob("part-2*.parquet"):
        part.unlink()
    return seconds


if __name__ == "__main__":
    main()
