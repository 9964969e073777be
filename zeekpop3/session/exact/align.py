"""Which response is whose where bytes are missing: commands on one side, a stream with holes on the other.

For one command the answer is plain: the whole stretch is its response. For several (the client pipelined) a
terminator may lie in a hole, and with it whole responses; then every way to match the commands with what is
left is scored by the evidence, and the best is taken: sizes that LIST gave, sizes that replies announce, the
offsets at which the commands were sent, the number of commands that had to be answered.
"""

from __future__ import annotations

import heapq
import itertools
import re
from dataclasses import dataclass, field
from typing import Any, Final

from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import declared_octets, is_multiline, parse_status, unstuff

_TERMINATOR: Final = b"\r\n.\r\n"
STATUS_START: Final = re.compile(rb"\+OK\b|-ERR\b", re.IGNORECASE)
# The first line of a response, by command. A mail may begin with anything, but not with a listing.
_LOOKS: Final = {
    "LIST": re.compile(rb"\d+[ \t]+\d+\s*$|\.\r\n", re.MULTILINE),
    "UIDL": re.compile(rb"\d+[ \t]+\S+\s*$|\.\r\n", re.MULTILINE),
    "RETR": re.compile(rb"(?!\d+[ \t]+\S+\r\n)"),
    "TOP": re.compile(rb"(?!\d+[ \t]+\S+\r\n)"),
}
_TAIL_LOOKS: Final = {
    "LIST": re.compile(rb"\d+[ \t]+\d+\s*$"),
    "UIDL": re.compile(rb"\d+[ \t]+\S+\s*$"),
    "CAPA": re.compile(rb"[A-Z0-9]"),
}
_NEVER_SIZED: Final = frozenset({"UIDL", "CAPA", "DELE", "QUIT", "NOOP", "RSET", "USER", "PASS"})
_FIELD_START: Final = re.compile(rb"[!-9;-~]{1,76}[ \t]*:")
_LONGEST_STATUS_LINE: Final = 512  # RFC 2449, section 4
STATUS_LENGTH: Final = 20  # of a status line that was not seen: "+OK 12345 octets" and its CRLF, about
_MOST_STATES: Final = 20_000
_MOST_SWALLOWED: Final = 400
_EXPECTED: Final = 8.0
_UNEXPECTED: Final = -12.0
_IMPOSSIBLE: Final = -40.0


class Sent:
    """A command as the client sent it; `offset` is where the server's stream stood then."""

    __slots__ = ("argument", "command", "inferred", "offset", "ts")

    def __init__(
        self, command: str | None, argument: str, offset: int, ts: int, inferred: bool = False
    ) -> None:
        self.command = command
        self.argument = argument
        self.offset = offset
        self.ts = ts
        self.inferred = inferred

    def __reduce__(self) -> tuple[Any, ...]:
        return Sent, (self.command, self.argument, self.offset, self.ts, self.inferred)


@dataclass(slots=True)
class Span:
    """Where one command's response lies. `body_start` is None where it has no lines, or none are left.

    `missing` is -1 where a part is missing, and how much of it cannot be told.
    """

    start: int
    stop: int
    status: str | None = None
    message: str | None = None
    body_start: int | None = None
    body_stop: int = 0
    ended: bool = False
    missing: int = 0
    defects: list[str] = field(default_factory=list)


def expected_octets(sent: Sent, message: str | None, sizes: dict[int, int]) -> int | None:
    """The size of the message that a RETR asks for, as its reply or else LIST says."""
    if sent.command != "RETR":
        return None
    octets = declared_octets(message)
    if octets is None and sent.argument.isdigit():
        octets = sizes.get(int(sent.argument))
    return octets


def only(
    stream: ServerStream, start: int, stop: int, sent: Sent, sizes: dict[int, int], status_length: int
) -> Span:
    """The response to `sent`, known to be all that lies between two offsets.

    `status_length` is about how many bytes a status line has that the capture lacks.
    """
    span = _bounded_span(stream, start, stop, sent, sizes, bounded=True)
    if span.status is None and span.missing > 0 and expected_octets(sent, None, sizes) is None:
        span.missing = max(1, span.missing + STATUS_LENGTH - status_length)
    return span


def align(
    stream: ServerStream, start: int, stop: int, commands: list[Sent], sizes: dict[int, int]
) -> list[Span]:
    """Match commands with what the stream holds from `start` (where a response starts) to its end.

    Returns a span for each of the first commands; those left over were not answered.
    """
    if not commands:
        return []
    if len(commands) == 1:
        return [_bounded_span(stream, start, stop, commands[0], sizes, bounded=False)]
    return _Search(stream, stop, commands, sizes).run(start)


