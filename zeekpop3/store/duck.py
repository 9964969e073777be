"""The tables as views of an in-memory DuckDB that sees them and nothing else.

DuckDB reads the parts through Arrow. Its access to files and network, its extensions and its access to Python
variables are switched off, and its settings are locked, before a query runs. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from zeekpop3.store.filters import Filters, condition
from zeekpop3.store.read import dataset, reading
from zeekpop3.tables.schema import TABLES, schema

_CLOSED = (
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
    connection = duckdb.connect(":memory:")
    for name, view in views.items():
        connection.register(name, view)
    for statement in _CLOSED:
        connection.execute(statement)
    return connection
