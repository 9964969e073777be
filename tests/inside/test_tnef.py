"""winmail.dat (TNEF): its names and files, in linear time whatever it contains."""

from __future__ import annotations

import base64
import struct

import pytest

from support.invariants import check

HEAD = b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
SIGNATURE = b"\x78\x9f\x3e\x22\x01\x00"
REND_DATA, TITLE, DATA, PROPERTIES, CODE_PAGE = 0x69002, 0x18010, 0x6800F, 0x69005, 0x69007
NEW_FILE_DATA = b"\x01\x00" + b"\xff" * 4 + b"\x00" * 8


def attribute(ident: int, data: bytes, level: int = 2) -> bytes:
    return struct.pack("<BII", level, ident, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


NEW_FILE = attribute(REND_DATA, NEW_FILE_DATA)


def properties(*items: bytes) -> bytes:
    return attribute(PROPERTIES, struct.pack("<I", len(items)) + b"".join(items))


def text(ident: int, value: str) -> bytes:
    data = value.encode("utf-16-le") + b"\0\0"
    return struct.pack("<HHII", 0x1F, ident, 1, len(data)) + data + b"\0" * (-len(data) % 4)


def binary(ident: int, data: bytes, kind: int = 0x102) -> bytes:
    return struct.pack("<HHII", kind, ident, 1, len(data)) + data + b"\0" * (-len(data) % 4)


def files(*attributes: bytes) -> list[tuple[str | None, bytes | None]]:
    mail = check(HEAD + base64.encodebytes(SIGNATURE + b"".join(attributes)))
    assert mail.defects == []
    return [(file.filename, file.content) for file in mail.attachments[1:]]


def test_names_and_files() -> None:
    """Each file has its short name, or its long one if there is one."""
    assert files(
        attribute(0x89006, b"\0\0\1\0", 1),
        NEW_FILE, attribute(TITLE, b"A.TXT\0"), attribute(DATA, b"hello"),
        NEW_FILE, attribute(TITLE, b"LONG~1.TXT\0"), attribute(DATA, b"world"),
        properties(text(0x3707, "long näme.txt")),
    ) == [("A.TXT", b"hello"), ("long näme.txt", b"world")]  # fmt: skip


def test_properties_of_every_kind_are_walked_over() -> None:
    """Fixed, variable, multiple and named properties before the name; content in a property."""
    before = (
        struct.pack("<HHi", 3, 0x3705, 1),
        struct.pack("<HHhh", 11, 0x7FFE, 1, 0),
        struct.pack("<HHq", 64, 0x3007, 5),
        struct.pack("<HH16s", 72, 0x1234, b"g" * 16),
        struct.pack("<HH16sIi", 3, 0x8001, b"g" * 16, 0, 7) + struct.pack("<i", 1),
        struct.pack("<HH16sII4s", 3, 0x8002, b"g" * 16, 1, 4, "ab".encode("utf-16-le"))
        + struct.pack("<i", 1),
        struct.pack("<HHIiii", 0x1003, 0x1235, 3, 1, 2, 3),
        struct.pack("<HHI", 0x101E, 0x1236, 2) + (struct.pack("<I", 2) + b"x\0\0\0") * 2,
    )
    assert files(NEW_FILE, properties(*before, text(0x3707, "b.bin"), binary(0x3701, b"12345"))) == [
        ("b.bin", b"12345")
    ]


def test_names_in_the_code_page_of_the_container() -> None:
    """Eight-bit names are in the code page that the container declares."""
    code_page = attribute(CODE_PAGE, struct.pack("<II", 1251, 0), 1)
    name = "Мир.txt".encode("cp1251") + b"\0"
    assert files(code_page, NEW_FILE, attribute(TITLE, name), attribute(DATA, b"x")) == [("Мир.txt", b"x")]


A_FILE = NEW_FILE + attribute(TITLE, b"A\0") + attribute(DATA, b"x")


def test_texts_that_outlook_shows() -> None:
    """Plain text, HTML and compressed RTF (the examples of [MS-OXRTFCP], section 3.1) follow the files."""
    rtf = bytes.fromhex(
        "2d000000 2b000000 4c5a4675 f1c5c7a7 03000a00 72637067 31323542 320af320 68656c09 00206277"
        "05b06c64 7d0a800f a0".replace(" ", "")
    )
    repeated = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    body = attribute(0x2800C, b"plain http://a.example/1\0", 1)
    html = b"<a href='http://a.example/2'>"
    message = struct.pack("<I", 4) + binary(0x1013, html) + binary(0x1009, rtf)
    message += text(0x1000, "wide") + binary(0x1009, repeated)
    container = body + attribute(0x69003, message, 1) + A_FILE
    assert files(container) == [
        ("A", b"x"),
        (None, b"plain http://a.example/1"),
        (None, html),
        (None, b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"),
        (None, b"wide"),
        (None, b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"),
    ]
    mail = check(HEAD + base64.encodebytes(SIGNATURE + container))
    assert [link.url for link in mail.links] == ["http://a.example/1", "http://a.example/2"]


@pytest.mark.parametrize(
    "message",
    [
        b"\1\0\0\0\xff\xff\0\x10",
        struct.pack("<I", 1) + binary(0x1009, b"\0" * 8 + b"LZFu\0\0\0\0\1\xff\xf0"),
        struct.pack("<I", 1) + binary(0x1009, b"something else"),
    ],
)
def test_broken_texts_have_a_defect(message: bytes) -> None:
    """The files are there all the same."""
    container = SIGNATURE + attribute(0x69003, message, 1) + A_FILE
    mail = check(HEAD + base64.encodebytes(container))
    assert [file.filename for file in mail.attachments[1:]] == ["A"]
    assert mail.defects == ["attachment_unpack_failed"]


def test_message_inside_gives_its_files() -> None:
    """An embedded message is a container itself: it is a file, and its files follow."""
    inner = SIGNATURE + NEW_FILE + attribute(TITLE, b"in.txt\0") + attribute(DATA, b"inner")
    embedded = properties(text(0x3001, "Subject"), binary(0x3701, b"g" * 16 + inner, 0x0D))
    assert files(NEW_FILE, embedded, NEW_FILE, attribute(TITLE, b"b\0"), attribute(DATA, b"x")) == [
        ("Subject", inner),
        ("b", b"x"),
        ("in.txt", b"inner"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"not TNEF",
        SIGNATURE + NEW_FILE + attribute(TITLE, b"a\0") + attribute(DATA, b"x" * 100)[:50],
        SIGNATURE + NEW_FILE + attribute(PROPERTIES, b"\xff\xff\xff\xff" + b"\0" * 9),
        SIGNATURE + NEW_FILE + attribute(PROPERTIES, struct.pack("<IHHI", 1, 0x101E, 0x1234, 0xFFFFFFFF)),
        SIGNATURE + NEW_FILE + attribute(PROPERTIES, struct.pack("<IHHII", 1, 0x1E, 0x3707, 1, 0xFFFFFFFF)),
        SIGNATURE + NEW_FILE + attribute(PROPERTIES, struct.pack("<IHHI", 1, 0x7777, 0x3707, 1)),
    ],
)
def test_broken_container(data: bytes) -> None:
    """Lengths and counts that do not fit end the walk: a defect, and the files before them are kept."""
    mail = check(HEAD + base64.encodebytes(data))
    assert mail.defects == ["attachment_unpack_failed"]
    assert mail.attachments[0].content == data


def test_files_before_the_broken_place_are_kept() -> None:
    """A container that was cut off gives the files that are complete."""
    data = SIGNATURE + NEW_FILE + attribute(TITLE, b"a\0") + attribute(DATA, b"one") + NEW_FILE[:-5]
    mail = check(HEAD + base64.encodebytes(data))
    assert [(file.filename, file.content) for file in mail.attachments[1:]] == [("a", b"one")]
    assert mail.defects == ["attachment_unpack_failed"]


@pytest.mark.parametrize("kind", ["application/octet-stream; name=a.bin", "image/jpeg", "application/x-tnef"])
def test_container_of_another_type(kind: str) -> None:
    """Its first bytes say what it is."""
    content = SIGNATURE + NEW_FILE + attribute(TITLE, b"A.TXT\0") + attribute(DATA, b"hello")
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    mail = check(head + base64.encodebytes(content))
    assert [(file.filename, file.content) for file in mail.attachments[1:]] == [("A.TXT", b"hello")]
