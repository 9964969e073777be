"""What was written already, according to the tables: for a follower without a checkpoint.

The rows of a connection are written in their order, so their number tells which ones are there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.errors import OutputError
from zeekpop3.follow.connections import WrittenRows

if TYPE_CHECKING:
    import pyarrow as pa


def holds_rows(out: Path) -> bool:
    """Tell whether any table has a row. Raises OutputError if a part cannot be read."""
    return any(
        _metadata(path).num_rows for name in ("emails", "sessions", "commands") for path in _parts(out, name)
    )


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


def orphans(out: Path, first_day: str, known: dict[str, WrittenRows]) -> set[tuple[str, int]]:
    """Mails (uid, trans_depth) that are not in the tables although their attachments are."""
    found = set()
    for path in _parts(out, "attachments", first_day):
        table = _read(path, ["uid", "trans_depth"])
        for uid, depth in zip(table["uid"].to_pylist(), table["trans_depth"].to_pylist(), strict=True):
            if uid not in known or known[uid].mails < depth:
                found.add((uid, depth))
    return found


def without(attachments: pa.Table, mails: set[tuple[str, int]]) -> pa.Table:
    """The rows of the attachments table without those of these mails."""
    keys = zip(attachments["uid"].to_pylist(), attachments["trans_depth"].to_pylist(), strict=True)
    return attachments.filter([key not in mails for key in keys])


def _parts(out: Path, name: str, first_day: str = "") -> list[Path]:
    return [
        path
        for path in sorted((out / name).glob("day=*/*.parquet"))
        if path.parent.name.removeprefix("day=") >= first_day
    ]


def _metadata(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _read(path: Path, columns: list[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read(columns)
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
