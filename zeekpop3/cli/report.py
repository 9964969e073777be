"""The command that writes the page: options in, one line about it out; `report` does the work."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from zeekpop3.cli.views import Dir, Since, Until, User


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(report)


def report(
    directory: Dir,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page, replaced if it is there.")
    ] = Path("report.html"),
    user: User = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="List at most so many mails, the newest.")
    ] = 10_000,
    no_body: Annotated[
        bool, typer.Option("--no-body", help="Leave out the mails' texts, HTML sources and URLs.")
    ] = False,
    max_size: Annotated[
        int, typer.Option("--max-size", metavar="MIB", min=1, help="How much of the page mails may take.")
    ] = 25,
) -> None:
    """Write one page for the browser: figures, charts and a searchable table of the mails.

    The file stands alone, asks no network for anything and runs nothing that came with a mail. There is mail
    in it: only its owner can read it.
    """
    from zeekpop3.store.read import Filters, instant
    from zeekpop3.views.report import write_report

    now = dt.datetime.now(dt.UTC)
    filters = Filters(
        user=user,
        since=None if since is None else instant(since, now),
        until=None if until is None else instant(until, now),
    )
    listing = write_report(
        directory, output, filters=filters, limit=limit, body=not no_body, most_bytes=max_size << 20, now=now
    )
    left_out = [f"{listing.unlisted} older ones only counted"] if listing.unlisted else []
    left_out += [f"{listing.bare} without details"] if listing.bare else []
    left_out += [f"{listing.cut} with a text cut"] if listing.cut else []
    size = output.stat().st_size / 1e6
    typer.echo(f"{', '.join([f'{listing.listed} mails', *left_out])} -> {output} ({size:.1f} MB)", err=True)
