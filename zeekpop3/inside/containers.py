"""What lies in archives and documents: their members, at most two levels deep.

Zip (with OOXML, ODF, jar, …), gzip, bzip2, xz and tar are opened, OLE (older Office, .msi, .msg) in `ole`,
messages in files (.eml, mbox, .mht, S/MIME, winmail.dat, uuencode) in `file_messages`. What stands behind or
around a zip file does not hide it.
Work on one mail is bounded (`Budget`): `inside` says what is left out, and why. Formats that are
not opened here are recognised by their first bytes: `unsupported`.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from zeekpop3.defects import Defect, Defects
from zeekpop3.inside import documents, file_messages, magic, ole, pdf, tnef, unpack, zip_entries
from zeekpop3.inside.attachment_links import HEAD, AttachmentLinks, looks_like_text, may_have_links
from zeekpop3.inside.attachments import is_winmail
from zeekpop3.inside.unpack import BrokenError, Budget, LeftOverError, TooLargeError
from zeekpop3.inside.zip_entries import ZipEntry
from zeekpop3.message import cms
from zeekpop3.message.budget import current
from zeekpop3.message.files import Attachment, Member, display_name, extension

MAX_MEMBERS = 2_000  # of a mail
MAX_DEPTH = 2
MAX_ROOM = 64 << 20  # bytes of work for a mail
_LEAST_ROOM, _ROOM_FOR_A_BYTE = 4 << 20, 50
_MAX_NESTED = 16 << 20  # bytes of a container within a container
_MAX_PATH = 1_024
_MAX_TITLE = 1 << 13  # bytes of a name in a message of Outlook

LISTED, UNSUPPORTED, BROKEN = "listed", "unsupported", "broken"
TOO_LARGE, ENCRYPTED = "too_large", "encrypted"
_BY_WEIGHT = (LISTED, UNSUPPORTED, BROKEN, TOO_LARGE, ENCRYPTED)
_PACKED = {"gzip": unpack.gunzipped, "bzip2": unpack.bunzipped, "xz": unpack.unxzipped}
_MSG_FILE = "__substg1.0_37010102"
_MSG_NAME = re.compile(r"__substg1\.0_(?:3707|3704|3001)001[EF]")  # long, short, display name of a file
_MSG_RTF = "__substg1.0_10090102"  # the text of a message of Outlook ([MS-OXMSG], section 2.1.3)
_MAX_SHELLS = 2
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
_PDF_FILES = re.compile(rb"/(?:EmbeddedFiles?|EF|RichMedia|GoToE)\b")
_RTF_OBJECTS = re.compile(rb"\\(?:obj|bin)", re.IGNORECASE)


class _Described(NamedTuple):
    """What `AttachmentLinks` knows a file by."""

    part: str
    content_type: str | None
    extension: str | None


class _Place(NamedTuple):
    """Where files are: the attachment, what their paths begin with, at what depth containers in them are, the
    kind of the container, and whether it is an archive, which may hold any files, and not a document.
    """

    part: str
    parent: str
    depth: int
    kind: str
    is_archive: bool


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
    marks = links.marks if links is not None else set()
    if not held and not marks:
        return
    containers = _Containers(members, size, defects, links)
    for place, file in enumerate(files):
        inside = file.inside
        pieces = held.get(file.sha256)
        if pieces is not None and inside in (None, UNSUPPORTED):
            inside = containers.look(b"".join(pieces), file) or inside
        inside = _heavier(inside, UNSUPPORTED if file.part in marks else None)
        if inside != file.inside:
            files[place] = file._replace(inside=inside)


def _heavier(one: str | None, other: str | None) -> str | None:
    """Of two states the one that leaves more open."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=_BY_WEIGHT.index)


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
        self._shells = 0

    def look(self, content: bytes, file: Attachment) -> str | None:
        """Add the members of an attachment; `inside` of it, None if nothing can be in it."""
        part, filename = file.part, file.filename
        kind = file_messages.kind_of(content[: magic.HEAD_BYTES], extension(filename))
        self._paths, self._same = set(), {}
        found = None
        # What is in these parts are parts or attachments of the mail.
        is_opened = (kind == "tnef" and is_winmail(file.content_type, filename)) or (
            kind == "cms" and "#" not in part and cms.may_be_signed(file.content_type, filename)
        )
        if not is_opened:
            found = self._inside(kind, content, part, "", filename, 1)
        if kind != "zip" and zip_entries.is_zip(content):
            known = {(each.name, each.sha256) for each in self.members if each.part == part}
            first = len(self.members)
            found = _heavier(found, self._inside("zip", content, part, "", filename, 1))
            # Files of a zip file that is a member, and not packed, are there already.
            again = [each for each in self.members[first:] if (each.name, each.sha256) not in known]
            self.members[first:] = again
        return _heavier(found, UNSUPPORTED if magic.carries_files(content) else None)

    def _inside(
        self, kind: str | None, content: bytes, part: str, parent: str, filename: str | None, depth: int
    ) -> str | None:
        """`inside` of a file of a kind of container, after its members were added. `parent`: their paths
        begin with it.
        """
        if kind == "ole":
            files: Iterator[_File] = _of_ole(content, self._budget)
        elif kind in file_messages.KINDS:
            files = self._of_message(kind, content)
        elif kind in _OPENED:
            files = self._files(kind, content, filename)
        else:
            return _without_members(kind, content)
        if depth > MAX_DEPTH:
            # Most files that begin like a message are texts.
            return None if kind == "message" and b"oundary" not in content else TOO_LARGE
        # A file that is only packed does not count as a level (.tar.gz), if that is not done again and again.
        is_shell = kind in _PACKED and self._shells < _MAX_SHELLS
        self._shells += is_shell
        here = _Place(part, parent, depth + (not is_shell), kind, _is_archive(kind, content))
        states: set[str] = set()
        try:
            for file in files:
                self._budget.take_entry()
                states.add(self._add(file, here) or LISTED)
        except TooLargeError:
            states.add(TOO_LARGE)
        except BrokenError:
            states.add(BROKEN)
        finally:
            self._shells -= is_shell
        if not states and kind in ("message", "cms"):
            return None
        return max(states | {LISTED}, key=_BY_WEIGHT.index)

    def _of_message(self, kind: str, content: bytes) -> Iterator[_File]:
        for file in file_messages.files(kind, content, self._defects):
            pieces = None if file.content is None else (file.content,)
            size = None if file.content is None else len(file.content)
            self._budget.take(size or 0)
            state = file.why or (LISTED if pieces is not None else TOO_LARGE)
            yield _File(file.name, pieces, size, state)

    def _files(self, kind: str, content: bytes, filename: str | None) -> Iterator[_File]:
        if kind == "zip":
            for entry in zip_entries.entries(content, self._defects, MAX_MEMBERS):
                for name in entry.names:
                    if not name.endswith("/") or entry.size:
                        yield _of_zip(entry, name, content, self._budget)
        elif kind == "tar":
            for name, pieces, size in unpack.tar_files(content, self._budget):
                yield _File(name, pieces, size, LISTED if pieces is not None else UNSUPPORTED)
        else:
            name = _TAR_SUFFIX.sub(".tar", _SUFFIX.sub("", filename or "")) or "content"
            names = [name]
            if kind == "gzip" and (stored := unpack.name_in_gzip(content)) and stored != name:
                names.append(stored)
            for each in names:
                yield _File(each, _PACKED[kind](content, 0, len(content), self._budget), None)

    def _add(self, file: _File, place: _Place) -> str | None:
        """Add a file as a member, and the members in it; `inside` of it. Raises TooLargeError."""
        path = self._unique((place.parent + file.name)[:_MAX_PATH])
        name = display_name(file.name)
        state = None if file.state == LISTED else file.state
        member = Member(
            part=place.part,
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
        number = len(self.members)
        self.members.append(member)
        if file.pieces is None:
            return state
        unpacked = _Unpacked(lambda head: self._is_read(head, member, file, place))
        try:
            for piece in file.pieces:
                unpacked.add(piece)
        except LeftOverError:
            state = BROKEN
        except (TooLargeError, BrokenError) as error:
            # A hash of a part of the content is of no use.
            state = TOO_LARGE if isinstance(error, TooLargeError) else BROKEN
            self.members[number] = member._replace(inside=state, mime_type=unpacked.mime_type)
            if state == TOO_LARGE:
                raise
            return state
        if (file.crc is not None and file.crc != unpacked.crc) or file.size not in (None, unpacked.size):
            self._defects[Defect.CONTAINER_MALFORMED] = None
        content = unpacked.content
        if (mark := _MANIFESTS.get(file.name)) is not None and mark in (content or unpacked.head):
            state = ENCRYPTED
        else:
            state = _heavier(state, self._within(unpacked, member, place))
        if self._links is not None and self._is_read(unpacked.head, member, file, place):
            if content is None:
                self._defects[Defect.URLS_CUT] = None
            else:
                self._links.read_whole(content, _Described(place.part, None, member.extension), None)
        self.members[number] = member._replace(
            size=unpacked.size,
            sha256=unpacked.sha256.hexdigest(),
            md5=unpacked.md5.hexdigest(),
            sha1=unpacked.sha1.hexdigest(),
            mime_type=unpacked.mime_type,
            inside=state,
        )
        return state

    def _is_read(self, head: bytes, member: Member, file: _File, place: _Place) -> bool:
        """Whether the links of a member are read here. XML files of a zip file are read with it."""
        if file.name in _MANIFESTS:
            return True
        if self._links is None or (
            place.kind == "zip" and documents.is_read_in_zip(file.name, head, of_package=not place.is_archive)
        ):
            return False
        return may_have_links(head, None, member.extension)

    def _within(self, unpacked: _Unpacked, member: Member, place: _Place) -> str | None:
        """`inside` of a member, after the members in it were added."""
        head, content = unpacked.head, unpacked.content
        kind = file_messages.kind_of(head, member.extension)
        if kind is not None:
            if content is None:
                return TOO_LARGE
            return self._inside(kind, content, place.part, f"{member.path}//", member.name, place.depth)
        carries = zip_entries.is_zip(unpacked.tail) or (content is not None and magic.carries_files(content))
        is_opaque = place.is_archive and magic.is_opaque(head, unpacked.mime_type)
        return UNSUPPORTED if carries or (is_opaque and not looks_like_text(head[:HEAD])) else None

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
    """The content of a member, as it comes: what is asked of it, and itself if it is small, and a container
    or one that `is_read`, by its beginning.
    """

    def __init__(self, is_read: Callable[[bytes], bool]) -> None:
        self._is_read = is_read
        self.size = 0
        self.crc = 0
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self.head = b""
        self._last = (b"", b"")
        self._pieces: list[bytes] | None = []

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.crc = zlib.crc32(piece, self.crc)
        for each in (self.sha256, self.md5, self.sha1):
            each.update(piece)
        is_whole = len(self.head) >= magic.HEAD_BYTES
        if not is_whole:
            self.head += piece[: magic.HEAD_BYTES - len(self.head)]
            is_whole = len(self.head) >= magic.HEAD_BYTES
        self._last = (self._last[1], piece)
        if self._pieces is not None:
            self._pieces.append(piece)
            is_asked = not is_whole or _is_opened(self.head) or self._is_read(self.head)
            if self.size > _MAX_NESTED or not is_asked:
                self._pieces = None

    @property
    def tail(self) -> bytes:
        return b"".join(self._last)

    @property
    def mime_type(self) -> str | None:
        return magic.mime_type(self.head, None)

    @property
    def content(self) -> bytes | None:
        return None if self._pieces is None else b"".join(self._pieces)


def _is_archive(kind: str, content: bytes) -> bool:
    return kind != "ole" and not (kind == "zip" and documents.is_package(content))


def _is_opened(head: bytes) -> bool:
    """Whether a file that begins with `head` is a container, or a document that has links."""
    return magic.may_hold_files(head, []) or documents.is_document(head)


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
    streams = list(ole.streams(content, budget))
    titles = _titles_of_msg(streams)
    for stream in streams:
        folder, _, leaf = stream.path.rpartition("/")
        is_file = leaf == _MSG_FILE and folder in titles
        if stream.size > _MAX_NESTED or not (is_file or leaf == _MSG_RTF or ole.is_embedded_file(leaf)):
            first = next(stream.pieces, b"") if leaf in ole.FIRST_STREAMS else b""
            state = ENCRYPTED if ole.is_encrypted(leaf, first) else LISTED
            yield _File(stream.path, chain((first,), stream.pieces), stream.size, state)
            continue
        whole = b"".join(stream.pieces)
        yield _File(stream.path, (whole,), stream.size)
        if leaf == _MSG_RTF:
            try:
                text = tnef.rtf_unpacked(whole)
            except ValueError:
                continue
            yield _File(f"{stream.path}//body.rtf", (text,), len(text))
        elif is_file:
            for name in titles[folder]:
                yield _File(f"{stream.path}//{name}", (whole,), len(whole))
        elif (found := ole.embedded_file(whole)) is not None:
            state = LISTED if found.is_whole else BROKEN
            for name in found.names:
                yield _File(f"{stream.path}//{name}", (found.content,), len(found.content), state)


def _titles_of_msg(streams: list[ole.Stream]) -> dict[str, list[str]]:
    """The names of the files in a message of Outlook, by their storage ([MS-OXMSG], section 2.2.2)."""
    found: dict[str, list[str]] = {}
    for stream in streams:
        folder, _, leaf = stream.path.rpartition("/")
        if _MSG_NAME.fullmatch(leaf) is not None and stream.size < _MAX_TITLE:
            codec = "utf-16-le" if leaf.endswith("F") else "cp1252"
            name = b"".join(stream.pieces).decode(codec, "replace").rstrip("\0")
            if name and name not in found.setdefault(folder, []):
                found[folder].append(name)
    return found


def _without_members(kind: str | None, content: bytes) -> str | None:
    """`inside` of a file that is not opened here."""
    if kind == "pdf":
        names = pdf.with_plain_names(content)
        if b"/Encrypt" in names:
            return ENCRYPTED
        return UNSUPPORTED if _PDF_FILES.search(names) else None
    if kind == "rtf":
        return UNSUPPORTED if _RTF_OBJECTS.search(content) else None
    if kind == "encrypted":
        return ENCRYPTED
    return None if kind is None or kind == "tnef" else UNSUPPORTED
