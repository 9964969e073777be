"""Over a hole in the stream of a client that does not wait: which request is answered behind it.

    requests      RETR 4          RETR 5   RETR 6          RETR 7
    stream    ... +OK  message [  hole                ]  sage CRLF.CRLF +OK message CRLF.CRLF
                  head         h                      H  tail          anchor

Goal: what is whole behind the hole has its own request; what the hole took is said. Plan:

1. Behind the hole, find the first place where a response surely begins: the anchor.
2. Sizes that LIST gave or replies declare say where each response should begin (dead reckoning). The request
   whose response should end nearest to the anchor is the last one in the hole,
3. if what is whole behind the anchor can be, by forms and sizes, the responses to the requests from there on.

Where that leaves a choice, the most likely request is taken, and said to be doubtful: a loss that cannot be
resolved is a defect, not a search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from zeekpop3.session.exact.client import ClientLine
from zeekpop3.session.exact.responses import TERMINATOR, LossReader, Response, find_end, status_at
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import STATUS_START, declared_octets, is_multiline, starts_status, unstuff

_MIN_LINE = 5  # "+OK" and CRLF
_LINE = 28  # about the length of a response without lines
_SLACK = 16  # by how much a response is longer or shorter than reckoned, about
_UNKNOWN_SIZE = 50  # how far from the anchor a response of unknown size counts to end
_MAX_TAKEN = 128  # responses in a hole
_RUN, _FEW = 32, 6  # responses behind the hole that are compared
_MAX_COMPARED = 512


@dataclass(slots=True)
class Crossing:
    """The responses up to the anchor. `sure`: the requests behind it are those that the stream shows."""

    responses: list[Response]
    sure: bool


def cross(reader: LossReader, lines: list[ClientLine], more: bool) -> Crossing:
    """The responses to the first of `lines`, from the stream's position over the next hole.

    `more`: the client has sent further lines.
    """
    stream = reader.stream
    start = stream.position
    hole = stream.first_hole(start)
    if len(lines) == 1 or hole >= stream.end:
        return Crossing([reader.read(start, stream.end, lines[0], bounded=False)], True)
    anchor, kind = _anchor(stream, hole)
    stop = anchor if anchor >= 0 else stream.end
    # No hole takes more responses than it has bytes for.
    begins = _reckon(reader, lines[: min(_MAX_TAKEN, stream.missing(hole, stop) // _MIN_LINE + 1)])
    if anchor < 0:
        taken, sure = _owner_of_rest(stream, hole, lines, begins), False
    else:
        taken, sure = _taken(reader, hole, anchor, kind, lines, more, begins)
    if taken:
        return Crossing(_split(reader, stop, lines[: taken + 1], begins[taken]), sure)
    return Crossing([reader.read(start, stop, lines[0], bounded=anchor >= 0)], sure)


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


def _reckon(reader: LossReader, lines: list[ClientLine]) -> list[int]:
    """Where the response to each line should begin, and where the last ends, by the sizes; -1 if unknown."""
    at = reader.stream.position
    head, begins = status_at(reader.stream, at), [at]
    for sent in lines:
        # Of the first response the status line may be there; it may say the size, or that there are no lines.
        status, message, after = head or ("OK", None, at + reader.status_length)
        octets = reader.octets(sent, message)
        if is_multiline(sent.command, sent.argument, status):
            at = after + octets + 3 if octets is not None and at >= 0 else -1
        elif at >= 0:
            at = after if head else at + _LINE
        begins.append(at)
        head = None
    return begins


class _Whole(NamedTuple):
    """A response behind the anchor; `size` is -1 if its end is not there."""

    status: str
    has_lines: bool
    declared: int | None
    size: int


def _taken(
    reader: LossReader, hole: int, anchor: int, kind: bool | None, lines: list[ClientLine], more: bool,
    begins: list[int],
) -> tuple[int, bool]:  # fmt: skip
    """How many responses begin within the holes before the anchor, and whether that is sure."""
    stream = reader.stream
    candidates = len(begins) - 1
    run, to_end = _whole_behind(stream, anchor, max(_FEW, min(_RUN, _MAX_COMPARED // candidates)))
    # A server answers all commands before QUIT; a connection that just ends leaves some unanswered.
    exact = to_end and not more and lines[-1].command == "QUIT"
    slack = _SLACK + stream.missing(hole, anchor) // 400
    head = status_at(stream, stream.position)
    found: list[tuple[int, bool, int, int]] = []
    for taken in range(candidates):
        last = lines[taken]
        if taken and last.offset > anchor:
            break  # the client had not sent it yet
        many = is_multiline(last.command, last.argument, head[0] if head and taken == 0 else "OK")
        if kind is not None and kind is not many:
            continue
        wrong, agrees = _compare(reader, run, lines[taken + 1 : taken + 1 + len(run)])
        wrong += exact and len(run) < len(lines) - taken - 1
        at = begins[taken + 1]
        away = abs(at - anchor) - slack * (taken + 1) if at >= 0 else _UNKNOWN_SIZE * (taken + 1)
        found.append((wrong, not agrees, max(0, away), taken))
    if not found:
        return 0, False
    # What contradicts nothing comes first, then what a size confirms, then what is nearest.
    found.sort()
    wrong, unknown, away, taken = found[0]
    rivals = [each for each in found[1:] if each[:2] == (wrong, unknown) and each[2] <= away]
    sure = wrong == 0 and (exact or begins[taken + 1] >= 0 or not unknown)
    return taken, sure and not rivals


def _whole_behind(stream: ServerStream, at: int, limit: int) -> tuple[list[_Whole], bool]:
    """The next responses that are whole, and whether they are all up to the stream's end."""
    hole = stream.first_hole(at)
    found: list[_Whole] = []
    while len(found) < limit:
        status = status_at(stream, at)
        if status is None:
            break
        word, message, after = status
        lines = word == "OK" and after < hole and not starts_status(stream.bytes_at(after, after + 5), False)
        size, at = 0, after
        if lines:
            at = find_end(stream, after - 1, hole)
            size = len(unstuff(stream.bytes_at(after, at - 3))) if at >= 0 else -1
        found.append(_Whole(word, lines, declared_octets(message), size))
        if size < 0:
            return found, False
    return found, at >= stream.end


