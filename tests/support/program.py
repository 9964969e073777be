"""The command line, run in this process."""

from __future__ import annotations

import io
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


def program(*arguments: str | Path, encoding: str = "utf-8", columns: int | None = None) -> Done:
    """Run the command line in this process, its output into a pipe of that encoding."""
    from zeekpop3.cli.app import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="") for _ in range(2))
    code = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["zeekpop3", *map(str, arguments)])
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
