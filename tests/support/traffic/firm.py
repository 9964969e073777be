# ruff: noqa: E501  # mails are data: one stands on few lines
"""Ten days of a firm, Kontor: ten mailboxes at two servers, real-looking noise, thirty kinds of attack mail.

Eight people use the firm's own server with short names, Ivo and Jana that of a hoster with their complete
addresses. From SPRAY, a network with another address each day, one password a day is tried for each mailbox, and
on the eighth day that of Jana is right. Dirk, an insider, opens the mailbox of Gina, who leads the firm, from his
own desk, at night, without a refusal: he reads her mails and deletes one that she has not read. Elif mistypes her
password one morning. Finn and Hugo share a workstation. Nobody of them attacks anybody.
"""

from __future__ import annotations

import base64
import hashlib
import json
from itertools import count
from pathlib import Path
from typing import NamedTuple

import zeekpop3
from support.archives import zipped
from support.traffic import eventlog, pcap, pop3, rows, tcp
from support.traffic.pop3 import Mailbox

OWN = "kontor.example"
NAMES = {
    "anna": "Anna Abel", "ben": "Ben Busch", "cora": "Cora Claus", "dirk": "Dirk Dorn", "elif": "Elif Erden",
    "finn": "Finn Falk", "gina": "Gina Graf", "hugo": "Hugo Heim", "ivo": "Ivo Iber", "jana": "Jana Just",
}  # fmt: skip
AT_HOSTER = ("ivo", "jana")
SERVER, HOSTER = "192.0.2.25", "198.51.100.25"
CLIENTS = {name: f"10.3.0.{number}" for number, name in enumerate(NAMES, 1)}
CLIENTS["hugo"] = CLIENTS["finn"]
SPRAY = "203.0.113."
THIEF = f"{SPRAY}88"
DAYS, HOUR, DAY = 10, 3_600_000_000, 86_400_000_000
MORNING = 10 * HOUR  # after `tcp.START`
HTML = "Content-Type: text/html; charset=utf-8"
PLAIN = "Content-Type: text/plain; charset=utf-8"
PROGRAM = (
    b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8" + bytes(43) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0L\x01"
)
IBAN, OTHER_IBAN = "DE89 3704 0044 0532 0130 00", "GB33 BUKB 2020 1555 5555 55"
CYRILLIC = "hafenb\u0430nk.example".encode("idna").decode()
ORDER = "<order-88@stahlbau.example>"
TENDER = "<tender-5@reederei.example>"


class Letter(NamedTuple):
    """A mail of a day (from 0) to one of the people; `attack`: which kind it is, empty for an innocent one."""

    day: int
    to: str
    raw: bytes
    attack: str = ""


def mail(sender: str, to: str, subject: str, *fields: str, text: str = "See you tomorrow.\n") -> bytes:
    ident = hashlib.sha256(f"{sender} {to} {subject} {text}".encode()).hexdigest()[:16]
    head = [
        f"From: {_encoded(sender)}",
        f"To: {NAMES[to]} <{to}@{OWN}>",
        f"Subject: {_encoded(subject)}",
        *fields,
    ]
    if not any(field.startswith("Message-ID") for field in fields):
        head.append(f"Message-ID: <{ident}@mx.example>")
    if not any(field.startswith("Content-Type") for field in fields):
        head.append(PLAIN)
    return pop3.crlf(("\n".join(head) + "\n\n" + text).encode())


def _encoded(text: str) -> str:
    name, angle, rest = text.partition(" <")
    if name.isascii():
        return text
    return "=?utf-8?b?" + base64.b64encode(name.encode()).decode() + "?=" + angle + rest


def verdict(result: str) -> str:
    return f"Authentication-Results: mx.{OWN}; spf={result}; dkim={result}; dmarc={result}"


def page(sender: str, to: str, subject: str, html: str, *fields: str) -> bytes:
    return mail(sender, to, subject, HTML, *fields, text=f"<html><body>{html}</body></html>\n")


