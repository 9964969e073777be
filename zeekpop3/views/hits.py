"""Hits as text for people: each mail once, and below it what was found in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from zeekpop3.store.duck import steadily
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import read_table
from zeekpop3.views.format import stamp
from zeekpop3.views.text import shorten, visible

_SUBJECT = 50
_COLUMNS = ("type", "field", "source")


def hit_lines(path: str | Path, hits: pa.Table) -> Iterator[str]:
    """A line for each mail: time, key, user, subject; and an indented one for each of its hits.

    The value of the mail is in parentheses if it differs from the indicator. Raises QueryError.
    """
    rows = hits.to_pylist()
    mails = steadily(path, lambda: _mails(path, rows))
    widths = [max((len(visible(row[name] or "")) for row in rows), default=0) for name in _COLUMNS]
    for key, found in groupby(rows, key=lambda row: (row["ts"], row["uid"], row["trans_depth"])):
        ts, uid, depth = key
        user, subject = mails.get((uid, depth), (None, None))
        name = uid if depth is None else f"{uid}/{depth}"
        yield "  ".join([stamp(ts), name, user or "-", shorten(subject, _SUBJECT)]).rstrip()
        for row in found:
            cells = (
                visible(row[name] or "").ljust(width) for name, width in zip(_COLUMNS, widths, strict=True)
            )
            value = "" if row["value"] in (None, row["indicator"]) else f" ({row['value']})"
            yield f"  {'  '.join(cells)}  {row['indicator']}{value}"


def _mails(path: str | Path, rows: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[str, str]]:
    """User and subject of the mails that have hits."""
    keys = frozenset((row["uid"], row["trans_depth"]) for row in rows)
    columns = ("uid", "trans_depth", "user", "subject")
    found = read_table(path, "emails", columns, Filters(keys=keys)).to_pylist() if keys else []
    return {(row["uid"], row["trans_depth"]): (row["user"], row["subject"]) for row in found}
