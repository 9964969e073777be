"""uuencode: blocks of lines between `begin MODE NAME` and `end`, as a transfer encoding or inside a text."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from zeekpop3.defects import Defect, Defects

PIECE_BYTES = 1 << 17
_MAX_BROKEN_LINES = 1_000
# A line with any mode and any blanks: the line after it decides. Searching for its first word is the
# fastest; whether it begins a line is tested after that.
BEGIN = re.compile(rb"begin(?<![^\n]begin)[ \t]{1,8}[0-9]{1,8}[ \t]{1,8}+([^\r\n]{1,1024})\r?\n")
_LINE = re.compile(rb"[ -`]{1,100}\r?\Z")


def uudecoded(text: bytes, defects: Defects) -> bytes:
    """The content of a uuencoded block; the lines before `begin` and after `end` are not part of it."""
    begin = text.find(b"begin ")
    start = text.find(b"\n", begin) + 1
    if begin < 0 or not start:
        defects[Defect.UUENCODE_BROKEN] = None
        return b""
    return b"".join(decoded_lines(text, start, defects))


def decoded_lines(text: bytes, at: int, defects: Defects) -> Iterator[bytes]:
    """The content of the lines from offset `at` to `end`, in pieces."""
    end = len(text)
    broken = 0
    while at < end and broken < _MAX_BROKEN_LINES:
        stop = text.find(b"\n", at + PIECE_BYTES) + 1 or end
        out: list[bytes] = []
        for line in text[at:stop].split(b"\n"):
            line = line.rstrip(b"\r")
            if not line:
                continue  # binascii would return 32 zeros
            if line == b"end":
                yield b"".join(out)
                return
            try:
                out.append(binascii.a2b_uu(line))
            except ValueError:
                out.append(_long_line(line))
                broken += not out[-1]
                if broken == _MAX_BROKEN_LINES:
                    break
        yield b"".join(out)
        at = stop
    defects[Defect.UUENCODE_BROKEN] = None


def blocks(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The uuencoded blocks in a text: (name, lines)."""
    at = 0
    while (begin := BEGIN.search(text, at)) is not None:
        at = begin.end()
        first = text[at : at + 120].partition(b"\n")[0]
        if _is_plausible(first):
            stop = _block_end(text, at)
            yield begin[1].strip(), text[at:stop]
            at = stop


def _long_line(line: bytes) -> bytes:
    """The content of a line that is longer than its first character says; empty if the line is broken."""
    try:
        return binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3])
    except ValueError:
        return b""


def _is_plausible(line: bytes) -> bool:
    """Whether a line can be uuencode: its length is what its first character says."""
    line = line.rstrip(b"\r")
    if _LINE.match(line) is None:
        return False
    wanted = (((line[0] - 32) & 63) + 2) // 3 * 4
    return wanted - 2 <= len(line) - 1 <= wanted + 2


def _block_end(text: bytes, at: int) -> int:
    """Where a block ends: after its `end`, or before the first line that is not uuencode."""
    while True:
        stop = text.find(b"\n", at)
        line = text[at : stop if stop >= 0 else len(text)].rstrip(b"\r")
        if line == b"end":
            return at + 3
        if stop < 0 or (line and _LINE.match(line) is None):
            return at
        at = stop + 1
