"""The table `hits`: a hit is added once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from zeekpop3.store.files import make_folder
from zeekpop3.store.locks import exclusive
from zeekpop3.store.read import read_table, table_folder
from zeekpop3.store.write import Sink

_KEY = ("uid", "trans_depth", "part", "indicator", "type", "field", "value")


@contextmanager
def new_hits(path: str | Path, hits: pa.Table) -> Iterator[pa.Table]:
    """The hits that the table of an output folder does not hold; they are added when the block has succeeded.

    `hits` has the schema of the table. Other processes that add hits wait meanwhile. Raises QueryError,
    OutputError.
    """
    folder = table_folder(path, "hits")  # of one folder: of several, that of a hit is not known
    make_folder(folder)
    with exclusive(folder):
        known = set(_keys(read_table(path, "hits", _KEY)))
        unknown = hits.filter(pa.array([key not in known for key in _keys(hits)], pa.bool_()))
        yield unknown
        if unknown.num_rows:
            with Sink(folder.parent, "append") as sink:
                sink.write("hits", unknown)


def _keys(hits: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(hits.column(name).to_pylist() for name in _KEY), strict=True)
