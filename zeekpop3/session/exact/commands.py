"""Client lines of the exact form, and those that the capture lost, inferred from their neighbours.

A client walks through a mailbox in order. Between RETR 4 and RETR 6, eight lost bytes can only be "RETR 5"
and its CRLF. An inferred command is marked (`request_missing`); where nothing fits, nothing is inferred.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zeekpop3.session.events import Exchange
from zeekpop3.session.protocol import NUMBERED_COMMANDS

_FETCH_THEN_DELETE = ("RETR", "DELE")
_LISTINGS = frozenset({"STAT", "LIST", "UIDL"})
_MAX_INFERRED = 200
_MIN_LINE = 8  # "RETR 1" and CRLF


@dataclass(slots=True)
class Sent:
    """A line of the client, or `count` equal ones. `offset` is where the server's stream stood then.

    `command` is None for a line that is not a known command. `argument` is empty if the log does not have it.
    """

    command: str | None
    argument: str
    offset: int
    ts: int
    count: int = 1
    inferred: bool = False

    def exchange(self) -> Exchange:
        """The line without an answer."""
        return Exchange(self.command, self.argument or None, self.ts)


def lost_commands(previous: Sent | None, following: Sent, missing: int, slack: int) -> list[Sent]:
    """The commands that fit between two others into `missing` client bytes (up to `slack` more).

    The loss may include parts of the neighbours' lines, which the log then does not have: hence `slack`.
    Returns [] where no walk through the mailbox fits.
    """
    best: tuple[int, list[tuple[str, str]]] | None = None
    most = min(_MAX_INFERRED, (missing + slack) // _MIN_LINE)
    for walk in _walks(previous, following, most):
        total = sum(len(command) + len(argument) + 3 for command, argument in walk)
        if walk and missing <= total <= missing + slack and (best is None or total < best[0]):
            best = total, walk
    if best is None:
        return []
    offset = previous.offset if previous is not None else 0
    return [Sent(command, argument, offset, following.ts, inferred=True) for command, argument in best[1]]


def _walks(previous: Sent | None, following: Sent, most: int) -> Iterator[list[tuple[str, str]]]:
    before, last, rest = _numbered(previous)
    after, next_, rest_after = _numbered(following)
    if before is not None and before == after and rest == rest_after and last + 1 < next_ <= last + 1 + most:
        yield [(before, f"{number}{rest}") for number in range(last + 1, next_)]
    if after in _FETCH_THEN_DELETE and next_ <= last + 1 + most:
        # It deletes each message after it has fetched it: RETR 1, DELE 1, RETR 2, ...
        start = 2 * last + _FETCH_THEN_DELETE.index(before) + 1 if before in _FETCH_THEN_DELETE else 2
        stop = 2 * next_ + _FETCH_THEN_DELETE.index(after)
        yield [(_FETCH_THEN_DELETE[step % 2], str(step // 2)) for step in range(start, stop)]
    if before not in _FETCH_THEN_DELETE and after == "RETR" and 1 < next_ <= 1 + most:
        yield [("RETR", str(number)) for number in range(1, next_)]
    # It fetches all, then deletes; or one command only, up to the end.
    one, start = None, last + 1
    if before == "RETR" and (after is None or (after == "DELE" and next_ == 1)):
        one = "RETR"
    elif before == "DELE" and after is None:
        one = "DELE"
    elif previous is not None and previous.command in _LISTINGS and after is None:
        one, start = "RETR", 1
    if one is not None:
        for count in range(1, min(most + 1, 20)):
            yield [(one, str(number)) for number in range(start, start + count)]


def _numbered(sent: Sent | None) -> tuple[str | None, int, str]:
    if sent is None or sent.command not in NUMBERED_COMMANDS:
        return None, 0, ""
    number, space, rest = sent.argument.partition(" ")
    if not number.isdigit() or len(number) > 9:
        return None, 0, ""
    return sent.command, int(number), space + rest
