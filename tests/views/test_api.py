"""The API does what the commands do, with their filters; what is wrong is an error of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import zeekpop3
from support.program import program
from zeekpop3.errors import IndicatorError, LogError, OutputError, QueryError, UsageError, ZeekPop3Error
from zeekpop3.views.text import visible

LOG = Path(__file__).resolve().parents[2] / "fixtures" / "logs" / "article.exact.log"


def test_sql(incident: Path, fixtures: Path) -> None:
    """A DataFrame with pandas' types, nested values as Python's; logs are views; a limit holds."""
    frame = zeekpop3.sql(str(incident), 'select uid, msg_num, complete, "to", ts from emails order by ts')
    assert len(frame) == 7
    assert [str(frame[name].dtype) for name in ("msg_num", "complete")] == ["Int64", "boolean"]
    assert isinstance(frame["to"][0], list) and frame["ts"].dt.tz is not None
    assert len(zeekpop3.sql(incident, "select * from emails", limit=2)) == 2
    logs = {"http": fixtures / "incident" / "http.log"}
    assert zeekpop3.sql(incident, "select count(*) as n from http", logs=logs)["n"][0] > 0
    nothing = zeekpop3.sql(incident, "select uid, subject from emails where false")
    assert list(nothing.columns) == ["uid", "subject"] and nothing.empty


@pytest.mark.slow
def test_ready_queries(incident: Path, fixtures: Path) -> None:
    """By name, with the logs that they need; the same rows as the command's."""
    assert "clicks" in zeekpop3.queries()
    http = fixtures / "incident" / "http.log"
    for name, logs in (("suspicious", {}), ("clicks", {"http": http})):
        options = [f"--log={log}={path}" for log, path in logs.items()]
        rows = [
            json.loads(line)
            for line in program("sql", incident, "-q", name, "--json", *options).stdout.splitlines()
        ]
        frame = zeekpop3.query(incident, name, logs=logs)
        assert len(frame) == len(rows) > 0 and list(frame.columns) == list(rows[0])
    with pytest.raises(QueryError, match="unknown query 'no'"):
        zeekpop3.query(incident, "no")
    with pytest.raises(QueryError, match="needs --log http"):
        zeekpop3.query(incident, "clicks")


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"user": "anna"},
        {"sender": "partner-bank"},
        {"site": "partner-bank.example"},
        {"has_attachment": True, "since": "2026-10-14"},
        {"since": "7d"},
        {"incomplete": True},
    ],
)
def test_mails(incident: Path, filters: dict[str, object]) -> None:
    """`mails` selects what `show` selects, newest first."""
    options = []
    names = {"sender": "from", "has_attachment": "has-attachment"}
    for name, value in filters.items():
        option = f"--{names.get(name, name)}"
        options += [option] if value is True else [option, str(value)]
    shown = program("show", incident, "--json", *options).stdout.splitlines()
    keys = [(mail["uid"], mail["trans_depth"]) for mail in map(json.loads, shown)]
    frame = zeekpop3.mails(incident, columns=["uid", "trans_depth"], **filters)  # type: ignore[arg-type]
    assert list(zip(frame["uid"], frame["trans_depth"], strict=True)) == keys
    assert bool(keys) == (filters not in ({"since": "7d"}, {"incomplete": True}))


@pytest.mark.slow
def test_files(incident: Path, tmp_path: Path) -> None:
    """`eml`, `report`, `export` and `transcript` write what the commands write."""
    assert zeekpop3.eml(incident, str(tmp_path / "mails"), attachments=True, user="anna").mails == 3
    assert zeekpop3.eml(incident, tmp_path / "all.mbox", mbox=True).mails == 7
    assert zeekpop3.report(incident, str(tmp_path / "page.html"), since="2020-01-01").listed == 7
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600
    lines = list(zeekpop3.export(incident, "ecs", user="anna"))
    assert lines == program("export", incident, "--as", "ecs", "--user", "anna").stdout.splitlines()
    state = tmp_path / "state"
    assert len(list(zeekpop3.export(incident, "json", state=state))) == 7
    assert list(zeekpop3.export(incident, "json", state=state)) == []
    lines = [visible(line) for line in zeekpop3.transcript(str(LOG))]
    assert lines == program("transcript", LOG).stdout.splitlines()


