"""Which response answers which command where bytes are missing: commands on one side, a stream with holes on
the other.

Goal: for a client that pipelines, a hole may contain the end of one response and whole other responses. Time
is linear in the size of the log, whatever the damage.

Plan: beam search along the stream. A state is either at a boundary, where a response starts, or at a hole
that interrupts a response. Each state is scored by the evidence: sizes that LIST gave, sizes that replies
announce, the offsets at which the commands were sent, how a response of this command starts and ends, the
number of commands that must have been answered. At each offset only the best states are followed; how many,
and how many responses a hole may contain, depends on the budget, which is proportional to the bytes and rows
at hand. Spans are made for the best path only.

Warning: the weights were tuned on captures with losses (tests/session/test_losses.py), not derived.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass

from zeekpop3.defects import Defect
from zeekpop3.session.exact.commands import Sent
from zeekpop3.session.exact.evidence import (
    EXPECTED,
    IMPOSSIBLE,
    NEVER_SIZED,
    UNEXPECTED,
    Evidence,
    Hole,
    score_length,
)
from zeekpop3.session.exact.spans import Span, count_missing, expected_octets, span_of
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import declared_octets, is_multiline

_MIN_LINE = 5  # "+OK" and CRLF
_STEPS_PER_BYTE = 0.3  # of the log: some 2 microseconds
_ROW_BYTES = 100
_MIN_BUDGET = 4_000
_BEAM = (4, 64)  # states followed at one offset
_SWALLOWED = (4, 400)  # responses in one hole


def align(
    stream: ServerStream, start: int, commands: list[Sent], more: bool, sizes: dict[int, int]
) -> tuple[list[Span], bool]:
    """Match commands with what the stream holds from `start` (where a response starts) to its end.

    `more`: there are further commands. Returns a span for each of the first commands (the others were not
    answered), and whether the budget did not allow to try all that is likely.
    """
    if not commands:
        return [], False
    if len(commands) == 1:
        return [span_of(stream, start, stream.end, commands[0], sizes, bounded=False)], False
    search = _Search(stream, commands, more, sizes)
    return search.run(start), search.limited


@dataclass(slots=True)
class _Crossing:
    """A way over a hole: it contains the end of the response `head` to command `index` and `swallowed` - 1
    whole ones; the last response ends at `end`."""

    head: Span
    index: int
    swallowed: int
    hole: Hole
    end: int


@dataclass(slots=True)
class _Cut:
    """A response that has no end up to the stream's."""

    head: Span
    index: int


_Path = tuple["_Path | None", "Span | _Crossing | _Cut"]  # a linked list: states share their beginnings


@dataclass(slots=True)
class _State:
    """A partial match: the next command, the offset reached, and the way to it.

    `head` is the response that a hole interrupts at `at`; None at a boundary. It should end at `expected_end`
    (None: unknown), within `slack` bytes.
    """

    score: float
    index: int
    at: int
    path: _Path | None
    head: Span | None = None
    expected_end: int | None = None
    slack: int = 0


