"""What was written already, according to the tables: for a follower without a checkpoint.

The rows of a connection are written in their order, so their number tells which ones are there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.errors import OutputError, first_line
from zeekpop3.follow.connections import WrittenRows
from zeekpop3.store.parquet import parts_of
from zeekpop3.tables.schema import TABLES, schema

if TYPE_CHECKING:
    import pyarrow as pa

#: The tables in the order in which parts are published: a mail or session that is in the tables has its rows
#: in all other tables, too.
PUBLISHED_FIRST = tuple(name for name in TABLES if name not in ("emails", "commands", "sessions"))
PUBLISHED = (*PUBLISHED_FIRST, "emails", "commands", "sessions")

RowKey = tuple[str, int | None]
"""uid and trans_depth; None for rows of the session."""


def holds_rows(out: Path) -> bool:
    """Tell whether any table has a row. Raises OutputError if a part cannot be read."""
    tables = ("emails", "sessions", "commands")
    return any(_read(path, ["uid"]).num_rows for name in tables for path in parts_of(out / name))


def written(out: Path, first_day: str) -> dict[str, WrittenRows]:
    """How many rows of each connection are in the tables, from `first_day` (YYYY-MM-DD) on."""
    found: dict[str, WrittenRows] = {}
    for name, column in (("emails", "trans_depth"), ("commands", "seq"), ("sessions", None)):
        for path in _parts(out, name, first_day):
            table = _read(path, ["uid", column] if column else ["uid"])
            numbers = table[column].to_pylist() if column else [0] * table.num_rows
            for uid, number in zip(table["uid"].to_pylist(), numbers, strict=True):
                entry = found.setdefault(uid, WrittenRows())
                if name == "emails":
                    entry.mails = max(entry.mails, number)
                elif name == "commands":
                    entry.commands = max(entry.commands, number + 1)
                else:
                    entry.session = True
    return found


def orphans(out: Path, first_day: str, known: dict[str, WrittenRows]) -> dict[str, set[RowKey]]:
    """Of each table that is published before `emails` and `sessions`: rows whose mail or session is missing.

    They were published just before the state was lost, and will be written again.
    """
    found: dict[str, set[RowKey]] = {}
    for name in PUBLISHED_FIRST:
        if "uid" not in schema(name).names:
            continue  # `inputs`: see `entered`
        columns = [column for column in ("uid", "trans_depth") if column in schema(name).names]
        for path in _parts(out, name, first_day):
            for uid, depth in _keys(_read(path, columns)):
                entry = known.get(uid, WrittenRows())
                if not (entry.session if depth is None else entry.mails >= depth):
                    found.setdefault(name, set()).add((uid, depth))
    return found


def entered(out: Path, first_day: str) -> set[str]:
    """The first rows of the logs that have a row in `inputs`, from `first_day` on."""
    parts = _parts(out, "inputs", first_day)
    return {row for path in parts for row in _read(path, ["first_row"])["first_row"].to_pylist() if row}


def without(table: pa.Table, keys: set[RowKey]) -> pa.Table:
    """The rows of a table without those with these keys."""
    return table.filter([key not in keys for key in _keys(table)])


def _keys(table: pa.Table) -> list[RowKey]:
    uids = table["uid"].to_pylist()
    if "trans_depth" not in table.column_names:
        return [(uid, None) for uid in uids]
    return list(zip(uids, table["trans_depth"].to_pylist(), strict=True))


def _parts(out: Path, name: str, first_day: str) -> list[Path]:
    return [path for path in parts_of(out / name) if path.parent.name >= f"day={first_day}"]


def _read(path: Path, columns: list[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read(columns)
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
