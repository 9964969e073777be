"""Lists of indicators in their usual formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeekpop3.detect.indicators import Indicator, key_of, kinds_of, refang, url_key
from zeekpop3.detect.lists import read_indicators
from zeekpop3.errors import IndicatorError


def read(tmp_path: Path, text: str) -> tuple[list[Indicator], list[str]]:
    """The indicators of a file with this text, and what was reported."""
    path = tmp_path / "list"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    errors: list[IndicatorError] = []
    found = read_indicators([path], errors.append)
    return found, [str(error).removeprefix(f"{path}, ") for error in errors]


def test_zeek_intel_files_are_read_as_they_are(tmp_path: Path) -> None:
    """`#fields`, tabs, `Intel::` types, unset fields, escapes, comments; certificates are reported."""
    found, errors = read(
        tmp_path,
        "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\n"
        "# a comment\n"
        "Evil.Example\tIntel::DOMAIN\tfeed\tphish\\x2c kit\t-\n"
        "192.0.2.7\tIntel::ADDR\tfeed\t-\t-\n"
        "192.0.2.0/24\tIntel::SUBNET\tfeed\t-\t-\n"
        "evil.example/a?b\tIntel::URL\tfeed\t-\t-\n"
        "Boss@Evil.example\tIntel::EMAIL\tfeed\t-\t-\n"
        "d41d8cd98f00b204e9800998ecf8427e\tIntel::FILE_HASH\tfeed\t-\t-\n"
        "Invoice.PDF.exe\tIntel::FILE_NAME\tfeed\t-\t-\n"
        "BulkMailer 3\tIntel::SOFTWARE\tfeed\t-\t-\n"
        "Zhang.San\tIntel::USER_NAME\tfeed\t-\t-\n"
        "aa\tIntel::CERT_HASH\tfeed\t-\t-\n"
        "aa\tIntel::UNHEARD\tfeed\t-\t-\n",
    )
    assert [(one.type, one.key) for one in found] == [
        ("DOMAIN", "evil.example"),
        ("ADDR", "192.0.2.7"),
        ("SUBNET", "192.0.2.0/24"),
        ("URL", "evil.example/a?b"),
        ("EMAIL", "boss@evil.example"),
        ("FILE_HASH", "d41d8cd98f00b204e9800998ecf8427e"),
        ("FILE_NAME", "invoice.pdf.exe"),
        ("SOFTWARE", "bulkmailer 3"),
        ("USER_NAME", "zhang.san"),
    ]
    assert found[0].value == "Evil.Example"
    assert (found[0].source, found[0].description) == ("feed", "phish, kit")
    assert found[1].description is None
    assert errors == ["line 13: indicator type 'Intel::UNHEARD' is unknown; skipped"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hxxps://evil[.]example/login", [("URL", "evil.example/login")]),
        ("hXXp[:]//evil[.]example[:]8080/", [("URL", "evil.example:8080")]),
        ("evil[.]example", [("DOMAIN", "evil.example")]),
        ("evil(dot)example", [("DOMAIN", "evil.example")]),
        ("*.evil.example", [("DOMAIN", "evil.example")]),
        ("boss[at]evil[.]example", [("EMAIL", "boss@evil.example")]),
        ("192[.]0[.]2[.]1", [("ADDR", "192.0.2.1")]),
        ("2001:DB8::1", [("ADDR", "2001:db8::1")]),
        ("::ffff:192.0.2.1", [("ADDR", "192.0.2.1")]),
        ("192.0.2.77/24", [("SUBNET", "192.0.2.0/24")]),
        ("evil.example/path", [("URL", "evil.example/path")]),
        ("bücher.example", [("DOMAIN", "bücher.example")]),
        ("xn--bcher-kva.example", [("DOMAIN", "bücher.example")]),
        ("report.zip", [("FILE_NAME", "report.zip"), ("DOMAIN", "report.zip")]),
        ("A" * 64, [("FILE_HASH", "a" * 64)]),
        ("evil.example # seen on Monday", [("DOMAIN", "evil.example")]),
    ],
)
def test_plain_lists(tmp_path: Path, line: str, expected: list[tuple[str, str]]) -> None:
    """One value a line; the type is recognised, defanged forms are understood."""
    found, errors = read(tmp_path, f"# list\n\n{line}\n")
    assert [(one.type, one.key) for one in found] == expected
    assert errors == []


def test_csv_with_a_header(tmp_path: Path) -> None:
    """Columns by name, in any order, MISP's among them; rows that cannot be used are reported with their
    line.
    """
    found, errors = read(
        tmp_path,
        '"uuid","type","value","comment"\r\n'
        '"1","ip-dst","192.0.2.9","c2, first"\r\n'
        '"2","md5","d41d8cd98f00b204e9800998ecf8427e",""\r\n'
        '"3","unheard","Global\\x",""\r\n'
        '"4","sha256","123",""\r\n',
    )
    assert [(one.type, one.key, one.description) for one in found] == [
        ("ADDR", "192.0.2.9", "c2, first"),
        ("FILE_HASH", "d41d8cd98f00b204e9800998ecf8427e", None),
    ]
    assert errors == [
        "line 4: indicator type 'unheard' is unknown; skipped",
        "line 5: invalid hash '123': expected MD5, SHA-1 or SHA-256 in hex; skipped",
    ]


def test_each_indicator_once(tmp_path: Path) -> None:
    """The first of several lines with the same type and key counts."""
    found, _ = read(tmp_path, "evil.example\nEVIL.example.\nhxxp://evil.example/\nhttps://evil.example\n")
    assert [(one.type, one.value) for one in found] == [
        ("DOMAIN", "evil.example"),
        ("URL", "hxxp://evil.example/"),
    ]


MD5 = "aB" * 16


@pytest.mark.parametrize(
    ("text", "kind", "key"),
    [
        (f"{MD5}  invoice.exe", "FILE_HASH", MD5.lower()),
        (f"{MD5} *invoice.exe", "FILE_HASH", MD5.lower()),
        (f"MD5: {MD5}", "FILE_HASH", MD5.lower()),
        (f"{MD5},a comment", "FILE_HASH", MD5.lower()),
        ("sha256=" + "ab" * 32, "FILE_HASH", "ab" * 32),
        ("// a comment\nevil.example", "DOMAIN", "evil.example"),
        ("- evil.example", "DOMAIN", "evil.example"),
        ("1. evil[.]example - command and control", "DOMAIN", "evil.example"),
        ("`evil.example`", "DOMAIN", "evil.example"),
        ("hxxp://evil[.]example[/]a", "URL", "evil.example/a"),
        ("indicator,type\nevil.example/,domain", "DOMAIN", "evil.example"),
        ("indicator,type\nhttp://evil.example/a,domain", "DOMAIN", "evil.example"),
        ("indicator,type\nmailto:a@evil.example,email", "EMAIL", "a@evil.example"),
        ('indicator,type\n"""a.b""@evil.example",email', "EMAIL", "a.b@evil.example"),
        ("invoice 2026.exe", "FILE_NAME", "invoice 2026.exe"),
    ],
)
def test_lists_as_people_write_them(tmp_path: Path, text: str, kind: str, key: str) -> None:
    """Lines of md5sum, of a list with numbers, with remarks; values that are not quite of their type."""
    found, errors = read(tmp_path, text)
    assert ([(one.type, one.key) for one in found], errors) == ([(kind, key)], [])


