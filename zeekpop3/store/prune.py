"""Retention: removes complete days, never anything else."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

from zeekpop3.errors import QueryError
from zeekpop3.store.locks import exclusive
from zeekpop3.store.parts import fill_empty
from zeekpop3.tables.schema import TABLES

_DAY = re.compile(r"day=(\d{4}-\d{2}-\d{2})")
_KEEP = re.compile(r"(\d{1,6})\s*(d|w|y)?")
_DAYS = {"d": 1, "w": 7, "y": 365}
_GONE = ".pruned-"


def keep_days(text: str) -> int:
    """How many days "30d", "12w", "2y" or "30" are. Raises QueryError."""
    found = _KEEP.fullmatch(text.strip())
    if not found:
        raise QueryError(f"invalid retention {text!r}: expected 30d, 12w or 2y")
    return int(found[1]) * _DAYS[found[2] or "d"]


def newest_day(path: str | Path) -> dt.date | None:
    """The newest day of any table; None if there are no days."""
    days = (_DAY.fullmatch(folder.name) for name in TABLES for folder in Path(path, name).glob("day=*"))
    return max((day for found in days if found and (day := _date(found[1]))), default=None)


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
    old = [
        folder
        for name in TABLES
        for folder in sorted((path / name).glob("day=*"))
        if (found := _DAY.fullmatch(folder.name)) is not None
        and (day := _date(found[1])) is not None
        and day < oldest
        and not _is_empty_table(folder)
    ]
    if dry_run:
        return old
    with exclusive(path):
        for folder in old:
            _remove(folder)
        for left in path.glob(f"*/{_GONE}*"):
            shutil.rmtree(left, ignore_errors=True)
        fill_empty(path)
    return old


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _is_empty_table(folder: Path) -> bool:
    """Whether this is how version 1 of the tables marked a table without rows."""
    return folder.name == "day=1970-01-01" and [path.name for path in folder.iterdir()] == [
        "part-empty.parquet"
    ]


def _remove(folder: Path) -> None:
    gone = folder.with_name(_GONE + folder.name)
    shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return  # another prune was first
    shutil.rmtree(gone, ignore_errors=True)
