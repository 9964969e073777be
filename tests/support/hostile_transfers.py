"""Hostile dialogues about what is POP3, where TLS begins, and which bytes belong to which mail."""
# ruff: noqa: E501

from __future__ import annotations

from support.hostile_dialogues import (
    BOTH,
    BOTH_MAILS,
    BYE,
    HELLO,
    LOGIN,
    M1,
    M2,
    M3,
    SECRET,
    TLS,
    Case,
    Mail,
    answer,
    by,
    c,
    cut_up,
    raw,
    retr,
    s,
    sent_form,
    session,
)

NO_USER = {"user": None, "mechanism": None}
RECORD = b"\x16\x03\x01\0\x20" + b"r" * 32
ONE, TWO = Mail(1, M1), Mail(2, M2)


def bare(name: str, *parts: list[tuple[bool, bytes]], **how: object) -> Case:
    """A case from its whole dialogue."""
    how.setdefault("mails", BOTH_MAILS)
    return Case(name, [step for part in parts for step in part], **how)  # type: ignore[arg-type]


def marked(*mails: Mail) -> tuple[Mail, ...]:
    """Mails that may be wrong if they carry a defect."""
    return tuple(Mail(mail.number, mail.body, mail.user, True) for mail in mails)


HIDDEN = [
    bare("STLS refused, a TLS record", HELLO, c("STLS"), s("-ERR"), raw(True, b"\x16\x03"), s("-ERR"), LOGIN, BOTH,
         mails=by(None), user=None),
    bare("STLS refused, a record and a line end", HELLO, c("STLS"), s("-ERR"), c("\x16\x03"), s("-ERR"), LOGIN, BOTH),
    bare("STLS accepted, clear", HELLO, c("STLS"), s("+OK"), LOGIN, BOTH),
    bare("STLS accepted, a record from the client only", HELLO, c("STLS"), s("+OK"), raw(True, RECORD + b"\r\n"),
         s("-ERR"), LOGIN, BOTH),
    bare("STLS accepted, a record from the server only", HELLO, c("STLS"), s("+OK"), c("NOOP"),
         s("\x16\x03\x01"), LOGIN, BOTH),
    bare("STLS in a mail's dialogue", HELLO, LOGIN, c("STLS"), s("-ERR"), retr(1, M1), c("STLS"), s("-ERR"),
         retr(2, M2)),
    bare("TLS", HELLO, c("CAPA"), s("+OK", "STLS", "."), c("STLS"), s("+OK"), raw(True, TLS), raw(False, TLS),
         c(f"USER {SECRET}"), s("+OK"), mails=(), tls=True, **NO_USER),
    bare("TLS, then what looks like mail", HELLO, c("STLS"), s("+OK"), raw(True, TLS), raw(False, TLS), LOGIN, BOTH,
         mails=(), tls=True, **NO_USER),
    bare("14 unknown lines", HELLO, *[c(f"X{n} {SECRET}") + s("-ERR") for n in range(14)], LOGIN, BOTH, BYE),
    bare("14 unknown lines at once", HELLO, c(*[f"X{n}" for n in range(14)]), s(*["-ERR"] * 14), LOGIN, BOTH, BYE),
    bare("300 blank lines", HELLO, c(*[""] * 300), s(*["-ERR"] * 300), LOGIN, BOTH, BYE),
    bare("30 blank lines, not answered", HELLO, c(*[""] * 30), LOGIN, BOTH, BYE, mails=marked(*BOTH_MAILS)),
    bare("greeting of two lines", s("+OK", "second line"), LOGIN, BOTH, BYE),
    bare("greeting hello", s("hello"), LOGIN, BOTH, BYE),
    bare("greeting +HELLO", s("+HELLO"), LOGIN, BOTH, BYE),
    bare("no greeting", LOGIN, BOTH, BYE, mails=marked(*BOTH_MAILS)),
    bare("a line of noise before the login's answer", HELLO, c("USER lisi"), s("noise", "+OK"),
         c(f"PASS {SECRET}"), s("+OK"), BOTH, BYE),
    bare("noise instead of LIST", HELLO, c("LIST"), s("garbage"), BOTH, BYE, mails=by(None), **NO_USER),
    bare("no login", HELLO, BOTH, BYE, mails=by(None), **NO_USER),
    bare("all answers before the questions", HELLO, s("+OK", "+OK"), raw(False, b"+OK\r\n" + sent_form(M1)),
         c("USER lisi", f"PASS {SECRET}", "RETR 1"), mails=marked(ONE)),
    bare("all answers in one packet before the questions",
         raw(False, b"+OK hi\r\n+OK\r\n+OK\r\n+OK\r\n" + sent_form(M1)),
         c("USER lisi"), c(f"PASS {SECRET}"), c("RETR 1"), mails=marked(ONE)),
    bare("many bytes before POP3", HELLO, *[c("Y" * 1400) + s("-ERR") for n in range(60)], LOGIN, BOTH, BYE,
         mails=marked(*BOTH_MAILS)),
    bare("many lines before POP3", HELLO, *[c(f"Y{n}") + s("-ERR" * (n % 3 + 1)) for n in range(150)], LOGIN, BOTH,
         BYE, mails=marked(*BOTH_MAILS)),
    bare("HTTP before POP3", c("GET / HTTP/1.1", "Host: x", ""), s("HTTP/1.1 400 Bad", ""), LOGIN, BOTH, BYE,
         mails=marked(*BOTH_MAILS)),
    bare("a client line without end before POP3", HELLO, raw(True, b"z" * 30000), c("", "USER lisi"), s("-ERR", "+OK"),
         c(f"PASS {SECRET}"), s("+OK"), BOTH, BYE),
    bare("a server line without end before POP3", raw(False, b"z" * 30000 + b"\r\n"), LOGIN, BOTH, BYE),
]  # fmt: skip
NUMBERS = [
    session("XFOO before RETR, pipelined", c("XFOO", "RETR 1", "RETR 2"), s("-ERR"), answer(M1), answer(M2),
            mails=BOTH_MAILS),
    session("XFOO answered +OK, pipelined", c("XFOO", "RETR 1", "RETR 2"), s("+OK"), answer(M1), answer(M2),
            mails=BOTH_MAILS),
    session("an empty line before RETR, pipelined", c("", "RETR 1", "RETR 2"), s("-ERR"), answer(M1), answer(M2),
            mails=BOTH_MAILS),
    session("an empty line without an answer, pipelined", c("", "RETR 1", "RETR 2"), answer(M1), answer(M2),
            mails=marked(*BOTH_MAILS)),
    session("unknown lines among RETRs", c("RETR 1", "FOO", "RETR 2", "BAR"), answer(M1), s("-ERR"), answer(M2),
            s("-ERR"), mails=BOTH_MAILS),
    session("+OKAY", c("RETR 1"), answer(M1, "+OKAY"), retr(2, M2), retr(3, M3), mails=(TWO, Mail(3, M3))),
    session("a plus alone", c("RETR 1"), answer(M1, "+"), retr(2, M2), retr(3, M3), mails=(TWO, Mail(3, M3))),
    session("no status at all", c("RETR 1"), raw(False, sent_form(M1)), retr(2, M2), mails=(TWO,)),
    session("a status in small letters", c("retr 1"), answer(M1, "+ok"), retr(2, M2), mails=BOTH_MAILS),
    session("RETR with blanks", c("  RETR   1  "), answer(M1), c("retr\t2"), answer(M2), mails=BOTH_MAILS),
    session("RETR with zeros", c("RETR 001"), answer(M1), retr(2, M2), mails=BOTH_MAILS),
    session("RETR with two numbers", c("RETR 1 2"), answer(M1), retr(2, M2), mails=(Mail(None, M1), TWO)),
    session("RETR of a long number", c("RETR 1" + "0" * 30), answer(M1), retr(2, M2), mails=(Mail(None, M1), TWO)),
    session("RETR and 20 kB", raw(True, b"RETR 1 " + b"x" * 20000 + b"\r\n"), answer(M1), retr(2, M2),
            mails=(Mail(None, M1), TWO)),
    session("lines end with LF", raw(True, b"RETR 1\n"), answer(M1), raw(True, b"RETR 2\n"), answer(M2),
            mails=BOTH_MAILS),
    session("commands end with two CR", raw(True, b"RETR 1\r\r\n"), answer(M1), retr(2, M2), mails=BOTH_MAILS),
    session("RETR 1 many times", c(*["RETR 1"] * 40), *[answer(M1)] * 40, mails=[ONE] * 40),
    session("unknown commands that fetch", c("XRETR 1"), answer(M1), retr(2, M2),
            mails=(Mail(None, M1, marked=True), TWO)),
    session("RETR refused, pipelined", c("RETR 9", "RETR 1", "RETR 2"), s("-ERR"), answer(M1), answer(M2),
            mails=BOTH_MAILS),
    session("RETR split among commands", raw(True, b"RE"), raw(True, b"TR 1\r"), raw(True, b"\n"), answer(M1),
            retr(2, M2), mails=BOTH_MAILS),
    session("NOOPs, then RETR", c(*["NOOP"] * 500, "RETR 1"), s(*["+OK"] * 500), answer(M1), retr(2, M2),
            mails=BOTH_MAILS),
    session("NOOP and STAT in turn, then RETR", c(*["NOOP", "STAT"] * 40, "RETR 1"), s(*["+OK", "+OK 2 9"] * 40),
            answer(M1), retr(2, M2), mails=BOTH_MAILS),
    session("100 RETR at once", c(*[f"RETR {n}" for n in range(1, 101)]), *[answer(M1)] * 100,
            mails=[Mail(n, M1) for n in range(1, 101)]),
    session("RETR answered twice", c("RETR 1"), answer(M1), answer(M3), retr(2, M2), mails=(ONE, *marked(TWO))),
    session("a status line in a mail", retr(1, b"Subject: a\r\n\r\n+OK\r\n-ERR\r\n+OK 5 octets\r\n"), retr(2, M2),
            mails=(Mail(1, b"Subject: a\r\n\r\n+OK\r\n-ERR\r\n+OK 5 octets\r\n"), TWO)),
    session("a dialogue in a mail", retr(1, b"Subject: a\r\n\r\n+OK\r\n\r\nRETR 2\r\n+OK\r\nS: x\r\n"), retr(2, M2),
            mails=(Mail(1, b"Subject: a\r\n\r\n+OK\r\n\r\nRETR 2\r\n+OK\r\nS: x\r\n"), TWO)),
]  # fmt: skip
ENDS = [
    session("a mail ends LF, dot, CRLF", c("RETR 1"), answer(M1[:-2], end=b"\n.\r\n"), retr(2, M2),
            mails=(Mail(1, M1[:-2] + b"\n", marked=True), TWO)),
    session("a mail ends text, dot, CRLF", c("RETR 1"), answer(M1[:-2], end=b".\r\n"), retr(2, M2),
            mails=(Mail(1, M1[:-2], marked=True), TWO)),
    session("a mail ends CRLF, dot, LF", c("RETR 1"), answer(M1, end=b".\n"), retr(2, M2),
            mails=(Mail(1, M1, marked=True), TWO)),
    session("a mail of bare LF", c("RETR 1"), raw(False, b"+OK\nSubject: x\n\nHi\n.\n"), retr(2, M2),
            mails=(Mail(1, b"Subject: x\n\nHi\n"), TWO)),
    session("LF, dot, CRLF in the middle of a mail", c("RETR 1"),
            raw(False, b"+OK\r\nSubject: x\r\n\r\na\n.\r\nb\r\n.\r\n"), retr(2, M2),
            mails=(Mail(1, b"Subject: x\r\n\r\na\n.\r\nb\r\n", marked=True), TWO)),
    session("pipelined, LF, dot, CRLF", c("RETR 1", "RETR 2"), answer(M1[:-2], end=b"\n.\r\n"), answer(M2),
            mails=marked(*BOTH_MAILS)),
    session("an empty mail", c("RETR 1"), s("+OK", "."), retr(2, M2), mails=(Mail(1, b""), TWO)),
    session("a mail that is never ended", c("RETR 1"), raw(False, b"+OK\r\n" + M1), mails=(Mail(1, M1, marked=True),)),
    session("dots", c("RETR 1"), raw(False, b"+OK\r\n..\r\n...\r\n..x\r\n.\r\n"), retr(2, M2),
            mails=(Mail(1, b".\r\n..\r\n.x\r\n"), TWO)),
    session("the end in pieces", c("RETR 1"), raw(False, b"+OK\r\n" + M1[:-1]), raw(False, M1[-1:] + b"."),
            raw(False, b"\r"), raw(False, b"\n"), retr(2, M2), mails=BOTH_MAILS),
]  # fmt: skip
PORTS = [
    bare("995 behind a device that decrypts", HELLO, LOGIN, BOTH, BYE, port=995),
    bare("a port of the plain form", HELLO, LOGIN, BOTH, BYE, port=1110, mails=marked(*BOTH_MAILS)),
]
CASES = [*cut_up(HIDDEN), *cut_up(NUMBERS), *cut_up(ENDS), *cut_up(PORTS)]
