"""Finished transfers, commands and sessions → rows of the tables; what was read → rows of `inputs`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zeekpop3._version import __version__
from zeekpop3.inside import parse
from zeekpop3.log.find import log_name
from zeekpop3.log.header import Head
from zeekpop3.message import Mail
from zeekpop3.message.dkim import is_whole
from zeekpop3.pipeline.settings import Counters, Settings
from zeekpop3.session import Command, Transfer
from zeekpop3.session.events import Event
from zeekpop3.session.machine import MAX_MESSAGE
from zeekpop3.tables import TABLES, InputRecord, ItemsRecord, MailRecord, SessionRecord, TableBuilder

if TYPE_CHECKING:
    import pyarrow as pa


class Records:
    """Parses the mails and collects the rows of all tables, until they are taken."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.counts = Counters()
        tables = {name: table for name, table in TABLES.items() if name not in ("hits", "inputs")}
        self._tables = {name: TableBuilder(table, self.settings.privacy) for name, table in tables.items()}

    @property
    def nbytes(self) -> int:
        """Approximate size of the collected rows in memory."""
        return sum(table.nbytes for table in self._tables.values())

    def add(self, events: Iterable[Event]) -> None:
        """Collect the rows of what a connection finished."""
        for event in events:
            if isinstance(event, Command):
                self._tables["commands"].add(event)
                self.counts.commands += 1
            elif isinstance(event, Transfer):
                self._add_mail(event)
            else:
                session = SessionRecord(event, self.settings.sensor)
                self._tables["sessions"].add(session)
                if event.listing is not None:
                    self._tables["listings"].add(session)
                self.counts.sessions += 1

    def _add_mail(self, transfer: Transfer) -> None:
        mail = parse(
            transfer.raw,
            complete=transfer.complete,
            exact=transfer.fidelity == "exact",
            preview=not is_whole(
                complete=transfer.complete,
                command=transfer.command,
                size=len(transfer.raw),
                octets=transfer.octets_declared,
                defects=transfer.defects,
            ),
            content=self.settings.attachment_content,
        )
        self._tables["emails"].add(MailRecord(transfer, mail, self.settings.sensor))
        self._tables["attachments"].add(ItemsRecord(transfer, mail.attachments))
        self._tables["members"].add(ItemsRecord(transfer, mail.members))
        self._add_items(transfer, mail)
        if self.settings.privacy.keep_body:
            for message in mail.enclosed:
                self._tables["enclosed"].add(MailRecord(transfer, message))
                self._add_items(transfer, message)
        if transfer.command == "TOP":
            self.counts.previews += 1
        else:
            self.counts.mails += 1
        self.counts.incomplete += not transfer.complete
        self.counts.mail_bytes += len(transfer.raw)
        self.counts.attachments += len(mail.attachments)

    def _add_items(self, transfer: Transfer, mail: Mail) -> None:
        """The addresses and links of a mail, or of a message inside it."""
        self._tables["addresses"].add(ItemsRecord(transfer, mail.addresses, mail.part))
        if self.settings.privacy.keeps_links:
            self._tables["links"].add(ItemsRecord(transfer, mail.links, mail.part))

    def take(self) -> list[tuple[str, pa.Table]]:
        """Remove and return the collected rows as (table name, Arrow table), without empty tables."""
        found = []
        for name, table in self._tables.items():
            if len(table):
                found.append((name, table.table()))
            table.reset()
        return found

    def take_counts(self) -> Counters:
        """Remove and return the counts."""
        counts, self.counts = self.counts, Counters()
        return counts


# -- what was read -----------------------------------------------------------------------------------


# A row of `inputs` stands in the day of the file's first row, as the mails do, and says nothing that could be
# secret: of paths only names, of the command only the options that decide what is kept.


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
