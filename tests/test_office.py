"""Questions over `support/traffic/office.py`: the answers are what was planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

import zeekpop3
from support.program import program
from support.traffic import tcp
from support.traffic.office import GUESSER, PHONE, SERVER, THIEF, USERS, make_tables
from zeekpop3.detect.matching import INNER_URLS
from zeekpop3.store.filters import Filters
from zeekpop3.views.report.page import write_report
from zeekpop3.views.report.summary import answers, sentences
from zeekpop3.views.sql import ask

OWN = ("acme.example",)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables; tests only read them."""
    return make_tables(tmp_path_factory.mktemp("office"))


def asked(tables: Path, question: str, **logs: Path) -> list[Row]:
    return ask(tables, query=question, own=OWN, logs=logs).dicts()


def visits(folder: Path, *seen: tuple[str, str, str]) -> Path:
    """An http.log of visits a day later: client, host, path."""
    when = tcp.START / 1e6 + 86_400
    lines = [
        json.dumps({"ts": when, "uid": "H1", "id.orig_h": client, "host": host, "uri": path})
        for client, host, path in seen
    ]
    log = folder / "http.log"
    log.write_text("\n".join(lines) + "\n")
    return log


# -- users in any case -----------------------------------------------------------------------------------


def test_guesses_in_several_spellings_and_a_success_from_elsewhere(tables: Path) -> None:
    """The case of a user's letters does not count; a name without a site stays a name of its own."""
    found = {(row["user"], row["client"]): row for row in asked(tables, "logins")}
    guessed = found["cem@acme.example", GUESSER]
    assert (guessed["refused"], guessed["success_from"]) == (3, THIEF)
    assert (found["cem", GUESSER]["refused"], found["cem", GUESSER]["success_from"]) == (1, None)
    assert found["cem@acme.example", THIEF]["fetched"] == 1


def test_second_clients_whatever_the_case(tables: Path) -> None:
    found = {(row["user"], row["client"]) for row in asked(tables, "second-client")}
    assert found == {
        ("bob@acme.example", "10.8.0.2"), ("bob@acme.example", PHONE),
        ("cem@acme.example", "10.8.0.3"), ("cem@acme.example", THIEF),
    }  # fmt: skip


@pytest.mark.slow
def test_a_wave_counts_each_user_once(tables: Path) -> None:
    (wave,) = [row for row in asked(tables, "campaigns") if row["senders"] > 1]
    assert (wave["users"], wave["mails"]) == (len(USERS), len(USERS) + 1)  # Bob has two clients
    hits = program("hunt", tables, "-i", values(tables, "full.test")).stdout
    assert "6 mails, 5 users" in hits


def values(tables: Path, *listed: str) -> Path:
    path = tables.parent / "values.txt"
    path.write_text("\n".join(listed) + "\n")
    return path


@pytest.mark.slow
def test_who_logged_in_with_a_readable_password(tables: Path) -> None:
    assert sorted({row["user"] for row in asked(tables, "clear-text-logins") if row["logins"]}) == [
        f"{user}@acme.example" for user in USERS
    ]
    page = tables.parent / "page.html"
    write_report(tables, page, own=OWN)
    text = page.read_text("utf-8")
    assert "The passwords of 5 users could be read on the network." in text
    assert f"{THIEF}, a new client of cem@acme.example, got in within a day after 3 refused logins" in text


def test_nothing_is_called_unfetched_that_another_spelling_fetched(tables: Path) -> None:
    assert asked(tables, "unfetched") == []


# -- deletions, visits, addresses ------------------------------------------------------------------------


def test_what_was_deleted_in_a_later_connection(tables: Path) -> None:
    """By the unique id: the mail that was fetched before; without QUIT it stays."""
    found = {(row["user"], row["subject"], row["final"]) for row in asked(tables, "deleted")}
    assert found == {
        ("dan@acme.example", "Your mailbox is full, dan", True),
        ("Eli@Acme.example", "Your mailbox is full, eli", False),
    }


@pytest.mark.slow
def test_addresses_that_fetched_nothing_have_hits(tables: Path) -> None:
    """An attacker who only guessed passwords was here: no mail is a hit, and the connections are."""
    found = zeekpop3.hunt(tables, values=[GUESSER])
    assert {hit["field"] for hit in found.table.to_pylist()} == {"sessions.id_orig_h"}
    assert (found.table.num_rows, found.with_hits, found.connections) == (4, 0, 4)
    told = program("hunt", tables, "-i", values(tables, "203.0.113.0/24"))
    assert "SUBNET  203.0.113.0/24  1 mail, 4 connections, 1 user" in told.stdout
    assert f"(connection without mails, client {GUESSER})" in told.stdout
    assert "4 connections without mails; " in told.stderr
    assert program("hunt", tables, "-i", values(tables, "192.0.2.99")).stdout == ""
    assert zeekpop3.hunt(tables, values=[SERVER]).with_hits == 40


