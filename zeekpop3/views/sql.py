"""SQL over the tables, in an embedded DuckDB that sees them and nothing else; its functions, and answers as
files.

See `store.dataset`: a query from somebody else can compute, but it can neither read nor write anything else.
"""

from __future__ import annotations

import itertools
import re
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from zeekpop3.errors import QueryError
from zeekpop3.store.dataset import connect
from zeekpop3.store.files import new_file
from zeekpop3.store.filters import Filters
from zeekpop3.tables.schema import TABLES
from zeekpop3.views.queries import filled, literal, log_columns, mailboxes_sql, query_sql
from zeekpop3.views.text import plural, row_lines
from zeekpop3.zeek.logs import find_zeek_logs, read_zeek_log

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

_PATH_OF = r"""
    create macro path_of(url) as
        regexp_replace(regexp_extract(url, '^[^:]+://[^/?#]*([^#]*)', 1), '^(\?|$)', '/\1')
"""
_HAS_NAME_OF = r"""
    create macro has_name_of(host, site) as
        list_contains(string_split_regex(shape_of(host), '[.-]'), shape_of(split_part(site, '.', 1)))
"""
#: A name by what it looks like, the words in any order.
_NAME_KEY = r"""
    create macro name_key(name) as array_to_string(list_sort(list_filter(
        string_split_regex(shape_of(name), '[\s,]+'), lambda word: word <> '')), ' ')
"""
#: Whether a site differs from another one by its suffix, or to the eye, or by one letter.
_LOOKS_LIKE_SITE = """
    create macro looks_like_site(site, other) as site <> other and (
        split_part(site, '.', 1) = split_part(other, '.', 1)
        or shape_of(split_part(site, '.', 1)) = shape_of(split_part(other, '.', 1))
        or length(other) >= 9 and abs(length(site) - length(other)) <= 1
            and damerau_levenshtein(split_part(site, '.', 1), split_part(other, '.', 1)) = 1)
"""
_IBANS_OF = r"""
    create macro ibans_of(text) as list_distinct(list_transform(
        regexp_extract_all(text[:50000], '\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b'),
        lambda iban: replace(iban, ' ', '')))
"""
#: The mailbox that a name opens, by the view `mailboxes` of the statement.
_MAILBOX_OF = """
    create macro mailbox_of(name, server_at) as coalesce((select min(m.mailbox) from mailboxes m
        where m."user" = lower(name) and m.server = coalesce(server_at, '')), lower(name))
"""
#: Letters of other alphabets, and digits, by the Latin letters that they look like.
_LATIN = str.maketrans(
    "01345689аеорсухіїјѕԁԛԝһкмнтвгαβεικνορτυωıłøđ|$!@",
    "oleasbbgaeopcyxiijsdqwhkmhtbrabeiknoptuwilodlsia",
)

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
        # Of the guessed own sites; a ready query has its own, of the sites that are given.
        self._connection.execute(f"create view mailboxes as {filled(mailboxes_sql())}")
        self._connection.execute(_MAILBOX_OF)

    def _zeek_log(self, name: str, given: str | Path | Iterable[str | Path]) -> pa.Table:
        """The rows of a log stream; columns that it lacks and that ready queries use are null."""
        files = find_zeek_logs(name, given)
        table = read_zeek_log(files)
        self.logs_read.append(_described(name, len(files), table))
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
    query: str | None = None,
    logs: Logs | None = None,
    own: Collection[str] = (),
    rules: str | Path | None = None,
) -> Result:
    """The answer to an SQL statement, or to the ready query of this name. Raises QueryError.

    `own` and `rules` are as in `query_sql`.
    """
    if query is not None:
        statement = query_sql(query, logs or (), own=own, rules=rules)
    with Database(path, logs) as database:
        return database.ask(statement or "")


