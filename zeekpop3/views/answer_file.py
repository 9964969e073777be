"""An SQL answer as a file: CSV, JSON Lines or Parquet, as the file's name says."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from zeekpop3.errors import QueryError
from zeekpop3.store.files import new_file
from zeekpop3.views.format import row_lines
from zeekpop3.views.sql import Database


def write_answer(database: Database, statement: str, path: Path, limit: int | None = None) -> int:
    """Write at most `limit` rows of an answer to a file; returns their number.

    Raises QueryError for the statement or an unknown format, OutputError if the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".json", ".jsonl", ".parquet"):
        raise QueryError(f"{path}: unknown format; use a name that ends in .csv, .json or .parquet")
    with new_file(path) as file:
        if kind == ".parquet":
            return _write_parquet(database, statement, file, limit)
        columns, rows = database.rows(statement, limit)
        lines = row_lines(columns, rows, csv=kind == ".csv")
        number = -1 if kind == ".csv" else 0  # the header is not counted
        for line in lines:
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            number += 1
    return number


def _write_parquet(database: Database, statement: str, file: BinaryIO, limit: int | None) -> int:

    columns, batches = database.stream(statement, limit)
    first = next(batches, None)
    if first is None:
        first = pa.record_batch([pa.nulls(0)] * len(columns), columns)
    rows = 0
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for batch in itertools.chain([first], batches):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows
