"""DKIM signatures (RFC 6376): who signed, and whether the body is the one that was signed.

The hash of the body stands in the signature, so it is checked without the signer's key. A `pass` proves that
the captured body is the signed one, not that the signature is valid: that takes the key.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import NamedTuple

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.sites import normal_host

MAX_SIGNATURES = 100
_MAX_HASHES = 8  # different ones; each takes time by the size of the body
_MAX_LENGTH = 1 << 16  # characters of a field

_SPACES = re.compile(r"\s++")
_ALGORITHMS = {"rsa-sha1": "sha1", "rsa-sha256": "sha256", "ed25519-sha256": "sha256"}
_LENGTH = re.compile(r"[0-9]{1,76}")

_Hashes = dict[tuple[str, str, int | None], bytes]  # by algorithm, canonical form and length


class Signature(NamedTuple):
    """One DKIM-Signature; `domain` in the form of `sites`. `body`: `pass`, `fail`, or None if not checked."""

    domain: str | None
    selector: str | None
    algorithm: str | None
    body: str | None


def collect(fields: list[str], body: bytes | None, defects: Defects) -> list[Signature]:
    """The signatures in the unfolded DKIM-Signature fields of a mail. `body`: all that follows the empty line
    behind the header; None: the signatures are not checked.
    """
    if len(fields) > MAX_SIGNATURES:
        defects[Defect.DKIM_CUT] = None
    hashes: _Hashes = {}
    return [_signature(field, body, hashes, defects) for field in fields[:MAX_SIGNATURES]]


def _signature(field: str, body: bytes | None, hashes: _Hashes, defects: Defects) -> Signature:
    tags: dict[str, str] = {}
    malformed = len(field) > _MAX_LENGTH
    for tag in field[:_MAX_LENGTH].split(";"):
        name, equals, value = tag.partition("=")
        name = name.strip()
        if name and equals and name not in tags:
            tags[name] = value.strip()
        elif tag.strip():
            malformed = True
    domain, selector = tags.get("d") or None, tags.get("s") or None
    algorithm = tags.get("a", "").lower() or None
    wanted = _digest(tags.get("bh", ""))
    verdict = None
    if malformed or wanted is None or domain is None or selector is None or algorithm is None:
        defects[Defect.DKIM_MALFORMED] = None
    elif body is not None:
        found = _body_hash(tags, body, hashes, defects)
        verdict = None if found is None else "pass" if found == wanted else "fail"
    return Signature(normal_host(domain) if domain else None, selector, algorithm, verdict)


def _digest(value: str) -> bytes | None:
    try:
        return binascii.a2b_base64(_SPACES.sub("", value)) or None
    except ValueError:
        return None


def _body_hash(tags: dict[str, str], body: bytes, hashes: _Hashes, defects: Defects) -> bytes | None:
    """The hash of a body as a signature wants it; None if it wants an unknown one. `hashes`: those made."""
    algorithm = _ALGORITHMS.get(tags["a"].lower())
    form = tags.get("c", "").lower().partition("/")[2].strip() or "simple"
    length = tags.get("l")
    if (
        algorithm is None
        or form not in ("simple", "relaxed")
        or (length is not None and not _LENGTH.fullmatch(length))
    ):
        defects[Defect.DKIM_MALFORMED] = None
        return None
    count = None if length is None else int(length)
    key = (algorithm, form, count)
    if key not in hashes:
        if len(hashes) >= _MAX_HASHES:
            defects[Defect.DKIM_CUT] = None
            return None
        data = memoryview(relaxed(body) if form == "relaxed" else simple(body))
        hashes[key] = hashlib.new(algorithm, data[:count], usedforsecurity=False).digest()
    return hashes[key]


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
