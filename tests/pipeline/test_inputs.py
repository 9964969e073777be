"""The table `inputs`: what was read, so that somebody else can find the files again."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest

import golden
import zeekpop3
from support.growing import lines_of, sessions
from support.program import program
from support.spool import write
from zeekpop3.follow import Follower
from zeekpop3.pipeline import run as module
from zeekpop3.pipeline.settings import Settings
from zeekpop3.store.read import read_table
from zeekpop3.tables import Privacy


def inputs(out: Path) -> list[dict[str, Any]]:
    return read_table(out, "inputs").to_pylist()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> list[Path]:
    """Two logs as Zeek archives them, one compressed, and one that is written."""
    day = tmp_path / "logs" / "2024-01-01"
    day.mkdir(parents=True)
    lines = lines_of(sessions(9))
    third = len(lines) // 3
    first = write(day / "pop3_events.00:00:00-01:00:00.log.gz", lines[:third])
    first.write_bytes(gzip.compress(first.read_bytes(), mtime=0))
    second = write(day / "pop3_events.01:00:00-02:00:00.log", lines[third : 2 * third])
    last = write(tmp_path / "logs" / "pop3_events.log", lines[2 * third :])
    return [first, second, last]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_row_for_each_log(
    archive: list[Path], tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names as in the archive, the hash of `sha256sum`, the number of rows; the same with any tasks."""
    monkeypatch.setattr(module, "TASK_BYTES", 20_000)
    counts = zeekpop3.run([tmp_path / "logs"], tmp_path / "out", jobs=jobs)
    rows = inputs(tmp_path / "out")
    assert [row["file"] for row in rows] == [
        "2024-01-01/pop3_events.00:00:00-01:00:00.log.gz",
        "2024-01-01/pop3_events.01:00:00-02:00:00.log",
        "pop3_events.log",
    ]
    assert [row["sha256"] for row in rows] == [sha256(path) for path in archive]
    assert sum(row["rows"] for row in rows) == counts.rows
    assert {row["version"] for row in rows} == {zeekpop3.__version__}
    assert {row["command"] for row in rows} == {"run"}
    assert dt.datetime.now(dt.UTC) - rows[0]["read_at"] < dt.timedelta(minutes=10)
    named = set(read_table(tmp_path / "out", "emails", ["log"])["log"].to_pylist())
    assert named <= {row["file"] for row in rows}


def test_damage_does_not_change_the_hash(archive: list[Path], tmp_path: Path) -> None:
    """It is that of the whole file, also behind the place where reading ended."""
    damaged = archive[0]
    damaged.write_bytes(damaged.read_bytes() + b"garbage" * 99)
    told: list[Exception] = []
    zeekpop3.run(damaged, tmp_path / "out", on_error=told.append)
    (row,) = inputs(tmp_path / "out")
    assert told and row["sha256"] == sha256(damaged)


def test_the_first_row_stays_when_a_log_is_renamed(archive: list[Path], tmp_path: Path) -> None:
    """So a log that was followed, and one that was read from the archive, are known to be the same."""
    zeekpop3.run(archive[0], tmp_path / "one")
    plain = tmp_path / "x.log"
    plain.write_bytes(gzip.decompress(archive[0].read_bytes()))
    with Follower([plain], tmp_path / "two") as follower:
        follower.once()
    ((one,), (two,)) = inputs(tmp_path / "one"), inputs(tmp_path / "two")
    assert one["first_row"] == two["first_row"] is not None
    assert (two["sha256"], two["rows"], two["command"]) == (None, None, "follow")
    assert one["ts"] == two["ts"]


def test_a_follower_enters_a_log_once(archive: list[Path], tmp_path: Path) -> None:
    """Over restarts, when it grows, when it is renamed and compressed, and when the state is lost."""
    whole = archive[1].read_bytes()
    lines = whole.splitlines(keepends=True)
    archive[1].write_bytes(b"".join(lines[:-20]))
    for step in range(4):
        if step == 1:
            archive[1].write_bytes(whole)
        if step == 2:
            packed = archive[1].with_name(archive[1].name + ".gz")
            packed.write_bytes(gzip.compress(whole))
            archive[1].unlink()
        if step == 3:
            next((tmp_path / "out").rglob("state.json")).unlink()
        with Follower([tmp_path / "logs"], tmp_path / "out") as follower:
            follower.once()
        rows = inputs(tmp_path / "out")
        assert len({row["first_row"] for row in rows}) == len(rows) == 3, step


def test_no_secret_and_no_folder(archive: list[Path], tmp_path: Path) -> None:
    """Neither the key nor a path is in the table; with a key, nor the name that a person gave a file."""
    private = tmp_path / "case-lisi" / "lisi.log"
    private.parent.mkdir()
    private.write_bytes(archive[1].read_bytes())
    settings = Settings(Privacy(keep_raw=False, hash_key=b"S3cret"), max_message=32 << 20)
    zeekpop3.run([private, archive[2]], tmp_path / "out", settings=settings)
    assert [row["file"] for row in inputs(tmp_path / "out")] == [None, "pop3_events.log"]
    assert {row["command"] for row in inputs(tmp_path / "out")} == {
        "run --no-raw --hash-users --max-message 32"
    }
    assert set(read_table(tmp_path / "out", "emails", ["log"])["log"].to_pylist()) <= {
        None,
        "pop3_events.log",
    }
    assert not any(word in repr(inputs(tmp_path / "out")) for word in ("S3cret", "lisi", str(tmp_path)))


def test_mails_from_files(tmp_path: Path) -> None:
    """`import` names the file, and counts its mails."""
    box = tmp_path / "spool" / "x.mbox"
    box.parent.mkdir()
    box.write_bytes(
        b"From a Mon Jun 24 12:00:00 2024\nSubject: a\n\nx\n\nFrom a Mon Jun 24 12:00:01 2024\n\ny\n\n"
    )
    zeekpop3.import_mails(box, tmp_path / "out")
    (row,) = inputs(tmp_path / "out")
    assert (row["file"], row["sha256"], row["rows"], row["first_row"]) == ("x.mbox", sha256(box), 2, None)
    assert (row["command"], str(row["ts"])) == ("import", "2024-06-24 12:00:00+00:00")
    assert read_table(tmp_path / "out", "emails", ["log"])["log"].to_pylist() == ["x.mbox"] * 2


def test_standard_input(tmp_path: Path) -> None:
    """It is `-`, and the hash is that of what came through the pipe."""
    log = golden.log_of("poplib", "exact")
    done = program("run", "-", "--out", tmp_path / "out", stdin=log.read_bytes())
    assert done.returncode == 0
    (row,) = inputs(tmp_path / "out")
    assert (row["file"], row["sha256"]) == ("-", sha256(log))
    assert set(read_table(tmp_path / "out", "emails", ["log"])["log"].to_pylist()) == {"-"}


def test_runs_add_up_and_older_tables_have_none(fixtures: Path, archive: list[Path], tmp_path: Path) -> None:
    """A row for each file and run; tables without the table are read as if it were empty."""
    assert inputs(fixtures / "tables-2" / "batch") == []
    for log in archive[:2]:
        zeekpop3.run(log, tmp_path / "out", mode="append", force=True)
    zeekpop3.run(archive[0], tmp_path / "out", mode="append", force=True)
    assert [row["sha256"] for row in inputs(tmp_path / "out")].count(sha256(archive[0])) == 2
    assert len(inputs(tmp_path / "out")) == 3
