"""The plain form: the three raw events a row each, and the marks between them."""

from __future__ import annotations

import pytest

from support.traffic import damage, tcp
from support.traffic import pop3 as server
from support.traffic.pcap import Flow
from support.zeek_runs import Result, Zeek

pytestmark = pytest.mark.zeek

MAIL = (
    b"Received: from a\r\n\tby b\r\nContent-Type: multipart/mixed;\r\n boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: text/plain\r\n\r\n.dot  two\r\n\r\n--x--\r\n"
)


def session(mails: list[bytes], port: int = 110, **kw: int) -> tcp.Connection:
    box = server.Mailbox(mails)
    turns = server.dialogue(box, server.fetch_all(box, capa=False))
    return tcp.Connection(Flow(server_p=port)).play(server.steps(turns, **kw))


def of_last_mail(result: Result) -> list[tuple[str, str | None, bytes | None]]:
    rows = [(row.kind, row.command, row.data) for row in result.rows]
    start = max(n for n, row in enumerate(rows) if row[:2] == ("request", "RETR"))
    return rows[start:-3]


def test_the_rows_of_a_mail(pop3: Zeek) -> None:
    """One row of lines as Zeek trims them, a mark after each field's last line, an end row."""
    rows = of_last_mail(pop3.run(session([MAIL]).packets, "."))
    lines = [
        *(b"Received: from a", b"by b", b"\0Received"),
        *(b"Content-Type: multipart/mixed;", b"boundary=x", b"\0Content-Type", b""),
        *(b"--x", b"Content-Type: text/plain", b"\0Content-Type", b""),
        *(b"..dot two", b"", b"--x--"),
    ]
    assert rows == [
        ("request", "RETR", b"1"),
        ("reply", "OK", b"%d octets" % len(MAIL)),
        ("data", None, b"\n".join(lines)),
        ("end", None, None),
    ]


def test_long_mails_have_several_rows(pop3: Zeek) -> None:
    """Rows are written at a size; an empty line is a row of length 0 if it is alone."""
    result = pop3.run(session([b"S: x\r\n\r\n" + b"a line\r\n" * 20_000]).packets, ".")
    found = [row.data or b"" for row in result.of("data")]
    assert len(found) > 10 and b"\n".join(found).count(b"a line") == 20_000
    one = pop3.run(session([b"\r\n"]).packets, ".").of("data")[-1]
    assert (one.length, one.data) == (0, None)


def test_marks_can_be_left_out(pop3: Zeek) -> None:
    """mark_structure=F leaves the lines alone."""
    result = pop3.run(session([MAIL]).packets, ".", more=["Pop3Events::mark_structure=F"])
    assert not result.of("end")
    assert not any(b"\0" in (row.data or b"") for row in result.of("data"))


def test_three_hundred_at_once(pop3: Zeek) -> None:
    """A client that asks for 300 mails at once: all requests and all ends are there, in any form of port."""
    result = pop3.run(session([MAIL] * 300, port=1110, batch=1000).packets, ".")
    assert [row.data for row in result.of("request") if row.command == "RETR"] == [
        b"%d" % n for n in range(1, 301)
    ]
    assert len(result.of("end")) == 300
    assert [row.seq for row in result.rows] == list(range(len(result.rows)))


def test_control_rows_have_the_endpoints(pop3: Zeek) -> None:
    """The id columns are set on control rows, and not on the many others."""
    for row in pop3.run(session([MAIL]).packets, ".").rows:
        assert (row.orig_h is None) == (row.kind == "data")


def test_an_end_by_force(pop3: Zeek) -> None:
    """A capture that stops in the middle of a mail: the end row comes just before close."""
    connection = session([MAIL + b"x\r\n" * 5000])
    stop = damage.data_indices(connection.packets, from_client=False)[-4]
    rows = pop3.run(damage.truncate(connection.packets, stop), ".").rows
    assert [row.kind for row in rows][-2:] == ["end", "close"]


def test_a_gap_is_a_row(pop3: Zeek) -> None:
    """Zeek joins lines over a loss without a word; the gap row stands where it was."""
    connection = session([b"S: x\r\n\r\n" + b"line of it\r\n" * 1000] * 3)
    index = damage.data_indices(connection.packets, from_client=False)[12]
    packet = connection.packets[index]
    result = pop3.run(damage.drop(connection.packets, [index]), ".")
    assert [(r.command, r.offset, r.length) for r in result.of("gap")] == [
        ("server", packet.offset, len(packet.payload))
    ]


def test_starttls(pop3: Zeek) -> None:
    """STLS gives a starttls row, and no line after it."""
    connection = tcp.Connection().open().server(b"+OK ready\r\n").client(b"STLS\r\n").server(b"+OK\r\n")
    connection.client(b"\x16\x03\x01" + b"x" * 300).server(b"\x16\x03\x01" + b"y" * 300).close()
    result = pop3.run(connection.packets, ".")
    assert [row.kind for row in result.rows] == ["reply", "request", "starttls", "close"]


def test_mails_elsewhere_leave_no_row(pop3: Zeek) -> None:
    """An SMTP session raises the same MIME events; none of them is a row."""
    steps = [(False, b"220 mx ESMTP\r\n"), (True, b"EHLO a\r\n"), (False, b"250 mx\r\n")]
    for line in (b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@d.example>"):
        steps += [(True, line + b"\r\n"), (False, b"250 ok\r\n")]
    steps += [(True, b"DATA\r\n"), (False, b"354 go\r\n"), (True, MAIL + b".\r\n"), (False, b"250 ok\r\n")]
    smtp = tcp.Connection(Flow(server_p=25)).play([*steps, (True, b"QUIT\r\n"), (False, b"221 bye\r\n")])
    both = tcp.interleave(smtp, session([MAIL]))
    result = pop3.run(both, ".")
    assert len({row.uid for row in result.rows}) == 1
    assert sum((row.data or b"").count(b"\0") for row in result.rows) == 3
    assert b"\tSMTP\t" in (result.folder / "files.log").read_bytes()
