"""Retention: removes complete days, never anything else."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from zeekpop3.errors import QueryError
from zeekpop3.store.locks import exclusive
from zeekpop3.store.parquet import fill_empty
from zeekpop3.tables.schema import TABLES

_KEEP = re.compile(r"(\d{1,6})\s*(d|w|y)")
_DAYS = {"d": 1, "w": 7, "y": 365}
_GONE = ".pruned-"
#: A newest day further from all others than this is more likely a wrong clock than a silent sensor.
_FAR = dt.timedelta(days=180)


def keep_days(text: str) -> int:
    """How many days "30d", "12w" or "2y" are. Raises QueryError."""
    found = _KEEP.fullmatch(text.strip())
    if not found:
        raise QueryError(f"invalid retention {text!r}: expected a number and a unit: 30d, 12w or 2y")
    return int(found[1]) * _DAYS[found[2]]


def last_day(path: str | Path, today: dt.date) -> dt.date | None:
    """The newest day of any table, from which a retention counts; None if there are no days.

    One wrong clock must not remove all that is real: raises QueryError if that day is after tomorrow, or more
    than 180 days after all others.
    """
    days = sorted({day for day, _ in _days(Path(path))})
    if not days:
        return None
    if days[-1] > today + dt.timedelta(days=1):
        doubt = "is in the future"
    elif len(days) > 1 and days[-1] - days[-2] > _FAR:
        doubt = f"is {(days[-1] - days[-2]).days} days after all others (the one before is {days[-2]})"
    else:
        return days[-1]
    raise QueryError(
        f"{path}: the newest day, {days[-1]}, {doubt}; a clock may have been wrong. Nothing was removed; "
        "`zeekpop3 prune --until DAY` counts from another day"
    )


def prune(path: str | Path, keep: int, now: dt.datetime, *, dry_run: bool = False) -> list[Path]:
    """Remove the days that ended more than `keep` days before `now` (UTC) from all tables; returns their
    folders.

    A day disappears for readers at once, then from the disk. Raises QueryError if there are no tables,
    OutputError if they cannot be changed.
    """
    path = Path(path)
    if not any((path / name).is_dir() for name in TABLES):
        raise QueryError(f"{path}: no tables found")
    try:
        oldest = (now.astimezone(dt.UTC) - dt.timedelta(days=keep)).date()
    except OverflowError:
        return []
    old = [folder for day, folder in _days(path) if day < oldest]
    if dry_run:
        return old
    with exclusive(path):
        for folder in old:
            _remove(folder)
        for left in path.glob(f"*/{_GONE}*"):
            shutil.rmtree(left, ignore_errors=True)
        fill_empty(path)
    return old


def _days(path: Path) -> Iterator[tuple[dt.date, Path]]:
    """The days of each table and their folders; other folders are not ours."""
    for name in TABLES:
        for folder in sorted((path / name).glob("day=*")):
            try:
                day = dt.date.fromisoformat(folder.name.removeprefix("day="))
            except ValueError:
                continue
            if folder.name == f"day={day}":  # not another form of ISO 8601
                yield day, folder


def _remove(folder: Path) -> None:
    gone = folder.with_name(_GONE + folder.name)
    shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return  # another prune was first
    shutil.rmtree(gone, ignore_errors=True)
