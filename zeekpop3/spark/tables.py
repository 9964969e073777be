"""Event logs → the tables as Spark DataFrames, or written as partitioned Parquet.

The rows of a connection go to one task (`repartition` by uid) in order (`sortWithinPartitions`, which
spills to disk), and `mapInArrow` streams them. A connection is never held in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from zeekpop3._version import __version__
from zeekpop3.log.batch import Batch, batch_of, group
from zeekpop3.log.chunks import OnError
from zeekpop3.pipeline.records import Records, described, now, table_of
from zeekpop3.pipeline.settings import Settings
from zeekpop3.pipeline.tasks import no_collector
from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import Event
from zeekpop3.spark.rows import read_rows
from zeekpop3.store.files import make_folder
from zeekpop3.store.parquet import DAY_US
from zeekpop3.store.write import Mode, check_mode
from zeekpop3.tables import TABLES, InputRecord, schema

if TYPE_CHECKING:
    import pyarrow as pa

    MapInArrow = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

Paths = str | Iterable[str]

_SAVE_MODES = {"new": "errorifexists", "append": "append", "overwrite": "overwrite"}
_TIMESTAMPS = "spark.sql.parquet.outputTimestampType"
_JOIN_SMALL = "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning"
UMASK = "fs.permissions.umask-mode"


class SparkReadOptions(TypedDict, total=False):
    """`settings`: what is kept, as in `run`. `on_error`: called with the LogError of each file that is not an
    event log and is skipped; without it the error is raised."""

    settings: Settings
    on_error: OnError | None


def read(spark: SparkSession, table: str, paths: Paths, **options: Unpack[SparkReadOptions]) -> DataFrame:
    """A table of event logs, evaluated lazily. Columns and types are those of `run`, but ports are int.

    `paths`: files, folders or globs on any file system that Spark can read. Raises KeyError if there is no
    such table, LogError.
    """
    rows = _connections(spark, paths, options.get("on_error"))
    of_table = one_table(options.get("settings", Settings()), table)
    found = rows.mapInArrow(of_table, _schema(table))
    return _described(_by_log(found) if table == "inputs" else found, table)


def read_emails(spark: SparkSession, paths: Paths, **options: Unpack[SparkReadOptions]) -> DataFrame:
    """The table `emails`; see `read`."""
    return read(spark, "emails", paths, **options)


def read_attachments(spark: SparkSession, paths: Paths, **options: Unpack[SparkReadOptions]) -> DataFrame:
    """The table `attachments`; see `read`."""
    return read(spark, "attachments", paths, **options)


def read_sessions(spark: SparkSession, paths: Paths, **options: Unpack[SparkReadOptions]) -> DataFrame:
    """The table `sessions`; see `read`."""
    return read(spark, "sessions", paths, **options)


def read_commands(spark: SparkSession, paths: Paths, **options: Unpack[SparkReadOptions]) -> DataFrame:
    """The table `commands`; see `read`."""
    return read(spark, "commands", paths, **options)


def read_tables(
    spark: SparkSession, paths: Paths, **options: Unpack[SparkReadOptions]
) -> dict[str, DataFrame]:
    """All tables by name, from one pass over the logs; else as `read`.

    The result of that pass is kept on the executors' disks from the first use of any table until
    `unpersist` of `tables["all"]`, a DataFrame of all rows.
    """
    of_tables = all_tables(options.get("settings", Settings()))
    kind = StructType([StructField("table", StringType()), *(StructField(n, _schema(n)) for n in TABLES)])
    every = _connections(spark, paths, options.get("on_error")).mapInArrow(of_tables, kind)
    # Cached data stays in the 200 partitions of the shuffle, empty or not, unless Spark may join small ones.
    with _setting(spark, _JOIN_SMALL, "true"):
        every = every.persist(StorageLevel.DISK_ONLY)
    tables = {name: every.where(F.col("table") == name).select(f"{name}.*") for name in TABLES}
    tables["inputs"] = _by_log(tables["inputs"])
    tables = {name: _described(table, name) for name, table in tables.items()}
    return tables | {"all": every}


def write_tables(
    spark: SparkSession,
    paths: Paths,
    out: str,
    *,
    mode: Mode = "new",
    **options: Unpack[SparkReadOptions],
) -> dict[str, int]:
    """Write the tables below `out`, partitioned by `day`, as `run` does; returns the numbers of rows.

    `out` is wherever Spark can write; what is written is for its owner only, where the file system has modes.
    The tables are committed one after the other, each as a whole. "new"
    raises pyspark's AnalysisException if a table exists. Raises UsageError for an unknown mode.
    """
    check_mode(mode)
    tables = read_tables(spark, paths, **options)
    every = tables.pop("all")
    try:
        day = _day(F.coalesce(*(F.col(f"{name}.ts") for name in TABLES)))
        found = every.groupBy("table").agg(F.count("*"), F.max(day)).collect()
        counts: dict[str, int] = {name: count for name, count, _ in found}
        if "inputs" in counts:
            counts["inputs"] = tables["inputs"].count()
        # Parquet's own microseconds, not Spark's default INT96.
        with _setting(spark, _TIMESTAMPS, "TIMESTAMP_MICROS"), _private(spark, out):
            for name, table in tables.items():
                where = f"{out.rstrip('/')}/{name}"
                if name in counts:
                    writer = table.withColumn("day", _day(F.col("ts"))).write.partitionBy("day")
                elif counts and mode != "append":
                    # A table without rows is readable, too: in the last day of the others.
                    writer, where = table.limit(0).write, f"{where}/day={max(last for *_, last in found)}"
                else:
                    continue
                writer.mode(_SAVE_MODES[mode]).option("compression", "zstd").parquet(where)
    finally:
        every.unpersist()
    return {name: int(counts.get(name, 0)) for name in TABLES}


def _connections(spark: SparkSession, paths: Paths, on_error: OnError | None) -> DataFrame:
    rows = read_rows(spark, paths, on_error)
    return rows.withColumn("ts", F.unix_micros("ts")).repartition("uid").sortWithinPartitions("uid", "seq")


def _by_log(parts: DataFrame) -> DataFrame:
    """One row of `inputs` for each log, of those of the tasks that have read a part of it."""
    same = [F.first(name).alias(name) for name in ("file", "sha256", "version", "command", "read_at")]
    found = parts.groupBy(F.col("first_row").alias("log")).agg(
        F.min("ts").alias("ts"), F.sum("rows").alias("rows"), *same
    )
    return found.withColumn("first_row", F.lit(None).cast("string"))


def _schema(name: str) -> StructType:
    return from_arrow_schema(spark_schema(name))


def _described(frame: DataFrame, name: str) -> DataFrame:
    """The columns with their meanings as comments, which `saveAsTable` keeps."""
    return frame.select(
        [
            F.col(f"`{field.name}`").alias(
                field.name, metadata={"comment": field.metadata[b"description"].decode()}
            )
            for field in schema(name)
        ]
    )


def _day(ts: Column) -> Column:
    """The UTC day of a time as text, whatever the session's time zone."""
    return F.date_from_unix_date(F.floor(F.unix_micros(ts) / DAY_US).cast("int")).cast("string")


