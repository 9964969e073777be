"""Files inside other files that only mail programs know: winmail.dat (TNEF) and uuencoded blocks in text.

The container stays an attachment; its files follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zeekpop3.message import tnef, transfer_encoding, uuencode
from zeekpop3.message.charsets import eight_bit
from zeekpop3.message.defects import Defects
from zeekpop3.message.parts import Part

File = tuple[str | None, Iterable[bytes]]
"""A file's name, and its content in pieces."""

MAX_FILES = 1_000
_TNEF_KINDS = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))


def is_tnef(part: Part) -> bool:
    """Whether a part is a TNEF container, by its declared type or the name that Outlook gives it."""
    return part.kind in _TNEF_KINDS or (part.filename or "").lower() == "winmail.dat"


def tnef_files(data: bytes, defects: Defects) -> Iterator[File]:
    """The files in a TNEF container, and in the containers inside it."""
    for number, (name, content) in enumerate(tnef.files(data, defects)):
        if number == MAX_FILES:
            defects["attachments_cut"] = None
            return
        yield name, (content,)


def uuencoded_files(part: Part, defects: Defects) -> Iterator[File]:
    """The uuencoded files in a text part."""
    if part.encoding not in ("", "quoted-printable"):
        return
    if uuencode.BEGIN.search(part.src, part.start, part.end) is None:
        return
    text = transfer_encoding.decoded(part.src, part.start, part.end, part.encoding, {})
    for number, (name, lines) in enumerate(uuencode.blocks(text)):
        if number == MAX_FILES:
            defects["attachments_cut"] = None
            return
        yield eight_bit(name, defects), uuencode.decoded_lines(lines, 0, defects)
