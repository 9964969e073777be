"""Parts, bodies, attachments and URLs: what a mail program would show and offer to save."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

import pytest

from support.invariants import check
from zeekpop3.inside import attachments


def entity(kind: str, content: str, *fields: str) -> str:
    return "\r\n".join([f"Content-Type: {kind}", *fields, "", content])


def multipart(kind: str, boundary: str, *parts: str) -> str:
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return entity(f'multipart/{kind}; boundary="{boundary}"', f"{body}--{boundary}--\r\n")


ALTERNATIVE = multipart(
    "alternative", "inner", entity("text/plain", "plain"), entity("text/html", "<b>html</b>")
)
FILE = entity(
    'application/pdf; name="a.pdf"', base64.b64encode(b"%PDF-1.4").decode(),
    "Content-Transfer-Encoding: base64",
    'Content-Disposition: attachment; filename="a.pdf"',
)  # fmt: skip


def test_alternative_in_mixed() -> None:
    """Text and HTML come from the alternative; the file is an attachment with its number as in IMAP."""
    mail = check(multipart("mixed", "outer", ALTERNATIVE, FILE).encode())
    assert (mail.text, mail.html) == ("plain", "<b>html</b>")
    (file,) = mail.attachments
    assert (file.part, file.filename, file.content_type, file.size) == ("2", "a.pdf", "application/pdf", 8)
    assert file.content == b"%PDF-1.4"
    assert file.sha256 == hashlib.sha256(b"%PDF-1.4").hexdigest()
    assert file.md5 == hashlib.md5(b"%PDF-1.4").hexdigest()
    assert file.sha1 == hashlib.sha1(b"%PDF-1.4").hexdigest()


def test_outer_boundary_wins() -> None:
    """An inner multipart that is never closed ends where the outer one goes on; prefixes are no
    delimiters.
    """
    raw = (
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        'Content-Type: multipart/mixed; boundary="b1"\r\n\r\n'
        "--b1\r\n\r\none\r\n--b\r\nContent-Type: a/b; name=x\r\n\r\ntwo\r\n--b--\r\n"
    )
    mail = check(raw.encode())
    assert (mail.text, [file.content for file in mail.attachments]) == ("one", [b"two"])


@pytest.mark.parametrize("hyphens", [0, 10, 10_000])
def test_boundary_after_much_text(hyphens: int) -> None:
    """A delimiter is found after a long part, whatever hyphens and lookalikes stand before it."""
    text = "x" * 20_000 + "-\r\n--\r\n--bo\r\n-" * hyphens + "x" * 20_000
    raw = multipart("mixed", "bound", entity("text/plain", text), entity("a/b; name=x", "--boun-"))
    mail = check(raw.encode())
    assert mail.text == text.replace("\r\n", "\n")
    assert [file.content for file in mail.attachments] == [b"--boun-"]


def test_related_shows_its_root() -> None:
    """The root of a multipart/related is shown; its images are attachments, with a name or without."""
    image = entity("image/png; name=a.png", "x", "Content-ID: <i@x>")
    mail = check(
        multipart("related", "r", entity("text/html", "<i>"), image, entity("image/gif", "y")).encode()
    )
    assert (mail.text, mail.html, [file.filename for file in mail.attachments]) == (
        None,
        "<i>",
        ["a.png", None],
    )


def test_message_inside() -> None:
    """A message inside is an attachment as such, its attachments follow; its text is not the mail's text."""
    inner = "Subject: inner\r\n" + multipart("mixed", "x", entity("text/plain", "inner text"), FILE)
    mail = check(
        multipart("mixed", "o", entity("text/plain", "outer"), entity("message/rfc822", inner)).encode()
    )
    assert mail.text == "outer"
    assert [(file.part, file.content_type) for file in mail.attachments] == [
        ("2", "message/rfc822"),
        ("2.2", "application/pdf"),
    ]


def test_text_of_a_message_inside_where_there_is_no_other() -> None:
    """A mail that is nothing but a message inside shows that one's text."""
    assert check(entity("message/rfc822", "Subject: i\r\n\r\ninner").encode()).text == "inner"


