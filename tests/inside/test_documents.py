"""URLs in documents: external targets, and actions of PDF files, whatever they are packed in."""

from __future__ import annotations

import base64
import io
import time
import zipfile
import zlib

import pytest

from support.archives import deflated, local
from zeekpop3.inside.attachment_links import attachment_links, may_have_links
from zeekpop3.inside.document_urls import MAX_PART, Room
from zeekpop3.inside.documents import DocumentUrls


def packed(files: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def stream(content: bytes, filters: bytes, more: bytes = b"") -> bytes:
    return (
        b"%PDF-1.5\n1 0 obj\n<<"
        + more
        + b"/Filter "
        + filters
        + b">>\nstream\r\n"
        + content
        + b"\nendstream endobj"
    )


PDF = b"%PDF-1.7\n"
TARGET = '<Relationship Id="1" Target="http://a.example/1?a&amp;b" TargetMode="External"/>'
ACTION = b"<</S/URI/URI(http://a.example/1)>>"
DOCUMENTS: dict[str, tuple[bytes, list[str]]] = {
    "relationship": (packed({"word/_rels/document.xml.rels": TARGET}), ["http://a.example/1?a&b"]),
    "stored": (packed({"_rels/.rels": TARGET}, zipfile.ZIP_STORED), ["http://a.example/1?a&b"]),
    "template on a share": (
        packed({"word/_rels/x.rels": "<Relationship TargetMode='External' Target='\\\\a.example\\t.dotm'/>"}),
        ["\\\\a.example\\t.dotm"]),
    "inside the file": (packed({"_rels/.rels": '<Relationship Target="word/document.xml"/>'}), []),
    "field": (packed({"word/document.xml": '<w:instrText>HYPERLINK "http://a.example/1"</w:instrText>'}),
              ["http://a.example/1"]),
    "OpenDocument": (packed({"content.xml": '<text:a xlink:href="http://a.example/1"/>'}), ["http://a.example/1"]),
    "action": (b"%PDF-1.5\n" + ACTION, ["http://a.example/1"]),
    "escapes": (b"%PDF-1.5\n/URI (http:\\057/a.example/\\(1\\))", ["http://a.example/(1)"]),
    "hexadecimal": (b"%PDF-1.5\n/#55RI <68747470 3a2f2f612e6578616d706c652f31>", ["http://a.example/1"]),
    "UTF-16": (b"%PDF-1.5\n/URI (\xfe\xff" + "http://a.example/1".encode("utf-16-be") + b")", ["http://a.example/1"]),
    "object stream": (stream(zlib.compress(ACTION), b"/FlateDecode"), ["http://a.example/1"]),
    "two filters": (
        stream(base64.a85encode(zlib.compress(ACTION)) + b"~>", b"[/ASCII85Decode /FlateDecode]"),
        ["http://a.example/1"]),
    "escaped filter": (stream(zlib.compress(ACTION), b"/Fl#61teDecode"), ["http://a.example/1"]),
    "script": (b'%PDF-1.5\n/JS (app.launchURL\\("http://a.example/1"\\))', ["http://a.example/1"]),
    "launch": (b"%PDF-1.5\n/S/Launch/F(//a.example/1)", ["//a.example/1"]),
    "string elsewhere": (b"%PDF-1.5\n1 0 obj<</URI 2 0 R>>\n2 0 obj(http://a.example/1)", ["http://a.example/1"]),
    "comment before the string": (b"%PDF-1.5\n/URI%x\n(http://a.example/1)", ["http://a.example/1"]),
    "hexadecimal string elsewhere": (
        b"%PDF-1.5\n2 0 obj<FEFF" + "http://a.example/1".encode("utf-16-be").hex().encode() + b">",
        ["http://a.example/1"]),
    "little endian": (
        b"%PDF-1.5\n/URI <FFFE" + "http://a.example/1".encode("utf-16-le").hex().encode() + b">",
        ["http://a.example/1"]),
    "Base85 with a right angle bracket": (
        stream(base64.a85encode(b"~}|{" * 9 + ACTION) + b"~>", b"/A85"), ["http://a.example/1"]),
    "script in a stream": (
        stream(zlib.compress(b'app.launchURL("http://a.example/1")'), b"/FlateDecode"), ["http://a.example/1"]),
    "form with a namespace": (
        stream(zlib.compress(b"<x xmlns='http://b.example/'><s target='http://a.example/1'/></x>"), b"/Fl"),
        ["http://a.example/1"]),
    "string elsewhere in octal": (
        b"%PDF-1.5\n1 0 obj<</URI 2 0 R>>\n2 0 obj(\\150ttp://a.example/1)", ["http://a.example/1"]),
    "line end in the string": (b"%PDF-1.5\n/URI(http://a.ex\r\nample/1)", ["http://a.example/1"]),
    "keyword within a string": (
        stream(zlib.compress(ACTION), b"/FlateDecode/T(obj)"), ["http://a.example/1"]),
    "filter elsewhere": (stream(zlib.compress(ACTION), b" 9 0 R"), ["http://a.example/1"]),
    "objects called a picture": (
        stream(zlib.compress(ACTION), b"/FlateDecode/Subtype/Image/Type/ObjStm"), ["http://a.example/1"]),
    "text in several runs": (
        packed({"word/document.xml": "<w:p><w:t>http://a.ex</w:t><w:t>ample/1</w:t></w:p><w:p>x</w:p>"}),
        ["http://a.example/1"]),
    "texts of other elements": (
        packed({"docProps/core.xml": "<a>http://a.example/1</a><b>x</b>"}), ["http://a.example/1"]),
    "program": (b"MZ\0\0http://a.example/1\0\0", ["http://a.example/1"]),
    "program in 16 bits": (
        b"MZ\0\0" + "http://a.example/1".encode("utf-16-le") + b"\0\0\1", ["http://a.example/1"]),
    "strings of records": (
        packed({"[Content_Types].xml": "<T/>",
                "xl/sharedStrings.bin": "\0\0" + "\0".join("http://a.example/1") + "\0"}), ["http://a.example/1"]),
    "attribute of any name": (
        packed({"xl/externalLinks/x.xml": "<d ddeTopic='/c start http://a.example/1'/>"}), ["http://a.example/1"]),
    "relationship with a bracket": (
        packed({"word/_rels/x.xml.rels": "<Relationship Id='>' Target='http://a.example/1'/>"}),
        ["http://a.example/1"]),
    "blank behind the keyword": (
        stream(zlib.compress(ACTION), b"/FlateDecode").replace(b"stream\r\n", b"stream \r\n"), ["http://a.example/1"]),
    "field in several runs": (
        packed({"word/document.xml": "<w:instrText> HYPER</w:instrText><w:instrText>LINK \"http://a.ex</w:instrText>"
                "<w:t>x</w:t><w:instrText xml:space='preserve'>ample/1\"</w:instrText>"}), ["http://a.example/1"]),
    "formula": (packed({"xl/worksheets/sheet1.xml": '<f>WEBSERVICE("http://a.example/1?a&amp;b")</f>'}),
                ["http://a.example/1?a&b"]),
    "text": (packed({"word/document.xml": "<w:document xmlns:w='http://b.example/'><w:t>see http://a.example/1.</w:t>"}),
             ["http://a.example/1"]),
    "schemas": (packed({"word/document.xml": '<a:ext uri="http://schemas.microsoft.com/x" Type="http://www.w3.org/1"/>'}),
                []),
    "after something else": (b"x" * 500 + b"%PDF-1.5\n" + ACTION, ["http://a.example/1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_urls_of_a_document(name: str) -> None:
    """What a program follows when the document, or a link in it, is opened."""
    content, wanted = DOCUMENTS[name]
    assert may_have_links(content, None, None)
    assert [link.url for link in attachment_links(content, "image/png", None, None, "2", {})] == wanted


def test_what_is_unpacked_is_bounded() -> None:
    """The room is that of all documents of a mail; what is left out is a defect."""
    bomb = stream(zlib.compress(bytes(40 << 20)), b"/FlateDecode")
    room = Room()
    assert DocumentUrls(bomb, room).is_cut
    assert room.size >= (16 << 20) - MAX_PART
    for _ in range(5):
        DocumentUrls(bomb, room)
    assert room.size <= 0
    late = DocumentUrls(DOCUMENTS["object stream"][0], room)
    assert (late.is_cut, list(late.links)) == (True, [])
    assert DocumentUrls(b"%PDF-" + b"/F(x)" * 50_000, Room()).is_cut
    assert DocumentUrls(stream(b"not packed", b"/FlateDecode"), Room()).is_cut


def test_what_lies_in_each_other_is_read_so_often() -> None:
    """Streams and strings that begin within others: what they have in common is not read for each of them."""
    nothing = b"\x78\x9c" + b"\0\0\0\xff\xff" * 10_000 + b"\1\0\0\xff\xff\0\0\0\1"
    for count, is_cut in ((1, False), (9, True)):
        streams = count * stream(nothing, b"/FlateDecode")
        assert DocumentUrls(PDF + streams, Room(packed=200_000)).is_cut == is_cut
    found = DocumentUrls(PDF + b"(http://a.example/\\" * 2_000, Room())
    assert found.is_cut
    assert sum(map(len, found.texts)) < 3 * 40_000
    assert not DocumentUrls(PDF + b"(http://a.example/)" * 2_000, Room()).is_cut
    assert DocumentUrls(PDF + 4 * stream(ACTION, b""), Room(streams=3)).is_cut


def test_numbers_of_any_length_in_references() -> None:
    """Thousands of digits are not a character; they once ended the parser."""
    number = b"http://a.example/&#" + b"1" * 6_000 + b";"
    zipped = local(b"a.xml", deflated(b"<x>" + number), b"<x>" + number)
    assert DocumentUrls(zipped, Room()).texts == ["http://a.example/\ufffd"]
    (link,) = attachment_links(b'<x y="' + number + b'">', "text/xml", None, None, "2", {})
    assert link.url == "http://a.example/\ufffd"


def test_text_of_rtf_is_bounded() -> None:
    """Pictures, which are written as digits, are not text."""
    link = b'{\\field{\\*\\fldinst HYPERLINK "http://a.example/"}}'
    assert not DocumentUrls(b"{\\rtf1 " + b"00" * 1_500_000 + link, Room()).is_cut
    cut = DocumentUrls(b"{\\rtf1 " + b"\\a{}" * 600_000 + link, Room())
    assert (cut.is_cut, list(cut.links)) == (True, [])


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.5\ntrailer<</Encrypt 7 0 R/Root 1 0 R>>",
        b"%PDF-1.5\ntrailer<</Encrypt<</Filter/Standard>>>>",
        b"%PDF-1.5\n1 0 obj<</Filter 9 0 R>>stream\n" + zlib.compress(ACTION),
    ],
)
def test_what_cannot_be_read_is_told(content: bytes) -> None:
    """A locked file, or one whose filters stand somewhere else."""
    assert DocumentUrls(content, Room()).is_cut


@pytest.mark.parametrize(
    "unit",
    [
        b"/URI (",
        b"/URI (()",
        b"/URI(\\",
        b"(http",
        b"<68747470",
        b"( \0",
        b"<feff00",
        b"xmlns:a='",
        b"/Encrypt    ",
        b"/F<00 ",
        b"stream\n",
        b"obj/Fl stream\n",
        b"obj/A85 stream\n",
        b"PK\3\4",
        b"obj",
        b"\\'68",
        b"\\u1?",
        b"\\pard" + b"a" * 46 + b"g",
        b"ab        ",
    ],
)
@pytest.mark.parametrize("head", [b"%PDF-", b"PK\3\4", b"{\\rtf1"])
def test_hostile_documents(unit: bytes, head: bytes) -> None:
    """Time is linear, and small."""
    data = head + unit * (400_000 // len(unit))
    start = time.process_time()
    DocumentUrls(data, Room())
    assert time.process_time() - start < 1
