"""The tasks of a run, and the processes that do them.

A task reads chunks of logs, or takes finished events, and writes parts of tables. This process does the tasks
one after the other, or several worker processes do them.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.errors import LogError
from zeekpop3.log.batch import group, read_chunk
from zeekpop3.log.chunks import Chunk
from zeekpop3.message import budget
from zeekpop3.pipeline.records import Records
from zeekpop3.pipeline.settings import Counters, Settings
from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import Event

if TYPE_CHECKING:
    import pyarrow as pa

    from zeekpop3.store.parquet import PartWriter


@dataclass(slots=True)
class Task:
    """Chunks of logs to read, or events to write. `number` orders the parts that it writes."""

    number: int
    chunks: list[Chunk] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """What all tasks of a run have in common. Tables below `small_bytes` are returned instead of written."""

    writer: PartWriter
    settings: Settings
    small_bytes: int


@dataclass(slots=True)
class TaskResult:
    """What a task does not finish.

    `small`: tables that are too small for a part. `open`: connections without an end. `later`: rows of
    connections that began in earlier tasks. `rows`: how many rows were read in each chunk's log.
    """

    number: int
    counts: Counters
    small: list[tuple[str, pa.Table]]
    open: list[Connection]
    later: list[tuple[str, list[Rows]]]
    errors: list[LogError]
    rows: list[tuple[Path, int]] = field(default_factory=list)


@contextmanager
def no_collector() -> Iterator[None]:
    """Pause the cyclic garbage collector during a run or a task: many objects and hardly any cycle.

    This saves 15 % of the CPU time on small mails.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@no_collector()
def perform(task: Task, shared: TaskSettings) -> TaskResult:
    """Do a task, in any process."""
    records = Records(shared.settings)
    result = TaskResult(task.number, records.counts, [], [], [], [])
    connections: dict[str, list[Rows]] = {}
    while task.chunks:  # each is freed after use
        for uid, rows in _rows(task.chunks.pop(0), result):
            connections.setdefault(uid, []).append(rows)
    for uid in list(connections):
        parts = connections.pop(uid)
        if parts[0].seq[0] > 0:
            result.later.append((uid, parts))
            continue
        connection = Connection(uid, shared.settings.max_message)
        for rows in parts:
            records.add(connection.receive(rows))
        if not connection.done:
            result.open.append(connection)
    records.add(task.events)
    for name, table in records.take():
        if table.nbytes < shared.small_bytes:
            result.small.append((name, table))
        else:
            result.counts.parts += len(shared.writer.write(name, table, task.number))
    return result


def _rows(chunk: Chunk, result: TaskResult) -> Iterable[tuple[str, Rows]]:
    try:
        batch = read_chunk(chunk, result.errors.append)
    except LogError as error:
        result.errors.append(error)
        return ()
    result.counts.rows += len(batch)
    result.rows.append((chunk.path, len(batch)))
    return group(batch)


# -- small tables ------------------------------------------------------------------------------------


PART_BYTES = 4 << 20


class SmallTables:
    """Small tables in the order in which they were added, until together they have `PART_BYTES`: so several
    tasks share a part.
    """

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer
        self._tables: dict[str, list[pa.Table]] = {}
        self._numbers: dict[str, int] = {}

    def add(self, number: int, tables: list[tuple[str, pa.Table]]) -> int:
        """Add the tables that task `number` returned; returns how many parts were written."""
        parts = 0
        for name, table in tables:
            waiting = self._tables.setdefault(name, [])
            waiting.append(table)
            self._numbers[name] = number  # the task itself wrote no part of this table
            if sum(each.nbytes for each in waiting) >= PART_BYTES:
                parts += self._write(name)
        return parts

    def write(self) -> int:
        """Write the rest; returns the number of parts."""
        return sum(self._write(name) for name in list(self._tables))

    def _write(self, name: str) -> int:
        import pyarrow as pa

        table = pa.concat_tables(self._tables.pop(name))
        return len(self._writer.write(name, table, self._numbers[name]))


# -- the processes -----------------------------------------------------------------------------------


def executor(workers: int) -> Executor:
    """Does tasks one by one in this process, or in `workers` processes, which end with this one."""
    if workers == 1:
        return _SameProcess()
    # Not "fork": Arrow's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


class _SameProcess(Executor):
    """An executor that does the work at once, in this process."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        future: Future[object] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _start_worker() -> None:
    hide_pandas()
    budget.watch()
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


class _NoPandas(MetaPathFinder):
    """A finder of modules for which pandas is not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def hide_pandas() -> None:
    """Keep Arrow from importing pandas, which costs 0.4 s of CPU and 45 MiB per process.

    Only for processes of our own, the workers and the program: with its first array, pyarrow imports pandas
    if it is installed, to tell pandas' types from others (python/pyarrow/pandas-shim.pxi,
    https://github.com/apache/arrow/pull/3893), and it remembers if pandas is not there. After this, arrays of
    pandas' objects lack their nulls; only `to_pandas` still works.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)  # None in sys.modules does not stop an import by Cython
    try:
        pa.array([], pa.null())
    finally:
        sys.meta_path.remove(finder)
