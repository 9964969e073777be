"""The exact form: the server's bytes, what is promised of their order, and where they begin and end."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from support.traffic import damage, tcp, truth
from support.traffic import pop3 as server
from support.traffic.pcap import Flow
from support.zeek_runs import Result, Zeek

pytestmark = pytest.mark.zeek

MAILS = [
    b"Subject: %d\r\n\r\n.dot\r\n" % n + bytes(range(33, 127)) * (n % 40 * 10) + b"\r\n" for n in range(300)
]


def session(number: int = 300, how: str = "USER", port: int = 110, **kw: int) -> tcp.Connection:
    box = server.Mailbox(MAILS[:number])
    turns = server.dialogue(box, server.fetch_all(box, how))
    flow = Flow(server_p=port)
    return tcp.Connection(flow).play(server.steps(turns, **kw))


def stream(connection: tcp.Connection) -> bytes:
    return truth.streams(connection.packets)[connection.flow][1]


def sent(result: Result) -> list[tuple[str | None, bytes | None, int | None]]:
    return [(row.command, row.data, row.offset) for row in result.of("sent")]


@pytest.mark.parametrize("kw", [{}, {"batch": 1000}, {"window": 7}])
@pytest.mark.parametrize("how", ["USER", "PLAIN", "PLAIN+", "LOGIN"])
def test_every_byte_is_there(pop3: Zeek, how: str, kw: dict[str, int]) -> None:
    """Contents rows join to the server's stream; sent rows name each command with the stream's offset then;
    300 RETR at once are all there; nothing is written twice over, by lines."""
    connection = session(how=how, **kw)
    result = pop3.run(connection.packets, "exact.zeek")
    assert result.server_bytes() == stream(connection)
    assert [row.data for row in result.of("sent") if row.command == "RETR"] == [
        b"%d" % n for n in range(1, 301)
    ]
    expected, at = [], 0
    for from_client, data in server.steps(
        server.dialogue(server.Mailbox(MAILS), server.fetch_all(server.Mailbox(MAILS), how)), **kw
    ):
        if from_client:
            expected += [at] * data.count(b"\r\n")
        else:
            at += len(data)
    assert [row.offset for row in result.of("sent")] == expected
    assert not result.of("data", "end", "request", "reply", "login")
    assert [row.seq for row in result.rows] == list(range(len(result.rows)))
    assert [row.kind for row in result.of("close")] == ["close"]


def test_bytes_are_gathered(pop3: Zeek) -> None:
    """A contents row is written for many segments: at a size, or when bytes have waited for max_hold."""
    connection = session()
    result = pop3.run(connection.packets, "exact.zeek", more=["Pop3Events::max_hold=1hr"])
    assert all(row.length >= 32768 for row in result.of("contents")[:-1] if row.length)
    few = pop3.run(connection.packets, "exact.zeek", more=["Pop3Events::contents_bytes=1"])
    assert len(few.of("contents")) > 10 * len(result.of("contents"))
    assert few.server_bytes() == result.server_bytes()


def test_bytes_do_not_wait_long(pop3: Zeek) -> None:
    """A row's ts is its first byte's, and on a slow connection no row spans more than max_hold."""
    connection = tcp.Connection(turn=100_000)
    box = server.Mailbox(MAILS[:60])
    connection.play(server.steps(server.dialogue(box, server.fetch_all(box))))
    times = {p.offset: p.ts / 1e6 for p in connection.packets if not p.from_client and p.payload}
    result = pop3.run(connection.packets, "exact.zeek")
    rows = result.of("contents")
    assert len(rows) > 5
    for row in rows:
        assert row.offset is not None and row.length is not None
        assert times[row.offset] == pytest.approx(row.ts, abs=2e-6)
        within = [ts for at, ts in times.items() if row.offset <= at < row.offset + row.length]
        assert max(within[:-1], default=0) - min(within) <= 1.0  # the next packet's arrival ends the wait


def test_a_quiet_connection_does_not_keep_its_last_bytes(pop3: Zeek) -> None:
    """Bytes are written when max_hold is over, though the connection says no more for long: seen by the
    order of the rows of two connections."""
    quiet = session(3)
    close = quiet.packets[-3:]
    for at, packet in enumerate(close):
        quiet.packets[len(quiet.packets) - 3 + at] = packet._replace(ts=packet.ts + 60_000_000)
    other = tcp.Connection(Flow(client_p=41000), start=quiet.packets[0].ts, turn=50_000)
    box = server.Mailbox(MAILS[:60])
    other.play(server.steps(server.dialogue(box, server.fetch_all(box))))
    result = pop3.run(tcp.interleave(quiet, other), "exact.zeek")
    uid = result.rows[0].uid
    uids = [row.uid for row in result.rows]
    last = max(n for n, row in enumerate(result.rows) if row.uid == uid and row.kind == "contents")
    assert any(other != uid for other in uids[last + 1 :])


@pytest.mark.parametrize("seed", range(6))
def test_any_cut_gives_the_same_stream(pop3: Zeek, seed: int) -> None:
    """Segments of any size, both ways: same bytes, same commands."""
    rng = random.Random(seed)
    box = server.Mailbox(MAILS[:20])
    turns = server.dialogue(box, server.fetch_all(box, "LOGIN"))

    def cut(data: bytes) -> list[bytes]:
        marks = sorted({0, len(data), *(rng.randrange(len(data)) for _ in range(rng.randint(0, 9)))})
        return [data[a:b] for a, b in pairwise(marks)]

    whole = tcp.Connection().play(server.steps(turns))
    pieces = tcp.Connection().play(server.steps(turns), cut)
    one, other = pop3.run(whole.packets, "exact.zeek"), pop3.run(pieces.packets, "exact.zeek")
    assert one.server_bytes() == other.server_bytes() == stream(whole)
    assert sent(one) == sent(other)


def test_gaps_say_where_and_how_much(pop3: Zeek) -> None:
    """Lost packets of both sides: a gap row each, in its place between the contents rows."""
    connection = session(20)
    both = [
        damage.data_indices(connection.packets, from_client=side)[30 if not side else 10]
        for side in (False, True)
    ]
    lost = [connection.packets[index] for index in both]
    result = pop3.run(damage.drop(connection.packets, both), "exact.zeek")
    gaps = {(row.command, row.offset, row.length) for row in result.of("gap")}
    assert gaps == {
        ("client" if packet.from_client else "server", packet.offset, len(packet.payload)) for packet in lost
    }
    at, whole = 0, stream(connection)
    for row in result.rows:
        if row.kind == "gap" and row.command == "server":
            assert row.offset == at
            at += row.length or 0
        elif row.kind == "contents":
            assert row.offset == at and row.data == whole[at : at + (row.length or 0)]
            at += row.length or 0
    assert at == len(whole)


def test_a_command_after_a_loss_is_not_lost_with_it(pop3: Zeek) -> None:
    """One lost command costs no other: the next one starts at the next segment."""
    connection = session(20)
    index = damage.data_indices(connection.packets, from_client=True)[10]
    result = pop3.run(damage.drop(connection.packets, [index]), "exact.zeek")
    whole = pop3.run(connection.packets, "exact.zeek")
    assert len(result.of("sent")) == len(whole.of("sent")) - 1


@pytest.mark.parametrize("analyzer", [True, False])
def test_nothing_after_stls(pop3: Zeek, analyzer: bool) -> None:
    """Rows stop at STLS, with a starttls row, though bytes go on; also where Zeek's analyzer has gone."""
    tls = b"\x16\x03\x01" + bytes(range(256)) * 40
    connection = tcp.Connection().open().server(b"+OK ready\r\n")
    connection.client(b"CAPA\r\n").server(b"+OK\r\nSTLS\r\n.\r\n")
    if not analyzer:
        connection.client(b"NOOP\r\n").server(b"not pop3\r\n")
    connection.client(b"STLS\r\n").server(b"+OK begin\r\n")
    connection.client(tls).server(tls).client(b"USER x\r\n" + tls).server(tls).close()
    result = pop3.run(connection.packets, "exact.zeek")
    assert result.server_bytes() == stream(connection).split(b"\x16")[0]
    assert [row.command for row in result.of("sent")][-1] == "STLS"
    assert [row.kind for row in result.rows][-2:] == ["starttls", "close"]


