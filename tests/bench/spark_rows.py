"""The rows of `zeekpop3.spark` held against those of `zeekpop3 run`, on logs of real Zeek; and skew.

    python tests/bench --parts spark
    python tests/bench/spark_rows.py --mb 25

Each log is cut into rotated pieces, anywhere between two rows, one of them compressed; both programs read
the folder, and all columns of all tables are compared. Skew is one connection with a million rows: what the
JVM and the Python workers (two tasks at a time) take at most is shown, looked at five times a second.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import measure  # noqa: E402

PYTHON = sys.executable
KINDS: dict[str, list[str]] = {"small": [], "attachments": ["--attachment", "1MB"]}
FORMS = {"exact": "exact.zeek", "plain": "."}
PIECES = 5
# In the plain form a small mail of the sample is some 100 rows.
SKEWED = ["--connections", "1", "--even", "--per-connection", "8200"]
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Spent:
    """Wall and CPU seconds of a program and all below it; the peak MiB of its JVM and of all its Pythons."""

    wall: float
    cpu: float
    jvm: float
    workers: float


def part(folder: Path, mb: float) -> None:
    """Measure and print two tables; captures and logs go to the folder."""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        print("\n(no pyspark)")
        return
    captures = {
        f"{kind}, {form}": _log(folder, f"{kind}-{mb:g}", ["--mb", str(mb), *options], form)
        for kind, options in KINDS.items()
        for form in FORMS
    }
    _table(f"Spark's rows beside those of run, {mb:g} MB captures, local[2]", captures, folder)
    skewed = _log(folder, "skewed", ["--mb", "1000", *SKEWED], "plain")
    _table("One connection, plain form", {"skewed": skewed}, folder)


def _log(folder: Path, name: str, options: list[str], form: str) -> Path:
    """The folder with the rotated pieces of a capture's log."""
    place = folder / f"spark-{name}-{form}"
    logs = place / "logs"
    if logs.exists():
        return logs
    place.mkdir(parents=True)
    capture = folder / f"spark-{name}.pcap"
    if not capture.exists():
        sample = ROOT.parent / "shared" / "mail-sample.tar.gz"
        generated = [] if "--attachment" in options or sample.exists() else ["--generated"]
        measure.run([PYTHON, HERE / "capture.py", "--out", capture, *options, *generated])
    measure.run(["zeek", "-Cr", capture, ROOT / "zeek-scripts" / FORMS[form]], cwd=place)
    rotate(place / "pop3_events.log", logs / "2023-11-14")
    return logs


def rotate(log: Path, archive: Path) -> None:
    """Cut a log into pieces as if Zeek had rotated it."""
    archive.mkdir(parents=True)
    lines = log.read_bytes().splitlines(keepends=True)
    header = [line for line in lines[:10] if line.startswith(b"#")]
    rows = [line for line in lines if not line.startswith(b"#")]
    for number in range(PIECES):
        piece = rows[len(rows) * number // PIECES : len(rows) * (number + 1) // PIECES]
        data = b"".join([*header, *piece, b"#close\t2023-11-14-23-00-00\n"])
        path = archive / f"pop3_events.{number:02d}:00:00-{number + 1:02d}:00:00.log"
        if number == 1:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, 1))
        else:
            path.write_bytes(data)


def _table(title: str, logs: dict[str, Path], folder: Path) -> None:
    from zeekpop3.tables import TABLES

    head = ["", "rows of log", *TABLES, "run, s wall", "Spark, s wall", "CPU ÷ run's"]
    head += ["JVM, peak MiB", "Pythons, peak MiB"]
    print(f"\n### {title}\n")
    print("Of each table: rows that are the same in all columns of all rows that either has.\n")
    for row in (head, ["---"] * len(head)):
        print("| " + " | ".join(row) + " |", flush=True)
    for name, source in logs.items():
        print("| " + " | ".join([name, *_row(source, folder, list(TABLES))]) + " |", flush=True)


def _row(logs: Path, folder: Path, names: list[str]) -> list[str]:
    ours, theirs = folder / "spark-run", folder / "spark-spark"
    for old in (ours, theirs):
        shutil.rmtree(old, ignore_errors=True)
    run = measure.run([PYTHON, "-m", "zeekpop3", "run", logs, "--out", ours, "--jobs", "1"], cwd=ROOT)
    command = [PYTHON, "-m", "zeekpop3.spark", str(logs), "--out", str(theirs), "--master", "local[2]"]
    spark = watched(command)
    counts = [compare(ours, theirs, name) for name in names]
    words = run.output.split()
    return [
        words[words.index("rows") - 1],
        *(f"{same} of {every}" for same, every in counts),
        f"{run.wall:.1f}",
        f"{spark.wall:.1f}",
        f"{spark.cpu / run.cpu:.1f}",
        f"{spark.jvm:.0f}",
        f"{spark.workers:.0f}",
    ]


def compare(ours: Path, theirs: Path, name: str) -> tuple[int, int]:
    """How many rows of a table are the same in both outputs, and how many there are in either."""
    from zeekpop3.tables import TABLES

    key = TABLES[name].key
    left, right = _rows(ours / name, key), _rows(theirs / name, key)
    same = sum(left[k] == right[k] for k in left.keys() & right.keys())
    return same, len(left.keys() | right.keys())


def _rows(table: Path, key: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    import pyarrow.parquet as pq

    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for path in table.rglob("*.parquet"):
        for row in pq.read_table(path, partitioning=None).to_pylist():
            at = tuple(row[column] for column in key)
            found[(*at, "twice") if at in found else at] = row
    return found


def watched(command: list[str]) -> Spent:
    """Run a program that starts others, and look at all of them meanwhile. SystemExit if it fails."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # the workers do not start here
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        used: dict[int, float] = {}
        jvm = workers = 0.0
        while process.poll() is None:
            seen = _below(process.pid)
            used.update({pid: cpu for pid, (_, _, cpu) in seen.items()})
            jvm = max(jvm, sum(rss for program, rss, _ in seen.values() if program == "java"))
            workers = max(workers, sum(rss for program, rss, _ in seen.values() if program != "java"))
            time.sleep(0.2)
        wall = time.monotonic() - began
        said.seek(0)
        output = said.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{output[-3000:]}")
    return Spent(wall, sum(used.values()), jvm, workers)


def _below(root: int) -> dict[int, tuple[str, float, float]]:
    """Process id → name, MiB in memory, CPU seconds of itself, for a process and all below it."""
    parents: dict[int, int] = {}
    about: dict[int, tuple[str, float, float]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            left, _, right = (folder / "stat").read_text().rpartition(")")
        except OSError:
            continue
        cells = right.split()
        pid = int(folder.name)
        parents[pid] = int(cells[1])
        cpu = (int(cells[11]) + int(cells[12])) / _TICKS
        about[pid] = (left.partition("(")[2], int(cells[21]) * _PAGE / (1 << 20), cpu)
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: about[pid] for pid in found if pid in about}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mb", type=float, default=25, help="size of each capture in 10^6 bytes")
    parser.add_argument("--work", type=Path, help="a folder for captures and logs, kept and used again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zeekpop3-bench-") as scratch:
        part(args.work or Path(scratch), args.mb)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
