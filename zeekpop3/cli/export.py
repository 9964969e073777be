"""The command `export`: mails for other systems, on stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from zeekpop3.cli.options import (
    Directory,
    OneDirectory,
    OwnOption,
    command,
    exclusive,
    local_path,
)
from zeekpop3.cli.output import say, write
from zeekpop3.views.export import ExportFormat
from zeekpop3.views.text import plural
from zeekpop3.views.which import MailFilters, Span

_SHOWN_KEPT = 10


@command(
    "zeekpop3 export tables --as ecs --since 7d",
    "zeekpop3 export tables --as ecs --events --state siem.state >> mails.json",
    "zeekpop3 export tables --as ocsf --since 1d",
)
def export(
    directory: Directory,
    *,
    as_: Annotated[
        ExportFormat,
        Option(
            "--as",
            metavar="FORMAT",
            help="ecs: Elastic Common Schema 9.4; ocsf: OCSF 1.8 Email Activity; json: the rows of emails; "
            "zeek, zeek-json: a Zeek log; misp: one event for MISP; stix: a bundle of STIX 2.1.",
        ),
    ],
    state: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="Remember in FILE what was exported; only other mails are exported.",
            callback=local_path,
        ),
    ] = None,
    events: Annotated[
        bool, Option("--events", help="With --as ecs: also sessions (logins, refusals) and hits, as events.")
    ] = False,
    select: Span,
) -> None:
    """Export the mails for a SIEM, as JSON lines or a Zeek log, or to share them as one document.

    With --state each mail is exported once, even if a follower is running and this command runs every minute.
    Use one state file for each destination. If a run is killed, at most the last 1,000 mails that it printed
    are exported again.
    """
    from zeekpop3.views.api import export_batches

    exclusive("--state", state, "--user, --sensor, --since or --until", any(select.values()))
    mails = others = 0
    for batch in export_batches(directory, as_, state=state, events=events, **select):
        write(batch.lines, tabs=True)
        sys.stdout.flush()
        mails += batch.mails
        others += batch.events
    more = f", {plural(others, 'event')}" if events else ""
    say(f"{plural(mails, 'mail')}{more} exported")


@command(
    "zeekpop3 share tables --out case --subject invoice --own corp.example",
    "zeekpop3 share tables --out case --site evil.example --since 7d",
)
def share(
    directory: OneDirectory,
    out: Annotated[Path, Option("--out", "-o", help="Folder for the shared tables.", callback=local_path)],
    own: OwnOption = None,
    raw: Annotated[
        bool, Option("--raw", help="Keep messages and attachments as they are, with all names.")
    ] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace existing tables.")] = False,
    *,
    select: MailFilters,
) -> None:
    """Write selected mails to give to others: your people, hosts and sites are replaced, the attacker's stay.

    Users, addresses and hosts at the own sites, their names, and the IP addresses of clients, servers and
    private networks become pseudonyms, in each column and text. They are the same in each share of these
    tables; the key stays in DIR. Pictures, the contents of files and hints in a text are not replaced: read
    the result before you give it away.
    """
    from zeekpop3.views.find import mail_filters
    from zeekpop3.views.share import share as write_share

    kept: set[str] = set()
    filters = mail_filters(directory, **select)
    count = write_share(
        directory, out, filters, own=tuple(own or ()), raw=raw, overwrite=overwrite, kept=kept
    )
    say(f"{plural(count, 'mail')} -> {out}" if count else "No mails found.")
    if kept:
        more = f" and {len(kept) - _SHOWN_KEPT} more" if len(kept) > _SHOWN_KEPT else ""
        say(f"Not yours, so kept, but they name you: {', '.join(sorted(kept)[:_SHOWN_KEPT])}{more}.")