def file(
    sender: str, to: str, subject: str, name: str, content: bytes, text: str = "As agreed.", *fields: str
) -> bytes:
    body = (
        f"--cut\nContent-Type: text/plain; charset=utf-8\n\n{text}\n--cut\nContent-Type: application/octet-stream\n"
        "Content-Transfer-Encoding: base64\nContent-Disposition: attachment; "
        f'filename="{_encoded(name)}"\n\n{base64.encodebytes(content).decode()}--cut--\n'
    )
    return mail(sender, to, subject, "Content-Type: multipart/mixed; boundary=cut", *fields, text=body)


def invited(sender: str, to: str, subject: str, organizer: str, place: str, *fields: str) -> bytes:
    event = (
        f"BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nORGANIZER;{organizer}\nDTSTART:20231120T090000Z\n"
        f"DTEND:20231120T100000Z\nSUMMARY:{subject}\nLOCATION:{place}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    body = f"--cut\n{PLAIN}\n\nPlease answer.\n--cut\nContent-Type: text/calendar; method=REQUEST\n\n{event}--cut--\n"
    return mail(sender, to, subject, "Content-Type: multipart/alternative; boundary=cut", *fields, text=body)


def enclosed(sender: str, to: str, subject: str, inner: bytes) -> bytes:
    body = f"--cut\n\nIs this real?\n--cut\nContent-Type: message/rfc822\n\n{inner.decode()}\n--cut--\n"
    return mail(sender, to, subject, "Content-Type: multipart/mixed; boundary=cut", text=body)


def locked(name: str) -> bytes:
    content = bytearray(zipped({name: b"secret"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    return bytes(content)


def word(target: str, relation: str, path: str) -> bytes:
    kind = f"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{relation}"
    rels = f'<Relationships><Relationship Id="r1" Type="{kind}" Target="{target}" TargetMode="External"/></Relationships>'
    return zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>", path: rels.encode()})


def noise() -> list[Letter]:
    """Newsletters with counted links, a mailing list that rewrites From, partners, a help desk, colleagues at work
    and from home, invitations, bounces, a bank, a charity with the firm's name, the lawyer's locked reports."""
    found: list[Letter] = []
    people = [*NAMES]
    ok = verdict("pass")
    for day in range(DAYS):
        for number, to in enumerate(people):
            click = f"https://click.wochenschau.example/{day}{number}{'abcdefghij'[number]}7f"
            links = "".join(f'<p><a href="{click}{n}">www.laden{n}.example</a></p>' for n in range(6))
            if number % 2 == day % 2:
                found.append(Letter(day, to, page(
                    "Wochenschau <news@wochenschau.example>", to, f"Week {40 + day}", f"<p>Harbour news {day}.</p>{links}",
                    "List-Unsubscribe: <https://click.wochenschau.example/u>", "Reply-To: r@versand.example", ok,
                )))  # fmt: skip
            if number < 5:
                author = people[(number + day) % 8]
                found.append(Letter(day, to, mail(
                    f"{NAMES[author]} via Hafen <hafen@lists.example>", to, f"[Hafen] Question {day} of {author}",
                    "List-Id: <hafen.lists.example>", "List-Post: <mailto:hafen@lists.example>",
                    f"Reply-To: {author}@{OWN}", verdict("fail") if day % 3 == 0 else ok, text=f"Question {day}?\n",
                )))  # fmt: skip
                if day % 2:
                    found.append(Letter(day, to, mail(
                        f"{['Lars Lang', 'Mia Mohn'][day % 4 // 2]} <hafen@lists.example>", to, f"[Hafen] Tide {day}",
                        "List-Id: <hafen.lists.example>", "List-Post: <mailto:hafen@lists.example>", ok,
                    )))  # fmt: skip
            boss = people[(number + 1 + day) % 10]
            found.append(Letter(day, to, mail(
                f"{NAMES[boss]} <{boss}@{OWN}>", to, f"File {day * 10 + number}", ok,
                text=f"The file {day * 10 + number} is at https://wiki.{OWN}/{day}/{number}\n",
            )))  # fmt: skip
        desk = people[day % 10]
        found += [
            Letter(day, desk, mail(
                f"{NAMES['cora']} <support@tickets.example>", desk, f"[Ticket {700 + day}] Printer", ok,
                "Reply-To: support@tickets.example", text=f"Your password for the printer is new; ticket {day}.\n",
            )),
            Letter(day, "anna", mail(
                "Olga Ott <o.ott@stahlbau.example>", "anna", f"Beams, lot {day}", ok, text=f"Lot {day} is loaded.\n",
            )),
            Letter(day, "cora", mail(
                "Hafenbank <service@hafenbank.example>", "cora", f"Statement {day}", ok,
                text=f"Your account statement is ready, please confirm it: https://www.hafenbank.example/s/{day}\n",
            )),
            Letter(day, "hugo", mail(
                "Kontor Stiftung <post@kontor-stiftung.example>" if day > 1 else "Stiftung <post@stiftung.example>",
                "hugo", f"Children's library {day}", ok, text="Thank you all.\n",
            )),
        ]  # fmt: skip
        if day in (0, 1, 3, 5, 8):
            found.append(Letter(day, "ben", file(
                "Rita Recht <recht@kanzlei.example>", "ben", f"Report {day}",
                f"report{day}.zip" if day > 2 else f"letter{day}.txt", locked("report.doc") if day > 2 else b"Dear Ben",
                "The password follows by telephone.", ok,
            )))  # fmt: skip
            found.append(Letter(day, "dirk", mail(
                "Elif Erden <elif.erden@freemail.example>" if day > 1 else "elif.erden@freemail.example", "dirk",
                f"Bicycle {day}", ok,
            )))  # fmt: skip
        if day in (2, 6):
            found.append(Letter(day, "gina", invited(
                "Olga Ott <o.ott@stahlbau.example>", "gina", f"Visit {day}", "CN=Olga Ott:mailto:o.ott@stahlbau.example",
                "Pier 3", ok,
            )))  # fmt: skip
            found.append(Letter(day, "ivo", mail(
                "Mail Delivery System <mailer-daemon@mx.kontor.example>", "ivo", "Undelivered mail", ok,
                text=f"The address nobody{day}@reederei.example was not found.\n",
            )))  # fmt: skip
    found += [
        Letter(1, "anna", mail(
            "Olga Ott <o.ott@stahlbau.example>", "anna", "Order 88: steel beams", f"Message-ID: {ORDER}", ok,
            text=f"Please pay as always, IBAN {IBAN}.\n",
        )),
        Letter(2, "ben", mail(
            "Pit Post <pit@reederei.example>", "ben", "Tender for the pier", f"Message-ID: {TENDER}", ok,
        )),
        Letter(3, "ben", mail(
            "Pit Post <pit@reederei.example>", "ben", "Re: Tender for the pier", f"References: {TENDER}", ok,
        )),
        Letter(4, "ben", mail("Ida Neu <ida@neukunde.example>", "ben", "Re: Tender for the pier",
                              f"References: {TENDER}", ok, text="May I join?\n")),
    ]  # fmt: skip
    return found


def attacks() -> list[Letter]:
    """One mail of each kind, on the sixth day or later; then a wave to five people."""
    found: list[Letter] = []

    def add(kind: str, day: int, to: str, raw: bytes) -> None:
        found.append(Letter(day, to, raw, kind))

    ok, fail = verdict("pass"), verdict("fail")
    add(
        "thread, other suffix",
        6,
        "anna",
        mail(
            "Olga Ott <o.ott@stahlbau.test>",
            "anna",
            "Re: Order 88: steel beams",
            f"References: {ORDER}",
            ok,
            text=f"Our bank details have changed. Please pay the invoice to IBAN {OTHER_IBAN}.\n",
        ),
    )
    add(
        "thread, other mailbox",
        7,
        "ben",
        mail(
            "Pit Post <pit.post@webpost.test>",
            "ben",
            "Re: Tender for the pier",
            f"References: {TENDER}",
            ok,
            text="Please have a look: https://drop.webpost.test/tender\n",
        ),
    )
    add(
        "changed account",
        8,
        "anna",
        mail(
            "Olga Ott <o.ott@stahlbau.example>",
            "anna",
            "Invoice for lot 9",
            fail,
            text=f"Please pay to {OTHER_IBAN} now.\n",
        ),
    )
    add(
        "forged partner",
        7,
        "cora",
        mail(
            "Hafenbank <service@hafenbank.example>",
            "cora",
            "Statement on hold",
            fail,
            text="Please call back.\n",
        ),
    )
    add(
        "forged colleague",
        5,
        "dirk",
        mail(f"Gina Graf <gina@{OWN}>", "dirk", "Vouchers", fail, text="Buy ten.\n"),
    )
    add(
        "chief from elsewhere",
        6,
        "cora",
        mail("Gina Graf <gina.graf.ceo@webpost.test>", "cora", "Are you there?", ok),
    )
    add("address as name", 8, "elif", mail(f'"gina@{OWN}" <x@mailer7.test>', "elif", "Transfer", ok))
    add("look-alike site", 5, "finn", mail("IT <it@k0ntor.example>", "finn", "Maintenance", ok))
    add("cyrillic site", 6, "finn", mail(f"Hafenbank <s@{CYRILLIC}>", "finn", "New terms", ok))
    add(
        "host with the own name",
        7,
        "finn",
        page(
            "Portal <p@dienst.test>",
            "finn",
            "Sign the form",
            '<a href="https://portal.kontor.login3.test/">open</a>',
        ),
    )
    add(
        "calendar",
        6,
        "gina",
        invited(
            "Calendar <c@meet9.test>",
            "gina",
            "Salary review",
            "CN=Kontor Personal:mailto:hr@meet9.test",
            "https://meet9.test/join",
            ok,
        ),
    )
    add(
        "call-back",
        7,
        "hugo",
        mail(
            "Billing <billing@safeguard.test>",
            "hugo",
            "Order 5512",
            ok,
            text="Your subscription was renewed for EUR 389.00. To cancel it call +49 40 5550 1234 within a day.\n",
        ),
    )
    add(
        "document with a link",
        8,
        "hugo",
        file(
            "Scan <s@scan4.test>",
            "hugo",
            "Fax",
            "fax.docx",
            word("https://evil-forms.test/in", "hyperlink", "word/_rels/document.xml.rels"),
            "See there.",
        ),
    )
    add(
        "remote template",
        5,
        "ivo",
        file(
            "Offer <o@offer8.test>",
            "ivo",
            "Offer",
            "offer.docx",
            word("https://tpl.evil-forms.test/t", "attachedTemplate", "word/_rels/settings.xml.rels"),
        ),
    )
    add(
        "password beside the archive",
        6,
        "ivo",
        file(
            "Claim <c@claim2.test>",
            "ivo",
            "Claim 8",
            "claim.zip",
            locked("claim.js"),
            "The password is: 8812-k",
        ),
    )
    add(
        "bare address",
        7,
        "ivo",
        page("Files <f@files6.test>", "ivo", "Shared", '<a href="http://203.0.113.200/x">open</a>'),
    )
    add(
        "coded address",
        8,
        "ivo",
        page("Files <g@files7.test>", "ivo", "Shared too", '<a href="http://0xCB0071C8/x">open</a>'),
    )
    add(
        "base elsewhere",
        5,
        "jana",
        mail(
            "Web <w@web5.test>",
            "jana",
            "Your form",
            HTML,
            text='<html><base href="https://evil-base.test/"><a href="x">go</a></html>\n',
        ),
    )
    add(
        "share",
        6,
        "jana",
        page(
            "Minutes <m@min3.test>",
            "jana",
            "Minutes",
            '<a href="file://203.0.113.201/share/minutes.docx">minutes</a>',
        ),
    )
    add(
        "search link",
        7,
        "jana",
        page(
            "Docs <d@docs3.test>",
            "jana",
            "Papers",
            '<a href="search-ms:query=a&amp;crumb=location:\\\\203.0.113.202\\a&amp;displayname=Kontor">papers</a>',
        ),
    )
    add(
        "invisible letters",
        8,
        "ben",
        mail(
            "Micro\u200bsoft <m@ms-mail.test>",
            "ben",
            "Your pass\u200bword",
            ok,
            text="Your pass\u200bword ends.\n",
        ),
    )
    add(
        "phish, German",
        5,
        "elif",
        page(
            "Postfach <p@post8.test>",
            "elif",
            "Warnung",
            'Ihr Postfach wird morgen gesperrt. <a href="https://anmelden.evil-login.test/">hier</a>',
        ),
    )
    add(
        "phish, French",
        6,
        "elif",
        page(
            "Courrier <c@courr4.test>",
            "elif",
            "Avis",
            'Votre compte a expiré. <a href="https://acces.evil-login.test/">ici</a>',
        ),
    )
    add(
        "own portal shown",
        7,
        "elif",
        page(
            "Desk <d@desk4.test>",
            "elif",
            "Timesheet",
            f'<a href="https://evil-portal.test/">https://portal.{OWN}/</a>',
        ),
    )
    add(
        "false host",
        8,
        "finn",
        page(
            "Help <h@help4.test>",
            "finn",
            "Your parcel",
            '<a href="https://www.post.example@evil-post.test/">track</a>',
        ),
    )
    add(
        "program",
        5,
        "cora",
        file("Bewerbung <b@bew3.test>", "cora", "Application", "Lebenslauf.pdf", PROGRAM),
    )
    add("double extension", 6, "hugo", file("Order <o@ord3.test>", "hugo", "Order", "order.pdf.exe", PROGRAM))
    add(
        "shortcut in archive",
        7,
        "gina",
        file(
            "Ship <s@ship3.test>",
            "gina",
            "Papers of the ship",
            "papers.zip",
            zipped({"papers.lnk": b"L\0\0\0\x01\x14\x02\0" + bytes(60)}),
        ),
    )
    add(
        "attached page",
        8,
        "gina",
        file(
            "Voice <v@voice3.test>",
            "gina",
            "Voice message",
            "voice.html",
            b"<html><script>location='https://evil-voice.test'</script></html>",
        ),
    )
    add(
        "form",
        5,
        "anna",
        mail(
            "Survey <s@survey3.test>",
            "anna",
            "Survey",
            HTML,
            text='<form action="https://evil-survey.test/p"><input type="password" name="p"></form>\n',
        ),
    )
    add("macros", 9, "anna", file("Plan <p@plan3.test>", "anna", "Plan", "plan.docm", b"x"))
    add(
        "message inside",
        9,
        "ben",
        enclosed(
            f"Anna Abel <anna@{OWN}>",
            "ben",
            "Fwd: look",
            page(
                "Bank <b@bank-mail.test>",
                "anna",
                "Blocked",
                '<a href="https://evil-bank.test/">https://www.hafenbank.example</a>',
            ),
        ),
    )
    for number, to in enumerate(("anna", "cora", "finn", "hugo", "jana")):
        token = hashlib.sha256(to.encode()).hexdigest()[:20]
        add(
            "wave",
            9,
            to,
            page(
                f"Paket <no-reply{number}@zustell{number}.paket-welle.test>",
                to,
                f"Delivery {4400 + 7 * number} for {to}",
                f"<p>Dear {to}, your parcel could not be delivered because the address is unclear. Please confirm it at "
                f'once.</p><a href="http://go.paket-welle.test/c/{token}/pay">https://www.paket.example</a>',
            ),
        )
    return found


LETTERS = sorted([*noise(), *attacks()], key=lambda letter: letter.day)


class Firm:
    """The sessions; a mailbox grows from day to day, and loses what is deleted."""

    def __init__(self) -> None:
        self.packets: list[pcap.Packet] = []
        self.boxes: dict[str, dict[str, bytes]] = {name: {} for name in NAMES}
        self.fetched: dict[str, set[str]] = {name: set() for name in NAMES}
        self._ports = count(20_000)

    def session(
        self, person: str, at: int, client: str, *, refused: bool = False, delete: int = 0, read: bool = True
    ) -> None:
        """A login, at a time after `tcp.START`; what is new for this client is read, then mails are deleted."""
        box, seen = self.boxes[person], self.fetched[person] if client == CLIENTS[person] else set()
        name = f"{person}@{OWN}" if person in AT_HOSTER else person
        mailbox = Mailbox([*box.values()], [*box], user=name)
        new = [n for n, uid in enumerate(box, 1) if uid not in seen]
        lines = ["STAT", "LIST", "UIDL", *(f"RETR {n}" for n in new if read)]
        gone = [len(box) - n for n in range(delete)]
        lines += [*(f"DELE {n}" for n in gone), "QUIT"]
        said = [f"USER {name}", "PASS Winter2023", "QUIT"] if refused else [*pop3.login(mailbox), *lines]
        flow = pcap.Flow(client, next(self._ports), HOSTER if person in AT_HOSTER else SERVER, 110)
        made = tcp.Connection(flow, start=tcp.START + at)
        made.play(list(pop3.steps(pop3.dialogue(mailbox, said))))
        self.packets += made.packets
        if not refused:
            seen |= {*box}
            for number in gone:
                del box[[*box][number - 1]]

    def deliver(self, day: int, late: bool = False) -> None:
        for letter in LETTERS:
            if letter.day == day:
                self.boxes[letter.to][hashlib.md5(letter.raw).hexdigest()[:16]] = letter.raw


def make_tables(folder: Path) -> Path:
    """All sessions as an event log, and its tables."""
    firm = Firm()
    for day in range(DAYS):
        start = MORNING + day * DAY
        firm.deliver(day)
        if day == 7:  # at night, before she reads them
            firm.session("gina", start - 8 * HOUR, CLIENTS["dirk"], delete=1)
        for number, person in enumerate(NAMES):
            at = start + number * 300_000_000
            if (day, person) == (6, "elif"):
                firm.session(person, at - 20_000_000, CLIENTS[person], refused=True)
            firm.session(person, at, CLIENTS[person])
            if day < 7:
                firm.session(person, at + 5 * HOUR, f"{SPRAY}{10 + day}", refused=True)
        if day == 7:
            firm.session("jana", start + 6 * HOUR, THIEF)
    found = rows.of_packets(firm.packets, exact=True).values()
    log = folder / "pop3_events.log"
    eventlog.write_log(log, {f"Cfirm{number}": each for number, each in enumerate(found)})
    zeekpop3.run(log, folder / "out", jobs=1)
    return folder / "out"


def write_logs(folder: Path) -> dict[str, Path]:
    """What Zeek saw beside the mails: Anna opens the link of the wave, Hugo's host is asked for; Finn, at the same
    workstation, opens nothing. A colleague reads the wiki."""
    after = (tcp.START + MORNING + 9 * DAY + 2 * HOUR) / 1e6
    token = hashlib.sha256(b"anna").hexdigest()[:20]
    logs = {
        "http": [
            {"ts": after, "uid": "H1", "id.orig_h": CLIENTS["anna"], "host": "go.paket-welle.test", "uri": f"/c/{token}/pay"},
            {"ts": after + 9, "uid": "H2", "id.orig_h": CLIENTS["cora"], "host": "go.paket-welle.test", "uri": "/other"},
        ],
        "dns": [{"ts": after - 1, "uid": "D1", "id.orig_h": CLIENTS["anna"], "query": "go.paket-welle.test"}],
        "ssl": [{"ts": after, "uid": "S1", "id.orig_h": CLIENTS["elif"], "server_name": "anmelden.evil-login.test"}],
    }  # fmt: skip
    for name, lines in logs.items():
        (folder / f"{name}.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {name: folder / f"{name}.log" for name in logs}
