"""What a run did, in numbers: counted where it happens, added up, shown at the end."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Summary:
    """Counts of a run. `log_bytes` are bytes of log text (decompressed), `mail_bytes` those of messages.

    `problems` are the lines that were told of input that could not be read.
    """

    logs: int = 0
    log_bytes: int = 0
    rows: int = 0
    sessions: int = 0
    mails: int = 0
    incomplete: int = 0
    mail_bytes: int = 0
    attachments: int = 0
    commands: int = 0
    parts: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Summary) -> None:
        """Add another run's, or a worker's, counts to these."""
        for name in (f.name for f in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __str__(self) -> str:
        incomplete = f" ({self.incomplete} incomplete)" if self.incomplete else ""
        return (
            f"{self.mails} mails{incomplete}, {self.attachments} attachments, {self.sessions} sessions, "
            f"{self.commands} commands from {self.rows} rows in {self.logs} logs"
        )
