"""An Iceberg catalog says what lies in the folder: each part once, whatever happened in between."""

from __future__ import annotations

import datetime as dt
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import zeekpop3
from support.many_days import many_days
from zeekpop3.errors import OutputError, QueryError
from zeekpop3.follow.output import Output
from zeekpop3.follow.state import State
from zeekpop3.store.catalog import register
from zeekpop3.store.maintenance import merge, prune
from zeekpop3.store.parquet import part_files
from zeekpop3.tables import TABLES, schema
from zeekpop3.tables.schema import VERSION_KEY

pytest.importorskip("pyiceberg")
pytest.importorskip("sqlalchemy")

FIRST = dt.date(2024, 6, 1)
DAYS = 3


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """The mails of a log on each of three days."""
    many_days(tmp_path / "sensor 1", DAYS, FIRST)
    return tmp_path / "sensor 1"


@pytest.fixture
def catalog(tmp_path: Path) -> Any:
    """A catalog in a file, with a warehouse beside it."""
    return opened(tmp_path)


def opened(folder: Path) -> Any:
    from pyiceberg.catalog import load_catalog

    return load_catalog("test", type="sql", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"{folder}/lake")


def files(catalog: Any, name: str, namespace: str = "zeekpop3") -> list[str]:
    """The paths of a table's files, sorted; those registered twice are there twice."""
    scan = catalog.load_table(f"{namespace}.{name}").scan()
    return sorted(task.file.file_path.removeprefix("file://") for task in scan.plan_files())


def in_folder(folder: Path, name: str) -> list[str]:
    """The parts that hold rows."""
    return [str(part) for part in part_files(folder / name) if pq.read_metadata(part).num_rows]


def is_right(catalog: Any, folder: Path) -> None:
    """Each part once in each table."""
    for name in TABLES:
        assert files(catalog, name) == in_folder(folder, name)


def test_a_query_equals_that_over_the_folder(tables: Path, catalog: Any) -> None:
    """All rows and columns of all tables, as DuckDB reads them; `day` is derived."""
    added, removed = register(tables, catalog)
    assert not removed
    assert len(added) == sum(len(in_folder(tables, name)) for name in TABLES) > len(TABLES)
    for name in TABLES:
        there = catalog.load_table(f"zeekpop3.{name}").scan().to_arrow()
        parts = f"{tables}/{name}/*/*.parquet"
        here = duckdb.sql(f"select * exclude day from read_parquet('{parts}', union_by_name=true)")
        assert there.column_names == here.columns == schema(name).names
        assert duckdb.sql("from there").fetchall() == here.fetchall()
        assert there.num_rows or name in ("members", "hits", "attachments", "enclosed", "links")
    wanted = "ts >= '2024-06-02T00:00:00+00:00' and ts < '2024-06-03T00:00:00+00:00'"
    emails = catalog.load_table("zeekpop3.emails")
    assert len(list(emails.scan(row_filter=wanted).plan_files())) == 1  # the others are not opened
    assert emails.schema().find_field("uid").doc.startswith("Zeek's identifier")


def test_a_second_run_adds_nothing(tables: Path, catalog: Any, tmp_path: Path) -> None:
    """Not even a file of the catalog."""
    register(tables, catalog)
    before = sorted((tmp_path / "lake").rglob("*"))
    assert register(tables, catalog) == ([], [])
    assert sorted((tmp_path / "lake").rglob("*")) == before
    is_right(catalog, tables)


@pytest.mark.parametrize("fails_at", [3, 5])
@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after it"])
def test_an_interrupted_run_is_finished_by_the_next(
    tables: Path, catalog: Any, monkeypatch: pytest.MonkeyPatch, fails_at: int, committed: bool
) -> None:
    """Killed at the commit of any table: the next run registers the rest, and nothing twice."""
    count = 0
    commit = type(catalog).commit_table

    def killed(*arguments: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count == fails_at and not committed:
            raise KeyboardInterrupt
        done = commit(*arguments, **more)
        if count == fails_at:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(type(catalog), "commit_table", killed)
    with pytest.raises(KeyboardInterrupt):
        register(tables, catalog)
    monkeypatch.undo()
    register(tables, catalog)
    is_right(catalog, tables)


def test_days_that_are_not_over_wait(tables: Path, catalog: Any) -> None:
    """The default is the present day; the rest of a day that is known is added in any case."""
    added, _ = register(tables, catalog, until="2024-06-03T23:59")
    assert {Path(path).parent.name for path in added} == {"day=2024-06-01", "day=2024-06-02"}
    late = tables / "emails" / "day=2024-06-02" / "part-new-000000.parquet"
    shutil.copy(part_files(tables / "emails")[1], late)
    today = tables / "emails" / f"day={dt.datetime.now(dt.UTC).date()}"
    today.mkdir()
    shutil.copy(part_files(tables / "emails")[0], today)
    assert register(tables, catalog, until="2024-06-01").added == [f"file://{late}"]
    register(tables, catalog)
    assert not [path for path in files(catalog, "emails") if today.name in path]
    assert len(files(catalog, "emails")) == DAYS + 1


def test_what_prune_removed_is_taken_out(tables: Path, catalog: Any) -> None:
    """Of all tables; and the rows of the other days stay."""
    register(tables, catalog)
    prune(tables, 1, dt.datetime(2024, 6, 3, tzinfo=dt.UTC))
    added, removed = register(tables, catalog)
    assert not added
    assert removed
    assert {Path(path).parent.name for path in removed} == {"day=2024-06-01"}
    is_right(catalog, tables)
    assert catalog.load_table("zeekpop3.emails").scan().to_arrow().num_rows == DAYS - 1


def test_parts_that_were_merged_are_exchanged_in_one_commit(tables: Path, catalog: Any) -> None:
    """A reader of the catalog sees neither rows twice nor none."""
    for number in (1, 2):
        first = part_files(tables / "emails")[0]
        shutil.copy(first, first.with_name(f"part-{number}.parquet"))
    register(tables, catalog)
    history = len(catalog.load_table("zeekpop3.emails").history())
    output = Output(tables)
    swaps = list(merge(tables, output.merged, today="2024-07-01", stem="part-merged", prefix="part", done={}))
    output.settle(State("", swaps=swaps))
    output.close()
    added, removed = register(tables, catalog)
    assert (len(added), len(removed)) == (1, 3)
    is_right(catalog, tables)
    table = catalog.load_table("zeekpop3.emails")
    assert table.scan().to_arrow().num_rows == DAYS + 2
    # The first of the two snapshots was never the table's present one.
    assert len(table.metadata.metadata_log) and len(table.history()) - history <= 2


def test_two_at_once(tables: Path, tmp_path: Path) -> None:
    """Cron starts the next run while one goes on: each part once."""
    catalogs = [opened(tmp_path) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda catalog: register(tables, catalog), catalogs))
    assert sorted(bool(each.added) for each in done) == [False, True]
    is_right(opened(tmp_path), tables)


