"""One response: where it lies in the server's stream, what it says, what is missing of it.

    RETR 4 |+OK 1200 octets CRLF| Subject: ... [ hole ] ... last line CRLF |.CRLF| next response
         start            body_start                             body_stop        stop

While nothing is missing, the end follows from the bytes: `Response.find_end`, as they come. With a hole in it
(`LossReader`) the end is known if the client waited for it; else sizes and terminators tell how far it goes,
and what they do not tell is said: `missing` is -1 then.

Nothing here changes the stream or the client's lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from zeekpop3.defects import Defect
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.client import ClientLine, ClientLines
from zeekpop3.session.exact.stream import LinesSearch, ServerStream
from zeekpop3.session.protocol import (
    FIELD_START,
    LISTING_LINE,
    MESSAGE_COMMANDS,
    declared_octets,
    is_multiline,
    parse_status,
    starts_status,
    to_text,
    unstuff,
)

TERMINATOR = b"\r\n.\r\n"
STATUS_LENGTH = 20
"""The length of the status line of a message, about, while none has been seen: "+OK 12345 octets", CRLF."""
_MAX_STATUS_LINE = 64 * 1024
_USUAL_STATUS_LINE = 512  # RFC 2449, section 4
_UNUSUAL_END = re.compile(rb"\.\r?\n\Z")
_END_AND_STATUS = re.compile(rb"\.\r?\n(?:\+OK|-ERR)")


@dataclass(slots=True)
class Response:
    """A response, as far as it is known. `stop` is the offset after its last byte, `body_stop` the one after
    its last line; -1 while unknown. `search` looks for the end of its lines; `body_start` is None if it has
    none, or none are left. `missing` is -1 if some of the message is missing and how much is unknown.
    """

    start: int
    stop: int = -1
    status: str | None = None
    message: str | None = None
    body_start: int | None = None
    body_stop: int = -1
    search: LinesSearch | None = None
    ended: bool = True
    missing: int = 0
    defects: list[Defect] = field(default_factory=list)

    def expect_lines(self, start: int, first_line: bytes) -> None:
        """Lines begin at `start` and go up to a terminator. `first_line` shows how the server ends lines."""
        bare = first_line.endswith(b"\n") and not first_line.endswith(b"\r\n")
        self.stop, self.body_start = -1, start
        self.search = LinesSearch(max(start, self.start + len(first_line)) - 1, bare)

    def find_end(self, stream: ServerStream, stop: int) -> bool:
        """Search for the end of the lines up to `stop`; True if it is known."""
        if self.search is not None and self.stop < 0:
            self.stop = stream.find_terminator(self.search, stop)
            self.body_stop = self.stop - (2 if self.search.bare else 3)
        return self.stop >= 0

    def end_at(self, stream: ServerStream, stop: int) -> None:
        """The response ends at `stop`, because the client continued there, without the usual terminator."""
        tail = _UNUSUAL_END.search(stream.bytes_at(max(self.body_start or 0, stop - 3), stop))
        self.stop = stop
        self.body_stop = stop - len(tail[0]) if tail else stop
        self.ended = tail is not None
        self.defects.append(Defect.TERMINATOR_UNUSUAL)

    def break_off(self, stop: int) -> None:
        """The lines go up to `stop`, and have no end there."""
        self.stop = self.body_stop = stop
        self.ended = False

    def exchange(self, stream: ServerStream, sent: ClientLine) -> Exchange:
        """The response as the answer to `sent`."""
        exchange = Exchange(
            sent.command, sent.argument or None, sent.ts, self.status, self.message,
            stream.time_at(self.start), ended=self.ended, missing=self.missing, defects=[*self.defects],
        )  # fmt: skip
        if self.body_start is not None:
            dotted = self.search is None or self.search.dotted
            exchange.set_body(stream.known(self.body_start, self.body_stop), dotted)
        return exchange


# -- lines without a loss ----------------------------------------------------------------------------------


def read_line(stream: ServerStream, start: int, stop: int) -> bytes:
    """The line at `start`, with its LF; empty if it does not end before `stop`.

    Of a status line that is longer than any client reads, the beginning is the line.
    """
    longest = start + _MAX_STATUS_LINE
    end = stream.line_end(start, min(stop, longest))
    if end >= 0:
        return stream.bytes_at(start, end)
    begin = stream.bytes_at(start, start + 5)
    return stream.bytes_at(start, longest) if longest <= stop and starts_status(begin, False) else b""


def read_status(line: bytes) -> tuple[str | None, str, bool]:
    """A line as status and text, and whether it is a status line as RFC 1939 (section 3) has it.

    Other lines that start with + or - count as OK or ERR, as in clients that look at this character only.
    """
    parsed = parse_status(line)
    if parsed is not None:
        return (*parsed, True)
    status = {b"+": "OK", b"-": "ERR"}.get(line[:1])
    return status, to_text(line[1:] if status else line).strip(), False


def status_at(stream: ServerStream, start: int) -> tuple[str, str, int] | None:
    """Status, text and end of the complete status line at an offset; None if there is none."""
    newline = stream.find(b"\n", start, min(stream.first_hole(start), start + _MAX_STATUS_LINE))
    parsed = parse_status(stream.bytes_at(start, newline + 1)) if newline >= 0 else None
    return (*parsed, newline + 1) if parsed else None


def find_end(stream: ServerStream, start: int, stop: int) -> int:
    """The offset after the first terminator that lies between two offsets; -1 if there is none."""
    return stream.find_terminator(LinesSearch(start), stop)


def may_continue_at(stream: ServerStream, start: int, offset: int, waited: bool, final: bool) -> bool | None:
    """True if the next response starts at `offset`, although the one that starts at `start` has no terminator
    there: the client has sent the next command at this point. None: further bytes will tell.

    `waited`: the client has been seen to wait for each response.
    """
    after = stream.bytes_at(offset, offset + 5)
    if stream.first_hole(start) < offset + len(after):
        return False
    starts = starts_status(after, not final)
    if starts is not True:
        return starts
    before = stream.bytes_at(max(start, offset - 3), offset)
    return _UNUSUAL_END.search(before) is not None or (waited and before.endswith(b"\n"))


def may_hold_another(stream: ServerStream, client: ClientLines, body: bytes, start: int, stop: int) -> bool:
    """True if the lines of a response, `body`, between two offsets may be those of two responses: there is a
    status line where they begin, where the client continued, or behind a dot that some clients take for an
    end."""
    if starts_status(body[:5], False):
        return True
    following = client.next_offset
    if following is None or following >= stop:
        return False
    return _END_AND_STATUS.search(body) is not None or any(
        starts_status(stream.bytes_at(offset, offset + 5), False) for offset in client.offsets(start, stop)
    )


# -- a response with a loss in it --------------------------------------------------------------------------


@dataclass(slots=True)
class LossReader:
    """Reads responses with holes in them. `sizes` are those of LIST, `status_length` is about how long the
    status line of a message is."""

    stream: ServerStream
    sizes: dict[int, int]
    status_length: int

    def octets(self, sent: ClientLine, message: str | None) -> int | None:
        """The size of the message that a RETR requests, according to its reply or else to LIST."""
        if sent.command != "RETR":
            return None
        octets = declared_octets(message)
        if octets is None and sent.argument.isdigit():
            octets = self.sizes.get(int(sent.argument[:18]))
        return octets

    def read(self, start: int, stop: int, sent: ClientLine, bounded: bool) -> Response:
        """The response to `sent`, which starts at `start`, and ends at `stop` (`bounded`) or before."""
        stream, status = self.stream, status_at(self.stream, start)
        if status is None:
            return self.headless(start, stop, sent, bounded)
        word, message, after = status
        response = Response(start, stop, word, message)
        if not is_multiline(sent.command, sent.argument, word):
            response.stop = stop if bounded else after
            return response
        response.body_start = after
        self._end(response, after - 2, stop, bounded)
        if response.ended or bounded:
            response.missing = stream.missing(after, response.body_stop)
        else:  # only the size of the message tells how much is missing
            octets, present = self.octets(sent, message), self._present(after, stop)
            response.missing = octets - present if octets is not None and octets >= present else -1
        return response

    def _end(self, response: Response, first: int, stop: int, bounded: bool) -> None:
        """Find the end of lines: a terminator, else `stop`, where the bytes from `first` on can be one."""
        assert response.body_start is not None
        end = find_end(self.stream, max(first, response.body_start - 1), stop)
        if end >= 0:
            stop = response.stop = end  # what follows belongs to commands that the capture lacks
        if end >= 0 or (bounded and self._may_end_with_terminator(first, stop)):
            response.body_stop = max(stop - 3, response.body_start)
        else:
            response.break_off(stop)

    def _may_end_with_terminator(self, start: int, stop: int) -> bool:
        """True if the bytes before `stop`, but not before `start`, can be a terminator: a missing byte may be
        any."""
        stream, first = self.stream, max(start, stop - len(TERMINATOR))
        for at, byte in zip(range(first, stop), TERMINATOR[first - stop :], strict=True):
            if stream.first_hole(at) != at and stream.bytes_at(at, at + 1) != bytes((byte,)):
                return False
        return True

    def _present(self, start: int, stop: int) -> int:
        return len(unstuff(self.stream.known(start, stop)))

    def headless(
        self, start: int, stop: int, sent: ClientLine, bounded: bool, known: bool = True
    ) -> Response:
        """A response whose status line is lost, wholly or in part; `known`: it began at `start`."""
        stream, octets = self.stream, self.octets(sent, None)
        visible = stream.hole_stop(stream.first_hole(start))
        if not is_multiline(sent.command, sent.argument, "OK"):
            return Response(start, stop, ended=bounded, defects=[Defect.STATUS_MISSING])
        if visible >= stop:
            if stream.first_hole(start) >= stream.end:  # the stream just ends here
                return Response(start, stop, ended=False, defects=[Defect.STATUS_MISSING])
            guess = max(1, stop - start - self.status_length - 3) if bounded and known else -1
            return self.lost(start, stop, sent, guess)
        response = Response(start, stop, body_start=visible, defects=[Defect.STATUS_MISSING])
        self._end(response, visible, stop, bounded)
        begin = response.body_start = self._after_rest_of_status(start, response, sent, octets)
        present = self._present(begin, response.body_stop)
        holes = stream.missing(begin, response.body_stop)
        if octets is not None and octets >= present:
            response.missing = octets - present
            if octets == present and response.ended and not holes:
                response.status = "OK"  # nothing but the status line is lost
        else:
            response.missing = max(1, begin - start - self.status_length) + holes if known else -1
        return response

    def lost(self, start: int, stop: int, sent: ClientLine, guess: int = -1) -> Response:
        """A response of which nothing is left; about `guess` bytes of the message are missing. That of a
        message is said: no loss is silent."""
        if sent.command not in MESSAGE_COMMANDS:
            return Response(start, stop, ended=False, defects=[Defect.STATUS_MISSING])
        missing = self.octets(sent, None) or guess
        return Response(start, stop, ended=False, missing=missing, defects=[Defect.ANSWER_MISSING])

    def _after_rest_of_status(
        self, start: int, response: Response, sent: ClientLine, octets: int | None
    ) -> int:
        """Where the lines start: behind what the loss has left of the status line, if anything."""
        stream, visible, stop = self.stream, response.body_start or start, response.body_stop
        newline = stream.find(b"\n", visible, stop)
        if newline < 0 or newline - start > _USUAL_STATUS_LINE:
            return visible
        if octets is not None:
            return newline + 1 if self._present(newline + 1, stop) == octets else visible
        usual = FIELD_START if sent.command in MESSAGE_COMMANDS else LISTING_LINE
        first, second = stream.bytes_at(visible, newline), stream.bytes_at(newline + 1, newline + 80)
        return newline + 1 if usual.match(second) and not usual.match(first) else visible

    def may_end_at(self, offset: int) -> bool:
        """True if what is known around an offset allows a response to end there."""
        stream = self.stream
        hole = stream.first_hole(max(stream.position, offset - 2))
        if hole >= offset and stream.bytes_at(offset - 1, offset) != b"\n":
            return False
        after = stream.bytes_at(offset, offset + 1)
        return not after or stream.first_hole(offset) == offset or after in b"+-"
