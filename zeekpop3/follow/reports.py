"""What a follower tells others: its own log, its counters as a textfile for Prometheus' node_exporter, and
each hit of an indicator to a command.

Each problem is logged once, and once more when it is over. The logger is "zeekpop3.follow". Numbers and names
of a message are in the record's attribute `fields`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import LogError, reason
from zeekpop3.pipeline.settings import HASH_KEY_VARIABLE, Counters
from zeekpop3.store.files import new_file

if TYPE_CHECKING:
    import pyarrow as pa

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
        for path, why in found.items():
            if self._files.get(path) != why:
                logger.error("%s: %s; will retry", path, why)
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

    def output(self, why: str | None) -> None:
        """Why the output cannot be written at present; None if it can."""
        if why is not None and self._output is None:
            logger.error("%s; retrying, no data is lost", why)
        elif why is None and self._output is not None:
            info("output can be written again")
        self._output = why

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


# -- hits to a command -------------------------------------------------------------------------------


# The command gets a hit, with what an analyst needs to act on it, as one line of JSON on its standard input.
# It is run without a shell, one at a time, in a thread: however long it takes, and whether it fails,
# following goes on.

MAX_WAITING = 1_000
"""Hits that wait for the command; more are logged and written to the tables, but not given to it."""
TIMEOUT_S = 30.0
"""For one hit; then the command is killed, with all that it started."""
END_S = 60.0
"""For all hits that wait when the follower is done; a second if it was stopped."""
_MAIL = ("user", "id_orig_h", "from_address", "subject")


def hits_of(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """The hits of a commit: rows of the table `hits` with the mail's id (UID/DEPTH), its user, client, sender
    and subject; those of a connection with its user and client.
    """
    if (found := tables.get("hits")) is None:
        return []
    hits: list[dict[str, Any]] = found.to_pylist()
    about = {**_about(tables, "sessions", hits), **_about(tables, "emails", hits)}
    nothing = dict.fromkeys(_MAIL)
    for hit in hits:
        key = (hit["uid"], hit["trans_depth"])
        hit["mail"] = hit["uid"] if hit["trans_depth"] is None else f"{hit['uid']}/{hit['trans_depth']}"
        hit.update(about.get(key, nothing))
    return hits


def _about(
    tables: Mapping[str, pa.Table], name: str, hits: list[dict[str, Any]]
) -> dict[tuple[str, int | None], dict[str, Any]]:
    """What the rows of a table say of the mails, or connections, with hits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = tables.get(name)
    if table is None:
        return {}
    columns = [each for each in ("uid", "trans_depth", *_MAIL) if each in table.column_names]
    uids = list({hit["uid"] for hit in hits})
    rows = (
        table.select(columns).filter(pc.is_in(table.column("uid"), pa.array(uids, pa.string()))).to_pylist()
    )
    return {(row["uid"], row.get("trans_depth")): {each: row.get(each) for each in _MAIL} for row in rows}


def _iso(value: Any) -> str:
    """A time as ISO 8601, UTC with `Z`, as everywhere in JSON; anything else as its text."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, dt.datetime) else str(value)


class OnHit:
    """Runs a command for each hit. `close` waits until the command has all of them, within a limit."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._queue: queue.Queue[str | None] = queue.Queue(MAX_WAITING)
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="on-hit", daemon=True)
        self._thread.start()

    def __call__(self, hits: list[dict[str, Any]]) -> None:
        """Give hits to the command, later."""
        for number, hit in enumerate(hits):
            line = json.dumps(hit, default=_iso, ensure_ascii=True)
            try:
                self._queue.put_nowait(line)
            except queue.Full:
                warning("hits not given to the command, as others wait", hits=len(hits) - number)
                return

    def close(self, wait_s: float = END_S) -> None:
        """Wait until the command has all hits, at most this many seconds."""
        end = time.monotonic() + wait_s
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=wait_s)
        self._thread.join(max(0.0, end - time.monotonic()))
        if self._thread.is_alive():
            warning("hits not given to the command at the end", hits=self._queue.qsize())

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            problem = self._give(line)
            if problem is not None:
                warning("the command for hits failed", command=self._command[0], problem=problem)
            elif self._failed:
                info("the command for hits works again", command=self._command[0])
            self._failed = problem is not None

    def _give(self, line: str) -> str | None:
        """Run the command for one hit; why it failed, or None."""
        environment = {name: value for name, value in os.environ.items() if name != HASH_KEY_VARIABLE}
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            return reason(error)
        try:
            process.communicate((line + "\n").encode(), timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"took longer than {TIMEOUT_S:.0f} s"
        except OSError as error:
            return reason(error)
        return None if process.returncode == 0 else f"exit code {process.returncode}"
