"""The command `sql`: one statement, a ready query, statements from stdin, or a prompt on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from zeekpop3.cli.options import (
    Directory,
    FormatOptions,
    LogOption,
    OwnOption,
    command,
    exclusive,
    local_path,
    named_logs,
)
from zeekpop3.cli.output import print_table, say, wrapped, write
from zeekpop3.errors import QueryError
from zeekpop3.views.text import plural, row_lines

if TYPE_CHECKING:
    from zeekpop3.views.sql import Database

_LIMIT = 1000
_PROMPT, _CONTINUED = "sql> ", "...> "
_HELP = """\
End a statement with ; to run it. Commands of the prompt:
.tables          the views, and the columns of each
.queries         the ready queries
.query NAME      run a ready query
.about VALUE     everything about an address, user, site, IP address or hash
.vertical        one value per line, or tables again
.quit            leave (or Ctrl-D)"""


@dataclass(slots=True)
class AnswerOptions(FormatOptions):
    """How an answer is shown, or where it is written."""

    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the answer to FILE: .csv, .json (JSON Lines) or .parquet.",
            callback=local_path,
        ),
    ] = None
    vertical: Annotated[bool, Option("--vertical", help="Show one value per line.")] = False
    limit: Annotated[
        int | None,
        Option(
            "--limit", "-n", min=0, help=f"Maximum number of rows (default: {_LIMIT}; JSON, CSV, FILE: all)."
        ),
    ] = None


@command(
    "zeekpop3 sql tables 'select subject, size from emails order by size'",
    "zeekpop3 sql tables --query conn --log conn=conn.log --csv",
)
def sql(
    directory: Directory,
    statement: Annotated[
        str | None,
        Argument(
            metavar="[SQL]",
            help="An SQL statement. Without one: statements from stdin, or a prompt on a terminal.",
        ),
    ] = None,
    *,
    query: Annotated[
        str | None,
        Option("--query", "-q", metavar="NAME", help="Run a ready query (--list shows them), or a FILE.sql."),
    ] = None,
    about: Annotated[
        str | None,
        Option(
            metavar="VALUE",
            help="Everything about an address, user, site, IP address, hash, file name, message id, uid or "
            "community id.",
        ),
    ] = None,
    log: LogOption = None,
    own: OwnOption = None,
    rules: Annotated[
        Path | None,
        Option(metavar="DIR", help="Folder of further rules (NAME.sql) for the query suspicious."),
    ] = None,
    sensor: Annotated[str | None, Option(metavar="NAME", help="Only what this sensor saw.")] = None,
    list_queries: Annotated[bool, Option("--list", help="List the ready queries.")] = False,
    shown: AnswerOptions,
) -> None:
    """Query the tables in SQL (DuckDB); each table is a view.

    A statement sees these views and the named logs. It can read no other file, and write none. Times are
    UTC. The columns "from", "to" and "references" must be written in double quotes. Functions: host_of(url),
    site_of(host), path_of(url), shape_of(text): the letters that a text looks like.
    """
    exclusive("SQL", statement is not None, "--query or --about", query is not None or about is not None)
    exclusive("--query", query is not None, "--about", about is not None)
    exclusive("--output", shown.output, "--json or --csv", shown.json or shown.csv)
    if list_queries:
        write(_query_lines())
        return
    from zeekpop3.views.queries import about_sql
    from zeekpop3.views.sql import Database

    asked = _Asked(named_logs(log), tuple(own or ()), rules)
    if query is not None:
        statement = asked.sql(query)
    elif about is not None:
        statement = about_sql(about)
    if shown.limit is None and not (shown.json or shown.csv or shown.output):
        shown.limit = _LIMIT
    with Database(directory, asked.logs, sensor) as database:
        for line in database.logs_read:
            say(line)
        if query is not None:
            statement = asked.guessing(database, query).sql(query)
        if statement is not None:
            _answer(database, statement, shown)
        elif sys.stdin.isatty() and shown.output is None:
            _prompt(database, shown, asked)
        else:
            _run_stdin(database, shown)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What ready queries need in addition to the tables."""

    logs: dict[str, list[str]]
    own: tuple[str, ...]
    rules: Path | None

    def sql(self, query: str) -> str:
        """The SQL of a ready query, or of a file. Raises QueryError."""
        from zeekpop3.views.queries import file_sql, query_sql

        if query.endswith(".sql"):
            return file_sql(query, own=self.own, rules=self.rules)
        return query_sql(query, self.logs, own=self.own, rules=self.rules)

    def guessing(self, database: Database, query: str) -> _Asked:
        """The same; if the query uses the own sites and none are given, with a guess, which is printed."""
        from zeekpop3.views.queries import filled

        if self.own or "own_sites as" not in self.sql(query):
            return self
        sites = tuple(site for (site,) in database.ask(filled("{own}")).rows)
        guess = ", ".join(sites) if sites else "none found"
        say(f"Own sites (a guess): {guess}. Use --own SITE or ZEEKPOP3_OWN to name them.")
        return replace(self, own=sites)


def _answer(database: Database, statement: str, shown: AnswerOptions) -> None:
    """Run a statement and print or write its answer."""
    from zeekpop3.views.sql import write_answer

    if shown.output is not None:
        count = write_answer(database, statement, shown.output, shown.limit)
        say(f"{plural(count, 'row')} -> {shown.output}")
    elif shown.json or shown.csv:
        write(row_lines(*database.rows(statement, shown.limit), csv=shown.csv))
    else:
        result = database.ask(statement, shown.limit)
        if result.rows:
            print_table(result.columns, result.rows, vertical=shown.vertical)
        elif result.columns:
            say("No rows.")
        if result.more:
            first = "row" if len(result.rows) == 1 else f"{len(result.rows)} rows"
            say(f"Showing the first {first}; use --limit for more.")


