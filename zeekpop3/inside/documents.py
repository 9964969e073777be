"""URLs in documents: external targets of Office and OpenDocument files, fields of RTF, strings of others. PDF
files: see `pdf`.

Only what says where something leads is read: relationships, references and fields of XML files (ECMA-376 part
2, section 9.3; ODF 1.2). Of older Office files, OneNote files, shortcuts and programs all strings are read,
in 8 and in 16 bits for each character ([MS-DOC], [MS-XLS], [MS-SHLLINK] store URLs so). Work is bounded;
`is_cut` says that something was left out.
"""

from __future__ import annotations

import re
import zlib
from binascii import unhexlify
from collections.abc import Callable
from itertools import chain

from zeekpop3.inside import magic, ole, zip_entries
from zeekpop3.inside.document_urls import ABSOLUTE, MAX_PART, WHITE_SPACE, FoundUrls, Room
from zeekpop3.inside.pdf import PdfUrls
from zeekpop3.inside.unpack import BrokenError, Budget, TooLargeError
from zeekpop3.message import urls
from zeekpop3.message.charsets import wide_codec
from zeekpop3.message.html_tokens import with_characters

_MAX_ENTRIES = 20_000  # of a zip file
_MAX_RTF = 4 << 20  # bytes
_RTF_PIECE = 1 << 16  # bytes

_PDF = b"%PDF-"
_PDF_WITHIN = 1_024
_BINARY = (magic.OLE, magic.ONENOTE, magic.SHORTCUT)
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
_WIDE_MARK = "://".encode("utf-16-le")

_XML_PART = re.compile(rb"\.(?:rels|xml|x?html?|svg|kml|fpage|opf|ncx|plist)\Z", re.IGNORECASE)
_STRINGS = re.compile(rb"\.(?:bin|iwa)\Z", re.IGNORECASE)  # records of Excel (.xlsb), Keynote
_READ_PART = re.compile(_XML_PART.pattern + b"|" + _STRINGS.pattern, re.IGNORECASE)
_PAGE = re.compile(rb"\.(?:x?html?|svg)\Z", re.IGNORECASE)
_TARGET = re.compile(r"\bTarget\s*+=\s*+(?:\"([^\"<]++)\"|'([^'<]++)')", re.ASCII)
_XLINK = re.compile(r"\b(?:xlink:href|r:href|Address)\s*+=\s*+(?:\"([^\"<]++)\"|'([^'<]++)')", re.ASCII)
_RUN_OF_FIELD = re.compile(r"instrText(?:\s[^<>]{0,200}+)?+>([^<]*+)", re.ASCII)
_FIELD = re.compile(
    r"\b(?:HYPERLINK|INCLUDE(?:PICTURE|TEXT)|LINK|DDE(?:AUTO)?|IMPORT)\b[^\"&<]{0,80}?"
    r"(?:\"|&quot;)([^\"<&]{1,8192}+(?:&amp;[^\"<&]{0,8192}+){0,200})",
    re.ASCII,
)

_RTF = b"{\\rt"
_BEFORE_RTF = 64
_RTF_CODES = re.compile(rb"(?:\\'[0-9a-fA-F]{2})+")
_RTF_CHARACTER = re.compile(rb"\\u(-?\d{1,6}) ?(?:\?|\\'[0-9a-fA-F]{2})?")
_RTF_CONTROL = re.compile(rb"\\[a-zA-Z]{1,32}(?:-?\d{1,10})?+ ?|(?<!\\)[{}]|\\\*")
_RTF_BEGIN = re.compile(rb"(?<!\\)[\\{}]")  # of what `_RTF_CONTROL` matches
_RTF_NAMESPACE = re.compile(rb"\\xmlns\d{1,9} [^{}\\]{0,1000}+|xmlns(?::\w{1,64}+)?+=\"[^\"]{0,1000}+\"")
_RTF_OBJECT = re.compile(rb"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{2}\s{0,8}+){24,}+")

