"""Whose mailbox: names are joined by proof, and by nothing less."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import zeekpop3
from support.queries import OTHER, SERVER, answer, at
from support.records import DAY, NOON, command, session, transfer
from support.report_boxes import write_box
from zeekpop3.session.events import Listed
from zeekpop3.views.sql import ask

ELSEWHERE = "192.0.2.120"


def listing(ids: Sequence[str], size: int = 100) -> list[Listed]:
    """Messages of these ids, each of another size."""
    return [Listed(number, size + number, each) for number, each in enumerate(ids, 1)]


def opened(uid: str, user: str, ids: Sequence[str], server: str = SERVER, **more: Any) -> Any:
    size = more.pop("size", 100)
    return session(uid=uid, user=user, conn_id=at(OTHER, server), listing=listing(ids, size), **more)


def joined(folder: Path, events: list[Any], own: Sequence[str] = ()) -> dict[tuple[str, str], str]:
    write_box(folder / "out", events)
    found = ask(folder / "out", query="mailboxes", own=own).dicts()
    return {(row["user"], row["server"]): row["mailbox"] for row in found}


def test_two_names_of_one_mailbox(tmp_path: Path) -> None:
    """Three messages with the same ids and sizes, at one server."""
    events = [
        opened("C1", "lisi", "abc"),
        opened("C2", "lisi", "abcd"),
        opened("C3", "li.si@corp.example", "abc"),
    ]
    write_box(tmp_path / "out", events)
    found = ask(tmp_path / "out", query="mailboxes").dicts()
    assert [(row["user"], row["mailbox"], row["proof"]) for row in found] == [
        ("li.si@corp.example", "lisi", "3 messages with the same ids and sizes (lisi)"),
        ("lisi", "lisi", "3 messages with the same ids and sizes (li.si@corp.example)"),
    ]


def test_near_misses(tmp_path: Path) -> None:
    """Two messages; other sizes; ids that all have; a few equal mails in large mailboxes; another server."""
    assert joined(tmp_path / "a", [opened("C1", "a", "ab"), opened("C2", "b", "ab")])["b", SERVER] == "b"
    other = [opened("C1", "a", "abcd"), opened("C2", "b", "abcd", size=200)]
    assert joined(tmp_path / "b", other)["b", SERVER] == "b"
    counted = [opened(f"C{n}", f"u{n}", "123") for n in range(9)]
    assert len({*joined(tmp_path / "c", counted).values()}) == 9
    large = [opened("C1", "a", "abcdefgh"), opened("C2", "b", "abcijklm")]
    assert joined(tmp_path / "d", large)["b", SERVER] == "b"
    servers = [opened("C1", "a", "abc"), opened("C2", "b", "abc", ELSEWHERE)]
    assert len({*joined(tmp_path / "e", servers).values()}) == 2


def test_one_name_at_two_servers(tmp_path: Path) -> None:
    """Two mailboxes, unless messages prove that both addresses lead to one; then also for other names."""
    apart = [opened("C1", "a", "abc"), opened("C2", "a", "xyz", ELSEWHERE)]
    assert joined(tmp_path / "a", apart) == {
        ("a", SERVER): f"a at {SERVER}", ("a", ELSEWHERE): f"a at {ELSEWHERE}",
    }  # fmt: skip
    one = [opened("C1", "a", "abc"), opened("C2", "a", "abc", ELSEWHERE)]
    one += [opened("C3", "b", "x"), opened("C4", "b", "y", ELSEWHERE)]
    assert {*joined(tmp_path / "b", one).values()} == {"a", "b"}


def test_names_with_and_without_the_own_site(tmp_path: Path) -> None:
    """And a password that opens one mailbox; not a master's that opens several."""
    events = [
        opened("C1", "a", ""),
        opened("C2", "a@corp.example", ""),
        opened("C3", "a@other.example", ""),
        opened("C4", "b", "", authenticated_as="b2"),
        opened("C5", "c", "", authenticated_as="master"),
        opened("C6", "d", "", authenticated_as="master"),
    ]
    found = joined(tmp_path, events, ["corp.example"])
    assert found["a", SERVER] == found["a@corp.example", SERVER] != found["a@other.example", SERVER]
    assert found["b2", SERVER] == "b"
    assert ("master", SERVER) not in found


@pytest.mark.slow
def test_answers_count_mailboxes(tmp_path: Path) -> None:
    """A thief under another name is a second client; what he fetched was fetched."""
    events = [
        opened("C1", "lisi", "abcd"),
        transfer(uid="C1", user="lisi", uidl="a", msg_num=1, conn_id=at(OTHER)),
        session(uid="C2", ts=NOON + DAY, user="lisi@corp.example", listing=listing("abc"), deleted=1),
        *(
            transfer(uid="C2", ts=NOON + DAY, trans_depth=n, user="lisi@corp.example", uidl=each, msg_num=n)
            for n, each in enumerate("abc", 1)
        ),
        command(uid="C2", ts=NOON + DAY, command="DELE", argument="3"),
    ]
    second = answer(tmp_path / "a", "second-client", events)
    assert [(row["user"], row["client"], row["names"]) for row in second] == [
        ("lisi@corp.example", OTHER, ["lisi"]),
        ("lisi@corp.example", second[1]["client"], ["lisi@corp.example"]),
    ]
    assert [row["uidl"] for row in answer(tmp_path / "b", "unfetched", events)] == ["d"]
    assert answer(tmp_path / "c", "campaigns", events) == []
    tables = tmp_path / "a" / "out"
    for name in ("lisi", "LISI@corp.example"):
        assert len(zeekpop3.mails(tables, user=name)) == 4
        assert len(list(zeekpop3.export(tables, "json", user=name))) == 4
        assert set(zeekpop3.timeline(tables, user=name)["user"].dropna()) == {"lisi", "lisi@corp.example"}
