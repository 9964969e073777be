"""One day of mail at a made-up company, with a phish in it, as a capture and as the logs that Zeek writes of
it.

    python tests/support/traffic/incident.py [--out fixtures/incident]

The morning of 14 October 2026, all names under `.example` and `.test`, addresses of documentation networks:

- 07:50  The gateway looks up the DKIM key of partner-bank.example; a signed mail of the bank arrives for Anna
         and Ben.
- 08:10  A phish arrives by SMTP for five users: its From shows the company's payroll, its Reply-To a free
         mailer, its link shows the portal and leads elsewhere, its attachment is a program called
         `Payroll_2026.pdf.exe`.
- 08:20  Anna fetches her mail, and the phish with it. 08:40 Ben does, too.
- 08:44  Ben follows the link, and downloads the program once more.
- 09:00  Carla's client lists her mailbox with UIDL, but fetches nothing of it.
- 09:05  Dan's client turns to TLS (STLS). Eva's computer is off.
- 09:30  Another client than Ben's reads Ben's mailbox and deletes the phish.

The key is made for this capture and signs nothing else. Zeek's random seeds are fixed, so the logs are the
same each time.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import hashlib
import shutil
import struct
import subprocess
import sys
import tempfile
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from unittest.mock import patch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from support.traffic import pcap, pop3, record, tcp  # noqa: E402
from support.traffic.pcap import Flow  # noqa: E402
from support.traffic.pop3 import Mailbox, crlf  # noqa: E402

DAY = dt.datetime(2026, 10, 14, tzinfo=dt.UTC)
POP3_SERVER, MX, DNS = "192.0.2.110", "192.0.2.25", "192.0.2.53"
BANK, ATTACKER = "198.51.100.25", "203.0.113.66"
CLIENTS = {
    name: f"10.20.0.{number}" for number, name in enumerate(("anna", "ben", "carla", "dan", "eva"), 11)
}
OTHER_CLIENT = "10.20.9.99"
BAD_HOST = "portal-corp.badhost.test"
PAYLOAD = b"MZ\x90\x00" + b"This is not a program, but it looks like one.\r\n" * 40
LOGS = ("conn", "dns", "files", "http", "pop3_events", "smtp", "ssl")
#: What Zeek loads besides the package: hashes of all files in files.log, as local.zeek has them.
EXTRA = ("frameworks/files/hash-all-files",)


def at(clock: str) -> int:
    """Microseconds since the epoch of a time of the day; "1 08:20" is one of the next day."""
    days, _, time = clock.rpartition(" ")
    hour, minute, second = (int(part) for part in (time + ":00").split(":")[:3])
    after = dt.timedelta(int(days or 0), hours=hour, minutes=minute, seconds=second)
    return int((DAY + after).timestamp() * 1_000_000)


def date(clock: str) -> str:
    """A Date field's value for a time of the day."""
    return format_datetime(dt.datetime.fromtimestamp(at(clock) / 1e6, dt.UTC))


def signed_mail() -> bytes:
    """The bank's mail, with a DKIM signature that verifies."""
    import dkim

    mail = crlf(
        f"From: Partner Bank <billing@partner-bank.example>\nTo: anna@corp.example, ben@corp.example\n"
        f"Subject: Statement for September\nDate: {date('07:49')}\nMessage-ID: <st-09@partner-bank.example>\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
        "Your statement is at https://www.partner-bank.example/statements/2026-09 .\n".encode()
    )
    key = (HERE / "incident.key").read_bytes()
    fields = [b"from", b"to", b"subject", b"date", b"message-id"]
    signer = dkim.DKIM(mail)
    with patch("dkim.time.time", return_value=at("07:49") / 1e6):  # it stands in the signature
        signature = signer.sign(
            b"sel2026", b"partner-bank.example", key, include_headers=fields, canonicalize=(b"relaxed",) * 2
        )
    received = f"Received: from mail.partner-bank.example ({BANK}) by mx.corp.example; {date('07:51')}\r\n"
    results = (
        "Authentication-Results: mx.corp.example; spf=pass; dkim=pass header.d=partner-bank.example; "
        "dmarc=pass\r\n"
    )
    return (
        b"Return-Path: <billing@partner-bank.example>\r\n"
        + received.encode()
        + results.encode()
        + signature
        + mail
    )


