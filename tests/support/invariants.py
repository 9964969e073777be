"""What holds for the record of any bytes; shared by the tests and the fuzzer."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any

from zeekpop3.defects import MAIL_DEFECTS
from zeekpop3.inside import parse
from zeekpop3.message import Mail
from zeekpop3.message.calendar import Event
from zeekpop3.message.dkim import Signature
from zeekpop3.message.files import Attachment, Member
from zeekpop3.message.links import Link
from zeekpop3.message.mailboxes import FIELDS, NO_MAILBOX, Address
from zeekpop3.message.received import Received

MAX_INSTANT = 2**63
# An attribute's kind: a text, a text or null, a list of texts, such a list or null, a list of records …
_STRINGS = frozenset(["header_names", "header_values", "urls", "path", "defects"])
_STRINGS_OR_NULL = frozenset(["to", "cc", "bcc", "delivered_to", "references"])
_RECORDS = {
    "received": Received, "attachments": Attachment, "addresses": Address, "links": Link, "dkim": Signature,
    "enclosed": Mail, "members": Member, "invitation": Event,
}  # fmt: skip
_HASHES = (("md5", 32), ("sha1", 40), ("sha256", 64))
_PART = re.compile(r"(?:[1-9][0-9]*(?:\.[1-9][0-9]*)*)?(?:#[1-9][0-9]*)?")
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069/\\\\]")


def check(raw: bytes, *, complete: bool = True) -> Mail:
    """Parses, holds the record against the rules, and gives it back."""
    mail = parse(raw, complete=complete, content=True)
    _record(mail)
    assert (mail.part, mail.size, mail.sha256) == ("", None, None)
    for message in mail.enclosed:
        _record(message)
        assert _PART.fullmatch(message.part) is not None
        assert not message.attachments and not message.enclosed and not message.members
        assert message.size is None or type(message.size) is int
    assert len({message.part for message in mail.enclosed}) == len(mail.enclosed)
    kept = [attachment.content is not None for attachment in mail.attachments]
    assert all(kept) or "parse_limited" in mail.defects
    # A record is at most as large as its bytes allow.
    decoded = sum(attachment.size for attachment in mail.attachments)
    assert decoded <= 50 * len(raw) + 1_000
    return mail


def _record(mail: Mail) -> None:
    for name in (field.name for field in dataclasses.fields(Mail)):
        _attribute(name, getattr(mail, name))
    assert len(mail.header_names) == len(mail.header_values)
    assert set(mail.defects) <= MAIL_DEFECTS.keys()
    assert len(set(mail.defects)) == len(mail.defects)
    assert len(set(mail.urls)) == len(mail.urls)
    # What the fields say together.
    names = {name.lower() for name in mail.header_names}
    assert (mail.subject is None) == ("subject" not in names)
    assert (mail.to is None) == ("to" not in names)
    assert (mail.references is None) == ("references" not in names)
    assert (mail.first_received is None) == ("received" not in names) == (not mail.received)
    assert mail.date is None or mail.date_raw is not None
    assert ("header_missing" in mail.defects) == (not mail.header_names)
    assert mail.urls == list(dict.fromkeys(link.url for link in mail.links if link.attachment is None))
    _addresses(mail)
    assert mail.html_text is None or mail.html is not None


def _addresses(mail: Mail) -> None:
    for name in set(FIELDS.values()):
        found = [address for address in mail.addresses if address.field == name]
        assert [address.position for address in found] == list(range(1, len(found) + 1))
        if name in ("from", "reply_to", "sender", "return_path"):
            assert getattr(mail, f"{name}_mailbox") == (found[0] if found else NO_MAILBOX)
    for address in mail.addresses:
        assert address.name or address.address
        assert (address.address is None) == (address.local_part is None)
        assert address.site is None or (address.domain or "").endswith(address.site)


def _attribute(name: str, value: Any) -> None:
    if name in _STRINGS or (name in _STRINGS_OR_NULL and value is not None):
        assert type(value) is list
        for item in value:
            _text(item)
    elif name in _RECORDS:
        assert type(value) is list
        for item in value:
            assert type(item) is _RECORDS[name]
            if name == "attachments":
                _attachment(item)
            elif name == "received":
                _hop(item)
            elif name != "enclosed":
                _tuple(item)
    elif name.endswith("_mailbox"):
        _tuple(value)
    elif name == "size":
        assert value is None or value >= 0
    elif name == "date":
        _instant(value)
    elif value is not None:
        _text(value)


def _text(value: Any) -> None:
    assert isinstance(value, str)
    # Faster than encoding ASCII text; a lone surrogate raises.
    if not value.isascii():
        value.encode("utf-8")


def _instant(value: Any) -> None:
    if value is not None:
        assert type(value) is int
        assert -MAX_INSTANT < value < MAX_INSTANT


def _hop(hop: Received) -> None:
    for field, value in zip(hop._fields, hop, strict=True):
        if field == "date":
            _instant(value)
        elif value is not None or field == "raw":
            _text(value)


def _tuple(item: Any) -> None:
    for value in item:
        if value is not None and type(value) not in (int, bool):
            _text(value)


def _attachment(attachment: Attachment) -> None:
    for name in ("filename", "filename_raw", "content_type", "mime_type", "disposition", "content_id"):
        value = getattr(attachment, name)
        if value is not None:
            _text(value)
    assert (attachment.filename is None) == (attachment.filename_raw is None)
    assert attachment.filename is None or _NOT_SHOWN.search(attachment.filename) is None
    assert _PART.fullmatch(attachment.part) is not None
    content = attachment.content
    if content is None:
        return  # the mail has parse_limited
    assert type(content) is bytes
    assert len(content) == attachment.size
    for name, length in _HASHES:
        digest = getattr(attachment, name)
        assert len(digest) == length
        if attachment.size < 10_000:
            assert digest == hashlib.new(name, content, usedforsecurity=False).hexdigest()
