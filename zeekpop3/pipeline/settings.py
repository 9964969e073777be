"""What of the mail is kept, and what was read and written: settings and counts for the command line, `run`,
`follow` and Spark.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

from zeekpop3.errors import LogError, UsageError
from zeekpop3.session.machine import MAX_MESSAGE
from zeekpop3.tables.privacy import Privacy

if TYPE_CHECKING:
    from zeekpop3.log.chunks import OnError

HASH_KEY_VARIABLE = "ZEEKPOP3_HASH_KEY"


@dataclass(frozen=True, slots=True)
class Settings:
    """Immutable and picklable.

    `privacy`: what is left out or pseudonymised. `attachment_content`: keep the decoded bytes of attachments.
    `max_message`: bytes of one message that are kept; the rest is counted. `sensor`: name of the sensor,
    written to every row that has a column for it.
    """

    privacy: Privacy = field(default_factory=Privacy)
    attachment_content: bool = False
    max_message: int = MAX_MESSAGE
    sensor: str | None = None

    def __post_init__(self) -> None:
        if self.max_message < 1:
            raise UsageError(f"max_message: {self.max_message} bytes; at least 1")

    @classmethod
    def of_options(
        cls,
        *,
        no_raw: bool = False,
        no_body: bool = False,
        hash_users: str | None = None,
        attachment_content: bool = False,
        max_message_mib: int = MAX_MESSAGE >> 20,
        sensor: str | None = None,
    ) -> Self:
        """The settings that command line options stand for. Raises UsageError.

        `hash_users` is the key for pseudonyms; without it, the environment variable ZEEKPOP3_HASH_KEY is
        used. A key that is set but empty is refused, because users would be written in clear.
        """
        key = os.environ.get(HASH_KEY_VARIABLE) if hash_users is None else hash_users
        if key is not None and not key.strip():
            where = HASH_KEY_VARIABLE if hash_users is None else "--hash-users"
            raise UsageError(f"{where}: the key is empty; set a key, or unset {where} to keep users in clear")
        if max_message_mib < 1:
            raise UsageError("--max-message: at least 1 MiB")
        privacy = Privacy(
            keep_raw=not no_raw, keep_body=not no_body, hash_key=key.encode() if key is not None else None
        )
        return cls(privacy, attachment_content, max_message_mib << 20, sensor)


# -- counts ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Counters:
    """Counts that only grow; `+=` adds the counts of another run or worker.

    `log_bytes` are bytes of uncompressed log, `mail_bytes` bytes of messages. `previews` are answers to TOP;
    `mails` does not count them, `incomplete` does. `late_rows` are rows that `follow` skipped because they
    were written already or came after their connection was closed. `problems` counts the rows and files that
    could not be read, `hits` those of `follow --indicators`.
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
    hits: int = 0

    def counting(self, on_error: OnError | None) -> OnError:
        """A function that counts a problem and passes it on to `on_error`, by default as a warning of the
        logger "zeekpop3".
        """
        report = on_error or logging.getLogger("zeekpop3").warning

        def tell(error: LogError) -> None:
            self.problems += 1
            report(error)

        return tell

    def __iadd__(self, other: Counters) -> Self:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self
