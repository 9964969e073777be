"""Encoded files that stand in a text as lines, whatever its label says: uuencode, yEnc, Base64 and BinHex.

uuencode: lines between `begin MODE NAME` and `end`. yEnc (1.3): lines between `=ybegin` and `=yend`; each
byte is 42 too high, critical ones are escaped; escapes other than those that the draft names are left as they
are. Programs that read news show both as files.

Words and hashes are letters of Base64, too. So Base64 counts if what it decodes to is a text or begins like
a file, or if it is at least three full lines. Armoured blocks (-----BEGIN …) are left alone: they are what
they say.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

import pybase64

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import current

PIECE_BYTES = 1 << 17
_MAX_BROKEN_LINES = 1_000
# A line with any mode and any blanks: the line after it decides. Searching for its first word is the
# fastest; whether it begins a line is tested after that.
UU_BEGIN = re.compile(rb"begin(?<![^\r\n]begin)[ \t]{1,8}[0-9]{1,8}[ \t]{0,8}+([^\r\n]{0,1024})(?:\r?\n|\r)")
UU_END = re.compile(rb"\nend(?=\r?(?:\n|\Z))")
_UU_FIRST_LINES = 16  # of which one must be uuencode
_UU_BEGINNING = 1_300  # bytes
_UU_ALPHABET = bytes(range(32, 97))
_UU_LINES = re.compile(rb"(?:[ -`]{0,100}+\r*+\n)*+(?:end(?=\r*+(?:\n|\Z)))?+")
_UU_LINE = re.compile(rb"[ -`]{1,100}\r?\Z")

YENC = "=yenc"  # a mail cannot give this name: few programs know yEnc as a transfer encoding
YENC_BEGIN = b"=ybegin "
_YENC_MAX_LINE = 1_500
_YENC_SHIFTED = bytes((byte - 42) % 256 for byte in range(256))
# The escape of "=" comes last, so that its result cannot begin another escape.
_YENC_ESCAPES = [(bytes((61, (byte + 64) % 256)), bytes((byte,))) for byte in b"\0\n\r\t .="]

BINHEX = b"(This file must be converted with BinHex"
PGP = "-----BEGIN PGP MESSAGE-----"
_HEAD = 4_096
_SHORTEST = 16
_LINE = 40
_FULL_LINE = 60

# How files begin.
_MAGIC = (
    b"MZ", b"PK\x03\x04", b"%PDF", b"\x7fELF", b"\xd0\xcf\x11\xe0", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b\x08",
    b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"{\\rtf", b"ITSF", b"L\0\0\0\x01\x14\x02", b"BZh", b"\xfd7zXZ",
    b"MSCF", b"\xca\xfe\xba\xbe", b"RIFF", b"II*\0", b"MM\0*", b"\xe4\x52\x5c\x7b", b"\x78\x9f\x3e\x22",
)  # fmt: skip
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\r\f\x1b"})
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_ALPHABET = bytes(set(range(256)) - set(_ALPHABET))
_PRINTABLE = bytes((*range(32, 127), *b"\t\r\n"))
_SPACE = b" \t\r\n\v\f"
_HEX = b"0123456789abcdefABCDEF"
# Lines of Base64: at least one of 40 characters, the last one may be shorter. The last group is there if the
# line ends behind it: what is not a run is passed over, and not searched from each of its lines.
_RUN = re.compile(
    r"\n[ >]{0,2}+([A-Za-z0-9+/]{40,}+(?:\r?\n?[ >]{0,2}[A-Za-z0-9+/]{40,}+)*+(={0,2}+)"
    r"(?:\r?\n?[ >]{0,2}([A-Za-z0-9+/]{1,200}+={0,2}+))?+)([ \t\r]*+(?=\n|\Z))?+"
)
# A line of a calendar or card: parameters, value. Old programs do not fold Base64.
_FOLD = re.compile(rb"\r?\n[ \t]")
_PROPERTY = re.compile(
    rb"^[A-Za-z0-9.-]{1,60}+((?:;(?:[^\":\r\n]++|\"[^\"\r\n]*+\"?)*+)?):"
    rb"([^\r\n]*+(?:\r?\n[A-Za-z0-9+/=]++[ \t]*+(?=\r?(?:\n|\Z)))*+)",
    re.MULTILINE,
)
_IN_BASE64 = re.compile(rb";(?:ENCODING=)?\"?B(?:ASE64)?\"?(?=;|\Z)", re.IGNORECASE)
_DATA_URL = re.compile(rb"data:[^,]{0,200}+(?<=;base64),", re.IGNORECASE)
_FILE_NAME = re.compile(rb";(?:X-)?(?:[A-Z]{1,20}-)?(?:FILE)?NAME=\"?([^\";]{1,1024})", re.IGNORECASE)
_ARMOUR_WITHIN = 2_000  # characters before a run


def uudecoded(text: bytes, defects: Defects) -> bytes:
    """The content of a uuencoded block; the lines before `begin` and after `end` are not part of it."""
    begin = text.find(b"begin ")
    start = text.find(b"\n", begin) + 1
    if begin < 0 or not start:
        defects[Defect.UUENCODE_BROKEN] = None
        return b""
    return b"".join(uudecoded_lines(text, start, defects))


def uudecoded_lines(text: bytes, at: int, defects: Defects) -> Iterator[bytes]:
    """The content of the lines from offset `at` to `end`, in pieces."""
    end = len(text)
    broken = 0
    limits = current()
    while at < end and broken < _MAX_BROKEN_LINES:
        stop = text.find(b"\n", at + PIECE_BYTES) + 1 or end
        piece = text[at:stop].replace(b"\r\n", b"\n")
        at = stop
        if b"\r" not in piece:
            try:  # all lines at once; `end` does not decode
                yield b"".join(map(binascii.a2b_uu, filter(None, piece.split(b"\n"))))
                continue
            except ValueError:
                pass
        out: list[bytes] = []
        lines = piece.split(b"\n")
        limits.lines -= len(lines)
        if limits.lines < 0:
            break
        for line in lines:
            line = line.rstrip(b"\r")
            if not line:
                continue  # binascii would return 32 zeros
            if line == b"end":
                if broken:
                    defects[Defect.UUENCODE_BROKEN] = None
                yield b"".join(out)
                return
            try:
                out.append(binascii.a2b_uu(line))
            except ValueError:
                out.append(_uu_long_line(line))
                broken += not out[-1]
                if broken == _MAX_BROKEN_LINES:
                    break
        yield b"".join(out)
    defects[Defect.UUENCODE_BROKEN] = None


def uuencoded_blocks(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The uuencoded blocks in a text: (name, lines). A block goes to its `end`, whatever lines it has."""
    begin = UU_BEGIN.search(text)
    while begin is not None:
        at = begin.end()
        following = UU_BEGIN.search(text, at)
        limit = following.start() if following is not None else len(text)
        if any(map(_is_uuencode, text[at : min(at + _UU_BEGINNING, limit)].split(b"\n")[:_UU_FIRST_LINES])):
            end = UU_END.search(text, at - 1, limit)
            stop = end.end() if end is not None else _uu_block_end(text, at)
            yield begin[1].strip(), text[at:stop]
        begin = following


