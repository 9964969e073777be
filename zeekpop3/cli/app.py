"""The program: its commands, and errors as one line on stderr with an exit code.

Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 some input could not be read (the rest
was); 2 wrong usage, or an output that cannot be used.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from zeekpop3._version import __version__
from zeekpop3.cli.options import app
from zeekpop3.cli.output import close_stdout, say
from zeekpop3.errors import ZeekPop3Error

for name in ("run", "follow", "views", "sql", "hunt", "export"):  # in the order of the help
    import_module(f"zeekpop3.cli.{name}")

__all__ = ["app", "main"]

#: The exit code after a Ctrl-C, as shells give it.
_INTERRUPTED = 130
#: Errors of a full or failing disk.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
#: What typer raises for wrong usage; its own class is not public.
_USAGE_ERROR: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zeekpop3 {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the program; errors become one line on stderr and an exit code."""
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:  # typer has caught it
            _interrupted()
    except _USAGE_ERROR as error:
        code = _usage(error)
    except ZeekPop3Error as error:
        say(f"zeekpop3: {error}")
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _interrupted()
    except Exception as error:
        code = _failed(error)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _failed(error)
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted() -> NoReturn:
    """End at once: all is cleaned up, and a statement that still runs in DuckDB is not waited for."""
    with suppress(OSError):
        sys.stdout.flush()
    say("zeekpop3: interrupted")
    os._exit(_INTERRUPTED)


def _failed(error: Exception) -> int:
    """An output that cannot be written is one line; anything else is an error of ours, with its traceback."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        close_stdout()
        where = f"{error.filename}: " if error.filename else ""
        say(f"zeekpop3: {where}cannot write the output: {error.strerror}")
        return 1
    for line in traceback.format_exception(error):
        for each in line.splitlines():
            say(each)
    return 70  # EX_SOFTWARE of sysexits.h


def _usage(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        text = re.sub(r"\s*\n\s*", " ", error.format_message())  # typer has a line for each choice
        from zeekpop3.views.find import SEVERAL

        if len(sys.argv) > 3 and all(Path(each).is_dir() for each in sys.argv[2:4]):
            text = f"{sys.argv[3]} is another folder; {SEVERAL}"
        say(f"zeekpop3: {text}")
        if error.ctx is not None:
            say(f"Try: {error.ctx.command_path} --help")
    return int(error.exit_code)