def test_a_visit_of_a_host_is_one_visit(tables: Path, tmp_path: Path) -> None:
    """Two links of a mail lead to the host; no path says which one was opened."""
    log = visits(tmp_path, ("10.8.0.1", "click.esp.example", "/elsewhere"))
    found = asked(tables, "clicks", http=log)
    assert [(row["user"], row["match"], row["subject"]) for row in found] == [
        ("ada@acme.example", "host", "Week 1"), ("ada@acme.example", "host", "Week 2"),
    ]  # fmt: skip


# -- empty answers say why, and what was not searched ----------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (("show", "--user", "cem"), "No mailbox was opened as cem; similar: cem@acme.example."),
        (
            ("show", "--user", "CEM@acme.example", "--since", "2030-01-01"),
            "The mails are from 2023-11-14 22:13:20 to",
        ),
        (("show", "--until", "2020-01-01"), "(UTC)."),
        (("show", "--sensor", "north"), "Sensors of the tables: (without a name)."),
        (("show", "--subject", "nothing like that"), "No mails found.\n"),
        (("timeline", "--user", "ada"), "similar: ada@acme.example"),
        (("timeline", "--user", "nobody"), "No mailbox was opened as nobody."),
    ],
)
def test_empty_answers_say_why(tables: Path, question: tuple[str, ...], answer: str) -> None:
    done = program(question[0], tables, *question[1:])
    assert done.stdout == ""
    assert answer in done.stderr


@pytest.mark.parametrize(
    "command", [["show"], ["sql", "-q", "logins"], ["timeline"], ["eml", "--out", "x"], ["hunt"]]
)
def test_a_glob_that_the_shell_expanded(tables: Path, command: list[str]) -> None:
    """`sensors/*` without quotes: the second folder is not what the command expects there."""
    done = program(command[0], tables, tables, *command[1:])
    assert done.returncode == 2
    assert "to read several folders, give a glob in quotes: 'sensors/*'" in done.stderr


def test_an_own_site_must_be_a_domain(tables: Path) -> None:
    done = program("sql", tables, "-q", "suspicious", "--own", "acme")
    assert done.stderr == "zeekpop3: own site 'acme': expected a domain, such as example.org\n"


def test_files_in_archives_are_found_by_name_and_hash(tables: Path) -> None:
    """As `hunt` does; and a site may be given as the URL of a report."""
    (row,) = zeekpop3.sql(tables, "select sha256, name from members").to_dict("records")
    assert row["name"] == "Tender.pdf.lnk"
    for how in (["--extension", ".lnk"], ["--attachment-name", "pdf.lnk"], ["--attachment", row["sha256"]]):
        assert "Tender" in program("show", tables, *how).stdout
    assert zeekpop3.mails(tables, site="hxxps://collect[.]notice[.]test/p").subject.tolist() == ["Form"]


def test_types_that_were_not_searched_are_said(tables: Path) -> None:
    listed = tables.parent / "misp.csv"
    listed.write_text("type,value\ndomain,go.full.test\nbtc,bc1qxy2k\nmutex,Global-1\nbtc,bc1q3\n")
    told = program("hunt", tables, "-i", listed)
    assert told.stderr.endswith("Not searched, because mail does not show such values: 2 btc, 1 mutex.\n")
    assert told.returncode == 0


def test_a_url_without_a_query_matches_with_one(tables: Path) -> None:
    """As reports write them; the path must be the same."""
    found = zeekpop3.hunt(tables, values=["hxxps://www.searchy[.]example/out"])
    assert [hit["field"] for hit in found.table.to_pylist()] == ["links.url"]
    assert zeekpop3.hunt(tables, values=["https://www.searchy.example/ou"]).with_hits == 0


def test_a_url_inside_a_url(tables: Path, tmp_path: Path) -> None:
    """An open redirect: its target is a host of the mail, an indicator, and what was opened."""
    shown = program("show", tables, "--site", "zone.test", "--csv").stdout
    assert shown.count("Redirect") == 1
    listed = ["drop.zone.test", "hxxps://drop.zone[.]test/a", "one.test"]
    found = zeekpop3.hunt(tables, values=listed).table.to_pylist()
    assert {(hit["indicator"], hit["value"]) for hit in found} == {
        ("drop.zone.test", "drop.zone.test"),
        ("hxxps://drop.zone[.]test/a", "https://drop.zone.test/a"),
    }
    log = visits(tmp_path, ("10.8.0.1", "drop.zone.test", "/a"))
    assert [(row["subject"], row["match"]) for row in asked(tables, "clicks", http=log)] == [
        ("Redirect", "URL")
    ]


