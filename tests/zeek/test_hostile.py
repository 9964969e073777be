"""Hostile dialogues: no secret in a log, no hidden mail, no mail that is wrong and called whole."""

from __future__ import annotations

import gzip
import shutil
from functools import cache
from pathlib import Path

import pytest

from support import hostile
from zeekpop3.session import Rows


@cache
def _rows(form: str) -> dict[int, Rows]:
    return hostile.rows_by_case(hostile.recorded(form))


@pytest.mark.parametrize("form", hostile.FORMS)
def test_what_comes_of_hostile_dialogues(form: str) -> None:
    """Each case gives its mails, its session, and no secret."""
    found = {}
    for number, case in enumerate(hostile.CASES):
        if wrong := hostile.faults(case, _rows(form).get(number), form):
            found[case.name] = wrong
    assert found == {}


@pytest.mark.zeek
@pytest.mark.parametrize("form", hostile.FORMS)
def test_zeek_still_writes_these_rows(zeek: str, form: str, tmp_path: Path) -> None:
    """Recording again gives the logs in fixtures/hostile (`python tests/support/hostile.py` renews them)."""
    assert shutil.which("zeek") == zeek
    assert hostile.log_of_zeek(form) == gzip.decompress(hostile.recorded(form).read_bytes())
