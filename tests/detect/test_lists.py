"""Lists as other programs write them: ports, MISP's two values in a row, STIX bundles, subjects."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import zeekpop3
from support import tables_made
from support.records import transfer
from zeekpop3.detect.indicators import Indicator
from zeekpop3.detect.lists import read_indicators
from zeekpop3.errors import IndicatorError


def read(tmp_path: Path, text: str) -> tuple[list[Indicator], list[str]]:
    """The indicators of a file with this text, and what was reported."""
    path = tmp_path / "list"
    path.write_text(text)
    errors: list[IndicatorError] = []
    return read_indicators([path], errors.append), [str(error) for error in errors]


def keys(found: list[Indicator]) -> list[tuple[str, str]]:
    return [(one.type, one.key) for one in found]


def test_ports(tmp_path: Path) -> None:
    """Only the host is compared; the colons of an IPv6 address do not begin a port."""
    found, errors = read(
        tmp_path, "192.0.2.7|443\n192.0.2.8:80\nevil[.]example:8080\n[2001:db8::7]:25\n2001:db8::8\n"
    )
    assert not errors
    assert keys(found) == [
        ("ADDR", "192.0.2.7"), ("ADDR", "192.0.2.8"), ("DOMAIN", "evil.example"), ("ADDR", "2001:db8::7"),
        ("ADDR", "2001:db8::8"),
    ]  # fmt: skip


def test_misp(tmp_path: Path) -> None:
    """Its CSV export: two values in a row are two indicators; types that mail cannot show are skipped."""
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    found, errors = read(
        tmp_path,
        "uuid,event_id,category,type,value,comment,to_ids,date\n"
        'u,1,Network activity,ip-dst|port,192.0.2.7|443,"a, b",1,1700000000\n'
        "u,1,Network activity,hostname|port,evil.example|80,,1,1700000000\n"
        f"u,1,Payload delivery,filename|md5,Invoice.exe|{digest},,1,1700000000\n"
        f"u,1,Payload delivery,malware-sample,other.exe|{digest[::-1]},,1,1700000000\n"
        "u,1,Network activity,domain|ip,bad.example|192.0.2.9,,1,1700000000\n"
        "u,1,Network activity,ip-src,198.51.100.0/24,,1,1700000000\n"
        'u,1,Payload delivery,email-subject,"Your  Invoice",,1,1700000000\n'
        "u,1,Payload delivery,email-src,boss@evil.example,,1,1700000000\n"
        "u,1,Other,comment,see there,,0,1700000000\n"
        "u,1,Other,unheard-of,x,,0,1700000000\n",
    )
    assert keys(found) == [
        ("ADDR", "192.0.2.7"), ("DOMAIN", "evil.example"), ("FILE_NAME", "invoice.exe"),
        ("FILE_HASH", digest), ("FILE_NAME", "other.exe"), ("FILE_HASH", digest[::-1]),
        ("DOMAIN", "bad.example"), ("ADDR", "192.0.2.9"),
        ("SUBNET", "198.51.100.0/24"), ("SUBJECT", "your invoice"), ("EMAIL", "boss@evil.example"),
    ]  # fmt: skip
    assert len(errors) == 1
    assert "'unheard-of' is unknown" in errors[0]


def test_stix(tmp_path: Path) -> None:
    """Patterns and observables; what is negated, revoked or of another language is left out."""
    indicator = {"type": "indicator", "created_by_ref": "identity--1", "name": "kit", "pattern_type": "stix"}
    patterns = [
        "[file:hashes.'SHA-256' = '" + "a" * 64 + "' AND file:name = 'it\\'s.exe']",
        "[domain-name:value IN ('x.example', 'y.example')] OR [url:value = 'http://z.example/p']",
        "[email-message:subject = 'Hello  You' AND NOT ipv4-addr:value = '192.0.2.1']",
        "[email-addr:value LIKE '%evil%'] FOLLOWEDBY [ipv6-addr:value='2001:db8::7']",
    ]
    objects = [
        {"type": "identity", "id": "identity--1", "name": "CERT"},
        *[{**indicator, "pattern": pattern} for pattern in patterns],
        {**indicator, "revoked": True, "pattern": "[ipv4-addr:value = '192.0.2.2']"},
        {**indicator, "pattern_type": "snort", "pattern": "[ipv4-addr:value = '192.0.2.3']"},
        {"type": "ipv4-addr", "value": "192.0.2.4"},
        {"type": "file", "name": "b.exe", "hashes": {"MD5": "b" * 32, "SSDEEP": "3:a:b"}},
        {"type": "malware", "name": "nothing to compare"},
        "no object",
    ]
    found, errors = read(tmp_path, json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}))
    assert keys(found) == [
        ("FILE_HASH", "a" * 64), ("FILE_NAME", "it's.exe"), ("DOMAIN", "x.example"), ("DOMAIN", "y.example"),
        ("URL", "z.example/p"), ("SUBJECT", "hello you"), ("ADDR", "2001:db8::7"), ("ADDR", "192.0.2.4"),
        ("FILE_NAME", "b.exe"), ("FILE_HASH", "b" * 32),
    ]  # fmt: skip
    assert (found[0].source, found[0].description) == ("CERT", "kit")
    assert len(errors) == 1
    assert "3:a:b" in errors[0]


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"type": "bundle"}', '{"type": "bundle", "objects": 7}', "{" * 100_000]
)
def test_json_that_is_not_a_bundle(tmp_path: Path, text: str) -> None:
    """One line."""
    with pytest.raises(IndicatorError, match="not a STIX bundle") as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_hostile_patterns_take_linear_time(tmp_path: Path) -> None:
    """A list may come from an attacker, too."""
    for unit in ("a:b", "a:b=(", "a:b='", "a:b=('',", "'", "\\", "file:hashes.", "NOT ", "a-", "["):
        pattern = unit * (200_000 // len(unit))
        text = json.dumps({"type": "indicator", "pattern": pattern})
        before = time.process_time()
        with pytest.raises(IndicatorError):
            read(tmp_path, text)
        assert time.process_time() - before < 1, unit


def test_subjects_are_found(tmp_path: Path) -> None:
    """Whatever their case and blanks, also of a message inside; a part of one is not."""
    inner = b"Content-Type: message/rfc822\r\n\r\nSubject: YOUR\r\n Invoice\r\n\r\nx\r\n"
    out = tmp_path / "out"
    tables_made.write(
        out,
        [
            transfer(uid="C1", raw=b"Subject: Your  invoice\r\n\r\nx\r\n"),
            transfer(uid="C2", raw=b"Subject: Fwd: Your invoice\r\n" + inner),
            transfer(uid="C3", raw=b"Subject: Your invoice 7\r\n\r\nx\r\n"),
        ],
    )
    listed = tmp_path / "list.csv"
    listed.write_text("indicator,type\nyour invoice,SUBJECT\n")
    found = zeekpop3.hunt(out, listed)
    rows = [(row["uid"], row["field"], row["part"]) for row in found.table.to_pylist()]
    assert sorted(rows) == [("C1", "emails.subject", ""), ("C2", "enclosed.subject", "1")]
    assert found.undecided.num_rows == 0
