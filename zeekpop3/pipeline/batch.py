"""Logs that are there → the four tables, on any number of cores, with the same rows in the same parts.

The logs are cut into tasks of some megabytes. A connection that begins in a task is read there, as far as it
goes; if it is still open then (Zeek writes `close` seconds after the last packet), its state machine comes
back, and goes on in the one `Regrouper` with the rows that later tasks bring. What that finishes makes up
tasks of its own. Tables with few rows come back, too, and those of several tasks are written as one part. So
memory depends on the size of a task and on the connections that are open, not on the logs.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.errors import LogError
from zeekpop3.log import Chunk, chunks, find_logs, group, read_chunk
from zeekpop3.pipeline.process import (
    be_a_worker,
    between_tasks,
    keep_freed_memory,
    keep_to_itself,
    leave_pandas_out,
    no_collector,
    open_up,
)
from zeekpop3.pipeline.records import Records
from zeekpop3.pipeline.regroup import Regrouper
from zeekpop3.pipeline.summary import Summary
from zeekpop3.session import Connection, Rows
from zeekpop3.session.dialogue import Event
from zeekpop3.session.machine import MAX_MESSAGE
from zeekpop3.tables import Privacy

if TYPE_CHECKING:
    import pyarrow as pa

    from zeekpop3.store.sink import Mode, PartWriter

TASK_BYTES = 24 << 20
EVENTS_BYTES = 18 << 20  # of mail, as a task of log holds
SMALL_BYTES = 2 << 20
"""A table with less is not worth a part of its own: it waits for others, until they have `PART_BYTES`."""

PART_BYTES = 4 << 20
_EVENT_COST = 500
_BYTES_PER_JOB = 48 << 20

# What the processes of a run import.
_LOADED_ONCE = ["zeekpop3.pipeline", "zeekpop3.log.batch", "pyarrow.parquet"]

Progress = Callable[[int, int, int], None]
"""Called with bytes of log done, bytes in all, and mails found so far."""


@dataclass(frozen=True)
class _Settings:
    writer: PartWriter
    privacy: Privacy | None
    attachment_content: bool
    max_message: int
    small_bytes: int


@dataclass
class _Task:
    """A piece of the work: chunks of logs, or events that wait to become rows."""

    number: int
    chunks: list[Chunk] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


@dataclass
class _Done:
    number: int
    counts: Summary
    small: list[tuple[str, pa.Table]]
    open: list[Connection]
    later: list[tuple[str, list[Rows]]]
    errors: list[LogError]


def run(
    logs: Iterable[str | Path],
    out: str | Path,
    *,
    mode: Mode = "new",
    jobs: int | None = None,
    privacy: Privacy | None = None,
    attachment_content: bool = False,
    max_message: int = MAX_MESSAGE,
    on_error: Callable[[LogError], None] | None = None,
    progress: Progress | None = None,
    alone: bool = False,
) -> Summary:
    """Read event logs, and write the tables `emails`, `attachments`, `sessions`, `commands` to `out`.

    `logs`: files, folders or globs. `mode`: "new" (refuses a folder that holds tables), "append" or
    "overwrite". `jobs`: processes; None for as many as there are cores and work. What cannot be read is told
    to `on_error` and listed in the summary's `problems`; the rest is used. `alone`: this process is there for
    nothing else, so memory that is freed may be kept for the next task. Raises LogError where there is
    nothing to read at all, OutputError where `out` cannot be used.
    """
    from zeekpop3.store.sink import Sink, new_token

    paths = find_logs(logs)
    total = sum(path.stat().st_size for path in paths if path.exists())
    summary = Summary(logs=len(paths))

    def tell(error: LogError) -> None:
        summary.problems.append(str(error))
        if on_error is not None:
            on_error(error)

    workers = _jobs(jobs, total)
    with Sink(out, mode) as sink:
        writer = sink.writer(new_token())
        settings = _Settings(writer, privacy, attachment_content, max_message, SMALL_BYTES)
        regrouper = Regrouper(max_message)
        with _executor(workers, alone) as executor:
            work = _Work(executor, settings, 2 * workers, summary, regrouper, tell)
            for task_chunks in _tasks(paths, tell, summary, send=workers > 1):
                work.read(task_chunks)
                if progress is not None:
                    progress(min(summary.log_bytes, total), total, summary.mails)
            work.finish()
        if progress is not None:
            progress(total, total, summary.mails)
    return summary


def _jobs(jobs: int | None, total: int) -> int:
    if jobs is not None:
        return max(1, jobs)
    return max(1, min(len(os.sched_getaffinity(0)), total // _BYTES_PER_JOB))


def _tasks(
    paths: list[Path], tell: Callable[[LogError], None], summary: Summary, send: bool
) -> Iterator[list[Chunk]]:
    """The chunks of all logs, several small ones together."""
    waiting: list[Chunk] = []
    size = 0
    for path in paths:
        for chunk in chunks(path, size=TASK_BYTES, on_error=tell):
            if waiting and size + chunk.size > TASK_BYTES:
                yield waiting
                waiting, size = [], 0
            waiting.append(chunk.without_data() if send else chunk)
            size += chunk.size
            summary.log_bytes += chunk.size
    if waiting:
        yield waiting


class _Work:
    """Hands out tasks, and takes their results in the order in which they were handed out."""

    def __init__(
        self,
        executor: Executor,
        settings: _Settings,
        ahead: int,
        summary: Summary,
        regrouper: Regrouper,
        tell: Callable[[LogError], None],
    ) -> None:
        self._executor = executor
        self._settings = settings
        self._ahead = ahead
        self._summary = summary
        self._regrouper = regrouper
        self._tell = tell
        self._running: deque[Future[_Done]] = deque()
        self._events: list[Event] = []
        self._events_bytes = 0
        # Two rows of numbers, so that parts are called the same however many workers there are.
        self._reading = itertools.count(0, 2)
        self._writing = itertools.count(1, 2)
        self._small = (_SmallTables(settings.writer), _SmallTables(settings.writer))

    def read(self, task_chunks: list[Chunk]) -> None:
        """Have chunks of logs read."""
        self._submit(_Task(next(self._reading), chunks=task_chunks))
        self._collect(self._ahead)

    def finish(self) -> None:
        """Wait for all that was handed out, then end the connections that are still open."""
        self._collect(0)
        for events in self._regrouper.finish():
            self._keep(events)
        self._collect(0)
        if self._events:  # a worker would have them later than they are done here
            self._take(_perform(self._events_task(), self._settings))
        for tables in self._small:
            self._summary.parts += tables.write()

    def _submit(self, task: _Task) -> None:
        self._running.append(self._executor.submit(_perform, task, self._settings))

    def _collect(self, leave: int) -> None:
        while len(self._running) > leave:
            self._take(self._running.popleft().result())

    def _take(self, done: _Done) -> None:
        self._summary.add(done.counts)
        # Each row of numbers by itself: how the two mix depends on the number of workers.
        self._summary.parts += self._small[done.number % 2].add(done.number, done.small)
        for error in done.errors:
            self._tell(error)
        for connection in done.open:
            self._regrouper.adopt(connection)
        for uid, parts in done.later:
            for rows in parts:
                self._keep(self._regrouper.feed(uid, rows))

    def _keep(self, events: list[Event]) -> None:
        self._events += events
        self._events_bytes += sum(_EVENT_COST + len(getattr(event, "raw", b"")) for event in events)
        if self._events_bytes >= EVENTS_BYTES:
            self._submit(self._events_task())

    def _events_task(self) -> _Task:
        task = _Task(next(self._writing), events=self._events)
        self._events, self._events_bytes = [], 0
        return task


class _SmallTables:
    """Tables with few rows, in the order in which they came, until they are worth a part."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer
        self._tables: dict[str, list[pa.Table]] = {}
        self._bytes: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    def add(self, number: int, tables: list[tuple[str, pa.Table]]) -> int:
        """Keep the tables that task `number` gave; returns how many parts were written."""
        parts = 0
        for name, table in tables:
            self._tables.setdefault(name, []).append(table)
            self._bytes[name] = self._bytes.get(name, 0) + table.nbytes
            self._numbers[name] = number  # of a task that has not written a part of this table itself
            if self._bytes[name] >= PART_BYTES:
                parts += self._write(name)
        return parts

    def write(self) -> int:
        """Write what is left; returns the number of parts."""
        return sum(self._write(name) for name in list(self._tables))

    def _write(self, name: str) -> int:
        import pyarrow as pa

        table = pa.concat_tables(self._tables.pop(name))
        del self._bytes[name]
        return len(self._writer.write(name, table, self._numbers[name]))


