"""For each rule of `suspicious`, mails of which it must accuse the last one, and a near miss: mails that
differ as little as possible, and of which it must not.

A case is its own world: `{n}` in a mail is the case's number, so that all cases fit into the tables of one
test. Own is corp.example; a day lies between two mails of a case.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

from support.archives import zipped
from support.queries import letter
from support.tables_made import with_attachment

HTML = "Content-Type: text/html; charset=utf-8"
PE = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8" + bytes(43) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0L\x01"
PASS = "Authentication-Results: mx.corp.example; dmarc=pass"
FAIL = "Authentication-Results: mx.corp.example; spf=fail; dmarc=fail"
BOSS = "Carl Boss{n} <carl{n}@corp.example>"
PARTNER = "Dora Deal{n} <dora@steelworks{n}.example>"
RELS = (
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
    b'Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s" '
    b'Target="https://%s" '
    b'TargetMode="External"/></Relationships>'
)
IBAN, OTHER_IBAN = "DE89 3704 0044 0532 0130 00", "GB33 BUKB 2020 1555 5555 55"


class Case(NamedTuple):
    """`reason`: what the rule says of the last mail of `hit`, and not of that of `near`."""

    reason: str
    hit: list[bytes]
    near: list[bytes]


def linked(text: str, url: str, sender: str = "a@a{n}.example") -> bytes:
    return letter(sender, HTML, text=f'<html><body><a href="{url}">{text}</a></body></html>\r\n')


def said(text: str, sender: str = "a@a{n}.example", *fields: str) -> bytes:
    return letter(sender, "Content-Type: text/plain; charset=utf-8", *fields, text=text + "\r\n")


def file(name: str, content: bytes = b"x", sender: str = "a@a{n}.example", text: str = "See there.") -> bytes:
    made = with_attachment(name, content).replace(b"Li Si <lisi@example.org>", sender.encode())
    return made.replace(b"See there.", text.encode(), 1)


def asked(organizer: str, sender: str, method: str = "REQUEST") -> bytes:
    event = (
        f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nORGANIZER;{organizer}\r\nSUMMARY:Salary\r\n"
    )
    event += "END:VEVENT\r\nEND:VCALENDAR\r\n"
    return letter(sender, f"Content-Type: text/calendar; method={method}", text=event)


def in_thread(sender: str, *fields: str, text: str = "hello there\r\n") -> bytes:
    return letter(sender, "In-Reply-To: <order{n}@steelworks{n}.example>", *fields, text=text).replace(
        b"Subject: s", b"Subject: Re: Order {n} of steel"
    )


def forwarded(sender: str) -> bytes:
    inner = letter(sender, text="Renew it: http://login.evil{n}.test/keep\r\n").decode()
    text = f"--o\r\n\r\nReal?\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--o--\r\n"
    return letter(BOSS, "Content-Type: multipart/mixed; boundary=o", text=text)


def locked(name: str) -> bytes:
    content = bytearray(zipped({name: b"secret"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    return bytes(content)


def word(relation: bytes, target: bytes, path: str = "word/_rels/settings.xml.rels") -> bytes:
    parts = {
        "[Content_Types].xml": b"<Types/>",
        "word/document.xml": b"<w/>",
        path: RELS % (relation, target),
    }
    return zipped(parts)


def signed(body_hash: bytes, sender: str = "bank@signed{n}.example") -> bytes:
    digest = base64.b64encode(body_hash).decode()
    return letter(
        sender, f"DKIM-Signature: v=1; a=rsa-sha256; d=signed{{n}}.example; s=x; h=from; bh={digest}; b=AAAA"
    )


FIRST = letter(PARTNER, "Message-ID: <order{n}@steelworks{n}.example>").replace(
    b"Subject: s", b"Subject: Order {n} of steel"
)
OLD = [letter("a@a{n}.example")] * 2
OLD_PASS = [letter("a@a{n}.example", PASS)] * 2

CASES: dict[str, Case] = {
    "attached-page": Case(
        "attached page", [file("page.html", b"<html><script>x</script></html>")], [file("page.txt", b"<html")]
    ),
    "bank-details": Case(
        "new bank details",
        [
            said(
                "Our bank details have changed, please use them for the payment: http://evil{n}.test/setup.exe"
            )
        ],
        [said("Our opening hours have changed; thank you for the payment: http://evil{n}.test/setup.exe")],
    ),
    "bare-address": Case(
        "link to a bare address",
        [linked("in", "http://198.51.100.7/in")],
        [linked("in", "http://192.168.1.1/in")],
    ),
    "base-elsewhere": Case(
        "base of links elsewhere",
        [letter("a@a{n}.example", HTML, text='<base href="https://evil{n}.test/"><a href="x">in</a>\r\n')],
        [
            letter(
                "a@a{n}.example", HTML, text='<base href="https://www.a{n}.example/"><a href="x">in</a>\r\n'
            )
        ],
    ),
    "borrowed-name": Case(
        "display name of another address",
        [letter("Shop Owner{n} <s@shop{n}.example>"), letter("Shop Owner{n} <s@other{n}.example>")],
        [letter("Shop Owner{n} <s@shop{n}.example>"), letter("Shop Owner{n} <s@mail.shop{n}.example>")],
    ),
    "call-back": Case(
        "call-back",
        [said("Your subscription was renewed for $ 399.99. To cancel it call +1 (808) 555-0142 today.")],
        [said("Your subscription: $ 399.99. Cancel: https://a{n}.example/, +1 (808) 555-0142.")],
    ),
    "changed-body": Case("changed body", [signed(bytes(32))], [signed(bytes(32), "bank@list{n}.example")]),
    "closed-archive": Case(
        "archive that was not opened",
        [file("order.rar", b"Rar!\x1a\x07\x01\x00" + bytes(200))],
        [*OLD, file("order.rar", b"Rar!\x1a\x07\x01\x00" + bytes(200))],
    ),
    "contains-own": Case(
        "sender contains the name of an own site",
        [letter("boss@corp-hr.example")],
        [letter("boss@corporate.example")],
    ),
    "coded-address": Case(
        "link to a coded address",
        [linked("in", "http://0xC6336407/in")],
        [linked("in", "http://3com.example/in")],
    ),
    "disguised-program": Case("program with another name", [file("Quota.pdf", PE)], [file("setup.exe", PE)]),
    "disk-image": Case("disk image", [file("scan.iso")], [file("scan.tif")]),
    "double-extension": Case("double extension", [file("invoice.pdf  .exe")], [file("invoice.pdf.zip")]),
    "enclosed": Case("message inside", [forwarded("help@evil{n}.test")], [forwarded("help@corp.example")]),
    "firm-name": Case(
        "name of the own firm",
        [letter("Corp IT Service <it@evil{n}.test>")],
        [letter("Corporate News <n@a{n}.example>")],
    ),
    "first-link": Case(
        "first mail of this sender, with a link",
        [said("http://evil{n}.test/setup.exe")],
        [*OLD, said("http://evil{n}.test/setup.exe")],
    ),
    "first-mail": Case("first mail of this sender", [file("a.exe", PE)], [*OLD, file("a.exe", PE)]),
    "hidden-name": Case(
        "invisible characters in the name", [file("Rechnung\u202efdp.exe")], [file("Rechnung.pdf")]
    ),
    "iban": Case(
        "account changed",
        [said(f"Please pay to {IBAN}", PARTNER), said(f"Please pay to {OTHER_IBAN}", PARTNER)],
        [said(f"Please pay to {IBAN}", PARTNER), said(f"Please pay to {IBAN.replace(' ', '')}", PARTNER)],
    ),
    "link-elsewhere": Case(
        "link shows another site",
        [linked("https://bank.example/", "https://evil{n}.test/x")],
        [linked("https://www.bank.example/", "https://login.bank.example/x")],
    ),
    "link-own": Case(
        "link shows an own site",
        [linked("https://sso.corp.example/", "https://evil{n}.test/x")],
        [linked("https://sso.corp.example/", "https://wiki.corp.example/x")],
    ),
    "link-program": Case(
        "link to a program",
        [said("http://evil{n}.test/setup.exe?x=1")],
        [said("http://a{n}.example/?file=setup.exe")],
    ),
    "link-user": Case(
        "link with a false host",
        [linked("in", "https://bank.example@evil{n}.test/x")],
        [said("ftp://anonymous@files.example/x and http://a.example/?mail=b@shop.example")],
    ),
    "local-link": Case(
        "link to a share",
        [linked("minutes", "file://203.0.113.7/share/minutes.docx")],
        [linked("minutes", "file:///C:/minutes.docx")],
    ),
    "locked-archive": Case(
        "encrypted file", [file("a.zip", locked("a"))], [*OLD, file("a.zip", locked("a"))]
    ),
    "login-form": Case(
        "form that asks for a password",
        [
            letter(
                "a@a{n}.example",
                HTML,
                text='<form action="https://evil{n}.test/"><input type="password"></form>\r\n',
            )
        ],
        [
            letter(
                "a@a{n}.example",
                HTML,
                text='<form action="https://a{n}.example/"><input type="search"></form>\r\n',
            )
        ],
    ),
    "look-alike": Case(
        "sender looks like a known site",
        [*[letter("n@northbank{n}x.example")] * 3, letter("n@northbamk{n}x.example")],
        [letter("n@northbank{n}x.example"), letter("n@northbamk{n}x.example")],
    ),
    "look-alike-own": Case(
        "sender looks like an own site", [letter("boss@c0rp.example")], [letter("boss@coral.example")]
    ),
    "lure": Case(
        "warning with a link elsewhere",
        [linked("Ihr Konto wird gesperrt", "https://evil{n}.test/")],
        [linked("Ihr Konto wird gesperrt", "https://www.a{n}.example/")],
    ),
    "macros": Case("document with macros", [file("offer.docm")], [file("offer.docx")]),
    "name-of-own": Case(
        "display name of somebody here",
        [letter(BOSS), letter('"Boss{n}, Carl" <ceo{n}@freemail.test>')],
        [letter(BOSS), *[letter("Carl Boss{n} <private{n}@freemail.test>")] * 3],
    ),
    "onenote": Case("OneNote notebook", [file("bill.one")], [file("bill.ones")]),
    "only-document": Case(
        "only a document with a link",
        [file("Review.docx", word(b"hyperlink", b"evil{n}.test/in", "word/_rels/document.xml.rels"))],
        [
            file(
                "Review.docx",
                word(b"hyperlink", b"www.docs.example/in", "word/_rels/document.xml.rels"),
                "a@docs.example",
            )
        ],
    ),
    "organizer": Case(
        "organizer with an own name",
        [asked("CN=Corp Payroll:mailto:hr@meet{n}.test", "Calendar <c@meet{n}.test>")],
        [asked("CN=Carl Boss:mailto:carl@corp.example", "Guest <g@meet{n}.test>", "REPLY")],
    ),
    "own-forged": Case("own site as sender, not confirmed", [letter(BOSS, FAIL)], [letter(BOSS, PASS)]),
    "password-told": Case(
        "password beside an encrypted file",
        [file("a.zip", locked("a"), text="The password is: 4711-x")],
        [file("a.zip", locked("a"), text="I tell you the password by telephone.")],
    ),
    "program": Case("program", [file("setup.msi")], [file("setup.pdf")]),
    "remote-template": Case(
        "remote template",
        [file("Offer.docx", word(b"attachedTemplate", b"evil{n}.test/t"))],
        [file("Offer.docx", word(b"hyperlink", b"evil{n}.test/t", "word/_rels/document.xml.rels"))],
    ),
    "reply-elsewhere": Case(
        "replies go elsewhere",
        [letter("a@a{n}.example", "Reply-To: b@b{n}.example")],
        [letter("a@a{n}.example", "Reply-To: c@a{n}.example")],
    ),
    "reply-mailing": Case(
        "replies go to the service of a mailing",
        [
            letter(
                "a@a{n}.example",
                "Reply-To: b@b{n}.example",
                "List-Unsubscribe: <https://b{n}.example/u>",
                text="http://evil{n}.test/setup.exe\r\n",
            )
        ],
        [
            letter(
                "a@a{n}.example",
                "Reply-To: b@b{n}.example",
                "X-Mailer: x",
                text="http://evil{n}.test/setup.exe\r\n",
            )
        ],
    ),
    "script": Case("script", [file("start.js")], [file("start.json")]),
    "stranger-name": Case(
        "name of somebody in the thread",
        [FIRST, in_thread("Dora Deal{n} <dora.deal{n}@freemail.test>")],
        [FIRST, in_thread("Emil Else{n} <emil{n}@freemail.test>")],
    ),
    "stranger-site": Case(
        "stranger in a thread",
        [FIRST, in_thread("Dora Deal{n} <dora@steelworks{n}.test>")],
        [FIRST, letter("d@steelworks{n}.test"), in_thread("Dora Deal{n} <dora@steelworks{n}.test>")],
    ),
    "unaligned-partner": Case(
        "sender not confirmed, as before",
        [*OLD_PASS, letter("a@a{n}.example", FAIL)],
        [*OLD_PASS, letter("a@a{n}.example", PASS)],
    ),
    "verdict": Case(
        "failed verdict",
        [letter("a@a{n}.example", "Authentication-Results: mx.corp.example; spf=fail")],
        [letter("a@a{n}.example", "Authentication-Results: mx.corp.example; spf=softfail; dmarc=pass")],
    ),
    "zero-width": Case(
        "invisible characters in words",
        [said("Your pass\u200bword has expired.")],
        [said("Your password \u200b\u200c \u200bhas expired.")],
    ),
}

#: Rules whose column nothing in a mail fills: the tables are changed for them.
FILLED = {"hit", "qr"}
