"""Logs → finished mails, sessions and commands: looks for logs, and reads what is new.

Nothing is written here. What is collected in `records` and what `state` returns belong together at any time
between two chunks of a log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from zeekpop3._version import __version__
from zeekpop3.errors import LogError
from zeekpop3.follow import reports
from zeekpop3.follow.catalogue import Catalogue, KnownLog, PendingLog, head_with_row, mark_of, name_of
from zeekpop3.follow.connections import ConnectionCheckpoint, Connections
from zeekpop3.follow.state import Options, RowKey, State, entered_logs, orphans, without, written_rows
from zeekpop3.log.batch import group, read_chunk
from zeekpop3.log.chunks import Chunk, LogCutter, OnError
from zeekpop3.log.file import open_log
from zeekpop3.log.find import log_name
from zeekpop3.log.header import Head
from zeekpop3.pipeline.records import Records, described, first_ts, now, table_of
from zeekpop3.pipeline.settings import Counters
from zeekpop3.session.events import Event
from zeekpop3.store.parquet import DAY_US
from zeekpop3.tables import InputRecord

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK = 4 << 20
_SETTLED_S = 30  # a log that has a successor, or is packed, has ended if it did not change for this long
_GONE_S = 30 * 86_400
# While a log is renamed, packed or moved, a look may not find it anywhere.
_PATIENT_LOOKS = 20
_LOOK_AGAIN_S = 0.1


class Moved(Exception):
    """The path now holds another log: look again where each log is."""


@contextmanager
def _cutter(
    log: KnownLog,
    path: Path,
    start: tuple[int, int],
    on_error: OnError,
    *,
    stop: int | None = None,
    live: bool = False,
) -> Iterator[LogCutter]:
    """Cuts the log at a path from `start` (offset, line number) on. Raises Moved, LogError."""
    try:
        file = open_log(path)
    except LogError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise Moved from None
        raise
    with file:
        head = head_with_row(file, path)
        if head is None or mark_of(head) != log.mark:
            raise Moved
        yield LogCutter(path, file, head, size=_BLOCK, on_error=on_error, start=start, stop=stop, live=live)


class Reader:
    """Reads the logs in `folders`. `between` is called after each chunk; False from it ends the round.

    `clock` is the newest row's time (microseconds), `dirty_since` when (monotonic) the first row was read
    that is not committed, `level` whether the last round read all there was, `look_s` how long it took to
    look for logs.
    """

    def __init__(self, folders: Iterable[Path], options: Options, known: reports.ProblemLog) -> None:
        self.folders = list(folders)
        self.options = options
        self.problems = known
        self.totals = Counters()
        self.clock = 0
        self.level = False
        self.failed = False
        self.dirty_since: float | None = None
        self.look_s = 0.0
        settings = options.settings
        self.records = Records(settings)
        self.connections = Connections(settings.max_message, options.max_memory * 3 // 4)
        self._catalogue = Catalogue()
        self._rebuilding = False
        self._orphans: dict[str, set[RowKey]] = {}
        self._later: dict[Path, float] = {}
        self._inputs: list[InputRecord] = []
        self._entered: set[str] = set()

    # -- resume ----------------------------------------------------------------------------------------

    def resume(self, state: State, out: Path) -> None:
        """Continue from a checkpoint. Raises LogError if a log that is needed cannot be read now."""
        self.totals, self.clock = replace(state.totals), state.clock
        self._catalogue.files = {log.mark: replace(log, seen=dict(log.seen)) for log in state.logs}
        self._catalogue.next_number = state.next_log
        self.connections.given_up = dict(state.given_up)
        waiting = self._catalogue.look(self.folders, int(time.time()))
        self._rebuilding = state.rebuilding
        if state.rebuilding:
            self._read_tables(waiting, out)
        lost: set[int] = set()
        looks = _PATIENT_LOOKS
        while state.open:
            gone = self._gone(state)
            damaged = self.connections.resume(_checkpoints(state), lost | gone)
            unreadable = self._replay(state, set(damaged))
            if looks and (damaged or unreadable is not None):
                # Perhaps the log is just being renamed, packed or moved.
                looks -= 1
                time.sleep(_LOOK_AGAIN_S)
                self._catalogue.look(self.folders, int(time.time()))
            elif unreadable is None:
                for uid in damaged:
                    reports.warning("log with rows of an open connection is gone: rows are lost", uid=uid)
                break
            else:
                lost.add(unreadable)
            # Forget what the incomplete replay gave.
            self.connections.clear()
            self.records.take()
            self.records.take_counts()
        self.connections.late_rows = 0

    def _gone(self, state: State) -> set[int]:
        """The logs that are gone."""
        needed = {number for saved in _checkpoints(state) for number in saved.logs}
        there = {log.number for log in self._catalogue.files.values() if log.gone_since is None}
        if not needed <= there:
            for folder in self.folders:
                if not folder.exists():
                    raise LogError(folder, "no such folder, but open connections need a log in it")
            for path, reason in self._catalogue.problems.items():
                if reason.startswith("cannot be read"):  # perhaps this one
                    raise LogError(path, f"{reason}; open connections may need this log")
        return set(range(1, self._catalogue.next_number)) - there

    def _read_tables(self, waiting: list[PendingLog], out: Path) -> None:
        first = min((pending.log.first for pending in waiting), default=0)
        first_day = day_of(first - 2 * DAY_US) if first else ""
        self.connections.before = written_rows(out, first_day)
        self._orphans = orphans(out, first_day, self.connections.before)
        self._entered = entered_logs(out, first_day)
        reports.warning(
            "no state, but the tables contain rows: these rows will not be written again",
            connections=len(self.connections.before),
        )

    def _replay(self, state: State, damaged: set[str]) -> int | None:
        """Read the rows of the open connections again; the number of the first log that is unreadable."""
        wanted: dict[int, int] = {}
        uids = set()
        for saved in _checkpoints(state):
            if saved.uid not in damaged:
                uids.add(saved.uid)
                for number, offset in saved.logs.items():
                    wanted[number] = min(offset, wanted.get(number, offset))
        for log in sorted(self._catalogue.files.values(), key=lambda log: (log.first, log.number)):
            if log.number not in wanted:
                continue
            at = wanted[log.number]
            paths = self._catalogue.paths.get(log.mark, [])
            for path in sorted(paths, key=lambda path: path.suffix == ".gz"):
                at = max(at, self._replay_log(log, path, at, uids))
                if at >= log.offset:
                    break
            if at < log.offset:
                return log.number
        return None

    def _replay_log(self, log: KnownLog, path: Path, start: int, uids: set[str]) -> int:
        """Feed the rows of some connections from `start` to where the log was read; returns how far."""
        try:
            with _cutter(log, path, (start, 0), _reported_before, stop=log.offset) as cutter:
                for chunk in cutter.chunks():
                    batch = read_chunk(chunk, _reported_before)
                    if uids.isdisjoint(batch.uids):
                        continue
                    for uid, rows in group(batch):
                        if uid in uids:
                            self._keep(self.connections.feed(uid, rows, log.number, chunk.offset))
                return cutter.offset
        except Moved:
            return start

    # -- a round ---------------------------------------------------------------------------------------

    def round(self, between: Callable[[], bool]) -> bool:
        """Look for logs, and read what is new; True if there is more to read at once."""
        self.level = more = False
        now = time.time()
        began = time.monotonic()
        waiting = self._catalogue.look(self.folders, int(now))
        self.look_s = time.monotonic() - began
        found = {str(path): reason for path, reason in self._catalogue.problems.items()}
        found |= {str(folder): "no such file or folder" for folder in self.folders if not folder.exists()}
        newest = max((log.first for log in self._catalogue.files.values()), default=0)
        for pending in waiting:
            if self._later.get(pending.path, 0.0) > time.monotonic():
                continue
            try:
                if not self._read(pending, now, newest, between):
                    return False
            except Moved:
                self._catalogue.look_again(pending.path)
                more = True
            except LogError as error:
                found[error.path] = error.reason
                self._later[pending.path] = time.monotonic() + _SETTLED_S
        self._later = {path: at for path, at in self._later.items() if at > time.monotonic()}
        self.failed |= self.problems.files(found)
        if not more:
            self._is_level()
        return more

    def _read(self, pending: PendingLog, now: float, newest: int, between: Callable[[], bool]) -> bool:
        """Read what is new in a log; False if `between` wants to stop. Raises Moved, LogError."""
        log, path, size, mtime = pending
        is_gzip = path.suffix == ".gz"
        final = now - mtime / 1e9 > _SETTLED_S and (log.first < newest or is_gzip)
        with _cutter(log, path, (log.offset, log.line), self._bad_row, live=not final) as cutter:
            for chunk in cutter.chunks():
                self._take(log, chunk)
                if not log.entered:
                    self._enter(log, path, cutter.head)
                self._advance(log, chunk.end, chunk.end_line)
                if not between():
                    return False
            self._advance(log, cutter.offset, cutter.line)
        if is_gzip and not final:
            # It may still be written. Reading it again is expensive, so it waits.
            self._later[path] = time.monotonic() + _SETTLED_S
        elif final or is_gzip or log.offset >= size:
            log.seen[name_of(path)] = (size, mtime)
        return True

    def _take(self, log: KnownLog, chunk: Chunk) -> None:
        self.dirty_since = self.dirty_since or time.monotonic()
        batch = read_chunk(chunk, self._bad_row)
        self.totals.rows += len(batch)
        if len(batch):
            # An impossible time must not make all connections idle.
            tomorrow = int((time.time() + 86_400) * 1_000_000)
            self.clock = max(self.clock, min(int(batch.ts.max()), tomorrow))
        for uid, rows in group(batch):
            self._keep(self.connections.feed(uid, rows, log.number, chunk.offset))

    def _enter(self, log: KnownLog, path: Path, head: Head) -> None:
        """A row of `inputs`: when the log is first read, so that none is missing, whatever happens to it."""
        log.entered = True
        first_row, ts = head.first_row(), first_ts(head)
        if ts is None or first_row in self._entered:
            return
        command = described("follow", self.options.settings)
        self._inputs.append(
            InputRecord(ts, log_name(path), None, first_row, None, __version__, command, now())
        )

    def _advance(self, log: KnownLog, offset: int, line: int) -> None:
        self.totals.log_bytes += offset - log.offset
        log.offset, log.line = offset, line

    def _is_level(self) -> None:
        """All logs have been read: only now may connections be closed as idle."""
        self.level = True
        for events in self.connections.expire(self.clock - int(self.options.idle_s * 1_000_000)):
            self._keep(events)
        if self._rebuilding:
            self._rebuilding = False
            self.connections.before.clear()
            self.dirty_since = self.dirty_since or time.monotonic()

    def _keep(self, events: list[Event]) -> None:
        if events:
            self.records.add(events)
            self.dirty_since = self.dirty_since or time.monotonic()

    def _bad_row(self, error: LogError) -> None:
        self.totals.problems += 1
        self.failed = True
        self.problems.bad_row(error)

    # -- what goes into a commit -----------------------------------------------------------------------

    def take(self) -> list[tuple[str, pa.Table]]:
        """The rows that were collected, as tables; they are forgotten here, and count as written."""
        tables = self.records.take()
        self.totals += self.records.take_counts()
        late, self.connections.late_rows = self.connections.late_rows, 0
        self.totals.late_rows += late
        if late:
            reports.warning("skipped late or duplicate rows", rows=late)
        if self._orphans:
            tables = [(name, without(rows, self._orphans.get(name, set()))) for name, rows in tables]
        if (inputs := table_of(self._inputs, self.options.settings)) is not None:
            tables.append(("inputs", inputs))
            self._inputs = []
        return tables

    def state(self, token: str, number: int) -> State:
        """Where the logs and the connections stand, which is true once all that was taken is written."""
        self._catalogue.forget(int(time.time()) - _GONE_S)
        return State(
            token=token,
            number=number,
            clock=self.clock,
            rebuilding=self._rebuilding,
            totals=replace(self.totals),
            next_log=self._catalogue.next_number,
            logs=[replace(log, seen=dict(log.seen)) for log in self._catalogue.files.values()],
            open=self.connections.checkpoints(),
            given_up=dict(self.connections.given_up),
        )


def _checkpoints(state: State) -> Iterator[ConnectionCheckpoint]:
    return (msgspec.json.decode(saved, type=ConnectionCheckpoint) for saved in state.open)


def _reported_before(_: LogError) -> None:
    """These rows were reported when they were first read."""


def day_of(ts: int) -> str:
    """The UTC day of a time in microseconds, as YYYY-MM-DD."""
    return time.strftime("%Y-%m-%d", time.gmtime(max(ts, 0) // 1_000_000))
