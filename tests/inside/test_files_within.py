"""Files and links that lie in files, as any program finds them: in messages, behind other content, in
streams, under other names; and what is marked because it is not opened or not run.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from binascii import b2a_uu
from collections.abc import Callable

import pytest

from support.archives import EXE, compound, digest, look, mail_with, tarred, zipped
from zeekpop3.inside import parse

# The host of its link and the name of a member: content.
LINKED = {
    "page.example page.HTM": b"<a href=http://page.example/>",
    "shortcut.example go.url": b"[InternetShortcut]\r\nURL=http://shortcut.example/\r\n",
    "text.example read me.txt": b"at http://text.example/",
    "calendar.example meet.ics": b"BEGIN:VCALENDAR\r\nURL:http://calendar.exam\r\n ple/\r\n",
    "mail.example mail.eml": b"Subject: x\r\n\r\nhttp://mail.example/",
    "unnamed.example page": b"<html><a href=http://unnamed.example/>",
    "pdf.example bill.pdf": b"%PDF-1.4\n1 0 obj <</A <</S /URI /URI (http://pdf.example/)>>>>" + b" " * 9_000,
    "junk.example junk.pdf": b"x" * 900
        + b"%PDF-1.4\n1 0 obj <</S /URI /URI (http://junk.example/)>>" + b" " * 9_000,
    "office.example bill.docx": zipped({
        "word/_rels/document.xml.rels":
            b'<Relationship Target="http://office.example/" TargetMode="External" Type="http://no.example/"/>',
        "word/document.xml": b"<w:document xmlns:b='http://no.example/'/>",
    }),
    "nested.example more.zip": zipped({"page.html": b"<a href=http://nested.example/>"}),
}  # fmt: skip


def package(label: str, path: str, content: bytes = EXE, more: int = 0) -> bytes:
    """A stream Ole10Native; `more`: by how much its size is wrong. The names follow in Unicode."""
    out = b"\0" * 4 + b"\2\0" + label.encode() + b"\0" + path.encode() + b"\0" + struct.pack("<HHI", 0, 3, 4)
    out += b"tmp\0" + struct.pack("<I", len(content) + more) + content
    for name in ("t", "wide.exe", "C:\\wide2.exe"):
        out += struct.pack("<I", len(name)) + name.encode("utf-16-le")
    return out


def test_all_names_of_an_embedded_file() -> None:
    """Label, path, and both in Unicode; one of a wrong size is broken, and what is there is hashed."""
    at = "ObjectPool/\x01Ole10Native"
    inside, members, _ = look(compound({at: package("a.jpg", "C:\\x\\a.exe")}), "a.doc")
    names = {each.name for each in members if each.sha256 == digest(EXE)}
    assert (inside, names) == ("listed", {"a.jpg", "a.exe", "wide.exe", "wide2.exe"})
    inside, members, _ = look(compound({at: package("a.exe", "a.exe", more=99_999)}), "a.doc")
    assert (inside, members[-1].name, members[-1].inside) == ("broken", "a.exe", "broken")


def test_files_in_an_outlook_message() -> None:
    """Their names stand in other streams of the same storage."""
    folder = "__attach_version1.0_#00000000/__substg1.0_"
    streams = {f"{folder}3707001F": "a.exe".encode("utf-16-le"), f"{folder}3704001E": b"A~1.EXE"}
    _, members, _ = look(compound({f"{folder}37010102": EXE * 9, **streams}), "a.msg")
    assert {"a.exe", "A~1.EXE"} <= {each.name for each in members if each.sha256 == digest(EXE * 9)}


PASSWORDS = {
    "xls": {"Workbook": struct.pack("<HH4xHH", 0x809, 4, 0x2F, 54)},
    "doc": {"WordDocument": b"\xec\xa5\xc1\0" + bytes(7) + b"\x01"},
    "ppt": {"EncryptedSummary": b"x"},
}


@pytest.mark.parametrize("name", PASSWORDS)
def test_older_documents_with_a_password(name: str) -> None:
    """Their streams are there and cannot be read."""
    streams = {path: content.ljust(5_000, b"\0") for path, content in PASSWORDS[name].items()}
    assert look(compound(streams), f"a.{name}")[0] == "encrypted"
    plain = {path: b"\0" * 5_000 for path in streams if path != "EncryptedSummary"} or {"x": bytes(5_000)}
    assert look(compound(plain), f"a.{name}")[0] == "listed"


def sparse(form: bytes = b"S") -> bytes:
    """A tar archive whose file has holes: what is stored is not its content."""
    archive = bytearray(tarred({"a.exe": EXE}, tarfile.GNU_FORMAT))
    archive[156:157] = form
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\0 " % sum(archive[:512])
    return bytes(archive)


def old_tar() -> bytes:
    """Before POSIX: without a magic."""
    archive = bytearray(tarred({"a.exe": EXE}, tarfile.USTAR_FORMAT))
    archive[257:265] = bytes(8)
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\0 " % sum(archive[:512])
    return bytes(archive)


def named_gzip() -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile("a.exe", "wb", fileobj=out) as file:
        file.write(EXE)
    return out.getvalue()


MAIL = mail_with(EXE, "a.exe")
ZIP = zipped({"a.exe": EXE})
#: name: (file, its name, what is inside)
HIDDEN: dict[str, tuple[bytes, str, str]] = {
    "message in a file": (MAIL, "a.eml", "listed"),
    "message with another name": (MAIL, "a.bin", "listed"),
    "message in an archive": (zipped({"a.eml": MAIL}), "a.zip", "listed"),
    "mbox": (b"From a Mon Jan  1 00:00:00 2026\nSubject: x\n\nFrom b Mon Jan  1 00:00:00 2026\n" + MAIL,
             "m.mbox", "listed"),
    "mht": (b"MIME-Version: 1.0\r\n" + MAIL, "a.doc", "listed"),
    "uuencode": (b"begin 644 a.exe\n" + b"".join(b2a_uu(EXE[at : at + 45]) for at in range(0, len(EXE), 45))
                 + b"`\nend\n", "a.uue", "listed"),
    "name in gzip": (named_gzip(), "photo.jpg.gz", "listed"),
    "tar without magic": (old_tar(), "a.tar", "listed"),
    "tar behind the end of a tar": (tarred({"x": b"x"}) + tarred({"a.exe": EXE}), "a.tar", "listed"),
    "zip behind gzip": (gzip.compress(b"x") + ZIP, "a.gz", "broken"),
    "zip behind tar": (tarred({"x": b"x"}) + ZIP, "a.tar", "listed"),
    "zip behind pdf": (b"%PDF-1.4\n" + ZIP, "a.pdf", "listed"),
    "zip behind rtf": (b"{\\rtf1 x}" + ZIP, "a.rtf", "listed"),
}  # fmt: skip


@pytest.mark.parametrize("case", HIDDEN)
def test_files_that_some_program_finds(case: str) -> None:
    """In messages that are files, behind other content, under another name: name and hash are members."""
    content, name, expected = HIDDEN[case]
    inside, members, _ = look(content, name)
    assert inside == expected
    assert ("a.exe", digest(EXE)) in {(each.name, each.sha256) for each in members}


OPAQUE: dict[str, tuple[bytes, str]] = {
    "unknown": (b"ALZ\1" + bytes(99), "a.alz"),
    "in an archive": (zipped({"a.alz": b"ALZ\1" + bytes(99)}), "a.zip"),
    "setup program": (b"MZ" + bytes(900) + b"7z\xbc\xaf\x27\x1c" + bytes(9), "setup.exe"),
    "sparse file": (sparse(), "a.tar"),
    "PGP": (b"\x85\x01\x0c\x03" + bytes(range(99)), "a.pgp"),
    "compressed CMS": (bytes.fromhex("3080060b2a864886f70d0109100109a080"), "a.p7z"),
    "data: URL": (b"<a download=a.exe href=data:application/octet-stream;base64,TVqQ>", "a.html"),
    "Flat OPC": (b"<?xml version='1.0'?><pkg:binaryData>TVqQ</pkg:binaryData>", "a.xml"),
    "files in a PDF without a keyword": (b"%PDF-1.4 1 0 obj<</F(a.exe)/#45F<</F 4 0 R>>>>", "a.pdf"),
    "files in compressed objects": (
        b"%PDF-1.5 1 0 obj<</Type/ObjStm/Filter/FlateDecode>>stream\n" + zlib.compress(b"<</EF 2 0 R>>"),
        "a.pdf"),
}  # fmt: skip


@pytest.mark.parametrize("case", OPAQUE)
def test_files_that_nobody_opens_here(case: str) -> None:
    """What may hold a file is never without a mark."""
    assert look(*OPAQUE[case])[0] == "unsupported"


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"<html><script>location=atob(name)</script>", "a.html", True),
        (b"<svg onload='f()'/>", "a.svg", True),
        (b"var a = 'ht' + 'tp'", "a.js", True),
        (zipped({"a.vbs": b"x = Chr(104)"}), "a.zip", True),
        (b"%PDF-1.4 <</S/JavaScript/JS(a+b)>>", "a.pdf", True),
        (b"<html>on Monday: script of a play</html>", "a.html", False),
        (b'{"a": 1}', "a.json", False),
        (bytes.fromhex("4c0000000114020000000000c000000000000046") + bytes(60), "a.lnk", True),
    ],
)
def test_scripts(content: bytes, name: str, expected: bool) -> None:
    """A script makes links and files that are written nowhere."""
    assert ("script_not_run" in look(content, name)[2].defects) is expected


def test_packed_again_and_again() -> None:
    """Levels are counted whatever the format is."""
    content = EXE
    for _ in range(400):
        content = gzip.compress(content)
    assert look(content, "a.gz")[0] == "too_large"


def test_text_of_an_outlook_message() -> None:
    """Its compressed RTF is a member of its own, with its links ([MS-OXRTFCP], section 2.2)."""
    text = b'{\\rtf1\\fromhtml1 <html xmlns:o="http://no.example/">{\\*\\htmltag64 <a href="http://msg.example/1">}}'
    packed = b"".join(b"\0" + text[at : at + 8] for at in range(0, len(text), 8))
    stream = struct.pack("<II4sI", len(packed) + 12, len(text), b"LZFu", 0) + packed
    raw = compound({"__substg1.0_10090102": stream, "__nameid": b"n" * 5_000})
    mail = parse(mail_with(raw, "a.msg"))
    hosts = {link.host for link in mail.links}
    assert "msg.example" in hosts
    assert "no.example" not in hosts  # a namespace
    rtf = next(member for member in mail.members if member.path == "__substg1.0_10090102//body.rtf")
    assert (rtf.name, rtf.size) == ("body.rtf", len(text))


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
@pytest.mark.parametrize("case", LINKED)
def test_links_of_members(pack: Callable[[dict[str, bytes]], bytes], case: str) -> None:
    """Pages, shortcuts, texts, calendars, mails and documents: their links are those of the attachment."""
    host, _, name = case.partition(" ")
    mail = look(pack({"program.exe": EXE, name: LINKED[case]}))[2]
    assert [link.host for link in mail.links] == [host]
    assert {(link.attachment, link.origin) for link in mail.links} == {
        (mail.attachments[0].part, "attachment")
    }
    assert not mail.defects