def key_record() -> bytes:
    """The TXT record of the bank's key."""
    command = ["openssl", "rsa", "-in", str(HERE / "incident.key"), "-pubout", "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def phish_as_sent() -> bytes:
    """The phish as the attacker's SMTP client sends it."""
    encoded = base64.encodebytes(PAYLOAD).decode()
    return crlf(
        f"""From: "Payroll <payroll@corp.example>" <hr@c0rp-payroll.example>
Reply-To: payroll.corp@freemail.example
To: staff@corp.example
Subject: Payroll 2026: please confirm
Date: {date("08:09")}
Message-ID: <7f3a@c0rp-payroll.example>
User-Agent: BulkMailer 3.1
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="cut"

--cut
Content-Type: text/html; charset=utf-8

<html><body><p>Dear colleague,</p><p>please confirm your data at
<a href="http://{BAD_HOST}/login?id=7">https://portal.corp.example/payroll</a>
before Friday.</p></body></html>
--cut
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="Payroll_2026.pdf.exe"

{encoded}--cut--
""".encode()
    )


def phish_as_stored(user: str) -> bytes:
    """The phish as the mail server holds it for a user."""
    return (
        f"Return-Path: <hr@c0rp-payroll.example>\r\nDelivered-To: {user}@corp.example\r\n"
        f"Authentication-Results: mx.corp.example; spf=fail smtp.mailfrom=c0rp-payroll.example; dkim=none; "
        f"dmarc=fail\r\n"
        f"Received: from c0rp-payroll.example ({ATTACKER}) by mx.corp.example; {date('08:10')}\r\n"
    ).encode() + phish_as_sent()


def newsletter(user: str) -> bytes:
    """An ordinary mail, so that the phish is not alone."""
    return crlf(
        f"From: Canteen <canteen@corp.example>\nTo: {user}@corp.example\nSubject: Menu of the week\n"
        f"Date: {date('07:30')}\nMessage-ID: <menu-{user}@corp.example>\n\nMonday: soup.\n".encode()
    )


def smtp(clock: str, client: str, sender: str, recipients: list[str], message: bytes) -> tcp.Connection:
    """A mail handed over by SMTP."""
    hosted = sender.partition("@")[2]
    steps: list[tcp.Step] = [(False, b"220 mx.corp.example ESMTP\r\n")]
    dialogue = [
        (f"EHLO {hosted}", "250 mx.corp.example"),
        (f"MAIL FROM:<{sender}>", "250 OK"),
        *((f"RCPT TO:<{recipient}>", "250 OK") for recipient in recipients),
        ("DATA", "354 go ahead"),
    ]
    for said, answer in dialogue:
        steps += [(True, said.encode() + b"\r\n"), (False, answer.encode() + b"\r\n")]
    steps += [(True, pop3.stuffed(message) + b".\r\n"), (False, b"250 queued\r\n")]
    steps += [(True, b"QUIT\r\n"), (False, b"221 bye\r\n")]
    return tcp.Connection(_flow(client, MX, 25), start=at(clock)).play(steps)


def mailbox(user: str) -> Mailbox:
    """What lies in a user's mailbox after the phish has come."""
    messages = [newsletter(user)]
    if user in ("anna", "ben"):
        messages.append(signed_mail())
    return Mailbox([*messages, phish_as_stored(user)], user=user, password=f"{user}-{pop3.PASSWORD}")


def fetch(clock: str, user: str, lines: list[str] | None = None, client: str | None = None) -> tcp.Connection:
    """A POP3 session of a user; by default it fetches all."""
    box = mailbox(user)
    turns = pop3.dialogue(box, lines or pop3.fetch_all(box))
    return tcp.Connection(_flow(client or CLIENTS[user], POP3_SERVER, 110), start=at(clock)).play(
        pop3.steps(turns)
    )


def starttls(clock: str, user: str) -> tcp.Connection:
    """A POP3 session that turns to TLS."""
    flavour = pop3.Flavour(capabilities=("CAPA", "TOP", "UIDL", "STLS", "USER"))
    turns = pop3.dialogue(mailbox(user), ["CAPA", "STLS"], flavour)
    steps = [*pop3.steps(turns), (True, client_hello("mail.corp.example"))]
    return tcp.Connection(_flow(CLIENTS[user], POP3_SERVER, 110), start=at(clock)).play(steps)


def client_hello(name: str) -> bytes:
    """A TLS 1.2 ClientHello with a server name (RFC 5246, section 7.4.1.2; RFC 6066, section 3)."""
    host = name.encode()
    server_name = struct.pack("!HBH", len(host) + 3, 0, len(host)) + host
    extension = struct.pack("!HH", 0, len(server_name)) + server_name
    body = b"\x03\x03" + hashlib.sha256(host).digest() + b"\x00" + struct.pack("!HHH", 4, 0xC02F, 0x009C)
    body += b"\x01\x00" + struct.pack("!H", len(extension)) + extension
    handshake = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def tls(clock: str, client: str, server: str, name: str) -> tcp.Connection:
    """A TLS connection of which only the ClientHello matters."""
    return tcp.Connection(_flow(client, server, 443), start=at(clock)).play([(True, client_hello(name))])


def http(clock: str, client: str, host: str, path: str, kind: str, content: bytes) -> tcp.Connection:
    """A web page or file that a client loads."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Browser/1.0\r\n\r\n".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return tcp.Connection(_flow(client, ATTACKER, 80), start=at(clock)).play(
        [(True, request), (False, head.encode() + content)]
    )


_ports = iter(range(41000, 60000))


def _flow(client: str, server: str, port: int) -> Flow:
    return Flow(client, next(_ports), server, port)


def dns(
    clock: str, client: str, name: str, kind: int, data: bytes, port: int | None = None
) -> list[tuple[int, bytes]]:
    """A question and its answer over UDP (RFC 1035), as timed frames. `kind`: 1 (A) or 16 (TXT)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\x00"
    question = labels + struct.pack("!HH", kind, 1)
    answer = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 300, len(data)) + data
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:2], "big")
    head = struct.Struct("!HHHHHH").pack
    port = port or next(_ports)
    ask = _udp(client, port, DNS, 53, head(number, 0x0100, 1, 0, 0, 0) + question)
    reply = _udp(DNS, 53, client, port, head(number, 0x8180, 1, 1, 0, 0) + question + answer)
    return [(at(clock), ask), (at(clock) + 2_000, reply)]


