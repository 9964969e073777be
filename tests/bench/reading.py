"""What reading an event log costs: the floor under everything that Python does with it.

    python tests/bench/reading.py LOG...

CPU seconds, the best of three: cutting the file, reading (zat, Arrow, base64), grouping by connection; and,
to compare, zat's own reader on the same file (plain files only).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from zeekpop3.log.batch import group, read_chunk  # noqa: E402
from zeekpop3.log.chunks import Chunk, chunks  # noqa: E402
from zeekpop3.log.find import find_logs  # noqa: E402


def tell(error: Exception) -> None:
    print(error, file=sys.stderr)


def once(path: Path) -> tuple[float, float, float, int, int]:
    """Seconds to cut, to read, to group; rows; connections (counted in each piece)."""
    cut = read = grouped = 0.0
    rows = connections = 0
    clock = time.process_time
    begun = clock()
    for chunk in chunks(path, on_error=tell):
        assert isinstance(chunk, Chunk)
        cut += clock() - begun
        begun = clock()
        batch = read_chunk(chunk, tell)
        read += clock() - begun
        begun = clock()
        connections += sum(1 for _ in group(batch))
        grouped += clock() - begun
        rows += len(batch)
        begun = clock()
    return cut, read, grouped, rows, connections


def zat_alone(path: Path) -> float:
    """Seconds that zat's own reader takes for the same file, as it stands, base64 left as it is."""
    from zat.log_to_dataframe import LogToDataFrame

    begun = time.process_time()
    LogToDataFrame().create_dataframe(str(path), ts_index=False, aggressive_category=False)
    return time.process_time() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("logs", nargs="+", type=Path)
    args = parser.parse_args()
    for path in find_logs(args.logs):
        runs = [once(path) for _ in range(4)][1:]  # the first one loads the libraries
        cut, read, grouped, rows, connections = min(runs, key=lambda run: sum(run[:3]))
        print(
            f"{path}: {path.stat().st_size / 1e6:.1f} MB, {rows} rows, {connections} connections:"
            f" {cut + read + grouped:.3f} s (cut {cut:.3f}, read {read:.3f}, group {grouped:.3f})"
        )
        if path.suffix != ".gz":
            print(f"    zat alone: {min(zat_alone(path) for _ in range(3)):.3f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
