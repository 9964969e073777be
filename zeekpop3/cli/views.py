"""The commands for those who look: show, eml, sql, prune. Options in, lines out; the rooms do the work."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from zeekpop3.store.read import Filters

Dir = Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the tables.", show_default=False)]
User = Annotated[str | None, typer.Option("--user", help="Only this user's (the whole name, any case).")]
From = Annotated[str | None, typer.Option("--from", metavar="TEXT", help="Only with this in From.")]
Subject = Annotated[str | None, typer.Option("--subject", help="Only with this in the subject.")]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="From this time on: 2024-06-24, 2024-06-24T12:00 (UTC), 12h, 7d."
    ),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this time.")]
Attachment = Annotated[
    str | None,
    typer.Option("--attachment", metavar="HASH", help="Only with this attachment: MD5, SHA-1, SHA-256."),
]
Incomplete = Annotated[bool, typer.Option("--incomplete", help="Only mails that are not whole.")]
Json = Annotated[bool, typer.Option("--json", help="A line of JSON per row.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV, with a header line.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(show)
    app.command()(eml)
    app.command()(sql)
    app.command()(prune)


def show(
    directory: Dir,
    mail: Annotated[
        str | None, typer.Argument(metavar="[UID/DEPTH]", help="Show this mail in full.", show_default=False)
    ] = None,
    user: User = None,
    sender: From = None,
    subject: Subject = None,
    since: Since = None,
    until: Until = None,
    attachment: Attachment = None,
    incomplete: Incomplete = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=0, help="At most so many mails.  [default: 100; pipes: all]"),
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Show the mails, newest first; or one mail in full.

    Characters that could control the terminal are shown as escapes, such as \\x1b.
    """
    from zeekpop3.views import show as view

    _exclusive(json, csv)
    filters = _filters(user, sender, subject, since, until, attachment, incomplete)
    if mail is not None:
        found = view.mail_of(directory, mail)
        if json:
            found.pop("raw")
            _lines(view.as_json([found]))
        elif csv:
            raise typer.BadParameter("--csv is for the list of mails")
        else:
            console = _console()
            for line in view.mail_page(found):
                console.print(line, overflow="fold")
        return
    if json:
        _lines(view.as_json(view.read_mails(directory, view.JSON_COLUMNS, filters, limit)))
    elif csv:
        rows = view.read_mails(directory, view.CSV_COLUMNS, filters, limit)
        _lines(view.as_csv(rows, view.CSV_COLUMNS))
    else:
        console = _console()
        most = 100 if limit is None else limit
        mails = view.read_mails(directory, view.LIST_COLUMNS, filters, most + 1)
        console.print(view.listing(mails[:most], console.width))
        if len(mails) > most:
            _note(f"The {most} newest of more; --limit shows others.")
        elif not mails:
            _note("No mail.")


def eml(
    directory: Dir,
    to: Annotated[Path, typer.Option("--to", help="Folder for the files.", show_default=False)],
    attachments: Annotated[
        bool, typer.Option("--attachments", help="Write attachments as well, named by their SHA-256.")
    ] = False,
    user: User = None,
    sender: From = None,
    subject: Subject = None,
    since: Since = None,
    until: Until = None,
    attachment: Attachment = None,
    incomplete: Incomplete = False,
) -> None:
    """Write mails as .eml files, UID-DEPTH.eml, with a manifest.

    Mails of the exact form are written byte for byte as the server sent them; rebuilt ones (plain form)
    begin with a header field X-Zeekpop3-Fidelity: trimmed.
    """
    from zeekpop3.views.eml import export

    filters = _filters(user, sender, subject, since, until, attachment, incomplete)
    written = export(directory, to, filters, attachments=attachments)
    _note(f"{written} -> {to}")
    if written.without_raw:
        raise typer.Exit(1)


def sql(
    directory: Dir,
    statement: Annotated[
        str | None,
        typer.Argument(metavar="[SQL]", help="A statement, such as 'select …'.", show_default=False),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option("--query", "-q", metavar="NAME", help="A ready query instead; --list shows them."),
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option("--log", metavar="NAME=PATH", help="A Zeek log as a view, such as conn=conn.log."),
    ] = None,
    list_queries: Annotated[bool, typer.Option("--list", help="Show the ready queries.")] = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Ask the tables in SQL (DuckDB): views emails, attachments, sessions, commands.

    The statement sees these views and the logs named, and no other file, and it cannot write.
    """
    from zeekpop3.views import show as view
    from zeekpop3.views.queries import QUESTIONS

    _exclusive(json, csv)
    if list_queries:
        _lines(f"{name:<18} {question.description}" for name, question in QUESTIONS.items())
        return
    if (statement is None) == (query is None):
        raise typer.BadParameter("give a statement, or --query NAME")
    from zeekpop3.views.sql import ask

    result = ask(directory, statement, question=query, logs=_logs(log or []))
    if json:
        _lines(view.as_json(result.dicts()))
    elif csv:
        _lines(view.as_csv(result.dicts(), result.columns))
    elif result.columns:
        _console().print(_grid(result.columns, result.rows))


def prune(
    directory: Dir,
    keep: Annotated[str, typer.Option("--keep", metavar="TIME", help="How long to keep: 30d, 12w, 2y.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove the days that are older than --keep from all tables."""
    from zeekpop3.store.prune import keep_days
    from zeekpop3.store.prune import prune as remove

    removed = remove(directory, keep_days(keep), dt.datetime.now(dt.UTC), dry_run=dry_run)
    for folder in removed:
        typer.echo(str(folder))
    days = len({folder.name for folder in removed})
    _note(f"{days} days {'would be ' if dry_run else ''}removed from {directory}")


def _filters(
    user: str | None,
    sender: str | None,
    subject: str | None,
    since: str | None,
    until: str | None,
    attachment: str | None,
    incomplete: bool,
) -> Filters:
    from zeekpop3.store.read import Filters, instant

    now = dt.datetime.now(dt.UTC)
    return Filters(
        user,
        sender,
        subject,
        None if since is None else instant(since, now),
        None if until is None else instant(until, now),
        attachment,
        incomplete,
    )


def _logs(given: list[str]) -> dict[str, str]:
    logs: dict[str, str] = {}
    for entry in given:
        name, equals, path = entry.partition("=")
        if not equals or not name or not path:
            raise typer.BadParameter(f"--log {entry}: NAME=PATH is expected")
        logs[name] = path
    return logs


def _grid(columns: list[str], rows: Iterable[tuple[Any, ...]]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from zeekpop3.views.show import cell

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(cell(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    return table


def _console() -> Any:
    """Where the views are printed: as wide as the terminal, or wide enough for a file or pipe."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
    _spell_out_what_cannot_be_encoded()
    return Console(width=wide, highlight=False, markup=False, emoji=False)


def _lines(lines: Iterable[str]) -> None:
    _spell_out_what_cannot_be_encoded()
    for line in lines:
        sys.stdout.write(line + "\n")


def _spell_out_what_cannot_be_encoded() -> None:
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _exclusive(json: bool, csv: bool) -> None:
    if json and csv:
        raise typer.BadParameter("--json and --csv exclude each other")


def _note(line: str) -> None:
    typer.echo(line, err=True)
