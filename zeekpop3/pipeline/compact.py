"""Many open connections in little memory: those that were not used lately are packed.

A state machine takes some 3 kB, packed 450 bytes. So 600,000 open connections fit in 1 GiB, and an attacker
who opens connections and leaves them open gains little.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

_UNPACKED = 20_000
#: What a packed value costs beside its bytes: the object, its key, and their places in the dictionary.
OVERHEAD = 250


def pack(value: object) -> bytes:
    """A value as compressed bytes."""
    return zlib.compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), 1)


class CompactDict(Generic[T]):
    """A dictionary by uid, in order of insertion, that packs the values that were not used lately.

    Values must be picklable. A value that was got may be changed until the next one is got.
    """

    def __init__(self, unpacked: int = _UNPACKED) -> None:
        self.packed_bytes = 0
        self._unpacked = unpacked
        self._values: dict[str, T | bytes] = {}
        self._recent: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, uid: str) -> bool:
        return uid in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def get(self, uid: str) -> T | None:
        """The value, None if there is none."""
        value = self._values.get(uid)
        if value is None:
            return None
        if isinstance(value, bytes):
            self.packed_bytes -= len(value)
            value = self._unpack(value)
            self._values[uid] = value
        else:
            del self._recent[uid]
        self._recent[uid] = None
        self._pack_oldest()
        return value

    def add(self, uid: str, value: T) -> None:
        """Set the value of a uid."""
        self.discard(uid)
        self._values[uid] = value
        self._recent[uid] = None
        self._pack_oldest()

    def add_packed(self, uid: str, value: bytes) -> None:
        """Set the value of a uid, which was packed elsewhere."""
        self.discard(uid)
        self._values[uid] = value
        self.packed_bytes += len(value)

    def pop(self, uid: str) -> T:
        """The value, which is removed. Raises KeyError."""
        value = self._values.pop(uid)
        if isinstance(value, bytes):
            self.packed_bytes -= len(value)
            return self._unpack(value)
        del self._recent[uid]
        return value

    def discard(self, uid: str) -> None:
        """Remove a value, if there is one."""
        value = self._values.pop(uid, None)
        if isinstance(value, bytes):
            self.packed_bytes -= len(value)
        self._recent.pop(uid, None)

    def recent(self) -> Iterator[T]:
        """The values that are not packed."""
        for uid in self._recent:
            value = self._values[uid]
            assert not isinstance(value, bytes)
            yield value

    def _pack_oldest(self) -> None:
        if len(self._recent) <= self._unpacked:
            return
        for uid in list(islice(self._recent, self._unpacked // 4)):
            packed = pack(self._values[uid])
            self._values[uid] = packed
            self.packed_bytes += len(packed)
            del self._recent[uid]

    def _unpack(self, value: bytes) -> T:
        unpacked: T = pickle.loads(zlib.decompress(value))
        return unpacked
