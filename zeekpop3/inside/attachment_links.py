"""The links of attachments, whatever type they declare: HTML, SVG and other XML, calendars and cards, plain
text, messages in a file, and documents.

Declared type, extension and first bytes each say how an attachment is read; if they differ, it is read in
each way. Work is bounded: only so many bytes of an attachment, and of all attachments of a mail, are read.
What is left out is a defect.
"""

from __future__ import annotations

import codecs
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import unquote

from zeekpop3.defects import Defect, Defects
from zeekpop3.inside import documents, magic
from zeekpop3.inside.document_urls import MAX_DOCUMENT, Room
from zeekpop3.message import bodies, header, links, parts
from zeekpop3.message.charsets import ascii_reading, decode, replaced, wide_codec
from zeekpop3.message.html_tokens import with_characters
from zeekpop3.message.html_urls import MAX_URL
from zeekpop3.message.links import Link
from zeekpop3.message.params import Params
from zeekpop3.message.transfer_encoding import decoded

MAX_TEXT = 4 << 20  # bytes of one attachment that are read as text
MAX_ALL = 8 << 20  # bytes of all attachments of a mail
MAX_LINKS = 10_000  # of all attachments of a mail
_PIECE = 1 << 16  # characters of a script
HEAD = 1_024  # bytes that show what an attachment is
_MAX_PARTS = 100


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HTML_KINDS = _names("text/html text/x-html text/x-amp-html application/xhtml+xml")
_HTML_EXTENSIONS = _names("htm html shtml shtm xhtml xht hta dhtml")
_XML_KINDS = _names("text/xml application/xml")
_XML_EXTENSIONS = _names("svg xml xsl xslt xsd rels rss atom rdf plist webloc kml gpx wsdl vml wsf wsc sct")
_FOLDED_KINDS = _names("text/calendar text/vcard text/x-vcard text/directory text/x-vcalendar")
_FOLDED_EXTENSIONS = _names("ics ifb vcs vcf")
# Text that is read although its first bytes may not look like it.
_TEXT_KINDS = _names("application/rtf application/json application/javascript application/x-mswinurl")
_SCRIPT_KINDS = _names("application/json application/javascript text/javascript application/x-javascript")
_SCRIPT_EXTENSIONS = _names("json js jse mjs vbs vbe ps1 psm1 bat cmd sh py")
_PROGRAM_EXTENSIONS = _SCRIPT_EXTENSIONS - _names("json")
_TEXT_EXTENSIONS = _names("txt csv url website desktop rtf inf") | _SCRIPT_EXTENSIONS

_MARKUP = re.compile(
    r"\s*+<(?:!doctype|\?xml|!--|html|head|body|svg|meta|script|div|table|a)\b", re.IGNORECASE
)
_FOLDED = re.compile(r"\s*+BEGIN:V", re.IGNORECASE)
# Three header fields in a row, also in a file of several messages.
_FIELDS = re.compile(
    rb"(?:From [^\r\n]{0,998}+\r?\n)?+"
    rb"(?:[A-Za-z][A-Za-z0-9-]{1,40}+: [^\r\n]{0,998}+\r?\n(?:[ \t][^\r\n]{0,998}+\r?\n){0,9}){3}"
)
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b"})
_MARKUP_KINDS = _HTML_KINDS | _XML_KINDS
_MARKUP_EXTENSIONS = _HTML_EXTENSIONS | _XML_EXTENSIONS
_KINDS = _TEXT_KINDS | _MARKUP_KINDS
_EXTENSIONS = _TEXT_EXTENSIONS | _MARKUP_EXTENSIONS | _FOLDED_EXTENSIONS | magic.MESSAGE_EXTENSIONS
_MARKS_OF_TEXT = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_NEXT_MESSAGE = re.compile(rb"\n(?=From [^\n]{1,200}\d\d:\d\d)")
_FOLD = re.compile(r"\r?\n[ \t]")
# Of calendars and cards; "\0" stands for a backslash, so that it does not escape what follows.
_ESCAPES = (("\\n", "\n"), ("\\N", "\n"), ("\\,", ","), ("\\;", ";"), ("\0", "\\"))
_PERCENT_CODED = re.compile(r"%3A(?:(?<=\bhttp%3A)|(?<=\bhttps%3A))(?:/|%2F)", re.IGNORECASE)
_CHARACTER_CODES = re.compile(r"\\x([2-7][0-9a-fA-F])|[\\%]u00([2-7][0-9a-fA-F])")
# What a script writes in pieces, or in codes.
_CONCATENATED = re.compile(r"[\"'`]\s*+\+\s*+[\"'`]")
_OF_BASE64 = re.compile(r"\batob\s*+\(\s*+[\"'`]([A-Za-z0-9+/=\s]++)[\"'`]")
_OF_NUMBERS = re.compile(r"\bfromCharCode\s*+\(((?:\s*+(?:0[xX][0-9a-fA-F]{1,6}+|[0-9]{1,6}+)\s*+,?)++)\)")
_NUMBER = re.compile(r"(0[xX])?([0-9a-fA-F]+)")
RUNS = re.compile(r"<script\b|[\s\"'/]on[a-z]{3,30}+\s*+=|(?:java|vb)script:", re.IGNORECASE)
"""What a browser runs in a page."""
_SCRIPT = re.compile(r"<script\b[^>]*+(?:>|\Z)((?:[^<]++|<(?!/script))*+)", re.IGNORECASE)
# Files in a page: other data than pictures, fonts, styles and texts; files in the XML of Office.
_DATA_URL = re.compile(
    r"data:(?!image/|font/|application/(?:x-)?font|text/)[a-z0-9.+-]{1,60}/[^,\s\"'<>]{0,80}+,",
    re.IGNORECASE,
)
_BINARY_DATA = re.compile(r"<(?:pkg:binaryData|w:binData|office:binary-data)\b")
# References of XML beside those that HTML has: entities, style sheets, attributes of any name. Names are
# everywhere and quoted URLs are few: these are searched for, and what stands before them is read backwards.
_QUOTED_URL = re.compile(r"[\"']\s*+((?:[a-zA-Z][a-zA-Z0-9+.-]{1,20}+:)?(?://|\\\\)[^\"'<>]++)")
_BACKWARDS = re.compile(
    r"\s*+=\s*+([\w:.-]{1,100}+)(?![\w:.-])|\s++METSYS\b|\s{1,99}+[\w.-]{1,100}+\s{1,99}+YTITNE\b"
)
_MAX_QUOTED = 20_000  # URLs of an attachment
_BEFORE_URL = 400  # characters
_NAMESPACE = re.compile(r"xmlns|[\w.]{1,40}+:schemaLocation")


