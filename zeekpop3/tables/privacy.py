"""Personal data is removed or pseudonymised here, before a row exists.

`keep_raw=False` leaves out the message itself and the attachments' content. `keep_body=False` also leaves out
everything that comes from the bodies: text, html, html_text, urls, the rows of `links` and `enclosed`, and
the addresses of messages inside. Header fields stay.

A `hash_key` replaces every user and address by its HMAC-SHA256 (hex) under that key. Rows about one person
can be counted and joined, but not read:

- `user`, the users refused, the argument of USER and APOP, and the argument of AUTH after the mechanism: the
  HMAC of the name, stripped and in lower case. So the address in `Lisi <LISI@example.com>` and the user
  `lisi@example.com` have the same value; the user `lisi` has another.
- Address, local part, domain and site of a mailbox, and the domain of a DKIM signature: each the HMAC of its
  own, in lower case.
- Address fields: the HMAC of each address, without display names. A value without any address becomes the
  HMAC of the whole value.
- Subject and auth_server: each address in it becomes its HMAC.
- Null, because they carry names and addresses in free text: display names, headers, received, first_received,
  second_received, date_raw, mime_version, bodies, raw, attachments' content, the server's `message` of
  commands, and the arguments of other commands unless they are numbers. `links` has no rows.

Not pseudonymised: msg_id, in_reply_to, references and thread_id (the keys for joins with smtp.log), file
names, user_agent, IP addresses, uidl, and the hashes of messages and attachments.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeekpop3.message.dkim import Signature

_ADDRESS = re.compile(
    r"""(?:"[^"\n]{1,255}"|[^\s<>()\[\]",:;@\\']{1,255})@(?:\[[^\]\s]{1,255}\]|[\w.-]{0,255}\w)"""
)
_NUMBERS = re.compile(r"[0-9 ]*")

_VERDICTS = frozenset(
    ("pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror", "bestguesspass")
)
_ALGORITHMS = frozenset(("rsa-sha1", "rsa-sha256", "ed25519-sha256"))

Rule = Callable[[Any, Any], Any]
"""(value, record) → the value that is written."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """What to leave out. Immutable and picklable; the key is not part of the repr."""

    keep_raw: bool = True
    keep_body: bool = True
    hash_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.hash_key is not None and not self.hash_key:
            raise ValueError("the key for hashing users is empty")

    @property
    def keeps_links(self) -> bool:
        """True if the table `links` has rows."""
        return self.keep_body and self.hash_key is None

    def rule(self, personal: str) -> Rule | None:
        """What to do with the values of a column (`Column.personal`); None: nothing.

        name: a user, an address, its host, or a list of them. addresses: a field of addresses, or a list of
        them. text: free text that is worth keeping. verdict: a result of SPF and the like. signatures: of
        DKIM. free: other free text. body: from a body. raw: the message, or an attachment. argument: of a
        command.
        """
        hashed = self.hash_key is not None
        without_body = hashed or not self.keep_body
        rules: dict[str, tuple[bool, Rule]] = {
            "name": (hashed, lambda value, _: self.names(value)),
            "addresses": (hashed, lambda value, _: self.people(value)),
            "text": (hashed, lambda value, _: self.text(value)),
            "argument": (hashed, lambda value, command: self.argument(command.command, value)),
            "verdict": (hashed, lambda value, _: value if value in _VERDICTS else None),
            "signatures": (hashed, lambda value, _: [self._signature(each) for each in value]),
            "free": (hashed, _nothing),
            "body": (without_body, _nothing),
            "raw": (without_body or not self.keep_raw, _nothing),
            "": (False, _nothing),
        }
        applies, rule = rules[personal]
        return rule if applies else None

    def name(self, value: str | None) -> str | None:
        """The HMAC of a user's name or an address; None stays None."""
        if value is None or self.hash_key is None:
            return value
        plain = value.strip().lower().encode("utf-8", "surrogatepass")
        return hmac.digest(self.hash_key, plain, "sha256").hex()

    def names(self, value: str | list[str] | None) -> str | list[str | None] | None:
        """`name` of a value, or of each entry of a list."""
        if isinstance(value, list):
            return [self.name(entry) for entry in value]
        return self.name(value)

    def addresses(self, value: str | None) -> str | None:
        """The HMACs of the addresses in a field, joined by ", "; of the whole value if there are none."""
        if value is None or self.hash_key is None:
            return value
        found = _ADDRESS.findall(value)
        if not found:
            return self.name(value) if value.strip() else value
        return ", ".join(self.name(address) or "" for address in found)

    def people(self, value: str | list[str] | None) -> str | list[str | None] | None:
        """`addresses` of a field, or of each entry of a list."""
        if isinstance(value, list):
            return [self.addresses(entry) for entry in value]
        return self.addresses(value)

    def _signature(self, signature: Signature) -> Signature:
        algorithm = signature.algorithm if signature.algorithm in _ALGORITHMS else None
        return signature._replace(domain=self.name(signature.domain), selector=None, algorithm=algorithm)

    def text(self, value: str | None) -> str | None:
        """A text with each address in it replaced by its HMAC."""
        if value is None or self.hash_key is None:
            return value
        return _ADDRESS.sub(lambda match: self.name(match[0]) or "", value)

    def argument(self, command: str | None, argument: str | None) -> str | None:
        """The argument of a command, without names."""
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


def _nothing(value: object, record: object) -> None:
    """The value is not written."""
