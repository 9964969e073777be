"""The same bytes, read by another program, are another text or attachment: both are in the record, and a
defect says so.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import quopri
from collections.abc import Callable

import pytest

from support.invariants import check
from zeekpop3.message import Mail, readings

DATA = b"MZ\x90\0" + bytes(range(256)) * 2
LINES = base64.encodebytes(DATA).replace(b"\n", b"\r\n")
PAGE = b"<html><a href='http://hidden.example/'>x</a></html>"
FIELDS = (
    b"Content-Type: application/octet-stream; name=evil.exe\r\n"
    b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n"
)
FILE = FIELDS + b"\r\n" + LINES
HEAD = b"Subject: s\r\nMIME-Version: 1.0\r\n"
PLAIN = b"Content-Type: text/plain\r\n\r\nhello"


def mixed(*parts: bytes, before: bytes = b"", after: bytes = b"", boundary: bytes = b"BB") -> bytes:
    head = HEAD + b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + before
    return head + b"".join(b"--BB\r\n" + part + b"\r\n" for part in parts) + b"--BB--\r\n" + after


def yenc(data: bytes) -> bytes:
    out = bytearray()
    for byte in data:
        byte = (byte + 42) % 256
        out += bytes((61, (byte + 64) % 256)) if byte in b"\0\n\r=" else bytes((byte,))
    lines = b"\r\n".join(bytes(out[at : at + 128]) for at in range(0, len(out), 128))
    return b"=ybegin line=128 size=%d name=evil.exe\r\n%b\r\n=yend size=%d\r\n" % (
        len(data),
        lines,
        len(data),
    )


def uuencoded(data: bytes, begin: bytes = b"begin 644 evil.exe") -> bytes:
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return (begin + b"\n" + lines + b"`\nend\n").replace(b"\n", b"\r\n")


def shown(mail: Mail) -> set[bytes]:
    """Everything that the record holds as content."""
    texts = {(mail.text or "").encode(), (mail.html or "").encode()}
    return texts | {file.content or b"" for file in mail.attachments}


def reading(mail: Mail, content: bytes) -> str | None:
    return next(file.reading for file in mail.attachments if file.content == content)


# name: (mail, content that some program shows, its reading)
CASES: dict[str, tuple[bytes, bytes, str | None]] = {
    # Place.
    "part-in-preamble": (mixed(PLAIN, before=FILE + b"\r\n"), DATA, "preamble"),
    "part-in-epilogue": (mixed(PLAIN, after=b"\r\n" + FILE), DATA, "epilogue"),
    "delimited-part-in-epilogue": (mixed(PLAIN, after=b"--BB\r\n" + FILE + b"--BB--\r\n"), DATA, "epilogue"),
    "other-delimiter-in-epilogue": (mixed(PLAIN, after=b"--CC\r\n" + FILE + b"--CC--\r\n"), DATA, "epilogue"),
    "other-delimiter-in-preamble": (
        mixed(PLAIN, before=b"--CC\r\n" + FILE + b"--CC--\r\n"), DATA, "preamble"),
    "base64-in-preamble": (mixed(PLAIN, before=LINES), DATA, "preamble"),
    "link-in-preamble": (mixed(PLAIN, before=b"go to http://hidden.example/\r\n"),
                         b"go to http://hidden.example/\r\n", "preamble"),
    "link-in-epilogue": (mixed(PLAIN, after=b"go to www.hidden.example now\r\n"),
                         b"go to www.hidden.example now\r\n", "epilogue"),
    "entity-before-boundary-with-blank-line": (
        mixed(PLAIN, before=FIELDS + b"\r\n" + LINES + b"\r\n"), DATA, "preamble"),
    "inner-boundary-is-the-outer-one": (
        mixed(b"Content-Type: multipart/mixed; boundary=BB\r\n\r\n--BB\r\n" + PLAIN + b"\r\n--BB--", FILE),
        DATA, "epilogue"),
    "footer-after-base64": (
        mixed(FILE + b"____\r\nunsubscribe: http://hidden.example/\r\n"),
        b"____\r\nunsubscribe: http://hidden.example/\r\n", "transfer_encoding"),
    # Fields.
    "blank-line-before-fields": (mixed(PLAIN, b"\r\n" + FILE), DATA, "header"),
    "two-blank-lines-before-fields": (mixed(PLAIN, b"\r\n\r\n\r\n" + FILE), DATA, "header"),
    "blank-line-within-fields": (
        mixed(b"Content-Type: text/plain\r\n\r\nContent-Disposition: attachment\r\n"
              b"Content-Transfer-Encoding: base64\r\n\r\n" + LINES), DATA, "header"),
    "line-of-blanks-before-fields": (mixed(PLAIN, b" \r\n" + FILE), DATA, None),
    "line-of-a-tab-before-fields": (mixed(PLAIN, b"\t\r\n" + FILE), DATA, None),
    "fold-before-field": (
        mixed(b'Content-Type: application/pdf; name="a.pdf"\r\n Content-Transfer-Encoding: base64\r\n\r\n'
              + LINES), DATA, "transfer_encoding"),
    "fold-before-field-quoted-printable": (
        mixed(b"Content-Type: text/html; name=a.html\r\n\tContent-Transfer-Encoding: quoted-printable\r\n\r\n"
              + quopri.encodestring(PAGE)), PAGE, "header"),
    "missing-colon": (
        mixed(b"Content-Type: text/html\r\nContent-Transfer-Encoding quoted-printable\r\n"
              b"Content-ID: <a@b>\r\n\r\n" + quopri.encodestring(PAGE)), PAGE, "header"),
    "two-colons": (
        mixed(b"Content-Type: a/b\r\nContent-Transfer-Encoding:: base64\r\n\r\n" + LINES), DATA, None),
    "bare-cr-bare-cr-ends-header": (
        mixed(b"Content-Type: text/html\r\rhttp://hidden.example/\r\nX: y\r\n\r\nbody"),
        b"http://hidden.example/\r\nX: y\r\n\r\nbody", "header"),
    # Transfer encodings.
    "7bit-and-base64-inside": (
        mixed(b"Content-Type: a/b; name=a.pdf\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + LINES), DATA,
        "transfer_encoding"),
    "no-encoding-and-base64-html-inside": (
        mixed(b"Content-Type: text/html\r\n\r\n" + base64.b64encode(PAGE)), PAGE, "transfer_encoding"),
    "base64-within-a-text": (HEAD + b"\r\nsave this:\r\n\r\n" + LINES + b"\r\nregards\r\n", DATA,
                             "transfer_encoding"),
    "base64-within-a-base64-text": (
        HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(b"save this:\r\n" + LINES + b"\r\nbye"), DATA, "transfer_encoding"),
    "two-encodings": (
        mixed(b"Content-Type: text/html\r\nContent-Transfer-Encoding: 7bit\r\n"
              b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(PAGE)), PAGE,
        "transfer_encoding"),
    "two-encodings-quoted-printable": (
        mixed(b"Content-Type: text/html\r\nContent-Transfer-Encoding: 8bit\r\n"
              b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + quopri.encodestring(PAGE)), PAGE,
        "transfer_encoding"),
    "two-values-in-one": (
        mixed(b"Content-Type: a/b\r\nContent-Transfer-Encoding: 8bit, base64\r\n\r\n" + LINES), DATA,
        "transfer_encoding"),
    "two-values-quoted-printable": (
        mixed(b"Content-Type: text/x-a\r\nContent-Transfer-Encoding: 7bit;quoted-printable\r\n\r\n"
              + quopri.encodestring(PAGE)), PAGE, "transfer_encoding"),
    "base64-declared-and-none-inside": (
        mixed(b"Content-Type: a/b; name=a.html\r\nContent-Transfer-Encoding: base64\r\n\r\n" + PAGE), PAGE,
        "transfer_encoding"),
    "base64-declared-and-a-link-inside": (
        mixed(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nhttp://hiddenexample.com"),
        b"http://hiddenexample.com", "transfer_encoding"),
    "base64-with-words-behind-it": (
        mixed(b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
              + base64.b64encode(PAGE + b"\n") + b" ignored by some"), PAGE + b"\n", "transfer_encoding"),
    "base64-behind-a-line-of-junk": (
        mixed(b"Content-Type: a/b; name=a\r\nContent-Transfer-Encoding: 7bit\r\n\r\njunk line!\r\n" + LINES),
        DATA, "transfer_encoding"),
    "base64-in-quoted-lines": (
        HEAD + b"\r\nhe wrote:\r\n> " + LINES.strip().replace(b"\r\n", b"\r\n> ") + b"\r\n", DATA,
        "transfer_encoding"),
    "base64-between-bare-carriage-returns": (
        mixed(b"Content-Type: a/b\r\n\r\n" + LINES.replace(b"\r\n", b"\r")), DATA, "transfer_encoding"),
    "missing-colon-of-the-last-field": (
        mixed(b"Content-Type: a/b\r\nContent-Transfer-Encoding base64\r\n\r\n" + LINES), DATA,
        "transfer_encoding"),
    "fields-behind-a-blank-line-name-another-encoding": (
        mixed(b"\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n" + LINES), DATA,
        "transfer_encoding"),
    "gzip64": (
        mixed(b"Content-Type: a/b\r\nContent-Transfer-Encoding: x-gzip64\r\n\r\n" + LINES), DATA,
        "transfer_encoding"),
    "yenc-in-text": (HEAD + b"\r\nhello\r\n" + yenc(DATA), DATA, "transfer_encoding"),
    "yenc-as-a-part": (
        mixed(b"Content-Type: application/octet-stream; name=evil.exe\r\n\r\n" + yenc(DATA)), DATA,
        "transfer_encoding"),
    "yenc-as-an-encoding": (
        mixed(b"Content-Type: a/b\r\nContent-Transfer-Encoding: x-yEnc\r\n\r\n" + yenc(DATA)), DATA,
        "transfer_encoding"),
    "uuencode-in-text": (HEAD + b"\r\nhello\r\n" + uuencoded(DATA), DATA, None),
    "uuencode-in-base64-text": (
        HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"hi\n" + uuencoded(DATA)),
        DATA, None),
    "uuencode-as-a-part-without-label": (
        mixed(b"Content-Type: application/octet-stream; name=evil.exe\r\n\r\n" + uuencoded(DATA)), DATA,
        "transfer_encoding"),
    "uuencode-with-base64": (
        HEAD + b"\r\nhello\r\nbegin-base64 644 evil.exe\r\n" + LINES + b"====\r\n", DATA,
        "transfer_encoding"),
    # Types.
    "two-types": (
        mixed(PLAIN, b"Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=II\r\n\r\n--II\r\n"
              + FILE + b"--II--"), DATA, "content_type"),
    "two-types-plain-and-html": (
        mixed(b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n" + PAGE), PAGE, "content_type"),
    "boundary-of-a-text": (
        mixed(PLAIN, b"Content-Type: text/plain; boundary=II\r\n\r\n--II\r\n" + FILE + b"--II--"), DATA,
        "content_type"),
    "multipart-called-a-file": (
        mixed(PLAIN, b"Content-Type: application/octet-stream\r\n\r\n--II\r\n" + FILE + b"--II--"), DATA,
        "content_type"),
    # Boundaries.
    "two-boundaries": (
        mixed(PLAIN, b"Content-Type: text/plain\r\n\r\nx\r\n--CC\r\n" + FILE + b"--CC--",
              boundary=b"BB; boundary=CC"), DATA, "boundary"),
    "boundary-plain-and-continued": (
        mixed(PLAIN, b"Content-Type: text/plain\r\n\r\nx\r\n--CC\r\n" + FILE + b"--CC--",
              boundary=b"CC; boundary*0=B; boundary*1=B"), DATA, "boundary"),
    "boundary-plain-and-extended": (
        mixed(PLAIN, b"\r\nx\r\n--CC\r\n\r\nhttp://hidden.example/\r\n--CC--",
              boundary=b"CC; boundary*=utf-8''BB"), b"http://hidden.example/", "boundary"),
    "boundary-in-single-quotes": (
        HEAD + b"Content-Type: multipart/mixed; boundary='BB'\r\n\r\n--'BB'\r\n" + FILE + b"--'BB'--\r\n",
        DATA, None),
    "boundary-in-single-quotes-that-are-none": (mixed(FILE, boundary=b"'BB'"), DATA, None),
}  # fmt: skip
for _name, _byte in (("formfeed", b"\f"), ("vt", b"\v"), ("nul", b"\0")):
    CASES[f"delimiter-after-{_name}"] = (
        mixed(PLAIN, FILE).replace(b"\r\n--BB\r\n", b"\r\n--BB" + _byte + b"\r\n"), DATA, None
    )  # fmt: skip
for _value in (b"base64(x)", b'"base64"', b"base 64", b"base64 qp", b"base6", b"bas\0e64", b"x-foo",
               b"b;base64", b"=?us-ascii?q?base64?=", b"(a) base64", b"BASE64;", b"base64, 7bit",
               b"'base64'"):  # fmt: skip
    CASES[f"encoding {_value!r}"] = (
        mixed(PLAIN, FILE.replace(b"Encoding: base64", b"Encoding: " + _value)), DATA, None
    )  # fmt: skip
for _value in (b"ulti part/mixed", b"x-multipart/mixed", b'"multipart/mixed"', b"multi(x)part/mixed",
               b"=?us-ascii?q?multipart/mixed?=", b"text/plain, multipart/mixed",
               b"multipart", b"text/plain multipart/mixed"):  # fmt: skip
    CASES[f"type {_value!r}"] = (mixed(PLAIN, FILE).replace(b"multipart/mixed", _value), DATA, None)
for _value in (b'""', b'"BB', b"BB(c)", b"B B", b'"B;B"', b"", b"XX"):
    CASES[f"boundary {_value!r}"] = (mixed(FILE, PLAIN, boundary=_value), DATA, None)


@pytest.mark.parametrize("name", CASES)
def test_hidden_content_is_in_the_record(name: str) -> None:
    """What some program shows is a text or an attachment, with the reading that finds it."""
    raw, content, expected = CASES[name]
    mail = check(raw)
    assert content in shown(mail)
    if expected is not None:
        assert reading(mail, content) == expected
        assert "other_reading" in mail.defects
    if "uuencode-in" not in name:
        assert mail.defects


ORDINARY = {
    "words-around": mixed(
        PLAIN, before=b"This is a multi-part message in MIME format.\r\n", after=b"\r\nBye for now.\r\n"
    ),
    "key": HEAD + b"\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\n" + LINES + b"-----END PGP SIGNATURE-----\r\n",
    "hashes": HEAD + b"\r\n" + b"\r\n".join([b"%064d" % 7] * 5) + b"\r\n",
    "word": HEAD + b"\r\nUnsubscribeMeFromThisListPlease\r\n",
    "address": HEAD + b"\r\nhttp/a/very/long/path/that/only/looks/like/base64/because/of/its/letters\r\n",
    "rule": HEAD + b"\r\n" + b"-" * 70 + b"\r\ntext\r\n" + b"=" * 60 + b"\r\n--\r\nname\r\n",
    "names": HEAD + b"\r\nFrom: a@b\r\nTo: c@d\r\n\r\nquoted\r\n",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_text_is_no_hidden_content(name: str) -> None:
    """Words, hashes, keys and rules are what they are."""
    mail = check(ORDINARY[name])
    assert (mail.attachments, mail.defects) == ([], [])


def test_content_that_two_readings_find_has_its_name() -> None:
    """Base64 within a part, then the whole part by its second field: one file, with its name."""
    fields = b"Content-Type: a/b; name=evil.exe\r\nContent-Transfer-Encoding: 7bit (really)\r\n"
    mail = check(mixed(fields + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(DATA)))
    found = [file for file in mail.attachments if file.sha256 == hashlib.sha256(DATA).hexdigest()]
    assert [(file.filename, file.reading) for file in found] == [("evil.exe", "transfer_encoding")]


def test_each_content_once() -> None:
    """A part that two readings find is one row; the numbers go on behind those of unpacked files."""
    raw = HEAD + b"\r\n" + uuencoded(b"Cat", b"begin 644 a.txt") + b"\r\n" + LINES + b"\r\nand\r\n" + LINES
    assert [(file.part, file.reading) for file in check(raw).attachments] == [
        ("1#1", None),
        ("1#2", "transfer_encoding"),
    ]


@pytest.mark.parametrize("dummy", [b"", b"--BB--\r\n" + PLAIN + b"\r\n"])
def test_inner_boundary_that_ends_the_outer_one(dummy: bytes) -> None:
    """`--BB--` ends the outer multipart for some programs, and divides the inner one for others."""
    inner = (
        b"Content-Type: multipart/mixed; boundary=BB--\r\n\r\n"
        + dummy
        + b"--BB--\r\n"
        + FILE
        + b"--BB----\r\n"
    )
    mail = check(mixed(PLAIN, inner))
    assert DATA in shown(mail)
    assert "other_reading" in mail.defects


@pytest.mark.parametrize("fold", [b"\r\n ", b" \r\n\t", b"\n "])
def test_colon_behind_a_fold(fold: bytes) -> None:
    """Mail programs read such a field."""
    fields = FIELDS.replace(
        b"Content-Disposition: attachment", b"Content-Disposition" + fold + b": attachment"
    )
    head = b"X: y\r\nFrom" + fold + b": <shown@a.example>\r\nFrom: <other@b.example>\r\n"
    mail = check(head + mixed(PLAIN, fields + b"\r\n" + LINES))
    assert mail.from_mailbox.address == "shown@a.example"
    assert [(file.disposition, file.content) for file in mail.attachments] == [("attachment", DATA)]
    assert {"header_malformed", "duplicate_header"} <= {*mail.defects}


def test_blank_line_of_cr_cr_lf() -> None:
    """Thunderbird ends the header there."""
    mail = check(b"Subject: s\r\nContent-Type: text/plain\r\r\nURL: http://hidden.example/\r\n\r\nhello\r\n")
    assert "http://hidden.example/" in [link.url for link in mail.links]
    assert {"header_bare_cr", "other_reading"} <= {*mail.defects}


def test_all_parts_of_another_reading() -> None:
    """Texts, too; named as they say."""
    inner = b"--CC\r\n" + PLAIN + b"\r\n--CC\r\n" + FILE + b"--CC--\r\n"
    mail = check(mixed(PLAIN, after=inner))
    assert [(file.part, file.reading, file.content_type, file.filename) for file in mail.attachments] == [
        ("#1", "epilogue", "text/plain", None),
        ("#2", "epilogue", "application/octet-stream", "evil.exe"),
    ]
    assert mail.text == "hello"


def test_second_reading_within_another_one() -> None:
    """Base64 in a part of the epilogue is found, too."""
    raw = mixed(
        PLAIN, after=b"--CC\r\nContent-Type: text/plain\r\n\r\nsee\r\n\r\n" + LINES + b"\r\n--CC--\r\n"
    )
    assert DATA in shown(check(raw))


def test_encrypted_block_in_a_text() -> None:
    """`inside` says that it was not looked into."""
    block = b"-----BEGIN PGP MESSAGE-----\r\n\r\n" + LINES + b"=abcd\r\n-----END PGP MESSAGE-----"
    (file,) = check(HEAD + b"\r\nhello\r\n" + block + b"\r\nbye\r\n").attachments
    assert (file.content_type, file.inside, file.reading) == ("application/pgp-encrypted", "encrypted", None)
    assert file.content == block.replace(b"\r\n", b"\n")


BINHEX = b"(This file must be converted with BinHex 4.0)\r\n\r\n:$f*TEQKPH#jdH'9\r\n:\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"\r\nhello\r\n" + BINHEX,
        HEAD + b"Content-Transfer-Encoding: x-binhex40\r\n\r\n" + BINHEX,
        HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"hello\r\n" + BINHEX),
        mixed(PLAIN, b"Content-Type: application/octet-stream\r\n\r\n" + BINHEX),
        mixed(PLAIN, b"Content-Type: application/mac-binhex40; name=a.hqx\r\n\r\n" + BINHEX),
    ],
    ids=["in a text", "as an encoding", "in Base64", "in a part", "as a part"],
)
def test_binhex_is_named(raw: bytes) -> None:
    """It is not decoded; the row of its bytes says so."""
    file = check(raw).attachments[-1]
    assert file.content_type in ("application/mac-binhex40", "application/octet-stream")
    assert file.inside == "unsupported"
    assert (file.content or b"").strip() == BINHEX.strip()


@pytest.mark.parametrize("kind", [b"text/plain", b"application/octet-stream"])
def test_gzip64_is_unpacked(kind: bytes) -> None:
    """Gzip in Base64: the content is a member, its links are those of the mail."""
    text = b"see http://hidden.example/ " * 9
    fields = b"Content-Type: %b\r\nContent-Transfer-Encoding: x-gzip64\r\n\r\n" % kind
    mail = check(mixed(PLAIN, fields + base64.encodebytes(gzip.compress(text))))
    assert {member.sha256 for member in mail.members} == {hashlib.sha256(text).hexdigest()}
    assert "http://hidden.example/" in mail.urls + [link.url for link in mail.links]
    assert {"encoding_unknown", "other_reading"} <= {*mail.defects}


@pytest.mark.parametrize(
    ("fields", "name", "others"),
    [
        (b"Content-Type: a/b; name=evil.exe\r\nContent-Disposition: attachment; filename=report.pdf",
         "report.pdf", ["evil.exe"]),
        (b"Content-Disposition: attachment; filename=evil.exe; filename*=utf-8''report.pdf", "report.pdf",
         ["evil.exe"]),
        (b"Content-Disposition: attachment; filename=a.pdf; filename=evil.exe", "a.pdf", ["evil.exe"]),
        (b"Content-Disposition: attachment; filename*=utf-16''evil.exe", "evil.exe", []),
        (b"Content-Disposition: attachment; filename=a.pdf(x).exe", "a.pdf.exe", ["a.pdf(x).exe"]),
        (b"Content-Type: a/b; name=report (1).pdf", "report .pdf", ["report (1).pdf"]),
        (b'Content-Disposition: attachment; filename=evil.exe"', 'evil.exe"', ["evil.exe"]),
        (b'Content-Disposition: attachment; filename=""evil.exe""', None, ["evil.exe"]),
        (b'Content-Disposition: attachment; filename="a.pdf".exe', "a.pdf", ["a.pdf.exe"]),
        (b'Content-Disposition: attachment; filename="a.pdf\\evil.exe"', "a.pdfevil.exe", ["evil.exe"]),
        (b'Content-Disposition: attachment; filename="a\\"b.exe"', 'a"b.exe', []),
        (b"Content-Disposition: attachment; filename*=utf-8''a.pdf; filename*0=ev; filename*1=il.exe",
         "a.pdf", ["evil.exe"]),
        (b"Content-Disposition: attachment; filename*0=ev; filename*0=re; filename*1=il.exe", "evreil.exe",
         ["evil.exe", "reil.exe"]),
        (b"Content-Disposition: attachment; filename*0=a; filename*1=.exe; filename*3=.pdf", "a.exe.pdf",
         ["a.exe"]),
        (b"Content-Disposition: attachment; filename*0*=utf-8''a; filename*1=%2Eexe", "a%2Eexe", ["a.exe"]),
        (b'Content-Disposition: attachment; filename="a.pdf" evil.exe', "a.pdf", ["a.pdf evil.exe"]),
        (b"Content-Disposition: attachment; filename\0=evil.exe", "evil.exe", []),
        (b"Content-Disposition: attachment; filename*=utf-8'evil.exe", "utf-8'evil.exe", ["evil.exe"]),
        (b"Content-Disposition: attachment; filename=a.pdf\r\n"
         b"Content-Disposition: attachment; filename=evil.exe", "a.pdf", ["evil.exe"]),
        (b"Content-Type: a/b; name=A.pdf\r\nContent-Disposition: attachment; filename=a.PDF", "a.PDF", []),
    ],
)  # fmt: skip
def test_several_names(fields: bytes, name: str | None, others: list[str]) -> None:
    """Programs differ in which name they show; all are in the row."""
    mail = check(mixed(fields + b"\r\n\r\nx"))
    (file,) = mail.attachments
    assert (file.filename, list(file.other_names)) == (name, others)
    assert ("filename_ambiguous" in mail.defects) == bool(others)


@pytest.mark.parametrize("kind", ["plain", "html"])
@pytest.mark.parametrize(
    "junk",
    [
        lambda lines: b" ".join(lines[at : at + 7] for at in range(0, len(lines), 7)),
        lambda lines: b"***\r\n" + lines,
        lambda lines: b"\r\n".join(b"> " + lines[at : at + 40] for at in range(0, len(lines), 40)),
        lambda lines: b"\r\n".join(b"%%%%\r\n" + lines[at : at + 40] for at in range(0, len(lines), 40)),
        lambda lines: b"-----BEGIN FOO-----\r\n" + lines + b"\r\n-----END FOO-----",
    ],
)
def test_base64_text_with_junk_in_it(kind: str, junk: Callable[[bytes], bytes]) -> None:
    """Programs take the letters of Base64 and show the text; the bytes as they are need not hide it."""
    head = f"Content-Type: text/{kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    mail = check(mixed(PLAIN, head + junk(base64.b64encode(PAGE + b" and some more words"))))
    assert "http://hidden.example/" in mail.urls + [link.url for link in mail.links]
    assert mail.defects


@pytest.mark.parametrize("behind", [b"", b"a line of text", b"abc!", b"QUJD!"])
def test_a_line_behind_base64_does_not_hide_it(behind: bytes) -> None:
    """Lines of Base64 in a text are a file, whatever the next line is."""
    lines = base64.encodebytes(b"MZ" + bytes(500)).replace(b"\n", b"\r\n")
    (found,) = check(b"Subject: s\r\n\r\nsee:\r\n" + lines + behind + b"\r\n").attachments
    assert found.content is not None
    assert found.content.startswith(b"MZ" + bytes(400))


def test_words_that_are_not_base64() -> None:
    """A text with a wrong label stays a text, and is nothing else."""
    head = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail = check(mixed(head + b"Some words that are shown as they are.\r\n" * 9))
    assert (mail.attachments, mail.defects) == ([], ["encoding_wrong"])


@pytest.mark.parametrize("end", [b"=\r\n", b"=\n", b"= \t\r\n", b"=\r\r\n", b"= \r\r\n"])
def test_soft_line_breaks(end: bytes) -> None:
    head = b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    mail = check(head + b"<a href=3D'http://hid" + end + b"den.example/'>x</a>")
    assert mail.urls == ["http://hidden.example/"]


@pytest.mark.parametrize("name", [b"x-quoted-printable", b"quoted-printable1", b"x-foo"])
def test_quoted_printable_by_another_name(name: bytes) -> None:
    """Also where each character is a code."""
    text = b"".join(b"=%02X" % byte for byte in PAGE)
    lines = b"=\r\n".join(text[at : at + 72] for at in range(0, len(text), 72))
    mail = check(
        mixed(PLAIN, b"Content-Type: text/html\r\nContent-Transfer-Encoding: " + name + b"\r\n\r\n" + lines)
    )
    assert PAGE in shown(mail)


@pytest.mark.parametrize("lines", [1, 5])
def test_uuencode_whose_first_lines_are_broken(lines: int) -> None:
    """Thunderbird goes on to `end`, whatever stands before it."""
    block = uuencoded(DATA).replace(b"\r\nM", b"\r\nM\xa5", lines)
    mail = check(
        mixed(b"Content-Type: text/plain\r\n\r\nhello\r\n" + block + b"\r\nbye\r\n" + uuencoded(PAGE))
    )
    assert [file.filename for file in mail.attachments] == ["evil.exe", "evil.exe"]
    assert PAGE in shown(mail)
    assert "uuencode_broken" in mail.defects


def test_broken_line_of_uuencode_is_told() -> None:
    block = uuencoded(DATA).replace(b"\r\nM", b"\r\nM\xa5", 2)
    mail = check(mixed(b"Content-Type: a/b\r\nContent-Transfer-Encoding: x-uue\r\n\r\n" + block))
    assert "uuencode_broken" in mail.defects


def test_shown_text_that_some_programs_offer() -> None:
    """A name that only a forgiving program reads."""
    part = (
        b"Content-Type: text/plain\r\nContent-Disposition attachment; filename=evil.vbs\r\nX-A: b\r\n\r\nx=1"
    )
    (file,) = check(mixed(part)).attachments
    assert (file.filename, file.reading, file.content) == ("evil.vbs", "header", b"x=1")


def test_what_is_found_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes; what is left out is a defect."""
    raw = HEAD + b"\r\n" + b"".join(
        base64.encodebytes(b"MZ%d" % number + DATA) + b"\nnext\n" for number in range(9)
    )  # fmt: skip
    assert (len(check(raw).attachments), "readings_cut" in check(raw).defects) == (9, False)
    monkeypatch.setattr(readings, "MAX_FOUND", 5)
    assert (len(check(raw).attachments), "readings_cut" in check(raw).defects) == (5, True)


@pytest.mark.parametrize("line", [b"a =W b", b"a =X= b", b"=H", b"a = b"])
def test_equals_signs_that_begin_no_code(line: bytes) -> None:
    """Programs show them or leave them out."""
    head = HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    assert "quoted_printable_broken" in check(head + line + b"\r\n").defects
    assert check(head + b"a=20b=\r\nc= \r\nd=3d\r\n=").defects == []
