"""The ordinary case in one function: nothing missing, a complete response as RFC 1939 has it.

Nearly all responses are of this kind. They are read as `Answers` would read them, without its intermediate
objects; whatever is unusual is left to it, untouched. A test compares the two. Saves 6 % of the stage on
small mails.
"""

from __future__ import annotations

from zeekpop3.defects import Defect
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.client import ClientLines
from zeekpop3.session.exact.responses import may_hold_another
from zeekpop3.session.exact.spans import MAX_STATUS_LINE
from zeekpop3.session.exact.stream import LinesSearch, ServerStream
from zeekpop3.session.protocol import ALWAYS_MULTILINE, parse_status, starts_status

_LISTINGS = frozenset({"LIST", "UIDL"})
_COMMANDS = ALWAYS_MULTILINE | _LISTINGS | {"USER", "PASS", "APOP", "STAT", "DELE", "NOOP", "RSET", "QUIT"}
_ENOUGH = 5  # bytes that tell whether lines follow a status line


def read_ordinary(stream: ServerStream, client: ClientLines, dialogue: Dialogue) -> None:
    """Read complete responses at the stream's position as long as they are ordinary."""
    buffer, base, lines = stream.buffer, stream.base, client.lines
    start, size = stream.position - base, len(buffer)
    while lines and start < size:
        sent = lines[0]
        if sent.command not in _COMMANDS or sent.offset > start + base or sent.count > 1:
            break
        following = lines[1].offset - base if len(lines) > 1 else size
        newline = buffer.find(b"\n", start, start + MAX_STATUS_LINE)
        if newline < 1 or buffer[newline - 1] != 0x0D:
            break
        parsed = parse_status(stream.bytes_at(start + base, newline + base))
        if parsed is None:
            break
        status, message = parsed
        exchange = Exchange(
            sent.command, sent.argument or None, sent.ts, status, message, stream.time_at(start + base)
        )
        end = newline + 1
        if status == "OK" and (
            sent.command in ALWAYS_MULTILINE or (sent.command in _LISTINGS and not sent.argument)
        ):
            if sent.command in _LISTINGS and (
                size - end < _ENOUGH or starts_status(bytes(buffer[end : end + _ENOUGH]), False)
            ):
                break
            search = LinesSearch(newline)
            end = search.run(buffer, newline, size)
            if end < 0 or newline + 1 < following < end:
                break
            body = stream.bytes_at(newline + 1 + base, end - 3 + base)
            if may_hold_another(stream, client, body, newline + 1 + base, end + base):
                break
            exchange.take_body(body, search.dotted)
            if sent.command == "RETR" and client.requests.is_other(sent, exchange.body or b""):
                exchange.defects.append(Defect.NUMBER_DOUBTFUL)
        dialogue.add(exchange)
        if following < end:  # the client did not wait
            client.pipelined_from = min(client.pipelined_from, start + base)
        del lines[0]
        start = end
    stream.position = start + base
