"""The open connections of a run: their state machines by uid."""

from __future__ import annotations

from collections.abc import Iterator

from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import Event
from zeekpop3.session.machine import MAX_MESSAGE


class OpenConnections:
    """The open connections by uid. `max_message` limits the bytes that are held of one response."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.max_message = max_message
        self.open: dict[str, Connection] = {}

    def feed(self, uid: str, rows: Rows) -> list[Event]:
        """Process the next rows of a connection; returns what they finished."""
        connection = self.open.get(uid)
        if connection is None:
            connection = self.open[uid] = Connection(uid, self.max_message)
        events = connection.receive(rows)
        if connection.done:
            del self.open[uid]
        return events

    def adopt(self, connection: Connection) -> None:
        """Continue a connection that a task started.

        If that uid is open already (overlapping logs, or a log given twice), the connection that has read
        more rows stays.
        """
        old = self.open.get(connection.uid)
        if old is None or old.next_seq < connection.next_seq:
            self.open[connection.uid] = connection

    def finish(self) -> Iterator[list[Event]]:
        """End all connections that are still open, because the logs ended; the oldest first."""
        for uid in list(self.open):
            yield self.open.pop(uid).finish("open")
