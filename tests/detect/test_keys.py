"""DKIM keys: read from Zeek's dns.log, kept in files, and used on signatures."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from support.traffic import incident
from zeekpop3.detect.keys import DkimKey, Keys, keys_of_dns_log, read_keys, txt_of_answer, write_keys
from zeekpop3.detect.verify import MAX_KEY_RECORD, verdicts_of
from zeekpop3.errors import KeyFileError, LogError

NAME = "sel2026._domainkey.partner-bank.example"
NOON = dt.datetime(2026, 10, 14, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def record() -> str:
    """The key record of the mail that `mail` gives."""
    return incident.key_record().decode()


def mail(raw: bytes, **changes: Any) -> dict[str, Any]:
    """A row of `emails` as `verify` reads it, of a mail with one signature whose body hash is right."""
    signature = {
        "domain": "partner-bank.example",
        "selector": "sel2026",
        "algorithm": "rsa-sha256",
        "body": "pass",
        "bh": None,
        "signed_bytes": None,
    }
    row = {
        "ts": NOON,
        "uid": "C1",
        "trans_depth": 1,
        "from_address": "billing@partner-bank.example",
        "from_site": "partner-bank.example",
        "subject": "Statement",
        "complete": True,
        "fidelity": "exact",
        "dkim": [signature],
        "raw": raw,
        "command": "RETR",
        "octets_declared": None,
        "defects": [],
    }
    return {**row, **changes}


def test_a_key_in_several_strings() -> None:
    """dns.log gives the length of each string, so that blanks in them do no harm."""
    assert txt_of_answer("TXT 9 v=DKIM1;  TXT 3 p=A") == "v=DKIM1; p=A"
    assert txt_of_answer("TXT 8 v=DKIM1;") == "v=DKIM1;"
    assert txt_of_answer("TXT 2 ab TXT 3 c d") == "abc d"
    for other in ("192.0.2.1", "TXT", "TXT x y", "TXT 5 ab", "TXT 2 ab!", ""):
        assert txt_of_answer(other) is None


def test_keys_of_a_recorded_dns_log(fixtures: Path, record: str) -> None:
    """The key that the gateway of the incident looked up."""
    assert [(key.name, key.txt) for key in keys_of_dns_log(fixtures / "incident" / "dns.log")] == [
        (NAME, record)
    ]


def test_other_logs_are_refused(fixtures: Path, tmp_path: Path) -> None:
    """A log that is not a dns.log, or not there, is named in the message."""
    with pytest.raises(KeyFileError, match=r"conn\.log: not a dns\.log"):
        list(keys_of_dns_log(fixtures / "incident" / "conn.log"))
    with pytest.raises(LogError, match="none"):
        list(keys_of_dns_log(tmp_path / "none.log"))


def test_keys_are_saved_and_read(tmp_path: Path) -> None:
    """The times at which a key was seen are widened; a name may have several keys, the last seen first."""
    keys = Keys()
    keys.add(DkimKey("a", "old", NOON, NOON))
    keys.add(DkimKey("a", "new", NOON + dt.timedelta(1), NOON + dt.timedelta(1)))
    keys.add(DkimKey("a", "old", NOON - dt.timedelta(1), NOON - dt.timedelta(1)))
    write_keys(tmp_path / "keys", keys)
    again = Keys(read_keys(tmp_path / "keys"))
    assert list(again) == list(keys)
    assert [(key.txt, key.first) for key in again.records("A.")] == [
        ("new", NOON + dt.timedelta(1)),
        ("old", NOON - dt.timedelta(1)),
    ]


def test_a_broken_key_file_names_the_line(tmp_path: Path) -> None:
    """The place and what was expected."""
    (tmp_path / "keys").write_text(
        '{"name": "a", "txt": "b", "first": "2026-01-01", "last": "2026-01-01"}\nx\n'
    )
    with pytest.raises(KeyFileError, match="keys, line 2: expected a JSON object"):
        list(read_keys(tmp_path / "keys"))


def test_each_unknown_has_its_reason(record: str) -> None:
    """No key, a mail with bytes missing, a rebuilt mail, tables without messages."""
    keys = Keys([DkimKey(NAME, record, NOON, NOON)])
    raw = incident.signed_mail()
    for row, known, result, reason in (
        (mail(raw), Keys(), "no key", "no key was seen"),
        (mail(raw, complete=False), keys, "unclear", "not exact and complete"),
        (mail(raw, fidelity="trimmed"), keys, "unclear", "not exact and complete"),
        ({**mail(b""), "raw": None}, keys, "unclear", "do not hold the message"),
    ):
        (verdict,) = verdicts_of(row, known)
        assert verdict.result == result
        assert reason in str(verdict.reason)


def test_hostile_keys_and_headers(record: str) -> None:
    """Keys that are too large, that are not keys, headers that are too large: a result each, never an
    exception.
    """
    raw = incident.signed_mail()
    for txt in (
        "",
        "v=DKIM1; p=",
        "v=DKIM1; k=rsa; p=AAAA",
        "v=DKIM1; p=" + "A" * MAX_KEY_RECORD,
        "\0",
        "p=é",
    ):
        (verdict,) = verdicts_of(mail(raw), Keys([DkimKey(NAME, txt, NOON, NOON)]))
        assert verdict.result == "fail"
    large = b"X: " + b"a" * 300_000 + b"\r\n" + raw
    (verdict,) = verdicts_of(mail(large), Keys([DkimKey(NAME, record, NOON, NOON)]))
    assert (verdict.result, verdict.reason) == ("unclear", "the header is too large")


def test_the_right_key_of_several(record: str) -> None:
    """A selector whose key was changed: any key that was seen may verify."""
    later = NOON + dt.timedelta(1)
    keys = Keys([DkimKey(NAME, record, NOON, NOON), DkimKey(NAME, "v=DKIM1; p=AAAA", later, later)])
    (verdict,) = verdicts_of(mail(incident.signed_mail()), keys)
    assert (verdict.result, verdict.key_seen) == ("pass", NOON)
