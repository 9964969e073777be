"""Rows of many connections, in any interleaving, to the state machine of each; closed ones are forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from zeekpop3.session import Connection, Rows
from zeekpop3.session.dialogue import Event
from zeekpop3.session.machine import MAX_MESSAGE


class Regrouper:
    """The open connections. `max_message` bounds, in bytes, what is held of one response."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.max_message = max_message
        self.open: dict[str, Connection] = {}

    def feed(self, uid: str, rows: Rows) -> list[Event]:
        """Rows of one connection, after those that came before; returns what they finished."""
        connection = self.open.get(uid)
        if connection is None:
            connection = self.open[uid] = Connection(uid, self.max_message)
        events = connection.receive(rows)
        if connection.done:
            del self.open[uid]
        return events

    def adopt(self, connection: Connection) -> None:
        """Go on with a connection that somebody else has begun, from its first row.

        If one of that uid is open (logs out of order, or given twice), the one that has come further stays:
        it has seen the rows of both.
        """
        old = self.open.get(connection.uid)
        if old is None or old.next_seq < connection.next_seq:
            self.open[connection.uid] = connection

    def finish(self, reason: str = "open") -> Iterator[list[Event]]:
        """The logs have ended: end every connection that is still open, in the order of their beginning."""
        for uid in list(self.open):
            yield self.open.pop(uid).finish(reason)

    def expire(self, before: int) -> Iterator[list[Event]]:
        """Give up the connections whose last row is older than `before` (microseconds since the epoch)."""
        for uid in [uid for uid, connection in self.open.items() if connection.last_ts < before]:
            yield self.open.pop(uid).finish("idle")

    @property
    def held_bytes(self) -> int:
        """About how many bytes of unfinished responses are held."""
        return sum(connection.held_bytes for connection in self.open.values())
