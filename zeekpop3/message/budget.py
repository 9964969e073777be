"""What one mail may cost: counted work, copies of its content, charset detections, and CPU time.

The parser takes linear time. The budget bounds the rest: work that containers repeat (a message inside
another one is decoded and hashed again with each that encloses it), and expressions that turn out to be slow.
Work is counted in bytes that a step reads, so that the same mail always ends at the same step. CPU time is
the last resort: `charge` looks at it while it counts, and `watch` has a timer look at it in between.
"""

from __future__ import annotations

import atexit
import signal
import threading
import time

WORK_PER_BYTE = 64
WORK_AT_LEAST = 16 << 20  # bytes
SECONDS_PER_MIB = 0.25
SECONDS_AT_LEAST = 5.0
KEPT_PER_BYTE = 4
KEPT_AT_LEAST = 1 << 16  # bytes
SEARCHED_PER_BYTE = 32  # by plain searches, for delimiters
SEARCHED_AT_LEAST = 64 << 20  # bytes
OPENED_PER_BYTE = 3  # of messages and signed entities in the mail
OPENED_AT_LEAST = 1 << 20  # bytes
HASHED_PER_BYTE = 8  # as many hashes as a mail's signatures may want
MAX_DETECTIONS = 20
MAX_PARTS = 30_000  # of the mail, of messages in files, and of other readings
MAX_WORDS = 100_000  # encoded words
MAX_BROKEN = 100_000  # characters that some codecs replace
MAX_TAGS = 500_000  # of all HTML; more are not read as tags
MAX_URLS = 400_000  # in all texts, also the same ones
MAX_ELEMENTS = 50_000  # of all HTML: elements, comments and URLs that are read one by one
DETECTION = 1 << 18  # a detector takes as long as other steps need for so many bytes
MAX_PROPERTIES = 100_000  # of all TNEF containers, and their attributes
MAX_PACKED_RTF = 2 << 20  # bytes
MAX_LINES = 1_000_000  # of text in format=flowed, and of broken uuencode
MAX_TOKENS = 300_000  # of addresses
MAX_PARAMETERS = 200_000
MAX_REFERENCES = 500_000  # of characters, in HTML
_LOOK_EVERY = 1 << 20  # bytes of work between looks at the clock
_TICK_S = 0.5


class OverBudget(BaseException):
    """A mail costs too much; `parse` catches it. Not an Exception, so that no other handler takes it."""


class Budget:
    """What is left for a mail of `size` bytes; a context manager: within it, for all that this thread calls.

    `detections`, `tags`, `lines` and the like: what is left of the limits above. `guess`: the codec that the
    last detection found. `held`: the content of attachments that `containers`
    looks into, in pieces, by SHA-256.
    """

    __slots__ = (
        "_before",
        "_began",
        "_hashed",
        "_kept",
        "_look_at",
        "_opened",
        "_searched",
        "_seconds",
        "_size",
        "_work",
        "broken",
        "detections",
        "elements",
        "guess",
        "held",
        "lines",
        "packed_rtf",
        "parameters",
        "parts",
        "properties",
        "references",
        "tags",
        "tokens",
        "urls",
        "words",
    )

    def __init__(self, size: int) -> None:
        self._size = size
        self._work = WORK_AT_LEAST + WORK_PER_BYTE * size
        self._kept = KEPT_AT_LEAST + KEPT_PER_BYTE * size
        self._opened = OPENED_AT_LEAST + OPENED_PER_BYTE * size
        self._hashed = HASHED_PER_BYTE * size
        self._searched = SEARCHED_AT_LEAST + SEARCHED_PER_BYTE * size
        self._seconds = SECONDS_AT_LEAST + SECONDS_PER_MIB * size / (1 << 20)
        self._look_at = max(self._work - _LOOK_EVERY, 0)
        self._began: float | None = None
        self.detections = MAX_DETECTIONS
        self.parts = MAX_PARTS
        self.words = MAX_WORDS
        self.tokens = MAX_TOKENS
        self.parameters = MAX_PARAMETERS
        self.references = MAX_REFERENCES
        self.broken = MAX_BROKEN
        self.tags = MAX_TAGS
        self.elements = MAX_ELEMENTS
        self.urls = MAX_URLS
        self.properties = MAX_PROPERTIES
        self.packed_rtf = MAX_PACKED_RTF
        self.lines = MAX_LINES
        self.guess = "cp1252"
        self.held: dict[str, list[bytes]] = {}

    def __enter__(self) -> None:
        self._before = _current.budget
        _current.budget = self

    def __exit__(self, *_: object) -> None:
        _current.budget = self._before

    def charge(self, work: int) -> None:
        """Count a step that reads `work` bytes. Raises OverBudget."""
        self._work -= work
        if self._work < self._look_at:
            self._look_at = max(self._work - _LOOK_EVERY, 0)
            if self._work < 0:
                raise OverBudget
            self.look()

    def look(self) -> None:
        """Look at the clock; the first look starts it. Raises OverBudget, once."""
        now = time.thread_time()
        if self._began is None:
            self._began = now
        elif now - self._began > self._seconds:
            self._seconds = float("inf")
            raise OverBudget

    def may_keep(self, size: int, *, enclosing: bool) -> bool:
        """Whether `size` more bytes of content may be kept; counts them if so. `enclosing`: they hold other
        content; then room for as much as the mail has must be left for that.
        """
        if size > self._kept - (self._size if enclosing else 0):
            return False
        self._kept -= size
        return True

    def may_search(self, size: int) -> bool:
        """Whether `size` more bytes may be searched for delimiters; counts them if so."""
        if size > self._searched:
            return False
        self._searched -= size
        return True

    def may_open(self, size: int) -> bool:
        """Whether a message of `size` bytes may be read as such; counts it if so."""
        if size > self._opened:
            return False
        self._opened -= size
        return True

    def may_hash(self, size: int) -> bool:
        """Whether the hash of `size` more bytes may be computed for a signature; counts them if so."""
        if size > self._hashed:
            return False
        self._hashed -= size
        return True


class _Current(threading.local):
    budget: Budget | None = None


_current = _Current()


def charge(work: int) -> None:
    """Count a step that reads `work` bytes for the mail that this thread parses. Raises OverBudget."""
    if (budget := _current.budget) is not None:
        budget.charge(work)


def current() -> Budget:
    """The budget of the mail that this thread parses; outside of a mail, a new one."""
    return _current.budget or Budget(1 << 40)


def watch() -> None:
    """From now on, end the parsing of a mail that takes too long, even within one regular expression.

    Sets the handler and the timer of SIGVTALRM, so only processes of our own call it, in their main thread.
    The `re` module looks for signals while it searches (Modules/_sre, MAYBE_CHECK_SIGNALS).
    """

    def tick(*_: object) -> None:
        if (budget := _current.budget) is not None:
            budget.look()

    signal.signal(signal.SIGVTALRM, tick)
    signal.siginterrupt(signal.SIGVTALRM, False)
    signal.setitimer(signal.ITIMER_VIRTUAL, _TICK_S, _TICK_S)
    atexit.register(signal.setitimer, signal.ITIMER_VIRTUAL, 0)  # the interpreter's end removes the handler
