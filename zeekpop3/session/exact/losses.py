"""Responses with a loss, and responses without a request: what can be said of them.

The functions here read and return; the reader decides what to do with the result.
"""

from __future__ import annotations

from zeekpop3.defects import Defect
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.commands import Sent
from zeekpop3.session.exact.spans import Span, expected_octets, find_end
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.exact.unmatched import LostRequests
from zeekpop3.session.protocol import MESSAGE_COMMANDS, declared_octets, parse_status


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