def test_several_sensors_share_a_catalog(tables: Path, tmp_path: Path, catalog: Any) -> None:
    """What one of them removes touches no file of the other."""
    south = tmp_path / "sensor 10"  # a name that begins with the other's
    many_days(south, 1, FIRST)
    register(tables, catalog)
    assert not register(south, catalog).removed
    prune(tables, 0, dt.datetime(2024, 7, 1, tzinfo=dt.UTC))
    assert not register(tables, catalog).added
    assert files(catalog, "emails") == in_folder(south, "emails")


def test_a_copy_elsewhere(tables: Path, tmp_path: Path, catalog: Any) -> None:
    """The folder is listed here; readers find the files at `location`."""
    copy = shutil.copytree(tables, tmp_path / "bucket")
    register(tables, catalog, namespace="mail", location=f"file://{copy}/")
    shutil.rmtree(tables / "emails" / "day=2024-06-01")
    assert files(catalog, "emails", "mail") == in_folder(copy, "emails")
    assert len(register(tables, catalog, namespace="mail", location=f"file://{copy}").removed) == 1
    assert len(files(catalog, "emails", "mail")) == DAYS - 1


def test_older_tables_and_catalogs(tables: Path, catalog: Any, fixtures: Path, tmp_path: Path) -> None:
    """Parts of version 2 lack columns; a table of the catalog from an older version gets the new ones."""
    columns = schema("emails")
    catalog.create_namespace("zeekpop3")
    catalog.create_table(
        "zeekpop3.emails", pa.schema([columns.field(name) for name in ("ts", "uid", "user")])
    )
    old = shutil.copytree(fixtures / "tables-2" / "batch", tmp_path / "old")
    register(old, catalog, until="2027-01-01")
    register(tables, catalog)
    emails = catalog.load_table("zeekpop3.emails").scan().to_arrow()
    assert sorted(emails.column_names) == sorted(columns.names)
    count = zeekpop3.read(old, "emails", columns=["uid"]).shape[0]
    assert emails.num_rows == count + DAYS
    assert emails["mail_id"].null_count == count
    assert len(files(catalog, "emails")) == len(in_folder(old, "emails")) + DAYS


def test_nothing_is_taken_out_if_the_folder_is_not_there(tables: Path, tmp_path: Path, catalog: Any) -> None:
    """A disk that is not mounted is not a prune."""
    register(tables, catalog)
    moved = tables.rename(tmp_path / "elsewhere")
    with pytest.raises(QueryError, match="no such folder"):
        register(tables, catalog)
    tables.mkdir()
    with pytest.raises(QueryError, match="no tables found"):
        register(tables, catalog)
    tables.rmdir()
    moved.rename(tables)
    is_right(catalog, tables)


def test_a_newer_version_is_refused(tables: Path, catalog: Any) -> None:
    """As by every command that reads."""
    part = part_files(tables / "emails")[0]
    table = pq.ParquetFile(part).read()
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: b"99"}), part)
    with pytest.raises(QueryError, match="newer zeekpop3"):
        register(tables, catalog)


def test_a_broken_part_is_named_and_the_rest_waits(tables: Path, catalog: Any) -> None:
    """One line that names the file; after its removal the next run goes on."""
    part = part_files(tables / "addresses")[0]
    part.write_bytes(b"not Parquet")
    with pytest.raises(QueryError, match=str(part)):
        register(tables, catalog)
    part.unlink()
    register(tables, catalog)
    is_right(catalog, tables)


def test_a_catalog_that_does_not_work(tables: Path, catalog: Any, tmp_path: Path) -> None:
    """Its error is one line of ours."""
    (tmp_path / "catalog.db").write_bytes(b"not a database" * 100)
    with pytest.raises(
        OutputError, match=r"zeekpop3.emails: the catalog cannot be changed: .*not a database"
    ):
        register(tables, catalog)


def test_no_content_is_in_the_catalog(tables: Path, catalog: Any, tmp_path: Path) -> None:
    """Manifests outlast what `prune` removes: they hold times, but no users, addresses or texts."""
    register(tables, catalog)
    (user,) = set(zeekpop3.read(tables, "emails", columns=["user"]).user)
    assert user
    for file in catalog.load_table("zeekpop3.emails").inspect.files().to_pylist():
        bounds = dict(file["lower_bounds"] or {})
        assert set(bounds) == {1}  # `ts`
    written = [path for path in (tmp_path / "lake").rglob("*") if path.suffix in (".avro", ".json")]
    assert written
    assert not [path for path in written if user.encode() in path.read_bytes()]
