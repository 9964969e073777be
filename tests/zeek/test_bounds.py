"""No connection harms another: bounds are a connection's and a client's before they are everybody's."""
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.dialogues import Outcome, fed
from support.hostile_dialogues import BYE, HELLO, M1, SECRET, TLS, Talk, answer, b64, c, raw, retr, s
from support.traffic import eventlog, tcp
from support.traffic.pcap import Flow, Packet
from support.zeek_runs import Result, Zeek
from zeekpop3.defects import Defect

pytestmark = pytest.mark.zeek

TOKEN = b64(f"user=joe\1auth=Bearer {SECRET * 100}\1\1")
PIPELINED = 400
HONEST: dict[str, Talk] = {
    "token": HELLO + c(f"AUTH XOAUTH2 {TOKEN}") + s("+OK in") + retr(1, M1) + BYE,
    "tls": HELLO + c("STLS") + s("+OK") + raw(True, TLS * 3) + raw(False, TLS * 3) + raw(True, TLS * 20),
    "lock-step": HELLO + c("USER joe") + s("+OK") + c("PASS x") + s("+OK")
    + [step for _ in range(49) for step in retr(1, M1)] + BYE,
    "pipelined": HELLO + c("USER joe") + s("+OK") + c("PASS x") + s("+OK")
    + c(*[f"RETR {n}" for n in range(1, PIPELINED + 1)]) + answer(M1) * PIPELINED + BYE,
    "mixed": HELLO + c("USER joe") + s("+OK") + c("PASS x") + s("+OK")
    + c("STAT", "LIST", "UIDL", "RETR 1") + s("+OK 1 9", "+OK", "1 9", ".", "+OK", "1 a", ".") + answer(M1) + BYE,
}  # fmt: skip
ATTACKS: dict[str, Callable[[], Iterator[tuple[Talk, int]]]] = {
    "half-open lines": lambda: ((HELLO + raw(True, b"AUTH " + b"x" * 600), 1460) for _ in range(1001)),
    "half-open long lines": lambda: ((HELLO + raw(True, b"AUTH PLAIN " + b"x" * 12000), 1460) for _ in range(1700)),
    "half-open TLS": lambda: ((HELLO + c("STLS") + s("+OK") + raw(True, b"\x16x"), 1460) for _ in range(1001)),
    "USER lines": lambda: (
        (HELLO + c(*[f"USER {n:03}" + "x" * 290 for n in range(60)]) + s("+OK"), 1460) for _ in range(60)
    ),
    "short USER lines": lambda: (
        (HELLO + c(*[f"USER {n:03}" for n in range(700)]) + s("+OK"), 1460) for _ in range(60)
    ),
    "one-byte segments": lambda: ((HELLO + raw(False, b"x" * 1500) + raw(True, b"y" * 500), 1) for _ in range(100)),
    "holes": lambda: ((HELLO + c("USER x") + s("+OK") + raw(False, b"z" * 2000), 40) for _ in range(60)),
}  # fmt: skip


def crowd(attack: str, spread: bool) -> list[Packet]:
    """Attackers, from one address or from many, and 50 honest clients that come after them."""
    made: list[tcp.Connection | list[Packet]] = []
    for number, (talk, size) in enumerate(ATTACKS[attack]()):
        host = f"10.{number >> 8}.{number & 255}.1" if spread else "10.0.0.1"
        one = tcp.Connection(Flow(host, 1024 + number, "192.0.2.110", 110), start=tcp.START + number * 100)
        one.open()
        for from_client, data in talk:
            one.send(from_client, data, tcp.by_size(size))
        data_seen = 0
        kept = []
        for packet in one.packets:
            data_seen += bool(packet.payload)
            if attack != "holes" or not packet.payload or data_seen % 2:
                kept.append(packet)
        made.append(kept)
    for number in range(50):
        start = tcp.START + 200_000 + number * 1000
        flow = Flow("192.0.2.9", 40000 + number, "192.0.2.110", 110)
        made.append(tcp.Connection(flow, start=start).play(list(HONEST.values())[number % len(HONEST)]))
    return tcp.interleave(*made)


def honest(result: Result) -> Iterator[tuple[str, Outcome]]:
    """What came of the honest clients, by kind."""
    for rows in eventlog.read_log(result.folder / "pop3_events.log").values():
        assert rows.conn_id is not None
        if rows.conn_id.orig_h == "192.0.2.9":
            yield list(HONEST)[(rows.conn_id.orig_p - 40000) % len(HONEST)], fed([rows])


