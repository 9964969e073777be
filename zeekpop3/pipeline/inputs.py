"""What was read: a row of the table `inputs` for each file of a run.

The row stands in the day of the file's first row, as the mails do, and says nothing that could be secret: of
paths only names, of the command only the options that decide what is kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zeekpop3 import __version__
from zeekpop3.log.find import log_name
from zeekpop3.log.header import Head
from zeekpop3.pipeline.settings import Settings
from zeekpop3.session.machine import MAX_MESSAGE
from zeekpop3.tables import TABLES, InputRecord, TableBuilder

if TYPE_CHECKING:
    import pyarrow as pa


class Origin(NamedTuple):
    """Where a log came from, if not from a file of its own: a capture, or `-` for standard input. `sha256`:
    of the capture; None: that of the log."""

    name: str
    sha256: str | None = None


class Inputs:
    """Collects what a run reads. `command` is its name; `origins` are by the path of the log."""

    def __init__(
        self, command: str, settings: Settings, origins: Mapping[Path, Origin] | None = None
    ) -> None:
        self.rows: Counter[Path] = Counter()
        self._command = described(command, settings)
        self._settings = settings
        self._origins = origins or {}
        self._read_at = now()
        self._found: dict[Path, InputRecord] = {}

    def name_of(self, path: Path) -> str:
        """The name of a log in the tables."""
        return self._origins[path].name if path in self._origins else log_name(path)

    def add(self, path: Path, ts: int | None, sha256: str | None, first_row: str | None = None) -> None:
        """A file was read to its end; `ts` (microseconds) is None if nothing was in it."""
        if ts is None:
            return
        if path in self._origins:
            sha256 = self._origins[path].sha256 or sha256
        name = self.name_of(path)
        self._found[path] = InputRecord(
            ts, name, sha256, first_row, None, __version__, self._command, self._read_at
        )

    def add_log(self, path: Path, head: Head, sha256: str | None) -> None:
        """An event log was read to its end."""
        self.add(path, first_ts(head), sha256, head.first_row())

    def table(self) -> pa.Table | None:
        """The rows of `inputs`, with the numbers of `rows`; None without rows."""
        for path, record in self._found.items():
            record.rows = self.rows[path]
        return table_of(self._found.values(), self._settings)


def table_of(found: Iterable[InputRecord], settings: Settings) -> pa.Table | None:
    """Records as a table; None without records."""
    builder = TableBuilder(TABLES["inputs"], settings.privacy)
    for record in found:
        builder.add(record)
    return builder.table() if len(builder) else None


def first_ts(head: Head) -> int | None:
    """The time of a log's first row, in microseconds."""
    first = head.first_time()
    return None if first is None else round(first * 1_000_000)


def described(command: str, settings: Settings) -> str:
    """A command and its settings as words of the command line. A key is only said to be there."""
    words = [command]
    if not settings.privacy.keep_body:
        words.append("--no-body")
    elif not settings.privacy.keep_raw:
        words.append("--no-raw")
    if settings.privacy.hash_key is not None:
        words.append("--hash-users")
    if settings.attachment_content:
        words.append("--attachment-content")
    if settings.max_message != MAX_MESSAGE:
        words += ["--max-message", f"{settings.max_message / (1 << 20):g}"]
    if settings.sensor is not None:
        words += ["--sensor", settings.sensor]
    return " ".join(words)


def now() -> int:
    """The present time in microseconds since the epoch."""
    return time.time_ns() // 1000