def _compare(reader: LossReader, run: list[_Whole], lines: list[ClientLine]) -> tuple[int, bool]:
    """How many of these responses cannot be those to these lines; whether a size is as it should be."""
    wrong, agrees = max(0, len(run) - len(lines)), False
    for whole, sent in zip(run, lines, strict=False):
        if whole.status == "ERR":
            continue
        octets = reader.octets(sent, None)
        if whole.has_lines != is_multiline(sent.command, sent.argument, "OK") or (
            whole.declared is not None and sent.command not in ("RETR", "TOP", "LIST", "STAT")
        ):
            wrong += 1
        elif octets is not None and (whole.declared is not None or whole.size >= 0):
            fits = octets in (whole.declared, whole.size)
            wrong, agrees = wrong + (not fits), agrees or fits
    return wrong, agrees


def _owner_of_rest(stream: ServerStream, hole: int, lines: list[ClientLine], begins: list[int]) -> int:
    """No response begins behind the holes up to the stream's end: to which line does the rest belong?"""
    stop = stream.hole_stop(hole)
    owner = 0
    for number in range(1, len(begins) - 1):
        at = begins[number]
        if lines[number].offset > stop or (at > stop + _SLACK * number) or (at < 0 and stop < stream.end):
            break
        owner = number
    return owner


def _split(reader: LossReader, stop: int, lines: list[ClientLine], begin: int) -> list[Response]:
    """The head up to the hole, the responses that the hole took, and the last one, whose rest ends at `stop`.
    By the sizes that one should begin at `begin` (-1: unknown)."""
    stream = reader.stream
    start = stream.position
    hole = stream.first_hole(start)
    head = reader.read(start, hole, lines[0], bounded=False) if hole > start else None
    if head is None:
        head = reader.lost(start, start, lines[0])
    head.stop = hole
    swallowed = [reader.lost(hole, hole, sent) for sent in lines[1:-1]]
    last = hole
    while (following := stream.first_hole(stream.hole_stop(last))) < stop and not 0 <= begin < following:
        last = following  # what lies before this hole belongs to another
    rest = reader.headless(last, stop, lines[-1], bounded=stop < stream.end, known=False)
    return [head, *swallowed, rest]
