"""What the present program costs: CPU of `run` and size on disk, divided by those of an earlier commit.

python tests/bench/before.py COMMIT LOG...
"""

from __future__ import annotations

import argparse
import compileall
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from measure import Cost, run, turns

ROOT = Path(__file__).resolve().parents[2]


def earlier(folder: Path, commit: str) -> Path:
    """A copy of the package as it was."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "archive", commit, "zeekpop3"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
    return folder


def size(out: Path) -> tuple[int, int]:
    """Bytes of all tables, and of those without the raw messages."""
    import pyarrow.parquet as pq

    total = raw = 0
    for path in out.rglob("*.parquet"):
        total += path.stat().st_size
        found = pq.read_metadata(path)
        for group in range(found.num_row_groups):
            for number in range(found.num_columns):
                column = found.row_group(group).column(number)
                raw += column.total_compressed_size if column.path_in_schema == "raw" else 0
    return total, total - raw


def main() -> None:
    """Print a line for each log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = {"before": earlier(folder / "package", args.commit), "now": ROOT}
        for place in places.values():  # as pip does; Python alone may compile all of it at each start
            compileall.compile_dir(place / "zeekpop3", quiet=1)

        def program(version: str, log: Path) -> Cost:
            out = folder / version
            command = [sys.executable, "-m", "zeekpop3", "run", log, "--out", out, "--overwrite"]
            return run(command, cwd=places[version])

        for log in args.logs:
            costs = turns(args.rounds, {each: partial(program, each, log.absolute()) for each in places})
            sizes = {each: size(folder / each) for each in places}
            old, new = costs["before"], costs["now"]
            grown = [b / a for a, b in zip(sizes["before"], sizes["now"], strict=True)]
            print(
                f"{log.name}: CPU {old.cpu:.2f} -> {new.cpu:.2f} s ({new.cpu / old.cpu:.2f}), "
                f"peak {old.rss:.0f} -> {new.rss:.0f} MiB, disk {grown[0]:.3f}, without raw {grown[1]:.2f}"
            )


if __name__ == "__main__":
    main()
