"""What the rows of the tables are made of: the columns' `source` paths start at these objects."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zeekpop3.defects import Defect
from zeekpop3.session.events import ConnId

if TYPE_CHECKING:
    from zeekpop3.message import Mail
    from zeekpop3.session.events import Session, Transfer

_UNKNOWN = ConnId._make((None, None, None, None))


@lru_cache(1 << 12)
def _community_id(conn_id: ConnId) -> str | None:
    """The Community ID (version 1, seed 0) of a TCP connection; None if the addresses are not known."""
    from communityid import CommunityID, FlowTuple
    from communityid.error import FlowTupleError

    if conn_id.orig_h is None:
        return None
    try:
        flow = FlowTuple.make_tcp(conn_id.orig_h, conn_id.resp_h, conn_id.orig_p, conn_id.resp_p)
        hasher = CommunityID()  # whose `calc` formats a log message first
        found: str | None = hasher.render(hasher.hash(flow.in_order().in_nbo()))
    except (FlowTupleError, ValueError):  # not addresses
        return None
    return found


@dataclass(slots=True)
class MailRecord:
    """A transfer and the mail that was parsed from its bytes, a row of `emails`; or a message inside that
    mail, a row of `enclosed`.
    """

    transfer: Transfer
    mail: Mail
    sensor: str | None = None

    @property
    def conn_id(self) -> ConnId:
        return self.transfer.conn_id or _UNKNOWN

    @property
    def community_id(self) -> str | None:
        return _community_id(self.conn_id)

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
    def defects(self) -> list[Defect]:
        """Defects of the transfer, then of the mail, each once."""
        if not self.mail.defects:
            return self.transfer.defects
        return list(dict.fromkeys([*self.transfer.defects, *self.mail.defects]))

    @property
    def headers(self) -> tuple[list[str], list[str]]:
        """Names and values, as parallel lists."""
        return self.mail.header_names, self.mail.header_values


@dataclass(slots=True)
class ItemsRecord:
    """The links, addresses or attachments of a mail: tuples with the last columns of their table, each for a
    row of it.

    `part`: the message inside the mail that has them, "" for the mail itself.
    """

    transfer: Transfer
    items: Sequence[tuple[Any, ...]]
    part: str = ""


@dataclass(slots=True)
class SessionRecord:
    """A connection; a row of `sessions`, and of `listings`."""

    session: Session
    sensor: str | None = None

    @property
    def conn_id(self) -> ConnId:
        return self.session.conn_id or _UNKNOWN

    @property
    def community_id(self) -> str | None:
        return _community_id(self.conn_id)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.session.duration / 1_000_000
