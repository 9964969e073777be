"""Archives and documents in mails: every file in them, every reading of them, within bounds."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import random
import struct
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from support import tables_made
from support.archives import (
    EXE,
    central,
    compound,
    deflated,
    digest,
    end,
    local,
    look,
    mail_with,
    tarred,
    zipped,
)
from support.records import transfer
from zeekpop3.inside import parse
from zeekpop3.inside.containers import MAX_MEMBERS
from zeekpop3.message.files import Member
from zeekpop3.store.read import read_table


def paths(members: list[Member]) -> dict[str, str | None]:
    """SHA-256 by path."""
    return {member.path: member.sha256 for member in members}


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip(method: int) -> None:
    """Names, sizes, hashes and types by content, with every method of the standard library."""
    inside, members, mail = look(zipped({"docs/Invoice.PDF.exe": EXE, "empty": b"", "dir/": b""}, method))
    assert inside == "listed"
    assert paths(members) == {"docs/Invoice.PDF.exe": digest(EXE), "empty": digest(b"")}
    first = members[0]
    assert (first.name, first.extension, first.size, first.mime_type, first.encrypted, first.inside) == (
        "Invoice.PDF.exe", "exe", len(EXE), "application/x-msdownload", False, None,
    )  # fmt: skip
    assert "container_malformed" not in mail.defects


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar(form: int) -> None:
    """Long names in all forms."""
    long = "d/" * 40 + "e" * 60 + ".exe"
    assert paths(look(tarred({"a.exe": EXE, long: b"x", "last": b""}, form))[1]) == {
        "a.exe": digest(EXE), long: digest(b"x"), "last": digest(b""),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_packed(name: str, pack: Callable[[bytes], bytes]) -> None:
    """One file, several streams of it, and an archive, whose files are one level below the attachment."""
    inside, members, _ = look(pack(EXE), f"program.exe.{name}")
    assert (inside, paths(members)) == ("listed", {"program.exe": digest(EXE)})
    assert paths(look(pack(EXE) + pack(b"more"))[1]) == {"a.bin": digest(EXE + b"more")}
    assert look(pack(EXE)[:-12])[0] == "broken"
    inside, members, _ = look(pack(tarred({"x.zip": zipped({"y.exe": EXE})})), f"all.tar.{name}")
    assert (inside, list(paths(members))) == (
        "listed",
        ["all.tar", "all.tar//x.zip", "all.tar//x.zip//y.exe"],
    )


def test_two_levels() -> None:
    """A zip in a zip is opened, one in that is not, and the mail says so."""
    three = zipped({"b.zip": zipped({"c.zip": zipped({"d.exe": EXE}), "e.txt": b"e"})})
    inside, members, _ = look(three)
    assert (inside, [(each.path, each.inside) for each in members]) == (
        "too_large",
        [("b.zip", "too_large"), ("b.zip//c.zip", "too_large"), ("b.zip//e.txt", None)],
    )


def test_documents() -> None:
    """Macros are members, in the new form and in the old one; an embedded file has its name and hash."""
    macros = compound({"VBA/ThisDocument": b"macro" * 1_000, "PROJECT": b"p" * 5_000})
    docm = zipped(
        {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>" * 99, "word/vbaProject.bin": macros}
    )
    inside, members, _ = look(docm, "offer.docm")
    assert inside == "listed"
    assert {"word/vbaProject.bin", "word/vbaProject.bin//VBA/ThisDocument"} <= set(paths(members))
    package = struct.pack("<IH", 9, 2) + b"evil.exe\0C:\\evil.exe\0" + struct.pack("<HHI", 0, 3, 4) + b"tmp\0"
    package += struct.pack("<I", len(EXE)) + EXE
    old = compound({"WordDocument": b"w" * 5_000, "ObjectPool/\x01Ole10Native": package})
    inside, members, _ = look(old, "offer.doc")
    assert inside == "listed"
    assert paths(members)["ObjectPool/\x01Ole10Native//evil.exe"] == digest(EXE)
    assert look(compound({"EncryptedPackage": b"e" * 5_000}), "a.docx")[0] == "encrypted"
    odf = zipped({"META-INF/manifest.xml": b"<manifest:encryption-data/>", "content.xml": b"\0"})
    assert look(odf, "a.odt")[0] == "encrypted"


UNSUPPORTED = {
    "rar": b"Rar!\x1a\x07\x01\0", "7z": b"7z\xbc\xaf\x27\x1c\0\4", "cab": b"MSCF\0\0\0\0",
    "iso": bytes(32_769) + b"CD001",
    "one": bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3"), "vhdx": b"vhdxfile", "chm": b"ITSF\3\0\0\0",
    "ace": bytes(7) + b"**ACE**", "lzh": b"\0\0-lh5-", "zst": b"\x28\xb5\x2f\xfd",
    "rtf": b"{\\rtf1{\\object\\objdata 0105}",
    "pdf": b"%PDF-1.4 /EmbeddedFile", "zip": zipped({"a": b"b"}).replace(b"\x08\0", b"\x62\0"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_not_opened_but_named(name: str) -> None:
    """By the first bytes, whatever the name says; the type is detected, too."""
    inside, _, mail = look(UNSUPPORTED[name] + b"\0" * 600, "photo.jpg")
    assert inside == "unsupported"
    assert mail.attachments[0].mime_type or name in ("zip", "pdf", "rtf")


def test_nothing_inside_and_types() -> None:
    """Texts, pictures, plain documents; shortcuts and programs have a type."""
    for content in (b"Hello", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4", b"{\\rtf1 hello}", EXE, b""):
        assert look(content)[:2] == (None, [])
    shortcut = bytes.fromhex("4c0000000114020000000000c000000000000046") + b"\0" * 60
    assert look(shortcut)[2].attachments[0].mime_type == "application/x-ms-shortcut"
    assert look(b"[InternetShortcut]\r\nURL=x")[2].attachments[0].mime_type == "application/x-mswinurl"
    assert look(b"-----BEGIN PGP MESSAGE-----\n")[0] == "encrypted"
    assert look(b"%PDF-1.4 trailer << /Encrypt 5 0 R >>")[0] == "encrypted"
    enveloped = bytes.fromhex("3080 0609 2a864886f70d010703 a080".replace(" ", ""))
    assert look(enveloped)[0] == "encrypted"


PACKED = deflated(EXE)
ENTRY = local(b"a.exe", PACKED, EXE)


def directory(name: bytes = b"a.exe", offset: int = 0, at: int = len(ENTRY), **more: int) -> bytes:
    return end(central(name, len(PACKED), EXE, offset, **more), at)


A_EXE = central(b"a.exe", len(PACKED), EXE, 0)
OTHER = EXE[:-1] + b"?"
FAR = 0xFFFFFFFF
#: name: (zip file, what is inside, names and whether they were unpacked, malformed)
ZIPS: dict[str, tuple[bytes, str, dict[str, bool], bool]] = {
    "as usual": (ENTRY + directory(), "listed", {"a.exe": True}, False),
    "a program in front": (EXE + ENTRY + directory(), "listed", {"a.exe": True}, False),
    "the same, offsets adjusted": (
        EXE + ENTRY + directory(offset=len(EXE), at=len(EXE + ENTRY)), "listed", {"a.exe": True}, False
    ),
    "a comment": (ENTRY + directory()[:-2] + b"\x09\0a comment", "listed", {"a.exe": True}, False),
    "text behind": (ENTRY + directory() + b"text behind the end", "listed", {"a.exe": True}, False),
    "a data descriptor": (
        local(b"a.exe", PACKED, EXE, flags=8) + b"PK\7\x08" + bytes(12) + directory(at=len(ENTRY) + 16),
        "listed", {"a.exe": True}, False,
    ),
    "another name in front": (
        local(b"b.txt", PACKED, EXE) + directory(), "listed", {"a.exe": True, "b.txt": True}, True
    ),
    "another method in front": (
        local(b"a.exe", PACKED, EXE, method=0) + directory(), "unsupported", {"a.exe": True, "a.exe#2": True},
        True,
    ),
    "a password in front": (
        local(b"a.exe", PACKED, EXE, flags=1) + directory(), "encrypted",
        {"a.exe": True, "a.exe#2": False}, True,
    ),
    "an entry that is not in the directory": (
        local(b"hidden.exe", PACKED, EXE) + ENTRY + directory(offset=len(ENTRY) + 5, at=2 * len(ENTRY) + 5),
        "listed", {"hidden.exe": True, "a.exe": True}, True,
    ),
    "a beginning": (b"PK\3\4" + bytes(12), "broken", {}, True),
    "no directory": (ENTRY + local(b"b", PACKED, EXE, flags=8), "broken", {"a.exe": True, "b": True}, True),
    "entries that overlap": (
        ENTRY + end(A_EXE + central(b"b.exe", len(PACKED), EXE, 0), len(ENTRY), 2),
        "listed", {"a.exe": True, "b.exe": True, "a.exe#2": True}, True,
    ),
    "an offset beyond the end": (
        ENTRY + directory(offset=99_999), "broken", {"a.exe": False, "a.exe#2": True}, True
    ),
    "a name for Unicode": (
        ENTRY + end(central(b"a.exe", len(PACKED), EXE, 0, extra=b"\x75\x70\x0a\0\x01CRC!b.exe"), len(ENTRY)),
        "listed", {"a.exe": True, "b.exe": True}, False,
    ),
    "a password": (
        local(b"a.exe", PACKED, EXE, flags=1) + directory(flags=1), "encrypted", {"a.exe": False}, False
    ),
    "AES": (
        local(b"a.exe", PACKED, EXE, method=99, flags=1) + directory(method=99, flags=1), "encrypted",
        {"a.exe": False}, False,
    ),
    "an unknown method": (
        local(b"a.exe", PACKED, EXE, method=97) + directory(method=97), "unsupported", {"a.exe": False}, False
    ),
    "a wrong checksum": (
        local(b"a.exe", PACKED, OTHER) + end(central(b"a.exe", len(PACKED), OTHER, 0), len(ENTRY)),
        "listed", {"a.exe": True}, True,
    ),
    "deflate that breaks off": (
        local(b"a.exe", PACKED[:-9], EXE) + end(central(b"a.exe", len(PACKED) - 9, EXE, 0), len(ENTRY) - 9),
        "broken", {"a.exe": False}, False,
    ),
    "a name twice": (
        ENTRY * 2 + end(A_EXE + central(b"a.exe", len(PACKED), EXE, len(ENTRY)), 2 * len(ENTRY), 2),
        "listed", {"a.exe": True, "a.exe#2": True}, False,
    ),
    "ZIP64": (
        ENTRY + b"PK\1\2"
        + struct.pack("<HHHHHHIIIHHHHHII", 45, 45, 0, 8, 0, 0, 0, FAR, FAR, 5, 28, 0, 0, 0, 0, FAR)
        + b"a.exe" + struct.pack("<HHQQQ", 1, 24, len(EXE), len(PACKED), 0)
        + b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 79, len(ENTRY))
        + b"PK\6\7" + struct.pack("<IQI", 0, len(ENTRY) + 79, 1)
        + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, FAR, FAR, 0), "listed", {"a.exe": True}, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ZIPS)
def test_odd_zips(name: str) -> None:
    """Every entry that some program finds is a member; where programs differ the mail has a defect."""
    content, expected, files, malformed = ZIPS[name]
    inside, members, mail = look(content)
    assert (inside, {path: sha256 is not None for path, sha256 in paths(members).items()}) == (
        expected,
        files,
    )
    assert ("container_malformed" in mail.defects) == malformed
    for member in members:
        assert member.sha256 in (None, digest(EXE), digest(PACKED))
        assert member.encrypted == (member.inside == "encrypted")


def test_more_than_anybody_writes_is_told() -> None:
    """Of very many extra fields only the first are read, of records of a tar archive none."""
    fields = struct.pack("<HH", 9, 0)
    for count, malformed in ((60, False), (70, True)):
        entry = local(b"a.exe", PACKED, EXE, extra=fields * count)
        content = entry + end(central(b"a.exe", len(PACKED), EXE, 0), len(entry))
        assert ("container_malformed" in look(content)[2].defects) == malformed
    for count, inside in ((50, "listed"), (150, "broken")):
        headers = {f"a{number}": "b" for number in range(count)}
        assert look(tarred({"a.exe": EXE}, headers=headers))[0] == inside


def test_names_of_all_kinds() -> None:
    """Quoted, absolute, backward, with controls, in code page 437, with NUL; display names are harmless."""
    names = ["../../etc/passwd", 'a"b.exe', "C:\\x\\y.exe", "x\u202egpj.exe", "\x1b[2J", "b\0c.exe", "ü.txt"]
    entries = [local(name.encode(), PACKED, EXE, flags=0x800) for name in names] + [
        local(b"\x81.txt", PACKED, EXE)
    ]
    _, members, _ = look(b"".join(entries))
    assert [member.path for member in members] == [*names, "ü.txt#2"]
    assert [member.name for member in members] == [
        "passwd", 'a"b.exe', "y.exe", "xgpj.exe", "[2J", "bc.exe", "ü.txt", "ü.txt",
    ]  # fmt: skip


def bomb(levels: int, size: int) -> bytes:
    content = bytes(size)
    for _ in range(levels):
        content = zipped({f"{number}.zip": content for number in range(16)})
    return content


def overlapping(count: int, size: int) -> bytes:
    """Entries that all use the same packed bytes."""
    packed = deflated(bytes(size))
    entry = local(b"a", packed, bytes(size))
    return entry + end(central(b"a", len(packed), bytes(size), 0) * count, len(entry), count)


def nothing(size: int) -> bytes:
    """Deflate that unpacks to nothing, with entries that all use it."""
    packed = b"\0\0\0\xff\xff" * (size // 5)
    entry = local(b"a", packed, b"")
    return entry + end(central(b"a", len(packed), b"", 0) * 2_000, len(entry), 2_000)


COMPOUND = compound({"a": b"a" * 5_000})
HOSTILE: dict[str, Callable[[], bytes]] = {
    "a bomb": lambda: bomb(1, 20_000_000),
    "nested bombs": lambda: bomb(3, 1_000_000),
    "overlapping entries": lambda: overlapping(20_000, 1_000_000),
    "deflate of nothing": lambda: nothing(1_000_000),
    "many entries": lambda: zipped({str(number): b"" for number in range(30_000)}),
    "many headers": lambda: local(b"", b"", b"") * 100_000,
    "headers that reach over all": lambda: local(b"a" * 30_000, b"", b"") * 100 + b"PK\3\4" * 500_000,
    "many ends": lambda: b"PK\3\4" + b"PK\5\6" * 2_000_000,
    "many members of gzip": lambda: gzip.compress(b"") * 100_000,
    "a bomb of gzip": lambda: gzip.compress(bytes(200_000_000)),
    "a bomb of bzip2": lambda: bz2.compress(bytes(50_000_000)),
    "a bomb of xz": lambda: lzma.compress(bytes(200_000_000), preset=1),
    "bzip2 of noise": lambda: bz2.compress(random.Random(1).randbytes(8_000_000)),
    "xz of noise": lambda: lzma.compress(random.Random(1).randbytes(8_000_000), preset=1),
    "tar of empty files": lambda: tarred({str(number): b"" for number in range(10_000)}),
    "tar of a long name": lambda: (tarred({"a" * 60_000: b""}, tarfile.GNU_FORMAT)) * 100,
    "compound file of loops": lambda: COMPOUND[:512] + struct.pack("<128I", *range(128)) + bytes(9_000_000),
    "compound file of one chain": lambda: COMPOUND[:44] + b"\x60" + COMPOUND[45:512] + bytes(9_000_000),
    "PDF": lambda: b"%PDF-" + b"/Embedded" * 1_000_000,
    "RTF": lambda: b"{\\rtf" + b"\\ob" * 3_000_000,
    "a file of nothing else": lambda: bytes(9_000_000),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_bounds(name: str) -> None:
    """At most 2 s and 12 times the size and the bounds for 10 MB; members are bounded."""
    raw = mail_with(HOSTILE[name]())
    before = time.process_time()
    mail = parse(raw)
    assert time.process_time() - before < 2 + len(raw) / 10_000_000
    assert len(mail.members) <= MAX_MEMBERS
    tracemalloc.start()
    parse(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * len(raw) + (96 << 20)


def test_anything_is_read_without_an_error() -> None:
    """Changed, cut and mixed containers: never an exception, and members stay unique."""
    rng = random.Random(3)
    whole = [
        zipped({"a.exe": EXE, "b/c.txt": b"text"}),
        tarred({"a": EXE}),
        gzip.compress(EXE),
        bz2.compress(EXE),
    ]
    whole += [
        lzma.compress(EXE),
        compound({"VBA/x": b"x" * 5_000, "y": b"y" * 4_100}),
        *[each[0] for each in ZIPS.values()],
    ]
    for _ in range(1_500):
        content = bytearray(rng.choice(whole))
        for _ in range(rng.randrange(1, 8)):
            place = rng.randrange(len(content))
            content[place] = rng.choice((0, 1, 255, 80, rng.randrange(256)))
        look(bytes(content[: rng.randrange(len(content) // 2, len(content) + 1)]))


def test_rows_of_the_tables(tmp_path: Path) -> None:
    """A member is found by the mail, the attachment and its path, with the time of the mail."""
    out = tmp_path / "out"
    tables_made.write(out, [transfer(uid="C1", raw=mail_with(zipped({"d/a.exe": EXE}), "a.zip"))])
    (row,) = read_table(out, "members").to_pylist()
    (mail,) = read_table(out, "emails", ["ts", "uid", "trans_depth"]).to_pylist()
    assert {name: row[name] for name in mail} == mail
    assert (row["part"], row["path"], row["name"], row["extension"]) == ("2", "d/a.exe", "a.exe", "exe")
    assert (row["sha256"], row["md5"]) == (digest(EXE), hashlib.md5(EXE).hexdigest())
    assert read_table(out, "attachments", ["inside"]).to_pylist() == [{"inside": "listed"}]


@pytest.mark.slow
def test_the_same_as_the_standard_library() -> None:
    """Archives of random files: names and hashes as zipfile and tarfile read them."""
    rng = random.Random(4)
    for _ in range(20):
        files = {f"{rng.randrange(9)}/{number}": rng.randbytes(rng.randrange(300_000)) for number in range(8)}
        expected = {name: digest(content) for name, content in files.items()}
        assert paths(look(zipped(files))[1]) == expected
        with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
            assert {name: digest(archive.read(name)) for name in archive.namelist()} == expected
        assert paths(look(tarred(files))[1]) == expected
