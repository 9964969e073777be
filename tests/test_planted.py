"""Questions about the attacks of `support/traffic/planted.py`: the answers are what was planted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import zeekpop3
from support.traffic import tcp
from support.traffic.planted import FIRST, GUESSER, NORTH, ORDER, SECOND, SOUTH, SPRAYER, make_tables
from zeekpop3.store.filters import Filters
from zeekpop3.tables import TABLES
from zeekpop3.views.queries import query_sql
from zeekpop3.views.report.summary import answers, sentences
from zeekpop3.views.sql import Database, ask

OWN = ("acme.example",)
LINK = "link looks like an own site"
BOSS = "display name of somebody here: carl.boss@acme.example used by"
Row = dict[str, Any]
#: Subject → a reason that must be given, and the severity.
PLANTED = {
    "Password": ("sender looks like an own site: acrne.example for acme.example", "medium"),
    "Account": (
        "sender looks like a known site: nоrdbank.example (xn--nrdbank-9ig.example) for nordbank.example",
        "medium",
    ),
    "Re: Steel order 4711": ("stranger in a thread: steelw0rks.example for steelworks.example", "high"),
    "Application": ("invisible characters in the name: Lebenslauf\u202efdp.exe", "high"),
    "Invoice 99": ("encrypted file: invoice.zip", "high"),
    "Voice message": ("attached page: voice.html", "medium"),
    "Fax": ("attached page: fax.svg", "medium"),
    "Quick favour": (f"{BOSS} ceo.carl@free-mail.test", "medium"),
    "Wire": (f"{BOSS} x@mailer6.test", "medium"),
    "Fwd: is this real": ("message inside: from help@mailer12.test, with keep.evil.test", "low"),
    "Confirm": ("link shows an own site: acme.example, leads to acme.evil.test", "high"),
    "Confirm again": ("link with a false host: portal.acme.example, leads to evil2.test", "medium"),
    "Confirm at last": (f"{LINK}: portal.acme.example.login9.test for acme.example", "medium"),
    "Notice": ("sender contains the name of an own site: acme-portal.test for acme.example", "low"),
    "Docs": ("shortcut: open.lnk in docs.zip", "medium"),
    "Offer": ("document with macros: offer.doc", "medium"),
    "Shared file": ("link to a program: drop.evil.test/…/x.exe", "low"),
}  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A glob of the tables of both sensors; tests only read them."""
    return make_tables(tmp_path_factory.mktemp("planted"))


def asked(tables: str, query: str, **logs: Path) -> list[Row]:
    return ask(tables, query=query, own=OWN, logs=logs).dicts()


@pytest.mark.slow
def test_rules_that_look_at_some_mails_judge_them_as_among_all(tables: str) -> None:
    """What comes first, looks alike or is borrowed still depends on the other mails."""
    with Database(tables) as database:

        def judged(keys: str | None) -> list[tuple[Any, ...]]:
            return database.ask(query_sql("suspicious", own=OWN, judged=keys)).rows

        every = judged(None)
        halves = [judged(f"select uid, trans_depth from emails where hash(uid) % 2 = {n}") for n in (0, 1)]
    assert all(halves)
    assert sorted(map(str, chain(*halves))) == sorted(map(str, every))


def local(names: Iterable[str]) -> list[str]:
    return sorted({name.partition("@")[0] for name in names})


@pytest.mark.slow
def test_suspicious(tables: str) -> None:
    """Each planted mail has its reason and severity; no ordinary mail is accused."""
    found = {row["subject"]: row for row in asked(tables, "suspicious")}
    assert sorted(found) == sorted(PLANTED)
    for subject, (reason, severity) in PLANTED.items():
        assert reason in found[subject]["reasons"], found[subject]["reasons"]
        assert found[subject]["severity"] == severity, found[subject]


def test_look_alikes(tables: str) -> None:
    """Of senders, replies and links: six sites, by letters, hosts and words."""
    found = {(row["site"], row["own"]) for row in asked(tables, "look-alikes")}
    assert found == {
        ("acrne.example", True), ("acme-portal.test", True), ("evil.test", True), ("login9.test", True),
        ("nоrdbank.example", False), ("steelw0rks.example", False),
    }  # fmt: skip


def test_names_and_replies(tables: str) -> None:
    """Two mails borrow the name of Carl Boss, one that of the bank; one reply goes elsewhere."""
    names = asked(tables, "names-borrowed")
    assert {(row["subject"], row["own"]) for row in names} == {
        ("Wire", True), ("Quick favour", True), ("Account", False),
    }  # fmt: skip
    replies = [row["subject"] for row in asked(tables, "reply-elsewhere") if not row["to_recipient"]]
    assert replies == ["Re: Steel order 4711"]


def test_who_can_reach_the_hosts(tables: str) -> None:
    """Links in an invitation, a script, an enclosed message and behind a gateway."""
    found = zeekpop3.mails(tables, site="evil.test")
    assert sorted(set(found["subject"])) == [
        "Confirm", "Fwd: is this real", "Invitation: bonus", "Shared file", "Voice message",
    ]  # fmt: skip


def test_hunt(tables: str) -> None:
    """Each indicator is in one mail; the locked archive cannot be ruled out."""
    values = [
        "meet.evil.test",
        "smug.evil.test",
        "keep.evil.test",
        "drop.evil.test",
        "open.lnk",
        "clean.test",
    ]
    found = zeekpop3.hunt(tables, values=values)
    hits = {(hit["indicator"], hit["uid"], hit["trans_depth"]) for hit in found.table.to_pylist()}
    assert sorted(indicator for indicator, *_ in hits) == sorted(values[:-1])


