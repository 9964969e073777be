"""What lies in archives and documents: their members, at most two levels deep.

Zip (with OOXML, ODF, jar, …), gzip, bzip2, xz and tar are opened, OLE (older Office, .msi, .msg) in `ole`.
Work on one mail is bounded (`Budget`): `inside` says what is left out, and why. Formats that are
not opened here are recognised by their first bytes: `unsupported`.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import documents, magic, ole, tnef, unpack, zip_entries
from zeekpop3.message.attachment_links import AttachmentLinks, may_have_links
from zeekpop3.message.attachments import Attachment, display_name, extension
from zeekpop3.message.budget import current
from zeekpop3.message.unpack import BrokenError, Budget, TooLargeError
from zeekpop3.message.zip_entries import ZipEntry

MAX_MEMBERS = 2_000  # of a mail
MAX_DEPTH = 2
MAX_ROOM = 64 << 20  # bytes of work for a mail
_LEAST_ROOM, _ROOM_FOR_A_BYTE = 4 << 20, 50
_MAX_NESTED = 16 << 20  # bytes of a container within a container
_MAX_PATH = 1_024

LISTED, UNSUPPORTED, BROKEN = "listed", "unsupported", "broken"
TOO_LARGE, ENCRYPTED = "too_large", "encrypted"
_BY_WEIGHT = (LISTED, UNSUPPORTED, BROKEN, TOO_LARGE, ENCRYPTED)
_PACKED = {"gzip": unpack.gunzipped, "bzip2": unpack.bunzipped, "xz": unpack.unxzipped}
#: Extensions of members whose links are read, whatever their content is. The XML of documents is left out:
#: its namespaces and schemas look like links.
READ_FOR_LINKS = frozenset((
    "html", "htm", "xhtml", "xht", "shtml", "hta", "svg", "eml", "mht", "mhtml", "txt", "url", "website",
    "ics", "vcf", "csv", "rtf", "mbox", "kml", "svgz", "json", "js", "jse", "vbs", "wsf", "ps1", "bat",
))  # fmt: skip
_MSG_RTF = "__substg1.0_10090102"  # the text of a message of Outlook ([MS-OXMSG], section 2.1.3)
_OPENED = frozenset(("zip", "tar", *_PACKED))
_METHODS = {
    zip_entries.STORED: unpack.stored,
    zip_entries.DEFLATED: unpack.inflated,
    zip_entries.BZIP2: unpack.bunzipped,
    zip_entries.LZMA: unpack.lzma_of_zip,
}
_SUFFIX = re.compile(r"\.(?:gz|bz2|xz|z)\Z", re.IGNORECASE)
_TAR_SUFFIX = re.compile(r"\.(?:tgz|tbz2?|txz)\Z", re.IGNORECASE)
_MANIFESTS = {"META-INF/manifest.xml": b"encryption-data", "META-INF/encryption.xml": b"EncryptedData"}
_ENCRYPTED_PACKAGE = "EncryptedPackage"  # of an Office document with a password ([MS-OFFCRYPTO], 2.3)
_PDF_FILES = re.compile(rb"/(?:EmbeddedFiles?|RichMedia|GoToE)\b")
_RTF_OBJECTS = re.compile(rb"\\(?:obj|bin)", re.IGNORECASE)


class Member(NamedTuple):
    """A file in a container. `size` in bytes and hashes of its content; None where it was not unpacked.

    `part`: the attachment. `path`: its name in there as written, behind those of the containers in between
    and `//`; unique in the attachment. `name`: for display, without folders. `inside`: as of an
    attachment.
    """

    part: str
    path: str
    name: str | None
    extension: str | None
    size: int | None
    mime_type: str | None
    sha256: str | None
    md5: str | None
    sha1: str | None
    encrypted: bool
    inside: str | None = None


class _Described(NamedTuple):
    """What `AttachmentLinks` knows a file by."""

    part: str
    content_type: str | None
    extension: str | None


class _File(NamedTuple):
    """A file that a container names. `pieces` None: it cannot be unpacked, for the reason `state`."""

    name: str
    pieces: Iterable[bytes] | None
    size: int | None
    state: str = LISTED
    crc: int | None = None


def look_into(
    files: list[Attachment],
    members: list[Member],
    size: int,
    defects: Defects,
    links: AttachmentLinks | None = None,
) -> None:
    """Set `inside` of the attachments of a mail of `size` bytes, add what is in them to `members`. `links`
    reads pages and texts among them.
    """
    held = current().held
    if held:
        containers = _Containers(members, size, defects, links)
        for place, file in enumerate(files):
            pieces = held.get(file.sha256)
            if pieces is not None and file.inside in (None, UNSUPPORTED):
                inside = containers.look(b"".join(pieces), file.part, file.filename)
                files[place] = file._replace(inside=inside or file.inside)


class _Containers:
    """The containers of one mail. `members`: what was found in them."""

    def __init__(
        self, members: list[Member], size: int, defects: Defects, links: AttachmentLinks | None
    ) -> None:
        self.members = members
        self._links = links
        self._defects = defects
        self._budget = Budget(min(MAX_ROOM, _LEAST_ROOM + _ROOM_FOR_A_BYTE * size), MAX_MEMBERS)
        self._paths: set[str] = set()
        self._same: dict[str, int] = {}

    def look(self, content: bytes, part: str, filename: str | None) -> str | None:
        """Add the members of an attachment; `inside` of it, None if nothing can be in it."""
        kind = magic.container_of(content[: magic.HEAD_BYTES])
        if kind is None and zip_entries.is_zip(content):
            kind = "zip"
        self._paths, self._same = set(), {}
        return self._inside(kind, content, part, "", filename, 1)

    def _inside(
        self, kind: str | None, content: bytes, part: str, parent: str, filename: str | None, depth: int
    ) -> str | None:
        """`inside` of a file of a kind of container, after its members were added. `parent`: their paths
        begin with it.
        """
        if kind == "ole":
            files: Iterator[_File] = _of_ole(content, self._budget)
        elif kind in _OPENED:
            files = self._files(kind, content, filename)
        else:
            return _without_members(kind, content)
        if depth > MAX_DEPTH:
            return TOO_LARGE
        states = {LISTED}
        try:
            for file in files:
                self._budget.take_entry()
                # What is only packed does not count as a level: .tar.gz.
                states.add(self._add(file, part, parent, depth if kind in _PACKED else depth + 1) or LISTED)
        except TooLargeError:
            states.add(TOO_LARGE)
        except BrokenError:
            states.add(BROKEN)
        return max(states, key=_BY_WEIGHT.index)

    def _files(self, kind: str, content: bytes, filename: str | None) -> Iterator[_File]:
        if kind == "zip":
            for entry in zip_entries.entries(content, self._defects, MAX_MEMBERS):
                for name in entry.names:
                    if not name.endswith("/") or entry.size:
                        yield _of_zip(entry, name, content, self._budget)
        elif kind == "tar":
            for name, pieces, size in unpack.tar_files(content, self._budget):
                yield _File(name, pieces, size)
        else:
            name = _TAR_SUFFIX.sub(".tar", _SUFFIX.sub("", filename or "")) or "content"
            yield _File(name, _PACKED[kind](content, 0, len(content), self._budget), None)

    def _add(self, file: _File, part: str, parent: str, depth: int) -> str | None:
        """Add a file as a member, and the members in it; `inside` of it. Raises TooLargeError."""
        path = self._unique((parent + file.name)[:_MAX_PATH])
        name = display_name(file.name)
        state = None if file.state == LISTED else file.state
        member = Member(
            part=part,
            path=path,
            name=name,
            extension=extension(name),
            size=file.size,
            mime_type=None,
            sha256=None,
            md5=None,
            sha1=None,
            encrypted=state == ENCRYPTED,
            inside=state,
        )
        place = len(self.members)
        self.members.append(member)
        if file.pieces is None:
            return state
        named = member.extension in READ_FOR_LINKS
        unpacked = _Unpacked(keep=self._links is not None and (named or member.extension is None))
        try:
            for piece in file.pieces:
                unpacked.add(piece)
        except (TooLargeError, BrokenError) as error:
            # A hash of a part of the content is of no use.
            state = TOO_LARGE if isinstance(error, TooLargeError) else BROKEN
            self.members[place] = member._replace(inside=state, mime_type=unpacked.mime_type)
            if state == TOO_LARGE:
                raise
            return state
        if (file.crc is not None and file.crc != unpacked.crc) or file.size not in (None, unpacked.size):
            self._defects[Defect.CONTAINER_MALFORMED] = None
        kind = magic.container_of(unpacked.head)
        if (mark := _MANIFESTS.get(file.name)) is not None and mark in unpacked.head:
            state = ENCRYPTED
        elif kind is not None:
            content = unpacked.content
            within = f"{path}//"
            state = TOO_LARGE if content is None else self._inside(kind, content, part, within, name, depth)
        # Members of other names are read only if they are documents: much of these is XML itself.
        if self._links is not None and (
            named
            or documents.is_document(unpacked.head)
            or (member.extension is None and may_have_links(unpacked.head, None, None))
        ):
            if (text := unpacked.content) is None:
                self._defects[Defect.URLS_CUT] = None
            else:
                self._links.read_whole(text, _Described(part, None, member.extension), None)
        self.members[place] = member._replace(
            size=unpacked.size,
            sha256=unpacked.sha256.hexdigest(),
            md5=unpacked.md5.hexdigest(),
            sha1=unpacked.sha1.hexdigest(),
            mime_type=unpacked.mime_type,
            inside=state,
        )
        return state

    def _unique(self, path: str) -> str:
        """A path that no other member of the attachment has."""
        found, number = path, 1
        while found in self._paths:
            number = self._same.get(path, 1) + 1
            self._same[path] = number
            found = f"{path}#{number}"
        self._paths.add(found)
        return found


class _Unpacked:
    """The content of a member, as it comes: what is asked of it, and itself if it is a small container."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self.size = 0
        self.crc = 0
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self.head = b""
        self._pieces: list[bytes] | None = []

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.crc = zlib.crc32(piece, self.crc)
        for each in (self.sha256, self.md5, self.sha1):
            each.update(piece)
        if len(self.head) < magic.HEAD_BYTES:
            self.head += piece[: magic.HEAD_BYTES - len(self.head)]
        if self._pieces is not None:
            self._pieces.append(piece)
            whole_head = len(self.head) >= magic.HEAD_BYTES
            if self.size > _MAX_NESTED or (whole_head and not self._keep and not _is_opened(self.head)):
                self._pieces = None

    @property
    def mime_type(self) -> str | None:
        return magic.mime_type(self.head, None)

    @property
    def content(self) -> bytes | None:
        return None if self._pieces is None else b"".join(self._pieces)


