"""What keeps a folder of tables small: parts are merged, and old days are removed.

The small parts of a day that is over become few large ones, with the same rows in the same order. Merged
parts are only staged here; the caller replaces the others by them. Retention removes complete days, never
anything else.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.errors import FilterError, QueryError
from zeekpop3.store.files import exclusive, make_folder, publish
from zeekpop3.store.parquet import fill_empty, upgraded, write_parquet
from zeekpop3.tables.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes in memory of a merged part; a part with half of that is not merged.
PART_BYTES = 32 << 20


@dataclass(slots=True)
class Swap:
    """A day's folder (relative to the tables) in which `parts` take the place of `replaces`."""

    folder: str
    parts: list[str]
    replaces: list[str]


def merge(
    out: Path,
    staging: Path,
    *,
    today: str,
    stem: str,
    prefix: str,
    done: dict[Path, int],
    part_bytes: int = PART_BYTES,
) -> Iterator[Swap]:
    """Stage the merged parts of each day of each table in `out` that is over and has several small parts.

    Days before `today` (YYYY-MM-DD, log time) are over. Only parts whose names begin with `prefix` are
    merged; the merged parts' names begin with `stem`, which must be new for each call. `done` remembers the
    folders in which there was nothing to do. Raises OutputError, OSError.
    """
    for name in TABLES:
        for folder in sorted((out / name).glob("day=*")):
            at = folder.stat().st_mtime_ns
            if folder.name.removeprefix("day=") >= today or done.get(folder) == at:
                continue
            parts = sorted(folder.glob(f"{prefix}*.parquet"))
            small = [path for path in parts if _is_small(path, part_bytes)] if len(parts) > 1 else []
            if len(small) > 1:
                yield _merge(out, staging, folder, small, stem, part_bytes)
            else:
                done[folder] = at


def _is_small(path: Path, part_bytes: int) -> bool:
    if path.stat().st_size >= part_bytes // 2:
        return False
    import pyarrow.parquet as pq

    meta = pq.read_metadata(path)
    size = sum(meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
    return bool(size < part_bytes // 2)


def _merge(out: Path, staging: Path, folder: Path, small: list[Path], stem: str, part_bytes: int) -> Swap:
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = str(folder.relative_to(out))
    target = staging / where
    shutil.rmtree(target, ignore_errors=True)
    make_folder(target)
    swap = Swap(where, [], [path.name for path in small])
    held: list[pa.Table] = []
    size = 0
    for path in small:
        held.append(upgraded(pq.ParquetFile(path).read(), folder.parent.name))
        size += held[-1].nbytes
        if size >= part_bytes or path == small[-1]:
            merged = target / f"{stem}-{len(swap.parts):06d}.parquet"
            publish(write_parquet(pa.concat_tables(held), merged), merged)
            swap.parts.append(merged.name)
            held, size = [], 0
    return swap


# -- retention ---------------------------------------------------------------------------------------


_KEEP = re.compile(r"(\d{1,6})\s*(d|w|y)")
_DAYS = {"d": 1, "w": 7, "y": 365}
_GONE = ".pruned-"
#: A newest day further from all others than this is more likely a wrong clock than a silent sensor.
_FAR = dt.timedelta(days=180)


def keep_days(text: str) -> int:
    """How many days "30d", "12w" or "2y" are. Raises FilterError."""
    found = _KEEP.fullmatch(text.strip())
    if not found:
        raise FilterError(f"invalid retention {text!r}: expected a number and a unit: 30d, 12w or 2y")
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

    A day disappears for readers at once, then from the disk. Raises QueryError if `keep` is not a number of
    days or there are no tables, OutputError if they cannot be changed.
    """
    if type(keep) is not int or keep < 0:
        raise FilterError(f"invalid retention {keep!r}: expected a whole number of days, 0 or more")
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
