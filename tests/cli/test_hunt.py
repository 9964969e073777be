"""`zeekpop3 hunt` and `zeekpop3 verify`: formats, exit codes, what is added and what is printed once."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest

import zeekpop3
from support import tables_made
from support.program import on_a_terminal, program
from support.records import transfer
from support.tables_made import Made
from zeekpop3.store.read import read_table
from zeekpop3.tables import schema
from zeekpop3.views.text import visible

ANSWER = (
    "12 hits in 3 of 7 mails; 4 ruled out; 0 cannot be ruled out\n"
    "1 session switched to TLS (STLS): what was fetched then is encrypted, and was not searched.\n"
)


@pytest.fixture(scope="module")
def feed(fixtures: Path) -> Path:
    """The list of indicators of the incident."""
    return fixtures / "incident" / "indicators.intel"


def test_a_list_from_another_program(incident: Path, feed: Path) -> None:
    """`-` is standard input; a pipe (`<(…)` of a shell) is read, too, which cannot be read twice."""
    done = program("hunt", incident, "--indicators", "-", stdin=feed.read_bytes())
    assert (done.returncode, done.stderr) == (0, ANSWER)
    read, write = os.pipe()
    os.write(write, feed.read_bytes())
    os.close(write)
    done = program("hunt", incident, "--indicators", f"/dev/fd/{read}")
    os.close(read)
    assert (done.returncode, done.stderr) == (0, ANSWER)


def test_formats(incident: Path, feed: Path) -> None:
    """Text by indicator and by mail, JSON and CSV with whose mail it is; the answer is on stderr."""
    done = program("hunt", incident, "--indicators", feed)
    assert (done.returncode, done.stderr) == (0, ANSWER)
    lines = done.stdout.splitlines()
    summary = lines[: lines.index("")]
    assert len(summary) == 4
    assert "badhost.test" in summary[0]
    assert "  3 mails, 2 users  2026-10-14 08:20:00 to 2026-10-14 09:30:00" in summary[0]
    lines = lines[len(summary) + 1 :]
    assert len(lines) == 15
    assert lines[5] == "2026-10-14 08:40:00  CVx95G3HWa3Xj6Pf44/3  ben  Payroll 2026: please confirm"
    assert lines[6].split() == ["EMAIL", "addresses.reply_to", "feed-a", "payroll.corp@freemail.example"]
    assert lines[8].endswith("links.host          feed-a  badhost.test (portal-corp.badhost.test)")
    done = program("hunt", incident, "--indicators", feed, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 12
    about = ["mail", "user", "id_orig_h", "from_address", "subject"]
    assert list(rows[0]) == [*schema("hits").names, *about]
    found = {tuple(row[name] for name in about[:3]) for row in rows}
    assert ("CVx95G3HWa3Xj6Pf44/3", "ben", "10.20.0.12") in found
    assert {row["subject"] for row in rows} == {"Payroll 2026: please confirm"}
    assert None not in {row["from_address"] for row in rows}
    done = program("hunt", incident, "--indicators", feed, "--csv")
    assert [row["indicator"] for row in csv.DictReader(io.StringIO(done.stdout))] == [
        row["indicator"] for row in rows
    ]


def test_sessions_that_were_not_read_completely(fixtures: Path, tmp_path: Path) -> None:
    """Mails that are in no table cannot be ruled out; `hunt` says how many sessions may have had some."""
    out = tmp_path / "out"
    program("run", fixtures / "hostile" / "tcp.log.gz", "--out", out)
    sessions = read_table(out, "sessions", ["defects"]).column(0).to_pylist()
    unread = [one for one in sessions if {"not_understood", "reply_malformed"} & set(one)]
    assert unread
    (feed := tmp_path / "feed.txt").write_text("nobody.example\n")
    done = program("hunt", out, "--indicators", feed)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Not read completely: ")]
    assert line == (
        f"Not read completely: {len(unread)} sessions (not_understood, reply_malformed). "
        "They may have fetched mails that are in no table."
    )
    unseen = zeekpop3.hunt(out, values=["nobody.example"]).unseen
    assert (unseen.unread, unseen.defects) == (len(unread), ("not_understood", "reply_malformed"))


@pytest.mark.slow
def test_write_and_new(incident: Path, feed: Path, tmp_path: Path) -> None:
    """Hits are added once; --new prints those of new indicators alone."""
    out = tmp_path / "out"
    shutil.copytree(incident, out)
    first = tmp_path / "first.txt"
    first.write_text("badhost.test\n")
    done = program("hunt", out, "--indicators", first, "--write")
    assert "; 3 new hits added to the table hits\n" in done.stderr
    done = program("hunt", out, "--indicators", first, "--write", "--json")
    assert len(done.stdout.splitlines()) == 3
    assert "; 0 new hits added to the table hits\n" in done.stderr
    for count in (9, 0):
        done = program("hunt", out, "--indicators", feed, "--new", "--json")
        assert len(done.stdout.splitlines()) == count
    assert read_table(out, "hits").num_rows == 12


@pytest.mark.slow
def test_some_mails(incident: Path, feed: Path) -> None:
    """By user and time; a session of another user has no part in it."""
    done = program("hunt", incident, "-i", feed, "--user", "ben", "--json")
    assert (len(done.stdout.splitlines()), done.stderr.splitlines()[0][:22]) == (8, "8 hits in 2 of 4 mails")
    done = program("hunt", incident, "-i", feed, "--since", "2026-10-14T09:00", "--json")
    assert (len(done.stdout.splitlines()), done.stderr.splitlines()[0][:21]) == (4, "4 hits in 1 of 1 mail")
    assert program("hunt", incident, "-i", feed, "--until", "2026-10-01").stderr.startswith(
        "0 hits in 0 of 0"
    )


def test_undecided(feed: Path, tmp_path: Path) -> None:
    """Mails that cannot be ruled out, with the reason, as a table and as JSON."""
    out = tmp_path / "out"
    tables_made.write(out, [transfer(uid="CbbbB2", complete=False, missing_bytes=34)])
    done = program("hunt", out, "--indicators", feed, "--undecided", "--json")
    (row,) = (json.loads(line) for line in done.stdout.splitlines())
    assert (row["uid"], row["missing_bytes"], row["reason"]) == ("CbbbB2", 34, "bytes are missing")
    assert done.stderr == "0 hits in 0 of 1 mail; 0 ruled out; 1 cannot be ruled out\n"
    assert "CbbbB2/1" in program("hunt", out, "--indicators", feed, "--undecided").stdout


def test_files_that_are_not_lists_are_refused(made: Made, fixtures: Path, tmp_path: Path) -> None:
    """A capture, an archive, a program, a Zeek log: refused in one line, and nothing is ruled out."""
    program_file = tmp_path / "a.exe"
    program_file.write_bytes(b"MZ\x90\0\3\0\0\0")
    for path, word in (
        (fixtures / "article.pcap", "a capture, not a list of indicators; zeekpop3 pcap reads captures"),
        (fixtures / "hostile" / "exact.log.gz", "an archive, not a list of indicators; unpack it first"),
        (fixtures / "incident" / "conn.log", "a log of Zeek, not a list of indicators"),
        (program_file, "not a list of indicators: binary data"),
    ):
        done = program("hunt", made.path, "-i", path)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"zeekpop3: {path}: {word}\n")


def test_wrong_usage_and_broken_lists(made: Made, feed: Path, tmp_path: Path) -> None:
    """2 for wrong usage, 1 if a list or some of its lines cannot be used; few lines on stderr."""
    assert program("hunt", made.path).returncode == 2
    assert program("hunt", made.path, "-i", feed, "--new", "--undecided").returncode == 2
    assert program("hunt", made.path, "-i", feed, "--json", "--csv").returncode == 2
    done = program("hunt", made.path, "-i", tmp_path / "none")
    assert (done.returncode, done.stderr) == (1, f"zeekpop3: {tmp_path / 'none'}: no such file\n")
    broken = tmp_path / "broken.txt"
    broken.write_text("evil.example\n" + "?!\x1b[2J\n" * 1000)
    done = program("hunt", made.path, "-i", broken)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 12
    assert "990 more lines skipped" in done.stderr
    assert visible(done.stderr.replace("\n", "")) == done.stderr.replace("\n", "")


def test_nothing_in_a_mail_controls_the_terminal(made: Made, tmp_path: Path) -> None:
    """The users of the hostile mails are searched for, and printed."""
    names = tmp_path / "names.csv"
    names.write_text("indicator,type\nzhangsan,USER_NAME\nevil@example.net,EMAIL\n")
    code, text = on_a_terminal("hunt", str(made.path), "--indicators", str(names), "--undecided")
    assert code == 0
    code, text = on_a_terminal("hunt", str(made.path), "--indicators", str(names))
    assert code == 0
    plain = text.replace("\r\n", "").replace("\r", "")
    assert visible(plain) == plain


def test_verify(incident: Path, fixtures: Path, tmp_path: Path) -> None:
    """Both copies of the signed mail pass; the keys are kept, and serve without the log."""
    keys = tmp_path / "keys.json"
    dns = fixtures / "incident" / "dns.log"
    done = program("verify", incident, "--dns", dns, "--keys", keys, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["result"], row["aligned"], row["domain"]) for row in rows] == [
        ("pass", True, "partner-bank.example")
    ] * 2
    assert done.stderr == "2 signatures: 2 pass, 0 fail, 0 no key; 1 key known\n"
    again = program("verify", incident, "--keys", keys, "--json")
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert "partner-bank.example" in program("verify", incident, "--keys", keys).stdout
    assert len(program("verify", incident, "--keys", keys, "--csv", "--user", "ben").stdout.splitlines()) == 2


def test_verify_without_what_it_needs(incident: Path, fixtures: Path, tmp_path: Path) -> None:
    """Without keys it is wrong usage; a log that cannot be read is named, and the rest is used."""
    assert program("verify", incident).returncode == 2
    assert program("verify", incident, "--keys", tmp_path / "none").returncode == 2
    done = program("verify", incident, "--dns", tmp_path / "none.log", "--dns", fixtures / "incident")
    assert done.returncode == 1
    assert "none.log: no such log file" in done.stderr
    assert "2 pass" in done.stderr


@pytest.mark.parametrize("name", ["hunt", "verify", "export"])
def test_help_ends_with_examples(name: str) -> None:
    """At least two; they begin with the command."""
    text = program(name, "--help", columns=200).stdout
    assert text.partition("Examples:")[2].count(f"$ zeekpop3 {name} tables") >= 2
