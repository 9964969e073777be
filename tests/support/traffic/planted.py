"""Attacks as attackers plant them, in mailboxes with ordinary mail that two sensors see.

North sees users by their complete addresses, south by their local parts. From GUESSER the password of Emil is
guessed, and found; from SPRAYER one password is tried for each user of the north; from FIRST the password of
Cleo is guessed, and SECOND uses it.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import zeekpop3
from support.archives import zipped
from support.traffic import eventlog, pcap, pop3, rows, tcp
from support.traffic.pop3 import Mailbox
from zeekpop3.pipeline.settings import Settings

NORTH, SOUTH = ("anna", "bela", "cleo"), ("dora", "emil", "fred")
GUESSER, SPRAYER, FIRST, SECOND = "203.0.113.9", "198.51.100.77", "203.0.113.60", "203.0.113.61"
PROGRAM = (
    b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8" + bytes(43) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0L\x01"
)
HTML = "Content-Type: text/html; charset=utf-8"


def letter(sender: str, user: str, subject: str, *fields: str, text: str = "See you tomorrow.\n") -> bytes:
    ident = hashlib.sha256(f"{sender} {user} {subject}".encode()).hexdigest()[:16]
    head = [f"From: {sender}", f"To: {user}@acme.example", f"Subject: {subject}", *fields]
    if not any(field.startswith("Message-ID") for field in fields):
        head.append(f"Message-ID: <{ident}@mx.acme.example>")
    return pop3.crlf(("\n".join(head) + "\n\n" + text).encode())


def linked(sender: str, user: str, subject: str, url: str, shown: str) -> bytes:
    return letter(
        sender, user, subject, HTML, text=f'<html><body><a href="{url}">{shown}</a></body></html>\n'
    )


def with_file(
    sender: str, user: str, subject: str, name: str, content: bytes, *,
    kind: str = "application/octet-stream", text: str = "As agreed.", place: str = "attachment",
) -> bytes:  # fmt: skip
    word = "=?utf-8?b?" + base64.b64encode(name.encode()).decode() + "?="
    body = (
        f"--cut\nContent-Type: text/plain\n\n{text}\n"
        f"--cut\nContent-Type: {kind}\nContent-Transfer-Encoding: base64\n"
        f'Content-Disposition: {place}; filename="{word}"\n\n{base64.encodebytes(content).decode()}--cut--\n'
    )
    return letter(sender, user, subject, 'Content-Type: multipart/mixed; boundary="cut"', text=body)


def locked(files: dict[str, bytes]) -> bytes:
    """A zip file whose entries say that they are encrypted."""
    content = bytearray(zipped(files))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    return bytes(content)


def invitation(user: str) -> bytes:
    event = "BEGIN:VEVENT\nSUMMARY:Bonus\nURL:https://meet.evil.test/join\nEND:VEVENT\n"
    body = "--cut\nContent-Type: text/plain\n\nJoin.\n--cut\nContent-Type: text/calendar; method=REQUEST\n\n"
    body += f"BEGIN:VCALENDAR\n{event}END:VCALENDAR\n--cut--\n"
    kind = 'Content-Type: multipart/alternative; boundary="cut"'
    return letter("Calendar <c@mailer5.test>", user, "Invitation: bonus", kind, text=body)


def forwarded(user: str) -> bytes:
    inner = letter(
        "Help <help@mailer12.test>", "fred", "Mailbox full", text="Keep: http://keep.evil.test/x\n"
    )
    body = f"--cut\n\nReal?\n--cut\nContent-Type: message/rfc822\n\n{inner.decode()}\n--cut--\n"
    kind = 'Content-Type: multipart/mixed; boundary="cut"'
    return letter("Fred <fred@acme.example>", user, "Fwd: is this real", kind, text=body)


def wave(number: int, user: str) -> bytes:
    token = f"{(number + 7) * 7919**3:x}"
    text = (
        f"<p>Dear {user}, your delivery could not be completed because the address is unclear. "
        "Please confirm it within two days.</p>"
        f'<a href="http://go.parcel-wave.test/c/{token}/pay?u={token[::-1]}">track it</a>'
    )
    sender = f"Parcel <no-reply{number}@track{number}.parcel-wave.test>"
    return letter(sender, user, f"Delivery {8800 + number * 13} on hold for {user}", HTML, text=text)


PORTAL = "https://portal.acme.example"
ORDER = "<so4711@steelworks.example>"
BANK_SHAPED = "xn--nrdbank-9ig.example"  # nordbank with a Cyrillic letter
PICTURE, DRAWING = b"\x89PNG\r\n\x1a\n" + bytes(99), b"<svg><script>1</script></svg>"
SCRIPT = b"<html><script>location = 'http://smug.evil.test/a'</script></html>"
MACROS = zipped({
    "[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>",
    "word/vbaProject.bin": b"\xd0\xcf\x11\xe0" + bytes(60),
})  # fmt: skip
LOCKED = locked({"invoice.js": b"x"})
NESTED = zipped({"inner.zip": zipped({"open.lnk": b"L\0\0\0\x01\x14\x02\0" + bytes(60)})})
GATEWAY = (
    "https://eur01.safelinks.protection.outlook.com/?url=http%3A%2F%2Fdrop.evil.test%2Fx.exe&amp;data=05"
)


def mailboxes() -> dict[str, list[bytes]]:
    """Ordinary mail, then what was planted."""
    boxes: dict[str, list[bytes]] = {}
    for user in (*NORTH, *SOUTH):
        bank, page = "News <news@nordbank.example>", "https://www.nordbank.example/r"
        rates = [letter(bank, user, f"Rates of week {n}", text=f"{page}{n}\n") for n in range(6)]
        minutes = [letter("Carl Boss <carl.boss@acme.example>", user, f"Minutes {n}") for n in range(2)]
        digest = letter("Jobs <jobs@lists.example>", user, "Digest", f"Reply-To: {user}@acme.example")
        boxes[user] = [*rates, *minutes, digest]
    boxes["anna"] += [
        letter("Steelworks <sales@steelworks.example>", "anna", "Steel order 4711", f"Message-ID: {ORDER}"),
        letter("IT <it@acrne.example>", "anna", "Password"),
        letter(f"News <news@{BANK_SHAPED}>", "anna", "Account"),
        letter(
            "Steelworks <sales@steelworks.example>", "anna", "Re: Steel order 4711", f"References: {ORDER}",
            "Reply-To: sales@steelw0rks.example", text="Our account has changed.\n",
        ),
    ]  # fmt: skip
    boxes["bela"] += [
        with_file("HR <applicant@mailer1.test>", "bela", "Application", "Lebenslauf\u202efdp.exe", PROGRAM),
        with_file(
            "Billing <b@mailer2.test>", "bela", "Invoice 99", "invoice.zip", LOCKED, text="Use 2026-INV."
        ),
    ]
    boxes["cleo"] += [
        with_file("Scan <s@mailer3.test>", "cleo", "Voice message", "voice.html", SCRIPT, kind="text/html"),
        with_file("MFA <mfa@mailer4.test>", "cleo", "Your authenticator expires", "qr.png", PICTURE,
                  kind="image/png", text="Scan the QR code.", place="inline"),
        with_file("Fax <x@mailer14.test>", "cleo", "Fax", "fax.svg", DRAWING, kind="image/svg+xml"),
    ]  # fmt: skip
    boxes["dora"] += [
        invitation("dora"), forwarded("dora"),
        letter("Carl Boss <ceo.carl@free-mail.test>", "dora", "Quick favour"),
        letter('"carl.boss@acme.example" <x@mailer6.test>', "dora", "Wire"),
    ]  # fmt: skip
    boxes["emil"] += [
        linked("Desk <h@service-a.test>", "emil", "Confirm", "https://acme.evil.test/p", f"{PORTAL}/"),
        linked("Help <h@service-b.test>", "emil", "Confirm again", f"{PORTAL}@evil2.test/p", "open"),
        linked("Aid <h@service-c.test>", "emil", "Confirm at last", f"{PORTAL}.login9.test/", "open"),
        letter("Portal <p@acme-portal.test>", "emil", "Notice"),
    ]
    boxes["fred"] += [
        with_file("Ship <s@mailer10.test>", "fred", "Docs", "docs.zip", NESTED, kind="application/zip"),
        with_file("Offer <o@mailer11.test>", "fred", "Offer", "offer.doc", MACROS, kind="application/msword"),
        linked("Files <f@mailer13.test>", "fred", "Shared file", GATEWAY, "file"),
    ]
    for number, user in enumerate(boxes):
        boxes[user].append(wave(number, user))
    return boxes


class Wire:
    """The sessions that each sensor sees, a minute between them."""

    def __init__(self) -> None:
        self.boxes = mailboxes()
        self.packets: dict[str, list[pcap.Packet]] = {"north": [], "south": []}
        self.count = 0

    def session(self, user: str, lines: list[str], client: str = "", password: str = "") -> None:
        sensor = "north" if user in NORTH else "south"
        name = f"{user}@acme.example" if sensor == "north" else user
        box = Mailbox(self.boxes[user], user=name)
        known = (*NORTH, *SOUTH).index(user) + 1
        self.count += 1
        flow = pcap.Flow(client or f"10.9.0.{known}", 30_000 + self.count, "192.0.2.25", 110)
        said = [f"USER {name}", f"PASS {password}", "QUIT"] if password else [*pop3.login(box), *lines]
        made = tcp.Connection(flow, start=tcp.START + 60_000_000 * self.count)
        made.play(list(pop3.steps(pop3.dialogue(box, said))))
        self.packets[sensor] += made.packets

    def fetch(self, user: str) -> None:
        numbers = range(1, len(self.boxes[user]) + 1)
        self.session(user, ["STAT", "LIST", "UIDL", *(f"RETR {number}" for number in numbers), "QUIT"])


def make_tables(folder: Path) -> str:
    """All sessions, as logs of two sensors and their tables; returns a glob of these."""
    wire = Wire()
    for user in (*NORTH, *SOUTH):
        wire.fetch(user)
    for number in range(4):
        wire.session("emil", [], GUESSER, f"guess{number}")
    wire.session("emil", ["STAT", "RETR 1", "RETR 10", "DELE 10", "QUIT"], GUESSER)
    for user in NORTH:
        wire.session(user, [], SPRAYER, "Winter2026")
    for number in range(3):
        wire.session("cleo", [], FIRST, f"guess{number}")
    wire.session("cleo", ["STAT", "RETR 1", "DELE 1"], SECOND)
    for sensor, packets in wire.packets.items():
        found = rows.of_packets(packets, exact=True).values()
        log = folder / f"{sensor}.log"
        eventlog.write_log(log, {f"C{sensor}{number}": each for number, each in enumerate(found)})
        zeekpop3.run(log, folder / "sensors" / sensor, jobs=1, settings=Settings.of_options(sensor=sensor))
    return str(folder / "sensors" / "*")