@pytest.mark.parametrize(
    ("kind", "encoding", "content", "text"),
    [
        ("text/plain; charset=utf-8", "quoted-printable", b"caf=C3=A9 =\r\nau lait=\t\r\n!", "café au lait!"),
        ("text/plain; charset=utf-8", "BASE64", b"Y2Fm\r\nw6k=", "café"),
        ("text/plain; charset=iso-8859-1", "8bit", b"it\x92s \xa4", "it’s ¤"),
        ("text/plain; charset=utf-8", "", b"caf\xe9", "café"),
        ("text/plain; charset=us-ascii", "7bit", "café".encode(), "café"),
        ("text/plain", "", "Съешь же ещё этих мягких французских булок".encode("koi8-r"),
         "Съешь же ещё этих мягких французских булок"),
        ("text/plain; charset=utf-8; format=flowed", "", b"one \r\ntwo\r\n>a \r\n>b\r\n-- \r\nme",
         "one two\n>a b\n-- \nme"),
        ("text/plain; format=flowed", "", b"> a \r\n>  \r\n>> b\r\n>\r\n> c\r\n", "> a  \n>> b\n>\n> c\n"),
        ("text/plain; charset=utf-8; format=flowed", "", b"Hello zhangsan\r\n\r\n", "Hello zhangsan\n\n"),
        ("text/plain; format=flowed", "", b"a \r\nb\r\n\r\n", "a b\n\n"),
        ("text/plain; format=flowed", "", b"a \r\nb", "a b"),
        ("text/plain; format=flowed", "", b"a \r\n", "a \n"),
        ("text/plain; format=flowed", "", b"a ", "a "),
        ("text/plain; format=flowed", "", b" From a\r\n >b\r\n>c\r\n", "From a\n>b\n>c\n"),
        ("text/plain; format=flowed; delsp=yes", "", b"on \r\ne\r\n  x", "one\n x"),
        ("TEXT/PLAIN; CHARSET='utf-8'", "x-unknown", "ä".encode(), "ä"),
        ("text/plain", "base64", b"this is no Base64\r\n", "this is no Base64\n"),
        ("text/plain", "x-uuencode", b"begin 644 a\r\n#0V%T\r\n`\r\nend\r\n", "Cat"),
        ("text/plain; charset=iso-2022-jp", "7bit", b"\x1b$BF|K\\\x1b(B", "日本"),
    ],
)  # fmt: skip
def test_text(kind: str, encoding: str, content: bytes, text: str) -> None:
    """Transfer encodings and charsets, right, lying and missing; lines end with LF."""
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    assert check(head + content).text == text


def test_charset_of_html_from_its_meta() -> None:
    """Without a label an HTML body says its charset itself."""
    raw = b'Content-Type: text/html\r\n\r\n<meta charset="windows-1251">\xcc\xe8\xf0'
    assert check(raw).html == '<meta charset="windows-1251">Мир'


@pytest.mark.parametrize(
    ("disposition", "raw_name", "name"),
    [
        ('filename="a b.pdf"', "a b.pdf", "a b.pdf"),
        ("filename=a b.pdf", "a b.pdf", "a b.pdf"),
        ("filename*=utf-8''%e2%82%ac.pdf", "€.pdf", "€.pdf"),
        ("filename*0*=utf-8''%e2; filename*1*=%82%ac; filename*2=.pdf", "€.pdf", "€.pdf"),
        ("filename*1=b.pdf; filename*0=a", "ab.pdf", "ab.pdf"),
        ('filename="=?utf-8?q?=E2=82=AC?=.pdf"', "€.pdf", "€.pdf"),
        ('filename="../../etc/passwd"', "../../etc/passwd", "passwd"),
        ('filename="C:\\\\dir\\\\a.exe"', "C:\\dir\\a.exe", "a.exe"),
        ("filename*=utf-8''ann%E2%80%AEfdp.exe", "ann\u202efdp.exe", "annfdp.exe"),
        ('filename="a\x01b.txt"', "a\x01b.txt", "ab.txt"),
        ("filename*=klingon''%e4.txt", "ä.txt", "ä.txt"),
    ],
)
def test_file_names(disposition: str, raw_name: str, name: str) -> None:
    """Names decoded (RFC 2231, RFC 2047 where it may not be); for display without path, controls and bidi
    overrides.
    """
    (file,) = check(f"Content-Disposition: attachment; {disposition}\r\n\r\nx".encode()).attachments
    assert (file.filename_raw, file.filename) == (raw_name, name)


