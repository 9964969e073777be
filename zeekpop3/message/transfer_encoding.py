"""Transfer encodings (RFC 2045, section 6): decoded content, whole for text, in pieces for content that is
only hashed.

Base64 is decoded strictly, without its white space. Where that fails, `_repaired` looks for the reason: lines
after the last line of Base64 (a mailing list's footer) are not part of it; junk and padding in between are
skipped, as in mail programs.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from functools import lru_cache

import pybase64

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import charge
from zeekpop3.message.encoded_blocks import YENC, uudecoded, ydecoded
from zeekpop3.message.header_text import without_comments

CHUNK_BYTES = 1 << 17
_MAX_NAME = 200

_NAMES = {
    name: encoding
    for encoding, names in {
        "": "7bit 8bit binary 7-bit 8-bit 7bits 8bits none 7 8 7bit-ascii us-ascii",
        "base64": "base64 base-64 b64 x-base64",
        "quoted-printable": "quoted-printable quoted quotedprintable qp",
        "uuencode": "uuencode x-uuencode uue x-uue",
    }.items()
    for name in names.split()
}
KNOWN = frozenset(_NAMES.values())
_TOKEN = re.compile(r"[a-z0-9-]+")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_WHITE_SPACE = b"\r\n \t\v\f"
_EXPECTED = _ALPHABET + b"=" + _WHITE_SPACE
_NOT_DIGIT = bytes(set(range(256)) - set(_ALPHABET + b"="))
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]")
# A whole line of Base64, of 40 characters or more: then the text before it was junk and not a footer.
_BASE64_LINE = re.compile(rb"\n[ \t]*+(?=[A-Za-z0-9+/=]{40})[A-Za-z0-9+/]++={0,2}[ \t]*+\r?(?:\n|\Z)")
_DIGIT = re.compile(rb"[A-Za-z0-9+/]")
# Of digits and `=`s alone: a group that ends within a byte, or has too little padding.
_UNFINISHED = re.compile(rb"=(?:[^=]{4})*+[^=](?:=|\Z|[^=](?:=(?!=)|\Z|[^=]\Z))")
_PADDING = ord("=")
_WORDS = re.compile(rb"\S[ \t]++\S")
_NO_CODE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+\r?\n|\r?\Z)")
_ODD_BREAK = re.compile(rb"=(?:[ \t]|\r(?!\n))")
_SOFT_BREAK = re.compile(rb"=(?!\r\n)[ \t\r]++(?=\n)")


def name_of(value: str) -> str:
    """In lower case: "" (none), "base64", "quoted-printable", "uuencode", or the name of an unknown one."""
    return _name_of(value.strip()[:_MAX_NAME])


@lru_cache(maxsize=256)
def is_word(value: str) -> bool:
    """Whether a value is one word, as RFC 2045 has it: programs differ in what they make of other values."""
    return _TOKEN.fullmatch(value.strip().lower()) is not None


@lru_cache(maxsize=256)
def _name_of(value: str) -> str:
    match = _TOKEN.search(without_comments(value).lower())
    name = match[0] if match is not None else ""
    return _NAMES.get(name, name)


def names_in(value: str) -> list[str]:
    """Each encoding that a value names."""
    return [_NAMES[word] for word in _TOKEN.findall(value.strip()[:_MAX_NAME].lower()) if word in _NAMES]


def decoded(src: bytes, start: int, end: int, encoding: str, defects: Defects) -> bytes:
    """The content of `src[start:end]`, whole."""
    if encoding == "base64":
        return b"".join(_base64(src, start, end, defects))
    charge(end - start)
    data = src[start:end]
    if encoding == "":
        return data
    if encoding == "quoted-printable":
        if _NO_CODE.search(data) is not None:
            defects[Defect.QUOTED_PRINTABLE_BROKEN] = None
        return binascii.a2b_qp(_with_plain_soft_breaks(data))
    if encoding == "uuencode":
        return uudecoded(data, defects)
    if encoding == YENC:
        return ydecoded(data)
    defects[Defect.ENCODING_UNKNOWN] = None
    return data


def pieces(src: bytes, start: int, end: int, encoding: str, defects: Defects) -> Iterator[bytes]:
    """The content of `src[start:end]` in pieces that need not be held together."""
    if encoding == "base64":
        yield from _base64(src, start, end, defects)
    elif encoding == "quoted-printable":
        for at, stop in _ranges(src, start, end):
            yield decoded(src, at, stop, encoding, defects)
    else:
        yield decoded(src, start, end, encoding, defects)


def _ranges(src: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where pieces of whole lines start and end."""
    while start < end:
        stop = src.find(b"\n", start + CHUNK_BYTES - 1, end) + 1 or end
        yield start, stop
        start = stop


