"""Writing: readers see complete parts only, whatever happens to the writer."""

from __future__ import annotations

import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.records import DAY, NOON, attachment, mail, table_of, transfer
from zeekpop3.errors import OutputError
from zeekpop3.store import files, parquet
from zeekpop3.store.parquet import PartWriter, split_by_day
from zeekpop3.store.read import read
from zeekpop3.store.write import TableWriter
from zeekpop3.tables import TABLES, MailRecord, schema


def emails(*rows: tuple[int, str]) -> pa.Table:
    return table_of(
        "emails",
        *(
            MailRecord(transfer(ts=ts, trans_depth=depth), mail(subject=subject))
            for depth, (ts, subject) in enumerate(rows, 1)
        ),
    )


def subjects(out: Path) -> list[Any]:
    return list(pd.read_parquet(out / "emails")["subject"])


def names(out: Path) -> list[str]:
    return sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())


def test_parts_by_day(tmp_path: Path) -> None:
    """Rows go to the UTC day of their ts, keep their order in it, and `day` is not in the file."""
    with TableWriter(tmp_path / "out", token="t") as writer:
        writer.write("emails", emails((NOON + DAY, "b1"), (NOON, "a1"), (NOON + DAY, "b2"), (NOON, "a2")))
    assert names(tmp_path / "out" / "emails") == [
        "day=2024-06-24/part-t-000000.parquet",
        "day=2024-06-25/part-t-000000.parquet",
    ]
    assert subjects(tmp_path / "out") == ["a1", "a2", "b1", "b2"]
    part = tmp_path / "out/emails/day=2024-06-24/part-t-000000.parquet"
    found = pq.read_schema(part)
    assert found.equals(schema("emails"))
    assert found.metadata.items() >= schema("emails").metadata.items()
    assert found.field("ts").metadata[b"description"] == schema("emails").field("ts").metadata[b"description"]


@pytest.mark.parametrize("ts", [-1, 0, DAY - 1, DAY, -(2**62), 2**62])
def test_any_time_has_a_day(ts: int) -> None:
    """Midnight belongs to the day that it begins; times beyond all calendars have a day that can be read."""
    ((day, _),) = split_by_day(pa.table({"ts": pa.array([ts], pa.timestamp("us", tz="UTC"))}))
    expected = {-1: "1969-12-31", 0: "1970-01-01", DAY - 1: "1970-01-01", DAY: "1970-01-02"}
    assert day == expected.get(ts, "9999-12-31" if ts > 0 else "0001-01-01")


