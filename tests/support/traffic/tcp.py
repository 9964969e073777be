"""What two ends say to each other, as the packets that a tap would see.

`Connection` keeps the sequence numbers and a clock of its own; several connections are interleaved by
merging their packets by time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import merge as _merge
from itertools import count, pairwise
from operator import itemgetter

from support.traffic.pcap import ACK, FIN, PSH, RST, SYN, Flow, Packet

START = 1_700_000_000_000_000
Step = tuple[bool, bytes]
"""(from the client, bytes): a piece of a dialogue, in the order in which a tap sees the pieces begin."""

Cut = Callable[[bytes], Iterable[bytes]]
"""Splits what an end sends into segments."""

_ports = count(40000)


def by_size(size: int) -> Cut:
    """Segments of `size` bytes, the last one smaller."""

    def cut(data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    return cut


def at_positions(positions: Iterable[int]) -> Cut:
    """Cuts at the given positions of what is sent in one go, ignoring those that lie outside."""
    wanted = sorted(set(positions))

    def cut(data: bytes) -> Iterator[bytes]:
        marks = [0, *(at for at in wanted if 0 < at < len(data)), len(data)]
        for start, end in pairwise(marks):
            yield data[start:end]

    return cut


class Connection:
    """One TCP connection in the making. `packets` is what a tap saw of it so far.

    Times are in microseconds: `turn` passes when the other end begins to talk, `gap` between two packets.
    """

    def __init__(
        self,
        flow: Flow | None = None,
        *,
        start: int = START,
        turn: int = 800,
        gap: int = 15,
        cut: Cut | None = None,
    ) -> None:
        self.flow = flow or Flow(client_p=32768 + next(_ports) % 28000)
        self.packets: list[Packet] = []
        self.now = start
        self.turn, self.gap = turn, gap
        self.cut = cut or by_size(self.flow.mss)
        self.sent = [0, 0]  # next position: client, server
        self._talking: bool | None = None
        self._unacked = 0

    def _emit(self, from_client: bool, flags: int, payload: bytes = b"") -> None:
        mine, peer = self.sent if from_client else self.sent[::-1]
        self.packets.append(
            Packet(self.now, self.flow, from_client, flags, mine, peer if flags & ACK else 0, payload)
        )
        self.now += self.gap
        self.sent[0 if from_client else 1] += len(payload) + bool(flags & SYN) + bool(flags & FIN)

    def open(self) -> Connection:
        """The three-way handshake."""
        self._emit(True, SYN)
        self.now += self.turn
        self._emit(False, SYN | ACK)
        self.now += self.turn
        self._emit(True, ACK)
        return self

    def send(self, from_client: bool, data: bytes, cut: Cut | None = None) -> Connection:
        """One end sends; the other acknowledges every second segment, and the last one before it talks
        itself."""
        if self._talking is not from_client:
            self.now += self.turn
            self._talking = from_client
            self._unacked = 0
        for piece in (cut or self.cut)(data):
            self._emit(from_client, PSH | ACK, piece)
            self._unacked += 1
            if self._unacked == 2:
                self.acknowledge()
        return self

    def acknowledge(self) -> None:
        """The end that listens acknowledges all that it has got."""
        self._emit(not self._talking, ACK)
        self._unacked = 0

    def client(self, data: bytes, cut: Cut | None = None) -> Connection:
        return self.send(True, data, cut)

    def server(self, data: bytes, cut: Cut | None = None) -> Connection:
        return self.send(False, data, cut)

    def play(self, steps: Iterable[Step], cut: Cut | None = None) -> Connection:
        """Opens the connection, says all, closes it."""
        self.open()
        for from_client, data in steps:
            self.send(from_client, data, cut)
        return self.close()

    def close(self, *, from_client: bool = False) -> Connection:
        """FIN from one end (by default the server, as after QUIT), then from the other."""
        self.now += self.turn
        self._emit(from_client, FIN | ACK)
        self.now += self.turn
        self._emit(not from_client, FIN | ACK)
        self.now += self.turn
        self._emit(from_client, ACK)
        return self

    def reset(self, *, from_client: bool = True) -> Connection:
        """One end gives up."""
        self.now += self.turn
        self._emit(from_client, RST | ACK)
        return self


def interleave(*connections: Connection | list[Packet]) -> list[Packet]:
    """The packets of all, by time; each connection's own order is kept."""
    lists = [c.packets if isinstance(c, Connection) else c for c in connections]
    return list(_merge(*lists, key=itemgetter(0)))
