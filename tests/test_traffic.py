"""The traffic that we make is right: packets, dialogues, truth, and the stand-in for Zeek's event log."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path

import pytest

from support.traffic import damage, pcap, pop3, rows, tcp, truth

MAILS = [
    b"From: a@example.org\r\nReceived: from x\r\n\tby y; Fri, 5 Mar 2021 23:00:46 -0500\r\n"
    b"\r\n.dot\r\n..two\r\nend\r\n",
    b"",
    b"Subject: long\r\n\r\n" + b"x" * 5000 + b"\r\n.\r\nlast line",
]


def session(how: str = "USER", **kw: int) -> tuple[tcp.Connection, list[truth.Truth]]:
    box = pop3.Mailbox(MAILS)
    turns = pop3.dialogue(
        box, [*pop3.fetch_all(box, how)[:-1], "TOP 1 1", "RETR 9", "DELE 1", "LIST 1", "QUIT"]
    )
    connection = tcp.Connection().play(pop3.steps(turns, **kw))
    return connection, truth.of_turns(turns, connection.flow)


@pytest.mark.parametrize("kw", [{}, {"batch": 4}, {"window": 3}])
@pytest.mark.parametrize("how", ["USER", "PLAIN", "PLAIN+", "LOGIN"])
def test_the_capture_holds_what_was_said(tmp_path: Path, how: str, kw: dict[str, int]) -> None:
    """A session written and read again gives the same transfers as the script did."""
    connection, truths = session(how, **kw)
    pcap.write(tmp_path / "x.pcap", connection.packets)
    assert truth.of_packets(pcap.read(tmp_path / "x.pcap")) == truths
    assert [t.msg_num for t in truths] == [1, 2, 3, 1]
    assert [t.message for t in truths[:3]] == [MAILS[0], MAILS[1], MAILS[2] + b"\r\n"]


@pytest.mark.parametrize("flow", [pcap.Flow(), pcap.Flow("2001:db8::1", 40000, "2001:db8::2", 110)])
def test_checksums_and_lengths_are_right(flow: pcap.Flow) -> None:
    """Headers sum up to 0xFFFF, over IPv4 and IPv6, with odd and even payloads, SYN options included."""
    connection = tcp.Connection(flow).play(
        [(False, b"+OK\r\n"), (True, b"QUIT\r\n"), (False, b"+OK bye\r\n")]
    )
    for packet in connection.packets:
        ip = pcap.frame(packet)[14:]
        v6 = ip[0] >> 4 == 6
        addresses, tcp_part = (ip[8:40], ip[40:]) if v6 else (ip[12:20], ip[20:])
        padded = tcp_part + b"\0" * (len(tcp_part) % 2)
        total = int.from_bytes(addresses + padded, "big") + 6 + len(tcp_part)
        assert total % 0xFFFF == 0
        assert v6 or int.from_bytes(ip[:20], "big") % 0xFFFF == 0


def test_loss_is_counted_in_bytes_of_the_message() -> None:
    """What a hole costs a mail: its own bytes, stuffing dots and terminator left out."""
    connection, truths = session()
    first = truths[0]
    whole = connection.packets
    at = next(
        i for i in damage.data_indices(whole, from_client=False) if whole[i].offset == first.response[0]
    )
    damaged = damage.drop(whole, [at])
    after = truth.after(truths, whole, damaged)
    assert (after[0].missing_bytes, after[0].missing_wire) == (len(MAILS[0]), len(MAILS[0]) + 2)
    assert [t.complete for t in after] == [False, True, True, True]


def test_exact_rows_carry_the_stream() -> None:
    """Contents rows, put together by offset, are the server's stream, whatever the cut and the moment of
    flushing."""
    for seed in range(20):
        rng = random.Random(seed)
        connection, _ = session(window=3)
        packets = damage.delay(connection.packets, rng.sample(range(10, 40), 8))
        made = rows.of_packets(packets, exact=True, flush_before_sent=seed % 2 == 0, rng=rng)
        [(flow, got)] = made.items()
        pieces = sorted(
            (o, d) for k, o, d in zip(got.kind, got.offset, got.data, strict=True) if k == "contents"
        )
        assert b"".join(d for _, d in pieces) == truth.streams(connection.packets)[flow][1]


def test_plain_rows_are_trimmed_and_marked() -> None:
    """A line loses its leading blanks, a header mark stands after the last line of its field, an end row at
    the end."""
    connection, _ = session()
    [got] = rows.of_packets(connection.packets, exact=False).values()
    mail = next(d for k, d in zip(got.kind, got.data, strict=True) if k == "data" and d.startswith(b"From:"))
    assert mail.split(b"\n")[:8] == [
        b"From: a@example.org",
        b"\0From",
        b"Received: from x",
        b"by y; Fri, 5 Mar 2021 23:00:46 -0500",
        b"\0Received",
        b"",
        b"..dot",
        b"...two",
    ]
    assert list(got.kind).count("end") == 4


def test_no_secret_in_the_rows() -> None:
    """Neither form has the password, in clear or as sent."""
    for how in ("USER", "PLAIN", "PLAIN+", "LOGIN"):
        connection, _ = session(how)
        for exact in (True, False):
            [got] = rows.of_packets(connection.packets, exact=exact).values()
            text = b"\n".join(got.data)
            box = pop3.Mailbox(MAILS)
            words = [box.password, *pop3.login(box, "PLAIN+")[1:], *pop3.login(box, "LOGIN")[2:]]
            assert not [word for word in words if word.encode() in text]


@pytest.mark.parametrize(
    "options", [[], ["--pipelined", "--loss", "0.02"], ["--attachment", "20k", "--delete"]]
)
def test_benchmark_captures_tell_the_truth(tmp_path: Path, options: list[str]) -> None:
    """The capture maker's truth file names the mails that its packets carry, and the bytes that they lack."""
    path = Path(__file__).parent / "bench" / "capture.py"
    spec = importlib.util.spec_from_file_location("capture", path)
    assert spec is not None and spec.loader is not None
    capture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(capture)
    out, told = tmp_path / "x.pcap", tmp_path / "x.json"
    capture.main(["--out", str(out), "--truth", str(told), "--mb", "0.5", "--generated", *options])
    transfers = json.loads(told.read_text())["transfers"]
    packets = pcap.read(out)
    if "--loss" not in options:
        assert [t["sha256"] for t in transfers] == [t.sha256 for t in truth.of_packets(packets)]
        return
    assert any(not t["complete"] for t in transfers)
    held: dict[tuple[str, int, str, int], list[pcap.Packet]] = {}
    for packet in packets:
        held.setdefault(packet.flow.key, []).extend([] if packet.from_client else [packet])
    for t in transfers:
        mine = held[t["id_orig_h"], t["id_orig_p"], t["id_resp_h"], t["id_resp_p"]]
        start, end = t["body"]
        seen = sum(max(0, min(end, p.offset + len(p.payload)) - max(start, p.offset)) for p in mine)
        assert end - start - seen == t["missing_wire"]
