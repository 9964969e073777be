"""`pcap` with a capture that ends within a packet: all that is whole is used, and what is not is said."""

from __future__ import annotations

import stat
import struct
from pathlib import Path

import pytest

from support.program import program
from zeekpop3.store.read import read_table
from zeekpop3.zeek.program import whole_bytes


def packets(capture: bytes) -> list[bytes]:
    """The records of a little-endian pcap file, with their headers."""
    found, at = [], 24
    while at < len(capture):
        (length,) = struct.unpack_from("<I", capture, at + 8)
        found.append(capture[at : at + 16 + length])
        at += 16 + length
    return found


def pcapng(capture: bytes, order: str = "<") -> bytes:
    """The same packets as pcapng: a section, an interface, an enhanced packet block for each."""
    (link,) = struct.unpack_from("<I", capture, 20)
    blocks = [(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    blocks.append((1, struct.pack(order + "HHI", link, 0, 0)))
    for packet in packets(capture):
        seconds, micros, length, original = struct.unpack_from("<4I", packet)
        ts = seconds * 1_000_000 + micros
        data = packet[16:] + bytes(-length % 4)
        head = struct.pack(order + "5I", 0, ts >> 32, ts & 0xFFFFFFFF, length, original)
        blocks.append((6, head + data))
    return b"".join(block(kind, body, order) for kind, body in blocks)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A block of pcapng."""
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


@pytest.fixture(scope="module")
def article(fixtures: Path) -> bytes:
    return (fixtures / "article.pcap").read_bytes()


@pytest.mark.parametrize("form", ["pcap", "pcapng", "pcapng, big-endian"])
def test_whole_records(article: bytes, tmp_path: Path, form: str) -> None:
    """Cut at any byte, what is whole is what a cut at the end of a record before it leaves."""
    file = tmp_path / "cut"
    data = {"pcap": article, "pcapng": pcapng(article)}.get(form) or pcapng(article, ">")
    ends = {0}
    if form == "pcap":
        ends = {24 + sum(map(len, packets(article)[:count])) for count in range(len(packets(article)) + 1)}
    else:
        order, at = ("<" if form == "pcapng" else ">"), 0
        while at < len(data):
            at += struct.unpack_from(order + "I", data, at + 4)[0]
            ends.add(at)
    for cut in sorted({*range(0, 400), *range(len(data) - 200, len(data) + 1)}):
        file.write_bytes(data[:cut])
        expected = max((end for end in ends if end <= cut), default=0) or None
        assert whole_bytes(file) == expected


def test_malformed_records(article: bytes, tmp_path: Path) -> None:
    """Impossible lengths end the whole records; another file is not a capture."""
    file = tmp_path / "file"
    for damage in (b"\xff" * 16, b"\0" * 8 + b"\xff\xff\xff\x7f" * 2):
        file.write_bytes(article + damage + article[24:])
        assert whole_bytes(file) == len(article)
        file.write_bytes(pcapng(article) + damage)
        assert whole_bytes(file) == len(pcapng(article))
    for other in (b"", b"\x0a\x0d\x0d\x0a" * 9, b"#separator \\x09\n" * 9, article[:23]):
        file.write_bytes(other)
        assert whole_bytes(file) is None


@pytest.mark.zeek
@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_capture_that_tcpdump_still_writes(article: bytes, zeek: str, tmp_path: Path, form: str) -> None:
    """`zeekpop3 pcap cut.pcap --out x` gives the mail, and says what was left out; the exit code is 1."""
    last = packets(article)[-1][:-5]
    whole = article if form == "pcap" else pcapng(article)
    rest = last if form == "pcap" else struct.pack("<II", 6, 92) + bytes(40)
    cut, logs = tmp_path / "cut.pcap", tmp_path / "logs"
    cut.write_bytes(whole + rest)
    done = program("pcap", cut, "--out", tmp_path / "x", "--keep-logs", logs)
    assert done.returncode == 1
    left = f"the last {len(rest)} of {cut.stat().st_size} bytes were left out"
    assert done.stderr.splitlines()[0] == f"zeekpop3: {cut}: cut off within a packet; {left}"
    assert "1 mail, 0 attachments, 1 session" in done.stderr
    assert read_table(tmp_path / "x", "emails", ["complete"]).to_pylist() == [{"complete": True}]
    (log,) = logs.glob("*/pop3_events.log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


@pytest.mark.zeek
def test_within_a_mail(article: bytes, zeek: str, tmp_path: Path) -> None:
    """The session that the cut goes through is there; the capture itself is unchanged."""
    cut = tmp_path / "cut.pcap"
    records = packets(article)
    longest = max(range(len(records)), key=lambda number: len(records[number]))
    data = article[:24] + b"".join(records[:longest]) + records[longest][:-7]
    cut.write_bytes(data)
    done = program("pcap", cut, "--out", tmp_path / "x")
    assert (done.returncode, "left out" in done.stderr) == (1, True)
    assert cut.read_bytes() == data
    assert read_table(tmp_path / "x", "sessions", ["uid"]).num_rows == 1


@pytest.mark.zeek
def test_a_name_like_a_packet_source(article: bytes, zeek: str, tmp_path: Path) -> None:
    """Zeek takes what stands before `::` for the kind of source; the name of a capture may contain it."""
    (tmp_path / "eth0::1.pcap").write_bytes(article)
    done = program("pcap", tmp_path / "eth0::1.pcap", "--out", tmp_path / "x")
    assert (done.returncode, "1 mail" in done.stderr) == (0, True)


@pytest.mark.zeek
def test_simple_packets(article: bytes, zeek: str, tmp_path: Path) -> None:
    """Simple packet blocks of pcapng (packets without a time) are read, too."""
    data = pcapng(article[:24])  # without packets
    for packet in packets(article):
        frame = packet[16:]
        data += block(3, struct.pack("<I", len(frame)) + frame + bytes(-len(frame) % 4))
    (tmp_path / "x.pcap").write_bytes(data)
    done = program("pcap", tmp_path / "x.pcap", "--out", tmp_path / "x")
    assert (done.returncode, "1 mail" in done.stderr) == (0, True)


@pytest.mark.zeek
def test_files_that_are_not_captures(zeek: str, tmp_path: Path) -> None:
    """Zeek's own words, one line, and no tables."""
    (tmp_path / "x.pcap").write_bytes(b"no capture " * 100)
    done = program("pcap", tmp_path / "x.pcap", "--out", tmp_path / "x")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "zeek failed: " in done.stderr
    assert not (tmp_path / "x").exists()
