"""The open connections: a state machine each, and what is needed to continue after a kill.

The state of a machine is not saved. The checkpoint stores where in the logs a connection's rows are, and how
many rows of each table were written. After a restart its rows are read again, and output that was already
written is skipped. Rows behind a hole in `seq` wait for the missing ones (a log may appear late) until the
connection is closed as idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field

import msgspec

from zeekpop3.defects import Defect
from zeekpop3.session import Command, Connection, Rows, Transfer
from zeekpop3.session.events import Event

_MAX_GIVEN_UP = 20_000
_ROW_BYTES = 200  # of a row that waits, without its data
_CONNECTION_BYTES = 4096  # of a state machine and what belongs to it, without the message
_FEED_BYTES = 450  # of one feed, without its rows


class WrittenRows(msgspec.Struct, omit_defaults=True):
    """How many rows of a connection are in the tables, or are on their way there."""

    commands: int = 0
    mails: int = 0
    session: bool = False


class ConnectionCheckpoint(msgspec.Struct, omit_defaults=True):
    """What the checkpoint keeps of an open connection.

    `logs`: for each log (by number) with rows of it, the offset from which to read them again. `rows`: the
    `seq` up to which rows were used without a hole. `ts`: the first row's time. If the rows before `base_row`
    are lost, `base` is what was written of them.
    """

    uid: str
    ts: int
    logs: dict[int, int]
    rows: int
    written: WrittenRows
    base_row: int = 0
    base: WrittenRows | None = None


@dataclass(slots=True)
class OpenConnection:
    """A state machine, where it stands (`saved`), and the rows behind a hole, by their first `seq`."""

    connection: Connection
    saved: ConnectionCheckpoint
    bound: int = 0
    last_ts: int = 0
    waiting: dict[int, Rows] = field(default_factory=dict)
    waiting_bytes: int = 0

    @property
    def held_bytes(self) -> int:
        return _CONNECTION_BYTES + self.connection.held_bytes + self.waiting_bytes

    def new(self, events: list[Event]) -> list[Event]:
        """The events that are not written yet, with their numbers in the whole connection."""
        written, base, out = self.saved.written, self.saved.base or WrittenRows(), []
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
                if self.saved.base_row:
                    event.commands += base.commands
                    if event.ts:
                        event.duration += event.ts - self.saved.ts
                    event.ts = self.saved.ts
                    if Defect.ROWS_MISSING not in event.defects:
                        event.defects.append(Defect.ROWS_MISSING)
                written.session = True
            out.append(event)
        return out


class Connections:
    """All open connections. `max_message` and `max_bytes` bound what one, and what all of them hold."""

    def __init__(self, max_message: int, max_bytes: int) -> None:
        self.max_message = max_message
        self.max_bytes = max_bytes
        self.given_up: dict[str, int] = {}
        self.before: dict[str, WrittenRows] = {}
        self.late_rows = 0
        self.clear()

    def clear(self) -> None:
        """Forget all connections."""
        self.open: dict[str, OpenConnection] = {}
        self._fed_bytes = 0

    # -- rows ------------------------------------------------------------------------------------------

    def feed(self, uid: str, rows: Rows, log: int, offset: int) -> list[Event]:
        """Rows of one connection, by `seq`, from a chunk at `offset` of a log; returns what they complete."""
        opened = self.open.get(uid)
        if opened is None:
            if uid in self.given_up:
                self.late_rows += len(rows.seq)
                return []
            written = self.before.pop(uid, WrittenRows())
            opened = self._begin(ConnectionCheckpoint(uid, rows.ts[0], {}, 0, written))
        saved = opened.saved
        saved.logs[log] = min(offset, saved.logs.get(log, offset))
        opened.last_ts = max(opened.last_ts, rows.ts[-1])
        if rows.seq[0] <= saved.rows and rows.seq[-1] - rows.seq[0] == len(rows.seq) - 1:
            events = self._take(opened, rows)
        else:
            events = self._sort_in(opened, rows)
        while opened.waiting and not opened.connection.done and min(opened.waiting) <= saved.rows:
            events += self._take(opened, self._unwait(opened, min(opened.waiting)))
        self._drop_done(opened)
        # Only new rows can exceed the memory: checked now and then.
        self._fed_bytes += _size(rows) + _FEED_BYTES
        if self._fed_bytes > self.max_bytes >> 4:
            self._fed_bytes = 0
            events += self._bound_memory()
        return events

    def _begin(self, saved: ConnectionCheckpoint) -> OpenConnection:
        opened = OpenConnection(Connection(saved.uid, self.max_message), saved, self.max_message)
        self.open[saved.uid] = opened
        return opened

    def _take(self, opened: OpenConnection, rows: Rows) -> list[Event]:
        opened.saved.rows = max(opened.saved.rows, rows.seq[-1] + 1)
        return opened.new(opened.connection.receive(rows))

    def _sort_in(self, opened: OpenConnection, rows: Rows) -> list[Event]:
        """Rows with a hole before or between them: those behind it wait."""
        events: list[Event] = []
        seq, start = rows.seq, 0
        for stop in range(1, len(seq) + 1):
            if stop < len(seq) and seq[stop] == seq[stop - 1] + 1:
                continue
            run = rows.part(start, stop)
            start = stop
            if run.seq[-1] < opened.saved.rows:
                self.late_rows += len(run.seq)  # read before: a log that exists twice
            elif run.seq[0] <= opened.saved.rows:
                events += self._take(opened, run)
            else:
                same = opened.waiting.get(run.seq[0])
                if same is None or len(same.seq) < len(run.seq):
                    if same is not None:
                        self._unwait(opened, run.seq[0])
                    opened.waiting[run.seq[0]] = run
                    opened.waiting_bytes += _size(run)
        return events

    def _unwait(self, opened: OpenConnection, first: int) -> Rows:
        rows = opened.waiting.pop(first)
        opened.waiting_bytes -= _size(rows)
        return rows

    def _release(self, opened: OpenConnection) -> list[Event]:
        """Stop waiting for missing rows."""
        events: list[Event] = []
        for first in sorted(opened.waiting):
            if not opened.connection.done:
                events += self._take(opened, self._unwait(opened, first))
        if opened.connection.done:
            self.give_up(opened.saved.uid, opened.last_ts)
        return events

    def _drop_done(self, opened: OpenConnection) -> None:
        if opened.connection.done:
            self.open.pop(opened.saved.uid, None)

    # -- idle connections, bounded memory --------------------------------------------------------------

    def expire(self, before: int) -> Iterator[list[Event]]:
        """Close the connections whose last row is older than `before` (microseconds since the epoch)."""
        for uid in [uid for uid, opened in self.open.items() if opened.last_ts < before]:
            yield self._abandon(uid)

    def _abandon(self, uid: str) -> list[Event]:
        opened = self.open.pop(uid)
        events = self._release(opened)
        if not opened.connection.done:
            events += opened.new(opened.connection.finish("idle"))
            self.give_up(uid, opened.last_ts)
        return events

    def give_up(self, uid: str, ts: int) -> None:
        """From now on, rows of this connection are too late."""
        self.given_up[uid] = ts
        while len(self.given_up) > _MAX_GIVEN_UP:
            del self.given_up[next(iter(self.given_up))]

    @property
    def held_bytes(self) -> int:
        """About how many bytes all open connections hold, their state machines and checkpoints included."""
        return sum(opened.held_bytes for opened in self.open.values())

    def _bound_memory(self) -> list[Event]:
        """Over `max_bytes`: release waiting rows, then cut the largest messages, then close the idlest."""
        held = self.held_bytes
        if held <= self.max_bytes:
            if held < self.max_bytes >> 1:
                self._raise_limits()
            return []
        events: list[Event] = []
        for opened in sorted(self.open.values(), key=lambda opened: opened.waiting_bytes, reverse=True):
            if held <= self.max_bytes or not opened.waiting:
                break
            before = opened.held_bytes
            events += self._release(opened)
            self._drop_done(opened)
            held += opened.held_bytes - before
        if held > self.max_bytes:
            events += self._cut_messages()
        if self.held_bytes > self.max_bytes:
            events += self._close_idlest()
        return events

    def _raise_limits(self) -> None:
        for opened in self.open.values():
            if opened.bound < self.max_message and opened.held_bytes < opened.bound >> 1:
                opened.bound = self.max_message
                opened.connection.bound(self.max_message)

    def _cut_messages(self) -> list[Event]:
        events: list[Event] = []
        sizes = [opened.connection.held_bytes for opened in self.open.values()]
        limit = _common_limit(sizes, self.max_bytes * 3 // 4)
        for opened in list(self.open.values()):
            if opened.connection.held_bytes > limit:
                opened.bound = limit
                events += opened.new(opened.connection.bound(limit))
                self._drop_done(opened)
                if opened.connection.held_bytes > 2 * limit:
                    events += self._abandon(opened.saved.uid)  # what it holds is not a message
        return events

    def _close_idlest(self) -> list[Event]:
        events: list[Event] = []
        held = self.held_bytes
        for opened in sorted(self.open.values(), key=lambda opened: opened.last_ts):
            if held <= self.max_bytes * 3 // 4:
                break
            held -= opened.held_bytes
            events += self._abandon(opened.saved.uid)
        return events

    # -- the checkpoint --------------------------------------------------------------------------------

    def checkpoints(self) -> list[msgspec.Raw]:
        """Where the open connections stand; to be saved when all events given so far are written."""
        return [msgspec.Raw(msgspec.json.encode(opened.saved)) for opened in self.open.values()]

    def resume(self, checkpoints: Iterable[ConnectionCheckpoint], lost: set[int]) -> list[str]:
        """Begin again at checkpoints; the rows must then be fed again, from the logs that these name.

        `lost`: the logs that are gone. Returns the uids that lost rows: of these no rows from before the
        checkpoint must be fed; what follows is read as far as possible.
        """
        damaged = []
        for saved in checkpoints:
            if lost.intersection(saved.logs):
                damaged.append(saved.uid)
                saved.base, saved.base_row = copy(saved.written), saved.rows
                saved.logs = {}
            saved.rows = saved.base_row
            opened = self._begin(saved)
            opened.last_ts = saved.ts
        return damaged


def _size(rows: Rows) -> int:
    return sum(map(len, rows.data)) + _ROW_BYTES * len(rows.seq)


def _common_limit(sizes: Iterable[int], total: int) -> int:
    """The limit for each size that brings their sum down to `total`: only large ones are cut."""
    ordered = sorted(sizes)
    below = 0
    for index, size in enumerate(ordered):
        limit = (total - below) // (len(ordered) - index)
        if size >= limit:
            return max(limit, 1)
        below += size
    return total
