"""What holds for the record of any bytes at all; shared by the tests and the fuzzer."""

from __future__ import annotations

from collections.abc import Iterator

from zeekpop3.message import DEFECTS, Mail, parse

MAX_INSTANT = 2**63


def texts(mail: Mail) -> Iterator[str]:
    """Every string of a record."""
    for name in Mail.__slots__:
        value = getattr(mail, name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, str):
                    yield item
                elif item is not None:
                    names = getattr(item, "_fields", None) or type(item).__slots__
                    yield from (text for field in names if isinstance(text := getattr(item, field), str))


def check(raw: bytes, *, complete: bool = True) -> Mail:
    """Parses, holds the record against the rules, and gives it back."""
    mail = parse(raw, complete=complete, content=True)
    for text in texts(mail):
        text.encode("utf-8")
    assert len(mail.header_names) == len(mail.header_values)
    assert set(mail.defects) <= set(DEFECTS)
    assert len(set(mail.defects)) == len(mail.defects)
    assert len(set(mail.urls)) == len(mail.urls)
    for moment in (mail.date, *(hop.date for hop in mail.received)):
        assert moment is None or -MAX_INSTANT < moment < MAX_INSTANT
    for attachment in mail.attachments:
        assert attachment.content is not None
        assert len(attachment.content) == attachment.size
        assert len(attachment.sha256) == 64
        if attachment.filename is not None:
            assert "/" not in attachment.filename
            assert "\\" not in attachment.filename
            assert attachment.filename.isprintable() or "\n" not in attachment.filename
    return mail
