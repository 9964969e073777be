"""Retention: whole days go, from all tables, and only those."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

import zeekpop3
from support.records import DAY, NOON, transfer
from support.tables_made import write
from zeekpop3.errors import QueryError
from zeekpop3.store.maintenance import keep_days, prune
from zeekpop3.store.read import read
from zeekpop3.store.write import TableWriter
from zeekpop3.tables import TABLES

NOW = dt.datetime(2024, 6, 27, 0, 30, tzinfo=dt.UTC)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Three days, 24 to 26 June 2024, in all tables."""
    write(tmp_path / "out", [transfer(uid=f"C{day}", ts=NOON + day * DAY) for day in range(3)])
    return tmp_path / "out"


def days(out: Path) -> set[str]:
    return {path.name for path in out.glob("*/*")}


def empty_parts(out: Path) -> list[Path]:
    """The parts of tables without rows; they lie in the last day."""
    found = list(out.rglob("part-empty.parquet"))
    assert {path.parent.name for path in found} == {"day=2024-06-26"}
    return found


def test_old_days_go(out: Path) -> None:
    """With two days kept on the 27th, the 24th is gone and the 25th is there."""
    removed = prune(out, 2, NOW)
    assert {path.name for path in removed} == {"day=2024-06-24"}
    assert len(removed) == 4  # emails, addresses, sessions, commands
    assert days(out) == {"day=2024-06-25", "day=2024-06-26"}
    assert list(zeekpop3.read_emails(out)["uid"]) == ["C1", "C2"]
    assert prune(out, 2, NOW) == []


def test_the_zone_of_now_does_not_matter(out: Path) -> None:
    """The day is UTC's, wherever the clock stands."""
    east = NOW.astimezone(dt.timezone(dt.timedelta(hours=-8)))
    assert {path.name for path in prune(out, 2, east, dry_run=True)} == {"day=2024-06-24"}


def test_a_dry_run_removes_nothing(out: Path) -> None:
    """It says the same and does nothing."""
    before = days(out)
    assert len(prune(out, 0, NOW, dry_run=True)) == 12 + len(empty_parts(out))
    assert days(out) == before


def test_emptied_tables_stay_readable(out: Path) -> None:
    """When all days are gone the tables are empty, and a later run appends to them."""
    prune(out, 0, NOW)
    for name in TABLES:
        assert len(read(out, name)) == 0
    prune(out, 0, NOW)
    with TableWriter(out, "append"):
        pass
    assert len(zeekpop3.read_emails(out)) == 0


def test_only_days_are_touched(out: Path) -> None:
    """Folders that are not days stay; what an earlier prune left behind goes."""
    for name in ("day=old", "day=2024-13-01", "notes"):
        (out / "emails" / name).mkdir()
    (out / "other" / "day=2020-01-01").mkdir(parents=True)
    (out / "emails" / ".pruned-day=2020-01-01").mkdir()
    prune(out, 0, NOW)
    assert {p.name for p in (out / "emails").iterdir()} == {"day=old", "day=2024-13-01", "notes"}
    assert (out / "other" / "day=2020-01-01").is_dir()


def test_how_long_to_keep() -> None:
    """Days, weeks, years."""
    assert [keep_days(text) for text in ("30d", " 2w ", "1y", "0d")] == [30, 14, 365, 0]
    for odd in ("", "d", "30", "-1d", "1m", "1.5d"):
        with pytest.raises(QueryError):
            keep_days(odd)


def test_no_tables(tmp_path: Path) -> None:
    """A folder without tables is an error; it is not created."""
    with pytest.raises(QueryError, match="no tables found"):
        prune(tmp_path / "none", 1, NOW)
    assert not (tmp_path / "none").exists()
