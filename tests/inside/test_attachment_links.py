"""Links of attachments, whatever type they declare."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from support.archives import compound
from zeekpop3.defects import Defects
from zeekpop3.inside import attachment_links as module
from zeekpop3.inside import magic, parse
from zeekpop3.inside.attachment_links import AttachmentLinks, attachment_links, may_have_links

HTML = b'<html><a href="http://a.example/1">x</a></html>'
# Declared type, extension, charset, content: the links
FOUND: dict[str, tuple[str | None, str | None, str | None, bytes, list[str]]] = {
    "html": ("text/html", None, None, HTML, ["http://a.example/1"]),
    "html by its name": ("application/octet-stream", "html", None, b"<p><a href=//a.example/1>",
        ["//a.example/1"]),
    "html by its content": ("application/octet-stream", "dat", None, b"\n <!DOCTYPE html>" + HTML,
        ["http://a.example/1"]),
    "html in UTF-16": ("text/html", None, "us-ascii", HTML.decode().encode("utf-16"), ["http://a.example/1"]),
    "html in UTF-16 without a mark": ("text/html", None, None, HTML.decode().encode("utf-16-be"),
        ["http://a.example/1"]),
    "script": ("text/html", None, None, b"<script>location='http://a.example/1'</script>",
        ["http://a.example/1"]),
    "attribute of any name": (None, "htm", None, b"<b data-to='https://a.example/?b&amp;c'>",
        ["https://a.example/?b&c"]),
    "shown": ("text/html", None, None, b"<b>see www.a.example/1</b>", ["www.a.example/1"]),
    "svg": ("image/svg+xml", "svg", None,
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>"
        b"<a xlink:href='http://a.example/1'><text>x</text></a><image href='http://a.example/2'/></svg>",
        ["http://a.example/1", "http://a.example/2"]),
    "xml": ("application/xml", None, None,
        b"<?xml-stylesheet href='http://a.example/1'?><!DOCTYPE x SYSTEM 'http://a.example/2'>"
        b"<x xsi:schemaLocation='http://no.example/ x'><y z='http://a.example/3'/>http://a.example/4</x>",
        ["http://a.example/4", "http://a.example/1", "http://a.example/2", "http://a.example/3"]),
    "markup that is shown as plain text": ("text/sgml", None, None,
        b"<!DOCTYPE x [<!ENTITY y SDATA 'HTTP://a.example/1'>]><a href='http://a.example/2'>",
        ["http://a.example/2", "HTTP://a.example/1"]),
    "calendar": ("text/calendar", None, None,
        b"BEGIN:VCALENDAR\r\nDESCRIPTION:at https://a.exam\r\n ple/1\\nor http://a.example/2\\, so\r\n",
        ["https://a.example/1", "http://a.example/2"]),
    "card by its name": ("application/octet-stream", "vcf", None, b"URL:http://a.exa\n mple/1\n",
        ["http://a.example/1"]),
    "shortcut": (None, "url", None, b"[InternetShortcut]\r\nURL=file://a.example/x\r\n",
        ["file://a.example/x"]),
    "shortcut of Windows": (None, "lnk", None,
        magic.SHORTCUT + b"\0" * 60 + "/c start https://a.example/1".encode("utf-16-le")
        + b"\1\0\\\\b.example\\s\0",
        ["\\\\b.example\\s", "https://a.example/1"]),
    "older Office document": ("application/msword", "doc", None,
        compound({"WordDocument": b"\x13HYPERLINK \"http://a.example/1\"\x14" + b"\0" * 4_096,
                  "Workbook": b"\1" + "http://a.example/2".encode("utf-16-le") + b"\0" * 4_096}),
        ["http://a.example/1", "http://a.example/2"]),
    "notes": ("application/onenote", None, None, magic.ONENOTE + "\x07http://a.example/1".encode("utf-16-le"),
        ["http://a.example/1"]),
    "rtf": ("application/rtf", None, None, b'{\\rtf1{\\field HYPERLINK "http://a.example/1"}}',
        ["http://a.example/1"]),
    "rtf with codes": (None, "rtf", None,
        rb"{\rtf1{\*\fldinst HYPERLINK \"\'68\'74tp://\u97?.ex{\b }am" + b"\r\nple/1\"}}",
        ["http://a.example/1", "http://a.ex"]),
    "object in rtf": ("application/msword", "doc", None,
        b"{\\rtf1{\\*\\objdata 0105\r\n" + "http://a.example/1".encode("utf-16-le").hex().encode() + b"}}",
        ["http://a.example/1"]),
    "json": ("application/json", None, None,
        rb'{"a": "https:\/\/a.example\/1", "b": "http:\u002f\u002fa.example/2"}',
        ["https://a.example/1", "http://a.example/2"]),
    "script with codes": ("text/html", None, None,
        rb'<script>x="http:\/\/a.example\/1", y="\x68ttp://a.example/2", "<x http%3A//a.example/3"</script>',
        ["http://a.example/1", "http://a.example/2", "http://a.example/3"]),
    "script with pieces": ("text/html", None, None,
        b"<script>location = 'ht' + \"tp://a.exam\" +\n 'ple/1'</script>", ["http://a.example/1"]),
    "script with Base64": ("text/html", None, None,
        b"<script>location=atob('aHR0cDovL2Eu' + 'ZXhhbXBsZS8x')</script>", ["http://a.example/1"]),
    "script with numbers": ("text/html", None, None,
        b"<script>location=String.fromCharCode(104,116, 116,0x70,58,47,47)+'a.example/1'+"
        b"String.fromCharCode(104,116,116,112,58,47,47,97,46,101,120)</script>", ["http://a.ex"]),
    "script that unescapes": ("text/html", None, None,
        b"<script>document.write(unescape('%3Ca href=%22%68%74%74%70:%2f%2fa.example/1%22%3E'))</script>"
        b"<script>eval(unescape('%u0068ttp://a.example/2'))</script>",
        ["http://a.example/2", "http://a.example/1"]),
    "entity": ("image/svg+xml", None, None, b"<!DOCTYPE x [<!ENTITY u 'http://a.example/1'>]><x/>",
        ["http://a.example/1"]),
    "old card": ("text/x-vcard", None, None,
        b"BEGIN:VCARD\r\nURL;ENCODING=QUOTED-PRINTABLE:http=3A//a.ex=\r\nample/1\r\n", ["http://a.example/1"]),
    "percents in a card": ("text/x-vcard", None, None,
        b"BEGIN:VCARD\r\nURL;ENCODING=QUOTED-PRINTABLE:http=3A//a.example/%41\\,1\\n\r\n",
        ["http://a.example/%41,1"]),
    "several messages": ("application/mbox", "mbox", None,
        b"From a Mon Jun 24 12:00:00 2024\nTo: b\nSubject: s\nDate: x\n\nhttp://a.example/1\n"
        b"From a Mon Jun 24 12:00:00 2024\nTo: b\nContent-Transfer-Encoding: base64\n\n"
        b"aHR0cDovL2EuZXhhbXBsZS8y\n",
        ["http://a.example/1", "http://a.example/2"]),
    "text": ("text/plain", "txt", None, b"www.a.example/1 and \\\\a.example\\share\\x",
        ["www.a.example/1", "\\\\a.example\\share\\x"]),
    "text with NULs": ("text/plain", "txt", None, b"\0\0\0\0see http://a.\0example/1",
        ["http://a.example/1"]),
    "text without a type": ("application/octet-stream", None, None, b"see http://a.example/1",
        ["http://a.example/1"]),
    "message": ("application/octet-stream", "eml", None,
        b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nc2VlIGh0dHA6Ly9hLmV4YW1wbGUvMQ==\r\n", ["http://a.example/1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_links_of_an_attachment(name: str) -> None:
    """Type, name or content say what it is; all that a program would follow or show is a link."""
    kind, extension, charset, content, wanted = FOUND[name]
    assert may_have_links(content, kind, extension)
    found = attachment_links(content, kind, extension, charset, "2.1", {})
    assert [link.url for link in found] == wanted
    assert {(link.origin, link.attachment) for link in found} == {("attachment", "2.1")}


def test_images_are_not_read() -> None:
    """Pictures have no links, strings in programs count."""
    assert not may_have_links(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png", "png")
    assert may_have_links(b"%!PS " + bytes(2_000), "application/octet-stream", "pdf")  # readers search for it
    assert may_have_links(b"MZ\x90\0\x03\0\0\0http://a.example/", "application/octet-stream", "exe")
    assert not may_have_links(b"", None, None)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many bytes and links of all attachments are read; what is left out is a defect."""
    monkeypatch.setattr(module, "MAX_TEXT", 40)
    monkeypatch.setattr(module, "MAX_LINKS", 3)
    defects: Defects = {}
    reader = AttachmentLinks(defects, first=5)
    reader.read(b"http://a.example/1 http://a.example/2", 37, "text/plain", None, None, "2")
    assert not defects
    reader.read(b"http://a.example/3 http://a.example/4", 37, "text/plain", None, None, "3")
    assert [(link.position, link.url[-1], link.attachment) for link in reader.found] == [
        (5, "1", "2"), (6, "2", "2"), (7, "3", "3"),
    ]  # fmt: skip
    assert "urls_cut" in defects
    defects.clear()
    assert reader.wanted(b"text", None, None) == 0
    assert "urls_cut" in defects
    assert AttachmentLinks({}).wanted(b"text", None, None) == 40
    cut: Defects = {}
    AttachmentLinks(cut).read(b"http", 1_000, None, None, None, "2")
    assert "urls_cut" in cut


