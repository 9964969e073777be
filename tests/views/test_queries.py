"""The ready queries, each on planted mails and connections that it must find, and on near misses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.program import program
from support.queries import CLIENT, OTHER, SERVER, answer, at, fetched, letter, mails
from support.records import DAY, HOUR, NOON, command, session, transfer
from support.report_boxes import write_box
from support.tables_made import with_attachment
from zeekpop3.session.events import Listed
from zeekpop3.store.filters import Filters
from zeekpop3.views.queries import READY_QUERIES, about_sql, log_columns
from zeekpop3.views.report.summary import answers, sentences
from zeekpop3.views.sql import ask


@pytest.mark.slow
def test_reply_elsewhere(tmp_path: Path) -> None:
    """Another site is found, in one of several Reply-To as well; another host of the same site is not.
    A list to which the mail went is marked, and not suspicious."""
    rows = answer(
        tmp_path,
        "reply-elsewhere",
        fetched(
            letter("Boss <boss@corp.example>", "Reply-To: boss@freemail.example"),
            letter("a@corp.example", "Reply-To: a@corp.example, b@other.example"),
            letter("news@mail.shop.example", "Reply-To: help@shop.example"),
            letter("a@corp.example"),
            letter("a@corp.example", "Reply-To: talk@lists.example", to="Talk <talk@lists.example>"),
        ),
    )
    assert {row["mail"]: (row["reply_to"], row["to_recipient"]) for row in rows} == {
        "C1/1": (["boss@freemail.example"], False),
        "C2/1": (["b@other.example"], False),
        "C5/1": (["talk@lists.example"], True),
    }
    found = ask(tmp_path / "out", query="suspicious").dicts()
    assert mails([row for row in found if any("replies" in reason for reason in row["reasons"])]) == [
        "C1/1",
        "C2/1",
    ]


def test_names_borrowed(tmp_path: Path) -> None:
    """A known name at another site, or a name that shows another address. Not: a second address of one site,
    a name that five sites share, a name with the sender's own address."""
    shared = [letter(f"Customer Service <info@shop{n}.example>") for n in range(5)]
    rows = answer(
        tmp_path,
        "names-borrowed",
        fetched(
            letter("Li Si <lisi@corp.example>"),
            letter("LI  SI <lisi.ceo@freemail.example>"),
            letter('"boss@corp.example" <x@evil.example>'),
            letter("Li Si <li.si@corp.example>"),
            letter('"me@shop9.example" <me@mail.shop9.example>'),
            *shared,
        ),
    )
    assert [(row["mail"], row["belongs_to"]) for row in rows] == [
        ("C3/1", "boss@corp.example"),
        ("C2/1", "lisi@corp.example"),
    ]


def test_look_alikes(tmp_path: Path) -> None:
    """A digit or a foreign letter for a letter, a letter more, another suffix, the name as a word of a host.
    Not: the site itself, a different word, a part of a word."""
    often = [letter("a@partnerbank.example")] * 3
    found = {
        "c0rporate.example": "same letters to the eye",
        "partnerbaank.example": "one letter differs",
        "partnerbank.test": "same name, other suffix",
        "corporate-login.example": "contains the name",
        "раrtnerbank.example": "same letters to the eye",
        "evil.test": "a host has the name as a label",
    }
    near = [
        "www.partnerbank.example",
        "parkingbank.example",
        "incorporated.example",
        "cooperate.example",
        "partnerbank.portal.test",
        "login-bank.example",
    ]
    hosts = [host.encode("idna").decode() if not host.isascii() else host for host in found][:-1] + near
    events = fetched(
        *(letter(sender.decode().partition("\r\n")[0][6:], to="w@corporate.example") for sender in often),
        *(letter(f"x@{host}", to="w@corporate.example") for host in hosts),
        letter("y@elsewhere.example", to="w@corporate.example", text="https://corporate.evil.test/in\r\n"),
    )
    rows = answer(tmp_path, "look-alikes", events)
    assert {row["site"]: row["reason"] for row in rows} == found
    assert {row["site"]: row["places"] for row in rows}["evil.test"] == ["link"]


