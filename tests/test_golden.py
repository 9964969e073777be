"""Recorded logs through the whole of zeekpop3: held against the truth, against golden tables, searched for
secrets."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import golden
from support.traffic.judge import judge

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
CAPTURES = sorted(path.stem for path in FIXTURES.glob("*.pcap"))
PAIRS = [(name, form) for name in CAPTURES for form in golden.FORMS if (name, form) != ("late", "plain")]
"""Zeek's analyzer is silent about a connection without its handshake."""
LOSSY = {"gap", "gap-pipelined", "gap-many", "gap-parallel"}
NOT_SEEN = {("decrypted", "plain")}  # Zeek's analyzer expects TLS after STLS
PIPELINED = {"gap-pipelined", "gap-many"}


@cache
def _tables(name: str, form: str) -> dict[str, list[dict[str, Any]]]:
    return golden.tables([golden.log_of(name, form)])


def _told(name: str) -> dict[str, Any]:
    return json.loads((FIXTURES / f"{name}.truth.json").read_text())


@pytest.mark.parametrize(("name", "form"), [pair for pair in PAIRS if pair[0] not in LOSSY])
def test_every_mail_comes_back(name: str, form: str) -> None:
    """Without losses every mail is there: by sha256 in the exact form, by its trimmed lines in the plain
    one."""
    verdict = judge(_told(name), _tables(name, form)["emails"])
    assert verdict.good != ((name, form) in NOT_SEEN), verdict.faults


@pytest.mark.parametrize("name", sorted(LOSSY))
def test_losses_cost_only_the_mails_they_hit(name: str) -> None:
    """Exact form: each whole mail under its number, 98 % where the client pipelines; no torn one complete."""
    verdict = judge(_told(name), _tables(name, "exact")["emails"])
    assert verdict.wrongly_complete == verdict.misnamed == 0, verdict.faults
    assert verdict.right >= (0.98 if name in PIPELINED else 1) * verdict.whole, verdict.faults


@pytest.mark.parametrize("name", sorted(LOSSY))
def test_no_torn_mail_is_complete_in_the_plain_form(name: str) -> None:
    """Plain form: a mail that misses a byte is not called complete."""
    verdict = judge(_told(name), _tables(name, "plain")["emails"])
    assert verdict.wrongly_complete == 0, verdict.faults


@pytest.mark.parametrize(("name", "form"), PAIRS)
def test_no_secret_in_a_table(name: str, form: str, secrets: list[bytes]) -> None:
    """No password of the fixtures stands in any table, raw messages included."""
    text = repr(_tables(name, form)).encode()
    assert [secret for secret in secrets if secret in text] == []


@pytest.mark.parametrize("form", golden.FORMS)
def test_rotated_logs_give_the_same_tables(form: str) -> None:
    """Rotated, packed logs, with connections across several, give what one log gives; only names differ."""
    whole, rotated = _tables("rotated", form), golden.tables([FIXTURES / "logs" / f"rotated.{form}"])
    assert len(rotated["inputs"]) > len(whole["inputs"]) == 1
    assert sum(row["rows"] for row in rotated["inputs"]) == whole["inputs"][0]["rows"]
    assert _without_names(rotated) == _without_names(whole)


def _without_names(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    emails = [{**row, "log": None} for row in tables["emails"]]
    return {**tables, "emails": emails, "inputs": []}


@pytest.mark.parametrize("form", golden.FORMS)
@pytest.mark.parametrize("name", golden.CAPTURES)
def test_the_tables_are_the_golden_ones(name: str, form: str) -> None:
    """All tables, every column; `python tests/golden.py --renew` renews them on purpose."""
    path = golden.GOLDEN / f"{name}.{form}.json"
    assert json.loads(golden.dump(_tables(name, form))) == json.loads(path.read_text())
