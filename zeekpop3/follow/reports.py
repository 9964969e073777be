"""A follower's own log, and its counters as a textfile for Prometheus' node_exporter.

Each problem is logged once, and once more when it is over. The logger is "zeekpop3.follow". Numbers and names
of a message are in the record's attribute `fields`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zeekpop3.errors import LogError
from zeekpop3.pipeline.settings import Counters
from zeekpop3.store.files import new_file

logger = logging.getLogger("zeekpop3.follow")

_BAD_ROWS = 10
_MAX_REMEMBERED = 10_000


def info(text: str, **fields: Any) -> None:
    """Log an event with its numbers and names."""
    logger.info("%s", text, extra={"fields": fields})


def warning(text: str, **fields: Any) -> None:
    """Log something that needs attention."""
    logger.warning("%s", text, extra={"fields": fields})


class ProblemLog:
    """The problems that are known. `healthy` is False while there are any that will be retried."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._output: str | None = None
        self._bad_rows: Counter[str] = Counter()
        self._once: set[str] = set()

    @property
    def healthy(self) -> bool:
        return not self._files and self._output is None

    def files(self, found: dict[str, str]) -> bool:
        """The paths that cannot be used at present, each with the reason; True if there are any."""
        for path, reason in found.items():
            if self._files.get(path) != reason:
                logger.error("%s: %s; will retry", path, reason)
        for path in self._files.keys() - found.keys():
            info(f"{path}: readable again")
        self._files = found
        return bool(found)

    def bad_row(self, error: LogError) -> None:
        """A row, or a place in a log, that cannot be used. The first of each log are logged."""
        self._bad_rows[error.path] += 1
        count = self._bad_rows[error.path]
        if count <= _BAD_ROWS:
            warning(str(error))
        elif count == _BAD_ROWS + 1:
            warning(f"{error.path}: further bad rows are counted but not logged")
        if len(self._bad_rows) > _MAX_REMEMBERED:
            self._bad_rows.clear()

    def output(self, reason: str | None) -> None:
        """Why the output cannot be written at present; None if it can."""
        if reason is not None and self._output is None:
            logger.error("%s; retrying, no data is lost", reason)
        elif reason is None and self._output is not None:
            info("output can be written again")
        self._output = reason

    def once(self, problem: str) -> None:
        """A minor problem."""
        if problem not in self._once:
            self._once.add(problem)
            warning(problem)


# -- metrics -----------------------------------------------------------------------------------------


_COUNTERS = {
    "rows": "Rows of the event log that were read.",
    "mails": "Mails that were written.",
    "previews": "Previews of mails (answers to TOP) that were written.",
    "incomplete": "Mails and previews that are not complete.",
    "attachments": "Attachments that were written.",
    "sessions": "Sessions that were written.",
    "commands": "Commands that were written.",
    "log_bytes": "Bytes of event log (decompressed) that were read.",
    "mail_bytes": "Bytes of the mails that were written.",
    "late_rows": "Rows that were skipped: duplicates, or of a connection that was closed as idle.",
    "problems": "Files and rows that could not be used.",
    "parts": "Parquet files that were written.",
    "hits": "Hits of indicators that were written.",
}
GAUGES = {
    "lag_seconds": "Seconds since the tables were last level with the logs.",
    "open_connections": "Open connections.",
    "held_bytes": "Bytes of unfinished messages in memory.",
    "last_commit_seconds": "Time of the last commit (seconds since the epoch).",
    "healthy": "1 while logs and output can be used, 0 while something is being retried.",
}


def metrics_text(totals: Counters, gauges: Mapping[str, float]) -> str:
    """The metrics in Prometheus' text format. `gauges` has a value for each name in `GAUGES`."""
    found = [(f"{name}_total", "counter", about, getattr(totals, name)) for name, about in _COUNTERS.items()]
    found += [(name, "gauge", about, gauges[name]) for name, about in GAUGES.items()]
    lines = []
    for name, kind, about, value in found:
        full = f"zeekpop3_follow_{name}"
        shown = f"{value:.3f}" if isinstance(value, float) else value
        lines += [f"# HELP {full} {about}", f"# TYPE {full} {kind}", f"{full} {shown}"]
    return "\n".join(lines) + "\n"


def write_metrics(path: Path, totals: Counters, gauges: Mapping[str, float]) -> None:
    """Replace the textfile; it is readable by all, as it holds only numbers. Raises OutputError."""
    with new_file(path, mode=0o644) as file:
        file.write(metrics_text(totals, gauges).encode())
