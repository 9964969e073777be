"""Attacks by whoever controls a packet: what is lost, or sent in two versions, is never silent."""

from __future__ import annotations

from typing import Any

import pytest

from support.attacked import FORMS, LIST, brief, of_packets, seen
from support.dialogues import Outcome, fed
from support.hostile_dialogues import (
    BOTH,
    BYE,
    HELLO,
    LOGIN,
    M1,
    M2,
    Case,
    Talk,
    answer,
    c,
    packets_of,
    raw,
    s,
)
from support.traffic import rows
from support.traffic.pcap import ACK
from zeekpop3.session import ConnId, Rows

# -- losses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("first", [1, 2])
def test_loss_whole_response(listed: bool, first: int) -> None:
    """A mail whose whole answer is lost has a row; the others are right."""
    talk = HELLO + LOGIN + (LIST if listed else []) + BOTH + BYE
    at = len(HELLO + LOGIN) + 2 * listed + 2 * first - 1
    out = seen(talk, lost=(at,))
    mails: list[Any] = [(1, M1, True, []), (2, M2, True, [])]
    mails[first - 1] = (first, b"", False, ["answer_missing"])
    assert brief(out) == mails
    size = len(talk[at][1])
    assert out.session.missing_bytes == size
    lacking = out.transfers[first - 1].missing_bytes
    assert lacking == (len(M1), len(M2))[first - 1] if listed else 0 < (lacking or 0) <= size


def test_loss_of_the_last_answers() -> None:
    """Nothing comes after the loss but QUIT, or not even that."""
    talk = HELLO + LOGIN + BOTH + BYE
    out = seen(talk, lost=(6, 8))
    assert [mail[0] for mail in brief(out)] == [1, 2]
    assert all("answer_missing" in mail.defects and not mail.complete for mail in out.transfers)
    assert out.session.missing_bytes == len(talk[7 - 1 + 0][1]) * 0 + len(answer(M1)[0][1]) + len(
        answer(M2)[0][1]
    )


def test_loss_all_but_dot() -> None:
    """All of a mail but its end is lost."""
    talk = HELLO + LOGIN + c("RETR 1") + raw(False, b"+OK\r\n" + M1) + raw(False, b".\r\n") + c("RETR 2")
    out = seen(talk + answer(M2) + BYE, lost=(6,))
    first, second = out.transfers
    assert (first.msg_num, first.complete, first.raw) == (1, False, b"")
    assert (second.msg_num, second.complete) == (2, True)
    assert out.session.missing_bytes == 5 + len(M1)


@FORMS
@pytest.mark.parametrize("ahead", [5, 60])
def test_ack_ahead(exact: bool, ahead: int) -> None:
    """A client that acknowledges bytes that are still to come hides them from Zeek: that is said."""
    talk = HELLO + LOGIN + BOTH + BYE
    packets = packets_of(Case("", talk), 0)
    at = next(n for n, packet in enumerate(packets) if packet.payload.startswith(b"RETR 1"))
    here = packets[at]
    forged = here._replace(flags=ACK, payload=b"", seq=here.seq + len(here.payload), ack=here.ack + ahead)
    packets.insert(at + 1, forged)
    out = of_packets(packets, exact=exact)
    assert out.session.missing_bytes >= ahead
    first = out.transfers[0]
    assert not first.complete and (first.msg_num == 1 or "desynchronized" in first.defects)


@FORMS
def test_every_gap_counts(exact: bool) -> None:
    """Bytes of either side, of any response."""
    talk = HELLO + LOGIN + c("LIST") + s("+OK", "1 22", ".") + BOTH + BYE
    out = seen(talk, lost=(6, 7), exact=exact)
    assert out.session.missing_bytes >= len(talk[6][1]) + (len(talk[7][1]) if exact else 0)


def test_plain_form_knows_that_a_mail_is_missing() -> None:
    """Zeek takes the next answer for the lost one: neither has a number, and one row has no mail."""
    out = seen(HELLO + LOGIN + BOTH + BYE, lost=(6,), exact=False)
    assert len(out.transfers) == 2 and not all(mail.complete for mail in out.transfers)
    assert all(mail.defects for mail in out.transfers)


RECORD = b"\x16\x03\x01\x02\x00" + bytes(range(256)) * 2
STLS = HELLO + c("CAPA") + s("+OK", "STLS", ".") + c("STLS") + s("+OK")


@pytest.mark.parametrize("lost", [(4,), (4, 5)], ids=["answer", "answer and record"])
def test_stls_with_its_answer_lost(lost: tuple[int, ...]) -> None:
    """TLS is seen as TLS: no line, mail or user comes of it; the session says that the answer is missing."""
    out = seen(
        STLS + raw(True, RECORD) + raw(False, RECORD) + raw(True, RECORD) + raw(False, RECORD), lost=lost
    )
    assert out.session.tls and "status_missing" in out.session.defects
    assert [(each.command, each.status) for each in out.commands] == [("CAPA", "OK"), ("STLS", None)]
    assert (out.transfers, out.session.user) == ([], None)


def test_stls_in_a_log_that_goes_on() -> None:
    """The same where the log has the server's record, and lines of which nothing is known."""
    kind, command = ["contents", "sent", "gap", "sent", "contents"], [None, "STLS", "server", None, None]
    data = [b"+OK hi\r\n", b"", b"", b"", RECORD]
    made = Rows([1] * 5, list(range(5)), kind, command, [0, 8, 8, 13, 13], [8, -1, 5, 3, len(RECORD)], data)
    out = fed([made])
    assert out.session.tls and "status_missing" in out.session.defects
    assert [(command.command, command.status) for command in out.commands] == [("STLS", None)]