def test_a_refused_stls_stops_nothing(pop3: Zeek) -> None:
    """After -ERR to STLS the session goes on in clear, and so do the rows."""
    connection = tcp.Connection().open().server(b"+OK ready\r\n")
    connection.client(b"STLS\r\n").server(b"-ERR no\r\n").client(b"CAPA\r\n").server(b"+OK\r\nTOP\r\n.\r\n")
    connection.client(b"QUIT\r\n").server(b"+OK\r\n").close()
    result = pop3.run(connection.packets, "exact.zeek")
    assert result.server_bytes() == stream(connection)
    assert [row.command for row in result.of("sent")] == ["STLS", "CAPA", "QUIT"]


@pytest.mark.parametrize(
    "steps",
    [
        [(True, b"GET / HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000)],
        [(False, b"220 mx ESMTP\r\n"), (True, b"QUIT\r\nUSER x\r\n"), (False, b"221 bye\r\n")],
        [(False, b"+OK hello\r\n"), (True, b"whatever\r\n" * 5000), (False, b"-ERR\r\n")],
        [(True, b"USER\r\n" * 5000), (False, b"what?\r\n" * 5000)],
        [(True, b"\x00" * 300_000), (False, bytes(range(256)) * 3000)],
    ],
)
def test_other_protocols_are_reported(pop3: Zeek, steps: list[tuple[bool, bytes]]) -> None:
    """Of other traffic on port 110 the log says that it is not understood, and no more."""
    result = pop3.run(tcp.Connection().play(steps).packets, "exact.zeek")
    assert [(row.seq, row.kind, row.command) for row in result.rows] == [
        (0, "unexpected", "not_understood"),
        (1, "close", None),
    ]


def test_a_server_that_greets_nobody_leaves_no_row(pop3: Zeek) -> None:
    """A connection only to see whether the server is there: no mail can be in it."""
    check = tcp.Connection().play([(False, b"+OK ready\r\n")]).packets
    assert pop3.run(check, "exact.zeek").raw == b""
    empty = tcp.Connection().open().close().packets
    assert pop3.run(empty, "exact.zeek", quiet=False).raw == b""


@pytest.mark.parametrize("start", range(3, 40, 4))
def test_a_session_without_its_beginning(pop3: Zeek, start: int) -> None:
    """A capture that starts late, at whichever packet: the rows say what follows, from either side."""
    whole = session(20).packets
    packets = damage.start_late(whole, start)
    result = pop3.run(packets, "exact.zeek")
    rest = b"".join(packet.payload for packet in packets if not packet.from_client)
    assert result.server_bytes() == rest
    lines = b"".join(packet.payload for packet in packets if packet.from_client)
    assert len(result.of("sent")) == lines.count(b"\n")
    assert {row.orig_h for row in result.of("sent")} == {whole[0].flow.client_h}
    assert b"S" not in (result.rows[-1].data or b"S")


def test_a_site_has_its_own_plain_ports(pop3: Zeek) -> None:
    """What a site sets stays, whichever comes first; on the exact ports the exact form wins."""
    site = pop3.folder / "site.zeek"
    both = tcp.interleave(session(3, port=2110), session(3))
    for order in (["exact.zeek", str(site)], ["plain.zeek", str(site), "exact.zeek"]):
        site.write_text("redef Pop3Events::plain_ports += { 2110/tcp };")
        result = pop3.run(both, *order)
        kinds = {
            uid: {row.kind for row in result.rows if row.uid == uid} for uid in {r.uid for r in result.rows}
        }
        assert sorted(kinds.values(), key=len) == [
            {"sent", "contents", "close"},
            {"request", "reply", "data", "end", "login", "close"},
        ]


def test_many_commands_share_a_row(pop3: Zeek) -> None:
    """300 RETR at once take few rows; other commands among them are rows of their own."""
    result = pop3.run(session(batch=1000).packets, "exact.zeek")
    assert len([row for row in result.rows if row.kind == "sent"]) < 20
    steps = [(False, b"+OK\r\n"), (True, b"USER x\r\n"), (False, b"+OK\r\n")]
    mixed = b"".join(b"RETR %d\r\nXTND %d\r\n" % (n, n) for n in range(5))
    result = pop3.run(tcp.Connection().play([*steps, (True, mixed)]).packets, "exact.zeek")
    assert [(row.command, row.data) for row in result.of("sent")][1:] == [
        pair for n in range(5) for pair in (("RETR", b"%d" % n), ("XTND", None))
    ]


def test_dropped_bytes_are_reported(pop3: Zeek) -> None:
    """A session that proves to be POP3 only after the bound: gap rows for what was not kept."""
    connection = session(60)
    bound = ["Pop3Events::max_unconfirmed_bytes=20"]
    result = pop3.run(connection.packets, "exact.zeek", more=bound)
    first = result.of("gap")
    assert [(row.command, row.offset) for row in first] == [("server", 0), ("client", 0)]
    assert result.brief("unexpected") == [("limit", b"max_unconfirmed")]
    at = first[0].length
    assert at is not None and at >= 1
    contents = result.of("contents")
    assert contents[0].offset == at
    assert b"".join(row.data or b"" for row in contents) == stream(connection)[at:]


@pytest.mark.parametrize("how", ["APOP", "PLAIN", "XOAUTH2"])
def test_a_session_that_zeek_never_confirms(pop3: Zeek, how: str) -> None:
    """Zeek confirms POP3 by USER, CAPA or STLS only; an answered APOP or AUTH does as well here."""
    line = {"APOP": b"APOP u d", "PLAIN": b"AUTH PLAIN AHUAcA==", "XOAUTH2": b"AUTH XOAUTH2 eA=="}[how]
    connection = tcp.Connection().open().server(b"+OK <1@x>\r\n").client(line + b"\r\n")
    connection.server(b"+OK\r\n").client(b"RETR 1\r\n").server(b"+OK\r\nX: y\r\n\r\nz\r\n.\r\n").close()
    result = pop3.run(connection.packets, "exact.zeek")
    assert result.server_bytes() == stream(connection)
    assert [row.command for row in result.of("sent")] == [line.split()[0].decode(), "RETR"]


def test_other_ports_have_the_plain_form(pop3: Zeek) -> None:
    """Off the exact ports lines are logged, also while exact sessions run beside; and only there."""
    plain, exact = session(20, port=10110), session(20)
    result = pop3.run(tcp.interleave(plain, exact), "exact.zeek")
    alone = pop3.run(plain.packets, ".")
    uid = next(row.uid for row in result.rows if row.kind == "data")
    assert [row[3:] for row in map(_cells, result.rows) if row[1] == uid] == [
        row[3:] for row in map(_cells, alone.rows)
    ]
    assert {row.kind for row in result.rows if row.uid != uid} == {*("sent", "contents", "close")}


def _cells(row: object) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in row.__dataclass_fields__)  # type: ignore[attr-defined]


def test_the_ports_can_be_chosen(pop3: Zeek) -> None:
    """exact_ports is redefinable from the command line."""
    connection = session(5, port=2110)
    more = ["Pop3Events::exact_ports+={2110/tcp}"]
    assert pop3.run(connection.packets, "exact.zeek", more=more).server_bytes() == stream(connection)


def test_zeek_gives_up_but_the_bytes_go_on(pop3: Zeek) -> None:
    """Pipelining with Zeek's default limit makes its analyzer lose step; the exact form does not care."""
    connection = session(batch=1000)
    more = ["POP3::max_pending_commands=10"]
    result = pop3.run(connection.packets, "exact.zeek", more=more)
    assert result.server_bytes() == stream(connection)
    assert len([row for row in result.of("sent") if row.command == "RETR"]) == 300


def test_of_long_lines_the_command_is_kept(pop3: Zeek) -> None:
    """Of a client's line beyond the bound only the verb is logged, also when it comes in pieces; the next
    command is there."""
    connection = tcp.Connection().open().server(b"+OK ready\r\n").client(b"USER x\r\n").server(b"+OK\r\n")
    connection.client(b"RETR " + b"1" * 20_000 + b"\r\nSTAT\r\n").server(b"-ERR\r\n-ERR\r\n")
    connection.client(b"x" * 20_000 + b"\r\nQUIT\r\n").server(b"-ERR\r\n+OK\r\n").close()
    sent_rows = pop3.run(connection.packets, "exact.zeek").brief("sent")
    assert sent_rows == [("USER", b"x"), ("RETR", None), ("STAT", None), (None, None), ("QUIT", None)]


def test_a_capture_that_stops(pop3: Zeek) -> None:
    """What was held is written when Zeek ends, and a close row after it."""
    connection = session(20)
    stop = damage.data_indices(connection.packets, from_client=False)[30]
    result = pop3.run(damage.truncate(connection.packets, stop), "exact.zeek")
    assert result.server_bytes() == stream(connection)[: connection.packets[stop].offset]
    assert result.rows[-1].kind == "close"


def test_the_analyzer_can_stay(pop3: Zeek) -> None:
    """Without release_analyzer, and with files.zeek, Zeek's own events of the mails go on."""
    connection = session(5)
    count = "event pop3_data(c: connection, is_orig: bool, data: string) { print data; }"
    site = pop3.folder / "count.zeek"
    site.write_text(count)
    released = pop3.run(connection.packets, "exact.zeek", str(site))
    for more in (["Pop3Events::release_analyzer=F"], [str(pop3.scripts / "files.zeek")]):
        kept = pop3.run(connection.packets, "exact.zeek", str(site), more=more)
        assert kept.stdout.count("Subject:") == 5
        assert kept.brief("sent", "contents", "request") == released.brief("sent", "contents", "request")
    assert released.stdout.count("Subject:") == 0
