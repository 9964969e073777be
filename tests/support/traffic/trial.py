"""Two days of mail at the company of `incident.py`, with all that an analyst is asked about, as a capture and
as the logs that Zeek writes of it, in the folders of Zeek's archive.

    python tests/support/traffic/trial.py [--out fixtures/trial]

14 October 2026, in UTC; attacks come from 203.0.113.66, names are under `.example` and `.test`:

- 07:50  The gateway looks up the bank's DKIM key; the bank's signed mail arrives by SMTP.
- 08:10  A wave, "Your parcel … is waiting", arrives for five users. Each link has a token of its user, and
         two subjects have another number.
- 08:20  Anna fetches her mail: the wave, and a thread of Carl Boss and Ben. 08:40 Ben does, too.
- 08:44  Ben opens his link of the wave.
- 09:00  Carla's client lists her mailbox with UIDL, and fetches nothing.
- 09:10  Frank's client knows no UIDL: it lists in one connection, and fetches by number in the next ones.
- 09:15  Frank opens a link that his gateway had rewritten, and downloads a program.
- 09:20  Grace's client previews (TOP) the bank's signed mail, and fetches nothing.
- 09:40  Dave fetches his mail.
- 10:00  10.0.0.66 is refused five times as dave, three times as admin, twice as root. At 10:05 it gets in as
         dave, fetches all and deletes the mail with the program that is called `Quota_form.pdf`.

15 October 2026:

- 07:10  Eva fetches the wave, an encrypted archive, and a forward with a phish inside. 07:15 she opens her
         link.
- 07:20  Carla fetches one of her mails: an archive with a program. The others stay.
- 07:30  Dan's client turns to TLS (STLS).
- 07:40  Judy fetches two mails; a packet of the second one is lost.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import re
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterable
from email.utils import format_datetime
from ipaddress import ip_address
from itertools import count
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from support.archives import zipped  # noqa: E402
from support.traffic import incident, pcap, pop3, record, tcp  # noqa: E402
from support.traffic.incident import ATTACKER, BANK, MX, POP3_SERVER, at  # noqa: E402
from support.traffic.pop3 import Mailbox, crlf  # noqa: E402

CLIENTS = {
    name: f"10.20.0.{number}"
    for number, name in enumerate(
        ("anna", "ben", "carla", "dan", "dave", "eva", "frank", "grace", "judy"), 11
    )
}
INTRUDER = "10.0.0.66"
WAVE = ("anna", "ben", "dave", "eva", "frank")
WAVE_HOST, FILE_HOST = "track.parcel-fast.test", "files.price-list.test"
#: A DOS header that points to a PE header, and nothing that could run.
PROGRAM = (
    b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8" + bytes(43) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0L\x01"
    + b"This is not a program, but it looks like one.\r\n" * 8
)  # fmt: skip
QUOTA = PROGRAM + b"quota"
SETUP = PROGRAM + b"setup"
LOGS = ("conn", "dns", "files", "http", "pop3_events", "smtp", "ssl")
_OPENED = re.compile(r"\.(\d{4}-\d\d-\d\d)-(\d\d)-\d\d-\d\d\.log$")


def token(user: str) -> str:
    """What the link of the wave has of a user."""
    return hashlib.sha256(user.encode()).hexdigest()[:16]


def letter(clock: str, sender: str, user: str, subject: str, *rest: str, text: str = "") -> bytes:
    """A mail of the text or the parts in `rest`, with a Message-ID made of its subject and user."""
    number = hashlib.md5(f"{subject} {user}".encode()).hexdigest()[:8]
    site = sender.rpartition("@")[2].rstrip(">")
    when = format_datetime(incident.dt.datetime.fromtimestamp(at(clock) / 1e6, incident.dt.UTC))
    head = (
        f"Received: from {site} ({ATTACKER if site.endswith('.test') else BANK}) by mx.corp.example; {when}\n"
        f"From: {sender}\nTo: {user}@corp.example\nSubject: {subject}\nDate: {when}\n"
        f"Message-ID: <{number}@{site}>\nMIME-Version: 1.0\n"
    )
    return crlf((head + "\n".join(rest) + ("\n\n" + text if text else "")).encode())


def html(text: str) -> str:
    return f"Content-Type: text/html; charset=utf-8\n\n<html><body>{text}</body></html>"


def attached(name: str, kind: str, content: bytes, text: str) -> str:
    """Header and body of a mail with a text and an attachment."""
    return (
        'Content-Type: multipart/mixed; boundary="cut"\n\n--cut\nContent-Type: text/plain; charset=utf-8\n\n'
        f"{text}\n--cut\nContent-Type: {kind}\nContent-Transfer-Encoding: base64\n"
        f'Content-Disposition: attachment; filename="{name}"\n\n{base64.encodebytes(content).decode()}--cut--'
    )


def locked(files: dict[str, bytes]) -> bytes:
    """A zip whose entry says that it is encrypted; its content is no longer readable, as such content is."""
    content = bytearray(zipped(files))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    start = 30 + sum(struct.unpack_from("<HH", content, 26))
    size = struct.unpack_from("<I", content, 18)[0]
    content[start : start + size] = hashlib.shake_256(b"locked").digest(size)
    return bytes(content)


def wave(user: str) -> bytes:
    """The mail of the wave for a user."""
    parcel = {"ben": "88413", "eva": "90017"}.get(user, "88412")
    link = f"http://{WAVE_HOST}/c/{token(user)}/pay?u={token(user)[::-1]}"
    return b"Authentication-Results: mx.corp.example; spf=fail; dkim=none; dmarc=fail\r\n" + letter(
        "08:09",
        "Parcel Service <service@parcel-fast.test>",
        user,
        f"Your parcel {parcel} is waiting",
        html(
            f"<p>Dear {user},</p><p>a customs fee of 2.99 is due. Please pay it before Friday at "
            f'<a href="{link}">https://www.parcel-fast.example/pay</a>.</p>'
        ),
    )


def thread() -> tuple[bytes, bytes]:
    """A question of Carl Boss, and Ben's reply to all."""
    first = letter(
        "08:00", "Carl Boss <carl.boss@corp.example>", "anna", "Budget", text="Can we close it today?"
    )
    found = re.search(rb"Message-ID: (\S+)", first)
    assert found
    refers = f"In-Reply-To: {found[1].decode()}\nReferences: {found[1].decode()}"
    reply = letter("08:05", "Ben <ben@corp.example>", "anna", "Re: Budget", refers, text="Yes, after lunch.")
    return first, reply