class Described(Protocol):
    """What an attachment is known by."""

    @property
    def part(self) -> str: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def extension(self) -> str | None: ...


class AttachmentLinks:
    """Reads the attachments of one mail, as far as the limits go. `found`: their links, in order; their
    positions count from `first` on. `marks`: sections of attachments that have files in them which are not
    opened: documents, data: URLs.
    """

    def __init__(self, defects: Defects, first: int = 1) -> None:
        self.found: list[Link] = []
        self.marks: set[str] = set()
        self._known: set[tuple[str | None, str]] = set()
        self._defects = defects
        self._first = first
        self._room = MAX_ALL
        self._document_room = MAX_DOCUMENT
        self._unpacked = Room()

    def wanted(self, head: bytes, kind: str | None, extension: str | None) -> int:
        """How many bytes of an attachment `read` wants; 0 if it cannot have links. `head`: its beginning."""
        if not may_have_links(head, kind, extension):
            return 0
        is_document = documents.is_document(head)
        room = self._document_room if is_document else min(self._room, MAX_TEXT)
        if room <= 0 or len(self.found) >= MAX_LINKS:
            self._defects[Defect.URLS_CUT] = None
            return 0
        return room

    def read(
        self,
        content: bytes,
        size: int,
        kind: str | None,
        extension: str | None,
        charset: str | None,
        section: str,
    ) -> None:
        """Add the links of one attachment of `size` bytes, of which `content` is as much as was wanted."""
        if documents.is_document(content[:HEAD]):
            self._document_room -= len(content)
        else:
            self._room -= len(content)
        if len(content) < size:
            self._defects[Defect.URLS_CUT] = None
        marks: set[str] = set()
        self._keep(
            attachment_links(content, kind, extension, charset, section, self._defects, self._unpacked, marks)
        )
        if marks:
            self.marks.add(section)

    def read_reference(self, part: parts.Part, section: str) -> None:
        """Add the URL of a part that only says where its content is."""
        if part.kind == "message/external-body" and (url := _external_url(part.params)):
            if len(url) > MAX_URL:
                self._defects[Defect.URLS_CUT] = None
            self._keep(links.of_attachment("", "", section, self._defects, [url[:MAX_URL]]))

    def _keep(self, found: list[Link]) -> None:
        found = [link for link in found if (link.attachment, link.url) not in self._known]
        self._known.update((link.attachment, link.url) for link in found)
        room = MAX_LINKS - len(self.found)
        if len(found) > room:
            self._defects[Defect.URLS_CUT] = None
        for number, link in enumerate(found[:room], self._first + len(self.found)):
            self.found.append(link._replace(position=number))

    def read_whole(self, content: bytes, file: Described, charset: str | None) -> None:
        """Add the links of an attachment whose content is at hand, if it may have some. What was unpacked is
        larger than the mail, so documents count like texts.
        """
        wanted = self.wanted(content, file.content_type, file.extension)
        if wanted and self._room <= 0:
            self._defects[Defect.URLS_CUT] = None
        elif wanted:
            read = content[: min(wanted, self._room)]
            if documents.is_document(read[:HEAD]):
                self._room -= len(read)
            self.read(read, len(content), file.content_type, file.extension, charset, file.part)