@contextmanager
def _private(spark: SparkSession, out: str) -> Iterator[None]:
    """What the block writes below `out` is for its owner only: files 0600, folders 0700.

    The umask works only for file systems that Spark has not opened yet, so local files are set again.
    """
    settings = spark._jsc.hadoopConfiguration()
    path = spark._jvm.org.apache.hadoop.fs.Path(out)
    files = path.getFileSystem(settings)
    local = Path(files.makeQualified(path).toUri().getPath()) if files.getScheme() == "file" else None
    if local is not None:
        make_folder(local)
    before = settings.get(UMASK)
    settings.set(UMASK, "077")
    try:
        yield
    finally:
        settings.set(UMASK, before or "022")
        for folder in [local / name for name in TABLES] if local is not None else ():
            for each in (folder, *folder.rglob("*")):
                if each.exists():
                    each.chmod(0o700 if each.is_dir() else 0o600)


@contextmanager
def _setting(spark: SparkSession, name: str, value: str) -> Iterator[None]:
    """A setting of the session while the block runs."""
    before = spark.conf.get(name, None)
    spark.conf.set(name, value)
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(name)
        else:
            spark.conf.set(name, before)


# -- a task's rows -----------------------------------------------------------------------------------


# This runs in Spark's Python workers. A batch may begin and end anywhere; a connection may continue in the
# next batch. Held in memory: one batch, the current response of one connection, and the rows that wait for
# output.

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
        for uid, rows in _rows_by_log(batch):
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


def _rows_by_log(batch: pa.RecordBatch) -> Iterator[tuple[str, Rows]]:
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
