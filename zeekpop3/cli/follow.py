"""The command `follow`: options in, its own log on stderr, exit codes for a supervisor.

Exit codes: 0 told to end, and all is written (or `--once` is done); 1 `--once` could not read some input; 2
bad usage, or an output that cannot be used (another follower has it);
3 told to end while the output could not be written: what is missing is read again at the next start.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zeekpop3.follow import Follower, Note


class LogFormat(StrEnum):
    """How the follower's own log looks."""

    plain = "plain"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(follow)


def follow(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="LOGDIR", help="Folders in which Zeek writes and archives its logs."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the tables.", show_default=False)
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Process what is there, then end (for cron).")] = False,
    flush: Annotated[
        float, typer.Option("--flush", metavar="SECONDS", min=0.1, help="Write to the tables so often.")
    ] = 60.0,
    idle: Annotated[
        float,
        typer.Option(
            "--idle", metavar="SECONDS", min=1, help="Give up a connection after so long (log time)."
        ),
    ] = 3600.0,
    max_message: Annotated[
        int, typer.Option("--max-message", metavar="MIB", min=1, help="Keep at most so much of one message.")
    ] = 64,
    max_memory: Annotated[
        int, typer.Option("--max-memory", metavar="MIB", min=16, help="Hold at most so much in all.")
    ] = 1024,
    poll: Annotated[
        float | None,
        typer.Option(
            "--poll", metavar="SECONDS", min=0.1, help="Look for changes at this interval (NFS), don't watch."
        ),
    ] = None,
    attachment_content: Annotated[
        bool, typer.Option("--attachment-content", help="Keep the attachments' bytes, not only their hashes.")
    ] = False,
    no_raw: Annotated[bool, typer.Option("--no-raw", help="Leave out the messages' raw bytes.")] = False,
    no_body: Annotated[bool, typer.Option("--no-body", help="Leave out text, html, urls and raw.")] = False,
    hash_users: Annotated[
        str | None,
        typer.Option(
            "--hash-users",
            metavar="KEY",
            envvar="ZEEKPOP3_HASH_KEY",
            show_envvar=True,
            help="Replace users and addresses by their HMAC under this key (better in the environment).",
        ),
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", metavar="FILE", help="Keep counters in a Prometheus textfile.")
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Own log as plain or JSON lines.")
    ] = LogFormat.plain,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log only warnings and errors.")] = False,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd unit for this command, and end.")
    ] = False,
) -> None:
    """Fill the tables beside a running Zeek, each row once, until told to end.

    Reads what is in LOGDIR (rotated, compressed and archived logs, too), then what Zeek goes on writing. May
    be killed and started again at any time. SIGTERM writes what is finished, and ends; SIGHUP writes at once.
    """
    if print_unit:
        sys.stdout.write(unit())
        return
    if not logs:
        raise typer.BadParameter("which folders?", param_hint="LOGDIR")
    if out is None:
        raise typer.BadParameter("where to?", param_hint="--out")
    from zeekpop3.errors import ZeekPop3Error
    from zeekpop3.follow import Follower, Note, Options, may_pass
    from zeekpop3.pipeline.settings import settings

    options = Options(
        flush_s=flush,
        idle_s=idle,
        max_message=max_message << 20,
        max_memory=max_memory << 20,
        poll=poll is not None,
        interval_s=poll if poll is not None else 1.0,
        privacy=settings(no_raw=no_raw, no_body=no_body, hash_users=hash_users).privacy,
        attachment_content=attachment_content,
        metrics=metrics,
    )

    def tell(note: Note) -> None:
        if not quiet or note.level != "info":
            sys.stderr.write(line_of(note, log_format) + "\n")
            sys.stderr.flush()

    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to flush

    def opened(pause: float = 1.0) -> Follower:
        """The follower, once it can be opened."""
        told = ""
        while True:
            try:
                return Follower(logs or [], out or "", options=options, tell=tell)
            except ZeekPop3Error as error:
                if once or not may_pass(error):
                    raise
                if str(error) != told:
                    told = str(error)
                    tell(Note("error", f"{told}; it is tried again"))
            time.sleep(pause)
            pause = min(2 * pause, 60.0)

    with opened() as follower:
        _on_signals(follower)
        if once:
            totals = follower.once()
            typer.echo(
                f"{totals.mails} mails ({totals.incomplete} incomplete), {totals.sessions} sessions, "
                f"{totals.rows} rows since the first start -> {out}",
                err=True,
            )
            if follower.failed:
                raise typer.Exit(1)
        elif not follower.run():
            raise typer.Exit(3)


def _on_signals(follower: Follower) -> None:
    def stop(number: int, frame: object) -> None:
        follower.stop()

    def flush(number: int, frame: object) -> None:
        follower.flush()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, flush)


def line_of(note: Note, log_format: LogFormat) -> str:
    """A line of the follower's own log. Nothing in it can break out of the line, or move a cursor."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if log_format is LogFormat.json:
        return json.dumps({"ts": at, "level": note.level, "event": note.text, **note.fields})
    fields = "".join(f" {name}={value}" for name, value in note.fields.items())
    line = f"{at} {note.level} {note.text}{fields}"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


def unit() -> str:
    """The systemd unit that comes with the package."""
    from importlib.resources import files

    return files("zeekpop3.cli").joinpath("zeekpop3-follow.service").read_text("utf-8")