@pytest.mark.parametrize(
    ("content", "data"),
    [
        (b"QUJD\r\nREVG", b"ABCDEF"),
        (b"QUJDRA==", b"ABCD"),
        (b"QUJDRA", b"ABCD"),
        (b"QUJDR", b"ABC"),
        (b" QUJD \t\r\n\r\n REVG", b"ABCDEF"),
        (b"QUJD\r\nREVG\r\n--\r\na list's footer!\r\n", b"ABCDEF"),
        (b"QUJDRA==\r\nfooter without a sign\r\n", b"ABCD"),
        (b"", b""),
        (b"!!!!", b""),
    ],
)
def test_base64_broken_anywhere(content: bytes, data: bytes) -> None:
    """Base64 is decoded up to its end; what follows is not."""
    head = b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert check(head + content).attachments[0].content == data


def test_large_base64_in_pieces_is_the_whole() -> None:
    """Content of more than one piece, in lines of any length, is hashed and kept whole."""
    data = bytes(range(256)) * 3_000
    for line in (76, 75, 4, 1_000_000):
        text = base64.b64encode(data)
        lines = b"\r\n".join(text[i : i + line] for i in range(0, len(text), line))
        head = b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        (file,) = check(head + lines).attachments
        assert (file.content == data, file.sha256) == (True, hashlib.sha256(data).hexdigest())


def test_uuencoded_file_in_text() -> None:
    """A uuencoded block in a text is an attachment; the text keeps it."""
    mail = check(b"Subject: s\r\n\r\nsee:\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nbegin 1 fine day\r\n")
    (file,) = mail.attachments
    assert (file.part, file.filename, file.content) == ("1#1", "cat.txt", b"Cat")
    assert mail.text is not None
    assert "begin 644" in mail.text


@pytest.mark.parametrize("between", [b"", b"\r\n"])
def test_large_uuencoded_file_is_whole(between: bytes) -> None:
    """Content of more than one piece, blank lines between its lines or none, as a part and in text."""
    data = bytes(range(256)) * 1_100
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]).rstrip(b"\n") + b"\r\n" + between
                     for at in range(0, len(data), 45))  # fmt: skip
    block = b"begin 644 a.bin\r\n" + lines + b"`\r\nend\r\n"
    part = b"Content-Type: a/b; name=a.bin\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n"
    for raw in (part + block, b"Subject: s\r\n\r\nsee there\r\n" + block):
        (file,) = check(raw).attachments
        assert (file.filename, file.size) == ("a.bin", len(data))
        assert file.content == data


def test_urls() -> None:
    """From the text, then from HTML attributes; each once, in order; defanged ones are left alone."""
    text = "see http://a.example/x?y=1, (https://b.example/p(q)) hxxp://c.example [http://a.example/x?y=1] <ftp://d.example>."
    html = (
        '<a href="https://e.example/?a=1&amp;b=2">x</a><IMG SRC = http://f.example/i.gif>'
        "<form action='//g.example/'>"
        '<a href="#top"><img src="cid:x"><a href="http://a.example/x?y=1"><a title="http://no.example">'
    )
    mail = check(
        multipart("alternative", "m", entity("text/plain", text), entity("text/html", html)).encode()
    )
    assert mail.urls == [
        "http://a.example/x?y=1", "https://b.example/p(q)", "ftp://d.example", "https://e.example/?a=1&b=2",
        "http://f.example/i.gif", "//g.example/",
    ]  # fmt: skip


