"""Zeek's other logs are found as they lie in an archive, and only those of the stream that was asked for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from support.program import program
from support.queries import fetched, letter
from support.records import NOON
from support.report_boxes import write_box
from zeekpop3.errors import LogError
from zeekpop3.zeek.logs import find_zeek_logs

ROW = '{{"ts":{ts},"uid":"C","id.orig_h":"192.0.2.10","host":"bad.example","uri":"/{uri}"}}\n'


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two days of http and dns, packed, and the current folder; beside them logs of other streams."""
    logs = tmp_path / "logs"
    for day in ("2024-06-23", "2024-06-24"):
        (logs / day).mkdir(parents=True)
        for hour in ("10", "11"):
            name = f"http.{hour}:00:00-{hour}:59:59.log.gz"
            (logs / day / name).write_bytes(
                gzip.compress(ROW.format(ts=NOON / 1e6 + 1, uri=f"{day}-{hour}").encode())
            )
            (logs / day / f"dns.{hour}:00:00-{hour}:59:59.log.gz").write_bytes(
                gzip.compress(b'{"ts":1.0,"query":"x"}\n')
            )
        (logs / day / "http-summary.log").write_text("no log\n")
    (logs / "current").mkdir()
    (logs / "current" / "http.log").write_text(ROW.format(ts=NOON / 1e6 + 1, uri="now"))
    (logs / "current" / "http2.log").write_text("no log\n")
    return logs


def test_a_folder_of_days(archive: Path) -> None:
    """All folders below, only the stream of that name."""
    assert len(find_zeek_logs("http", archive)) == 5
    assert len(find_zeek_logs("dns", archive)) == 4
    assert len(find_zeek_logs("http", archive / "2024-06-23")) == 2


def test_globs_in_every_component(archive: Path) -> None:
    """logs/*/http*.log.gz, logs/2024-06-*, and two paths; each file once."""
    assert len(find_zeek_logs("http", f"{archive}/*/http.*.log.gz")) == 4
    assert len(find_zeek_logs("http", f"{archive}/2024-06-*")) == 4
    assert len(find_zeek_logs("dns", f"{archive}/*/*.log.gz")) == 4
    both = [archive / "current", f"{archive}/current/http.log", archive / "2024-06-24"]
    assert len(find_zeek_logs("http", both)) == 3


def test_what_is_not_there_is_said(archive: Path) -> None:
    """Each path that has no such log is an error that names it and what was looked for."""
    with pytest.raises(LogError, match=r"no ssl\.log, ssl\.\*\.log or ssl\.\*\.log\.gz there"):
        find_zeek_logs("ssl", archive)
    with pytest.raises(LogError, match="no such log file"):
        find_zeek_logs("ssl", archive / "ssl.log")


def test_by_the_program(archive: Path, tmp_path: Path) -> None:
    """--log twice is both, a folder is its stream, and one line says what was read."""
    write_box(tmp_path / "out", fetched(letter("a@a.example", text="http://bad.example/now\r\n")))
    count = "select count(*) as n from http"
    done = program("sql", tmp_path / "out", count, "--csv", "--log", f"http={archive}")
    assert (done.stdout, done.stderr) == (
        "n\n5\n",
        "http: 5 files, 5 rows, 2024-06-24 12:00:01 to 2024-06-24 12:00:01\n",
    )
    days = [f"--log=http={archive}/2024-06-23", f"--log=http={archive}/2024-06-24"]
    assert program("sql", tmp_path / "out", count, "--csv", *days).stdout == "n\n4\n"
    done = program("sql", tmp_path / "out", "-q", "clicks", "--log", f"http={archive}/*/http*.log*", "--csv")
    assert done.stdout.count("http://bad.example/now") == 1
