"""Logs to tables on one core and on several, cut into tasks and files in any way: always the same rows."""

from __future__ import annotations

import gc
import gzip
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.spool import sessions, write
from zeekpop3.errors import LogError, OutputError
from zeekpop3.pipeline import run as module
from zeekpop3.pipeline import tasks
from zeekpop3.pipeline.run import run
from zeekpop3.pipeline.tasks import no_collector
from zeekpop3.tables import TABLES

KEYS = {name: [(column, "ascending") for column in table.key] for name, table in TABLES.items()}


def parts(out: Path) -> dict[str, pa.Table]:
    """All parts by their path, without the writer's token in it."""
    return {
        re.sub(r"part-.*-(\d+)\.parquet", r"\1", str(path.relative_to(out))): pq.read_table(
            path, partitioning=None
        )
        for path in out.rglob("*.parquet")
        if "inputs" not in path.parts
    }


def tables(out: Path) -> dict[str, pa.Table]:
    """Each table's rows, by its key; without what names the logs."""
    found = {}
    for name in TABLES.keys() - {"inputs"}:
        paths = sorted((out / name).rglob("*.parquet"))
        rows = pa.concat_tables(pq.read_table(path, partitioning=None) for path in paths).sort_by(KEYS[name])
        found[name] = rows.drop_columns(["log"] if "log" in rows.column_names else [])
    return found


@pytest.fixture(scope="module", params=[True, False], ids=["exact", "plain"])
def lines(request: pytest.FixtureRequest) -> list[bytes]:
    return sessions(24, exact=request.param)


