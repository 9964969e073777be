"""What RFC 1939 and its extensions have a session say, in both forms, and what comes out of it."""

from __future__ import annotations

import pytest

from support.dialogues import Outcome, dialogue, fed
from zeekpop3.session import Rows

MAIL = b"From: a@example.org\r\nSubject: x\r\n\r\nHello\r\n"
FORMS = pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
GREETING = ("", b"+OK ready\r\n")
LOGIN = (("USER lisi", b"+OK\r\n"), ("PASS ", b"+OK Logged in.\r\n"))


def said(*turns: tuple[str, bytes], exact: bool) -> Outcome:
    return fed([dialogue(GREETING, *turns, exact=exact)])


@FORMS
def test_a_usual_session(exact: bool) -> None:
    """Login, STAT, LIST, UIDL, RETR, DELE, QUIT: every field of the session and of the mail."""
    out = said(
        *LOGIN,
        ("STAT", b"+OK 2 300\r\n"),
        ("LIST", b"+OK\r\n1 42\r\n2 258\r\n.\r\n"),
        ("UIDL", b"+OK\r\n1 abc\r\n2 def\r\n.\r\n"),
        ("RETR 1", b"+OK 42 octets\r\n" + MAIL + b".\r\n"),
        ("DELE 1", b"+OK\r\n"),
        ("QUIT", b"+OK bye\r\n"),
        exact=exact,
    )
    session = out.session
    assert (session.greeting, session.user, session.auth_mechanism) == ("ready", "lisi", "USER")
    assert (session.auth_result, session.logins_failed) == ("success", 0)
    assert (session.stat_messages, session.stat_octets, session.listed) == (2, 300, 2)
    assert (session.retrieved, session.deleted, session.quit, session.closed) == (1, 1, True, "closed")
    assert (session.commands, session.errors, session.unknown, session.tls) == (8, 0, 0, False)
    [mail] = out.transfers
    assert (mail.raw, mail.complete, mail.missing_bytes) == (MAIL, True, 0)
    assert (mail.msg_num, mail.uidl, mail.octets_declared, mail.user) == (1, "abc", 42, "lisi")
    assert mail.fidelity == ("exact" if exact else "trimmed")
    verbs = ["USER", "PASS", "STAT", "LIST", "UIDL", "RETR", "DELE", "QUIT"]
    assert [c.command for c in out.commands] == verbs
    assert [c.seq for c in out.commands] == list(range(8))
    assert out.commands[0].argument == "lisi"
    assert (out.commands[5].lines, out.commands[5].octets) == (4, len(MAIL))


@FORMS
@pytest.mark.parametrize(
    ("line", "response", "octets", "unique_id"),
    [("LIST 3", b"+OK 3 42\r\n", 42, None), ("UIDL 3", b"+OK 3 whqtswO00WBw418f9t5JxYwZ\r\n", None, True)],
)
def test_one_message_asked_for(
    exact: bool, line: str, response: bytes, octets: int | None, unique_id: bool | None
) -> None:
    """LIST n and UIDL n answer in one line, and that line is remembered for the mail."""
    out = said(*LOGIN, (line, response), ("RETR 3", b"+OK\r\n" + MAIL + b".\r\n"), exact=exact)
    [mail] = out.transfers
    assert (mail.octets_declared, mail.uidl is not None) == (octets, bool(unique_id))
    assert (mail.raw, mail.complete) == (MAIL, exact)  # the plain form ends with no further command


@FORMS
def test_errors_are_counted_and_end_nothing(exact: bool) -> None:
    """-ERR to anything is one line, a failed login is not a login, and the next command is read as usual."""
    out = said(
        ("USER lisi", b"+OK\r\n"),
        ("PASS ", b"-ERR [AUTH] no\r\n"),
        *LOGIN,
        ("RETR 9", b"-ERR no such message\r\n"),
        ("LIST 9", b"-ERR no such message\r\n"),
        ("TOP 1 0", b"+OK\r\nSubject: x\r\n\r\n.\r\n"),
        ("QUIT", b"+OK\r\n"),
        exact=exact,
    )
    assert (out.session.logins_failed, out.session.auth_result, out.session.errors) == (1, "success", 3)
    [top] = out.transfers
    assert (top.command, top.msg_num, top.complete, top.raw) == ("TOP", 1, True, b"Subject: x\r\n\r\n")
    assert top.octets_declared is None


