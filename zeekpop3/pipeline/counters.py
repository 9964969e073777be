"""Counts of what was read and written, for `run`, `follow` and Spark."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self


@dataclass(slots=True)
class Counters:
    """Counts that only grow; `+=` adds the counts of another run or worker.

    `log_bytes` are bytes of uncompressed log, `mail_bytes` bytes of messages. `previews` are answers to TOP;
    `mails` does not count them, `incomplete` does. `late_rows` are rows that `follow` skipped because they
    were written already or came after their connection was closed. `problems` counts the rows and files that
    could not be read.
    """

    logs: int = 0
    log_bytes: int = 0
    rows: int = 0
    late_rows: int = 0
    sessions: int = 0
    commands: int = 0
    mails: int = 0
    previews: int = 0
    incomplete: int = 0
    mail_bytes: int = 0
    attachments: int = 0
    parts: int = 0
    problems: int = 0

    def __iadd__(self, other: Counters) -> Self:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self