def _perform(task: _Task, settings: _Settings) -> _Done:
    """Do one task; runs in a worker process, or in this one."""
    with no_collector():
        done = _do(task, settings)
    between_tasks()
    return done


def _do(task: _Task, settings: _Settings) -> _Done:
    records = Records(settings.privacy, attachment_content=settings.attachment_content)
    errors: list[LogError] = []
    still_open: list[Connection] = []
    later: list[tuple[str, list[Rows]]] = []
    connections: dict[str, list[Rows]] = {}
    while task.chunks:  # what has been used is let go of at once
        for uid, rows in _rows(task.chunks.pop(0), records.counts, errors):
            connections.setdefault(uid, []).append(rows)
    for uid in list(connections):
        parts = connections.pop(uid)
        if parts[0].seq[0] > 0:
            later.append((uid, parts))
            continue
        connection = Connection(uid, settings.max_message)
        for rows in parts:
            records.add(connection.receive(rows))
        if not connection.done:
            still_open.append(connection)
    records.add(task.events)
    parts_written = 0
    small: list[tuple[str, pa.Table]] = []
    for name, table in records.take():
        if table.nbytes < settings.small_bytes:
            small.append((name, table))
        else:
            parts_written += len(settings.writer.write(name, table, task.number))
    counts = records.take_counts()
    counts.parts = parts_written
    return _Done(task.number, counts, small, still_open, later, errors)


def _rows(chunk: Chunk, counts: Summary, errors: list[LogError]) -> Iterable[tuple[str, Rows]]:
    try:
        batch = read_chunk(chunk, errors.append)
    except LogError as error:
        errors.append(error)
        return ()
    counts.rows += len(batch)
    return group(batch)


class _Here(Executor):
    """An executor that does the work at once, in this process."""

    def __init__(self, alone: bool) -> None:
        self._alone = alone
        if alone:
            keep_to_itself()

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        future: Future[object] = Future()
        future.set_result(fn(*args, **kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if self._alone:
            open_up()


def _executor(workers: int, alone: bool) -> Executor:
    if workers == 1:
        return _Here(alone)
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import forkserver

    # Not fork: Arrow's threads would not survive it. Where the process is ours, the workers come from a
    # server that has loaded the libraries once for all of them, and has used none.
    context = multiprocessing.get_context("forkserver" if alone else "spawn")
    if alone:
        keep_freed_memory()  # of the logs' pieces, which are cut here
        context.set_forkserver_preload(_LOADED_ONCE)
        forkserver.ensure_running()
        leave_pandas_out()
    return ProcessPoolExecutor(workers, mp_context=context, initializer=be_a_worker)