@pytest.mark.parametrize(
    ("url", "inner"),
    [
        ("https://a.test/?u=https%3A%2F%2Fb.test%2Fx%3Fy%3D1&z=2", ["https://b.test/x?y=1"]),
        ("https://a.test/r/http://b.test/x", ["http://b.test/x"]),
        ("https://a.test/?u=HTTPS%253a%252F%252Fb.test", ["HTTPS://b.test"]),
        ("https://a.test/?u=%ff%zz%&v=http://b.test", ["http://b.test"]),
        ("https://a.test/https", []),
        ("http://" + "http%3A%2F%2Fb.test" * 2000, None),
    ],
    ids=range(6),
)
def test_urls_inside_urls_in_hostile_forms(url: str, inner: list[str] | None) -> None:
    """Bytes that are not UTF-8 hide nothing; many of them end in time."""
    ((found,),) = duckdb.execute(f"select {INNER_URLS} from (select ? as url)", [url]).fetchall()
    assert inner is None or found == inner


@pytest.mark.slow
def test_the_timeline_says_its_zone_and_a_score_once(tables: Path) -> None:
    told = program("timeline", tables, "--user", "ada@acme.example", "--own", "acme.example").stdout
    assert told.startswith("2023-11-14 (UTC)\n")
    mails = [
        row for row in asked(tables, "suspicious") if row["user"].startswith("ada") and row["score"] == 65
    ]
    assert told.count("(65): ") == len(mails) > 0


# -- what is suspicious ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_look_alike_sender_is_called_a_sender(tables: Path) -> None:
    """Sender and link are at the site: both are said, and count once."""
    (row,) = [row for row in asked(tables, "suspicious") if row["subject"] == "Look-alike"]
    assert "sender looks like an own site: acrne.example for acme.example" in row["reasons"]
    assert "link looks like an own site: acrne.example for acme.example" in row["reasons"]
    assert row["score"] == 65


def reasons(tables: Path, subject: str) -> list[str]:
    """The reasons of Ada's mail with this subject; none if it is not suspicious."""
    found = [row["reasons"] for row in asked(tables, "suspicious") if row["subject"] == subject]
    return list(found[0]) if found else []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("Homoglyph", "display name of somebody here: karla@acme.example used by k@post.test"),
        ("Reversed", "display name of somebody here: karla@acme.example used by k@office.test"),
        ("Notebook", "OneNote notebook: BL.one"),
        ("Archive", "archive that was not opened: order.rar of o@order.test"),
        ("Form", "form that asks for a password: sent to collect.notice.test"),
        ("Forged", "own site as sender, not confirmed: karla@acme.example"),
    ],
)
def test_reasons(tables: Path, subject: str, reason: str) -> None:
    assert reason in reasons(tables, subject)


@pytest.mark.slow
def test_ordinary_newsletters_are_not_suspicious(tables: Path) -> None:
    """Their replies go to the service that unsubscribes; a lie about that needs only one more reason."""
    assert {row["of_mailing"] for row in asked(tables, "reply-elsewhere")} == {True}
    assert not {row["subject"] for row in asked(tables, "suspicious")} & {
        "Week 1",
        "Week 2",
        "Meeting",
        "Agenda",
    }


@pytest.mark.slow
def test_who_clicked_and_who_visited_only_the_host(tables: Path, tmp_path: Path) -> None:
    """The wave stands first, before the newsletters; a visit of its host is not called a click."""
    log = visits(
        tmp_path,
        ("10.8.0.1", "go.full.test", "/v/ada399887766"),
        ("10.8.0.4", "go.full.test", "/favicon.ico"),
        ("10.8.0.5", "click.esp.example", "/another"),
    )
    wave, *others = asked(tables, "campaigns", http=log)
    assert (wave["score"], wave["senders"]) == (90, 5)
    assert (wave["clicked"], wave["visited_host"]) == (["ada@acme.example"], ["dan@acme.example"])
    assert [row["clicked"] for row in others if row["clicked"]] == []
    assert max(row["score"] for row in others) == 0
    said = list(sentences(answers(tables, Filters(), {"http": log}, OWN), passwords=0, hits=0, incomplete=0))
    assert said[0] == (
        "5 users received “Your mailbox is full, ada” that names it-ada@full.test as its sender, "
        "unconfirmed; 1 user opened its link "
        "(ada@acme.example); 1 user visited its host (dan@acme.example)."
    )


@pytest.mark.slow
def test_the_summary(tables: Path) -> None:
    said = list(sentences(answers(tables, Filters(), own=OWN), passwords=0, hits=0, incomplete=0))
    assert "Logins as cem were refused (1 in all), and never accepted." in said
