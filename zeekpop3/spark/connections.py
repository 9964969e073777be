"""Sorted rows of many connections, as Arrow batches → session machine → rows of the tables.

Runs in Spark's Python workers. A batch may begin and end anywhere; a connection may continue in the next
batch. Held in memory: one batch, the current response of one connection, and the rows that wait for output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3.log.batch import Batch, batch_of
from zeekpop3.log.group import group
from zeekpop3.pipeline.records import Records
from zeekpop3.pipeline.settings import Settings
from zeekpop3.pipeline.workers import no_collector
from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import Event
from zeekpop3.tables import TABLES, schema

if TYPE_CHECKING:
    import pyarrow as pa

    MapInArrow = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_OUT_BYTES = 16 << 20


def one_table(settings: Settings, name: str) -> MapInArrow:
    """A function for `mapInArrow` that gives the rows of one table."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table_name, table in _tables(batches, settings):
            if table_name == name:
                yield from table.cast(spark_schema(name)).to_batches()

    return run


def all_tables(settings: Settings) -> MapInArrow:
    """A function for `mapInArrow` that gives the rows of all tables: a column with the table's name, and one
    struct column per table."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for table_name, table in _tables(batches, settings):
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


def _tables(batches: Iterable[pa.RecordBatch], settings: Settings) -> Iterator[tuple[str, pa.Table]]:
    """(table name, rows), about 16 MiB at a time."""
    records = Records(settings)
    for events in _events(batches, settings.max_message):
        with no_collector():
            records.add(events)
        if records.nbytes >= _OUT_BYTES:
            yield from records.take()
    yield from records.take()


def _events(batches: Iterable[pa.RecordBatch], max_message: int) -> Iterator[list[Event]]:
    connection: Connection | None = None
    for batch in batches:
        for uid, rows in _by_log(batch):
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
