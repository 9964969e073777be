"""Finished transfers, commands and sessions → rows of the four tables, kept until somebody takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zeekpop3.message import parse
from zeekpop3.pipeline.summary import Summary
from zeekpop3.session import Command, Transfer
from zeekpop3.session.dialogue import Event
from zeekpop3.tables import AttachmentColumns, CommandColumns, EmailColumns, Privacy, SessionColumns

if TYPE_CHECKING:
    import pyarrow as pa


class Records:
    """Collects rows. `attachment_content` keeps the attachments' decoded bytes in the attachments table."""

    def __init__(self, privacy: Privacy | None = None, *, attachment_content: bool = False) -> None:
        self.counts = Summary()
        self._content = attachment_content
        self._emails = EmailColumns(privacy)
        self._attachments = AttachmentColumns(privacy)
        self._sessions = SessionColumns(privacy)
        self._commands = CommandColumns(privacy)
        self._all = (self._emails, self._attachments, self._sessions, self._commands)

    @property
    def nbytes(self) -> int:
        """About how many bytes the collected rows hold."""
        return sum(columns.nbytes for columns in self._all)

    def add(self, events: Iterable[Event]) -> None:
        """Parse the mails among the events, and collect the rows of all."""
        counts = self.counts
        for event in events:
            if isinstance(event, Command):
                self._commands.add(event)
                counts.commands += 1
            elif isinstance(event, Transfer):
                mail = parse(event.raw, complete=event.complete, content=self._content)
                self._emails.add(event, mail)
                for attachment in mail.attachments:
                    self._attachments.add(event, attachment)
                counts.mails += 1
                counts.incomplete += not event.complete
                counts.mail_bytes += len(event.raw)
                counts.attachments += len(mail.attachments)
            else:
                self._sessions.add(event)
                counts.sessions += 1

    def take(self) -> list[tuple[str, pa.Table]]:
        """The collected rows as (table name, Arrow table), tables without rows left out; then forget them."""
        tables = [(columns.name, columns.table()) for columns in self._all if len(columns)]
        for columns in self._all:
            columns.reset()
        return tables

    def take_counts(self) -> Summary:
        """What was counted since the last time."""
        counts, self.counts = self.counts, Summary()
        return counts
