"""What the program prints. Every line passes `visible`: mail, logs and file names are untrusted.

Results go to stdout, notes, errors and progress to stderr.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zeekpop3.views.text import visible

if TYPE_CHECKING:
    from zeekpop3.pipeline import Counters

#: Called with bytes of log done, bytes in total, and mails found so far.
Progress = Callable[[int, int, int], None]
#: Width of tables that are written to a file or pipe.
_FILE_WIDTH = 160
_PROGRESS_S = 10.0


def say(line: str) -> None:
    """A line on stderr."""
    print(visible(line), file=sys.stderr, flush=True)


def write(lines: Iterable[str]) -> None:
    """Lines on stdout; characters that its encoding lacks become escapes."""
    escape_unencodable()
    for line in lines:
        print(visible(line))


def close_stdout() -> None:
    """Discard what is still buffered for a reader that has ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def escape_unencodable() -> None:
    """Write characters that stdout's encoding lacks as escapes."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def width() -> int:
    """The width for tables: the terminal's, or a fixed one for files and pipes."""
    import shutil

    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return _FILE_WIDTH


def console() -> Any:
    """A rich console on stdout that interprets no markup."""
    from rich.console import Console

    escape_unencodable()
    return Console(width=width(), highlight=False, markup=False, emoji=False)


class Problems:
    """Prints errors about parts of the input; `found` is True after the first one."""

    def __init__(self) -> None:
        self.found = False

    def __call__(self, error: Exception) -> None:
        self.found = True
        say(f"zeekpop3: {error}")


def summary_line(counts: Counters) -> str:
    """The counts of a run."""
    from zeekpop3.views.format import plural

    incomplete = f" ({counts.incomplete} incomplete)" if counts.incomplete else ""
    return (
        f"{plural(counts.mails, 'mail')}{incomplete}, {plural(counts.attachments, 'attachment')}, "
        f"{plural(counts.sessions, 'session')}, {plural(counts.commands, 'command')} "
        f"from {plural(counts.rows, 'row')} in {plural(counts.logs, 'log')}"
    )


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar if stderr is a terminal, otherwise a line every ten seconds."""
    if not sys.stderr.isatty():
        yield _progress_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[mails]} mails ({task.fields[rate]:.0f}/s)"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, mails=0, rate=0.0)

        def update(done: int, total: int, mails: int) -> None:
            rate = mails / max(time.monotonic() - started, 1e-3)
            bar.update(task, completed=done, total=total, mails=mails, rate=rate)

        yield update


def _progress_lines() -> Progress:
    started = last = time.monotonic()

    def update(done: int, total: int, mails: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_S and done < total:
            last = now
            rate = mails / (now - started)
            say(f"zeekpop3: {done >> 20} of {total >> 20} MiB, {mails} mails ({rate:.0f}/s)")

    return update
