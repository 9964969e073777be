"""What LIST and UIDL said of a mailbox (RFC 1939, sections 5 and 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zeekpop3.session.events import Listed
from zeekpop3.session.protocol import parse_listing, to_text

MAX_LISTED = 1_000_000  # sizes, and unique ids, of one connection
_MAX_SAME_SIZE = 100


@dataclass(slots=True)
class Mailbox:
    """Sizes in octets and unique ids by message number. The numbers by size are indexed when first needed.

    `is_full`: a listing had more messages than the limit; of further ones nothing is kept.
    """

    sizes: dict[int, int] = field(default_factory=dict)
    unique_ids: dict[int, str] = field(default_factory=dict)
    is_full: bool = False
    _by_size: dict[int, list[int]] | None = None
    _id_characters: int = 0

    @property
    def held_bytes(self) -> int:
        """About how much memory the listings take, in bytes."""
        return 160 * len(self.sizes) + 200 * len(self.unique_ids) + self._id_characters

    def listing(self) -> list[Listed]:
        """The messages in the order of their numbers."""
        numbers = sorted(self.sizes.keys() | self.unique_ids.keys())
        return [Listed(number, self.sizes.get(number), self.unique_ids.get(number)) for number in numbers]

    def learn(self, lines: list[bytes], unique_ids: bool) -> int:
        """Take the lines of a response to LIST, or to UIDL; return how many name a message."""
        count = 0
        for line in lines:
            found = parse_listing(line)
            if found is None:
                continue
            number, value = found
            count += 1
            known: dict[int, Any] = self.unique_ids if unique_ids else self.sizes
            if len(known) >= MAX_LISTED and number not in known:
                self.is_full = True
            elif unique_ids:
                self._id_characters += len(value) - len(self.unique_ids.get(number, ""))
                self.unique_ids[number] = to_text(value)
            elif value.isdigit():
                self._set_size(number, int(value[:18]))
        return count

    def _set_size(self, number: int, octets: int) -> None:
        if self._by_size is not None and self.sizes.get(number) != octets:
            self._index(number, octets)
        self.sizes[number] = octets

    def numbers_of_size(self, octets: int) -> list[int]:
        """The messages that have this size; of very many some."""
        if self._by_size is None:
            self._by_size = {}
            for number, size in self.sizes.items():
                self._index(number, size)
        return [number for number in self._by_size.get(octets, ()) if self.sizes.get(number) == octets]

    def _index(self, number: int, octets: int) -> None:
        assert self._by_size is not None
        numbers = self._by_size.setdefault(octets, [])
        if len(numbers) < _MAX_SAME_SIZE:
            numbers.append(number)