def test_verify(incident: Path, fixtures: Path, tmp_path: Path) -> None:
    """With the keys of a dns.log; the same results as the command's."""
    log = fixtures / "incident" / "dns.log"
    frame = zeekpop3.verify(incident, dns=str(log))
    done = program("verify", incident, "--dns", log, "--json")
    assert list(frame["result"]) == [json.loads(line)["result"] for line in done.stdout.splitlines()]
    assert isinstance(frame, pd.DataFrame) and len(frame) > 0


def test_prune(tmp_path: Path, incident: Path) -> None:
    """Days before the newest; `dry_run` removes nothing."""
    out = Path(shutil.copytree(incident, tmp_path / "out"))
    zeekpop3.run(LOG, out, mode="append")
    old = zeekpop3.prune(str(out), "7d", dry_run=True)
    assert old and all(folder.is_dir() for folder in old)
    assert zeekpop3.prune(out, 7) == old
    assert not any(folder.exists() for folder in old)


def test_indicators_as_a_list(incident: Path, fixtures: Path) -> None:
    """Values without a file; a wrong one is named by its place."""
    hits = zeekpop3.hunt(incident, values=["203.0.113.0/24", "hxxp://nowhere[.]example/x"])
    assert {row["indicator"] for row in hits.table.to_pylist()} == {"203.0.113.0/24"}
    assert zeekpop3.hunt(incident, values="203.0.113.0/24").table.num_rows == hits.table.num_rows
    with pytest.raises(IndicatorError, match="values, line 1: type of '!' not recognised"):
        zeekpop3.hunt(incident, values=["!"])


def test_one_path_is_enough(tmp_path: Path) -> None:
    """A path as text works wherever paths are taken."""
    out = str(tmp_path / "out")
    assert zeekpop3.run(str(LOG), out).mails == 1
    with zeekpop3.Follower(str(LOG.parent / "rotated.exact"), str(tmp_path / "followed")) as follower:
        assert follower.once().mails == 97
    assert len(zeekpop3.read(out, "emails", columns="uid")) == 1


def test_since_days_ago(incident: Path) -> None:
    """Every function that takes a time takes "7d"."""
    assert len(zeekpop3.read(incident, "emails", until="1h")) in (0, 7)  # the incident is dated 2026-10-14
    for since in ("7d", "12h", "2w"):
        zeekpop3.read_emails(incident, since=since)
        zeekpop3.hunt(incident, values=["a.example"], since=since)