def test_verdicts_failed(tmp_path: Path) -> None:
    """What the topmost field says failed; neutral results and a field further down do not count."""
    field = "Authentication-Results: mx.corp.example; "
    rows = answer(
        tmp_path,
        "verdicts-failed",
        fetched(
            letter("a@a.example", field + "spf=fail; dkim=none"),
            letter("a@a.example", field + "spf=softfail; dmarc=pass"),
            letter("a@a.example", field + "dkim=fail"),
            letter("a@a.example", field + "dmarc=fail"),
            letter("a@a.example", field + "spf=neutral; dkim=none; dmarc=pass"),
            letter("a@a.example", field + "spf=pass", field + "spf=fail"),
        ),
    )
    assert mails(rows) == ["C1/1", "C2/1", "C3/1", "C4/1"]
    assert rows[-1]["server"] == "mx.corp.example"


def test_a_preview_has_no_changed_body(fixtures: Path) -> None:
    """Version 2 compared the first lines of a mail with the hash of its whole body."""
    folder = fixtures / "tables-2" / "batch"
    commands = ask(folder, "select uid || '/' || trans_depth as mail, command from emails").dicts()
    previews = {row["mail"] for row in commands if row["command"] == "TOP"}
    found = mails(ask(folder, query="verdicts-failed").dicts())
    assert found
    assert not previews & set(found)


def test_senders_new(tmp_path: Path) -> None:
    """Senders first seen in the last seven days; one who wrote before is not new, though a colleague is."""
    old = {"ts": NOON - 30 * DAY}
    rows = answer(
        tmp_path,
        "senders-new",
        fetched(
            (letter("old@known.example"), old),
            letter("old@known.example"),
            letter("new@known.example"),
            letter("New <n@unknown.example>"),
        ),
    )
    assert [(row["sender"], row["known_site"], row["days_before"]) for row in rows] == [
        ("n@unknown.example", False, 30),
        ("new@known.example", True, 30),
    ]


def test_same_mail(tmp_path: Path) -> None:
    """One Message-ID at two users, one body under two ids; not a second fetch by one user, not "thanks"."""
    long = "The quarterly figures are attached, please read them today.\r\n"
    lisi = {"user": "lisi"}
    rows = answer(
        tmp_path,
        "same-mail",
        fetched(
            letter("a@a.example", "Message-ID: <1@a>", text="one\r\n"),
            (letter("a@a.example", "Message-ID: <1@a>", text="one\r\n"), lisi),
            letter("a@a.example", "Message-ID: <2@a>", text=long),
            letter("b@b.example", "Message-ID: <3@b>", text=long.replace(" ", "\r\n")),
            letter("a@a.example", "Message-ID: <4@a>", text="thanks\r\n"),
            (letter("a@a.example", "Message-ID: <5@a>", text="thanks\r\n"), lisi),
            letter("a@a.example", "Message-ID: <6@a>", text="two\r\n"),
            letter("a@a.example", "Message-ID: <6@a>", text="two\r\n"),
        ),
    )
    assert [(row["same"], row["all"], row["recipients"]) for row in rows] == [
        ("Message-ID", ["C1/1", "C2/1"], ["lisi", "zhangsan"]),
        ("body", ["C3/1", "C4/1"], ["zhangsan"]),
    ]


