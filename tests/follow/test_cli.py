"""The command: signals, exit codes, its own log, the counters, the unit, and what is kept private."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from support.growing import Expected, assert_same, tables
from support.program import program
from support.traffic.eventlog import log_header


def _start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "zeekpop3", "follow", *arguments]
    return subprocess.Popen(
        command, env=environment, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _metrics(path: Path) -> dict[str, float]:
    lines = path.read_text().splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}


@pytest.mark.slow
def test_a_day_at_work(
    root: Path, spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """SIGHUP writes at once, a second follower is refused, SIGTERM writes and ends with 0."""
    out, log, metrics = tmp_path / "out", spool / "pop3_events.log", tmp_path / "zeekpop3.prom"
    log.write_bytes(log_header() + b"".join(lines[: len(lines) // 2]))
    process = _start(
        root,
        str(spool),
        "--out",
        str(out),
        "--flush",
        "600",
        "--log-format",
        "json",
        "--metrics",
        str(metrics),
    )
    state = out / ".zeekpop3-follow" / "state.json"
    _until(state.exists)
    time.sleep(1)
    assert not tables(out)["emails"]
    process.send_signal(signal.SIGHUP)
    _until(lambda: bool(tables(out)["emails"]))
    second = _start(root, str(spool), "--out", str(out))
    _, said = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"in use by another follower (process {process.pid})" in said
    with log.open("ab") as file:
        file.write(b"".join(lines[len(lines) // 2 :]))
    time.sleep(1)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert time.monotonic() - began < 30
    assert_same(out, batch(lines))
    notes = [json.loads(line) for line in said.splitlines()]
    assert {note["event"] for note in notes} >= {"following", "written", "ended"}
    assert all({"ts", "level", "event"} <= note.keys() for note in notes)
    counted = _metrics(metrics)
    assert counted["zeekpop3_follow_rows_total"] == len(lines)
    assert counted["zeekpop3_follow_mails_total"] == 120
    assert counted["zeekpop3_follow_lag_seconds"] == 0
    assert counted["zeekpop3_follow_open_connections"] == 0
    assert counted["zeekpop3_follow_healthy"] == 1


def test_once_and_its_exit_codes(spool: Path, tmp_path: Path, lines: list[bytes]) -> None:
    """0 if all could be read, 1 if not, 2 for bad usage; counters go on from run to run."""
    out, metrics = tmp_path / "out", tmp_path / "m.prom"
    log = spool / "pop3_events.log"
    log.write_bytes(log_header() + b"".join(lines[: len(lines) // 4]))
    run = [str(spool), "--out", str(out), "--once", "--metrics", str(metrics)]
    assert program("follow", *run).returncode == 0
    with log.open("ab") as file:
        file.write(b"".join(lines[len(lines) // 4 :]))
    (spool / "pop3_events-bad.log").write_text("{}")
    done = program("follow", *run)
    assert done.returncode == 1
    assert "JSON log" in done.stderr
    assert _metrics(metrics)["zeekpop3_follow_rows_total"] == len(lines)
    assert program("follow", spool, "--once").returncode == 2


def test_privacy(spool: Path, tmp_path: Path, lines: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """--no-body and --hash-users leave neither texts nor names, in no file of the output."""
    out = tmp_path / "out"
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines))
    monkeypatch.setenv("ZEEKPOP3_HASH_KEY", "secret key")
    done = program("follow", spool, "--out", out, "--once", "--no-body")
    assert done.returncode == 0, done.stderr
    found = tables(out)
    assert all(
        mail["raw"] is None and mail["text"] is None and mail["html"] is None for mail in found["emails"]
    )
    assert all(len(mail["user"]) == 64 for mail in found["emails"])
    for path in out.rglob("*"):
        if path.is_file():
            assert b"user1" not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0


def test_the_unit() -> None:
    """The unit starts a command that the program takes, as its own user, without a network."""
    lines = files("zeekpop3.follow").joinpath("zeekpop3-follow.service").read_text("utf-8").splitlines()
    for line in ("User=zeekpop3", "ProtectSystem=strict", "PrivateNetwork=yes", "NoNewPrivileges=yes"):
        assert line in lines
    (start,) = (line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart="))
    path, *words = shlex.split(start)
    assert path == "/opt/zeekpop3/bin/zeekpop3"
    done = program(*words, "--flush", "nonsense")  # all but the last option is understood
    assert (done.returncode, "nonsense" in done.stderr) == (2, True)


def test_a_follower_collects_garbage(tmp_path: Path) -> None:
    """It runs for months: what keeps the collector out while the program loads must not last."""
    code = (
        "import gc, sys\n"
        "from zeekpop3.__main__ import main\n"
        "sys.argv = ['zeekpop3', 'follow', '.', '--out', 'tables', '--once']\n"
        "try:\n    main()\nexcept SystemExit:\n    print(gc.isenabled())\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True"


@pytest.mark.slow
def test_some_kills(root: Path, tmp_path: Path) -> None:
    """kill -9 at random instants over a growing, rotating log; tests/bench/follow.py does it 200 times."""
    sys.path.insert(0, str(root / "tests" / "bench"))
    try:
        from importlib.util import module_from_spec, spec_from_file_location

        spec = spec_from_file_location("bench_follow", root / "tests" / "bench" / "follow.py")
        assert spec is not None
        assert spec.loader is not None
        bench = module_from_spec(spec)
        spec.loader.exec_module(bench)
    finally:
        sys.path.remove(str(root / "tests" / "bench"))
    from support.growing import lines_of, sessions

    counts = bench.kill_often(tmp_path, lines_of(sessions(60, tiny=True)), 8, rotate_every=20, alive_s=0.4)
    assert counts["kills"] == 8
    assert counts["mails"] == 240
    assert counts["lost"] == counts["doubled"] == counts["different"] == 0


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\nb"])
def test_nothing_breaks_out_of_a_line(text: str) -> None:
    """A name of a file in the follower's own log can neither end the line nor move the cursor."""
    from zeekpop3.cli.follow import LineFormatter, LogFormat

    record = logging.makeLogRecord({"msg": text, "levelname": "ERROR", "fields": {"path": text}})
    for log_format in LogFormat:
        assert LineFormatter(log_format).format(record).isprintable()


SLOW = """
import re, sys
from pathlib import Path
import zeekpop3.pipeline.records as records
from zeekpop3.__main__ import main

marker = Path(sys.argv.pop())

def parse(*_, **__):
    marker.touch()
    {wait}

records.parse = parse
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("wait", ['re.match("(a+)+b", "a" * 60)', "while True: pass"])
def test_sigterm_ends_in_the_middle_of_a_mail(
    wait: str,
    root: Path,
    spool: Path,
    tmp_path: Path,
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
) -> None:
    """Within five seconds, whatever the parser does; nothing is lost, as the next follower reads it again."""
    out, marker = tmp_path / "out", tmp_path / "parses"
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines))
    code = SLOW.format(wait=wait)
    arguments = ["follow", str(spool), "--out", str(out), "--flush", "600", str(marker)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(root)},
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    _until(marker.exists)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert process.returncode == 3, said
    assert "read again" in said
    assert not tables(out)["emails"]
    assert program("follow", spool, "--out", out, "--once").returncode == 0
    assert program("follow", spool, "--out", out, "--once", "--idle", "1").returncode == 0
    assert len(tables(out)["emails"]) == len(batch(lines)["emails"])