def _run_stdin(database: Database, shown: AnswerOptions) -> None:
    statements = database.split(sys.stdin.read())
    if not statements:
        raise BadParameter("give an SQL statement, --query NAME, or statements on stdin")
    if shown.output is not None and len(statements) > 1:
        raise BadParameter("--output takes one statement")
    for statement in statements:
        _answer(database, statement, shown)


def _prompt(database: Database, shown: AnswerOptions, asked: _Asked) -> None:
    """Read and run statements until the end of input; errors are printed and do not end it."""
    _load_history(database.views())
    say("Enter SQL, ended by ;  (.help for help)")
    for text in _statements():
        try:
            if text.startswith("."):
                _dot_command(database, text, shown, asked)
            else:
                for statement in database.split(text):
                    _answer(database, statement, shown)
        except QueryError as error:
            say(str(error))
        except KeyboardInterrupt:
            say("interrupted")


def _statements() -> Iterator[str]:
    """What the user enters: a line that starts with a dot, or lines up to a semicolon."""
    lines: list[str] = []
    while True:
        try:
            line = input(_CONTINUED if lines else _PROMPT)
        except EOFError:
            print()
            if lines:
                say("The last statement was not run: it did not end with ;")
            return
        except KeyboardInterrupt:
            print()
            lines = []
            continue
        if not lines and line.strip().rstrip(";") in (".quit", ".exit", "quit", "exit"):
            return
        if not lines and line.strip() == "help":
            line = ".help"
        if line.strip():
            lines.append(line)
        if lines and (lines[0].startswith(".") or line.rstrip().endswith(";")):
            yield "\n".join(lines).strip()
            lines = []


def _dot_command(database: Database, text: str, shown: AnswerOptions, asked: _Asked) -> None:
    from zeekpop3.views.queries import about_sql

    name, _, argument = text.partition(" ")
    if name == ".tables":
        write(f"{table}: {', '.join(columns)}" for table, columns in database.views().items())
    elif name == ".queries":
        write(_query_lines())
    elif name == ".query":
        query = argument.strip()
        _answer(database, asked.guessing(database, query).sql(query), shown)
    elif name == ".about":
        _answer(database, about_sql(argument), shown)
    elif name == ".vertical":
        shown.vertical = not shown.vertical
    else:
        write(_HELP.splitlines())


def _load_history(views: dict[str, list[str]]) -> None:
    """Line editing, completion of the names of views and columns, and a history file (0600)."""
    try:
        import readline
    except ImportError:
        return  # not in every Python: the prompt works without it
    import atexit

    words = sorted({*views, *chain(*views.values())})

    def complete(start: str, number: int) -> str | None:
        found = [word for word in words if word.startswith(start)]
        return found[number] if number < len(found) else None

    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    history = state / "zeekpop3" / "sql_history"

    def save() -> None:
        with suppress(OSError):
            readline.write_history_file(history)
            history.chmod(0o600)

    with suppress(OSError):
        history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        readline.set_history_length(1000)
        atexit.register(save)
        readline.read_history_file(history)


def _query_lines() -> Iterator[str]:
    from zeekpop3.views.queries import READY_QUERIES

    for name, query in READY_QUERIES.items():
        text = query.description + (f" {query.options}" if query.options else "")
        yield from wrapped(f"{name:<21}{text}", 21)


@command(
    "zeekpop3 timeline tables --user lisi --log http=http.log",
    "zeekpop3 timeline tables CHhAvVGS1DHFjwGM9/1 --json",
)
def timeline(
    directory: Directory,
    mail: Annotated[
        str | None,
        Argument(
            metavar="[MAIL]", help="A mail, by UID/DEPTH: who fetched a copy, opened a link, deleted it."
        ),
    ] = None,
    *,
    user: Annotated[str | None, Option(help="A mailbox user (exact, case-insensitive).")] = None,
    ip: Annotated[str | None, Option(metavar="ADDRESS", help="A client's IP address.")] = None,
    log: LogOption = None,
    own: OwnOption = None,
    sensor: Annotated[str | None, Option(metavar="NAME", help="Only what this sensor saw.")] = None,
    output: FormatOptions,
) -> None:
    """Show what a user, a client or a mail did, in order.

    Logins and refusals, mails with what is suspicious about them, deletions and hits; with --log http=...,
    ssl=... or dns=... also the links that were opened.
    """
    from zeekpop3.store.filters import Filters
    from zeekpop3.views.find import ip_address, why_nothing
    from zeekpop3.views.timeline import lines
    from zeekpop3.views.timeline import timeline as events

    if sum(value is not None for value in (mail, user, ip)) != 1:
        raise BadParameter("give one of UID/DEPTH, --user NAME, --ip ADDRESS")
    address = None if ip is None else ip_address(ip)
    result, read = events(
        directory,
        user=user,
        client=address,
        mail=mail,
        logs=named_logs(log),
        own=tuple(own or ()),
        sensor=sensor,
    )
    for line in read:
        say(line)
    if output.json or output.csv:
        write(row_lines(result.columns, result.rows, csv=output.csv))
    elif result.rows:
        write(lines(result))
    else:
        why = "" if user is None else why_nothing(directory, Filters(user=user))
        exact = "Names and addresses must be exact: `sql DIR --query logins` lists both."
        say(f"Nothing found. {why or exact}")
