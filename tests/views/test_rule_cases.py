"""The linter of the rules: each has a mail that it must accuse, and a near miss that it must not."""

from __future__ import annotations

import pytest

from support.queries import fetched
from support.records import DAY, NOON
from support.report_boxes import write_box
from support.rule_cases import CASES, FILLED, Case
from zeekpop3.views.queries import rules
from zeekpop3.views.sql import ask

Reasons = dict[tuple[str, bool], list[str]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Reasons:
    """By rule, and whether it is the hit: the reasons of each case's last mail, all in the same tables."""
    out = tmp_path_factory.mktemp("rules") / "out"
    worlds = [((name, hit), mails) for name, case in CASES.items() for hit, mails in _sides(case)]
    events = []
    for number, ((name, hit), mails) in enumerate(worlds):
        for day, mail in enumerate(mails):
            named = mail.replace(b"{n}", str(number).encode())
            events.append(
                (named, {"uid": f"{name}/{hit}/{day}", "ts": NOON + day * DAY + number, "user": f"u{number}"})
            )
    write_box(out, fetched(*events))
    rows = {row["mail"]: row["reasons"] for row in ask(out, query="suspicious", own=["corp.example"]).dicts()}
    return {key: rows.get(f"{key[0]}/{key[1]}/{len(mails) - 1}/1", []) for key, mails in worlds}


def _sides(case: Case) -> list[tuple[bool, list[bytes]]]:
    return [(True, case.hit), (False, case.near)]


def test_each_rule_has_a_hit_and_a_near_miss() -> None:
    assert {rule.name for rule in rules()} == CASES.keys() | FILLED
    assert all(case.hit and case.near and case.hit != case.near for case in CASES.values())


@pytest.mark.parametrize("name", CASES)
def test_a_rule_accuses_its_mail_and_not_the_near_miss(found: Reasons, name: str) -> None:
    reason = CASES[name].reason + ": "
    assert any(each.startswith(reason) for each in found[name, True]), found[name, True]
    assert not any(each.startswith(reason) for each in found[name, False]), found[name, False]
