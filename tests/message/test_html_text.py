"""Visible text and links of HTML, read as browsers read it."""

from __future__ import annotations

import re

import pytest

from zeekpop3.defects import Defects
from zeekpop3.message import html_page
from zeekpop3.message.html_page import MAX_LINK_TEXT, Element
from zeekpop3.message.html_text import extract
from zeekpop3.message.html_urls import MAX_URL


def text_of(html: str) -> str:
    return extract(html, {})[0]


def elements(html: str) -> list[Element]:
    return extract(html, {})[1]


def urls(html: str) -> list[str]:
    return [url for url, _, _ in elements(html)]


# HTML: what a reader sees
TEXTS: dict[str, str] = {
    "": "",
    "plain": "plain",
    "<p>one</p><p>two</p>": "one\n\ntwo",
    "one<br>two<BR/>three<br><br>four": "one\ntwo\nthree\n\nfour",
    "<div>one</div><div>two</div>": "one\ntwo",
    "a <b>b</b>\n <i>c</i>d": "a b cd",
    "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>": "a b\nc",
    "  a\n\t b  ": "a b",
    "<pre>a\nb</pre>c\nd": "a\nb\n\nc d",
    # Character references, once.
    "a&amp;lt;b &lt;c&gt; &eacute;&#233;&#xe9; &nbsp;x": "a&lt;b <c> ééé x",
    "&copy 1 &unknown; & more": "© 1 &unknown; & more",
    # Not shown.
    "<head><title>t</title><style>p{}</style></head>a<script>b</script>c": "ac",
    "a<!-- b -->c<!doctype d>e<?f?>g<![if mso]>h<![endif]>": "acegh",
    "<!--[if mso]>outlook<![endif]-->other": "other",
    "<STYLE>a</STYLE >b": "b",
    "<style>a</styles>b</style>c": "c",
    "<script>'<!--'</script>a": "a",
    "<textarea>1 < 2 &amp; 3</textarea>b": "1 < 2 & 3\nb",
    "<xmp>1 < 2 &amp; 3</xmp>b": "1 < 2 &amp; 3\nb",
    #a</textarea>b": "<i\xaf>a\nb",
    "<template>a<b>c</b></template>b": "b",
    "<noscript>a</noscript>": "a",
    # Hidden by an attribute.
    '<div style="display:none">a<div>b</div>c</div>d': "d",
    "<span style='DISPLAY : NONE'>a</span>b": "b",
    '<p style="color:red; visibility:hidden">a</p>b': "b",
    '<p style="opacity:0">a</p><p style="opacity:0.5">b</p>': "b",
    "<p hidden>a</p>b": "b",
    '<p style="overflow:hidden">a</p>': "a",
    '<p style="text-decoration:none">a</p>': "a",
    '<div><span style="display:none">a</div>b': "b",
    '<img style="display:none">a<input type="hidden">b': "ab",
    # Characters that take no room.
    "p\u00aday\u200bpal\ufeff": "paypal",
    "\u200c\u00a0\u200ca\u200c\u00a0": "a",
    "می\u200cخواهم": "می\u200cخواهم",
    # Tags as browsers see them.
    "1 < 2 <3 > a": "1 < 2 <3 > a",
    '<a title="x>y">z</a>': "z",
    "<a title='x>\"y'>z</a>": "z",
    '<a title=x"y>z</a>': "z",
    '<p ="x>y">z': 'y">z',
    "<p/class=a>z</p x>": "z",
    "a</>b</ c>d": "abd",
    "a<!>b<!->c<!-->d<!--->e": "abcde",
    "a<!-- b --!>c": "ac",
    "a<b": "a",
    'a<b c="': "a",
    "a<!-- b": "a",
    "a<style>b": "a",
    "a<o:p>b</o:p>": "ab",
}  # fmt: skip


@pytest.mark.parametrize("html", TEXTS)
def test_visible_text(html: str) -> None:
    """Each construct gives the text that a reader sees."""
    assert text_of(html) == TEXTS[html]


@pytest.mark.parametrize("html", TEXTS)
def test_case_of_tags_and_attributes_does_not_matter(html: str) -> None:
    """Text and links are the same with names in mixed case."""
    mixed = re.sub(r"</?[a-z]+(?=[ />])|(?<= )[a-z]+(?==)", lambda match: match[0].title(), html)
    assert text_of(mixed) == TEXTS[html]
    assert elements(mixed) == elements(html)


LOOKS_LIKE = (
    "<tıtle>",
    "<scrıpt>",
    "<\u017ftyle>",
    "<i\u0192rame>",
    "<p hidden>a</p><p style='dı\u017fplay:none'>",
)


@pytest.mark.parametrize("tag", LOOKS_LIKE)
def test_other_letters_are_not_those_of_a_tag(tag: str) -> None:
    """What browsers show is shown: for them `ı` is no `i`, though regular expressions may take it for one."""
    text, links, _ = extract(f'{tag}<a href="http://a.example/">x</a>', {})
    assert text.endswith("x")
    assert links == [("http://a.example/", "x", True)]


