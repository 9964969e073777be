"""What may not grow without end: time without rows, messages, memory, small parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.growing import Expected, Note, assert_same, sessions, tables
from support.traffic.eventlog import log_header, log_lines, uid_of
from zeekpop3.follow import Follower, Options
from zeekpop3.pipeline.settings import Settings
from zeekpop3.session.events import ConnId, Rows

ID = ConnId("10.0.0.1", 1024, "192.0.2.110", 110)
LINE = b"x" * 998


def _follow(spool: Path, out: Path, options: Options) -> None:
    with Follower([spool], out, options=options) as follower:
        follower.once()


def _write(path: Path, found: dict[str, Rows]) -> None:
    path.write_bytes(log_header() + b"".join(log_lines(found)))


def _large(lines: int, start: int = 1_700_000_000_000_000, *, whole: bool = True) -> Rows:
    """A plain connection with one large mail; without `whole`, its end is missing."""
    kind = ["request", "reply", *["data"] * lines, *(["request", "reply", "close"] if whole else [])]
    count = len(kind)
    command: list[str | None] = ["RETR", "OK", *[None] * lines, *(["QUIT", "OK", None] if whole else [])]
    data = [b"1", b"", b"Subject: large", b"", *[LINE] * (lines - 2), *([b"", b"", b""] if whole else [])]
    lengths = [len(value) if value else -1 for value in data]
    return Rows(
        [start + 1000 * n for n in range(count)],
        list(range(count)),
        kind,
        command,
        [-1] * count,
        lengths,
        data,
        ID,
    )


def test_idle_by_log_time(spool: Path, tmp_path: Path, notes: list[Note]) -> None:
    """A connection without rows for --idle seconds of the log's time is given up, marked, and done with."""
    out = tmp_path / "out"
    hour = 3_600_000_000
    left = _large(50, whole=False)
    _write(spool / "pop3_events-1.log", {uid_of(1): left})
    _follow(spool, out, Options(flush_s=0.0))
    assert tables(out)["emails"] == []
    _write(spool / "pop3_events-2.log", {uid_of(2): _large(5, left.ts[-1] + hour + 10_000_000)})
    _follow(spool, out, Options(flush_s=0.0))
    found = tables(out)
    session = next(row for row in found["sessions"] if row["uid"] == uid_of(1))
    assert session["closed"] == "idle"
    assert "idle" in session["defects"]
    mail = next(row for row in found["emails"] if row["uid"] == uid_of(1))
    assert not mail["complete"]
    # What comes of it later is counted and said, and changes nothing.
    notes.clear()
    late = _large(60, left.ts[-1] + 2 * hour)
    rest = Rows(*(column[52:] for column in late[:7]), conn_id=ID)
    _write(spool / "pop3_events-3.log", {uid_of(1): rest})
    _follow(spool, out, Options(flush_s=0.0))
    assert tables(out) == found
    assert any("late or duplicate" in note.text and note.fields["rows"] == len(rest.seq) for note in notes)


def test_max_message(spool: Path, tmp_path: Path) -> None:
    """What is over --max-message is counted, not kept; the mail is there and marked."""
    out = tmp_path / "out"
    _write(spool / "pop3_events.log", {uid_of(1): _large(3000)})
    _follow(spool, out, Options(flush_s=0.0, settings=Settings(max_message=1 << 20)))
    (mail,) = tables(out)["emails"]
    assert not mail["complete"]
    assert "message_too_large" in mail["defects"]
    assert mail["size"] < (1 << 20) + 3000
    assert mail["size"] + mail["missing_bytes"] > 2_900_000


def test_max_memory(spool: Path, tmp_path: Path) -> None:
    """Many large mails at once: each is written as far as there is room, none is dropped."""
    out = tmp_path / "out"
    found = {uid_of(n): _large(2000, 1_700_000_000_000_000 + n) for n in range(12)}
    _write(spool / "pop3_events.log", found)
    options = Options(flush_s=0.0, max_memory=16 << 20)
    with Follower([spool], out, options=options) as follower:
        most = 0
        feed = follower._reader.connections.feed

        def watched(*args):  # type: ignore[no-untyped-def]
            nonlocal most
            events = feed(*args)
            most = max(most, follower._reader.connections.held_bytes)
            return events

        follower._reader.connections.feed = watched  # type: ignore[method-assign]
        follower.once()
    mails = tables(out)["emails"]
    assert len(mails) == 12
    assert most < 14 << 20
    cut = [mail for mail in mails if "message_too_large" in mail["defects"]]
    assert cut
    assert all(not mail["complete"] and mail["size"] > 100_000 for mail in cut)
    assert all(mail["complete"] or mail in cut for mail in mails if mail["defects"])


