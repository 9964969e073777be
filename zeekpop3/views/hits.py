"""Hits as text for people: each mail once, and below it what was found in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from zeekpop3.store.filters import Filters
from zeekpop3.store.read import read_table, steadily
from zeekpop3.views.format import plural, stamp
from zeekpop3.views.text import shorten, visible

_SUBJECT = 50
_COLUMNS = ("type", "field", "source")
_MAIL = ("user", "id_orig_h", "from_address", "subject")
_MAX_SUMMARY = 20
#: What a hit alone does not tell: the mail's id (UID/DEPTH), whose it is, who fetched it, who sent it.
ABOUT_MAIL = ("mail", *_MAIL)


def hits_with_mails(path: str | Path, hits: pa.Table) -> list[dict[str, Any]]:
    """The hits, each with `ABOUT_MAIL`; of a connection with its user and client. Raises QueryError."""
    rows: list[dict[str, Any]] = hits.to_pylist()
    mails = steadily(path, lambda: _mails(path, rows))
    nothing = dict.fromkeys(_MAIL)
    return [
        {**row, "mail": _name(row), **mails.get((row["uid"], row["trans_depth"]), nothing)} for row in rows
    ]


def summary_lines(hits: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each indicator with hits, those in most mails first: type, mails, users, first and last."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for hit in hits:
        groups.setdefault((hit["type"], hit["indicator"]), []).append(hit)
    told = []
    for (kind, indicator), found in groups.items():
        mails, users = {hit["mail"] for hit in found}, {hit["user"] for hit in found} - {None}
        times = [hit["ts"] for hit in found if hit["ts"] is not None]
        span = " to ".join(dict.fromkeys((stamp(min(times)), stamp(max(times))))) if times else ""
        count = f"{plural(len(mails), 'mail')}, {plural(len(users), 'user')}"
        told.append((-len(mails), (kind, shorten(indicator, _SUBJECT), count, span)))
    told.sort()
    shown = [row for _, row in told[:_MAX_SUMMARY]]
    widths = [max(map(len, texts)) for texts in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    if len(told) > len(shown):
        yield f"and {plural(len(told) - len(shown), 'more indicator')} with hits"


def hit_lines(hits: list[dict[str, Any]]) -> Iterator[str]:
    """A summary by indicator; then a line for each mail (time, key, user, subject), and one for each of its
    hits.

    `hits`: with `ABOUT_MAIL`. The value of the mail is in parentheses if it differs from the indicator.
    """
    if hits:
        yield from summary_lines(hits)
        yield ""
    widths = [max((len(visible(row[name] or "")) for row in hits), default=0) for name in _COLUMNS]
    for key, found in groupby(hits, key=lambda row: (row["ts"], row["mail"], row["user"], row["subject"])):
        ts, mail, user, subject = key
        yield "  ".join([stamp(ts), mail, user or "-", shorten(subject, _SUBJECT)]).rstrip()
        for row in found:
            cells = (
                visible(row[name] or "").ljust(width) for name, width in zip(_COLUMNS, widths, strict=True)
            )
            value = "" if row["value"] in (None, row["indicator"]) else f" ({row['value']})"
            yield f"  {'  '.join(cells)}  {row['indicator']}{value}"


def _name(hit: dict[str, Any]) -> str:
    return str(hit["uid"]) if hit["trans_depth"] is None else f"{hit['uid']}/{hit['trans_depth']}"


def _mails(path: str | Path, rows: list[dict[str, Any]]) -> dict[tuple[str, int | None], dict[str, Any]]:
    """`_MAIL` of the mails, and of the connections, that have hits."""
    keys = frozenset((row["uid"], row["trans_depth"]) for row in rows if row["trans_depth"] is not None)
    found: dict[tuple[str, int | None], dict[str, Any]] = {}
    if keys:
        columns = ("uid", "trans_depth", *_MAIL)
        for row in read_table(path, "emails", columns, Filters(keys=keys)).to_pylist():
            found[row["uid"], row["trans_depth"]] = {name: row[name] for name in _MAIL}
    uids = {row["uid"] for row in rows if row["trans_depth"] is None}
    if uids:
        for row in read_table(path, "sessions", ("uid", "user", "id_orig_h")).to_pylist():
            if row["uid"] in uids:
                found[row["uid"], None] = {name: row.get(name) for name in _MAIL}
    return found
