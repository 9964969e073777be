"""Mails out of the tables, each once, with their addresses, links and attachments.

What was exported is in a state: a small SQLite database, changed by transactions and used by one process.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from zeekpop3.errors import OutputError, reason
from zeekpop3.store.dataset import connect, dataset, retry_while_merging
from zeekpop3.store.filters import Filters, condition

#: Mails that are read at once, if not told otherwise.
_ROWS = 1000

_WAIT_S = 600
_TABLES = (
    "create table if not exists mails (uid text, trans_depth integer, primary key (uid, trans_depth)) "
    "without rowid",
    "create table if not exists parts (name text primary key) without rowid",
)

Row = dict[str, Any]
Key = tuple[str, int]
TimedKey = tuple[dt.datetime, str, int]

_T = TypeVar("_T")


class ExportState:
    """The mails (and sessions and hits, see `events`) that were exported, and the parts of tables without
    others; a context manager.

    Without a path it is in memory. Another process that opens the same file waits. Raises OutputError if the
    file cannot be used.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = path
        with self._errors():
            if path is not None:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(":memory:" if path is None else path, timeout=_WAIT_S)
            self._database.execute("pragma locking_mode = exclusive")
            self._database.execute("begin exclusive")
            for statement in _TABLES:
                self._database.execute(statement)
            self._database.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def parts(self) -> set[str]:
        """The parts all of whose rows were exported."""
        with self._errors():
            return {name for (name,) in self._database.execute("select name from parts")}

    def holds(self, key: Key) -> bool:
        """Whether a mail was exported."""
        found = self._database.execute("select 1 from mails where uid = ? and trans_depth = ?", key)
        return found.fetchone() is not None

    def add(self, mails: Iterable[Key]) -> None:
        """Mails that were exported."""
        with self._errors(), self._database:
            self._database.executemany("insert or ignore into mails values (?, ?)", mails)

    def keep_parts(self, table: str, names: Iterable[str]) -> None:
        """The parts of a table that there are; all of their rows were exported."""
        with self._errors(), self._database:
            self._database.execute("delete from parts where instr(name, ?)", (f"/{table}/day=",))
            self._database.executemany("insert into parts values (?)", ((name,) for name in names))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            why = "in use by another export" if "locked" in str(error) else reason(error)
            raise OutputError(f"{self._path}: cannot be used as --state: {why}") from error


class MailReader:
    """Reads the mails of an output folder that an export has not had yet; a context manager.

    `columns` are those of `emails`; `parts` adds the lists `addresses`, `links` and `attachments`.
    """

    def __init__(self, path: str | Path, columns: Sequence[str], *, parts: bool = False) -> None:
        self._path = path
        self._query = _query(columns, parts=parts)
        self._filters = Filters()

    @cached_property
    def _emails(self) -> ds.Dataset:
        return dataset(self._path, "emails", self._filters)

    @cached_property
    def _days(self) -> dict[dt.date, set[str]]:
        return parts_by_day(self._emails)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return connect(self._path, filters=Filters(since=self._filters.since, until=self._filters.until))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def new_mails(self, state: ExportState, filters: Filters | None = None) -> Iterator[list[Row]]:
        """The mails that `state` does not hold, by day and time, some at a time.

        A list of mails is added to the state when the next one is asked for. Parts that a follower merges
        meanwhile repeat and lose nothing. Raises QueryError, OutputError.
        """
        self._filters = filters or Filters()
        done, names = state.parts(), set()
        for day in list(self._days):
            read, found = self._retry(self._new_keys, day, done)
            names |= read
            keys = sorted(key for key in found if not state.holds(key[1:]))
            for start in range(0, len(keys), _ROWS):
                wanted = keys[start : start + _ROWS]
                yield self._retry(self._read, wanted)
                state.add(key[1:] for key in wanted)
        if filters is None:
            state.keep_parts("emails", names)

    def _retry(self, work: Callable[..., _T], *arguments: Any) -> _T:

        def attempt() -> _T:
            try:
                return work(*arguments)
            except BaseException:
                self._close()
                raise

        return retry_while_merging(self._path, attempt, duckdb.Error)

    def _close(self) -> None:
        """Forget the opened tables: they are opened again when they are needed."""
        for name in ("_emails", "_days"):
            vars(self).pop(name, None)
        if connection := vars(self).pop("_connection", None):
            connection.close()

    def _new_keys(self, day: dt.date, done: set[str]) -> tuple[set[str], set[TimedKey]]:
        """The names of the parts of a day, and the mails in those that are not `done`."""
        names, emails = self._days.get(day, set()), self._emails
        new = names - done
        found: set[TimedKey] = set()
        for fragment in emails.get_fragments(ds.field("day") == day) if new else ():
            if fragment.path in new:
                columns = ["ts", "uid", "trans_depth"]
                rows = fragment.to_table(
                    schema=emails.schema, columns=columns, filter=condition(self._filters)
                )
                found.update(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        return names, found

    def _read(self, wanted: list[TimedKey]) -> list[Row]:
        """The mails with these times and keys, in their order."""

        keys = {"uid": [uid for _, uid, _ in wanted], "trans_depth": [depth for *_, depth in wanted]}
        self._connection.register("wanted", pa.table(keys))
        span = {"first": wanted[0][0], "last": wanted[-1][0]}
        found = self._connection.sql(self._query, params=span).to_arrow_table()
        rows: dict[Key, Row] = {(row["uid"], row["trans_depth"]): row for row in found.to_pylist()}
        return [rows[key[1:]] for key in wanted if key[1:] in rows]


def parts_by_day(table: ds.Dataset) -> dict[dt.date, set[str]]:
    """The days of a table, in order, and the names of their parts."""
    found: dict[str, set[str]] = {}
    for name in getattr(table, "files", []):
        found.setdefault(Path(name).parent.name.removeprefix("day="), set()).add(name)
    return {dt.date.fromisoformat(day): found[day] for day in sorted(found)}


_WANTED = "ts between $first and $last and (uid, trans_depth) in (select (uid, trans_depth) from wanted)"
_LISTS = {
    "addresses": ("field, name, address", "field, position", "part = ''"),
    "links": ("url, target, scheme, host, site", "position", "part = ''"),
    "attachments": (
        "part, filename, extension, content_type, mime_type, size, md5, sha1, sha256",
        "part",
        "true",
    ),
}


def _query(columns: Sequence[str], *, parts: bool) -> str:
    """SQL for the mails of the view `wanted` between the times $first and $last."""
    names = ", ".join(f'e."{name}"' for name in dict.fromkeys((*columns, "uid", "trans_depth")))
    text = f"from (select * from emails where {_WANTED}) e"
    for table, (fields, order, where) in _LISTS.items() if parts else ():
        struct = ", ".join(f"'{field}': {field}" for field in fields.split(", "))
        names += f", {table}.list as {table}"
        text += f"""
            left join (
                select uid, trans_depth, list({{{struct}}} order by {order}) as list
                from {table} where {where} and {_WANTED} group by uid, trans_depth
            ) {table} using (uid, trans_depth)"""
    return f"select {names} {text}"
