"""Zeek's other logs (conn.log, smtp.log …) as Arrow tables: TSV or JSON lines, plain or gzip.

Columns keep Zeek's names with `_` for `.`; times are timestamps, counts integers, sets and vectors lists,
unset values null. Without a `#types` line (intel files) every column is text. A log is held in memory.
Files, folders of an archive and globs are searched for the logs of a stream.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.json as json

from zeekpop3.errors import LogError, first_line, reason
from zeekpop3.log.find import each_path
from zeekpop3.log.header import directives, unescape

#: Zeek's types of numbers, and Arrow's.
_NUMBERS = {"double": "float64", "interval": "float64", "count": "int64", "int": "int64", "port": "int32"}


def read_zeek_log(
    paths: str | Path | Iterable[str | Path], containing: bytes = b"", stream: str | None = None
) -> pa.Table:
    """The rows of Zeek logs whose line contains these bytes.

    `paths` are files; with the name of a `stream` also folders and globs (see below). Raises LogError.
    """
    given = each_path(paths)
    files = [Path(path) for path in given] if stream is None else find_zeek_logs(stream, given)
    tables = [_read(file, containing) for file in files]
    tables = [table for table in tables if table.num_columns] or tables
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise LogError(given[0], f"the files have different columns: {first_line(error)}") from error


def _read(path: Path, containing: bytes) -> pa.Table:
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            with gzip.GzipFile(fileobj=file) if packed else nullcontext(file) as lines:
                if containing:
                    content = b"".join(line for line in lines if line[:1] == b"#" or containing in line)
                else:
                    content = lines.read()
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(path, f"cannot be read: {reason(error)}") from error
    if containing and not content:
        return pa.table({})
    try:
        return _json(content) if content[:1] == b"{" else _tsv(path, content)
    except (pa.ArrowException, ValueError) as error:
        raise LogError(path, f"not a Zeek log: {first_line(error)}") from error


def _json(content: bytes) -> pa.Table:
    options = json.ReadOptions(block_size=max(1 << 20, min(len(content) + 1, 1 << 30)))
    table = json.read_json(io.BytesIO(content), read_options=options)
    table = table.rename_columns([name.replace(".", "_") for name in table.column_names])
    if "ts" in table.column_names:
        place, kind = table.column_names.index("ts"), table.schema.field("ts").type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            table = table.set_column(place, "ts", _timestamps(table.column("ts")))
        elif pa.types.is_timestamp(kind):  # LogAscii::json_timestamps = JSON::TS_ISO8601
            table = table.set_column(place, "ts", table.column("ts").cast(pa.timestamp("us", tz="UTC")))
    return table


def _tsv(path: Path, content: bytes) -> pa.Table:
    lines = content.splitlines()
    head = _header(path, [line for line in lines if line.startswith(b"#")])
    fields = head.get("fields", [])
    types = head.get("types", ["string"] * len(fields))
    if not fields or len(fields) != len(types):
        raise LogError(path, "not a Zeek log: no #fields line, or its number of fields differs from #types")
    names = [name.replace(".", "_") for name in fields]
    (separator,), (unset,) = head["separator"], head["unset_field"]
    body = [line for line in lines if not line.startswith(b"#")]
    table = csv.read_csv(
        io.BytesIO(b"\n".join(body) if body else separator.encode().join([unset.encode()] * len(names))),
        csv.ReadOptions(column_names=names),
        csv.ParseOptions(delimiter=separator, quote_char=False, escape_char=False, ignore_empty_lines=True),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[unset], strings_can_be_null=True
        ),
    )
    table = table.slice(0, len(body))
    columns = [_typed(table.column(name), kind, head) for name, kind in zip(names, types, strict=True)]
    return pa.table(columns, names=names)


def _header(path: Path, lines: list[bytes]) -> dict[str, list[str]]:
    """The values of each header line by its name. All headers of joined logs must have the same fields."""
    texts = [line.decode("utf-8", "replace") for line in lines]
    if len({text for text in texts if text.startswith("#fields")}) > 1:
        raise LogError(path, "the #fields line changes within the file")
    return {"unset_field": ["-"], "empty_field": ["(empty)"], "set_separator": [","], **directives(texts)[0]}


def _typed(column: pa.ChunkedArray, kind: str, head: dict[str, list[str]]) -> Any:
    if kind == "time":
        return _timestamps(column)
    if kind in _NUMBERS:
        return column.cast(_NUMBERS[kind])
    if kind == "bool":
        return pc.equal(column, "T")
    if kind.startswith(("set[", "vector[")):
        entries = [None if text is None else _entries(text, head) for text in column.to_pylist()]
        return pa.array(entries, pa.list_(pa.string()))
    column = pc.if_else(pc.equal(column, head["empty_field"][0]), "", column)
    if pc.any(pc.match_substring(column, "\\")).as_py():
        texts = [None if text is None else unescape(text.encode()) for text in column.to_pylist()]
        return pa.array(texts, pa.string())
    return column


def _entries(text: str, head: dict[str, list[str]]) -> list[str]:
    if [text] == head["empty_field"]:
        return []
    return [unescape(entry.encode()) for entry in text.split(head["set_separator"][0])]


def _timestamps(seconds: Any) -> Any:
    micros = pc.round(pc.multiply(seconds.cast(pa.float64()), 1_000_000.0)).cast(pa.int64())
    return micros.cast(pa.timestamp("us", tz="UTC"))


# -- an archive of logs ------------------------------------------------------------------------------


# Zeek writes `http.log`; its archive has a folder for each day with `http.HH:MM:SS-HH:MM:SS.log.gz`
# (zeekctl's archive-log), and other rotations have names such as `http_20261128-100000.log`. A folder is
# searched with the folders in it, and a glob may have wildcards in each component.

#: Folders of an archive are not nested more deeply.
_MAX_DEPTH = 16


def find_zeek_logs(stream: str, given: str | Path | Iterable[str | Path]) -> list[Path]:
    """The files of a log stream ("http"), each once: those given, and in folders and globs those of its name.

    Raises LogError for a path without such a log.
    """
    found: dict[Path, None] = {}
    for each in each_path(given):
        files = sorted(_files(stream, str(each)))
        if not files:
            raise LogError(each, _nothing(stream, Path(each)))
        found |= dict.fromkeys(files)
    return list(found)


def _files(stream: str, given: str) -> Iterator[Path]:
    path, name = Path(given), _name(stream)
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from _below(path, name)
    elif glob.has_magic(given):
        matches = [Path(match) for match in glob.iglob(given, recursive=True)]  # noqa: PTH207
        files = [match for match in matches if match.is_file()]
        # The files with the stream's name; all files, if the glob matches none of these.
        yield from [file for file in files if name.fullmatch(file.name)] or files
        for match in matches:
            if match.is_dir():
                yield from _below(match, name)


def _name(stream: str) -> re.Pattern[str]:
    """The names of a stream's files: `http.log`, `http.10:00:00-11:00:00.log.gz`, `http_20261128.log`."""
    return re.compile(rf"(?:json_streaming_)?{re.escape(stream)}(?:[._-]\d[^/]*)?\.log(?:\.\d+)?(?:\.gz)?")


def _below(folder: Path, name: re.Pattern[str]) -> Iterator[Path]:
    folders = [(folder, 0)]
    while folders:
        at, depth = folders.pop()
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=depth == 0) and depth < _MAX_DEPTH:
                        folders.append((Path(entry.path), depth + 1))
                    elif name.fullmatch(entry.name) and entry.is_file():
                        yield Path(entry.path)
        except OSError as error:
            raise LogError(at, f"cannot be read: {reason(error)}") from error


def _nothing(stream: str, path: Path) -> str:
    if path.is_dir() or glob.has_magic(str(path)):
        return f"no {stream}.log, {stream}.*.log or {stream}.*.log.gz there"
    return "no such log file"
