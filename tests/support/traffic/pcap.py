"""Packets to and from capture files: Ethernet, IPv4 or IPv6, TCP, with right lengths and checksums.

A packet holds stream positions, not wire sequence numbers: the SYN is at 0, the first byte of data at 1.
Plain struct code: 100 MB are written in some two seconds.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

_MAGIC = 0xA1B2C3D4
_ETHERNET, _RAW_IP, _NULL, _COOKED = 1, 101, 0, 113


@dataclass(eq=False)
class Flow:
    """The two ends of a connection. The client is the originator."""

    client_h: str = "192.0.2.10"
    client_p: int = 40000
    server_h: str = "192.0.2.110"
    server_p: int = 110
    client_isn: int = 1000
    server_isn: int = 900000
    mss: int = 1460
    _ends: tuple[_End, _End] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._ends = (_End(self, True), _End(self, False))

    @property
    def key(self) -> tuple[str, int, str, int]:
        """The four-tuple, as Zeek's conn_id has it."""
        return (self.client_h, self.client_p, self.server_h, self.server_p)


class Packet(NamedTuple):
    """A TCP packet. `ts` is in microseconds; `seq` and `ack` count from the SYN (0) of the side they belong
    to."""

    ts: int
    flow: Flow
    from_client: bool
    flags: int
    seq: int
    ack: int
    payload: bytes = b""

    @property
    def offset(self) -> int:
        """Position of the payload in its side's stream, counted from 0."""
        return self.seq - 1


