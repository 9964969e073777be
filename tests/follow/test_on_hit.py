"""`follow --on-hit`: each hit once, as JSON, without a shell; what the command does stops nothing."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

import pytest

from support.growing import GrowingLog, Note, lines_of, sessions
from support.program import program
from zeekpop3.cli.follow import LineFormatter, LogFormat
from zeekpop3.detect.search import LiveMatcher
from zeekpop3.follow import Follower, Options, reports
from zeekpop3.follow.reports import OnHit
from zeekpop3.store.read import read_table

KEEP = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read())"


def keeper(path: Path) -> tuple[str, ...]:
    """A command that appends what it gets to a file."""
    return (sys.executable, "-c", KEEP, str(path))


def test_each_hit_is_given_once(spool: Path, tmp_path: Path, notes: list[Note]) -> None:
    """With the mail's id, user, client, sender and subject; the log has the same, and the counter grows."""
    out, log, given = tmp_path / "out", GrowingLog(spool), tmp_path / "given"
    indicators = tmp_path / "feed"
    indicators.write_text("192.0.2.110\n")
    log.write(b"".join(lines_of(sessions(4))))
    metrics = tmp_path / "metrics.prom"
    matcher = LiveMatcher([indicators], print)
    options = Options(flush_s=0.0, poll=True, matcher=matcher, on_hit=keeper(given), metrics=metrics)
    with Follower([spool], out, options=options) as follower:
        follower.once()
    lines = [json.loads(line) for line in given.read_text().splitlines()]
    assert len(lines) == read_table(out, "hits").num_rows > 0
    mails = {f"{row['uid']}/{row['trans_depth']}": row for row in read_table(out, "emails").to_pylist()}
    for line in lines:
        mail = mails[line["mail"]]
        for name in ("user", "id_orig_h", "from_address", "subject"):
            assert line[name] == mail[name]
    assert [note.fields["mail"] for note in notes if note.text == "hit"] == [line["mail"] for line in lines]
    assert f"zeekpop3_follow_hits_total {len(lines)}\n" in metrics.read_text()


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), "exit code 3"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "took longer than 0 s"),
        (("/nonexistent/command",), "No such file or directory"),
    ],
)
def test_a_command_that_fails(
    command: tuple[str, ...], problem: str, notes: list[Note], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the command still gets the next hit."""
    monkeypatch.setattr(reports, "TIMEOUT_S", 0.3)
    runner = OnHit(command)
    runner([{"uid": "C1"}, {"uid": "C2"}])
    runner.close(20)
    assert [note.fields["problem"] for note in notes] == [problem, problem]


def test_bounds(tmp_path: Path, notes: list[Note], monkeypatch: pytest.MonkeyPatch) -> None:
    """More hits than may wait are left out and counted; the end waits for a command only so long."""
    monkeypatch.setattr(reports, "MAX_WAITING", 3)
    runner = OnHit((sys.executable, "-c", "import time; time.sleep(5)"))
    before = time.monotonic()
    runner([{"uid": str(number)} for number in range(50)])
    runner.close(0.2)
    assert time.monotonic() - before < 3
    assert any(note.fields.get("hits", 0) >= 46 for note in notes)


def test_no_shell_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in a mail is data; the key for pseudonyms is not in the environment of the command."""
    monkeypatch.setenv("ZEEKPOP3_HASH_KEY", "secret")
    given, environment = tmp_path / "given", tmp_path / "environment"
    runner = OnHit((*keeper(given), "; touch pwned"))
    runner([{"subject": "$(touch pwned)\n`id`"}])
    runner.close()
    show = "import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text(repr(dict(os.environ)))"
    runner = OnHit((sys.executable, "-c", show, str(environment)))
    runner([{"uid": "C1"}])
    runner.close()
    assert json.loads(given.read_text())["subject"] == "$(touch pwned)\n`id`"
    assert len(given.read_text().splitlines()) == 1
    assert "secret" not in environment.read_text()
    assert not Path("pwned").exists()


def test_plain_lines_cannot_be_imitated() -> None:
    """A subject that looks like further fields is in quotes; what is unknown is left out."""
    record = logging.LogRecord("x", logging.WARNING, "", 0, "hit", None, None)
    record.fields = {"subject": 'a uid=C9/1 "x"', "mail": "C1/1", "user": None}
    line = LineFormatter(LogFormat.plain).format(record)
    assert line.endswith(' warning hit subject="a uid=C9/1 \\"x\\"" mail=C1/1')


def test_a_changed_list_says_how_old_mail_is_searched(spool: Path, tmp_path: Path) -> None:
    """Only mail that comes is matched against it."""
    feed, changes = tmp_path / "feed", list[int]()
    feed.write_text("192.0.2.110\n")
    matcher = LiveMatcher([feed], print, changes.append)
    matcher({})
    assert changes == []
    feed.write_text("192.0.2.110\n198.51.100.7\n")
    os.utime(feed, ns=(time.time_ns(), time.time_ns() + 10**9))
    matcher({})
    assert changes == [2]


def test_options(spool: Path, tmp_path: Path) -> None:
    """A command needs indicators, and words."""
    feed = tmp_path / "feed"
    feed.write_text("192.0.2.110\n")
    for more in (
        ["--on-hit", "cat"],
        ["--indicators", feed, "--on-hit", "'"],
        ["--indicators", feed, "--on-hit", ""],
    ):
        assert program("follow", spool, "--out", tmp_path / "out", "--once", *more).returncode == 2
