"""The connection: keeps the rows' order, finds out which form they have, and feeds the reader of that form.

A connection is in the exact form as soon as one `sent` or `contents` row is seen. Zeek writes those only once
it has confirmed POP3, so the first rows wait until a row tells the forms apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from zeekpop3.session.dialogue import Dialogue, Event, Exchange
from zeekpop3.session.exact.reader import ExactReader
from zeekpop3.session.plain.reader import PlainReader
from zeekpop3.session.protocol import NUMBERED_COMMANDS, to_text
from zeekpop3.session.rows import ConnId, Rows

MAX_MESSAGE: Final = 64 * 1024 * 1024
_UNDECIDED_ROWS: Final = 10_000
_EXACT: Final = frozenset({"contents", "sent"})
_PLAIN: Final = frozenset({"data", "header", "end", "close", "starttls"})


class Connection:
    """One connection of the event log, from its first row to `close`.

    `max_message` bounds, in bytes, what is held of one response. `heard` is called with each exchange, the
    greeting included (without a command). `done` is True after the `close` row (or
    `finish`): the session has been handed out. `next_seq` is the `seq` that the next row should have.
    """

    def __init__(
        self,
        uid: str,
        max_message: int = MAX_MESSAGE,
        heard: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.uid = uid
        self.done = False
        self.last_ts = 0
        self._max_message = max_message
        self._dialogue = Dialogue(uid, "trimmed", heard)
        self._exact: ExactReader | None = None
        self._plain: PlainReader | None = None
        self._early: list[Rows] = []
        self._early_count = 0
        self.next_seq = 0
        self._begun = False

    def __reduce__(self) -> tuple[Any, ...]:
        state = (
            self.done, self.last_ts, self._dialogue, self._exact, self._plain, self._early, self._early_count,
            self.next_seq, self._begun,
        )  # fmt: skip
        return Connection, (self.uid, self._max_message), state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        (
            self.done, self.last_ts, self._dialogue, self._exact, self._plain, self._early, self._early_count,
            self.next_seq, self._begun,
        ) = state  # fmt: skip

    @property
    def fidelity(self) -> str:
        """The form that the connection has turned out to have: "exact" or "trimmed"."""
        return self._dialogue.session.fidelity

    @property
    def conn_id(self) -> ConnId | None:
        """The connection's four-tuple, once a row has told it."""
        return self._dialogue.session.conn_id

    @property
    def held_bytes(self) -> int:
        """About how many bytes of the connection are held in memory."""
        if self._exact is not None:
            return len(self._exact.stream.buffer)
        return self._plain.held if self._plain is not None else 0

    def receive(self, rows: Rows) -> list[Event]:
        """Take further rows, in order; return what they finished (possibly nothing)."""
        if self.done or not rows.ts:
            return []
        session = self._dialogue.session
        if not self._begun:
            self._begun = True
            session.ts = rows.ts[0]
        if session.conn_id is None and rows.conn_id is not None:
            session.conn_id = rows.conn_id
        self.last_ts = max(self.last_ts, rows.ts[-1])
        if self._exact is None and self._plain is None:
            self._decide(rows)
        else:
            self._feed(rows)
        return self._take()

    def bound(self, max_message: int) -> list[Event]:
        """Hold at most so many bytes of one response from now on; what is over is dropped and counted."""
        self._max_message = max_message
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
            self._dialogue.session.defects.append("idle")
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
        for kind in rows.kind:
            if kind in _EXACT:
                self._exact = ExactReader(self._dialogue, self._max_message)
                self._dialogue.session.fidelity = "exact"
                break
            if kind in _PLAIN:
                self._begin_plain()
                return
        else:
            if self._early_count > _UNDECIDED_ROWS:
                self._begin_plain()
            return
        self._replay()

    def _begin_plain(self) -> None:
        self._plain = PlainReader(self._dialogue, self._max_message)
        self._replay()

    def _replay(self) -> None:
        early, self._early = self._early, []
        for rows in early:
            self._feed(rows)

    # -- rows ------------------------------------------------------------------------------------------

    def _feed(self, rows: Rows) -> None:
        start, count = 0, len(rows.ts)
        while start < count and not self.done:
            stop = self._in_order(rows, start, count)
            if stop > start:
                self._run(rows, start, stop)
            start = max(stop, start + 1) if stop == start else stop

    def _in_order(self, rows: Rows, start: int, count: int) -> int:
        """How far the rows follow each other; says a hole in `seq`, skips rows that were seen before."""
        seq = rows.seq
        if seq[start] < self.next_seq:
            return start  # a row of a log that was given twice
        if seq[start] > self.next_seq:
            lost = seq[start] - self.next_seq
            self._note("rows_missing")
            if self._plain is not None:
                self._plain.lose_rows(lost)
            elif self._exact is not None:
                self._exact.lose_rows()
        stop = start + 1
        if seq[count - 1] - seq[start] == count - 1 - start:
            stop = count  # seq only grows within sorted rows: no hole, no row twice
        else:
            while stop < count and seq[stop] == seq[stop - 1] + 1:
                stop += 1
        self.next_seq = seq[stop - 1] + 1
        return stop

    def _run(self, rows: Rows, start: int, stop: int) -> None:
        if self._exact is not None:
            self._run_exact(self._exact, rows, start, stop)
        else:
            assert self._plain is not None
            self._run_plain(self._plain, rows, start, stop)

    def _run_exact(self, exact: ExactReader, rows: Rows, start: int, stop: int) -> None:
        kinds, commands, data, offsets, stamps = rows.kind, rows.command, rows.data, rows.offset, rows.ts
        for index in range(start, stop):
            kind = kinds[index]
            if kind == "sent":
                exact.sent(commands[index], data[index], offsets[index], stamps[index])
                if exact.waits_for_bytes:
                    continue
            elif kind == "contents":
                exact.contents(offsets[index], rows.length[index], data[index], stamps[index])
            elif kind == "gap":
                exact.gap(commands[index], offsets[index], rows.length[index])
            elif kind == "request" and commands[index] not in NUMBERED_COMMANDS:
                exact.argument(commands[index] or "", to_text(data[index]))
            else:
                self._other(rows, index)
                if self.done:
                    return
                continue
            # After each row, so that how the rows are cut into batches makes no difference.
            exact.advance()

    def _run_plain(self, plain: PlainReader, rows: Rows, start: int, stop: int) -> None:
        kinds = rows.kind if isinstance(rows.kind, list) else list(rows.kind)
        data = rows.data if isinstance(rows.data, list) else list(rows.data)
        while start < stop:
            index = plain.receive(rows, kinds, data, start, stop)
            if index < stop:
                self._other(rows, index)
                if self.done:
                    return
            start = index + 1

    def _other(self, rows: Rows, index: int) -> None:
        """A row that both forms have."""
        kind = rows.kind[index]
        if kind == "login":
            user = to_text(rows.data[index]) if rows.length[index] >= 0 else None
            self._dialogue.login(rows.command[index] or "", user or None)
        elif kind == "starttls":
            self._dialogue.session.tls = True
        elif kind == "close":
            self._end("closed", rows.ts[index])

    def _note(self, defect: str) -> None:
        defects = self._dialogue.session.defects
        if defect not in defects:
            defects.append(defect)

    def _end(self, reason: str, ts: int | None = None) -> None:
        reader = self._exact or self._plain
        assert reader is not None
        reader.finish()
        session = self._dialogue.session
        session.closed = reason
        session.duration = max(0, (self.last_ts if ts is None else ts) - session.ts)
        self._dialogue.out.append(session)
        self.done = True
