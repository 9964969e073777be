"""What a site doesn't want in its tables is taken out here, before a row exists.

`keep_raw=False` leaves out the message itself (and attachments' content); `keep_body=False` leaves out that
and all that comes from the bodies: text, html, urls. Header fields stay.

A `hash_key` replaces every user and address by its HMAC-SHA256 (hex) under that key, so that rows about one
person can be counted and joined, but not read:

- `user` (emails, sessions), the argument of USER and APOP, and what follows the mechanism in AUTH's: the HMAC
  of the name, stripped and in lower case. So the address in `Lisi <LISI@example.com>` and the user
  `lisi@example.com` come out equal; a user `lisi` does not equal them.
- from, sender, reply_to, return_path, to, cc, bcc, delivered_to: the HMAC of each address; display names go.
  What holds something but no address becomes the HMAC of the whole.
- subject: addresses in it become their HMAC.
- Left null, because they carry names and addresses in free text: headers, received, first_received,
  second_received, text, html, urls, raw, attachments' content; in commands the server's `message`, and every
  argument of other verbs that is more than numbers.

Not changed, and to be known: msg_id, in_reply_to and references (the join with smtp.log stands on them), file
names, user_agent, the IP addresses, uidl, and the hashes of messages and attachments.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field

_ADDRESS = re.compile(
    r"""(?:"[^"\n]{1,255}"|[^\s<>()\[\]",:;@\\']{1,255})@(?:\[[^\]\s]{1,255}\]|[\w.-]{0,255}\w)"""
)
_NUMBERS = re.compile(r"[0-9 ]*")


@dataclass(frozen=True, slots=True)
class Privacy:
    """What to leave out. Immutable, and picklable, for worker processes; the key never shows in its repr."""

    keep_raw: bool = True
    keep_body: bool = True
    hash_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.hash_key is not None and not self.hash_key:
            raise ValueError("the key for hashing users is empty")

    @property
    def changes_nothing(self) -> bool:
        """True if rows stay as they are."""
        return self.keep_raw and self.keep_body and self.hash_key is None

    def name(self, value: str | None) -> str | None:
        """The HMAC of a user's name or an address; None stays None."""
        if value is None or self.hash_key is None:
            return value
        plain = value.strip().lower().encode("utf-8", "surrogatepass")
        return hmac.digest(self.hash_key, plain, "sha256").hex()

    def addresses(self, value: str | None) -> str | None:
        """The HMACs of the addresses in a field, joined by ", "; of the whole where there is none."""
        if value is None or self.hash_key is None:
            return value
        found = _ADDRESS.findall(value)
        if not found:
            return self.name(value) if value.strip() else value
        return ", ".join(self.name(address) or "" for address in found)

    def text(self, value: str | None) -> str | None:
        """A text with each address in it replaced by its HMAC."""
        if value is None or self.hash_key is None:
            return value
        return _ADDRESS.sub(lambda match: self.name(match[0]) or "", value)

    def argument(self, command: str | None, argument: str | None) -> str | None:
        """A command's argument without names in it."""
        if argument is None or self.hash_key is None:
            return argument
        verb = (command or "").upper()
        if verb == "USER":
            return self.name(argument)
        if verb == "APOP":
            user, _, _ = argument.strip().rpartition(" ") if " " in argument.strip() else (argument, "", "")
            return self.name(user)
        if verb == "AUTH":
            mechanism, space, rest = argument.partition(" ")
            return f"{mechanism} {self.name(rest)}" if space and rest.strip() else mechanism
        return argument if _NUMBERS.fullmatch(argument) else None