class _End:
    """What is the same in all packets that one side sends, ready to be packed."""

    def __init__(self, flow: Flow, client: bool) -> None:
        here = (flow.client_h, flow.client_p, flow.client_isn)
        there = (flow.server_h, flow.server_p, flow.server_isn)
        if not client:
            here, there = there, here
        self.src, self.dst = ip_address(here[0]).packed, ip_address(there[0]).packed
        self.sport, self.dport = here[1], there[1]
        self.isn, self.peer_isn = here[2], there[2]
        self.v6 = len(self.src) == 16
        macs = (b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x02")
        dst_mac, src_mac = macs if client else macs[::-1]
        self.ethernet = dst_mac + src_mac + (b"\x86\xdd" if self.v6 else b"\x08\x00")
        self.pseudo = int.from_bytes(self.src + self.dst, "big") % 0xFFFF + 6
        self.mss_option = struct.pack("!BBH", 2, 4, flow.mss)
        self.ident = 0


def frame(packet: Packet) -> bytes:
    """The packet as it stands on an Ethernet."""
    end = packet.flow._ends[0 if packet.from_client else 1]
    options = end.mss_option if packet.flags & SYN else b""
    payload = packet.payload
    tcp_len = 20 + len(options) + len(payload)
    ack = (packet.ack + end.peer_isn) & 0xFFFFFFFF if packet.flags & ACK else 0
    words = (
        end.sport,
        end.dport,
        (packet.seq + end.isn) & 0xFFFFFFFF,
        ack,
        (20 + len(options)) << 2,
        packet.flags,
    )
    # A one's complement sum of 16-bit words is the number modulo 65535.
    body = int.from_bytes(payload, "big") << (8 if len(payload) & 1 else 0)
    head = struct.pack("!HHIIBBHHH", *words, 64240, 0, 0) + options
    total = int.from_bytes(head, "big") + body + end.pseudo + tcp_len
    tcp = struct.pack("!HHIIBBHHH", *words, 64240, -total % 0xFFFF, 0) + options
    if end.v6:
        ip = struct.pack("!IHBB", 0x60000000, tcp_len, 6, 64) + end.src + end.dst
    else:
        end.ident = (end.ident + 1) & 0xFFFF
        bare = (
            struct.pack("!BBHHHBBH", 0x45, 0, 20 + tcp_len, end.ident, 0x4000, 64, 6, 0) + end.src + end.dst
        )
        check = -int.from_bytes(bare, "big") % 0xFFFF
        ip = bare[:10] + check.to_bytes(2, "big") + bare[12:]
    return end.ethernet + ip + tcp + payload


def write(path: Path | str, packets: Iterable[Packet]) -> int:
    """Write packets, in the order given, as a pcap of microseconds; gives the file's size in bytes."""
    return write_frames(path, ((packet.ts, frame(packet)) for packet in packets))


def write_frames(path: Path | str, frames: Iterable[tuple[int, bytes]]) -> int:
    """Write (time in microseconds, Ethernet frame) pairs, in the order given; gives the file's size in
    bytes."""
    size = 24
    opener = gzip.open if str(path).endswith(".gz") else open
    pack = struct.Struct("<IIII").pack
    with opener(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, 262144, _ETHERNET))
        for ts, data in frames:
            out.write(pack(ts // 1_000_000, ts % 1_000_000, len(data), len(data)) + data)
            size += 16 + len(data)
    return size


def read_frames(path: Path | str) -> Iterator[tuple[int, int, bytes]]:
    """Time (microseconds), link type and bytes of each frame of a pcap of either byte order."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rb") as file:
        data = file.read()
    order, nano = {
        b"\xd4\xc3\xb2\xa1": ("<", 1),
        b"\xa1\xb2\xc3\xd4": (">", 1),
        b"\x4d\x3c\xb2\xa1": ("<", 1000),
    }[data[:4]]
    link = struct.unpack_from(order + "I", data, 20)[0]
    at = 24
    while at + 16 <= len(data):
        seconds, parts, length, _ = struct.unpack_from(order + "IIII", data, at)
        yield seconds * 1_000_000 + parts // nano, link, data[at + 16 : at + 16 + length]
        at += 16 + length


def read(path: Path | str) -> list[Packet]:
    """The TCP packets of a capture. The side that sends the first SYN (or uses the higher port) is the
    client."""
    flows: dict[tuple[object, ...], Flow] = {}
    packets = []
    for ts, link, data in read_frames(path):
        parsed = _parse(link, data)
        if parsed is None:
            continue
        src, sport, dst, dport, seq, ack, flags, payload = parsed
        here, there = (src, sport), (dst, dport)
        fresh_syn = flags & SYN and not flags & ACK
        flow = None if fresh_syn and (here, there, seq) not in flows else flows.get((here, there))
        if flow is None:
            client = fresh_syn or (sport > dport and not (flags & SYN))
            one = 0 if flags & SYN else 1
            ends = (*here, *there, seq - one, ack - 1) if client else (*there, *here, ack - 1, seq - one)
            flow = Flow(*ends)
            flows[here, there] = flows[there, here] = flow
            flows[here, there, seq] = flow
        from_client = here == (flow.client_h, flow.client_p)
        if flags & SYN and flags & ACK:
            flow.server_isn = seq
            flow.__post_init__()
        isn, peer = (flow.client_isn, flow.server_isn) if from_client else (flow.server_isn, flow.client_isn)
        relative_ack = (ack - peer) & 0xFFFFFFFF if flags & ACK else 0
        packets.append(Packet(ts, flow, from_client, flags, (seq - isn) & 0xFFFFFFFF, relative_ack, payload))
    return packets


def _parse(link: int, data: bytes) -> tuple[str, int, str, int, int, int, int, bytes] | None:
    """Addresses, ports, numbers, flags and payload of a frame; None if it is not TCP."""
    ip = data[{_ETHERNET: 14, _RAW_IP: 0, _NULL: 4, _COOKED: 16}[link] :]
    if not ip:
        return None
    if ip[0] >> 4 == 4:
        if ip[9] != 6:
            return None
        src, dst = ip[12:16], ip[16:20]
        tcp = ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4], "big")]
    elif ip[0] >> 4 == 6 and ip[6] == 6:
        src, dst = ip[8:24], ip[24:40]
        tcp = ip[40 : 40 + int.from_bytes(ip[4:6], "big")]
    else:
        return None
    sport, dport, seq, ack, length, flags = struct.unpack_from("!HHIIBB", tcp)
    return str(ip_address(src)), sport, str(ip_address(dst)), dport, seq, ack, flags, tcp[(length >> 4) * 4 :]
