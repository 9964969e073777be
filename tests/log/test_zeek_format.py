"""One reading of Zeek's escapes and header lines, in every kind of file of Zeek's."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeekpop3.detect.lists import read_indicators
from zeekpop3.log.header import directives, unescape
from zeekpop3.zeek.logs import read_zeek_log


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (rb"caf\xc3\xa9", "café"),
        ("café".encode(), "café"),
        (rb"a\\xc3", r"a\xc3"),
        (rb"a\x09b", "a\tb"),
        (rb"\xff", r"\xff"),
        (b"\xff", r"\xff"),
        (rb"C:\new", r"C:\new"),
    ],
)
def test_escapes(written: bytes, meant: str) -> None:
    """UTF-8 that Zeek escaped is text again; what is not UTF-8 stays visible."""
    assert unescape(written) == meant


def test_header_lines() -> None:
    """The separator is written as an escape, and holds for the lines below it."""
    values, places = directives(["#separator \\x7c", "#fields|a|b", "#types|string|string"])
    assert values == {"separator": ["|"], "fields": ["a", "b"], "types": ["string", "string"]}
    assert places == {"fields": 1, "types": 2}


def test_a_zeek_log_with_another_separator(tmp_path: Path) -> None:
    """Zeek's other logs are read with the separator that they name."""
    log = tmp_path / "conn.log"
    log.write_text(
        "#separator \\x7c\n#set_separator|;\n#fields|ts|uid|who|tags\n#types|time|string|string|set[string]\n"
        "1.5|C1|caf\\xc3\\xa9|a;b\n"
    )
    (row,) = read_zeek_log(log).drop_columns(["ts"]).to_pylist()
    assert row == {"uid": "C1", "who": "café", "tags": ["a", "b"]}


def test_an_indicator_that_is_not_ascii(tmp_path: Path) -> None:
    """An intel file with Zeek's escapes gives the indicators of one in UTF-8."""
    found = {}
    for name, value in (("escaped", "caf\\xc3\\xa9.example"), ("utf8", "café.example")):
        path = tmp_path / f"{name}.intel"
        path.write_text(f"#fields\tindicator\tindicator_type\n{value}\tIntel::DOMAIN\n", encoding="utf-8")
        found[name] = [one.key for one in read_indicators([path])]
    assert found["escaped"] == found["utf8"] == ["café.example"]
