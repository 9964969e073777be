"""Responses whose request the log does not have, and messages other than the one that was requested.

Requests are lost where the capture lost packets of the client. The content of a response shows which command
it answers; its size, the order of the mailbox and the number of lost client bytes show which message it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from zeekpop3.session.dialogue import Dialogue
from zeekpop3.session.exact.commands import Sent
from zeekpop3.session.mailbox import Mailbox
from zeekpop3.session.protocol import FIELD_START, STAT_MESSAGE, message_number

_LISTING = re.compile(rb"(?:\d{1,10} [!-~]{1,70}\r?\n)++")
_SCAN_LISTING = re.compile(rb"(?:\d{1,10} \d{1,18}\r?\n)++")
_CAPABILITIES = re.compile(rb"(?:(?:TOP|UIDL|USER|SASL|STLS|PIPELINING|RESP-CODES|EXPIRE|IMPLEMENTATION)\b)")


@dataclass(slots=True)
class LostRequests:
    """What is known of the lost requests of one connection. `damage_seen` is True once anything was lost."""

    dialogue: Dialogue
    damage_seen: bool = False
    lost: int = 0  # client bytes missing since the last command
    unexplained: int = 0  # client bytes missing for which no request has been found
    answered: set[str] = field(default_factory=set)  # messages whose lost RETR was guessed from the response
    _sizes_held: int = 0  # how many messages had the size that LIST gave; -1 once one had not

    def lose(self, length: int) -> None:
        """Take a gap of `length` bytes in the client's stream."""
        self.lost += length
        self.unexplained += length

    def found(self, requests: list[Sent]) -> None:
        """These requests were sent in the gaps since the last command. Answered ones leave the list."""
        self.lost = 0
        for sent in requests:
            self.unexplained -= len(sent.command or "") + len(sent.argument) + 3
        requests[:] = [s for s in requests if s.command != "RETR" or s.argument not in self.answered]
        self.answered.clear()

    @property
    def mailbox(self) -> Mailbox:
        return self.dialogue.mailbox

    def is_listing(self, body: bytes | None) -> bool:
        """True if lines are the answer to LIST or UIDL rather than a message."""
        return body is not None and _LISTING.fullmatch(body) is not None

    def is_other(self, sent: Sent, body: bytes) -> bool:
        """True if a complete response is not the one to this RETR, by its form and the sizes in LIST."""
        is_listing = self.damage_seen and self.is_listing(body)
        return is_listing or self._has_other_size(sent, len(body))

    def _has_other_size(self, sent: Sent, size: int) -> bool:
        listed = self.listed_size(sent)
        if listed is None or self._sizes_held < 0:
            return False
        if size == listed:
            self._sizes_held += 1
            return False
        if (self.damage_seen and self._sizes_held) or self.mailbox.numbers_of_size(size):
            return True
        self._sizes_held = -1  # this server's sizes are not those of the messages
        return False

    def listed_size(self, sent: Sent) -> int | None:
        """The size that LIST gave for the message that a RETR names."""
        number = message_number(sent.argument) if sent.command == "RETR" else None
        return self.mailbox.sizes.get(number) if number is not None else None

    def guess(
        self, message: str, body: bytes | None, before: int | None = None
    ) -> tuple[str | None, str | None]:
        """Command and argument of a request that was lost, from its response; (None, None) if it may be any.

        `before` is the number of the message that is requested next, if known.
        """
        if body is None:
            return ("STAT", None) if STAT_MESSAGE.fullmatch(message.rstrip()) else (None, None)
        if _LISTING.fullmatch(body):
            scan = _SCAN_LISTING.fullmatch(body) and not self.mailbox.sizes
            return ("LIST" if scan else "UIDL"), None
        if _CAPABILITIES.match(body):
            return "CAPA", None
        if FIELD_START.match(body) or body.startswith(b"From "):
            return "RETR", self._number(len(body), before)
        return None, None

    def _number(self, size: int, before: int | None) -> str | None:
        """The number of a message whose RETR is missing: the next one if it fits, or the only one that does.

        Without a LIST, the next one fits if so many bytes of the client are missing.
        """
        sizes, following = self.mailbox.sizes, (self.dialogue.last_number or 0) + 1
        if not sizes:
            needed = len(f"RETR {following}\r\n")
            if following == 1 or needed > self.unexplained:
                return None
            self.unexplained -= needed
            return str(following)
        if sizes.get(following) == size:
            return str(following)
        fits = self.mailbox.numbers_of_size(size)
        if before is not None:
            between = [number for number in fits if following <= number < before]
            fits = between if len(between) == 1 else fits
        return str(fits[0]) if len(fits) == 1 else None
