"""Rows of hostile mails: memory is bounded by the size of the mail, and rows by the parser's limits."""

from __future__ import annotations

import gc
import tracemalloc

import pyarrow as pa
import pytest

from support.hostile_mails import GENERATORS
from support.records import transfer
from zeekpop3.pipeline.records import Records

SIZE = 1_200_000
TIMES_ITS_SIZE = 12
CACHES = 3_000_000  # of hosts and addresses, whatever the size of the mail
MANY = ("addresses_of", "addresses_in", "enclosed", "html_different", "html_rewritten", "many_attach")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in GENERATORS if name.startswith(MANY)])
def test_rows_take_bounded_memory(name: str) -> None:
    """Parsing, rows and Arrow: at most twelve times the mail, Arrow's own memory included."""
    raw = GENERATORS[name](SIZE)
    records = Records()
    records.add([transfer(raw=GENERATORS[name](1_000))])
    records.take()
    gc.collect()
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        records.add([transfer(raw=raw)])
        parsing = tracemalloc.get_traced_memory()[1]
        held = tracemalloc.get_traced_memory()[0]
        tables = dict(records.take())
        arrow = pa.total_allocated_bytes() - before
    finally:
        tracemalloc.stop()
    assert max(parsing, held + arrow) <= TIMES_ITS_SIZE * len(raw) + CACHES
    assert sum(table.num_rows for table in tables.values()) <= 35_000
