"""What speaks for one or the other way to match responses and commands: sizes, forms, what lies behind a
hole.

Scores are added: positive for what a match predicts, negative for what it does not. Whatever is read of the
stream is read once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zeekpop3.session.exact.commands import Sent
from zeekpop3.session.exact.spans import (
    STATUS_LENGTH,
    TERMINATOR,
    Span,
    expected_octets,
    find_end,
    status_at,
)
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import (
    LISTING_LINE,
    SCAN_LINE,
    STATUS_START,
    declared_octets,
    is_multiline,
    unstuff,
)

EXPECTED = 8.0
UNEXPECTED = -12.0
IMPOSSIBLE = -40.0

# How the first lines of a response look, by command: a mail may start with anything, but not with a listing.
_NO_LISTING = re.compile(rb"(?!\d+[ \t]+\S+\r\n)")
_FIRST_LINES = {
    "LIST": re.compile(rb"\d+[ \t]+\d+\s*$|\.\r\n", re.MULTILINE),
    "UIDL": re.compile(rb"\d+[ \t]+\S+\s*$|\.\r\n", re.MULTILINE),
    "RETR": _NO_LISTING,
    "TOP": _NO_LISTING,
}
_LAST_LINE = {"LIST": SCAN_LINE, "UIDL": LISTING_LINE, "CAPA": re.compile(rb"[A-Z0-9]")}
NEVER_SIZED = frozenset({"UIDL", "CAPA", "DELE", "QUIT", "NOOP", "RSET", "USER", "PASS"})


@dataclass(slots=True)
class Hole:
    """A hole that interrupts a response, and what is visible behind it up to the next hole.

    `boundary`, `lines_end` and `line_end` are offsets where a response may end: just behind the hole; after a
    terminator; after a line. -1: nowhere.
    """

    start: int
    stop: int
    next_hole: int
    boundary: int
    lines_end: int
    line_end: int


class Evidence:
    """The evidence that a stream and the sizes from LIST give."""

    def __init__(self, stream: ServerStream, sizes: dict[int, int]) -> None:
        self.stream = stream
        self.stop = stream.end
        self.sizes = sizes
        self._statuses: dict[int, tuple[str, str, int] | None] = {}
        self._ends: dict[int, int] = {}
        self._octets: dict[tuple[int, int], int] = {}
        self._holes: dict[int, Hole] = {}

    # -- the stream ------------------------------------------------------------------------------------

    def status_at(self, at: int) -> tuple[str, str, int] | None:
        if at not in self._statuses:
            self._statuses[at] = status_at(self.stream, at)
        return self._statuses[at]

    def end_of_lines(self, after: int, hole: int) -> int:
        if after not in self._ends:
            self._ends[after] = find_end(self.stream, after - 1, hole)
        return self._ends[after]

    def octets(self, start: int, stop: int) -> int:
        """The size of the message whose lines lie between two offsets."""
        if (start, stop) not in self._octets:
            self._octets[start, stop] = len(unstuff(self.stream.known(start, stop)))
        return self._octets[start, stop]

    def behind(self, start: int) -> Hole:
        if start not in self._holes:
            stream = self.stream
            stop = stream.hole_stop(start)
            if stop >= self.stop:
                self._holes[start] = Hole(start, stop, self.stop, self.stop, -1, -1)
            else:
                next_hole = stream.first_hole(stop)
                line_end = stream.find(b"\n", stop, next_hole) + 1 or -1
                boundary = self._boundary_behind(stop, next_hole)
                lines_end = find_end(stream, stop, next_hole)
                self._holes[start] = Hole(start, stop, next_hole, boundary, lines_end, line_end)
        return self._holes[start]

    def _boundary_behind(self, hole_stop: int, next_hole: int) -> int:
        """Where a response starts just behind a hole that contains the end of the previous one, or most of
        it; -1: nowhere."""
        for kept in range(min(len(TERMINATOR), next_hole - hole_stop)):
            at = hole_stop + kept
            if self.stream.bytes_at(hole_stop, at) == TERMINATOR[len(TERMINATOR) - kept :] and (
                STATUS_START.match(self.stream.bytes_at(at, min(at + 5, next_hole)))
            ):
                return at
        return -1

    def ends_behind(self, hole: Hole, sent: Sent, many: bool) -> list[int]:
        """Where the response that comes out of a hole may end."""
        ends = [hole.boundary] if hole.boundary >= 0 else []
        end = hole.lines_end if many else hole.line_end
        if end >= 0 and end != hole.boundary:
            ends.append(end)
            if sent.command == "AUTH" and not many:  # the hole may contain one of its challenges (RFC 5034)
                while len(ends) < 5 and (newline := self.stream.find(b"\n", end, hole.next_hole)) >= 0:
                    end = newline + 1
                    ends.append(end)
        return ends

    # -- scores ----------------------------------------------------------------------------------------

    def announced_size(self, sent: Sent, message: str) -> float:
        """Does the reply announce the size that LIST gave for the number that the command names?"""
        declared = declared_octets(message)
        listed = expected_octets(sent, None, self.sizes)
        if declared is None or listed is None:
            return 0.0
        return EXPECTED if listed == declared else UNEXPECTED

    def first_lines(self, sent: Sent, body_start: int, stop: int, message: str) -> float:
        """Does what follows the status line look like a response to the command?"""
        first = self.stream.bytes_at(body_start, min(body_start + 100, stop))
        if STATUS_START.match(first):
            return -20.0
        if sent.command in NEVER_SIZED and declared_octets(message) is not None:
            return UNEXPECTED
        if len(first) < 100 and b"\n" not in first:
            return 0.0
        pattern = _FIRST_LINES.get(sent.command or "")
        return 0.0 if pattern is None or pattern.match(first) else UNEXPECTED

    def body_size(self, sent: Sent, span: Span, message: str) -> float:
        """Has a complete message the size that LIST gave, where the reply does not say?"""
        octets = expected_octets(sent, None, self.sizes)
        if declared_octets(message) is not None or span.body_start is None or octets is None:
            return 0.0
        size = self.octets(span.body_start, span.body_stop)
        return EXPECTED if abs(size - octets) <= 2 else UNEXPECTED / 2

    def estimate(self, sent: Sent, start: int) -> tuple[int | None, int]:
        """Where the response to a command that starts at `start` should end, and within what slack."""
        if not is_multiline(sent.command, sent.argument, "OK"):
            return start + 28, 24
        octets = expected_octets(sent, None, self.sizes)
        return (None, 0) if octets is None else (start + STATUS_LENGTH + octets + 3, 12)

    def last_line(self, sent: Sent, visible: int, end: int) -> float:
        """Does the last line of a response without a beginning look like a response to the command?"""
        lines = self.stream.bytes_at(max(visible, end - 200), end - len(TERMINATOR)).split(b"\n")
        pattern = _LAST_LINE.get(sent.command or "")
        if len(lines) < 2 or pattern is None:
            return 0.0
        return 0.0 if pattern.match(lines[-1]) else UNEXPECTED


def score_length(expected: int | None, slack: int, end: int, swallowed: int) -> float:
    if expected is None:
        return -1.5 * swallowed
    deviation = abs(end - expected)
    if deviation <= slack:
        return EXPECTED - 0.05 * swallowed
    return -min(30.0, 2.0 + (deviation - slack) / 10.0)
