"""The tables read back, with filters that the Parquet reader itself applies: only what is asked for is read.

Filters: `user` is the whole name, case ignored; `sender` and `subject` are a part of the field, case ignored;
`since` is included, `until` is not; `attachment` is a hash (MD5, SHA-1 or SHA-256, hex) of an attachment's
content. A time is a datetime or date (UTC if it says no zone), ISO 8601 text, or seconds since the epoch as
in Zeek's logs.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import QueryError
from zeekpop3.tables.schema import SCHEMA_VERSION, TABLES, VERSION_KEY, schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds

Time = str | dt.date | dt.datetime | int | float

_KEY = ("ts", "uid", "trans_depth")
_HASHES = {32: "md5", 40: "sha1", 64: "sha256"}
_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_AGO_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which mails are meant; see the module. Without any, all."""

    user: str | None = None
    sender: str | None = None
    subject: str | None = None
    since: Time | None = None
    until: Time | None = None
    attachment: str | None = None
    incomplete: bool = False
    uid: str | None = None
    uid_start: str | None = None
    trans_depth: int | None = None


def read_emails(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    user: str | None = None,
    sender: str | None = None,
    subject: str | None = None,
    since: Time | None = None,
    until: Time | None = None,
    attachment: str | None = None,
    incomplete: bool = False,
    limit: int | None = None,
) -> pd.DataFrame:
    """The mails of an output folder (or of its `emails/`), a row each, in the tables' order.

    `columns` are read in the order given (default: all); `day` may be one of them. Integers and booleans have
    pandas' nullable types (unknown is <NA>), times are datetime64[us, UTC], lists and structs are Python
    lists and dicts. Raises QueryError if there are no tables, or a column or filter makes no sense.
    """
    filters = Filters(user, sender, subject, since, until, attachment, incomplete)
    return to_pandas(read_table(path, "emails", columns, filters, limit=limit))


