"""The records of attached files, their names, and what `mail.parse` asks of a collector of files.

A mail says which of its parts are files; what lies in a file is read by the collector, which is not part of
this package: `zeekpop3.inside` has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from zeekpop3.defects import Defects
from zeekpop3.message.links import Link
from zeekpop3.message.parts import Part

_MAX_NAME = 1_024
_EXTENSION = re.compile(r"[^.]\.([^\s./\\]{1,32})\Z")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_WITH_PROPERTIES = frozenset(
    ("text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/x-vcalendar")
)
_PROPERTY_EXTENSIONS = frozenset(("ics", "ifb", "vcs", "vcf"))


class Attachment(NamedTuple):
    """One attachment. `size` in bytes and hashes (lower-case hex) of the decoded content.

    `part`: the section as in IMAP ("2", "1.3"); the files of a container add "#1", "#2" … to it.
    `filename_raw`: as written; `filename`: for display, without path, controls and bidirectional overrides.
    `extension`: of `filename`, in lower case, without the dot. `mime_type`: as detected. `reading`: None, or
    the other reading by which only some programs show this part. `other_names`: further file names that other
    programs show. `inside`: whether its contents are in `members`, or why not.
    """

    part: str
    filename: str | None
    filename_raw: str | None
    extension: str | None
    content_type: str | None
    mime_type: str | None
    disposition: str | None
    content_id: str | None
    size: int
    md5: str
    sha1: str
    sha256: str
    content: bytes | None = None
    reading: str | None = None
    other_names: Sequence[str] = ()
    inside: str | None = None


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


class Files(Protocol):
    """Collects the files of one mail: `attachments`, with what they hold (`members`) and where they lead
    (`links`). What was added before an exception is kept.
    """

    attachments: list[Attachment]
    members: list[Member]
    links: list[Link]

    def collect(self, root: Part) -> None:
        """Add the files among the parts of a mail."""

    def add_part(self, part: Part, reading: str, section: str) -> None:
        """Add a part that is one by another reading, unless its content is known."""

    def add_content(
        self, content: bytes, reading: str | None, section: str, name: str | None, kind: str | None,
        inside: str | None,
    ) -> None:  # fmt: skip
        """Add content that stands in a text, unless it is known. `reading`: see `Attachment`."""

    def finish(self) -> None:
        """All files were added."""


class Collector(Protocol):
    """Makes a `Files` for a mail of `size` bytes, whose links have numbers from `first` on."""

    def __call__(self, size: int, defects: Defects, *, keep_content: bool, first: int) -> Files: ...


def display_name(name: str) -> str:
    """A file name without path (of either kind of slash), controls and bidirectional overrides."""
    name = _CONTROLS.sub("", name).replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    if name[1:2] == ":" and name[:1].isalpha():
        name = name[2:]
    return name.strip()[:_MAX_NAME]


def extension(filename: str | None) -> str | None:
    """The extension of a file name, in lower case. Windows ignores dots and blanks at the end."""
    match = _EXTENSION.search(filename.rstrip(". ")) if filename else None
    return match[1].lower() if match is not None else None


def has_properties(part: Part) -> bool:
    """Whether a part is a calendar or a card, by its type or its name."""
    suffix = extension(display_name(part.filename or ""))
    return part.kind in _WITH_PROPERTIES or suffix in _PROPERTY_EXTENSIONS
