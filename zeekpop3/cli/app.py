"""The command line: options in, one line per problem out, exit codes. Nothing but this prints.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 some input could not be read (the rest
was), 2 bad usage.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeekpop3 import __version__
from zeekpop3.cli import follow as cli_follow
from zeekpop3.cli import report as cli_report
from zeekpop3.cli import views as cli_views
from zeekpop3.errors import LogError, OutputError, UsageError, ZeekPop3Error

if TYPE_CHECKING:
    from zeekpop3.pipeline.batch import Progress
    from zeekpop3.store.sink import Mode
    from zeekpop3.tables import Privacy

app = typer.Typer(
    name="zeekpop3",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The mail that users fetch over POP3, as Zeek saw it: event logs in, e-mail records in Parquet out.",
)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables.", show_default=False)]
Append = Annotated[bool, typer.Option("--append", help="Add to the tables that are there.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the tables that are there.")]
Content = Annotated[
    bool, typer.Option("--attachment-content", help="Keep the attachments' bytes, not only their hashes.")
]
NoRaw = Annotated[bool, typer.Option("--no-raw", help="Leave out the messages' raw bytes.")]
NoBody = Annotated[bool, typer.Option("--no-body", help="Leave out text, html, urls and raw.")]
HashUsers = Annotated[
    str | None,
    typer.Option(
        "--hash-users",
        metavar="KEY",
        envvar="ZEEKPOP3_HASH_KEY",
        show_envvar=True,
        help="Replace users and addresses by their HMAC under this key (better given in the environment).",
    ),
]
MaxMessage = Annotated[
    int, typer.Option("--max-message", metavar="MIB", min=1, help="Keep at most so much of one message.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zeekpop3 {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand != "run":  # which has more to load, and says itself when to collect
        gc.enable()


@app.command()
def run(
    logs: Annotated[
        list[str], typer.Argument(metavar="LOG...", help="Event logs, folders of them, or globs.")
    ],
    out: Out,
    append: Append = False,
    overwrite: Overwrite = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processes.  [default: all cores]")
    ] = None,
    attachment_content: Content = False,
    no_raw: NoRaw = False,
    no_body: NoBody = False,
    hash_users: HashUsers = None,
    max_message: MaxMessage = 64,
) -> None:
    """Turn event logs into the tables: emails, attachments, sessions, commands.

    LOG is what the Zeek package wrote (pop3_events.log, rotated and compressed ones, too).
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nobody here multiplies matrices
    from zeekpop3.pipeline import run as run_pipeline
    from zeekpop3.pipeline.process import no_collector

    failed = False

    def tell(error: LogError) -> None:
        nonlocal failed
        failed = True
        _say(f"zeekpop3: {error}")

    with no_collector(), _progress() as progress:  # not while Arrow loads, either
        summary = run_pipeline(
            logs,
            out,
            mode=_mode(append, overwrite),
            jobs=jobs,
            privacy=_privacy(no_raw, no_body, hash_users),
            attachment_content=attachment_content,
            max_message=max_message << 20,
            on_error=tell,
            progress=progress,
            alone=True,
        )
    _say(f"{summary} -> {out}")
    if failed:
        raise typer.Exit(1)


