"""The open connections: a state machine each, and what is needed to continue after a kill.

The state of a machine is not saved. The checkpoint stores where in the logs a connection's rows are, and how
many rows of each table were written. After a restart its rows are read again, and output that was already
written is skipped. Rows behind a hole in `seq` wait for the missing ones (a log may appear late) until the
connection is closed as idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from zeekpop3.session import Command, Connection, Rows, Transfer
from zeekpop3.session.events import Event

_ROW_COST = 200
_CONNECTION_COST = 8192
_MAX_GIVEN_UP = 20_000


@dataclass(slots=True)
class WrittenRows:
    """How many rows of a connection are in the tables, or are on their way there."""

    commands: int = 0
    mails: int = 0
    session: bool = False


@dataclass(slots=True)
class ConnectionCheckpoint:
    """What the checkpoint keeps of an open connection.

    `logs`: for each log (by number) with rows of it, the offset from which to read them again. `rows`: the
    `seq` up to which rows were used without a hole. `ts`: the first row's time. If the rows before `base_row`
    are lost for good, `base` is what was written of them.
    """

    uid: str
    ts: int
    logs: dict[int, int]
    rows: int
    written: WrittenRows
    base_row: int = 0
    base: WrittenRows = field(default_factory=WrittenRows)


@dataclass(slots=True)
class _Open:
    """`base`: the machine begins at `base_row`, and what was written until then."""

    connection: Connection
    ts: int = 0
    logs: dict[int, int] = field(default_factory=dict)
    written: WrittenRows = field(default_factory=WrittenRows)
    base: WrittenRows = field(default_factory=WrittenRows)
    base_row: int = 0
    next_row: int = 0
    waiting: dict[int, Rows] = field(default_factory=dict)
    waiting_bytes: int = 0
    last_ts: int = 0
    bound: int = 0

    @property
    def held_bytes(self) -> int:
        return self.connection.held_bytes + self.waiting_bytes


class Connections:
    """All open connections. `max_message` and `max_bytes` bound what one, and what all of them hold."""

    def __init__(self, max_message: int, max_bytes: int) -> None:
        self.max_message = max_message
        self.max_bytes = max_bytes
        self.open: dict[str, _Open] = {}
        self.given_up: dict[str, int] = {}
        self.before: dict[str, WrittenRows] = {}
        self.late_rows = 0
        self._fed_bytes = 0

    # -- rows ------------------------------------------------------------------------------------------

    def feed(self, uid: str, rows: Rows, log: int, offset: int) -> list[Event]:
        """Rows of one connection, by `seq`, from a chunk at `offset` of a log; returns what they complete."""
        opened = self.open.get(uid)
        if opened is None:
            if uid in self.given_up:
                self.late_rows += len(rows.seq)
                return []
            opened = self._begin(uid)
        if not opened.ts:
            opened.ts = rows.ts[0]
        if offset < opened.logs.get(log, offset + 1):
            opened.logs[log] = offset
        opened.last_ts = max(opened.last_ts, rows.ts[-1])
        if rows.seq[0] <= opened.next_row and rows.seq[-1] - rows.seq[0] == len(rows.seq) - 1:
            events = self._take(opened, rows)
        else:
            events = self._sort_in(opened, rows)
        while opened.waiting and not opened.connection.done:
            first = min(opened.waiting)
            if first > opened.next_row:
                break
            events += self._take(opened, self._unwait(opened, first))
        self._end_if_done(opened)
        # Only new rows can exceed the memory: checked now and then.
        self._fed_bytes += sum(map(len, rows.data)) + _ROW_COST * len(rows.seq)
        if self._fed_bytes > self.max_bytes >> 4:
            self._fed_bytes = 0
            events += self._bound_memory()
        return events

    def _begin(self, uid: str) -> _Open:
        opened = _Open(Connection(uid, self.max_message), bound=self.max_message)
        if uid in self.before:
            opened.written = self.before.pop(uid)
        self.open[uid] = opened
        return opened

    def _take(self, opened: _Open, rows: Rows) -> list[Event]:
        events = opened.connection.receive(rows)
        opened.next_row = max(opened.next_row, rows.seq[-1] + 1)
        return self._new(opened, events)

    def _sort_in(self, opened: _Open, rows: Rows) -> list[Event]:
        """Rows with a hole before or between them: those behind it wait."""
        events: list[Event] = []
        seq, start = rows.seq, 0
        for stop in range(1, len(seq) + 1):
            if stop < len(seq) and seq[stop] == seq[stop - 1] + 1:
                continue
            run = _part(rows, start, stop)
            start = stop
            if run.seq[-1] < opened.next_row:
                self.late_rows += len(run.seq)  # read before: a log that exists twice
            elif run.seq[0] <= opened.next_row:
                events += self._take(opened, run)
            else:
                same = opened.waiting.get(run.seq[0])
                if same is None or len(same.seq) < len(run.seq):
                    if same is not None:
                        self._unwait(opened, run.seq[0])
                    opened.waiting[run.seq[0]] = run
                    opened.waiting_bytes += _cost(run)
        return events

    def _unwait(self, opened: _Open, first: int) -> Rows:
        rows = opened.waiting.pop(first)
        opened.waiting_bytes -= _cost(rows)
        return rows

    def _release(self, opened: _Open) -> list[Event]:
        """Do not wait for missing rows any more."""
        events: list[Event] = []
        while opened.waiting and not opened.connection.done:
            events += self._take(opened, self._unwait(opened, min(opened.waiting)))
        if opened.connection.done:
            self.give_up(opened.connection.uid, opened.last_ts)
        return events

    def _end_if_done(self, opened: _Open) -> None:
        if opened.connection.done:
            del self.open[opened.connection.uid]

    def _new(self, opened: _Open, events: list[Event]) -> list[Event]:
        """The events that are not written yet, with their numbers in the whole connection."""
        written, base, out = opened.written, opened.base, []
        for event in events:
            if isinstance(event, Command):
                event.seq += base.commands
                if event.seq < written.commands:
                    continue
                written.commands = event.seq + 1
            elif isinstance(event, Transfer):
                event.trans_depth += base.mails
                if event.trans_depth <= written.mails:
                    continue
                written.mails = event.trans_depth
            else:
                if written.session:
                    continue
                if opened.base_row:
                    event.commands += base.commands
                    if event.ts:
                        event.duration += event.ts - opened.ts
                    event.ts = opened.ts
                    if "rows_missing" not in event.defects:
                        event.defects.append("rows_missing")
                written.session = True
            out.append(event)
        return out

    # -- idle connections, bounded memory --------------------------------------------------------------

    def expire(self, before: int) -> Iterator[list[Event]]:
        """Close the connections whose last row is older than `before` (microseconds since the epoch)."""
        for opened in list(self.open.values()):
            if opened.last_ts < before:
                yield self._abandon(opened)

    def _abandon(self, opened: _Open) -> list[Event]:
        events = self._release(opened)
        uid = opened.connection.uid
        if not opened.connection.done:
            events += self._new(opened, opened.connection.finish("idle"))
            self.give_up(uid, opened.last_ts)
        del self.open[uid]
        return events

    def give_up(self, uid: str, ts: int) -> None:
        """From now on, rows of this connection are too late."""
        self.given_up[uid] = ts
        while len(self.given_up) > _MAX_GIVEN_UP:
            del self.given_up[next(iter(self.given_up))]

    @property
    def held_bytes(self) -> int:
        """About how many bytes the open connections hold."""
        return sum(opened.held_bytes + _CONNECTION_COST for opened in self.open.values())

    def _bound_memory(self) -> list[Event]:
        """Over `max_bytes`: first waiting rows are released, then the largest messages are cut."""
        held = self.held_bytes
        if held <= self.max_bytes:
            if held < self.max_bytes >> 1:
                for opened in self.open.values():
                    if opened.bound < self.max_message and opened.held_bytes < opened.bound >> 1:
                        opened.bound = self.max_message
                        opened.connection.bound(self.max_message)
            return []
        events: list[Event] = []
        by_size = sorted(self.open.values(), key=lambda opened: opened.waiting_bytes, reverse=True)
        for opened in by_size:
            if held <= self.max_bytes or not opened.waiting:
                break
            before = opened.held_bytes
            events += self._release(opened)
            self._end_if_done(opened)
            held += opened.held_bytes - before
        if held > self.max_bytes:
            limit = self._level(self.max_bytes * 3 // 4)
            for opened in list(self.open.values()):
                if opened.connection.held_bytes > limit:
                    opened.bound = limit
                    events += self._new(opened, opened.connection.bound(limit))
                    if opened.connection.held_bytes > 2 * limit:
                        events += self._abandon(opened)  # what it holds is not a message
        most = max(1, self.max_bytes // (2 * _CONNECTION_COST))
        if len(self.open) > most:
            for opened in sorted(self.open.values(), key=lambda opened: opened.last_ts)[: -most * 3 // 4]:
                events += self._abandon(opened)
        return events

    def _level(self, total: int) -> int:
        """The bound for each that brings all of them down to `total` bytes."""
        sizes = sorted(opened.connection.held_bytes for opened in self.open.values())
        below = 0
        for index, size in enumerate(sizes):
            level = (total - below) // (len(sizes) - index)
            if size >= level:
                return max(level, 1)
            below += size
        return total

    # -- the checkpoint --------------------------------------------------------------------------------

    def checkpoints(self) -> list[ConnectionCheckpoint]:
        """Where the open connections stand; to be saved when all events given so far are written."""
        return [
            ConnectionCheckpoint(
                uid,
                opened.ts,
                dict(opened.logs),
                opened.next_row,
                replace(opened.written),
                opened.base_row,
                opened.base,
            )
            for uid, opened in self.open.items()
        ]

    def resume(self, checkpoints: Iterable[ConnectionCheckpoint], lost: set[int]) -> list[str]:
        """Begin again at checkpoints; the rows must then be fed again, from the logs that these name.

        `lost`: the logs that are gone. Returns the uids that lost rows: of these no rows from before the
        checkpoint must be fed; what follows is read as far as possible.
        """
        damaged = []
        for saved in checkpoints:
            opened = self._begin(saved.uid)
            opened.ts = opened.last_ts = saved.ts
            opened.written = replace(saved.written)
            opened.logs = dict(saved.logs)
            opened.base, opened.base_row = saved.base, saved.base_row
            if lost.intersection(saved.logs):
                damaged.append(saved.uid)
                opened.base, opened.base_row = replace(saved.written), saved.rows
                opened.logs = {}
            opened.next_row = opened.base_row
        return damaged


def _part(rows: Rows, start: int, stop: int) -> Rows:
    cut = slice(start, stop)
    ts, seq, kind, command, offset, length, data, conn_id = rows
    return Rows(ts[cut], seq[cut], kind[cut], command[cut], offset[cut], length[cut], data[cut], conn_id)


def _cost(rows: Rows) -> int:
    return sum(map(len, rows.data)) + _ROW_COST * len(rows.seq)
