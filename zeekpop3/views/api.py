"""What the commands do, for programs: queries as DataFrames, exports, files, retention.

Tables are the folder that `run` or a follower wrote. Every function that looks at mails takes the filters of
its command; filters are in `views.which`, times in `store.times`, "7d" and "12h" (before now) among them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from zeekpop3.errors import LogError, QueryError, UsageError, ZeekPop3Error
from zeekpop3.log.find import each_path
from zeekpop3.store.filters import Filters
from zeekpop3.views.find import mail_filters, span_filters
from zeekpop3.views.which import MailFilters, Span

if TYPE_CHECKING:
    import pandas as pd

    from zeekpop3.detect.keys import Keys
    from zeekpop3.views.eml import ExportSummary
    from zeekpop3.views.export.formats import Batch
    from zeekpop3.views.report.mails import Listing

Logs = Mapping[str, str | Path | Iterable[str | Path]]
"""Zeek's other logs by the name of their stream: {"http": "logs/"}; files, folders of an archive, globs."""


# -- queries -------------------------------------------------------------------------------------------


def sql(
    tables: str | Path, statement: str, *, logs: Logs | None = None, limit: int | None = None
) -> pd.DataFrame:
    """The answer to an SQL statement (DuckDB) over the tables, at most `limit` rows of it.

    Each table is a view of its name, with `day`; so is each of `logs`. The statement can neither read nor
    write anything else. Raises QueryError, and LogError for a log that cannot be read.
    """
    import pyarrow as pa

    from zeekpop3.store.read import to_pandas
    from zeekpop3.views.sql import Database

    with Database(tables, logs) as database:
        if len(statements := database.split(statement)) > 1:
            raise QueryError(f"{len(statements)} SQL statements: give one at a time")
        columns, batches = database.stream(statement, limit)
        found = list(batches)
    if not found:
        import pandas as pd

        return pd.DataFrame(columns=columns)
    return to_pandas(pa.Table.from_batches(found))