@pytest.mark.parametrize(
    ("line", "response", "mechanism"),
    [
        ("AUTH PLAIN lisi", b"+OK\r\n", "PLAIN"),
        ("AUTH PLAIN", b"+ \r\n+OK Logged in.\r\n", "PLAIN"),
        ("AUTH LOGIN", b"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK\r\n", "LOGIN"),
        ("AUTH CRAM-MD5", b"+ PDE4OTYuNjk3QG1haWw+\r\n+OK\r\n", "CRAM-MD5"),
        ("APOP lisi", b"+OK\r\n", "APOP"),
    ],
)
def test_authentication_with_and_without_challenges(line: str, response: bytes, mechanism: str) -> None:
    """Challenges (RFC 5034) belong to AUTH's one response; what follows is not out of step."""
    out = said((line, response), ("RETR 1", b"+OK\r\n" + MAIL + b".\r\n"), exact=True)
    assert (out.session.auth_mechanism, out.session.auth_result) == (mechanism, "success")
    assert [c.command for c in out.commands] == [line.split()[0], "RETR"]
    assert [mail.raw for mail in out.transfers] == [MAIL]


def test_equal_lines_answer_a_challenge() -> None:
    """Two equal lines in one row after a loss: the second one answers the challenge to the first."""
    kinds = ["contents", "gap", "sent", "contents", "contents"]
    commands = [None, "client", None, None, None]
    data = [b"+OK\r\n", b"", b"", b"+ \r\n", b"+OK\r\n"]
    out = fed([Rows(range(5), range(5), kinds, commands, [0, 1, 5, 5, 9], [5, 20, 2, 4, 5], data)])
    assert [(command.command, command.status) for command in out.commands] == [(None, "OK")]


@FORMS
def test_auth_without_argument_lists_mechanisms(exact: bool) -> None:
    """AUTH alone asks for a list (RFC 5034, section 4), and is not a login."""
    out = said(("AUTH", b"+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n"), *LOGIN, ("NOOP", b"+OK\r\n"), exact=exact)
    assert (out.session.auth_mechanism, out.session.logins_failed) == ("USER", 0)
    assert out.commands[0].lines == 2


@FORMS
def test_capabilities(exact: bool) -> None:
    """CAPA's lines (RFC 2449) are the session's capabilities."""
    out = said(("CAPA", b"+OK\r\nTOP\r\nSASL PLAIN LOGIN\r\n.\r\n"), ("QUIT", b"+OK\r\n"), exact=exact)
    assert out.session.capabilities == ["TOP", "SASL PLAIN LOGIN"]


def test_after_stls_nothing_is_read() -> None:
    """What follows the +OK to STLS (RFC 2595) is TLS: no bytes of it become replies."""
    out = said(
        ("CAPA", b"+OK\r\nSTLS\r\n.\r\n"), ("STLS", b"+OK Begin\r\n\x16\x03\x03\x00+OK\r\n"), exact=True
    )
    assert (out.session.tls, out.session.unknown) == (True, 0)
    assert [c.command for c in out.commands] == ["CAPA", "STLS"]


@FORMS
def test_a_reply_nobody_asked_for(exact: bool) -> None:
    """A command that is not known leaves a reply without a request; the others keep theirs."""
    out = said(
        *LOGIN,
        ("FOO", b"-ERR unknown\r\n"),
        ("RETR 1", b"+OK\r\n" + MAIL + b".\r\n"),
        ("QUIT", b"+OK\r\n"),
        exact=exact,
    )
    assert [(c.command, c.status) for c in out.commands][2:] == [
        (None, "ERR"),
        ("RETR", "OK"),
        ("QUIT", "OK"),
    ]
    assert (out.session.unknown, out.transfers[0].raw, out.transfers[0].msg_num) == (1, MAIL, 1)


@pytest.mark.parametrize("body", [b"", b"\r\n", b".\r\n", b"..\r\n.x\r\n", b"a\r\n" * 3 + b".", b"\r\n\r\n"])
def test_dots_and_empty_lines(body: bytes) -> None:
    """Dot-stuffing (RFC 1939, section 3) is undone, whatever the lines."""
    message = body if not body or body.endswith(b"\r\n") else body + b"\r\n"
    stuffed = b"".join(b"." + line if line.startswith(b".") else line for line in message.splitlines(True))
    out = said(*LOGIN, ("RETR 1", b"+OK\r\n" + stuffed + b".\r\n"), ("QUIT", b"+OK\r\n"), exact=True)
    assert [(mail.raw, mail.complete) for mail in out.transfers] == [(message, True)]


