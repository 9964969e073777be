"""Event logs → a Spark DataFrame of rows, in the types of zat's LogToSparkDF; bad rows are left out.

zat opens files by name, on this machine, so the header lines of the logs are collected by Spark, and Spark
reads the rows. Their types are zat's but for `time`, as a double would lose microseconds, and `port`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import reduce
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType, LongType, StringType, StructType
from zat.log_to_sparkdf import LogToSparkDF

from zeekpop3.errors import LogError
from zeekpop3.log.chunks import OnError
from zeekpop3.log.find import is_log_name
from zeekpop3.log.header import COLUMNS, LogHeader, parse_header

# Hadoop's default local file system keeps checksum files beside the files, and fails at the colons in the
# names of Zeek's archive; the raw one does not. (HDFS itself has no names with colons.)
_LOCAL = {
    "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "fs.file.impl.disable.cache": "true",
}
_BROKEN = "_broken_row"
_PORTS = ("id_orig_p", "id_resp_p")


def read_rows(spark: SparkSession, paths: str | Iterable[str], on_error: OnError | None = None) -> DataFrame:
    """The rows of event logs, in no order; columns as in the log, with `_` for `.`, `data` still base64.

    `paths` are files, folders (with their subfolders) or globs, wherever Spark can read. A file that is not
    an event log goes to `on_error` and is left out; LogError is raised if there is no `on_error`, or if no
    log is left. Bad rows are left out: the hole in `seq` shows in the tables.
    """
    by_fields: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for header, path in _headers(spark, _files(spark, paths), on_error):
        by_fields[header.fields, header.types].append(path)
    if not by_fields:
        raise LogError(paths if isinstance(paths, str) else ", ".join(paths), "no event log to read")
    frames = [_read(spark, *key, files) for key, files in sorted(by_fields.items())]
    return reduce(DataFrame.unionByName, frames)


# -- files and their headers ---------------------------------------------------------------------------


def _files(spark: SparkSession, paths: str | Iterable[str]) -> list[str]:
    """All files meant, each once. In folders only the names of event logs count, as in `run`."""
    found: dict[str, None] = {}
    for path in _expanded(spark, [paths] if isinstance(paths, str) else paths):
        try:
            below = spark.read.options(recursiveFileLookup=True, **_LOCAL).text(path).inputFiles()
        except AnalysisException:
            raise LogError(path, "no such file or folder") from None
        pattern = PurePosixPath(path).name
        names = {file: unquote(file.rpartition("/")[2]) for file in below}
        meant = [
            file for file, name in names.items() if is_log_name(name) or PurePosixPath(name).match(pattern)
        ]
        if not meant:
            raise LogError(path, "no event log in this folder (pop3_events*.log or .log.gz)")
        found.update(dict.fromkeys(meant))
    return list(found)


def _expanded(spark: SparkSession, paths: Iterable[str]) -> Iterator[str]:
    """Globs over local files, resolved here: Hadoop's fail at the colons in names of Zeek's archive."""
    local = str(spark.conf.get("spark.hadoop.fs.defaultFS", "file:///")).startswith("file:")
    for path in paths:
        here = local and "://" not in path and has_magic(path)
        matches = sorted(glob(path)) if here else []  # noqa: PTH207
        yield from matches or [path]


def _headers(
    spark: SparkSession, files: list[str], on_error: OnError | None
) -> Iterator[tuple[LogHeader, str]]:
    """The header of each file, from all header lines in it, as logs may be concatenated."""
    text = spark.read.options(**_LOCAL).text([_escaped(file) for file in files])
    lines = text.where(F.col("value").rlike("^#(?!open|close)")).select(F.input_file_name(), "value")
    found: dict[str, dict[str, None]] = {file: {} for file in files}
    for file, value in lines.collect():
        found[file].setdefault(value)
    for file, values in found.items():
        try:
            header = _header(file, list(values))
        except LogError as error:
            if on_error is None:
                raise
            on_error(error)
        else:
            yield header, file


def _header(file: str, lines: list[str]) -> LogHeader:
    """The header of a file. Raises LogError with the file's URI."""
    if not lines:
        raise LogError(file, "not a Zeek log: no Zeek header")
    for name in ("#fields", "#types", "#path", "#separator", "#unset_field", "#empty_field"):
        if sum(line.startswith(name) for line in lines) > 1:
            raise LogError(file, f"contains logs with different {name}; use `zeekpop3 run`")
    # As Zeek writes them: #separator first, #fields and #types last.
    ordered = sorted(lines, key=lambda line: not line.startswith("#separator"))
    ordered.sort(key=lambda line: (line.startswith("#types"), line.startswith("#fields")))
    try:
        text = "".join(line + "\n" for line in ordered)
        header = parse_header(text.encode(), Path(file))
    except LogError as error:
        raise LogError(file, error.reason) from None
    if (header.separator, header.unset_field, header.empty_field) != ("\t", "-", "(empty)"):
        raise LogError(file, "unusual separators; use `zeekpop3 run`")
    return header


def _escaped(uri: str) -> str:
    """A URI that Spark gave, as a path that it accepts: without percent signs, and not a glob."""
    return "".join("\\" + char if char in "*?[]{}" else char for char in unquote(uri))


# -- rows ----------------------------------------------------------------------------------------------


def _read(
    spark: SparkSession, fields: tuple[str, ...], types: tuple[str, ...], files: list[str]
) -> DataFrame:
    frame = spark.read.options(**_LOCAL).csv(
        [_escaped(file) for file in files],
        schema=_schema(spark, fields, types),
        sep="\t",
        comment="#",
        nullValue="-",
        quote="",
        escape="",
        columnNameOfCorruptRecord=_BROKEN,
    )
    frame = frame.toDF(*(name.replace(".", "_") for name in frame.columns))
    frame = frame.withColumn("ts", F.col("ts").cast("timestamp")).withColumn("log", _log_name())
    return frame.where(_is_row()).select([*(name.replace(".", "_") for name in COLUMNS), "log"])


def _schema(spark: SparkSession, fields: tuple[str, ...], types: tuple[str, ...]) -> StructType:
    """zat's types, and one column more for rows that do not fit."""
    zat = LogToSparkDF(spark)
    zat.type_map |= {"time": DecimalType(20, 6), "port": LongType()}
    # Columns that a site added are text: only those of the package have to be right.
    kinds = [kind if name in COLUMNS else "string" for name, kind in zip(fields, types, strict=True)]
    schema: StructType = zat.build_spark_schema(fields, kinds)
    return schema.add(_BROKEN, StringType())


def _log_name() -> Column:
    """The name of a row's log, as `log.find.log_name` has it."""
    path = F.expr("url_decode(replace(input_file_name(), '+', '%2B'))")
    return F.regexp_extract(path, r"((?:/\d{4}-\d\d-\d\d(?=/))?/[^/]*)$", 1).substr(F.lit(2), F.lit(1 << 12))


def _is_row() -> Column:
    """Whether a row has what every row has, in the ranges that `zeekpop3.log` requires."""
    good = F.col(_BROKEN).isNull() & (F.col("seq") >= 0)
    for name in ("ts", "uid", "kind"):
        good &= F.col(name).isNotNull()
    for name in (*_PORTS, "offset", "length"):
        good &= F.coalesce(F.col(name), F.lit(0)).between(0, 0xFFFF if name in _PORTS else 10**18)
    return good