def test_unfetched(tmp_path: Path) -> None:
    """Listed and never fetched, in this connection or a later one; a preview is not a fetch. Without UIDL a
    message of the same number and size is the same; what may be another one is counted, not listed."""
    listing = [Listed(number, 100, f"u{number}") for number in range(1, 5)]
    fetches = {"user": "ben", "uidl": None, "raw": b"x" * 50}
    events = [
        session(uid="C1", listing=listing),
        transfer(uid="C1", msg_num=1, uidl="u1"),
        transfer(uid="C1", trans_depth=2, msg_num=2, uidl="u2", command="TOP"),
        command(uid="C1", command="DELE", argument="4"),
        session(uid="C2", ts=NOON + DAY, listing=[Listed(1, 100, "u2"), Listed(2, 100, "u3")]),
        transfer(uid="C2", ts=NOON + DAY, msg_num=2, uidl="u3"),
        session(uid="C3", user="lisi", listing=[Listed(1, 7, None), Listed(2, 8, None)]),
        transfer(uid="C3", user="lisi", msg_num=2, uidl=None, octets_declared=8),
        session(uid="C4", user="wangwu", listing=[Listed(1, 9, "u1")]),
        # LIST in one connection, RETR in the next ones: fetched; renumbered; never fetched by its size.
        session(
            uid="C5", user="ben", listing=[Listed(1, 50, None), Listed(2, 60, None), Listed(3, 70, None)]
        ),
        transfer(uid="C6", msg_num=1, octets_declared=50, **fetches),
        transfer(uid="C7", msg_num=1, octets_declared=60, **fetches),
        # A fetch of unknown size may be any message.
        session(uid="C8", user="eve", listing=[Listed(1, 50, None)]),
        transfer(uid="C9", user="eve", uidl=None, msg_num=None, octets_declared=None, complete=False),
    ]
    rows = answer(tmp_path, "unfetched", events)
    listed = [row for row in rows if row["state"] == "unfetched"]
    assert sorted((row["user"], row["uidl"] or "", row["octets"], row["deleted"]) for row in listed) == [
        ("ben", "", 70, False),
        ("lisi", "", 7, False),
        ("wangwu", "u1", 9, False),
        ("zhangsan", "u2", 100, False),
        ("zhangsan", "u4", 100, True),
    ]
    doubtful = [(row["user"], row["messages"]) for row in rows if row["state"] == "cannot tell"]
    assert doubtful == [("ben", 1), ("eve", 1)]


def test_logins(tmp_path: Path) -> None:
    """Refusals of each user and client, the first success after them; also users who never got in."""
    attacker = at("10.0.0.66")
    events = [
        session(
            uid="C1",
            conn_id=attacker,
            user=None,
            auth_result="failure",
            users_refused=["dave"],
            logins_failed=3,
        ),
        session(
            uid="C2", ts=NOON + HOUR, conn_id=attacker, user="dave", users_refused=["root"], logins_failed=2
        ),
        session(uid="C3", ts=NOON - HOUR, user="dave"),
        session(uid="C4", user=None, auth_result=None, tls=True),
    ]
    rows = answer(tmp_path, "logins", events)
    assert [
        (
            row["user"],
            row["client"],
            row["attempts"],
            row["refused"],
            row["success_after_refusal"] is not None,
        )
        for row in rows
    ] == [
        ("dave", "10.0.0.66", 4, 3, True),
        ("root", "10.0.0.66", 2, 2, False),
        ("dave", CLIENT, 1, 0, False),
    ]


@pytest.mark.slow
def test_success_from_a_new_client(tmp_path: Path) -> None:
    """Refusals from one address, then success from another one that the mailbox had never seen. Not: the
    usual client, a success two days later, or a user without a client before."""
    wrong: dict[str, Any] = {"user": None, "auth_result": "failure", "logins_failed": 1}
    wrong["conn_id"] = at("10.0.0.66")
    events = [
        *(session(uid=f"C{name}", ts=NOON - HOUR, user=name) for name in ("anna", "ben", "carl")),
        *(session(uid=f"R{name}", users_refused=[name], **wrong) for name in ("anna", "ben", "carl", "dora")),
        session(uid="S1", ts=NOON + HOUR, user="anna", conn_id=at("10.0.0.67")),
        session(uid="S2", ts=NOON + HOUR, user="ben"),
        session(uid="S3", ts=NOON + 2 * DAY, user="carl", conn_id=at("10.0.0.67")),
        session(uid="S4", ts=NOON + HOUR, user="dora"),
    ]
    rows = [row for row in answer(tmp_path, "logins", events) if row["refused"]]
    assert [(row["user"], row["success_from"]) for row in rows] == [
        ("anna", "10.0.0.67"), ("ben", None), ("carl", None), ("dora", None),
    ]  # fmt: skip
    assert {row["success_after_refusal"] for row in rows} == {None}
    found = answers(tmp_path / "out", Filters())
    said = list(sentences(found, passwords=0, hits=0, incomplete=0))
    assert (
        said[0]
        == "10.0.0.67, a new client of anna, got in within a day after 1 refused login from 10.0.0.66."
    )


