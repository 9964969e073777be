"""The tables by Spark are the tables by `run`: schemas and rows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.commands import read_by, takes_tables
from support.spool import sessions, write
from zeekpop3.errors import LogError, UsageError
from zeekpop3.pipeline.run import run
from zeekpop3.pipeline.settings import Settings
from zeekpop3.tables import TABLES, Privacy, schema

pytestmark = pytest.mark.slow

KEYS = {name: [(column, "ascending") for column in table.key] for name, table in TABLES.items()}


def by_run(out: Path, name: str) -> pa.Table:
    """A table as `run` wrote it, by its key, in the types that Spark has."""
    from zeekpop3.spark.tables import spark_schema

    parts = [pq.read_table(path, partitioning=None) for path in sorted((out / name).rglob("*.parquet"))]
    return pa.concat_tables(parts).cast(spark_schema(name)).sort_by(KEYS[name])


def assert_same(found: pa.Table, expected: pa.Table, name: str) -> None:
    order = [(column, "ascending") for column, _ in KEYS[name] if column in found.column_names]
    found, expected = found.sort_by(order), expected.sort_by(order)
    assert found.column_names == expected.column_names
    for column in expected.column_names:
        assert found[column].to_pylist() == expected[column].to_pylist(), f"{name}.{column}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with logs of both forms, rotated in the middle, and their tables by `run` beside it."""
    base = tmp_path_factory.mktemp("spark")
    day = base / "logs" / "2024-01-01"
    day.mkdir(parents=True)
    exact, plain = sessions(10, exact=True), sessions(10, exact=False, seed=1)
    plain = [line.replace(line.split(b"\t")[1], b"P" + line.split(b"\t")[1][1:]) for line in plain]
    write(day / "pop3_events.00:00:00-01:00:00.log", exact[: len(exact) // 2])
    write(day / "pop3_events.01:00:00-02:00:00.log", exact[len(exact) // 2 :])
    write(base / "logs" / "pop3_events.log", plain)
    (day / "conn.log").write_text("#fields\tts\n1\n")
    run([base / "logs"], base / "tables", jobs=1)
    return base


@pytest.mark.parametrize("form", ["exact", "plain"])
def test_every_fixture(spark: Any, fixtures: Path, tmp_path: Path, form: str) -> None:
    """The logs of all fixtures of a form, read at once, give the rows that `run` gives."""
    from zeekpop3.spark import read_tables

    logs = sorted((fixtures / "logs").glob(f"*.{form}.log*"))
    assert logs
    for log in logs:
        shutil.copy(log, tmp_path / f"pop3_events.{log.name}")
    run([tmp_path], tmp_path / "out", jobs=1)
    tables = read_tables(spark, str(tmp_path / "pop3_events.*"))
    for name in TABLES.keys() - {"inputs"}:
        assert_same(tables[name].toArrow(), by_run(tmp_path / "out", name), name)
    told = ["file", "rows", "version"]
    found, expected = tables["inputs"].toArrow(), by_run(tmp_path / "out", "inputs")
    assert_same(found.select(told), expected.select(told), "inputs")
    assert set(found["command"].to_pylist()) == {"spark"}
    tables["all"].unpersist()


def test_one_table_alone(spark: Any, made: Path) -> None:
    """Each reader gives its table: a folder with Zeek's other logs in it, a file, or a glob."""
    from zeekpop3.spark import read_attachments, read_commands, read_emails, read_sessions

    logs = str(made / "logs")
    several = [f"{logs}/pop3_events.log", f"{logs}/2024-*/pop3*"]
    assert_same(read_emails(spark, logs).toArrow(), by_run(made / "tables", "emails"), "emails")
    assert_same(read_sessions(spark, several).toArrow(), by_run(made / "tables", "sessions"), "sessions")
    assert_same(read_commands(spark, several).toArrow(), by_run(made / "tables", "commands"), "commands")
    found = read_attachments(spark, [logs], settings=Settings(attachment_content=True))
    assert found.count() == by_run(made / "tables", "attachments").num_rows


def test_columns_say_what_they_are(spark: Any, made: Path) -> None:
    """Types are those of `run` (ports as int: Spark has no unsigned), descriptions are comments."""
    from zeekpop3.spark import read_emails

    fields = {field.name: field for field in read_emails(spark, str(made / "logs")).schema}
    assert list(fields) == schema("emails").names
    assert (
        fields["subject"].metadata["comment"]
        == schema("emails").field("subject").metadata[b"description"].decode()
    )
    assert fields["ts"].dataType.simpleString() == "timestamp"
    assert fields["id_orig_p"].dataType.simpleString() == "int"
    assert fields["headers"].dataType.simpleString() == "array<struct<name:string,value:string>>"


def test_writes_partitioned_tables(spark: Any, made: Path, tmp_path: Path) -> None:
    """The tables written are read back by pandas like those of `run`, day by day in UTC, empty ones too."""
    from pyspark.errors import AnalysisException

    from zeekpop3.spark import write_tables

    out = tmp_path / "out"
    counts = write_tables(spark, str(made / "logs"), str(out))
    for name in TABLES:
        found = pd.read_parquet(out / name)
        expected = pd.read_parquet(made / "tables" / name)
        assert len(found) == len(expected) == counts[name]
        assert sorted(found.columns) == sorted(expected.columns)
        assert sorted(found["day"].astype(str)) == sorted(expected["day"].astype(str))
        key = [column for column, _ in KEYS[name]]
        pd.testing.assert_series_equal(
            found.sort_values(key)["ts"], expected.sort_values(key)["ts"], check_index=False
        )
    modes = {path.stat().st_mode & 0o777 for path in out.rglob("*.parquet")}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_dir()} == {0o700}
    mail = pd.read_parquet(out / "emails").iloc[0]
    for command in takes_tables():
        done = read_by(command, out, f"{mail['uid']}/{mail['trans_depth']}", tmp_path)
        assert done.returncode == 0, done.stderr
    with pytest.raises(AnalysisException):
        write_tables(spark, str(made / "logs"), str(out))
    assert write_tables(spark, str(made / "logs"), str(out), mode="overwrite") == counts
    assert len(pd.read_parquet(out / "emails")) == counts["emails"]


def test_small_logs_make_few_files(spark: Any, made: Path, tmp_path: Path) -> None:
    """However many partitions Spark shuffles into, a little data is a file a day; settings are put back."""
    from zeekpop3.spark import write_tables

    names = ("spark.sql.shuffle.partitions", "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning")
    before = {name: spark.conf.get(name) for name in names}
    spark.conf.set(names[0], "20")
    try:
        write_tables(spark, str(made / "logs"), str(tmp_path / "out"))
        assert spark.conf.get(names[1]) == before[names[1]]
    finally:
        spark.conf.set(names[0], before[names[0]])
    days = {path.parent for path in (tmp_path / "out" / "commands").rglob("*.parquet")}
    assert len(list((tmp_path / "out" / "commands").rglob("*.parquet"))) == len(days)


def test_privacy_holds(spark: Any, made: Path) -> None:
    """What a site leaves out of its tables Spark leaves out as well."""
    from zeekpop3.spark import read_emails

    emails = read_emails(
        spark, str(made / "logs"), settings=Settings(privacy=Privacy(keep_body=False, hash_key=b"k"))
    )
    assert emails.where("raw is not null or text is not null or html is not null").count() == 0
    assert emails.where("user rlike '^user[0-9]+$'").count() == 0


def test_an_unknown_mode_is_refused_at_once(tmp_path: Path) -> None:
    """Not after all logs have been read: there is not even a session here."""
    from zeekpop3.spark import write_tables

    with pytest.raises(UsageError, match="unknown mode 'ad'"):
        write_tables(None, str(tmp_path), str(tmp_path / "out"), mode="ad")  # type: ignore[arg-type]


def test_invalid_rows_are_skipped(spark: Any, tmp_path: Path) -> None:
    """Rows cut short, with odd numbers or quotes: the same tables as by `run`."""
    from zeekpop3.spark import read_tables

    lines = sessions(6, exact=True)
    for number, line in ((5, b"1.5\tCx\n"), (40, lines[40].replace(b"\tsent\t", b"\t\x22sent\t"))):
        lines.insert(number, line)
    lines[60] = lines[60].replace(b"\t", b"\tx\t", 1)
    cells = lines[80].split(b"\t")
    cells[6] = b"-7"
    lines[80] = b"\t".join(cells)
    log = write(tmp_path / "x.log", lines)
    assert run([log], tmp_path / "out", jobs=1).problems
    tables = read_tables(spark, str(log))
    for name in TABLES.keys() - {"inputs"}:
        assert_same(tables[name].toArrow(), by_run(tmp_path / "out", name), name)
    tables["all"].unpersist()


def test_files_that_are_not_event_logs_are_reported(spark: Any, made: Path, tmp_path: Path) -> None:
    """A file of something else goes to `on_error` and is left out, or raises; a path to nothing raises."""
    from zeekpop3.spark import read_sessions

    good = str(made / "logs" / "pop3_events.log")
    (tmp_path / "pop3_events.json.log").write_text('{"ts":1}\n')
    told: list[LogError] = []
    found = read_sessions(spark, [good, str(tmp_path)], on_error=told.append)
    assert found.count() == 10
    assert len(told) == 1
    for path in (tmp_path, tmp_path / "none", made / "logs" / "2024-01-01" / "conn.log"):
        with pytest.raises(LogError):
            read_sessions(spark, str(path))


def test_as_a_program(spark: Any, made: Path, tmp_path: Path) -> None:
    """`python -m zeekpop3.spark LOG --out DIR` writes the tables and says how many rows."""
    spark.stop()  # two JVMs at once are too many for a small machine
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "zeekpop3.spark",
            str(made / "logs"),
            "--out",
            str(tmp_path / "o"),
            "--master",
            "local[1]",
            "--sensor",
            "dmz-1",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "20 sessions" in done.stderr
    found = pd.read_parquet(tmp_path / "o" / "sessions")
    assert len(found) == 20
    assert set(found["sensor"]) == {"dmz-1"}
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "o").rglob("*")} == {0}
