"""The command line, run in this process."""

from __future__ import annotations

import io
import os
import pty
import select
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest


class Done(NamedTuple):
    """What a run of the program gave."""

    returncode: int
    stdout: str
    stderr: str


def program(
    *arguments: str | Path, encoding: str = "utf-8", columns: int | None = None, stdin: str | bytes = ""
) -> Done:
    """Run the command line in this process, its output into a pipe of that encoding."""
    from zeekpop3.cli.app import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="") for _ in range(2))
    code = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["zeekpop3", *map(str, arguments)])
        given = stdin.encode() if isinstance(stdin, str) else stdin
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        patch.delenv("COLUMNS", raising=False)
        if columns is not None:
            patch.setenv("COLUMNS", str(columns))
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    for stream in (out, err):
        stream.flush()
    out_bytes, err_bytes = (stream.buffer.getvalue() for stream in (out, err))  # type: ignore[attr-defined]
    return Done(code, out_bytes.decode(encoding), err_bytes.decode(encoding))


def on_a_terminal(
    *arguments: str | Path, keys: str = "", prompt: str = "", columns: int = 120, **environment: str
) -> tuple[int, str]:
    """Run the program on a pseudo-terminal; its exit code and everything it wrote there.

    `keys` are typed as soon as `prompt` has been seen.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        given = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "COLUMNS": str(columns), **environment}
        os.environ.update(given)
        os.execv(sys.executable, [sys.executable, "-m", "zeekpop3", *map(str, arguments)])
    seen = b""
    typed = not keys
    while select.select([terminal], [], [], 60)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break  # how Linux reports that the other side has closed
        if not piece:
            break
        seen += piece
        if not typed and prompt.encode() in seen:
            os.write(terminal, keys.encode())
            typed = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()
