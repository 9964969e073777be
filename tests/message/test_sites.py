"""Host names in one form, and their registered domains by the public suffix list."""

from __future__ import annotations

import re
from pathlib import Path

import publicsuffixlist
import pytest

from zeekpop3.message.sites import host_and_site, is_public_suffix, listed_site, normal_host, site_of

VECTORS = Path(publicsuffixlist.__file__).parent / "test_psl.txt"
_VECTOR = re.compile(r"checkPublicSuffix\((null|'[^']*'), (null|'[^']*')\);")

# host: its form in the columns, its site
FACTS: dict[str, tuple[str, str | None]] = {
    "Example.COM": ("example.com", "example.com"),
    "www.example.com.": ("www.example.com", "example.com"),
    "a.b.example.co.uk": ("a.b.example.co.uk", "example.co.uk"),
    "co.uk": ("co.uk", None),
    "alice.github.io": ("alice.github.io", "alice.github.io"),
    "github.io": ("github.io", None),
    "www.city.kobe.jp": ("www.city.kobe.jp", "city.kobe.jp"),
    "mail.internal": ("mail.internal", "mail.internal"),
    "localhost": ("localhost", None),
    "xn--bcher-kva.example": ("bücher.example", "bücher.example"),
    "XN--BCHER-KVA.EXAMPLE": ("bücher.example", "bücher.example"),
    "BÜCHER.example": ("bücher.example", "bücher.example"),
    "xn--e1afmkfd.xn--p1ai": ("пример.рф", "пример.рф"),
    "ｅｘａｍｐｌｅ．com": ("example.com", "example.com"),
    "example。com": ("example.com", "example.com"),
    "exam\u00adple.com": ("example.com", "example.com"),
    "_dmarc.example.com": ("_dmarc.example.com", "example.com"),
    # Text that is not a host name has no site.
    "192.0.2.7": ("192.0.2.7", None),
    "0x7f.1": ("0x7f.1", None),
    "[2001:db8::1]": ("[2001:db8::1]", None),
    "a..example": ("a..example", None),
    "": ("", None),
    "two words.example": ("two words.example", None),
    "example.com:80": ("example.com:80", None),
    "user@example.com": ("user@example.com", None),
    # Punycode that is broken, or decodes to what no label may hold, stays as it is.
    "xn--a-.example": ("xn--a-.example", "xn--a-.example"),
    "xn--999999999999.example": ("xn--999999999999.example", "xn--999999999999.example"),
    "xn--com-.example": ("xn--com-.example", "xn--com-.example"),
}


@pytest.mark.parametrize("host", FACTS)
def test_form_and_site(host: str) -> None:
    """Each host has one form, and the site that the list gives it."""
    assert host_and_site(host) == FACTS[host]
    assert normal_host(host) == FACTS[host][0]
    assert site_of(host) == FACTS[host][1]
    assert host_and_site(FACTS[host][0]) == FACTS[host]


def test_vectors_of_the_public_suffix_list() -> None:
    """The list's own test vectors hold; ours are in Unicode where they are in Punycode."""
    vectors = _VECTOR.findall(re.sub(r"(?m)^//.*", "", VECTORS.read_text("utf-8")))
    assert len(vectors) > 70
    for host, site in vectors:
        if host != "null" and not host.startswith("'."):  # a leading dot: not a host of ours
            wanted = None if site == "null" else normal_host(site.strip("'"))
            assert site_of(host.strip("'")) == wanted, host


@pytest.mark.parametrize("name", ["com", "co.uk", "GitHub.io", "xn--p1ai", "рф"])
def test_public_suffixes(name: str) -> None:
    """Anybody may register names below these."""
    assert is_public_suffix(name)


@pytest.mark.parametrize("name", ["example.com", "192.0.2.7", "", "a.github.io"])
def test_not_public_suffixes(name: str) -> None:
    """These belong to somebody, or are not names."""
    assert not is_public_suffix(name)


def test_listed_site_needs_a_known_suffix() -> None:
    """For words of a text: `node.js` is not taken for a host."""
    assert listed_site("www.example.org") == "example.org"
    assert listed_site("node.js") is None


def test_long_host_is_not_looked_up() -> None:
    """A host over 253 characters (RFC 1035) has no site."""
    host = "a." * 127 + "example.com"
    assert host_and_site(host.upper()) == (host, None)
