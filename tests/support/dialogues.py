"""Sessions as a test wants them: the dialogue as rows of either form, and what the machine returns."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from support.traffic import pop3, rows, tcp, truth
from zeekpop3.session import Command, Connection, ConnId, Rows, Session, Transfer

CONN_ID = ConnId("192.0.2.7", 49152, "192.0.2.110", 110)


@dataclass
class Outcome:
    """What came out of a connection, by kind."""

    transfers: list[Transfer] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)

    @property
    def session(self) -> Session:
        [session] = self.sessions
        return session


def fed(batches: Iterable[Rows], *, finish: str = "open", **options: int) -> Outcome:
    """Feed rows to a connection and end it, if no row did."""
    connection = Connection("CtestUid", **options)
    outcome = Outcome()
    events = [event for batch in batches for event in connection.receive(batch)]
    for event in [*events, *connection.finish(finish)]:
        kind: dict[type, list[Any]] = {
            Transfer: outcome.transfers,
            Command: outcome.commands,
            Session: outcome.sessions,
        }
        kind[type(event)].append(event)
    return outcome


def dialogue(*turns: tuple[str, bytes], exact: bool, close: bool = True) -> Rows:
    """The rows of a lock-step session that is not lost in any part: (request line, response bytes) each.

    The first turn's request is "" (the greeting). A request without a known verb has no command.
    """
    made: list[tuple[str, str | None, int, int, bytes]] = []
    offset = 0
    for request, response in turns:
        verb, _, argument = request.partition(" ")
        if exact:
            if request:
                said = argument.encode() if verb in KNOWN and verb != "PASS" else b""
                made.append(("sent", verb if verb in KNOWN else None, offset, len(said) or -1, said))
            made.append(("contents", None, offset, len(response), response))
        else:
            if verb in KNOWN:
                made.append(("request", verb, -1, len(argument) or -1, argument.encode()))
            made += _plain_response(response)
        offset += len(response)
    if close:
        made.append(("close", None, -1, 2, b"Sh"))
    kind, command, offsets, length, data = (list(column) for column in zip(*made, strict=True))
    count = len(made)
    stamps = [1_700_000_000_000_000 + 1000 * n for n in range(count)]
    return Rows(stamps, list(range(count)), kind, command, offsets, length, data, CONN_ID)


# fmt: off
KNOWN = frozenset({
    "USER", "PASS", "APOP", "AUTH", "STAT", "LIST", "RETR", "DELE", "RSET", "NOOP", "LAST", "QUIT", "TOP",
    "CAPA", "UIDL", "STLS", "XSENDER", "LANG", "UTF8", "XTND",
})
# fmt: on


def _plain_response(response: bytes) -> list[tuple[str, str | None, int, int, bytes]]:
    first, *lines = response.removesuffix(b"\r\n").split(b"\r\n")
    if first[:1] not in b"+-":
        return []
    status, _, message = first[1:].partition(b" ")
    made = [("reply", status.decode(), -1, len(message) or -1, message)]
    if status == b"" or status not in (b"OK", b"ERR"):
        return []
    return made + [("data", None, -1, len(line) or -1, line) for line in lines[:-1]]  # type: ignore[return-value]


def capture(
    mails: Sequence[bytes], lines: Sequence[str] | None = None, **how: int
) -> tuple[tcp.Connection, list[truth.Truth]]:
    """Packets of a session over a mailbox, and the truth about its transfers."""
    box = pop3.Mailbox(list(mails))
    turns = pop3.dialogue(box, list(lines) if lines is not None else pop3.fetch_all(box))
    connection = tcp.Connection().play(pop3.steps(turns, **how)).close()
    return connection, truth.of_turns(turns, connection.flow)


def only_rows(packets: list, *, exact: bool, seed: int = 0, **how: bool) -> Rows:  # type: ignore[type-arg]
    """The rows of a capture of one connection."""
    [made] = rows.of_packets(packets, exact=exact, rng=random.Random(seed), **how).values()
    return made
