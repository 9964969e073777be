"""The command `follow`: options in, its own log on stderr, exit codes for a supervisor.

Exit codes: 0 stopped by a signal and everything is written (or `--once` is done); 1 `--once` could not read
some input; 2 wrong usage, or an output that cannot be used (another follower has it); 3 stopped before
everything was written (the output failed, or the last mails took too long): what is missing is read again at
the next start.
"""

from __future__ import annotations

import atexit
import json
import logging
import re
import shlex
import signal
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Exit, Option

from zeekpop3.cli.options import RecordOptions, command, local_path
from zeekpop3.cli.output import mails_line, say
from zeekpop3.errors import UsageError
from zeekpop3.views.text import plural, visible

if TYPE_CHECKING:
    from zeekpop3.follow import Follower, Options

_LOGGER = logging.getLogger("zeekpop3.follow")
_MAX_RETRY_S = 60.0
_PATIENCE_S = 2.0  # between a signal and the end of what is being read
_PLAIN = re.compile(r"[^\s\"=]+")


class LogFormat(StrEnum):
    """The format of the follower's own log."""

    plain = "plain"
    json = "json"


@dataclass(slots=True)
class FollowerOptions:
    """How the follower runs."""

    once: Annotated[bool, Option("--once", help="Process what exists, then exit (for cron).")] = False
    flush: Annotated[float, Option(metavar="SECONDS", min=0.1, help="Interval between commits.")] = 60.0
    idle: Annotated[
        float,
        Option(
            metavar="SECONDS",
            min=1,
            help="Close a connection after this time without rows.",
        ),
    ] = 3600.0
    max_memory: Annotated[int, Option(metavar="MIB", min=16, help="Memory for unfinished messages.")] = 1024
    poll: Annotated[
        float | None,
        Option(
            metavar="SECONDS",
            min=0.1,
            help="Poll at this interval (default: notifications).",
        ),
    ] = None
    merge: Annotated[float, Option(metavar="SECONDS", min=1, help="Merge small files so often.")] = 600.0
    part_size: Annotated[int, Option(metavar="MIB", min=1, help="Size of merged files, in memory.")] = 32
    keep: Annotated[
        str | None,
        Option(metavar="TIME", help="Remove days older than this, counted from the newest: 30d, 12w, 2y."),
    ] = None
    indicators: Annotated[
        list[Path] | None,
        Option(
            metavar="FILE",
            help="List of indicators; hits in new rows are logged and written to the table hits. Repeatable.",
        ),
    ] = None
    on_hit: Annotated[
        str | None,
        Option(
            metavar="CMD",
            help="Run a command for each hit, without a shell; it gets the hit as JSON on standard input.",
        ),
    ] = None
    metrics: Annotated[
        Path | None, Option(metavar="FILE", help="Write counters to a Prometheus textfile.")
    ] = None
    log_format: Annotated[LogFormat, Option(help="Format of its own log.")] = LogFormat.plain
    quiet: Annotated[bool, Option("--quiet", "-q", help="Log only warnings and errors.")] = False

    def keep_days(self) -> int | None:
        """The retention in days. Raises BadParameter."""
        from zeekpop3.errors import QueryError
        from zeekpop3.store.maintenance import keep_days

        try:
            return None if self.keep is None else keep_days(self.keep)
        except QueryError as error:
            raise BadParameter(f"--keep: {error}") from None

    def options(self, record: RecordOptions) -> Options:
        """The options as `Follower` takes them. Raises UsageError."""
        from zeekpop3.follow import Options

        matcher = None
        if self.indicators:
            from zeekpop3.detect.search import LiveMatcher

            matcher = LiveMatcher(self.indicators, _LOGGER.error, self._changed)
        return Options(
            flush_s=self.flush,
            idle_s=self.idle,
            max_memory=self.max_memory << 20,
            poll=self.poll is not None,
            interval_s=self.poll or 1.0,
            merge_s=self.merge,
            part_bytes=self.part_size << 20,
            metrics=self.metrics,
            matcher=matcher,
            on_hit=self._command(),
            keep_days=self.keep_days(),
            settings=record.settings,
        )

    def _command(self) -> tuple[str, ...]:
        """The command for hits and its arguments. Raises BadParameter."""
        if self.on_hit is None:
            return ()
        if not self.indicators:
            raise BadParameter("--on-hit needs --indicators FILE")
        try:
            command = tuple(shlex.split(self.on_hit))
        except ValueError as error:
            raise BadParameter(f"--on-hit: {error}") from error
        if not command:
            raise BadParameter("--on-hit: no command")
        return command

    def _changed(self, number: int) -> None:
        lists = " ".join(f"-i {shlex.quote(str(path))}" for path in self.indicators or [])
        _LOGGER.info(
            "the list changed: %s; what is in the tables already is searched by: zeekpop3 hunt DIR %s --new",
            plural(number, "indicator"),
            lists,
        )


