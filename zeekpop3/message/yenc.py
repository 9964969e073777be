"""yEnc (yEnc 1.3): lines between `=ybegin` and `=yend`; each byte is 42 too high, critical ones are escaped.

Programs that read news show such blocks as files. Escapes other than those that the draft names are left
as they are.
"""

from __future__ import annotations

BEGIN = b"=ybegin "
_MAX_LINE = 1_500
_SHIFTED = bytes((byte - 42) % 256 for byte in range(256))
# The escape of "=" comes last, so that its result cannot begin another escape.
_ESCAPES = [(bytes((61, (byte + 64) % 256)), bytes((byte,))) for byte in b"\0\n\r\t .="]


def block(data: bytes, at: int) -> tuple[bytes, int, int] | None:
    """Of the block that begins at or after `at`: its name, and where its lines start and end."""
    if not data.startswith(BEGIN, at):
        at = data.find(b"\n" + BEGIN, at) + 1
        if not at:
            return None
    stop = data.find(b"\n", at) + 1 or len(data)
    name = data[at : min(stop, at + _MAX_LINE)].partition(b" name=")[2].strip()
    if data.startswith(b"=ypart ", stop):
        stop = data.find(b"\n", stop) + 1 or len(data)
    end = data.find(b"\n=yend", max(stop - 1, 0))
    return name, stop, end if end >= 0 else len(data)


def decoded(data: bytes) -> bytes:
    """The content of the first block; the bytes as they are if they have no block."""
    found = block(data, 0)
    return data if found is None else lines_decoded(data, found[1], found[2])


def lines_decoded(data: bytes, start: int, end: int) -> bytes:
    """The content of the lines `data[start:end]`."""
    text = data[start:end].translate(None, b"\r\n")
    for escaped, byte in _ESCAPES:
        text = text.replace(escaped, byte)
    return text.translate(_SHIFTED)
