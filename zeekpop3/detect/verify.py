"""DKIM signatures of the mails in tables, verified with keys that were seen in DNS (RFC 6376).

One strict reading of the message gives the fields, the signatures among them and the body, so that the
signature that is verified is the one whose body hash was checked. If the reading for the tables saw other
fields or another body, people saw something else than what was signed, and nothing is said to pass.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from zeekpop3.detect import signed_header
from zeekpop3.detect.keys import DkimKey, Keys
from zeekpop3.detect.signed_header import Field, UnclearError
from zeekpop3.message import header
from zeekpop3.message.dkim import ALGORITHMS, CANONICAL, Bodies, Signature, is_whole, signature_of, tags_of
from zeekpop3.message.sites import normal_host, site_of
from zeekpop3.store.dataset import retry_while_merging
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import rows

MAX_HEADER = 262_144
"""Bytes of a header."""
MAX_SIGNATURES = 20
MAX_KEY_RECORD = 2_048
"""Characters of a key record; an RSA key of 8,192 bits takes 1,400. Larger ones cost seconds per signature.
"""
RESULTS = ("pass", "partial", "fail", "no key", "unclear")
_CLOCK_SKEW_S = 36_000
_SEPARATOR = re.compile(rb"From (?![ \t]*+:)")
_TIME_DIGITS = 12  # of seconds since the epoch: up to the year 33658
_COLUMNS = (
    "ts", "uid", "trans_depth", "from_address", "from_site", "subject", "complete", "fidelity", "dkim", "raw",
    "command", "octets_declared", "defects",
)  # fmt: skip


class Verdict(NamedTuple):
    """The result for one signature of one mail.

    `result`: "pass"; "partial" (the signature is valid, but `l=` signs only the first `signed_bytes` of the
    body, and more follows); "fail"; "no key" (none was seen for the selector); "unclear" (the mail is not
    exact and whole, or programs read it differently, so that nothing can be said). `aligned` tells whether
    the signing domain belongs to the same site as From; never for "partial", and None if From occurs twice.
    `key_seen` is when the key was last seen.
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
    signed_bytes: int | None = None


def verify(path: str | Path, keys: Keys, filters: Filters | None = None) -> list[Verdict]:
    """A verdict for each signature of each mail in tables, the newest mail first. Raises QueryError."""

    def read() -> list[Verdict]:
        found: list[Verdict] = []
        for mail in rows(path, "emails", _COLUMNS, filters):
            if mail["dkim"]:
                found += verdicts_of(mail, keys)
        return found

    return sorted(retry_while_merging(path, read), key=lambda verdict: verdict.ts, reverse=True)


def verdicts_of(mail: dict[str, Any], keys: Keys) -> Iterator[Verdict]:
    """A verdict for each signature of a row of `emails` with the columns above."""
    try:
        message = _Message(mail)
        fields = message.signatures
    except UnclearError as error:
        message, why = None, str(error)
    for position, told in enumerate(mail["dkim"]):
        signature = Signature(*(told[name] for name in ("domain", "selector", "algorithm", "body")))
        if message is None:
            result = _Result("unclear", why)
        elif position >= MAX_SIGNATURES or position >= len(fields):
            result = _Result("unclear", "not checked: too many signatures")
        else:
            signature = signature_of(fields[position].text, message.bodies, {})
            result = _judged(message, fields[position], signature, keys, mail["ts"])
        aligned = _aligned(signature.domain, mail["from_site"])
        if result.result == "partial":
            aligned = False
        elif message is None or message.count["from"] != 1:
            aligned = None
        yield Verdict(
            ts=mail["ts"],
            uid=mail["uid"],
            trans_depth=mail["trans_depth"],
            position=position,
            domain=signature.domain,
            selector=signature.selector,
            algorithm=signature.algorithm,
            result=result.result,
            reason=result.reason,
            aligned=aligned,
            from_address=mail["from_address"],
            subject=mail["subject"],
            key_seen=result.key.last if result.key is not None else None,
            signed_bytes=signature.signed_bytes,
        )


class _Result(NamedTuple):
    result: str
    reason: str | None = None
    key: DkimKey | None = None


class _Message:
    """A mail of the tables, read strictly. Raises UnclearError if it cannot be, or was read otherwise."""

    def __init__(self, mail: dict[str, Any]) -> None:
        raw = mail["raw"]
        if not mail["complete"] or mail["fidelity"] != "exact":
            raise UnclearError("not checked: the mail is not exact and complete")
        if not raw:
            raise UnclearError("not checked: the tables do not hold the message (--no-raw)")
        # The separator line of an mbox file is not part of the message; a field `From :` is.
        start = raw.find(b"\n") + 1 if _SEPARATOR.match(raw) is not None else 0
        self.fields, body = signed_header.split(raw, start, MAX_HEADER)
        lowered = [field.name.decode("ascii").lower() for field in self.fields]
        shown = header.split(raw, start, len(raw), {})
        if shown.lowered != lowered or shown.body != body:
            raise UnclearError("programs read the header differently")
        self.count = Counter(lowered)
        self.signatures = [field for field in self.fields if field.name.lower() == b"dkim-signature"]
        self.whole = is_whole(
            complete=True,
            command=mail["command"],
            size=len(raw),
            octets=mail["octets_declared"],
            defects=mail["defects"] or [],
        )
        self.bodies = Bodies(raw[body:], whole=self.whole)


