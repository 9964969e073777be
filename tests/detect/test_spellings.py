"""Equal spellings of an indicator hit, and others do not."""

from __future__ import annotations

import time

import pytest

from zeekpop3.detect.indicators import file_key, kinds_of, url_key

URL = "evil.example/login"
URLS = (
    "http://evil.example/login", "https://evil.example/login", "HTTP://EVIL.EXAMPLE/login",
    "evil.example/login", "http:/evil.example/login", "http:evil.example/login",
    "http:\\\\evil.example\\login", "http:\\evil.example/login", "http:///evil.example/login",
    "http:////evil.example/login", "//evil.example/login", "\\\\evil.example/login",
    "http:/\\evil.example/login", "http://evil.example/./login", "http://evil.example/x/../login",
    "http://evil.example/../login", "http://evil.example/%2e/login", "http://evil.example/x/%2E%2e/login",
    "http://evil.example/%6Cogin", "http://evil.example/%6c%6f%67%69%6e", "http://evil.example/login?",
    "http://evil.example/login#", "http://evil.example/login#x", "http://evil.example/login?#x",
    "http://evil.example/login/", "http://evil.example/login/.", "http://evil.example/login/x/..",
    "http://evil.example:80/login", "http://evil.example:080/login", "http://evil.example:00080/login",
    "http://evil.example:/login", "https://evil.example:443/login", "evil.example:80/login",
    "http://evil%2Eexample/login", "http://%65vil.example/login", "http://evil.example./login",
    "http://user@evil.example/login", "http://user:password@evil.example/login",
    "http://@evil.example/login", "http://bank.example@evil.example/login", " http://evil.example/login ",
    "http://evil.ex\tample/lo\ngin", "ht\ntp://evil.example/login", "http://ｅｖｉｌ．example/login",
    "http://evil。example/login", "http://ev\u00adil.example/login", "ftp://evil.example:21/login",
    "wss://evil.example:443/login",
)  # fmt: skip
OTHER_URLS = (
    "http://evil.example/Login", "http://evil.example:8080/login", "https://evil.example:80/login",
    "http://evil.example/login?x", "http://evil.example//login", "http://evil.example/login%2F",
    "http://www.evil.example/login", "http://evil.example", "http://example/evil.example/login",
    "mailto:evil.example/login",
)  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_urls_that_lead_to_the_same(url: str) -> None:
    """Browsers go to the same place, servers give the same page."""
    assert url_key(url) == url_key(URL) == URL


@pytest.mark.parametrize("url", OTHER_URLS)
def test_urls_that_lead_elsewhere(url: str) -> None:
    """What differs is another URL."""
    assert url_key(url) != URL


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
        ("http://0xC0.0.0x207/a", "http://192.0.2.7/a"),
        ("http://[2001:DB8::1]:80/a", "http://[2001:db8::1]/a"),
        ("http://a.example?q=%7Ex y", "http://a.example/?q=~x%20y"),
        ("http://a.example/a%3fb", "http://a.example/a%3Fb"),
        ("https://a.example", "http://a.example/"),
    ],
)
def test_other_pairs(one: str, other: str) -> None:
    """Encodings of host, path and query."""
    assert url_key(one) == url_key(other)


NAMES = (
    "invoice.exe", "INVOICE.EXE", "invoice.exe.", "invoice.exe . .", "invoice.exe\u00a0",
    "invoice.exe\0.txt", "invoice.exe::$DATA", "invoice.exe:$DATA", "invoice.exe::$INDEX_ALLOCATION",
    "invoice.exe.::$DATA", "invoice．exe", "ｉｎｖｏｉｃｅ.ｅｘｅ", "C:\\x\\invoice.exe", "x/invoice.exe",
    "invoice.exe\u3000", "invoice.exe\u200b", "in\u200bvoi\u00adce\u2060.e\u200dxe",
    "\u202einvoice.exe\u202c", "\u2066invoice\u2069.exe", "invoice\u034f.\ufe0fexe",
    "\u180einvoice.\U000e0041exe", "invoice.exe\u2800\u3164", "\ufeffinvoice\u061c.exe",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_the_same_file(name: str) -> None:
    """Windows opens the same file, or a reader sees the same name."""
    assert file_key(name) == "invoice.exe"


@pytest.mark.parametrize("blank", "\u00a0\u1680\u2007\u202f\u205f\u3000\u2800\u3164")
def test_blanks_that_look_like_one(blank: str) -> None:
    """A blank of another width, or a letter that is drawn as one."""
    assert file_key(f"in{blank}voice.exe") == file_key("in voice.exe")


@pytest.mark.parametrize(
    "name", ["invoice.exe.txt", "invoice exe", " invoice.exe", "invoice.exes", "invoice..exe"]
)
def test_names_of_other_files(name: str) -> None:
    """Dots and blanks elsewhere belong to the name."""
    assert file_key(name) != "invoice.exe"


@pytest.mark.parametrize(
    "value", ["http:/evil.example/x", "http:evil.example", "//evil.example/x", "\\\\evil.example\\x"]
)
def test_a_list_may_have_any_spelling(value: str) -> None:
    """They are recognised as URLs."""
    assert kinds_of(value) == ["URL"]


@pytest.mark.parametrize(
    "unit", ["/..", "/.", "/x/..", "%6C", "%", "http:", "//", "\\", "@", ":", ".", "\u00ad", "?", "::$a", " "]
)
def test_long_urls_and_names(unit: str) -> None:
    """Time is linear in the length."""
    long = "http://a.example/" + unit * (200_000 // len(unit))
    start = time.process_time()
    url_key(long)
    url_key(long[8:])
    file_key(long)
    assert time.process_time() - start < 2