def _with_plain_soft_breaks(data: bytes) -> bytes:
    """Quoted-printable as binascii reads it: nothing between the equals sign that ends a line and LF, and no
    bare CR after one, because binascii would skip the rest of the line.
    """
    if _ODD_BREAK.search(data) is None:
        return data
    return b"".join([_with_plain_lines(data[at:stop]) for at, stop in _ranges(data, 0, len(data))])


def _with_plain_lines(lines: bytes) -> bytes:
    """Some lines at a time: a substitution holds all its pieces, many times the size of the text."""
    lines = _SOFT_BREAK.sub(b"=", lines)
    return b"=\r\n".join([piece.replace(b"=\r", b"=3D\r") for piece in lines.split(b"=\r\n")])


def _base64(src: bytes, start: int, end: int, defects: Defects) -> Iterator[bytes]:
    charge(end - start)
    rest = b""  # the beginning of a quad that continues in the next piece
    carried, undecoded = b"", start  # the same as text for `_repaired`, and where what follows it begins
    begun = False
    for at, stop in _ranges(src, start, end):
        text = rest + src[at:stop].translate(None, _WHITE_SPACE)
        whole = len(text) if stop == end else len(text) // 4 * 4
        try:
            data = pybase64.b64decode(text[:whole], validate=True)
            if stop < end and (len(data) % 3 or text[whole:].translate(None, _ALPHABET + b"=")):
                raise ValueError  # padding, and more behind it; junk whose line begins in this piece
        except ValueError:
            yield _repaired(carried + src[undecoded:end], defects, begun)
            return
        yield data
        begun = begun or bool(data)
        rest = text[whole:]
        if whole:
            carried, undecoded = rest + b"\n" if rest else b"", stop


def _repaired(text: bytes, defects: Defects, begun: bool) -> bytes:
    """The content of Base64 with junk in it, with padding inside, with a footer, or cut off.

    `begun`: Base64 came before, so all of `text` may be a footer.
    """
    bad = _NOT_BASE64.search(text) if text.translate(None, _EXPECTED) else None
    if bad is not None:
        line = text.rfind(b"\n", 0, bad.start()) + 1
        begun = begun or (line > 0 and not text[:line].isspace())
        if begun and _BASE64_LINE.search(text, bad.end()) is None:
            defects[Defect.BASE64_TRAILING_TEXT] = None
            text = text[:line]
        else:
            defects[Defect.BASE64_BROKEN] = None
    padding = text.find(b"=")
    behind = _DIGIT.search(text, padding) if padding >= 0 else None
    if behind is not None:
        if (b" " in text or b"\t" in text) and _WORDS.search(text, behind.start()) is not None:
            defects[Defect.BASE64_TRAILING_TEXT] = None
            text = text[: behind.start()]
        else:
            defects[Defect.BASE64_PADDING] = None
    digits = b"=" + text.translate(None, _NOT_DIGIT)
    if _UNFINISHED.search(digits) is not None:
        defects[Defect.BASE64_BROKEN] = None
    digits = digits.strip(b"=")
    if b"=" in digits:
        return _groups(digits)
    over = len(digits) % 4
    return pybase64.b64decode(digits[:-1] if over == 1 else digits + b"=" * (-over % 4))


def _groups(digits: bytes) -> bytes:
    """The content of groups of digits with padding between them; of each, bits that fill no byte are left.

    There may be millions of groups, so no step is done for each of them. Digit number n of a group ends a
    byte, of bits from it and from the digit before it, unless n is a multiple of four.
    """
    import numpy as np

    values = np.zeros(256, np.uint8)
    values[np.frombuffer(_ALPHABET, np.uint8)] = np.arange(64)
    out: list[bytes] = []
    at = 0
    while at < len(digits):
        stop = min(at + max(CHUNK_BYTES, 4), len(digits))
        if stop < len(digits):  # then before a whole number of quads of the last group
            stop -= (stop - max(digits.rfind(b"=", at, stop) + 1, at)) % 4
        codes = np.frombuffer(digits, np.uint8, stop - at, at)
        is_digit = codes != _PADDING
        place = np.arange(stop - at, dtype=np.int32)
        begin = np.maximum.accumulate(np.where(is_digit, 0, place + 1))
        shift = (place - begin).astype(np.uint8) % 4 * 2
        bits = values[codes]
        found = bits >> (6 - shift)
        found[1:] |= bits[:-1] << shift[1:]
        out.append(found[is_digit & (shift > 0)].tobytes())
        at = stop
    return b"".join(out)
