"""Event logs → a Spark DataFrame of rows, read by zat's LogToSparkDF; what is no row is left out.

zat's reader is right for this log but for three things, which are set from outside: its `time` is a double,
which Spark cuts to the microsecond below, quotes have a meaning for it, and a row with too few fields is
filled up. Headers are looked at first, by Spark as well: zat opens files by name and only on this machine.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from glob import glob, has_magic
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType, LongType, StringType, StructType
from zat.log_to_sparkdf import LogToSparkDF

from zeekpop3.errors import LogError
from zeekpop3.log.find import is_log_name
from zeekpop3.log.header import COLUMNS, Header, parse_header

OnError = Callable[[LogError], None]

# Hadoop's own local file system keeps checksum files beside the files, and fails at the colons in the names
# of Zeek's archive; the one below it does not. (HDFS itself knows no names with colons.)
_LOCAL = {
    "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "fs.file.impl.disable.cache": "true",
}
_BROKEN = "_broken_row"
_PORTS = ("id_orig_p", "id_resp_p")


def read_rows(spark: SparkSession, paths: str | Iterable[str], on_error: OnError | None = None) -> DataFrame:
    """The rows of event logs, in no order; columns as in the log, with `_` for `.`, `data` still base64.

    `paths` are files, folders (with all below them) or globs, wherever Spark can read. A file that is no
    event log goes to `on_error` and is left out; LogError is raised if there is no `on_error`, and where
    nothing is left. Rows that are no rows are left out: the hole in `seq` shows in the tables.
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
    """All files meant, each once. In folders only Zeek's names count, as in `run`."""
    from pyspark.errors import AnalysisException

    found: dict[str, None] = {}
    for path in _expanded(spark, [paths] if isinstance(paths, str) else paths):
        try:
            below = spark.read.options(recursiveFileLookup=True, **_LOCAL).text(path).inputFiles()
        except AnalysisException:
            raise LogError(path, "no such file or folder") from None
        pattern = PurePosixPath(path).name
        meant = [
            file for file in below if is_log_name(_name(file)) or PurePosixPath(_name(file)).match(pattern)
        ]
        if not meant:
            raise LogError(path, "holds no event log (pop3_events*.log or .log.gz)")
        found.update(dict.fromkeys(meant))
    return list(found)


def _expanded(spark: SparkSession, paths: Iterable[str]) -> Iterator[str]:
    """Globs over local files, resolved here: Hadoop's fail at the colons in names of Zeek's archive."""
    local = str(spark.conf.get("spark.hadoop.fs.defaultFS", "file:///")).startswith("file:")
    for path in paths:
        here = local and "://" not in path and has_magic(path)
        matches = sorted(glob(path)) if here else []  # noqa: PTH207
        yield from matches or [path]


def _name(uri: str) -> str:
    from urllib.parse import unquote

    return unquote(uri.rpartition("/")[2])


def _headers(spark: SparkSession, files: list[str], on_error: OnError | None) -> list[tuple[Header, str]]:
    """The header of each file; of all places in it where one stands, as logs may be concatenated."""
    text = spark.read.options(**_LOCAL).text([_escaped(file) for file in files])
    lines = text.where(
        F.col("value").startswith("#")
        & ~F.col("value").startswith("#open")
        & ~F.col("value").startswith("#close")
    ).select(F.input_file_name().alias("file"), "value")
    said: dict[str, dict[str, None]] = {file: {} for file in files}
    for file, value in lines.collect():
        said[file].setdefault(value)
    good = []
    for file, found in said.items():
        try:
            good.append((_header(file, list(found)), file))
        except LogError as error:
            if on_error is None:
                raise
            on_error(error)
    return good


def _header(file: str, lines: list[str]) -> Header:
    if not lines:
        raise LogError(file, "is no Zeek log: it does not begin with a Zeek header")
    for name in ("#fields", "#types", "#path", "#separator", "#unset_field", "#empty_field"):
        if sum(line.startswith(name) for line in lines) > 1:
            raise LogError(file, f"holds logs whose {name} differ; Spark can't read it, `zeekpop3 run` can")
    lines.sort(key=lambda line: not line.startswith("#separator"))
    header, _ = parse_header("\n".join(lines).encode(), file)
    usual = Header(header.path, header.fields, header.types)
    if (header.separator, header.unset_field, header.empty_field) != (
        usual.separator,
        usual.unset_field,
        usual.empty_field,
    ):
        raise LogError(file, "its separators are not Zeek's usual ones; `zeekpop3 run` can read it")
    return header


def _escaped(uri: str) -> str:
    """A URI that Spark gave, as a path that it takes: without its percent signs, and no glob."""
    from urllib.parse import unquote

    return "".join("\\" + char if char in "*?[]{}" else char for char in unquote(uri))


# -- rows ----------------------------------------------------------------------------------------------


class _EventLogToSparkDF(LogToSparkDF):  # type: ignore[misc]
    """zat's reader, for files whose header is known."""

    def __init__(self, spark: SparkSession, files: list[str]) -> None:
        super().__init__(SimpleNamespace(read=SimpleNamespace(csv=self._csv)))
        self._session = spark
        self._files = [_escaped(file) for file in files]
        self.type_map["time"] = DecimalType(20, 6)
        self.type_map["port"] = LongType()

    def _csv(self, _: str, **options: Any) -> DataFrame:
        options |= {"quote": "", "escape": "", "columnNameOfCorruptRecord": _BROKEN}
        return self._session.read.options(**_LOCAL).csv(self._files, **options)

    def build_spark_schema(
        self, column_names: list[str], column_types: list[str], verbose: bool = False
    ) -> StructType:
        """zat's hook: the types by which Spark reads; one column more takes the rows that are none."""
        schema: StructType = super().build_spark_schema(column_names, column_types, verbose)
        return schema.add(_BROKEN, StringType())


def _read(
    spark: SparkSession, fields: tuple[str, ...], types: tuple[str, ...], files: list[str]
) -> DataFrame:
    # What the columns hold is known; what else a site has added is text.
    kinds = [COLUMNS.get(name, "string") for name in fields]
    with tempfile.NamedTemporaryFile("w", prefix="zeekpop3-", suffix=".header", encoding="utf-8") as header:
        header.write(
            "\n".join(("#separator \\x09", "\t".join(("#fields", *fields)), "\t".join(("#types", *kinds))))
        )
        header.write("\n")
        header.flush()
        frame: DataFrame = _EventLogToSparkDF(spark, files).create_dataframe(header.name, fillna=False)
    return frame.where(_is_row()).select([name.replace(".", "_") for name in COLUMNS])


def _is_row() -> Column:
    """Whether a row has what every row has, within reason, as `zeekpop3.log` asks it."""
    good = F.col(_BROKEN).isNull() & (F.col("seq") >= 0)
    for name in ("ts", "uid", "kind"):
        good &= F.col(name).isNotNull()
    for name in (*_PORTS, "offset", "length"):
        good &= F.coalesce(F.col(name), F.lit(0)).between(0, 0xFFFF if name in _PORTS else 10**18)
    return good
