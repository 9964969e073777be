"""Hostile dialogues in both forms, with the stand-in for Zeek; tests/zeek/test_hostile.py has Zeek's own
logs."""

from __future__ import annotations

import pytest

from support import hostile
from support.hostile_dialogues import packets_of
from support.traffic import rows


@pytest.mark.slow
@pytest.mark.parametrize("form", hostile.FORMS)
def test_what_comes_of_hostile_dialogues(form: str) -> None:
    """Each case gives its mails, its session, and no secret."""
    found = {}
    for number, case in enumerate(hostile.CASES):
        made = rows.of_packets(packets_of(case, number), exact=form == "exact")
        if wrong := hostile.faults(case, next(iter(made.values()), None), form):
            found[case.name] = wrong
    assert found == {}


def test_cases_have_names_of_their_own() -> None:
    """A case is known by its name."""
    names = [case.name for case in hostile.CASES]
    assert len(set(names)) == len(names) > 500