@pytest.fixture(scope="module")
def whole(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """The tables of the log as one file and one task."""
    folder = tmp_path_factory.mktemp("whole")
    run([write(folder / "pop3_events.log", lines)], folder / "out", jobs=1)
    return tables(folder / "out")


def small_tasks(patch: pytest.MonkeyPatch, size: int = 4000) -> None:
    patch.setattr(module, "TASK_BYTES", size)
    patch.setattr(module, "EVENTS_BYTES", 3 * size)
    patch.setattr(module, "SMALL_BYTES", size // 20)
    patch.setattr(tasks, "PART_BYTES", size // 10)


@pytest.mark.slow
def test_two_cores_write_what_one_writes(
    lines: list[bytes], whole: dict[str, pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part for part the same rows in the same order, with many tasks and connections that lie across them."""
    small_tasks(monkeypatch, 20_000)
    third = len(lines) // 3
    for number in range(3):
        end = None if number == 2 else (number + 1) * third
        write(tmp_path / f"pop3_events.{number}.log", lines[number * third : end])
    one = run([tmp_path], tmp_path / "one", jobs=1)
    two = run([tmp_path], tmp_path / "two", jobs=2)
    assert one == two
    assert one.problems == 0
    found, expected = parts(tmp_path / "two"), parts(tmp_path / "one")
    assert found.keys() == expected.keys()
    assert len(found) > 20
    for name, part in expected.items():
        assert found[name].equals(part), name
    assert tables(tmp_path / "one") == whole


def test_rotated_and_compressed_in_the_middle(
    lines: list[bytes], whole: dict[str, pa.Table], tmp_path: Path
) -> None:
    """A connection's rows may lie in several files, some of them compressed."""
    names = [
        "2024-01-01/pop3_events.00:00:00-01:00:00.log.gz",
        "2024-01-01/pop3_events.01:00:00-02:00:00.log",
        "pop3_events.log",
    ]
    step = len(lines) // 3 + 1
    for number, name in enumerate(names):
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, lines[number * step : (number + 1) * step])
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
    run([tmp_path / "logs"], tmp_path / "out", jobs=1)
    assert tables(tmp_path / "out") == whole


@pytest.mark.slow
@example(size=150, cut=33, events=5000)  # the second file begins with bytes from before the first one's rows
@given(size=st.integers(150, 60_000), cut=st.integers(0, 10_000), events=st.integers(5000, 90_000))
@settings(max_examples=6, deadline=None)
def test_any_cut_gives_the_same_tables(
    lines: list[bytes],
    whole: dict[str, pa.Table],
    tmp_path_factory: pytest.TempPathFactory,
    size: int,
    cut: int,
    events: int,
) -> None:
    """Wherever tasks and files end, the rows of the tables are the same."""
    folder = tmp_path_factory.mktemp("cut")
    cut %= len(lines)
    write(folder / "pop3_events.a.log", lines[:cut])
    write(folder / "pop3_events.b.log", lines[cut:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TASK_BYTES", max(size, sum(map(len, lines)) // 12))
        patch.setattr(module, "EVENTS_BYTES", events)
        run([folder / "pop3_events.a.log", folder / "pop3_events.b.log"], folder / "out", jobs=1)
    assert tables(folder / "out") == whole


def test_unreadable_files_are_reported_and_the_rest_is_used(
    lines: list[bytes], whole: dict[str, pa.Table], tmp_path: Path
) -> None:
    """A file that is not an event log does not affect the others, in a worker process or in this one."""
    write(tmp_path / "pop3_events.log", lines)
    (tmp_path / "pop3_events.json.log").write_text('{"ts": 1}\n')
    for jobs in (1, 2):
        told: list[LogError] = []
        summary = run([tmp_path], tmp_path / f"out{jobs}", jobs=jobs, on_error=told.append)
        assert len(told) == summary.problems == 1
        assert "pop3_events.json.log" in str(told[0])
        assert tables(tmp_path / f"out{jobs}") == whole


def test_problems_are_logged_without_on_error(
    lines: list[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without `on_error` a problem is a warning of the logger "zeekpop3"; no problem is silent."""
    write(tmp_path / "pop3_events.log", lines)
    (tmp_path / "pop3_events.json.log").write_text('{"ts": 1}\n')
    assert run([tmp_path], tmp_path / "out", jobs=1).problems == 1
    assert [record.name for record in caplog.records] == ["zeekpop3"]
    assert "pop3_events.json.log" in caplog.text


def test_open_connections_end_with_the_logs(lines: list[bytes], tmp_path: Path) -> None:
    """A log that stops in the middle gives the sessions that were open, as open."""
    summary = run([write(tmp_path / "x.log", lines[: len(lines) // 2])], tmp_path / "out", jobs=1)
    closed = tables(tmp_path / "out")["sessions"]["closed"].to_pylist()
    assert closed.count("open") >= 1
    assert closed.count("closed") >= 8
    assert len(closed) == summary.sessions


def test_an_error_leaves_no_worker_and_no_half_output(lines: list[bytes], tmp_path: Path) -> None:
    """Existing tables are not touched unless an option asks for it."""
    log = write(tmp_path / "x.log", lines)
    run([log], tmp_path / "out", jobs=1)
    before = parts(tmp_path / "out").keys()
    with pytest.raises(OutputError):
        run([log], tmp_path / "out", jobs=2)
    assert parts(tmp_path / "out").keys() == before


def test_collector_is_put_back() -> None:
    """Tasks run without the cyclic garbage collector; afterwards it is as it was before."""
    assert gc.isenabled()
    with no_collector():
        assert not gc.isenabled()
        with no_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_program_does_not_load_what_is_slow(lines: list[bytes], tmp_path: Path) -> None:
    """These take longer to load than a small log takes to read: `zeekpop3 run` does without them."""
    log = write(tmp_path / "x.log", lines)
    code = (
        "import sys\n"
        "from zeekpop3.cli.app import main\n"
        f"sys.argv = ['zeekpop3', 'run', {str(log)!r}, '--out', {str(tmp_path / 'out')!r}, '--jobs', '1']\n"
        "try:\n    main()\nfinally:\n"
        "    print({'pandas', 'pyarrow.compute', 'msgspec'} & {*sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert len(tables(tmp_path / "out")["emails"]) > 0


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_run_that_is_killed_leaves_no_worker(lines: list[bytes], tmp_path: Path) -> None:
    """Workers end with the process that started them, even if that is killed."""
    log = write(tmp_path / "x.log", lines)
    program = tmp_path / "program.py"
    program.write_text(
        "import time\n"
        "from zeekpop3.pipeline.run import run\n"
        "if __name__ == '__main__':\n"
        f"    run([{str(log)!r}] * 2, {str(tmp_path / 'out')!r}, jobs=2,\n"
        "        progress=lambda *_: (print('running', flush=True), time.sleep(60)))\n"
    )
    mark = f"KILLED_RUN={tmp_path}"
    process = subprocess.Popen(
        [sys.executable, "-P", program],
        env={**os.environ, "KILLED_RUN": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    assert len(with_environment(mark)) > 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while (left := with_environment(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def with_environment(mark: str) -> list[int]:
    """The processes with this in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_a_log_is_appended_once(lines: list[bytes], tmp_path: Path) -> None:
    """The same log under another name, compressed or with more rows is refused; the next log is not."""
    half = len(lines) // 2
    first = write(tmp_path / "pop3_events.1.log", lines[:half])
    run([first], tmp_path / "out")
    before = parts(tmp_path / "out")
    packed = tmp_path / "pop3_events.copy.log.gz"
    packed.write_bytes(gzip.compress(first.read_bytes()))
    grown = write(tmp_path / "pop3_events.2.log", lines)
    for again in (first, packed, grown):
        with pytest.raises(OutputError, match=r"already contains this log.*--force"):
            run([again], tmp_path / "out", mode="append")
    assert parts(tmp_path / "out").keys() == before.keys()
    rest = write(tmp_path / "pop3_events.3.log", lines[half:])
    run([rest], tmp_path / "out", mode="append")
    sessions_before = tables(tmp_path / "out")["sessions"].num_rows
    run([first], tmp_path / "out", mode="append", force=True)
    assert tables(tmp_path / "out")["sessions"].num_rows > sessions_before
