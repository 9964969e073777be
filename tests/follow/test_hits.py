"""`follow --indicators`: each hit once, in the table and in the log, whatever happens to the process."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import zeekpop3
from support.growing import GrowingLog, Note, lines_of, sessions, shreds
from support.program import program
from zeekpop3.detect.search import LiveMatcher
from zeekpop3.errors import IndicatorError
from zeekpop3.follow import Follower, Options
from zeekpop3.store.read import read_table

#: Kills of the process; 50 take a minute and a half.
KILLS = int(os.environ.get("ZEEKPOP3_KILLS", "6"))


def hits(out: Path) -> Counter[tuple[Any, ...]]:
    """The rows of the table `hits`, each with its number."""
    return Counter(tuple(row.values()) for row in read_table(out, "hits").to_pylist())


def found(out: Path, indicators: Path) -> Counter[tuple[Any, ...]]:
    """What a search over all mails finds."""
    return Counter(tuple(row.values()) for row in zeekpop3.hunt(out, indicators).table.to_pylist())


def feed(path: Path, *values: str) -> Path:
    """A list of indicators whose time of change differs from that of the one before."""
    path.write_text("\n".join(values) + "\n")
    os.utime(path, ns=(time.time_ns(), time.time_ns()))
    return path


@pytest.mark.slow
def test_killed_again_and_again(root: Path, spool: Path, tmp_path: Path) -> None:
    """kill -9 at any moment while the log grows and small parts are merged: no hit is lost or repeated."""
    rng = random.Random(5)
    out, log = tmp_path / "out", GrowingLog(spool)
    indicators = feed(tmp_path / "feed", "10.0.0.0/8", "192.0.2.110", "example.org")
    pieces = list(shreds(lines_of(sessions(60)), rng, 20_000))
    command = [sys.executable, "-m", "zeekpop3", "follow", str(spool), "--out", str(out)]
    command += ["--indicators", str(indicators), "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    for kill in range(KILLS):
        options = ["--flush", "0.1", "--merge", "1", "--poll", "0.1"]
        process = subprocess.Popen([*command, *options], env=environment, stderr=subprocess.DEVNULL)
        end = time.monotonic() + rng.uniform(0.6, 2.2)
        share = pieces[len(pieces) * kill // KILLS : len(pieces) * (kill + 1) // KILLS]
        for piece in share:
            log.write(piece)
            time.sleep(min(0.1, 1.5 / max(1, len(share))))
        if kill % 5 == 4:
            log.rotate("rename")
        time.sleep(max(0.0, end - time.monotonic()))
        process.kill()
        process.wait()
    done = subprocess.run(
        [*command, "--once"], env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = found(out, indicators)
    assert len(expected) > 200
    assert hits(out) == expected


def test_a_list_that_changes(spool: Path, tmp_path: Path, notes: list[Note]) -> None:
    """New mails are matched against the new list; a broken one is reported, and the last good one is used."""
    out, log = tmp_path / "out", GrowingLog(spool)
    problems: list[IndicatorError] = []
    indicators = feed(tmp_path / "feed", "198.51.100.1")
    matcher = LiveMatcher([indicators], problems.append)
    thirds = [b"".join(lines_of(sessions(4, seed=seed))) for seed in range(3)]
    with Follower([spool], out, options=Options(flush_s=0.0, poll=True, matcher=matcher)) as follower:
        log.write(thirds[0])
        follower.once()
        assert not hits(out)
        feed(indicators, "192.0.2.110", "198.51.100.1")
        log.write(_other(thirds[1], b"X"))
        follower.once()
        second = len(hits(out))
        assert second > 0
        feed(indicators, "?!")
        log.write(_other(thirds[2], b"Y"))
        follower.once()
    assert problems
    assert len(hits(out)) > second
    said = [note for note in notes if note.text == "hit"]
    assert len(said) == sum(hits(out).values())


@pytest.mark.slow
def test_hunt_finds_what_the_follower_did_not(spool: Path, tmp_path: Path) -> None:
    """`hunt --new` while a follower runs: its hits are known, those of new indicators are added."""
    out, log = tmp_path / "out", GrowingLog(spool)
    indicators = feed(tmp_path / "feed", "192.0.2.110")
    log.write(b"".join(lines_of(sessions(4))))
    matcher = LiveMatcher([indicators], print)
    with Follower([spool], out, options=Options(flush_s=0.0, poll=True, matcher=matcher)) as follower:
        follower.once()
        before = hits(out)
        assert program("hunt", out, "-i", indicators, "--new", "--json").stdout == ""
        feed(indicators, "192.0.2.110", "10.0.0.0/8")
        added = program("hunt", out, "-i", indicators, "--new", "--json").stdout.splitlines()
    assert sum(hits(out).values()) == sum(before.values()) + len(added)
    assert hits(out) == found(out, indicators)


def _other(lines: bytes, mark: bytes) -> bytes:
    """The same lines as those of other connections."""
    changed = (line.split(b"\t", 2) for line in lines.splitlines(keepends=True))
    return b"".join(b"\t".join([ts, uid + mark, rest]) for ts, uid, rest in changed)
