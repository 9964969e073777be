"""Logs grow, are rotated, compressed, moved, come late, vanish: the tables are those of a batch run."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import zeekpop3
from support import log_rows
from support.growing import KEYS, Expected, GrowingLog, Note, assert_same, shreds, tables
from support.traffic.eventlog import log_header
from zeekpop3.follow import Follower, Options
from zeekpop3.follow.catalogue import Catalogue
from zeekpop3.log.find import find_logs

QUICK = Options(flush_s=0.0, poll=True)


def _follow(spool: Path, out: Path, options: Options = QUICK) -> None:
    with Follower([spool], out, options=options) as follower:
        follower.once()


@pytest.mark.parametrize("kind", ["rename", "archive", "copytruncate", "mixed"])
def test_every_way_of_rotation(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected], kind: str
) -> None:
    """A log cut anywhere, rotated with sessions in flight, restarts in between: as a batch."""
    rng = random.Random(kind)
    log = GrowingLog(spool)
    out = tmp_path / "out"
    for turn, piece in enumerate(shreds(lines, rng, 60_000)):
        log.write(piece)
        if turn % 5 == 4:
            log.rotate(rng.choice(["rename", "archive", "copytruncate"]) if kind == "mixed" else kind)
        if turn % 7 == 6:
            log.compress_one()
        if turn % 4 == 3:
            _follow(spool, out)
    _follow(spool, out)
    assert log.rotations >= 3
    assert_same(out, batch(lines))


def test_one_follower_throughout(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """The same with a follower that is never restarted."""
    rng = random.Random(3)
    log = GrowingLog(spool)
    with Follower([spool], tmp_path / "out", options=QUICK) as follower:
        for turn, piece in enumerate(shreds(lines, rng, 60_000)):
            log.write(piece)
            if turn % 4 == 3:
                log.rotate(rng.choice(["rename", "archive", "copytruncate"]))
            follower.once()
            log.compress_one()
    assert_same(tmp_path / "out", batch(lines))


def test_half_a_line_is_waited_for(
    spool: Path,
    tmp_path: Path,
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
    notes: list[Note],
) -> None:
    """A line is read when its end is there, wherever it was cut."""
    log, text = spool / "pop3_events.log", log_header() + b"".join(lines)
    out = tmp_path / "out"
    notes.clear()
    for stop in (10, len(log_header()) + 3, len(text) // 3, len(text) - 5):
        log.write_bytes(text[:stop])
        _follow(spool, out)
    log.write_bytes(text)
    _follow(spool, out)
    assert_same(out, batch(lines))
    assert all(note.level == "info" for note in notes)


def test_archives_in_any_order(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """Archives that appear in the wrong order give the same rows: what follows a hole waits."""
    quarter = len(lines) // 4
    out = tmp_path / "out"
    for number in (0, 3, 1, 2):
        stop = (number + 1) * quarter if number < 3 else None
        text = log_header() + b"".join(lines[number * quarter : stop])
        (spool / f"pop3_events.{number:02d}.log.gz").write_bytes(gzip.compress(text))
        _follow(spool, out)
    assert_same(out, batch(lines))


def test_a_log_twice_is_one_log(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """Copies and links of a log, under any name, packed or not, are the log."""
    log = spool / "pop3_events.log"
    log.write_bytes(log_header() + b"".join(lines[: len(lines) // 2]))
    out = tmp_path / "out"
    _follow(spool, out)
    (spool / "pop3_events-copy.log").write_bytes(log.read_bytes())
    (spool / "pop3_events-copy.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    (spool / "pop3_events-link.log").symlink_to(log)
    os.link(log, spool / "pop3_events-hard.log")
    _follow(spool, out)
    with log.open("ab") as file:
        file.write(b"".join(lines[len(lines) // 2 :]))
    _follow(spool, out)
    assert_same(out, batch(lines))


def test_done_logs_may_vanish(
    spool: Path, tmp_path: Path, two_days: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """A folder of a day that is done is removed: nothing changes."""
    cut = next(i for i, line in enumerate(two_days) if line.startswith(b"170008"))
    day = spool / "2023-11-14"
    day.mkdir()
    (day / "pop3_events.22.log").write_bytes(log_header() + b"".join(two_days[:cut]))
    out = tmp_path / "out"
    _follow(spool, out)
    (day / "pop3_events.22.log").unlink()
    day.rmdir()
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(two_days[cut:]))
    _follow(spool, out)
    assert_same(out, batch(two_days))


def test_a_log_that_is_needed_vanishes(
    spool: Path,
    tmp_path: Path,
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
    notes: list[Note],
) -> None:
    """Sessions whose first rows are gone at a restart are marked, and what was written is not touched."""
    half = len(lines) // 2
    out = tmp_path / "out"
    first = spool / "pop3_events-1.log"
    first.write_bytes(log_header() + b"".join(lines[:half]))
    _follow(spool, out)
    before = tables(out)
    first.unlink()
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines[half:]))
    notes.clear()
    _follow(spool, out)
    after, whole = tables(out), batch(lines)
    assert any("lost" in note.text for note in notes if note.level == "warning")
    damaged = {row["uid"] for row in after["sessions"] if "rows_missing" in row["defects"]}
    assert damaged
    for name in ("emails", "commands", "sessions"):
        rows = [row for row in after[name] if row["uid"] not in damaged]
        assert rows == [row for row in whole[name] if row["uid"] not in damaged]
        assert [row for row in before[name] if row in after[name]] == before[name]
    keys = [(row["uid"], row["trans_depth"]) for row in after["emails"]]
    assert len(keys) == len(set(keys))
    assert len(after["sessions"]) == len(whole["sessions"])


def test_truncated_under_a_writer(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """copytruncate while Zeek writes on at its old place: a hole, no header, and still every row."""
    log, third = spool / "pop3_events.log", len(lines) // 3
    out = tmp_path / "out"
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY, 0o644)
    os.write(descriptor, log_header() + b"".join(lines[:100]))
    _follow(spool, out)
    os.write(descriptor, b"".join(lines[100:third]))
    (spool / "pop3_events.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    os.write(descriptor, b"".join(lines[third:]))
    os.close(descriptor)
    assert log.read_bytes()[:1] == b"\0"
    _follow(spool, out)
    assert_same(out, batch(lines))


def test_a_cut_off_archive(spool: Path, tmp_path: Path, lines: list[bytes]) -> None:
    """A packed log that is still being copied is read as far as it goes, and its rest when it comes."""
    packed = gzip.compress(log_header() + b"".join(lines))
    log, out = spool / "pop3_events.1.log.gz", tmp_path / "out"
    log.write_bytes(packed[: len(packed) // 2])
    _follow(spool, out)
    some = len(tables(out)["emails"])
    log.write_bytes(packed)
    _follow(spool, out)
    assert 0 < some < len(tables(out)["emails"]) == 120


def test_other_files_are_reported_once(spool: Path, tmp_path: Path, notes: list[Note]) -> None:
    """A file that is not an event log is named once, and left alone."""
    (spool / "pop3_events.json.log").write_text('{"ts": 1}\n')
    (spool / "conn.log").write_text("not ours\n")
    notes.clear()
    with Follower([spool], tmp_path / "out", options=QUICK) as follower:
        follower.once()
        follower.once()
        assert follower.failed
    told = [note.text for note in notes if note.level == "error"]
    assert len(told) == 1
    assert "JSON log" in told[0]


def test_a_fifo_is_not_waited_for(
    spool: Path,
    tmp_path: Path,
    notes: list[Note],
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
) -> None:
    """A FIFO or a device with the name of a log is one error; the other logs are read."""
    os.mkfifo(spool / "pop3_events-1.log")
    (spool / "pop3_events-2.log").symlink_to("/dev/zero")
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines))
    _follow(spool, tmp_path / "out")
    assert sorted(note.text for note in notes if note.level == "error") == [
        f"{spool}/pop3_events-{number}.log: not a regular file; will retry" for number in (1, 2)
    ]
    assert_same(tmp_path / "out", batch(lines))


def test_logs_are_read_in_the_order_of_run(spool: Path) -> None:
    """A first row that is `contents` may be older than the log: the first other row tells the order."""

    def write(name: str, *rows: str) -> Path:
        return log_rows.write(spool / name, log_rows.head() + "".join(rows))

    held = log_rows.row(5, "contents", ts="1719230399.000000")
    second = write("pop3_events.a.log", held, log_rows.row(6, "sent", ts="1719230402.000000"))
    first = write("pop3_events.b.log", log_rows.row(0, "sent", ts="1719230400.000000"))
    alone = write("pop3_events.c.log", log_rows.row(7, "contents", ts="1719230403.000000"))
    catalogue = Catalogue()
    assert [pending.path for pending in catalogue.look([spool], 0)] == [first, second, alone]
    assert find_logs([spool]) == [first, second, alone]
    # What is known of a log gets better as it grows.
    with alone.open("a") as file:
        file.write(log_rows.row(8, "sent", ts="1719230401.000000"))
    assert [pending.path for pending in catalogue.look([spool], 0)] == [first, alone, second]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["exact", "plain"])
def test_recorded_logs(spool: Path, tmp_path: Path, fixtures: Path, form: str) -> None:
    """What real Zeeks wrote, losses and all, mixed into one growing, rotating log: as a batch run."""
    rng = random.Random(form)
    streams = []
    for path in sorted((fixtures / "logs").glob(f"*.{form}.log*")):
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        streams.append([line + b"\n" for line in text.split(b"\n") if line and not line.startswith(b"#")])
    streams = [rows for rows in streams if rows]
    if not streams:
        pytest.skip("no recorded logs")
    # Recordings of different years: rows by turns, each recording's in its order.
    turns = [index for index, rows in enumerate(streams) for _ in rows]
    rng.shuffle(turns)
    sources = [iter(rows) for rows in streams]
    mixed = [next(sources[index]) for index in turns]
    whole = tmp_path / "pop3_events.log"
    whole.write_bytes(log_header() + b"".join(mixed))
    zeekpop3.run([whole], tmp_path / "batch", jobs=1)
    options = Options(flush_s=0.0, poll=True, idle_s=1e9)
    log, out = GrowingLog(spool), tmp_path / "out"
    for turn, piece in enumerate(shreds(mixed, rng, sum(map(len, mixed)) // 12)):
        log.write(piece)
        if turn % 3 == 2:
            log.rotate("rename")
        if turn % 2 == 1:
            _follow(spool, out, options=options)
    _follow(spool, out, options=options)
    got, expected = tables(out), tables(tmp_path / "batch")
    # A connection that never closed is still open for a follower.
    closed = {row["uid"] for row in expected["sessions"] if row["closed"] != "open"}
    assert len(closed) > 20
    assert {row["uid"] for row in got["sessions"]} == closed
    for name in KEYS:
        assert [row for row in got[name] if row["uid"] in closed] == [
            row for row in expected[name] if row["uid"] in closed
        ], name
