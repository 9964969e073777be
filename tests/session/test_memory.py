"""What a connection holds is counted (`--max-memory`), or bounded."""

from __future__ import annotations

import pickle

import pytest

from support.dialogues import dialogue, fed
from zeekpop3.session import Connection, Rows, Session

GREETING = ("", b"+OK ready\r\n")


def size_in_memory(connection: Connection) -> int:
    """A lower bound: the bytes that say all of it."""
    return len(pickle.dumps(connection))


def test_listings_are_counted() -> None:
    """Sizes and unique ids of a mailbox, and the letters of long ids."""
    for reply in (
        b"".join(b"%d 100\r\n" % number for number in range(1, 20_000)),
        b"".join(b"%d %d-%s\r\n" % (number, number, b"x" * 60) for number in range(1, 20_000)),
        b"1 " + b"x" * 1_000_000 + b"\r\n",
    ):
        for command in ("LIST", "UIDL"):
            connection = Connection("C1")
            rows = dialogue(GREETING, (command, b"+OK\r\n" + reply + b".\r\n"), exact=True, close=False)
            connection.receive(rows)
            assert connection.held_bytes + 10_000 > size_in_memory(connection)


def test_a_listing_that_comes_again_is_counted_once() -> None:
    """A client that asks for the same listing all the time costs nothing more."""
    reply = b"+OK\r\n" + b"".join(b"%d %040d\r\n" % (n, n) for n in range(1, 100)) + b".\r\n"
    held = []
    for times in (1, 20):
        connection = Connection("C1")
        connection.receive(dialogue(GREETING, *[("UIDL", reply)] * times, exact=True, close=False))
        held.append(connection.held_bytes)
    assert held[0] == held[1]


def test_rows_that_wait_for_the_form_are_counted() -> None:
    """Rows before the first one that tells exact and plain form apart."""
    connection, count = Connection("C1"), 5_000
    rows = Rows(
        [1] * count,
        range(count),
        ["gap"] * count,
        ["client"] * count,
        range(count),
        [1] * count,
        [b""] * count,
    )
    connection.receive(rows)
    assert connection.held_bytes >= 100 * count


def test_capabilities_are_bounded() -> None:
    """A response to CAPA of many lines is not kept whole; the session has a defect."""
    reply = b"+OK\r\n" + b"X\r\n" * 1_000_000 + b".\r\n"
    session = fed([dialogue(GREETING, ("CAPA", reply), exact=True)]).session
    assert 100 < len(session.capabilities) < 100_000
    assert "message_too_large" in session.defects


def test_listings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more messages than the limit the first are kept, and the session says so."""
    monkeypatch.setattr("zeekpop3.session.dialogue.MAX_LISTED", 100)
    replies = [
        b"+OK\r\n" + b"".join(b"%d 7\r\n" % number for number in range(first, first + 60)) + b".\r\n"
        for first in (1, 61)
    ]
    for command in ("LIST", "UIDL"):
        turns = [GREETING, (command, replies[0]), (command, replies[1]), (command, b"+OK\r\n1 8\r\n.\r\n")]
        (session,) = [
            event
            for event in Connection("C1").receive(dialogue(*turns, exact=True))
            if isinstance(event, Session)
        ]
        assert session.listing is not None and len(session.listing) == 100
        first = session.listing[0]
        assert (first.octets == 8) if command == "LIST" else (first.uidl == "8")
        assert "message_too_large" in session.defects