def test_type_is_detected() -> None:
    """The first bytes show what a file is (with the extra `detect`), whatever is declared."""
    pytest.importorskip("filetype")
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 30
    head = b"Content-Type: text/plain; name=a.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert check(head + base64.encodebytes(png)).attachments[0].mime_type == "image/png"


def test_content_only_on_request() -> None:
    """Decoded bytes are not kept unless asked for."""
    from zeekpop3.inside import parse

    assert parse(FILE.encode()).attachments[0].content is None


def test_text_that_lost_a_byte_goes_on_after_it() -> None:
    """Of the sets that go by one label the one is taken that finds its way back."""
    content = "直接".encode("gb2312") + b"\xd5! " + "找到您的源客户的".encode("gb2312")
    mail = check(b"Content-Type: text/plain; charset=gb2312\r\n\r\n" + content)
    assert mail.text is not None
    assert mail.text.endswith("找到您的源客户的")
    assert "charset_broken" in mail.defects


def test_part_of_a_mail_is_offered() -> None:
    """A fragment (RFC 2046, section 5.2.2) that cannot be shown is an attachment."""
    mail = check(b'Content-Type: message/partial; id="a@b"; number=2; total=3\r\n\r\nmore of it')
    (file,) = mail.attachments
    assert (file.part, file.content_type, file.content) == ("1", "message/partial", b"more of it")


