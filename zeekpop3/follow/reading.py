"""Logs → finished mails, sessions and commands: looks at what is there, and reads what is new.

Nothing is written here. What is collected in `records` and what `state` says belong together at any time
between two pieces of a log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.errors import LogError
from zeekpop3.follow import rebuild
from zeekpop3.follow.connections import Connections
from zeekpop3.follow.files import Catalogue, LogFile, Place
from zeekpop3.follow.notes import Notes
from zeekpop3.follow.options import Options
from zeekpop3.follow.state import State, Totals
from zeekpop3.follow.tail import Moved, Piece, pieces
from zeekpop3.log import group, read_chunk
from zeekpop3.pipeline import Records
from zeekpop3.session.dialogue import Event

if TYPE_CHECKING:
    import pyarrow as pa

_SETTLED_S = 30  # a log that has a successor, or is packed, and was not touched for so long has ended
_GONE_S = 30 * 86_400
DAY_US = 86_400_000_000
# A log that is renamed, packed or moved at this moment may be seen nowhere for a moment.
_PATIENT_LOOKS = 20
_LOOK_AGAIN_S = 0.1


class Reader:
    """Reads the logs in `folders`. `between` is called after each piece; False from it ends the round.

    `clock` is the newest row's time (microseconds), `dirty_since` when (monotonic) the first row was read
    that is not committed, `level` whether the last round read all that was there, `look_s` how long it took
    to see what is there.
    """

    def __init__(self, folders: Iterable[Path], options: Options, notes: Notes) -> None:
        self.folders = list(folders)
        self.options = options
        self.notes = notes
        self.totals = Totals()
        self.clock = 0
        self.level = False
        self.failed = False
        self.dirty_since: float | None = None
        self.look_s = 0.0
        self.records = Records(options.privacy, attachment_content=options.attachment_content)
        self.connections = Connections(options.max_message, options.max_memory // 2)
        self._catalogue = Catalogue()
        self._rebuilding = False
        self._orphans: set[tuple[str, int]] = set()
        self._later: dict[Path, float] = {}

    # -- beginning -------------------------------------------------------------------------------------

    def resume(self, state: State, out: Path) -> None:
        """Go on where a checkpoint stands. Raises LogError if a log that is needed cannot be read now."""
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
            damaged = self.connections.resume(state.open, lost | gone)
            again = self._replay()
            if looks and (damaged or again is not None):
                # It may just be on its way: renamed, packed or moved while this was looking.
                looks -= 1
                time.sleep(_LOOK_AGAIN_S)
                self._catalogue.look(self.folders, int(time.time()))
            elif again is None:
                for uid in damaged:
                    self.notes.warning("rows of an open connection are lost with their log", uid=uid)
                break
            else:
                lost.add(again)
            self._start_over()
        self.connections.late_rows = 0

    def _start_over(self) -> None:
        """Forget what a replay that failed half-way gave."""
        self.connections.open.clear()
        self.records.take()
        self.records.take_counts()

    def _gone(self, state: State) -> set[int]:
        """The logs that are no more."""
        needed = {number for place in state.open for number in place.logs}
        there = {log.number for log in self._catalogue.files.values() if log.gone_since is None}
        if not needed <= there:
            for folder in self.folders:
                if not folder.exists():
                    raise LogError(folder, "no such folder; open connections need a log that was there")
            for path, reason in self._catalogue.problems.items():
                if reason.startswith("cannot be read"):  # perhaps this one
                    raise LogError(path, f"{reason}; open connections need a log that was there")
        return set(range(1, self._catalogue.next_number)) - there

    def _read_tables(self, waiting: list[Place], out: Path) -> None:
        first = min((place.log.first for place in waiting), default=0)
        first_day = day_of(first - 2 * DAY_US) if first else ""
        self.connections.before = rebuild.written(out, first_day)
        self._orphans = rebuild.orphans(out, first_day, self.connections.before)
        self.notes.warning(
            "the tables hold rows that no state tells of: what is in them is not written again",
            connections=len(self.connections.before),
        )

    def _replay(self) -> int | None:
        """Read the rows of the open connections again; the number of the first log that could not be."""
        wanted: dict[int, int] = {}
        for connection in self.connections.open.values():
            for number, offset in connection.logs.items():
                wanted[number] = min(offset, wanted.get(number, offset))
        uids = set(self.connections.open)
        for log in sorted(self._catalogue.files.values(), key=lambda log: (log.first, log.number)):
            if log.number not in wanted:
                continue
            # From the first place that has all of it.
            at = wanted[log.number]
            for path in sorted(
                self._catalogue.paths.get(log.mark, ()), key=lambda path: path.suffix == ".gz"
            ):
                at = max(at, self._replay_log(log, path, at, uids))
                if at >= log.offset:
                    break
            if at < log.offset:
                return log.number
        return None

    def _replay_log(self, log: LogFile, path: Path, start: int, uids: set[str]) -> int:
        at = start
        try:
            for piece in pieces(log, path, (start, 0), log.offset, final=True, tell=_nobody):
                for chunk in piece.chunks:
                    batch = read_chunk(chunk, _nobody)
                    if uids.isdisjoint(batch.uids):
                        continue
                    for uid, rows in group(batch):
                        if uid in uids:
                            self._keep(self.connections.feed(uid, rows, log.number, chunk.offset))
                at = piece.offset
        except Moved:
            pass
        return at

    # -- a round ---------------------------------------------------------------------------------------

    def round(self, between: Callable[[], bool]) -> bool:
        """Look, and read what is new; True if there is more to read at once."""
        self.level = more = False
        now = time.time()
        began = time.monotonic()
        waiting = self._catalogue.look(self.folders, int(now))
        self.look_s = time.monotonic() - began
        problems = {str(path): reason for path, reason in self._catalogue.problems.items()}
        for folder in self.folders:
            if not folder.exists():
                problems[str(folder)] = "no such file or folder"
        newest = max((log.first for log in self._catalogue.files.values()), default=0)
        for place in waiting:
            log, path, size, mtime = place
            if self._later.get(path, 0.0) > time.monotonic():
                continue
            is_gzip = path.suffix == ".gz"
            final = now - mtime / 1e9 > _SETTLED_S and (log.first < newest or is_gzip)
            try:
                for piece in pieces(log, path, (log.offset, log.line), final=final, tell=self._bad):
                    self._take(log, piece)
                    if not between():
                        return False
            except Moved:
                self._catalogue.places.pop(path, None)
                more = True
                continue
            except LogError as error:
                problems[error.path] = error.reason
                self._later[path] = time.monotonic() + _SETTLED_S
                continue
            if is_gzip and not final:
                # Perhaps it is still being written; to look into it costs something.
                self._later[path] = time.monotonic() + _SETTLED_S
            elif final or is_gzip or log.offset >= size:
                log.seen[str(path)] = (size, mtime)
        self._later = {path: at for path, at in self._later.items() if at > time.monotonic()}
        self.failed |= self.notes.problems(problems)
        if not more:
            self._is_level()
        return more

    def _take(self, log: LogFile, piece: Piece) -> None:
        if self.dirty_since is None:
            self.dirty_since = time.monotonic()
        limit = int((time.time() + 86_400) * 1_000_000)
        for chunk in piece.chunks:
            batch = read_chunk(chunk, self._bad)
            self.totals.rows += len(batch)
            if len(batch):
                # A time that is beyond reason must not make all connections idle.
                self.clock = max(self.clock, min(int(batch.ts.max()), limit))
            for uid, rows in group(batch):
                self._keep(self.connections.feed(uid, rows, log.number, chunk.offset))
        self.totals.log_bytes += piece.size
        log.offset, log.line = piece.offset, piece.line

    def _is_level(self) -> None:
        """All that is there has been read: only now may connections be given up."""
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

    def _bad(self, error: LogError) -> None:
        self.totals.problems += 1
        self.failed = True
        self.notes.bad(error)

    # -- what goes into a commit -----------------------------------------------------------------------

    def take(self) -> list[tuple[str, pa.Table]]:
        """The rows that were collected, as tables; they are forgotten here, and count as done."""
        tables = self.records.take()
        counts = self.records.take_counts()
        for name in ("mails", "incomplete", "attachments", "sessions", "commands", "mail_bytes"):
            setattr(self.totals, name, getattr(self.totals, name) + getattr(counts, name))
        late, self.connections.late_rows = self.connections.late_rows, 0
        self.totals.late_rows += late
        if late:
            self.notes.warning("rows came too late, or twice: left out", rows=late)
        if self._orphans:
            tables = [(n, rebuild.without(t, self._orphans) if n == "attachments" else t) for n, t in tables]
        return tables

    def state(self, token: str, number: int) -> State:
        """Where the logs and the connections stand; true once all that was taken is written."""
        places = self.connections.places()
        needed = {number for place in places for number in place.logs}
        self._catalogue.forget(int(time.time()) - _GONE_S, needed)
        return State(
            token=token,
            number=number,
            clock=self.clock,
            rebuilding=self._rebuilding,
            totals=replace(self.totals),
            next_log=self._catalogue.next_number,
            logs=[replace(log, seen=dict(log.seen)) for log in self._catalogue.files.values()],
            open=places,
            given_up=dict(self.connections.given_up),
        )


def _nobody(_: LogError) -> None:
    """What is wrong with these rows was told when they were first read."""


def day_of(ts: int) -> str:
    """The UTC day of a time in microseconds, as YYYY-MM-DD."""
    return time.strftime("%Y-%m-%d", time.gmtime(max(ts, 0) // 1_000_000))