def test_same_client(tmp_path: Path) -> None:
    """A client that tries several users. Not: one user, or one that logs in twice."""
    spray = {"user": None, "auth_result": "failure", "users_refused": ["a", "b"], "logins_failed": 2}
    events = [session(uid="C1", conn_id=at(OTHER), **spray), session(uid="C2"), session(uid="C3")]
    rows = answer(tmp_path, "same-client", events)
    assert [(row["client"], row["refused_as"], row["refusals"]) for row in rows] == [(OTHER, ["a", "b"], 2)]


def test_deleted(tmp_path: Path) -> None:
    """Who deleted what, with the mail that the same connection fetched; final only with QUIT."""
    events = [
        session(uid="C1", listing=[Listed(2, 99, "u2"), Listed(3, 77, "u3")]),
        transfer(uid="C1", raw=letter("a@a.example"), msg_num=2, uidl="u2"),
        command(uid="C1", seq=5, command="DELE", argument="2"),
        command(uid="C1", seq=6, ts=NOON + 1, command="DELE", argument="3"),
        command(uid="C1", seq=7, command="DELE", argument="9", status="ERR"),
        session(uid="C2", quit=False),
        command(uid="C2", ts=NOON + 2, command="DELE", argument="1"),
    ]
    rows = answer(tmp_path, "deleted", events)
    assert [(row["msg_num"], row["uidl"], row["octets"], row["final"], row["mail"]) for row in rows] == [
        (1, None, None, False, None),
        (3, "u3", 77, True, None),
        (2, "u2", 99, True, "C1/1"),
    ]


def test_new_attachment_types(tmp_path: Path) -> None:
    """A type that the tables have not had before the last seven days."""
    old = (with_attachment("r.pdf"), {"ts": NOON - 30 * DAY})
    rows = answer(
        tmp_path, "new-attachment-types", fetched(old, with_attachment("s.pdf"), with_attachment("x.ps1"))
    )
    assert [(row["extension"], row["mail"]) for row in rows] == [("ps1", "C3/1")]


@pytest.mark.slow
def test_campaigns(tmp_path: Path) -> None:
    """One wave: subject and sender with a number, a token in the link, nearly the same text. Not: several
    mails to one user, a common link, a common short text."""

    def to(user: str) -> dict[str, Any]:
        return {"user": user}

    text = "Dear {0}, your parcel is waiting at the depot.\r\nPlease confirm the address until Friday.\r\n"
    events = fetched(
        (
            letter("a@wave.example", text="http://x.example/t/9f8e7d6c5b/a\r\n").replace(
                b"s\r\n", b"Bill 17\r\n", 1
            ),
            to("u1"),
        ),
        (letter("a@wave.example", text="http://x.example/t/1a2b3c4d5e/a\r\n"), to("u2")),
        (
            letter("b@wave.example", text="http://y.example/\r\n").replace(b"s\r\n", b"Bill 18\r\n", 1),
            to("u3"),
        ),
        (letter("c@one.example", text=text.format("anna")), to("anna")),
        (letter("d@two.example", text=text.format("ben")), to("ben")),
        (letter("e@e.example", text="thanks http://w3.example/\r\n"), to("u1")),
        (letter("f@f.example", text="thanks http://w3.example/\r\n"), to("u2")),
        (letter("g@g.example", text="daily\r\n"), to("u1")),
        (letter("g@g.example", text="daily\r\n"), to("u1")),
    )
    rows = answer(tmp_path, "campaigns", events)
    assert [(row["mails"], row["reached"], row["senders"]) for row in rows] == [
        (3, ["u1", "u2", "u3"], 2),
        (2, ["anna", "ben"], 2),
    ]


def test_second_client(tmp_path: Path) -> None:
    """Two clients on one mailbox, and who deletes. Not: a refused login, the same user at another server."""
    events = [
        session(uid="C1", retrieved=3),
        session(uid="C2", ts=NOON + HOUR, conn_id=at(OTHER), retrieved=1, deleted=1),
        session(uid="C3", user="lisi"),
        session(uid="C4", user=None, users_refused=["lisi"], auth_result="failure", conn_id=at(OTHER)),
        session(uid="C5", user="lisi", conn_id=at(OTHER, "192.0.2.111")),
    ]
    rows = answer(tmp_path, "second-client", events)
    assert [(row["user"], row["client"], row["fetched"], row["deleted"]) for row in rows] == [
        ("zhangsan", CLIENT, 3, 0),
        ("zhangsan", OTHER, 1, 1),
    ]