def _udp(source: str, source_port: int, target: str, target_port: int, data: bytes) -> bytes:
    length = 8 + len(data)
    ends = ip_address(source).packed + ip_address(target).packed
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0x4000, 64, 17, 0) + ends
    check = -int.from_bytes(ip, "big") % 0xFFFF
    ip = ip[:10] + check.to_bytes(2, "big") + ip[12:]
    ethernet = b"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00"
    return ethernet + ip + struct.pack("!HHHH", source_port, target_port, length, 0) + data


def frames() -> list[tuple[int, bytes]]:
    """All packets of the day, in order."""
    record_of_key = key_record()
    strings = b"".join(bytes([len(part)]) + part for part in (record_of_key[:200], record_of_key[200:]))
    staff = [f"{user}@corp.example" for user in CLIENTS]
    ben = CLIENTS["ben"]
    bens = mailbox("ben")
    stealthy = [*pop3.login(bens), "STAT", "UIDL", "RETR 3", "DELE 3", "QUIT"]
    connections = [
        smtp("07:50:05", BANK, "billing@partner-bank.example", staff[:2], signed_mail()),
        smtp("08:10", ATTACKER, "hr@c0rp-payroll.example", staff, phish_as_sent()),
        fetch("08:20", "anna"),
        tls("08:22", CLIENTS["anna"], BANK, "www.partner-bank.example"),
        fetch("08:40", "ben"),
        http("08:44", ben, BAD_HOST, "/login?id=7", "text/html", b"<html>Please log in</html>"),
        http("08:44:20", ben, BAD_HOST, "/Payroll_2026.pdf.exe", "application/octet-stream", PAYLOAD),
        fetch("09:00", "carla", [*pop3.login(mailbox("carla")), "STAT", "LIST", "UIDL", "QUIT"]),
        starttls("09:05", "dan"),
        fetch("09:30", "ben", stealthy, OTHER_CLIENT),
    ]
    found = [(packet.ts, pcap.frame(packet)) for packet in tcp.interleave(*connections)]
    found += dns("07:50", MX, "sel2026._domainkey.partner-bank.example", 16, strings)
    found += dns("08:43", ben, BAD_HOST, 1, ip_address(ATTACKER).packed)
    return sorted(found, key=lambda frame: frame[0])


def indicators() -> str:
    """A list of indicators in Zeek's intel format."""
    rows = [
        ("badhost.test", "Intel::DOMAIN", "feed-a", "phishing host"),
        ("payroll.corp@freemail.example", "Intel::EMAIL", "feed-a", "collects replies"),
        (hashlib.sha256(PAYLOAD).hexdigest(), "Intel::FILE_HASH", "feed-b", "dropper"),
        ("203.0.113.0/24", "Intel::SUBNET", "feed-b", "bulletproof hoster"),
        ("unrelated.example", "Intel::DOMAIN", "feed-b", "not in this capture"),
    ]
    head = "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\n"
    return head + "".join("\t".join(row) + "\n" for row in rows)


def logs(capture: Path) -> dict[str, bytes]:
    """Name and content of the logs that Zeek writes of the capture, with a fixed time of opening."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record.zeek(capture, "exact", folder, *EXTRA)
        found = {f"{log}.log": (folder / f"{log}.log").read_bytes() for log in LOGS}
    return {name: record.NOISE.sub(rb"#\1\t2024-01-01-00-00-00", text) for name, text in found.items()}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "fixtures" / "incident")
    args = parser.parse_args(argv)
    if shutil.which("zeek") is None:
        raise SystemExit("no zeek on PATH")
    args.out.mkdir(parents=True, exist_ok=True)
    capture = args.out / "incident.pcap"
    pcap.write_frames(capture, frames())
    (args.out / "indicators.intel").write_text(indicators())
    for name, text in logs(capture).items():
        (args.out / name).write_bytes(text)
    print(f"{capture}: {capture.stat().st_size} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
