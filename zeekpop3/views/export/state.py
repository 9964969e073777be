"""Which mails were exported: a small SQLite database, changed by transactions and used by one process."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from zeekpop3.errors import OutputError, reason

_WAIT_S = 600
_TABLES = (
    "create table if not exists mails (uid text, trans_depth integer, primary key (uid, trans_depth)) "
    "without rowid",
    "create table if not exists parts (name text primary key) without rowid",
)

Key = tuple[str, int]


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
