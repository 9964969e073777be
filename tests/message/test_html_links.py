"""Links that small differences between programs could hide."""

from __future__ import annotations

import pytest

from zeekpop3.defects import Defects
from zeekpop3.inside import parse
from zeekpop3.message.html_text import extract
from zeekpop3.message.links import collect

_MANY = " ".join(f"x{number}=1" for number in range(12_000))  # of attributes, more than 64 K

# HTML: the URLs that are found in it, in order, without "http://a.example/"
LEADS: dict[str, tuple[str, list[str]]] = {
    "long attribute": (f'<a href="http://a.example/1" title="{"x" * 70_000}">x</a>', ["1"]),
    "many attributes": (f"<a href='http://a.example/1' {_MANY}>x</a>", ["1"]),
    "many attributes of an image": (f"<img src=http://a.example/1 {_MANY}>", ["1"]),
    "same attributes, other tag": (
        '<img src="/x" href="http://a.example/1"><area src="/x" href="http://a.example/1">', ["1"]),
    "image, then form": ('<img src=http://a.example/1 action=http://a.example/2>'
                         "<form src=http://a.example/1 action=http://a.example/2>", ["1", "2"]),
    "base twice": (
        '<base href="http://a.example/"><a href=1>x</a><base href="http://b.example/"><a href=2>y</a>',
                   ["", "1", "http://b.example/", "2"]),
    "base after the link": ('<a href="1">x</a><base href="http://a.example/">', ["1", ""]),
    "base with backslashes": ('<base href="http:\\\\a.example\\x\\"><a href="..\\1">x</a>',
                              ["http:\\\\a.example\\x\\", "1"]),
    "button of Outlook": ('<v:roundrect href="http://a.example/1">x</v:roundrect>', ["1"]),
    "shape of Outlook": ('<v:shape HREF = "http://a.example/1">x</v:shape>', ["1"]),
    "unknown element, no slashes": ("<x href='http:a.example'>", ["http:a.example"]),
    "unknown element, references": ("<x href='http&#58;&#47;&#47;a.example/1'>", ["1"]),
    "unknown element, relative": ("<base href=http://a.example/><x href=1>", ["", "1"]),
    "form of a field": ("<input type=submit formaction=http://a.example/1>", ["1"]),
    "form of an image": (
        "<input type=image src=http://a.example/1 formaction=http://a.example/2>", ["1", "2"]),
    "long condition": (f"<!--[if {'(mso)|' * 60}(mso)]><a href=http://a.example/1>x</a><![endif]-->", ["1"]),
    "hyphen in a condition": ("<!--[if mso]>--x<a href=http://a.example/1>x</a><![endif]-->", ["1"]),
    "NUL in the scheme": ("<a href='ht\0tp://a.example/1'>x</a>", ["1"]),
    "backslashes": ("<a href='http:\\\\a.example\\1'>x</a>", ["http:\\\\a.example\\1"]),
    "scheme of one letter": ("<a href='x://a.example/1'>x</a>", ["x://a.example/1"]),
    "host alone": ("<a href='www.a.example/1'>x</a>", ["www.a.example/1"]),
    "title of an image": ("<svg><title><a href=http://a.example/1>x</a></title></svg>", ["1"]),
    "iframe": ("<iframe><a href=http://a.example/1>x</a></iframe>", ["1"]),
    "noembed": ("<noembed><a href=http://a.example/1>x</a></noembed>", ["1"]),
    "noframes": ("<noframes><a href=http://a.example/1>x</a></noframes>", ["1"]),
    "document in an attribute": ("<iframe srcdoc='<a href=http://a.example/1>x</a>'></iframe>", ["1"]),
    "document in a URL": ("<a href='data:text/html,<a href=http://a.example/1>x</a>'>y</a>",
                          ["1", "data:text/html,<a href=http://a.example/1>x</a>"]),
    "encoded document in a URL": (
        "<iframe src='data:text/html;charset=x;base64,PGEgaHJlZj1odHRwOi8vYS5leGFtcGxlLzE+'>",
        ["1", "data:text/html;charset=x;base64,PGEgaHJlZj1odHRwOi8vYS5leGFtcGxlLzE+"]),
    "image in a URL": ("<img src='data:image/png;base64,aHR0cDovL2EuZXhhbXBsZS8x'>", []),
    "script in a URL": ("<a href=\"javascript:location='http://a.example/1'\">x</a>", ["1"]),
    "style sheet": (
        "<style>@import 'http://a.example/1'; p {background: URL( \"http://a.example/2\" )}</style>",
                    ["1", "2"]),
    "escapes of a style": ("<style>p{background:u\\72l(http:\\2f/a.example/1)}</style>", ["1"]),
    "escapes in a style attribute": (
        "<td style='background:\\75rl(\\68ttp:\\2f\\2f a.example/1)'>x</td>", ["1"]),
    "escaped line end in a style": ("<style>@im\\70ort 'http://a.exa\\\nmple/1'</style>", ["1"]),
    "references in a style attribute": (
        "<td style='background:&#117;rl&lpar;http://a.example/1)'>x</td>"
        "<td style='background:&bsol;75rl(http://a.example/2)'>x</td>", ["1", "2"]),
    "set of images": (
        '<td style=\'background: -webkit-image-set("http://a.example/1" type("x/y") 1x, '
        'url(http://a.example/2) 2x, "http://a.example/3" 3x)\'>x</td>', ["2", "1", "3"]),
    "set of images in a style sheet": (
        "<style>p{background:image-set('http://a.example/1' 1x)}</style>", ["1"]),
    "import behind a comment": ("<style>@import/**/ /*x*/'http://a.example/1'</style>", ["1"]),
    "styles of SVG": ("<svg><rect fill='url(http://a.example/1#x)' mask=\"url('http://a.example/2')\"/></svg>",
                      ["1#x", "2"]),
    "attribute that SVG sets": (
        "<svg><a><set attributeName=href to=http://a.example/1 /><animate attributeName='xlink:href' "
        "values='http://a.example/2;http://a.example/3'/><text>x</text></a></svg>", ["1", "2", "3"]),
    "quotes within": ("<a href=`http://a.example/1`>x</a>", ["1"]),
    "style of a link": (
        "<a href=http://a.example/1 style='background:url(http://a.example/2)'>x</a>", ["2", "1"]),
    "handed over": (
        "<a href='ms-word:ofe|u|http://a.example/1'>x</a>", ["1", "ms-word:ofe|u|http://a.example/1"]),
    "share": ("<a href='\\\\a.example\\share\\1'>x</a>", ["\\\\a.example\\share\\1"]),
    "share of a URL": ("<img src='file://a.example/1'>", ["file://a.example/1"]),
    "search": ("<a href='search-ms:query=x&crumb=location:\\\\a.example\\1'>x</a>",
               ["\\\\a.example\\1", "search-ms:query=x&crumb=location:\\\\a.example\\1"]),
    "movie": ("<object><param name=movie value=http://a.example/1></object>", ["1"]),
    "old image": ("<img lowsrc=http://a.example/1 dynsrc=http://a.example/2>", ["1", "2"]),
    "hidden link": ("<a hidden href=http://a.example/1>x</a>", ["1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", LEADS)
def test_what_some_program_follows_is_a_link(name: str) -> None:
    """Every place of a URL that a mail program or a browser would use."""
    html, wanted = LEADS[name]
    urls = [url.removeprefix("http://a.example/") for url, _, _ in extract(html, {})[1]]
    assert urls == wanted


@pytest.mark.parametrize("name", ["many attributes", "many attributes of an image"])
def test_attributes_that_are_not_read_are_a_defect(name: str) -> None:
    """Of more than 64 K of attributes the first are read."""
    defects: Defects = {}
    extract(LEADS[name][0], defects)
    assert "urls_cut" in defects


SHOWN = {
    "title": "<title>http://a.example/1</title>",
    "hidden": "<div style='display:none'>see http://a.<b>example</b>/1</div>",
    "hidden by its place": "<noframes>http://a.example/1</noframes>",
    "in Outlook": "<!--[if mso]>http://a.example/1<![endif]-->",
    "text area": "<textarea>http://a.example/1</textarea>",
    "hidden text area": "<textarea hidden>http://a.example/1</textarea>",
    "value of a button": "<input type=submit value='http://a.example/1'>",
    "title of an image": "<svg><title>http://a.example/1</title></svg>",
    "instead of an image": "<img src=cid:x alt='see http&colon;//a.example/1'>",
    "in a style sheet": "<style>a::before {content: 'see http://a.example/1'; x: y}</style>",
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_urls_that_are_only_text(name: str) -> None:
    """Text that some reader sees, or a search should."""
    (link,), _ = collect([], [SHOWN[name]], {})
    assert (link.url, link.origin) == ("http://a.example/1", "shown")


def test_relative_links_and_header_fields() -> None:
    """Without a base of its own the document has that of the header."""
    links, _ = collect([], ["<a href='\\1'>x</a>"], {}, ["http://a.example/x/y"])
    assert [link.url for link in links] == ["http://a.example/1"]


def test_text_of_a_link_with_something_aside_in_it() -> None:
    """What is read aside does not end the link around it."""
    html = "<a href=http://a.example/1>one<iframe><a href=http://a.example/2>x</a></iframe>two</a>"
    assert ("http://a.example/1", "onetwo", True) in extract(html, {})[1]


def test_documents_in_urls_are_bounded() -> None:
    """They do not nest, and only so much of them is read."""
    inner = "data:text/html,<a href=http://a.example/1>"
    assert len(extract(f"<iframe src='data:text/html,<iframe src={inner!r}>'>", {})[1]) < 3
    defects: Defects = {}
    extract("<iframe src='data:text/html," + "x" * (2 << 20) + "'>", defects)
    assert "urls_cut" in defects


@pytest.mark.parametrize(
    "html",
    [
        "<!--[if mso]><a href=http://a.example/%d><![endif]-->" * 10_001,
        f"<base href=http://a.example/{'b/' * 4_000}>" + "<a href=%d>" * 2_000,
        "<a href=http://a.example/%d>" * 10_001,
        "<td background=http://a.example/%d>" * 10_001,
    ],
    ids=["comments", "folders of the base", "links", "other elements"],
)
def test_links_that_are_not_read_are_a_defect(html: str) -> None:
    """Of very many, and of those that would cost too much, the first are read."""
    defects: Defects = {}
    found = extract(html % tuple(range(html.count("%d"))), defects)[1]
    assert found[0][0].startswith("http://a.example/")
    assert "urls_cut" in defects
    assert "urls_cut" not in parse(b"Content-Type: text/html\r\n\r\n" + html[:1_000].encode()).defects


RELATIVE = '<a href="next.html">x</a>'
BASE = "Content-Location: http://a.example/b/page.html\r\n"


@pytest.mark.parametrize(
    ("outer", "inner", "html", "wanted"),
    [
        ("", BASE, RELATIVE, "http://a.example/b/next.html"),
        ("", "Content-Base: \"http://a.example/\r\n b/\"\r\n", RELATIVE, "http://a.example/b/next.html"),
        (BASE, "", RELATIVE, "http://a.example/b/next.html"),
        (BASE, "Content-Base: http://c.example/\r\n", RELATIVE, "http://c.example/next.html"),
        ("", BASE + "Content-Base: http://c.example/\r\n", RELATIVE, "http://c.example/next.html"),
        (BASE, "Content-Location: page.html\r\n", RELATIVE, "http://a.example/b/next.html"),
        ("", BASE, '<base href="http://d.example/">' + RELATIVE, "http://d.example/next.html"),
        ("", "Content-Location: page.html\r\n", RELATIVE, None),
    ],
)  # fmt: skip
def test_header_fields_give_relative_links_a_base(
    outer: str, inner: str, html: str, wanted: str | None
) -> None:
    """Those of the part count before those of what is around it (RFC 2110, RFC 2557), a base element most."""
    raw = (
        f"{outer}Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\ntext\r\n"
        f"--q\r\nContent-Type: text/html\r\n\r\n \r\n"
        f"--q\r\n{inner}Content-Type: text/html\r\n\r\n{html}\r\n--q--\r\n"
    )
    found = [link.url for link in parse(raw.encode()).links if "next" in link.url]
    assert found == ([wanted] if wanted else [])
    single = f"{inner or outer}Content-Type: text/html\r\n\r\n{html}\r\n"
    found = [link.url for link in parse(single.encode()).links if "next" in link.url]
    if "page.html" not in inner or inner == BASE:
        assert found == ([wanted] if wanted else [])


def test_a_base_that_is_too_long_is_told() -> None:
    """It is not used, as each of many pages would cost its length."""
    head = b"Content-Type: text/html\r\nContent-Base: http://a.example/" + b"b/" * 600
    mail = parse(head + b"\r\n\r\n" + RELATIVE.encode())
    assert (mail.links, mail.defects) == ([], ["urls_cut"])
