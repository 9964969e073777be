"""The connection: keeps the rows' order, finds out which form they have, and feeds the reader of that form.

A connection has the exact form as soon as one `sent` or `contents` row is seen. Zeek writes these only once
it has confirmed POP3, so the first rows are held until a row tells the forms apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zeekpop3.defects import Defect
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.events import ConnId, Event, Exchange, Rows, Session
from zeekpop3.session.exact.reader import ExactReader
from zeekpop3.session.login import Logins
from zeekpop3.session.plain.reader import PlainReader
from zeekpop3.session.protocol import to_text

MAX_MESSAGE = 64 * 1024 * 1024
_MAX_UNDECIDED_ROWS = 10_000
_MAX_AMBIGUOUS = 10  # rows of a connection, as zeek-scripts/main.zeek sets it (max_unexpected_rows)
_EXACT = frozenset({"contents", "sent"})
_PLAIN = frozenset({"data", "end", "close", "starttls"})


@dataclass(slots=True)
class Connection:
    """One connection of the event log, from its first row to `close`.

    `max_message` bounds, in bytes, what is held of one response. `on_exchange` is called with each exchange,
    the greeting included (without a command). `done` is True after the `close` row (or `finish`): the session
    has been returned. `next_seq` is the `seq` that the next row should have. `last_ts` is the time of the
    latest row.
    """

    uid: str
    max_message: int = MAX_MESSAGE
    on_exchange: Callable[[Exchange], None] | None = None
    done: bool = field(default=False, init=False)
    last_ts: int = field(default=0, init=False)
    next_seq: int = field(default=0, init=False)
    _dialogue: Dialogue = field(init=False)
    _exact: ExactReader | None = field(default=None, init=False)
    _plain: PlainReader | None = field(default=None, init=False)
    _early: list[Rows] = field(default_factory=list, init=False)
    _early_count: int = field(default=0, init=False)
    _early_bytes: int = field(default=0, init=False)
    _begun: bool = field(default=False, init=False)
    _ambiguous: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        session = Session(self.uid, 0, None)
        self._dialogue = Dialogue(session, Logins(session), self.on_exchange)

    @property
    def fidelity(self) -> str:
        """The form that the connection has turned out to have: "exact" or "trimmed"."""
        return self._dialogue.session.fidelity

    @property
    def conn_id(self) -> ConnId | None:
        """The connection's four-tuple, once a row has named it."""
        return self._dialogue.session.conn_id

    @property
    def held_bytes(self) -> int:
        """About how many bytes of the connection are held in memory."""
        reader = self._exact or self._plain
        held = reader.held_bytes if reader is not None else self._early_bytes
        return held + self._dialogue.mailbox.held_bytes

    def receive(self, rows: Rows) -> list[Event]:
        """Take further rows, in order; return what they finished (possibly nothing)."""
        if self.done or not rows.ts:
            return []
        session = self._dialogue.session
        if not self._begun:
            self._begun = True
            session.ts = rows.ts[0]
        if session.conn_id is None:
            session.conn_id = rows.conn_id
        self.last_ts = max(self.last_ts, rows.ts[-1])
        self._dialogue.log = rows.log
        if self._exact is None and self._plain is None:
            self._decide(rows)
        else:
            self._feed(rows)
        return self._take()

    def bound(self, max_message: int) -> list[Event]:
        """Hold at most so many bytes of one response from now on; what is over is dropped and counted."""
        self.max_message = max_message
        if self._exact is not None:
            self._exact.max_message = max_message
            self._exact.advance()
        elif self._plain is not None:
            self._plain.bound(max_message)
        return self._take()

    def finish(self, reason: str) -> list[Event]:
        """End the connection without a `close` row: "open" (the log ended) or "idle" (given up)."""
        if self.done:
            return []
        if reason == "idle":
            self._dialogue.session.add_defect(Defect.IDLE)
        if self._exact is None and self._plain is None:
            self._begin_plain()
        self._end(reason)
        return self._take()

    def _take(self) -> list[Event]:
        out, self._dialogue.out = self._dialogue.out, []
        return out

    # -- which form ------------------------------------------------------------------------------------

    def _decide(self, rows: Rows) -> None:
        self._early.append(rows)
        self._early_count += len(rows.ts)
        self._early_bytes += sum(map(len, rows.data)) + 200 * len(rows.ts)
        for kind in rows.kind:
            if kind in _EXACT:
                self._dialogue.session.fidelity = "exact"
                self._exact = ExactReader.of(self._dialogue, self.max_message)
                self._replay()
                return
            if kind in _PLAIN:
                break
        else:
            if self._early_count <= _MAX_UNDECIDED_ROWS:
                return
        self._begin_plain()

    def _begin_plain(self) -> None:
        self._plain = PlainReader(self._dialogue, self.max_message)
        self._replay()

    def _replay(self) -> None:
        early, self._early = self._early, []
        for rows in early:
            self._feed(rows)

    # -- rows ------------------------------------------------------------------------------------------

    def _feed(self, rows: Rows) -> None:
        start, count = 0, len(rows.ts)
        while start < count and not self.done:
            if rows.seq[start] < self.next_seq:
                start += 1  # a row of a log that was read twice
                continue
            stop = self._consecutive(rows, start, count)
            if self._exact is not None:
                self._feed_exact(self._exact, rows, start, stop)
            elif self._plain is not None:
                self._feed_plain(self._plain, rows, start, stop)
            start = stop

    def _consecutive(self, rows: Rows, start: int, count: int) -> int:
        """How far the rows follow each other from `start` on; reports a hole in `seq` before them."""
        seq = rows.seq
        if seq[start] > self.next_seq:
            self._dialogue.session.add_defect(Defect.ROWS_MISSING)
            reader = self._exact or self._plain
            assert reader is not None
            reader.lose_rows()
        stop = start + 1
        if seq[count - 1] - seq[start] == count - 1 - start:
            stop = count  # seq only grows within sorted rows: no hole, no row twice
        else:
            while stop < count and seq[stop] == seq[stop - 1] + 1:
                stop += 1
        self.next_seq = seq[stop - 1] + 1
        return stop

    def _feed_exact(self, exact: ExactReader, rows: Rows, start: int, stop: int) -> None:
        kinds, commands, data, offsets, stamps = rows.kind, rows.command, rows.data, rows.offset, rows.ts
        for index in range(start, stop):
            kind = kinds[index]
            if kind == "sent":
                exact.sent(commands[index], data[index], offsets[index], stamps[index], rows.length[index])
            elif kind == "contents":
                exact.contents(offsets[index], rows.length[index], data[index], stamps[index])
            elif kind == "gap":
                exact.gap(commands[index], offsets[index], rows.length[index])
            else:
                self._other(rows, index)
                if self.done:
                    return
                continue
            # After each row, so that how the rows are cut into batches makes no difference.
            exact.advance()

    def _feed_plain(self, plain: PlainReader, rows: Rows, start: int, stop: int) -> None:
        while start < stop:
            index = plain.receive(rows, start, stop)
            if index < stop:
                self._other(rows, index)
                if self.done:
                    return
            start = index + 1

    def _other(self, rows: Rows, index: int) -> None:
        """A row about the whole connection."""
        kind = rows.kind[index]
        if kind == "login":
            user = to_text(rows.data[index]) if rows.length[index] >= 0 else None
            self._dialogue.logins.reported(rows.command[index] or "", user)
        elif kind == "starttls":
            self._dialogue.session.tls = True
            if self._exact is not None:
                self._exact.start_tls()
        elif kind == "unexpected":
            self._unexpected(rows, index)
        elif kind == "close":
            self._close(rows.ts[index], rows.data[index])

    def _unexpected(self, rows: Rows, index: int) -> None:
        """What Zeek, or its script, says of the connection as a whole."""
        command, dialogue = rows.command[index], self._dialogue
        if command == "limit":
            dialogue.stand(Defect.LIMIT_REACHED)
        elif command == "not_understood":
            dialogue.session.add_defect(Defect.NOT_UNDERSTOOD)
        elif command == "syn":
            dialogue.stand(Defect.STREAM_AMBIGUOUS)
        elif command == "rexmit_inconsistency":
            self._ambiguous += 1
            # Which name or number the server got is unknown from here on; or there may be more such rows than
            # Zeek's script writes.
            if rows.data[index] == b"client" or self._ambiguous >= _MAX_AMBIGUOUS:
                dialogue.stand(Defect.STREAM_AMBIGUOUS)
                return
            dialogue.session.add_defect(Defect.STREAM_AMBIGUOUS)
            reader = self._exact or self._plain
            assert reader is not None
            reader.ambiguous(rows.offset[index])

    def _close(self, ts: int, history: bytes) -> None:
        """Zeek has removed the connection. `history` is conn.log's: `^` if Zeek took the first packet for the
        server's, S and h for the handshake, F and R (of the client, f and r of the server) for the end."""
        session = self._dialogue.session
        if history.startswith(b"^") or (history and not _has(history, b"Sh")):
            session.add_defect(Defect.BEGIN_UNSEEN)
        self._end("closed", ts)
        if history and not session.quit and not _has(history, b"FfRr"):
            session.add_defect(Defect.END_UNSEEN)

    def _end(self, reason: str, ts: int | None = None) -> None:
        reader = self._exact or self._plain
        assert reader is not None
        reader.finish()
        self._dialogue.finish()
        session = self._dialogue.session
        session.closed = reason
        session.duration = max(0, (self.last_ts if ts is None else ts) - session.ts)
        self._dialogue.out.append(session)
        self.done = True


def _has(history: bytes, letters: bytes) -> bool:
    return not set(letters).isdisjoint(history)