class _Search:
    """Beam search over the ways to match commands and responses."""

    def __init__(self, stream: ServerStream, commands: list[Sent], more: bool, sizes: dict[int, int]) -> None:
        self.stream = stream
        self.stop = stream.end
        self.commands = commands
        self.more = more
        self.sizes = sizes
        self.limited = False
        self.best: _State | None = None
        self.queue: list[tuple[int, float, int, _State]] = []
        self.seen: dict[tuple[int, int, bool], float] = {}
        self.order = itertools.count()
        self.evidence = Evidence(stream, sizes)
        # A server answers all commands before QUIT; a connection that just ends leaves some unanswered.
        self.unanswered = -6.0 if commands[-1].command == "QUIT" and not more else -0.5
        holes, count = len(stream.hole_starts), len(commands)
        size = len(stream.buffer) + _ROW_BYTES * (holes + count)
        self.budget = int(max(size * _STEPS_PER_BYTE, _MIN_BUDGET))
        self.beam = _between(_BEAM, self.budget // (2 * (count + 3 * holes)))
        self.most_swallowed = _between(_SWALLOWED, self.budget // (2 * (holes + 1) * self.beam))

    def run(self, start: int) -> list[Span]:
        self._push(_State(0.0, 0, start, None))
        at, popped = -1, 0
        while self.queue and self.budget > 0:
            self.budget -= 1
            _, _, _, state = heapq.heappop(self.queue)
            popped = popped + 1 if state.at == at else 1
            at = state.at
            if popped > self.beam:
                self.limited = self.limited or self.beam < _BEAM[1]
            elif state.head is None:
                self._from_boundary(state)
            else:
                self._over_hole(state, state.head)
        self.limited = self.limited or bool(self.queue)
        if self.best is None and self.queue:
            self.best = max((entry[3] for entry in self.queue), key=lambda state: state.score)
        steps: list[Span | _Crossing | _Cut] = []
        path = self.best.path if self.best else None
        while path is not None:
            path, step = path
            steps.append(step)
        return [span for step in reversed(steps) for span in self._spans(step)]

    def _push(self, state: _State) -> None:
        key = (state.at, state.index, state.head is None)
        if state.score > self.seen.get(key, -1e18):
            self.seen[key] = state.score
            heapq.heappush(self.queue, (state.at, -state.score, next(self.order), state))

    def _end(self, score: float, index: int, at: int, path: _Path | None) -> None:
        score += self.unanswered * (len(self.commands) - index)
        if self.best is None or score > self.best.score:
            self.best = _State(score, index, at, path)

    # -- from a boundary to the next hole --------------------------------------------------------------

    def _from_boundary(self, state: _State) -> None:
        """Read the response that starts at a known offset."""
        score, index, at, path = state.score, state.index, state.at, state.path
        if index == len(self.commands):
            left = self.stop - at - self.stream.missing(at, self.stop)
            self._end(score + (IMPOSSIBLE if left and not self.more else 0.0), index, at, path)
            return
        if at >= self.stop:
            self._end(score, index, at, path)
            return
        sent = self.commands[index]
        if sent.offset > at:
            score += IMPOSSIBLE
        elif sent.offset == at and index and self.commands[index - 1].offset != at:
            score += 3.0
        hole, status = self.stream.first_hole(at), self.evidence.status_at(at)
        if status is None:
            if hole >= self.stop or self.stream.line_end(at, hole) >= 0:
                self._end(score + IMPOSSIBLE, index, at, path)  # no response starts like this
                return
            head = Span(at, self.stop, defects=[Defect.STATUS_MISSING])
            self._push(_State(score, index, hole, path, head, *self.evidence.estimate(sent, at)))
            return
        word, message, after = status
        span = Span(at, after, word, message, ended=True)
        if is_multiline(sent.command, sent.argument, word):
            score += self.evidence.announced_size(sent, message) + self.evidence.first_lines(
                sent, after, hole, message
            )
            end = self.evidence.end_of_lines(after, hole)
            if end < 0:
                self._interrupted(score, index, path, span, after, hole)
                return
            span.body_start, span.body_stop, span.stop = after, end - 3, end
            score += self.evidence.body_size(sent, span, message)
        elif sent.command == "RETR":
            score -= 2.0
        elif sent.command in NEVER_SIZED and declared_octets(message) is not None:
            score += UNEXPECTED
        self._push(_State(score, index + 1, span.stop, (path, span)))

    def _interrupted(
        self, score: float, index: int, path: _Path | None, span: Span, after: int, hole: int
    ) -> None:
        """The lines of a response run into a hole, or to the stream's end."""
        span.body_start, span.ended = after, False
        span.body_stop = span.stop = self.stop
        if hole >= self.stop:
            self._end(score - 3.0, index + 1, self.stop, (path, span))
            return
        octets = expected_octets(self.commands[index], span.message, self.sizes)
        expected = after + octets + 3 if octets is not None else None
        self._push(_State(score, index, hole, path, span, expected, 4))

    # -- from a hole to the next boundary --------------------------------------------------------------

    def _over_hole(self, state: _State, head: Span) -> None:
        """A hole interrupts the response to `commands[state.index]`: try what may lie behind it.

        The hole may have swallowed the end of this response and any number of whole ones.
        """
        hole = self.evidence.behind(state.at)
        expected, slack = state.expected_end, state.slack + (hole.stop - hole.start) // 400
        last_start, room = head.start, hole.stop - hole.start
        for swallowed in range(len(self.commands) - state.index):
            sent = self.commands[state.index + swallowed]
            if swallowed:
                if sent.offset > hole.stop or last_start > hole.stop:
                    break
                last_start = expected if expected is not None else -1
                if expected is not None:
                    expected, more = self.evidence.estimate(sent, expected)
                    slack += more
                room -= _MIN_LINE
            if room < 0:
                break
            if swallowed > self.most_swallowed:
                self.limited = True
                break
            self.budget -= 1
            many = is_multiline(sent.command, sent.argument, "OK")
            if swallowed == 0 and head.status is not None:
                many = head.body_start is not None
            for end in self.evidence.ends_behind(hole, sent, many):
                score = state.score + score_length(expected, slack, end, swallowed)
                if end == hole.lines_end:
                    score += self.evidence.last_line(sent, hole.stop, end)
                path = (state.path, _Crossing(head, state.index, swallowed, hole, end))
                self._push(_State(score, state.index + swallowed + 1, end, path))
            if many and hole.lines_end < 0:
                self._stay_open(state, head, swallowed, hole, expected, slack)
            if expected is not None and expected > hole.stop + slack + 64 and hole.boundary < 0:
                break

    def _stay_open(
        self, state: _State, head: Span, swallowed: int, hole: Hole, expected: int | None, slack: int
    ) -> None:
        """The response that comes out of the hole continues to the next one, or to the stream's end."""
        index, path = state.index + swallowed, state.path
        if swallowed:
            path = (path, _Crossing(head, state.index, swallowed - 1, hole, hole.start))
            head = Span(hole.start, self.stop, body_start=hole.stop, defects=[Defect.STATUS_MISSING])
        score = state.score - 1.5 * swallowed
        if expected is not None:  # it must not be due to end before
            score += EXPECTED / 2 if expected + slack >= hole.next_hole else UNEXPECTED
        if hole.next_hole < self.stop:
            self._push(_State(score, index, hole.next_hole, path, head, expected, slack))
        else:
            self._end(score - 3.0, index + 1, self.stop, (path, _Cut(head, index)))

    # -- spans of the best path ------------------------------------------------------------------------

    def _spans(self, step: Span | _Crossing | _Cut) -> list[Span]:
        if isinstance(step, Span):
            return [step]
        if isinstance(step, _Cut):
            self._count(step.head, step.index, self.stop, self.stop, ended=False)
            return [step.head]
        head, hole, end = step.head, step.hole, step.end
        start, tail = hole.start, end not in (hole.boundary, hole.start)
        first = Span(head.start, start, head.status, head.message, head.body_start, start)
        first.defects = list(head.defects)
        if step.swallowed == 0:
            visible = end > start  # else its end lies in the hole
            body_stop = end - 3 if tail else max(start, end - 3)
            self._count(first, step.index, body_stop if visible else start, end, ended=visible)
            return [first]
        self._count(first, step.index, start, start, ended=False)
        swallowed = [Span(start, start, defects=[Defect.STATUS_MISSING]) for _ in range(step.swallowed - 1)]
        last = Span(start, end, defects=[Defect.STATUS_MISSING])
        sent = self.commands[step.index + step.swallowed]
        if tail and is_multiline(sent.command, sent.argument, "OK"):
            last.body_start = hole.stop
            self._count(last, step.index + step.swallowed, end - 3, end, ended=True)
        return [first, *swallowed, last]

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
        present = self.evidence.octets(span.body_start, span.body_stop)
        missing = self.stream.missing(span.body_start, span.body_stop)
        if not ended and octets is not None:
            missing = octets - present
        span.missing = missing if missing > 0 else int(octets != present)


def _between(bounds: tuple[int, int], number: int) -> int:
    return min(max(number, bounds[0]), bounds[1])