@pytest.mark.parametrize("dots", [b"..x\r\n", b"...\r\n", b".x\r\n", b". \r\n"])
def test_a_dot_that_is_not_doubled_is_a_doubt(dots: bytes) -> None:
    """Clients differ in whether they remove a single dot: it stays, with a defect. (In the plain form a dot
    may have had blanks before it.)"""
    message = b"Subject: x\r\n\r\na\r\n"
    answer = b"+OK\r\n" + message + dots + b".\r\n"
    out = said(*LOGIN, ("RETR 1", answer), ("QUIT", b"+OK\r\n"), exact=True)
    (mail,) = out.transfers
    is_doubled = dots.startswith(b"..")
    assert (mail.raw, mail.complete) == (message + (dots[1:] if is_doubled else dots), True)
    assert ("dot_not_doubled" in mail.defects) != is_doubled


def test_a_server_of_bare_line_feeds() -> None:
    """A server that ends its lines with LF alone ends its mails so."""
    turns = [("", b"+OK\n"), ("RETR 1", b"+OK\nSubject: x\n\nHello\n.\n"), ("QUIT", b"+OK\n")]
    out = fed([dialogue(*turns, exact=True)])
    assert [(mail.raw, mail.complete) for mail in out.transfers] == [(b"Subject: x\n\nHello\n", True)]


def test_a_message_over_the_limit_is_cut_and_said() -> None:
    """No more than `max_message` bytes are held; the rest is counted, and the next mail is whole."""
    big = b"Subject: big\r\n\r\n" + b"x" * 5000 + b"\r\n"
    rows = dialogue(
        GREETING,
        *LOGIN,
        ("RETR 1", b"+OK\r\n" + big + b".\r\n"),
        ("RETR 2", b"+OK\r\n" + MAIL + b".\r\n"),
        ("QUIT", b"+OK\r\n"),
        exact=True,
    )
    at = next(i for i, data in enumerate(rows.data) if big in data)
    pieces = [rows.data[at][n : n + 100] for n in range(0, len(rows.data[at]), 100)]
    start = rows.offset[at]
    more = len(pieces) - 1

    def spread(column: list, values: list) -> list:  # type: ignore[type-arg]
        return [*column[:at], *values, *column[at + 1 :]]

    cut = rows._replace(
        ts=spread(list(rows.ts), [rows.ts[at]] * (more + 1)),
        seq=list(range(len(rows.seq) + more)),
        kind=spread(list(rows.kind), ["contents"] * (more + 1)),
        command=spread(list(rows.command), [None] * (more + 1)),
        offset=spread(list(rows.offset), [start + 100 * n for n in range(more + 1)]),
        length=spread(list(rows.length), [len(piece) for piece in pieces]),
        data=spread(list(rows.data), pieces),
    )
    out = fed([cut], max_message=1000)
    first, second = out.transfers
    assert not first.complete and "message_too_large" in first.defects
    assert first.missing_bytes is not None and first.missing_bytes + len(first.raw) == len(big)
    assert big.startswith(first.raw[:900])
    assert (second.raw, second.complete, second.msg_num) == (MAIL, True, 2)


def test_given_up_is_said() -> None:
    """A connection that is given up has its session, marked."""
    out = fed([dialogue(GREETING, *LOGIN, exact=True, close=False)], finish="idle")
    assert (out.session.closed, out.session.defects) == ("idle", ["idle"])


def test_a_status_line_of_any_length_hides_no_mail() -> None:
    """The mail behind a status line of 200 kB is there, with a defect."""
    long = b"+OK " + b"x" * 200_000 + b"\r\n"
    out = said(
        *LOGIN, ("RETR 1", long + MAIL + b".\r\n"), ("RETR 2", b"+OK\r\n" + MAIL + b".\r\n"), exact=True
    )
    first, second = out.transfers
    assert (first.msg_num, first.defects) == (1, ["reply_malformed"])
    assert first.raw.endswith(MAIL)
    assert (second.msg_num, second.raw, second.complete, second.defects) == (2, MAIL, True, [])