def test_stls_with_its_answer_lost_and_no_tls() -> None:
    """The client goes on in clear: nothing is hidden."""
    out = seen(STLS + LOGIN + BOTH + BYE, lost=(4,))
    assert not out.session.tls and "status_missing" in out.session.defects
    assert [mail.msg_num for mail in out.transfers] == [1, 2] and out.session.user == "lisi"


# -- two versions of the same bytes, and connections of which a part was not seen ---------------------------


def with_row(made: Rows, at: int, row: tuple[str, str | None, int, bytes]) -> Rows:
    """The rows with another one before index `at`."""
    kind, command, offset, data = row
    columns = {
        "ts": made.ts[at], "kind": kind, "command": command, "offset": offset, "length": len(data),
        "data": data,
    }  # fmt: skip
    new = {}
    for name, value in columns.items():
        column = list(getattr(made, name))
        new[name] = [*column[:at], value, *column[at:]]
    return made._replace(seq=list(range(len(made.ts) + 1)), **new)


def made_of(talk: Talk, *, exact: bool = True) -> Rows:
    [made] = rows.of_packets(packets_of(Case("", talk), 0), exact=exact, flush_before_sent=True).values()
    return made


def inconsistent(talk: Talk, side: bytes, before: bytes, *, exact: bool = True) -> Outcome:
    """Two versions of the segment that holds `before`: the row comes before the bytes do."""
    made = made_of(talk, exact=exact)
    at = next(n for n, data in enumerate(made.data) if before in data)
    offset = made.offset[at] + (made.data[at].index(before) if made.kind[at] == "contents" else 0)
    return fed([with_row(made, at, ("unexpected", "rexmit_inconsistency", offset, side))])


@FORMS
def test_rexmit_differs(exact: bool) -> None:
    """The server's bytes differ: the mail that has them is ambiguous, later ones are not."""
    talk = HELLO + LOGIN + BOTH + c("NOOP") + s("+OK") + c("RETR 3") + answer(M1) + BYE
    out = inconsistent(talk, b"server", b"first", exact=exact)
    assert "stream_ambiguous" in out.session.defects
    assert "stream_ambiguous" in out.transfers[0].defects
    assert "stream_ambiguous" not in out.transfers[-1].defects
    assert out.session.user == "lisi"


@pytest.mark.parametrize("exact", [True])
def test_rexmit_differs_client(exact: bool) -> None:
    """The client's bytes differ: which name and number the server got is unknown from there on."""
    out = inconsistent(HELLO + LOGIN + BOTH + BYE, b"client", b"2" if exact else b"RETR", exact=exact)
    assert "stream_ambiguous" in out.session.defects
    assert (out.transfers[-1].user, out.session.user) == (None, None)
    assert "stream_ambiguous" in out.transfers[-1].defects


def test_the_last_row_about_two_versions_speaks_for_the_rest() -> None:
    """Zeek's script writes ten such rows: whoever uses them up early hides nothing in the mails behind."""
    made = made_of(HELLO + LOGIN + BOTH + BYE)
    at = next(n for n, command in enumerate(made.command) if command == "PASS")
    for count, defects in ((9, []), (10, ["stream_ambiguous"])):
        rows_of = made
        for _ in range(count):
            rows_of = with_row(rows_of, at, ("unexpected", "rexmit_inconsistency", 0, b"server"))
        out = fed([rows_of])
        assert "stream_ambiguous" in out.session.defects
        assert [mail.defects for mail in out.transfers] == [defects, defects]


def test_not_understood() -> None:
    """A connection that never proved to be POP3 is a session without mails, with a defect."""
    made = Rows([1, 2], [0, 1], ["unexpected", "close"], ["not_understood", None], [-1, -1], [-1, 4],
                [b"", b"ShDd"], ConnId("192.0.2.7", 9, "192.0.2.1", 110))  # fmt: skip
    out = fed([made])
    assert (out.transfers, out.commands) == ([], [])
    assert set(out.session.defects) == {"not_understood", "end_unseen"}


@pytest.mark.parametrize(
    ("history", "defects"),
    [
        (b"ShADadFf", []), (b"ShADadR", []), (b"", []),
        (b"ShADad", ["end_unseen"]), (b"DadFf", ["begin_unseen"]),
        (b"^dDa", ["begin_unseen", "end_unseen"]), (b"^hADadF", ["begin_unseen"]),
    ],
)  # fmt: skip
@FORMS
def test_ends_of_a_connection(exact: bool, history: bytes, defects: list[str]) -> None:
    """Zeek's history says whether the beginning and the end were seen."""
    made = made_of(HELLO + LOGIN + BOTH, exact=exact)
    data = [*made.data[:-1], history]
    assert sorted(fed([made._replace(data=data)]).session.defects) == defects
    bye = made_of(HELLO + LOGIN + BOTH + BYE, exact=exact)
    out = fed([bye._replace(data=[*bye.data[:-1], history])])
    assert "end_unseen" not in out.session.defects  # all was said


def test_a_limit_stands_in_the_mails_behind_it() -> None:
    """Mails after the row of a limit have its defect, those before it not."""
    made = made_of(HELLO + LOGIN + BOTH + BYE)
    at = next(n for n, data in enumerate(made.data) if data == b"2" and made.command[n] == "RETR")
    out = fed([with_row(made, at, ("unexpected", "limit", -1, b"lines"))])
    assert [mail.defects for mail in out.transfers] == [[], ["limit_reached"]]
