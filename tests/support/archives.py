"""Archives made by hand, as attackers make them, and mails that carry them."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import tarfile
import zipfile
import zlib

from zeekpop3.inside import parse
from zeekpop3.message import Mail
from zeekpop3.message.files import Member

EXE = b"MZ\x90\0 not really a program" * 50


def mail_with(content: bytes, name: str = "a.bin") -> bytes:
    """A mail with one attachment, its section is 2."""
    return (
        b"From: a@a.example\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nSee there.\r\n"
        b'--b\r\nContent-Type: application/octet-stream; name="' + name.encode() + b'"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content) + b"--b--\r\n"
    )


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file as zipfile makes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, method)
    return out.getvalue()


def tarred(
    files: dict[str, bytes], form: int = tarfile.PAX_FORMAT, headers: dict[str, str] | None = None
) -> bytes:
    """A tar archive as tarfile makes it; `headers`: pax records of each file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.pax_headers = headers or {}
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def deflated(content: bytes) -> bytes:
    """Raw deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def local(
    name: bytes, packed: bytes, content: bytes, method: int = 8, flags: int = 0, extra: bytes = b""
) -> bytes:
    """A header and the entry behind it; with flag 8 without sizes."""
    sizes = (zlib.crc32(content), len(packed), len(content)) if not flags & 8 else (0, 0, 0)
    head = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, flags, method, 0, 0, *sizes, len(name), len(extra))
    return head + name + extra + packed


def central(
    name: bytes, packed: int, content: bytes, offset: int, method: int = 8, flags: int = 0, extra: bytes = b""
) -> bytes:
    """An entry of the directory."""
    head = struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, flags, method, 0, 0, zlib.crc32(content), packed,
        len(content),
        len(name), len(extra), 0, 0, 0, 0, offset,
    )  # fmt: skip
    return head + name + extra


def end(directory: bytes, offset: int, count: int = 1, comment: bytes = b"") -> bytes:
    """The directory and its end."""
    tail = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), offset, len(comment))
    return directory + tail + comment


def compound(streams: dict[str, bytes]) -> bytes:
    """A compound file; streams have 4,096 bytes or more; one with a slash in its name is in a storage."""
    sector = 512
    names = list(streams)
    storages = sorted({name.partition("/")[0] for name in names if "/" in name})
    entries = ["Root Entry", *storages, *names]
    directory_sectors = -(-len(entries) * 128 // sector)
    chains, contents, at = [], b"", 1 + directory_sectors
    for name in names:
        content = streams[name].ljust(4_096, b"\0")
        count = -(-len(content) // sector)
        chains.append((at, count))
        contents += content.ljust(count * sector, b"\0")
        at += count
    fat = [0xFFFFFFFD] + [0xFFFFFFFF] * 127
    assert at <= 128, "too large for one sector of FAT"
    for begin, count in [(1, directory_sectors), *chains]:
        for number in range(begin, begin + count):
            fat[number] = number + 1 if number < begin + count - 1 else 0xFFFFFFFE
    directory = b""
    for number, name in enumerate(entries):
        kind = 5 if number == 0 else 1 if name in storages else 2
        inner = [place for place, each in enumerate(entries) if each.startswith(f"{name}/")]
        top = [place for place, each in enumerate(entries) if place and "/" not in each]
        siblings = inner if "/" in name else top
        if "/" in name:
            siblings = [
                place
                for place, each in enumerate(entries)
                if each.partition("/")[0] == name.partition("/")[0] and "/" in each
            ]
        right = next((place for place in siblings if place > number), 0xFFFFFFFF) if number else 0xFFFFFFFF
        child = (
            (top[0] if top else 0xFFFFFFFF)
            if number == 0
            else inner[0]
            if inner and kind == 1
            else 0xFFFFFFFF
        )
        start, size = (0xFFFFFFFE, 0)
        if kind == 2:
            start, size = chains[names.index(name)][0], len(streams[name].ljust(4_096, b"\0"))
        text = name.rpartition("/")[2].encode("utf-16-le")
        directory += struct.pack(
            "<64sHBBIII16sIQQIQ",
            text,
            len(text) + 2,
            kind,
            1,
            0xFFFFFFFF,
            right,
            child,
            b"",
            0,
            0,
            0,
            start,
            size,
        )
    head = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, 1,
        1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0,
    )  # fmt: skip
    head = head.ljust(512, b"\xff")
    return head + struct.pack("<128I", *fat) + directory.ljust(directory_sectors * sector, b"\0") + contents


def look(content: bytes, name: str = "a.bin") -> tuple[str | None, list[Member], Mail]:
    """What is inside an attachment, its members, the mail."""
    mail = parse(mail_with(content, name))
    (attachment,) = mail.attachments
    assert all(member.part == attachment.part for member in mail.members)
    assert len({member.path for member in mail.members}) == len(mail.members)
    return attachment.inside, mail.members, mail


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