def _uu_long_line(line: bytes) -> bytes:
    """The content of a line that is longer than its first character says; empty if the line is broken."""
    if line.translate(None, _UU_ALPHABET):
        return b""
    try:
        return binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3])
    except ValueError:
        return b""


def _is_uuencode(line: bytes) -> bool:
    """Whether a line can be uuencode: its length is what its first character says."""
    line = line.rstrip(b"\r")
    if _UU_LINE.match(line) is None:
        return False
    wanted = (((line[0] - 32) & 63) + 2) // 3 * 4
    return wanted - 2 <= len(line) - 1 <= wanted + 2


def _uu_block_end(text: bytes, at: int) -> int:
    """Where a block ends: after its `end`, or before the first line that is not uuencode."""
    return _UU_LINES.match(text, at).end()  # type: ignore[union-attr]


def property_files(content: bytes) -> Iterator[tuple[bytes | None, bytes]]:
    """The files that a calendar or a card has as values (RFC 5545, section 3.8.1.1; RFC 2426, section 2.4.1;
    `data:` URLs): (name, content).
    """
    for line in _PROPERTY.finditer(_FOLD.sub(b"", content)):
        if not _is_file(line):
            continue
        parameters, value = line.groups()
        if _DATA_URL.match(value) is not None:
            value = value.partition(b",")[2]
        name = _FILE_NAME.search(parameters)
        digits = value.translate(None, _NOT_ALPHABET)
        if len(digits) % 4 == 1:
            digits = digits[:-1]
        if digits:
            content = pybase64.b64decode(digits + b"=" * (-len(digits) % 4))
            yield name[1] if name is not None else None, content


def without_property_files(content: bytes) -> bytes:
    """A calendar or a card without the values that `property_files` decodes."""
    return _PROPERTY.sub(lambda line: b"" if _is_file(line) else line[0], _FOLD.sub(b"", content))


def _is_file(line: re.Match[bytes]) -> bool:
    return _DATA_URL.match(line[2]) is not None or _IN_BASE64.search(line[1]) is not None


def yenc_block(data: bytes, at: int) -> tuple[bytes, int, int] | None:
    """Of the block that begins at or after `at`: its name, and where its lines start and end."""
    if not data.startswith(YENC_BEGIN, at):
        at = data.find(b"\n" + YENC_BEGIN, at) + 1
        if not at:
            return None
    stop = data.find(b"\n", at) + 1 or len(data)
    name = data[at : min(stop, at + _YENC_MAX_LINE)].partition(b" name=")[2].strip()
    if data.startswith(b"=ypart ", stop):
        stop = data.find(b"\n", stop) + 1 or len(data)
    end = data.find(b"\n=yend", max(stop - 1, 0))
    return name, stop, end if end >= 0 else len(data)


