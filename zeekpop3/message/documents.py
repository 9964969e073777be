"""URLs in documents: external targets of Office and OpenDocument files, actions of PDF files, strings of
others.

Only what says where something leads is read: relationships, references and fields of XML files (ECMA-376 part
2, section 9.3; ODF 1.2), URI, launch, form and script actions (ISO 32000-1, section 12.6.4), also those in
compressed objects. Of older Office files, OneNote files, shortcuts and programs all strings are read, in 8
and in 16 bits for each character ([MS-DOC], [MS-XLS], [MS-SHLLINK] store URLs so). Work is bounded; `is_cut`
says that something was left out.
"""

from __future__ import annotations

import base64
import re
import zlib
from binascii import unhexlify
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from zeekpop3.message import magic, ole, urls, zip_entries
from zeekpop3.message.charsets import wide_codec
from zeekpop3.message.html_tokens import with_characters
from zeekpop3.message.unpack import BrokenError, Budget, TooLargeError

MAX_DOCUMENT = 32 << 20  # bytes
MAX_URLS = 10_000
_MAX_ENTRIES = 20_000  # of a zip file
_MAX_PART = 4 << 20  # bytes
_MAX_RTF = 4 << 20  # bytes
_RTF_PIECE = 1 << 16  # bytes
_A85_COST = 4  # times what other steps take for a byte
_CHUNK = 1 << 16  # bytes that are unpacked at once
_MAX_STRING = 8_192  # bytes of a string in a PDF file
_READ_OF_STRINGS = 2  # of a file: bytes of strings that are read for each of its bytes
_MAX_DICTIONARY = 65_536  # bytes of a dictionary before a stream

_PDF = b"%PDF-"
_PDF_WITHIN = 1_024
_BINARY = (magic.OLE, magic.ONENOTE, magic.SHORTCUT)
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
_PRINTABLE = bytes(code if 32 <= code < 127 else 10 for code in range(256))
_WIDE_MARK = "://".encode("utf-16-le")
_WIDE = re.compile(rb"(?:[ -~]\0){6,}+")

_XML_PART = re.compile(rb"\.(?:rels|xml|x?html?|svg|kml|fpage|opf|ncx|plist)\Z", re.IGNORECASE)
_STRINGS = re.compile(rb"\.(?:bin|iwa)\Z", re.IGNORECASE)  # records of Excel (.xlsb), Keynote
_READ_PART = re.compile(_XML_PART.pattern + b"|" + _STRINGS.pattern, re.IGNORECASE)
_PAGE = re.compile(rb"\.(?:x?html?|svg)\Z", re.IGNORECASE)
_TARGET = re.compile(r"\bTarget\s*+=\s*+(?:\"([^\"<]++)\"|'([^'<]++)')", re.ASCII)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]{1,30}:|//|\\\\", re.IGNORECASE | re.ASCII)
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

