"""Attachments in mails that are written in an unusual way: each is found as a mail program would find it, or
a defect says what is unusual.
"""

from __future__ import annotations

import base64
import random

import pytest

from support.invariants import check
from zeekpop3.message import transfer_encoding

DATA = bytes(range(256)) * 2
TEXT = base64.encodebytes(DATA).replace(b"\n", b"\r\n")
FILE = (
    b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment\r\n\r\n"
)
MULTIPART = b"Subject: s\r\nContent-Type: multipart/mixed; boundary=BB\r\n\r\n"


def mixed(*parts: bytes, delimiter: bytes = b"--BB\r\n") -> bytes:
    return MULTIPART + b"".join(delimiter + part + b"\r\n" for part in parts) + b"--BB--\r\n"


def contents(raw: bytes) -> list[bytes | None]:
    return [file.content for file in check(raw).attachments]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"TQ==\r\n" + TEXT, b"M" + DATA),
        (b"TQ==" + TEXT, b"M" + DATA),
        (b"TWE=\r\nTQ==\r\n" + TEXT, b"MaM" + DATA),
        (b"TQ====\r\n" + TEXT, b"M" + DATA),
        (TEXT + b"TQ==\r\nTQ==", DATA + b"MM"),
    ],
)
def test_padding_inside_base64(text: bytes, data: bytes) -> None:
    """Base64 continues after padding, as in mail programs; the hashes are those of all of it."""
    mail = check(FILE + text)
    assert [file.content for file in mail.attachments] == [data]
    assert mail.defects == ["base64_padding"]


def test_padding_inside_large_base64() -> None:
    """The same where content comes in pieces."""
    data = DATA * 1_000
    text = base64.encodebytes(data).replace(b"\n", b"\r\n")
    mail = check(FILE + text + text)
    assert [file.content for file in mail.attachments] == [data * 2]
    assert mail.defects == ["base64_padding"]


