"""What is hidden in HTML, and what is not: in doubt a text is visible."""

from __future__ import annotations

import pytest

from zeekpop3.message.html_hidden import declared
from zeekpop3.message.html_text import extract

# Each has one text that a reader sees, SEEN; what must not be taken for visible is called secret.
VISIBLE = {
    # An element ends where its end tag may be left out.
    "paragraph": "<p style=display:none>secret<p>SEEN",
    "paragraph before a block": "<p hidden>secret<div>SEEN</div>",
    "paragraph before a table": "<p hidden>secret<table><tr><td>SEEN</table>",
    "paragraph before a heading": "<p hidden>secret<h2>SEEN</h2>",
    "item": "<ul><li hidden>secret<li>SEEN</ul>",
    "item after a list in it": "<ul><li hidden>secret<ul><li>secret</ul>secret<li>SEEN</ul>",
    "term": "<dl><dt hidden>secret<dd>SEEN</dl>",
    "definition": "<dl><dd hidden>secret<dt>SEEN</dl>",
    "option": "<select><option hidden>secret<option>SEEN</select>",
    "option group": "<select><optgroup hidden><option>secret<optgroup label=x><option>SEEN</select>",
    "cell": "<table><tr><td hidden>secret<td>SEEN</table>",
    "cell before a row": "<table><tr><td hidden>secret<tr><td>SEEN</table>",
    "heading cell": "<table><tr><th hidden>secret<td>SEEN</table>",
    "row": "<table><tr hidden><td>secret<tr><td>SEEN</table>",
    "row before a body": "<table><tr hidden><td>secret<tbody><tr><td>SEEN</table>",
    "table body": "<table><tbody hidden><tr><td>secret<tbody><tr><td>SEEN</table>",
    "caption": "<table><caption hidden>secret<tr><td>SEEN</table>",
    "heading before another": "<h1 hidden>secret<h2>SEEN</h2>",
    "link before another": "<a hidden href=http://a.example/>secret<a href=http://b.example/>SEEN</a>",
    "button before another": "<button hidden>secret<button>SEEN</button>",
    "annotation": "<ruby><rt hidden>secret<rp>SEEN</ruby>",
    "select before a field": "<select hidden><option>secret<textarea>SEEN</textarea>",
    # It ends with the element around it.
    "end of the cell": "<table><tr><td><span hidden>secret</td><td>SEEN</table>",
    "end of the paragraph": "<p><span hidden>secret</p>SEEN",
    "end of the bold": "<b><span hidden>secret</b>SEEN",
    "end of the division with unclosed cells": "<div><i hidden><table><tr><td>secret</table></div>SEEN",
    "end of a division in a hidden cell": "<td><div hidden><table><tr><td>secret</td></tr></table></td>SEEN",
    "text of a table": "<table hidden>SEEN<tr><td>secret</table>",
    "text of a row": "<table><tr hidden>SEEN<td>secret</table>",
    "division of a table": "<table hidden><tr><td>secret</td><div>SEEN</div></table>",
    "form in a form": "<form hidden>secret<form></form>SEEN",
    # It has no content.
    "param": "<object><param hidden>SEEN</object>",
    "bgsound": "<bgsound hidden>SEEN",
    "keygen": "<keygen style=display:none>SEEN",
    "basefont": "<basefont hidden>SEEN",
    "frame": "<frame hidden>SEEN",
    "image by its old name": "<image hidden>SEEN",
    "embed": "<embed hidden>SEEN",
    "body": "<body hidden>SEEN",
    # SVG and MathML
    "closed group": "<svg><g style='display:none'/></svg>SEEN",
    "closed group without a blank": '<svg><g style="display:none"/>SEEN</svg>',
    "closed element of Office": "<v:rect style='display:none'/>SEEN",
    "title of an image": "<svg><title></svg>SEEN",
    "style of an image": "<svg><style></svg><b>SEEN</b>",
    "style of a hidden image": "<div style=display:none><svg><style></div>SEEN",
    "attribute of HTML in an image": "<svg><text hidden>SEEN</text></svg>",
    "character data": "<svg><text><![CDATA[SEEN]]></text></svg>",
    # Declarations
    "last declaration": "<p style='display:none;display:block'>SEEN",
    "last declaration, important": "<p style='display:block!important;display:none'>SEEN",
    "attribute overruled": "<p hidden style='display:block'>SEEN",
    "comment": "<p style='/*display:none*/'>SEEN",
    "comment without an end": "<p style='color:red/*;display:none'>SEEN",
    "comment in a name": "<p style='dis/**/play:none'>SEEN",
    "string": "<p style='content:\"display:none\"'>SEEN",
    "string with a semicolon": "<p style='content:\";display:none;\"'>SEEN",
    "URL with a semicolon": "<p style='background:url(x;display:none)'>SEEN",
    "block": "<p style='{;display:none}'>SEEN",
    "no semicolon": "<p style='color:red display:none'>SEEN",
    "other property": "<p style='x-display:none'>SEEN",
    "hack": "<p style='*display:none'>SEEN",
    "invalid value": "<p style='display:none\\9'>SEEN",
    "references": "<p style='display:none;display:&#98;lock'>SEEN",
    "value of another attribute": "<p title='display:none hidden'>SEEN",
    "all properties": "<p style='display:none;all:revert'>SEEN",
    "some opacity": "<p style='opacity:0.5'>SEEN",
    "opacity and something": "<p style='opacity:0 x'>SEEN",
    "visible within invisible":
        "<div style='visibility:hidden'>secret<b style='visibility:visible'>SEEN</b></div>",
    "name that HTML does not have": "<style\v>SEEN</style\v>",
    "NUL in a name": "<style\0>SEEN",
    "end tag with a slash": "<style>secret</style/>SEEN",
    # Fields of a form
    "value of a button": "<input type=submit value=SEEN>",
    "text area": "<textarea>SEEN</textarea>",
    "plain text": "<plaintext><p hidden>SEEN",
}  # fmt: skip


