"""Sorted rows of many connections, as Arrow batches → session machine → rows of the tables.

Runs in Spark's Python workers. A batch may begin and end anywhere; a connection may continue in the next
batch. Held in memory: one batch, the current response of one connection, and the rows that wait for output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3 import __version__
from zeekpop3.log.batch import Batch, batch_of
from zeekpop3.log.group import group
from zeekpop3.pipeline.inputs import described, now, table_of
from zeekpop3.pipeline.records import Records
from zeekpop3.pipeline.settings import Settings
from zeekpop3.pipeline.workers import no_collector
from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import Event
from zeekpop3.tables import TABLES, InputRecord, schema

if TYPE_CHECKING:
    import pyarrow as pa

    MapInArrow = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_OUT_BYTES = 16 << 20
_LATEST = 1 << 62


def one_table(settings: Settings, name: str) -> MapInArrow:
    """A function for `mapInArrow` that gives the rows of one table."""

    read_at = now()

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table_name, table in _tables(batches, settings, read_at):
            if table_name == name:
                yield from table.cast(spark_schema(name)).to_batches()

    return run


def all_tables(settings: Settings) -> MapInArrow:
    """A function for `mapInArrow` that gives the rows of all tables: a column with the table's name, and one
    struct column per table."""

    read_at = now()

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for table_name, table in _tables(batches, settings, read_at):
            columns = {"table": pa.repeat(table_name, table.num_rows)}
            for name in TABLES:
                columns[name] = pa.nulls(table.num_rows, pa.struct(spark_schema(name)))
            columns[table_name] = table.cast(spark_schema(table_name)).to_struct_array()
            yield from pa.table(columns).to_batches()

    return run


def spark_schema(name: str) -> pa.Schema:
    """A table's schema in Spark's types: Spark has no unsigned integers, so ports are int32."""
    import pyarrow as pa

    return pa.schema(
        [field.with_type(pa.int32()) if field.type == pa.uint16() else field for field in schema(name)]
    )


def _tables(
    batches: Iterable[pa.RecordBatch], settings: Settings, read_at: int
) -> Iterator[tuple[str, pa.Table]]:
    """(table name, rows), about 16 MiB at a time. `inputs` has what was read here of each log, and the log's
    name in `first_row`, too: `file` may be left out.
    """
    records = Records(settings)
    seen: dict[str, tuple[int, int]] = {}
    for events in _events(batches, settings.max_message, seen):
        with no_collector():
            records.add(events)
        if records.nbytes >= _OUT_BYTES:
            yield from records.take()
    yield from records.take()
    command = described("spark", settings)
    inputs = [
        InputRecord(min(first, read_at), log, None, log, count, __version__, command, read_at)
        for log, (first, count) in seen.items()
    ]
    if (table := table_of(inputs, settings)) is not None:
        yield "inputs", table


def _events(
    batches: Iterable[pa.RecordBatch], max_message: int, seen: dict[str, tuple[int, int]]
) -> Iterator[list[Event]]:
    """What the rows finish. `seen`: of each log the first time (microseconds) and the number of rows."""
    connection: Connection | None = None
    for batch in batches:
        for uid, rows in _by_log(batch):
            log = rows.log or ""
            # A `contents` row has the time of its first byte: see `Head.first_time`.
            times = (ts for ts, kind in zip(rows.ts, rows.kind, strict=True) if kind != "contents")
            first, count = seen.get(log, (_LATEST, 0))
            seen[log] = min(first, min(times, default=_LATEST)), count + len(rows.ts)
            if connection is None or connection.uid != uid:
                if connection is not None:
                    yield connection.finish("open")
                connection = Connection(uid, max_message)
            yield connection.receive(rows)
    if connection is not None:
        yield connection.finish("open")


def _by_log(batch: pa.RecordBatch) -> Iterator[tuple[str, Rows]]:
    """The rows of each connection, and of them those of each log, in order."""
    logs = batch.column("log").to_pylist()
    at = 0
    for uid, rows in group(_batch(batch)):
        stop = at + len(rows.seq)
        start = at
        while at < stop:
            end = at + 1
            while end < stop and logs[end] == logs[at]:
                end += 1
            yield uid, rows.part(at - start, end - start)._replace(log=logs[at])
            at = end


def _batch(batch: pa.RecordBatch) -> Batch:
    import pyarrow as pa

    def column(name: str) -> Any:
        array = batch.column(name.replace(".", "_"))
        if not pa.types.is_string(array.type):
            return array
        array = array.cast(pa.binary())
        return array if name == "data" else array.dictionary_encode()

    ts = batch.column("ts").cast(pa.int64()).to_numpy()
    return batch_of(column, ts, Path("spark"), b"(empty)")
