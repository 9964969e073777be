"""Logs as they grow → the four tables, each row once, whenever the process is killed.

A round looks at what is there, reads what is new, and gives it to the connections' machines; a commit stages
what they finished, writes the checkpoint, and publishes. Nothing else is ever written.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from zeekpop3.errors import LogError, OutputError
from zeekpop3.follow import rebuild
from zeekpop3.follow.compact import merge
from zeekpop3.follow.connections import Connections
from zeekpop3.follow.files import Catalogue, LogFile
from zeekpop3.follow.metrics import Gauges
from zeekpop3.follow.metrics import write as write_metrics
from zeekpop3.follow.notes import Notes
from zeekpop3.follow.options import Options, Tell
from zeekpop3.follow.parts import Output
from zeekpop3.follow.state import Damaged, State, Swap, Totals, load, save
from zeekpop3.follow.tail import Moved, Piece, pieces
from zeekpop3.follow.wake import Waker
from zeekpop3.log import group, read_chunk
from zeekpop3.pipeline import Records
from zeekpop3.session.dialogue import Event

if TYPE_CHECKING:
    import pyarrow as pa

_RECORD_BYTES = 32 << 20
_SETTLED_S = 30  # a log that has a successor, or is compressed, and was not touched for so long has ended
_GONE_S = 30 * 86_400
_COMPACT_S = 600.0
_METRICS_S = 10.0
_DAY_US = 86_400_000_000
_LONGEST_PAUSE_S = 60.0


class Follower:
    """Follows the event logs in folders, and writes the tables to `out`; a context manager.

    `run` goes on until `stop` is called (from a signal handler or a thread), `once` reads what is there.
    `tell` gets a `Note` for each thing worth saying. Opening raises OutputError where `out` cannot be used or
    another follower has it.
    """

    def __init__(
        self,
        logs: Iterable[str | Path],
        out: str | Path,
        *,
        options: Options | None = None,
        tell: Tell | None = None,
    ) -> None:
        self.folders = [Path(folder) for folder in logs]
        self.options = options or Options()
        self.notes = Notes(tell)
        self.out = Path(out)
        self.totals = Totals()
        self.clock = 0
        self.failed = False
        self._stop = self._flush = False
        self._output = Output(self.out)
        self._catalogue = Catalogue()
        self._connections = Connections(self.options.max_message, self.options.max_memory // 2)
        self._records = Records(self.options.privacy, attachment_content=self.options.attachment_content)
        self._record_bytes = min(_RECORD_BYTES, self.options.max_memory // 8)
        self._orphans: set[tuple[str, int]] = set()
        self._rebuilding = False
        self._taken: tuple[list[tuple[str, pa.Table]], State] | None = None
        self._unsettled = False
        self._dirty_since: float | None = None
        self._level_at = time.monotonic()
        self._is_level = False
        self._later: dict[int, float] = {}
        self._merging: Iterator[Swap] | None = None
        self._merged_at: float | None = None
        self._metrics_at = 0.0
        self._committed_at = time.time()
        try:
            self._saved = self._open()
            self._number = self._saved.number
        except BaseException:
            self._output.close()
            raise

    # -- from outside ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the output; what is not committed is read again by the next follower."""
        self._output.close()

    def stop(self) -> None:
        """Have `run` commit and return, soon. Safe in a signal handler."""
        self._stop = True

    def flush(self) -> None:
        """Have `run` commit now. Safe in a signal handler."""
        self._flush = True

    def once(self) -> Totals:
        """Read what is there, commit, merge the parts of days that are over; returns the totals.

        Connections that are still open stay so, for the next time. Raises OutputError, OSError.
        """
        while not self._stop and self._round():
            pass
        self._commit_all()
        self._merged_at = None
        while self._merge():
            pass
        self._tell_metrics()
        return self.totals

    def run(self) -> bool:
        """Follow until told to stop; False if the last rows could not be written (they are read again)."""
        waker = Waker(self.folders, poll=self.options.poll)
        self.notes.info(
            "following",
            logs=", ".join(map(str, self.folders)),
            out=str(self.out),
            watching="yes" if waker.watching else "by looking",
        )
        pause = 0.0
        try:
            while not self._stop:
                try:
                    self._finish_commit()
                    more = self._round()
                    if self._due():
                        self._commit_all()
                    elif not more:
                        self._merge()
                    self._said_output(None)
                    pause = 0.0
                except (OSError, OutputError) as error:
                    self._said_output(error)
                    pause = min(max(1.0, 2 * pause), _LONGEST_PAUSE_S)
                    more = False
                if time.monotonic() - self._metrics_at > _METRICS_S:
                    self._tell_metrics()
                if not more:
                    self._rest(waker, pause)
            try:
                self._commit_all()
            except (OSError, OutputError) as error:
                self._said_output(error)
                return False
            return True
        finally:
            waker.close()
            self._tell_metrics()
            self.notes.info("ended", mails=self.totals.mails, open=len(self._connections.open))

    # -- beginning -------------------------------------------------------------------------------------

    def _open(self) -> State:
        from zeekpop3.sink import Sink, new_token

        try:
            state = self._load()
            sink = Sink(self.out, "append")
            fresh = state is None
            if state is None:
                token = f"follow-{new_token()}"
                state = State(token, rebuilding=rebuild.holds_rows(self.out))
            sink.close()
            self._output.sweep()
            self._output.home.joinpath("staged").mkdir(mode=0o700)
            self._resume(state)
            if fresh:
                save(state, self._output.state_path)
        except OSError as error:
            raise OutputError(f"{self.out}: cannot be used: {error.strerror or error}") from error
        return state

    def _load(self) -> State | None:
        """The state, with all done that it promises; None if there is none."""
        path = self._output.state_path
        try:
            state = load(path)
        except Damaged as error:
            self.notes.error(f"{path}: the state is damaged ({error}); it is rebuilt from tables and logs")
            path.replace(path.with_name("state.json.damaged"))
            self._output.publish_all()
            return None
        if state is not None:
            self._output.settle(state)
            state.publish, state.swaps = [], []
        return state

    def _resume(self, state: State) -> None:
        self.totals, self.clock = replace(state.totals), state.clock
        self._catalogue.files = {log.mark: replace(log) for log in state.logs}
        self._catalogue.next_number = state.next_log
        self._connections.given_up = dict(state.given_up)
        waiting = self._catalogue.look(self.folders, int(time.time()))
        self._rebuilding = state.rebuilding
        if state.rebuilding:
            self._read_tables(waiting)
        lost: set[int] = set()
        while state.open:
            damaged = self._connections.resume(state.open, lost | self._gone(state))
            again = self._replay()
            if not again:
                for uid in damaged:
                    self.notes.warning("rows of an open connection are lost with their log", uid=uid)
                break
            lost |= again
            self._connections.open.clear()
        self._connections.late_rows = 0

    def _gone(self, state: State) -> set[int]:
        """The logs that are no more. Raises LogError if one that is needed is there, but out of reach."""
        needed = {number for place in state.open for number in place.logs}
        for file in self._catalogue.files.values():
            if file.number in needed and file.gone_since is not None:
                if file.path in self._catalogue.problems:
                    raise LogError(file.path, self._catalogue.problems[file.path])
                for folder in self.folders:
                    if not folder.exists():
                        raise LogError(folder, "no such folder; open connections need a log of it")
        numbers = {file.number for file in self._catalogue.files.values() if file.gone_since is None}
        return set(range(1, self._catalogue.next_number)) - numbers

    def _read_tables(self, waiting: list[LogFile]) -> None:
        first = min((file.first for file in waiting), default=0)
        first_day = _day(first - 2 * _DAY_US) if first else ""
        before = rebuild.written(self.out, first_day)
        self._orphans = rebuild.orphans(self.out, first_day, before)
        self._connections.before = before
        self.notes.warning(
            "the tables hold rows that no state tells of: what is in them is not written again",
            connections=len(before),
        )

    def _replay(self) -> set[int]:
        """Read the rows of the open connections again; returns the logs that could not be."""
        opened = self._connections.open
        wanted: dict[int, int] = {}
        for connection in opened.values():
            for number, offset in connection.logs.items():
                wanted[number] = min(offset, wanted.get(number, offset))
        files = sorted(self._catalogue.files.values(), key=lambda file: (file.first, file.number))
        uids = set(opened)
        for file in files:
            if file.number not in wanted:
                continue
            start, at = wanted[file.number], wanted[file.number]
            try:
                for piece in pieces(file, (start, 0), file.offset, final=True, tell=_nobody):
                    for chunk in piece.chunks:
                        batch = read_chunk(chunk, _nobody)
                        if uids.isdisjoint(batch.uids):
                            continue
                        for uid, rows in group(batch):
                            if uid in uids:
                                events = self._connections.feed(uid, rows, file.number, chunk.offset)
                                self._keep(events)
                    at = piece.offset
            except Moved:
                at = -1
            if at < file.offset:
                return {file.number}
        return set()

    # -- a round ---------------------------------------------------------------------------------------

    def _round(self) -> bool:
        """Look, and read what is new; True if there is more to read at once."""
        now = time.time()
        waiting = self._catalogue.look(self.folders, int(now))
        problems = {str(path): reason for path, reason in self._catalogue.problems.items()}
        for folder in self.folders:
            if not folder.exists():
                problems[str(folder)] = "no such file or folder"
        self._is_level = more = False
        newest = max((file.first for file in self._catalogue.files.values()), default=0)
        for file in waiting:
            if self._stop:
                return False
            if self._later.get(file.number, 0.0) > time.monotonic():
                continue
            size, mtime = self._catalogue.places[file.path][0][2:]
            settled = now - mtime / 1e9 > _SETTLED_S
            final = settled and (file.first < newest or file.path.suffix == ".gz")
            try:
                more |= not self._read(file, final)
            except Moved:
                self._catalogue.places.pop(file.path, None)
                more = True
                continue
            except LogError as error:
                problems[error.path] = error.reason
                self._later[file.number] = time.monotonic() + _SETTLED_S
                continue
            if file.path.suffix == ".gz" and not final:
                # Perhaps it is still being written; to look into it costs something.
                self._later[file.number] = time.monotonic() + _SETTLED_S
            elif final or file.path.suffix == ".gz" or file.offset >= size:
                file.seen = (size, mtime)
        self.failed |= self.notes.problems(problems)
        if not more:
            self._level()
        return more

    def _read(self, file: LogFile, final: bool) -> bool:
        """Read what is new in a log; False if something else came first."""
        for piece in pieces(file, (file.offset, file.line), final=final, tell=self._bad):
            self._take(file, piece)
            if self._due():
                self._commit()
            if self._stop:
                return False
        return True

    def _take(self, file: LogFile, piece: Piece) -> None:
        if self._dirty_since is None:
            self._dirty_since = time.monotonic()
        limit = int((time.time() + 86_400) * 1_000_000)
        for chunk in piece.chunks:
            batch = read_chunk(chunk, self._bad)
            self.totals.rows += len(batch)
            if len(batch):
                # A time that is beyond reason must not make all connections idle.
                self.clock = max(self.clock, min(int(batch.ts.max()), limit))
            for uid, rows in group(batch):
                self._records.add(self._connections.feed(uid, rows, file.number, chunk.offset))
        self.totals.log_bytes += piece.size
        file.offset, file.line = piece.offset, piece.line

    def _level(self) -> None:
        """All that is there has been read: only now may connections be given up."""
        self._is_level = True
        for events in self._connections.expire(self.clock - int(self.options.idle_s * 1_000_000)):
            self._keep(events)
        if self._rebuilding:
            self._rebuilding = False
            self._connections.before.clear()
            self._dirty_since = self._dirty_since or time.monotonic()
        if self._dirty_since is None:
            self._level_at = time.monotonic()

    def _keep(self, events: list[Event]) -> None:
        if events:
            self._records.add(events)
            self._dirty_since = self._dirty_since or time.monotonic()

    def _bad(self, error: LogError) -> None:
        self.totals.problems += 1
        self.failed = True
        self.notes.bad(error)

    def _rest(self, waker: Waker, pause: float) -> None:
        """Wait for something to do; `pause`: after an error, so long at least."""
        began = time.monotonic()
        waker_s = pause or self.options.interval_s
        if not pause and self._dirty_since is not None:
            waker_s = min(waker_s, max(0.05, self._dirty_since + self.options.flush_s - began))
        while not self._stop and not self._flush:
            left = began + waker_s - time.monotonic()
            if left <= 0:
                return
            woken = waker.wait(min(left, 0.5))
            if woken and not pause:
                break
        # A log that grows all the time is read a few times a second, not with every row.
        if not self._stop:
            time.sleep(min(0.2, self.options.flush_s / 10))

    # -- a commit --------------------------------------------------------------------------------------

    def _due(self) -> bool:
        if self._flush:
            return True
        if self._dirty_since is None:
            return False
        waited = time.monotonic() - self._dirty_since
        return waited >= self.options.flush_s or self._records.nbytes >= self._record_bytes

    def _commit_all(self) -> None:
        self._finish_commit()
        self._flush = False
        if self._dirty_since is not None:
            self._commit()

    def _commit(self) -> None:
        """Stage, write the checkpoint, publish. Raises OutputError or OSError: it goes on later."""
        self._finish_commit()
        tables = self._records.take()
        counts = self._records.take_counts()
        for name in ("mails", "incomplete", "attachments", "sessions", "commands", "mail_bytes"):
            setattr(self.totals, name, getattr(self.totals, name) + getattr(counts, name))
        self.totals.late_rows += self._connections.late_rows
        if self._connections.late_rows:
            self.notes.warning("rows came too late, or twice: left out", rows=self._connections.late_rows)
            self._connections.late_rows = 0
        if self._orphans:
            tables = [(n, rebuild.without(t, self._orphans) if n == "attachments" else t) for n, t in tables]
        self._number += 1
        self._taken = (tables, self._snapshot())
        self._finish_commit()

    def _snapshot(self) -> State:
        places = self._connections.places()
        needed = {number for place in places for number in place.logs}
        self._catalogue.forget(int(time.time()) - _GONE_S, needed)
        return State(
            token=self._saved.token,
            number=self._number,
            clock=self.clock,
            rebuilding=self._rebuilding,
            totals=replace(self.totals),
            next_log=self._catalogue.next_number,
            logs=[replace(file) for file in self._catalogue.files.values()],
            open=places,
            given_up=dict(self._connections.given_up),
        )

    def _finish_commit(self) -> None:
        """Do what is left of a commit that failed half-way; nothing, mostly."""
        if self._taken is None and not self._unsettled:
            return
        self._output.check()
        if self._unsettled:
            self._output.settle(self._saved)
            self._unsettled = False
        if self._taken is None:
            return
        tables, state = self._taken
        state.publish = self._output.stage(tables, state.token, state.number)
        state.totals.parts = self.totals.parts + len(state.publish)
        save(state, self._output.state_path)
        self.totals.parts = state.totals.parts
        self._saved, self._taken, self._unsettled = state, None, True
        self._output.settle(state)
        self._unsettled = False
        self._dirty_since = None
        self._committed_at = time.time()
        rows = {name: table.num_rows for name, table in tables if table.num_rows}
        if rows:
            self.notes.info("written", **rows, open=len(state.open), behind=round(self.lag_s, 1))
        if self._is_level:
            self._level_at = time.monotonic()
        self._tell_metrics()

    def _merge(self) -> bool:
        """Merge the parts of one day of one table, if it is time; True if there may be more."""
        now = time.monotonic()
        if self._merging is None:
            if self._merged_at is not None and now - self._merged_at < _COMPACT_S:
                return False
            self._merged_at = now
            self._number += 1
            stem = f"part-{self._saved.token}-m{self._number:06d}"
            self._merging = merge(self._output, _day(self.clock), stem, "part-follow-")
        try:
            swap = next(self._merging, None)
        except (OSError, OutputError):
            self._merging = None
            raise
        if swap is None:
            self._merging = None
            return False
        self._output.check()
        state = replace(self._saved, publish=[], swaps=[swap], number=self._number)
        save(state, self._output.state_path)
        self._saved, self._unsettled = state, True
        self._output.settle(state)
        self._unsettled = False
        self.notes.info("merged", folder=swap.folder, parts=len(swap.replaces), into=len(swap.parts))
        return True

    # -- telling ---------------------------------------------------------------------------------------

    @property
    def lag_s(self) -> float:
        """Seconds since the tables were last level with the logs."""
        return time.monotonic() - self._level_at if self._dirty_since is not None else 0.0

    def _said_output(self, error: OSError | OutputError | None) -> None:
        reason = None
        if error is not None:
            reason = (
                str(error) if isinstance(error, OutputError) else f"{self.out}: {error.strerror or error}"
            )
        self.notes.output(reason)

    def _tell_metrics(self) -> None:
        self._metrics_at = time.monotonic()
        if self.options.metrics is None:
            return
        gauges = Gauges(
            self.lag_s,
            len(self._connections.open),
            self._connections.held_bytes,
            self._committed_at,
            int(self.notes.healthy),
        )
        try:
            write_metrics(self.options.metrics, self._saved.totals, gauges)
        except OSError as error:
            self.notes.problem_once(
                str(self.options.metrics), f"cannot be written: {error.strerror or error}"
            )


def _nobody(_: LogError) -> None:
    """What is wrong with these rows was told when they were first read."""


def _day(ts: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(max(ts, 0) // 1_000_000))
