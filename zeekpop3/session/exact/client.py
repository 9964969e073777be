"""The client's side of the exact form: its lines that wait for an answer, and those that the capture lost.

Every line of the client has a `sent` row; a row may stand for several equal lines. Lines are lost where the
capture lost packets of the client. Two things show which ones:

- Their neighbours: a client walks through a mailbox in order. Between RETR 4 and RETR 6, eight lost bytes can
  only be "RETR 5" and its CRLF. Where nothing fits, nothing is inferred.
- Responses without a request: the content shows the command; its size, the order of the mailbox and the
  number of lost bytes show which message it is.

What is inferred is marked (`request_missing`).
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from zeekpop3.session.dialogue import Dialogue, Mailbox
from zeekpop3.session.events import Exchange
from zeekpop3.session.protocol import NUMBERED_COMMANDS, STAT_MESSAGE, is_message, message_number

NEVER = 1 << 62
_FEW = 32
_MAX_INFERRED = 200
_OPEN_CYCLES = (("RETR",), ("DELE",))  # which a client goes up to the end of the mailbox
_LISTINGS = frozenset({"STAT", "LIST", "UIDL"})
_LISTING = re.compile(rb"(?:\d{1,10} [!-~]{1,70}\r?\n)++")
_SCAN_LISTING = re.compile(rb"(?:\d{1,10} \d{1,18}\r?\n)++")
_CAPABILITIES = re.compile(rb"(?:(?:TOP|UIDL|USER|SASL|STLS|PIPELINING|RESP-CODES|EXPIRE|IMPLEMENTATION)\b)")


@dataclass(slots=True)
class ClientLine:
    """A line of the client, or `count` equal ones. `offset` is where the server's stream stood then.

    `command` is None for a line that is not a known command, `argument` empty if the log does not have it.
    `inferred`: the log does not have it. `uncertain`: the server may have read another line, or several.
    """

    command: str | None
    argument: str
    offset: int
    ts: int
    count: int = 1
    inferred: bool = False
    uncertain: bool = False

    def exchange(self) -> Exchange:
        """The line without an answer."""
        return Exchange(self.command, self.argument or None, self.ts)


@dataclass(slots=True)
class LostRequests:
    """What is known of the lost requests of one connection. `damage_seen` is True once anything was lost."""

    dialogue: Dialogue
    damage_seen: bool = False
    lost: int = 0  # client bytes missing since the last command
    unexplained: int = 0  # client bytes missing for which no request has been found
    answered: set[str] = field(default_factory=set)  # messages whose lost RETR was guessed from the response
    _sizes_held: int = 0  # how many messages had the size that LIST gave; -1 once one had not

    def lose(self, length: int) -> None:
        """Take a gap of `length` bytes in the client's stream."""
        self.lost += length
        self.unexplained += length

    def found(self, requests: list[ClientLine]) -> None:
        """These requests were sent in the gaps since the last command. Answered ones leave the list."""
        self.lost = 0
        for sent in requests:
            self.unexplained -= len(sent.command or "") + len(sent.argument) + 3
        requests[:] = [s for s in requests if s.command != "RETR" or s.argument not in self.answered]
        self.answered.clear()

    @property
    def mailbox(self) -> Mailbox:
        return self.dialogue.mailbox

    def is_other(self, sent: ClientLine, body: bytes) -> bool:
        """True if a complete response is not the one to this RETR, by its form and the sizes in LIST."""
        if self.damage_seen and is_listing(body):
            return True
        size, listed = len(body), self.listed_size(sent)
        if listed is None or self._sizes_held < 0:
            return False
        if size == listed:
            self._sizes_held += 1
            return False
        if (self.damage_seen and self._sizes_held) or self.mailbox.numbers_of_size(size):
            return True
        self._sizes_held = -1  # this server's sizes are not those of the messages
        return False

    def listed_size(self, sent: ClientLine) -> int | None:
        """The size that LIST gave for the message that a RETR names."""
        number = message_number(sent.argument) if sent.command == "RETR" else None
        return self.mailbox.sizes.get(number) if number is not None else None

    def guess(
        self, message: str, body: bytes | None, before: int | None = None
    ) -> tuple[str | None, str | None]:
        """Command and argument of a request that was lost, from its response; (None, None) if it may be any.

        `before` is the number of the message that is requested next, if known.
        """
        if body is None:
            return ("STAT", None) if STAT_MESSAGE.fullmatch(message.rstrip()) else (None, None)
        if is_listing(body):
            return ("LIST" if _SCAN_LISTING.fullmatch(body) and not self.mailbox.sizes else "UIDL"), None
        if _CAPABILITIES.match(body):
            return "CAPA", None
        return ("RETR", self._number(len(body), before)) if is_message(body) else (None, None)

    def _number(self, size: int, before: int | None) -> str | None:
        """The number of a message whose RETR is missing: the next one if it fits, or the only one that does.

        Without a LIST, the next one fits if so many bytes of the client are missing.
        """
        sizes, following = self.mailbox.sizes, (self.dialogue.last_number or 0) + 1
        if not sizes:
            needed = len(f"RETR {following}\r\n")
            if following == 1 or needed > self.unexplained:
                return None
            self.unexplained -= needed
            return str(following)
        if sizes.get(following) == size:
            return str(following)
        fits = self.mailbox.numbers_of_size(size)
        if before is not None:
            between = [number for number in fits if following <= number < before]
            fits = between if len(between) == 1 else fits
        return str(fits[0]) if len(fits) == 1 else None


