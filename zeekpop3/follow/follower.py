"""The loop: a round of reading, a commit when it is due, a rest. A kill at any time loses nothing.

A commit stages the rows, writes the checkpoint, and publishes. Nothing else is ever written.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from zeekpop3.errors import LogError, OutputError, QueryError, ZeekPop3Error, reason
from zeekpop3.follow import reports
from zeekpop3.follow.catalogue import Watcher
from zeekpop3.follow.output import Output
from zeekpop3.follow.reading import Reader, day_of
from zeekpop3.follow.reports import END_S, OnHit, hits_of
from zeekpop3.follow.state import DamagedStateError, Options, State, holds_rows, load, save
from zeekpop3.log.find import each_path
from zeekpop3.pipeline.settings import Counters
from zeekpop3.store.maintenance import Swap, last_day, merge, prune
from zeekpop3.store.parquet import new_token
from zeekpop3.store.write import TableWriter

if TYPE_CHECKING:
    import pyarrow as pa

_RECORD_BYTES = 16 << 20
_METRICS_S = 10.0
_LONGEST_PAUSE_S = 60.0
_HIT_FIELDS = (
    "indicator", "type", "field", "value", "mail", "user", "id_orig_h", "from_address", "subject", "uid",
    "trans_depth",
)  # fmt: skip


class _Abandoned(BaseException):
    """Reading ends at once. Not an Exception, so that no other handler catches it."""


def is_transient(error: ZeekPop3Error) -> bool:
    """Whether opening a follower may succeed later: the disk was full, or a log out of reach.

    Another follower, or tables of another version, are not transient.
    """
    return isinstance(error, LogError) or isinstance(error.__cause__, OSError)


class Follower:
    """Follows the event logs in folders, and writes the tables to `out`; a context manager.

    `run` returns after `stop` was called (from a signal handler or a thread), `once` reads what is there.
    Opening raises OutputError if `out` cannot be used or another follower has it, LogError if a log that
    open connections need cannot be read at present.
    """

    def __init__(
        self, logs: str | Path | Iterable[str | Path], out: str | Path, *, options: Options | None = None
    ) -> None:
        self.out = Path(out)
        self.options = options or Options()
        self.problems = reports.ProblemLog()
        self._reader = Reader([Path(folder) for folder in each_path(logs)], self.options, self.problems)
        self._record_bytes = min(_RECORD_BYTES, self.options.max_memory // 8)
        self._stop = self._flush = self._reading = False
        self.abandoned = False
        self._taken: tuple[list[tuple[str, pa.Table]], State] | None = None
        self._level_at = time.monotonic()
        self._merging: Iterator[Swap] | None = None
        self._merged_at: float | None = None
        self._merged: dict[Path, int] = {}
        self._metrics_at = 0.0
        self._pruned_on: dt.date | None = None
        self._committed_at = time.time()
        self._output = Output(self.out)
        try:
            self._saved = self._open()
        except BaseException:
            self._output.close()
            raise
        self._number = self._saved.number
        self._on_hit = OnHit(self.options.on_hit) if self.options.on_hit else None

    # -- from outside ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the output; what is not committed is read again by the next follower."""
        self._output.close()
        if self._on_hit is not None:
            self._on_hit.close(1.0 if self._stop else END_S)
            self._on_hit = None

    def stop(self) -> None:
        """Have `run` commit and return, soon. Safe in a signal handler."""
        self._stop = True

    def abandon(self) -> None:
        """Have `run` or `once` end at once if it reads, even in the middle of a mail. What was read since the
        last commit is not written; the next follower reads it again. Only in a signal handler, after `stop`.
        """
        if self._reading:
            self._reading = False
            raise _Abandoned

    def flush(self) -> None:
        """Have `run` commit now. Safe in a signal handler."""
        self._flush = True

    @property
    def totals(self) -> Counters:
        """What was written since the first start."""
        return self._saved.totals

    @property
    def failed(self) -> bool:
        """Whether something in the logs could not be used."""
        return self._reader.failed

    def once(self) -> Counters:
        """Read what is there, commit, merge the parts of days that are over; returns the totals.

        Connections that are still open stay open, for the next time. Raises OutputError, OSError.
        """
        try:
            while not self._stop and self._read():
                pass
        except _Abandoned:
            self._say_abandoned()
            return self.totals
        self._commit()
        self._merged_at = None
        while not self._stop and self._merge():
            pass
        self._prune()
        self._write_metrics()
        return self.totals

    def run(self) -> bool:
        """Follow until stopped; False if the last rows were not written (they are read again)."""
        folders = self._reader.folders
        watcher = Watcher(folders, poll=self.options.poll)
        how = "changes" if watcher.watching else "polling"
        reports.info("following", logs=", ".join(map(str, folders)), out=str(self.out), by=how)
        pause = 0.0
        try:
            while not self._stop:
                pause, more = self._turn(pause)
                if time.monotonic() - self._metrics_at > _METRICS_S:
                    self._write_metrics()
                if not more:
                    self._rest(watcher, pause)
            try:
                self._commit()
            except (OSError, OutputError) as error:
                self.problems.output(self._reason(error))
                return False
            return True
        except _Abandoned:
            self._say_abandoned()
            return False
        finally:
            watcher.close()
            self._write_metrics()
            reports.info("ended", mails=self.totals.mails, open=len(self._reader.connections.open))

    # -- start -----------------------------------------------------------------------------------------

    def _open(self) -> State:
        try:
            TableWriter(self.out, "append").close()  # completes an interrupted overwrite, checks versions
            state = self._load()
            fresh = state is None
            if state is None:
                state = State(f"follow-{new_token()}", rebuilding=holds_rows(self.out))
            self._output.sweep()
            self._reader.resume(state, self.out)
            if fresh:
                save(state, self._output.state_path)
        except OSError as error:
            raise OutputError(f"{self.out}: cannot be used: {reason(error)}") from error
        return state

    def _load(self) -> State | None:
        """The state, after everything it names was published; None without a state."""
        path = self._output.state_path
        try:
            state = load(path)
        except DamagedStateError as error:
            reports.logger.error(
                "%s: damaged state (%s); it will be rebuilt from tables and logs", path, error
            )
            path.replace(path.with_name("state.json.damaged"))
            self._output.publish_all()
            return None
        if state is not None:
            self._output.settle(state)
        return state

    # -- the loop --------------------------------------------------------------------------------------

    def _turn(self, pause: float) -> tuple[float, bool]:
        """Read, and write what is due; how long to pause after an error, and whether there is more to do."""
        try:
            self._finish_commit()
            more = self._read()
            if self._due():
                self._commit()
            elif not more and not self._stop:
                self._prune()
                more = self._merge()
        except (OSError, OutputError) as error:
            self.problems.output(self._reason(error))
            return min(max(1.0, 2 * pause), _LONGEST_PAUSE_S), False
        self.problems.output(None)
        if self._reader.level and self._reader.dirty_since is None:
            self._level_at = time.monotonic()
        return 0.0, more

    def _read(self) -> bool:
        """A round of reading, which may be abandoned; True if there is more to read at once."""
        self._reading = True
        try:
            return self._reader.round(self._between)
        finally:
            self._reading = False

    def _between(self) -> bool:
        if self._due():
            self._reading = False
            self._commit()
            self._reading = True
        return not self._stop

    def _say_abandoned(self) -> None:
        self.abandoned = True
        reports.warning("stopped while reading: what was not written is read again at the next start")

    def _rest(self, watcher: Watcher, pause: float) -> None:
        """Wait for something to do; `pause` is the least time to wait, after an error."""
        began = time.monotonic()
        # With very many logs a look takes a while: it must not take all the time.
        seconds = pause or max(self.options.interval_s, 20 * self._reader.look_s)
        dirty = self._reader.dirty_since
        if not pause and dirty is not None:
            seconds = min(seconds, max(0.05, dirty + self.options.flush_s - began))
        while not self._stop and not self._flush:
            left = began + seconds - time.monotonic()
            if left <= 0:
                return
            # In slices: a signal handler must not touch what this waits for.
            if watcher.wait(min(left, 0.5)) and not pause:
                break
        # A log that grows all the time is read a few times a second, not with every row.
        if not self._stop:
            time.sleep(min(0.2, self.options.flush_s / 10))

    def _reason(self, error: OSError | OutputError) -> str:
        return str(error) if isinstance(error, OutputError) else f"{self.out}: {reason(error)}"

    # -- a commit --------------------------------------------------------------------------------------

    def _due(self) -> bool:
        if self._flush:
            return True
        if self._reader.dirty_since is None:
            return False
        waited = time.monotonic() - self._reader.dirty_since
        return waited >= self.options.flush_s or self._reader.records.nbytes >= self._record_bytes

    def _commit(self) -> None:
        """Stage what is new, write the checkpoint, publish.

        Raises OutputError or OSError; it is completed later.
        """
        self._finish_commit()
        self._flush = False
        if self._reader.dirty_since is None:
            return
        self._number += 1
        tables = self._reader.take()
        if self.options.matcher is not None and tables:
            hits = self.options.matcher(dict(tables))
            tables += [("hits", hits)] if hits.num_rows else []
            self._reader.totals.hits += hits.num_rows
        self._taken = (tables, self._reader.state(self._saved.token, self._number))
        self._finish_commit()

    def _finish_commit(self) -> None:
        """Do what is left of a commit that failed half-way; usually nothing."""
        if not (self._taken or self._saved.publish or self._saved.swaps):
            return
        self._output.check()
        self._output.settle(self._saved)
        if self._taken is None:
            return
        tables, state = self._taken
        state.publish = self._output.stage(tables, state.token, state.number)
        state.totals.parts = self._saved.totals.parts + len(state.publish)
        save(state, self._output.state_path)
        self._reader.totals.parts = state.totals.parts
        self._reader.dirty_since = None
        self._saved, self._taken = state, None
        self._output.settle(state)
        rows = {name: table.num_rows for name, table in tables}
        if rows:
            behind = round(time.monotonic() - self._level_at, 1)
            reports.info("written", **rows, open=len(state.open), behind=behind)
        found = hits_of(dict(tables))
        for hit in found:
            reports.warning("hit", **{name: hit[name] for name in _HIT_FIELDS})
        if self._on_hit is not None and found:
            self._on_hit(found)
        if self._reader.level:
            self._level_at = time.monotonic()
        self._committed_at = time.time()
        self._write_metrics()

    def _merge(self) -> bool:
        """Merge the parts of one day of one table, if it is time; True if there may be more."""
        now = time.monotonic()
        if self._merging is None:
            if self._merged_at is not None and now - self._merged_at < self.options.merge_s:
                return False
            self._merged_at = now
            self._number += 1
            self._merging = merge(
                self.out,
                self._output.merged,
                today=day_of(self._reader.clock),
                stem=f"part-{self._saved.token}-m{self._number:06d}",
                prefix="part-follow-",
                done=self._merged,
                part_bytes=self.options.part_bytes,
            )
        swap = next(self._merging, None)
        if swap is None:
            self._merging = None
            return False
        self._output.check()
        state = replace(self._saved, swaps=[swap], number=self._number)
        save(state, self._output.state_path)
        self._saved = state
        self._output.settle(state)
        reports.info("merged", folder=swap.folder, parts=len(swap.replaces), into=len(swap.parts))
        return True

    def _prune(self) -> None:
        """Remove old days, once for each day of the clock (UTC); nothing depends on it.

        The newest day of the tables counts, if no clock can have been wrong: see `last_day`.
        """
        today = dt.datetime.now(dt.UTC).date()
        if self.options.keep_days is None or self._pruned_on == today or self._merging is not None:
            return
        self._pruned_on = today
        try:
            newest = last_day(self.out, today)
            if newest is None:
                return
            old = prune(self.out, self.options.keep_days, dt.datetime.combine(newest, dt.time(), dt.UTC))
        except (QueryError, OutputError, OSError) as error:
            reports.warning(f"old days cannot be removed: {error}")
            return
        if old:
            reports.info("removed", days=len({folder.name for folder in old}), newest=str(newest))

    def _write_metrics(self) -> None:
        self._metrics_at = time.monotonic()
        if self.options.metrics is None:
            return
        connections = self._reader.connections
        behind = time.monotonic() - self._level_at if self._reader.dirty_since is not None else 0.0
        gauges = {
            "lag_seconds": behind,
            "open_connections": len(connections.open),
            "held_bytes": connections.held_bytes,
            "last_commit_seconds": self._committed_at,
            "healthy": int(self.problems.healthy),
        }
        try:
            reports.write_metrics(self.options.metrics, self.totals, gauges)
        except OutputError as error:
            self.problems.once(str(error))
