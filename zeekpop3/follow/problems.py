"""The follower's own log: each problem is logged once, and once more when it is over.

The logger is "zeekpop3.follow". Numbers and names of a message are in the record's attribute `fields`.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from zeekpop3.errors import LogError

logger = logging.getLogger("zeekpop3.follow")

_BAD_ROWS = 10
_MAX_REMEMBERED = 10_000


def info(text: str, **fields: Any) -> None:
    """Log an event with its numbers and names."""
    logger.info("%s", text, extra={"fields": fields})


def warning(text: str, **fields: Any) -> None:
    """Log something that somebody should look at."""
    logger.warning("%s", text, extra={"fields": fields})


class ProblemLog:
    """The problems that are known. `healthy` is False while there are any that will be retried."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._output: str | None = None
        self._bad_rows: Counter[str] = Counter()
        self._once: set[str] = set()

    @property
    def healthy(self) -> bool:
        return not self._files and self._output is None

    def files(self, found: dict[str, str]) -> bool:
        """The paths that cannot be used at present, each with the reason; True if there are any."""
        for path, reason in found.items():
            if self._files.get(path) != reason:
                logger.error("%s: %s; will retry", path, reason)
        for path in self._files.keys() - found.keys():
            info(f"{path}: readable again")
        self._files = found
        return bool(found)

    def bad_row(self, error: LogError) -> None:
        """A row, or a place in a log, that cannot be used. The first of each log are logged."""
        self._bad_rows[error.path] += 1
        count = self._bad_rows[error.path]
        if count <= _BAD_ROWS:
            warning(str(error))
        elif count == _BAD_ROWS + 1:
            warning(f"{error.path}: further bad rows are counted but not logged")
        if len(self._bad_rows) > _MAX_REMEMBERED:
            self._bad_rows.clear()

    def output(self, reason: str | None) -> None:
        """Why the output cannot be written at present; None if it can."""
        if reason is not None and self._output is None:
            logger.error("%s; retrying, no data is lost", reason)
        elif reason is None and self._output is not None:
            info("output can be written again")
        self._output = reason

    def once(self, problem: str) -> None:
        """A minor problem."""
        if problem not in self._once:
            self._once.add(problem)
            warning(problem)
