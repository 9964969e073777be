"""Finished transfers, commands and sessions → rows of the tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zeekpop3.message import Mail, parse
from zeekpop3.message.dkim import is_whole
from zeekpop3.pipeline.settings import Counters, Settings
from zeekpop3.session import Command, Transfer
from zeekpop3.session.events import Event
from zeekpop3.tables import TABLES, ItemsRecord, MailRecord, SessionRecord, TableBuilder

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
