"""Many open connections in little memory: their state machines by uid; closed ones are removed, those that
were not used lately are packed.

A state machine takes some 3 kB, packed 200 bytes. So 600,000 open connections fit in 1 GiB, and an attacker
who opens connections and leaves them open gains little.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from zeekpop3.session import Connection, Rows
from zeekpop3.session.events import ConnId, Event
from zeekpop3.session.machine import MAX_MESSAGE

T = TypeVar("T")

#: Memory of a packed value in addition to its bytes: the objects, and the place in the dictionary.
OVERHEAD = 150
_LARGE = 1 << 14


class Packer(Generic[T]):
    """Packs values that are similar to `examples`; all must be picklable."""

    def __init__(self, examples: Iterable[T]) -> None:
        self._common = b"".join(pickle.dumps(example, pickle.HIGHEST_PROTOCOL) for example in examples)

    def pack(self, value: T) -> bytes:
        """The value as bytes, compressed unless it is large; then it is mail, which would take long."""
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        if len(data) > _LARGE:
            return b"P" + data
        deflate = zlib.compressobj(1, wbits=-zlib.MAX_WBITS, zdict=self._common)
        return b"Z" + deflate.compress(data) + deflate.flush()

    def unpack(self, packed: bytes) -> T:
        """The value that was packed, perhaps in another process."""
        data = memoryview(packed)[1:]
        if packed[:1] == b"Z":
            data = memoryview(zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._common).decompress(data))
        value: T = pickle.loads(data)
        return value


class PackedDict(Generic[T]):
    """A dictionary by uid, in order of insertion; only the `unpacked` values used last are not packed.

    A value that was got may be changed until the next one is got.
    """

    def __init__(self, packer: Packer[T], unpacked: int = 20_000) -> None:
        self.packed_bytes = 0
        self._packer = packer
        self._unpacked = unpacked
        self._values: dict[str, T | bytes] = {}
        self._recent: dict[str, T] = {}

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def get(self, uid: str) -> T | None:
        """The value, or None."""
        found = self._values.get(uid)
        value = self._packer.unpack(found) if isinstance(found, bytes) else found
        if value is not None:
            self.add(uid, value)
        return value

    def add(self, uid: str, value: T) -> None:
        """Set the value of a uid."""
        self._release(uid)
        self._values[uid] = value
        self._recent[uid] = value
        self._pack_oldest()

    def add_packed(self, uid: str, value: bytes) -> None:
        """Set the value of a uid, which was packed elsewhere."""
        self._release(uid)
        self._values[uid] = value
        self.packed_bytes += len(value)

    def _release(self, uid: str) -> None:
        value = self._values.get(uid)
        if isinstance(value, bytes):
            self.packed_bytes -= len(value)
        self._recent.pop(uid, None)

    def pop(self, uid: str) -> T:
        """The value, which is removed. Raises KeyError."""
        value = self._values[uid]
        self.discard(uid)
        return self._packer.unpack(value) if isinstance(value, bytes) else value

    def discard(self, uid: str) -> None:
        """Remove a value, if there is one."""
        self._release(uid)
        self._values.pop(uid, None)

    def recent(self) -> Iterator[T]:
        """The values that are not packed."""
        return iter(self._recent.values())

    def _pack_oldest(self) -> None:
        if len(self._recent) <= self._unpacked:
            return
        for uid, value in list(islice(self._recent.items(), max(1, self._unpacked // 4))):
            self.add_packed(uid, self._packer.pack(value))


# -- the open connections of a run -------------------------------------------------------------------


def sample_connections() -> list[Connection]:
    """A connection of each form, in a mail after its first rows: what others have in common with them is not
    packed.
    """
    login, retr = ("USER", b"u"), ("RETR", b"1")
    exact = [
        ("contents", None, b"+OK\r\n"),
        ("sent", *login),
        ("sent", *retr),
        ("contents", None, b"+OK\r\nS: s\r\n"),
    ]
    plain = [
        ("reply", "OK", b""),
        ("request", *login),
        ("request", *retr),
        ("reply", "OK", b""),
        ("data", None, b"S"),
    ]
    return [_connection(exact), _connection(plain)]


def _connection(rows: list[tuple[str, str | None, bytes]]) -> Connection:
    kinds, commands, data = (list(column) for column in zip(*rows, strict=True))
    count, sizes = len(rows), [len(row[2]) for row in rows]
    connection = Connection("C")
    conn_id = ConnId("10.0.0.1", 1024, "10.0.0.2", 110)
    connection.receive(
        Rows(list(range(count)), list(range(count)), kinds, commands, [0] * count, sizes, data, conn_id)
    )
    return connection


_packer: Packer[Connection] = Packer(sample_connections())


class PackedConnection(NamedTuple):
    """A connection as a task returns it: there may be very many of them."""

    uid: str
    next_seq: int
    data: bytes


def pack(connection: Connection) -> PackedConnection:
    """A connection in little memory."""
    return PackedConnection(connection.uid, connection.next_seq, _packer.pack(connection))


class OpenConnections:
    """The open connections by uid. `max_message` limits the bytes that are held of one response."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.max_message = max_message
        self.open: PackedDict[Connection] = PackedDict(_packer)

    def feed(self, uid: str, rows: Rows) -> list[Event]:
        """Process the next rows of a connection; returns what they finished."""
        connection = self.open.get(uid)
        if connection is None:
            connection = Connection(uid, self.max_message)
            self.open.add(uid, connection)
        events = connection.receive(rows)
        if connection.done:
            self.open.discard(uid)
        return events

    def adopt(self, connection: PackedConnection) -> None:
        """Continue a connection that a task started.

        If that uid is open already (overlapping logs, or a log given twice), the connection that has read
        more rows stays.
        """
        old = self.open.get(connection.uid)
        if old is None or old.next_seq < connection.next_seq:
            self.open.add_packed(connection.uid, connection.data)

    def finish(self) -> Iterator[list[Event]]:
        """End all connections that are still open, because the logs ended; the oldest first."""
        for uid in list(self.open):
            yield self.open.pop(uid).finish("open")