_TAG = re.compile(r"<[^<>]*+>")
_RUNS = re.compile(r"<(?:w:t|a:t|text:span|si)\b")
_PARAGRAPH = re.compile(r"</(?:w:p|a:p|text:p|text:h|si|t)>")
_HEAD = 1_024

_Replace = Callable[[re.Match[bytes]], bytes]


class DocumentUrls(FoundUrls):
    """The URLs of the document `content`."""

    def __init__(self, content: bytes, room: Room) -> None:
        super().__init__(room)
        self._content = content
        if content.startswith(_PROGRAMS):
            if b"://" in content or _WIDE_MARK in content:
                self.read_strings(content)
        elif content.startswith(_BINARY):
            self.has_script = content.startswith(magic.SHORTCUT)  # its command line
            self.read_strings(content)
            if content.startswith(magic.OLE):
                self._read_streams()
        elif _is_rtf(content):
            self._read_rtf()
        elif content.startswith(zip_entries.LOCAL):
            self._read_zip()
        else:
            PdfUrls(content, self)

    def _read_streams(self) -> None:
        """The strings of streams whose sectors do not follow each other."""
        try:
            for stream in ole.streams(self._content, Budget(self.room.size, self.room.parts)):
                pieces = list(stream.pieces)
                self.room.size -= stream.size
                data = b"".join(pieces)
                if len(pieces) > 1 and (b"://" in data or _WIDE_MARK in data):
                    self.read_strings(data)
        except BrokenError:
            pass  # is broken for `containers`, too
        except TooLargeError:
            self.is_cut = True

    def _read_rtf(self) -> None:
        """The text of the file, without control words and line ends, which may stand anywhere in a URL, and
        the objects in it, which are written in hexadecimal (Rich Text Format 1.9.1).
        """
        data = self._content[: min(_MAX_RTF, self.room.size)]
        self.is_cut |= len(data) < len(self._content)
        self.room.size -= len(data)
        data = _RTF_OBJECT.sub(self._rtf_object, data)
        self.is_cut |= len(data) > self.room.rtf
        data = data[: max(self.room.rtf, 0)]
        self.room.rtf -= len(data)
        data = _in_pieces(_RTF_CODES, lambda codes: unhexlify(codes[0].replace(b"\\'", b"")), data)
        data = _in_pieces(_RTF_CHARACTER, _rtf_character, _RTF_NAMESPACE.sub(b"", data))
        data = data.translate(None, b"\r\n")
        # A field goes on over changes of format within it; other texts end there.
        for url in _FIELD.findall(_in_pieces(_RTF_CONTROL, b"", data).decode("utf-8", "replace")):
            if ABSOLUTE.match(url) is not None:
                self.add(url)
        self.texts.append(
            _in_pieces(_RTF_CONTROL, b" ", data).decode("utf-8", "replace").replace("\\\\", "\\")
        )

    def _rtf_object(self, written: re.Match[bytes]) -> bytes:
        self.read_strings(unhexlify(written[0].translate(None, WHITE_SPACE)))
        return b"\n"

    # Zip files: from one local header to the next, so that what no directory names is read, too.

    def _read_zip(self) -> None:
        content = self._content
        read_part = _READ_PART if is_package(content) else _XML_PART
        at = content.find(zip_entries.LOCAL)
        for _ in range(_MAX_ENTRIES):
            if at < 0:
                return
            entry = zip_entries.local_header(content, at)
            if entry is not None and not entry.encrypted and read_part.search(entry.name) is not None:
                self._read_entry(entry)
            at = content.find(zip_entries.LOCAL, at + 4)
        self.is_cut = True

    def _read_entry(self, entry: zip_entries.LocalHeader) -> None:
        if entry.method == zip_entries.DEFLATED:
            self._read_xml(entry.name, self.inflated(self._content, entry.start, -zlib.MAX_WBITS))
        elif entry.method == zip_entries.STORED and self.takes_part():
            size = min(entry.packed, MAX_PART, self.room.size)
            data = self._content[entry.start : entry.start + size]
            self.room.size -= len(data)
            self.is_cut |= len(data) < entry.packed
            self._read_xml(entry.name, data)

    def _read_xml(self, name: bytes, data: bytes) -> None:
        if _STRINGS.search(name) is not None:
            # A compound file is a member, and read as such.
            if not data.startswith(magic.OLE) and (b"://" in data or _WIDE_MARK in data):
                self.read_strings(data)
            return
        text = data.decode(wide_codec(data[:_HEAD]) or "utf-8", "replace")
        self.is_cut |= "<!ENTITY" in text or "<DataMashup" in text
        if name[-5:].lower() == b".rels":  # other targets are parts of the document
            for target in _TARGET.finditer(text):
                if not self.takes_place():
                    return
                url = with_characters(target[1] or target[2])
                if ABSOLUTE.match(url) is not None or "//" in url or "\\\\" in url:
                    self.add(url)
                    self.texts.append(url.partition(":")[2])  # of a moniker: script:http://…
            return
        with_runs = text
        if "instrText" in text:  # a field may be in several runs
            with_runs = f"{_RUN_OF_FIELD.sub('', text)}>{''.join(_RUN_OF_FIELD.findall(text))}"
        for match in chain(_XLINK.finditer(text), _FIELD.finditer(with_runs)):
            if not self.takes_place():
                return
            if ABSOLUTE.match(url := with_characters(match[match.lastindex or 0])) is not None:
                self.add(url)
        text = with_runs
        if _PAGE.search(name) is None:  # those are read as members of the archive
            self.read_text(text, attributes=True)
            self._read_shown(text)

    def _read_shown(self, text: str) -> None:
        """URLs in what a reader sees: a paragraph may be in several runs."""
        if "http" not in text and "www." not in text and "://" not in text:
            return
        has_runs = _RUNS.search(text) is not None
        shown = _TAG.sub("" if has_runs else "\n", _PARAGRAPH.sub("\n", text))
        if "&#" in shown:
            self.room.size -= 4 * len(shown)
            shown = with_characters(shown)
        for url in urls.in_text(shown, {}):
            self.keep_text(with_characters(url))