def test_links_of_elements() -> None:
    """Each element that leads somewhere gives a link, with its text, in any spelling of its tag."""
    html = (
        '<body background="http://a.example/bg"><a href="http://a.example/1">one <b>two</b><br>three</a>'
        "<A HREF=http://a.example/2>x</A><a name=y>no link</a>"
        '<img src="http://a.example/3" alt="a &amp; b"><form action="http://a.example/4">'
        '<iframe src="http://a.example/5"></iframe>'
        '<meta http-equiv="refresh" content="0; URL=http://a.example/6">'
        '<map><area href="//a.example/7"></map><button formaction="http://a.example/8">'
        "<ImG sRc=http://a.example/9><Iframe Src=http://a.example/10></iFRAME><Form Action='http://a.example/11'>"
    )
    assert [(url.rpartition("/")[2], text, is_link_text) for url, text, is_link_text in elements(html)] == [
        ("bg", None, False), ("1", "one two three", True), ("2", "x", True), ("3", "a & b", False),
        ("4", None, False), ("5", None, False), ("6", None, False), ("7", None, False), ("8", None, False),
        ("9", None, False), ("10", None, False), ("11", None, False),
    ]  # fmt: skip


def test_link_with_an_image_has_the_image_text() -> None:
    """A link without text is described by the image in it."""
    html = '<a href="http://a.example/"><img src="http://b.example/i.png" alt="www.bank.example"></a>'
    assert ("http://a.example/", "www.bank.example", True) in elements(html)


@pytest.mark.parametrize(
    "how", ["width=1 height=1", "width=0 height='1px'", "style='Display: none'", "HIDDEN"]
)
def test_image_that_is_not_seen_is_not_the_text(how: str) -> None:
    """A tracking image or a hidden one says nothing of the link around it."""
    html = f'<a href="http://a.example/"><img src="http://b.example/i.png" alt="bank.example" {how}></a>'
    assert ("http://a.example/", None, False) in elements(html)


def test_link_ends_where_the_next_begins() -> None:
    """Links do not nest."""
    html = '<a href="http://a.example/">one<a href="http://b.example/">two</a>three'
    assert elements(html) == [("http://a.example/", "one", True), ("http://b.example/", "two", True)]


def test_urls_as_browsers_read_them() -> None:
    """References are decoded as in attributes, line breaks and blanks around are left out."""
    assert urls('<a href="http://a.example/?a=1&amp;b=2&copy=3&lang=4&reg;">x</a>') == [
        "http://a.example/?a=1&b=2&copy=3&lang=4®"
    ]
    assert urls('<a href=" \n http://a.exa\nmple/\tb ">x</a>') == ["http://a.example/b"]
    assert urls("<a href='HTTPS://A.example/'>x</a>") == ["HTTPS://A.example/"]
    assert urls("<a href=http://a.example/?q='x'>y</a>") == ["http://a.example/?q='x'"]
    assert urls('<a href="x" href="http://a.example/">y</a>') == []


def test_what_leads_nowhere_is_left_out() -> None:
    """Parts of the mail, scripts, and relative links without a base are not links."""
    html = "".join(
        f'<a href="{url}">x</a>' for url in ("cid:1", "data:a", "JavaScript:b", "#top", "page.html", "/a", "")
    )
    assert urls(html) == []
    assert urls('<a href="mailto:a@b.example">x</a><a href="tel:+1">y</a>') == [
        "mailto:a@b.example",
        "tel:+1",
    ]


def test_base_applies_to_relative_links() -> None:
    """A relative link leads to where `base` says."""
    assert urls('<base href="http://a.example/x/"><a href="y?z">1</a><a href="//b.example/">2</a>') == [
        "http://a.example/x/", "http://a.example/x/y?z", "//b.example/",
    ]  # fmt: skip


def test_hidden_links_are_links() -> None:
    """What is not shown may still be fetched; but it has no text."""
    html = (
        '<div style="display:none"><a href="http://a.example/1">x</a><Img Src=http://a.example/2></div>'
        '<a href="http://a.example/3" style="display:none">x</a><a href="http://a.example/4">y</a>'
    )
    assert [(url[-1], text) for url, text, _ in elements(html)] == [
        ("1", None), ("2", None), ("3", None), ("4", "y"),
    ]  # fmt: skip


LOADED = {
    "<table background=http://a.example/1><tr><Td BackGround='http://a.example/2'>": ["1", "2"],
    '<img src="http://a.example/1" srcset="http://a.example/2 2x,http://a.example/3, http://a.example/4 4x">':
        ["1", "2", "3", "4"],
    '<video poster="http://a.example/1">': ["1"],
    '<svg><a xlink:href="http://a.example/1">x</a><use xlink:href="//a.example/2"/></svg>': ["1", "2"],
    "<div style=\"background-image: URL( 'http://a.example/1' ), url(http://a.example/2)\">": ["1", "2"],
    '<p style="background:url(&quot;http://a.example/1&quot;)" hidden>x<b style="background:url(http://a.example/2)">':
        ["1", "2"],
    '<div style="background:url(data:image/gif;base64,//)">': [],
}  # fmt: skip