# Keys whose value leads somewhere (/URI, /Base, /F, /UF) or is a script (/JS); letters may be written as #55.
_KEY = re.compile(
    rb"/(?:(?:U|#55)(?:R|#52)(?:I|#49)|(?:U|#55)?(?:F|#46)|(?:B|#42)(?:a|#61)(?:s|#73)(?:e|#65)"
    rb"|(?P<script>(?:J|#4[aA])(?:S|#53)))(?:[\s\0]|%[^\r\n/]{0,200}+[\r\n]){0,64}+(?=\(|<(?!<))"
)
# A string that is an object, to which a key refers.
_STRING_OBJECT = re.compile(rb"obj(?<=\sobj)[\s\0]{0,64}+(?=\(|<(?!<))")
_NOT_IN_URL = re.compile(r"[\t\r\n]")
_LITERAL = re.compile(rb"\(((?:[^()\\]++|\\.|\((?:[^()\\]++|\\.)*+\))*+)\)?", re.DOTALL)
_HEXADECIMAL = re.compile(rb"<([0-9a-fA-F\s]*+)>?")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|\r?\n|(.))", re.DOTALL)
_MARKS = {b"\xfe\xff": "utf-16-be", b"\xff\xfe": "utf-16-le"}
_WHITE_SPACE = b" \t\n\r\f\v"
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r"})
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_NAME_ESCAPE = re.compile(rb"#([0-9a-fA-F]{2})")
# Strings that are URLs, whatever key or reference leads to them, also in hexadecimal and in UTF-16.
_URL_STRINGS = (
    re.compile(
        rb"\(\s{0,8}+(?=(?:\xfe\xff\0|\xff\xfe|\xef\xbb\xbf)?+(?:h\0?t\0?t\0?p|ftp|f\0?i\0?l\0?e\0?:|www\.))",
        re.IGNORECASE,
    ),
    re.compile(rb"<(?=\s{0,8}+(?:FEFF|FFFE|EFBBBF)?+(?:00)?+[64]8(?:00)?+[75]4(?:00)?+[75]4)", re.IGNORECASE),
)
_STREAM = re.compile(rb"stream(?<!endstream)[ \t]*+(?:\r?\n|\r)")
# The program that made the file, which often names its own site.
_PROGRAM_NAME = re.compile(rb"/(?:Producer|Creator)\s{0,8}\([^()]*+\Z")
_MAX_PROGRAM = 200
_ENCRYPTED = re.compile(rb"/Encrypt\s{0,8}+(?:\d{1,9}\s|<<)")
_FILTER_ELSEWHERE = re.compile(rb"/Filter\s{0,8}+\[?+\s{0,8}+\d")
# The name of an attribute, read backwards from the quotation mark of its value; schemas are no links.
_NAME_BACKWARDS = re.compile(r"\s{0,8}+=\s{0,8}+([\w:.-]{1,60}+)(?![\w:.-])")
_NAMING = re.compile(r"xmlns|(?:\w{1,40}:)?(?:type|algorithm|schemaLocation)\Z", re.IGNORECASE)
_WITHIN_TAG = 1_024
_TAG = re.compile(r"<[^<>]*+>")
_RUNS = re.compile(r"<(?:w:t|a:t|text:span|si)\b")
_PARAGRAPH = re.compile(r"</(?:w:p|a:p|text:p|text:h|si|t)>")
_HEAD = 1_024
# What is a name and not a link: schemas and namespaces.
_NAMING_HOSTS = re.compile(
    r"(?:https?:)?//(?:schemas\.(?:openxmlformats|microsoft|xmlsoap)\.(?:org|com)|(?:www\.)?w3\.org|purl\.(?:org|oclc\.org)"
    r"|ns\.adobe\.com|www\.xfa\.org|openoffice\.org|docs\.oasis-open\.org|relaxng\.org)\b",
    re.IGNORECASE | re.ASCII,
)
_URL_IN_XML = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,30}:(?://|\\\\)[^\s\"'<>]{1,8192}+")
_NOT_TEXT = re.compile(rb"/Subtype\s*/(?:Image|Type1C|CIDFontType0C|OpenType)|/Length1\b|/Type\s*/XRef")
_OBJECTS = re.compile(rb"/Type\s{0,8}+/ObjStm\b")
_FILTERS = re.compile(
    rb"/(FlateDecode|Fl|ASCII85Decode|A85|ASCIIHexDecode|AHx|LZWDecode|LZW|RunLengthDecode|RL|Crypt"
    rb"|DCTDecode|DCT|JPXDecode|CCITTFaxDecode|CCF|JBIG2Decode)\b"
)
_PICTURES = frozenset((b"DCTDecode", b"DCT", b"JPXDecode", b"CCITTFaxDecode", b"CCF", b"JBIG2Decode"))
_ZLIB = re.compile(rb"[\x48\x58\x68\x78][\x01\x5e\x9c\xda\x85\xc3\x89\xc7\xd9]")
_MARKS_OF_PDF = re.compile(rb"/(?:(EmbeddedFiles?|EF|RichMedia|GoToE)|JS|JavaScript)\b")
_PREDICTOR = re.compile(rb"/Predictor\s+(?:[2-9]|1\d)")


_Replace = Callable[[re.Match[bytes]], bytes]


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


class DocumentUrls:
    """The URLs of one document, each once, in order: `links`, and in `texts` what may have URLs in it (file
    names, scripts). `is_cut`: whether a limit left something out. `marks`: see `attachment_links`.
    """

    def __init__(self, content: bytes, room: Room) -> None:
        self.links: dict[str, None] = {}
        self.texts: list[str] = []
        self.is_cut = False
        self.marks: set[str] = set()
        self.has_script = False
        self._content = content
        self._room = room
        self._strings = 0
        if content.startswith(_PROGRAMS):
            if b"://" in content or _WIDE_MARK in content:
                self._read_strings(content)
        elif content.startswith(_BINARY):
            self.has_script = content.startswith(magic.SHORTCUT)  # its command line
            self._read_strings(content)
            if content.startswith(magic.OLE):
                self._read_streams()
        elif _is_rtf(content):
            self._read_rtf()
        elif content.startswith(zip_entries.LOCAL):
            self._read_zip()
        else:
            self._read_pdf()

    def _add(self, url: str) -> None:
        if len(self.links) < MAX_URLS:
            self.links[url] = None
        else:
            self.is_cut = True

    def _takes_part(self) -> bool:
        """Whether one more part may be unpacked."""
        self._room.parts -= 1
        has_room = self._room.parts >= 0 and self._room.size > 0
        self.is_cut |= not has_room
        return has_room

    def _takes_place(self) -> bool:
        """Whether one more place may be looked at where a URL may be."""
        self._room.places -= 1
        self.is_cut |= self._room.places < 0
        return self._room.places >= 0

    def _inflated(self, source: bytes, start: int, window: int) -> bytes:
        """The unpacked content of a part that begins at `start`; it says itself where it ends."""
        if not self._takes_part():
            return b""
        limit = min(_MAX_PART, self._room.size)
        unpacker = zlib.decompressobj(window)
        out = bytearray()
        try:
            while start < len(source) and not unpacker.eof and len(out) < limit and self._room.packed > 0:
                packed = source[start : start + _CHUNK]
                out += unpacker.decompress(packed, limit - len(out))
                start += _CHUNK
                # Streams may lie in each other, so that each byte is unpacked many times.
                self._room.packed -= len(packed) - len(unpacker.unused_data)
        except zlib.error:
            self.is_cut = True
        self.is_cut |= len(out) >= limit or self._room.packed <= 0
        self._room.size -= len(out)
        return bytes(out)

    def _read_strings(self, data: bytes) -> None:
        """Each character has eight bits, or sixteen; whatever else is there separates the strings."""
        wide = b"\n".join(_WIDE.findall(data)).replace(b"\0", b"")
        self.texts += (data.translate(_PRINTABLE).decode("ascii"), wide.decode("ascii"))

    def _read_streams(self) -> None:
        """The strings of streams whose sectors do not follow each other."""
        try:
            for stream in ole.streams(self._content, Budget(self._room.size, self._room.parts)):
                pieces = list(stream.pieces)
                self._room.size -= stream.size
                data = b"".join(pieces)
                if len(pieces) > 1 and (b"://" in data or _WIDE_MARK in data):
                    self._read_strings(data)
        except BrokenError:
            pass  # is broken for `containers`, too
        except TooLargeError:
            self.is_cut = True

    def _read_rtf(self) -> None:
        """The text of the file, without control words and line ends, which may stand anywhere in a URL, and
        the objects in it, which are written in hexadecimal (Rich Text Format 1.9.1).
        """
        data = self._content[: min(_MAX_RTF, self._room.size)]
        self.is_cut |= len(data) < len(self._content)
        self._room.size -= len(data)
        data = _RTF_OBJECT.sub(self._rtf_object, data)
        self.is_cut |= len(data) > self._room.rtf
        data = data[: max(self._room.rtf, 0)]
        self._room.rtf -= len(data)
        data = _in_pieces(_RTF_CODES, lambda codes: unhexlify(codes[0].replace(b"\\'", b"")), data)
        data = _in_pieces(_RTF_CHARACTER, _rtf_character, _RTF_NAMESPACE.sub(b"", data))
        data = data.translate(None, b"\r\n")
        # A field goes on over changes of format within it; other texts end there.
        for url in _FIELD.findall(_in_pieces(_RTF_CONTROL, b"", data).decode("utf-8", "replace")):
            if _ABSOLUTE.match(url) is not None:
                self._add(url)
        self.texts.append(
            _in_pieces(_RTF_CONTROL, b" ", data).decode("utf-8", "replace").replace("\\\\", "\\")
        )

    def _rtf_object(self, written: re.Match[bytes]) -> bytes:
        self._read_strings(unhexlify(written[0].translate(None, _WHITE_SPACE)))
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
            self._read_xml(entry.name, self._inflated(self._content, entry.start, -zlib.MAX_WBITS))
        elif entry.method == zip_entries.STORED and self._takes_part():
            size = min(entry.packed, _MAX_PART, self._room.size)
            data = self._content[entry.start : entry.start + size]
            self._room.size -= len(data)
            self.is_cut |= len(data) < entry.packed
            self._read_xml(entry.name, data)

    def _read_xml(self, name: bytes, data: bytes) -> None:
        if _STRINGS.search(name) is not None:
            # A compound file is a member, and read as such.
            if not data.startswith(magic.OLE) and (b"://" in data or _WIDE_MARK in data):
                self._read_strings(data)
            return
        text = data.decode(wide_codec(data[:_HEAD]) or "utf-8", "replace")
        self.is_cut |= "<!ENTITY" in text or "<DataMashup" in text
        if name[-5:].lower() == b".rels":  # other targets are parts of the document
            for target in _TARGET.finditer(text):
                if not self._takes_place():
                    return
                url = with_characters(target[1] or target[2])
                if _ABSOLUTE.match(url) is not None or "//" in url or "\\\\" in url:
                    self._add(url)
                    self.texts.append(url.partition(":")[2])  # of a moniker: script:http://…
            return
        with_runs = text
        if "instrText" in text:  # a field may be in several runs
            with_runs = f"{_RUN_OF_FIELD.sub('', text)}>{''.join(_RUN_OF_FIELD.findall(text))}"
        for match in chain(_XLINK.finditer(text), _FIELD.finditer(with_runs)):
            if not self._takes_place():
                return
            if _ABSOLUTE.match(url := with_characters(match[match.lastindex or 0])) is not None:
                self._add(url)
        text = with_runs
        if _PAGE.search(name) is None:  # those are read as members of the archive
            self._read_text(text, attributes=True)
            self._read_shown(text)

    def _read_text(self, text: str, *, attributes: bool = False) -> None:
        """Absolute URLs in a text, or in XML: in elements' text, and in attributes; or in these alone."""
        if "://" not in text and ":\\\\" not in text:
            return
        for match in _URL_IN_XML.finditer(text):
            if not self._takes_place():
                return
            at = match.start()
            least = max(at - _WITHIN_TAG, 0)
            in_tag = text.rfind("<", least, at) > text.rfind(">", least, at)
            if (not in_tag and not attributes) or (in_tag and _is_in_attribute(text, least, at)):
                self._keep_text(with_characters(match[0]))

    def _read_shown(self, text: str) -> None:
        """URLs in what a reader sees: a paragraph may be in several runs."""
        if "http" not in text and "www." not in text and "://" not in text:
            return
        has_runs = _RUNS.search(text) is not None
        shown = _TAG.sub("" if has_runs else "\n", _PARAGRAPH.sub("\n", text))
        if "&#" in shown:
            self._room.size -= 4 * len(shown)
            shown = with_characters(shown)
        for url in urls.in_text(shown, {}):
            self._keep_text(with_characters(url))

    def _keep_text(self, url: str) -> None:
        if _NAMING_HOSTS.match(url.partition(":")[2]) is None:
            self.texts.append(url)

    # PDF files: objects as they stand, then those in streams.

    def _read_pdf(self) -> None:
        content = self._content
        names = with_plain_names(content)
        self.is_cut |= _ENCRYPTED.search(names) is not None
        self._read_objects(content)
        self._look_at_names(names)
        before = 0
        for match in _STREAM.finditer(content):
            self._room.streams -= 1
            if self._room.streams < 0 or self._room.parts < 0 or self._room.size <= 0:
                self.is_cut = True
                return
            least = max(match.start() - _MAX_DICTIONARY, before)
            before = match.end()
            begin = max(content.rfind(b"endobj", least, match.start()), least)
            dictionary = with_plain_names(content[begin : match.start()])
            filters = _FILTERS.findall(dictionary)
            if _NOT_TEXT.search(dictionary) is not None and _OBJECTS.search(dictionary) is None:
                continue
            self.is_cut |= _FILTER_ELSEWHERE.search(dictionary) is not None
            if filters or _ZLIB.match(content, match.end()) is not None:
                self._read_stream(match.end(), filters or [b"FlateDecode"], dictionary)

    def _look_at_names(self, names: bytes) -> None:
        """Whether there are files or scripts among objects."""
        for mark in _MARKS_OF_PDF.finditer(names):
            if mark[1] is not None:
                self.marks.add("unsupported")
            else:
                self.has_script = True
            if self.marks and self.has_script:
                break

    def _read_stream(self, start: int, filters: list[bytes], dictionary: bytes) -> None:
        data = self._content
        for name in filters:
            if name in (b"FlateDecode", b"Fl"):
                data = self._inflated(data, start, zlib.MAX_WBITS)
            elif name in (b"ASCII85Decode", b"A85", b"ASCIIHexDecode", b"AHx"):
                data = self._of_ascii(data, start, is_85=b"85" in name)
            else:
                self.is_cut |= name not in _PICTURES
                return
            start = 0
        self.is_cut |= _PREDICTOR.search(dictionary) is not None
        self._read_objects(data)
        self._look_at_names(with_plain_names(data))
        if b"://" in data and len(data.translate(None, _CONTROLS)) == len(data):
            self._read_text(data.decode("latin-1"))  # scripts, forms, attached files

    def _of_ascii(self, source: bytes, start: int, *, is_85: bool) -> bytes:
        """A part that is written as text, decoded; empty if it is damaged."""
        if not self._takes_part():
            return b""
        cost = _A85_COST if is_85 else 1
        limit = start + min(_MAX_PART, self._room.size) // cost
        end = source.find(b"~>" if is_85 else b">", start, limit)
        self.is_cut |= end < 0 and limit < len(source)
        text = source[start : end if end >= 0 else limit]
        self._room.size -= cost * len(text)
        try:
            if is_85:
                return _of_ascii85(text.translate(None, _WHITE_SPACE + b"\0").removeprefix(b"<~"))
            return unhexlify(text.translate(None, _WHITE_SPACE))
        except ValueError:
            return b""

    def _read_objects(self, data: bytes) -> None:
        self._strings = min(self._room.strings, _READ_OF_STRINGS * len(data))
        for key in chain(_KEY.finditer(data), _STRING_OBJECT.finditer(data)):
            if not self._takes_place():
                return
            text = self._string(data, key.end())
            url = _NOT_IN_URL.sub("", text)
            if key.groupdict().get("script") is None and _ABSOLUTE.match(url) is not None:
                self._add(url)
            elif text:
                self.texts.append(text)
        for string in chain.from_iterable(form.finditer(data) for form in _URL_STRINGS):
            if not self._takes_place():
                return
            before = data[max(string.start() - _MAX_PROGRAM, 0) : string.start()]
            if _PROGRAM_NAME.search(before) is None:
                self._keep_text(_NOT_IN_URL.sub("", self._string(data, string.start())))

    def _string(self, data: bytes, at: int) -> str:
        """The string that begins at a place. Strings may lie in each other, so only so much is read."""
        text = _string(data, at) if self._strings > 0 else ""
        self.is_cut |= len(text) >= _MAX_STRING or self._strings <= 0
        self._room.strings -= len(text)
        self._strings -= len(text)
        return text


def _string(data: bytes, at: int) -> str:
    """The string that begins at a place, in either form (ISO 32000-1, section 7.3.4)."""
    end = at + _MAX_STRING
    if data[at : at + 1] == b"(":
        literal = _LITERAL.match(data, at, end)
        value = literal[1] if literal is not None else b""
        if b"\\" in value:
            value = _ESCAPE.sub(_unescaped, value)
    else:
        digits = _HEXADECIMAL.match(data, at, end)
        value = b"".join(digits[1].split()) if digits is not None else b""
        value = bytes.fromhex((value + b"0" * (len(value) % 2)).decode("ascii"))
    for mark, codec in _MARKS.items():
        if value.startswith(mark):
            return value[2:].decode(codec, "replace")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes((int(match[1], 8) & 255,))
    return _ESCAPED.get(match[2], match[2]) if match[2] is not None else b""


def _of_ascii85(digits: bytes) -> bytes:
    """Decoded some groups of five at a time: the library takes many times their size. `z` is a group."""
    out: list[bytes] = []
    at = 0
    while at < len(digits):
        some = digits[at : at + _CHUNK]
        if at + _CHUNK < len(digits):
            some = some[: len(some) - (len(some) - some.count(b"z")) % 5]
        out.append(base64.a85decode(some))
        at += len(some)
    return b"".join(out)


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


def _is_in_attribute(text: str, least: int, at: int) -> bool:
    """Whether what stands at a place within a tag is in the value of an attribute that may lead somewhere."""
    for quote in "\"'":
        start = text.rfind(quote, least, at)
        name = _NAME_BACKWARDS.match(text[max(start - 80, least) : start][::-1]) if start >= 0 else None
        if name is not None and _NAMING.match(name[1][::-1]) is None:
            return True
    return False


def with_plain_names(data: bytes) -> bytes:
    """Bytes of a PDF file, characters of names as themselves (`/#55RI`), of the first that are written so."""
    if b"#" not in data:
        return data
    return _NAME_ESCAPE.sub(lambda code: bytes((int(code[1], 16),)), data, _MAX_ENTRIES)


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