def _status_at(stream: ServerStream, start: int) -> tuple[str, str, int] | None:
    """Status, text and the offset after the line of a status line that is wholly there; else None."""
    newline = stream.find(b"\n", start, stream.first_hole(start))
    if newline < 0:
        return None
    parsed = parse_status(stream.bytes_at(start, newline + 1))
    return (*parsed, newline + 1) if parsed else None


def _bounded_span(
    stream: ServerStream, start: int, stop: int, sent: Sent, sizes: dict[int, int], bounded: bool
) -> Span:
    status = _status_at(stream, start)
    if status is None:
        return _headless_span(stream, start, stop, sent, sizes, bounded)
    word, message, after = status
    span = Span(start, stop, word, message)
    if not is_multiline(sent.command, sent.argument, word):
        span.ended = True
        if not bounded:
            span.stop = after
        return span
    span.body_start = after
    found = stream.find(_TERMINATOR, after - 2, stop)
    if found < 0 and not bounded:
        return _cut_off(stream, span, stop, sent, sizes)
    if found >= 0 and (not bounded or found + 5 != stop):
        # What follows belongs to commands that the capture lacks.
        stop = span.stop = found + 5
    tail_from = max(stop - 5, after - 2)
    if found >= 0 or (bounded and _fits(stream, tail_from, _TERMINATOR[-(stop - tail_from) :])):
        span.body_stop, span.ended = max(stop - 3, after), True
    else:
        span.body_stop = stop
    span.missing = stream.missing(after, span.body_stop)
    return span


def _cut_off(stream: ServerStream, span: Span, stop: int, sent: Sent, sizes: dict[int, int]) -> Span:
    """A response whose end the capture does not have: how much is missing, its size tells, if anything."""
    assert span.body_start is not None
    span.body_stop = stop
    octets = expected_octets(sent, span.message, sizes)
    there = len(unstuff(stream.known(span.body_start, stop)))
    span.missing = octets - there if octets is not None and octets >= there else -1
    return span


def _headless_span(
    stream: ServerStream, start: int, stop: int, sent: Sent, sizes: dict[int, int], bounded: bool
) -> Span:
    """A response whose status line is lost, wholly or in part."""
    span = Span(start, stop, defects=["status_missing"])
    if not is_multiline(sent.command, sent.argument, "OK"):
        span.ended = bounded
        return span
    hole = stream.first_hole(start)
    shown = next((b for a, b in stream.holes if b > hole), stop)
    found = stream.find(_TERMINATOR, max(shown - 2, start), stop)
    if found >= 0:
        if not bounded or found + 5 != stop:
            span.stop = found + 5
        span.body_start, span.body_stop, span.ended = shown, found + 2, True
    elif shown < stop:
        span.body_start, span.body_stop = shown, stop
        if bounded and _fits(stream, max(stop - 5, shown), _TERMINATOR[-(stop - max(stop - 5, shown)) :]):
            span.body_stop, span.ended = max(stop - 3, shown), True
    else:
        return span
    span.body_start = _after_status_rest(stream, span, start, sent, sizes)
    _count_headless(stream, span, start, sent, sizes)
    return span


def _after_status_rest(
    stream: ServerStream, span: Span, start: int, sent: Sent, sizes: dict[int, int]
) -> int:
    """Where the message begins: behind what the loss has left of the status line, if it has left any."""
    shown, stop = span.body_start or 0, span.body_stop
    newline = stream.find(b"\n", shown, stop)
    if newline < 0 or newline - start > _LONGEST_STATUS_LINE:
        return shown
    octets = expected_octets(sent, None, sizes)
    if octets is not None:
        there = len(unstuff(stream.known(newline + 1, stop)))
        return newline + 1 if there == octets else shown
    first, second = stream.bytes_at(shown, newline), stream.bytes_at(newline + 1, newline + 80)
    return newline + 1 if _FIELD_START.match(second) and not _FIELD_START.match(first) else shown


def _count_headless(
    stream: ServerStream, span: Span, start: int | None, sent: Sent, sizes: dict[int, int]
) -> None:
    """How much of a message is missing whose beginning is: by its size, or by where its response started."""
    assert span.body_start is not None
    octets = expected_octets(sent, None, sizes)
    if octets is not None:
        there = len(unstuff(stream.known(span.body_start, span.body_stop)))
        if octets >= there:
            span.missing = octets - there
            if span.missing == 0 and span.ended and not stream.missing(span.body_start, span.body_stop):
                span.status = "OK"
            return
    if start is None:
        span.missing = -1
        return
    before = span.body_start - start - STATUS_LENGTH
    span.missing = max(1, before) + stream.missing(span.body_start, span.body_stop)


