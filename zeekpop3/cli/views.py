"""Commands that read existing tables: show, eml, report; and prune, which removes days of them."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Exit, Option

from zeekpop3.cli.options import (
    Directory,
    FormatOptions,
    LogOption,
    OneDirectory,
    OwnOption,
    command,
    exclusive,
    local_path,
    named_logs,
)
from zeekpop3.cli.output import console, say, write
from zeekpop3.errors import UsageError
from zeekpop3.views.text import json_line, plural, row_lines
from zeekpop3.views.which import MailFilters, Span

if TYPE_CHECKING:
    from zeekpop3.store.filters import Filters

_LIST_LIMIT = 100


@command("zeekpop3 show tables --since 7d --from example.org", "zeekpop3 show tables CHhAvVGS1DHFjwGM9/1")
def show(
    directory: Directory,
    mail: Annotated[
        str | None,
        Argument(metavar="[MAIL]", help="Show this mail in full: UID/DEPTH, Message-ID, SHA-256 or mail_id."),
    ] = None,
    *,
    select: MailFilters,
    output: FormatOptions,
    limit: Annotated[
        int | None,
        Option("--limit", "-n", min=0, help="Maximum number of mails (default: 100; JSON, CSV: all)."),
    ] = None,
) -> None:
    """List the mails, newest first, or show one mail in full.

    Characters that could control the terminal are printed as escapes, such as \\x1b.
    """
    if mail is not None:
        if output.csv:
            raise BadParameter("--csv is for the list of mails")
        _show_one(directory, mail, json=output.json)
    else:
        _show_list(directory, select, output, limit)


def _show_one(directory: Path, key: str, *, json: bool) -> None:
    from rich.padding import Padding

    from zeekpop3.views.find import find_links, find_mail, find_parts
    from zeekpop3.views.show import mail_page
    from zeekpop3.views.sql import reasons_of

    found = find_mail(directory, key)
    if json:
        found.pop("raw")
        write([json_line(found)])
        return
    page = console()
    reasons = reasons_of(directory, found["uid"], found["trans_depth"])
    for line in mail_page(found, find_links(directory, found), find_parts(directory, found), reasons):
        text = line[2:] if line.plain.startswith("  ") else line
        # All lines into which a line is folded are indented: the first column is ours.
        page.print(Padding(text, (0, 0, 0, len(line) - len(text)), expand=False))


def _show_list(directory: Path, select: MailFilters, output: FormatOptions, limit: int | None) -> None:
    from zeekpop3.views import show
    from zeekpop3.views.find import mail_filters, read_mails

    filters = mail_filters(directory, **select)
    if output.json or output.csv:
        columns = show.CSV_COLUMNS if output.csv else show.JSON_COLUMNS
        rows = read_mails(directory, columns, filters, limit)
        write(row_lines(columns, (row.values() for row in rows), csv=output.csv))
        return
    limit = _LIST_LIMIT if limit is None else limit
    mails = read_mails(directory, show.LIST_COLUMNS, filters, limit + 1)
    if mails:
        page = console()
        page.print(show.listing(mails[:limit], page.width))
    if len(mails) > limit:
        say(f"Showing the newest {limit}; use --limit for more.")
    elif not mails:
        _explain_nothing(directory, filters)


@command(
    "zeekpop3 eml tables --out mails --attachments --user lisi",
    "zeekpop3 eml tables CHhAvVGS1DHFjwGM9/1 --bundle case.zip --dns dns.log",
)
def eml(
    directory: Directory,
    mails: Annotated[
        list[str] | None, Argument(metavar="[MAIL]...", help="Only these mails, named as in `show`.")
    ] = None,
    *,
    out: Annotated[
        Path | None, Option("--out", "-o", help="Folder for the files.", callback=local_path)
    ] = None,
    mbox: Annotated[
        Path | None, Option(metavar="FILE", help="Write one mbox file instead.", callback=local_path)
    ] = None,
    bundle: Annotated[
        Path | None,
        Option(metavar="FILE", help="Write one zip with all that is known instead.", callback=local_path),
    ] = None,
    dns: Annotated[
        list[str] | None, Option(metavar="LOG", help="For --bundle: DKIM keys, as in `verify`. Repeatable.")
    ] = None,
    keys: Annotated[
        list[Path] | None, Option(metavar="FILE", help="For --bundle: a file of DKIM keys. Repeatable.")
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace an existing mbox or bundle.")] = False,
    select: MailFilters,
    attachments: Annotated[
        bool, Option("--attachments", help="Also write the attachments, named by their SHA-256.")
    ] = False,
) -> None:
    """Write mails as .eml files, UID-DEPTH.eml, with a manifest; or into one mbox file, or as evidence.

    Exact mails are the server's bytes; rebuilt ones (plain form) start with X-Zeekpop3-Fidelity: trimmed. An
    mbox has LF line ends and quotes "From " lines. A bundle adds record, connection, hashes, DKIM results,
    the logs that were read, and MANIFEST.sha256 for `sha256sum -c`.
    """
    from zeekpop3.views.api import eml as write_mails
    from zeekpop3.views.find import mail_filters

    exclusive("--mbox", mbox, "--out", out)
    exclusive("--bundle", bundle, "--out or --mbox", out or mbox)
    exclusive("--mbox or --bundle", mbox or bundle, "--attachments", attachments)
    if bundle is None and (dns or keys):
        raise UsageError("--dns and --keys are for --bundle")
    if bundle is None and mbox is None and overwrite:
        raise UsageError("--overwrite is for --mbox and --bundle")
    where = bundle or mbox or out
    if where is None:
        raise UsageError("missing option --out DIR, --mbox FILE or --bundle FILE")
    written = write_mails(
        directory,
        where,
        mails or (),
        mbox=mbox is not None,
        attachments=attachments,
        bundle=bundle is not None,
        dns=dns or (),
        keys=keys or (),
        overwrite=overwrite,
        **select,
    )
    if not written:
        _explain_nothing(directory, mail_filters(directory, **select))
        return
    say(f"{written} -> {where}")
    if written.without_raw:
        raise Exit(1)


def _explain_nothing(directory: Path, filters: Filters) -> None:
    from zeekpop3.detect.search import unseen_sessions
    from zeekpop3.views.find import why_nothing

    say(f"No mails found. {why_nothing(directory, filters)}".rstrip())
    if encrypted := unseen_sessions(directory, filters).encrypted:
        say(f"{plural(encrypted, 'session')} switched to TLS (STLS); mails fetched there are encrypted.")


@command(
    "zeekpop3 report tables --output report.html",
    "zeekpop3 report tables --user lisi --since 30d --no-body",
)
def report(
    directory: Directory,
    output: Annotated[
        Path,
        Option(
            "--output", "-o", metavar="FILE", help="The page; replaced if it exists.", callback=local_path
        ),
    ] = Path("report.html"),
    *,
    select: Span,
    limit: Annotated[
        int, Option("--limit", "-n", min=0, help="Maximum number of mails to list, newest first.")
    ] = 10_000,
    no_body: Annotated[
        bool, Option("--no-body", help="Leave out the mails' texts, HTML sources and URLs.")
    ] = False,
    max_size: Annotated[
        int, Option(metavar="MIB", min=1, help="Maximum size of the mail data in the page, in MiB.")
    ] = 25,
    title: Annotated[str | None, Option(help="Title of the page, such as the name of the case.")] = None,
    log: LogOption = None,
    own: OwnOption = None,
) -> None:
    """Write one page for the browser: a summary in sentences, figures, and a searchable table of the mails.

    With --log http=..., ssl=... or dns=... it says who opened a link.

    The page is one file. It loads nothing from the network and runs nothing from a mail. It contains mail:
    only its owner can read it.
    """
    from zeekpop3.views.api import report as write_report

    listing = write_report(
        directory,
        output,
        limit=limit,
        body=not no_body,
        max_bytes=max_size << 20,
        logs=named_logs(log),
        own=own or (),
        title=title,
        **select,
    )
    for line in listing.logs_read:
        say(line)
    parts = [plural(listing.listed - listing.previews, "mail")]
    parts += [f"{plural(listing.previews, 'preview')} (TOP)"] if listing.previews else []
    parts += [f"{listing.unlisted} older ones only counted"] if listing.unlisted else []
    parts += [f"{listing.without_details} without details"] if listing.without_details else []
    parts += [f"{listing.shortened} with a shortened text"] if listing.shortened else []
    say(f"{', '.join(parts)} -> {output}")


@command("zeekpop3 prune tables --keep 90d --dry-run", "zeekpop3 prune tables --keep 90d --yes")
def prune(
    directory: OneDirectory,
    keep: Annotated[
        str, Option(metavar="TIME", help="How long to keep, counted from the newest day: 30d, 12w, 2y.")
    ],
    until: Annotated[
        dt.datetime | None,
        Option(metavar="DAY", formats=["%Y-%m-%d"], help="Count from this day, not from the newest one."),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Only print what would be removed.")] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Remove old days from all tables. The newest day in the tables counts, not today's date.

    If that day is in the future, or far from all others, a clock may have been wrong: then name a day with
    --until. On a terminal it asks first; elsewhere --yes is required.
    """
    from zeekpop3.views.api import last_day
    from zeekpop3.views.api import prune as remove

    day = last_day(directory) if until is None else until.date()
    old = remove(directory, keep, until=day, dry_run=True)
    write(str(folder) for folder in old)
    days = plural(len({folder.name for folder in old}), "day")
    if dry_run or not old:
        say(f"{days} would be removed from {directory}; counted from {day}")
        return
    if not yes and not _confirmed(f"Remove {days} from {directory}?"):
        raise Exit(2)
    remove(directory, keep, until=day)
    say(f"{days} removed from {directory}")


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        say(f"zeekpop3: {question} Use --yes to remove, or --dry-run to see what would be removed.")
        return False
    say(f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