def reasons_of(path: str | Path, uid: str, trans_depth: int) -> list[str]:
    """Why a mail is suspicious; empty if it is not. Raises QueryError."""
    key = f"select {literal(uid)} as uid, {trans_depth} as trans_depth"
    with Database(path) as database:
        found = database.ask(query_sql("suspicious", judged=key)).dicts()
    return found[0]["reasons"] if found else []


def write_answer(database: Database, statement: str, path: Path, limit: int | None = None) -> int:
    """Write at most `limit` rows of an answer to a file; returns their number.

    Raises QueryError for the statement or an unknown format, OutputError if the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".json", ".jsonl", ".parquet"):
        raise QueryError(f"{path}: unknown format; use a name that ends in .csv, .json or .parquet")
    with new_file(path) as file:
        if kind == ".parquet":
            return _write_parquet(database, statement, file, limit)
        columns, rows = database.rows(statement, limit)
        lines = row_lines(columns, rows, csv=kind == ".csv")
        number = -1 if kind == ".csv" else 0  # the header is not counted
        for line in lines:
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            number += 1
    return number


def _write_parquet(database: Database, statement: str, file: BinaryIO, limit: int | None) -> int:
    import pyarrow.parquet as pq

    columns, batches = database.stream(statement, limit)
    first = next(batches, None)
    if first is None:
        first = pa.record_batch([pa.nulls(0)] * len(columns), columns)
    rows = 0
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for batch in itertools.chain([first], batches):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def host_of(text: str | None) -> str | None:
    """The host of a URL, or a host: lower case, IDN decoded."""
    if text is None:
        return None
    from zeekpop3.message.sites import normal_host  # the reader of mails, which most statements do not need
    from zeekpop3.message.urls import split

    return (split(text)[1] if "://" in text else normal_host(text)) or None


def site_of(text: str | None) -> str | None:
    """The registered domain of a URL or a host; NULL for IP addresses."""
    from zeekpop3.message import sites

    host = host_of(text)
    return None if host is None else sites.site_of(host)


def shape_of(text: str | None) -> str | None:
    """The Latin letters that a text looks like: "c0rp" and "сorp" become "corp", "rn" becomes "m"."""
    if text is None:
        return None
    letters = unicodedata.normalize("NFKD", text.lower()).translate(_LATIN)
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return letters.replace("rn", "m").replace("vv", "w").replace("i", "l")


def ascii_host(text: str | None) -> str | None:
    """A host; one with other than ASCII letters also as the DNS has it: "é.example (xn--9ca.example)"."""
    if text is None or text.isascii():
        return text
    try:
        return f"{text} ({text.encode('idna').decode('ascii')})"
    except UnicodeError:
        return text


def add_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to a connection.

    Macros: `path_of(url)` is path and query, as in http.log; `has_name_of(host, site)`: a word of the host
    looks like the first label of the site; `name_key(name)`: equal for names that look alike, whatever the
    order of their words; `looks_like_site(site, other)`; `ibans_of(text)`: the accounts in a text.
    """
    nulls: dict[str, Any] = {"null_handling": "special"}
    for function in (host_of, site_of, shape_of, ascii_host):
        connection.create_function(function.__name__, function, ["VARCHAR"], "VARCHAR", **nulls)
    connection.execute(_PATH_OF)
    for macro in (_HAS_NAME_OF, _NAME_KEY, _LOOKS_LIKE_SITE, _IBANS_OF):
        connection.execute(macro)


def _described(stream: str, files: int, table: pa.Table) -> str:
    """What was read, in one line: "http: 3 files, 8 rows, 2026-11-26 08:00:00 to 2026-11-28 17:30:00"."""
    text = f"{stream}: {plural(files, 'file')}, {plural(table.num_rows, 'row')}"
    if "ts" in table.column_names and pa.types.is_timestamp(table.schema.field("ts").type):
        times = pc.min_max(table.column("ts"))
        first, last = times["min"].as_py(), times["max"].as_py()
        if first is not None:
            text += f", {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}"
    return text


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
