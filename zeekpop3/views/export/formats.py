"""The formats of an export: which columns each needs, and how a mail becomes a line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from zeekpop3.errors import UsageError
from zeekpop3.store.filters import Filters
from zeekpop3.tables.schema import TABLES
from zeekpop3.views.export import ExportFormat, ecs, misp, ocsf, stix, zeek
from zeekpop3.views.export.events import new_events
from zeekpop3.views.export.mails import ExportState, MailReader, Row
from zeekpop3.views.text import json_line


class Batch(NamedTuple):
    """Lines of an export, how many mails they have, and how many sessions and hits."""

    mails: int
    lines: list[str]
    events: int = 0


class _Frame(Protocol):
    """Lines that only make sense together: a log with a header, a document with many objects."""

    def begin(self, now: dt.datetime, /) -> str: ...
    def line(self, mail: Row, /) -> str: ...
    def end(self) -> str: ...


class _ZeekLog:
    line = staticmethod(zeek.tsv_line)

    def begin(self, now: dt.datetime, /) -> str:
        return "\n".join(zeek.header(now))

    def end(self) -> str:
        return zeek.footer(_now())


class _Writer(NamedTuple):
    columns: tuple[str, ...]
    line: Callable[[Row], str] | None = None
    parts: bool = True
    frame: Callable[[], _Frame] | None = None
    between: str = ""


_WRITERS = {
    ExportFormat.ecs: _Writer(ecs.COLUMNS, lambda mail: json_line(ecs.document(mail))),
    ExportFormat.ocsf: _Writer(ocsf.COLUMNS, lambda mail: json_line(ocsf.document(mail))),
    ExportFormat.json: _Writer(
        tuple(column.name for column in TABLES["emails"].columns if column.name != "raw"),
        json_line,
        parts=False,
    ),
    ExportFormat.zeek: _Writer(zeek.COLUMNS, frame=_ZeekLog),
    ExportFormat.zeek_json: _Writer(zeek.COLUMNS, zeek.json_log_line),
    ExportFormat.misp: _Writer(misp.COLUMNS, frame=misp.Event, between=","),
    ExportFormat.stix: _Writer(stix.COLUMNS, frame=stix.Bundle, between=","),
}


def export_lines(
    path: str | Path,
    wanted: ExportFormat,
    state: ExportState,
    filters: Filters | None = None,
    *,
    events: bool = False,
) -> Iterator[Batch]:
    """The lines of the mails that `state` does not hold, some at a time; the next call adds them to it.

    Without such mails there are no lines, not even a header. `events`: then those of sessions and hits, as
    ECS. Raises QueryError, OutputError, UsageError.
    """
    if events and wanted is not ExportFormat.ecs:
        raise UsageError("sessions and hits are exported as ecs only")
    writer = _WRITERS[wanted]
    frame = writer.frame() if writer.frame is not None else None
    to_line = writer.line if frame is None else frame.line
    assert to_line is not None
    begun = False
    with MailReader(path, writer.columns, parts=writer.parts) as reader:
        for mails in reader.new_mails(state, filters):
            lines = [line for mail in mails if (line := to_line(mail))]
            if writer.between:
                lines = [writer.between * (begun or number > 0) + line for number, line in enumerate(lines)]
            if frame is not None and not begun:
                lines = [*frame.begin(_now()).split("\n"), *lines]
            begun = True
            yield Batch(len(mails), lines)
    if frame is not None and begun:
        yield Batch(0, [frame.end()])
    if events:
        for documents in new_events(path, state, filters):
            yield Batch(0, [json_line(document) for document in documents], len(documents))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
