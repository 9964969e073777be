"""Mails for the tests of ready queries, and the queries' answers over them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from support.records import NOON, transfer
from support.report_boxes import write_box
from zeekpop3.session.events import ConnId
from zeekpop3.views.sql import ask

SECOND = 1_000_000
CLIENT, OTHER, SERVER = "192.0.2.10", "192.0.2.11", "192.0.2.110"


def letter(
    sender: str, *fields: str, text: str = "hello there\r\n", to: str = "wangwu@corp.example"
) -> bytes:
    head = [f"From: {sender}", f"To: {to}", "Subject: s", *fields]
    return ("\r\n".join(head) + "\r\n\r\n" + text).encode()


def fetched(*mails: bytes | tuple[bytes, dict[str, Any]]) -> list[Any]:
    """Mails fetched one after the other, a second between them, in connections C1, C2, …"""
    made = []
    for number, each in enumerate(mails, 1):
        raw, changes = each if isinstance(each, tuple) else (each, {})
        made.append(transfer(**{"uid": f"C{number}", "ts": NOON + number * SECOND, "raw": raw, **changes}))
    return made


def at(client: str, server: str = SERVER) -> ConnId:
    return ConnId(client, 40000, server, 110)


def answer(folder: Path, query: str, events: Iterable[Any], **logs: str) -> list[dict[str, Any]]:
    """The rows of a ready query over tables of these events and logs (JSON lines)."""
    paths = {name: folder / f"{name}.log" for name in logs}
    for name, path in paths.items():
        path.write_text(logs[name])
    write_box(folder / "out", events)
    return ask(folder / "out", query=query, logs=paths).dicts()


def mails(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["mail"] for row in rows)
