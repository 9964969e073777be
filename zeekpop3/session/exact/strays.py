"""Responses whose request the log does not have, and messages that are not the one asked for.

Requests get lost where the capture lost packets of the client. What such a response is shows in its looks;
which message it is shows in its size, in the order of the mailbox, and in how many client bytes are missing.
"""

from __future__ import annotations

import re
from typing import Any, Final

from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.exact.align import Sent

_FIELD_START: Final = re.compile(rb"[!-9;-~]{1,76}[ \t]*:|From ")
_LISTING: Final = re.compile(rb"(?:\d{1,10} (?P<what>[!-~]{1,70})\r?\n)++")
_SCAN_LISTING: Final = re.compile(rb"(?:\d{1,10} \d{1,18}\r?\n)++")
_CAPABILITIES: Final = re.compile(
    rb"(?:(?:TOP|UIDL|USER|SASL|STLS|PIPELINING|RESP-CODES|EXPIRE|IMPLEMENTATION)\b)"
)
_STAT: Final = re.compile(r"\d{1,10} \d{1,18}\s*$")


class Strays:
    """What is known of lost requests in one connection. `damage_seen` is True once anything was lost."""

    def __init__(self, dialogue: Dialogue) -> None:
        self.dialogue = dialogue
        self.damage_seen = False
        self.lost: list[int] = []  # client bytes missing since the last command, a number a gap
        self.spare = 0  # client bytes missing for which no request has been found
        self._sizes_held = 0  # how many messages had the size that LIST gave; -1 once one had not

    def __reduce__(self) -> tuple[Any, ...]:
        return Strays, (self.dialogue,), (self.damage_seen, self.lost, self.spare, self._sizes_held)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.damage_seen, self.lost, self.spare, self._sizes_held = state

    def lose(self, length: int) -> None:
        """So many bytes of the client are missing."""
        self.lost.append(length)
        self.spare += length

    def found(self, requests: list[Sent]) -> None:
        """These requests make up the gaps since the last command."""
        self.lost = []
        for sent in requests:
            self.spare -= len(sent.command or "") + len(sent.argument) + 3

    def is_asked_for(self, sent: Sent, body: bytes) -> bool:
        """False if a whole response cannot be the one to this RETR."""
        if not self.damage_seen:
            self._compare(sent, len(body))
            return True
        return not self.is_listing(body) and self._compare(sent, len(body))

    def is_listing(self, body: bytes | None) -> bool:
        """Whether lines are the answer to LIST or UIDL rather than a message."""
        return body is not None and _LISTING.fullmatch(body) is not None

    def _compare(self, sent: Sent, size: int) -> bool:
        listed = self.listed_size(sent)
        if listed is None or self._sizes_held < 0:
            return True
        if size == listed:
            self._sizes_held += 1
            return True
        if self.damage_seen and (self._sizes_held or size in self.dialogue.sizes.values()):
            return False
        self._sizes_held = -1  # this server's sizes are not those of the messages
        return True

    def listed_number(self, sent: Sent) -> int | None:
        """The number of the message that a RETR names."""
        number = sent.argument
        return int(number) if sent.command == "RETR" and number.isdigit() and len(number) < 10 else None

    def listed_size(self, sent: Sent) -> int | None:
        """The size that LIST gave for the message that a command names."""
        number = sent.argument
        return self.dialogue.sizes.get(int(number)) if number.isdigit() and len(number) < 10 else None

    def guess(
        self, message: str, body: bytes | None, before: int | None = None
    ) -> tuple[str | None, str | None]:
        """Command and argument of a request that was lost, from its response; (None, None) if it is any.

        `before` is the number of the message that is asked for next, if that is known.
        """
        if body is None:
            return ("STAT", None) if _STAT.match(message) else (None, None)
        if _LISTING.fullmatch(body):
            scan = _SCAN_LISTING.fullmatch(body) and not self.dialogue.sizes
            return ("LIST" if scan else "UIDL"), None
        if _CAPABILITIES.match(body):
            return "CAPA", None
        if _FIELD_START.match(body):
            return "RETR", self._number(len(body), before)
        return None, None

    def _number(self, size: int, before: int | None) -> str | None:
        """The number of a message whose RETR is missing: the next one if it fits, or the only one that does.

        Without a LIST, the next one fits if so many bytes of the client are missing.
        """
        sizes, last = self.dialogue.sizes, self.dialogue.last_number
        if not sizes:
            needed = len(f"RETR {(last or 0) + 1}\r\n")
            if last is None or needed > self.spare:
                return None
            self.spare -= needed
            return str(last + 1)
        fits = [number for number, octets in sizes.items() if octets == size]
        if (last or 0) + 1 in fits:
            return str((last or 0) + 1)
        if before is not None:
            between = [number for number in fits if (last or 0) < number < before]
            fits = between if len(between) == 1 else fits
        return str(fits[0]) if len(fits) == 1 else None
