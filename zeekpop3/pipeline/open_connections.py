"""The open connections of a run: their state machines by uid. Closed ones are removed, unused ones packed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from zeekpop3.pipeline.compact import CompactDict, Packer
from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import ConnId, Event
from zeekpop3.session.machine import MAX_MESSAGE


def typical() -> list[Connection]:
    """A connection of each form, after its first rows: what others have in common with them is not packed."""
    conn_id, data = ConnId("10.0.0.1", 1024, "10.0.0.2", 110), [b"+OK\r\n", b"u"]
    found = []
    for kinds in (("contents", "sent"), ("reply", "request")):
        connection = Connection("C")
        connection.receive(Rows([1, 2], [0, 1], kinds, ["OK", "USER"], [0, 5], [5, 1], data, conn_id))
        found.append(connection)
    return found


_packer: Packer[Connection] = Packer(typical())


class PackedConnection(NamedTuple):
    """A connection as a task returns it: there may be very many of them."""

    uid: str
    next_seq: int
    data: bytes


def pack(connection: Connection) -> PackedConnection:
    """A connection in little memory."""
    return PackedConnection(connection.uid, connection.next_seq, _packer.pack(connection))


class OpenConnections:
    """The open connections by uid. `max_message` limits the bytes that are held of one response."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.max_message = max_message
        self.open: CompactDict[Connection] = CompactDict(_packer)

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

    def adopt(self, connection: PackedConnection) -> None:
        """Continue a connection that a task started.

        If that uid is open already (overlapping logs, or a log given twice), the connection that has read
        more rows stays.
        """
        old = self.open.get(connection.uid)
        if old is None or old.next_seq < connection.next_seq:
            self.open.add_packed(connection.uid, connection.data)

    def finish(self) -> Iterator[list[Event]]:
        """End all connections that are still open, because the logs ended; the oldest first."""
        for uid in list(self.open):
            yield self.open.pop(uid).finish("open")
