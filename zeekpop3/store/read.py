"""The tables read back as pandas.DataFrame or Arrow, with filters; only what is asked for is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from zeekpop3.errors import QueryError
from zeekpop3.store.dataset import check_versions, dataset, reading
from zeekpop3.store.filters import Filters, condition, hash_column
from zeekpop3.store.parquet import DAY_US
from zeekpop3.store.times import Time
from zeekpop3.tables.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = dt.date(1970, 1, 1)
_ORDER = ("ts", "uid", "trans_depth", "part", "position", "seq")
#: Filters, and the columns that they need.
_FILTERED = {
    "user": "user",
    "sensor": "sensor",
    "sender": "from",
    "subject": "subject",
    "incomplete": "complete",
    "trans_depth": "trans_depth",
    "attachment": "trans_depth",
    "keys": "trans_depth",
}


class ReadOptions(TypedDict, total=False):
    """`columns`: in this order; `day` may be one of them. Default: all but `raw`. `limit`: number of rows.

    The others are filters, see `filters.Filters`.
    """

    columns: str | Iterable[str] | None
    limit: int | None
    user: str | None
    sender: str | None
    subject: str | None
    since: Time | None
    until: Time | None
    attachment: str | None
    incomplete: bool
    sensor: str | None


_FILTERS = "filters: " + ", ".join(sorted(ReadOptions.__annotations__.keys() - {"columns", "limit"}))


def read(tables: str | Path, table: str, **options: Unpack[ReadOptions]) -> pd.DataFrame:
    """Rows of a table of an output folder, in the table's order.

    Integers and booleans have pandas' nullable types (unknown is <NA>), times are datetime64[us, UTC],
    lists and structs are Python lists and dicts. Raises QueryError if there are no tables, or the table, a
    column or a filter does not exist.
    """
    chosen: dict[str, Any] = dict(options)
    wanted, limit = columns_of(table, chosen.pop("columns", None)), chosen.pop("limit", None)
    if unknown := chosen.keys() - ReadOptions.__annotations__.keys():
        raise QueryError(f"unknown filter {', '.join(sorted(unknown))}; {_FILTERS}")
    return to_pandas(read_table(tables, table, wanted, Filters(**chosen), limit=limit))


def columns_of(table: str, given: str | Iterable[str] | None) -> list[str]:
    """The columns to read: those `given`, or all of the table but `raw`. Raises QueryError for the table."""
    if table not in TABLES:
        raise QueryError(f"no table {table!r}; tables: {', '.join(TABLES)}")
    if given is None:
        return [column.name for column in TABLES[table].columns if column.name != "raw"]
    return [given] if isinstance(given, str) else list(given)


def read_emails(tables: str | Path, **options: Unpack[ReadOptions]) -> pd.DataFrame:
    """The mails; see `read`. `raw` is read only if `columns` names it: it is most of the bytes."""
    return read(tables, "emails", **options)


def read_attachments(tables: str | Path, **options: Unpack[ReadOptions]) -> pd.DataFrame:
    """The attachments; see `read`."""
    return read(tables, "attachments", **options)


def read_sessions(tables: str | Path, **options: Unpack[ReadOptions]) -> pd.DataFrame:
    """The connections; see `read`."""
    return read(tables, "sessions", **options)


def read_commands(tables: str | Path, **options: Unpack[ReadOptions]) -> pd.DataFrame:
    """The commands; see `read`."""
    return read(tables, "commands", **options)


def read_table(
    path: str | Path,
    name: str,
    columns: Sequence[str] | None = None,
    filters: Filters | None = None,
    *,
    limit: int | None = None,
    newest_first: bool = False,
) -> pa.Table:
    """Rows of a table as Arrow (default: all columns); `newest_first` reads only as many days as `limit`
    needs.

    Raises QueryError.
    """
    if limit is not None and limit < 0:
        raise QueryError(f"the limit {limit} is negative")
    query = _Query(path, name, columns, filters or Filters())
    with reading(path):
        table = query.newest_first(limit) if newest_first else query.read(query.condition, limit)
    return table.select(query.columns).slice(0, limit)


def rows(
    path: str | Path, name: str, columns: Sequence[str] | None = None, filters: Filters | None = None
) -> Iterator[dict[str, Any]]:
    """As `read_table`, but row by row, for what does not fit into memory."""
    query = _Query(path, name, columns, filters or Filters())
    with reading(path):
        check_versions(query.dataset, query.condition)
        scanner = query.dataset.scanner(
            columns=query.wanted,
            filter=query.condition,
            batch_size=64,
            batch_readahead=0,
            fragment_readahead=0,
            use_threads=False,
        )
        for batch in scanner.to_batches():
            yield from query.keep(batch).select(query.columns).to_pylist()


def uids_present(
    path: str | Path, name: str, uids: Iterable[str], at: Iterable[int] | None = None
) -> set[str]:
    """Which of these uids a table has; empty if there are no tables.

    `at` are the times of the rows (microseconds since the epoch): only their days are read, a batch of rows
    at a time.
    """
    wanted = ds.field("uid").isin(pa.array(sorted(uids), pa.string()))
    if at is not None:
        on = {_EPOCH + dt.timedelta(days=ts // DAY_US) for ts in at}
        wanted &= ds.field("day").isin(pa.array(sorted(on), pa.date32()))
    try:
        with reading(path):
            batches = dataset(path, name).to_batches(columns=["uid"], filter=wanted)
            return {uid for batch in batches for uid in batch.column("uid").to_pylist()}
    except QueryError:
        return set()


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Arrow to pandas: unknown stays unknown, and nested values are plain Python."""
    import pandas as pd  # loads slowly, and most commands do not need it

    nullable = {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    frame = table.drop_columns(nested).to_pandas(types_mapper=nullable.get)
    for name in nested:
        frame[name] = pd.Series(table[name].to_pylist(), index=frame.index, dtype=object)
    ordered: pd.DataFrame = frame[table.column_names]
    return ordered


class _Query:
    """A table, the columns that are wanted and the rows that match."""

    def __init__(self, path: str | Path, name: str, columns: Sequence[str] | None, filters: Filters) -> None:
        self.dataset = dataset(path, name, filters)
        known = self.dataset.schema.names
        self.columns = [column for column in known if column != "day"] if columns is None else list(columns)
        unknown = [column for column in self.columns if column not in known]
        if unknown:
            raise QueryError(f"table {name} has no column {', '.join(unknown)}; columns: {', '.join(known)}")
        for option, column in _FILTERED.items():
            if getattr(filters, option) and column not in known:
                raise QueryError(f"table {name} cannot be filtered by {option}: it has no column {column}")
        self.sort_key = [key for key in _ORDER if key in known]
        self.wanted = list(dict.fromkeys([*self.columns, *self.sort_key]))
        self.mails = filters.keys
        if filters.attachment is not None:
            found = _mails_with(path, filters.attachment)
            self.mails = found if self.mails is None else self.mails & found
        self.condition = condition(filters, None if self.mails is None else {uid for uid, _ in self.mails})

    def newest_first(self, limit: int | None) -> pa.Table:
        """The rows that match, newest first, of as many days as `limit` needs."""
        order = [(key, "descending" if key == "ts" else "ascending") for key in self.sort_key]
        fragments = self.dataset.get_fragments(filter=self.condition)
        keys = [ds.get_partition_keys(fragment.partition_expression) for fragment in fragments]
        found = [self.dataset.schema.empty_table().select(self.wanted)]
        for day in sorted({key["day"] for key in keys if key}, reverse=True):
            if limit is not None and sum(table.num_rows for table in found) >= limit:
                break
            of_day = ds.field("day") == day
            wanted = of_day if self.condition is None else of_day & self.condition
            found.append(self.read(wanted, None).sort_by(order))
        return pa.concat_tables(found)

    def read(self, wanted: ds.Expression | None, limit: int | None) -> pa.Table:
        """The rows that match a condition: the wanted columns and the key."""
        check_versions(self.dataset, wanted)
        if limit is not None and self.mails is None:
            return self.dataset.head(limit, columns=self.wanted, filter=wanted)
        return self.keep(self.dataset.to_table(columns=self.wanted, filter=wanted))

    def keep(self, rows: Any) -> Any:
        """What the reader's filter cannot express: uid *and* trans_depth are those of one mail."""
        if self.mails is None:
            return rows
        return rows.filter(pa.array([key in self.mails for key in _mail_keys(rows)], pa.bool_()))


def _mails_with(path: str | Path, digest: str) -> frozenset[tuple[str, int]]:
    """The keys of the mails that have an attachment with that hash, or a file in one."""
    column, digest = hash_column(digest)
    found: set[tuple[str, int]] = set()
    for name in ("attachments", "members"):
        with reading(path):
            table = dataset(path, name).to_table(
                columns=["uid", "trans_depth"], filter=pc.field(column) == digest
            )
        found.update(_mail_keys(table))
    return frozenset(found)


def _mail_keys(rows: Any) -> Iterator[tuple[str, int]]:
    return zip(rows.column("uid").to_pylist(), rows.column("trans_depth").to_pylist(), strict=True)
