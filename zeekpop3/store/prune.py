"""Retention: whole days are removed, nothing in between, and never a file that is no part of a table."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

from zeekpop3.errors import QueryError
from zeekpop3.store.sink import EMPTY_DAY, EMPTY_PART, fill_empty, locked
from zeekpop3.tables.schema import TABLES

_DAY = re.compile(r"day=(\d{4}-\d{2}-\d{2})")
_KEEP = re.compile(r"(\d{1,6})\s*(d|w|y)?")
_DAYS = {"d": 1, "w": 7, "y": 365}
_GONE = ".pruned-"


def keep_days(text: str) -> int:
    """How many days "30d", "12w", "2y" or "30" are. Raises QueryError."""
    found = _KEEP.fullmatch(text.strip())
    if not found:
        raise QueryError(f"{text!r} is no time to keep: 30d, 12w or 2y is expected")
    return int(found[1]) * _DAYS[found[2] or "d"]


def prune(path: str | Path, keep: int, now: dt.datetime, *, dry_run: bool = False) -> list[Path]:
    """Remove the days that ended more than `keep` days before `now` (UTC) from all tables; returns their
    folders.

    A day goes out of the readers' sight at once, and then from the disk. Tables stay readable when all their
    days are gone. Raises QueryError if there are no tables, OutputError if they cannot be changed.
    """
    path = Path(path)
    if not any((path / name).is_dir() for name in TABLES):
        raise QueryError(f"{path}: holds no tables")
    try:
        oldest = (now.astimezone(dt.UTC) - dt.timedelta(days=keep)).date()
    except OverflowError:
        return []
    removed: list[Path] = []
    for name in TABLES:
        for folder in sorted((path / name).glob("day=*")):
            found = _DAY.fullmatch(folder.name)
            if found is None or not _is_before(found[1], oldest) or _is_empty_mark(folder):
                continue
            removed.append(folder)
    if dry_run:
        return removed
    with locked(path):
        for folder in removed:
            _remove(folder)
        for left in path.glob(f"*/{_GONE}*"):
            shutil.rmtree(left, ignore_errors=True)
        fill_empty(path)
    return removed


def _is_before(text: str, oldest: dt.date) -> bool:
    try:
        return dt.date.fromisoformat(text) < oldest
    except ValueError:
        return False


def _is_empty_mark(folder: Path) -> bool:
    return folder.name == f"day={EMPTY_DAY}" and [p.name for p in folder.iterdir()] == [EMPTY_PART]


def _remove(folder: Path) -> None:
    gone = folder.with_name(_GONE + folder.name)
    shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return  # Another prune was first.
    shutil.rmtree(gone, ignore_errors=True)
