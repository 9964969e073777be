"""SQL over the tables, in an embedded DuckDB that sees them and nothing else.

See `store.duck`: a query from somebody else can compute, but it can neither read nor write anything else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import duckdb
import pyarrow as pa

from zeekpop3.errors import QueryError
from zeekpop3.store.duck import connect
from zeekpop3.store.filters import Filters
from zeekpop3.tables.schema import TABLES
from zeekpop3.views.functions import add_functions
from zeekpop3.views.questions import log_columns, question_sql
from zeekpop3.zeek.archive import find_zeek_logs
from zeekpop3.zeek.logs import described, read_zeek_log

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
#: Where DuckDB's parser stops if a column whose name is an SQL keyword is not quoted.
_KEYWORD_ERROR = re.compile(r'at or near "(from|to|references)"', re.IGNORECASE)
_UNQUOTED = re.compile(
    r"(\bselect\s+(distinct\s+)?|,\s*)(from|to|references)\s*(,|\)|\bfrom\b|\bas\b)", re.IGNORECASE
)
_QUOTES = 'the columns "from", "to" and "references" must be written in double quotes'
_BATCH_ROWS = 1024
#: Seconds between two looks at a running statement, and for its end after a Ctrl-C.
_LOOK_S, _END_S = 0.1, 0.7
_ARROW_TYPES = {
    "varchar": pa.string(),
    "varchar[]": pa.list_(pa.string()),
    "timestamptz": pa.timestamp("us", "UTC"),
}

#: Zeek's other logs by the name of their stream: files, folders or globs.
Logs = Mapping[str, str | Path | Iterable[str | Path]]
_T = TypeVar("_T")


class Result(NamedTuple):
    """Column names (each once), rows as Python values, and whether a limit left out further rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    more: bool = False

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Database:
    """A closed DuckDB with one view per table and one for each of `logs`; a context manager.

    `logs` maps the name of a log stream, which is the view's, to logs: files, folders of an archive, globs.
    `logs_read` says in a line for each what was read. `sensor`: only what this sensor saw. Raises
    QueryError for a missing or unreadable table or an invalid view name, LogError for a log that cannot
    be read.
    """

    def __init__(self, path: str | Path, logs: Logs | None = None, sensor: str | None = None) -> None:
        for name in logs or {}:
            if not _NAME.fullmatch(name) or name in TABLES:
                raise QueryError(f"invalid view name {name!r}: use letters, digits and _, not a table's name")
        self.logs_read: list[str] = []
        self._busy = False
        self._connection = connect(
            path,
            {name: self._zeek_log(name, log) for name, log in (logs or {}).items()},
            Filters(sensor=sensor),
        )
        add_functions(self._connection)

    def _zeek_log(self, name: str, given: str | Path | Iterable[str | Path]) -> pa.Table:
        """The rows of a log stream; columns that it lacks and that ready queries use are null."""
        files = find_zeek_logs(name, given)
        table = read_zeek_log(files)
        self.logs_read.append(described(name, len(files), table))
        for column, kind in log_columns(name).items():
            if column not in table.column_names:
                table = table.append_column(column, pa.nulls(table.num_rows, _ARROW_TYPES[kind]))
        return table

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._busy:  # a connection does not close while an interrupted statement still runs
            self._connection.close()

    def ask(self, statement: str, limit: int | None = None) -> Result:
        """The answer to an SQL statement, at most `limit` rows of it. Raises QueryError."""
        columns, found = self.rows(statement, None if limit is None else limit + 1)
        rows = list(found)
        return Result(columns, rows[:limit], limit is not None and len(rows) > limit)

    def rows(self, statement: str, limit: int | None = None) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """The answer's column names, and its rows as they are computed. Raises QueryError."""
        columns, batches = self.stream(statement, limit)
        return columns, (row for batch in batches for row in _rows(batch))

    def split(self, text: str) -> list[str]:
        """The statements of a text. Raises QueryError if it cannot be parsed."""
        with _sql_errors(text):
            return [found.query.strip() for found in self._connection.extract_statements(text)]

    def views(self) -> dict[str, list[str]]:
        """The views and their columns."""
        found = self.ask("select table_name, column_name from duckdb_columns() where not internal").rows
        named: dict[str, list[str]] = {}
        for view, column in found:
            named.setdefault(view, []).append(column)
        return named

    def stream(self, statement: str, limit: int | None = None) -> tuple[list[str], Iterator[pa.RecordBatch]]:
        """The answer's column names, and its rows in batches as they are computed. Raises QueryError.

        Ctrl-C ends a statement: KeyboardInterrupt.
        """
        if not statement.strip():
            raise QueryError("empty SQL statement")

        def begin() -> Any:
            answer = self._connection.sql(statement)
            if answer is not None and limit is not None:
                answer = answer.limit(limit)
            return None if answer is None else answer.to_arrow_reader(_BATCH_ROWS)

        with _sql_errors(statement):
            reader = self._interruptible(begin)
        if reader is None:
            return [], iter(())
        names = _unique(reader.schema.names)
        return names, self._batches(reader, names, statement)

    def _batches(self, reader: Any, names: list[str], statement: str) -> Iterator[pa.RecordBatch]:
        with _sql_errors(statement):
            while (batch := self._interruptible(lambda: next(reader, None))) is not None:
                yield batch.rename_columns(names)

    def _interruptible(self, work: Callable[[], _T]) -> _T:
        """The result of `work`, done in a thread of its own.

        DuckDB computes in C++, where Python sees no signal: the main thread waits here, and a Ctrl-C reaches
        it and interrupts the statement.
        """
        if threading.current_thread() is not threading.main_thread():
            return work()
        result: Future[_T] = Future()

        def run() -> None:
            try:
                result.set_result(work())
            except BaseException as error:
                result.set_exception(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_LOOK_S)
        except KeyboardInterrupt:
            self._connection.interrupt()
            thread.join(_END_S)
            self._busy = thread.is_alive()
            raise
        return result.result()


