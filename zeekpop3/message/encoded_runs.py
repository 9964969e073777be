"""What bytes look like, whatever their label says: Base64, uuencode, yEnc or BinHex, as a whole or as lines
within a text.

Words and hashes are letters of Base64, too. So Base64 counts if what it decodes to is a text or begins like
a file, or if it is at least three full lines. Armoured blocks (-----BEGIN …) are left alone: they are what
they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pybase64

from zeekpop3.message import uuencode, yenc
from zeekpop3.message.transfer_encoding import YENC

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
_SPACE = b" \t\r\n\v\f"
_HEX = b"0123456789abcdefABCDEF"
_DIGITS = re.compile(rb"[A-Za-z0-9+/]{40,}+={0,2}+")
# Lines of Base64: at least one of 40 characters, the last one may be shorter.
_RUN = re.compile(
    r"\n[ >]{0,2}+([A-Za-z0-9+/]{40,}+(?:\r?\n?[ >]{0,2}[A-Za-z0-9+/]{40,}+)*+(={0,2}+)"
    r"(?:\r?\n?[ >]{0,2}([A-Za-z0-9+/]{1,200}+={0,2}+))?+)[ \t\r]*+(?=\n|\Z)"
)
_ARMOUR_WITHIN = 2_000  # characters before a run


def looks_like(src: bytes, start: int, end: int) -> str:
    """The transfer encoding that `src[start:end]` looks like as a whole; "" if like none of them."""
    first = src[start : min(end, start + _SHORTEST)].strip()
    if b" " in first and not first.startswith((b"begin ", yenc.BEGIN)):
        return ""
    head = src[start : min(end, start + _HEAD)].lstrip()
    if head.startswith(yenc.BEGIN):
        return YENC
    line = head.partition(b"\n")[0].partition(b"\r")[0].strip()
    is_base64 = len(line) >= _SHORTEST and not line.translate(None, _ALPHABET).strip(b"=")
    if not is_base64 and not head.startswith(b"begin "):
        return ""
    if b"\r" in head:
        head = head.replace(b"\r", b"\n").replace(b"\n\n", b"\n")
    if head.startswith(b"begin ") and next(uuencode.blocks(head), None) is not None:
        return "uuencode"
    if not is_base64:
        return ""
    if len(line) >= _LINE and (_is_content(_decoded(head)) or _full_lines(head)):
        return "base64"
    whole = head.rstrip()
    if end - start > _HEAD or whole.translate(None, _ALPHABET + _SPACE + b"=") or b" " in whole:
        return ""
    return "base64" if _is_content(_decoded(whole)) else ""


def begins_encoded(text: bytes) -> bool:
    """Whether a text begins with Base64 that is content, whatever follows."""
    first = text[:_HEAD].split(None, 1)[:1]
    return bool(first) and len(first[0]) >= _SHORTEST and _is_content(_decoded(first[0]))


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
        run, padding, last = match.groups()
        if last is not None and (padding or len(last) % 4):
            run = run[: -len(last)]
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
