"""`verify`: signed mails, changed in every way that an attacker, or a mail server, changes them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import dkim
import pytest
from dkim.crypto import RSASSA_PKCS1_v1_5_sign, parse_pem_private_key

from support.records import transfer
from support.traffic import incident
from zeekpop3.detect import signed_header
from zeekpop3.detect.keys import DkimKey, Keys
from zeekpop3.detect.verify import Verdict, verdicts_of
from zeekpop3.inside import parse
from zeekpop3.message.dkim import is_whole, relaxed, tags_of
from zeekpop3.tables import MailRecord

NOW = dt.datetime.now(dt.UTC)  # dkimpy signs with the present time
NAME = "sel._domainkey.bank.example"
PEM = (Path(incident.HERE) / "incident.key").read_bytes()
MAIL = (
    b"From: Bank <info@bank.example>\r\nTo: anna@corp.example\r\nSubject: Your  statement\r\n"
    b"Date: Wed, 14 Oct 2026 07:49:00 +0000\r\nMessage-ID: <1@bank.example>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello  Anna,\r\n\r\nall is well. \r\n"
)
SIGNED = (b"from", b"to", b"subject", b"date", b"message-id")


@cache
def record(pem: bytes = PEM) -> str:
    """The key record of a private key."""
    command = ["openssl", "rsa", "-pubout", "-outform", "DER"]
    der = subprocess.run(command, input=pem, capture_output=True, check=True).stdout
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()


def signature(
    mail: bytes = MAIL, form: str = "relaxed/relaxed", names: tuple[bytes, ...] = SIGNED, **more: Any
) -> bytes:
    """A DKIM-Signature field of a mail, by dkimpy."""
    forms = tuple(each.encode() for each in form.split("/"))
    pem, algorithm = more.pop("pem", PEM), more.pop("algorithm", b"rsa-sha256")
    made = dkim.DKIM(mail, signature_algorithm=algorithm).sign(
        b"sel", b"bank.example", pem, canonicalize=forms, include_headers=names, **more
    )
    assert isinstance(made, bytes)
    return made


def resigned(tags: bytes, mail: bytes = MAIL) -> bytes:
    """A mail with a signature of these tags; BH stands for the hash of its body."""
    body = mail.partition(b"\r\n\r\n")[2]
    digest = base64.b64encode(hashlib.sha256(relaxed(body)).digest())
    text = tags.replace(b"BH", digest)
    fields, _ = signed_header.split(mail, 0, 1 << 20)
    own = signed_header.Field(b"DKIM-Signature", b" " + text)
    data = signed_header.signed_data(fields, own, tags_of(text.decode())[0])
    name = tags_of(text.decode())[0].get("a", "rsa-sha256").rpartition("-")[2]
    value = RSASSA_PKCS1_v1_5_sign(hashlib.new(name, data), parse_pem_private_key(PEM))
    return b"DKIM-Signature: " + text.replace(b" b=", b" b=" + base64.b64encode(value)) + b"\r\n" + mail


USUAL = b"v=1; a=rsa-sha256; c=relaxed/relaxed; d=bank.example; s=sel; h=from:to:subject; bh=BH; b="


def row(raw: bytes, **changes: Any) -> dict[str, Any]:
    """The row of `emails` of a fetched mail, as `verify` reads it."""
    changed = {"command": "RETR", "octets_declared": None, "complete": True, "defects": [], **changes}
    whole = is_whole(
        complete=changed["complete"], command=changed["command"], size=len(raw),
        octets=changed["octets_declared"], defects=changed["defects"],
    )  # fmt: skip
    mail = parse(raw, complete=changed["complete"], preview=not whole)
    made = MailRecord(transfer(raw=raw), mail)
    return {
        "ts": NOW, "uid": "C1", "trans_depth": 1, "from_address": mail.from_mailbox.address,
        "from_site": mail.from_mailbox.site, "subject": mail.subject, "fidelity": "exact",
        "dkim": [each._asdict() for each in made.mail.dkim], "raw": raw, **changed,
    }  # fmt: skip


def verdicts(raw: bytes, *txt: str, **changes: Any) -> list[Verdict]:
    """The verdicts of a mail, with the key records `txt` (default: the right one)."""
    keys = Keys(
        DkimKey(NAME, each, NOW, NOW + dt.timedelta(number)) for number, each in enumerate(txt or [record()])
    )
    return list(verdicts_of(row(raw, **changes), keys))


def changed(
    old: bytes, new: bytes, form: str = "relaxed/relaxed", names: tuple[bytes, ...] = SIGNED
) -> bytes:
    """A signed mail with one place changed."""
    raw = signature(form=form, names=names) + MAIL
    assert old in raw
    return raw.replace(old, new, 1)


HEAD = MAIL.partition(b"Hello")[0]
OTHER = b"Pay at http://evil.example/ now.\r\n"


def bare_cr_before() -> bytes:
    """A field within a field, separated by a bare CR, whose body hash is that of another body."""
    fake = base64.b64encode(hashlib.sha256(OTHER).digest())
    own = (
        b"X-A: b\rDKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=sel; h=from; bh="
        + fake
        + b"; b=AAAA\r\n"
    )
    return own + signature() + MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + OTHER


def tagged(old: bytes, new: bytes, mail: bytes = MAIL) -> bytes:
    """A mail that was signed with other tags than usual."""
    assert old in USUAL
    return resigned(USUAL.replace(old, new), mail)


BOSS = b"From: Boss <boss@evil.example>\r\n"
SIMPLE = "simple/simple"
TO, SUBJECT = b"To: anna@corp.example\r\n", b"Subject: Your  statement\r\n"
FOLDED = b"Subject: Your\r\n  statement\r\n"
FROM_TWICE = (b"from", *SIGNED)
SUBJECT_TWICE = (*SIGNED, b"subject")

#: name: (mail, results of its signatures, a word of the reason of the first)
CASES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "as signed": (lambda: signature() + MAIL, "pass", ""),
    "simple": (lambda: signature(form=SIMPLE) + MAIL, "pass", ""),
    "simple header": (lambda: signature(form="simple/relaxed") + MAIL, "pass", ""),
    "the receiver's fields": (lambda: b"Received: from a by b\r\n" + signature() + MAIL, "pass", ""),
    "an unsigned field behind": (lambda: changed(b"MIME-V", b"X-New: 1\r\nMIME-V"), "pass", ""),
    "line ends LF": (lambda: (signature() + MAIL).replace(b"\r\n", b"\n"), "pass", ""),
    "mbox separator": (lambda: b"From a@b Wed Oct 14\r\n" + signature() + MAIL, "pass", ""),
    "signature at the end": (lambda: MAIL.replace(b"\n\r\n", b"\n" + signature() + b"\r\n", 1), "pass", ""),
    # What canonical forms allow, and what they do not.
    "case of a name, relaxed": (lambda: changed(b"Subject:", b"SUBJECT:"), "pass", ""),
    "case of a name, simple": (lambda: changed(b"Subject:", b"SUBJECT:", SIMPLE), "fail", "match"),
    "case of a value": (lambda: changed(b"statement", b"Statement"), "fail", "match"),
    "blanks, relaxed": (lambda: changed(b"Your  statement", b"Your \t statement  "), "pass", ""),
    "blanks, simple": (lambda: changed(b"Your  s", b"Your s", SIMPLE), "fail", "match"),
    "folded, relaxed": (lambda: changed(SUBJECT, FOLDED), "pass", ""),
    "folded, simple": (lambda: changed(SUBJECT, FOLDED, SIMPLE), "fail", "match"),
    "folded signature": (lambda: changed(b"; s=sel;", b";\r\n\ts=sel;"), "pass", ""),
    "blank lines at the end": (lambda: signature() + MAIL + b"\r\n\r\n", "pass", ""),
    "blank in the body, relaxed": (lambda: changed(b"Hello  Anna", b"Hello Anna"), "pass", ""),
    "blank in the body, simple": (lambda: changed(b"Hello  A", b"Hello A", "relaxed/simple"), "fail", "body"),
    # Order and number of fields.
    "signed fields in another order": (lambda: changed(TO + SUBJECT, SUBJECT + TO), "pass", ""),
    "a field left out": (lambda: changed(SUBJECT, b""), "fail", "match"),
    "two From": (lambda: changed(b"From:", BOSS + b"From:"), "unclear", "From occurs 2 times"),
    "two From, the forged one last": (lambda: changed(b"MIME-V", BOSS + b"MIME-V"), "fail", "match"),
    "From signed twice": (lambda: signature(names=FROM_TWICE) + MAIL, "pass", ""),
    "two From, signed twice": (lambda: changed(b"From:", BOSS + b"From:", names=FROM_TWICE), "fail", "match"),
    "two Subject": (lambda: changed(b"Subject:", b"Subject: x\r\nSubject:"), "unclear", "Subject occurs 2"),
    "two Subject, signed twice": (
        lambda: changed(b"Subject:", b"Subject: x\r\nSubject:", names=SUBJECT_TWICE), "fail", "match"
    ),
    "two To in another case": (lambda: changed(b"To:", b"tO: b@c.example\r\nTo:"), "unclear", "To occurs 2"),
    "h= without From": (lambda: tagged(b"h=from:", b"h="), "fail", "From is not signed"),
    "h= with blanks and case": (lambda: tagged(b"h=from:to", b"h= From :\tTO "), "pass", ""),
    "h= with an absent field": (lambda: tagged(b"h=from", b"h=from:x-absent:list-id"), "pass", ""),
    "an absent field that came": (
        lambda: b"Reply-To: x@evil.example\r\n" + tagged(b"h=from", b"h=from:reply-to"), "fail", "match"
    ),
    # Where programs read a header differently.
    "bare CR before": (bare_cr_before, "unclear unclear", "bare CR"),
    "bare CR in a signed field": (lambda: changed(b"Your  ", b"Your\r"), "unclear", "bare CR"),
    "bare CR hides a From": (lambda: b"X-A: b\r" + BOSS + signature() + MAIL, "unclear", "bare CR"),
    "CR CR LF": (lambda: changed(b"statement\r\n", b"statement\r\r\n"), "unclear", "bare CR"),
    "NUL in a field": (lambda: changed(b"Your  ", b"Your\0 "), "unclear", "NUL"),
    "NUL in an unsigned field": (lambda: b"X-A: \0\r\n" + signature() + MAIL, "unclear", "NUL"),
    "a blank before the colon": (lambda: b"From : a@b.c\r\n" + signature() + MAIL, "unclear", "not a field"),
    "the same, later": (lambda: b"X: y\r\nFrom\t: a@b.c\r\n" + signature() + MAIL, "unclear", "not a field"),
    "a line of text": (lambda: b"what is this\r\n" + signature() + MAIL, "unclear", "not a field"),
    "a fold without text": (lambda: changed(SUBJECT, SUBJECT + b" \r\n"), "unclear", "fold without text"),
    "a fold first": (lambda: b" X: y\r\n" + signature() + MAIL, "unclear", "fold"),
    "a byte order mark": (lambda: b"\xef\xbb\xbf" + signature() + MAIL, "unclear", "not a field"),
    # The tags of the signature.
    "v=2": (lambda: tagged(b"v=1", b"v=2"), "fail", "v= is not 1"),
    "no v=": (lambda: tagged(b"v=1; ", b""), "fail", "v= is not 1"),
    "unknown algorithm": (lambda: changed(b"a=rsa-sha256", b"a=rsa-md5"), "fail", "algorithm"),
    "unknown form": (lambda: changed(b"c=relaxed/relaxed", b"c=nofws/relaxed"), "fail", "c= is unknown"),
    "a tag twice": (lambda: changed(b" d=", b" d=a.b; d="), "fail", "malformed"),
    "no b=": (lambda: changed(b" b=", b" z="), "fail", "b= is missing"),
    "another b=": (lambda: changed(b" b=", b" b=AAAA"), "fail", "match"),
    "another bh=": (lambda: changed(b"bh=", b"bh=AAAA"), "fail", "body"),
    "x= in the past": (lambda: tagged(b" h=", b" t=1700000000; x=1700003600; h="), "fail", "expired"),
    "x= in the future": (lambda: tagged(b" h=", b" t=1700000000; x=9999999999; h="), "pass", ""),
    "x= before t=": (lambda: tagged(b" h=", b" t=9999999999; x=9999999998; h="), "fail", "before it"),
    "t= in the future": (lambda: tagged(b" h=", b" t=9999999999; h="), "pass", ""),
    "x= is not a number": (lambda: tagged(b" h=", b" x=never; h="), "fail", "t= or x="),
    "i= below the domain": (lambda: tagged(b" h=", b" i=@mail.bank.example; h="), "pass", ""),
    "i= elsewhere": (lambda: tagged(b" h=", b" i=boss@evil.example; h="), "fail", "i= is not in"),
    "i= that ends alike": (lambda: tagged(b" h=", b" i=@evilbank.example; h="), "fail", "i= is not in"),
    "q= of another kind": (lambda: tagged(b" h=", b" q=http; h="), "fail", "q= names"),
    "rsa-sha1": (lambda: signature(algorithm=b"rsa-sha1") + MAIL, "unclear", "rsa-sha1"),
    # The body.
    "another body": (lambda: changed(b"all is well", b"all is lost"), "fail", "body"),
    "text behind": (lambda: signature() + MAIL + b"more\r\n", "fail", "body"),
    "l= of the whole body": (lambda: signature(length=True) + MAIL, "pass", ""),
    "l= and text behind": (lambda: signature(length=True) + MAIL + OTHER, "partial", " 29 bytes"),
    "l=0": (lambda: tagged(b" h=", b" l=0; h=", HEAD) + OTHER, "partial", "the first 0 bytes"),
    "l= beyond the body": (lambda: tagged(b" h=", b" l=99999; h="), "fail", "body"),
    "l= is not a number": (lambda: tagged(b" h=", b" l=all; h="), "fail", "l= is not a number"),
    "an empty line within the header": (lambda: changed(b"MIME-V", b"X: y\n\nMIME-V"), "fail", "body"),
    # Several signatures.
    "two": (lambda: signature() + signature(form=SIMPLE) + MAIL, "pass pass", ""),
    "one of two is broken": (
        lambda: signature().replace(b"sha256", b"sha999", 1) + signature() + MAIL, "fail pass", "algorithm"
    ),
    "the field of one, the body of the other": (
        lambda: resigned(USUAL, HEAD + OTHER).partition(b"From")[0] + signature() + MAIL, "fail pass", "body"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_changed_mails(name: str) -> None:
    """Each has the result that RFC 6376 gives; where programs read a mail differently, never a pass."""
    make, results, reason = CASES[name]
    found = verdicts(make())
    assert [verdict.result for verdict in found] == results.split(), found
    assert reason in str(found[0].reason)
    if found[0].result == "pass":
        assert (found[0].aligned, found[0].reason) == (True, None)
    if found[0].result == "partial":
        assert (found[0].aligned, found[0].signed_bytes) in ((False, 29), (False, 0))


KEYS = {
    "another key": (lambda txt: txt.replace("p=M", "p=N"), "fail", "match"),
    "no version": (lambda txt: txt.replace("v=DKIM1; ", ""), "pass", ""),
    "another version": (lambda txt: txt.replace("DKIM1", "DKIM2"), "fail", "malformed"),
    "no key": (lambda txt: "v=DKIM1; k=rsa", "fail", "malformed"),
    "revoked": (lambda txt: "v=DKIM1; p=", "fail", "revoked"),
    "another kind": (lambda txt: txt.replace("k=rsa", "k=ed25519"), "fail", "another kind"),
    "unknown kind": (lambda txt: txt.replace("k=rsa", "k=dsa"), "fail", "another kind"),
    "the default kind": (lambda txt: txt.replace("k=rsa; ", ""), "pass", ""),
    "hashes with ours": (lambda txt: txt + "; h=sha1 : sha256", "pass", ""),
    "other hashes": (lambda txt: txt + "; h=sha1", "fail", "does not allow the hash"),
    "for mail": (lambda txt: txt + "; s=email", "pass", ""),
    "for all": (lambda txt: txt + "; s=other:*", "pass", ""),
    "not for mail": (lambda txt: txt + "; s=tlsrpt", "fail", "not for mail"),
    "a test": (lambda txt: txt + "; t=y", "pass", "only tests"),
    "strict": (lambda txt: txt + "; t=s", "pass", ""),
    "unknown tags": (lambda txt: txt + "; n=a note; zz=1", "pass", ""),
    "a tag twice": (lambda txt: txt + "; p=", "fail", "malformed"),
    "not Base64": (lambda txt: "v=DKIM1; p=A", "fail", "Base64"),
    "no RSA key": (lambda txt: "v=DKIM1; p=AAAA", "fail", "match"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_key_records(name: str) -> None:
    """What a key record allows (RFC 6376, section 3.6.1)."""
    change, result, reason = KEYS[name]
    (found,) = verdicts(signature() + MAIL, change(record()))
    assert found.result == result, found
    assert reason in str(found.reason)


def test_a_strict_key_and_a_subdomain() -> None:
    """`t=s`: the domain of `i=` must be the signing domain itself."""
    raw = resigned(USUAL.replace(b" h=", b" i=@mail.bank.example; h="))
    assert [each.result for each in verdicts(raw, record() + "; t=y:s")] == ["fail"]
    assert [each.result for each in verdicts(raw, record() + "; t=y:s", record())] == ["pass"]


def test_a_short_key() -> None:
    """Anybody can compute the private key of 512 bits in a day (RFC 8301, section 3.2)."""
    made = subprocess.run(
        ["openssl", "genrsa", "-traditional", "768"], capture_output=True, check=True
    ).stdout
    (found,) = verdicts(signature(pem=made) + MAIL, record(made))
    assert (found.result, found.reason) == (
        "unclear",
        "the key has 768 bits, so others can sign with it (RFC 8301)",
    )


def test_ed25519(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8463; without PyNaCl nothing is said."""
    signing = pytest.importorskip("nacl.signing")
    key = signing.SigningKey(b"k" * 32)
    secret, public = base64.b64encode(bytes(key)), base64.b64encode(bytes(key.verify_key)).decode()
    raw = signature(pem=secret, algorithm=b"ed25519-sha256") + MAIL
    txt = f"v=DKIM1; k=ed25519; p={public}"
    assert [each.result for each in verdicts(raw, txt)] == ["pass"]
    assert [each.result for each in verdicts(raw.replace(b"Subject: Y", b"Subject: y"), txt)] == ["fail"]
    assert [each.result for each in verdicts(raw, "v=DKIM1; k=ed25519; p=AAAA")] == ["fail"]
    monkeypatch.setitem(sys.modules, "nacl.signing", None)
    (found,) = verdicts(raw, txt)
    assert (found.result, found.reason) == ("unclear", "ed25519 needs PyNaCl: pip install pynacl")