def _in_pieces(expression: re.Pattern[bytes], by: bytes | _Replace, data: bytes) -> bytes:
    """`expression.sub(by, data)` for control words of RTF, some at a time: a substitution holds all its
    pieces, many times the size of the text.
    """
    out: list[bytes] = []
    at = 0
    while at < len(data):
        begin = _RTF_BEGIN.search(data, at + _RTF_PIECE)
        stop = begin.start() if begin is not None else len(data)
        out.append(expression.sub(by, data[at:stop]))
        at = stop
    return b"".join(out)


def _rtf_character(match: re.Match[bytes]) -> bytes:
    return chr(int(match[1]) & 0xFFFF).encode("utf-8", "replace")


def is_document(head: bytes) -> bool:
    """Whether a file that begins with `head` is one that `DocumentUrls` reads."""
    return (
        head.startswith((zip_entries.LOCAL, *_BINARY, *_PROGRAMS))
        or _PDF in head[:_PDF_WITHIN]
        or _is_rtf(head)
    )


def _is_rtf(head: bytes) -> bool:
    return head[:_BEFORE_RTF].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_RTF)


def is_package(content: bytes) -> bool:
    """Whether a zip file is a document of parts: Office, OpenDocument, EPUB, or a program (.jar)."""
    return any(name in content[:_HEAD] for name in (b"[Content_Types].xml", b"mimetype", b"META-INF/"))


def is_read_in_zip(name: str, head: bytes, *, of_package: bool) -> bool:
    """Whether the links of a file, which begins with `head`, are read with the zip file that it is in."""
    written = name.encode("utf-8", "replace")
    read_part = _READ_PART if of_package else _XML_PART
    is_part = read_part.search(written) is not None and _PAGE.search(written) is None
    return is_part and not head.startswith(magic.OLE)
