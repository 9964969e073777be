"""DKIM signatures (RFC 6376): who signed, and whether the body is the one that was signed.

The hash of the body stands in the signature, so it is checked without the signer's key. A `pass` proves that
the captured body is the signed one, not that the signature is valid: that takes the key.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import NamedTuple

from zeekpop3.message.defects import Defects
from zeekpop3.message.sites import normal_host

MAX_SIGNATURES = 100
_MAX_HASHES = 8  # different ones; each takes time by the size of the body
_MAX_LENGTH = 1 << 16  # characters of a field

_SPACES = re.compile(r"\s++")
_HASHES = {"rsa-sha1": "sha1", "rsa-sha256": "sha256", "ed25519-sha256": "sha256"}
_CANONICAL = frozenset(("simple", "relaxed"))
_LENGTH = re.compile(r"[0-9]{1,76}")


class Signature(NamedTuple):
    """One DKIM-Signature. `domain` is in the form of `sites`. `body`: `pass` or `fail`, None if it was not
    checked.
    """

    domain: str | None
    selector: str | None
    algorithm: str | None
    body: str | None


def collect(fields: list[str], body: Body | None, defects: Defects) -> list[Signature]:
    """The signatures in the unfolded DKIM-Signature fields of a mail. `body` None: they are not checked."""
    if len(fields) > MAX_SIGNATURES:
        defects["dkim_cut"] = None
    return [_signature(field, body, defects) for field in fields[:MAX_SIGNATURES]]


def _signature(field: str, body: Body | None, defects: Defects) -> Signature:
    tags: dict[str, str] = {}
    malformed = len(field) > _MAX_LENGTH
    for tag in field[:_MAX_LENGTH].split(";"):
        name, equals, value = tag.partition("=")
        name = name.strip()
        if name and equals and name not in tags:
            tags[name] = value.strip()
        elif tag.strip():
            malformed = True
    algorithm = tags.get("a", "").lower() or None
    domain = tags.get("d")
    wanted = _digest(tags.get("bh", ""))
    if malformed or wanted is None or not domain or not tags.get("s") or algorithm is None:
        defects["dkim_malformed"] = None
        malformed = True
    verdict = None
    if body is not None and wanted is not None and not malformed:
        verdict = body.verdict(
            _HASHES.get(algorithm or ""), tags.get("c", "simple"), tags.get("l"), wanted, defects
        )
    return Signature(normal_host(domain) if domain else None, tags.get("s") or None, algorithm, verdict)


def _digest(value: str) -> bytes | None:
    try:
        return binascii.a2b_base64(_SPACES.sub("", value)) or None
    except (binascii.Error, ValueError):
        return None


class Body:
    """The body of a complete mail, from the byte after the empty line. Canonical forms and hashes are made
    once.
    """

    __slots__ = ("_canonical", "_hashes", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._canonical: dict[str, bytes] = {}
        self._hashes: dict[tuple[str, str, int | None], bytes] = {}

    def verdict(
        self,
        algorithm: str | None,
        canonicalization: str,
        length: str | None,
        wanted: bytes,
        defects: Defects,
    ) -> str | None:
        """Whether the body has the hash `wanted`; None if that cannot be said."""
        form = canonicalization.lower().partition("/")[2].strip() or "simple"
        if (
            algorithm is None
            or form not in _CANONICAL
            or (length is not None and not _LENGTH.fullmatch(length))
        ):
            defects["dkim_malformed"] = None
            return None
        data = self._canonical.get(form)
        if data is None:
            data = self._canonical[form] = relaxed(self._raw) if form == "relaxed" else simple(self._raw)
        count = None if length is None else int(length)
        key = (algorithm, form, count)
        found = self._hashes.get(key)
        if found is None:
            if len(self._hashes) >= _MAX_HASHES:
                defects["dkim_cut"] = None
                return None
            view = memoryview(data)[:count]
            found = self._hashes[key] = hashlib.new(algorithm, view, usedforsecurity=False).digest()
        return "pass" if found == wanted else "fail"


def simple(body: bytes) -> bytes:
    """The canonical form `simple` (section 3.4.3): empty lines at the end are left out; the end is a CRLF."""
    return _without_empty_lines(_crlf(body)) or b"\r\n"


def relaxed(body: bytes) -> bytes:
    """The canonical form `relaxed` (section 3.4.4): runs of blanks are one space, none stands at a line's
    end.
    """
    body = _crlf(body)
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")  # halves each run
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    if body.endswith(b" "):
        body = body[:-1]
    return _without_empty_lines(body)


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
