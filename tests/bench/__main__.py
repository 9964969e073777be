"""Makes captures, measures all that the project promises on them, and prints ratios from this one run.

    python tests/bench                        all parts, 100 MB captures (some ten minutes, 5 GB of disk)
    python tests/bench --parts stage,help     only these parts
    python tests/bench --mb 20 --rounds 1     quickly

CPU seconds (user and system, of all processes) but where wall is said. Programs take turns, the cheapest run
counts. Needs zeek on PATH; tshark is left out where it is missing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE)]
sys.path.append(str(ROOT))

import measure  # noqa: E402
from measure import Cost, quickest, turns  # noqa: E402

PYTHON = sys.executable
PROGRAM = [PYTHON, "-P", "-m", "zeekpop3"]  # as it is installed, compiled or not
FORMS = ("exact", "plain")
LOADED = {
    "exact": ["exact.zeek"],
    "exact, analyzer kept": ["exact.zeek", "Pop3Events::release_analyzer=F"],
    "plain": ["."],
}
KINDS: dict[str, list[str]] = {"small": [], "attachments": ["--attachment", "1MB"]}
TARGETS = {
    ("small", "exact"): 0.5,
    ("small", "exact, analyzer kept"): 0.5,
    ("attachments", "exact"): 0.6,
    ("attachments", "exact, analyzer kept"): 0.6,
    ("small", "plain"): 0.4,
    ("attachments", "plain"): 0.4,
}
MIB = 1 << 20


class Bench:
    """The captures and logs at hand, each made when it is first asked for."""

    def __init__(self, folder: Path, mb: float, rounds: int) -> None:
        self.folder = folder
        self.mb = mb
        self.rounds = rounds

    def capture(self, kind: str, mb: float) -> Path:
        path = self.folder / f"{kind}-{mb:g}.pcap"
        if not path.exists():
            sample = ROOT.parent / "shared" / "mail-sample.tar.gz"
            generated = [] if KINDS[kind] or sample.exists() else ["--generated"]
            measure.run(
                [PYTHON, HERE / "capture.py", "--out", path, "--mb", str(mb), *KINDS[kind], *generated]
            )
        return path

    def zeek(self, kind: str, mb: float, form: str | None) -> Cost:
        """Zeek over a capture, alone or with one form of the package."""
        folder = self.folder / f"{kind}-{mb:g}.{form or 'alone'}"
        folder.mkdir(exist_ok=True)
        loaded = LOADED[form] if form else []
        scripts = [word if "=" in word else ROOT / "zeek-scripts" / word for word in loaded]
        return measure.run(["zeek", "-Cr", self.capture(kind, mb), *scripts], cwd=folder)

    def log(self, kind: str, mb: float, form: str) -> Path:
        path = self.folder / f"{kind}-{mb:g}.{form}" / "pop3_events.log"
        if not path.exists():
            self.zeek(kind, mb, form)
        return path

    def stage(self, log: Path, jobs: int | None = 1) -> Cost:
        """`zeekpop3 run` over a log or a folder."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        command: list[str | Path] = [*PROGRAM, "run", log, "--out", out]
        return measure.run([*command, *(["--jobs", str(jobs)] if jobs else [])])

    def script(self, log: Path) -> Cost:
        return measure.run([PYTHON, HERE / "plain_script.py", log, self.folder / "script.parquet"])

    def copies(self, log: Path, count: int) -> Path:
        """A folder with so many logs like this one, each with connections of its own."""
        folder = log.parent / f"times-{count}"
        folder.mkdir(exist_ok=True)
        for number in range(count):
            path = folder / f"pop3_events.{number}.log"
            if not path.exists():
                with log.open("rb") as source, path.open("wb") as target:
                    for line in source:
                        ts, tab, rest = line.partition(b"\t")
                        target.write(line if line[:1] == b"#" else ts + tab + b"%dx" % number + rest)
        return folder


def mails(cost: Cost) -> int:
    """The number of mails in what `run` or the script said at its end; progress says others before."""
    return int(re.findall(r"(\d+) mails", cost.output)[-1])


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    print(f"\n### {title}\n")
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(row) + " |", flush=True)


def part_stage(bench: Bench) -> None:
    """Zeek alone, with each form, and our stage on what it wrote."""
    rows = []
    for kind in KINDS:
        for form in LOADED:
            log = bench.log(kind, bench.mb, form)
            programs: dict[str, Callable[[], Cost]] = {
                "alone": partial(bench.zeek, kind, bench.mb, None),
                "zeek": partial(bench.zeek, kind, bench.mb, form),
                "stage": partial(bench.stage, log),
            }
            best = turns(bench.rounds, programs)
            zeek, stage = best["zeek"].cpu, best["stage"].cpu
            floor = floor_of(log)
            rows.append(
                [
                    f"{kind}, {form}",
                    f"{best['alone'].cpu:.2f}",
                    f"{zeek:.2f}",
                    f"{stage:.2f}",
                    f"**{stage / zeek:.2f}**",
                    f"{TARGETS[kind, form]}",
                    f"{floor / zeek:.2f}",
                    f"{1e6 * stage / mails(best['stage']):.0f}",
                    f"{best['stage'].rss:.0f}",
                ]
            )
    table(
        f"Log to tables ÷ Zeek, {bench.mb:g} MB captures, one core",
        [
            "",
            "Zeek alone, s",
            "Zeek, s",
            "stage, s",
            "stage ÷ Zeek",
            "asked",
            "floor ÷ Zeek",
            "µs a mail",
            "peak MiB",
        ],
        rows,
    )