def is_listing(body: bytes) -> bool:
    """True if lines are the answer to LIST or UIDL rather than a message."""
    return _LISTING.fullmatch(body) is not None


@dataclass(slots=True)
class ClientLines:
    """A queue of lines. From `pipelined_from` on the client has been seen not to wait for answers."""

    requests: LostRequests
    pipelined_from: int = NEVER
    lines: list[ClientLine] | deque[ClientLine] = field(default_factory=list)
    _last: ClientLine | None = None
    _cut: ClientLine | None = None  # the first line after a loss: its beginning may be lost
    _last_offset: int = -1

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def first(self) -> ClientLine | None:
        """The line that is to be answered next."""
        return self.lines[0] if self.lines else None

    @property
    def second(self) -> ClientLine | None:
        """The line after it."""
        lines = self.lines
        if lines and lines[0].count > 1:
            return lines[0]
        return lines[1] if len(lines) > 1 else None

    @property
    def next_offset(self) -> int | None:
        """Where the server's stream stood when the client sent the second line."""
        second = self.second
        return second.offset if second is not None else None

    def sasl_line(self, position: int) -> ClientLine | None:
        """The line with which the client answered the challenge that ends at `position`, if it did."""
        line = self.second
        if line is None or line.offset > position or (line.command is not None and line.offset < position):
            return None
        return line

    def offsets(self, start: int, stop: int) -> set[int]:
        """Where the server's stream stood at the next lines, between two offsets; of many lines the first."""
        return {sent.offset for sent in islice(self.lines, 1, _FEW) if start < sent.offset < stop}

    def add(self, sent: ClientLine) -> None:
        """The client has sent a line, or `sent.count` equal ones."""
        if sent.offset == self._last_offset or sent.count > 1:  # it did not wait
            self.pipelined_from = min(self.pipelined_from, sent.offset)
        self._last_offset = sent.offset
        cut, self._cut = self._cut, None
        if self.requests.lost and cut is None and sent.command is None and sent.count == 1:
            self._cut = sent
        else:
            if self.requests.lost:
                self._infer(cut, sent)
            self._last = sent
        self.lines.append(sent)
        if len(self.lines) > _FEW and isinstance(self.lines, list):
            # Takes ten times the memory of a short list, but loses its front cheaply.
            self.lines = deque(self.lines)

    def _infer(self, cut: ClientLine | None, sent: ClientLine) -> None:
        """Add the lines that were lost before `sent`. The last of them may be `cut`: the log has no command
        for the line in which a loss ends."""
        in_queue = cut is not None and bool(self.lines) and self.lines[-1] is cut
        # In a batch the loss cuts lines at both its ends.
        slack = 32 if in_queue or self.pipelined_from <= sent.offset else 0
        inferred = lost_commands(self._last, sent, self.requests.lost, slack)
        self.requests.found(inferred)
        if in_queue and inferred and cut is not None:
            last = inferred.pop()
            cut.command, cut.argument, cut.inferred = last.command, last.argument, True
            self.lines.pop()
            inferred.append(cut)
        self.lines.extend(inferred)

    def pop(self) -> ClientLine:
        """Remove the first line."""
        first = self.lines[0]
        self._drop(0)
        return first

    def drop_second(self) -> None:
        """Remove the line after the first."""
        self._drop(0 if self.lines[0].count > 1 else 1)

    def _drop(self, index: int) -> None:
        """Remove one line of a row of lines."""
        if self.lines[index].count > 1:
            self.lines[index].count -= 1
        else:
            del self.lines[index]

    def move_back(self, position: int, kept: int, count: int) -> None:
        """`count` bytes of the stream between `position` and `kept` were dropped: lines sent there count as
        sent at `position`, while the response was under way."""
        for sent in reversed(self.lines):
            if sent.offset <= position:
                break
            sent.offset = max(sent.offset - count, position) if sent.offset >= kept else position

    def pop_all(self) -> list[ClientLine]:
        """Remove all lines; a `ClientLine` may stand for several."""
        lines = list(self.lines)
        self.lines.clear()
        return lines

    def ahead(self, limit: int) -> list[ClientLine]:
        """The first lines, at most `limit`."""
        found: list[ClientLine] = []
        for sent in self.lines:
            found.extend([sent] * min(sent.count, limit - len(found)))
            if len(found) >= limit:
                break
        return found


