"""Export: documents valid by the published schemas, logs that Zeek's readers read, each mail once."""

from __future__ import annotations

import json
import shutil
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from zat.zeek_log_reader import ZeekLogReader

import zeekpop3
from support.growing import lines_of, sessions
from support.program import program
from support.schemas import ecs_problems, ocsf_problems
from support.tables_made import PAYLOADS, Made
from support.traffic.eventlog import log_header
from zeekpop3.errors import OutputError
from zeekpop3.follow import Follower, Options
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import read_table
from zeekpop3.views.export import ExportFormat, ecs, mails, ocsf
from zeekpop3.views.export.formats import export_lines
from zeekpop3.views.export.mails import ExportState, MailReader
from zeekpop3.zeek.logs import read_zeek_log


def exported(path: Path, wanted: str, state: ExportState | None = None) -> list[dict[str, Any]]:
    found = export_lines(path, ExportFormat(wanted), state or ExportState())
    return [json.loads(line) for batch in found for line in batch.lines]


def keys(path: Path) -> list[tuple[str, int]]:
    columns = read_table(path, "emails", ["uid", "trans_depth"]).columns
    return sorted(zip(*(column.to_pylist() for column in columns), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "problems"), [("ecs", ecs_problems), ("ocsf", ocsf_problems)], ids=["ecs", "ocsf"]
)
def test_every_document_is_valid(
    everything: Path, made: Made, fixtures: Path, wanted: str, problems: Any
) -> None:
    """Those of the fixtures, of hostile mails, and of tables of version 2; as many as there are mails."""
    for path in (everything, made.path, fixtures / "tables-2" / "batch"):
        documents = exported(path, wanted)
        wrong = [(document, found) for document in documents if (found := problems(document))]
        assert not wrong, wrong[0][1]
        ids = [
            document["event"]["id"] if wanted == "ecs" else document["metadata"]["uid"]
            for document in documents
        ]
        assert sorted(ids) == sorted(f"{uid}/{depth}" for uid, depth in keys(path))


def test_the_checks_can_fail(everything: Path) -> None:
    """A document with a wrong name, type, pattern or value is found out."""
    document = exported(everything, "ecs")[0]
    change: dict[str, Any]
    for change in ({"mail": {"subject": "x"}}, {"email": {"to": {"address": "a"}}}, {"event": {"kind": "x"}}):
        assert ecs_problems({**document, **change})
    event = exported(everything, "ocsf")[0]
    for change in ({"time": "now"}, {"activity_id": 9}, {"email": {}}, {"sender": "x"}, {"from": "x"}):
        assert ocsf_problems({**event, **change})
    assert ocsf_problems({name: value for name, value in event.items() if name != "metadata"})


def test_what_a_document_says(everything: Path) -> None:
    """The phish of the incident, in both schemas."""
    (document,) = (each for each in exported(everything, "ecs") if each["source"]["ip"] == "10.20.9.99")
    assert document["email"]["from"] == {"address": ["hr@c0rp-payroll.example"]}
    assert document["email"]["reply_to"] == {"address": ["payroll.corp@freemail.example"]}
    assert document["email"]["attachments"][0]["file"]["name"] == "Payroll_2026.pdf.exe"
    assert document["related"]["hosts"] == ["portal-corp.badhost.test", "portal.corp.example"]
    assert document["ecs"]["version"] == ecs.VERSION
    assert "http://portal-corp.badhost.test/login?id=7" in document["zeekpop3"]["urls"]
    assert document["zeekpop3"]["from_name"] == ["Payroll <payroll@corp.example>"]
    (event,) = (each for each in exported(everything, "ocsf") if each["src_endpoint"]["ip"] == "10.20.9.99")
    assert event["email"]["reply_to_list"] == ["payroll.corp@freemail.example"]
    assert event["email"]["urls"][0]["url_string"] == "http://portal-corp.badhost.test/login?id=7"
    assert event["email_auth"] == {"spf": "fail", "dkim": "none", "dmarc": "fail"}
    assert event["metadata"]["version"] == ocsf.VERSION


def test_rows_as_json(everything: Path) -> None:
    """All columns but the message itself."""
    rows = exported(everything, "json")
    assert len(rows) == len(keys(everything))
    assert list(rows[0]) == [name for name in read_table(everything, "emails", limit=0).schema.names
                             if name not in ("raw", "day")]  # fmt: skip