def test_a_preview_accuses_nobody() -> None:
    """The answer to TOP is judged like a mail only if it has all octets; a header alone is never changed."""
    raw = signature() + MAIL
    head = raw[: raw.index(b"\r\n\r\n") + 4]
    for part in (head, head + b"Hello  Anna,\r\n"):
        (found,) = verdicts(part, command="TOP", octets_declared=len(raw))
        assert (found.result, found.reason) == ("unclear", "not checked: only a part of the mail was fetched")
        assert parse(part, preview=True).dkim[0].body is None
    assert [each.result for each in verdicts(raw, command="TOP", octets_declared=len(raw))] == ["pass"]
    # It has the signed hash, so it is the whole mail.
    assert [each.result for each in verdicts(raw, command="TOP")] == ["pass"]
    other = raw.replace(b"all is well", b"all is lost")
    assert [each.result for each in verdicts(other, command="TOP", octets_declared=len(raw))] == ["fail"]
    assert [each.result for each in verdicts(other, command="TOP", octets_declared=len(raw) + 1)] == [
        "unclear"
    ]
    assert [each.result for each in verdicts(other, defects=["request_missing"])] == ["unclear"]
    assert [each.result for each in verdicts(other, defects=["base64_broken"])] == ["fail"]
    assert parse(head).dkim[0].body is None
    assert parse(head.removesuffix(b"\r\n")).dkim[0].body is None


def test_what_is_read_is_what_is_shown() -> None:
    """The tables have the hash of the signature and the bytes that it signs."""
    (found,) = parse(signature(length=True) + MAIL + OTHER).dkim
    assert (found.body, found.signed_bytes) == ("partial", 29)
    assert found.bh is not None
    assert f"bh={found.bh}".encode() in signature(length=True).replace(b"\r\n ", b"")


def test_hostile_headers_take_linear_time() -> None:
    """A header of the largest size, of blanks, of names, of folds, in the place of a signature's value."""
    shapes = (b" ", b"\r\n ", b"a:", b"b=;", b" b=", b"from:", b"\t=", b"a1:a2:a3:")
    for shape in shapes:
        filler = shape * (60_000 // len(shape))
        for name in (b"h=from:", b"b=", b"z="):
            value = b"v=1; a=rsa-sha256; d=bank.example; s=sel; bh=AAAA; h=from; b=AAAA;".replace(
                name, name + filler
            )
            fields = b"".join(b"A%d: x\r\n" % number for number in range(4_000))
            raw = b"DKIM-Signature: " + value + b"\r\n" + fields + MAIL
            before = time.process_time()
            verdicts(raw)
            assert time.process_time() - before < 1.5, (shape, name)