def test_each_group_of_base64_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many groups with padding between them, in pieces of any size, are the content of each group in turn;
    a digit that is left over stands for nothing.
    """
    monkeypatch.setattr(transfer_encoding, "CHUNK_BYTES", 16)
    made = random.Random(7)
    for _ in range(300):
        groups = ["".join(made.choices("ABab09+/", k=made.randrange(1, 30))) for _ in range(9)]
        text = "=\r\n".join(groups).encode() + b"="
        usable = [group[:-1] if len(group) % 4 == 1 else group for group in groups]
        data = b"".join(base64.b64decode(group + "=" * (-len(group) % 4)) for group in usable)
        assert [file.content for file in check(FILE + text).attachments] == [data]


@pytest.mark.parametrize(
    ("delimiter", "is_one"),
    [
        (b"\n--BB\r\n", True),
        (b"\n--BB", False),
        (b"\n--BB \t\r\n", True),
        (b"\n--BB words\r\n", True),
        (b"\n--BBwords\r\n", False),
        (b"\n--BB--words\r\n", False),
        (b"\n--BB\0\r\n", True),
        (b"\n--BB\rx\r\n", True),
        (b"\r--BB\r\n", True),
        (b"\r--BB\r--BB\n", True),
        (b"x--BB\r\n", False),
    ],
)
def test_delimiters_of_large_multiparts_are_those_of_small_ones(delimiter: bytes, is_one: bool) -> None:
    """Whatever the size of a multipart, the same lines divide it, however often nearly one stands there."""
    for size in (0, 100_000):
        nearly = b"--BBB\r\n--B\r\n" * (size // 12)
        parts = b"\r\n--BB\r\n\r\none" + delimiter + FILE + TEXT + b"\r\n--BB--\r\n"
        found = [file.content for file in check(MULTIPART + nearly + parts).attachments if not file.reading]
        assert found == [DATA] * is_one


def test_words_after_padding_are_a_footer() -> None:
    """Lines of several words after the end of Base64 are text that was added, and a defect."""
    mail = check(FILE + b"QUJDRA==\r\nfooter without a sign\r\n")
    assert [file.content for file in mail.attachments] == [b"ABCD"]
    assert mail.defects == ["base64_trailing_text"]


@pytest.mark.parametrize("kind", [b"message/x-foo", b"message/external-body; access-type=URL; URL=x"])
def test_unknown_kinds_of_message(kind: bytes) -> None:
    """A message that cannot be shown is offered (RFC 2046, section 5.2.4); so is what is in it."""
    part = b"Content-Type: " + kind + b"\r\n\r\nContent-Type: a/b\r\n\r\nx"
    file, inner = check(mixed(b"\r\ntext", part)).attachments
    assert (file.part, file.content_type) == ("2", kind.partition(b";")[0].decode())
    assert (inner.part, inner.content_type, inner.content, inner.reading) == (
        "2#1", "a/b", b"x", "content_type"
    )  # fmt: skip
    assert file.content == b"Content-Type: a/b\r\n\r\nx"


@pytest.mark.parametrize("delimiter", [b"--BB junk\r\n", b"--BB\r", b"\r--BB\r", b"--BB \tjunk--\r\n"])
def test_delimiter_lines_that_are_malformed(delimiter: bytes) -> None:
    """A delimiter with junk behind it, or between bare CRs, still separates parts."""
    raw = MULTIPART + b"--BB\r\n\r\ntext\r\n" + delimiter + FILE + TEXT + b"\r\n--BB--\r\n"
    mail = check(raw)
    assert [file.content for file in mail.attachments] == [DATA]
    assert mail.text is not None
    assert mail.text.rstrip() == "text"
    assert mail.defects == ["boundary_malformed"]


def test_longer_boundary_is_not_a_malformed_one() -> None:
    """A boundary that begins with another one is neither a delimiter of that nor a defect."""
    inner = b"Content-Type: multipart/mixed; boundary=BB1\r\n\r\n--BB1\r\n\r\none\r\n--BB1--\r\n"
    mail = check(mixed(inner, FILE + TEXT))
    assert (mail.text, mail.defects) == ("one", [])
    assert [file.content for file in mail.attachments] == [DATA]


def test_header_fields_between_bare_carriage_returns() -> None:
    """A bare CR before the name of a known field ends the line, as in mail programs."""
    part = (
        b"Content-Type: text/plain\rContent-Disposition: attachment; filename=a.txt\r"
        b"Content-Transfer-Encoding: base64\r\n\r\nQUJD"
    )
    mail = check(mixed(part))
    assert [(file.filename, file.content) for file in mail.attachments] == [("a.txt", b"ABC")]
    assert mail.defects == ["header_bare_cr"]
    mail = check(b"Subject: a\rb: c\rd\r\n\r\n")
    assert (mail.subject, mail.defects) == ("a\rb: c\rd", [])


@pytest.mark.parametrize(
    ("first", "second", "content", "reading"),
    [
        (
            b"Content-Disposition: inline",
            b"Content-Disposition: attachment; filename=a.txt",
            b"QUJD",
            "filename",
        ),
        (
            b"Content-Transfer-Encoding: 7bit",
            b"Content-Transfer-Encoding: base64",
            b"ABC",
            "transfer_encoding",
        ),
        (b"Content-Type: text/plain", b"Content-Type: application/pdf", b"QUJD", "content_type"),
    ],
)
def test_field_of_a_part_that_occurs_twice(first: bytes, second: bytes, content: bytes, reading: str) -> None:
    """Mail programs take one or the other: both are there, and a defect says so."""
    mail = check(mixed(first + b"\r\n" + second + b"\r\n\r\nQUJD"))
    assert mail.defects == ["duplicate_header", "other_reading"]
    assert [(file.content, file.reading) for file in mail.attachments] == [(content, reading)]
    inside = b"Content-Type: message/rfc822\r\n\r\n" + first + b"\r\n" + second + b"\r\n\r\nQUJD"
    assert check(mixed(inside)).defects == ["duplicate_header", "other_reading"]


def test_two_boundary_parameters() -> None:
    """Which of two parameters with one name counts differs between mail programs: a defect says so."""
    raw = (
        MULTIPART.replace(b"boundary=BB", b"boundary=AA; boundary=BB") + b"--BB\r\n" + FILE + TEXT + b"--BB--"
    )
    mail = check(raw)
    assert [file.content for file in mail.attachments] == [DATA]
    assert mail.defects == ["parameter_malformed", "boundary_guessed"]
    same = (
        MULTIPART.replace(b"boundary=BB", b"boundary=BB; boundary=BB") + b"--BB\r\n" + FILE + TEXT + b"--BB--"
    )
    assert check(same).defects == []


@pytest.mark.parametrize(
    ("value", "defects"),
    [
        (b"Base64", []),
        (b"base64 (in Base64)", ["encoding_malformed"]),
        (b"(in Base64) base64", ["encoding_malformed"]),
        (b"(a (nested) one) Base64", ["encoding_malformed"]),
        (b"=?us-ascii?q?base64?=", ["encoding_malformed"]),
        (b"=?utf-8?b?YmFzZTY0?=", ["encoding_malformed"]),
        (b'"base64"', ["encoding_malformed"]),
    ],
)
def test_transfer_encoding_with_something_beside_it(value: bytes, defects: list[str]) -> None:
    """A comment is not part of the encoding's name; an encoded word is decoded. Programs differ: a defect."""
    mail = check(FILE.replace(b"base64", value) + TEXT)
    assert [file.content for file in mail.attachments] == [DATA]
    assert mail.defects == defects