def _external_url(given: Params) -> str | None:
    """Where the content of a message/external-body is (RFC 2046, section 5.2.3; RFC 2017); None if that is
    neither a URL nor a file on an FTP server.
    """
    if url := "".join(given.get("url", "").split()).strip("<>"):
        return url
    kind = given.get("access-type", "").strip().lower().removeprefix("anon-")
    if kind not in ("ftp", "tftp") or not given.get("site") or not given.get("name"):
        return None
    path = [given["site"], given.get("directory", ""), given["name"]]
    return f"{kind}://" + "/".join(piece.strip("/") for piece in path if piece)


def may_have_links(head: bytes, kind: str | None, extension: str | None) -> bool:
    """Whether an attachment that begins with `head` is one that `attachment_links` reads."""
    kind, extension = kind or "", extension or ""
    return (
        kind.startswith("text/")
        or kind.endswith("+xml")
        or kind in _KINDS
        or extension in _EXTENSIONS
        or kind.startswith("message/")
        or kind == "application/pdf"
        or extension == "pdf"
        or documents.is_document(head)
        or looks_like_text(head[:HEAD])
    )


def attachment_links(
    content: bytes,
    kind: str | None,
    extension: str | None,
    charset: str | None,
    section: str,
    defects: Defects,
    room: Room | None = None,
    marks: set[str] | None = None,
) -> list[Link]:
    """The links of the attachment `section`; their positions are 0. `room`: what documents may unpack.

    `kind`: its declared type, `extension` that of its file name (lower case, without dot), `charset` as
    declared; None: there is none. To `marks` is added what may hold more: see `AttachmentLinks`.
    """
    marks = set() if marks is None else marks
    kind, extension = (kind or "").lower(), (extension or "").lower()
    is_pdf = kind == "application/pdf" or extension == "pdf"  # readers find its objects behind other bytes
    if documents.is_document(content[:HEAD]) or (
        is_pdf and (b"endobj" in content or not looks_like_text(content[:HEAD]))
    ):
        urls = documents.DocumentUrls(content, room or Room())
        if urls.is_cut:
            defects[Defect.URLS_CUT] = None
        marks |= urls.marks
        if urls.has_script:
            defects[Defect.SCRIPT_NOT_RUN] = None
        return links.of_attachment(_unescaped("\n".join(urls.texts)), "", section, defects, urls.links)
    if extension in magic.MESSAGE_EXTENSIONS or (kind not in _MARKUP_KINDS and _FIELDS.match(content)):
        texts = [_texts_of_message(message, defects) for message in next_messages(content)]
        text, html = ("\n".join(each) for each in zip(*texts, strict=True))
        return links.of_attachment(text, html, section, defects)
    text = text_of(content, charset)
    found = _links_of_text(text, kind, extension, section, defects, marks)
    if (plain := ascii_reading(content, text)) is not None:
        found += _links_of_text(plain, kind, extension, section, defects, marks)
    return found


def _links_of_text(
    text: str, kind: str, extension: str, section: str, defects: Defects, marks: set[str]
) -> list[Link]:
    """The links of an attachment that is text or markup, whatever it was decoded by."""
    if kind in _FOLDED_KINDS or extension in _FOLDED_EXTENSIONS or _FOLDED.match(text):
        if "QUOTED-PRINTABLE" in text:  # vCard 2.1
            data = text.encode("utf-8", "replace")
            text = decoded(data, 0, len(data), "quoted-printable", {}).decode("utf-8", "replace")
        text = _FOLD.sub("", text).replace("\\\\", "\0")
        for escaped, meant in _ESCAPES:
            text = text.replace(escaped, meant)
    is_markup = (
        kind in _MARKUP_KINDS
        or kind.endswith("+xml")
        or extension in _MARKUP_EXTENSIONS
        or _MARKUP.match(text) is not None
    )
    if not is_markup:
        if extension in _PROGRAM_EXTENSIONS:
            defects[Defect.SCRIPT_NOT_RUN] = None
        if kind in _SCRIPT_KINDS or extension in _SCRIPT_EXTENSIONS:
            text = _unescaped(text.replace("'", '"'))
        return links.of_attachment(text, "", section, defects)
    if "<![CDATA[" in text:
        text = text.replace("<![CDATA[", " ").replace("]]>", " ")
    if _DATA_URL.search(text) is not None or _BINARY_DATA.search(text) is not None:
        marks.add("unsupported")
    # A program opens the file: its scripts run, and what any element refers to may be loaded.
    # What has another type is shown as plain text by programs that go by the type.
    scripts = (
        "\n".join(_SCRIPT.findall(text)) if kind in _MARKUP_KINDS or not kind.startswith("text/") else text
    )
    if RUNS.search(text) is not None:
        defects[Defect.SCRIPT_NOT_RUN] = None
    named = dict.fromkeys(map(with_characters, _references(text, defects)))
    return links.of_attachment(_unescaped(scripts), text, section, defects, named)