@pytest.mark.parametrize("wanted", ["zeek", "zeek-json"])
def test_a_zeek_log(made: Made, everything: Path, tmp_path: Path, wanted: str) -> None:
    """What the tables hold comes back through a reader of Zeek logs, hostile text too."""
    names = ["uid", "trans_depth", "ts", "user", "subject", "to", "complete", "urls", "id_orig_p", "defects"]
    for path in (made.path, everything):
        log = tmp_path / "pop3_mails.log"
        log.write_text(program("export", path, "--as", wanted).stdout, encoding="utf-8")
        found = {(row["uid"], row["trans_depth"]): row for row in read_zeek_log(log).to_pylist()}
        expected = read_table(path, "emails", names).to_pylist()
        assert len(found) == len(expected)
        for mail in expected:
            row = found[mail["uid"], mail["trans_depth"]]
            assert {name: row.get(name) for name in names} == mail


def test_zat_reads_the_log(everything: Path, tmp_path: Path) -> None:
    """With as many fields in each line as the header names."""
    log = tmp_path / "pop3_mails.log"
    done = program("export", everything, "--as", "zeek")
    log.write_text(done.stdout, encoding="utf-8")
    rows = list(ZeekLogReader(str(log), strict=True).readrows())
    assert len(rows) == len(keys(everything))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert done.stdout.startswith("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n")
    assert done.stdout.splitlines()[-1].startswith("#close\t")


def test_a_state_remembers(made: Made, tmp_path: Path) -> None:
    """The second export has nothing, not even a header; another state has all."""
    state = tmp_path / "state"
    count = len(made.transfers)
    done = program("export", made.path, "--as", "ecs", "--state", state)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, count)
    assert done.stderr == f"{count} mails exported\n"
    done = program("export", made.path, "--as", "zeek", "--state", state)
    assert (done.stdout, done.stderr) == ("", "0 mails exported\n")
    assert (
        len(program("export", made.path, "--as", "ecs", "--state", tmp_path / "b").stdout.splitlines())
        == count
    )


def events_of(path: Path, state: ExportState | None = None, **span: Any) -> list[dict[str, Any]]:
    """The documents of sessions and hits."""
    found = export_lines(
        path, ExportFormat.ecs, state or ExportState(), Filters(**span) if span else None, events=True
    )
    return [json.loads(line) for batch in found if batch.events for line in batch.lines]


