"""Time is linear: CPU seconds at two sizes, for hostile mails, and random units in every field and in bodies.

The bigger search is tests/fuzz/units.py. Sizes are below the bounds of single fields (64 KiB), above which
time that grows with the square would look linear.
"""

from __future__ import annotations

import pytest

from support.hostile_mails import GENERATORS, filled
from support.units import LINEAR, PLACES, Unit, growth, seconds, units
from zeekpop3.inside import parse
from zeekpop3.message import charsets

SMALL, LARGE = 15_000, 60_000
SHORTEST_S = 0.003
TIMES_USUAL = 40  # how much longer a hostile header may take than a list of usual addresses of its size
SEED, UNITS_A_PLACE = 21, 8

# Each took seconds, or minutes, for a megabyte.
SLOW_ONCE = {
    "blanks in an address": Unit("To", "<a", " ", "b@c>"),
    "folds in an address": Unit("Return-Path", "<a", "\r\n ", "b@c>"),
    "unclosed quote in verdicts": Unit("Authentication-Results", "", '~\\"', ""),
    "unclosed comments in a hop": Unit("Received", "", "!\\(%&u=", ""),
    "blanks before an instance": Unit("ARC-Authentication-Results", "", " ", ""),
    "nearly an IPv6 address": Unit("X-Originating-IP", "", "::1.", ""),
    "nearly an IPv6 address in a hop": Unit("Received", "", "::1.", ""),
    "unclosed comments between commas": Unit("To", "", ",(", ""),
    "unclosed comments between colons": Unit("To", "", "(:", ""),
    "nested comments in a date": Unit("Date", "", "(()", ""),
    "a gateway's mark": Unit("gateway", "https://urldefense.com", "/v3/__a__;", ""),
    "another gateway's mark": Unit("gateway", "https://url.avanan.click", "/v2/___a___", ""),
    "only line ends in a header": Unit("Subject", "", "\r", ""),
    "blanks and line ends in a header": Unit("Subject", "", "\r ", ""),
    "blanks in a tag": Unit("html_tag", "", "\r\n", ""),
    "begin within lines": Unit("plain", "", "begin 644 a", ""),
}


# What mail programs link without a scheme: each of these begins where the one before it goes on.
LINKS_WITHOUT_BLANKS = (
    "www.a.bc,",
    "ftp.a.bc,",
    "ms-ab:c,",
    "search-ms:a,",
    "\\\\a\\,",
    "http:\\a,",
    "http:a.bc,",
    "file:\\a,",
)


@pytest.mark.parametrize("name", [name for name in GENERATORS if not name.startswith("charset")])
def test_hostile_mails_take_linear_time(name: str) -> None:
    """Four times the size takes four times the time."""
    assert growth(GENERATORS[name], SMALL, LARGE, SHORTEST_S) < LINEAR


@pytest.mark.parametrize("name", SLOW_ONCE)
def test_what_was_slow_takes_linear_time(name: str) -> None:
    """Each expression that was slow, in a mail of 60 kB."""
    assert growth(SLOW_ONCE[name].mail, SMALL, LARGE, SHORTEST_S) < LINEAR


@pytest.mark.parametrize("unit", LINKS_WITHOUT_BLANKS)
def test_links_without_blanks_between_them(unit: str) -> None:
    """One link is not read again from each place where another one might begin."""
    usual = seconds(Unit("plain", "", "http://a.bc/ ", "").mail(LARGE), 5)
    assert seconds(Unit("plain", "", unit, "").mail(LARGE), 3) < 4 * usual


@pytest.mark.slow
def test_random_units_take_linear_time() -> None:
    """Whatever is repeated, time is linear, and no byte is much dearer than those of usual addresses."""
    usual = seconds(filled(b"A B <a@b.example>, ", LARGE, b"To: ", b"\r\n\r\n"), 5)
    slow = []
    for unit in units(SEED, UNITS_A_PLACE):
        raw = unit.mail(LARGE)
        if seconds(raw) < usual:
            continue
        if growth(unit.mail, SMALL, LARGE, SHORTEST_S) >= LINEAR or seconds(raw, 3) > TIMES_USUAL * usual:
            slow.append(unit)
    assert slow == []
    assert {unit.place for unit in units(SEED, 1)} == set(PLACES)


def test_distinct_texts_without_a_charset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector is slow: it runs for twenty texts of a mail, then its last guess counts."""
    samples = []

    def detect(sample: bytes) -> str:
        samples.append(sample)
        return "koi8_r" if len(samples) >= 20 else "cp1251"

    monkeypatch.setattr(charsets, "detect", detect)
    words = [f"=?x?q?=C4=C1=D4=C1{number}?=" for number in range(100)]
    raw = "".join(f"X-A: {word}\r\n" for word in words).encode() + b"\r\n"
    mail = parse(raw)
    assert len(samples) == 20
    assert mail.header_values[0] == "ДБФБ0"
    assert mail.header_values[-1] == "дата99"
    assert "charset_unknown" in mail.defects