@command(
    "zeekpop3 follow /opt/zeek/logs --out /var/lib/zeekpop3/tables",
    "zeekpop3 follow /opt/zeek/logs --out tables --once --quiet",
)
def follow(
    logs: Annotated[
        list[Path] | None,
        Argument(metavar="LOGDIR...", help="Folders where Zeek writes and archives its logs."),
    ] = None,
    out: Annotated[
        Path | None, Option("--out", "-o", help="Folder for the tables.", callback=local_path)
    ] = None,
    *,
    run: FollowerOptions,
    record: RecordOptions,
) -> None:
    """Update the tables while Zeek runs; every row is written exactly once.

    Reads the existing logs in LOGDIR (rotated, compressed and archived ones too), then what Zeek appends. It
    may be killed and restarted at any time. SIGTERM commits and exits; SIGHUP commits at once.
    """
    if not logs:
        raise BadParameter("missing argument LOGDIR")
    if out is None:
        raise BadParameter("missing option --out")
    if Path("-") in logs:
        raise UsageError("-: follow reads logs in folders; `zeekpop3 run -` reads standard input")
    options = run.options(record)
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(run.log_format))
    _LOGGER.handlers = [handler]
    _LOGGER.setLevel(logging.WARNING if run.quiet else logging.INFO)
    _LOGGER.propagate = False
    _follow(logs, out, options, once=run.once)


def _follow(logs: list[Path], out: Path, options: Options, *, once: bool) -> None:
    """Run a follower until it is done or stopped. Raises Exit with the exit code."""
    from zeekpop3.message.budget import watch

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to commit
    with _opened(logs, out, options, retry=not once) as follower:
        _stop_by_signal(follower)
        watch()
        signal.signal(signal.SIGHUP, lambda *_: follower.flush())
        if not once:
            if not follower.run():
                raise Exit(3)
            return
        totals = follower.once()
        if follower.abandoned:
            raise Exit(3)
        say(
            f"{mails_line(totals)}, {plural(totals.sessions, 'session')}, {plural(totals.rows, 'row')} "
            f"since the first start -> {out}"
        )
        if follower.failed:
            raise Exit(1)


def _stop_by_signal(follower: Follower) -> None:
    """SIGTERM and SIGINT end the follower; if it still reads after a while, in the middle of a mail."""

    def stop(*_: object) -> None:
        follower.stop()
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S, 0.5)

    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # the interpreter's end removes the handler
    signal.signal(signal.SIGALRM, lambda *_: follower.abandon())
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _opened(logs: list[Path], out: Path, options: Options, *, retry: bool) -> Follower:
    """The follower; with `retry`, errors that may go away are logged and waited for."""
    from zeekpop3.errors import ZeekPop3Error
    from zeekpop3.follow import Follower, is_transient

    pause, logged = 1.0, ""
    while True:
        try:
            return Follower(logs, out, options=options)
        except ZeekPop3Error as error:
            if not retry or not is_transient(error):
                raise
            if str(error) != logged:
                logged = str(error)
                _LOGGER.error("%s; will retry", logged)
        time.sleep(pause)
        pause = min(2 * pause, _MAX_RETRY_S)


class LineFormatter(logging.Formatter):
    """A line for each record, plain or JSON, with hidden characters escaped."""

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__()
        self._log_format = log_format

    def format(self, record: logging.LogRecord) -> str:
        ts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        level, text = record.levelname.lower(), record.getMessage()
        fields = getattr(record, "fields", {})
        if self._log_format is LogFormat.json:
            return json.dumps({"ts": ts, "level": level, "event": text, **fields})
        details = "".join(f" {name}={_quoted(value)}" for name, value in fields.items() if value is not None)
        return visible(f"{ts} {level} {text}{details}")


def _quoted(value: object) -> str:
    """A value of a plain line, in quotes if it could be taken for several fields."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
