"""What one mail may cost: counted work, copies of its content, charset detections, and CPU time.

The parser takes linear time. The budget bounds what that does not: work that containers repeat (a message in a
message is decoded and hashed with each that encloses it), and expressions that nobody knows to be slow yet.
Work is counted in bytes that a step reads, so that the same mail always ends at the same step. CPU time is the
last resort: it is looked at while work is counted, and `watch` has a timer look at it in between.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

WORK_PER_BYTE = 64
WORK_AT_LEAST = 16 << 20  # bytes
SECONDS_PER_MIB = 0.25
SECONDS_AT_LEAST = 5.0
COPIES_PER_BYTE = 4
COPIES_AT_LEAST = 1 << 16  # bytes
MAX_DETECTIONS = 20
DETECTION = 1 << 18  # a detector takes as long as other steps need for so many bytes
_LOOK_EVERY = 1 << 20  # bytes of work between looks at the clock
_TICK_S = 0.5


class OverBudget(BaseException):
    """A mail costs too much; `parse` catches it. Not an Exception, so that no other handler takes it."""


class Budget:
    """What is left for one mail. Detections: how many, and what the last one found."""

    __slots__ = ("_began", "_look_at", "_seconds", "copies", "detections", "guess", "hashed", "work")

    def __init__(self, size: int) -> None:
        self.work = WORK_AT_LEAST + WORK_PER_BYTE * size
        self.copies = COPIES_AT_LEAST + COPIES_PER_BYTE * size
        self.detections = MAX_DETECTIONS
        self.guess = "cp1252"
        self._look_at = self.work - _LOOK_EVERY
        self._seconds = SECONDS_AT_LEAST + SECONDS_PER_MIB * size / (1 << 20)
        self._began: float | None = None

    def charge(self, work: int) -> None:
        """Count a step that reads `work` bytes. Raises OverBudget."""
        self.work -= work
        if self.work < self._look_at:
            self._look_at = self.work - _LOOK_EVERY
            if self.work < 0:
                raise OverBudget
            self.look()

    def look(self) -> None:
        """Look at the clock; the first look starts it. Raises OverBudget."""
        now = time.thread_time()
        if self._began is None:
            self._began = now
        elif now - self._began > self._seconds:
            raise OverBudget

    def may_copy(self, size: int) -> bool:
        """Whether `size` more bytes of content may be kept; counts them if so."""
        if size > self.copies:
            return False
        self.copies -= size
        return True


class _Current(threading.local):
    budget: Budget | None = None


_current = _Current()
_UNLIMITED = Budget(1 << 60)


@contextmanager
def of_mail(size: int) -> Iterator[Budget]:
    """The budget of a mail of `size` bytes, for all that this thread calls."""
    before = _current.budget
    _current.budget = budget = Budget(size)
    try:
        yield budget
    finally:
        _current.budget = before


def charge(work: int) -> None:
    """Count a step that reads `work` bytes for the mail that this thread parses. Raises OverBudget."""
    if (budget := _current.budget) is not None:
        budget.charge(work)


def current() -> Budget:
    """The budget of the mail that this thread parses; outside of a mail, one without limits."""
    return _current.budget or _UNLIMITED


def watch() -> None:
    """From now on, end a mail's parsing that takes too long, even within a single regular expression.

    Sets the handler and timer of SIGVTALRM, so only programs of our own call it, in their main thread. The
    `re` module looks for signals while it searches.
    """

    def tick(*_: object) -> None:
        if (budget := _current.budget) is not None:
            budget.look()

    signal.signal(signal.SIGVTALRM, tick)
    signal.siginterrupt(signal.SIGVTALRM, False)
    signal.setitimer(signal.ITIMER_VIRTUAL, _TICK_S, _TICK_S)
