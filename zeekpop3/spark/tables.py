"""Event logs → the four tables as Spark DataFrames, and written as partitioned Parquet.

A connection's rows come to one task (`repartition` by uid) in their order (`sortWithinPartitions`, which
spills to disk), and `mapInArrow` streams them: however many rows a connection has, it is never held whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from zeekpop3.session.machine import MAX_MESSAGE
from zeekpop3.spark.connections import Settings, all_tables, one_table, spark_schema
from zeekpop3.spark.rows import OnError, read_rows
from zeekpop3.tables import TABLES, Privacy, schema

Paths = str | Iterable[str]

_SAVE = {"new": "errorifexists", "append": "append", "overwrite": "overwrite"}
_TIMESTAMPS = "spark.sql.parquet.outputTimestampType"
_JOIN_SMALL = "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning"
_NO_DAY = "1970-01-01"  # as `sink` has it


def read_emails(
    spark: SparkSession,
    paths: Paths,
    *,
    privacy: Privacy | None = None,
    max_message: int = MAX_MESSAGE,
    on_error: OnError | None = None,
) -> DataFrame:
    """The table `emails` of event logs, lazily; columns and types are those of `run`, ports as int.

    `paths`: files, folders, globs, on any file system that Spark knows. `privacy` and `max_message` as in
    `run`. A file that is no event log goes to `on_error`; without one LogError is raised.
    """
    return _read_one("emails", spark, paths, Settings(privacy, False, max_message), on_error)


def read_attachments(
    spark: SparkSession,
    paths: Paths,
    *,
    content: bool = False,
    privacy: Privacy | None = None,
    max_message: int = MAX_MESSAGE,
    on_error: OnError | None = None,
) -> DataFrame:
    """The table `attachments`, with their decoded bytes if `content`; else as `read_emails`."""
    return _read_one("attachments", spark, paths, Settings(privacy, content, max_message), on_error)


def read_sessions(
    spark: SparkSession,
    paths: Paths,
    *,
    privacy: Privacy | None = None,
    max_message: int = MAX_MESSAGE,
    on_error: OnError | None = None,
) -> DataFrame:
    """The table `sessions`; else as `read_emails`."""
    return _read_one("sessions", spark, paths, Settings(privacy, False, max_message), on_error)


def read_commands(
    spark: SparkSession,
    paths: Paths,
    *,
    privacy: Privacy | None = None,
    max_message: int = MAX_MESSAGE,
    on_error: OnError | None = None,
) -> DataFrame:
    """The table `commands`; else as `read_emails`."""
    return _read_one("commands", spark, paths, Settings(privacy, False, max_message), on_error)


def read_tables(
    spark: SparkSession,
    paths: Paths,
    *,
    attachment_content: bool = False,
    privacy: Privacy | None = None,
    max_message: int = MAX_MESSAGE,
    on_error: OnError | None = None,
) -> dict[str, DataFrame]:
    """All four tables by name, out of one pass over the logs; else as `read_emails`.

    What that pass gives is kept on the executors' disks with the first table that is used, until
    `unpersist` of `tables["all"]`, a DataFrame of all rows.
    """
    settings = Settings(privacy, attachment_content, max_message)
    kind = StructType([StructField("table", StringType()), *(StructField(n, _schema(n)) for n in TABLES)])
    every = _connections(spark, paths, on_error).mapInArrow(all_tables(settings), kind)
    # What is kept stays in the 200 partitions of the shuffle, empty or not, unless Spark may join small ones.
    with _setting(spark, _JOIN_SMALL, "true"):
        every = every.persist(StorageLevel.DISK_ONLY)
    tables = {
        name: _described(every.where(F.col("table") == name).select(f"{name}.*"), name) for name in TABLES
    }
    return tables | {"all": every}


def write_tables(
    spark: SparkSession,
    paths: Paths,
    out: str,
    *,
    mode: Literal["new", "append", "overwrite"] = "new",
    attachment_content: bool = False,
    privacy: Privacy | None = None,
    max_message: int = MAX_MESSAGE,
    on_error: OnError | None = None,
) -> dict[str, int]:
    """Write the four tables below `out`, partitioned by `day`, as `run` does; returns their numbers of rows.

    `out` is wherever Spark can write. The tables are committed one after the other, each as a whole. "new"
    raises pyspark's AnalysisException if a table is there.
    """
    tables = read_tables(
        spark,
        paths,
        attachment_content=attachment_content,
        privacy=privacy,
        max_message=max_message,
        on_error=on_error,
    )
    every = tables.pop("all")
    try:
        counts: dict[str, int] = dict(every.groupBy("table").count().collect())
        # Parquet's own microseconds, not the INT96 that Spark writes unless told otherwise.
        with _setting(spark, _TIMESTAMPS, "TIMESTAMP_MICROS"):
            for name, table in tables.items():
                where = f"{out.rstrip('/')}/{name}"
                if name in counts:
                    writer = table.withColumn("day", _day()).write.partitionBy("day")
                else:
                    # A table without rows can be read all the same.
                    writer, where = table.limit(0).write, f"{where}/day={_NO_DAY}"
                writer.mode(_SAVE[mode]).option("compression", "zstd").parquet(where)
    finally:
        every.unpersist()
    return {name: int(counts.get(name, 0)) for name in TABLES}


def _read_one(
    name: str, spark: SparkSession, paths: Paths, settings: Settings, on_error: OnError | None
) -> DataFrame:
    rows = _connections(spark, paths, on_error)
    return _described(rows.mapInArrow(one_table(settings, name), _schema(name)), name)


def _connections(spark: SparkSession, paths: Paths, on_error: OnError | None) -> DataFrame:
    rows = read_rows(spark, paths, on_error)
    return rows.withColumn("ts", F.unix_micros("ts")).repartition("uid").sortWithinPartitions("uid", "seq")


def _schema(name: str) -> StructType:
    return from_arrow_schema(spark_schema(name))


def _described(frame: DataFrame, name: str) -> DataFrame:
    """The columns with their descriptions as comments, which `saveAsTable` keeps."""
    fields = list(schema(name))
    return frame.select(
        [
            F.col(f"`{field.name}`").alias(
                field.name, metadata={"comment": field.metadata[b"description"].decode()}
            )
            for field in fields
        ]
    )


def _day() -> Column:
    """The UTC day of `ts`, whatever the session's time zone."""
    return F.expr("cast(date_from_unix_date(cast(floor(unix_micros(ts) / 86400000000) as int)) as string)")


@contextmanager
def _setting(spark: SparkSession, name: str, value: str) -> Iterator[None]:
    """A setting of the session, for as long as the block runs."""
    before = spark.conf.get(name, None)
    spark.conf.set(name, value)
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(name)
        else:
            spark.conf.set(name, before)