@app.command()
def pcap(
    captures: Annotated[list[Path], typer.Argument(metavar="PCAP...", help="Captures that Zeek can read.")],
    out: Out,
    plain: Annotated[
        bool, typer.Option("--plain", help="Use the plain form of the log, not the exact one.")
    ] = False,
    zeek: Annotated[
        str | None, typer.Option("--zeek", metavar="PROGRAM", help="The zeek to run.  [default: on PATH]")
    ] = None,
    keep_logs: Annotated[
        Path | None, typer.Option("--keep-logs", metavar="DIR", help="Keep Zeek's logs here, a folder each.")
    ] = None,
    append: Append = False,
    overwrite: Overwrite = False,
    attachment_content: Content = False,
    no_raw: NoRaw = False,
    no_body: NoBody = False,
    hash_users: HashUsers = None,
    max_message: MaxMessage = 64,
) -> None:
    """Run Zeek over captures with the bundled package, then do what `run` does."""
    from zeekpop3.zeek.program import find_zeek, record

    find_zeek(zeek)
    failed = False
    logs: list[str] = []
    with tempfile.TemporaryDirectory(prefix="zeekpop3-") as scratch:
        for number, capture in enumerate(captures):
            folder = (keep_logs or Path(scratch)) / f"{number:04d}-{capture.name}"
            folder.mkdir(parents=True, exist_ok=True)
            try:
                log = record(capture, folder, plain=plain, zeek=zeek)
            except ZeekPop3Error as error:
                _say(f"zeekpop3: {error}")
                failed = True
                continue
            if log is None:
                _say(f"zeekpop3: {capture}: no POP3 in it")
            else:
                logs.append(str(log))
        if logs:
            run(
                logs,
                out,
                append=append,
                overwrite=overwrite,
                attachment_content=attachment_content,
                no_raw=no_raw,
                no_body=no_body,
                hash_users=hash_users,
                max_message=max_message,
            )
    if failed or not logs:
        raise typer.Exit(1)


@app.command()
def transcript(
    logs: Annotated[
        list[str], typer.Argument(metavar="LOG...", help="Event logs, folders of them, or globs.")
    ],
    uid: Annotated[str | None, typer.Option("--uid", help="Only this connection.")] = None,
) -> None:
    """Show what client and server said, line by line, a connection after the other."""
    from zeekpop3.views.transcript import transcript as lines_of
    from zeekpop3.views.visible import visible

    failed = False

    def tell(error: LogError) -> None:
        nonlocal failed
        failed = True
        _say(f"zeekpop3: {error}")

    for line in lines_of(logs, uid=uid, on_error=tell):
        sys.stdout.write(visible(line) + "\n")
    if failed:
        raise typer.Exit(1)


@app.command()
def scripts() -> None:
    """Show where the bundled Zeek package is, for `zeek` and for local.zeek's @load."""
    from zeekpop3.zeek.program import scripts_dir

    typer.echo(scripts_dir())


cli_views.register(app)
cli_report.register(app)
cli_follow.register(app)


def main() -> None:
    """The program: errors become one line on stderr and an exit code."""
    try:
        app(standalone_mode=True)
    except (OutputError, UsageError) as error:
        _say(f"zeekpop3: {error}")
        sys.exit(2)
    except ZeekPop3Error as error:
        _say(f"zeekpop3: {error}")
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone (`zeekpop3 show | head`): that is no error.
        sys.stderr.close()
        sys.exit(0)
    finally:
        gc.freeze()  # all goes now: no use in looking for circles among the libraries' objects once more


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _mode(append: bool, overwrite: bool) -> Mode:
    if append and overwrite:
        raise typer.BadParameter("--append and --overwrite exclude each other")
    return "append" if append else "overwrite" if overwrite else "new"


def _privacy(no_raw: bool, no_body: bool, hash_users: str | None) -> Privacy | None:
    from zeekpop3.pipeline.settings import settings

    return settings(no_raw=no_raw, no_body=no_body, hash_users=hash_users).privacy


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar where stderr is a terminal, a line now and then where it is not."""
    if not sys.stderr.isatty():
        yield _line_now_and_then()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[mails]} mails ({task.fields[rate]:.0f}/s)"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, mails=0, rate=0.0)

        def update(done: int, total: int, mails: int) -> None:
            rate = mails / max(time.monotonic() - started, 1e-3)
            bar.update(task, completed=done, total=total, mails=mails, rate=rate)

        yield update


def _line_now_and_then(interval_s: float = 10.0) -> Progress:
    started = last = time.monotonic()

    def update(done: int, total: int, mails: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= interval_s and done < total:
            last = now
            rate = mails / (now - started)
            _say(f"zeekpop3: {done >> 20} of {total >> 20} MiB, {mails} mails ({rate:.0f}/s)")

    return update
