"""Parts of tables: `DIR/<table>/day=YYYY-MM-DD/part-….parquet`, folders 0700 and files 0600.

Several processes may write parts into one output at the same time, each with its own token.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.store.files import make_folder, publish
from zeekpop3.store.parquet import write_parquet
from zeekpop3.tables.schema import TABLES, schema

if TYPE_CHECKING:
    import pyarrow as pa

#: Microseconds of a day.
DAY_US = 86_400_000_000
#: Years 1 to 9999: dates that Parquet readers support.
_DAYS = (-719_162, 2_932_896)


def new_token() -> str:
    """A token for part names that no other writer has; tokens sort by the time they were made."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class PartWriter:
    """Writes parts below one folder, for example in a worker process."""

    root: Path
    token: str = field(default_factory=new_token)

    def write(self, name: str, table: pa.Table, number: int) -> list[Path]:
        """Write the rows of a table as one part per day, in the order given; returns the paths.

        All parts are written before readers see the first. `number` is the part's number in its name; a part
        of the same number is replaced. Raises OutputError.
        """
        staged: dict[Path, Path] = {}
        try:
            for day, rows in split_by_day(table):
                path = self.root / name / f"day={day}" / f"part-{self.token}-{number:06d}.parquet"
                make_folder(path.parent)
                staged[path] = write_parquet(rows, path)
        except BaseException:
            for temporary in staged.values():
                temporary.unlink(missing_ok=True)
            raise
        for path, temporary in staged.items():
            publish(temporary, path)
        return list(staged)


def parts_of(folder: Path) -> list[Path]:
    """The parts of a table, sorted; none if the folder does not exist."""
    return sorted(folder.glob("day=*/*.parquet"))


def fill_empty(root: Path) -> None:
    """Give tables without parts an empty one, so that any Parquet reader can open them. Raises OutputError.

    It lies in the last day of the other tables. If no table has rows, there is no part at all, only folders.
    """
    days = [part.parent.name for name in TABLES for part in parts_of(root / name)]
    for name in TABLES:
        folder = root / name
        make_folder(folder)
        if days and not parts_of(folder):
            path = folder / max(days) / "part-empty.parquet"
            make_folder(path.parent)
            publish(write_parquet(schema(name).empty_table(), path), path)


def split_by_day(table: pa.Table) -> list[tuple[str, pa.Table]]:
    """The rows by the UTC day of their `ts`, days ascending, each day's rows in the order they had."""
    import numpy as np
    import pyarrow as pa

    if table.num_rows == 0:
        return []
    column = table.column("ts").combine_chunks().view(pa.int64())
    ts = np.from_dlpack(column.fill_null(0) if column.null_count else column)  # `to_numpy` imports pandas
    days = np.clip(ts // DAY_US, *_DAYS).astype("datetime64[D]")
    if days.min() == days.max():
        return [(str(days[0]), table)]
    order = np.argsort(days, kind="stable")
    table = table.take(pa.array(order))
    names, starts = np.unique(days[order], return_index=True)
    ends = [*starts[1:], len(days)]
    return [(str(day), table.slice(a, b - a)) for day, a, b in zip(names, starts, ends, strict=True)]