def test_rows_that_wait_are_bounded(spool: Path, tmp_path: Path) -> None:
    """Rows behind a hole wait for the missing ones, but not in any amount of memory."""
    out = tmp_path / "out"
    found = {}
    for number in range(8):
        rows = _large(3000, 1_700_000_000_000_000 + number)
        found[uid_of(number)] = Rows(*([*column[:1], *column[2:]] for column in rows[:7]), conn_id=ID)
    _write(spool / "pop3_events.log", found)
    _follow(spool, out, Options(flush_s=0.0, max_memory=16 << 20))
    done = tables(out)["sessions"]
    assert len(done) > 3
    assert all("rows_missing" in row["defects"] for row in done)


def test_a_hole_is_closed_by_time(spool: Path, tmp_path: Path) -> None:
    """A row that never comes: after --idle the rest is read without it, and marked."""
    out = tmp_path / "out"
    rows = _large(20)
    found = {uid_of(1): Rows(*([*column[:9], *column[10:]] for column in rows[:7]), conn_id=ID)}
    _write(spool / "pop3_events-1.log", found)
    _follow(spool, out, Options(flush_s=0.0))
    assert tables(out)["emails"] == []
    _write(spool / "pop3_events-2.log", {uid_of(2): _large(5, rows.ts[-1] + 3_700_000_000)})
    _follow(spool, out, Options(flush_s=0.0))
    mail = next(row for row in tables(out)["emails"] if row["uid"] == uid_of(1))
    assert "rows_missing" in mail["defects"]
    session = next(row for row in tables(out)["sessions"] if row["uid"] == uid_of(1))
    assert session["closed"] == "closed"


def test_the_parts_of_a_day(
    spool: Path, tmp_path: Path, two_days: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """Once a day is over its many parts become one, of a table each; what others put there stays."""
    out = tmp_path / "out"
    log = spool / "pop3_events.log"
    cut = next(i for i, line in enumerate(two_days) if line.startswith(b"170008"))
    for share in range(1, 7):
        log.write_bytes(log_header() + b"".join(two_days[: cut * share // 6]))
        _follow(spool, out, Options(flush_s=0.0))
    day = out / "commands" / "day=2023-11-14"
    assert len(list(day.glob("*.parquet"))) > 3
    (day / "note.txt").write_text("not ours")
    log.write_bytes(log_header() + b"".join(two_days))
    _follow(spool, out, Options(flush_s=0.0))
    for name in ("emails", "attachments", "commands", "sessions"):
        assert len(list((out / name / "day=2023-11-14").glob("*.parquet"))) == 1
    assert (day / "note.txt").read_text() == "not ours"
    assert_same(out, batch(two_days))
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*.parquet")} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_dir()} == {0o700}


@pytest.mark.slow
def test_many_connections(spool: Path, tmp_path: Path) -> None:
    """Connections that never end are closed, the idlest first, if all of them take too much memory."""
    out = tmp_path / "out"
    found = {}
    for number in range(6000):
        rows = _large(3, 1_700_000_000_000_000 + number * 1000, whole=False)
        found[uid_of(number)] = rows
    _write(spool / "pop3_events.log", found)
    options = Options(flush_s=0.0, max_memory=16 << 20)
    with Follower([spool], out, options=options) as follower:
        connections = follower._reader.connections
        connections.max_bytes = 4 << 20
        follower.once()
        assert 500 < len(connections.open) < 6000
        assert connections.held_bytes < 5 << 20
        left = set(connections.open)
    given_up = tables(out)["sessions"]
    assert len(given_up) + len(left) == 6000
    assert all(row["closed"] == "idle" for row in given_up)
    assert {uid_of(number) for number in range(1000)}.isdisjoint(left)


def test_rows_of_generated_sessions_are_not_bounded(spool: Path, tmp_path: Path) -> None:
    """Usual sessions fit into little memory, and come out whole."""
    out = tmp_path / "out"
    _write(spool / "pop3_events.log", sessions(20))
    _follow(spool, out, Options(flush_s=0.0, max_memory=16 << 20))
    assert all(row["complete"] for row in tables(out)["emails"] if row["fidelity"] == "exact")


def test_the_size_of_merged_parts(spool: Path, tmp_path: Path, two_days: list[bytes]) -> None:
    """Merged parts have about the size asked for, so a small size makes several of them."""
    counts = {}
    for part_bytes in (1 << 10, 32 << 20):
        out = tmp_path / f"out-{part_bytes}"
        log = spool / "pop3_events.log"
        for share in range(1, 7):
            log.write_bytes(log_header() + b"".join(two_days[: len(two_days) * share // 6]))
            _follow(spool, out, Options(flush_s=0.0, part_bytes=part_bytes))
        counts[part_bytes] = len(list((out / "emails" / "day=2023-11-14").glob("*.parquet")))
    assert counts[32 << 20] == 1 < counts[1 << 10]
