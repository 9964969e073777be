"""Whether tables already contain a log: its first connections are there.

A log is recognised by its content, so it may have been renamed, moved or compressed. A connection that began
in an earlier log does not count: rotated logs share connections.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zeekpop3.errors import LogError, OutputError, QueryError
from zeekpop3.log.batch import read_chunk
from zeekpop3.log.chunks import chunks

_LOOKED_AT = 16 << 20  # bytes of each log, from its first row


def refuse_repeated(logs: Iterable[Path], out: Path) -> None:
    """Raise OutputError for the first log of which `out` contains a connection that begins in the log."""
    from zeekpop3.store.read import read_table  # pyarrow.dataset, which a run does not need otherwise

    try:
        known = set(read_table(out, "sessions", ["uid"]).column("uid").to_pylist())
    except QueryError:
        return  # no tables yet
    for log in logs:
        if uid := next((uid for uid in _beginning(log) if uid in known), None):
            raise OutputError(
                f"{log}: {out} already contains this log (connection {uid}); use --force to add it again"
            )


def _beginning(log: Path) -> Iterable[str]:
    """The uids of the connections that begin near the start of a log."""

    def ignore(error: LogError) -> None:
        """The run itself reports what cannot be read."""

    chunk = next(chunks(log, size=_LOOKED_AT, on_error=ignore), None)
    if chunk is None:
        return []
    batch = read_chunk(chunk, ignore)
    return [batch.uids[code] for code in batch.uid_code[batch.seq == 0]]
