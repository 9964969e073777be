"""A kill between any two steps on the disk: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.growing import Expected, assert_same
from support.traffic.eventlog import log_header
from zeekpop3.follow import Follower, Options
from zeekpop3.store.files import FOLLOWER_FOLDER as FOLDER

#: Every so many steps of some 250 on the disk; 1 for all of them takes two minutes.
EVERY = int(os.environ.get("ZEEKPOP3_CRASH_EVERY", "13"))
STEPS = ("replace", "rename", "unlink", "rmdir", "fsync", "mkdir", "link")


class Killed(BaseException):
    """The process has ended."""


class Disk:
    """Counts the steps that change the disk; kills before step `at`, and lets none happen afterwards."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.at = 0, 0
        for name in STEPS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if 0 < self.at <= self.count:
                raise Killed
            return step(*args, **kwargs)

        return counted


def _pieces(lines: list[bytes]) -> Iterator[bytes]:
    size = -(-len(lines) // 4)
    for start in range(0, len(lines), size):
        yield b"".join(lines[start : start + size])


def _work(folder: Path, out: Path, lines: list[bytes]) -> None:
    """The log grows three times while a follower is at work; then it is rotated, and ends."""
    log = folder / "pop3_events.log"
    with Follower([folder], out, options=Options(flush_s=0.0)) as follower:
        for number, piece in enumerate(_pieces(lines)):
            done = folder / f"done-{number}"
            if not done.exists():
                with log.open("ab") as file:
                    file.write(piece if log.stat().st_size else log_header() + piece)
                if number == 1:
                    log.rename(folder / "pop3_events-1.log")
                done.touch()
            follower.once()


@pytest.mark.slow
def test_killed_at_every_step(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    two_days: list[bytes],
    batch: Callable[[list[bytes]], Expected],
) -> None:
    """Whichever step on the disk (every n-th of them) a kill comes before, the next start makes it good."""
    expected = batch(two_days)
    disk = Disk(monkeypatch)
    whole = tmp_path / "whole"
    whole.mkdir()
    _work(whole, tmp_path / "out", two_days)
    assert_same(tmp_path / "out", expected)
    steps = disk.count
    assert steps > 100
    rng = random.Random(steps)
    for number, at in enumerate(range(1, steps + 1, EVERY)):
        folder, out = tmp_path / f"logs-{number}", tmp_path / f"out-{number}"
        folder.mkdir()
        # Killed once more while it makes good the first kill; then left alone.
        for then in (at, rng.randint(1, steps) if number % 2 else 0, 0):
            disk.count, disk.at = 0, then
            try:
                _work(folder, out, two_days)
            except Killed:
                disk.at = 0
                _unlock(out)
        assert_same(out, expected)


def _unlock(out: Path) -> None:
    """A killed process holds no locks; this one still does, where opening the follower was cut short."""
    lock = out / FOLDER / "lock"
    if not lock.exists():
        return
    inode = lock.stat().st_ino
    for path in Path("/proc/self/fd").iterdir():
        try:
            if os.fstat(int(path.name)).st_ino == inode:
                os.close(int(path.name))
        except OSError:
            continue
