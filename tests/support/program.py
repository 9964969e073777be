"""The command line: run in this process, or on a terminal."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

_ROOT = Path(__file__).resolve().parents[2]


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
    with pytest.MonkeyPatch.context() as patch, _signals(), redirect_stdout(out), redirect_stderr(err):
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


@contextmanager
def _signals() -> Iterator[None]:
    """The handlers and timers that the program sets are its own: Ctrl-C still ends the tests."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGVTALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL):
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def on_a_terminal(
    *arguments: str | Path, keys: str = "", prompt: str = "", columns: int = 120, **environment: str
) -> tuple[int, str]:
    """Run the program on a pseudo-terminal; its exit code and everything it wrote there.

    `keys` are typed as soon as `prompt` has been seen.
    """
    requests = _forking()
    terminal, its_side = os.openpty()
    given = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "COLUMNS": str(columns), **environment}
    request = {
        "arguments": [*map(str, arguments)],
        "environment": {**os.environ, **given},
        "folder": str(Path.cwd()),
    }
    socket.send_fds(requests, [json.dumps(request).encode() + b"\n"], [its_side])
    os.close(its_side)
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
    return os.waitstatus_to_exitcode(int(requests.recv(64))), seen.decode()


@cache
def _forking() -> socket.socket:
    """The requests to a process that forks the program (`terminal`); it ends with this one."""
    ours, its_side = socket.socketpair()
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OPENBLAS_NUM_THREADS": "1"}
    server = Path(__file__).with_name("terminal.py")
    with its_side:
        subprocess.Popen(
            [sys.executable, server, str(its_side.fileno())], env=environment, pass_fds=[its_side.fileno()]
        )
    return ours