def test_links_of_attachments_come_after_the_others() -> None:
    """A mail's rows: the links of its bodies, then those of each attachment with its section."""
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhttp://a.example/1\r\n"
        b"--b\r\nContent-Type: application/pdf; name=x.html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"PGEgaHJlZj0vL2EuZXhhbXBsZS8yPg==\r\n--b--\r\n"
    )
    mail = parse(raw)
    assert [(link.position, link.url, link.origin, link.attachment) for link in mail.links] == [
        (1, "http://a.example/1", "text", None),
        (2, "//a.example/2", "attachment", "2"),
    ]
    assert mail.urls == ["http://a.example/1"]
    assert mail.attachments[0].content is None


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ('access-type=URL; url="http://a.exam\r\n ple/1"', ["http://a.example/1"]),
        ("access-type=anon-ftp; site=a.example; directory=/pub/; name=x.exe", ["ftp://a.example/pub/x.exe"]),
        ("access-type=tftp; site=a.example; name=x.exe", ["tftp://a.example/x.exe"]),
        ("access-type=ftp; site=a.example", []),
        ("access-type=local-file; name=/etc/passwd", []),
        ("access-type=mail-server; server=x@a.example", []),
    ],
)
def test_a_reference_to_a_body_elsewhere_is_a_link(parameters: str, wanted: list[str]) -> None:
    """RFC 2017, RFC 2046 section 5.2.3: a program offers to fetch it."""
    raw = f"Content-Type: message/external-body; {parameters}\r\n\r\nContent-Type: image/png\r\n\r\n"
    assert [(link.url, link.attachment) for link in parse(raw.encode()).links] == [(u, "1") for u in wanted]
    mixed = f"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\nx\r\n--q\r\n{raw}\r\n--q--\r\n"
    assert [(link.url, link.attachment) for link in parse(mixed.encode()).links] == [(u, "2") for u in wanted]


