"""What the follower says: each trouble once, and once more when it is over."""

from __future__ import annotations

from typing import Any

from zeekpop3.errors import LogError
from zeekpop3.follow.options import Note, Tell

_BAD_ROWS = 10


class Notes:
    """Hands notes to `tell`; remembers which troubles are known. `healthy` is False while there are any."""

    def __init__(self, tell: Tell | None) -> None:
        self._tell = tell or (lambda note: None)
        self._problems: dict[str, str] = {}
        self._output: str | None = None
        self._bad: dict[str, int] = {}
        self._once: set[tuple[str, str]] = set()

    @property
    def healthy(self) -> bool:
        return not self._problems and self._output is None

    def info(self, text: str, **fields: Any) -> None:
        self._tell(Note("info", text, fields))

    def warning(self, text: str, **fields: Any) -> None:
        self._tell(Note("warning", text, fields))

    def error(self, text: str, **fields: Any) -> None:
        self._tell(Note("error", text, fields))

    def problems(self, found: dict[str, str]) -> bool:
        """The paths that cannot be used at present, each with the reason; True if there are any."""
        for path, reason in found.items():
            if self._problems.get(path) != reason:
                self.error(f"{path}: {reason}; it is tried again")
        for path in self._problems.keys() - found.keys():
            self.info(f"{path}: is no trouble any more")
        self._problems = found
        return bool(found)

    def bad(self, error: LogError) -> None:
        """A row, or a place in a log, that cannot be used: the first of each log are told."""
        count = self._bad[error.path] = self._bad.get(error.path, 0) + 1
        if count <= _BAD_ROWS:
            self.warning(str(error))
        elif count == _BAD_ROWS + 1:
            self.warning(f"{error.path}: more bad rows; from here on they are only counted")
        if len(self._bad) > 10_000:
            self._bad.clear()

    def output(self, reason: str | None) -> None:
        """The output cannot be written at present (or it can: None)."""
        if reason is not None and self._output is None:
            self.error(f"{reason}; it is tried again until it works, nothing is lost")
        elif reason is None and self._output is not None:
            self.info("the output can be written again")
        self._output = reason

    def once(self, path: str, reason: str) -> None:
        """Some trouble on the side."""
        if (path, reason) not in self._once:
            self._once.add((path, reason))
            self.warning(f"{path}: {reason}")
