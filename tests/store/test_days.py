"""A query of one day costs one day, however many there are: parts of other days are not opened."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

import zeekpop3
from support.many_days import LOG, many_days
from support.program import program
from zeekpop3.errors import OutputError, QueryError
from zeekpop3.store.dataset import connect
from zeekpop3.store.filters import Filters
from zeekpop3.store.parquet import PartWriter
from zeekpop3.store.read import read_table, rows, uids_present
from zeekpop3.store.write import TableWriter
from zeekpop3.tables import TABLES, schema

DAYS = 9
FIRST = dt.date(2020, 1, 1)
ONE = "2020-01-05"
UNTIL = "2020-01-05T23:59:59.999999"
SPAN = Filters(since=ONE, until=UNTIL)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Tables whose parts are unreadable, except those of one day and of the newest."""
    out = tmp_path / "out"
    many_days(out, DAYS, FIRST)
    kept = {f"day={ONE}", f"day={FIRST + dt.timedelta(days=DAYS - 1)}"}
    broken = [part for part in out.glob("*/day=*/*.parquet") if part.parent.name not in kept]
    assert len(broken) == (DAYS - 2) * len(TABLES)
    for part in broken:
        part.write_bytes(b"not Parquet")
    return out


def test_the_other_days_are_seen_at_all(damaged: Path) -> None:
    """Without a filter the damage shows: the tests below could fail."""
    with pytest.raises(QueryError, match="cannot be read"):
        zeekpop3.read(damaged, "emails")


@pytest.mark.parametrize("name", TABLES)
def test_read(damaged: Path, name: str) -> None:
    """Of each table, by whole days, or by a time alone."""
    assert set(read_table(damaged, name, ["day"], SPAN)["day"].to_pylist()) <= {dt.date(2020, 1, 5)}  # type: ignore[arg-type]


def test_rows_and_commands(damaged: Path) -> None:
    """Row by row, and by commands."""
    assert len(list(rows(damaged, "emails", ["uid"], SPAN))) == 1
    for command in (["show"], ["export", "--as", "json"], ["sql"]):
        span = ["--since", ONE, "--until", UNTIL]
        if command == ["sql"]:
            span = [f"select count(*) from emails where ts between '{ONE}' and '{UNTIL}'"]
        done = program(command[0], damaged, *command[1:], *span)
        assert done.returncode == 0, (command, done.stderr)


def test_newest_first(damaged: Path) -> None:
    """The newest mails need the newest day alone."""
    newest = read_table(damaged, "emails", ["day"], limit=1, newest_first=True)
    assert newest["day"].to_pylist() == [FIRST + dt.timedelta(days=DAYS - 1)]


@pytest.mark.parametrize(
    "where",
    [f"day = '{ONE}'", f"ts >= '{ONE}' and ts < '2020-01-06'", f"day = '{ONE}' and ts is not null"],
)
def test_sql(damaged: Path, where: str) -> None:
    """A condition on the day or on the time is enough, in any statement."""
    with connect(damaged) as connection:
        for name in TABLES:
            connection.execute(f"select count(*), count(distinct day) from {name} where {where}").fetchall()
        assert connection.execute(f"select count(*) from emails where {where}").fetchall() == [(1,)]


def test_append(damaged: Path) -> None:
    """To append, only the newest parts are checked; a log that is there already is found by its day."""
    uid = zeekpop3.read(damaged, "sessions", since=ONE, until=UNTIL)["uid"][0]
    on_day = int(dt.datetime.fromisoformat(f"{ONE}T12:00:00+00:00").timestamp() * 1e6)
    assert uids_present(damaged, "sessions", [uid, "Cother"], at=[on_day]) == {uid}
    assert uids_present(damaged, "sessions", ["Cother"], at=[on_day]) == set()
    zeekpop3.run([LOG], damaged, mode="append", jobs=1)
    with pytest.raises(OutputError, match="already contains this log"):
        zeekpop3.run([LOG], damaged, mode="append", jobs=1)


def test_a_damaged_newest_part_is_refused(damaged: Path) -> None:
    """It would be appended to."""
    for part in (damaged / "links").glob("day=2020-01-09/*.parquet"):
        part.write_bytes(b"not Parquet")
    with pytest.raises(OutputError, match="not a readable Parquet file"):
        TableWriter(damaged, "append")


def test_a_folder_that_is_not_a_day(damaged: Path) -> None:
    """One line says what was expected."""
    (damaged / "emails" / "day=yesterday").mkdir()
    (damaged / "emails" / "day=yesterday" / "x.parquet").write_bytes(b"")
    with pytest.raises(QueryError, match=r"day=yesterday: not the folder of a day; expected day=YYYY-MM-DD"):
        zeekpop3.read(damaged, "emails")


def test_times_at_the_ends_of_the_calendar(tmp_path: Path) -> None:
    """The first and the last day hold what lies beyond them, and no time; filters find each."""
    far = 2**62
    times = [None, -far, far, 1_577_836_800_000_000]
    table = schema("commands").empty_table()
    columns = {name: [None] * len(times) for name in table.column_names}
    rows = pa.table({**columns, "ts": times, "uid": ["none", "early", "late", "2020"]}, schema=table.schema)
    PartWriter(tmp_path).write("commands", rows, 0)
    assert sorted(read_table(tmp_path, "commands", ["uid"])["uid"].to_pylist()) == [
        "2020",
        "early",
        "late",
        "none",
    ]
    for filters, found in (
        (Filters(since="2019-01-01", until="2021-01-01"), {"2020"}),
        (Filters(since="2021-01-01"), {"late"}),
        (Filters(until="2019-01-01"), {"early"}),
    ):
        assert set(read_table(tmp_path, "commands", ["uid"], filters)["uid"].to_pylist()) == found
    with connect(tmp_path) as connection:
        found_by = "select uid from commands where ts is null"
        assert connection.execute(found_by).fetchall() == [("none",)]
