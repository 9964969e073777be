"""Without `header` rows the form of the lines decides, and such a fold is marked as a guess."""

from __future__ import annotations

import pytest

from support.zeek_lines import split_lines, trim
from zeekpop3.session.plain.refold import refold

GUESSED = ["header_fold_guessed"]


def guess(raw: bytes) -> bytes:
    return refold([trim(line) for line in split_lines(raw)], None)[0]


def normal(raw: bytes) -> bytes:
    return b"".join(
        (b" " if line[:1] in (b" ", b"\t") else b"") + trim(line) + b"\r\n" for line in split_lines(raw)
    )


FOLDS = {
    "plain": b"Subject: a\r\n b c\r\nTo: x@y,\r\n z@y\r\n",
    "time in Received": b"Received: from a by b; Tue, 1 Jan 2019\r\n\t12:00:01 +0200\r\nTo: x@y\r\n",
    "id in Received": (
        b"Received: from a\r\n\tid: <7700@b> for <c@d>; Tue,\r\n\t1 Jan 2019 12:00:01 +0200\r\nTo: x@y\r\n"
    ),
    "helo in Received": b"Received: from a (b\r\n\thelo: c) by d; 1 Jan 2019 12:00:01 +0200\r\nTo: x@y\r\n",
    "IPv6 in Received": (
        b"Received: from a\r\n (2603:10a6::98) by b;\r\n 1 Jan 2019 12:00:01 +0200\r\nTo: x@y\r\n"
    ),
    "signed fields": (
        b"DKIM-Signature: v=1; a=rsa-sha256;\r\n h=from:to:subject:\r\n"
        b" date:message-id; bh=x;\r\n b=y\r\nTo: x\r\n"
    ),
    "signed fields first in the line": (
        b"DKIM-Signature: v=1; h=from\r\n :to:subject\r\n :date; b=y\r\nTo: x\r\n"
    ),
    "signed fields with blanks": (
        b"DKIM-Signature: v=1; h=Date : From :\r\n Subject : To : Date;\r\n b=y\r\nTo: x\r\n"
    ),
    "signed fields at the end": b"DKIM-Signature: v=1; b=y;\r\n h=Date:From\r\nSubject: To be\r\nTo: x\r\n",
    "copied fields": b"DKIM-Signature: v=1; z=From:a@b|\r\n Subject:GM=20Very|\r\n To:x; b=y\r\nTo: x\r\n",
    "one tag of signed fields": b"DomainKey-Signature: h=received:from;\r\n b=abc\r\nFrom: x\r\n",
    "verdicts": (
        b"X-Microsoft-Antispam: BCL:0;\r\n BCL:0;ARA:1;\r\n"
        b"X-Forefront-Antispam-Report:\r\n CIP:1.2.3.4;CTRY:;LANG:en;\r\nTo: x\r\n"
    ),
    "ARC": b"ARC-Message-Signature: i=1; h=from:\r\n to:cc; b=x\r\nARC-Seal: i=1;\r\n b=z\r\n",
    "boundary with a colon": b'Content-Type: multipart/mixed;\r\n boundary="Part_23:07:49"\r\nTo: x\r\n',
    "mailto": b"List-Post: <http://a>,\r\n <mailto:b@c>\r\nTo: x\r\n",
    "encoded words": b"To: =?utf-8?Q?a:b?=\r\n =?utf-8?Q?date:10:08?= <a@b>\r\nCc: x\r\n",
    "face": b"X-Face: abc\r\n U6p#:3f<[a:)M\r\n abc:def\r\nTo: x\r\n",
    "answer": b"Subject: word choice Re: bliss (was\r\n Re: ouch)\r\nTo: x\r\n",
    "report": (
        b"X-Spam-Report: * 1.0 FOO\r\n * 2.0 BAR BODY: x\r\n"
        b" Content analysis details: (5.0 points)\r\nTo: x\r\n"
    ),
    "report's own word": b"SPAM: ---- start ----\r\n SPAM: this is spam\r\nTo: x\r\n",
    "quoted": b'Content-Disposition: attachment; filename="a\r\n b: c"\r\nTo: x\r\n',
    "unknown fields": b"Feedback-ID: 1:2:3\r\nFoo: bar\r\nFoo-Bar: baz,\r\n qux\r\nTo: x\r\n",
    "empty fields": b"Cc:\r\nX-Foo:\r\nFoo-Bar:\r\nTo: x\r\n",
    "no blank after the colon": b"From:a@b\r\nTo:x@y\r\nX-Foo:1\r\n",
    "mangled": (
        b"Received: by a; 1 Jan 2019 12:00:01 +0200\r\n"
        b">Received: by b; 1 Jan 2019 12:00:00 +0200\r\nTo: x\r\n"
    ),
    "mbox": b"From a@b Tue Jan  1 12:00:01 2019\r\nTo: x,\r\n y\r\n",
    "line of blanks": b"Date: a\r\nSubject: a\r\n \r\n b\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n",
}