def ask(
    path: str | Path,
    statement: str | None = None,
    *,
    question: str | None = None,
    logs: Logs | None = None,
    own: Collection[str] = (),
    rules: str | Path | None = None,
) -> Result:
    """The answer to an SQL statement, or to a ready `question` of `QUESTIONS`. Raises QueryError.

    `own` and `rules` are as in `question_sql`.
    """
    if question is not None:
        statement = question_sql(question, logs or (), own=own, rules=rules)
    with Database(path, logs) as database:
        return database.ask(statement or "")


def suspicious_mails(path: str | Path, own: Collection[str] = ()) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows of the query `suspicious` by the key of the mail. Raises QueryError."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in ask(path, question="suspicious", own=own).dicts():
        uid, _, depth = row["mail"].rpartition("/")
        found.setdefault((uid, int(depth)), row)
    return found


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """The rows of a batch as Python values; a time that Python cannot hold becomes text ("infinity")."""
    return zip(*(_values(column) for column in batch.columns), strict=True)


def _values(column: pa.Array) -> list[Any]:
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        if isinstance(scalar, pa.ListScalar):
            return [_value(entry) for entry in scalar.values]
        if isinstance(scalar, pa.StructScalar):
            return {name: _value(entry) for name, entry in scalar.items()}
        limit = 2**31 - 1 if pa.types.is_date32(scalar.type) else 2**63 - 1
        if abs(scalar.value) >= limit:
            return "infinity" if scalar.value > 0 else "-infinity"
        return f"{scalar.value} ({scalar.type})"


@contextmanager
def _sql_errors(statement: str) -> Iterator[None]:
    """DuckDB's and Arrow's errors as QueryError: one line, with a hint where quotes are missing."""

    try:
        yield
    except (duckdb.Error, pa.ArrowException, ArithmeticError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        kept = [line for line in lines if not line.startswith("LINE ") and set(line) - {"^"}]
        text = " ".join(kept[:3])
        unquoted = _KEYWORD_ERROR.search(text) or _UNQUOTED.search(statement)
        if unquoted and isinstance(error, duckdb.ParserException):
            text += f"; {_QUOTES}"
        raise QueryError(f"SQL: {text}") from error


def _unique(names: list[str]) -> list[str]:
    """Each name once: a second `uid` becomes `uid_1`."""
    taken: dict[str, None] = {}
    for name in names:
        number, unique = 0, name
        while unique in taken:
            number += 1
            unique = f"{name}_{number}"
        taken[unique] = None
    return list(taken)
