"""SQL over the tables, in an embedded DuckDB that sees them and nothing else.

The four tables are views (with their `day`), and so are Zeek logs that were named. DuckDB reads them
through Arrow; before a user's statement runs, its own access to files and network, its extensions and
Python's variables are closed, and its settings locked. So a query that somebody passed on can compute, but
neither read nor write anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zeekpop3.errors import QueryError
from zeekpop3.store.read import dataset
from zeekpop3.tables.schema import TABLES
from zeekpop3.views.queries import QUESTIONS

if TYPE_CHECKING:
    import duckdb

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_CLOSED = (
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class Result(NamedTuple):
    """Column names (each once) and rows as Python values."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def connect(path: str | Path, logs: Mapping[str, str | Path] | None = None) -> duckdb.DuckDBPyConnection:
    """A closed DuckDB with the views emails, attachments, sessions, commands, and one for each of `logs`.

    `logs` maps a view's name to a Zeek log, a folder or a glob of them. Raises QueryError without duckdb,
    without tables, or for a name that is none; LogError for a log that cannot be read.
    """
    try:
        import duckdb
    except ImportError as error:
        raise QueryError("sql needs DuckDB: install zeekpop3[duckdb]") from error
    connection = duckdb.connect(":memory:")
    for name in TABLES:
        connection.register(name, dataset(path, name))
    for name, log in (logs or {}).items():
        if not _NAME.fullmatch(name) or name in TABLES:
            raise QueryError(f"{name!r} is no name for a log: letters, digits and _, and none of our tables")
        from zeekpop3.zeek.logs import read_zeek_log

        connection.register(name, read_zeek_log(log))
    for statement in _CLOSED:
        connection.execute(statement)
    return connection


def ask(
    path: str | Path,
    statement: str | None = None,
    *,
    question: str | None = None,
    logs: Mapping[str, str | Path] | None = None,
) -> Result:
    """The answer to an SQL statement, or to a ready `question` of `queries.QUESTIONS`. Raises QueryError."""
    if question is not None:
        if question not in QUESTIONS:
            raise QueryError(f"{question!r} is no ready query; there are {', '.join(QUESTIONS)}")
        missing = [name for name in QUESTIONS[question].logs if name not in (logs or {})]
        if missing:
            raise QueryError(f"{question} needs Zeek's {missing[0]}.log: --log {missing[0]}=PATH")
        statement = QUESTIONS[question].sql
    if not statement or not statement.strip():
        raise QueryError("there is no statement")
    connection = connect(path, logs)
    import duckdb

    try:
        answer = connection.sql(statement)
        if answer is None:
            return Result([], [])
        # By way of Arrow: DuckDB's own times with zone need pytz, which nobody else here does.
        table = answer.to_arrow_table()
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    except duckdb.Error as error:
        raise QueryError(f"SQL: {_first_lines(error)}") from error
    finally:
        connection.close()
    return Result(_once(table.column_names), rows)


def _once(names: list[str]) -> list[str]:
    """Each name once: a second `uid` becomes `uid_1`."""
    taken: set[str] = set()
    for place, name in enumerate(names):
        number, once = 0, name
        while once in taken:
            number += 1
            once = f"{name}_{number}"
        taken.add(once)
        names[place] = once
    return names


def _first_lines(error: Exception) -> str:
    """DuckDB's message on one line, with the place that it points at left out."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith("LINE ") and set(line) - {"^"}]
    return " ".join(kept[:3])