def _is_opened(head: bytes) -> bool:
    """Whether a file that begins with `head` is a container, or a document that has links."""
    return magic.container_of(head) is not None or documents.is_document(head)


def _of_zip(entry: ZipEntry, name: str, data: bytes, budget: Budget) -> _File:
    """A file of a zip archive."""
    if entry.encrypted:
        return _File(name, None, entry.size, ENCRYPTED)
    unpack_method = _METHODS.get(entry.method)
    if unpack_method is None:
        return _File(name, None, entry.size, UNSUPPORTED)
    end = len(data) if entry.packed is None else min(len(data), entry.start + entry.packed)
    if entry.packed is None and entry.method == zip_entries.STORED:
        end = entry.start  # only the directory says where a stored entry ends
    if entry.packed is not None and entry.start + entry.packed > len(data):
        return _File(name, None, entry.size, BROKEN)
    return _File(name, unpack_method(data, entry.start, end, budget), entry.size, crc=entry.crc)


def _of_ole(content: bytes, budget: Budget) -> Iterator[_File]:
    """The streams of a compound file, and the files embedded in some of them."""
    for stream in ole.streams(content, budget):
        state = ENCRYPTED if stream.path == _ENCRYPTED_PACKAGE else LISTED
        if stream.path.endswith(_MSG_RTF) and stream.size <= _MAX_NESTED:
            whole = b"".join(stream.pieces)
            yield _File(stream.path, (whole,), stream.size)
            try:
                text = tnef.rtf_unpacked(whole)
            except ValueError:
                continue
            yield _File(f"{stream.path}//body.rtf", (text,), len(text))
            continue
        if not ole.is_embedded_file(stream.path) or stream.size > _MAX_NESTED:
            yield _File(stream.path, stream.pieces, stream.size, state)
            continue
        whole = b"".join(stream.pieces)
        yield _File(stream.path, (whole,), stream.size)
        if (found := ole.embedded_file(whole)) is not None:
            yield _File(f"{stream.path}//{found[0]}", (found[1],), len(found[1]))


def _without_members(kind: str | None, content: bytes) -> str | None:
    """`inside` of a file that is not opened here."""
    if kind == "pdf":
        if b"/Encrypt" in content:
            return ENCRYPTED
        return UNSUPPORTED if _PDF_FILES.search(content) else None
    if kind == "rtf":
        return UNSUPPORTED if _RTF_OBJECTS.search(content) else None
    if kind == "encrypted":
        return ENCRYPTED
    return None if kind is None or kind == "tnef" else UNSUPPORTED
