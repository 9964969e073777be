"""The files of one mail, as `message.mail` and `message.readings` find them: each is added once, by content
and name, and read for links.
"""

from __future__ import annotations

from zeekpop3.defects import Defect, Defects
from zeekpop3.inside import attachments
from zeekpop3.inside.attachment_links import AttachmentLinks
from zeekpop3.inside.containers import look_into
from zeekpop3.message import transfer_encoding
from zeekpop3.message.files import Attachment, Member
from zeekpop3.message.links import Link
from zeekpop3.message.parts import Part


class MailFiles:
    """See `message.files.Files`."""

    def __init__(self, size: int, defects: Defects, *, keep_content: bool, first: int) -> None:
        self.attachments: list[Attachment] = []
        self.members: list[Member] = []
        self._size = size
        self._defects = defects
        self._keep = keep_content
        self._links = AttachmentLinks(defects, first)
        self.links: list[Link] = self._links.found
        self._numbers: dict[str, int] | None = None
        self._known: set[tuple[str, str | None]] = set()
        self._hashes: set[str] = set()
        self._nameless: dict[str, int] = {}  # of other readings: the index by hash

    def collect(self, root: Part) -> None:
        """Add the files among the parts of a mail."""
        self.attachments += attachments.collect(root, self._defects, self._keep, self._links)

    def add_part(self, part: Part, reading: str, section: str) -> None:
        """Add a part that is one by another reading, unless its content is known."""
        found: Defects = {}  # defects of a reading are not those of the mail, except for limits
        file = attachments.described_part(part, found, self._keep, None)
        if Defect.PARSE_LIMITED in found:
            self._defects[Defect.PARSE_LIMITED] = None
        row = self._keep_row(file._replace(reading=reading), section)
        if row is not None and part.children is None:
            self._links.read_reference(part, row.part)
            content = transfer_encoding.decoded(part.src, part.start, part.end, part.encoding, {})
            self._links.read_whole(content, row, part.params.get("charset"))

    def add_content(
        self, content: bytes, reading: str | None, section: str, name: str | None, kind: str | None,
        inside: str | None,
    ) -> None:  # fmt: skip
        """Add content that stands in a text, unless it is known. `reading`: see `Attachment`."""
        file = attachments.described(section, name, kind, [content], self._keep, self._defects)
        row = self._keep_row(file._replace(reading=reading, inside=inside), section)
        if row is not None:
            self._links.read_whole(content, row, None)

    def finish(self) -> None:
        """All files were added."""
        look_into(self.attachments, self.members, self._size, self._defects, self._links)

    def _keep_row(self, file: Attachment, section: str) -> Attachment | None:
        """The row, if the content is not known already."""
        if self._numbers is None:
            self._start()
        key = (file.sha256, file.filename)
        if file.size == 0 or key in self._known or (file.filename is None and file.sha256 in self._hashes):
            return None
        self._known.add(key)
        self._hashes.add(file.sha256)
        if (index := self._nameless.pop(file.sha256, None)) is not None:
            # The same content again, and now its name is known.
            first = self.attachments[index]
            self.attachments[index] = file._replace(part=first.part, reading=first.reading)
            return None
        if file.filename is None:
            self._nameless[file.sha256] = len(self.attachments)
        self.attachments.append(file._replace(part=f"{section}#{self._number(section)}"))
        if file.reading is not None:
            self._defects[Defect.OTHER_READING] = None
        return self.attachments[-1]

    def _start(self) -> None:
        """What the ordinary reading has found: contents, and the last number of a file in each part."""
        self._known = {(each.sha256, each.filename) for each in self.attachments}
        self._hashes = {each.sha256 for each in self.attachments}
        self._numbers = {}
        for file in self.attachments:
            before, sign, number = file.part.partition("#")
            if sign:
                self._numbers[before] = int(number)

    def _number(self, section: str) -> int:
        """The next number behind the files that were found in this part already."""
        assert self._numbers is not None
        self._numbers[section] = self._numbers.get(section, 0) + 1
        return self._numbers[section]
