"""The signed part of a header (RFC 6376, section 3.7): its fields, their canonical forms, the key's verdict.

A header is read strictly: as lines that are fields or folds, up to the first empty line. A header that
another program could read differently (bare CR, NUL, other lines) is refused, as one of the two would see
fields that no signature covers. Everything here is linear in the size of the header.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from zeekpop3.message.dkim import digest_of, tags_of

MIN_RSA_BITS = 1_024
"""Of a key (RFC 8301, section 3.2)."""
_MAX_EXPONENT_BITS = 64  # usual: 17; a larger one takes seconds
_FIELD = re.compile(rb"([!-9;-~]++):")
_BLANKS = b" \t"
_RUN = re.compile(rb"[ \t]++")


class Field(NamedTuple):
    """A header field: its name as written, and what follows the colon, lines separated by CRLF."""

    name: bytes
    value: bytes

    @property
    def text(self) -> str:
        """The value, unfolded."""
        value = self.value.replace(b"\r\n", b"")
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")


class UnclearError(Exception):
    """Why a header, or a key, has no certain meaning."""


def split(raw: bytes, start: int, limit: int) -> tuple[list[Field], int]:
    """The fields of a message that begins at `start`, and where its body begins. Raises UnclearError.

    `limit`: the most bytes of a header.
    """
    fields: list[Field] = []
    at = start
    while True:
        end = raw.find(b"\n", at, start + limit)
        if end < 0:
            raise UnclearError(
                "the header is too large" if len(raw) - start > limit else "the header does not end"
            )
        line = raw[at:end].removesuffix(b"\r")
        at = end + 1
        if not line:
            return fields, at
        if b"\r" in line or b"\0" in line:
            raise UnclearError("the header has a bare CR or a NUL; programs read it differently")
        if line[:1] in (b" ", b"\t"):
            if not fields or not line.strip(_BLANKS):
                raise UnclearError("the header has a fold without text; programs read it differently")
            fields[-1] = fields[-1]._replace(value=fields[-1].value + b"\r\n" + line)
        elif (match := _FIELD.match(line)) is not None:
            fields.append(Field(match[1], line[match.end() :]))
        else:
            raise UnclearError("the header has a line that is not a field; programs read it differently")


def signed_data(fields: list[Field], signature: Field, tags: dict[str, str]) -> bytes:
    """What the value of `b=` signs (section 3.7): the fields of `h=`, then the signature itself without that
    value.

    Of several fields with one name the last is taken first (section 5.4.2); a name without a field stands for
    its absence.
    """
    canonical = _relaxed if tags.get("c", "simple").lower().startswith("relaxed") else _simple
    by_name: dict[bytes, list[Field]] = {}
    for field in fields:
        by_name.setdefault(field.name.lower(), []).append(field)
    parts = []
    for name in signed_names(tags):
        if found := by_name.get(name):
            parts.append(canonical(found.pop()) + b"\r\n")
    parts.append(canonical(signature._replace(value=_without_signature(signature.value))))
    return b"".join(parts)


def signed_names(tags: dict[str, str]) -> list[bytes]:
    """The names in `h=`, in lower case."""
    return [name.strip().lower().encode("utf-8") for name in tags.get("h", "").split(":")]


def _simple(field: Field) -> bytes:
    """Section 3.4.1."""
    return field.name + b":" + field.value


def _relaxed(field: Field) -> bytes:
    """Section 3.4.2."""
    value = _RUN.sub(b" ", field.value.replace(b"\r\n", b""))
    return field.name.lower() + b":" + value.strip(b" ")


def _without_signature(value: bytes) -> bytes:
    """A signature whose tag `b` is empty."""
    tags = value.split(b";")
    for number, tag in enumerate(tags):
        name, equals, _ = tag.partition(b"=")
        if name.strip() == b"b":
            tags[number] = name + equals
    return b";".join(tags)


def problem_with_key(record: str, tags: dict[str, str], data: bytes) -> str | None:
    """None if a key record (section 3.6.1) makes the signature `tags` of `data` valid, else why not.

    Raises UnclearError if the signature cannot be judged.
    """
    key, well_formed = tags_of(record)
    kind, _, hash_name = tags["a"].lower().partition("-")
    if not well_formed or key.get("v", "DKIM1") != "DKIM1" or "p" not in key:
        return "the key record is malformed"
    if not key["p"]:
        return "the key was revoked"
    if (key.get("k") or "rsa").lower() != kind:
        return "the key is of another kind than the signature"
    if "h" in key and hash_name not in _words(key["h"]):
        return "the key does not allow the hash of the signature"
    if "s" in key and not {"*", "email"} & _words(key["s"]):
        return "the key is not for mail"
    if "s" in _words(key.get("t", "")) and _identity_domain(tags) != tags["d"].lower():
        return "the key does not allow subdomains in i="
    public, value = digest_of(key["p"]), digest_of(tags["b"])
    if public is None or value is None:
        return "the key record or b= is not Base64"
    digest = hashlib.new(hash_name, data, usedforsecurity=False)
    good = _verifies_rsa(public, value, digest) if kind == "rsa" else _verifies_ed25519(public, value, digest)
    return None if good else "the signature does not match header and key"


def is_test_key(record: str) -> bool:
    """Whether the domain says that it only tests DKIM (`t=y`)."""
    return "y" in _words(tags_of(record)[0].get("t", ""))


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(":")}


def _identity_domain(tags: dict[str, str]) -> str:
    return tags.get("i", "@" + tags["d"]).rpartition("@")[2].lower()


def is_identity_of_domain(tags: dict[str, str]) -> bool:
    """Whether `i=` is in the domain `d=`, or below it (section 3.5)."""
    identity, domain = _identity_domain(tags), tags["d"].lower()
    return "@" in tags.get("i", "@") and (identity == domain or identity.endswith("." + domain))


def _verifies_rsa(public: bytes, value: bytes, digest: hashlib._Hash) -> bool:
    from dkim.crypto import RSASSA_PKCS1_v1_5_verify, parse_public_key

    try:
        key = parse_public_key(public)
        bits = key["modulus"].bit_length()
        if bits < MIN_RSA_BITS:
            raise UnclearError(f"the key has {bits} bits, so others can sign with it (RFC 8301)")
        if key["publicExponent"].bit_length() > _MAX_EXPONENT_BITS or len(value) != (bits + 7) // 8:
            return False
        return bool(RSASSA_PKCS1_v1_5_verify(digest, value, key))
    except UnclearError:
        raise
    except Exception:  # dkimpy raises many kinds for a malformed key
        return False


def _verifies_ed25519(public: bytes, value: bytes, digest: hashlib._Hash) -> bool:
    try:
        from nacl.exceptions import CryptoError
        from nacl.signing import VerifyKey
    except ImportError:
        raise UnclearError("ed25519 needs PyNaCl: pip install pynacl") from None
    try:
        VerifyKey(public).verify(digest.digest(), value)
    except (CryptoError, ValueError, TypeError):
        return False
    return True