def read_attachments(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    since: Time | None = None,
    until: Time | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """The attachments; see `read_emails`."""
    filters = Filters(since=since, until=until)
    return to_pandas(read_table(path, "attachments", columns, filters, limit=limit))


def read_sessions(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    user: str | None = None,
    since: Time | None = None,
    until: Time | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """The connections; see `read_emails`."""
    filters = Filters(user=user, since=since, until=until)
    return to_pandas(read_table(path, "sessions", columns, filters, limit=limit))


def read_commands(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    since: Time | None = None,
    until: Time | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """The commands; see `read_emails`."""
    filters = Filters(since=since, until=until)
    return to_pandas(read_table(path, "commands", columns, filters, limit=limit))


def read_table(
    path: str | Path,
    name: str,
    columns: Sequence[str] | None = None,
    filters: Filters | None = None,
    *,
    limit: int | None = None,
    newest_first: bool = False,
) -> pa.Table:
    """Rows of a table as Arrow; `newest_first` reads no more days than it must for the `limit`."""
    import pyarrow as pa

    if limit is not None and limit < 0:
        raise QueryError(f"the limit {limit} is negative")
    query = _Query(path, name, columns, filters or Filters())
    found: list[pa.Table] = []
    rows = 0
    with _one_line(path):
        for condition in query.by_day() if newest_first else [query.condition]:
            if limit is not None and rows >= limit:
                break
            table = query.read(condition, None if newest_first or limit is None else limit)
            if newest_first:
                order = [(key, "descending" if key == "ts" else "ascending") for key in query.sort_key]
                table = table.sort_by(order)
            found.append(table)
            rows += table.num_rows
        table = pa.concat_tables(found) if found else query.dataset.schema.empty_table()
        table = table.select(query.columns)
        return table if limit is None else table.slice(0, limit)


def batches(
    path: str | Path, name: str, columns: Sequence[str] | None = None, filters: Filters | None = None
) -> Iterator[pa.RecordBatch]:
    """As `read_table`, but a few rows at a time, for what does not fit into memory."""
    query = _Query(path, name, columns, filters or Filters())
    with _one_line(path):
        scanner = query.dataset.scanner(
            columns=query.wanted,
            filter=query.condition,
            batch_size=64,
            batch_readahead=0,
            fragment_readahead=0,
            use_threads=False,
        )
        for batch in scanner.to_batches():
            kept = query.keep(batch)
            if kept.num_rows:
                yield kept.select(query.columns)


def instant(value: Time, now: dt.datetime | None = None) -> dt.datetime:
    """A moment in UTC out of what a user may give for one; with `now`, also "90m", "12h", "7d" before it.

    Raises QueryError if it is none.
    """
    try:
        if isinstance(value, dt.datetime):
            return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
        if isinstance(value, dt.date):
            return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        if isinstance(value, (int, float)):
            return _EPOCH + dt.timedelta(microseconds=round(value * 1_000_000))
        text = value.strip()
        ago = _AGO.fullmatch(text)
        if ago and now is not None:
            return instant(now) - dt.timedelta(seconds=int(ago[1]) * _AGO_S[ago[2]])
        if re.fullmatch(r"\d{9,10}(\.\d+)?", text):
            return instant(float(text))
        return instant(dt.datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise QueryError(f"{value!r} is no time: an ISO date such as 2024-06-24T12:00 is expected") from error


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Arrow to pandas: nothing unknown becomes a number, and nested values are plain Python."""
    import pandas as pd
    import pyarrow as pa

    exact = {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    frame = table.drop_columns(nested).to_pandas(types_mapper=exact.get)
    for name in nested:
        frame[name] = pd.Series(table[name].to_pylist(), index=frame.index, dtype=object)
    ordered: pd.DataFrame = frame[table.column_names]
    return ordered


class _Query:
    """A table, the columns wanted of it and the rows meant."""

    def __init__(self, path: str | Path, name: str, columns: Sequence[str] | None, filters: Filters) -> None:
        self.dataset = dataset(path, name)
        known = self.dataset.schema.names
        self.columns = [column for column in known if column != "day"] if columns is None else list(columns)
        unknown = [column for column in self.columns if column not in known]
        if unknown:
            raise QueryError(f"{name} has no column {', '.join(unknown)}; it has {', '.join(known)}")
        self.sort_key = [key for key in (*_KEY, "part", "seq") if key in known]
        self.wanted = list(dict.fromkeys([*self.columns, *self.sort_key]))
        self.pairs = None if filters.attachment is None else _mails_with(path, filters.attachment)
        self.condition = _condition(filters, self.pairs)

    def by_day(self) -> Iterator[ds.Expression]:
        """The condition for each day that has parts, newest day first."""
        import pyarrow.dataset as ds

        days: set[dt.date] = set()
        for fragment in self.dataset.get_fragments(filter=self.condition):
            days.add(ds.get_partition_keys(fragment.partition_expression)["day"])
        for day in sorted(days, reverse=True):
            here = ds.field("day") == day
            yield here if self.condition is None else here & self.condition

    def read(self, condition: ds.Expression | None, limit: int | None) -> pa.Table:
        """The rows that fulfil a condition; the columns asked for and the key."""
        if limit is not None and self.pairs is None:
            return self.dataset.head(limit, columns=self.wanted, filter=condition)
        return self.keep(self.dataset.to_table(columns=self.wanted, filter=condition))

    def keep(self, rows: Any) -> Any:
        """What the reader's own filter cannot say: that uid *and* trans_depth are those of one mail."""
        import pyarrow as pa

        if self.pairs is None:
            return rows
        keys = zip(rows.column("uid").to_pylist(), rows.column("trans_depth").to_pylist(), strict=True)
        return rows.filter(pa.array([key in self.pairs for key in keys], pa.bool_()))


def table_folder(path: str | Path, name: str) -> Path:
    """The folder of a table, of an output folder or any of its tables. Raises QueryError if there is none."""
    path = Path(path)
    for folder in (
        path / name,
        path if path.name == name else path.parent / name if path.name in TABLES else None,
    ):
        if folder is not None and next(folder.glob("day=*/*.parquet"), None) is not None:
            return folder
    if not path.exists():
        raise QueryError(f"{path}: no such folder")
    raise QueryError(f"{path}: holds no table {name}")


def dataset(path: str | Path, name: str) -> ds.Dataset:
    """A table as pyarrow's dataset, with `day` (a date) as its last column. Raises QueryError."""
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    folder = table_folder(path, name)
    with _one_line(path):
        partitioning = ds.partitioning(pa.schema([pa.field("day", pa.date32())]), flavor="hive")
        whole = schema(name).append(pa.field("day", pa.date32()))
        found = ds.dataset(folder, schema=whole, format="parquet", partitioning=partitioning)
        metadata = pq.read_schema(found.files[0]).metadata or {}
    version = metadata.get(VERSION_KEY, b"0").decode("ascii", "replace")
    if version != str(SCHEMA_VERSION):
        raise QueryError(f"{folder}: has schema version {version}; this zeekpop3 reads {SCHEMA_VERSION}")
    return found


def _condition(filters: Filters, pairs: set[tuple[str, int]] | None) -> ds.Expression | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    terms: list[Any] = []
    if filters.user is not None:
        terms.append(pc.utf8_lower(pc.field("user")) == filters.user.lower())
    for name, part in (("from", filters.sender), ("subject", filters.subject)):
        if part is not None:
            terms.append(pc.match_substring(pc.field(name), part, ignore_case=True))
    if filters.since is not None:
        since = instant(filters.since)
        terms += [pc.field("day") >= since.date(), pc.field("ts") >= since]
    if filters.until is not None:
        until = instant(filters.until)
        terms += [pc.field("day") <= until.date(), pc.field("ts") < until]
    if filters.incomplete:
        terms.append(~pc.field("complete"))
    if filters.uid is not None:
        terms.append(pc.field("uid") == filters.uid)
    if filters.uid_start is not None:
        terms.append(pc.starts_with(pc.field("uid"), filters.uid_start))
    if filters.trans_depth is not None:
        terms.append(pc.field("trans_depth") == filters.trans_depth)
    if pairs is not None:
        terms.append(pc.field("uid").isin(pa.array(sorted({uid for uid, _ in pairs}), pa.string())))
    if not terms:
        return None
    whole = terms[0]
    for term in terms[1:]:
        whole = whole & term
    return whole


def _mails_with(path: str | Path, digest: str) -> set[tuple[str, int]]:
    """The keys of the mails that have an attachment of that hash."""
    import pyarrow.compute as pc

    digest = digest.strip().lower()
    column = _HASHES.get(len(digest))
    if column is None or not re.fullmatch("[0-9a-f]+", digest):
        raise QueryError(f"{digest!r} is no hash: MD5, SHA-1 or SHA-256 in hex is expected")
    with _one_line(path):
        table = dataset(path, "attachments").to_table(
            columns=["uid", "trans_depth"], filter=pc.field(column) == digest
        )
    return set(zip(table["uid"].to_pylist(), table["trans_depth"].to_pylist(), strict=True))


@contextmanager
def _one_line(path: str | Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise QueryError(f"{path}: cannot be read: {text[0]}") from error