def test_unpacked_files_that_are_left_out_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound on what is unpacked is a defect, too, and only where it was met."""
    monkeypatch.setattr(attachments, "MAX_FILES", 2)
    block = b"begin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n"
    two = check(b"Subject: s\r\n\r\n" + block * 2)
    assert (len(two.attachments), two.defects) == (2, [])
    three = check(b"Subject: s\r\n\r\n" + block * 3)
    assert (len(three.attachments), three.defects) == (2, ["attachments_cut"])


def test_first_piece_of_a_mail_is_read_inside() -> None:
    """The first fragment (RFC 2046, section 5.2.2) is a message inside that breaks off; it is offered as it
    stands, and so are the attachments in it.
    """
    inside = (
        b"From: a@b\r\nSubject: whole\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nsee there\r\n"
        b"--b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
    )
    outside = b'Subject: piece\r\nContent-Type: message/partial; id="a@b"; number=%d; total=2\r\n\r\n'
    mail = check(outside % 1 + inside)
    assert (mail.subject, mail.text, mail.defects) == ("piece", "see there", ["truncated"])
    piece, image = mail.attachments
    assert (piece.part, piece.content_type, piece.content) == ("1", "message/partial", inside)
    assert (image.part, image.filename, image.content) == ("1.2", "a.png", b"\0\0\0")
    mail = check(outside % 2 + inside)
    assert (mail.text, [file.part for file in mail.attachments]) == (None, ["1", "1#1", "1#2"])


def test_urls_that_are_cut_are_said() -> None:
    """A URL of thousands of characters is cut; the same link again is not a loss."""
    mail = check(b"Subject: s\r\n\r\nhttp://a.example/" + b"x" * 9_000)
    assert (len(mail.urls[0]), mail.defects) == (8_199, ["urls_cut"])
    link = b'<a href="http://a.example/">'
    assert check(b"Content-Type: text/html\r\n\r\n" + link * 20_000).defects == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("part", ["", "{0}", "{0}{0}", "Subject: s{0}", "Content-Type: message/rfc822{0}{0}"])
def test_parts_of_nothing(part: str, end: str) -> None:
    """A part may end before the blank line that ends its header."""
    part = part.format(end)
    boundary = f"Content-Type: multipart/mixed; boundary=b{end}{end}--b{end}{part}--b--{end}"
    assert not (check(boundary.encode()).text or "").strip()
    assert not (check(f"Content-Type: message/rfc822{end}{end}{part}".encode()).text or "").strip()


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(90))


@pytest.mark.parametrize(
    ("kind", "line", "name"),
    [
        ("text/calendar", b"ATTACH;FMTTYPE=a/b;ENCODING=BASE64;VALUE=BINARY:", None),
        ("text/calendar", b'ATTACH;VALUE=BINARY;ENCODING=BASE64;X-FILENAME="a:b.png":', "a:b.png"),
        ("application/octet-stream; name=a.ics", b"ATTACH;filename=evil.exe;encoding=base64:", "evil.exe"),
        ("text/calendar", b"ATTACH:data:image/png;base64,", None),
        ("text/vcard", b"PHOTO;ENCODING=b;TYPE=PNG:", None),
        ("text/x-vcard", b"PHOTO;PNG;BASE64:", None),
    ],
)
@pytest.mark.parametrize("fold", [b"\r\n ", b"\n\t", b"\n"])
@pytest.mark.parametrize("picture", [PNG, PNG + hashlib.sha512(PNG).digest() * 9], ids=["small", "large"])
def test_files_in_calendars_and_cards(
    kind: str, line: bytes, name: str | None, fold: bytes, picture: bytes
) -> None:
    """A file that is the value of a property is an attachment of its own, once, folded or not."""
    value = fold.join(re.findall(rb".{1,72}", base64.b64encode(picture)))
    body = b"BEGIN:VCALENDAR\r\nSUMMARY:not;encoding=base64\r\n" + line + value + b"\r\nEND:VCALENDAR\r\n"
    mail = check(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    assert [(file.part, file.filename_raw, file.content) for file in mail.attachments[1:]] == [
        ("1#1", name, picture)
    ]
    assert mail.defects == []


def test_base64_beside_a_card() -> None:
    """Lines of Base64 that are the value of no property."""
    card = b"BEGIN:VCARD\r\nPHOTO;ENCODING=b:" + base64.b64encode(PNG) + b"\r\nEND:VCARD\r\n"
    hidden = base64.encodebytes(b"MZ" + hashlib.sha512(PNG).digest() * 9)
    mail = check(b"Content-Type: text/vcard\r\n\r\n" + card + b"\r\n" + hidden)
    assert [file.reading for file in mail.attachments] == [None, None, "transfer_encoding"]


@pytest.mark.parametrize("kind", ["text/html", "text/enriched", "application/octet-stream", "image/gif"])
@pytest.mark.parametrize("encoding", ["7bit", "quoted-printable"])
def test_uuencode_behind_words_of_any_type(kind: str, encoding: str) -> None:
    """Some programs look for uuencoded files whatever the type is."""
    block = b"hello\r\n\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n"
    mail = check(f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + block)
    file = mail.attachments[-1]
    assert (file.filename, file.content, file.reading) == ("cat.txt", b"Cat", "transfer_encoding")
    assert mail.defects == ["other_reading"]


@pytest.mark.parametrize("head", [b"Subject: s\r\n\r\n", b"Content-Type: text/plain\r\n\r\n"])
def test_uuencode_between_bare_carriage_returns(head: bytes) -> None:
    """Some programs take CR for the end of a line."""
    (file,) = check(head + b"hello\r\nbegin 644 cat.txt\r#0V%T\r`\rend\r\nbye\r\n").attachments
    assert (file.filename, file.content) == ("cat.txt", b"Cat")


def test_uuencode_without_a_name() -> None:
    """The lines behind it show what it is."""
    (file,) = check(b"Subject: s\r\n\r\nbegin 644 \r\n#0V%T\r\n`\r\nend\r\n").attachments
    assert (file.filename, file.content) == (None, b"Cat")


def test_something_else_between_begin_and_end() -> None:
    """Some programs offer whatever stands there as a file: here xxencode."""
    mail = check(b"Subject: s\r\n\r\nbegin 644 cat.txt\r\n1Eq3o\r\n+\r\nend\r\n")
    assert mail.defects == ["uuencode_broken"]
    assert check(b"Subject: s\r\n\r\nbegin 1 fine day\r\nof words\r\n").defects == []
