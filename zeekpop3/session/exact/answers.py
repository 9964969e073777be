"""The answer to the client's next line, where no byte of it is missing.

Each line has one answer, and it starts where the answer before it ended. Where it ends follows from its first
line and the command; where that is not as RFC 1939 has it, from where the client continued.
"""

from __future__ import annotations

from dataclasses import dataclass

from zeekpop3.defects import Defect
from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.exact.client import ClientLines
from zeekpop3.session.exact.commands import Sent
from zeekpop3.session.exact.responses import Response, may_continue_at, read_line, read_status
from zeekpop3.session.exact.stream import ServerStream
from zeekpop3.session.protocol import (
    ALWAYS_MULTILINE,
    MESSAGE_COMMANDS,
    MULTILINE_IF_LINES_FOLLOW,
    is_multiline,
    starts_status,
)


@dataclass(slots=True)
class Answers:
    """Reads answers at the stream's position. `response` is the one that has begun, as far as it is there.

    `challenged`: the server has answered the present AUTH with a challenge (RFC 5034), first at
    `challenge_ts`; the client has sent `responses`, the initial one included. `doubtful`: lines and answers
    may be out of step. Before `settled` the server sends nothing but unsolicited responses, before
    `early_until` answers to lines that the client has not sent yet.
    """

    dialogue: Dialogue
    stream: ServerStream
    client: ClientLines
    response: Response | None = None
    challenged: bool = False
    challenge_ts: int | None = None
    responses: int = 0
    doubtful: bool = False
    settled: int = 0
    early_until: int = 0
    unanswered: Sent | None = None
    _sasl_expected: bool = False  # the next line of the client answers a challenge

    def read(self, final: bool) -> Response | None:
        """The complete answer to the first line; None if a loss lies in it, or it is not all there yet.

        Passes challenges and noise before it. An answer that cannot be the one to its line is `refuted`.
        """
        stream, response = self.stream, self.response
        hole = stream.first_hole(stream.position)
        while response is None or response.start != stream.position:
            start = stream.position
            response = self._begin(start, hole, final)
            if response is None and stream.position == start:
                return None
            self.response = response
        if response.refuted:
            return response
        if response.search is not None:
            known = response.find_end(stream, hole)
            following = self.client.next_offset
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
            if response.stop < 0:
                return None
        return response

    def taken(self) -> None:
        """The answer has been handed on."""
        self.response = None
        self.challenged = self._sasl_expected = False
        self.responses = 0
        self.challenge_ts = None

    def _begin(self, start: int, hole: int, final: bool) -> Response | None:
        """Read the first line of the answer at `start`; None if it is not there yet, or has been passed."""
        stream = self.stream
        line = read_line(stream, start, hole)
        if not line:
            return None
        end = start + len(line)
        status, message, usual = read_status(line)
        following = stream.bytes_at(end, end + 5) if end < hole else b""
        more = hole >= stream.end and not final
        if self._sasl_expected and not self._settle_challenge(status, following, more):
            return None
        sent = self.client.first
        assert sent is not None
        response = Response(start, status, message, end, stop=end)
        if not usual:
            if line.startswith(b"+") and (sent.command == "AUTH" or self._may_be_challenge(line)):
                self._challenge(start, end)
                return None
            self.dialogue.session.add_defect(Defect.REPLY_MALFORMED)
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
                response.expect_lines(line)
        if self.client.requests.damage_seen:
            response.refuted = self._refuted(response, hole)
        return response

    def _begin_without_status(
        self, sent: Sent, response: Response, line: bytes, hole: int, final: bool
    ) -> Response | None:
        """The line at the stream's position has no status. If the server sends a status line before the
        client continues, it is noise in front of that; else it belongs to the answer."""
        stream, end = self.stream, response.body_start
        following = self.client.next_offset
        if following is None and not final:
            return None  # the next line of the client will tell where the answer ends
        stop = stream.end if following is None else following
        if following is None or following > response.start:
            if stop > stream.end and not final:
                return None
            stop = min(stop, stream.end)
            if hole < stop:
                return None
            content = stream.bytes_at(end, stop)
            if starts_status(content, False) or b"\n+OK" in content or b"\n-ERR" in content:
                stream.position = end
                return None
            response.stop = stop
            if content and sent.command in MESSAGE_COMMANDS:
                response.expect_lines(line)
                if not response.find_end(stream, stop):
                    response.stop = response.body_stop = stop
                    response.ended = False
            return response
        self.doubtful = True  # the client did not wait: the line is one answer, or noise
        return response

    # -- AUTH ------------------------------------------------------------------------------------------

    def _may_be_challenge(self, line: bytes) -> bool:
        """True if a line may be a challenge to an AUTH that was lost."""
        return self.client.requests.damage_seen and line.startswith((b"+ ", b"+\r", b"+\n"))

    def _challenge(self, start: int, end: int) -> None:
        """The server answers AUTH with a challenge (RFC 5034): its answer is still to come."""
        if not self.challenged:
            self.challenge_ts = self.stream.time_at(start)
        self.challenged = self._sasl_expected = True
        self.stream.position = end

    def _sasl_line(self) -> Sent | None:
        """The line with which the client answered the challenge, if it did."""
        line, position = self.client.second, self.stream.position
        if line is None or line.offset > position or (line.command is not None and line.offset < position):
            return None
        return line

    def _settle_challenge(self, status: str | None, following: bytes, more: bool) -> bool:
        """The server has gone on after a challenge: what did the client's line mean? False: more bytes will
        tell.

        The line belongs to AUTH, and so does the server's next line. But RETR that is answered by a message
        was no SASL response: then AUTH has no answer.
        """
        line = self._sasl_line()
        if line is not None and line.command in MESSAGE_COMMANDS and status == "OK":
            single = starts_status(following, more) if following or more else True
            if single is None or (not following and more):
                return False
            if not single:
                self.unanswered = self.client.pop()
                self.challenged = self._sasl_expected = False
                self.doubtful = True
                return True
        self.merge_sasl()
        return True

    def merge_sasl(self) -> None:
        """The line with which the client answered a challenge belongs to the AUTH before it, if there is
        one."""
        auth, line = self.client.first, self._sasl_line()
        if self._sasl_expected and auth is not None and line is not None:
            mechanism, named, _ = auth.argument.partition(" ")
            self.responses += 1 if self.responses or not named else 2  # with the initial one
            if not named and line.command is None and line.argument and mechanism:
                auth.argument += " " + line.argument
            self.client.drop_second()
        self._sasl_expected = False

    # -- lines -----------------------------------------------------------------------------------------

    def _has_lines(self, sent: Sent, after: int, following: bytes, more: bool) -> bool | None:
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

    def _refuted(self, response: Response, hole: int) -> bool:
        """True if lines follow a status line where the command has none, or the other way round."""
        after = response.body_start
        if self.client.next_offset == after <= self.client.pipelined_from:
            return response.search is not None
        return (
            response.search is None
            and response.stop == after < hole
            and not starts_status(self.stream.bytes_at(after, after + 5), False)
        )