def floor_of(log: Path) -> float:
    """CPU seconds to cut, read, decode and group the log, the libraries loaded already."""
    from reading import once

    return min(sum(once(log)[:3]) for _ in range(2))


def part_script(bench: Bench) -> None:
    """The script that somebody would write without us; it holds all rows at once (2 GB of 100 MB, plain)."""
    rows = []
    for kind in KINDS:
        for form in FORMS:
            log = bench.log(kind, bench.mb, form)
            best = turns(1, {"script": partial(bench.script, log), "stage": partial(bench.stage, log)})
            ratio = best["script"].cpu / best["stage"].cpu
            rows.append(
                [
                    f"{kind}, {form}",
                    f"{best['script'].cpu:.1f}",
                    f"{best['stage'].cpu:.1f}",
                    f"**{ratio:.1f}**",
                ]
            )
    table("The plain script ÷ our stage (asked: 3)", ["", "script, s", "stage, s", "ratio"], rows)


def part_tshark(bench: Bench) -> None:
    """Wireshark's own export of mails."""
    import objects

    objects.part(bench.folder, bench.mb / 4)


def part_spark(bench: Bench) -> None:
    """The same rows on Spark, and skew."""
    import spark_rows

    spark_rows.part(bench.folder, bench.mb / 4)


def part_growth(bench: Bench) -> None:
    """The time of a mail as the input grows."""
    rows = []
    for form in FORMS:
        for times in (1, 4, 16):
            log = bench.log("small", bench.mb / 4 * times, form)
            best = turns(bench.rounds if times < 16 else 1, {"stage": partial(bench.stage, log)})["stage"]
            rows.append(
                [
                    f"{form}, {times} ×",
                    f"{log.stat().st_size / 1e6:.0f}",
                    f"{mails(best)}",
                    f"{best.cpu:.1f}",
                    f"{1e6 * best.cpu / mails(best):.0f}",
                    f"{best.rss:.0f}",
                ]
            )
    table("Growth, one core", ["", "log, MB", "mails", "stage, s", "µs a mail", "peak MiB"], rows)


def part_cores(bench: Bench) -> None:
    """All cores against one, by the wall clock: only a machine that is otherwise idle tells."""
    rows = []
    for form in FORMS:
        log = bench.log("small", bench.mb * (4 if form == "exact" else 2), form)
        best = quickest(
            bench.rounds, {"one": partial(bench.stage, log, 1), "all": partial(bench.stage, log, None)}
        )
        rows.append(
            [
                f"{form}, {log.stat().st_size / 1e6:.0f} MB of log",
                f"{best['one'].wall:.1f}",
                f"{best['all'].wall:.1f}",
                f"**{best['one'].wall / best['all'].wall:.2f}**",
            ]
        )
    table(
        "All cores (asked: 1.7 on two)",
        ["", "one, s wall", "all, s wall", "times faster"],
        rows,
    )


def part_memory(bench: Bench) -> None:
    """Peak memory of one job as the log grows."""
    rows = []
    for form in FORMS:
        log = bench.log("small", bench.mb, form)
        few = max(1, round(400e6 / log.stat().st_size))
        small = bench.stage(bench.copies(log, few))
        large = bench.stage(bench.copies(log, 4 * few))
        for cost, count in ((small, few), (large, 4 * few)):
            rows.append(
                [
                    f"{form}, {count * log.stat().st_size / 1e6:.0f} MB of log",
                    f"{cost.rss:.0f}",
                    f"**{cost.rss / small.rss:.2f}**",
                ]
            )
        shutil.rmtree(bench.copies(log, 4 * few))
        shutil.rmtree(bench.copies(log, few))
    table("Peak memory, one job (asked: 600, and 1.15 times)", ["", "peak MiB", "÷ the first"], rows)


def part_help(bench: Bench) -> None:
    """How soon the program answers."""
    best = turns(3, {"help": lambda: measure.run([*PROGRAM, "--help"])})["help"]
    table("`zeekpop3 --help` (asked: 0.3)", ["s"], [[f"{best.cpu:.2f}"]])


PARTS: dict[str, Callable[[Bench], None]] = {
    "stage": part_stage,
    "script": part_script,
    "tshark": part_tshark,
    "spark": part_spark,
    "growth": part_growth,
    "cores": part_cores,
    "memory": part_memory,
    "help": part_help,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mb", type=float, default=100, help="size of the captures in 10^6 bytes")
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the cheapest counts")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, with commas between")
    parser.add_argument("--work", type=Path, help="a folder for captures and logs, kept and used again")
    args = parser.parse_args()
    if shutil.which("zeek") is None:
        raise SystemExit("no zeek on PATH")
    with tempfile.TemporaryDirectory(prefix="zeekpop3-bench-") as scratch:
        folder = args.work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, args.mb, args.rounds)
        for name in args.parts.split(","):
            PARTS[name](bench)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
