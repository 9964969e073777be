"""DKIM signatures: who signed, and whether the body is the signed one."""

from __future__ import annotations

import base64
import hashlib

import pytest

from zeekpop3.defects import Defects
from zeekpop3.message.dkim import Bodies, collect, is_whole, relaxed, simple

BODY = b"Hello  World \t\r\n\r\n\tsecond\tline\r\n\r\n\r\n"


def field(body: bytes, algorithm: str = "rsa-sha256", more: str = "") -> str:
    name = "sha1" if algorithm.endswith("sha1") else "sha256"
    digest = base64.b64encode(hashlib.new(name, body).digest()).decode()
    return f"v=1; a={algorithm}; d=Example.COM; s=s1; h=From:To; bh={digest[:20]} {digest[20:]};{more} b=YWJj"


def verdict(value: str, body: bytes = BODY, *, whole: bool = True) -> str | None:
    (signature,) = collect([value], Bodies(body, whole=whole), {})
    return signature.body


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b"\r\n\r\n", b""),
        (b" \r\n", b""),
        (b"a", b"a\r\n"),
        (b" a \t b \r\n\r\n", b" a b\r\n"),
        (b"a\r\n \r\n\t\r\n", b"a\r\n"),
        (b"a\r\n\r\nb\r\n", b"a\r\n\r\nb\r\n"),
        (b"a \nb\n\n", b"a\r\nb\r\n"),
        (b"a\r\r\n\r\n", b"a\r\r\n"),
        (b"\r\r\n", b"\r\r\n"),
    ],
)
def test_relaxed(body: bytes, canonical: bytes) -> None:
    """RFC 6376, section 3.4.4."""
    assert relaxed(body) == canonical


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b"\r\n"),
        (b"\r\n\r\n", b"\r\n"),
        (b"a", b"a\r\n"),
        (b" a \t b \r\n\r\n\r\n", b" a \t b \r\n"),
        (b"a\r\n \r\n", b"a\r\n \r\n"),
        (b"a\nb\n\n", b"a\r\nb\r\n"),
        (b"a\r\r\n\r\n", b"a\r\r\n"),
    ],
)
def test_simple(body: bytes, canonical: bytes) -> None:
    """RFC 6376, section 3.4.3."""
    assert simple(body) == canonical


def test_example_of_the_rfc() -> None:
    """RFC 6376, section 3.4.5."""
    body = b" C \r\nD \t E\r\n\r\n\r\n"
    assert relaxed(body) == b" C\r\nD E\r\n"
    assert simple(body) == b" C \r\nD \t E\r\n"


@pytest.mark.parametrize("algorithm", ["rsa-sha1", "rsa-sha256", "RSA-SHA256", "ed25519-sha256"])
def test_body_hash(algorithm: str) -> None:
    """Each algorithm, each canonicalization; anything else in the body fails."""
    low = algorithm.lower()
    assert verdict(field(simple(BODY), algorithm)) == "pass"
    assert verdict(field(simple(BODY), algorithm, "c=relaxed/simple;")) == "pass"
    assert verdict(field(simple(BODY), algorithm, "c=relaxed;")) == "pass"
    assert verdict(field(relaxed(BODY), algorithm, "c=relaxed/relaxed;")) == "pass"
    assert verdict(field(relaxed(BODY), algorithm, "c=simple/simple;")) == "fail"
    assert verdict(field(simple(BODY), algorithm), BODY + b"more\r\n") == "fail"
    (signature,) = collect([field(b"", algorithm)], None, {})
    assert signature[:4] == ("example.com", "s1", low, None)


def test_length() -> None:
    """`l=` signs the beginning only: anybody may add text behind it. It must not exceed the body."""
    body = b"Hello World\r\n"
    assert verdict(field(b"Hello", more="l=5;"), body) == "partial"
    assert verdict(field(b"", more="l=0;"), body) == "partial"
    assert verdict(field(b"Hello", more="l=4;"), body) == "fail"
    assert verdict(field(body, more="l=13;"), body) == "pass"
    assert verdict(field(body, more="l=14;"), body) == "fail"
    (signature,) = collect([field(b"Hello", more="l=5;")], None, {})
    digest = base64.b64encode(hashlib.sha256(b"Hello").digest()).decode()
    assert (signature.bh, signature.signed_bytes) == (digest, 5)


def test_a_preview_is_never_changed() -> None:
    """Where the body may go on, only a hash that matches says something; nor does an empty body."""
    body = b"Hello World\r\n"
    assert verdict(field(b"Hello", more="l=5;"), body, whole=False) == "partial"
    assert verdict(field(body, more="l=13;"), body, whole=False) == "partial"
    assert verdict(field(body), body, whole=False) == "pass"
    assert verdict(field(b"Hello"), body, whole=False) is None
    for nothing in (b"", b"\r\n", b"\r\n\r\n"):
        assert verdict(field(body), nothing) is None
        assert verdict(field(simple(nothing)), nothing) == "pass"


def test_what_is_certainly_whole() -> None:
    """A fetched mail, and a preview with all octets; a doubt about the transfer is one about the body."""

    def whole(command: str, octets: int | None, *defects: str, complete: bool = True) -> bool:
        return is_whole(complete=complete, command=command, size=100, octets=octets, defects=defects)

    assert whole("RETR", None)
    assert whole("RETR", 90, "base64_broken")
    assert whole("TOP", 100)
    assert not whole("TOP", None)
    assert not whole("TOP", 101)
    assert not whole("RETR", 100, "request_missing")
    assert not whole("RETR", 100, complete=False)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "v=1",
        "v=1; a=rsa-sha256; d=a.example; s=x; b=YWJj",
        field(b"").replace("d=Example.COM", "d="),
        field(b"").replace("s=s1", "x=s1"),
        field(b"").replace("a=rsa-sha256", "a=rsa-md5"),
        field(b"", more="c=relaxed/other;"),
        field(b"", more="l=five;"),
        field(b"", more="a=rsa-sha1;"),
        field(b"", more="junk;"),
        "v=1; a=rsa-sha256; d=a.example; s=x; bh=A; b=YWJj",
    ],
)
def test_malformed_signature_is_not_checked(value: str) -> None:
    """A signature that cannot be read proves nothing: a defect, and neither pass nor fail."""
    defects: Defects = {}
    (signature,) = collect([value], Bodies(b"\r\n", whole=True), defects)
    assert signature.body is None
    assert "dkim_malformed" in defects


def test_white_space_in_a_signature_is_ignored() -> None:
    """Folded tags, the usual form."""
    value = field(relaxed(BODY), more=" c = relaxed/relaxed ;").replace("; ", " ;\t ")
    assert verdict(value) == "pass"


def test_many_signatures_are_bounded() -> None:
    """The time for a body does not grow with the number of different hashes."""
    defects: Defects = {}
    found = collect([field(BODY[:i], more=f"l={i};") for i in range(20)], Bodies(BODY, whole=True), defects)
    assert [signature.body for signature in found].count(None) == 12
    assert "dkim_cut" in defects
    defects = {}
    assert len(collect([""] * 200, None, defects)) == 100
    assert "dkim_cut" in defects
