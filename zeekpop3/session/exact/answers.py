"""What the server says next, where no byte of it is missing: the answer to the client's next line, or else.

    client   AUTH PLAIN         AHgAeQ==                RETR 1
    server              + CRLF            +OK in CRLF           +OK CRLF message CRLF.CRLF
             (greeting) CHALLENGE         ANSWER                ANSWER

Goal: each line has one answer, and it starts where the answer before it ended. Where it ends follows from its
first line and the command; where that is not as RFC 1939 has it, from where the client continued.

What begins before the client's next line answers no line that the log has. If nothing is missing, the server
says more than it is asked: a client that reads one answer after the other takes it for the answer to its next
line. A message that comes before the RETR or TOP that would request it is taken so, too (EARLY); any other
response is UNSOLICITED, and lines that are not responses are NOISE.

Nothing here changes anything: `Found` names what was found, and the reader says what follows from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from zeekpop3.defects import Defect
from zeekpop3.session.exact.client import ClientLine, ClientLines
from zeekpop3.session.exact.responses import Response, may_continue_at, read_line, read_status
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import (
    ALWAYS_MULTILINE,
    MESSAGE_COMMANDS,
    MULTILINE_IF_LINES_FOLLOW,
    declared_octets,
    is_message,
    is_multiline,
    parse_status,
    starts_status,
    to_text,
)

_STATUS_LINE = re.compile(rb"\n(?=\+OK\b|-ERR\b)", re.IGNORECASE)


class Found(Enum):
    """What the next bytes of the server are."""

    ANSWER = auto()  # the complete answer to the first line
    OTHER = auto()  # a response that cannot be the answer to it
    CHALLENGE = auto()  # a challenge to AUTH (RFC 5034): the answer is still to come
    SASL = auto()  # the server goes on after a challenge: the client's line was the response to it
    NO_ANSWER = auto()  # the server goes on after a challenge to another line: AUTH has no answer
    NOISE = auto()  # lines that answer nothing
    GREETING = auto()  # (RFC 1939, section 4)
    EARLY = auto()  # a message before the line that may request it
    UNSOLICITED = auto()  # a response, or a message, that no line of the log requested
    LOSS = auto()  # the same with a hole in it, up to `stop`


@dataclass(slots=True)
class Step:
    """What was found up to `stop`. `malformed`: it is not what RFC 1939 has the server send; `doubtful`: it
    may be the answer to another line."""

    found: Found
    stop: int
    response: Response | None = None
    malformed: bool = False
    doubtful: bool = False


@dataclass(slots=True)
class Answers:
    """Looks at what lies at the stream's position. `begun` is the response there, as far as it has come: a
    search for its end goes on where it stopped."""

    stream: ServerStream
    client: ClientLines
    begun: Response | None = None

    def next(self, challenged: bool, final: bool) -> Step | None:
        """What answers the first line; None if a loss lies in it, or it is not all there yet.

        `challenged`: the server's last line was a challenge.
        """
        stream, response = self.stream, self.begun
        hole = stream.first_hole(stream.position)
        doubtful = False
        if response is None or response.start != stream.position:
            step = self._begin(stream.position, hole, challenged, final)
            if step is None or step.found is not Found.ANSWER:
                return step
            assert step.response is not None
            response, doubtful = step.response, step.doubtful
            if not doubtful:
                self.begun = response
        if response.body_start is not None:
            known = response.find_end(stream, hole)
            following = self.client.next_offset
            # Did the client continue in the middle? Then the answer may have ended there, unusually.
            if (
                following is not None
                and response.body_start < following < stream.end
                and (not known or following < response.stop)
            ):
                waited = following <= self.client.pipelined_from
                continues = may_continue_at(stream, response.body_start, following, waited, final)
                if continues is None:
                    return None
                if continues:
                    response.end_at(stream, following)
                    doubtful = self._may_go_on(response)
            if response.stop < 0:
                return None
        return Step(Found.ANSWER, response.stop, response, doubtful=doubtful)

    def _may_go_on(self, response: Response) -> bool:
        """True if a message may not end where the client went on: few servers break one off, and a sender can
        write what some clients take for an end."""
        sent = self.client.first
        assert sent is not None
        if not response.ended:
            return sent.command in MESSAGE_COMMANDS
        octets = declared_octets(response.message) if sent.command == "RETR" else None
        octets = octets or self.client.requests.listed_size(sent)
        return octets is not None and octets > response.body_stop - (response.body_start or 0)

    def _begin(self, start: int, hole: int, challenged: bool, final: bool) -> Step | None:
        """Read the first line at `start`: an answer that begins, or what comes before it."""
        stream = self.stream
        line = read_line(stream, start, hole)
        if not line:
            return None
        end = start + len(line)
        status, message, usual = read_status(line)
        following = stream.bytes_at(end, end + 5) if end < hole else b""
        more = hole >= stream.end and not final
        if challenged:
            return self._after_challenge(status, following, more)
        sent = self.client.first
        assert sent is not None
        damaged = self.client.requests.damage_seen
        response = Response(start, end, status, message)
        if not usual:
            lost_auth = damaged and line.startswith((b"+ ", b"+\r", b"+\n"))
            if line.startswith(b"+") and (sent.command == "AUTH" or lost_auth):
                return Step(Found.CHALLENGE, end)
            response.defects.append(Defect.REPLY_MALFORMED)
            if status is None:
                return self._begin_without_status(sent, response, line, hole, final)
        elif not line.endswith(b"\n"):
            response.defects.append(Defect.REPLY_MALFORMED)
        if status == "OK":
            multiline = self._has_lines(sent, end, following, more)
            if multiline is None:
                return None
            if multiline:
                response.expect_lines(end, line)
        refuted = damaged and self._refuted(response, end, hole)
        return Step(Found.OTHER if refuted else Found.ANSWER, end, response)

    def _begin_without_status(
        self, sent: ClientLine, response: Response, line: bytes, hole: int, final: bool
    ) -> Step | None:
        """The line at the stream's position has no status. If the server sends a status line before the
        client continues, it is noise in front of that; else it belongs to the answer."""
        stream, end = self.stream, response.stop
        following = self.client.next_offset
        if following is None and not final:
            return None  # the next line of the client will tell where the answer ends
        if following is not None and following <= response.start:
            # The client did not wait: the line is one answer, or noise.
            return Step(Found.ANSWER, end, response, doubtful=True)
        stop = stream.end if following is None else following
        if stop > stream.end and not final:
            return None
        stop = min(stop, stream.end)
        if hole < stop:
            return None
        noise = self._noise(response.start, end, stop)
        if noise.stop < stop:
            return noise
        response.stop = stop
        if end < stop and sent.command in MESSAGE_COMMANDS:  # a message without a status line
            response.expect_lines(response.start if is_message(line) else end, line)
            if not response.find_end(stream, stop):
                response.break_off(stop)
        return Step(Found.ANSWER, stop, response)

    def _has_lines(self, sent: ClientLine, after: int, following: bytes, more: bool) -> bool | None:
        """True if lines follow the +OK line that ends at `after`; None: the bytes that follow will tell."""
        command, argument = sent.command, sent.argument
        if command in ALWAYS_MULTILINE:
            return True
        by_content = command is None or (command in MULTILINE_IF_LINES_FOLLOW and not argument)
        if not by_content and not is_multiline(command, argument, "OK"):
            return False
        if self.client.next_offset == after <= self.client.pipelined_from:
            return False
        if not following:
            return None if more else not by_content
        status = starts_status(following, more)
        return None if status is None else not status

    def _refuted(self, response: Response, after: int, hole: int) -> bool:
        """True if lines follow a status line where the command has none, or the other way round."""
        if self.client.next_offset == after <= self.client.pipelined_from:
            return response.body_start is not None
        if response.body_start is not None or not after < hole:
            return False
        return not starts_status(self.stream.bytes_at(after, after + 5), False)

    # -- AUTH ------------------------------------------------------------------------------------------

    def _after_challenge(self, status: str | None, following: bytes, more: bool) -> Step | None:
        """The server has gone on after a challenge: what did the client's line mean?

        The line belongs to AUTH, and so does the server's next line. But RETR that is answered by a message
        was no SASL response.
        """
        position = self.stream.position
        line = self.client.sasl_line(position)
        if line is not None and line.command in MESSAGE_COMMANDS and status == "OK":
            single = starts_status(following, more) if following or more else True
            if single is None or (not following and more):
                return None
            if not single:
                return Step(Found.NO_ANSWER, position)
        return Step(Found.SASL, position)

    # -- answers to no line ----------------------------------------------------------------------------

    def next_unrequested(self, greeting: bool, final: bool) -> Step | None:
        """What lies before the client's next line; None if more rows are needed for it.

        `greeting`: the server has not sent one.
        """
        stream, client = self.stream, self.client
        start = stream.position
        damaged = client.requests.damage_seen
        if client.requests.lost and not client and not final:
            return None  # the next line may show which one was lost
        lines = [sent for sent in (client.first, client.second) if sent and sent.offset > start]
        limit = lines[0].offset if lines else None
        stop = stream.end if limit is None else min(limit, stream.end)
        more = not final and (limit is None or stream.end < limit)
        hole = stream.first_hole(start)
        after = stream.line_end(start, min(hole, stop))
        if after < 0:
            if hole < stop:
                return None if more else Step(Found.LOSS, stop)
            cut = final or (limit is not None and stream.end >= limit)
            return Step(Found.NOISE, stop, malformed=True) if cut else None
        line = stream.bytes_at(start, after)
        parsed = parse_status(line)
        if greeting and start == 0:
            status, text = parsed or ("", to_text(line).rstrip("\r\n"))
            return Step(Found.GREETING, after, Response(start, after, status, text))
        if parsed is None:
            if more and is_message(line):
                return None
            return self._noise(start, after, after if more else min(hole, stop))
        # Without a loss, the client's next line tells what the response is.
        if more and (after == stop or not damaged):
            return None
        response = self.begun
        if response is None or response.start != start or response.search is None:
            response = self.begun = Response(start, after, *parsed)
            following = stream.bytes_at(after, min(after + 5, stop))
            if response.status == "OK" and following and not starts_status(following, False):
                response.expect_lines(after, line)
        if not response.find_end(stream, min(hole, stop)):
            if hole < stop:
                return None if more else Step(Found.LOSS, stop)
            if more:
                return None
            response.break_off(stop)
        early = not damaged and lines and lines[0].command in MESSAGE_COMMANDS and response.body_start
        return Step(Found.EARLY if early else Found.UNSOLICITED, response.stop, response)

    def _noise(self, start: int, after: int, stop: int) -> Step:
        """The line from `start` to `after` has no status. It is noise, with all that follows up to a status
        line or `stop`; unless it begins a message, with an end, that no line requested."""
        stream = self.stream
        line = stream.bytes_at(start, after)
        found = stream.search(_STATUS_LINE, after - 1, stop)
        stop = stop if found < 0 else found + 1
        if is_message(line):
            response = Response(start)
            response.expect_lines(start, line)
            if response.find_end(stream, stop):
                return Step(Found.UNSOLICITED, response.stop, response, malformed=True)
        # A challenge whose AUTH was lost begins with +.
        return Step(Found.NOISE, stop, malformed=not line.startswith(b"+"))
