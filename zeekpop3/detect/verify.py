"""DKIM signatures of the mails in tables, verified with keys that were seen in DNS (RFC 6376).

The body hash is in the tables (`emails.dkim`, verified when the mail was parsed). Here dkimpy verifies the
signature over the header fields, which include that hash. dkimpy gets the header alone: its canonicalization
of bodies takes quadratic time on hostile input.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from zeekpop3.detect.keys import DkimKey, Keys
from zeekpop3.message.sites import normal_host, site_of
from zeekpop3.store.duck import steadily
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import rows

MAX_HEADER = 262_144
"""Bytes of a header that dkimpy is given; it is not made for more."""
MAX_SIGNATURES = 20
MAX_KEY_RECORD = 2_048
"""Characters of a key record; an RSA key of 8,192 bits takes 1,400. Larger ones cost seconds per signature.
"""
_CLOCK_SKEW_S = 36_000
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_COLUMNS = (
    "ts", "uid", "trans_depth", "from_address", "from_site", "subject", "complete", "fidelity", "dkim", "raw",
)  # fmt: skip


class Verdict(NamedTuple):
    """The result for one signature of one mail.

    `result` is "pass", "fail", or "no key" (none was seen for the selector; or the mail is not exact and
    complete, so that nothing can be said). `aligned` tells whether the signing domain belongs to the same
    site as From. `key_seen` is when the key was last seen.
    """

    ts: dt.datetime
    uid: str
    trans_depth: int
    position: int
    domain: str | None
    selector: str | None
    algorithm: str | None
    result: str
    reason: str | None
    aligned: bool | None
    from_address: str | None
    subject: str | None
    key_seen: dt.datetime | None


def verify(path: str | Path, keys: Keys, filters: Filters | None = None) -> list[Verdict]:
    """A verdict for each signature of each mail in tables, the newest mail first. Raises QueryError."""

    def read() -> list[Verdict]:
        found: list[Verdict] = []
        for mail in rows(path, "emails", _COLUMNS, filters):
            found += verdicts_of(mail, keys)
        return found

    return sorted(steadily(path, read), key=lambda verdict: verdict.ts, reverse=True)


def verdicts_of(mail: dict[str, Any], keys: Keys) -> Iterator[Verdict]:
    """A verdict for each signature of a row of `emails` with the columns above."""
    signatures = mail["dkim"] or []
    header = _header(mail) if signatures else b""
    for position, signature in enumerate(signatures):
        result, reason, key = _verify(header, position, signature, keys, mail)
        key_fields = (mail["ts"], mail["uid"], mail["trans_depth"], position)
        named = (signature["domain"], signature["selector"], signature["algorithm"])
        aligned = _aligned(signature["domain"], mail["from_site"])
        about = (mail["from_address"], mail["subject"], key.last if key else None)
        yield Verdict(*key_fields, *named, result, reason, aligned, *about)


def _header(mail: dict[str, Any]) -> bytes:
    raw = mail["raw"] or b""
    end = _END_OF_HEADER.search(raw[: MAX_HEADER + 4])
    return raw[: end.start()] if end else raw[: MAX_HEADER + 1]


def _verify(
    header: bytes, position: int, signature: dict[str, Any], keys: Keys, mail: dict[str, Any]
) -> tuple[str, str | None, DkimKey | None]:
    if not mail["complete"] or mail["fidelity"] != "exact":
        return "no key", "not checked: the mail is not exact and complete", None
    if not header:
        return "no key", "not checked: the tables do not hold the message (--no-raw)", None
    if len(header) > MAX_HEADER or position >= MAX_SIGNATURES:
        return "no key", "not checked: the header is too large", None
    if signature["body"] == "fail":
        return "fail", "the body differs from the one that was signed", None
    if signature["body"] is None:
        return "fail", "the signature is malformed or its algorithm is unknown", None
    records = keys.records(f"{signature['selector']}._domainkey.{signature['domain']}")
    if not records:
        return "no key", "no key was seen for this selector", None
    reason = None
    for record in records:
        reason = _with_key(header, position, record, mail["ts"])
        if reason is None:
            return "pass", None, record
    return "fail", reason, records[0]


def _with_key(header: bytes, position: int, key: DkimKey, fetched: dt.datetime) -> str | None:
    """None if the signature verifies with this key, else why it does not."""
    import dkim
    from dkim.util import parse_tag_value

    if len(key.txt) > MAX_KEY_RECORD:
        return "the key record is too large"
    record = key.txt.encode("utf-8", "surrogateescape")
    try:
        message = dkim.DKIM(header + b"\r\n\r\n", logger=_SILENT, minkey=512)
        fields = [field for field in message.headers if field[0].lower() == b"dkim-signature"]
        tags = parse_tag_value(fields[position][1])
        # dkimpy compares t= and x= with today; a mail from an archive is judged by the day it was fetched.
        dkim.validate_signature_fields({name: tags[name] for name in tags if name not in (b"t", b"x")})
        if _expired(tags, fetched):
            return "the signature had expired when the mail was fetched"
        signed = [name.lower() for name in re.split(rb"\s*:\s*", tags[b"h"])]
        if b"from" not in signed:
            return "From is not signed"
        del tags[b"bh"]  # verified already, from the whole body
        good = message.verify_sig(tags, signed, fields[position], lambda name, timeout=5: record)
    except Exception as error:  # dkimpy raises many kinds on hostile input; none may end the run
        reason = str(error).partition("\n")[0][:120] or type(error).__name__
        return f"cannot be verified: {reason}"
    return None if good else "the signature does not match header and key"


def _expired(tags: dict[bytes, bytes], fetched: dt.datetime) -> bool:
    end = tags.get(b"x", b"")
    return end.isdigit() and len(end) < 20 and int(end) + _CLOCK_SKEW_S < fetched.timestamp()


def _aligned(domain: str | None, from_site: str | None) -> bool | None:
    if domain is None or from_site is None:
        return None
    host = normal_host(domain)
    return (site_of(host) or host) == from_site


_SILENT = logging.getLogger("zeekpop3.dkimpy")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
