"""What the rows of the tables are made of: the columns' `source` paths start at these objects."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zeekpop3.session.events import ConnId

if TYPE_CHECKING:
    from zeekpop3.message import Mail
    from zeekpop3.session.events import Session, Transfer

_UNKNOWN = ConnId._make((None, None, None, None))


@dataclass(slots=True)
class MailRecord:
    """A transfer and the mail that was parsed from its bytes; a row of `emails`."""

    transfer: Transfer
    mail: Mail

    @property
    def conn_id(self) -> ConnId:
        return self.transfer.conn_id or _UNKNOWN

    @property
    def size(self) -> int:
        return len(self.transfer.raw)

    @property
    def sha256(self) -> str | None:
        """Only of the bytes that the server sent, all of them."""
        if not self.transfer.complete or self.transfer.fidelity != "exact":
            return None
        return hashlib.sha256(self.transfer.raw).hexdigest()

    @property
    def defects(self) -> list[str]:
        """Defects of the transfer, then of the mail, each once."""
        if not self.mail.defects:
            return self.transfer.defects
        return list(dict.fromkeys([*self.transfer.defects, *self.mail.defects]))

    @property
    def headers(self) -> list[tuple[str, str]]:
        return list(zip(self.mail.header_names, self.mail.header_values, strict=True))


@dataclass(slots=True)
class ItemRecord:
    """One of many things in a mail, such as an attachment; a row of its table."""

    transfer: Transfer
    item: Any


@dataclass(slots=True)
class SessionRecord:
    """A connection; a row of `sessions`."""

    session: Session

    @property
    def conn_id(self) -> ConnId:
        return self.session.conn_id or _UNKNOWN

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.session.duration / 1_000_000
