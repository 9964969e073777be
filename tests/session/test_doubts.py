"""Attacks by whoever controls a side: nothing is hidden or forged by odd lines, dots and answers."""

from __future__ import annotations

from time import process_time

import pytest

from support.attacked import ALICE, FORMS, LIST, ONE, TWO, brief, said, seen, who
from support.dialogues import fed
from support.hostile_dialogues import (
    BOTH,
    BYE,
    HELLO,
    LOGIN,
    M1,
    M2,
    Case,
    answer,
    c,
    packets_of,
    raw,
    s,
)
from support.traffic import rows
from zeekpop3.session import Rows, Transfer

# -- lines -------------------------------------------------------------------------------------------------


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
    """The usual lines of a command give no defect."""
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