def quota() -> bytes:
    """A program with the name of a document, of a site that begins as the own one."""
    return letter(
        "08:30",
        "Carl Boss <carl.boss@corp.example.mail-login.test>",
        "dave",
        "Mailbox quota",
        attached("Quota_form.pdf", "application/pdf", QUOTA, "Please fill in this form."),
    )


def prices() -> bytes:
    """A link that a gateway has rewritten."""
    target = f"http%3A%2F%2F{FILE_HOST}%2Fsetup.exe"
    gateway = f"https://eur01.safelinks.protection.outlook.com/?url={target}&data=05%7C01&reserved=0"
    text = f'<p>Our new prices: <a href="{gateway}">price list</a></p>'
    return letter(
        "08:35", "Sales <sales@price-list.test>", "frank", "Updated price list",
        "Reply-To: sales@freemail.example", html(text),
    )  # fmt: skip


def portal() -> bytes:
    """A link whose text shows the own portal."""
    text = 'Confirm here: <a href="http://login.evil-site.test/p">https://portal.corp.example/confirm</a>'
    return letter("08:36", "IT desk <desk@evil-site.test>", "frank", "Please confirm", html(text))


def forward() -> bytes:
    """A colleague forwards a phish as it is, as a message in the message."""
    inner = letter(
        "0:30", "Help desk <help@evil-site.test>", "ben", "Your password expires",
        text="Keep it at http://login.evil-site.test/keep",
    ).decode()  # fmt: skip
    return letter(
        "10:30",
        "Ben <ben@corp.example>",
        "eva",
        "Fwd: is this real?",
        'Content-Type: multipart/mixed; boundary="cut"\n\n--cut\nContent-Type: text/plain\n\nSee below.\n'
        f"--cut\nContent-Type: message/rfc822\n\n{inner}\n--cut--",
    )


def invoice(clock: str, user: str, name: str, content: bytes, text: str) -> bytes:
    """An archive of a supplier."""
    sender = "Accounts <accounts@supplier.test>"
    return letter(clock, sender, user, "Invoice 2026-118", attached(name, "application/zip", content, text))


def large() -> bytes:
    """A mail of several packets."""
    rows = "\n".join(f"{number:04} room {number % 40} free from {number % 24}:00" for number in range(200))
    return letter("1 06:00", "Rooms <rooms@corp.example>", "judy", "Free rooms", text=rows)


