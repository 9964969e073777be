"""What a mail program would offer to save: parts with a name or marked as attachments, messages inside, parts
that are no text.

Text without a name is shown, not saved; so are images without a name inside a multipart/related. A message
inside is an attachment as such, and so are the attachments in it. Content is hashed in pieces and kept only
on request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from zeekpop3.message import detected, transfer, unpacked
from zeekpop3.message.defects import Defects
from zeekpop3.message.structure import Part

MAX_ATTACHMENTS = 10_000
_MAX_NAME: Final = 1_024
_DETECT_BYTES: Final = 8_192

_SHOWN: Final = ("text/", "multipart/", "message/")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class Attachment:
    """One attachment. `size` in bytes, hashes (lower-case hex) of the decoded content; `content` only on
    request.

    `part` is the section as in IMAP ("2", "1.3"); what was unpacked from a part adds "#1", "#2" … to it.
    `filename` is for display: no path, no controls, no bidirectional overrides; `filename_raw` is what was
    written.
    """

    __slots__ = (
        "content", "content_id", "content_type", "disposition", "filename", "filename_raw", "md5",
        "mime_type",
        "part", "sha1", "sha256", "size",
    )  # fmt: skip

    def __init__(
        self, part: str, filename_raw: str | None, content_type: str | None, disposition: str | None,
        content_id: str | None,
    ) -> None:  # fmt: skip
        self.part = part
        self.filename_raw = filename_raw
        self.filename = display_name(filename_raw) if filename_raw is not None else None
        self.content_type = content_type
        self.disposition = disposition
        self.content_id = content_id
        self.mime_type: str | None = None
        self.size = 0
        self.md5 = self.sha1 = self.sha256 = ""
        self.content: bytes | None = None

    def __repr__(self) -> str:
        return f"Attachment(part={self.part!r}, filename={self.filename!r}, size={self.size})"


def display_name(name: str) -> str:
    """A file name without path (of either kind of slash), controls and bidirectional overrides."""
    name = _CONTROLS.sub("", name).replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    if name[1:2] == ":" and name[:1].isalpha():
        name = name[2:]
    return name.strip()[:_MAX_NAME]


def collect(root: Part, defects: Defects, content: bool) -> list[Attachment]:
    """All attachments, in the order of the parts."""
    out: list[Attachment] = []
    stack = [root]
    while stack:
        part = stack.pop()
        if len(out) >= MAX_ATTACHMENTS:
            defects["attachments_cut"] = None
            return out[:MAX_ATTACHMENTS]
        if part.children is not None:
            stack.extend(reversed(part.children))
        if _offered(part):
            _add(part, out, defects, content)
        elif part.kind == "text/plain" and _has_uuencode(part):
            unpacked.add_uuencode(part, out, defects, content)
    return out


def _offered(part: Part) -> bool:
    kind = part.kind
    if part.children is not None:
        return kind.startswith("message/")
    if kind.startswith("multipart/"):
        return False
    if part.disposition == "attachment" or part.filename is not None:
        return True
    if kind.startswith(_SHOWN):
        return kind == "message/partial"  # a piece of a mail: nothing of it is shown
    return not (kind.startswith("image/") and part.within == "multipart/related")


def _add(part: Part, out: list[Attachment], defects: Defects, content: bool) -> None:
    attachment = Attachment(
        part.section,
        part.filename,
        part.kind,
        part.disposition,
        part.content_id,
    )
    encoding = part.encoding
    if part.children is not None and part.children[0].src is not part.src:
        encoding = ""
        src, start, end = part.children[0].src, 0, len(part.children[0].src)
    else:
        src, start, end = part.src, part.start, part.end
    container = unpacked.is_tnef(part)
    kept = fill(attachment, transfer.pieces(src, start, end, encoding, defects), content, container)
    out.append(attachment)
    if container and kept is not None:
        unpacked.add_tnef(kept, part, out, defects, content)


def fill(attachment: Attachment, pieces: Iterable[bytes], content: bool, keep: bool = False) -> bytes | None:
    """Size, hashes, detected type, and the content if it is wanted. `keep` gives it back without storing
    it.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    sha1 = hashlib.sha1(usedforsecurity=False)
    sha256 = hashlib.sha256()
    size = 0
    kept: list[bytes] = []
    head = b""
    for piece in pieces:
        if size == 0:
            head = piece[:_DETECT_BYTES]
        size += len(piece)
        md5.update(piece)
        sha1.update(piece)
        sha256.update(piece)
        if content or keep:
            kept.append(piece)
    attachment.size = size
    attachment.md5 = md5.hexdigest()
    attachment.sha1 = sha1.hexdigest()
    attachment.sha256 = sha256.hexdigest()
    if head and not (attachment.content_type or "").startswith("message/"):
        attachment.mime_type = detected.mime_type(head, attachment.content_type)
    whole = b"".join(kept) if content or keep else None
    if content:
        attachment.content = whole
    return whole


def _has_uuencode(part: Part) -> bool:
    return (
        part.encoding in ("", "quoted-printable")
        and unpacked.BEGIN.search(part.src, part.start, part.end) is not None
    )
