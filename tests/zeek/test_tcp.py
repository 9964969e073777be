"""Packets of somebody on the path, or of one end: no mail is hidden or forged without a defect."""

from __future__ import annotations

import gzip
import shutil
from functools import cache

import pytest

from support import hostile, hostile_tcp
from support.dialogues import fed
from zeekpop3.session import Rows


@cache
def _rows() -> dict[int, list[Rows]]:
    return hostile.rows_by_tcp_case(hostile.recorded("tcp"))


@pytest.mark.parametrize("number", range(len(hostile_tcp.CASES)), ids=lambda n: hostile_tcp.CASES[n].name)
def test_what_comes_of_hostile_packets(number: int) -> None:
    """Each case gives its mails, or a defect says that something is missing or uncertain."""
    outcomes = [fed([rows]) for rows in _rows().get(number, [])]
    assert hostile_tcp.faults(hostile_tcp.CASES[number], outcomes) == []


@pytest.mark.zeek
def test_zeek_still_writes_these_rows(zeek: str) -> None:
    """Recording again gives the log in fixtures/hostile (`python tests/support/hostile.py` renews it)."""
    assert shutil.which("zeek") == zeek
    assert hostile.tcp_log_of_zeek() == gzip.decompress(hostile.recorded("tcp").read_bytes())
