"""Commands that read captures and event logs: run, pcap, transcript, scripts."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Exit, Option

from zeekpop3.cli.options import Logs, OutputOptions, RecordOptions, command
from zeekpop3.cli.output import Problems, progress, say, summary_line, write
from zeekpop3.errors import LogError, ZeekPop3Error, reason
from zeekpop3.views.text import plural


@command(
    "zeekpop3 run pop3_events.log --out tables",
    "zeekpop3 run /opt/zeek/logs/2024-06-* --out tables --append --no-body",
    "zcat -f pop3_events.log | zeekpop3 run - --out from-queue",
)
def run(
    logs: Logs,
    output: OutputOptions,
    record: RecordOptions,
    jobs: Annotated[
        int | None, Option("--jobs", "-j", min=1, help="Number of processes (default: one per core).")
    ] = None,
) -> None:
    """Turn event logs into tables of mails, their contents, and sessions.

    LOG is the event log that the Zeek package writes: pop3_events.log, or a rotated or compressed one; or its
    rows as JSON lines, as they come out of Kafka or Filebeat. `-` is standard input, read to its end.
    """
    from zeekpop3.pipeline.records import Origin

    problems = Problems()
    with _with_stdin(logs, problems) as paths:
        # The copy of the standard input has another name.
        origins = {Path(path): Origin("-") for path in paths if path not in logs}
        _process(paths, output, record, problems, jobs, origins=origins)
    problems.finish()


@command(
    "zeekpop3 pcap traffic.pcap --out tables",
    "zeekpop3 pcap *.pcap --out tables --append --keep-logs zeek-logs",
)
def pcap(
    captures: Annotated[list[Path], Argument(metavar="PCAP...", help="Captures that Zeek can read.")],
    output: OutputOptions,
    record: RecordOptions,
    plain: Annotated[
        bool, Option("--plain", help="Use the plain form of the event log instead of the exact form.")
    ] = False,
    zeek: Annotated[
        str | None, Option(metavar="PROGRAM", help="The zeek to run (default: the one on PATH).")
    ] = None,
    keep_logs: Annotated[Path | None, Option(metavar="DIR", help="Keep Zeek's logs in this folder.")] = None,
) -> None:
    """Run Zeek on captures with the bundled package, then process the event logs as `run` does.

    A capture that is cut off, such as one that tcpdump still writes, is used up to its last whole packet; the
    exit code is then 1.
    """
    from zeekpop3.log.file import sha256_of
    from zeekpop3.log.find import log_name
    from zeekpop3.pipeline.records import Origin
    from zeekpop3.zeek.program import find_zeek, run_zeek

    find_zeek(zeek)
    problems = Problems()
    logs: list[str] = []
    origins: dict[Path, Origin] = {}
    with tempfile.TemporaryDirectory(prefix="zeekpop3-") as scratch:
        for number, capture in enumerate(captures):
            folder = (keep_logs or Path(scratch)) / f"{number:04d}-{capture.name}"
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                log = run_zeek(capture, folder, plain=plain, zeek=zeek, on_error=problems)
            except ZeekPop3Error as error:
                problems(error)
                continue
            if log is None:
                say(f"zeekpop3: {capture}: no POP3 found. {_NO_POP3}")
            else:
                logs.append(str(log))
                origins[log] = Origin(log_name(capture), sha256_of(capture))
        if logs:
            command = "pcap --plain" if plain else "pcap"
            _process(logs, output, record, problems, command=command, origins=origins)
    if problems.count or not logs:
        raise Exit(1)


@command(
    "zeekpop3 import reported.eml --out tables --append",
    "zeekpop3 import spool.mbox --out spool",
    name="import",
)
def import_(
    mails: Annotated[
        list[Path],
        Argument(metavar="PATH...", help=".eml or mbox files, Maildirs, or folders that contain them."),
    ],
    output: OutputOptions,
    record: RecordOptions,
) -> None:
    """Read mail files into tables like those of `run`; --append adds them to existing tables.

    These mails have the command FILE, a uid that begins with F, and neither user nor session. As with `run`,
    --append refuses a mail that the tables already contain.
    """
    from zeekpop3.message.budget import watch
    from zeekpop3.pipeline.mail_files import import_mails
    from zeekpop3.pipeline.tasks import hide_pandas

    hide_pandas()
    watch()
    problems = Problems()
    counts = import_mails(
        mails,
        output.out,
        mode=output.mode,
        force=output.force,
        settings=record.settings,
        on_error=problems,
    )
    say(f"{plural(counts.mails, 'mail')} of {plural(counts.logs, 'file')} -> {output.out}")
    problems.finish()


@command(
    "zeekpop3 transcript pop3_events.log",
    "zeekpop3 transcript pop3_events.log --uid CHhAvVGS1DHFjwGM9 --no-data",
)
def transcript(
    logs: Logs,
    uid: Annotated[str | None, Option(help="Only the connection with this uid.")] = None,
    no_data: Annotated[
        bool, Option("--no-data", help="Leave out messages and other multi-line responses.")
    ] = False,
) -> None:
    """Print the dialogue of client and server, one connection after the other. `-` is standard input."""
    from zeekpop3.views.api import transcript as lines_of

    problems = Problems()
    with _with_stdin(logs, problems) as paths:
        lines = lines_of(paths, uid=uid, data=not no_data, on_error=problems)
        first = next(lines, None)
        write(lines if first is None else chain([first], lines))
    if uid is not None and first is None:
        raise LogError(logs[0], f"no connection {uid!r}; see `zeekpop3 show` or conn.log for the uids")
    problems.finish()


@command("zeekpop3 scripts", 'zeek -Cr traffic.pcap "$(zeekpop3 scripts)/exact.zeek"')
def scripts() -> None:
    """Print the folder of the bundled Zeek package, for `zeek` and for @load in local.zeek."""
    from zeekpop3.zeek.program import scripts_dir

    write([str(scripts_dir())])


_NO_POP3 = (
    "Likely causes: all of it is encrypted; it is not on port 110 (try --plain); "
    "the capture has one direction only"
)


@contextmanager
def _with_stdin(logs: list[str], problems: Problems) -> Iterator[list[str]]:
    """The logs with a file in place of `-`: a private copy of standard input, as a log is read twice.

    Errors do not name the copy.
    """
    if "-" not in logs:
        yield logs
        return
    with tempfile.TemporaryDirectory(prefix="zeekpop3-") as scratch:
        copy = Path(scratch) / "stdin"
        try:
            with copy.open("xb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        except OSError as error:
            raise LogError("standard input", f"cannot be copied to {scratch}: {reason(error)}") from None
        problems.names[str(copy)] = "standard input"
        try:
            yield [str(copy) if log == "-" else log for log in logs]
        except ZeekPop3Error as error:
            error.args = (problems.text_of(error),)
            raise


def _check_logs(logs: list[str]) -> None:
    """Raise the first error if no log can be read: then no output may be created."""
    from zeekpop3.log.find import find_logs
    from zeekpop3.log.header import read_head

    errors = []
    for path in find_logs(logs):
        try:
            read_head(path)
            return
        except LogError as error:
            errors.append(error)
    raise errors[0]


def _process(
    logs: list[str],
    output: OutputOptions,
    record: RecordOptions,
    problems: Problems,
    jobs: int | None = None,
    **told: Any,
) -> None:
    """Process event logs and print the counts."""
    mode, settings = output.mode, record.settings
    _check_logs(logs)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # we do not use BLAS; avoid its threads
    from zeekpop3.message.budget import watch
    from zeekpop3.pipeline.run import run as run_pipeline
    from zeekpop3.pipeline.tasks import hide_pandas

    hide_pandas()  # the program's process is its own
    watch()

    with progress() as update:
        summary = run_pipeline(
            logs,
            output.out,
            mode=mode,
            force=output.force,
            jobs=jobs,
            settings=settings,
            on_error=problems,
            progress=update,
            **told,
        )
    say(f"{summary_line(summary)} -> {output.out}")
