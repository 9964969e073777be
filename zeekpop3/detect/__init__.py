"""Indicators, YARA rules and DKIM signatures, matched against tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeekpop3.detect.lists import OnError
    from zeekpop3.detect.search import Hits
    from zeekpop3.store.times import Time


def hunt(
    tables: str | Path,
    indicators: str | Path | Iterable[str | Path] = (),
    *,
    values: str | Iterable[str] = (),
    rules: str | Path | Iterable[str | Path] = (),
    user: str | None = None,
    since: Time | None = None,
    until: Time | None = None,
    sensor: str | None = None,
    on_error: OnError | None = None,
) -> Hits:
    """Search the mails in the tables of a folder for indicators, and by YARA rules.

        hits = zeekpop3.hunt("tables", "indicators.intel")
        hits = zeekpop3.hunt("tables", values=["evil.example", "203.0.113.0/24"])
        hits.table.to_pandas()       # one row for each hit
        hits.undecided.to_pandas()   # mails without a hit that cannot be ruled out

    `indicators` are files: Zeek intel files, CSV files with a header, STIX bundles, or one indicator per
    line. `values` are indicators themselves, as in the lines of a list. `rules` are files of YARA rules.
    `user`, `since`, `until` and `sensor` say which mails are searched (default: all). A line that cannot be
    used is reported to `on_error`; without `on_error` it raises. Raises IndicatorError for a file that cannot
    be used, UsageError without indicators and rules, QueryError if the tables cannot be read.
    """
    from zeekpop3.detect.search import search
    from zeekpop3.log.find import each_path
    from zeekpop3.store.filters import Filters

    filters = Filters(user=user, since=since, until=until, sensor=sensor)
    return search(
        tables,
        each_path(indicators),
        values=[values] if isinstance(values, str) else values,
        rules=each_path(rules),
        filters=filters,
        on_error=on_error,
    )
