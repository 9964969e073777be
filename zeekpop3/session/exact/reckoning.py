"""Over a hole in the stream of a client that does not wait: which request is answered behind it.

    requests      RETR 4          RETR 5   RETR 6          RETR 7
    stream    ... +OK  message [  hole                ]  sage CRLF.CRLF +OK message CRLF.CRLF
                  head         h                      H  tail          anchor

Goal: what is whole behind the hole has its own request; what the hole took is said. Plan: behind the hole,
find the first place where a response surely begins (the anchor). Sizes that LIST gave or replies declare say
where each response should begin, hence how many the hole took (dead reckoning); the responses that are whole
behind the anchor, their forms and sizes, must be those of the requests from there on. Where neither tells,
the most likely request is taken, and said to be doubtful: a loss that cannot be resolved is a defect.
"""

from __future__ import annotations

from dataclasses import dataclass

from zeekpop3.session.exact.client import Sent
from zeekpop3.session.exact.losses import (
    TERMINATOR,
    Span,
    bounded_span,
    expected_octets,
    find_end,
    headless_span,
    span_of,
    status_at,
)
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import STATUS_START, declared_octets, is_multiline, starts_status, unstuff

Status = tuple[str, str, int]
_MIN_LINE = 5  # "+OK" and CRLF
_LINE = 28  # about the length of a response without lines
_SLACK = 16  # by how much a response is longer or shorter than reckoned, about
_MAX_TAKEN = 128  # responses in a hole
_RUN, _FEW = 32, 6  # responses behind the hole that are compared
_MAX_COMPARED = 512


@dataclass(slots=True)
class Crossing:
    """The responses up to the anchor. `sure`: the requests behind it are those that the stream shows."""

    spans: list[Span]
    sure: bool


