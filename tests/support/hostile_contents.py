"""Hostile mails against what reads documents, containers and encoded text: what is short and makes much work,
or is read again and again; see `hostile_mails`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from support.hostile_mails import PLAIN, filled, hostile, numbered
from support.hostile_records import HTML, SIGNED

MIXED = b"Subject: s\r\nContent-Type: multipart/mixed; boundary=BB\r\n\r\n"
PDF = b"%PDF-1.7\n"
RTF = b"{\\rtf1 "
TNEF = b"\x78\x9f\x3e\x22\0\0"
NOTHING = b"\0\0\0\xff\xff"  # a block of deflate that holds nothing
NONE, LAST, USED = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD  # sectors


def attached(content: bytes, name: str, kind: str = "application/octet-stream") -> bytes:
    """A part with a file, as it is."""
    head = f"Content-Type: {kind}; name={name}\r\nContent-Disposition: attachment\r\n"
    return head.encode() + b"Content-Transfer-Encoding: binary\r\n\r\n" + content


def two_of(content: bytes, name: str, kind: str) -> bytes:
    """A mail with a file twice: what is read of one file is bounded."""
    part = b"--BB\r\n" + attached(content, name, kind) + b"\r\n"
    return MIXED + 2 * part + b"--BB--\r\n"


def _register(name: str, make: Callable[[int], bytes]) -> None:
    make.__name__ = name
    hostile(make)


def _filled(unit: bytes, around: tuple[bytes, ...]) -> Callable[[int], bytes]:
    return lambda size: filled(unit, size, *around)


def _twice(unit: bytes, head: bytes, name: str, kind: str) -> Callable[[int], bytes]:
    return lambda size: two_of(filled(unit, size // 2, head), name, kind)


for _name, (_unit, _head, _file, _kind) in {
    "pdf_strings_in_strings": (b"(http\\", PDF, "a.pdf", "application/pdf"),
    "pdf_keys_in_strings": (b"/URI(\\(http", PDF, "a.pdf", "application/pdf"),
    "pdf_comments_behind_keys": (b"%/F\n", PDF + b"/F", "a.pdf", "application/pdf"),
    "pdf_streams": (b"stream\n", PDF, "a.pdf", "application/pdf"),
    "pdf_streams_with_filters": (b"/FlateDecode stream\n", PDF, "a.pdf", "application/pdf"),
    "pdf_streams_as_text": (b"/AHx stream\n41", PDF, "a.pdf", "application/pdf"),
    "pdf_ascii85": (b"abcde", PDF + b"/ASCII85Decode stream\n", "a.pdf", "application/pdf"),
    "pdf_ascii85_zeros": (b"z", PDF + b"/ASCII85Decode stream\n", "a.pdf", "application/pdf"),
    "pdf_hexadecimal": (b"4 ", PDF + b"/ASCIIHexDecode stream\n", "a.pdf", "application/pdf"),
    "rtf_braces": (b"{", RTF, "a.rtf", "application/rtf"),
    "rtf_controls": (b"\\a", RTF, "a.rtf", "application/rtf"),
    "rtf_characters": (b"\\u65?", RTF, "a.rtf", "application/rtf"),
    "rtf_codes": (b"\\'41x", RTF, "a.rtf", "application/rtf"),
    "rtf_fields": (b"HYPERLINK ", RTF, "a.rtf", "application/rtf"),
    "calendar_escapes": (b"\\,", b"BEGIN:VCALENDAR\n", "a.ics", "text/calendar"),
    "card_in_quoted_printable": (b"=41", b"BEGIN:VCARD\nN;ENCODING=QUOTED-PRINTABLE:", "a.vcf", "text/vcard"),
    "script_percents": (b"http%3A%2F", b"", "a.js", "application/javascript"),
    "script_codes": (b"\\x41", b"", "a.js", "application/javascript"),
    "scripts_never_closed": (b"<script ", b"", "a.svg", "image/svg+xml"),
    "xml_references": (b'a="//b" ', b"", "a.xml", "text/xml"),
    "xml_data_urls": (b"data:a/", b"", "a.svg", "image/svg+xml"),
    "xml_namespaces": (b'xmlns="//b" ', b"", "a.xml", "text/xml"),
}.items():
    _register(_name, _twice(_unit, _head, _file, _kind))

for _name, (_unit, *_around) in {
    "base64_run_then_junk": (b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn\n", PLAIN, b"abc!\n"),
    "base64_runs_then_junk": (b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn\n" * 200 + b"a!\n", PLAIN),
    "uuencode_empty_lines": (b"`\n", PLAIN + b"begin 644 a\n"),
    "uuencode_short_lines": (b"#0V%T\n", PLAIN + b"begin 644 a\n"),
    "flowed_blanks": (b" \n", b"Content-Type: text/plain; format=flowed\r\n\r\n"),
    "urls_of_no_scheme": (b"x://a ", PLAIN),
    "urls_the_same": (b"http://a ", PLAIN),
    "urls_shares": (b"\\\\a\\b ", PLAIN),
    "fields_that_are_delimiters": (b"--a:\r\n", PLAIN),
    "iso_2022_jp_of_windows": (b"-!", b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B"),
    "iso_2022_jp_escapes": (b"\x1b$B-!\x1b(B", b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n"),
    "utf_7_broken": (b"\xff", b"Content-Type: text/plain; charset=utf-7\r\n\r\n"),
    "utf_16_broken": (b"\0\xd8", b"Content-Type: text/plain; charset=utf-16\r\n\r\n"),
}.items():
    _register(_name, _filled(_unit, tuple(_around)))


@hostile
def xml_references_numbered(size: int) -> bytes:
    return numbered('a="//b%d" ', size, attached(b"", "a.xml", "text/xml"))


# Streams of deflate that begin within each other: what one holds is the beginning of the next one.


def _overlapping(begin: bytes, size: int) -> bytes:
    block = b"\0" + struct.pack("<HH", len(begin), len(begin) ^ 0xFFFF) + begin
    beginnings = begin + min(300, size // 100) * block
    return beginnings + NOTHING * ((size - len(beginnings)) // len(NOTHING))


@hostile
def pdf_streams_in_streams(size: int) -> bytes:
    return attached(PDF + _overlapping(b"/Fl stream\n\x78\x9c", size), "a.pdf")


def _local(name: bytes, extra: bytes | int, method: int = 8) -> bytes:
    """A header of a zip entry; a number is the size of extra fields that come with what follows."""
    length = extra if isinstance(extra, int) else len(extra)
    head = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, method, 0, 0, 0, 0, 0, len(name), length)
    return head + name + (b"" if isinstance(extra, int) else extra)


@hostile
def zip_entries_in_entries(size: int) -> bytes:
    return attached(_overlapping(_local(b"a.xml", b""), size), "a.docx")


FIELD = struct.pack("<HH", 9, 0)


@hostile
def zip_extra_fields(size: int) -> bytes:
    """All entries of the directory share one header with many extra fields."""
    local = _local(b"a", FIELD * min(16_000, size // 8))
    count = min(1_900, (size - len(local)) // 60)
    directory = b"".join(
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0)
        + b"%05d" % number
        for number in range(count)
    )
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), len(local), 0)
    return attached(local + directory + end, "a.zip")


@hostile
def zip_extra_fields_in_each_other(size: int) -> bytes:
    unit = _local(b"a.xml", 0xFFFF) * 900 + FIELD * 8_000
    return attached(filled(unit, size)[:size], "a.zip")


@hostile
def tar_records(size: int) -> bytes:
    content = b"4 a\n" * 16_250
    head = bytearray(512)
    head[0:1], head[100:107], head[124:135] = b"a", b"0000644", b"%011o" % len(content)
    head[148:156], head[156:157], head[257:262] = b" " * 8, b"x", b"ustar"
    head[148:156] = b"%06o\0 " % sum(head)
    return attached(filled((bytes(head) + content).ljust(65_536, b"\0"), size)[:size], "a.tar")


# Compound files.


def _entry(name: str, kind: int, start: int, size: int, child: int = NONE, right: int = NONE) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    tree = struct.pack("<HBBIII", len(text), kind, 1, NONE, right, child)
    return text.ljust(64, b"\0") + tree + bytes(36) + struct.pack("<IQ", start, size)


def _sectors(size: int, entries: int, mini: int = 0) -> tuple[int, int, int]:
    """Of a compound file: sectors of its table, of directory and mini table, and where they end."""
    table = min(max(-(-size // 65_536), 1), 109)
    directory = -(-entries * 128 // 512)
    return table, table + directory, table + directory + -(-mini // 512)


def _compound(size: int, entries: list[bytes], mini: bytes = b"", *, behind: bool = False) -> bytes:
    """A compound file of about `size` bytes: table, directory, mini table, and sectors in one chain; `behind`
    its end: without them.
    """
    table, first, chain = _sectors(size, len(entries), len(mini))
    total = min(max(size // 512, chain + 2), table * 128)
    following = [USED] * table + [number + 1 for number in range(table, total)]
    for end in (first, chain, total):
        following[end - 1] = LAST
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 62, 3, 0xFFFE, 9, 6)
    head += bytes(10) + struct.pack("<4I", table, table, 0, 4_096)
    head += struct.pack("<4I", first if mini else LAST, chain - first, LAST, 0)
    head += struct.pack("<109I", *range(table), *[NONE] * (109 - table))
    rest = struct.pack(f"<{total}I", *following).ljust(table * 512, b"\xff")
    rest += b"".join(entries).ljust((first - table) * 512, b"\0") + mini.ljust((chain - first) * 512, b"\xff")
    out = head + rest
    return attached(out if behind else out.ljust((total + 1) * 512, b"x"), "a.doc")


def _streams(size: int, most: int, mini: int = 0, length: int = 8_000) -> list[bytes]:
    """A directory of streams that all begin where the chain of sectors does, or the small ones do."""
    count = min(most, size // 500 + 4)
    start = 0 if mini else _sectors(size, count)[2]
    streams = [_entry(f"s{number}", 2, start, length, right=number + 1) for number in range(1, count)]
    return [_entry("Root", 5, LAST, 0, 1), *streams]


@hostile
def ole_small_sectors_in_a_circle(size: int) -> bytes:
    mini = struct.pack(f"<{size // 8}I", *range(1, size // 8), 0)
    return _compound(size, _streams(size, 1_000, len(mini), 4_000), mini)


@hostile
def ole_one_chain_for_all(size: int) -> bytes:
    return _compound(size, _streams(size, 1_900))


@hostile
def ole_sectors_behind_the_end(size: int) -> bytes:
    return _compound(size, _streams(size, 1_900), behind=True)


@hostile
def ole_nested_storages(size: int) -> bytes:
    count = min(9_000, size // 140 + 2)
    storages = [_entry("s" * 30, 1, 0, 0, number + 1) for number in range(1, count)]
    return _compound(size, [_entry("Root", 5, LAST, 0, 1), *storages])


# TNEF.


def attribute(ident: int, value: bytes, level: int = 1) -> bytes:
    """An attribute of a container, of the message or (2) of a file."""
    return bytes((level,)) + struct.pack("<II", ident, len(value)) + value + b"\0\0"


def rtf_attribute(content: bytes) -> bytes:
    """The text of a message as compressed RTF, `content` behind its header."""
    packed = struct.pack("<II4sI", len(content) + 12, 0, b"LZFu", 0) + content
    head = struct.pack("<IHHII", 1, 0x102, 0x1009, 1, len(packed))
    return attribute(0x00069003, head + packed + bytes(-len(packed) % 4))


_FILE = attribute(0x00069002, b"", 2)
for _name, _unit in {
    "tnef_bodies": attribute(0x0002800C, b"x"),
    "tnef_properties": attribute(0x00069003, struct.pack("<I", 1_000) + struct.pack("<HH", 0, 1) * 1_000),
    "tnef_values": _FILE
    + attribute(0x00069005, struct.pack("<IHHI", 1, 0x101E, 0x3707, 2_000) + bytes(4) * 2_000, 2),
    "tnef_rtf_literals": rtf_attribute((b"\0" + b"12345678") * 1_000),
}.items():
    _register(_name, _filled(_unit, (attached(TNEF, "winmail.dat", "application/ms-tnef"),)))


# Messages and signed entities in each other.


def _der(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x84)) + struct.pack(">I", len(content)) + content


def _signed(content: bytes) -> bytes:
    """An S/MIME message with an entity in it (RFC 5652)."""
    of_data, of_signed = (bytes.fromhex("06092a864886f70d0107") + bytes((last,)) for last in (1, 2))
    inside = _der(0x30, of_data + _der(0xA0, _der(4, content)))
    return _der(0x30, of_signed + _der(0xA0, _der(0x30, b"\2\1\1" + _der(0x31, b"") + inside)))


@hostile
def smime_in_smime(size: int) -> bytes:
    mail = PLAIN + b"x" * max(size - 20_000, size // 2)
    for _ in range(99):
        mail = attached(_signed(mail), "smime.p7m", "application/pkcs7-mime")
    return mail


@hostile
def messages_in_quoted_printable(size: int) -> bytes:
    head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return filled(b"x" * 70 + b"\r\n", size, 25 * head + PLAIN)


@hostile
def messages_with_signatures_in_each_other(size: int) -> bytes:
    head = SIGNED + b"; l=1\r\nContent-Type: message/rfc822\r\n\r\n"
    return filled(b"a  b\t\r\n", size, 25 * head + PLAIN)


@hostile
def digests_in_digests(size: int) -> bytes:
    head = b"Content-Type: multipart/digest; boundary=b%d\r\n\r\n--b%d\r\n\r\n"
    return filled(b"x\r\n", size, b"".join(head % (level, level) for level in range(60)))


@hostile
def nested_multiparts_and_carriage_returns(size: int) -> bytes:
    head = b'Content-Type: multipart/mixed; boundary="b%03d"\r\n\r\n--b%03d\r\n'
    end = b"".join(b"\r--b%03d--\r\n" % level for level in reversed(range(120)))
    return filled(b"\r--b\n", size, b"".join(head % (level, level) for level in range(120)), end)


@hostile
def nested_multiparts_in_short_prefixes(size: int) -> bytes:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=" + b"b" * level + b"\r\n\r\n--" + b"b" * level + b"\r\n"
        for level in range(1, 100)
    )
    return filled(b"--" + b"b" * 101 + b"\r\n", size, head)


# HTML in many parts: bounds count for all of them.
for _name, _unit in {
    "html_hidden": b"<p hidden>x</p>",
    "html_links": b"<a href=//a>a",
    "html_images": b"<td background=//a>",
    "html_comments": b"<!--[if a]><a href=//b>-->",
    "html_lists": b"<ul><li>",
    "html_documents": b"<a href='data:text/html,<a href=//a>'>",
}.items():
    _part = b"--BB\r\n" + HTML + _unit * (2_000 // len(_unit)) + b"\r\n"
    _register(f"{_name}_in_many_parts", _filled(_part, (MIXED,)))

# Documents that unpack to much more than a mail.


def _deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def _entry_of(name: bytes, content: bytes) -> bytes:
    return _local(name, b"") + _deflated(content)


def _bomb(unit: bytes, name: bytes = b"a.xml") -> bytes:
    return attached(4 * _entry_of(name, filled(unit, 3_900_000)), "a.docx")


BOMBS = {
    "urls": _bomb(b"aa://b "),
    "urls in a tag": _bomb(b"<x " + b"aa://b " * 140),
    "urls in attributes": _bomb(b"<x href='aa://b' "),
    "references": _bomb(b"&amp;aa://b&lt;"),
    "linked": _bomb(b'xlink:href="//a" '),
    "targets": _bomb(b"<Relationship TargetMode='External' Target='" + b"&amp;" * 100 + b"'>", b"a.rels"),
    "strings": attached(
        PDF + 4 * (b"/FlateDecode stream\n" + zlib.compress(filled(b"(http\\", 3_900_000), 9)), "a.pdf"
    ),
    "messages in a zip file": attached(
        b"".join(
            _entry_of(
                b"%d.eml" % number,
                b"Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                + b"--b\r\n\r\nx\r\n" * 4_000,
            )
            for number in range(150)
        ),
        "a.zip",
    ),
    "pages in a zip file": attached(
        b"".join(_entry_of(b"%d.html" % number, b"<p hidden>x</p>" * 4_000) for number in range(150)), "a.zip"
    ),
}
"""Mails of some ten kilobytes that unpack to 16 MB: as much as the bounds allow."""
