"""Tables of an older version are read and continued by everything; those of a newer one are refused."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import zeekpop3
from support.commands import COMMANDS, read_by, takes_tables
from support.program import program
from zeekpop3.errors import OutputError
from zeekpop3.store.maintenance import merge
from zeekpop3.store.read import read, read_table
from zeekpop3.store.write import TableWriter
from zeekpop3.tables import SCHEMA_VERSION, TABLES, schema

OLD = ("batch", "followed")
#: A mail of each, and a log of the same day.
MAILS = {"batch": "C2vztpIm1gCKm8uyl/1", "followed": "Ch2GpA1To5XMBefLAi/1"}
LOGS = {"batch": "article.exact.log", "followed": "rotated.exact"}


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, fixtures: Path, tmp_path: Path) -> Path:
    """Tables that version 2 wrote, by `run` or by `follow`."""
    return Path(shutil.copytree(fixtures / "tables-2" / request.param, tmp_path / request.param))


def mail_in(tables: Path) -> str:
    return MAILS[tables.name]


def new_columns(tables: Path, name: str) -> set[str]:
    """The columns that these tables lack."""
    part = next((tables / name).rglob("*.parquet"))
    return set(schema(name).names) - set(pq.read_schema(part).names)


def test_all_commands_are_tested() -> None:
    """A new command that reads tables is added to the list."""
    assert takes_tables() <= set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_reads_an_older_version(old: Path, command: str, tmp_path: Path) -> None:
    """Exit code 0, and no error on stderr."""
    if command not in takes_tables():
        pytest.skip("no such command yet")
    done = read_by(command, old, mail_in(old), tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.slow
def test_ready_queries_read_an_older_version(old: Path) -> None:
    """Those that need no Zeek log."""
    from zeekpop3.views.queries import READY_QUERIES

    for name, query in READY_QUERIES.items():
        if not query.required and not query.either:
            done = program("sql", old, "--query", name)
            assert done.returncode == 0, (name, done.stderr)


@pytest.mark.parametrize("name", TABLES)
def test_missing_columns_are_null_and_missing_tables_empty(old: Path, name: str) -> None:
    """In the present schema; what was there is there."""
    table = read_table(old, name)
    assert table.schema.names == schema(name).names
    if not (old / name).is_dir():
        assert table.num_rows == 0
        return
    parts = [pq.ParquetFile(path).read() for path in sorted((old / name).rglob("*.parquet"))]
    written = pa.concat_tables(parts).sort_by([(key, "ascending") for key in TABLES[name].key])
    found = table.sort_by([(key, "ascending") for key in TABLES[name].key])
    for column in found.column_names:
        if column in written.column_names:
            before = written[column].to_pylist()
            assert _as_in(before, found[column].to_pylist()) == before, column
        else:
            assert found[column].null_count == found.num_rows, column


def _as_in(before: Any, now: Any) -> Any:
    """A value of now, without the fields of structs that there were not before; these are null."""
    if isinstance(before, list) and before and now is not None:
        return [_as_in(*each) for each in zip(before, now, strict=True)]
    if isinstance(before, dict) and now is not None:
        assert all(value is None for name, value in now.items() if name not in before)
        return {name: _as_in(value, now[name]) for name, value in before.items()}
    return now


def test_run_appends_to_an_older_version(old: Path, fixtures: Path) -> None:
    """Missing tables are created; old and new rows are read together, by us and by DuckDB."""
    before, added = len(zeekpop3.read_emails(old)), new_columns(old, "emails")
    assert added
    done = program("run", fixtures / "logs" / "apop.exact.log", "--out", old, "--append", "--sensor", "s1")
    assert done.returncode == 0, done.stderr
    mails = zeekpop3.read_emails(old)
    new = mails["sensor"] == "s1"
    assert len(mails) == before + new.sum() and new.sum() > 0
    assert mails[~new][sorted(added)].isna().all(axis=None)
    assert {path.parent.name for path in old.glob("*/day=*")} == set(TABLES)
    glob = f"{old}/emails/*/*.parquet"
    found = duckdb.sql(f"select count(*), count(sensor) from read_parquet('{glob}', union_by_name = true)")
    assert found.fetchall() == [(len(mails), new.sum())]


def test_follow_continues_an_older_version(fixtures: Path, tmp_path: Path) -> None:
    """The mails that version 2 wrote are not written again, and what is new has all columns."""
    out = Path(shutil.copytree(fixtures / "tables-2" / "followed", tmp_path / "followed"))
    added, before = new_columns(out, "emails"), zeekpop3.read_emails(out)
    spool = tmp_path / "spool"
    spool.mkdir()
    shutil.copytree(fixtures / "logs" / "rotated.exact", spool / "archive")
    shutil.copy(fixtures / "logs" / "apop.exact.log", spool / "pop3_events.2.log")
    done = program("follow", spool, "--out", out, "--once")
    assert done.returncode == 0, done.stderr
    mails = zeekpop3.read_emails(out)
    assert not mails.duplicated(["uid", "trans_depth"]).any()
    old = mails["uid"].isin(before["uid"])
    assert old.sum() == len(before) < len(mails)
    assert mails[old][sorted(added)].isna().all(axis=None)


def test_parts_of_mixed_versions_are_merged(old: Path, fixtures: Path, tmp_path: Path) -> None:
    """The merged part has the present version, and the same rows."""
    program("run", fixtures / "logs" / LOGS[old.name], "--out", old, "--append", "--force", "--sensor", "x")
    order = [(key, "ascending") for key in ("uid", "trans_depth", "sensor")]
    before = read_table(old, "emails").sort_by(order)
    merged = []
    staging = tmp_path / "staging"
    for swap in merge(old, staging, today="2999-01-01", stem="part-m", prefix="part-", done={}):
        if swap.folder.startswith("emails/"):
            for name in swap.replaces:
                (old / swap.folder / name).unlink()
            merged += [shutil.copy(staging / swap.folder / name, old / swap.folder) for name in swap.parts]
    assert merged
    versions = {pq.read_schema(path).metadata[b"zeekpop3.schema_version"] for path in merged}
    assert versions == {str(SCHEMA_VERSION).encode()}
    after = read_table(old, "emails").sort_by(order)
    assert after.equals(before)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_newer_version_is_refused(old: Path, command: str, tmp_path: Path) -> None:
    """With one line that says what to do."""
    if command not in takes_tables() - {"prune"}:  # prune reads no file
        return
    path = next((old / "emails").rglob("*.parquet"))
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.replace_schema_metadata({b"zeekpop3.schema_version": b"99"}), path)
    done = read_by(command, old, mail_in(old), tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1
    assert "written by a newer zeekpop3 (schema version 99" in done.stderr


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_version_1_is_refused(old: Path, command: str, tmp_path: Path) -> None:
    """Tables of 0.1 get one line that says what to do; so they do when a run would append to them."""
    path = next((old / "emails").rglob("*.parquet"))
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.replace_schema_metadata({b"zeekpop3.schema_version": b"1"}), path)
    line = "written by zeekpop3 0.1 (schema version 1), which is no longer read; make the tables again"
    if command in takes_tables() - {"prune"}:
        done = read_by(command, old, mail_in(old), tmp_path)
        assert (done.returncode, done.stderr.count("\n"), line in done.stderr) == (1, 1, True), done.stderr
    with pytest.raises(OutputError, match=re.escape(line)):
        TableWriter(old, "append")


def test_a_file_of_another_writer_is_read_by_its_columns(tmp_path: Path) -> None:
    """Spark's files have no version; what they lack is null."""
    folder = tmp_path / "emails" / "day=2024-06-24"
    folder.mkdir(parents=True)
    ts = dt.datetime(2024, 6, 24, tzinfo=dt.UTC)
    rows = pa.table({"ts": pa.array([ts], pa.timestamp("us", "UTC")), "uid": ["C1"], "id_resp_p": [110]})
    pq.write_table(rows, folder / "x.parquet")
    found = read(tmp_path, "emails", columns=["uid", "id_resp_p", "from_site", "day"])
    assert found.astype(object).where(found.notna(), None).values.tolist() == [["C1", 110, None, ts.date()]]
