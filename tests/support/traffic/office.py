"""A few days in one office: users whose names are spelled in several ways, mails that are fetched in one
connection and deleted in another, addresses that fetched nothing, links in links.

`make_tables` plays the sessions through the rows of an event log. Clients are 10.8.0.N; the server is
192.0.2.25.
"""

from __future__ import annotations

import base64
from itertools import count
from pathlib import Path

import zeekpop3
from support.archives import zipped
from support.traffic import eventlog, pcap, pop3, rows, tcp
from support.traffic.planted import letter, linked, with_file
from support.traffic.pop3 import Mailbox

SERVER, GUESSER, THIEF, PHONE = "192.0.2.25", "203.0.113.77", "203.0.113.201", "10.8.0.99"
USERS = ("ada", "bob", "cem", "dan", "eli")
BOSS = "Karla Direktor <karla@acme.example>"
HTML = "Content-Type: text/html; charset=utf-8"
NOTEBOOK = bytes.fromhex("E4525C7B8CD8A74DAEB15378D02996D3") + bytes(500)
ARCHIVE = b"Rar!\x1a\x07\x01\x00" + bytes(200)
SHORTCUT = zipped({"Tender.pdf.lnk": b"L\0\0\0\x01\x14\x02\0" + bytes(60)})
FORM = '<form action="https://collect.notice.test/p"><input type="password" name="p"></form>'
REDIRECT = "https://www.searchy.example/out?u=https%3A%2F%2Fdrop.zone.test%2Fa&amp;s=1"
PHISH, WAVE = "Mailbox full", "Your mailbox is full"


def newsletter(user: str, issue: int) -> bytes:
    """Replies go to the sender's mail service, and each link is a redirect of it."""
    token = base64.b32encode(f"{user}{issue}".encode()).decode().strip("=").lower()
    click = f"https://click.esp.example/c/{token}"
    return letter(
        "Weekly <news@weekly.example>", user, f"Week {issue}", f"Reply-To: r-{token}@esp.example",
        "List-Unsubscribe: <https://click.esp.example/u>", HTML,
        text=f'<p>What happened in the harbour this week, number {issue}.</p><a href="{click}">read</a> '
        f'<a href="{click}/out">unsubscribe</a>',
    )  # fmt: skip


def mailboxes() -> dict[str, list[bytes]]:
    """What each user has; the last mail of each is of the wave."""
    boxes = {
        user: [
            newsletter(user, 1),
            newsletter(user, 2),
            letter(BOSS, user, "Meeting"),
            letter(BOSS, user, "Agenda"),
        ]
        for user in USERS
    }
    boxes["ada"] += [
        letter("=?utf-8?q?=D0=9A=D0=B0rla_Direktor?= <k@post.test>", "ada", "Homoglyph"),  # Ка: Cyrillic
        letter('"Direktor, Karla" <k@office.test>', "ada", "Reversed"),
        with_file("Ship <s@ship.test>", "ada", "Notebook", "BL.one", NOTEBOOK),
        with_file("Order <o@order.test>", "ada", "Archive", "order.rar", ARCHIVE),
        letter("Web <w@notice.test>", "ada", "Form", HTML, text=FORM),
        linked("Share <s@share.test>", "ada", "Redirect", REDIRECT, "open"),
        with_file("Tender <t@tender.test>", "ada", "Tender", "tender.zip", SHORTCUT, kind="application/zip"),
        letter(BOSS, "ada", "Forged", "Authentication-Results: mx.acme.example; spf=fail; dmarc=fail"),
        letter("Nordic <n@acrne.example>", "ada", "Look-alike", text="See https://acrne.example/login\n"),
    ]  # fmt: skip
    for user in USERS:
        link = f"http://go.full.test/v/{user}{len(user)}99887766"
        boxes[user].append(
            linked(
                f"IT <it-{user}@full.test>", user, f"{WAVE}, {user}", link, "https://portal.acme.example/full"
            )
        )
    return boxes


class Office:
    """The sessions, a minute between them, from 14 November 2023, 22:13:20 UTC on."""

    def __init__(self) -> None:
        self.boxes = mailboxes()
        self.packets: list[pcap.Packet] = []
        self._ports = count(30_000)
        self.now = tcp.START

    def session(self, name: str, lines: list[str], client: str = "", password: str = "") -> None:
        """A session of the mailbox of `name`: its letters in any case, with or without the site."""
        user = name.lower().partition("@")[0]
        box = Mailbox(self.boxes[user], user=name)
        said = [f"USER {name}", f"PASS {password}", "QUIT"] if password else [*pop3.login(box), *lines]
        flow = pcap.Flow(client or f"10.8.0.{USERS.index(user) + 1}", next(self._ports), SERVER, 110)
        made = tcp.Connection(flow, start=self.now)
        made.play(list(pop3.steps(pop3.dialogue(box, said))))
        self.packets += made.packets
        self.now += 60_000_000

    def fetch(self, name: str, client: str = "") -> None:
        numbers = range(1, len(self.boxes[name.lower().partition("@")[0]]) + 1)
        self.session(name, ["STAT", "LIST", "UIDL", *(f"RETR {n}" for n in numbers), "QUIT"], client)


def make_tables(folder: Path) -> Path:
    """All sessions as an event log, and its tables."""
    office = Office()
    for user in USERS:
        office.fetch(f"{user}@acme.example")
    office.fetch("Bob@Acme.example", PHONE)
    for name in ("cem@acme.example", "CEM@ACME.EXAMPLE", "cem", "Cem@acme.example"):
        office.session(name, [], GUESSER, "guess")
    office.session("CEM@acme.example", ["STAT", "RETR 1", "QUIT"], THIEF)
    office.session("dan@acme.example", ["UIDL", "DELE 5", "QUIT"])
    office.session("Eli@Acme.example", ["UIDL", "DELE 5"])
    sessions = {
        f"Coffice{n}": each for n, each in enumerate(rows.of_packets(office.packets, exact=True).values())
    }
    eventlog.write_log(folder / "office.log", sessions)
    zeekpop3.run(folder / "office.log", folder / "tables", jobs=1)
    return folder / "tables"