def lost_commands(
    previous: ClientLine | None, following: ClientLine, missing: int, slack: int
) -> list[ClientLine]:
    """The commands that fit between two others into `missing` client bytes (up to `slack` more).

        previous  [ missing bytes              ]  following
        RETR 4      DELE 4   RETR 5   DELE 5      RETR 6

    Goal: a line that surely was sent, or none. Plan: a client that walks through a mailbox repeats a cycle of
    commands for each number. Go each cycle on which a neighbour can be, from `previous` to `following`; if
    only `previous` is on it, as far as bytes are missing. Of the walks that fit take the shortest.

    The loss may include parts of the neighbours' lines, which the log then does not have: hence `slack`.
    """
    before, after = _Place.of(previous), _Place.of(following)
    found: list[tuple[str, str]] = []
    most = missing + slack
    cycles = [((before.command,), before.rest), ((after.command,), after.rest), (("RETR", "DELE"), "")]
    for cycle, rest in cycles:
        start, stop = before.on(cycle, rest), after.on(cycle, rest)
        if start < 0 and cycle[0] != "RETR":
            continue  # only fetching begins at the first message for certain
        if stop < 0 and (start < 0 or after.number > 1 or cycle not in _OPEN_CYCLES):
            continue
        walk: list[tuple[str, str]] = []
        size, at = 0, max(start + 1, len(cycle))
        while size <= most and len(walk) < _MAX_INFERRED and (at < stop if stop >= 0 else size < missing):
            number, step = divmod(at, len(cycle))
            walk.append((cycle[step], f"{number}{rest}"))
            size += len(" ".join(walk[-1])) + 2
            at += 1
        if walk and missing <= size <= most and (stop < 0 or at == stop):
            found, most = walk, size - 1
    offset = previous.offset if previous is not None else 0
    return [ClientLine(command, argument, offset, following.ts, inferred=True) for command, argument in found]


class _Place(NamedTuple):
    """Where a line is in a walk; `rest` is what follows the number (TOP). A client that has listed the
    mailbox is before RETR 1."""

    command: str = ""
    number: int = 0
    rest: str = ""

    @classmethod
    def of(cls, sent: ClientLine | None) -> _Place:
        if sent is None:
            return cls()
        number, space, rest = sent.argument.partition(" ")
        if sent.command in NUMBERED_COMMANDS and number.isdecimal() and len(number) < 10:
            return cls(sent.command, int(number), space + rest)
        return cls("RETR") if sent.command in _LISTINGS else cls()

    def on(self, cycle: tuple[str, ...], rest: str) -> int:
        """The place on a cycle: that of the first command with the number n is n times its length; -1 if it
        is not on it."""
        if self.command not in cycle or self.rest != rest or not self.command:
            return -1
        return self.number * len(cycle) + cycle.index(self.command)
