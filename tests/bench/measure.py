"""One program run, and what it cost: CPU seconds of it and all its children, wall seconds, peak memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """`cpu` is user and system seconds, `rss` the largest process's peak in MiB."""

    cpu: float
    wall: float
    rss: float
    output: str


def run(command: Sequence[str | Path], cwd: Path | None = None) -> Cost:
    """Run a program to its end. Raises SystemExit with what it said if it failed.

    What the program before it has written is on disk first: else the next to flush a file pays for it.
    """
    os.sync()
    with tempfile.TemporaryFile("w+") as said:
        began = time.monotonic()
        process = subprocess.Popen(list(map(str, command)), cwd=cwd, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        output = said.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {process.returncode}\n{output[-2000:]}")
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, output)


def turns(rounds: int, programs: dict[str, Callable[[], Cost]]) -> dict[str, Cost]:
    """The cheapest of some runs of each program; they take turns, so that a busy machine is so for all."""
    best: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, program in programs.items():
            cost = program()
            if name not in best or cost.cpu < best[name].cpu:
                best[name] = cost
    return best


def quickest(rounds: int, programs: dict[str, Callable[[], Cost]]) -> dict[str, Cost]:
    """As `turns`, but by the wall clock."""
    best: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, program in programs.items():
            cost = program()
            if name not in best or cost.wall < best[name].wall:
                best[name] = cost
    return best