def ydecoded(data: bytes) -> bytes:
    """The content of the first block; the bytes as they are if they have no block."""
    found = yenc_block(data, 0)
    return data if found is None else ydecoded_lines(data, found[1], found[2])


def ydecoded_lines(data: bytes, start: int, end: int) -> bytes:
    """The content of the lines `data[start:end]`."""
    text = data[start:end].translate(None, b"\r\n")
    for escaped, byte in _YENC_ESCAPES:
        text = text.replace(escaped, byte)
    return text.translate(_YENC_SHIFTED)


def looks_like(src: bytes, start: int, end: int) -> str:
    """The transfer encoding that `src[start:end]` looks like as a whole; "" if like none of them."""
    first = src[start : min(end, start + _SHORTEST)].strip()
    if first.translate(None, _ALPHABET + b"=") and not first.startswith((b"begin ", YENC_BEGIN)):
        return ""
    head = src[start : min(end, start + _HEAD)].lstrip()
    if head.startswith(YENC_BEGIN):
        return YENC
    line = head.partition(b"\n")[0].partition(b"\r")[0].strip()
    is_base64 = len(line) >= _SHORTEST and not line.rstrip(b"=").translate(None, _ALPHABET)
    if not is_base64 and not head.startswith(b"begin "):
        return ""
    if b"\r" in head:
        head = head.replace(b"\r", b"\n").replace(b"\n\n", b"\n")
    if head.startswith(b"begin ") and next(uuencoded_blocks(head), None) is not None:
        return "uuencode"
    if not is_base64:
        return ""
    if len(line) >= _LINE and (_is_content(_decoded(head)) or _full_lines(head)):
        return "base64"
    whole = head.rstrip()
    if end - start > _HEAD or whole.translate(None, _ALPHABET + _SPACE + b"=") or b" " in whole:
        return ""
    return "base64" if _is_content(_decoded(whole)) else ""


def is_content_with_junk(text: bytes) -> bool:
    """Whether a text is content to programs that take the letters of Base64 in it, and nothing else."""
    head = text[:_HEAD]
    first = head.split(None, 1)[:1]
    if first and len(first[0]) >= _SHORTEST and _is_content(_decoded(first[0])):
        return True
    digits = head.translate(None, _NOT_ALPHABET)
    data = pybase64.b64decode(digits[: len(digits) // 4 * 4])
    # What other text decodes to has many bytes that are not printable.
    return len(data) >= _SHORTEST and len(data.translate(None, _PRINTABLE)) * 5 < len(data)


def _decoded(text: bytes) -> bytes:
    """The beginning of what Base64 stands for."""
    digits = text.partition(b"=")[0].translate(None, _SPACE)
    other = digits.translate(None, _ALPHABET)
    if other:
        digits = digits[: digits.index(other[:1])]
    return pybase64.b64decode(digits[: len(digits) // 4 * 4])


def _is_content(data: bytes) -> bool:
    """Whether decoded bytes begin like a file, or are a text."""
    if data.startswith(_MAGIC):
        return True
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if len(data) < 8 or data.translate(None, _CONTROLS) != data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(data) - 4
    return True


def _full_lines(text: bytes) -> bool:
    """Whether a text begins with three lines of the same length that are Base64, and not only hexadecimal."""
    lines = [line.strip() for line in text.split(b"\n", 3)[:3]]
    return (
        len(lines) == 3
        and len(lines[0]) == len(lines[1]) >= max(_FULL_LINE, len(lines[2]))
        and not b"".join(lines).translate(None, _ALPHABET).strip(b"=")
        and bool(lines[0].translate(None, _HEX))
    )


def base64_runs(text: str) -> Iterator[str]:
    """The lines of Base64 within a text, each run as it stands."""
    for match in _RUN.finditer("\n" + text):
        run, padding, last, line_end = match.groups()
        if last is not None and (padding or len(last) % 4 or line_end is None):
            run = run[: -len(last)]
            line_end = line_end if line_end is not None or run.rstrip(" >")[-1:] not in "\r\n" else ""
        if line_end is None:
            continue
        head = (
            run[:_HEAD].encode("ascii").translate(None, b" >").replace(b"\r", b"\n").replace(b"\n\n", b"\n")
        )
        if not (_is_content(_decoded(head)) or _full_lines(head)):
            continue
        before = text[max(0, match.start() - _ARMOUR_WITHIN) : match.start()]
        if before.rfind("-----BEGIN ") <= before.rfind("-----END "):
            yield run


def pgp_messages(text: str) -> Iterator[str]:
    """The encrypted blocks of OpenPGP within a text (RFC 9580, section 6.2)."""
    at = text.find(PGP)
    while at >= 0:
        end = text.find("-----END PGP MESSAGE-----", at)
        stop = end + 25 if end >= 0 else len(text)
        yield text[at:stop]
        at = text.find(PGP, stop)