@pytest.mark.parametrize("html", LOADED)
def test_urls_that_any_element_may_load(html: str) -> None:
    """Backgrounds and the like can track a reader as images can."""
    assert [url.rpartition("/")[2] for url in urls(html)] == LOADED[html]


def test_links_in_comments_that_outlook_shows() -> None:
    """Other programs skip them, so they have no text; the comment ends where it does for those."""
    html = (
        'a<!--[if gte mso 9]></td></table><a href="http://a.example/1">x</a>'
        '<v:rect style="background:url(http://a.example/2)"><![endif]-->'
        '<!--[If !mso]><!--><a href="http://a.example/3">y</a><!--<![endif]-->'
        '<!-- <a href="http://no.example/">no</a> --><!--[if mso]> --> b<!--[if mso]><a href="http://a.example/4">'
    )
    text, found, _ = extract(html, {})
    assert text == "ay b"
    assert sorted((url[-1], shown) for url, shown, _ in found) == [
        ("1", None), ("2", None), ("3", "y"), ("4", None),
    ]  # fmt: skip


def test_urls_in_the_text() -> None:
    """URLs in the text are given apart from what the elements lead to."""
    html = 'see http://a.example/1. <a href="http://b.example/">http://c.example/2</a>'
    _, links, shown = extract(html, {})
    assert links == [("http://b.example/", "http://c.example/2", True)]
    assert shown == ["http://a.example/1", "http://c.example/2"]


def test_each_different_link_once() -> None:
    """The same URL again is not repeated, whichever element leads there; with another text it is."""
    html = '<img src="http://a.example/i"><br>' * 3 + '<a href="http://a.example/">x</a>' * 2
    assert len(elements(html)) == 2
    assert len(elements(html + '<iframe src="http://a.example/i"></iframe>')) == 2
    assert len(elements(html + '<a href="http://a.example/">y</a>')) == 3


@pytest.mark.slow
def test_spellings_of_tags_are_not_kept_for_ever() -> None:
    """Whatever tags mails make up."""
    for length in (5, 5_000):
        extract("".join(f"<{i:0>{length}}x><b{i:0>{length}}>" for i in range(9_999)), {})
    assert len(html_page._TAGS) <= 4_096
    assert max(map(len, html_page._TAGS)) <= 32


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long URLs, long texts of links, and many links are cut, with a defect for what is lost."""
    defects: Defects = {}
    _, ((url, text, _),), _ = extract(f'<a href="http://a.example/{"x" * 9_000}">{"y" * 2_000}</a>', defects)
    assert len(url) == MAX_URL
    assert len(text or "") == MAX_LINK_TEXT
    assert "urls_cut" in defects
    monkeypatch.setattr("zeekpop3.message.html_page.MAX_LINKS", 5)
    defects = {}
    _, many, _ = extract("".join(f"<a href=http://a.example/{i}>x</a>" for i in range(9)), defects)
    assert len(many) == 5
    assert "urls_cut" in defects


def test_large_input_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read in blocks is the same as what is read at once."""
    row = (
        '<p>one <b>two</b></p><div style="display:none"><i>x</i></div><a href="http://a.example/">t<br>u</a>'
    )
    html = "".join(f"{row}<img src=http://a.example/{i}>" for i in range(50))
    wanted = extract(html, {})
    monkeypatch.setattr("zeekpop3.message.html_tokens.AT_ONCE", 0)
    monkeypatch.setattr("zeekpop3.message.html_tokens.BLOCK", 3)
    assert extract(html, {}) == wanted
    monkeypatch.setattr("zeekpop3.message.html_text._CHUNK", 64)
    assert extract(html, {})[0].split() == wanted[0].split()


def test_numbers_of_any_length() -> None:
    """A reference of thousands of digits is not a character, unless they are leading zeros."""
    assert text_of("&#" + "1" * 9_999 + ";") == "\ufffd"
    assert text_of("&#" + "0" * 9_999 + "65;") == "A"


def test_tags_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags after so many are not read, but the URLs in what is left are."""
    monkeypatch.setattr("zeekpop3.message.budget.MAX_TAGS", 4)
    defects: Defects = {}
    text, links, shown = extract("<b>1</b><b>2</b><a href=http://a.example/1>3</a> <3", defects)
    assert (text, links, shown) == ("12", [], ["http://a.example/1"])
    assert "urls_cut" in defects
    monkeypatch.undo()
    monkeypatch.setattr("zeekpop3.message.budget.MAX_ELEMENTS", 2)
    defects = {}
    text, links, _ = extract(
        "<img src=//a.example/1><img src=//a.example/2><img src=//a.example/3><p hidden>x", defects
    )
    assert (text, len(links)) == ("x", 2)
    assert "urls_cut" in defects


def test_hidden_image_without_content() -> None:
    """`svg` and `math` end with the slash in their own tag."""
    assert extract("<p>a<svg hidden/>b<math style='display:none' />c", {})[0] == "abc"