@pytest.mark.parametrize("text", ["", "# nothing\n", "#fields\tindicator\tindicator_type\n"])
def test_a_list_without_indicators_is_refused(tmp_path: Path, text: str) -> None:
    """An empty list would find nothing, which would look like a clean result."""
    with pytest.raises(IndicatorError, match="no indicators found"):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(IndicatorError, match="none: no such file"):
        read_indicators([tmp_path / "none"])
    with pytest.raises(IndicatorError, match="not a file"):
        read_indicators([tmp_path])


def test_hostile_lists_cost_linear_time(tmp_path: Path) -> None:
    """Long lines are cut, binary data is reported line by line, nothing is raised."""
    found, errors = read(
        tmp_path, "[" * 3_000_000 + "\n" + "\udcff\x00" * 1000 + "\n" + "a." * 200_000 + "\nevil.example\n"
    )
    assert [one.key for one in found][-1] == "evil.example"
    assert len(errors) >= 2


def test_urls_are_compared_without_scheme_and_default_port() -> None:
    """As Zeek's Intel framework has them; host in lower case, fragment and last slash left out."""
    assert url_key("HTTP://User@Evil.Example:80/A?q=1#x") == "evil.example/A?q=1"
    assert url_key("https://evil.example:443") == url_key("http://evil.example/")
    assert url_key("http://evil.example:8080/a") == "evil.example:8080/a"


def test_values_without_a_type() -> None:
    """The type of a value that fits none of the known types is not guessed."""
    assert kinds_of("password") == []
    assert kinds_of("1.2.3.4.5") == []
    assert refang("plain") == "plain"
    with pytest.raises(ValueError, match="does not appear to be"):
        key_of("ADDR", "evil")
