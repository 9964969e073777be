"""What is planted in every field of a mail, and of a message inside it, is in no table that leaves it out."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from support.records import command, session, transfer
from zeekpop3.pipeline.records import Records
from zeekpop3.pipeline.settings import Settings
from zeekpop3.session.events import Listed
from zeekpop3.tables import Privacy

NAME, ADDRESS, HOST = "Zhangsanfeng", "zsf.secret@wudang.example", "wudang.example"
LINK, SHOWN, TEXT = "https://emei.example/zhiruo", "Songqingshu", "Xiexunlongtext"
PLANTED = (NAME, "zsf.secret", HOST, "emei.example", "zhiruo", SHOWN, TEXT)

HEADER = (
    f"Return-Path: <{ADDRESS}>\r\nDelivered-To: {ADDRESS}\r\n"
    f"Authentication-Results: {ADDRESS}; spf={NAME}; dkim=pass header.d={HOST}\r\n"
    f"Received-SPF: {NAME} ({ADDRESS}) receiver={ADDRESS}\r\n"
    f"DKIM-Signature: v=1; a={NAME}; d={HOST}; s={NAME}; bh=AAAA; b=AAAA\r\n"
    f"Received: from {HOST} ({NAME}) by {HOST} for <{ADDRESS}>; Mon, 24 Jun 2024 11:00:00 +0000\r\n"
    f"Date: Mon, 24 Jun 2024 11:00:00 +0000 ({NAME})\r\nFrom: {NAME} <{ADDRESS}>\r\n"
    f'Sender: "{NAME} {ADDRESS}" <{ADDRESS}>\r\nReply-To: {NAME} <{ADDRESS}>, {ADDRESS} ({NAME})\r\n'
    f"To: {NAME}: {ADDRESS};\r\nCc: {NAME}\r\nBcc: =?utf-8?q?{NAME}?= <{ADDRESS.upper()}>\r\n"
    f"Subject: for {ADDRESS}\r\nX-Anything: {NAME} {ADDRESS} {LINK} {TEXT}\r\nMIME-Version: 1.0 ({NAME})\r\n"
)
ALTERNATIVES = (
    'Content-Type: multipart/alternative; boundary="a"\r\n\r\n'
    f"--a\r\nContent-Type: text/plain\r\n\r\n{NAME} {ADDRESS} {LINK} {TEXT}\r\n"
    f'--a\r\nContent-Type: text/html\r\n\r\n<p>{TEXT} <a href="{LINK}?html">{SHOWN} https://www.{HOST}</a></p>\r\n'
    "--a--\r\n"
)
HTML = f'Content-Type: text/html\r\n\r\n<p>{TEXT} <a href="{LINK}">{SHOWN} https://www.{HOST}</a></p>\r\n'


def mail(header: str = HEADER, body: str = ALTERNATIVES) -> bytes:
    """A mail with a body, a file, and two messages inside, one in the other."""
    inner = f"{HEADER}{HTML}"
    middle = (
        f'{HEADER}Content-Type: multipart/mixed; boundary="m"\r\n\r\n--m\r\n{ALTERNATIVES}'
        f"--m\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--m--\r\n"
    )
    return (
        f'{header}Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n{body}'
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{middle}\r\n"
        f'--b\r\nContent-Disposition: attachment; filename="x.txt"\r\n\r\n{NAME} {ADDRESS} {LINK} {TEXT}\r\n'
        "--b--\r\n"
    ).encode()


def tables(privacy: Privacy, raw: bytes) -> dict[str, pa.Table]:
    """All tables of a connection that fetched that mail."""
    records = Records(Settings(privacy, attachment_content=True, sensor="s"))
    records.add(
        [
            command(command="USER", argument=NAME, message=f"{NAME} welcome"),
            command(command="APOP", argument=f"{NAME} 0123456789abcdef"),
            command(command="XTND", argument=f"XMIT {ADDRESS}"),
            transfer(raw=raw, user=ADDRESS),
            session(user=NAME, users_refused=[NAME, ADDRESS], listing=[Listed(1, 38, "u1")]),
        ]
    )
    return dict(records.take())


def found(made: dict[str, pa.Table], words: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """(table, column, word) for each word that stands anywhere, case ignored."""
    out = []
    for name, table in made.items():
        for column in table.column_names:
            text = repr(table[column].to_pylist()).lower()
            out += [(name, column, word) for word in words if word.lower() in text]
    return out


@pytest.mark.parametrize("body", [ALTERNATIVES, HTML])
def test_everything_is_in_the_tables_without_privacy(body: str) -> None:
    """The mail is one that the test below can fail with."""
    made = tables(Privacy(), mail(body=body))
    where = {(name, column) for name, column, _ in found(made, PLANTED)}
    assert {(name, column) for name in ("emails", "enclosed") for column in _people()} <= where
    assert {("links", column) for column in ("url", "host", "site", "text", "text_site")} <= where
    assert {("addresses", c) for c in ("name", "address", "local_part", "domain", "site")} <= where
    assert ("sessions", "users_refused") in where
    assert {row["part"] for row in made["links"].to_pylist()} == {"", "2", "2.2"}
    assert ("emails", "html_text") in where


def _people() -> list[str]:
    return [
        *(
            "from",
            "to",
            "cc",
            "bcc",
            "reply_to",
            "sender",
            "return_path",
            "delivered_to",
            "subject",
            "headers",
        ),
        *("from_name", "from_address", "from_domain", "from_site", "sender_name", "reply_to_address"),
        *(
            "return_path_address",
            "return_path_site",
            "auth_server",
            "auth_spf",
            "dkim",
            "date_raw",
            "received",
        ),
    ]


@pytest.mark.parametrize("body", [ALTERNATIVES, HTML])
@pytest.mark.parametrize("keep_body", [True, False])
def test_hashed_users_leave_nothing_in_any_table(body: str, keep_body: bool) -> None:
    """Neither a name nor an address, a link or a text; the rows can still be joined."""
    key = Privacy(keep_body=keep_body, hash_key=b"k")
    made = tables(key, mail(body=body))
    assert found(made, PLANTED) == []
    mail_row = made["emails"].to_pylist()[0]
    assert mail_row["from_address"] == mail_row["user"] == mail_row["from"] == key.name(ADDRESS)
    assert mail_row["from_site"] == mail_row["dkim"][0]["domain"] == key.name(HOST)
    clear = tables(Privacy(), mail(body=body))["emails"].to_pylist()[0]["mail_id"]
    assert mail_row["mail_id"] == key.name(clear)  # a guess of the user cannot be confirmed
    refused = made["sessions"].to_pylist()[0]["users_refused"]
    assert refused == [key.name(NAME), key.name(ADDRESS)]
    assert made["listings"].to_pylist()[0]["user"] == key.name(NAME)
    assert "links" not in made
    addresses = made["addresses"].to_pylist()
    assert {row["address"] for row in addresses} <= {key.name(ADDRESS), key.name(NAME), None}
    assert ("enclosed" in made) == keep_body


@pytest.mark.parametrize("body", [ALTERNATIVES, HTML])
def test_without_bodies_nothing_of_a_body_or_a_message_inside_is_left(body: str) -> None:
    """The header of the mail itself stays, with its addresses."""
    header = "From: Lisi <lisi@example.org>\r\nSubject: hello\r\n"
    made = tables(Privacy(keep_body=False), mail(header, body))
    of_mail: dict[str, Any] = {
        name: table for name, table in made.items() if name not in ("sessions", "commands")
    }
    of_mail["emails"] = of_mail["emails"].drop_columns("user")
    of_mail["listings"] = of_mail["listings"].drop_columns("user")
    assert found(of_mail, PLANTED) == []
    assert [row["address"] for row in made["addresses"].to_pylist()] == ["lisi@example.org"]
    assert made["emails"].to_pylist()[0]["from_name"] == "Lisi"
    assert not {"links", "enclosed"} & set(made)