@pytest.fixture(scope="module")
def hunted(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two days of the trial, with the hits of their list stored."""
    out = tmp_path_factory.mktemp("hunted") / "out"
    folder = fixtures / "trial"
    zeekpop3.run(folder / "logs", out, jobs=1)
    done = program("hunt", out, "--indicators", folder / "indicators.intel", "--write")
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_sessions_and_hits_as_events(hunted: Path, made: Made, everything: Path) -> None:
    """Valid documents, one for each session and each hit; they name refusals and the mail of a hit."""
    for path in (hunted, made.path, everything):
        documents = events_of(path)
        assert [found for each in documents if (found := ecs_problems(each))] == []
        counts = [read_table(path, table, ["uid"]).num_rows for table in ("sessions", "hits")]
        kinds = Counter(each["event"]["dataset"] for each in documents)
        assert [kinds["zeekpop3.sessions"], kinds["zeekpop3.hits"]] == counts
        assert len({each["event"]["id"] for each in documents}) == len(documents)
    events = events_of(hunted)
    refused = [each for each in events if each.get("zeekpop3", {}).get("users_refused")]
    assert {name for each in refused for name in each["related"]["user"]} >= {"dave"}
    alerts = [each for each in events if each["event"]["kind"] == "alert"]
    assert all(each["email"]["local_id"] and each["source"]["user"]["name"] for each in alerts)
    link = next(each for each in alerts if each["zeekpop3"]["indicator"] == "evil-site.test")
    indicator: dict[str, Any] = link["threat"]["indicator"]
    assert (indicator["type"], indicator["url"]) == ("domain-name", {"domain": "evil-site.test"})


def test_events_once_and_of_a_user(hunted: Path, tmp_path: Path) -> None:
    """With a state each session and each hit comes once, new hits later; filters hold for them, too."""
    out, state = tmp_path / "out", tmp_path / "state"
    shutil.copytree(hunted, out)
    sessions_ = read_table(out, "sessions", ["uid"]).num_rows
    hits = read_table(out, "hits", ["uid"]).num_rows
    arguments = ("export", out, "--as", "ecs", "--events", "--state", state)
    assert program(*arguments).stderr == f"20 mails, {sessions_ + hits} events exported\n"
    assert (again := program(*arguments)).stdout == "" and again.stderr == "0 mails, 0 events exported\n"
    (tmp_path / "more").write_text("parcel-fast.test\n")
    assert program("hunt", out, "--indicators", tmp_path / "more", "--write").returncode == 0
    later = [json.loads(line) for line in program(*arguments).stdout.splitlines()]
    assert {each["threat"]["indicator"]["name"] for each in later} == {"parcel-fast.test"}
    users = {each["source"]["user"]["name"] for each in events_of(out, user="ANNA")}
    assert users == {"anna"}
    assert events_of(out, until="2000-01-01") == []
    done = program("export", out, "--as", "ocsf", "--events")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_filters(made: Made, tmp_path: Path) -> None:
    """By user and time, but not with a state."""
    assert program("export", made.path, "--as", "ecs", "--user", "wangwu").stderr == "3 mails exported\n"
    done = program("export", made.path, "--as", "ecs", "--user", "x", "--state", tmp_path / "state")
    assert done.returncode == 2


def test_a_file_that_is_no_state(made: Made, tmp_path: Path) -> None:
    """One line, exit code 2, and the file is as it was."""
    state = tmp_path / "state"
    state.write_text("something else, and longer than a header of SQLite would be" * 20)
    before = state.read_bytes()
    done = program("export", made.path, "--as", "ecs", "--state", state)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "cannot be used as --state" in done.stderr
    assert state.read_bytes() == before
    with pytest.raises(OutputError, match="none"):
        ExportState(tmp_path / "none" / "state")


def test_one_export_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one waits for the state; the file is private."""
    path = tmp_path / "state"
    monkeypatch.setattr(mails, "_WAIT_S", 0.2)
    with ExportState(path) as state:
        state.add([("C1", 1)])
        with pytest.raises(OutputError, match="in use by another export"):
            ExportState(path)
        state.add([("C2", 1)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with ExportState(path) as state:
        assert state.holds(("C1", 1)) and state.holds(("C2", 1))


def test_what_was_not_taken_comes_again(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that ends between two lists of mails repeats the last one at most."""
    monkeypatch.setattr(mails, "_ROWS", 5)
    with ExportState(tmp_path / "state") as state:
        found = export_lines(made.path, ExportFormat.ecs, state)
        first, second = next(found), next(found)
    assert (first.mails, second.mails, len(second.lines)) == (5, 5, 5)
    with ExportState(tmp_path / "state") as state:
        again = [line for batch in export_lines(made.path, ExportFormat.ecs, state) for line in batch.lines]
    assert again[:5] == second.lines
    assert len(again) == len(made.transfers) - 5


def test_parts_are_merged_while_they_are_read(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is gone when it is read: the tables are opened again, each mail is there once."""
    monkeypatch.setattr(mails, "_ROWS", 4)
    path = tmp_path / "out"
    shutil.copytree(made.path, path)
    found: Counter[str] = Counter()
    with MailReader(path, ecs.COLUMNS, parts=True) as reader:
        for number, rows in enumerate(reader.new_mails(ExportState())):
            found.update(f"{row['uid']}/{row['trans_depth']}" for row in rows)
            for part in path.glob("*/day=*/*.parquet"):
                part.rename(part.with_name(f"merged-{number}-{part.name[-20:]}"))
    assert found == Counter(f"{uid}/{depth}" for uid, depth in keys(path))


@pytest.mark.slow
def test_every_minute_beside_a_follower(tmp_path: Path) -> None:
    """The log grows, the follower commits and merges, and an export runs after each step."""
    folder, out = tmp_path / "logs", tmp_path / "out"
    folder.mkdir()
    lines = lines_of(sessions(24, per_connection=2))
    log = folder / "pop3_events.log"
    log.write_bytes(log_header())
    found: Counter[str] = Counter()
    options = Options(flush_s=0.0, merge_s=0.0)
    with Follower([folder], out, options=options) as follower:
        for start in range(0, len(lines), 40):
            with log.open("ab") as file:
                file.write(b"".join(lines[start : start + 40]))
            follower.once()
            if list(out.glob("emails/day=*/*.parquet")):
                with ExportState(tmp_path / "state") as state:
                    found.update(each["event"]["id"] for each in exported(out, "ecs", state))
    assert len(found) > 40
    assert found == Counter(f"{uid}/{depth}" for uid, depth in keys(out))


@pytest.mark.slow
def test_nothing_reaches_the_terminal(made: Made) -> None:
    """Escaped in every format."""
    for wanted in ExportFormat:
        text = program("export", made.path, "--as", wanted).stdout
        assert not any(payload in text for payload in PAYLOADS if "\x1b" in payload or "\u202e" in payload)