@pytest.mark.parametrize("before", [b" " * 1_200, b"\r\n " * 300])
def test_transfer_encoding_behind_many_blanks(before: bytes) -> None:
    """Blanks before the name do not count, however many there are."""
    mail = check(FILE.replace(b" base64", before + b"base64") + TEXT)
    assert [file.content for file in mail.attachments] == [DATA]


@pytest.mark.parametrize("begin", [b"begin 0 a", b"begin 644  a", b"begin  100644\ta", b"begin 888 a"])
def test_begin_lines_of_uuencode(begin: bytes) -> None:
    """Any mode and any blanks begin a block, if uuencoded lines follow."""
    (file,) = check(b"Subject: s\r\n\r\n" + begin + b"\r\n#0V%T\r\n`\r\nend\r\n").attachments
    assert (file.filename, file.content) == ("a", b"Cat")


def test_charset_that_is_named_in_the_charset() -> None:
    """`charset="charset="GB2312""`, as some programs write it."""
    mail = check('Content-Type: text/plain; charset="charset="GB2312""\r\n\r\n中国'.encode("gb2312"))
    assert (mail.text, mail.charset, mail.defects) == ("中国", "gb2312", ["parameter_malformed"])


def test_image_without_a_name_in_a_related() -> None:
    """What HTML shows is hashed, too."""
    html = b"Content-Type: text/html\r\n\r\n<img src=cid:i@x>"
    image = b"Content-Type: image/gif\r\nContent-ID: <i@x>\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD"
    (file,) = check(mixed(html, image).replace(b"mixed", b"related")).attachments
    assert (file.part, file.filename, file.content_id, file.content) == ("2", None, "<i@x>", b"ABC")


@pytest.mark.parametrize(
    "kind", [b"(c) multipart/mixed", b"(c)multipart (d) / (e) mixed", b"multipart/(c)mixed (d)"]
)
def test_comments_in_the_content_type(kind: bytes) -> None:
    """They may stand anywhere (RFC 2045, section 5.1)."""
    raw = mixed(b"Content-Type: text/plain\r\n\r\nx", FILE + TEXT).replace(b"multipart/mixed", kind)
    assert contents(raw) == [DATA]
    assert check(raw).defects == []


@pytest.mark.parametrize(
    "kind",
    [b"text/plain, multipart/mixed", b"multipart/mixed/x", b"multipart/mixed\0", b"<multipart/mixed>",
     b"=?utf-8?q?multipart/mixed?=", b'"multipart/mixed"', b";multipart/mixed", b"multipart/mixed x"],
)  # fmt: skip
def test_doubtful_content_types_are_marked(kind: bytes) -> None:
    """Programs differ in what they take for the type: the attachment is there, or the defect is."""
    raw = mixed(b"Content-Type: text/plain\r\n\r\nx", FILE + TEXT).replace(b"multipart/mixed", kind, 1)
    assert "content_type_malformed" in check(raw).defects


def test_disposition_without_a_word() -> None:
    """A file name alone makes an attachment."""
    part = b"Content-Transfer-Encoding: base64\r\nContent-Disposition: filename=a.exe\r\n\r\n"
    mail = check(mixed(part + TEXT))
    assert [(file.filename, file.disposition, file.content) for file in mail.attachments] == [
        ("a.exe", None, DATA)
    ]
    assert "parameter_malformed" in mail.defects
    usual = mixed(part.replace(b"filename", b"inline (a=b); filename") + TEXT)
    assert "parameter_malformed" not in check(usual).defects
