"""`prune` counts from the newest day in the tables, shows what goes, and asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import on_a_terminal, program
from support.records import DAY, NOON, session, transfer
from support.report_boxes import write_box


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Mails of 2024-06-24 and of 40 and 41 days before: an old capture."""
    return write_box(
        tmp_path / "out",
        [transfer(uid=f"C{days}", ts=NOON - days * DAY) for days in (0, 40, 41)] + [session()],
    )


def days(tables: Path) -> list[str]:
    return sorted(path.name for path in (tables / "emails").glob("day=*"))


def test_an_old_capture_is_not_removed_by_todays_clock(tables: Path) -> None:
    """30 days before the newest day of the tables: the newest stays, however long ago it was."""
    done = program("prune", tables, "--keep", "30d", "--yes")
    assert done.returncode == 0
    assert days(tables) == ["day=2024-06-24"]
    assert sorted(done.stdout.splitlines()) == [
        f"{tables}/{name}/day=2024-05-{day}" for name in ("addresses", "emails") for day in (14, 15)
    ]
    assert done.stderr == f"2 days removed from {tables}\n"


def test_nothing_is_removed_unasked(tables: Path) -> None:
    """Without a terminal --yes is required; --dry-run shows the same folders and removes nothing."""
    before = days(tables)
    done = program("prune", tables, "--keep", "30d")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    dry = program("prune", tables, "--keep", "30d", "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, done.stdout)
    assert dry.stderr == f"2 days would be removed from {tables}; counted from 2024-06-24\n"
    assert days(tables) == before


@pytest.mark.parametrize(("answer", "left"), [("y", 1), ("n", 3), ("", 3)])
def test_it_asks_on_a_terminal(tables: Path, answer: str, left: int) -> None:
    """Only a yes removes."""
    code, text = on_a_terminal("prune", tables, "--keep", "4w", keys=answer + "\n", prompt="[y/N]")
    assert f"Remove 2 days from {tables}? [y/N]" in text
    assert len(days(tables)) == left
    assert code == (0 if left == 1 else 2)


def test_a_wrong_clock_removes_nothing(tmp_path: Path) -> None:
    """A day in the future, or one far from all others, is refused; --until names the day to count from."""
    days_of = {"future": 400 * 365, "far": 200}
    for name, later in days_of.items():
        events = [transfer(uid=f"C{days}", ts=NOON + days * DAY) for days in (0, -40, later)]
        out = str(write_box(tmp_path / name, events))
        done = program("prune", out, "--keep", "30d", "--yes")
        assert (done.returncode, done.stderr.count("\n"), "prune --until DAY" in done.stderr) == (1, 1, True)
        assert len(days(Path(out))) == 3
        assert program("prune", out, "--keep", "30d", "--until", "2024-06-24", "--yes").returncode == 0
        assert len(days(Path(out))) == 2
