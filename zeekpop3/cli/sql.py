"""The command `sql`: one statement, a ready query, statements from stdin, or a prompt on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from zeekpop3.cli.options import Directory, FormatOptions, command, exclusive, local_path
from zeekpop3.cli.output import print_table, say, wrapped, write
from zeekpop3.errors import QueryError
from zeekpop3.views.format import plural, row_lines

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
        str | None, Option("--query", "-q", metavar="NAME", help="Run a ready query; --list shows them.")
    ] = None,
    about: Annotated[
        str | None,
        Option(
            metavar="VALUE",
            help="Everything about an address, user, site, IP address, hash, file name or message id.",
        ),
    ] = None,
    log: Annotated[
        list[str] | None, Option(metavar="NAME=PATH", help="Add a Zeek log as a view, such as conn=conn.log.")
    ] = None,
    list_queries: Annotated[bool, Option("--list", help="List the ready queries.")] = False,
    shown: AnswerOptions,
) -> None:
    """Query the tables in SQL (DuckDB); each table is a view.

    A statement sees these views and the named logs. It can read no other file, and write none. The columns
    "from", "to" and "references" must be written in double quotes. Functions: host_of(url),
    site_of(host), path_of(url), shape_of(text): the letters that a text looks like.
    """
    from zeekpop3.views.questions import about_sql, question_sql
    from zeekpop3.views.sql import Database

    exclusive("SQL", statement is not None, "--query or --about", query is not None or about is not None)
    exclusive("--query", query is not None, "--about", about is not None)
    exclusive("--output", shown.output, "--json or --csv", shown.json or shown.csv)
    if list_queries:
        write(_questions())
        return
    logs = _named_logs(log or [])
    if query is not None:
        statement = question_sql(query, logs)
    elif about is not None:
        statement = about_sql(about)
    if shown.limit is None and not (shown.json or shown.csv or shown.output):
        shown.limit = _LIMIT
    with Database(directory, logs) as database:
        if statement is not None:
            _answer(database, statement, shown)
        elif sys.stdin.isatty() and shown.output is None:
            _prompt(database, shown, logs)
        else:
            _run_stdin(database, shown)


def _answer(database: Database, statement: str, shown: AnswerOptions) -> None:
    """Run a statement and print or write its answer."""
    from zeekpop3.views.answer_file import write_answer

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


def _prompt(database: Database, shown: AnswerOptions, logs: dict[str, str]) -> None:
    """Read and run statements until the end of input; errors are printed and do not end it."""
    _load_history(database.views())
    say("Enter SQL, ended by ;  (.help for help)")
    for text in _statements():
        try:
            if text.startswith("."):
                _dot_command(database, text, shown, logs)
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
            return
        except KeyboardInterrupt:
            print()
            lines = []
            continue
        if not lines and line.strip() in (".quit", ".exit"):
            return
        if line.strip():
            lines.append(line)
        if lines and (lines[0].startswith(".") or line.rstrip().endswith(";")):
            yield "\n".join(lines).strip()
            lines = []


def _dot_command(database: Database, text: str, shown: AnswerOptions, logs: dict[str, str]) -> None:
    from zeekpop3.views.questions import about_sql, question_sql

    name, _, argument = text.partition(" ")
    if name == ".tables":
        write(f"{table}: {', '.join(columns)}" for table, columns in database.views().items())
    elif name == ".queries":
        write(_questions())
    elif name == ".query":
        _answer(database, question_sql(argument.strip(), logs), shown)
    elif name == ".about":
        _answer(database, about_sql(argument), shown)
    elif name == ".vertical":
        shown.vertical = not shown.vertical
    else:
        write(_HELP.splitlines())


def _load_history(views: dict[str, list[str]]) -> None:
    """Line editing, completion of the views' and columns' names, and a history that lasts (0600)."""
    try:
        import readline
    except ImportError:
        return  # a Python without it: the prompt works all the same
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


def _questions() -> Iterator[str]:
    from zeekpop3.views.questions import QUESTIONS

    for name, question in QUESTIONS.items():
        text = question.description + (f" {question.options}" if question.options else "")
        yield from wrapped(f"{name:<18}{text}", 18)


def _named_logs(given: list[str]) -> dict[str, str]:
    logs: dict[str, str] = {}
    for entry in given:
        name, equals, path = entry.partition("=")
        if not equals or not name or not path:
            raise BadParameter(f"--log {entry}: expected NAME=PATH")
        logs[name] = path
    return logs
