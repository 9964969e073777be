"""Hostile mail: bounded steps and bounded memory for each kind, and what is kept of it.

Steps are calls of Python and C functions, counted by the interpreter: they do not depend on the machine.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from typing import Any

import pytest

from support.hostile_contents import BOMBS
from support.hostile_mails import CHARSETS, GENERATORS
from support.invariants import check
from zeekpop3.inside import parse

SIZE = 30_000
STEPS_PER_BYTE = 8
STEPS_AT_LEAST = 5_000
TIMES_ITS_SIZE = 12
MEMORY_AT_LEAST = 2_000_000


def steps(raw: bytes) -> int:
    """How many functions are called while `raw` is parsed."""
    count = 0

    def called(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    sys.setprofile(called)
    try:
        parse(raw)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", GENERATORS)
def test_steps_are_linear(name: str) -> None:
    """A hostile mail of twice the size costs no more than twice the steps."""
    small, large = GENERATORS[name](SIZE), GENERATORS[name](2 * SIZE)
    parse(large)  # codecs are imported once
    few, many = steps(small), steps(large)
    assert many <= 2.3 * few + STEPS_AT_LEAST
    assert many <= STEPS_PER_BYTE * len(large)


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATORS)
def test_memory_is_bounded(name: str) -> None:
    """A hostile mail takes no more than twelve times its size in memory."""
    raw = GENERATORS[name](40 * SIZE)
    parse(raw[:1_000])
    gc.collect()
    tracemalloc.start()
    try:
        mail = parse(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert mail.defects is not None
    assert peak <= max(TIMES_ITS_SIZE * len(raw), MEMORY_AT_LEAST)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_what_unpacks_to_much_is_bounded(name: str) -> None:
    """Mails of some ten kilobytes: what they unpack to is read as far as the bounds allow, and no further."""
    gc.collect()
    tracemalloc.start()
    try:
        mail = parse(BOMBS[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert {"urls_cut", "container_malformed"} & set(mail.defects)
    assert peak <= 64_000_000
    assert steps(BOMBS[name]) <= 4_000_000


@pytest.mark.parametrize("name", GENERATORS)
def test_record_of_hostile_mail_keeps_the_rules(name: str) -> None:
    """What holds for any record holds for that of a hostile mail, whole or cut anywhere."""
    raw = GENERATORS[name](3_000)
    check(raw)
    check(raw[: len(raw) // 2], complete=False)
    check(raw[len(raw) // 3 :])


@pytest.mark.parametrize("name", CHARSETS)
def test_every_charset_that_python_knows(name: str) -> None:
    """No charset name makes trouble, wherever it stands."""
    label = name.encode()
    raw = (
        b"Subject: =?" + label + b"?q?=E4=80?= =?" + label + b"?b?w6Qr?=\r\n"
        b"Content-Type: text/plain; charset=" + label + b"; name*=" + label + b"''%E4%80\r\n\r\n"
        b"\xe4\x80\xff ~{<:~} +2AA- \\ud800 \x1b$B=\x1b(B abc\r\n"
    )  # fmt: skip
    assert check(raw).text


@pytest.mark.parametrize(
    "name", ["idna", "punycode", "unicode_escape", "raw_unicode_escape", "rot13", "base64", "zlib", "bz2",
    "hex",
             "quopri", "uu", "undefined", "mbcs", "oem"],
)  # fmt: skip
def test_codecs_that_are_no_charsets_are_not_used(name: str) -> None:
    """A label never reaches a codec that transforms, runs long or reads escapes."""
    raw = f"Content-Type: text/plain; charset={name}\r\n\r\n\\x41 uryyb aGVsbG8= xn--80ak\xe9".encode(
        "latin-1"
    )
    mail = check(raw)
    assert mail.text == "\\x41 uryyb aGVsbG8= xn--80aké"
    assert "charset_unknown" in mail.defects


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_line_ends(end: bytes) -> None:
    """CRLF, LF, and the CR of the old Macintosh give the same record."""
    raw = end.join([b"Subject: a", b" b", b"To: c@d.example", b"", b"one", b"two"])
    mail = check(raw)
    assert (mail.subject, mail.to, mail.text) == ("a b", ["c@d.example"], "one\ntwo")


def test_mixed_line_ends_and_nul() -> None:
    """Line ends may change in the header; bare CR and NUL are kept where they stand."""
    mail = check(b"Subject: a\r\nTo: c@d.example\nX-A: b\0\rc\r\n\nbody\r\0end\r\n")
    assert (mail.subject, mail.to, mail.header_values[2]) == ("a", ["c@d.example"], "b\0\rc")
    assert mail.text == "body\r\0end\n"


def test_nothing_at_all() -> None:
    """No byte is a mail, too."""
    mail = check(b"")
    assert (mail.subject, mail.to, mail.text, mail.attachments) == (None, None, "", [])
