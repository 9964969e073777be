"""The error classes. Each message is one line that names the input and the place in it.

A problem of an input file is an error. A problem of a mail is never an error but a defect of its record (see
`defects`).
"""

from __future__ import annotations

import re

_BEFORE_DETAIL = re.compile(r"^.*Detail: \[errno \d+\] ")


def first_line(error: BaseException) -> str:
    """What an exception says, in one line; the name of its class if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def reason(error: BaseException) -> str:
    """The same, without the number and the file name of an error of the system.

    Arrow puts the system's words last: "Error writing bytes to file. Detail: [errno 28] No space left on
    device".
    """
    text: str = getattr(error, "strerror", None) or first_line(error)
    return _BEFORE_DETAIL.sub("", text)


class ZeekPop3Error(Exception):
    """Base of all errors that zeekpop3 raises; the programs print one line and exit with `exit_code`."""

    exit_code = 1


class LogError(ZeekPop3Error):
    """An event log, or the rest of it, cannot be read.

    `zeekpop3.log` raises it (or reports it, when reading continues) for a file that is not a Zeek log, has
    another stream's rows, lacks a column, or is damaged.
    """

    def __init__(self, path: object, reason: str, line: int | None = None) -> None:
        self.path = str(path)
        self.reason = reason
        self.line = line
        place = self.path if line is None else f"{self.path}, line {line}"
        super().__init__(f"{place}: {reason}")


class UsageError(ZeekPop3Error):
    """An option or an environment variable has an invalid value."""

    exit_code = 2


class OutputError(ZeekPop3Error):
    """The output folder cannot be used: it contains tables already, is locked, or cannot be written."""

    exit_code = 2


class QueryError(ZeekPop3Error):
    """The tables cannot be read, or a filter or query is invalid."""


class FilterError(QueryError):
    """The value of a filter or a retention cannot be used: it is no time, hash, address or span."""

    exit_code = 2


class ZeekError(ZeekPop3Error):
    """Zeek was not found, or failed on a capture."""


class IndicatorError(ZeekPop3Error):
    """A list of indicators, or one of its lines, cannot be used."""

    def __init__(self, path: object, reason: str, line: int | None = None) -> None:
        place = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {reason}")


class KeyFileError(IndicatorError):
    """A file of DKIM keys, or a dns.log, cannot be used."""
