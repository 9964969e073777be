"""The open connections of a run: their state machines by uid. Closed ones are removed, unused ones packed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from zeekpop3.pipeline.compact import CompactDict, Packer
from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import Event
from zeekpop3.session.machine import MAX_MESSAGE


class OpenConnections:
    """The open connections by uid. `max_message` limits the bytes that are held of one response."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.max_message = max_message
        self.open: CompactDict[Connection] = CompactDict(connection_packer())

    def feed(self, uid: str, rows: Rows) -> list[Event]:
        """Process the next rows of a connection; returns what they finished."""
        connection = self.open.get(uid)
        if connection is None:
            connection = Connection(uid, self.max_message)
            self.open.add(uid, connection)
        events = connection.receive(rows)
        if connection.done:
            self.open.discard(uid)
        return events

    def adopt(self, packed: PackedConnection) -> None:
        """Continue a connection that a task started.

        If that uid is open already (overlapping logs, or a log given twice), the connection that has read
        more rows stays.
        """
        old = self.open.get(packed.uid)
        if old is None or old.next_seq < packed.next_seq:
            self.open.add_packed(packed.uid, packed.data)

    def finish(self) -> Iterator[list[Event]]:
        """End all connections that are still open, because the logs ended; the oldest first."""
        for uid in list(self.open):
            yield self.open.pop(uid).finish("open")


class PackedConnection(NamedTuple):
    """A connection as a task returns it: there may be 100,000 of them."""

    uid: str
    next_seq: int
    data: bytes


def connection_packer() -> Packer[Connection]:
    """The packer that tasks and the open connections share."""
    return Packer(Connection(""))