def cross(
    stream: ServerStream, start: int, lines: list[Sent], more: bool, sizes: dict[int, int], status_length: int
) -> Crossing:
    """The responses to the first of `lines`, from `start` (where one begins) over the next hole.

    `more`: the client has sent further lines. `status_length` is about how many bytes the status line of a
    message has.
    """
    hole = stream.first_hole(start)
    if len(lines) == 1 or hole >= stream.end:
        return Crossing([span_of(stream, start, stream.end, lines[0], sizes, bounded=False)], True)
    head = status_at(stream, start)
    anchor, kind = _anchor(stream, hole)
    missing = stream.missing(hole, anchor if anchor >= 0 else stream.end)
    begins = _reckon(start, lines[: min(_MAX_TAKEN, missing // _MIN_LINE + 1)], head, sizes, status_length)
    if anchor < 0:
        owner, sure, stop = _owner_of_rest(stream, hole, lines, begins), False, stream.end
    else:
        owner, sure = _taken(stream, hole, anchor, kind, lines, more, head, sizes, begins)
        stop = anchor
    if owner:
        return Crossing(_spans(stream, start, stop, owner, lines, sizes, begins), sure)
    if anchor < 0:
        return Crossing([span_of(stream, start, stop, lines[0], sizes, bounded=False)], sure)
    return Crossing([bounded_span(stream, start, stop, lines[0], sizes, status_length)], sure)


def _reckon(
    start: int, lines: list[Sent], head: Status | None, sizes: dict[int, int], status_length: int
) -> list[int]:
    """Where the response to each line should begin, and where the last ends, by the sizes; -1 if unknown."""
    begins, at = [start], start
    for number, sent in enumerate(lines):
        status, message, after = (
            head if head is not None and number == 0 else ("OK", None, at + status_length)
        )
        octets = expected_octets(sent, message, sizes)
        if not is_multiline(sent.command, sent.argument, status):
            length = after - at if message is not None else _LINE
        else:
            length = -1 if octets is None else after - at + octets + 3
        at = -1 if length < 0 or at < 0 else at + length
        begins.append(at)
    return begins


def _anchor(stream: ServerStream, hole: int) -> tuple[int, bool | None]:
    """Where a response begins behind a hole (or behind those after it), and whether the one before it has
    lines: None if that does not show. (-1, None) if none begins up to the end."""
    while hole < stream.end:
        stop = stream.hole_stop(hole)
        following = stream.first_hole(stop)
        for kept in range(min(len(TERMINATOR), following - stop) + 1):
            # The hole has taken all but the last bytes of a terminator, or of a line.
            at = stop + kept
            if stream.bytes_at(stop, at) == TERMINATOR[len(TERMINATOR) - kept :] and (
                STATUS_START.match(stream.bytes_at(at, min(at + 5, following)))
            ):
                return at, True if kept > 2 else None
        end = stream.find(b"\n", stop, following) + 1
        if end and STATUS_START.match(stream.bytes_at(end, min(end + 5, following))):
            return end, False
        end = find_end(stream, stop, following)
        if end >= 0:
            return end, True
        hole = following
    return -1, None


def _taken(
    stream: ServerStream, hole: int, anchor: int, kind: bool | None, lines: list[Sent], more: bool,
    head: Status | None, sizes: dict[int, int], begins: list[int],
) -> tuple[int, bool]:  # fmt: skip
    """How many responses begin within the holes before the anchor, and whether that is sure."""
    candidates = len(begins) - 1
    run, to_end = _whole_behind(stream, anchor, max(_FEW, min(_RUN, _MAX_COMPARED // candidates)))
    # A server answers all commands before QUIT; a connection that just ends leaves some unanswered.
    exact = to_end and not more and lines[-1].command == "QUIT"
    missing = stream.missing(hole, anchor)
    slack = _SLACK + missing // 400
    found: list[tuple[int, bool, int, int]] = []
    for taken in range(candidates):
        if taken and lines[taken].offset > anchor:
            break  # the client had not sent it yet
        last = lines[taken]
        many = is_multiline(last.command, last.argument, head[0] if head and taken == 0 else "OK")
        if kind is not None and kind is not many:
            continue
        wrong, agrees = _compare(run, lines[taken + 1 : taken + 1 + len(run)], sizes)
        wrong += exact and len(run) < len(lines) - taken - 1
        at = begins[taken + 1]
        away = max(0, abs(at - anchor) - slack * (taken + 1)) if at >= 0 else 50 * (taken + 1)
        found.append((wrong, not agrees, away, taken))
    if not found:
        return 0, False
    found.sort()
    wrong, unknown, away, taken = found[0]
    others = [each for each in found[1:] if each[0] == wrong and each[1] == unknown]
    sure = wrong == 0 and (exact or begins[taken + 1] >= 0 or not unknown)
    return taken, sure and all(other[2] > away for other in others)


def _whole_behind(
    stream: ServerStream, at: int, limit: int
) -> tuple[list[tuple[str, bool, int | None, int]], bool]:
    """Of the next responses that are whole: status, whether lines follow, declared and actual size. And
    whether they are all up to the stream's end."""
    hole = stream.first_hole(at)
    found: list[tuple[str, bool, int | None, int]] = []
    while len(found) < limit:
        status = status_at(stream, at)
        if status is None:
            break
        word, message, after = status
        lines = word == "OK" and after < hole and not starts_status(stream.bytes_at(after, after + 5), False)
        size, at = 0, after
        if lines:
            at = find_end(stream, after - 1, hole)
            if at < 0:
                found.append((word, True, declared_octets(message), -1))
                return found, False
            size = len(unstuff(stream.bytes_at(after, at - 3)))
        found.append((word, lines, declared_octets(message), size))
    return found, at >= stream.end


def _compare(
    run: list[tuple[str, bool, int | None, int]], lines: list[Sent], sizes: dict[int, int]
) -> tuple[int, bool]:
    """How many of these responses cannot be those to these lines; whether a size is as it should be."""
    wrong, agrees = max(0, len(run) - len(lines)), False
    for (status, many, declared, size), sent in zip(run, lines, strict=False):
        if status == "ERR":
            continue
        octets = expected_octets(sent, None, sizes)
        if many != is_multiline(sent.command, sent.argument, "OK") or (
            declared is not None and sent.command not in ("RETR", "TOP", "LIST", "STAT")
        ):
            wrong += 1
        elif octets is not None and (declared is not None or size >= 0):
            fits = octets in (declared, size)
            wrong, agrees = wrong + (not fits), agrees or fits
    return wrong, agrees


def _owner_of_rest(stream: ServerStream, hole: int, lines: list[Sent], begins: list[int]) -> int:
    """No response begins behind the holes up to the stream's end: to which line does the rest belong?"""
    stop = stream.hole_stop(hole)
    owner = 0
    for number in range(1, len(begins) - 1):
        if lines[number].offset > stop or (begins[number] >= 0 and begins[number] > stop + _SLACK * number):
            break
        if begins[number] < 0 and stop < stream.end:
            break
        owner = number
    return owner


def _spans(
    stream: ServerStream, start: int, stop: int, taken: int, lines: list[Sent], sizes: dict[int, int],
    begins: list[int],
) -> list[Span]:  # fmt: skip
    """The head up to the hole, the responses that the hole took, and the one whose rest ends at `stop`."""
    hole = stream.first_hole(start)
    if hole > start:
        head = span_of(stream, start, hole, lines[0], sizes, bounded=False)
        head.stop = hole
    else:
        head = Span(start, start)
    swallowed = [Span(hole, hole) for _ in range(taken - 1)]
    last = hole
    while (following := stream.first_hole(stream.hole_stop(last))) < stop and (
        begins[taken] < 0 or begins[taken] >= following
    ):
        last = following  # what lies before this hole belongs to another
    rest = headless_span(stream, last, stop, lines[taken], sizes, bounded=stop < stream.end, known=False)
    return [head, *swallowed, rest]