@pytest.mark.parametrize("spread", [True, False], ids=["many", "one"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_connection_harms_another(pop3: Zeek, attack: str, spread: bool) -> None:
    """Whatever others send, 50 honest clients have their mails, users and TLS."""
    found = list(honest(pop3.run(crowd(attack, spread), "exact.zeek")))
    assert len(found) == 50
    for kind, outcome in found:
        session = outcome.session
        assert [defect for defect in session.defects if defect != Defect.END_UNSEEN] == [], kind
        assert session.tls == (kind == "tls")
        if kind != "tls":
            assert session.user == "joe"
            numbers = [mail.msg_num for mail in outcome.transfers]
            assert numbers == ([*range(1, PIPELINED + 1)] if kind == "pipelined" else [1] * len(numbers))
            assert {mail.raw for mail in outcome.transfers} == {M1}
            assert {(mail.user, mail.complete, *mail.defects) for mail in outcome.transfers} == {
                ("joe", True)
            }


def test_tls_is_known_by_its_first_bytes(pop3: Zeek) -> None:
    """However the client's record is cut, and however long it is; nothing of it is in the log."""
    for size in (1, 2, 3, 700, 1460):
        talk = HELLO + c("STLS") + s("+OK") + raw(True, TLS * 40) + raw(False, TLS)
        result = pop3.run(tcp.Connection().play(talk, tcp.by_size(size)).packets, "exact.zeek")
        assert [row.kind for row in result.rows][-2:] == ["starttls", "close"]
        assert len(result.raw) < 2000


def test_a_long_record_without_tls(pop3: Zeek) -> None:
    """A client that sends a record, a server that answers in clear: the lines behind it count, and a row says
    that they were not read."""
    lines = b"\x16\x03\x01" + b"x" * 600 + b"\r\n" + b"NOOP\r\n" * 3
    talk = (
        HELLO + c("STLS") + s("+OK") + raw(True, lines) + s("-ERR", *["+OK"] * 3) + c("USER joe") + s("+OK")
    )
    result = pop3.run(tcp.Connection().play(talk).packets, "exact.zeek")
    assert [(row.command, row.length) for row in result.of("sent")] == [
        ("STLS", None),
        (None, 4),
        ("USER", 3),
    ]
    assert result.brief("unexpected") == [("limit", b"tls")]


@pytest.mark.parametrize("size", [1460, 100, 1])
def test_a_cut_line_is_reported(pop3: Zeek, size: int) -> None:
    """A login of which too much comes to keep: the user is unknown, and a row says why."""
    talk = HELLO + c("AUTH PLAIN " + "A" * 20_000) + s("+OK") + retr(1, M1)
    result = pop3.run(tcp.Connection().play(talk, tcp.by_size(size)).packets, "exact.zeek")
    assert ("AUTH", None) in result.brief("sent")
    assert ("limit", b"line") in result.brief("unexpected")
    assert b"\tpop3_events_limit\tline\t" in (result.folder / "weird.log").read_bytes()


@pytest.mark.parametrize("size", [1460, 100, 7])
def test_a_cut_line_with_a_line_end_for_some_servers(pop3: Zeek, size: int) -> None:
    """A CR or a NUL in what is dropped of a line: the server may read two lines there, and a row says so."""
    for inside in ("\rRETR 7", "\r\rRETR 7", "\0"):
        line = "A" * 13_000 + inside + "A" * 13_000
        talk = HELLO + c("USER joe") + s("+OK") + c(f"AUTH {line}") + s("-ERR") + BYE
        result = pop3.run(tcp.Connection().play(talk, tcp.by_size(size)).packets, "exact.zeek")
        assert [row.command for row in result.of("sent")] == ["USER", "?", "QUIT"], inside
    talk = HELLO + c("USER joe") + s("+OK") + c("AUTH " + "A" * 13_000 + "\r") + s("-ERR") + BYE
    result = pop3.run(tcp.Connection().play(talk, tcp.by_size(size)).packets, "exact.zeek")
    assert [row.command for row in result.of("sent")] == ["USER", "AUTH", "QUIT"]


TRIES: dict[str, Talk] = {
    "AUTH PLAIN": c(f"AUTH PLAIN {b64(f'{chr(0)}joe{chr(0)}{SECRET}')}") + s("-ERR no"),
    "AUTH LOGIN": c("AUTH LOGIN") + s("+ ") + c(b64("joe")) + s("+ ") + c(b64(SECRET)) + s("-ERR no"),
    "USER": c("USER joe") + s("+OK") + c(f"PASS {SECRET}") + s("-ERR no"),
    "STLS": c("STLS") + s("-ERR no"),
}


@pytest.mark.parametrize("what", TRIES)
def test_after_too_many_logins_only_plain_commands_have_rows(pop3: Zeek, what: str) -> None:
    """400 logins: the log has the first 100, a hole, and the mail that was fetched behind them, with a defect."""
    talk = HELLO + TRIES[what] * 400 + retr(1, M1) + TRIES[what] * 3 + retr(1, M1) + BYE
    result = pop3.run(tcp.Connection().play(talk).packets, "exact.zeek")
    assert result.brief("unexpected") == [("limit", b"logins")]
    assert len(result.rows) < 450
    assert SECRET.encode() not in result.raw and b64(SECRET).encode() not in result.raw
    sent = sum(len(data) for from_client, data in TRIES[what] if from_client)
    assert 302 * sent <= sum(row.length or 0 for row in result.of("gap")) < 303 * sent
    rows = list(eventlog.read_log(result.folder / "pop3_events.log").values())
    outcome = fed([rows[0]])
    assert Defect.LIMIT_REACHED in outcome.session.defects
    assert [mail.raw for mail in outcome.transfers].count(M1) == 2
    assert all(mail.defects for mail in outcome.transfers)


def test_the_oldest_long_line_gives_way(pop3: Zeek) -> None:
    """Of the long lines of one client, those that came first are cut."""
    made = []
    for number in range(300):
        one = tcp.Connection(
            Flow("10.0.0.1", 2000 + number, "192.0.2.110", 110), start=tcp.START + number * 100
        )
        one.open().server(b"+OK\r\n").client(b"USER x\r\n").server(b"+OK\r\n").client(b"PASS x\r\n").server(
            b"+OK\r\n"
        )
        made.append(one.client(b"AUTH PLAIN " + b"A" * 12_000))
    for one in made:
        one.now = tcp.START + 10_000_000
        one.client(b"\r\n").server(b"-ERR\r\n")
    result = pop3.run(tcp.interleave(*made), "exact.zeek")
    cut = {row.uid for row in result.of("unexpected")}
    uids = list(dict.fromkeys(row.uid for row in result.rows))
    assert 50 < len(cut) < 200
    assert cut == set(uids[: len(cut)])
