"""Attachments: parts that are not text, parts with a name or marked as attachments, messages inside, and the
files in containers.

These are what a mail program would offer to save, and the images that HTML shows. Text without a name is
shown only. A message inside is an attachment, and so are the attachments in it. Content is hashed in pieces
and kept only on request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from zeekpop3.message import containers, file_type, transfer_encoding
from zeekpop3.message.defects import Defects
from zeekpop3.message.parts import Part

MAX_ATTACHMENTS = 10_000
_MAX_NAME = 1_024
_TYPE_BYTES = 8_192

_EXTENSION = re.compile(r"[^.]\.([^\s./\\]{1,32})\Z")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(slots=True)
class Attachment:
    """One attachment. `size` in bytes and hashes (lower-case hex) of the decoded content.

    `part`: the section as in IMAP ("2", "1.3"); the files of a container add "#1", "#2" … to it.
    `filename_raw`: as written; `filename`: for display, without path, controls and bidirectional overrides.
    `mime_type`: as detected.
    """

    part: str
    filename: str | None
    filename_raw: str | None
    content_type: str | None
    mime_type: str | None
    disposition: str | None
    content_id: str | None
    size: int
    md5: str
    sha1: str
    sha256: str
    content: bytes | None = None

    @property
    def extension(self) -> str | None:
        """The extension of the file name, in lower case, without the dot; Windows ignores dots and blanks at
        the end.
        """
        match = _EXTENSION.search((self.filename or "").rstrip(". "))
        return match[1].lower() if match is not None else None


def display_name(name: str) -> str:
    """A file name without path (of either kind of slash), controls and bidirectional overrides."""
    name = _CONTROLS.sub("", name).replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    if name[1:2] == ":" and name[:1].isalpha():
        name = name[2:]
    return name.strip()[:_MAX_NAME]


def collect(root: Part, defects: Defects, keep_content: bool) -> list[Attachment]:
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
        if _is_offered(part):
            out.append(attachment := _attachment(part, defects, keep_content or containers.is_tnef(part)))
            if containers.is_tnef(part):
                out += _files(part, containers.tnef_files(attachment.content or b"", defects), keep_content)
                if not keep_content:
                    attachment.content = None
        elif part.kind == "text/plain":
            out += _files(part, containers.uuencoded_files(part, defects), keep_content)
    return out


def _is_offered(part: Part) -> bool:
    kind = part.kind
    if part.children is not None:
        return kind.startswith("message/")
    if kind.startswith("multipart/"):
        return False
    return part.disposition == "attachment" or part.filename is not None or not kind.startswith("text/")


def _attachment(part: Part, defects: Defects, keep_content: bool) -> Attachment:
    src, start, end, encoding = part.src, part.start, part.end, part.encoding
    if part.children is not None and part.children[0].src is not src:
        src = part.children[0].src  # a message inside that is decoded already
        start, end, encoding = 0, len(src), ""
    pieces = transfer_encoding.pieces(src, start, end, encoding, defects)
    attachment = _described(part.section, part.filename, part.kind, pieces, keep_content)
    attachment.disposition = part.disposition
    attachment.content_id = part.content_id
    return attachment


def _files(part: Part, files: Iterable[containers.File], keep_content: bool) -> Iterable[Attachment]:
    for number, (name, pieces) in enumerate(files, start=1):
        yield _described(f"{part.section}#{number}", name, None, pieces, keep_content)


def _described(
    section: str, name: str | None, kind: str | None, pieces: Iterable[bytes], keep_content: bool
) -> Attachment:
    """An attachment with the size, the hashes and the detected type of its content."""
    md5 = hashlib.md5(usedforsecurity=False)
    sha1 = hashlib.sha1(usedforsecurity=False)
    sha256 = hashlib.sha256()
    size = 0
    kept: list[bytes] = []
    head = b""
    for piece in pieces:
        if size == 0:
            head = piece[:_TYPE_BYTES]
        size += len(piece)
        md5.update(piece)
        sha1.update(piece)
        sha256.update(piece)
        if keep_content:
            kept.append(piece)
    detect = head and not (kind or "").startswith("message/")
    return Attachment(
        part=section,
        filename=None if name is None else display_name(name),
        filename_raw=name,
        content_type=kind,
        mime_type=file_type.mime_type(head, kind) if detect else None,
        disposition=None,
        content_id=None,
        size=size,
        md5=md5.hexdigest(),
        sha1=sha1.hexdigest(),
        sha256=sha256.hexdigest(),
        content=b"".join(kept) if keep_content else None,
    )
