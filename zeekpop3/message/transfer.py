"""Transfer encodings (RFC 2045, section 6) undone: whole for text, in pieces for what is only hashed.

Base64 goes through pybase64 with its line ends left in. Where that finds characters that it does not know,
the lines are looked at: what stands after the last line of Base64 (a list's footer) is none; junk between is
skipped.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import pybase64

from zeekpop3.message.defects import Defects

CHUNK_BYTES = 1 << 17
_MAX_BROKEN_LINES: Final = 1_000

_IDENTITY: Final = frozenset(("", "7bit", "8bit", "binary"))
_UU: Final = frozenset(("uuencode", "x-uuencode", "uue", "x-uue"))
_TOKEN: Final = re.compile(r"[a-z0-9-]+")
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_EXPECTED: Final = _ALPHABET + b"=\r\n \t\v\f"
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=\s]")
_ODD_BREAK: Final = re.compile(rb"=(?:[ \t]|\r(?!\n))")
_SOFT_BREAK: Final = re.compile(rb"=[ \t]++(?=\r?\n)")
_BASE64_LINE: Final = re.compile(rb"[ \t]*+[A-Za-z0-9+/]{4,}+={0,2}[ \t]*+\r?(?:\n|\Z)")


@lru_cache(maxsize=256)
def name_of(value: str) -> str:
    """The encoding's name in lower case: "", "base64", "quoted-printable", "uuencode", or an unknown one."""
    match = _TOKEN.search(value[:200].lower())
    name = match[0] if match else ""
    if name in _IDENTITY or name in (
        "7-bit",
        "8-bit",
        "7bits",
        "8bits",
        "none",
        "7",
        "8",
        "7bit-ascii",
        "us-ascii",
    ):
        return ""
    if name in ("quoted", "quotedprintable", "qp", "quoted-printable"):
        return "quoted-printable"
    if name in ("base-64", "b64", "x-base64"):
        return "base64"
    return "uuencode" if name in _UU else name


def decoded(src: bytes, start: int, end: int, encoding: str, defects: Defects) -> bytes:
    """The content of `src[start:end]`, whole."""
    if encoding == "":
        return src[start:end]
    if encoding == "quoted-printable":
        data = src[start:end]
        return binascii.a2b_qp(_soft_breaks(data))
    if encoding == "base64":
        return b"".join(_base64(src, start, end, defects))
    if encoding == "uuencode":
        return uudecoded(src[start:end], defects)
    defects["encoding_unknown"] = None
    return src[start:end]


def _soft_breaks(data: bytes) -> bytes:
    """Quoted-printable as binascii reads it: no blanks after the equals sign that ends a line, and no bare CR
    after one, since it would leave out the rest of the line.
    """
    if _ODD_BREAK.search(data) is None:
        return data
    if data.count(b"=\r") != data.count(b"=\r\n"):
        data = data.replace(b"=\r\n", b"=\n").replace(b"=\r", b"=3D\r")
    if len(data) <= CHUNK_BYTES or _SOFT_BREAK.search(data) is None:
        return _SOFT_BREAK.sub(b"=", data)
    # Some lines at a time: all that is found at once would take many times the size of the text.
    out: list[bytes] = []
    at = 0
    while at < len(data):
        stop = _line_end(data, at, len(data))
        out.append(_SOFT_BREAK.sub(b"=", data[at:stop]))
        at = stop
    return b"".join(out)


def pieces(src: bytes, start: int, end: int, encoding: str, defects: Defects) -> Iterator[bytes]:
    """The content of `src[start:end]` in pieces that need not be held together."""
    if encoding == "base64":
        yield from _base64(src, start, end, defects)
    elif encoding == "" or end - start <= CHUNK_BYTES:
        yield decoded(src, start, end, encoding, defects)
    elif encoding == "quoted-printable":
        while start < end:
            stop = _line_end(src, start, end)
            yield decoded(src, start, stop, encoding, defects)
            start = stop
    else:
        yield decoded(src, start, end, encoding, defects)


def _line_end(src: bytes, start: int, end: int) -> int:
    """End of the last line that begins before `start + CHUNK_BYTES`."""
    if end - start <= CHUNK_BYTES:
        return end
    stop = src.find(b"\n", start + CHUNK_BYTES - 1, end)
    return end if stop < 0 else stop + 1


