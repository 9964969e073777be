"""The error classes. Each message is one line that names the input and the place in it.

A fault in the *input* is an error; a fault in a *mail* never is: that is a defect of its record.
"""

from __future__ import annotations


class ZeekPop3Error(Exception):
    """Base of all errors that zeekpop3 raises on purpose; the command line prints it as one line."""


class LogError(ZeekPop3Error):
    """An event log cannot be used, or not from some place on.

    Raised (or reported, when reading goes on) by `zeekpop3.log` for a file that is no Zeek log, is another
    stream's, lacks a column, or is broken in the middle.
    """

    def __init__(self, path: object, reason: str, line: int | None = None) -> None:
        self.path = str(path)
        self.reason = reason
        self.line = line
        place = self.path if line is None else f"{self.path}, line {line}"
        super().__init__(f"{place}: {reason}")


class OutputError(ZeekPop3Error):
    """The output folder cannot be used: it holds tables already, is locked, or cannot be written."""


class QueryError(ZeekPop3Error):
    """The tables cannot be read back, or a filter or query makes no sense."""


class ZeekError(ZeekPop3Error):
    """Zeek is not to be found, or it failed on a capture."""