def test_an_empty_run_leaves_readable_tables(tmp_path: Path) -> None:
    """A run without rows leaves folders and no file, and no day that has no rows; our reader reads them."""
    with TableWriter(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(TABLES)
    for name in TABLES:
        assert len(read(tmp_path, name)) == 0


def test_tables_without_rows_are_readable_by_all(tmp_path: Path) -> None:
    """If one table has rows, pandas and DuckDB read the others, too; no odd day appears."""
    with TableWriter(tmp_path) as writer:
        writer.write("emails", emails((NOON, "x"), (NOON + DAY, "y")))
    assert {path.name for path in tmp_path.glob("*/*")} == {"day=2024-06-24", "day=2024-06-25"}
    for name in set(TABLES) - {"emails"}:
        frame = pd.read_parquet(tmp_path / name)
        assert len(frame) == 0
        assert [c for c in frame.columns if c != "day"] == schema(name).names
        glob = f"{tmp_path}/{name}/**/*.parquet"
        assert duckdb.sql(
            f"select count(*) from read_parquet('{glob}', hive_partitioning=true)"
        ).fetchall() == [(0,)]


def test_rows_after_an_empty_run(tmp_path: Path) -> None:
    """The empty part does not stand in the way of those that come later."""
    with TableWriter(tmp_path):
        pass
    with TableWriter(tmp_path, "append") as writer:
        writer.write("emails", emails((NOON, "x")))
    assert subjects(tmp_path) == ["x"]
    got = duckdb.sql(
        "select day::varchar, subject from "
        f"read_parquet('{tmp_path}/emails/**/*.parquet', hive_partitioning=true)"
    ).fetchall()
    assert got == [("2024-06-24", "x")]


def test_new_refuses_tables(tmp_path: Path) -> None:
    """A second run into the same folder is refused, in one line that says what to do; other files may be."""
    (tmp_path / "notes.txt").write_text("mine")
    with TableWriter(tmp_path) as writer:
        writer.write("emails", emails((NOON, "x")))
    with pytest.raises(
        OutputError, match=r"already contains tables \(emails.*\); use --append or --overwrite$"
    ) as caught:
        TableWriter(tmp_path)
    assert "\n" not in str(caught.value)
    assert subjects(tmp_path) == ["x"]


def test_append_adds(tmp_path: Path) -> None:
    """Two runs' parts stand side by side, the later one's after."""
    for token, subject in (("1", "x"), ("2", "y")):
        with TableWriter(tmp_path, "append", token=token) as writer:
            writer.write("emails", emails((NOON, subject)))
    assert subjects(tmp_path) == ["x", "y"]


def test_append_to_unreadable_parts_is_refused(tmp_path: Path) -> None:
    """A part of a newer version, other data, or a file that is not Parquet: one line names it."""
    with TableWriter(tmp_path) as writer:
        (path,) = writer.write("emails", emails((NOON, "x")))
    old = pq.read_table(path, partitioning=None)
    pq.write_table(old.replace_schema_metadata({b"zeekpop3.schema_version": b"99"}), path)
    with pytest.raises(OutputError, match=r"part-.*newer zeekpop3 \(schema version 99; .*upgrade"):
        TableWriter(tmp_path, "append")
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(OutputError, match="not a part of the table emails"):
        TableWriter(tmp_path, "append")
    path.write_bytes(b"PAR1")
    with pytest.raises(OutputError, match="not a readable Parquet file"):
        TableWriter(tmp_path, "append")


def test_a_url_is_not_a_folder(tmp_path: Path) -> None:
    """An output on other storage is refused instead of becoming a local folder of that name."""
    with pytest.raises(OutputError, match="s3://bucket/x: only local folders are supported"):
        TableWriter("s3://bucket/x")


def test_overwrite_replaces_at_the_end(tmp_path: Path) -> None:
    """Until the new run is complete the old tables are what one reads; then only the new ones."""
    with TableWriter(tmp_path) as writer:
        writer.write("emails", emails((NOON, "old")))
    with TableWriter(tmp_path, "overwrite") as writer:
        writer.write("emails", emails((NOON + DAY, "new")))
        assert subjects(tmp_path) == ["old"]
    assert subjects(tmp_path) == ["new"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(TABLES)


def test_overwrite_that_fails_changes_nothing(tmp_path: Path) -> None:
    """An exception in the run keeps the old tables, and leaves nothing of the new."""
    with TableWriter(tmp_path) as writer:
        writer.write("emails", emails((NOON, "old")))
    before = names(tmp_path)
    with pytest.raises(RuntimeError), TableWriter(tmp_path, "overwrite") as writer:
        writer.write("emails", emails((NOON, "new")))
        raise RuntimeError
    assert names(tmp_path) == before


def test_overwrite_of_foreign_files_is_refused(tmp_path: Path) -> None:
    """A folder `emails` with somebody's own files in it is not removed."""
    (tmp_path / "emails").mkdir()
    (tmp_path / "emails" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match=r"letter\.txt"):
        TableWriter(tmp_path, "overwrite")


def test_private_modes(tmp_path: Path) -> None:
    """Files are 0600 and folders 0700, whatever the umask."""
    before = os.umask(0)
    try:
        with TableWriter(tmp_path / "a" / "b") as writer:
            writer.write("emails", emails((NOON, "x")))
    finally:
        os.umask(before)
    for path in [tmp_path / "a" / "b", *(tmp_path / "a" / "b").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_unfinished_parts_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before all days are written no reader's glob sees a part; a pickled writer keeps its token."""
    seen = []

    def publish(temporary: Path, path: Path) -> None:
        seen.append(len(list(tmp_path.glob("emails/day=*/*.parquet"))))
        files.publish(temporary, path)

    monkeypatch.setattr(parquet, "publish", publish)
    with TableWriter(tmp_path) as writer:
        writer = pickle.loads(pickle.dumps(PartWriter(writer.root, "w1")))
        first, second = writer.write("emails", emails((NOON, "x"), (NOON + DAY, "y")), number=7)
    assert first.name == second.name == "part-w1-000007.parquet"
    assert seen[:2] == [0, 1]
    assert subjects(tmp_path) == ["x", "y"]


def test_writing_a_part_again_replaces_it(tmp_path: Path) -> None:
    """A restarted follower writes the same part under the same number: there is one, not two."""
    writer = PartWriter(tmp_path, "f")
    writer.write("emails", emails((NOON, "x")), number=3)
    writer.write("emails", emails((NOON, "y")), number=3)
    assert subjects(tmp_path) == ["y"]


def test_an_unusable_folder_is_one_line(tmp_path: Path) -> None:
    """A file in the way, and a folder that vanished while writing."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        TableWriter(tmp_path / "file" / "out")
    with pytest.raises(OutputError, match=r"No such file|cannot be written"):
        from zeekpop3.store.parquet import write_parquet

        write_parquet(emails((NOON, "x")), tmp_path / "gone" / "part.parquet")


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_and_is_reported(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for the full disk."""
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from store.test_write import emails, NOON, TableWriter, OutputError
table = emails(*[(NOON, str(i) * 300) for i in range(2000)])
writer = TableWriter({str(tmp_path)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    writer.write("emails", table)
except OutputError as error:
    print("said", error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("said "), done
    assert "too large" in done.stdout
    assert names(tmp_path) == []


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from store.test_write import emails, NOON, DAY, TableWriter
table = emails(*[(NOON + i % 3 * DAY, "s%d" % i) for i in range(300)])
writer = TableWriter({out!r}, {mode!r})
print("ready", flush=True)
while True:
    writer.write("emails", table)
    if {mode!r} == "overwrite":
        writer.close()
        writer = TableWriter({out!r}, {mode!r})
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_kill_leaves_whole_parts_only(tmp_path: Path, mode: str) -> None:
    """kill -9 at any moment: what can be read is whole; the next writer clears up and finishes the rest."""
    out = tmp_path / "out"
    code = WRITER.format(tests=str(Path(__file__).parents[1]), out=str(out), mode=mode)
    for attempt in range(4):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(0.02 + 0.05 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if mode == "append":
            for part in out.rglob("*.parquet"):
                assert pq.read_metadata(part).num_rows in (100, 0)
        for left in out.rglob("*.tmp-*"):
            os.utime(left, (0, 0))  # a file of the last minute could have a living writer
        with TableWriter(out, "append"):
            pass
        assert [p for p in out.rglob("*.tmp-*") if p.is_file()] == []
        assert [p.name for p in out.iterdir() if p.name.startswith(".")] == []
        if mode == "overwrite":
            assert len(read(out, "emails")) in (0, 300)


def test_a_live_writer_is_left_alone(tmp_path: Path) -> None:
    """Opening a second writer does not sweep away the first one's unfinished file, nor its staging folder."""
    from zeekpop3.store.files import staged, sweep

    with TableWriter(tmp_path) as writer:
        writer.write("emails", emails((NOON, "x")))
    with staged(tmp_path / "emails" / "day=2024-06-24" / "part-z.parquet") as (temporary, _):
        live = TableWriter(tmp_path, "overwrite")
        live.write("emails", emails((NOON, "y")))
        TableWriter(tmp_path, "append")
        assert temporary.exists()
        live.close()
        assert subjects(tmp_path) == ["y"]
    temporary = tmp_path / "emails" / ".part-q.parquet.tmp-1"
    temporary.write_bytes(b"half")
    assert sweep(tmp_path / "emails") == []  # it may be about to get its name
    os.utime(temporary, (0, 0))
    assert sweep(tmp_path / "emails") == [temporary]


@pytest.mark.parametrize("done", range(2 * len(TABLES) + 1))
def test_a_swap_that_was_cut_off_is_finished(
    tmp_path: Path, done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after any of its renames, the next writer brings the overwrite to its end."""
    with TableWriter(tmp_path) as writer:
        writer.write("emails", emails((NOON, "old")))
    writer = TableWriter(tmp_path, "overwrite")
    writer.write("emails", emails((NOON, "new")))
    count, rename = 0, Path.rename

    def cut(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count > done:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut)
        try:
            writer.close()
        except KeyboardInterrupt:
            assert done < 2 * len(TABLES)
    TableWriter(tmp_path, "append")
    assert subjects(tmp_path) == ["new"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(TABLES)


TEXT = (
    st.text(max_size=20)
    | st.none()
    | st.sampled_from(["", "\x00", "a\x00b", "\U0001f600", "x" * 70_000, "NA"])
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(TEXT, st.lists(st.text(max_size=5), max_size=3), st.binary(max_size=50)), min_size=1)
)
def test_odd_values_through_parquet(tmp_path: Path, rows: list[tuple[Any, list[str], bytes]]) -> None:
    """NUL, astral, empty and null, very long: the same in pandas and in DuckDB as what was written."""
    records = [
        MailRecord(
            transfer(trans_depth=depth, raw=raw),
            mail(subject=subject, to=to, attachments=[attachment(filename=subject)]),
        )
        for depth, (subject, to, raw) in enumerate(rows)
    ]
    with TableWriter(tmp_path, "overwrite") as writer:
        writer.write("emails", table_of("emails", *records))
    frame = pd.read_parquet(tmp_path / "emails")
    assert [None if pd.isna(s) else s for s in frame["subject"]] == [row[0] for row in rows]
    assert [list(to) for to in frame["to"]] == [row[1] for row in rows]
    assert list(frame["raw"]) == [row[2] for row in rows]
    got = duckdb.sql(
        'select subject, "to", raw, attachments[1].filename from '
        f"read_parquet('{tmp_path}/emails/**/*.parquet', hive_partitioning=true) order by trans_depth"
    ).fetchall()
    assert got == [(subject, to, raw, subject) for subject, to, raw in rows]
