"""A search of all mails in tables: lists of indicators, YARA rules, and what could not be searched."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow as pa

from zeekpop3.detect.indicators import OnError, read_indicators
from zeekpop3.detect.matching import IndicatorIndex, find_hits
from zeekpop3.detect.undecided import Hits, judged
from zeekpop3.detect.yara import Scanner
from zeekpop3.errors import UsageError
from zeekpop3.store.duck import connect
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import steadily
from zeekpop3.tables.schema import schema

_ORDER = [("ts", "descending"), ("uid", "ascending"), ("trans_depth", "ascending")]


def search(
    path: str | Path,
    indicators: Iterable[str | Path] = (),
    *,
    values: Iterable[str] = (),
    rules: Iterable[str | Path] = (),
    filters: Filters | None = None,
    on_error: OnError | None = None,
) -> Hits:
    """See `zeekpop3.hunt`; `filters` say which mails are searched.

    Raises UsageError if there is nothing to search for.
    """
    index = IndicatorIndex(read_indicators(indicators, on_error, values))
    scanner = Scanner(rules) if (rules := list(rules)) else None
    types = index.types | ({"YARA"} if scanner else set())
    if not types:
        raise UsageError("nothing to search for: give indicators, values or rules")

    def attempt() -> Hits:
        hits = schema("hits").empty_table()
        with connect(path, filters=filters) as connection:
            if index.types:
                hits = find_hits(connection, index)
            if scanner is not None:
                by_rules = pa.Table.from_pylist(list(scanner.hits(path, filters)), schema("hits"))
                hits = pa.concat_tables([hits, by_rules]).sort_by(_ORDER)
            return judged(connection, hits, scanner.unscanned if scanner else {}, types)

    return steadily(path, attempt, duckdb.Error)