@pytest.mark.parametrize("name", VISIBLE)
def test_visible_text_is_found(name: str) -> None:
    """What a browser shows is shown, and what the same element hides before it is not."""
    text = extract(VISIBLE[name], {})[0]
    assert "SEEN" in text
    assert "secret" not in text


HIDDEN = {
    "division": "<div style='display:none'>a<div>b</div>c</div>SEEN",
    "list in an item": "<ul><li hidden>a<ul><li>b</ul>c</ul>SEEN",
    "table in a paragraph's division": "<div hidden><table><tr><td>a<td>b</table>c</div>SEEN",
    "important": "<p style='display:none!important;display:block'>a</p>SEEN",
    "comment in the value": "<p style='display:/**/none'>a</p>SEEN",
    "upper case": "<P STYLE='DISPLAY:NONE'>a</P>SEEN",
    "references": "<p style='display&#58;none;display:none'>a</p>SEEN",
    "after a string": "<p style='font-family:\"x;y\";display:none'>a</p>SEEN",
    "after a URL": "<p style='background:url(a;b);display:none'>a</p>SEEN",
    "attribute with a value": "<p hidden=false>a</p>SEEN",
    "slash of HTML": "<div hidden />a</div>SEEN",
    "slash of a value": "<svg><g style=display:none;x:/>a</g></svg>SEEN",
    "all of the opacity": "<p style='opacity:0%'>a</p>SEEN",
    "invisible": "<p style='visibility:hidden'>a<b style='color:red'>b</b></p>SEEN",
    "hidden field": "<input type=hidden value=a>SEEN",
    "hidden field by style": "<input style='display:none' value=a>SEEN",
    "text in a table in a division": "<div hidden><table>a<tr><td>b</table></div>SEEN",
    "text in a table in a cell": "<table hidden><tr><td><table>a<tr><td>b</table></table>SEEN",
    "image": "<svg style='display:none'><style>a{}</style><title>b</title></svg>SEEN",
    "style of an image": "<svg><style>a{}</style></svg>SEEN",
    "hidden text area": "<textarea hidden>a</textarea>SEEN",
    "hidden area": "<div hidden><textarea>a</textarea></div>SEEN",
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_text_is_not_shown(name: str) -> None:
    """Elements that browsers hide for certain."""
    assert extract(HIDDEN[name], {})[0] == "SEEN"


def test_declarations() -> None:
    """The last one counts, unless one before it is important."""
    assert declared("display:none; DISPLAY : Block; visibility:hidden!IMPORTANT;visibility:visible") == {
        "display": "block",
        "visibility": "hidden",
    }
    assert declared("width:calc((1px;display:none") == {}
    assert declared("") == {}


def test_deep_elements() -> None:
    """However deep: what is too deep is shown."""
    text = extract("<div hidden>" + "<b>" * 100_000 + "SEEN", {})[0]
    assert text == "SEEN"


def test_marks_after_a_hidden_element() -> None:
    """What ends a hidden element has its own meaning, too."""
    assert extract("<pre hidden>x</pre>a\nb", {})[0] == "a b"
    assert extract("a<p hidden>x<p>b", {})[0] == "a\n\nb"
    assert extract("<a href=http://a.example/>a<i hidden>x</a>b", {})[1] == [("http://a.example/", "a", True)]
