"""Hits of a follower, with what an analyst needs to act on them, and the command that gets each one.

The command gets a hit as one line of JSON on its standard input. It is run without a shell, one at a time, in
a thread: however long it takes, and whether it fails, following goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import reason
from zeekpop3.follow.reports import info, warning
from zeekpop3.pipeline.settings import HASH_KEY_VARIABLE

if TYPE_CHECKING:
    import pyarrow as pa

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
            line = json.dumps(hit, default=str, ensure_ascii=True)
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