def test_starttls(tmp_path: Path) -> None:
    """Offered but not used; not offered to one client, but to others. Not: used, not asked, never offered."""

    def offer(uid: str, client: str, offered: bool | None, server: str = SERVER, **more: Any) -> Any:
        return session(uid=uid, conn_id=at(client, server), starttls_offered=offered, **more)

    events = [
        offer("C1", "192.0.2.1", True),
        offer("C2", "192.0.2.2", True, tls=True, user=None, auth_result=None),
        offer("C3", "192.0.2.3", False),
        offer("C4", "192.0.2.4", None),
        offer("C5", "192.0.2.5", False, "192.0.2.200"),
    ]
    rows = answer(tmp_path, "starttls", events)
    assert [(row["client"], row["finding"]) for row in rows] == [
        ("192.0.2.3", "not offered, but to others"),
        ("192.0.2.1", "offered, not used"),
    ]


def test_clear_text_logins_include_refused_ones(tmp_path: Path) -> None:
    """A name that the server refused was exposed as well; a digest is named as what it is."""
    events = [
        session(uid="C1", user="lisi", users_refused=["lysi"], logins_failed=1),
        session(uid="C2", user="wangwu", auth_mechanism="CRAM-MD5"),
        session(uid="C3", user=None, tls=True),
    ]
    rows = answer(tmp_path, "clear-text-logins", events)
    assert [(row["user"], row["exposed"], row["logins"]) for row in rows] == [
        ("lisi", "password", 1),
        ("lysi", "password", 0),
        ("wangwu", "digest", 1),
    ]
    assert "digest (APOP, CRAM-MD5) can be attacked offline" in READY_QUERIES["clear-text-logins"].description


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("A@A.example", ["C1/1"]),
        ("a.example", ["C1/1", "C3/1"]),
        ("w.a.example", ["C3/1"]),
        ("lisi", ["C2", "C2/1"]),
        ("198.51.100.7", ["C2/1"]),
        ("192.0.2.10", ["C1/1", "C2", "C2/1", "C3/1"]),
        ("r.pdf", ["C2/1"]),
        ("<1@a>", ["C1/1"]),
        ("b.example' or '1'='1", []),
        ("example", ["C1/1", "C3/1"]),
    ],
)
def test_about(tmp_path: Path, value: str, keys: list[str]) -> None:
    """Addresses, sites, hosts, users, IP addresses, file names, message ids; case does not matter."""
    raw = with_attachment("r.pdf").replace(b"From: ", b"X-Originating-IP: [198.51.100.7]\r\nFrom: ")
    events = fetched(
        letter("a@a.example", "Message-ID: <1@a>"),
        (raw, {"user": "lisi"}),
        letter("b@b.example", text="http://w.a.example/\r\n"),
    )
    write_box(tmp_path / "out", [*events, session(uid="C2", user="lisi")])
    rows = ask(tmp_path / "out", about_sql(value)).dicts()
    assert mails(rows) == keys


def test_about_by_the_program(tmp_path: Path) -> None:
    """--about stands alone; an empty value is refused."""
    write_box(tmp_path / "out", fetched(letter("a@a.example")))
    assert "addresses.from" in program("sql", tmp_path / "out", "--about", "a@a.example").stdout
    assert program("sql", tmp_path / "out", "--about", " ").returncode == 1
    assert program("sql", tmp_path / "out", "select 1", "--about", "x").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", READY_QUERIES)
def test_empty_tables_give_empty_answers(tmp_path: Path, name: str) -> None:
    """Every query runs on tables without a mail, and on logs that have none of its columns."""
    events = [session(uid="C1", user=None, conn_id=None, auth_result=None)]
    uses = [*READY_QUERIES[name].required, *READY_QUERIES[name].either]
    assert answer(tmp_path, name, events, **dict.fromkeys(uses, '{"other":1}\n')) == []
    assert all(log_columns(log) for log in uses)
