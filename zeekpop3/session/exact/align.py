"""Which response answers which command where bytes are missing: commands on one side, a stream with holes on
the other.

Goal: for a client that pipelines, a hole may contain the end of one response and whole other responses.

Plan: best-first search over the ways to match the commands, in order, with what is left of the stream. A
state is either at a boundary, where a response starts, or at a hole that interrupts a response. Each state is
scored by the evidence: sizes that LIST gave, sizes that replies announce, the offsets at which the commands
were sent, how a response of this command starts and ends, the number of commands that must have been
answered.

Warning: the weights were tuned on captures with losses (tests/session/test_losses.py), not derived.
"""

from __future__ import annotations

import heapq
import itertools
import re
from dataclasses import dataclass

from zeekpop3.session.exact.commands import Sent
from zeekpop3.session.exact.spans import (
    STATUS_LENGTH,
    TERMINATOR,
    Span,
    count_missing,
    expected_octets,
    find_end,
    span_of,
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

# How the first lines of a response look, by command: a mail may start with anything, but not with a listing.
_NO_LISTING = re.compile(rb"(?!\d+[ \t]+\S+\r\n)")
_FIRST_LINES = {
    "LIST": re.compile(rb"\d+[ \t]+\d+\s*$|\.\r\n", re.MULTILINE),
    "UIDL": re.compile(rb"\d+[ \t]+\S+\s*$|\.\r\n", re.MULTILINE),
    "RETR": _NO_LISTING,
    "TOP": _NO_LISTING,
}
_LAST_LINE = {"LIST": SCAN_LINE, "UIDL": LISTING_LINE, "CAPA": re.compile(rb"[A-Z0-9]")}
_NEVER_SIZED = frozenset({"UIDL", "CAPA", "DELE", "QUIT", "NOOP", "RSET", "USER", "PASS"})
_MAX_STATES = 20_000
_MAX_SWALLOWED = 400
_MIN_RESPONSE = 5  # "+OK" and CRLF
_EXPECTED = 8.0
_UNEXPECTED = -12.0
_IMPOSSIBLE = -40.0


def align(
    stream: ServerStream, start: int, stop: int, commands: list[Sent], sizes: dict[int, int]
) -> list[Span]:
    """Match commands with what the stream holds from `start` (where a response starts) to its end.

    Returns a span for each of the first commands; the others were not answered.
    """
    if not commands:
        return []
    if len(commands) == 1:
        return [span_of(stream, start, stop, commands[0], sizes, bounded=False)]
    return _Search(stream, stop, commands, sizes).run(start)


_Spans = tuple["_Spans | None", Span]  # a linked list: states share their beginnings


@dataclass(slots=True)
class _State:
    """A partial match: the next command, the offset reached, and the spans found on the way.

    `head` is the response that a hole interrupts at `at`; None at a boundary. It should end at `expected_end`
    (None: unknown), within `slack` bytes.
    """

    score: float
    index: int
    at: int
    spans: _Spans | None
    head: Span | None = None
    expected_end: int | None = None
    slack: int = 0


@dataclass(slots=True)
class _Hole:
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


class _Search:
    """Best-first search over the ways to match commands and responses; bounded in steps."""

    def __init__(self, stream: ServerStream, stop: int, commands: list[Sent], sizes: dict[int, int]) -> None:
        self.stream = stream
        self.stop = stop
        self.commands = commands
        self.sizes = sizes
        self.best: _State | None = None
        self.queue: list[tuple[int, float, int, _State]] = []
        self.seen: dict[tuple[int, int, bool], float] = {}
        self.order = itertools.count()
        # A server answers all commands before QUIT; a connection that just ends leaves some unanswered.
        self.unanswered = -6.0 if commands[-1].command == "QUIT" else -0.5

    def run(self, start: int) -> list[Span]:
        self._push(_State(0.0, 0, start, None))
        for _ in range(_MAX_STATES):
            if not self.queue:
                break
            _, _, _, state = heapq.heappop(self.queue)
            if state.head is None:
                self._from_boundary(state)
            else:
                self._over_hole(state, state.head)
        if self.best is None and self.queue:
            self.best = max((entry[3] for entry in self.queue), key=lambda state: state.score)
        spans: list[Span] = []
        node = self.best.spans if self.best else None
        while node is not None:
            node, span = node
            spans.append(span)
        spans.reverse()
        return spans

    def _push(self, state: _State) -> None:
        key = (state.at, state.index, state.head is None)
        if state.score > self.seen.get(key, -1e18):
            self.seen[key] = state.score
            heapq.heappush(self.queue, (state.at, -state.score, next(self.order), state))

    def _end(self, score: float, index: int, at: int, spans: _Spans | None) -> None:
        score += self.unanswered * (len(self.commands) - index)
        if self.best is None or score > self.best.score:
            self.best = _State(score, index, at, spans)

    # -- from a boundary to the next hole --------------------------------------------------------------

    def _from_boundary(self, state: _State) -> None:
        """Read responses from a known start on, up to the next hole."""
        stream, commands = self.stream, self.commands
        score, index, at, spans = state.score, state.index, state.at, state.spans
        while index < len(commands) and at < self.stop:
            sent = commands[index]
            if sent.offset > at:
                score += _IMPOSSIBLE
            elif sent.offset == at and index and commands[index - 1].offset != at:
                score += 3.0
            hole = stream.first_hole(at)
            status = status_at(stream, at)
            if status is None:
                if hole >= self.stop or stream.find(b"\n", at, hole) >= 0:
                    self._end(score + _IMPOSSIBLE, index, at, spans)  # no response starts like this
                    return
                head = Span(at, self.stop, defects=["status_missing"])
                self._push(_State(score, index, hole, spans, head, *self._estimate(sent, at)))
                return
            word, message, after = status
            span = Span(at, after, word, message, ended=True)
            if is_multiline(sent.command, sent.argument, word):
                score += self._score_size(sent, message) + self._score_first_lines(sent, after, hole, message)
                end = find_end(stream, after - 1, hole)
                if end < 0:
                    self._interrupted(score, index, spans, span, after, hole)
                    return
                span.body_start, span.body_stop, span.stop = after, end - 3, end
                score += self._score_body(sent, span, message)
            elif sent.command == "RETR":
                score -= 2.0
            elif sent.command in _NEVER_SIZED and declared_octets(message) is not None:
                score += _UNEXPECTED
            spans = (spans, span)
            at = span.stop
            index += 1
        if index == len(commands) and self.stop - at - stream.missing(at, self.stop):
            score += _IMPOSSIBLE
        self._end(score, index, at, spans)

    def _interrupted(
        self, score: float, index: int, spans: _Spans | None, span: Span, after: int, hole: int
    ) -> None:
        """The lines of a response run into a hole, or to the stream's end."""
        span.body_start, span.ended = after, False
        span.body_stop = span.stop = self.stop
        if hole >= self.stop:
            self._end(score - 3.0, index + 1, self.stop, (spans, span))
            return
        octets = expected_octets(self.commands[index], span.message, self.sizes)
        expected = after + octets + 3 if octets is not None else None
        self._push(_State(score, index, hole, spans, span, expected, 4))

    def _score_size(self, sent: Sent, message: str) -> float:
        """Does the reply announce the size that LIST gave for the number that the command names?"""
        declared = declared_octets(message)
        listed = expected_octets(sent, None, self.sizes)
        if declared is None or listed is None:
            return 0.0
        return _EXPECTED if listed == declared else _UNEXPECTED

    def _score_first_lines(self, sent: Sent, body_start: int, stop: int, message: str) -> float:
        """Does what follows the status line look like a response to the command?"""
        first = self.stream.bytes_at(body_start, min(body_start + 100, stop))
        if STATUS_START.match(first):
            return -20.0
        if sent.command in _NEVER_SIZED and declared_octets(message) is not None:
            return _UNEXPECTED
        if len(first) < 100 and b"\n" not in first:
            return 0.0
        pattern = _FIRST_LINES.get(sent.command or "")
        return 0.0 if pattern is None or pattern.match(first) else _UNEXPECTED

    def _score_body(self, sent: Sent, span: Span, message: str) -> float:
        """Has a complete message the size that LIST gave, where the reply does not say?"""
        octets = expected_octets(sent, None, self.sizes)
        if declared_octets(message) is not None or span.body_start is None or octets is None:
            return 0.0
        size = len(unstuff(self.stream.bytes_at(span.body_start, span.body_stop)))
        return _EXPECTED if abs(size - octets) <= 2 else _UNEXPECTED / 2

    def _estimate(self, sent: Sent, start: int) -> tuple[int | None, int]:
        """Where the response to a command that starts at `start` should end, and within what slack."""
        if not is_multiline(sent.command, sent.argument, "OK"):
            return start + 28, 24
        octets = expected_octets(sent, None, self.sizes)
        return (None, 0) if octets is None else (start + STATUS_LENGTH + octets + 3, 12)

    # -- from a hole to the next boundary --------------------------------------------------------------

    def _over_hole(self, state: _State, head: Span) -> None:
        """A hole interrupts the response to `commands[state.index]`: try what may lie behind it.

        The hole may have swallowed the end of this response and any number of whole ones.
        """
        hole = self._look_behind(state.at)
        expected, slack = state.expected_end, state.slack + (hole.stop - hole.start) // 400
        last_start = head.start
        for swallowed in range(min(_MAX_SWALLOWED, len(self.commands) - state.index)):
            sent = self.commands[state.index + swallowed]
            if swallowed:
                if sent.offset > hole.stop or last_start > hole.stop:
                    break
                last_start = expected if expected is not None else -1
                if expected is not None:
                    expected, more = self._estimate(sent, expected)
                    slack += more
            if swallowed * _MIN_RESPONSE > hole.stop - hole.start:
                break
            many = is_multiline(sent.command, sent.argument, "OK")
            if swallowed == 0 and head.status is not None:
                many = head.body_start is not None
            for end in self._ends_behind(hole, sent, many):
                score = state.score + _score_length(expected, slack, end, swallowed)
                if end == hole.lines_end:
                    score += self._score_last_line(sent, hole.stop, end)
                spans = self._close(state, head, swallowed, hole, end)
                self._push(_State(score, state.index + swallowed + 1, end, spans))
            if many and hole.lines_end < 0:
                self._stay_open(state, head, swallowed, hole, expected, slack)
            if expected is not None and expected > hole.stop + slack + 64 and hole.boundary < 0:
                break

    def _look_behind(self, start: int) -> _Hole:
        stream = self.stream
        stop = stream.hole_stop(start)
        if stop >= self.stop:
            return _Hole(start, stop, self.stop, self.stop, -1, -1)
        next_hole = stream.first_hole(stop)
        line_end = stream.find(b"\n", stop, next_hole) + 1 or -1
        boundary = self._boundary_behind(stop, next_hole)
        return _Hole(start, stop, next_hole, boundary, find_end(stream, stop, next_hole), line_end)

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

    def _ends_behind(self, hole: _Hole, sent: Sent, many: bool) -> list[int]:
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

    def _score_last_line(self, sent: Sent, visible: int, end: int) -> float:
        """Does the last line of a response without a beginning look like a response to the command?"""
        lines = self.stream.bytes_at(max(visible, end - 200), end - len(TERMINATOR)).split(b"\n")
        pattern = _LAST_LINE.get(sent.command or "")
        if len(lines) < 2 or pattern is None:
            return 0.0
        return 0.0 if pattern.match(lines[-1]) else _UNEXPECTED

    def _stay_open(
        self, state: _State, head: Span, swallowed: int, hole: _Hole, expected: int | None, slack: int
    ) -> None:
        """The response that comes out of the hole continues to the next one, or to the stream's end."""
        index = state.index + swallowed
        spans, inner = state.spans, head
        if swallowed:
            spans = self._close(state, head, swallowed - 1, hole, hole.start)
            inner = Span(hole.start, self.stop, body_start=hole.stop, defects=["status_missing"])
        score = state.score - 1.5 * swallowed
        if expected is not None:  # it must not be due to end before
            score += _EXPECTED / 2 if expected + slack >= hole.next_hole else _UNEXPECTED
        if hole.next_hole < self.stop:
            self._push(_State(score, index, hole.next_hole, spans, inner, expected, slack))
            return
        self._count(inner, index, self.stop, self.stop, ended=False)
        self._end(score - 3.0, index + 1, self.stop, (spans, inner))

    def _close(self, state: _State, head: Span, swallowed: int, hole: _Hole, end: int) -> _Spans | None:
        """The spans of the responses from the interrupted one to the one that ends at `end`."""
        start, tail = hole.start, end not in (hole.boundary, hole.start)
        first = Span(head.start, start, head.status, head.message, head.body_start, start)
        first.defects = list(head.defects)
        if swallowed == 0:
            visible = end > start  # else its end lies in the hole
            body_stop = end - 3 if tail else max(start, end - 3)
            self._count(first, state.index, body_stop if visible else start, end, ended=visible)
            return (state.spans, first)
        self._count(first, state.index, start, start, ended=False)
        spans: _Spans = (state.spans, first)
        for _ in range(swallowed - 1):
            spans = (spans, Span(start, start, defects=["status_missing"]))
        last = Span(start, end, defects=["status_missing"])
        sent = self.commands[state.index + swallowed]
        if tail and is_multiline(sent.command, sent.argument, "OK"):
            last.body_start = hole.stop
            self._count(last, state.index + swallowed, end - 3, end, ended=True)
        return (spans, last)

    def _count(self, span: Span, index: int, body_stop: int, stop: int, ended: bool) -> None:
        """Set where a damaged response ends, and how many bytes its message lacks."""
        span.stop, span.ended = stop, ended
        if span.body_start is None:
            return
        span.body_stop = max(body_stop, span.body_start)
        sent = self.commands[index]
        if span.status is None:
            count_missing(self.stream, span, None, sent, self.sizes)
            return
        octets = expected_octets(sent, span.message, self.sizes)
        present = len(unstuff(self.stream.known(span.body_start, span.body_stop)))
        missing = self.stream.missing(span.body_start, span.body_stop)
        if not ended and octets is not None:
            missing = octets - present
        span.missing = missing if missing > 0 else int(octets != present)


def _score_length(expected: int | None, slack: int, end: int, swallowed: int) -> float:
    if expected is None:
        return -1.5 * swallowed
    deviation = abs(end - expected)
    if deviation <= slack:
        return _EXPECTED - 0.05 * swallowed
    return -min(30.0, 2.0 + (deviation - slack) / 10.0)
