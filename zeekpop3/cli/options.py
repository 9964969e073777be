"""Registers the program's commands, and declares the options that several of them share.

A command takes a group of options as one parameter. The fields of a dataclass become options of the command;
so do the keys of the filters (`views.which`), which the command gets as the dict that the API takes.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints, is_typeddict

import typer
from typer import Argument, Option

from zeekpop3.cli.output import close_stdout
from zeekpop3.views.which import declared

if TYPE_CHECKING:
    from zeekpop3.pipeline.settings import Settings
    from zeekpop3.store.write import Mode

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

app = typer.Typer(
    name="zeekpop3",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The mail that users fetch over POP3, as Zeek saw it: event logs in, e-mail records in Parquet out.",
)


def command(*examples: str, name: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command of the program, by default named like its function; `examples` end its help."""
    epilog = "\n\n".join(["Examples:", *(f"$ {example}" for example in examples)])

    def register(function: Callable[..., None]) -> Callable[..., None]:
        # Each paragraph on one line, so that the help is wrapped to the terminal.
        paragraphs = [" ".join(part.split()) for part in (function.__doc__ or "").split("\n\n")]
        app.command(name, help="\n\n".join(paragraphs), epilog=epilog)(_expanded(function))
        return function

    return register


def _expanded(function: Callable[..., None]) -> Callable[..., None]:
    """The function, with the fields of its option groups as parameters."""
    parameters: list[Parameter] = []
    groups: dict[str, tuple[type[Any], list[Parameter]]] = {}
    for parameter in _parameters(function):
        kind = parameter.annotation
        if isinstance(kind, type) and (is_dataclass(kind) or is_typeddict(kind)):
            own = _parameters(kind) if is_dataclass(kind) else _filters(kind)
            groups[parameter.name] = kind, own
            parameters += own
        else:
            parameters.append(parameter)

    @functools.wraps(function)
    def run(**given: Any) -> None:
        for name, (group, own) in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in own})
        try:
            function(**given)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of our output has ended (`zeekpop3 show | head`)
            close_stdout()
            raise typer.Exit from None

    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameters(of: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a function or a dataclass, keyword-only, with their types resolved."""
    hints = get_type_hints(of, include_extras=True)
    return [
        parameter.replace(annotation=hints[parameter.name], kind=Parameter.KEYWORD_ONLY)
        for parameter in signature(of).parameters.values()
    ]


def _filters(group: type) -> list[Parameter]:
    """The options of the filters of a group, all in one panel of the help."""
    parameters = []
    for name, flag, each in declared(group):
        names = [each.option] if each.option else [f"--{name.replace('_', '-')}"] if flag else []
        metavar = None if flag else each.metavar
        option = Option(*names, metavar=metavar, rich_help_panel="Filters", help=each.help)
        kind = Annotated[bool, option] if flag else Annotated[str | None, option]
        default = False if flag else None
        parameters.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind))
    return parameters


def local_path(path: Path | None) -> Path | None:
    """Refuse a URL as the place for an output: it would become a local folder of that name."""
    if path is not None and _URL.match(str(path)):
        raise typer.BadParameter(
            f"{str(path)!r} is a URL; write to a local folder and copy it (rclone, aws s3 sync), or use Spark"
        )
    return path


Directory = Annotated[
    Path,
    Argument(metavar="DIR", help="Folder of the tables, or a quoted glob: 'sensors/*'."),
]
OneDirectory = Annotated[Path, Argument(metavar="DIR", help="Folder of the tables.")]
Logs = Annotated[list[str], Argument(metavar="LOG...", help="Event logs, folders with event logs, or globs.")]


LogOption = Annotated[
    list[str] | None,
    Option(
        metavar="NAME=PATH",
        help="A Zeek log as a view: http=http.log. PATH: a file, an archive's folder, a glob. Repeatable.",
    ),
]
OwnOption = Annotated[
    list[str] | None,
    Option(
        metavar="SITE",
        envvar="ZEEKPOP3_OWN",
        help="One of your own sites: example.org (default: a guess). Repeatable.",
    ),
]


def named_logs(given: list[str] | None) -> dict[str, list[str]]:
    """The paths of each NAME in options NAME=PATH. Raises typer.BadParameter."""
    logs: dict[str, list[str]] = {}
    for entry in given or []:
        name, equals, path = entry.partition("=")
        if not equals or not name or not path:
            raise typer.BadParameter(f"--log {entry}: expected NAME=PATH, such as http=http.log")
        logs.setdefault(name, []).append(path)
    return logs


@dataclass(slots=True)
class OutputOptions:
    """Where a run writes its tables, and what happens to tables that exist."""

    out: Annotated[Path, Option("--out", "-o", help="Folder for the tables.", callback=local_path)]
    append: Annotated[bool, Option("--append", help="Add to existing tables.")] = False
    overwrite: Annotated[bool, Option("--overwrite", help="Replace existing tables.")] = False
    force: Annotated[
        bool, Option("--force", help="With --append: also add logs or mails that the tables already contain.")
    ] = False

    @property
    def mode(self) -> Mode:
        """How tables that exist are treated. Raises typer.BadParameter if both options are given."""
        exclusive("--append", self.append, "--overwrite", self.overwrite)
        return "append" if self.append else "overwrite" if self.overwrite else "new"


@dataclass(slots=True)
class RecordOptions:
    """What records contain: `run`, `pcap` and `follow`."""

    attachment_content: Annotated[
        bool, Option("--attachment-content", help="Store the bytes of attachments, not only hashes.")
    ] = False
    no_raw: Annotated[bool, Option("--no-raw", help="Leave out the raw messages.")] = False
    no_body: Annotated[bool, Option("--no-body", help="Leave out text, HTML, URLs and raw messages.")] = False
    hash_users: Annotated[
        str | None,
        Option(
            metavar="KEY",
            envvar="ZEEKPOP3_HASH_KEY",
            help="Replace users and addresses by HMACs with this key (safer in the environment).",
        ),
    ] = None
    max_message: Annotated[int, Option(metavar="MIB", min=1, help="Maximum size of one message.")] = 64
    sensor: Annotated[str | None, Option(metavar="NAME", help="Name of the sensor, stored in each row.")] = (
        None
    )

    @property
    def settings(self) -> Settings:
        """The settings for `run` and `follow`. Raises UsageError for an empty key."""
        from zeekpop3.pipeline.settings import Settings

        return Settings.of_options(
            no_raw=self.no_raw,
            no_body=self.no_body,
            hash_users=self.hash_users,
            attachment_content=self.attachment_content,
            max_message_mib=self.max_message,
            sensor=self.sensor,
        )


@dataclass(slots=True)
class FormatOptions:
    """The format of a list; default: a table for people. Raises typer.BadParameter if both are given."""

    json: Annotated[bool, Option("--json", help="Output JSON Lines.")] = False
    csv: Annotated[bool, Option("--csv", help="Output CSV with a header line.")] = False

    def __post_init__(self) -> None:
        exclusive("--json", self.json, "--csv", self.csv)


def exclusive(first: str, first_given: object, second: str, second_given: object) -> None:
    """Raise typer.BadParameter if two options are given that exclude each other."""
    if first_given and second_given:
        raise typer.BadParameter(f"use either {first} or {second}, not both")
