"""The table `hits`: hits that were found are added once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = ("uid", "trans_depth", "part", "indicator", "type", "field", "value")


def unknown_hits(path: str | Path, hits: pa.Table) -> pa.Table:
    """The hits that the table of a folder does not hold."""
    from zeekpop3.store.read import read_table

    known = set(zip(*(column.to_pylist() for column in read_table(path, "hits", _KEY).columns), strict=True))
    import pyarrow as pa

    rows = zip(*(hits.column(name).to_pylist() for name in _KEY), strict=True)
    return hits.filter(pa.array([row not in known for row in rows], pa.bool_()))


def add_hits(path: str | Path, hits: pa.Table) -> None:
    """Add those of the hits that the table does not hold. Raises OutputError if it cannot be written."""
    from zeekpop3.store.write import Sink

    with Sink(path, "append") as sink:
        sink.write("hits", unknown_hits(path, hits))