def _judged(
    message: _Message, field: Field, signature: Signature, keys: Keys, fetched: dt.datetime
) -> _Result:
    """The result for the signature in `field`."""
    tags, well_formed = tags_of(field.text)
    if signature.body == "fail":
        return _Result("fail", "the body differs from the one that was signed")
    if not well_formed:
        return _Result("fail", "the signature is malformed: its tags")
    if (reason := _malformed(tags, signature)) is not None:
        return _Result("fail", f"the signature is malformed: {reason}")
    if signature.body is None:
        what = "too many signatures" if message.whole else "only a part of the mail was fetched"
        return _Result("unclear", f"not checked: {what}")
    if (reason := _out_of_time(tags, fetched)) is not None:
        return _Result("fail", reason)
    records = keys.records(key_name(signature.selector, tags["d"]) or "")
    if not records:
        return _Result("no key", "no key was seen for this selector")
    data = signed_header.signed_data(message.fields, field, tags)
    return _with_keys(message, signature, tags, data, records)


def _with_keys(
    message: _Message, signature: Signature, tags: dict[str, str], data: bytes, records: list[DkimKey]
) -> _Result:
    """The result of a signature that is well-formed, of the body that was fetched."""
    worst: _Result | None = None
    for key in records:
        try:
            reason = _problem(key, tags, data)
        except UnclearError as error:
            worst = _Result("unclear", str(error), key)
            continue
        if reason is None:
            result, reason = _valid(message, signature, tags)
            if reason is None and signed_header.is_test_key(key.txt):
                reason = "the domain only tests DKIM (t=y in its key)"
            return _Result(result, reason, key)
        worst = worst or _Result("fail", reason, key)
    assert worst is not None
    return worst


def _problem(key: DkimKey, tags: dict[str, str], data: bytes) -> str | None:
    if len(key.txt) > MAX_KEY_RECORD:
        return "the key record is too large"
    return signed_header.problem_with_key(key.txt, tags, data)


def _valid(message: _Message, signature: Signature, tags: dict[str, str]) -> tuple[str, str | None]:
    """Result and reason of a signature that verifies with its key."""
    signed = Counter(name.decode("utf-8") for name in signed_header.signed_names(tags))
    for name in sorted(header.SINGLE & signed.keys()):
        # Section 8.15: the last one is signed, mail programs show the first.
        if message.count[name] > signed[name]:
            times = message.count[name]
            return "unclear", f"{name.title()} occurs {times} times, and not each of them is signed"
    if signature.algorithm == "rsa-sha1":
        return "unclear", "rsa-sha1 counts as no signature (RFC 8301)"
    if signature.body == "partial":
        return "partial", f"only the first {signature.signed_bytes} bytes of the body are signed (l=)"
    return "pass", None


def _malformed(tags: dict[str, str], signature: Signature) -> str | None:
    """What a verifier must refuse in a signature (section 6.1.1)."""
    if tags.get("v") != "1":
        return "v= is not 1"
    if signature.bh is None or None in (signature.domain, signature.selector, signature.algorithm):
        return "a=, bh=, d= or s= is missing"
    if not tags.get("b"):
        return "b= is missing"
    if signature.algorithm not in ALGORITHMS:
        return "its algorithm is unknown"
    if not CANONICAL.fullmatch(tags.get("c", "simple").lower()):
        return "c= is unknown"
    if "l" in tags and signature.signed_bytes is None:
        return "l= is not a number"
    if "from" not in {name.decode("utf-8") for name in signed_header.signed_names(tags)}:
        return "From is not signed"
    if not signed_header.is_identity_of_domain(tags):
        return "i= is not in the domain of d="
    if "dns/txt" not in tags.get("q", "dns/txt").lower():
        return "q= names no known way to the key"
    if not all(tags.get(name, "0").isascii() and tags.get(name, "0").isdecimal() for name in ("t", "x")):
        return "t= or x= is not a time"
    return None


def _out_of_time(tags: dict[str, str], fetched: dt.datetime) -> str | None:
    """A mail from an archive is judged by the day on which it was fetched."""
    made, end = (int(tags[name][:_TIME_DIGITS]) if name in tags else None for name in ("t", "x"))
    if end is not None and end + _CLOCK_SKEW_S < fetched.timestamp():
        return "the signature had expired when the mail was fetched"
    if made is not None and end is not None and end <= made:
        return "the signature expires before it was made"
    return None


def key_name(selector: str | None, domain: str | None) -> str | None:
    """The name in DNS of a signature's key (section 3.6.2.1)."""
    if selector is None or domain is None:
        return None
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        pass  # no key has this name
    return f"{selector}._domainkey.{domain}"


def _aligned(domain: str | None, from_site: str | None) -> bool | None:
    if domain is None or from_site is None:
        return None
    host = normal_host(domain)
    return (site_of(host) or host) == from_site