def mailbox(user: str) -> Mailbox:
    """All that a user's mailbox gets in these days, oldest first."""
    mails = {
        "anna": [*thread(), incident.signed_mail()],
        "carla": [
            incident.newsletter("carla"),
            invoice("08:50", "carla", "invoice.zip", zipped({"invoice.exe": PROGRAM}), "As agreed."),
        ],
        "dave": [quota()],
        "eva": [
            forward(),
            invoice("10:40", "eva", "locked.zip", locked({"a.exe": PROGRAM}), "The password is 1234."),
        ],
        "frank": [incident.newsletter("frank"), prices(), portal()],
        "grace": [incident.signed_mail()],
        "judy": [incident.newsletter("judy"), large()],
    }.get(user, [])
    if user in WAVE:
        mails.append(wave(user))
    return Mailbox(mails, user=user, password=f"{user}-{pop3.PASSWORD}")


class Wire:
    """The traffic in the making. Ports are counted, so that it is the same each time."""

    def __init__(self) -> None:
        self.packets: list[pcap.Packet] = []
        self.others: list[tuple[int, bytes]] = []
        self._ports = count(41000)

    def tcp(self, clock: str, client: str, server: str, port: int, steps: Iterable[tcp.Step]) -> None:
        flow = pcap.Flow(client, next(self._ports), server, port)
        self.packets += tcp.Connection(flow, start=at(clock)).play(steps).packets

    def pop3(self, clock: str, user: str, lines: list[str], client: str = "") -> None:
        """A session of a user's client; the lines are behind a login, if that is not among them."""
        box = mailbox(user)
        lines = lines if lines[0].startswith("USER") else [*pop3.login(box), *lines]
        flavour = pop3.Flavour(capabilities=("CAPA", "TOP", "UIDL", "STLS", "USER"))
        turns = pop3.dialogue(box, lines, flavour)
        steps = list(pop3.steps(turns))
        if lines[-1] == "STLS":
            steps.append((True, incident.client_hello("mail.corp.example")))
        self.tcp(clock, client or CLIENTS[user], POP3_SERVER, 110, steps)

    def smtp(self, clock: str, client: str, sender: str, users: Iterable[str], message: bytes) -> None:
        said = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{user}@corp.example>" for user in users)]
        steps: list[tcp.Step] = [(False, b"220 mx.corp.example ESMTP\r\n")]
        for line in (f"EHLO {sender.partition('@')[2]}", *said):
            steps += [(True, line.encode() + b"\r\n"), (False, b"250 OK\r\n")]
        steps += [(True, b"DATA\r\n"), (False, b"354 go ahead\r\n")]
        steps += [(True, pop3.stuffed(message) + b".\r\n"), (False, b"250 queued\r\n")]
        self.tcp(clock, client, MX, 25, [*steps, (True, b"QUIT\r\n"), (False, b"221 bye\r\n")])

    def http(self, clock: str, user: str, host: str, path: str, kind: str, content: bytes) -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Browser/1.0\r\n\r\n".encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        steps = [(True, request), (False, head.encode() + content)]
        self.tcp(clock, CLIENTS[user], ATTACKER, 80, steps)

    def tls(self, clock: str, user: str, server: str, name: str) -> None:
        self.tcp(clock, CLIENTS[user], server, 443, [(True, incident.client_hello(name))])

    def dns(self, clock: str, client: str, name: str, kind: int, data: bytes) -> None:
        self.others += incident.dns(clock, client, name, kind, data, next(self._ports))

    def lose(self, size: int) -> None:
        """Lose the last packet from the POP3 server that has so many bytes."""
        place = max(
            n for n, p in enumerate(self.packets)
            if p.flow.server_p == 110 and not p.from_client and len(p.payload) >= size
        )  # fmt: skip
        del self.packets[place]


