"""The counters as a textfile for Prometheus' node_exporter, which is replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zeekpop3.pipeline.counters import Counters
from zeekpop3.store.files import new_file

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
}
GAUGES = {
    "lag_seconds": "Seconds since the tables were last level with the logs.",
    "open_connections": "Open connections.",
    "held_bytes": "Bytes of unfinished messages in memory.",
    "last_commit_seconds": "Time of the last commit (seconds since the epoch).",
    "healthy": "1 while logs and output can be used, 0 while something is being retried.",
}


def text(totals: Counters, gauges: Mapping[str, float]) -> str:
    """The metrics in Prometheus' text format. `gauges` has a value for each name in `GAUGES`."""
    found = [(f"{name}_total", "counter", about, getattr(totals, name)) for name, about in _COUNTERS.items()]
    found += [(name, "gauge", about, gauges[name]) for name, about in GAUGES.items()]
    lines = []
    for name, kind, about, value in found:
        full = f"zeekpop3_follow_{name}"
        shown = f"{value:.3f}" if isinstance(value, float) else value
        lines += [f"# HELP {full} {about}", f"# TYPE {full} {kind}", f"{full} {shown}"]
    return "\n".join(lines) + "\n"


def write(path: Path, totals: Counters, gauges: Mapping[str, float]) -> None:
    """Replace the textfile; it is readable by all, as it holds only numbers. Raises OutputError."""
    with new_file(path, mode=0o644) as file:
        file.write(text(totals, gauges).encode())
