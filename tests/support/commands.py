"""The commands that read tables, each with arguments that work on any tables."""

from __future__ import annotations

from pathlib import Path

from support.program import Done, program
from zeekpop3.cli.app import app

INDICATORS = "#fields\tindicator\tindicator_type\tmeta.source\nlocaldomain.com\tIntel::DOMAIN\ttest\n"
KEYS = '{"name": "k._domainkey.a.org", "txt": "v=DKIM1; p=", "first": "2024-01-01", "last": "2024-01-01"}\n'
#: Arguments of each command that reads tables, after the folder.
COMMANDS = {
    "show": ["{mail}"],
    "eml": ["--out", "{folder}/eml"],
    "sql": ['select count(*), count(from_site), count("from") from emails'],
    "report": ["--output", "{folder}/page.html"],
    "hunt": ["--indicators", "{folder}/indicators"],
    "verify": ["--keys", "{folder}/keys"],
    "export": ["--as", "json"],
    "prune": ["--keep", "9999d"],
    "timeline": ["{mail}"],
    "share": ["--out", "{folder}/shared", "--own", "example.org"],
}


def takes_tables() -> set[str]:
    """The commands that have a folder with tables as an argument."""
    found = set()
    for each in app.registered_commands:
        name = each.name or each.callback.__name__  # type: ignore[union-attr]
        if "directory" in (each.callback.__annotations__ if each.callback else ()):
            found.add(name)
    return found


def read_by(command: str, tables: Path, mail: str, folder: Path) -> Done:
    """Run a command on tables that have the mail UID/DEPTH; what it writes is in `folder`."""
    (folder / "indicators").write_text(INDICATORS)
    (folder / "keys").write_text(KEYS)
    return program(command, tables, *(each.format(mail=mail, folder=folder) for each in COMMANDS[command]))
