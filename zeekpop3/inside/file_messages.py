"""The files that lie in a message which is itself a file: .eml, .mht and mbox files, whatever type they
declare, signed messages (CMS), winmail.dat (TNEF), and uuencoded files.

Messages that are parts of a mail have records of their own; here are those that a mail program opens from
a file. Their texts are read by `attachment_links`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from zeekpop3.defects import Defect, Defects
from zeekpop3.inside import attachments, magic, tnef
from zeekpop3.inside.attachment_links import next_messages
from zeekpop3.inside.unpack import BrokenError
from zeekpop3.message import cms, header, parts
from zeekpop3.message.encoded_blocks import uudecoded_lines, uuencoded_blocks

KINDS = frozenset(("message", "cms", "tnef", "uuencode"))
#: Limits that leave something out.
_CUT = frozenset((
    Defect.ATTACHMENTS_CUT, Defect.PARTS_CUT, Defect.NESTING_CUT, Defect.HEADER_CUT, Defect.PARSE_LIMITED,
    Defect.ATTACHMENT_UNPACK_FAILED, Defect.ENCODING_UNKNOWN,
))  # fmt: skip


class InnerFile(NamedTuple):
    """A file: its name, its content. None: it was not kept, or cannot be decoded, for the reason `why`."""

    name: str
    content: bytes | None
    why: str | None = None


def kind_of(head: bytes, extension: str | None) -> str | None:
    """The kind of container that a file begins like, or is called: one of `KINDS`, or of `magic`."""
    kind = magic.container_of(head)
    if kind is None and extension in magic.MESSAGE_EXTENSIONS:
        return "message"
    return kind


def files(kind: str, content: bytes, defects: Defects) -> Iterator[InnerFile]:
    """The files in a file of one of `KINDS`. Raises BrokenError."""
    own: Defects = {}
    try:
        if kind == "message":
            for message in next_messages(content):
                yield from _of_message(message, own)
        elif kind == "cms":
            yield from _of_cms(content)
        elif kind == "tnef":
            for name, pieces in tnef.files(content, own):
                yield InnerFile(name or "body", b"".join(pieces))
        else:
            for name_, lines in uuencoded_blocks(content):
                yield InnerFile(name_.decode("utf-8", "replace"), b"".join(uudecoded_lines(lines, 0, own)))
    finally:
        defects |= dict.fromkeys(_CUT.intersection(own))


def _of_message(content: bytes, defects: Defects) -> Iterator[InnerFile]:
    fields = header.split(content, 0, len(content), defects)
    root = parts.tree(content, len(content), fields, defects, complete=True)
    for number, each in enumerate(attachments.collect(root, defects, keep_content=True), 1):
        name = each.filename_raw or f"part {each.part or number}"
        yield InnerFile(name, each.content, each.inside)


def _of_cms(content: bytes) -> Iterator[InnerFile]:
    """The message that is signed; nothing if only its signature is there."""
    signed, why = cms.opened(content)
    if signed is not None:
        yield InnerFile("signed.eml", signed)
    elif why == "broken":
        raise BrokenError
    elif why is not None:
        yield InnerFile("content", None, why)
