"""DKIM signatures (RFC 6376): who signed, and whether the body is the one that was signed.

The hash of the body stands in the signature, so it is checked without the signer's key. A `pass` proves that
the captured body is the signed one, not that the signature is valid: that takes the key.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from zeekpop3.defects import SESSION_DEFECTS, Defect, Defects
from zeekpop3.message.budget import current
from zeekpop3.message.sites import normal_host

MAX_SIGNATURES = 100
_MAX_HASHES = 8  # different ones; each takes time by the size of the body
_MAX_LENGTH = 1 << 16  # characters of a field

_SPACES = re.compile(r"\s++")
ALGORITHMS = {"rsa-sha1": "sha1", "rsa-sha256": "sha256", "ed25519-sha256": "sha256"}
CANONICAL = re.compile(r"(?:simple|relaxed)(?:/(?:simple|relaxed))?")
_LENGTH = re.compile(r"[0-9]{1,76}")


class Signature(NamedTuple):
    """One DKIM-Signature; `domain` in the form of `sites`.

    `body`: `pass`, `fail`, `partial` (the bytes that `l=` signs are unchanged, others follow), or None if it
    was not checked. `bh`: the signed hash, Base64. `signed_bytes`: `l=`, the bytes of the canonical body that
    are signed; None: all.
    """

    domain: str | None
    selector: str | None
    algorithm: str | None
    body: str | None
    bh: str | None = None
    signed_bytes: int | None = None


def collect(fields: list[str], bodies: Bodies | None, defects: Defects) -> list[Signature]:
    """The signatures in the unfolded DKIM-Signature fields of a mail. `bodies` None: they are not checked."""
    if len(fields) > MAX_SIGNATURES:
        defects[Defect.DKIM_CUT] = None
    return [signature_of(field, bodies, defects) for field in fields[:MAX_SIGNATURES]]


def signature_of(field: str, bodies: Bodies | None, defects: Defects) -> Signature:
    """The signature in one unfolded field."""
    tags, well_formed = tags_of(field)
    domain, selector = tags.get("d") or None, tags.get("s") or None
    algorithm = tags.get("a", "").lower() or None
    wanted = digest_of(tags.get("bh", ""))
    body = None
    if not well_formed or None in (wanted, domain, selector, algorithm):
        defects[Defect.DKIM_MALFORMED] = None
    elif bodies is not None:
        body = bodies.verdict(tags, defects)
    return Signature(
        domain=normal_host(domain) if domain else None,
        selector=selector,
        algorithm=algorithm,
        body=body,
        bh=binascii.b2a_base64(wanted, newline=False).decode("ascii") if wanted else None,
        signed_bytes=_signed_bytes(tags.get("l")),
    )


def tags_of(text: str) -> tuple[dict[str, str], bool]:
    """The tags of a signature or a key record (section 3.2); False if something else is there, or a tag
    occurs twice.
    """
    tags: dict[str, str] = {}
    well_formed = len(text) <= _MAX_LENGTH
    for tag in text[:_MAX_LENGTH].split(";"):
        name, equals, value = tag.partition("=")
        name = name.strip()
        if name and equals and name not in tags:
            tags[name] = value.strip()
        elif tag.strip():
            well_formed = False
    return tags, well_formed


def digest_of(base64: str) -> bytes | None:
    """The bytes of a Base64 value, in which white space is ignored; None if it is empty or invalid."""
    try:
        return binascii.a2b_base64(_SPACES.sub("", base64)) or None
    except ValueError:
        return None


def _signed_bytes(length: str | None) -> int | None:
    return int(length) if length is not None and _LENGTH.fullmatch(length) else None


def is_whole(
    *, complete: bool, command: str | None, size: int, octets: int | None, defects: Iterable[str]
) -> bool:
    """Whether captured bytes are certainly a whole mail, so that a body hash that differs means something.

    A preview (TOP) is whole if it has all `octets` that the server declared. Any defect of the transfer, for
    instance a request that was not captured, leaves a doubt.
    """
    doubtful = not complete or not SESSION_DEFECTS.keys().isdisjoint(defects)
    return not doubtful and (command != "TOP" or size == octets)


class Bodies:
    """The body of a mail in its canonical forms. Each hash is made once, and only some different ones.

    `body`: all that follows the empty line behind the header. `whole`: False for a preview; there a hash that
    matches proves as much as usual, and one that does not match says nothing. The same for a body without
    text, which is what a header that was fetched alone looks like.
    """

    def __init__(self, body: bytes, *, whole: bool) -> None:
        self._body = body
        self._whole = whole and bool(body) and not body.isspace()
        self._forms: dict[str, bytes] = {}
        self._hashes: dict[tuple[str, str, int | None], bytes] = {}

    def verdict(self, tags: dict[str, str], defects: Defects) -> str | None:
        """`Signature.body` for a signature with these tags; None also if it wants an unknown hash."""
        algorithm = ALGORITHMS.get(tags["a"].lower())
        c = tags.get("c", "simple").lower()
        form = c.partition("/")[2] or "simple"
        length = tags.get("l")
        count = _signed_bytes(length)
        if algorithm is None or not CANONICAL.fullmatch(c) or (length is not None and count is None):
            defects[Defect.DKIM_MALFORMED] = None
            return None
        key = (algorithm, form, count)
        if key not in self._hashes:
            if len(self._hashes) >= _MAX_HASHES or not current().may_hash(len(self._body)):
                defects[Defect.DKIM_CUT] = None
                return None
            if form not in self._forms:
                self._forms[form] = relaxed(self._body) if form == "relaxed" else simple(self._body)
            data = memoryview(self._forms[form])[:count]
            self._hashes[key] = hashlib.new(algorithm, data, usedforsecurity=False).digest()
        size = len(self._forms[form])
        # Section 3.5: l= must not be larger than the body.
        if self._hashes[key] != digest_of(tags["bh"]) or (count is not None and count > size):
            return "fail" if self._whole else None
        return "partial" if count is not None and (count < size or not self._whole) else "pass"


def simple(body: bytes) -> bytes:
    """The canonical form `simple` (section 3.4.3): empty lines at the end are left out; the end is a CRLF."""
    return _without_empty_lines(_crlf(body)) or b"\r\n"


def relaxed(body: bytes) -> bytes:
    """The canonical form `relaxed` (section 3.4.4): runs of blanks are one space, lines end without any."""
    body = _crlf(body).replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")  # halves each run
    return _without_empty_lines(body.replace(b" \r\n", b"\r\n").removesuffix(b" "))


def _crlf(body: bytes) -> bytes:
    """A server that stores lines with LF may send one so; it was signed with CRLF."""
    if body.count(b"\n") == body.count(b"\r\n"):
        return body
    return body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _without_empty_lines(body: bytes) -> bytes:
    """Without empty lines at the end; what is left, if anything, ends with CRLF."""
    if body.endswith(b"\r\n") and not body.endswith(b"\r\n\r\n") and len(body) > 2:
        return body
    text = body.rstrip(b"\r\n")
    end = body[len(text) :].replace(b"\r\n", b"\n").rstrip(b"\n").replace(b"\n", b"\r\n")
    return text + end + b"\r\n" if text or end else b""
