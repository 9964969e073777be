"""Files inside other files that only mail programs know: winmail.dat (TNEF, [MS-OXTNEF]) and uuencoded blocks
in text.

The container stays an attachment; what it holds follows it. TNEF needs the library of the extra
`attachments`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from zeekpop3.message import transfer
from zeekpop3.message.charsets import eight_bit
from zeekpop3.message.defects import Defects

if TYPE_CHECKING:
    from zeekpop3.message.attachments import Attachment
    from zeekpop3.message.structure import Part

MAX_UNPACKED = 1_000
_MAX_TNEF_BYTES: Final = 64 << 20
_TNEF_KINDS: Final = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))
BEGIN: Final = re.compile(rb"begin [0-7]{3,4} ([^\r\n]{1,1024})\r?\n")
_UU_LINE: Final = re.compile(rb"[ -`]{1,100}\r?\Z")


@cache
def _tnef() -> Any:
    try:
        import logging

        import tnefparse
    except ImportError:
        return None
    logging.getLogger("tnef-decode").setLevel(logging.CRITICAL + 1)
    return tnefparse


def is_tnef(part: Part) -> bool:
    """Whether a part is a TNEF container, by its declared type or the name that Outlook gives it."""
    return part.kind in _TNEF_KINDS or (part.filename or "").lower() == "winmail.dat"


def add_tnef(data: bytes, part: Part, out: list[Attachment], defects: Defects, content: bool) -> None:
    """The files in a TNEF container, after the container itself."""
    from zeekpop3.message.attachments import Attachment, fill

    library = _tnef()
    if library is None:
        return
    try:
        if len(data) > _MAX_TNEF_BYTES:
            raise ValueError
        files = [
            (file.long_filename() or file.name, bytes(file.data or b""))
            for file in library.TNEF(data).attachments
        ]
    except Exception:  # the library raises nearly anything for broken input
        defects["attachment_unpack_failed"] = None
        return
    if len(files) > MAX_UNPACKED:
        defects["attachments_cut"] = None
    for number, (name, file) in enumerate(files[:MAX_UNPACKED], start=1):
        if isinstance(name, bytes):
            name = eight_bit(name, defects)
        name = str(name).rstrip("\0").encode("utf-8", "replace").decode() if name is not None else None
        inner = Attachment(f"{part.section}#{number}", name, None, None, None)
        fill(inner, iter((file,)), content)
        out.append(inner)


def add_uuencode(part: Part, out: list[Attachment], defects: Defects, content: bool) -> None:
    """The uuencoded files in a text part."""
    from zeekpop3.message.attachments import Attachment, fill

    text = transfer.decoded(part.src, part.start, part.end, part.encoding, {})
    number = 0
    at = 0
    while (begin := BEGIN.search(text, at)) is not None:
        at = begin.end()
        if begin.start() and text[begin.start() - 1] != 10:
            continue
        first = text[at : at + 120].partition(b"\n")[0]
        if not _plausible(first):
            continue
        if number == MAX_UNPACKED:
            defects["attachments_cut"] = None
            return
        number += 1
        stop = _block_end(text, at)
        inner = Attachment(f"{part.section}#{number}", eight_bit(begin[1].strip(), defects), None, None, None)
        fill(inner, transfer.uu_pieces(text[at:stop], 0, defects), content)
        out.append(inner)
        at = stop


def _plausible(line: bytes) -> bool:
    """Whether a line can be uuencode: its length is what its first character says (or "end" follows at
    once).
    """
    line = line.rstrip(b"\r")
    if _UU_LINE.match(line) is None:
        return False
    wanted = (((line[0] - 32) & 63) + 2) // 3 * 4
    return wanted - 2 <= len(line) - 1 <= wanted + 2


def _block_end(text: bytes, at: int) -> int:
    """Where the uuencoded block that begins at `at` ends: after its `end`, or before the first line that is
    none.
    """
    while True:
        stop = text.find(b"\n", at)
        line = text[at : stop if stop >= 0 else len(text)].rstrip(b"\r")
        if line == b"end":
            return at + 3
        if stop < 0 or (line and _UU_LINE.match(line) is None):
            return at
        at = stop + 1