def test_what_is_wrong_is_an_error_of_ours(incident: Path, tmp_path: Path) -> None:
    """One class, one line, with what was expected."""
    calls = [
        (QueryError, "no table 'email'; tables: emails, ", lambda: zeekpop3.read(incident, "email")),
        (QueryError, "unknown filter from", lambda: zeekpop3.read(incident, "emails", **{"from": "x"})),  # type: ignore[misc]
        (QueryError, "no column subjekt", lambda: zeekpop3.read(incident, "emails", columns="subjekt")),
        (QueryError, "unknown filter colour", lambda: zeekpop3.mails(incident, colour="red")),  # type: ignore[call-arg]
        (QueryError, "unknown filter sender", lambda: zeekpop3.verify(incident, sender="x")),  # type: ignore[call-arg]
        (QueryError, "invalid time 'soon'", lambda: zeekpop3.read(incident, "emails", since="soon")),
        (QueryError, "invalid retention", lambda: zeekpop3.prune(incident, "soon")),
        (QueryError, "no such folder", lambda: zeekpop3.sql(tmp_path / "none", "select 1")),
        (QueryError, "invalid retention -5", lambda: zeekpop3.prune(incident, -5)),
        (QueryError, "invalid retention 1.5", lambda: zeekpop3.prune(incident, 1.5)),  # type: ignore[arg-type]
        (QueryError, "invalid day 'today'", lambda: zeekpop3.prune(incident, 9, until="today")),
        (QueryError, "2 SQL statements", lambda: zeekpop3.sql(incident, "select 1; select 2")),
        (QueryError, "in Python: logs={'conn': 'conn.log'}", lambda: zeekpop3.query(incident, "conn")),
        (UsageError, "unknown format 'xml'; formats: ecs", lambda: zeekpop3.export(incident, "xml")),
        (UsageError, "unknown mode 'ad'; modes: new", lambda: zeekpop3.run(LOG, tmp_path / "x", mode="ad")),  # type: ignore[arg-type]
        (UsageError, "a mail is bytes", lambda: zeekpop3.parse("From: a")),  # type: ignore[arg-type]
        (UsageError, "key for hashing users must be bytes", lambda: zeekpop3.Privacy(hash_key=b"")),
        (UsageError, "key for hashing users must be bytes", lambda: zeekpop3.Privacy(hash_key="abc")),  # type: ignore[arg-type]
        (UsageError, "max_message: -1 bytes", lambda: zeekpop3.Settings(max_message=-1)),
        (LogError, "no such file or folder", lambda: zeekpop3.transcript(tmp_path / "none")),
    ]
    for kind, text, call in calls:
        with pytest.raises(kind, match=text) as caught:
            call()
        assert isinstance(caught.value, ZeekPop3Error) and "\n" not in str(caught.value)


def test_retention_that_is_no_number_removes_nothing(incident: Path, tmp_path: Path) -> None:
    """A negative number of days once removed every day."""
    tables = shutil.copytree(incident, tmp_path / "tables")
    with pytest.raises(QueryError):
        zeekpop3.prune(tables, -5)
    assert len(zeekpop3.read_emails(tables, columns="uid")) == 7
    assert not zeekpop3.prune(tables, 90, until="2026-10-15")


def test_errors_are_there_after_the_import() -> None:
    """What the page of the API says to catch, without another import; so are options of a follower."""
    code = "import zeekpop3 as z; print(issubclass(z.errors.LogError, z.errors.ZeekPop3Error), z.Options)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True <class ")


def test_an_existing_file_is_kept(incident: Path, tmp_path: Path) -> None:
    """An mbox replaces another file only when it is said, as a bundle does."""
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        zeekpop3.eml(incident, precious, mbox=True)
    assert precious.read_text() == "mine"
    zeekpop3.eml(incident, precious, mbox=True, overwrite=True)
    assert precious.read_bytes().startswith(b"From MAILER-DAEMON ")


@pytest.mark.slow
def test_frames_have_the_types_of_read(incident: Path, fixtures: Path) -> None:
    """Numbers and truth values may be unknown, times are UTC; also without rows."""
    log = fixtures / "incident" / "dns.log"
    verified = zeekpop3.verify(incident, dns=log)
    events = zeekpop3.timeline(incident, user="anna")
    assert (str(verified.trans_depth.dtype), str(verified.aligned.dtype)) == ("Int64", "boolean")
    assert str(verified.ts.dtype) == str(events.ts.dtype) == "datetime64[us, UTC]"
    assert str(events.score.dtype).startswith("Int")
    assert list(zeekpop3.timeline(incident, user="nobody").columns) == list(events.columns)


def test_mails_in_other_kinds_of_bytes() -> None:
    """Whatever holds bytes; text alone is refused."""
    raw = b"Subject: hello\r\n\r\nHi\r\n"
    for given in (bytearray(raw), memoryview(raw)):
        assert zeekpop3.parse(given).subject == "hello"


def test_no_progress_bar_among_the_output(incident: Path) -> None:
    """Without a file of its own (`python -c`), DuckDB takes a program for a prompt, and draws on stdout."""
    asks = "select current_setting('enable_progress_bar') as bar"
    code = f"import zeekpop3; print(zeekpop3.sql({str(incident)!r}, {asks!r}).bar[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
