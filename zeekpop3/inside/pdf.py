"""URLs in PDF files: of URI, launch, form and script actions (ISO 32000-1, section 12.6.4), also those in
compressed objects, and strings that are URLs.

No tree of objects is built: keys, strings and streams are read as they stand in the file.
"""

from __future__ import annotations

import base64
import re
import zlib
from binascii import unhexlify
from itertools import chain

from zeekpop3.inside.document_urls import ABSOLUTE, CHUNK, MAX_PART, WHITE_SPACE, FoundUrls

_A85_COST = 4  # times what other steps take for a byte
_MAX_STRING = 8_192  # bytes of a string
_READ_OF_STRINGS = 2  # of a file: bytes of strings that are read for each of its bytes
_MAX_DICTIONARY = 65_536  # bytes of a dictionary before a stream
_MAX_NAMES = 20_000  # written with codes

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


class PdfUrls:
    """Reads one file: objects as they stand, then those in streams. What is found is added to `found`."""

    def __init__(self, content: bytes, found: FoundUrls) -> None:
        self._found = found
        self._room = found.room
        self._strings = 0
        self._content = content
        self._read()

    def _read(self) -> None:
        content = self._content
        names = with_plain_names(content)
        self._found.is_cut |= _ENCRYPTED.search(names) is not None
        self._read_objects(content)
        self._look_at_names(names)
        before = 0
        for match in _STREAM.finditer(content):
            self._room.streams -= 1
            if self._room.streams < 0 or self._room.parts < 0 or self._room.size <= 0:
                self._found.is_cut = True
                return
            least = max(match.start() - _MAX_DICTIONARY, before)
            before = match.end()
            begin = max(content.rfind(b"endobj", least, match.start()), least)
            dictionary = with_plain_names(content[begin : match.start()])
            filters = _FILTERS.findall(dictionary)
            if _NOT_TEXT.search(dictionary) is not None and _OBJECTS.search(dictionary) is None:
                continue
            self._found.is_cut |= _FILTER_ELSEWHERE.search(dictionary) is not None
            if filters or _ZLIB.match(content, match.end()) is not None:
                self._read_stream(match.end(), filters or [b"FlateDecode"], dictionary)

    def _look_at_names(self, names: bytes) -> None:
        """Whether there are files or scripts among objects."""
        for mark in _MARKS_OF_PDF.finditer(names):
            if mark[1] is not None:
                self._found.marks.add("unsupported")
            else:
                self._found.has_script = True
            if self._found.marks and self._found.has_script:
                break

    def _read_stream(self, start: int, filters: list[bytes], dictionary: bytes) -> None:
        data = self._content
        for name in filters:
            if name in (b"FlateDecode", b"Fl"):
                data = self._found.inflated(data, start, zlib.MAX_WBITS)
            elif name in (b"ASCII85Decode", b"A85", b"ASCIIHexDecode", b"AHx"):
                data = self._of_ascii(data, start, is_85=b"85" in name)
            else:
                self._found.is_cut |= name not in _PICTURES
                return
            start = 0
        self._found.is_cut |= _PREDICTOR.search(dictionary) is not None
        self._read_objects(data)
        self._look_at_names(with_plain_names(data))
        if b"://" in data and len(data.translate(None, _CONTROLS)) == len(data):
            self._found.read_text(data.decode("latin-1"))  # scripts, forms, attached files

    def _of_ascii(self, source: bytes, start: int, *, is_85: bool) -> bytes:
        """A part that is written as text, decoded; empty if it is damaged."""
        if not self._found.takes_part():
            return b""
        cost = _A85_COST if is_85 else 1
        limit = start + min(MAX_PART, self._room.size) // cost
        end = source.find(b"~>" if is_85 else b">", start, limit)
        self._found.is_cut |= end < 0 and limit < len(source)
        text = source[start : end if end >= 0 else limit]
        self._room.size -= cost * len(text)
        try:
            if is_85:
                return _of_ascii85(text.translate(None, WHITE_SPACE + b"\0").removeprefix(b"<~"))
            return unhexlify(text.translate(None, WHITE_SPACE))
        except ValueError:
            return b""

    def _read_objects(self, data: bytes) -> None:
        self._strings = min(self._room.strings, _READ_OF_STRINGS * len(data))
        for key in chain(_KEY.finditer(data), _STRING_OBJECT.finditer(data)):
            if not self._found.takes_place():
                return
            text = self._string(data, key.end())
            url = _NOT_IN_URL.sub("", text)
            if key.groupdict().get("script") is None and ABSOLUTE.match(url) is not None:
                self._found.add(url)
            elif text:
                self._found.texts.append(text)
        for string in chain.from_iterable(form.finditer(data) for form in _URL_STRINGS):
            if not self._found.takes_place():
                return
            before = data[max(string.start() - _MAX_PROGRAM, 0) : string.start()]
            if _PROGRAM_NAME.search(before) is None:
                self._found.keep_text(_NOT_IN_URL.sub("", self._string(data, string.start())))

    def _string(self, data: bytes, at: int) -> str:
        """The string that begins at a place. Strings may lie in each other, so only so much is read."""
        text = _string(data, at) if self._strings > 0 else ""
        self._found.is_cut |= len(text) >= _MAX_STRING or self._strings <= 0
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
        some = digits[at : at + CHUNK]
        if at + CHUNK < len(digits):
            some = some[: len(some) - (len(some) - some.count(b"z")) % 5]
        out.append(base64.a85decode(some))
        at += len(some)
    return b"".join(out)


def with_plain_names(data: bytes) -> bytes:
    """Bytes of a PDF file, characters of names as themselves (`/#55RI`), of the first that are written so."""
    if b"#" not in data:
        return data
    return _NAME_ESCAPE.sub(lambda code: bytes((int(code[1], 16),)), data, _MAX_NAMES)
