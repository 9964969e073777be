"""Open connections: handed from one process to another in any state, and rows that come twice."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from support.spool import sessions, write
from zeekpop3.log.batch import group, read_chunk
from zeekpop3.log.chunks import chunks
from zeekpop3.pipeline.connections import OpenConnections
from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import Event

FORMS = pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])


def connections(folder: Path, exact: bool) -> list[tuple[str, Rows]]:
    """The rows of a few connections, each one's together."""
    log = write(folder / "x.log", sessions(6, exact=exact))
    found = []
    for chunk in chunks(log, on_error=lambda error: pytest.fail(str(error))):
        found += list(group(read_chunk(chunk, lambda error: pytest.fail(str(error)))))
    return found


def cut(rows: Rows, size: int) -> list[Rows]:
    """The rows in pieces of `size`."""
    return [rows.part(at, at + size) for at in range(0, len(rows.ts), size)]


@FORMS
def test_a_connection_can_be_handed_on_in_any_state(tmp_path: Path, exact: bool) -> None:
    """Pickled and unpickled between any two rows, it goes on as if nothing had been."""
    for uid, rows in connections(tmp_path, exact):
        expected = Connection(uid).receive(rows)
        moved, found = Connection(uid), []
        for piece in cut(rows, 1):
            found += moved.receive(piece)
            moved = pickle.loads(pickle.dumps(moved))
        assert found == expected
        assert moved.done


@FORMS
def test_the_one_that_has_come_further_stays(tmp_path: Path, exact: bool) -> None:
    """A log given twice: the rows that were read before are not read again, whichever copy is longer."""
    uid, rows = connections(tmp_path, exact)[0]
    pieces = cut(rows, len(rows.ts) // 3)
    expected = Connection(uid).receive(rows)
    for first, second in ((2, 1), (1, 2), (1, 1)):
        connections_ = OpenConnections()
        events: dict[int, list[Event]] = {}
        for count in (first, second):
            connection = Connection(uid)
            events[count] = [event for piece in pieces[:count] for event in connection.receive(piece)]
            connections_.adopt(connection)
        rest = [event for piece in pieces for event in connections_.feed(uid, piece)]
        assert events[max(first, second)] + rest == expected
        assert not len(connections_.open)
