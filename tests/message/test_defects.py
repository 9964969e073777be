"""Every defect has a small mail that shows it; a whole mail shows none."""

from __future__ import annotations

import base64

import pytest

from support.invariants import check
from zeekpop3.defects import MAIL_DEFECTS
from zeekpop3.inside import attachments, parse
from zeekpop3.message import budget, mail, mailboxes, parts, readings, urls

HEAD = b"From: a@b.example\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nSubject: s\r\n"
BASE64 = b"Content-Transfer-Encoding: base64\r\n"
GOOD = base64.encodebytes(b"The quick brown fox jumps over the lazy dog, again and again. " * 4).replace(
    b"\n", b"\r\n"
)


def multipart(content: bytes, boundary: bytes = b'; boundary="b"') -> bytes:
    return HEAD + b"Content-Type: multipart/mixed" + boundary + b"\r\n\r\n" + content


def text(content: bytes, fields: bytes = b"") -> bytes:
    return HEAD + fields + b"\r\n" + content


MAILS: dict[str, bytes] = {
    "address_malformed": text(b"", b'To: "open <a@b.example>, c@d.example\r\n'),
    "addresses_cut": text(b"", b"To: " + b"a@b," * 12 + b"\r\n"),
    "attachment_unpack_failed": text(b"no TNEF", b"Content-Type: application/ms-tnef; name=winmail.dat\r\n"),
    "attachments_cut": multipart(b"--b\r\nContent-Type: a/b\r\n\r\nx\r\n" * 12 + b"--b--\r\n"),
    "base64_broken": text(b"QUJD!!REVG" + b"\r\n" + GOOD, BASE64),
    "base64_padding": text(b"QQ==\r\n" + GOOD, BASE64),
    "base64_trailing_text": text(GOOD + b"___________\r\nA list's footer, http://list.example/\r\n", BASE64),
    "boundary_guessed": multipart(b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n", b""),
    "boundary_malformed": multipart(b"--b junk\r\n\r\nhello\r\n--b--\r\n"),
    "boundary_missing": multipart(b"just text\r\n"),
    "boundary_unclosed": multipart(b"--b\r\n\r\nhello\r\n"),
    "charset_broken": text(b"\x93\xfa\x96\xff\xff", b"Content-Type: text/plain; charset=iso-2022-jp\r\n"),
    "charset_guessed": text(b"caf\xe9\r\n"),
    "charset_unknown": text(b"caf\xe9\r\n", b"Content-Type: text/plain; charset=klingon\r\n"),
    "charset_wrong": text("café\r\n".encode(), b"Content-Type: text/plain; charset=us-ascii\r\n"),
    "container_malformed": multipart(b"--b\r\nContent-Type: x/zip\r\n\r\nPK\3\4 cut off\r\n--b--\r\n"),
    "content_type_malformed": text(b"x", b"Content-Type: nonsense\r\n"),
    "date_malformed": b"Date: soon\r\n\r\n",
    "date_zone_unknown": b"Date: Mon, 1 Jan 2024 10:00:00 XYZ\r\n\r\n",
    "dkim_cut": text(b"x", b"DKIM-Signature: v=1\r\n" * 101),
    "dkim_malformed": text(b"x", b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example\r\n"),
    "duplicate_header": b"Subject: one\r\nSubject: two\r\n\r\n",
    "encoded_word_broken": b"Subject: =?klingon?q?qapla=27?=\r\n\r\n",
    "encoding_malformed": text(b"x", b"Content-Transfer-Encoding: =?utf-8?q?8bit?=\r\n"),
    "enclosed_cut": multipart(b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny\r\n" * 12),
    "encoding_unknown": text(b"x", b"Content-Transfer-Encoding: rot13\r\n"),
    "encoding_wrong": text(b"plain text, no Base64\r\n", BASE64),
    "filename_ambiguous": text(b"x", b"Content-Disposition: attachment; filename=a; filename=b\r\n"),
    "header_bare_cr": b"Subject: s\rTo: a@b.example\r\n\r\n",
    "header_cut": b"".join(b"X-%d: y\r\n" % i for i in range(5_001)) + b"\r\n",
    "header_field_folded": text(GOOD, b"X-A: b\r\n Content-Transfer-Encoding: base64\r\n"),
    "header_malformed": b"Subject: s\r\nno field at all\r\nTo: a@b.example\r\n\r\nbody",
    "header_missing": b"\r\nbody only\r\n",
    "message_encoded": text(
        b"U3ViamVjdDogeAoKaGk=", b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n"
    ),
    "nesting_cut": b"Content-Type: message/rfc822\r\n\r\n" * 30,
    "other_reading": multipart(b"--b\r\n\r\nx\r\n--b--\r\nsee http://a.example/\r\n"),
    "parameter_malformed": text(b"x", b'Content-Type: text/plain; name="never closed\r\n'),
    "parse_limited": text(b"Subject: x\r\n\r\ny", b"Content-Type: message/rfc822\r\n\r\n" * 15),
    "parts_cut": multipart(b"--b\r\n\r\nx\r\n" * 12 + b"--b--\r\n"),
    "quoted_printable_broken": text(b"a =W b", b"Content-Transfer-Encoding: quoted-printable\r\n"),
    "readings_cut": multipart(
        b"--b\r\n\r\nx\r\n--b--\r\n" + b"--b\r\nContent-Type: a/b\r\n\r\nx%d\r\n" * 12 % tuple(range(12))
    ),
    "received_cut": text(b"", b"Received: from a by b; Mon, 1 Jan 2024 10:00:00 +0000\r\n" * 1_001),
    "references_cut": text(b"", b"References: " + b"<a@b> " * 12 + b"\r\n"),
    "script_not_run": text(b"<script>f()</script>", b"Content-Type: text/html; name=a.html\r\n"),
    "truncated": multipart(b"--b\r\n\r\nhel"),
    "urls_cut": text(b" ".join(b"http://a.example/%d" % i for i in range(12))),
    "uuencode_broken": text(b"begin 644 a.txt\r\n#0V%T\r\n"),
}  # fmt: skip


def test_each_defect_has_a_mail() -> None:
    """The list is closed: a name without a mail, or a mail without a name, is a fault."""
    assert set(MAILS) == set(MAIL_DEFECTS)


@pytest.mark.parametrize("name", sorted(MAIL_DEFECTS))
def test_defect_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail made for a defect is reported to have it; a bound is lowered so that its mail stays small."""
    bounds = {
        "addresses_cut": (mailboxes, "MAX_ADDRESSES"),
        "attachments_cut": (attachments, "MAX_ATTACHMENTS"),
        "enclosed_cut": (mail, "MAX_ENCLOSED"),
        "parse_limited": (budget, "KEPT_AT_LEAST"),
        "parts_cut": (parts, "MAX_PARTS"),
        "readings_cut": (readings, "MAX_FOUND"),
        "references_cut": (mail, "MAX_REFERENCES"),
        "urls_cut": (urls, "MAX_URLS"),
    }
    if name in bounds:
        monkeypatch.setattr(*bounds[name], 10)
    assert name in check(MAILS[name], complete=name != "truncated").defects


@pytest.mark.parametrize("name", sorted(MAIL_DEFECTS))
def test_rest_of_the_record_is_filled(name: str) -> None:
    """Whatever is broken, what can be read is there."""
    if MAILS[name].startswith(HEAD):
        mail = check(MAILS[name])
        assert (mail.from_, mail.subject, mail.date) == ("a@b.example", "s", 1_704_103_200_000_000)


def test_whole_mail_has_none() -> None:
    """Nothing is said of a mail that is as it should be."""
    raw = multipart(
        b"--b\r\n\r\nhello\r\n--b\r\nContent-Type: text/html\r\n" + BASE64 + b"\r\n" + GOOD + b"--b--\r\n"
    )
    assert check(raw).defects == []


def test_cut_mail_is_truncated_and_not_broken() -> None:
    """A mail that was not seen to its end is not blamed for having none."""
    raw = multipart(b"--b\r\n\r\nhel")
    assert parse(raw).defects == ["boundary_unclosed"]
    assert parse(raw, complete=False).defects == ["truncated"]
