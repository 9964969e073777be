"""Where a decoder swallows, replaces or widens ASCII, the links of the ASCII are the mail's, too.

Each case hid its link from us and was shown by Thunderbird: a mark of UTF-16, many NULs, a shift that a
program ends with the line, a charset that it does not know, a NUL within a token.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeekpop3.inside import parse
from zeekpop3.message.charsets import ascii_reading, decode

URL = "http://evil.example/login"
LINK = f'<p>hello</p><a href="{URL}">log in</a>'.encode()
WIDE = "hello world. ".encode("utf-16-le") * 100

#: Name, label, body: as text/plain the bare URL, as text/html the link.
HIDDEN = [
    ("a mark of UTF-16", "utf-8", b"\xff\xfe"),
    ("the other mark", "us-ascii", b"\xfe\xff"),
    ("a mark without a label", None, b"\xff\xfe"),
    ("NULs in front", "iso-8859-1", WIDE),
    ("NULs in front, unknown label", "x-none", WIDE),
    ("a shift to two bytes", "iso-2022-jp", b"hello \x1b$B\r\nand "),
    ("a shift of an unknown charset", "iso-2022-jp-3", b"hello \x1b$B "),
    ("a first byte of two", "shift_jis_2004", b"hello \x81"),
    ("a first byte of johab", "johab", b"hello \x84"),
    ("a first byte of four", "gb18030-2000", b"hello \x81"),
]


@pytest.mark.parametrize("kind", ["plain", "html"])
@pytest.mark.parametrize(("label", "before"), [case[1:] for case in HIDDEN], ids=[case[0] for case in HIDDEN])
def test_hidden_by_a_charset(label: str | None, before: bytes, kind: str) -> None:
    """The link is there, whatever the decoder makes of the bytes before it."""
    charset = f"; charset={label}" if label else ""
    body = before + (LINK if kind == "html" else URL.encode() + b" is it")
    mail = parse(f"Content-Type: text/{kind}{charset}\r\n\r\n".encode() + body)
    assert URL in mail.urls


@pytest.mark.parametrize(("label", "before"), [case[1:] for case in HIDDEN], ids=[case[0] for case in HIDDEN])
def test_hidden_in_an_attachment(label: str | None, before: bytes) -> None:
    """A browser opens the file as it likes."""
    charset = f"; charset={label}" if label else ""
    head = f'Content-Type: text/html{charset}; name="a.html"\r\nContent-Disposition: attachment\r\n\r\n'
    assert URL in [link.url for link in parse(head.encode() + before + LINK).links]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("plain", b"see http://evil.exam\0ple/login now"),
        ("html", b"<!-- x -\0->" + LINK + b"<!-- -->"),
        ("html", b"<style>x</sty\0le>" + LINK),
    ],
)
def test_a_nul_within_a_token(kind: str, body: bytes) -> None:
    """Thunderbird drops NULs before it reads the text."""
    assert URL in parse(f"Content-Type: text/{kind}\r\n\r\n".encode() + body).urls


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("utf-8", "Grüße, €5"),
        ("utf-16", "hello"),
        ("windows-1252", "naïve"),
        ("iso-2022-jp", "hi"),
        (None, "plain"),
    ],
)
def test_nothing_is_missing(label: str | None, text: str) -> None:
    """A text in its charset has no second reading."""
    data = text.encode(label or "ascii")
    assert ascii_reading(data, decode(data, label, {})) is None


def test_letters_in_second_bytes() -> None:
    """They stay apart from what follows, so that no link grows."""
    data = "日本 http://a.example/漢".encode("shift_jis")
    assert ascii_reading(data, decode(data, "shift_jis", {})) == "   { http://a.example/  "


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_utf_8_swallows_nothing(text: str) -> None:
    """Whatever is well-formed UTF-8."""
    assert ascii_reading(text.encode(), text) is None
