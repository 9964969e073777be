"""`follow --keep 90d`: old days go inside the follower, and a wrong clock removes nothing."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.growing import Notes
from support.program import program
from support.records import DAY, NOON, transfer
from support.tables_made import write
from zeekpop3.errors import OutputError
from zeekpop3.follow import Follower, Options, follower
from zeekpop3.store.maintenance import prune

TODAY = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture
def notes() -> Iterator[list[str]]:
    """What the follower logs."""
    handler, logger = Notes(), logging.getLogger("zeekpop3.follow")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    texts: list[str] = []
    handler.emit = lambda record: texts.append(  # type: ignore[method-assign]
        record.getMessage() + "".join(f" {name}={value}" for name, value in record.fields.items())  # type: ignore[attr-defined]
    )
    yield texts
    logger.removeHandler(handler)


def filled(tmp_path: Path, *days_ago: int) -> tuple[Path, Path]:
    """A folder of logs without rows, and tables of these days."""
    (tmp_path / "logs").mkdir()
    base = NOON + (TODAY - dt.datetime(2024, 6, 24, 12, tzinfo=dt.UTC)).days * DAY
    write(tmp_path / "out", [transfer(uid=f"C{n}", ts=base - n * DAY) for n in days_ago])
    return tmp_path / "logs", tmp_path / "out"


def days(out: Path) -> list[int]:
    """How many days ago the days of the mails were."""
    found = (dt.date.fromisoformat(path.name[4:]) for path in (out / "emails").glob("day=*"))
    return sorted((TODAY.date() - day).days for day in found)


def test_old_days_go(tmp_path: Path, notes: list[str]) -> None:
    """`zeekpop3 follow logs --out out --keep 90d --once`: at the end, whole days, one line."""
    logs, out = filled(tmp_path, 0, 10, 90, 91, 200)
    done = program("follow", logs, "--out", out, "--keep", "90d", "--once")
    assert done.returncode == 0
    assert days(out) == [0, 10, 90]
    assert "removed days=2 newest=" in done.stderr


def test_each_day_once(tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before a UTC day is over, however often the follower looks; then again."""
    logs, out = filled(tmp_path, 0, 40, 41)
    asked: list[int] = []

    def counted(path: Path, keep: int, now: dt.datetime) -> list[Path]:
        asked.append(keep)
        return prune(path, keep, now)

    monkeypatch.setattr(follower, "prune", counted)
    with Follower([logs], out, options=Options(keep_days=40)) as following:
        for _ in range(3):
            following.once()
        assert (asked, days(out)) == ([40], [0, 40])
        following._pruned_on = TODAY.date() - dt.timedelta(days=1)
        following.once()
        assert asked == [40, 40]


@pytest.mark.parametrize(("wrong", "said"), [(-400, "is in the future"), (0, "days after all others")])
def test_a_wrong_clock_removes_nothing(tmp_path: Path, notes: list[str], wrong: int, said: str) -> None:
    """A newest day in the future or far from the others: one line, and nothing is removed."""
    logs, out = filled(tmp_path, wrong, 300, 301)
    with Follower([logs], out, options=Options(keep_days=30)) as following:
        following.once()
        assert not following.failed
    assert days(out) == sorted([wrong, 300, 301])
    (line,) = (note for note in notes if "old days cannot be removed" in note)
    assert said in line


def test_errors_stop_nothing(tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be removed is a line in the log."""
    logs, out = filled(tmp_path, 0, 50)

    def fail(*_: object) -> None:
        raise OutputError(f"{out}: Permission denied")

    monkeypatch.setattr(follower, "prune", fail)
    with Follower([logs], out, options=Options(keep_days=30)) as following:
        following.once()
    assert notes.count(f"old days cannot be removed: {out}: Permission denied") == 1


def test_a_folder_without_tables(tmp_path: Path, notes: list[str]) -> None:
    """The first start of a follower has nothing to remove, and says nothing."""
    (tmp_path / "logs").mkdir()
    with Follower([tmp_path / "logs"], tmp_path / "out", options=Options(keep_days=30)) as following:
        following.once()
    assert not any("removed" in note for note in notes)


def test_the_option(tmp_path: Path) -> None:
    """A number without d, w or y is wrong usage."""
    done = program("follow", tmp_path, "--out", tmp_path / "out", "--keep", "30")
    assert (done.returncode, "30d, 12w or 2y" in done.stderr) == (2, True)
