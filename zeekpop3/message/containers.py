"""Files inside other files that only mail programs know: winmail.dat (TNEF, [MS-OXTNEF]) and uuencoded blocks
in text.

The container stays an attachment; its files follow it. TNEF needs the library of the extra `attachments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from zeekpop3.message import transfer_encoding, uuencode
from zeekpop3.message.charsets import eight_bit
from zeekpop3.message.defects import Defects
from zeekpop3.message.parts import Part

File = tuple[str | None, Iterable[bytes]]
"""A file's name, and its content in pieces."""

MAX_FILES = 1_000
_MAX_TNEF_BYTES = 64 << 20
_TNEF_KINDS = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))


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


def tnef_files(data: bytes, defects: Defects) -> Iterator[File]:
    """The files in a TNEF container."""
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
    if len(files) > MAX_FILES:
        defects["attachments_cut"] = None
    for name, file in files[:MAX_FILES]:
        if isinstance(name, bytes):
            name = eight_bit(name, defects)
        name = str(name).rstrip("\0").encode("utf-8", "replace").decode() if name is not None else None
        yield name, (file,)


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
