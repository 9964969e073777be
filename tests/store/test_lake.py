"""Files that other engines read with little work: statistics, bloom filters, row groups."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from support.records import attachment, mail, session, table_of, transfer
from zeekpop3.message.mailboxes import Address
from zeekpop3.store.files import publish
from zeekpop3.store.parquet import write_parquet
from zeekpop3.tables import TABLES, ItemsRecord, MailRecord, SessionRecord

ONE = Address("from", 1, "A", "a@b.example", "a", "b.example", "b.example")
RECORDS: dict[str, Any] = {
    "emails": MailRecord(transfer(), mail(msg_id="<a@b>")),
    "attachments": ItemsRecord(transfer(), [attachment()]),
    "addresses": ItemsRecord(transfer(), [ONE]),
    "sessions": SessionRecord(session()),
}


def written(name: str, path: Path, count: int = 1) -> Path:
    publish(write_parquet(table_of(name, *[RECORDS[name]] * count), path), path)
    return path


def columns(path: Path, what: str) -> set[str]:
    """The columns of a file for which DuckDB finds `what` in the metadata."""
    rows = duckdb.sql(f"select path_in_schema from parquet_metadata('{path}') where {what} is not null")
    return {name for (name,) in rows.fetchall()}


@pytest.mark.skipif(
    "bloom_filter_options" not in inspect.signature(pq.ParquetWriter.__init__).parameters,
    reason="this pyarrow writes no bloom filters",
)
@pytest.mark.parametrize("name", RECORDS)
def test_bloom_filters_are_on_columns_that_people_look_up(name: str, tmp_path: Path) -> None:
    """uid, addresses, sites, hashes, message ids."""
    path = written(name, tmp_path / "x.parquet")
    expected = {column.name for column in TABLES[name].columns if column.looked_up}
    assert columns(path, "bloom_filter_offset") == expected
    assert "uid" in expected


@pytest.mark.parametrize("name", RECORDS)
def test_statistics_are_on_columns_that_are_searched(name: str, tmp_path: Path) -> None:
    """Minimum and maximum, where there is a value."""
    path = written(name, tmp_path / "x.parquet")
    expected = {column.name for column in TABLES[name].columns if column.searched or column.looked_up}
    found = columns(path, "coalesce(stats_min_value, stats_null_count::varchar)")
    assert expected <= found
    assert not any(column.name in found for column in TABLES[name].columns if column.name in ("text", "raw"))


def test_a_pyarrow_without_bloom_filters_writes_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option is not given to versions that do not know it."""
    monkeypatch.setattr(inspect, "signature", lambda function: SimpleNamespace(parameters={}))
    path = written("addresses", tmp_path / "x.parquet")
    assert columns(path, "bloom_filter_offset") == set()
    assert "uid" in columns(path, "stats_min_value")


def test_a_large_file_has_several_row_groups(tmp_path: Path) -> None:
    """Each of about 32 MiB, so that readers skip those without a match."""
    big = MailRecord(transfer(raw=bytes(range(256)) * 4096), mail())
    path = tmp_path / "x.parquet"
    publish(write_parquet(table_of("emails", *[big] * 160), path), path)
    found = pq.read_metadata(path)
    assert found.num_rows == 160
    assert 4 <= found.num_row_groups <= 10
