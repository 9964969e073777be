"""What a user, a client or a mail did, in order, over planted sessions, mails, deletions and clicks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import program
from support.queries import CLIENT, OTHER, at, letter
from support.records import HOUR, NOON, command, session, transfer
from support.report_boxes import write_box
from zeekpop3.errors import QueryError
from zeekpop3.views.timeline import lines, timeline

HTTP = '{{"ts":{ts},"uid":"Ch","id.orig_h":"192.0.2.10","host":"bad.example","uri":"/in"}}\n'


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Refusals of lisi, then a login; zhangsan fetches, clicks and deletes; wangwu fetches a copy."""
    phish = letter(
        "x@evil.example", "Reply-To: y@other.test", "Message-ID: <1@x>", text="http://bad.example/in\r\n"
    )
    events = [
        session(uid="C1", ts=NOON, deleted=1),
        transfer(uid="C1", ts=NOON + 1, raw=phish, msg_num=2),
        command(uid="C1", ts=NOON + 2, command="DELE", argument="2"),
        session(
            uid="C2", ts=NOON + HOUR, user="lisi", conn_id=at(OTHER), users_refused=["lisi"], logins_failed=2
        ),
        session(uid="C3", ts=NOON + 2 * HOUR, user="wangwu", conn_id=at("192.0.2.12")),
        transfer(uid="C3", ts=NOON + 2 * HOUR + 1, raw=phish, user="wangwu", conn_id=at("192.0.2.12")),
    ]
    write_box(tmp_path / "out", events)
    (tmp_path / "http.log").write_text(HTTP.format(ts=NOON / 1e6 + 60))
    return tmp_path / "out"


def kinds(result: object) -> list[tuple[str, str]]:
    return [(row["event"], row["user"]) for row in result.dicts()]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_of_a_user(tables: Path) -> None:
    """Login, mail with what is suspicious, deletion, click: in the order of time."""
    result, read = timeline(tables, user="ZhangSan", logs={"http": tables.parent / "http.log"})
    assert kinds(result) == [(event, "zhangsan") for event in ("login", "mail", "deleted", "click")]
    mail = result.dicts()[1]
    assert (mail["mail"], mail["score"] > 0, mail["reasons"][0]) == (
        "C1/1",
        True,
        "replies go elsewhere: y@other.test",
    )
    assert read == ["http: 1 file, 1 row, 2024-06-24 12:01:00 to 2024-06-24 12:01:00"]


@pytest.mark.slow
def test_of_a_client(tables: Path) -> None:
    """Refusals come before the login of the same session."""
    assert kinds(timeline(tables, client=OTHER)[0]) == [("refused", "lisi"), ("login", "lisi")]
    assert kinds(timeline(tables, client=CLIENT)[0])[0] == ("login", "zhangsan")


@pytest.mark.slow
def test_of_a_mail(tables: Path) -> None:
    """All copies of the mail, by hash and Message-ID, whoever fetched them."""
    found = kinds(timeline(tables, mail="C3/1")[0])
    assert [each for each in found if each[0] != "login"] == [
        ("mail", "zhangsan"), ("deleted", "zhangsan"), ("mail", "wangwu"),
    ]  # fmt: skip


@pytest.mark.slow
def test_by_the_program(tables: Path) -> None:
    """Text for a person, JSON lines; one thing to ask for; what is not there is said."""
    done = program("timeline", tables, "--user", "lisi")
    assert done.stdout.splitlines()[:2] == [
        "2024-06-24 (UTC)",
        "  13:00:00  refused  lisi at 192.0.2.11, server 192.0.2.110",
    ]
    done = program("timeline", tables, "--ip", "192.0.2.11", "--json")
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["refused", "login"]
    assert program("timeline", tables).returncode == 2
    assert program("timeline", tables, "--ip", "1.2.3.400").returncode == 2
    assert "Nothing found" in program("timeline", tables, "--user", "nobody").stderr


@pytest.mark.slow
def test_hostile_names_are_data(tables: Path) -> None:
    """A quote in a name is part of the name."""
    assert timeline(tables, user="x' or '1'='1")[0].rows == []
    with pytest.raises(QueryError, match="one of them"):
        timeline(tables)
    assert list(lines(timeline(tables, user="nobody")[0])) == []
