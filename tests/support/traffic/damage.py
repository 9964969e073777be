"""What taps and networks do to packets: loss, retransmission, reordering, a capture that starts late or
stops.

Each function takes a list of packets and gives a new one; the input is left alone. Loss is the tap's: the
packet is missing in the capture only, the other end's acknowledgements cover it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from support.traffic.pcap import SYN, Packet


def data_indices(packets: list[Packet], *, from_client: bool | None = None) -> list[int]:
    """Where the packets stand that carry bytes, of one side or both."""
    return [
        index
        for index, packet in enumerate(packets)
        if packet.payload and (from_client is None or packet.from_client is from_client)
    ]


def drop(packets: list[Packet], lost: Iterable[int] | Callable[[Packet], bool]) -> list[Packet]:
    """The packets without those at these places, or without those that the function selects."""
    if callable(lost):
        return [packet for packet in packets if not lost(packet)]
    gone = set(lost)
    return [packet for index, packet in enumerate(packets) if index not in gone]


def lose(
    packets: list[Packet], rate: float, rng: random.Random, *, server_only: bool = False
) -> list[Packet]:
    """Loses each packet but those of the handshake with this probability (Zeek says nothing about a
    connection without one)."""
    return [
        packet
        for packet in packets
        if (packet.flags & SYN)
        or (packet.seq == 1 and not packet.payload)
        or (server_only and (packet.from_client or not packet.payload))
        or rng.random() >= rate
    ]


def retransmit(packets: list[Packet], indices: Iterable[int], *, after: int = 3) -> list[Packet]:
    """Sends the packets at these places once more, `after` packets later."""
    again = sorted(set(indices))
    out: list[Packet] = []
    due: list[tuple[int, Packet]] = []
    for index, packet in enumerate(packets):
        out.append(packet)
        if again and index == again[0]:
            again.pop(0)
            due.append((index + after, packet))
        while due and due[0][0] <= index:
            out.append(due.pop(0)[1]._replace(ts=packet.ts))
    out.extend(packet._replace(ts=packets[-1].ts) for _, packet in due)
    return out


def delay(packets: list[Packet], indices: Iterable[int], *, by: int = 2) -> list[Packet]:
    """Reorders: the packets at these places arrive `by` packets later, but never after a packet that
    acknowledges them (the tap would have seen them on their way)."""
    out = list(packets)
    for index in sorted(set(indices), reverse=True):
        packet = out[index]
        end = packet.seq + len(packet.payload)
        place = index
        for other in out[index + 1 : index + 1 + by]:
            if other.flow is packet.flow and other.from_client is not packet.from_client and other.ack >= end:
                break
            place += 1
        del out[index]
        out.insert(place, packet._replace(ts=packets[min(place, len(packets) - 1)].ts))
    return out


def truncate(packets: list[Packet], at: int) -> list[Packet]:
    """The capture stops before the packet at this place."""
    return packets[:at]


def start_late(packets: list[Packet], at: int) -> list[Packet]:
    """The capture starts with the packet at this place."""
    return packets[at:]