def next_messages(content: bytes) -> list[bytes]:
    """The messages of a file: one, or those of an mbox file."""
    return _NEXT_MESSAGE.split(content, _MAX_PARTS) if content.startswith(b"From ") else [content]


def _references(text: str, defects: Defects) -> Iterator[str]:
    """The quoted URLs that are the value of an attribute, or that a DTD refers to."""
    end = 0
    for number, quoted in enumerate(_QUOTED_URL.finditer(text)):
        if number >= _MAX_QUOTED:
            defects[Defect.URLS_CUT] = None
            return
        start = quoted.start()
        before = _BACKWARDS.match(text[max(end, start - _BEFORE_URL) : start][::-1])
        if before is not None and (before[1] is None or _NAMESPACE.match(before[1][::-1]) is None):
            end = quoted.end()
            yield quoted[1]


def _unescaped(script: str) -> str:
    """A script, or JSON, with slashes and characters as they are meant. Strings that only stand in pieces or
    in codes follow it; what is computed in another way is not known.
    """
    if "\\" in script or "%u" in script:
        script = script.replace("\\/", "/")
        script = _CHARACTER_CODES.sub(lambda code: chr(int(code[1] or code[2], 16)), script)
    if "+" in script:
        script = _CONCATENATED.sub("", script)
    found = [script]
    if _PERCENT_CODED.search(script) is not None or "unescape" in script or "decodeURI" in script:
        # Some at a time: taken apart, a script is many times its size.
        pieces = (script[at : at + _PIECE] for at in range(0, len(script), _PIECE))
        found.append("".join(map(unquote, pieces)))
    for digits in _OF_BASE64.findall(script):
        digits = "".join(digits.split()).rstrip("=")
        if len(digits) % 4 != 1:
            found.append(b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-8", "replace"))
    for numbers in _OF_NUMBERS.findall(script):
        codes = [int(digits, 16 if prefix else 10) for prefix, digits in _NUMBER.findall(numbers)]
        found.append("".join([chr(code) for code in codes if code < 0xD800]))
    return "\n".join(found)


def looks_like_text(head: bytes) -> bool:
    """Whether a file that begins with `head` is a text in any charset."""
    if head.startswith(_MARKS_OF_TEXT) or (len(head) > 7 and wide_codec(head) is not None):
        return True
    return bool(head) and len(head.translate(None, _CONTROLS)) == len(head)


def text_of(content: bytes, charset: str | None) -> str:
    """The text of an attachment. A byte order mark, or bytes that can only be UTF-16, count for more than
    the declared charset.
    """
    if (codec := wide_codec(content)) is not None:
        return replaced(content, codec).removeprefix("\ufeff")
    content = content.removeprefix(codecs.BOM_UTF8)
    if charset is None:
        try:
            return content.decode("utf-8").replace("\0", "")
        except UnicodeDecodeError:
            return content.decode("latin-1").replace("\0", "")
    return decode(content, charset, {}).replace("\0", "")


def _texts_of_message(content: bytes, defects: Defects) -> tuple[str, str]:
    """The text and the HTML of a message in a file, and its header; not those of messages inside it."""
    ignored: Defects = {}
    if content.startswith(b"From "):
        content = content.partition(b"\n")[2]
    fields = header.split(content, 0, len(content), ignored)
    root = parts.tree(content, len(content), fields, ignored, complete=True, limit=_MAX_PARTS)
    if Defect.PARTS_CUT in ignored or Defect.NESTING_CUT in ignored:
        defects[Defect.URLS_CUT] = None
    texts = [content[: fields.body].decode("latin-1")]
    htmls: list[str] = []
    stack = [root]
    for _ in range(_MAX_PARTS):
        if not stack:
            break
        part = stack.pop()
        if part.children is not None:
            stack.extend(part.children)
        elif part.kind.startswith("text/"):
            of_kind = htmls if part.kind in _HTML_KINDS else texts
            of_kind.append(bodies.text_of(part, ignored, of_kind))
    return "\n".join(texts), "\n".join(htmls)
