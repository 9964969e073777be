"""An output folder with mails of all kinds, some hostile, made through the mail parser."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import NamedTuple

from support.records import DAY, HOUR, NOON, command, session, transfer
from zeekpop3.pipeline.records import Records
from zeekpop3.session.events import ConnId, Transfer
from zeekpop3.store.write import TableWriter

#: Everything that a terminal, rich's markup, a spreadsheet or a path could take for its own.
PAYLOADS = [
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "\u202egpj.exe",
    "\u2066hidden\u2069",
    "zero\u200bwidth",
    "[bold red]markup[/]",
    "[link=file:///etc/passwd]x[/link]",
    ":smile:",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "\U000e0041tag",
    "\u2028line",
]

PDF = b"%PDF-1.4 not really\n"


class Made(NamedTuple):
    """The folder and what went into it."""

    path: Path
    transfers: list[Transfer]


def with_attachment(name: str, content: bytes = PDF) -> bytes:
    return (
        b"From: Li Si <lisi@example.org>\r\nTo: zhangsan@example.com\r\nSubject: report\r\n"
        b"Message-ID: <r1@example.org>\r\nDate: Mon, 24 Jun 2024 11:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nSee there.\r\n"
        b"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="' + name.encode() + b'"\r\n\r\n'
        + base64.encodebytes(content).replace(b"\n", b"\r\n") + b"--b--\r\n"
    )  # fmt: skip


def hostile(payload: str) -> bytes:
    word = "=?utf-8?b?" + base64.b64encode(payload.encode()).decode() + "?="
    return (
        f"From: {word} <evil@example.net>\r\nSubject: {word}\r\nX-Odd: {word}\r\nContent-Type: text/plain; "
        "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    ).encode() + f"body {payload}\r\n  [red]indented\r\n".encode()


def mails() -> list[Transfer]:
    """Seven fetched by two users on three days, then one mail per payload."""
    other = ConnId("192.0.2.11", 42000, "192.0.2.110", 110)
    hello = (
        b"From: lisi@example.org\r\nSubject: This is a test mail\r\nMessage-ID: <t1@example.org>\r\n"
        b"\r\nHello\r\n"
    )
    made = [
        transfer(uid="CaaaA1", raw=hello, octets_declared=len(hello)),
        transfer(uid="CaaaA1", trans_depth=2, ts=NOON + HOUR, raw=with_attachment("r.pdf"), msg_num=3),
        transfer(uid="CbbbB2", ts=NOON + DAY, user="wangwu", conn_id=other, raw=with_attachment("other.pdf")),
        transfer(uid="CbbbB2", ts=NOON + DAY + 1, user="wangwu", conn_id=other, trans_depth=2,
                 raw=with_attachment("own.pdf", b"own")),
        transfer(uid="CbbbB2", ts=NOON + DAY + 2, user="wangwu", conn_id=other, trans_depth=3, raw=hello[:60],
                 complete=False, missing_bytes=34, defects=["gap"]),
        transfer(uid="CcccC3", ts=NOON + 2 * DAY, raw=hello, fidelity="trimmed"),
        transfer(uid="CcccC3", ts=NOON + 2 * DAY, trans_depth=2, raw=b"", user=None, conn_id=None,
                 fidelity="trimmed", complete=False, command="TOP"),
    ]  # fmt: skip
    for depth, payload in enumerate(PAYLOADS, 1):
        made.append(
            transfer(
                uid="CevilE", trans_depth=depth, ts=NOON - DAY + depth, user=payload, raw=hostile(payload)
            )
        )
    return made


def write(path: Path, transfers: list[Transfer]) -> None:
    """Parse and write transfers and a session and command for each connection."""
    records = Records()
    records.add(transfers)
    for uid in dict.fromkeys(each.uid for each in transfers):
        first = next(each for each in transfers if each.uid == uid)
        closed = "open" if uid == "CcccC3" else "closed"
        records.add(
            [
                session(uid=uid, ts=first.ts, user=first.user, conn_id=first.conn_id, closed=closed),
                command(uid=uid, ts=first.ts),
            ]
        )
    with TableWriter(path) as writer:
        for name, table in records.take():
            writer.write(name, table)
