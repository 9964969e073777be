"""Attachments: what a mail program would offer to save, and the images that HTML shows.

These are parts that are neither plain text nor HTML, parts with a name or marked as attachments, messages
inside and the attachments in them, and the files in winmail.dat (TNEF) and in uuencoded blocks of text.
Content is hashed in pieces and kept only on request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from zeekpop3.defects import Defect, Defects
from zeekpop3.inside import magic, tnef
from zeekpop3.inside.attachment_links import HEAD, RUNS, AttachmentLinks, looks_like_text
from zeekpop3.message import bodies, doubts, transfer_encoding
from zeekpop3.message.budget import current
from zeekpop3.message.charsets import eight_bit
from zeekpop3.message.encoded_blocks import (
    BINHEX,
    PGP,
    UU_BEGIN,
    UU_END,
    property_files,
    uudecoded_lines,
    uuencoded_blocks,
)
from zeekpop3.message.files import Attachment, display_name, extension, has_properties
from zeekpop3.message.parts import Part

MAX_ATTACHMENTS = 10_000
MAX_FILES = 1_000  # in one container

_UNSUPPORTED = frozenset(("application/mac-binhex40", "application/mac-binhex"))
_BODY_EXTENSIONS = {"text/plain": (None, "txt"), "text/html": (None, "html", "htm")}
_TNEF_KINDS = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))

_File = tuple[str | None, Iterable[bytes]]  # a file's name, and its content in pieces


def collect(
    root: Part, defects: Defects, keep_content: bool, links: AttachmentLinks | None = None
) -> list[Attachment]:
    """All attachments, in the order of the parts; the files in a container follow it. `links` reads what may
    have links.
    """
    links = links or AttachmentLinks(defects)
    out: list[Attachment] = []
    stack = [root]
    while stack:
        part = stack.pop()
        if len(out) >= MAX_ATTACHMENTS:
            defects[Defect.ATTACHMENTS_CUT] = None
            return out[:MAX_ATTACHMENTS]
        if part.children is not None:
            stack.extend(reversed(part.children))
        files: Iterable[_File] = ()
        if _is_offered(part):
            is_tnef = is_winmail(part.kind, part.filename)
            attachment = described_part(part, defects, keep_content or is_tnef, links)
            if is_tnef:
                files = tnef.files(attachment.content or b"", defects)
                if not keep_content:
                    attachment = attachment._replace(content=None)
            elif (held := current().held.get(attachment.sha256)) and held[0].startswith(tnef.SIGNATURE):
                files = tnef.files(b"".join(held), defects)
            elif has_properties(part):
                files = _files_of_properties(part, defects)
            out.append(attachment)
        elif part.kind == "text/plain" and part.encoding in ("", "quoted-printable", "base64"):
            files = _uuencoded_files(part, defects)
        for number, (name, pieces) in enumerate(files, start=1):
            if number > MAX_FILES:
                defects[Defect.ATTACHMENTS_CUT] = None
                break
            section = f"{part.section}#{number}"
            out.append(described(section, name, None, pieces, keep_content, defects, links))
    return out


def is_winmail(kind: str | None, filename: str | None) -> bool:
    """Whether an attachment is a container (TNEF) whose files are attachments, too."""
    return kind in _TNEF_KINDS or (filename or "").lower() == "winmail.dat"


def _is_offered(part: Part) -> bool:
    kind = part.kind
    if part.children is not None and kind.startswith(("message/", "multipart/")):
        return kind.startswith("message/")
    if kind.startswith("multipart/"):
        return False
    return part.disposition == "attachment" or part.filename is not None or kind not in bodies.SHOWN


def _is_read(part: Part) -> bool:
    """Whether a part is a body whose name fits its type."""
    usual = _BODY_EXTENSIONS.get(part.kind, ())
    return part.disposition != "attachment" and extension(part.filename) in usual


def _runs_scripts(part: Part) -> bool:
    """Whether a body is also a file, which scripts run in when it is opened with a browser."""
    if part.kind != "text/html" or part.filename is None:
        return False
    page = transfer_encoding.decoded(part.src, part.start, part.end, part.encoding, {})
    return RUNS.search(page.decode("latin-1")) is not None


def _uuencoded_files(part: Part, defects: Defects) -> Iterator[_File]:
    if part.encoding == "base64" or UU_BEGIN.search(part.src, part.start, part.end) is not None:
        text = transfer_encoding.decoded(part.src, part.start, part.end, part.encoding, {})
        if b"\r" in text and UU_BEGIN.search(text) is not None:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        name = None
        for name, lines in uuencoded_blocks(text):
            yield eight_bit(name, defects) or None, uudecoded_lines(lines, 0, defects)
        if name is None and (begin := UU_BEGIN.search(text)) is not None and UU_END.search(text, begin.end()):
            defects[Defect.UUENCODE_BROKEN] = None  # to some programs whatever stands there is a file


def _files_of_properties(part: Part, defects: Defects) -> Iterator[_File]:
    content = transfer_encoding.decoded(part.src, part.start, part.end, part.encoding, {})
    for name, value in property_files(content):
        yield None if name is None else eight_bit(name, defects), (value,)


def described_part(
    part: Part, defects: Defects, keep_content: bool, links: AttachmentLinks | None
) -> Attachment:
    """The attachment for a part."""
    src, start, end, encoding = part.src, part.start, part.end, part.encoding
    if part.children is not None and part.children[0].header is not None and part.children[0].src is not src:
        src = part.children[0].src  # a message inside that is decoded already
        start, end, encoding = 0, len(src), ""
    pieces = transfer_encoding.pieces(src, start, end, encoding, defects)
    # The links of a message are those of its own record, those of a body are there already.
    is_known = part.children is not None or (_is_read(part) and not _runs_scripts(part))
    reader = None if is_known else links
    if links is not None:
        links.read_reference(part, part.section)
    charset = part.params.get("charset")
    attachment = described(
        part.section, part.filename, part.kind, pieces, keep_content, defects, reader, charset
    )
    attachment = attachment._replace(
        disposition=part.disposition, content_id=part.content_id, inside=part.inside or attachment.inside
    )
    if part.doubtful is not None or part.params.others or part.file_params:
        attachment = _with_other_names(attachment, doubts.other_names(part), defects)
    return attachment


def _with_other_names(attachment: Attachment, names: list[str], defects: Defects) -> Attachment:
    shown = (attachment.filename or "").casefold()
    others = dict.fromkeys([name for name in map(display_name, names) if name and name.casefold() != shown])
    if not others:
        return attachment
    defects[Defect.FILENAME_AMBIGUOUS] = None
    return attachment._replace(other_names=list(others))


def described(
    section: str,
    name: str | None,
    kind: str | None,
    pieces: Iterable[bytes],
    keep_content: bool,
    defects: Defects,
    links: AttachmentLinks | None = None,
    charset: str | None = None,
) -> Attachment:
    """An attachment with the size, the hashes and the detected type of its content."""
    filename = None if name is None else display_name(name)
    suffix = extension(filename)
    wanted = 0
    hashes = (hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False), hashlib.sha256())
    is_message = (kind or "").startswith("message/")
    size = 0
    kept: list[bytes] = []
    looked_at: list[bytes] = []
    whole: list[bytes] = []
    head = b""
    for piece in pieces:
        if size == 0:
            head = piece[: magic.HEAD_BYTES]
            wanted = links.wanted(head, kind, suffix) if links is not None else 0
        for each in hashes:
            each.update(piece)
        whole.append(piece)
        if size < wanted:
            looked_at.append(piece)
        if keep_content and not current().may_keep(len(piece), enclosing=is_message):
            defects[Defect.PARSE_LIMITED] = None
            keep_content = False
            kept.clear()
        if keep_content:
            kept.append(piece)
        size += len(piece)
    md5, sha1, sha256 = (each.hexdigest() for each in hashes)
    if links is not None and wanted:
        links.read(b"".join(looked_at)[:wanted], size, kind, suffix, charset, section)
    mime_type = magic.mime_type(head, kind) if head and not is_message else None
    is_text = looks_like_text(head[:HEAD])
    inside = _inside(kind, head)
    container = magic.container_of(head)
    if is_message:  # what is in a message has rows of its own
        is_held = container not in (None, "message")
    else:
        is_held = magic.may_hold_files(head, whole[-2:]) or (is_text and suffix in magic.MESSAGE_EXTENSIONS)
        if inside is None and not is_text and magic.is_opaque(head, mime_type):
            inside = "unsupported"
    if is_held:
        current().held[sha256] = whole
    return Attachment(
        part=section,
        filename=filename,
        filename_raw=name,
        extension=suffix,
        content_type=kind,
        mime_type=mime_type,
        disposition=None,
        content_id=None,
        size=size,
        md5=md5,
        sha1=sha1,
        sha256=sha256,
        content=b"".join(kept) if keep_content else None,
        inside=inside,
    )


def _inside(kind: str | None, head: bytes) -> str | None:
    """Why content cannot be looked into."""
    if kind == "application/pgp-encrypted" or head.lstrip().startswith(PGP.encode()):
        # The part of RFC 3156 that only names the version holds nothing.
        return None if head.lstrip()[:8].lower() == b"version:" else "encrypted"
    is_binhex = head.startswith(BINHEX) or b"\n" + BINHEX in head
    return "unsupported" if is_binhex or kind in _UNSUPPORTED else None
