"""Existing logs → the tables, on any number of cores, always with the same rows in the same parts.

The logs are cut into tasks of some megabytes. A task reads the connections that begin in it. A connection
that is still open at the end of its task returns as a state machine and continues in `OpenConnections` with
the rows of later tasks; what it finishes there is written by tasks of its own. Small tables return too, and
those of several tasks become one part. So memory depends on the size of a task and on the open connections,
not on the logs.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from zeekpop3.errors import LogError, OutputError, ZeekPop3Error
from zeekpop3.log.batch import read_chunk
from zeekpop3.log.chunks import Chunk, OnError, chunks
from zeekpop3.log.find import find_logs
from zeekpop3.pipeline.connections import OpenConnections
from zeekpop3.pipeline.records import Inputs, Origin
from zeekpop3.pipeline.settings import Counters, Settings
from zeekpop3.pipeline.tasks import (
    SmallTables,
    Task,
    TaskResult,
    TaskSettings,
    executor,
    no_collector,
    perform,
)
from zeekpop3.session.events import Event
from zeekpop3.store.parquet import PartWriter
from zeekpop3.store.write import Mode, TableWriter, check_mode

TASK_BYTES = 16 << 20  # of log
EVENTS_BYTES = 12 << 20  # of mail, about as much as a task of log holds
SMALL_BYTES = 2 << 20  # smaller tables of several tasks share a part
_EVENT_BYTES = 500  # of an event without its mail
_BYTES_PER_JOB = 48 << 20

Progress = Callable[[int, int, int], None]
"""Called with the bytes of log done, the bytes of all logs, and the number of mails so far."""


@no_collector()
def run(
    logs: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    mode: Mode = "new",
    force: bool = False,
    settings: Settings | None = None,
    jobs: int | None = None,
    on_error: OnError | None = None,
    progress: Progress | None = None,
    command: str = "run",
    origins: Mapping[Path, Origin] | None = None,
) -> Counters:
    """Read event logs and write the tables to the folder `out`.

    `logs`: files, folders or globs. `mode`: "new" (refuses a folder that has tables), "append" or
    "overwrite". A log whose connections are in the tables is appended only with `force`. `jobs`: number of
    processes; None for as many as there are cores and work. Input that cannot be read is reported to
    `on_error` (default: a warning of the logger "zeekpop3") and counted in `problems`; the rest is used.
    `command` and `origins` are what the table `inputs` says of it, and of logs that came from elsewhere.
    Raises LogError if there is nothing to read, OutputError if `out` cannot be used, or contains a log that
    would be appended, UsageError for an unknown mode, and ZeekPop3Error if a worker process is killed.
    """
    check_mode(mode)
    paths = find_logs(logs)
    if mode == "append" and not force:
        check_not_loaded(paths, Path(out))
    total = sum(path.stat().st_size for path in paths if path.exists())
    counts = Counters(logs=len(paths))
    tell = counts.counting(on_error)
    if jobs is None:
        jobs = min(_cores(), total // _BYTES_PER_JOB)
    workers = max(1, jobs)
    settings = settings or Settings()
    inputs = Inputs(command, settings, origins)
    with TableWriter(out, mode) as writer:
        shared = TaskSettings(PartWriter(writer.root), settings, SMALL_BYTES)
        with _ended_workers_named(out), executor(workers) as pool:
            work = _Work(pool, shared, 2 * workers, counts, tell, inputs)
            for task_chunks in _chunks_of_tasks(paths, tell, counts, inputs, send=workers > 1):
                work.read(task_chunks)
                if progress is not None:
                    progress(min(counts.log_bytes, total), total, counts.mails)
            work.finish()
        if progress is not None:
            progress(total, total, counts.mails)
    return counts


@contextmanager
def _ended_workers_named(out: str | Path) -> Iterator[None]:
    """A process that is gone becomes an error of one line, with the likely causes."""
    try:
        yield
    except BrokenExecutor as error:
        raise ZeekPop3Error(
            f"{out}: not complete: a worker process was killed. If memory ran out, use fewer processes "
            '(--jobs); a script must call run() below `if __name__ == "__main__":`'
        ) from error


def _cores() -> int:
    """The cores that this process may use; all cores where the system does not say (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _chunks_of_tasks(
    paths: list[Path], tell: OnError, counts: Counters, inputs: Inputs, *, send: bool
) -> Iterator[list[Chunk]]:
    """The chunks of all logs, several small ones together; to `send` them, without their bytes."""
    waiting: list[Chunk] = []
    size = 0
    for path in paths:
        log, done = inputs.name_of(path), partial(inputs.add_log, path)
        for chunk in chunks(path, size=TASK_BYTES, on_error=tell, done=done):
            if waiting and size + chunk.size > TASK_BYTES:
                yield waiting
                waiting, size = [], 0
            waiting.append(replace(chunk.without_data() if send else chunk, log=log))
            size += chunk.size
            counts.log_bytes += chunk.size
    if waiting:
        yield waiting


class _Work:
    """Submits tasks, at most `ahead` at a time, and takes their results in the order of submission."""

    def __init__(
        self,
        pool: Executor,
        shared: TaskSettings,
        ahead: int,
        counts: Counters,
        tell: OnError,
        inputs: Inputs,
    ) -> None:
        self._pool, self._shared, self._ahead = pool, shared, ahead
        self._counts, self._tell, self._inputs = counts, tell, inputs
        self._connections = OpenConnections(shared.settings.max_message)
        self._running: deque[Future[TaskResult]] = deque()
        self._events: list[Event] = []
        self._events_bytes = 0
        # Tasks that read have even numbers, tasks that write events odd ones, and each kind has its own small
        # tables: so parts do not depend on the number of workers.
        self._read_numbers = itertools.count(0, 2)
        self._write_numbers = itertools.count(1, 2)
        self._small = (SmallTables(shared.writer), SmallTables(shared.writer))

    def read(self, task_chunks: list[Chunk]) -> None:
        """Have chunks of logs read."""
        self._submit(Task(next(self._read_numbers), chunks=task_chunks))
        self._collect(self._ahead)

    def finish(self) -> None:
        """Wait for all tasks, then end the connections that are still open, and write the rest."""
        self._collect(0)
        for events in self._connections.finish():
            self._keep(events)
        self._collect(0)
        if self._events:  # here: sending them to a worker takes longer
            self._take(perform(self._events_task(), self._shared))
        for tables in self._small:
            self._counts.parts += tables.write()
        if (table := self._inputs.table()) is not None:
            self._counts.parts += len(self._shared.writer.write("inputs", table, 0))

    def _submit(self, task: Task) -> None:
        self._running.append(self._pool.submit(perform, task, self._shared))

    def _collect(self, leave: int) -> None:
        while len(self._running) > leave:
            self._take(self._running.popleft().result())

    def _take(self, result: TaskResult) -> None:
        self._counts += result.counts
        self._counts.parts += self._small[result.number % 2].add(result.number, result.small)
        for path, count in result.rows:
            self._inputs.rows[path] += count
        for error in result.errors:
            self._tell(error)
        for connection in result.open:
            self._connections.adopt(connection)
        for uid, parts in result.later:
            for rows in parts:
                self._keep(self._connections.feed(uid, rows))

    def _keep(self, events: list[Event]) -> None:
        self._events += events
        self._events_bytes += sum(_EVENT_BYTES + len(getattr(event, "raw", b"")) for event in events)
        if self._events_bytes >= EVENTS_BYTES:
            self._submit(self._events_task())

    def _events_task(self) -> Task:
        task = Task(next(self._write_numbers), events=self._events)
        self._events, self._events_bytes = [], 0
        return task


# -- whether tables already contain a log ------------------------------------------------------------


_LOOKED_AT = 16 << 20  # bytes of each log, from its first row


def check_not_loaded(logs: Iterable[Path], out: Path) -> None:
    """Raise OutputError for the first log of which `out` contains a connection that begins in the log.

    So a log is recognised that was renamed, moved or compressed. A connection that began in an earlier log
    does not count: rotated logs share connections.
    """
    from zeekpop3.store.read import uids_present  # pyarrow.dataset, which a run does not need otherwise

    for log in logs:
        begins = _beginning(log)
        if known := uids_present(out, "sessions", begins, at=begins.values()):
            raise OutputError(
                f"{log}: {out} already contains this log (connection {min(known)}); use --force to add it "
                "again"
            )


def _beginning(log: Path) -> dict[str, int]:
    """The connections that begin near the start of a log: uid → time of the first row (microseconds)."""

    def ignore(error: LogError) -> None:
        """The run itself reports what cannot be read."""

    chunk = next(chunks(log, size=_LOOKED_AT, on_error=ignore), None)
    if chunk is None:
        return {}
    batch = read_chunk(chunk, ignore)
    first = batch.seq == 0
    uids = [batch.uids[code] for code in batch.uid_code[first]]
    return dict(zip(uids, batch.ts[first].tolist(), strict=True))
