"""Where a mail came from: offsets of its response in the server's stream, and the name of the log."""

from __future__ import annotations

import random

import pytest

from support.dialogues import CONN_ID, capture, dialogue, fed, only_rows
from support.traffic import damage, rows
from zeekpop3.session import Rows

MAIL = b"+OK 14 octets\r\nSubject: a\r\n\r\n.\r\n"
TURNS = (
    ("", b"+OK ready\r\n"),
    ("USER u", b"+OK\r\n"),
    ("PASS p", b"+OK\r\n"),
    ("RETR 1", MAIL),
    ("TOP 1 0", b"+OK\r\nSubject: a\r\n\r\n.\r\n"),
    ("RETR 9", b"-ERR no such message\r\n"),
    ("RETR 2", MAIL),
    ("QUIT", b"+OK\r\n"),
)


def test_a_response_begins_and_ends_where_the_offsets_say() -> None:
    """From the status line up to behind the terminator."""
    stream = b"".join(response for _, response in TURNS)
    out = fed([dialogue(*TURNS, exact=True)])
    found = [stream[t.stream_start : t.stream_end] for t in out.transfers]
    assert found == [MAIL, TURNS[4][1], MAIL]


def test_the_plain_form_has_no_offsets() -> None:
    """Its rows have none."""
    out = fed([dialogue(*TURNS, exact=False)])
    assert len(out.transfers) == 3
    assert {(t.stream_start, t.stream_end) for t in out.transfers} == {(None, None)}


@pytest.mark.parametrize("how", [{}, {"batch": 3}, {"batch": 50}, {"window": 3}])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_what_lies_between_the_offsets_is_the_response(how: dict[str, int], loss: float) -> None:
    """Also of clients that do not wait, and after losses: an offset is right, or null."""
    known = 0
    for seed in range(20):
        lengths = random.Random(seed).choices(range(90), k=9)
        box = [b"Subject: %d\r\n\r\n" % length + b"line\r\n" * length for length in lengths]
        connection, _ = capture(box, **how)
        whole = only_rows(connection.packets, exact=True)
        of_kind = zip(whole.kind, whole.data, strict=True)
        stream = b"".join(data for kind, data in of_kind if kind == "contents")
        packets = damage.lose(connection.packets, loss, random.Random(seed))
        for mail in fed([only_rows(packets, exact=True, seed=seed)]).transfers:
            if mail.stream_start is not None and "number_doubtful" not in mail.defects:
                assert stream.startswith(b"+OK", mail.stream_start)
                known += 1
            if mail.stream_end is not None and "number_doubtful" not in mail.defects:
                assert stream[: mail.stream_end].endswith(b"\r\n.\r\n")
            if mail.complete:
                assert mail.raw in stream[mail.stream_start : mail.stream_end]
            if not loss:
                assert mail.complete
    assert known > 20 * 9 * (0.8 if loss else 0.99)


LONG = b"+OK\r\nSubject: long\r\n\r\n" + b"x" * 40 * 1000 + b"\r\n.\r\n"


def cut_up(made: Rows, size: int) -> Rows:
    """The same with a row for each `size` bytes of the server."""
    out: list[tuple[object, ...]] = []
    for row in zip(*made[:7], strict=True):
        ts, _, kind, command, offset, length, data = row
        if kind != "contents":
            out.append((ts, kind, command, offset, length, data))
            continue
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        for number, piece in enumerate(pieces):
            out.append((ts, kind, command, offset + number * size, len(piece), piece))
    ts, kind, command, offset, length, data = map(list, zip(*out, strict=True))
    return Rows(ts, list(range(len(ts))), kind, command, offset, length, data, CONN_ID)


def test_dropped_bytes_move_no_offset() -> None:
    """Of a message over the limit only a part is held; offsets are those of the stream as sent."""
    turns = (*TURNS[:3], ("RETR 1", LONG), ("RETR 2", MAIL), ("QUIT", b"+OK\r\n"))
    stream = b"".join(response for _, response in turns)
    first, second = fed([cut_up(dialogue(*turns, exact=True), 500)], max_message=1000).transfers
    assert "message_too_large" in first.defects
    assert stream[first.stream_start : first.stream_end] == LONG
    assert stream[second.stream_start : second.stream_end] == MAIL


def test_a_loss_behind_dropped_bytes_stays_with_its_message() -> None:
    """What was dropped of a message in which bytes are missing is not counted for the next one."""
    turns = (*TURNS[:3], ("RETR 1", LONG), ("RETR 2", MAIL), ("QUIT", b"+OK\r\n"))
    made = cut_up(dialogue(*turns, exact=True), 500)
    lost = rows.without(made, made.kind.index("contents") + 70)
    first, second = fed([lost], max_message=1000).transfers
    assert "message_too_large" in first.defects and not first.complete
    assert first.stream_end is first.missing_bytes is None
    assert second.complete and second.raw in MAIL and "message_too_large" not in second.defects


def test_the_log_of_a_mail_is_that_in_which_it_ended() -> None:
    """A connection that goes on in a second log."""
    made = dialogue(*TURNS, exact=True)
    middle = made.data.index(MAIL) + 1
    parts = rows.part(made, 0, middle)._replace(log="one"), rows.part(made, middle)._replace(log="two")
    assert [mail.log for mail in fed(parts).transfers] == ["one", "two", "two"]
