"""One response with a loss: where it lies in a stream with holes, and how much of its message is missing.

    RETR 4 |+OK 1200 octets CRLF| Subject: ... [ hole ] ... last line CRLF |.CRLF| next response
         start            body_start                             body_stop        stop

The functions here read and return; the reader decides what to do with the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zeekpop3.defects import Defect
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.client import LostRequests, Sent
from zeekpop3.session.exact.stream import LinesSearch, ServerStream
from zeekpop3.session.protocol import (
    FIELD_START,
    MESSAGE_COMMANDS,
    declared_octets,
    is_multiline,
    parse_status,
    unstuff,
)

TERMINATOR = b"\r\n.\r\n"
STATUS_LENGTH = 20
"""The length of a status line that was lost: "+OK 12345 octets" and its CRLF, about."""
MAX_STATUS_LINE = 64 * 1024
_USUAL_STATUS_LINE = 512  # RFC 2449, section 4


@dataclass(slots=True)
class Span:
    """Where one command's response lies. `body_start` is None if it has no lines, or none are left.

    `missing` is -1 if some of the message is missing and how much is unknown.
    """

    start: int
    stop: int
    status: str | None = None
    message: str | None = None
    body_start: int | None = None
    body_stop: int = 0
    ended: bool = False
    missing: int = 0
    defects: list[Defect] = field(default_factory=list)


def expected_octets(sent: Sent, message: str | None, sizes: dict[int, int]) -> int | None:
    """The size of the message that a RETR requests, according to its reply or else to LIST."""
    if sent.command != "RETR":
        return None
    octets = declared_octets(message)
    if octets is None and sent.argument.isdigit():
        octets = sizes.get(int(sent.argument[:18]))
    return octets


def find_end(stream: ServerStream, start: int, stop: int) -> int:
    """The offset after the first terminator that lies between two offsets; -1 if there is none."""
    return stream.find_terminator(LinesSearch(start), stop)


def status_at(stream: ServerStream, start: int) -> tuple[str, str, int] | None:
    """Status, text and end of the complete status line at an offset; None if there is none."""
    newline = stream.find(b"\n", start, min(stream.first_hole(start), start + MAX_STATUS_LINE))
    if newline < 0:
        return None
    parsed = parse_status(stream.bytes_at(start, newline + 1))
    return (*parsed, newline + 1) if parsed else None


def bounded_span(
    stream: ServerStream, start: int, stop: int, sent: Sent, sizes: dict[int, int], status_length: int
) -> Span:
    """The response to `sent`, which is all that lies between two offsets.

    `status_length` is about how many bytes a lost status line had.
    """
    span = span_of(stream, start, stop, sent, sizes, bounded=True)
    if span.status is None and span.missing > 0 and expected_octets(sent, None, sizes) is None:
        span.missing = max(1, span.missing + STATUS_LENGTH - status_length)
    return span


def span_of(
    stream: ServerStream, start: int, stop: int, sent: Sent, sizes: dict[int, int], bounded: bool
) -> Span:
    """The response to `sent`, which starts at `start` and ends at `stop` (`bounded`) or before."""
    status = status_at(stream, start)
    if status is None:
        return headless_span(stream, start, stop, sent, sizes, bounded)
    word, message, after = status
    span = Span(start, stop, word, message)
    if not is_multiline(sent.command, sent.argument, word):
        span.ended = True
        if not bounded:
            span.stop = after
        return span
    span.body_start = after
    end = find_end(stream, after - 1, stop)
    if end < 0 and not bounded:
        return _cut_off_span(stream, span, stop, sent, sizes)
    if end >= 0:
        stop = span.stop = end  # what follows belongs to commands that the capture lacks
    if end >= 0 or _may_end_with_terminator(stream, after - 2, stop):
        span.body_stop, span.ended = max(stop - 3, after), True
    else:
        span.body_stop = stop
    span.missing = stream.missing(after, span.body_stop)
    return span


def _cut_off_span(stream: ServerStream, span: Span, stop: int, sent: Sent, sizes: dict[int, int]) -> Span:
    """A response whose end the capture lacks: its announced size tells how much is missing."""
    assert span.body_start is not None
    span.body_stop = stop
    octets = expected_octets(sent, span.message, sizes)
    present = len(unstuff(stream.known(span.body_start, stop)))
    span.missing = octets - present if octets is not None and octets >= present else -1
    return span


def headless_span(
    stream: ServerStream,
    start: int,
    stop: int,
    sent: Sent,
    sizes: dict[int, int],
    bounded: bool,
    known: bool = True,
) -> Span:
    """A response whose status line is lost, wholly or in part; `known`: it began at `start`."""
    span = Span(start, stop, defects=[Defect.STATUS_MISSING])
    if not is_multiline(sent.command, sent.argument, "OK"):
        span.ended = bounded
        return span
    visible = stream.hole_stop(stream.first_hole(start))
    end = find_end(stream, max(visible, start), stop)
    if end >= 0:
        span.stop, span.body_stop, span.ended = end, end - 3, True
    elif visible < stop:
        span.body_stop = stop
        if bounded and _may_end_with_terminator(stream, visible, stop):
            span.body_stop, span.ended = max(stop - 3, visible), True
    else:
        if bounded and known:
            span.missing = max(1, stop - start - STATUS_LENGTH - 3)
        return span
    span.body_start = _after_rest_of_status(stream, visible, span.body_stop, start, sent, sizes)
    count_missing(stream, span, start if known else None, sent, sizes)
    return span


def _after_rest_of_status(
    stream: ServerStream, visible: int, stop: int, start: int, sent: Sent, sizes: dict[int, int]
) -> int:
    """Where the message starts: behind what the loss has left of the status line, if anything."""
    newline = stream.find(b"\n", visible, stop)
    if newline < 0 or newline - start > _USUAL_STATUS_LINE:
        return visible
    octets = expected_octets(sent, None, sizes)
    if octets is not None:
        present = len(unstuff(stream.known(newline + 1, stop)))
        return newline + 1 if present == octets else visible
    first, second = stream.bytes_at(visible, newline), stream.bytes_at(newline + 1, newline + 80)
    return newline + 1 if FIELD_START.match(second) and not FIELD_START.match(first) else visible


def count_missing(
    stream: ServerStream, span: Span, start: int | None, sent: Sent, sizes: dict[int, int]
) -> None:
    """Set how much is missing of a message without a beginning: by its size, or by where the response
    began."""
    assert span.body_start is not None
    octets = expected_octets(sent, None, sizes)
    if octets is not None:
        present = len(unstuff(stream.known(span.body_start, span.body_stop)))
        if octets >= present:
            span.missing = octets - present
            if span.missing == 0 and span.ended and not stream.missing(span.body_start, span.body_stop):
                span.status = "OK"
            return
    if start is None:
        span.missing = -1
        return
    before = span.body_start - start - STATUS_LENGTH
    span.missing = max(1, before) + stream.missing(span.body_start, span.body_stop)


def _may_end_with_terminator(stream: ServerStream, start: int, stop: int) -> bool:
    """True if the bytes before `stop`, but not before `start`, can be a terminator: a missing byte may be
    any."""
    first = max(start, stop - len(TERMINATOR))
    for at, byte in zip(range(first, stop), TERMINATOR[first - stop :], strict=True):
        if stream.first_hole(at) != at and stream.bytes_at(at, at + 1) != bytes((byte,)):
            return False
    return True


def exchange_of(stream: ServerStream, sent: Sent, span: Span, sizes: dict[int, int]) -> Exchange:
    """The exchange of a command whose response lies in `span`. A message of which nothing is left is said,
    too: no loss is silent."""
    reply_ts = stream.time_at(span.start) if span.status else None
    exchange = Exchange(sent.command, sent.argument or None, sent.ts, span.status, span.message, reply_ts)
    if span.body_start is not None:
        exchange.take_body(stream.known(span.body_start, span.body_stop))
    exchange.ended, exchange.missing = span.ended, span.missing
    exchange.defects += span.defects
    nothing = span.status is None and span.body_start is None and sent.command in MESSAGE_COMMANDS
    if nothing and stream.first_hole(span.start) < min(max(span.stop, span.start + 1), stream.end):
        exchange.ended, exchange.defects = False, [Defect.ANSWER_MISSING]
        octets = expected_octets(sent, None, sizes)
        exchange.missing = octets if octets else span.missing or -1
    return exchange


def may_end_at(stream: ServerStream, offset: int) -> bool:
    """True if what is known around an offset allows a response to end there."""
    hole = stream.first_hole(max(stream.position, offset - 2))
    if hole >= offset and stream.bytes_at(offset - 1, offset) != b"\n":
        return False
    after = stream.bytes_at(offset, offset + 1)
    return not after or stream.first_hole(offset) == offset or after in b"+-"


def unmatched_message(
    stream: ServerStream, start: int, stop: int, requests: LostRequests
) -> tuple[Exchange | None, int]:
    """What lies between two offsets, with a hole in it, and answers no known command: a message that has
    begun (else None), and where it ends."""
    hole = stream.first_hole(start)
    newline = stream.find(b"\n", start, hole)
    parsed = parse_status(stream.bytes_at(start, newline + 1)) if newline >= 0 else None
    end = min(stream.hole_stop(start), stop)
    after = newline + 1
    if parsed is None or requests.guess(parsed[1], stream.bytes_at(after, hole))[0] != "RETR":
        return None, end
    exchange = Exchange("RETR", None, stream.time_before(start), *parsed, stream.time_at(start))
    end = find_end(stream, newline, stop)
    octets = declared_octets(parsed[1])
    ended = end >= 0
    body_stop = end - 3 if ended else stop
    if octets is not None and body_stop - after > octets + (octets >> 6) + 64:
        # The end of this message lies in the hole, and with it the beginning of another.
        body_stop, ended = hole, False
    body = exchange.take_body(stream.known(after, body_stop))
    exchange.ended = ended
    if octets is None:
        exchange.missing = stream.missing(after, body_stop) if ended else -1
    else:
        exchange.missing = max(1, octets - len(body))
    return exchange, end if end >= 0 else stop
