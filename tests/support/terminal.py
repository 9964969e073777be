"""Runs the program on a terminal, in processes that are forked from this one, which has loaded the program.

Starting Python and importing the program takes a second of CPU time, more than what most tests run. A request
is a line of JSON (`arguments`, `environment`, `folder`) with the terminal's descriptor. The answer is the
status that `waitpid` gives.
"""

from __future__ import annotations

import atexit
import fcntl
import importlib
import json
import locale
import os
import socket
import sys
import termios
import traceback
from typing import Any

#: What the commands import when they run. None of it starts a thread, which would not survive the fork.
LOADED = (
    "duckdb", "pyarrow.compute", "pyarrow.csv", "pyarrow.dataset", "pyarrow.json", "rich.padding",
    "rich.table", "zeekpop3.cli.app", "zeekpop3.detect.search", "zeekpop3.follow", "zeekpop3.pipeline.run",
    "zeekpop3.views.api", "zeekpop3.views.eml", "zeekpop3.views.find", "zeekpop3.views.grid",
    "zeekpop3.views.report.page", "zeekpop3.views.show", "zeekpop3.views.sql",
)  # fmt: skip
_MAX_REQUEST = 1 << 20


def serve(requests: socket.socket) -> None:
    """Answer requests, one after the other, until the other side closes the socket."""
    for name in LOADED:
        importlib.import_module(name)
    while True:
        text, descriptors, _, _ = socket.recv_fds(requests, _MAX_REQUEST, 1)
        if not text:
            return
        while not text.endswith(b"\n"):
            text += requests.recv(_MAX_REQUEST)
        (terminal,) = descriptors
        pid = os.fork()
        if pid == 0:
            requests.close()
            _run(json.loads(text), terminal)
        os.close(terminal)
        requests.send(str(os.waitpid(pid, 0)[1]).encode())


def _run(request: dict[str, Any], terminal: int) -> None:
    """Become the program, with this terminal as its own; does not return."""
    code = 1
    try:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for descriptor in range(3):
            os.dup2(terminal, descriptor)
        os.close(terminal)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        locale.setlocale(locale.LC_CTYPE, "")
        sys.stdin, sys.stdout, sys.stderr = (
            open(descriptor, mode, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
            for descriptor, mode in enumerate("rww")
        )
        sys.argv = ["zeekpop3", *request["arguments"]]
        from zeekpop3.cli.app import main

        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
