"""The formats of an export: which columns each needs, and how a mail becomes a line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from zeekpop3.store.filters import Filters
from zeekpop3.tables.schema import TABLES
from zeekpop3.views.export import ExportFormat, ecs, ocsf, zeek
from zeekpop3.views.export.mails import MailReader, Row
from zeekpop3.views.export.state import ExportState
from zeekpop3.views.format import json_line


class _Writer(NamedTuple):
    columns: tuple[str, ...]
    line: Callable[[Row], str]
    parts: bool = True


_WRITERS = {
    ExportFormat.ecs: _Writer(ecs.COLUMNS, lambda mail: json_line(ecs.document(mail))),
    ExportFormat.ocsf: _Writer(ocsf.COLUMNS, lambda mail: json_line(ocsf.document(mail))),
    ExportFormat.json: _Writer(
        tuple(column.name for column in TABLES["emails"].columns if column.name != "raw"),
        json_line,
        parts=False,
    ),
    ExportFormat.zeek: _Writer(zeek.COLUMNS, zeek.tsv_line),
    ExportFormat.zeek_json: _Writer(zeek.COLUMNS, zeek.json_log_line),
}


def export_lines(
    path: str | Path, wanted: ExportFormat, state: ExportState, filters: Filters | None = None
) -> Iterator[list[str]]:
    """The lines of the mails that `state` does not hold, some at a time; the next call adds them to it.

    Raises QueryError, OutputError.
    """
    writer = _WRITERS[wanted]
    is_log = wanted is ExportFormat.zeek
    begun = False
    with MailReader(path, writer.columns, parts=writer.parts) as reader:
        for mails in reader.new_mails(state, filters):
            lines = [writer.line(mail) for mail in mails]
            yield [*zeek.header(_now()), *lines] if is_log and not begun else lines
            begun = True
    if is_log and begun:
        yield [zeek.footer(_now())]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
