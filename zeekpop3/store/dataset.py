"""Tables as datasets of Arrow, and as the views of a DuckDB that sees them and nothing else.

Only days are listed, and only parts opened, that the filters allow. A follower may merge parts while they are
read; `retry_while_merging` then reads again.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, reduce
from glob import has_magic, iglob
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs

from zeekpop3.errors import QueryError, first_line
from zeekpop3.store.filters import Filters, condition, days
from zeekpop3.store.parquet import check_version, part_names
from zeekpop3.tables.schema import TABLES, schema

if TYPE_CHECKING:
    import duckdb

_TIME = pa.timestamp("us", tz="UTC")
_ATTEMPTS = 5

_T = TypeVar("_T")


def dataset(path: str | Path, name: str, filters: Filters | None = None) -> ds.Dataset:
    """The table `name` of an output folder (or of the folder of any of its tables); of several, if the path
    is a glob.

    Columns that a file lacks are null, a table that the folder lacks is empty; `day` (a date) is the last
    column. Only the days are listed that the times of `filters` allow, and no part is opened that a condition
    on `day` or `ts` excludes: a query of one day costs one day, however many there are.

    Raises QueryError if there are no tables, or the newest day was written by a version that is not read.
    """
    folders = table_folders(path, name)
    columns = schema(name).append(pa.field("day", pa.date32()))
    with reading(path):
        span = days(filters or Filters())
        parts = sorted(part for folder in folders for part in part_names(folder, *span))
        if not parts:
            return ds.dataset(columns.empty_table())
        found = ds.FileSystemDataset.from_paths(
            [path for _, path in parts],
            columns,
            ds.ParquetFileFormat(),
            fs.LocalFileSystem(),
            [_rows_of(day) for day, _ in parts],
        )
        check_versions(found, ds.field("day") == _day_of(parts[-1][0]))
    return found


def check_versions(found: ds.Dataset, wanted: ds.Expression | None = None) -> None:
    """Raise QueryError if a part that may have such rows was written by a version that is not read."""
    for fragment in found.get_fragments(wanted):
        if isinstance(fragment, ds.ParquetFileFragment):
            check_version(fragment.metadata.metadata, fragment.path, QueryError)


@lru_cache(1 << 14)
def _rows_of(folder: str) -> ds.Expression:
    """What Arrow needs to know of the rows in a day's folder, so that it leaves out the folder unopened."""
    day, ts = _day_of(folder), ds.field("ts")
    begin = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    known = [ds.field("day") == pa.scalar(day, pa.date32())]
    # The first and the last day that there are hold the times beyond them, too.
    if day > dt.date.min:
        known.append((ts >= pa.scalar(begin, _TIME)) | ts.is_null())
    if day < dt.date.max:
        known.append((ts < pa.scalar(begin + dt.timedelta(days=1), _TIME)) | ts.is_null())
    return reduce(and_, known)


def _day_of(folder: str) -> dt.date:
    try:
        return dt.date.fromisoformat(folder.removeprefix("day="))
    except ValueError:
        raise QueryError(f"{folder}: not the folder of a day; expected day=YYYY-MM-DD") from None


def table_folders(path: str | Path, name: str) -> list[Path]:
    """The folders of a table: one, or that of each output folder that a glob names.

    Raises QueryError if there are no tables.
    """
    if Path(path).exists() or not has_magic(str(path)):
        return [table_folder(path, name)]
    found = [Path(each) for each in sorted(iglob(str(path), recursive=True))]  # noqa: PTH207
    roots = [root for root in found if any((root / each).is_dir() for each in TABLES)]
    if not roots:
        raise QueryError(f"{path}: no tables found in any folder of that name")
    return [root / name for root in roots]


def table_folder(path: str | Path, name: str) -> Path:
    """The folder of a table, given an output folder or any of its tables; it may not exist.

    Raises QueryError if there are no tables.
    """
    path = Path(path)
    for root in (path, path.parent) if path.name in TABLES else (path,):
        if any((root / each).is_dir() for each in TABLES):
            return root / name
    if not path.exists():
        raise QueryError(f"{path}: no such folder")
    raise QueryError(f"{path}: no tables found")


@contextmanager
def reading(path: str | Path, *more: type[Exception]) -> Iterator[None]:
    """Errors of Arrow and of the system, and of the classes in `more`, become a QueryError of one line."""
    try:
        yield
    except (OSError, pa.ArrowException, *more) as error:
        raise QueryError(f"{path}: cannot be read: {first_line(error)}") from error


def retry_while_merging(path: str | Path, work: Callable[[], _T], *more: type[Exception]) -> _T:
    """The result of `work`, which reads the tables; it runs again if a part is missing because a follower has
    merged it.

    Raises QueryError, also for the classes in `more`: `duckdb.Error` if `work` uses DuckDB.
    """
    for attempt in itertools.count(1):
        try:
            with reading(path, *more):
                return work()
        except QueryError as error:
            if attempt == _ATTEMPTS or "[errno 2]" not in str(error).lower():
                raise
    raise AssertionError


# -- the tables in DuckDB ----------------------------------------------------------------------------


# DuckDB reads the parts through Arrow. Its access to files and network, its extensions and its access to
# Python variables are switched off, and its settings are locked, before a query runs. Times are UTC.

_CLOSED = (
    "SET enable_progress_bar = false",  # in `python -c` and notebooks it would be on stdout
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
_WITH_SENSOR = ("emails", "sessions")


def connect(
    path: str | Path, more: Mapping[str, Any] | None = None, filters: Filters | None = None
) -> duckdb.DuckDBPyConnection:
    """A closed DuckDB with a view for each table of an output folder (with its `day`) and each of `more`.

    `filters` apply to `emails` and `sessions`, their times and sensor to all tables. Raises QueryError for a
    missing or unreadable table.
    """
    # `emails` is the first of TABLES: a follower publishes a mail there after its rows in the other tables.
    filters = filters or Filters()
    span = Filters(since=filters.since, until=filters.until)
    views = {name: dataset(path, name, span) for name in TABLES}
    uids = None if filters.sensor is None else _uids(path, filters.sensor)
    for name, table in views.items():
        of_uids = uids if "uid" in schema(name).names else None
        wanted = condition(filters) if name in _WITH_SENSOR else condition(span, of_uids)
        views[name] = table if wanted is None else table.filter(wanted)
    return closed({**views, **(more or {})})


def _uids(path: str | Path, sensor: str) -> set[str]:
    """The connections that a sensor saw."""
    wanted = condition(Filters(sensor=sensor))
    with reading(path):
        tables = [dataset(path, name).to_table(columns=["uid"], filter=wanted) for name in _WITH_SENSOR]
    return {uid for table in tables for uid in table["uid"].to_pylist()}


def closed(views: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """A closed DuckDB with these views, Arrow tables or datasets."""
    import duckdb  # 0.1 s, which only SQL needs

    connection = duckdb.connect(":memory:")
    for name, view in views.items():
        connection.register(name, view)
    for statement in _CLOSED:
        connection.execute(statement)
    return connection
