"""Attacks by whoever controls a side or a packet: nothing is hidden or forged in silence."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

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
from support.traffic.pcap import ACK, Packet
from zeekpop3.session import ConnId, Rows, Transfer

LIST = c("LIST") + s("+OK", f"1 {len(M1)}", f"2 {len(M2)}", ".")
FORMS = pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])


def seen(talk: Talk, *, lost: tuple[int, ...] = (), exact: bool = True) -> Outcome:
    """What comes of a dialogue of which the capture lacks some steps."""
    return of_packets(packets_of(Case("", talk, lost=lost), 0), exact=exact)


def of_packets(packets: list[Packet], *, exact: bool = True) -> Outcome:
    [made] = rows.of_packets(packets, exact=exact).values()
    return fed([made])


def brief(out: Outcome) -> list[tuple[int | None, bytes, bool, list[str]]]:
    return [(mail.msg_num, mail.raw, mail.complete, [*map(str, mail.defects)]) for mail in out.transfers]


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


# -- lines -------------------------------------------------------------------------------------------------


def said(*lines: tuple[str | None, bytes, bytes]) -> Outcome:
    """(command, its data, what the server sends then) each, in the exact form."""
    kind, command, offset, data = ["contents"], [None], [0], [b"+OK ready\r\n"]
    at = len(data[0])
    for verb, argument, response in lines:
        kind.append("sent")
        command.append(verb)  # type: ignore[arg-type]
        offset.append(at)
        data.append(argument)
        if response:
            kind.append("contents")
            command.append(None)
            offset.append(at)
            data.append(response)
            at += len(response)
    count, length = list(range(len(kind))), [len(each) or -1 for each in data]
    return fed(
        [Rows(count, count, kind, command, offset, length, data, ConnId("192.0.2.7", 9, "192.0.2.1", 110))]
    )


ALICE = (("USER", b"alice", b"+OK\r\n"), ("PASS", b"", b"+OK in\r\n"))
ONE, TWO = answer(M1)[0][1], answer(M2)[0][1]


def who(out: Outcome) -> list[tuple[int | None, str | None, bool]]:
    return [(mail.msg_num, mail.user, "number_doubtful" in mail.defects) for mail in out.transfers]


def test_crlf_only_retr() -> None:
    """NOOP LF RETR 7 CRLF is one line for some servers: what follows has no certain number or user."""
    out = said(*ALICE, ("NOOP", b"", b""), ("?", b"", b"+OK\r\n"), ("RETR", b"1", ONE), ("RETR", b"2", TWO),
               ("QUIT", b"", b"+OK\r\n"))  # fmt: skip
    assert who(out) == [(1, None, True), (2, "alice", False)]


def test_crlf_only_retr_pipelined() -> None:
    """The same where the client does not wait: all is doubtful."""
    out = said(
        *ALICE,
        ("NOOP", b"", b""),
        ("?", b"", b""),
        ("RETR", b"1", b""),
        ("RETR", b"2", b"+OK\r\n" + ONE + TWO),
    )
    assert len(out.transfers) == 2 and all(doubtful and user is None for _, user, doubtful in who(out))


def test_lines_that_agree_again() -> None:
    """A server that answers both lines is in step again: nothing is doubtful any more."""
    out = said(
        *ALICE, ("NOOP", b"", b""), ("?", b"", b"+OK\r\n-ERR\r\n"), ("RETR", b"1", ONE), ("RETR", b"2", TWO)
    )
    assert who(out) == [(1, "alice", False), (2, "alice", False)]


def test_crlf_only_apop() -> None:
    """A login that only some servers see gives no user."""
    out = said(
        *ALICE, ("NOOP", b"", b""), ("?", b"", b"+OK\r\n"), ("NOOP", b"", b"+OK\r\n"), ("RETR", b"1", ONE)
    )
    assert [(user, doubtful) for _, user, doubtful in who(out)] == [(None, True)]


def test_a_login_in_doubt_names_nobody() -> None:
    """The answer to a login may be that to another line."""
    out = said(
        ("?", b"", b"+OK\r\n"), ("APOP", b"victim", b"+OK\r\n"), ("NOOP", b"", b""), ("NOOP", b"", b"+OK\r\n")
    )
    assert out.session.user is None or out.commands[1].status == "OK"
    out = said(
        ("NOOP", b"", b""), ("?", b"", b"+OK\r\n"), ("APOP", b"victim", b"+OK\r\n"), ("RETR", b"1", ONE)
    )
    assert out.session.user is None


# -- dots --------------------------------------------------------------------------------------------------

START = b"Subject: a\r\n\r\n"


@pytest.mark.parametrize(
    ("name", "middle"),
    [
        ("end-lf-dot-lf", b"a\n.\nb\r\n"), ("end-lf-dot-crlf", b"a\n.\r\nb\r\n"),
        ("end-crlf-dot-lf", b"a\r\n.\nb\r\n"),
        ("end-crlf-dot-crcrlf", b"a\r\n.\r\r\nb\r\n"),
        ("end-lf-dot-lf-ok", b"a\n.\n+OK\r\nSubject: forged\r\n"),
        ("end-lf-dot-crlf-ok", b"a\n.\r\n+OK\r\nSubject: forged\r\n"),
        ("end-lf-dot-crlf-text", b"x\n.\r\ntext\r\n"),
    ],
)  # fmt: skip
def test_a_dot_alone_on_a_line(name: str, middle: bytes) -> None:
    """Some clients end the mail there: the mail says so, and has all that was sent."""
    out = said(*ALICE, ("RETR", b"1", b"+OK\r\n" + START + middle + b".\r\n"), ("RETR", b"2", TWO))
    first, second = out.transfers
    assert (first.raw, first.complete) == (START + middle, True)
    assert "terminator_unusual" in first.defects
    assert (second.msg_num, second.defects) == (2, [])


def test_a_server_of_lf_ends_at_lf_dot_lf() -> None:
    """Where lines end with LF, so does the mail; a dot before CRLF does not end it."""
    out = said(*ALICE, ("RETR", b"1", b"+OK\nSubject: x\n\nHi\n.\n"), ("RETR", b"2", TWO))
    first = out.transfers[0]
    assert (first.raw, first.complete, first.defects) == (b"Subject: x\n\nHi\n", True, [])


def test_stuffed_dots_are_usual() -> None:
    """A line of one dot in the mail is sent as two."""
    out = said(*ALICE, ("RETR", b"1", b"+OK\r\n" + START + b"..\r\n...\r\n.\r\n"))
    assert out.transfers[0].defects == []


# -- logins for another ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "user", "other"),
    [
        (b"joe", "joe", None), (b"victim\0master", "victim", "master"), (b"joe\0joe", "joe", None),
        (b"\0joe", None, None), (b"joe\0", None, None), (b"a\0b\0c", None, None),
    ],
)  # fmt: skip
def test_authzid(name: bytes, user: str | None, other: str | None) -> None:
    """The user is the one whose mailbox is opened; whose password it was is another column."""
    initial = said(("AUTH", b"PLAIN " + name, b"+OK\r\n"), ("RETR", b"1", ONE))
    later = said(("AUTH", b"PLAIN", b"+ \r\n"), (None, name, b"+OK\r\n"), ("RETR", b"1", ONE))
    for out in (initial, later):
        assert (out.session.user, out.session.authenticated_as) == (user, other)
        mail: Transfer = out.transfers[0]
        assert (mail.user, mail.authenticated_as) == (user, other)


def test_authzid_in_the_plain_form() -> None:
    """The `login` row has both."""
    kind, command = ["request", "reply", "login", "close"], ["AUTH", "OK", "success", None]
    data = [b"PLAIN", b"", b"victim\0master", b"ShDdFf"]
    made = Rows([1] * 4, list(range(4)), kind, command, [-1] * 4, [len(each) or -1 for each in data], data)
    assert (fed([made]).session.user, fed([made]).session.authenticated_as) == ("victim", "master")


def test_a_refused_login_names_the_mailbox() -> None:
    """Refused users are mailboxes, too."""
    assert said(("AUTH", b"PLAIN victim\0master", b"-ERR\r\n")).session.users_refused == ["victim"]


def test_absurd_gaps_fit_the_columns() -> None:
    """A log that says more is missing than a column can hold stops nothing."""
    kind, command = ["contents", "sent", "gap", "gap", "close"], [None, "RETR", "server", "client", None]
    offset, length = [0, 5, 1 << 62, 1, -1], [5, 1, (1 << 63) - 1, (1 << 63) - 1, 4]
    data = [b"+OK\r\n", b"1", b"", b"", b"ShFf"]
    out = fed([Rows([1] * 5, range(5), kind, command, offset, length, data)])
    assert 0 < out.session.missing_bytes < 1 << 63
    assert all((mail.missing_bytes or 0) < 1 << 63 for mail in out.transfers)


# -- what Zeek's analyzer cannot tell ----------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True])
def test_more_commands_than_zeek_keeps(waits: bool) -> None:
    """Of more than 1,000 commands at once Zeek drops some: later numbers are doubtful. A client that waits
    may send any number."""
    numbers = range(1, 1101)
    if waits:
        talk = [step for number in numbers for step in (*c(f"RETR {number}"), *answer(M1))]
    else:
        talk = c(*[f"RETR {number}" for number in numbers]) + raw(False, answer(M1)[0][1] * len(numbers))
    out = seen(HELLO + LOGIN + talk + BYE, exact=False)
    doubtful = ["number_doubtful" in mail.defects for mail in out.transfers]
    assert not any(doubtful[:999])
    assert len(doubtful) == 1100 and all(doubtful[1001:]) is not waits


def test_zeek_gives_up_after_unknown_commands() -> None:
    """Ten commands that Zeek does not know, and it reads no more: session and mails say so."""
    unknown = [step for n in range(12) for step in (*c(f"XFOO {n}"), *s("-ERR"))]
    out = seen(HELLO + LOGIN + unknown + BOTH + BYE, exact=False)
    assert "limit_reached" in out.session.defects
    assert all("limit_reached" in mail.defects for mail in out.transfers)


def test_a_message_that_declares_the_size_of_another() -> None:
    """Zeek may be late: the number is doubtful."""
    talk = (
        LIST
        + c("RETR 1")
        + answer(M2, f"+OK {len(M2)} octets")
        + c("RETR 2")
        + answer(M2, f"+OK {len(M2)} octets")
    )
    out = seen(HELLO + LOGIN + talk + BYE, exact=False)
    assert ["number_doubtful" in mail.defects for mail in out.transfers] == [True, False]


@pytest.mark.parametrize(
    "reply", [b"x\r\n", b"Err: x\r\n", b"+OK\r\n", b"+OK\r\nS: x\r\n.\r\n", b"S: x\r\n\r\n-ERR\r\n"]
)
@pytest.mark.parametrize("command", ["RETR", "NOOP"])
def test_lines_that_answer_nothing_cost_linear_time(command: str, reply: bytes) -> None:
    """A server that says much more than it is asked: four times as much costs about four times the time."""

    def seconds(count: int) -> float:
        start = process_time()
        said(
            (command, b"1", b"+OK\r\n"),
            (command, b"1", reply * count + b"+OK\r\n"),
            ("QUIT", b"", b"+OK\r\n"),
        )
        return process_time() - start

    seconds(500)
    assert seconds(16_000) < 0.1 + 10 * seconds(4_000)


# -- messages in answers to other commands -------------------------------------------------------------------

TEXT = b"no header field, just text\r\nhttps://evil.example/\r\n"


@FORMS
@pytest.mark.parametrize("command", ["LIST", "UIDL", "LANG", "XTND", "AUTH", "XFOO 3"])
@pytest.mark.parametrize("before", [b"", b"1 23\r\n"])
def test_text_in_the_answer_to_another_command(exact: bool, command: str, before: bytes) -> None:
    """It begins as no message does, and no table has it: the session says so."""
    if not exact and command not in ("LIST", "UIDL"):
        pytest.skip("for Zeek's analyzer the answer has no lines")
    out = seen(
        HELLO + LOGIN + c(command) + raw(False, b"+OK\r\n" + before + TEXT + b".\r\n") + BOTH + BYE,
        exact=exact,
    )
    assert "lines_not_kept" in out.session.defects
    assert brief(out) == brief(seen(HELLO + LOGIN + BOTH + BYE, exact=exact))


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("LIST", ["1 23", "2 34 more"]), ("UIDL", ["1 a", "2 b"]), ("CAPA", ["TOP", "SASL PLAIN LOGIN"]),
        ("AUTH", ["PLAIN", "CRAM-MD5"]), ("LIST", []), ("XFOO", []),
    ],
)  # fmt: skip
def test_usual_lines_are_kept(command: str, lines: list[str]) -> None:
    """Answers with the lines that the command has are no defect."""
    out = seen(HELLO + LOGIN + c(command) + s("+OK", *lines, ".") + BOTH + BYE)
    assert out.session.defects == []


# -- doubts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True])
def test_doubt_begins_with_the_line_in_doubt(whole: bool) -> None:
    """Lines before it keep their answers, and the user its name, also where one row has all of the server."""
    talk = HELLO + LOGIN + raw(True, b"NOOP " + b"x" * 300 + b" x\r\n") + s("+OK") + BOTH + BYE
    [made] = rows.of_packets(packets_of(Case("", talk), 0), exact=True, flush_before_sent=not whole).values()
    out = fed([made])
    assert who(out) == [(1, "lisi", False), (2, "lisi", False)]
    assert [command.command for command in out.commands][2] is None


def test_bytes_that_are_never_a_line() -> None:
    """A server that says no lines any more (compression, a security layer): the session says so."""
    out = seen(
        HELLO
        + LOGIN
        + c("COMPRESS DEFLATE")
        + s("+OK")
        + raw(True, b"\x4b\x4c")
        + raw(False, b"\xff\xfe" * 50)
    )
    assert "reply_malformed" in out.session.defects


def test_a_status_line_in_a_mail_where_the_client_goes_on() -> None:
    """RETR 2 is sent where a line of mail 1 says +OK: where mail 1 ends is unclear."""
    talk = (
        c("RETR 1")
        + raw(False, b"+OK\r\nS: a\r\n")
        + c("RETR 2")
        + raw(False, b"+OK x\r\ny\r\n.\r\n")
        + answer(M2)
    )
    out = seen(HELLO + LOGIN + talk + BYE)
    assert all(mail.defects for mail in out.transfers)


@pytest.mark.parametrize("declared", [True, False])
def test_a_sender_forges_an_end_where_the_server_pauses(declared: bool) -> None:
    """Some clients take LF, dot, CRLF for the end. One that goes on there gets the rest of the mail as its
    next one. The size of the mail, in the reply or in LIST, shows it."""
    mail = b"Subject: e\r\n\r\nbody\n.\r\n+OK\r\nSubject: forged\r\n\r\nx\r\n"
    at = mail.index(b"+OK")
    status = b"+OK %d octets\r\n" % len(mail) if declared else b"+OK\r\n"
    listed = [] if declared else c("LIST") + s("+OK", f"1 {len(mail)}", ".")
    talk = (
        c("RETR 1")
        + raw(False, status + mail[:at])
        + c("RETR 2")
        + raw(False, mail[at:] + b".\r\n")
        + answer(M2)
    )
    out = seen(HELLO + LOGIN + listed + talk + BYE)
    assert all(mail.defects for mail in out.transfers)
