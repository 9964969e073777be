"""Indicators for `follow`: the rows of one commit are searched before they are written.

The lists are read again when they change. If a changed list cannot be read, the last good one stays in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from zeekpop3.detect.indicators import OnError, read_indicators
from zeekpop3.detect.matching import IndicatorIndex, find_hits
from zeekpop3.errors import IndicatorError
from zeekpop3.store.duck import closed
from zeekpop3.tables.schema import TABLES, schema


class LiveMatcher:
    """Lists of indicators, kept up to date. Calling it with the tables of a commit gives their hits.

    Raises IndicatorError if a list cannot be read at the start; later problems are reported to `on_error`.
    `on_change` gets the number of indicators after each change: mail that is in the tables already is not
    searched for new ones.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        on_error: OnError,
        on_change: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._paths = [Path(path) for path in paths]
        self._on_error = on_error
        self._on_change = on_change
        self._stamp = self._look()
        self._index = IndicatorIndex(read_indicators(self._paths, on_error))

    def __call__(self, tables: Mapping[str, pa.Table]) -> pa.Table:
        """The hits in `tables` (Arrow tables by name; missing ones are empty), as the table `hits`."""
        self._reload()
        with closed({name: tables.get(name, schema(name).empty_table()) for name in TABLES}) as connection:
            return find_hits(connection, self._index)

    def _reload(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        try:
            indicators = read_indicators(self._paths, self._on_error)
        except IndicatorError as error:
            self._on_error(error)
        else:
            self._index = IndicatorIndex(indicators)
            self._on_change(len(indicators))
        self._stamp = stamp

    def _look(self) -> list[tuple[Path, int, int, int]]:
        """What changes when a list does."""
        found = []
        for path in self._paths:
            with suppress(OSError):
                status = path.stat()
                found.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
        return found