def _base64(src: bytes, start: int, end: int, defects: Defects) -> Iterator[bytes]:
    begun = False
    while start < end:
        stop = _line_end(src, start, end)
        piece = src[start:stop]
        last = stop == end
        try:
            data = pybase64.b64decode(piece)
        except (binascii.Error, ValueError):
            yield _slow_base64(src[start:end], defects, begun)
            return
        # What the text should give: every character counts but line ends (and padding, at the very end).
        count = len(piece) - _line_ends(piece)
        if count != len(data) // 3 * 4 + (4 if len(data) % 3 else 0) or (not last and len(data) % 3):
            yield _slow_base64(src[start:end], defects, begun)
            return
        yield data
        if len(data) % 3:
            return
        begun = begun or bool(data)
        start = stop


def _line_ends(piece: bytes) -> int:
    """How many CR and LF there are. Lines of one length, as all encoders write them, are counted by their
    stride.
    """
    length = piece.find(b"\n") + 1
    whole = len(piece) // length if length else 0
    if whole > 16:
        regular = piece[: whole * length]
        if regular[length - 1 :: length] == b"\n" * whole:
            rest = piece[whole * length :]
            if regular[length - 2 :: length] == b"\r" * whole:
                return 2 * whole + rest.count(b"\n") + rest.count(b"\r")
    return piece.count(b"\n") + piece.count(b"\r")


def _slow_base64(text: bytes, defects: Defects, begun: bool) -> bytes:
    """Base64 with junk in it, with a footer, or cut off. Decodes up to the padding, as the standard library
    does. `begun`: there was Base64 before, so that a footer may be all that is left.
    """
    bad = _NOT_BASE64.search(text) if text.translate(None, _EXPECTED) else None
    if bad is not None:
        line = text.rfind(b"\n", 0, bad.start()) + 1
        begun = begun or (line > 0 and not text[:line].isspace())
        if begun and not _base64_after(text, bad.end()):
            defects["base64_trailing_text"] = None
            text = text[:line]
        else:
            defects["base64_broken"] = None
    try:
        return binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        defects["base64_broken"] = None
    clean = text.translate(None, _DELETE)
    over = len(clean) % 4
    if over == 1:
        clean = clean[:-1]
    elif over:
        clean += b"=" * (4 - over)
    return pybase64.b64decode(clean)


_DELETE: Final = bytes(set(range(256)) - set(_ALPHABET))


def _base64_after(text: bytes, at: int) -> bool:
    """Whether whole lines of Base64 follow: then what came before was junk and no footer."""
    at = text.find(b"\n", at) + 1
    while at:
        match = _BASE64_LINE.match(text, at)
        if match is not None and len(match[0].strip()) >= 40:
            return True
        at = text.find(b"\n", at) + 1
    return False


def uudecoded(text: bytes, defects: Defects) -> bytes:
    """A uuencoded block; the lines before `begin` and after `end` are left out."""
    begin = text.find(b"begin ")
    start = text.find(b"\n", begin) + 1
    if begin < 0 or not start:
        defects["uuencode_broken"] = None
        return b""
    return b"".join(uu_pieces(text, start, defects))


def uu_pieces(text: bytes, at: int, defects: Defects) -> Iterator[bytes]:
    """What the lines of uuencode from `at` to `end` hold, in pieces."""
    end = len(text)
    broken = 0
    decode = binascii.a2b_uu
    while at < end and broken < _MAX_BROKEN_LINES:
        stop = _line_end(text, at, end)
        out: list[bytes] = []
        for line in text[at:stop].split(b"\n"):
            line = line.rstrip(b"\r")
            if not line:
                continue  # binascii makes 32 zeros of it
            if line == b"end":
                yield b"".join(out)
                return
            try:
                out.append(decode(line))
            except ValueError:
                out.append(uu_line(line))
                broken += not out[-1]
                if broken == _MAX_BROKEN_LINES:
                    break
        yield b"".join(out)
        at = stop
    defects["uuencode_broken"] = None


def uu_line(line: bytes) -> bytes:
    """What a line of uuencode holds that is longer than it says, as some encoders write them; nothing if it
    is broken.
    """
    if not line:
        return b""
    try:
        return binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3])
    except ValueError:
        return b""