@pytest.mark.parametrize("name", FOLDS)
def test_folds(name: str) -> None:
    """Lines that continue a field although they look like one do, and fields of all kinds begin one."""
    raw = FOLDS[name] + b"\r\nTo: in the body\r\nx\r\n"
    assert guess(raw) == normal(raw)


def test_a_guess_is_told() -> None:
    """The defect is there if and only if a line was folded."""
    assert refold([b"To: x", b"Cc: y", b"", b"z"], None) == (b"To: x\r\nCc: y\r\n\r\nz\r\n", [])
    assert refold([b"To: x,", b"y", b"", b"z"], None) == (b"To: x,\r\n y\r\n\r\nz\r\n", GUESSED)
    assert refold([], None) == (b"", [])


def test_parts() -> None:
    """The headers of parts and of attached messages are folded; bodies are not."""
    raw = (
        b'From: a@b\r\nContent-Type: multipart/mixed;\r\n boundary="b 1"\r\n\r\n'
        b"--not\r\nX: a\r\nb\r\n--b 1\r\n"
        b"Content-Type: multipart/alternative;\r\n\tboundary=in\r\n\r\n--in\r\n"
        b"Content-Type: text/plain;\r\n charset=utf-8\r\n\r\nTo: in the body\r\nx\r\n"
        b"--in--\r\n\r\n--b 1\r\n\r\n"
        b"a: b\r\nc\r\n--b 1\r\nno header\r\nTo: x\r\ny\r\n\r\n--b 1\r\n"
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n folded\r\nTo: x\r\n\r\n"
        b"To: y\r\nz\r\n--b 1--\r\n"
    )
    assert guess(raw) == normal(raw)


def test_a_quoted_mail_is_body() -> None:
    """A body that begins with the fields of another mail is a body."""
    raw = b"From: a\r\nSubject: b\r\nDate: c\r\n\r\nFrom: d\r\nTo: e\r\nDate: f\r\ng\r\n\r\nh\r\n"
    assert guess(raw) == normal(raw)


def test_a_header_that_no_empty_line_ends() -> None:
    """A delimiter of the header's own boundary, or a preamble that everyone writes, ends a header, too."""
    raw = (
        b"From: a\r\nContent-Type: multipart/mixed;\r\n boundary=b\r\n--b\r\n"
        b"Content-Type: text/plain;\r\n x=y\r\n\r\nz\r\n"
    )
    assert guess(raw) == normal(raw)
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n"
        b"This is a multi-part message in MIME format.\r\n--b\r\nX-A: b\r\n c\r\n"
    )
    assert guess(raw) == normal(raw)


HOSTILE = {
    "continuations that look like fields": [b"DKIM-Signature: h=a"] + [b"b: c h=" + b"x" * 99] * 20_000,
    "one field of many lines": [b"Received: x"] + [b"foo: bar ("] * 40_000,
    "long lines": [b"DKIM-Signature: " + b" h=" * 300_000] + [b"a: b"] * 200,
    "semicolons": [b"Received: " + b";" * 400_000] + [b"a: b"] * 200,
    "blank lines": [b"A: b"] + [b"", b"From: x"] * 20_000,
    "boundaries": [b"Content-Type: multipart/mixed; boundary=b", b""]
    + [line for i in range(20_000) for line in (b"--b", b"Content-Type: multipart/x; boundary=b%d" % i, b"")],
    "messages": [b"Content-Type: message/rfc822", b""] * 20_000,
    "quotes": [b'Content-Type: multipart/mixed; boundary="' + b"a" * 400_000] + [b"--x"] * 200,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_linear(name: str) -> None:
    """Nothing a sender can write takes more than linear time: a quadratic one would not end here."""
    lines = HOSTILE[name]
    raw, _ = refold(lines, None)
    assert raw.count(b"\r\n") == len(lines)
    marks = [(index, b"a") for index in range(0, len(lines), 2)]
    assert refold(lines, marks)[0].count(b"\r\n") == len(lines)