def _fits(stream: ServerStream, start: int, wanted: bytes) -> bool:
    """Tell whether bytes may stand at an offset: what is missing may be anything."""
    for index, byte in enumerate(wanted):
        at = start + index
        if stream.first_hole(at) == at:
            continue
        if stream.bytes_at(at, at + 1) != bytes((byte,)):
            return False
    return True


@dataclass(slots=True)
class _State:
    """A partial match: the next command, where it stands, and how it got there.

    `open_since` is the start of a response that a hole interrupts (-1: it lies in a hole); `expected_end` is
    where that response should end (None: not known), within `slack` bytes.
    """

    score: float
    index: int
    at: int
    spans: tuple[object, ...] | None
    head: Span | None = None
    expected_end: int | None = None
    slack: int = 0


class _Search:
    """Best-first search over the ways to match commands and responses; bounded in steps."""

    def __init__(self, stream: ServerStream, stop: int, commands: list[Sent], sizes: dict[int, int]) -> None:
        self.stream = stream
        self.stop = stop
        self.commands = commands
        self.sizes = sizes
        self.holes = [hole for hole in stream.holes if hole[1] > stream.position]
        self.sizes_hold = True
        self.status_length = STATUS_LENGTH
        self.best: _State | None = None
        self.queue: list[tuple[int, float, int, _State]] = []
        self.seen: dict[tuple[int, int, bool], float] = {}
        self.order = itertools.count()
        quit_seen = commands[-1].command == "QUIT"
        self.unanswered = -6.0 if quit_seen else -0.5

    def run(self, start: int) -> list[Span]:
        self._push(_State(0.0, 0, start, None))
        for _ in range(_MOST_STATES):
            if not self.queue:
                break
            _, _, _, state = heapq.heappop(self.queue)
            if state.head is None:
                self._from_boundary(state)
            else:
                self._over_hole(state)
        if self.best is None and self.queue:
            self.best = max((entry[3] for entry in self.queue), key=lambda state: state.score)
        spans: list[Span] = []
        node = self.best.spans if self.best else None
        while node is not None:
            spans.append(node[1])  # type: ignore[arg-type]
            node = node[0]  # type: ignore[assignment]
        spans.reverse()
        return spans

    def _push(self, state: _State) -> None:
        key = (state.at, state.index, state.head is None)
        if state.score > self.seen.get(key, -1e18):
            self.seen[key] = state.score
            heapq.heappush(self.queue, (state.at, -state.score, next(self.order), state))

    def _end(self, state: _State) -> None:
        left = len(self.commands) - state.index
        score = state.score + self.unanswered * left
        if self.best is None or score > self.best.score:
            self.best = _State(score, state.index, state.at, state.spans)

    def _from_boundary(self, state: _State) -> None:
        """A response starts at a known place: read on to the next hole, then leave the rest to branches."""
        stream, commands = self.stream, self.commands
        score, index, at, spans = state.score, state.index, state.at, state.spans
        while True:
            if index == len(commands):
                left = self.stop - at - stream.missing(at, self.stop)
                self._end(_State(score + (_IMPOSSIBLE if left else 0.0), index, at, spans))
                return
            if at >= self.stop:
                self._end(_State(score, index, at, spans))
                return
            sent = commands[index]
            if sent.offset > at:
                score += _IMPOSSIBLE
            elif sent.offset == at and index and commands[index - 1].offset != at:
                score += 3.0
            hole = stream.first_hole(at)
            status = _status_at(stream, at)
            if status is None:
                if hole >= self.stop or stream.find(b"\n", at, hole) >= 0:
                    score += _IMPOSSIBLE  # no response starts like this
                    self._end(_State(score, index, at, spans))
                    return
                head = Span(at, self.stop, defects=["status_missing"])
                self._push(_State(score, index, hole, spans, head, *self._estimate(sent, at)))
                return
            word, message, after = status
            span = Span(at, after, word, message, ended=True)
            if is_multiline(sent.command, sent.argument, word):
                span.body_start = after
                found = stream.find(_TERMINATOR, after - 2, hole)
                score += self._identity(sent, message)
                score += self._looks(sent, after, hole, message)
                if found < 0:
                    octets = expected_octets(sent, message, self.sizes)
                    span.ended = False
                    span.body_stop = span.stop = self.stop
                    if hole >= self.stop:
                        self._end(_State(score - 3.0, index + 1, self.stop, (spans, span)))
                        return
                    expected = after + octets + 3 if octets is not None else None
                    self._push(_State(score, index, hole, spans, span, expected, 4))
                    return
                span.body_stop, span.stop = found + 2, found + 5
                score += self._size_fits(sent, span, message)
            elif sent.command == "RETR":
                score -= 2.0
            elif sent.command in _NEVER_SIZED and declared_octets(message) is not None:
                score += _UNEXPECTED
            spans = (spans, span)
            at = span.stop
            index += 1

    def _identity(self, sent: Sent, message: str) -> float:
        """Does the reply announce the size that LIST gave for the number that the command names?"""
        declared = declared_octets(message)
        if sent.command != "RETR" or declared is None or not sent.argument.isdigit():
            return 0.0
        listed = self.sizes.get(int(sent.argument))
        if listed is None:
            return 0.0
        return _EXPECTED if listed == declared else _UNEXPECTED

    def _looks(self, sent: Sent, body_start: int, stop: int, message: str) -> float:
        """Does what follows the status line look like what the command asks for?"""
        first = self.stream.bytes_at(body_start, min(body_start + 100, stop))
        if STATUS_START.match(first):
            return -20.0
        if sent.command in _NEVER_SIZED and declared_octets(message) is not None:
            return _UNEXPECTED
        if len(first) < 100 and b"\n" not in first:
            return 0.0
        looks = _LOOKS.get(sent.command or "")
        return 0.0 if looks is None or looks.match(first) else _UNEXPECTED

    def _tail_looks(self, sent: Sent, shown: int, end: int) -> float:
        """Does the last line of a response whose beginning is lost look like what the command asks for?"""
        lines = self.stream.bytes_at(max(shown, end - 200), end - 5).split(b"\n")
        if len(lines) < 2 or sent.command not in _TAIL_LOOKS:
            return 0.0
        return 0.0 if _TAIL_LOOKS[sent.command].match(lines[-1]) else _UNEXPECTED

    def _size_fits(self, sent: Sent, span: Span, message: str) -> float:
        """Has a whole message the size that LIST gave, where the reply does not say?"""
        if declared_octets(message) is not None or span.body_start is None:
            return 0.0
        octets = expected_octets(sent, None, self.sizes)
        if octets is None:
            return 0.0
        size = len(unstuff(self.stream.bytes_at(span.body_start, span.body_stop)))
        return _EXPECTED if abs(size - octets) <= 2 else _UNEXPECTED / 2

    def _estimate(self, sent: Sent, start: int) -> tuple[int | None, int]:
        """Where the response to a command that starts at `start` should end, and within what slack."""
        if not is_multiline(sent.command, sent.argument, "OK"):
            return start + 28, 24
        octets = expected_octets(sent, None, self.sizes)
        return (None, 0) if octets is None else (start + self.status_length + octets + 3, 12)

    def _over_hole(self, state: _State) -> None:
        """A hole interrupts the response to `commands[state.index]`: what may lie behind it?"""
        stream, head = self.stream, state.head
        assert head is not None
        start = state.at
        hole_stop = next((b for a, b in self.holes if b > start), self.stop)
        next_hole = stream.first_hole(hole_stop) if hole_stop < self.stop else self.stop
        boundary = self._boundary_after(hole_stop, next_hole)
        found = stream.find(_TERMINATOR, hole_stop, next_hole) if hole_stop < self.stop else -1
        terminator_end = found + 5 if found >= 0 else -1
        newline = stream.find(b"\n", hole_stop, next_hole) if hole_stop < self.stop else -1
        expected, slack = state.expected_end, state.slack + (hole_stop - start) // 400
        last_start = head.start
        for swallowed in range(_MOST_SWALLOWED):
            index = state.index + swallowed
            if index >= len(self.commands):
                break
            sent = self.commands[index]
            if swallowed:
                if sent.offset > hole_stop or last_start > hole_stop:
                    break
                begin = expected if expected is not None else -1
                last_start = begin
                expected, more = (None, 0) if expected is None else self._estimate(sent, expected)
                slack += more
            if swallowed * 5 > hole_stop - start:
                break
            many = is_multiline(sent.command, sent.argument, "OK")
            if swallowed == 0 and head.status is not None:
                many = head.body_start is not None
            ends = []
            if boundary >= 0:
                ends.append(boundary)
            if many and terminator_end >= 0 and terminator_end != boundary:
                ends.append(terminator_end)
            if not many and newline >= 0 and newline + 1 != boundary:
                ends.append(newline + 1)
                if sent.command == "AUTH":
                    ends += self._after_challenges(newline + 1, next_hole)
            for end in ends:
                score = state.score + self._length_fits(expected, slack, end, swallowed)
                if end == terminator_end:
                    score += self._tail_looks(sent, hole_stop, end)
                spans = self._close(state, head, swallowed, start, hole_stop, end, end != boundary)
                self._push(_State(score, index + 1, end, spans))
            if many and terminator_end < 0:
                self._stay_open(state, head, swallowed, start, hole_stop, next_hole, expected, slack)
            if expected is not None and expected > hole_stop + slack + 64 and boundary < 0:
                break

    def _stay_open(
        self,
        state: _State,
        head: Span,
        swallowed: int,
        start: int,
        hole_stop: int,
        next_hole: int,
        expected: int | None,
        slack: int,
    ) -> None:
        """The response that comes out of the hole goes on to the next one, or to the stream's end."""
        index = state.index + swallowed
        spans = state.spans
        inner = head
        if swallowed:
            spans = self._close(state, head, swallowed - 1, start, hole_stop, start, False)
            inner = Span(start, self.stop, body_start=hole_stop, defects=["status_missing"])
        score = state.score - 1.5 * swallowed
        if expected is not None:  # a response that goes on until there must not be due to end before
            score += _EXPECTED / 2 if expected + slack >= next_hole else _UNEXPECTED
        if next_hole < self.stop:
            self._push(_State(score, index, next_hole, spans, inner, expected, slack))
            return
        self._count(inner, index, self.stop, self.stop, ended=False)
        self._end(_State(score - 3.0, index + 1, self.stop, (spans, inner)))

    def _boundary_after(self, hole_stop: int, next_hole: int) -> int:
        """Where a response starts just behind a hole that took the end of the one before; -1 if none does."""
        stream = self.stream
        if hole_stop >= self.stop:
            return self.stop
        for kept in range(5):
            at = hole_stop + kept
            if at >= next_hole:
                break
            if stream.bytes_at(hole_stop, at) == _TERMINATOR[5 - kept :][:kept] and STATUS_START.match(
                stream.bytes_at(at, min(at + 5, next_hole))
            ):
                return at
        return -1

    def _after_challenges(self, start: int, stop: int) -> list[int]:
        """Where the answer to AUTH may end behind a hole that took one of its challenges (RFC 5034)."""
        ends: list[int] = []
        while len(ends) < 4 and (newline := self.stream.find(b"\n", start, stop)) >= 0:
            start = newline + 1
            ends.append(start)
        return ends

    def _length_fits(self, expected: int | None, slack: int, end: int, swallowed: int) -> float:
        if expected is None:
            return -1.5 * swallowed
        deviation = abs(end - expected)
        if deviation <= slack:
            return _EXPECTED - 0.05 * swallowed
        return -min(30.0, 2.0 + (deviation - slack) / 10.0)

    def _close(
        self, state: _State, head: Span, swallowed: int, start: int, hole_stop: int, end: int, tail: bool
    ) -> tuple[object, ...] | None:
        """The spans of the responses from the interrupted one to the one that ends at `end`."""
        spans = state.spans
        first = Span(head.start, start, head.status, head.message, head.body_start, start)
        first.defects = list(head.defects)
        if swallowed == 0:
            shown = end > start  # else its end lies in the hole
            body_stop = end - 3 if tail else max(start, end - 3)
            self._count(first, state.index, body_stop if shown else start, end, ended=shown)
            return (spans, first)
        self._count(first, state.index, start, start, ended=False)
        spans = (spans, first)
        for _ in range(swallowed - 1):
            spans = (spans, Span(start, start, defects=["status_missing"]))
        last = Span(start, end, defects=["status_missing"])
        if tail and is_multiline(*self._asked(state.index + swallowed), "OK"):
            last.body_start = hole_stop
            self._count(last, state.index + swallowed, end - 3, end, ended=True)
        return (spans, last)

    def _asked(self, index: int) -> tuple[str | None, str]:
        return self.commands[index].command, self.commands[index].argument

    def _count(self, span: Span, index: int, body_stop: int, stop: int, ended: bool) -> None:
        """Set where a damaged response ends, and how many bytes its message lacks."""
        span.stop, span.ended = stop, ended
        if span.body_start is None:
            return
        span.body_stop = max(body_stop, span.body_start)
        sent = self.commands[index]
        if span.status is None:
            _count_headless(self.stream, span, None, sent, self.sizes)
            return
        octets = expected_octets(sent, span.message, self.sizes)
        there = len(unstuff(self.stream.known(span.body_start, span.body_stop)))
        missing = self.stream.missing(span.body_start, span.body_stop)
        if not ended and octets is not None:
            missing = octets - there
        span.missing = missing if missing > 0 else int(octets != there)
