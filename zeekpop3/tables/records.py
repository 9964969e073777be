"""Records → the rows of one table → an Arrow table. Rows keep the order in which they were added.

The columns' `source` paths start at the records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from zeekpop3.defects import Defect
from zeekpop3.session.events import ConnId
from zeekpop3.tables.arrays import array_of
from zeekpop3.tables.column import ITEM, Table
from zeekpop3.tables.privacy import Privacy
from zeekpop3.tables.schema import schema

if TYPE_CHECKING:
    import pyarrow as pa

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
    _digest: bytes = b""

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
        return self._raw_digest.hex()

    @property
    def mail_id(self) -> str | None:
        """SHA-256 (hex) of the SHA-256 digests of five things, joined: the bytes of the message that were
        seen, the server's address, its port (decimal), the user (stripped, lower case) and the unique id;
        each text in UTF-8, and empty if unknown.

        None if no byte was seen and no unique id is known: nothing would tell two mails apart.
        """
        transfer, server = self.transfer, self.conn_id
        if not (transfer.raw or transfer.uidl):
            return None
        port = None if server.resp_p is None else str(server.resp_p)
        user = transfer.user and transfer.user.strip().lower()
        texts = (server.resp_h, port, user, transfer.uidl)
        digests = (hashlib.sha256((text or "").encode("utf-8", "surrogatepass")).digest() for text in texts)
        return hashlib.sha256(self._raw_digest + b"".join(digests)).hexdigest()

    @property
    def _raw_digest(self) -> bytes:
        if not self._digest:
            self._digest = hashlib.sha256(self.transfer.raw).digest()
        return self._digest

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


@dataclass(slots=True)
class InputRecord:
    """A file that was read; a row of `inputs`. Times are in microseconds."""

    ts: int
    file: str
    sha256: str | None
    first_row: str | None
    rows: int | None
    version: str
    command: str
    read_at: int


# -- records → the rows of one table → an Arrow table ------------------------------------------------


_VALUE_BYTES = 25  # of a row, for each column, without large texts and lists
_LISTED_BYTES = 200  # of a header field or the like in a list
_LARGE = {"body", "raw", "free"}  # values that may be large, by what privacy does to them


class TableBuilder:
    """Collects the rows of a table. `nbytes` estimates the memory that they hold, in bytes."""

    def __init__(self, table: Table, privacy: Privacy | None = None) -> None:
        self.name = table.name
        self._columns = table.columns
        sources = [str(column.source or column.name) for column in table.columns]
        self._values = attrgetter(*(source for source in sources if source != ITEM))
        self._has_items = ITEM in sources
        rules = [(privacy or Privacy()).rule(column.personal) for column in table.columns]
        self._rules = [(index, rule) for index, rule in enumerate(rules) if rule is not None]
        large = [column.personal in _LARGE and not column.repeats for column in table.columns]
        columns = list(enumerate(table.columns))
        self._texts = [index for index, column in columns if large[index] and not column.repeated]
        self._lists = [
            index for index, column in columns if column.repeated and (column.fields or large[index])
        ]
        self.reset()

    def __len__(self) -> int:
        return len(self._rows)

    def reset(self) -> None:
        """Remove all rows."""
        self.nbytes = 0
        self._rows: list[Sequence[Any]] = []

    def add(self, record: Any) -> None:
        """Add the row of a record, or the rows of an `ItemsRecord` (see `records`)."""
        if self._has_items and not record.items:
            return  # most mails have no attachment, and nothing within it
        rows: list[Any] = [self._values(record)]
        if self._has_items:
            rows = [rows[0] + item for item in record.items]
        if self._rules:
            rows = [self._ruled(list(row), record) for row in rows]
        self._rows += rows
        size = _VALUE_BYTES * len(self._columns) * len(rows)
        for row in rows:
            for index in self._texts:
                if text := row[index]:
                    size += len(text)
            for index in self._lists:
                if items := row[index]:
                    size += _LISTED_BYTES * len(items[0] if isinstance(items, tuple) else items)
        self.nbytes += size

    def _ruled(self, row: list[Any], record: Any) -> list[Any]:
        for index, rule in self._rules:
            row[index] = rule(row[index], record)
        return row

    def table(self) -> pa.Table:
        """The rows as an Arrow table of `schema(name)`; they stay until `reset`."""
        import pyarrow as pa

        values: Any = zip(*self._rows, strict=True) if self._rows else [()] * len(self._columns)
        arrays = [array_of(each, column) for each, column in zip(values, self._columns, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema(self.name))