def query(
    tables: str | Path,
    name: str,
    *,
    logs: Logs | None = None,
    own: str | Iterable[str] = (),
    rules: str | Path | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """The answer to a ready query, such as "suspicious"; `queries` names all.

    `own`: the own sites (default: a guess); `rules`: a folder of further rules for "suspicious". Raises
    QueryError, LogError.
    """
    from zeekpop3.views.queries import query_sql

    sites = _each(own)
    return sql(tables, query_sql(name, logs or {}, own=sites, rules=rules), logs=logs, limit=limit)


def timeline(
    tables: str | Path,
    *,
    user: str | None = None,
    client: str | None = None,
    mail: str | None = None,
    logs: Logs | None = None,
    own: str | Iterable[str] = (),
    sensor: str | None = None,
) -> pd.DataFrame:
    """What a user, a client's address, or a mail (UID/DEPTH) and its copies did, in order.

    `sensor`: only what it saw. Raises QueryError, LogError.
    """
    from zeekpop3.views.timeline import timeline

    sites = _each(own)
    found, _ = timeline(tables, user=user, client=client, mail=mail, logs=logs, own=sites, sensor=sensor)
    return _frame(found.rows, found.columns)


def queries() -> dict[str, str]:
    """The ready queries: what each answers, by its name; with the logs that it needs."""
    from zeekpop3.views.queries import READY_QUERIES

    return {name: f"{each.description} {each.options}".strip() for name, each in READY_QUERIES.items()}


def mails(
    tables: str | Path,
    *,
    columns: str | Iterable[str] | None = None,
    limit: int | None = None,
    **filters: Unpack[MailFilters],
) -> pd.DataFrame:
    """The mails that `show` lists, newest first; columns of `emails` (default: all but `raw`).

    Raises QueryError.
    """
    from zeekpop3.store.read import columns_of, read_table, to_pandas

    wanted = columns_of("emails", columns)
    found = read_table(
        tables, "emails", wanted, mail_filters(tables, **filters), limit=limit, newest_first=True
    )
    return to_pandas(found)


def verify(
    tables: str | Path,
    *,
    dns: str | Path | Iterable[str | Path] = (),
    keys: str | Path | Iterable[str | Path] | Keys = (),
    pcap: str | Path | Iterable[str | Path] = (),
    zeek: str | None = None,
    **span: Unpack[Span],
) -> pd.DataFrame:
    """A row for each DKIM signature of each mail, newest first: see `detect.verify.Verdict`.

    `dns`: Zeek's dns.log, files, folders or globs; `keys`: files of keys, or `detect.keys.Keys`. With `pcap`
    instead, a row for each mail, oldest first: whether its bytes are in these captures, see
    `detect.compare.Comparison`. Raises QueryError, LogError, KeyFileError and ZeekError.
    """
    if captures := each_path(pcap):
        from zeekpop3.detect.compare import Comparison, compare

        if dns or keys:
            raise UsageError("use either pcap, or dns and keys")
        compared, _ = compare(tables, captures, span_filters(tables, **span), zeek=zeek, on_error=_refuse)
        return _frame(compared, Comparison._fields)
    from zeekpop3.detect.verify import Verdict, verify

    found = verify(tables, _dkim_keys(dns, keys), span_filters(tables, **span))
    return _frame(found, Verdict._fields)


def _frame(rows: Iterable[tuple[Any, ...]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a DataFrame with the types of `read`: unknown is <NA>, times are UTC."""
    import pyarrow as pa

    from zeekpop3.store.read import to_pandas

    found = list(rows)
    values = zip(*found, strict=True) if found else ((),) * len(columns)
    return to_pandas(
        pa.table({name: pa.array(list(each)) for name, each in zip(columns, values, strict=True)})
    )


def _dkim_keys(
    dns: str | Path | Iterable[str | Path], keys: str | Path | Iterable[str | Path] | Keys
) -> Keys:
    from zeekpop3.detect.keys import Keys, keys_of_dns_log, read_keys

    if not isinstance(keys, Keys):
        keys = Keys(key for path in each_path(keys) for key in read_keys(path))
    for path in each_path(dns):
        for key in keys_of_dns_log(path):
            keys.add(key)
    return keys


# -- exports and files ---------------------------------------------------------------------------------


def export(
    tables: str | Path,
    format: str = "ecs",
    *,
    state: str | Path | None = None,
    events: bool = False,
    **span: Unpack[Span],
) -> Iterator[str]:
    """The mails as lines for other systems: `format` is "ecs", "ocsf", "json", "zeek", "zeek-json", "misp" or
    "stix". The lines of the last two are one JSON document.

    `events`: with "ecs", also the sessions and the hits. `state`: a file that remembers what was exported, so
    that each mail is exported once, also beside a follower; a mail counts as exported when a later line is
    asked for. It excludes filters. Raises UsageError, QueryError, OutputError.
    """
    batches = export_batches(tables, format, state=state, events=events, **span)
    return (line for batch in batches for line in batch.lines)


def export_batches(
    tables: str | Path,
    format: str = "ecs",
    *,
    state: str | Path | None = None,
    events: bool = False,
    **span: Unpack[Span],
) -> Iterator[Batch]:
    """As `export`, some lines at a time: when the next are asked for, these are entered into `state`."""
    from zeekpop3.views.export import ExportFormat
    from zeekpop3.views.export.formats import export_lines
    from zeekpop3.views.export.mails import ExportState

    if format not in list(ExportFormat):
        raise UsageError(f"unknown format {format!r}; formats: {', '.join(ExportFormat)}")
    filters = _export_filters(tables, state, span)

    def batches() -> Iterator[Batch]:
        with ExportState(state) as exported:
            yield from export_lines(tables, ExportFormat(format), exported, filters, events=events)

    return batches()


def _export_filters(tables: str | Path, state: str | Path | None, span: Span) -> Filters | None:
    filters = span_filters(tables, **span) if any(value is not None for value in span.values()) else None
    if state is not None and filters is not None:
        raise UsageError("use either a state or filters, not both")
    return filters


def eml(
    tables: str | Path,
    out: str | Path,
    mails: str | Iterable[str] = (),
    *,
    mbox: bool = False,
    attachments: bool = False,
    bundle: bool = False,
    dns: str | Path | Iterable[str | Path] = (),
    keys: str | Path | Iterable[str | Path] | Keys = (),
    overwrite: bool = False,
    **filters: Unpack[MailFilters],
) -> ExportSummary:
    """Write mails as .eml files with a manifest into the folder `out`, or all into the one file `out`: an
    mbox (`mbox`), or a zip with all that is known of them (`bundle`, see `views.bundle`).

    `mails`: their UID/DEPTH; else those that match the filters. `attachments`: also these, named by their
    SHA-256 (only files). Of a bundle: `dns` and `keys` as in `verify`. `overwrite` replaces an existing mbox
    or bundle.
    Returns the counts. Raises QueryError, OutputError, UsageError, LogError and KeyFileError.
    """
    from zeekpop3.views.bundle import write_bundle
    from zeekpop3.views.eml import export as write_files
    from zeekpop3.views.eml import write_mbox

    if mbox + bundle + attachments > 1:
        raise UsageError("use one of mbox, bundle and attachments")
    chosen = _each(mails)
    wanted = mail_filters(tables, **filters)
    if bundle:
        known = _dkim_keys(dns, keys)
        return write_bundle(tables, out, wanted, keys=chosen, dkim_keys=known, overwrite=overwrite)
    if mbox:
        return write_mbox(tables, out, wanted, keys=chosen, overwrite=overwrite)
    return write_files(tables, out, wanted, keys=chosen, attachments=attachments)


def report(
    tables: str | Path,
    out: str | Path = "report.html",
    *,
    limit: int = 10_000,
    body: bool = True,
    max_bytes: int = 25 << 20,
    logs: Logs | None = None,
    own: str | Iterable[str] = (),
    title: str | None = None,
    **span: Unpack[Span],
) -> Listing:
    """Write one page for the browser. At most `limit` mails are listed, newest first; `body=False` leaves out
    their texts; `max_bytes` bounds the part of the page that they take.

    `logs`: Zeek's http.log, ssl.log or dns.log, to see who opened a link; `own`: the own sites (default: a
    guess). Raises QueryError, LogError, OutputError.
    """
    from zeekpop3.views.report.page import write_report

    return write_report(
        tables,
        out,
        filters=span_filters(tables, **span),
        limit=limit,
        body=body,
        max_bytes=max_bytes,
        now=dt.datetime.now(dt.UTC),
        logs=logs,
        own=_each(own),
        title=title,
    )


def prune(
    tables: str | Path, keep: str | int, *, until: dt.date | str | None = None, dry_run: bool = False
) -> list[Path]:
    """Remove the days that are older than `keep` ("90d", "12w", "2y", or days) before `until`; returns their
    folders.

    `until`: a day ("2026-12-01"); default the newest one, if no clock can have been wrong (`last_day`).
    Raises QueryError, OutputError.
    """
    from zeekpop3.store.maintenance import keep_days
    from zeekpop3.store.maintenance import prune as remove

    days = keep_days(keep) if isinstance(keep, str) else keep
    if isinstance(until, str):
        try:
            until = dt.date.fromisoformat(until)
        except ValueError:
            raise QueryError(f"invalid day {until!r}: expected YYYY-MM-DD") from None
    counted_from = until or last_day(tables) or dt.date.min
    return remove(tables, days, dt.datetime.combine(counted_from, dt.time(), dt.UTC), dry_run=dry_run)


def last_day(tables: str | Path) -> dt.date | None:
    """The newest day of the tables. Raises QueryError if it is in the future, or far from all others."""
    from zeekpop3.store.maintenance import last_day

    return last_day(tables, dt.datetime.now(dt.UTC).date())


def share(
    tables: str | Path,
    out: str | Path,
    *,
    own: str | Iterable[str] = (),
    raw: bool = False,
    overwrite: bool = False,
    **filters: Unpack[MailFilters],
) -> int:
    """Write mails for others into the folder `out`, with own people, hosts and sites replaced; returns their
    number.

    `own`: the own sites (default: a guess); `raw`: keep messages and contents as they are. Raises QueryError,
    OutputError.
    """
    from zeekpop3.views.share import share

    sites = _each(own)
    return share(tables, out, mail_filters(tables, **filters), own=sites, raw=raw, overwrite=overwrite)


def transcript(
    logs: str | Path | Iterable[str | Path],
    *,
    uid: str | None = None,
    data: bool = True,
    on_error: Callable[[LogError], None] | None = None,
) -> Iterator[str]:
    """The dialogue of each connection in event logs, as lines of text.

    Nothing in them is escaped: use `repr`, or a file. `uid`: only this connection. `data=False` leaves out
    messages and other multi-line responses. What cannot be read goes to `on_error`; without it, it raises
    LogError.
    """
    from zeekpop3.views.transcript import transcript as lines_of

    return lines_of(logs, uid=uid, data=data, on_error=on_error or _refuse)


def _each(given: str | Iterable[str]) -> list[str]:
    """Several texts; one alone need not be in a list."""
    return [given] if isinstance(given, str) else list(given)


def _refuse(error: ZeekPop3Error) -> None:
    raise error
