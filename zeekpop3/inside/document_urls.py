"""What is found while a document is read: its URLs; and what may still be read of all documents of a mail."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from zeekpop3.message.html_tokens import with_characters

MAX_DOCUMENT = 32 << 20  # bytes
MAX_URLS = 10_000
MAX_PART = 4 << 20  # bytes
CHUNK = 1 << 16  # bytes that are unpacked at once
ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]{1,30}:|//|\\\\", re.IGNORECASE | re.ASCII)
WHITE_SPACE = b" \t\n\r\f\v"

_PRINTABLE = bytes(code if 32 <= code < 127 else 10 for code in range(256))
_WIDE = re.compile(rb"(?:[ -~]\0){6,}+")
# The name of an attribute, read backwards from the quotation mark of its value. Names of schemas do not
# count.
_NAME_BACKWARDS = re.compile(r"\s{0,8}+=\s{0,8}+([\w:.-]{1,60}+)(?![\w:.-])")
_NAMING = re.compile(r"xmlns|(?:\w{1,40}:)?(?:type|algorithm|schemaLocation)\Z", re.IGNORECASE)
_WITHIN_TAG = 1_024
# What is a name and not a link: schemas and namespaces.
_NAMING_HOSTS = re.compile(
    r"(?:https?:)?//(?:schemas\.(?:openxmlformats|microsoft|xmlsoap)\.(?:org|com)|(?:www\.)?w3\.org|purl\.(?:org|oclc\.org)"
    r"|ns\.adobe\.com|www\.xfa\.org|openoffice\.org|docs\.oasis-open\.org|relaxng\.org)\b",
    re.IGNORECASE | re.ASCII,
)
_URL_IN_XML = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,30}:(?://|\\\\)[^\s\"'<>]{1,8192}+")


@dataclass(slots=True)
class Room:
    """What may still be read of all documents of a mail. Bytes: unpacked ones, `packed` ones that they are
    made of, those of strings, the text of RTF. Numbers: parts that are unpacked, streams, and places where a
    URL may be.
    """

    size: int = 16 << 20
    packed: int = MAX_DOCUMENT
    strings: int = 4 << 20
    rtf: int = 2 << 20
    parts: int = 2_000
    streams: int = 100_000
    places: int = 40_000


class FoundUrls:
    """The URLs of one document, each once, in order: `links`, and in `texts` what may have URLs in it (file
    names, scripts). `is_cut`: whether a limit left something out. `marks`: see `attachment_links`.
    `has_script`: whether it has one, which is not run. `room`: what may still be read.
    """

    def __init__(self, room: Room) -> None:
        self.links: dict[str, None] = {}
        self.texts: list[str] = []
        self.is_cut = False
        self.marks: set[str] = set()
        self.has_script = False
        self.room = room

    def add(self, url: str) -> None:
        """Add a link."""
        if len(self.links) < MAX_URLS:
            self.links[url] = None
        else:
            self.is_cut = True

    def takes_part(self) -> bool:
        """Whether one more part may be unpacked."""
        self.room.parts -= 1
        has_room = self.room.parts >= 0 and self.room.size > 0
        self.is_cut |= not has_room
        return has_room

    def takes_place(self) -> bool:
        """Whether one more place may be looked at where a URL may be."""
        self.room.places -= 1
        self.is_cut |= self.room.places < 0
        return self.room.places >= 0

    def inflated(self, source: bytes, start: int, window: int) -> bytes:
        """The unpacked content of a part that begins at `start`; it says itself where it ends."""
        if not self.takes_part():
            return b""
        limit = min(MAX_PART, self.room.size)
        unpacker = zlib.decompressobj(window)
        out = bytearray()
        try:
            while start < len(source) and not unpacker.eof and len(out) < limit and self.room.packed > 0:
                packed = source[start : start + CHUNK]
                out += unpacker.decompress(packed, limit - len(out))
                start += CHUNK
                # Streams may lie in each other, so that each byte is unpacked many times.
                self.room.packed -= len(packed) - len(unpacker.unused_data)
        except zlib.error:
            self.is_cut = True
        self.is_cut |= len(out) >= limit or self.room.packed <= 0
        self.room.size -= len(out)
        return bytes(out)

    def read_strings(self, data: bytes) -> None:
        """Each character has eight bits, or sixteen; whatever else is there separates the strings."""
        wide = b"\n".join(_WIDE.findall(data)).replace(b"\0", b"")
        self.texts += (data.translate(_PRINTABLE).decode("ascii"), wide.decode("ascii"))

    def read_text(self, text: str, *, attributes: bool = False) -> None:
        """Absolute URLs in a text, or in XML: in elements' text, and in attributes; or in these alone."""
        if "://" not in text and ":\\\\" not in text:
            return
        for match in _URL_IN_XML.finditer(text):
            if not self.takes_place():
                return
            at = match.start()
            least = max(at - _WITHIN_TAG, 0)
            in_tag = text.rfind("<", least, at) > text.rfind(">", least, at)
            if (not in_tag and not attributes) or (in_tag and _is_in_attribute(text, least, at)):
                self.keep_text(with_characters(match[0]))

    def keep_text(self, url: str) -> None:
        """Add a URL that is not known to lead somewhere, unless it is a name (of a schema)."""
        if _NAMING_HOSTS.match(url.partition(":")[2]) is None:
            self.texts.append(url)


def _is_in_attribute(text: str, least: int, at: int) -> bool:
    """Whether what stands at a place within a tag is in the value of an attribute that may lead somewhere."""
    for quote in "\"'":
        start = text.rfind(quote, least, at)
        name = _NAME_BACKWARDS.match(text[max(start - 80, least) : start][::-1]) if start >= 0 else None
        if name is not None and _NAMING.match(name[1][::-1]) is None:
            return True
    return False