def test_a_very_long_reference_is_cut() -> None:
    """Its beginning is a link, and the cut is a defect."""
    mail = parse(b"Content-Type: message/external-body; url=http://a.example/" + b"x" * 20_000 + b"\r\n\r\n")
    assert [len(link.url) for link in mail.links] == [8_192]
    assert "urls_cut" in mail.defects


def test_documents_that_were_unpacked_are_read_within_the_bounds_of_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A small archive may hold many of them."""
    monkeypatch.setattr(module, "MAX_ALL", 2_500)
    content = b"%PDF-1.4\n<</S /URI /URI (http://a.example/)>>" + b" " * 950
    defects: Defects = {}
    links = AttachmentLinks(defects)
    for number in range(5):
        if number == 2:
            assert not defects
        links.read_whole(content, Described(f"2#{number}", None, "pdf"), None)
    assert [link.attachment for link in links.found] == ["2#0", "2#1", "2#2"]
    assert "urls_cut" in defects


class Described(NamedTuple):
    part: str
    content_type: str | None
    extension: str | None


SCRIPTS = {
    "script": ("text/html", "html", b"<p>x</p><SCRIPT src=x.js></script>"),
    "handler": ("application/octet-stream", "htm", b"<body onload = 'f(a)'>x"),
    "handler of an image": ("image/svg+xml", "svg", b"<svg/onload=f()>"),
    "URL": ("application/octet-stream", None, b"<html><a href='JavaScript:f()'>x</a>"),
    "program": ("application/octet-stream", "js", b"var a = b;"),
    "old program": ("text/plain", "vbs", b"a = b"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_not_run(name: str) -> None:
    """Where they lead to cannot be known."""
    kind, extension, content = SCRIPTS[name]
    defects: Defects = {}
    attachment_links(content, kind, extension, None, "2", defects)
    assert list(defects) == ["script_not_run"]


@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
def test_pages_and_texts_without_scripts(kind: str) -> None:
    """No script, no defect."""
    defects: Defects = {}
    attachment_links(b"<p>description = x</p> <b class=on>on = 1", kind, "html", None, "2", defects)
    assert not defects


def test_scripts_of_a_body() -> None:
    """Mail programs do not run them; a browser does, which a body with a name is opened with."""
    page = b"<p>words</p><script>location='http://a.example/1'</script>"
    assert parse(b"Content-Type: text/html\r\n\r\n" + page).defects == []
    named = parse(b"Content-Type: text/html; name=a.html\r\n\r\n" + page)
    assert named.defects == ["script_not_run"]
    assert [(link.url, link.origin) for link in named.links] == [("http://a.example/1", "attachment")]
