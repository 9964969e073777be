"""A search of all mails in tables: lists of indicators, YARA rules, and what could not be searched."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from zeekpop3.detect.indicators import OnError, read_indicators
from zeekpop3.detect.matching import find_hits
from zeekpop3.detect.undecided import Hits, judged
from zeekpop3.detect.yara import Scanner
from zeekpop3.store.duck import connect, steadily
from zeekpop3.store.filters import Filters
from zeekpop3.tables.schema import schema


def search(
    path: str | Path,
    indicators: Iterable[str | Path] = (),
    *,
    values: Iterable[str] = (),
    rules: Iterable[str | Path] = (),
    filters: Filters | None = None,
    on_error: OnError | None = None,
) -> Hits:
    """See `zeekpop3.hunt`; `filters` say which mails are searched."""

    listed = read_indicators(indicators, on_error, values)
    scanner = Scanner(rules) if (rules := list(rules)) else None

    def attempt() -> Hits:
        found = []
        with connect(path, filters=filters) as connection:
            if listed:
                found.append(find_hits(connection, listed))
            if scanner is not None:
                found.append(pa.Table.from_pylist(list(scanner.hits(path, filters)), schema("hits")))
            columns = schema("hits").names
            hits = pa.concat_tables([table.select(columns).cast(schema("hits")) for table in found])
            hits = hits.sort_by([("ts", "descending"), ("uid", "ascending"), ("trans_depth", "ascending")])
            types = {one.type for one in listed} | ({"YARA"} if scanner else set())
            return judged(connection, hits, scanner.unscanned if scanner else {}, types)

    return steadily(path, attempt)