def test_the_hijacked_thread(tables: str) -> None:
    """The mail that asks for money elsewhere is in the conversation that it hijacks."""
    found = zeekpop3.mails(tables, thread=ORDER.strip("<>"))
    assert sorted(found["subject"]) == ["Re: Steel order 4711", "Steel order 4711"]


@pytest.mark.slow
def test_the_wave_over_two_sensors(tables: str) -> None:
    """Senders, subjects and tokens differ; it is one campaign of six users, beside three ordinary ones."""
    found = asked(tables, "campaigns")
    assert [row["users"] for row in found] == [6, 6, 6, 6]
    (row,) = [row for row in found if "parcel" in (row["sender"] or "")]
    assert (row["mails"], row["senders"]) == (6, 6)
    assert local(row["reached"]) == sorted((*NORTH, *SOUTH))


@pytest.mark.slow
def test_who_opened_a_link(tables: str, tmp_path: Path) -> None:
    """Another path of the wave's host is a visit of the host. Not: a client that fetched no such mail."""
    log = tmp_path / "http.log"
    when = tcp.START / 1e6 + 86_400
    lines = [
        {"ts": when, "uid": "H1", "id.orig_h": client, "host": "go.parcel-wave.test", "uri": "/other"}
        for client in ("10.9.0.4", "10.9.0.99")
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = asked(tables, "clicks", http=log)
    assert [(row["user"], row["match"], row["subject"]) for row in found] == [
        ("dora", "host", "Delivery 8839 on hold for dora")
    ]
    (wave_,) = [row for row in asked(tables, "campaigns", http=log) if row["visited_host"]]
    assert (wave_["clicked"], wave_["visited_host"]) == ([], ["dora"])


def test_guessed_passwords(tables: str) -> None:
    """Who guessed, who got in afterwards: the same client, or a new one."""
    found = {(row["user"], row["client"]): row for row in asked(tables, "logins") if row["refused"]}
    guessed = found["emil", GUESSER]
    assert (guessed["refused"], guessed["accepted"], guessed["fetched"]) == (4, 1, 2)
    assert guessed["success_after_refusal"] is not None
    elsewhere = found["cleo@acme.example", FIRST]
    assert (elsewhere["refused"], elsewhere["success_from"]) == (3, SECOND)
    assert found["anna@acme.example", SPRAYER]["success_from"] is None
    (spray,) = asked(tables, "same-client")
    assert (spray["client"], local(spray["refused_as"])) == (SPRAYER, sorted(NORTH))


def test_second_clients_and_what_they_deleted(tables: str) -> None:
    found = {(row["user"], row["client"], row["deleted"]) for row in asked(tables, "second-client")}
    assert found == {
        ("emil", "10.9.0.5", 0), ("emil", GUESSER, 1), ("cleo@acme.example", "10.9.0.3", 0),
        ("cleo@acme.example", SECOND, 1),
    }  # fmt: skip
    deleted = {(row["client"], row["subject"], row["final"]) for row in asked(tables, "deleted")}
    assert deleted == {(GUESSER, "Confirm", True), (SECOND, "Rates of week 0", False)}


@pytest.mark.slow
def test_timeline_of_the_guesser(tables: str) -> None:
    """Four refusals, the login, two mails with what is wrong about one of them, the deletion; of a sensor."""
    found = zeekpop3.timeline(tables, client=GUESSER, own=OWN)
    assert list(found["event"]) == ["refused"] * 4 + ["login", "mail", "mail", "deleted"]
    assert list(found["severity"].dropna()) == ["high"]
    assert zeekpop3.timeline(tables, client=GUESSER, own=OWN, sensor="north").empty


def test_what_was_not_fetched(tables: str) -> None:
    assert asked(tables, "unfetched") == []


@pytest.mark.slow
def test_the_summary_in_sentences(tables: str) -> None:
    said = list(sentences(answers(tables, Filters(), own=OWN), passwords=0, hits=0, incomplete=0))
    assert f"{GUESSER} got into the mailbox of emil after 4 refused logins, and fetched 2 mails." in said
    new = f"{SECOND}, a new client of cleo@acme.example, got in within a day after 4 refused logins"
    assert f"{new} from {SPRAYER} and {FIRST}." in said


def test_share(tables: str, tmp_path: Path) -> None:
    """The wave for others: neither a user's name nor an own host or address is left; the attacker's are."""
    out = tmp_path / "shared"
    south = tables.replace("*", "south")
    assert zeekpop3.share(south, out, own=OWN, site="parcel-wave.test") == 3
    text = "".join(repr(ask(out, f"from {name}").rows) for name in TABLES)
    own = (*NORTH, *SOUTH, "acme.example", "10.9.0.", "192.0.2.")
    assert [name for name in own if name in text] == []
    assert "go.parcel-wave.test" in text


def test_events_for_a_siem(tables: str) -> None:
    """Refusals and logins are events, with all users who were tried."""
    documents = [json.loads(line) for line in zeekpop3.export(tables, "ecs", events=True, user=None)]
    refused = [each for each in documents if each["event"].get("outcome") == "failure"]
    assert local(name for each in refused for name in each["related"]["user"]) == sorted((*NORTH, "emil"))
    assert {each["source"]["ip"] for each in refused} == {GUESSER, SPRAYER, FIRST}