def frames() -> list[tuple[int, bytes]]:
    """All packets of the two days, in order."""
    wire = Wire()
    key = incident.key_record()
    wire.dns("07:50", MX, "sel2026._domainkey.partner-bank.example", 16,
             b"".join(bytes([len(part)]) + part for part in (key[:200], key[200:])))  # fmt: skip
    wire.smtp("07:50:05", BANK, "billing@partner-bank.example", ("anna", "grace"), incident.signed_mail())
    for second, user in enumerate(WAVE):
        wire.smtp(f"08:10:{second:02}", ATTACKER, "service@parcel-fast.test", [user], wave(user))
    everything = ["STAT", "LIST", "UIDL", *(f"RETR {n}" for n in range(1, 5)), "QUIT"]

    def all_of(user: str) -> list[str]:
        return [*everything[: 3 + len(mailbox(user).messages)], "QUIT"]

    wire.pop3("08:20", "anna", all_of("anna"))
    wire.tls("08:22", "anna", BANK, "www.partner-bank.example")
    wire.pop3("08:40", "ben", all_of("ben"))
    wire.dns("08:43", CLIENTS["ben"], WAVE_HOST, 1, ip_address(ATTACKER).packed)
    wire.http("08:44", "ben", WAVE_HOST, f"/c/{token('ben')}/pay?u={token('ben')[::-1]}", "text/html", b"Pay")
    wire.pop3("09:00", "carla", ["STAT", "LIST", "UIDL", "QUIT"])
    wire.pop3("09:10", "frank", ["STAT", "LIST", "QUIT"])
    for number in range(1, 5):
        wire.pop3(f"09:10:{number:02}", "frank", [f"RETR {number}", "QUIT"])
    wire.http("09:15", "frank", FILE_HOST, "/setup.exe", "application/octet-stream", SETUP)
    wire.pop3("09:20", "grace", ["STAT", "LIST", "UIDL", "TOP 1 0", "QUIT"])
    wire.pop3("09:40", "dave", all_of("dave"))
    guesses = ["dave"] * 5 + ["admin"] * 3 + ["root"] * 2
    for number, name in enumerate(guesses):
        wrong = [f"USER {name}", f"PASS guess-{number}-{pop3.PASSWORD}", "QUIT"]
        wire.pop3(f"10:00:{number * 3:02}", "dave", wrong, INTRUDER)
    wire.pop3("10:05", "dave", ["STAT", "UIDL", "RETR 1", "RETR 2", "DELE 1", "QUIT"], INTRUDER)
    wire.pop3("1 07:10", "eva", all_of("eva"))
    wire.dns("1 07:14", CLIENTS["eva"], WAVE_HOST, 1, ip_address(ATTACKER).packed)
    path = f"/c/{token('eva')}/pay?u={token('eva')[::-1]}"
    wire.http("1 07:15", "eva", WAVE_HOST, path, "text/html", b"Pay")
    wire.pop3("1 07:20", "carla", ["STAT", "LIST", "UIDL", "RETR 2", "QUIT"])
    wire.tls("1 07:25", "carla", BANK, "www.partner-bank.example")
    wire.pop3("1 07:30", "dan", ["USER dan", "STLS"])
    wire.pop3("1 07:40", "judy", all_of("judy"))
    wire.lose(1000)
    found = [(p.ts, pcap.frame(p)) for p in wire.packets]
    return sorted([*found, *wire.others], key=lambda frame: frame[0])


def indicators() -> str:
    """A list of 500 indicators in Zeek's intel format, of which five are in these mails."""
    rows = [
        ("evil-site.test", "Intel::DOMAIN", "phishing host"),
        ("sales@freemail.example", "Intel::EMAIL", "collects replies"),
        (hashlib.sha256(PROGRAM).hexdigest(), "Intel::FILE_HASH", "dropper"),
        ("Quota_form.pdf", "Intel::FILE_NAME", "lure"),
        (f"{FILE_HOST}/setup.exe", "Intel::URL", "dropper"),
        *((f"host{number}.unrelated.test", "Intel::DOMAIN", "not in this capture") for number in range(495)),
    ]
    head = "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\n"
    return head + "".join(f"{value}\t{kind}\tfeed\t{note}\n" for value, kind, note in rows)


def logs(capture: Path) -> dict[str, bytes]:
    """Relative path and content of the logs as Zeek's archiver leaves them: a folder per day, a packed file
    per hour."""
    out = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        record.zeek(capture, "exact", folder, *incident.EXTRA, "Log::default_rotation_interval=1hr")
        paths = [path for path in sorted(folder.glob("*.log")) if path.name.partition(".")[0] in LOGS]
        opened = {path: found.groups() for path in paths if (found := _OPENED.search(path.name))}
        # What Zeek wrote at its end is not rotated: it stands for the hour after the last one.
        day, hour = max(opened.values())
        for path in paths:
            stream = path.name.partition(".")[0]
            text = record.NOISE.sub(rb"#\1\t2024-01-01-00-00-00", path.read_bytes())
            when, start = opened.get(path, (day, str(int(hour) + 1)))
            span = f"{int(start):02}:00:00-{int(start) + 1:02}:00:00"
            name = f"{when}/{stream}.{span}.log.gz"
            assert name not in out
            out[name] = gzip.compress(text, mtime=0)
    return out


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "fixtures" / "trial")
    args = parser.parse_args(argv)
    if shutil.which("zeek") is None:
        raise SystemExit("no zeek on PATH")
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    capture = args.out / "trial.pcap"
    pcap.write_frames(capture, frames())
    (args.out / "indicators.intel").write_text(indicators())
    for name, text in logs(capture).items():
        path = args.out / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    print(f"{capture}: {capture.stat().st_size} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
