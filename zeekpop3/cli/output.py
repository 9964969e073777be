"""What the program prints. Every line passes `visible`: mail, logs and file names are untrusted.

Results go to stdout, notes, errors and progress to stderr.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from zeekpop3.views.text import plural, visible

if TYPE_CHECKING:
    from zeekpop3.pipeline.settings import Counters

#: Called with bytes of log done, bytes in total, and mails found so far.
Progress = Callable[[int, int, int], None]
#: Width of tables that are written to a file or pipe.
_FILE_WIDTH = 160
#: Seconds between two reports of progress to a file or pipe, and to a terminal.
_PROGRESS_S, _REDRAW_S = 10.0, 0.2
#: The progress line that is on the terminal.
_drawn = ""


def say(line: str) -> None:
    """A line on stderr."""
    _draw("")
    print(visible(line), file=sys.stderr, flush=True)


def write(lines: Iterable[str], *, tabs: bool = False) -> None:
    """Lines on stdout; characters that its encoding lacks become escapes. With `tabs`, these stay."""
    escape_unencodable()
    for line in lines:
        print("\t".join(map(visible, line.split("\t"))) if tabs else visible(line))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, vertical: bool = False) -> None:
    """Rows on stdout, fitted to the terminal: as a table, or `vertical`: one value per line."""
    from zeekpop3.views.grid import grid

    write(grid(columns, rows, width(), vertical=vertical))


def wrapped(line: str, indent: int) -> list[str]:
    """A line, folded to the terminal's width; further lines are indented."""
    return textwrap.wrap(line, width(), subsequent_indent=" " * indent, break_on_hyphens=False)


def close_stdout() -> None:
    """Discard what is still buffered for a reader that has ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def escape_unencodable() -> None:
    """Write characters that stdout's encoding lacks as escapes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def width() -> int:
    """The width for tables: the terminal's, or a fixed one for files and pipes."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return _FILE_WIDTH


def console() -> Any:
    """A rich console on stdout that interprets no markup."""
    from rich.console import Console

    escape_unencodable()
    return Console(width=width(), highlight=False, markup=False, emoji=False)


class Problems:
    """Prints errors about parts of the input, the first `most` of them, and counts all.

    `names` has what is printed in place of a path: of a file that is not the user's.
    """

    def __init__(self, most: float = math.inf) -> None:
        self.count, self._most = 0, most
        self.names: dict[str, str] = {}

    def __call__(self, error: Exception) -> None:
        self.count += 1
        if self.count <= self._most:
            say(f"zeekpop3: {self.text_of(error)}")

    def text_of(self, error: Exception) -> str:
        """What an error says, with the names."""
        text = str(error)
        for path, name in self.names.items():
            text = text.replace(path, name)
        return text

    def finish(self) -> None:
        """Exit with code 1 if there was any."""
        if self.count:
            raise typer.Exit(1)


def summary_line(counts: Counters) -> str:
    """The counts of a run."""
    return (
        f"{mails_line(counts)}, {plural(counts.attachments, 'attachment')}, "
        f"{plural(counts.sessions, 'session')}, {plural(counts.commands, 'command')} "
        f"from {plural(counts.rows, 'row')} in {plural(counts.logs, 'log')}"
    )


def mails_line(counts: Counters) -> str:
    """The counts of mails, of previews, and of those that are incomplete."""
    previews = f", {plural(counts.previews, 'preview')} (TOP)" if counts.previews else ""
    incomplete = f", {counts.incomplete} incomplete" if counts.incomplete else ""
    return f"{plural(counts.mails, 'mail')}{previews}{incomplete}"


@contextmanager
def progress() -> Iterator[Progress]:
    """A line on stderr that is rewritten if it is a terminal; otherwise a line every ten seconds."""
    terminal = sys.stderr.isatty()
    started = last = time.monotonic()

    def update(done: int, total: int, mails: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last >= (_REDRAW_S if terminal else _PROGRESS_S):
            last = now
            rate = mails / (now - started)
            line = f"zeekpop3: {done >> 20} of {total >> 20} MiB, {mails} mails ({rate:.0f}/s)"
            if terminal:
                _draw(line)
            else:
                say(line)

    try:
        yield update
    finally:
        _draw("")


def _draw(line: str) -> None:
    """Replace the progress line; an empty line removes it."""
    global _drawn
    if line or _drawn:
        blanks = " " * max(0, len(_drawn) - len(line))
        print(f"\r{line}{blanks}" + ("" if line else "\r"), end="", file=sys.stderr, flush=True)
        _drawn = line
