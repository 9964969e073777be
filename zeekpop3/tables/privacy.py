"""Personal data is removed or pseudonymised here, before a row exists.

`keep_raw=False` leaves out the message itself and the attachments' content. `keep_body=False` also leaves out
everything that comes from the bodies: text, html, html_text, urls, the rows of `links` and `enclosed`, and
the addresses of messages inside. Header fields stay.

A `hash_key` replaces every user and address by its HMAC-SHA256 (hex) under that key. Rows about one person
can be counted and joined, but not read:

- `user`, the users refused, the argument of USER and APOP, and the argument of AUTH after the mechanism: the
  HMAC of the name, stripped and in lower case. So the address in `Lisi <LISI@example.com>` and the user
  `lisi@example.com` have the same value; the user `lisi` has another.
- `mail_id`: the HMAC of the id, because a guess of the user could be confirmed by it.
- Address, local part, domain and site of a mailbox, and the domain of a DKIM signature: each the HMAC of its
  own, in lower case.
- Address fields: the HMAC of each address, without display names. A value without any address becomes the
  HMAC of the whole value.
- Subject and auth_server: each address in it becomes its HMAC.
- The name of a log or file stays if Zeek gives such names, else it is null: people name files.
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
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from zeekpop3.errors import UsageError
from zeekpop3.log.find import is_log_name

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
        if self.hash_key is not None and not (isinstance(self.hash_key, bytes) and self.hash_key):
            raise UsageError("hash_key: the key for hashing users must be bytes, at least one")

    @property
    def keeps_links(self) -> bool:
        """True if the table `links` has rows."""
        return self.keep_body and self.hash_key is None

    def rule(self, personal: str) -> Rule | None:
        """The rule for the values of a column (`Column.personal`); None: they are kept.

        name: a user, an address, its host, or a list of them. addresses: a field of addresses, or a list of
        them. text: free text that is worth keeping. file: the name of a log or file. verdict: a result of SPF
        and the like. signatures: of DKIM. free: other free text. body: from a body. raw: the message, or an
        attachment. argument: of a command.
        """
        if (personal == "raw" and not self.keep_raw) or (personal in ("raw", "body") and not self.keep_body):
            return _nothing
        if self.hash_key is None:
            return None
        rules: dict[str, Rule | None] = {
            "name": _for_each(self.name),
            "addresses": _for_each(self._addresses),
            "text": _for_each(lambda text: _ADDRESS.sub(lambda match: self.name(match[0]), text)),
            "argument": lambda value, command: self._argument(command.command, value),
            "file": lambda value, _: value if is_log_name(PurePath(value or "").name) else None,
            "verdict": lambda value, _: value if value in _VERDICTS else None,
            "signatures": lambda value, _: [self._signature(each) for each in value],
            "free": _nothing,
            "body": _nothing,
            "raw": _nothing,
            "": None,
        }
        return rules[personal]

    def name(self, value: str) -> str:
        """The HMAC of a user's name or an address. There must be a key."""
        assert self.hash_key is not None
        plain = value.strip().lower().encode("utf-8", "surrogatepass")
        return hmac.digest(self.hash_key, plain, "sha256").hex()

    def _addresses(self, value: str) -> str:
        """The HMACs of the addresses in a field, joined by ", "; without any, the HMAC of the whole value."""
        found = _ADDRESS.findall(value)
        if not found:
            return self.name(value) if value.strip() else value
        return ", ".join(map(self.name, found))

    def _signature(self, signature: Signature) -> Signature:
        domain = None if signature.domain is None else self.name(signature.domain)
        algorithm = signature.algorithm if signature.algorithm in _ALGORITHMS else None
        return signature._replace(domain=domain, selector=None, algorithm=algorithm)

    def _argument(self, command: str | None, argument: str | None) -> str | None:
        """The argument of a command, without names."""
        if argument is None:
            return None
        verb = (command or "").upper()
        if verb == "USER":
            return self.name(argument)
        if verb == "APOP":
            argument = argument.strip()
            return self.name(argument.rpartition(" ")[0] or argument)
        if verb == "AUTH":
            mechanism, space, rest = argument.partition(" ")
            return f"{mechanism} {self.name(rest)}" if space and rest.strip() else mechanism
        return argument if _NUMBERS.fullmatch(argument) else None


def _for_each(hashed: Callable[[str], str]) -> Rule:
    """The rule for a string, or each string of a list; None stays None."""

    def rule(value: str | list[str] | None, record: object) -> str | list[str] | None:
        if isinstance(value, list):
            return [hashed(entry) for entry in value]
        return None if value is None else hashed(value)

    return rule


def _nothing(value: object, record: object) -> None:
    """The value is not written."""
