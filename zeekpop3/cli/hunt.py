"""Commands that search the tables with lists from elsewhere: hunt and verify."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeekpop3.cli.options import Directory, FormatOptions, command, exclusive
from zeekpop3.cli.output import Problems, print_table, say, write
from zeekpop3.views.format import csv_lines, json_lines, plural

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_PROBLEMS = 10
_HIT_COLUMNS = ("ts", "mail", "type", "indicator", "field", "value", "source")
_UNDECIDED_COLUMNS = ("ts", "mail", "user", "subject", "missing_bytes", "reason")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    command(
        app,
        "zeekpop3 hunt tables --indicators feed.intel --indicators hashes.txt",
        "zeekpop3 hunt tables --indicators feed.intel --new --json",
    )(hunt)


class _SkippedLines(Problems):
    """Prints the first problems of the lists, and counts all."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __call__(self, error: Exception) -> None:
        self.count += 1
        if self.count <= _SHOWN_PROBLEMS:
            super().__call__(error)

    def end(self) -> None:
        """Print how many were not printed."""
        if self.count > _SHOWN_PROBLEMS:
            say(f"zeekpop3: {plural(self.count - _SHOWN_PROBLEMS, 'more line')} skipped")


def hunt(
    directory: Directory,
    *,
    indicators: Annotated[
        list[Path] | None,
        typer.Option(
            "--indicators",
            "-i",
            metavar="FILE",
            help="List of indicators: a Zeek intel file, CSV with a header, or one per line. Repeatable.",
        ),
    ] = None,
    yara: Annotated[
        list[Path] | None,
        typer.Option(
            "--yara",
            metavar="RULES",
            help="File of YARA rules for messages and decoded attachments. Repeatable.",
        ),
    ] = None,
    output: FormatOptions,
    write_hits: Annotated[
        bool, typer.Option("--write", help="Also add the hits to the table hits, each once.")
    ] = False,
    new: Annotated[
        bool,
        typer.Option("--new", help="Only hits that the table hits does not hold yet; they are added to it."),
    ] = False,
    undecided: Annotated[
        bool, typer.Option("--undecided", help="List the mails that cannot be ruled out, not the hits.")
    ] = False,
) -> None:
    """Search all mails for indicators: addresses, domains, URLs, IP addresses, hashes, file names, users.

    A domain also matches the names below it, a network the addresses in it. Messages inside messages are
    searched too. The type of a value without one is recognised; defanged forms (hxxp, [.]) are understood.
    Types that mail cannot show (CERT_HASH, PUBKEY_HASH) are skipped.

    A mail without a hit is ruled out only if all of its bytes were captured. The last line tells how many
    mails cannot be ruled out.
    """
    from zeekpop3.hunt.hits import new_hits
    from zeekpop3.hunt.search import search

    output.check()
    exclusive("--new", new, "--undecided", undecided)
    if not indicators and not yara:
        raise typer.BadParameter("give a list: --indicators FILE or --yara RULES")
    skipped = _SkippedLines()
    found = search(directory, indicators or [], rules=yara or [], on_error=skipped)
    skipped.end()
    with new_hits(directory, found.table) if new or write_hits else nullcontext(found.table) as added:
        if undecided:
            _print(found.undecided, _UNDECIDED_COLUMNS, output)
        else:
            _print(added if new else found.table, _HIT_COLUMNS, output)
        sys.stdout.flush()
    note = f"; {plural(added.num_rows, 'new hit')} added to the table hits" if new or write_hits else ""
    say(f"{found}{note}")
    if skipped.found:
        raise typer.Exit(1)


def _print(table: pa.Table, shown: Sequence[str], output: FormatOptions) -> None:
    """Rows with all columns as JSON or CSV, or the columns `shown` as a table."""
    rows = table.to_pylist()
    if output.json:
        write(json_lines(rows))
    elif output.csv:
        write(csv_lines(table.column_names, (row.values() for row in rows)))
    elif rows:
        print_table(shown, [[_mail(row) if name == "mail" else row[name] for name in shown] for row in rows])


def _mail(row: Mapping[str, Any]) -> str:
    """The mail as `show` and `eml` take it."""
    return row["uid"] if row["trans_depth"] is None else f"{row['uid']}/{row['trans_depth']}"
