"""Transfers, mails, sessions and commands made by hand, and tables of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from zeekpop3.message import Attachment, Mail
from zeekpop3.message.received import Received
from zeekpop3.session.events import Command, ConnId, Session, Transfer
from zeekpop3.tables import TABLES, Privacy, TableBuilder

NOON = 1_719_230_400_123_456  # 2024-06-24 12:00:00.123456 UTC
HOUR = 3_600_000_000
DAY = 24 * HOUR
CONN_ID = ConnId("192.0.2.10", 41000, "192.0.2.110", 110)


def transfer(**changes: Any) -> Transfer:
    """A whole RETR in the exact form."""
    values: dict[str, Any] = {
        "uid": "CtP0p3",
        "ts": NOON,
        "conn_id": CONN_ID,
        "user": "zhangsan",
        "trans_depth": 1,
        "command": "RETR",
        "msg_num": 2,
        "uidl": "0001",
        "octets_declared": 38,
        "fidelity": "exact",
        "complete": True,
        "missing_bytes": 0,
        "raw": b"Subject: hi\r\nFrom: a@example.org\r\n\r\nx\r\n",
    }
    return Transfer(**{**values, **changes})


def mail(**changes: Any) -> Mail:
    """A parsed mail, nothing in it but what is asked for."""
    lists = (
        "to cc bcc delivered_to references received path urls header_names header_values attachments defects"
    )
    texts = (
        "date date_raw from_ reply_to sender return_path subject msg_id in_reply_to user_agent "
        "x_originating_ip first_received second_received mime_version content_type charset text html"
    )
    values: dict[str, Any] = dict.fromkeys(texts.split())
    values.update({name: [] for name in lists.split()})
    return _filled(Mail(), values, changes)


def attachment(**changes: Any) -> Attachment:
    """An attachment as the parser gives it."""
    values: dict[str, Any] = {
        "part": "2",
        "filename": "a.pdf",
        "filename_raw": "C:\\tmp\\a.pdf",
        "content_type": "application/pdf",
        "extension": "pdf",
        "mime_type": None,
        "disposition": "attachment",
        "content_id": None,
        "size": 3,
        "md5": "900150983cd24fb0d6963f7d28e17f72",
        "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "content": None,
    }
    return Attachment(**{**values, **changes})


def _filled(record: Any, values: dict[str, Any], changes: dict[str, Any]) -> Any:
    unknown = set(changes) - set(values)
    assert not unknown, unknown
    for name, value in {**values, **changes}.items():
        setattr(record, name, value)
    return record


def received(**changes: Any) -> Any:
    """A Received field, taken apart."""
    return Received(**{**dict.fromkeys(Received._fields), **changes})


def session(**changes: Any) -> Session:
    """A connection that fetched one mail."""
    values: dict[str, Any] = {
        "uid": "CtP0p3",
        "ts": NOON,
        "conn_id": CONN_ID,
        "duration": 1_500_000,
        "user": "zhangsan",
        "auth_mechanism": "USER",
        "auth_result": "success",
        "retrieved": 1,
        "quit": True,
        "closed": "closed",
        "commands": 5,
        "greeting": "Dovecot ready.",
        "fidelity": "exact",
    }
    return Session(**{**values, **changes})


def command(**changes: Any) -> Command:
    """A RETR and its reply."""
    values: dict[str, Any] = {
        "uid": "CtP0p3",
        "seq": 4,
        "ts": NOON,
        "command": "RETR",
        "argument": "2",
        "status": "OK",
        "message": "760 octets",
        "lines": 20,
        "octets": 760,
        "reply_ts": NOON + 1000,
    }
    return Command(**{**values, **changes})


def table_of(name: str, *records: Any, privacy: Privacy | None = None) -> pa.Table:
    """The Arrow table `name` of these records (MailRecord, ItemsRecord, SessionRecord, Command)."""
    builder = TableBuilder(TABLES[name], privacy)
    for record in records:
        builder.add(record)
    return builder.table()
