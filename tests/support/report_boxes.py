"""Mailboxes for the page's tests: one full of payloads, and one as large as asked for."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterable
from pathlib import Path

from support.records import HOUR, NOON, session, transfer
from zeekpop3.pipeline.records import Records
from zeekpop3.session.events import ConnId, Session, Transfer
from zeekpop3.store.write import TableWriter

#: `@` becomes a call that says that code ran, `URL` an address at which somebody listens.
_PAYLOADS = r"""
<script>@</script>
</script><script>@</script>
</script><!--><script>@//--></script>
<!--<script>@</script>
--><script>@</script><!--
]]><script>@</script>
</title><script>@</script>
</style><script>@</script>
</textarea><script>@</script>
</noscript><img src=x onerror=@>
</pre></dialog></table><script>@</script>
<SCRIPT SRC=URL></SCRIPT>
<script src="data:text/javascript,@"></script>
<script type=module>@</script>
<img src=x onerror=@>
<img src=URL>
<img/src=`x`onerror=@>
<svg onload=@>
<svg><script>@</script></svg>
<svg><animate onbegin=@ attributeName=x dur=1s>
<math><mtext></form><form><mglyph><style></math><img src onerror=@>
<body onload=@>
<details open ontoggle=@>
<input autofocus onfocus=@>
<video><source onerror=@></video>
<iframe src="javascript:@"></iframe>
<iframe srcdoc="<script>parent.@</script>"></iframe>
<iframe src=URL></iframe>
<object data=URL></object>
<embed src=URL>
<base href=URL>
<meta http-equiv=refresh content="0;url=URL">
<link rel=stylesheet href=URL>
<link rel=prefetch href=URL>
<style>@import 'URL';</style>
<style>*{background:url(URL)}body{display:none}</style>
<div style="position:fixed;inset:0;background:url(URL)">
<a href="javascript:@" id=x>click</a>
<form id=search action=URL><button id=close>x</button></form>
<form id=settings><input name=textContent></form>
" onmouseover=@ autofocus onfocus=@ x="
' onmouseover=@ autofocus onfocus=@ x='
"><img src=x onerror=@>
'><img src=x onerror=@>
` onerror=@ `
javascript:@
data:text/html,<script>@</script>
{{ 7 * 7 }}{% for x in y %}{{ self.__init__ }}
${@}
#{@}
"}]);@;//
\"}]);@;//
\u003cscript\u003e@\u003c/script\u003e
&lt;script&gt;@&lt;/script&gt;
&#60;script&#62;@&#60;/script&#62;
+ADw-script+AD4-@+ADw-/script+AD4-
%3Cscript%3E@%3C/script%3E
__proto__
constructor
toString
"""
CALL = "window.__pwned=1"


_FIELDS = (
    "To", "Cc", "Bcc", "Reply-To", "Sender", "Subject", "Message-ID", "In-Reply-To", "References",
    "User-Agent", "X-Originating-IP", "Date", "Received", "Return-Path", "Delivered-To", "X-Odd",
)  # fmt: skip


def payloads(url: str) -> list[str]:
    """Every payload, its loads aimed at `url`."""
    made = [line.replace("@", CALL).replace("URL", url) for line in _PAYLOADS.strip().splitlines()]
    return [
        *made,
        f"\u2028</script><script>{CALL}</script>\u2029",
        f"\x00<scr\x00ipt>{CALL}</scr\x00ipt>",
        f"\u202e<script>{CALL}</script>\u202c",
        f"\x1b]0;<img src=x onerror={CALL}>\x07",
        f"<\uff53cript>{CALL}</script>",
    ]


def _word(text: str) -> str:
    """An encoded word (RFC 2047): any text in a header field."""
    return "=?utf-8?b?" + base64.b64encode(text.encode()).decode() + "?="


def hostile(payload: str) -> bytes:
    """A mail with the payload in every field, the bodies, and an attachment's name, type and content."""
    word, quoted = _word(payload), base64.b64encode(payload.encode()).decode()
    name = _word(payload + ".pdf.exe")
    raw = "".join(" " if character < " " else character for character in payload)
    head = f"From: {word} <evil@example.net>\r\n" + "".join(f"{name}: {word}\r\n" for name in _FIELDS)
    head += "".join(f"{name}: {raw}\r\n" for name in ("X-Raw", "Comments", "Keywords"))
    head += "Authentication-Results: mx; spf=fail\r\n"  # so the mail is listed as suspicious, too
    head += f"X-<script>{CALL}</script>: x\r\nMIME-Version: 1.0\r\n"
    return (
        head + 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{quoted}\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
        f"<html><body>{raw} <a href='{raw}'>x</a> http://example.net/{raw} </body></html>\r\n"
        f"--b\r\nContent-Type: application/{raw}; name*=utf-8''x\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-ID: <{raw}>\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
        f"{quoted}\r\n--b--\r\n"
    ).encode("utf-8", "replace")


def hostile_box(url: str) -> tuple[list[Transfer | Session], int]:
    """A mail and a connection per payload, the payload in all that the wire says; and their number.

    Every third mail is incomplete, so that its user and defects are in that table, too.
    """
    made: list[Transfer | Session] = []
    every = payloads(url)
    for number, payload in enumerate(every):
        uid = f"C{number:03d}{payload}"
        conn_id = ConnId(payload, 40000 + number, "192.0.2.110" if number % 2 else payload, 110)
        whole = number % 3 != 0
        made.append(
            transfer(
                uid=uid, ts=NOON + number * HOUR, conn_id=conn_id, user=payload, uidl=payload,
                raw=hostile(payload), complete=whole, missing_bytes=0 if whole else 7,
                defects=[] if whole else [payload],
            )
        )  # fmt: skip
        made.append(
            session(
                uid=uid, ts=NOON + number * HOUR, conn_id=conn_id, user=payload, auth_mechanism=payload,
                greeting=payload, capabilities=[payload], defects=[payload],
            )
        )  # fmt: skip
    return made, len(every)


_WORDS = [
    "invoice", "report", "meeting", "schedule", "server", "update", "order", "delivery", "question",
    "contract", "answer", "budget", "review", "minutes", "travel", "offer", "photos", "account",
    "password", "notice", "backup", "monthly", "summary", "draft",
]  # fmt: skip


def large_box(mails: int, seed: int = 1) -> Iterable[Transfer | Session]:
    """Mails of a few kilobytes, fetched by sixty users over two weeks, some with attachments, some torn."""
    random_ = random.Random(seed)
    per_connection = 10
    for number in range(-(-mails // per_connection)):
        user = f"user{random_.randrange(60):02d}"
        uid = f"C{number:05d}{random_.getrandbits(48):x}"
        ts = NOON + int(random_.triangular(0, 14 * 24, 200) * HOUR)
        conn_id = ConnId(f"192.0.2.{random_.randrange(1, 80)}", 40000 + number % 20000, "198.51.100.5", 110)
        lossy = number % 40 == 7
        for depth in range(1, min(per_connection, mails - number * per_connection) + 1):
            torn = lossy and depth % 3 == 1
            yield transfer(
                uid=uid, ts=ts + depth * 300_000, conn_id=conn_id, user=user, trans_depth=depth,
                msg_num=depth, uidl=f"{number:x}-{depth}", raw=_ordinary(random_, user), complete=not torn,
                missing_bytes=1460 if torn else 0, defects=["gap"] if torn else [],
            )  # fmt: skip
        mechanism = ("USER", "PLAIN", "APOP", "USER")[number % 4]
        yield session(
            uid=uid, ts=ts, conn_id=conn_id, user=user, auth_mechanism=mechanism, auth_result="success",
            logins_failed=int(number % 11 == 0), missing_bytes=1460 if lossy else 0,
        )  # fmt: skip


def _ordinary(random_: random.Random, user: str) -> bytes:
    sender = int(random_.expovariate(0.05))
    subject = " ".join(random_.choices(_WORDS, k=4))
    words = random_.choices(_WORDS, k=random_.randrange(20, 500))
    text = "\r\n".join(" ".join(words[start : start + 12]) for start in range(0, len(words), 12))
    head = (
        f"Received: from mx{sender}.example.org (mx{sender}.example.org [203.0.113.{sender % 250}]) by "
        f"mail.example.com with ESMTPS id {random_.getrandbits(60):x} for <{user}@example.com>; "
        f"Mon, 24 Jun 2024 11:{random_.randrange(60):02d}:00 +0000\r\n"
        f"From: Sender {sender} <sender{sender}@example.org>\r\nTo: {user}@example.com\r\n"
        f"Subject: {subject}\r\nMessage-ID: <{random_.getrandbits(80):x}@example.org>\r\n"
        "Date: Mon, 24 Jun 2024 11:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    )
    if random_.random() > 0.15:
        return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()
    name, kind, content = random_.choice(
        (
            ("report.pdf", "application/pdf", b"%PDF-1.4 "),
            ("photo.png", "image/png", b"\x89PNG\r\n\x1a\n"),
            ("data.zip", "application/zip", b"PK\x03\x04"),
            ("notes.txt", "text/plain", b"notes "),
        )
    )
    content += str(random_.randrange(40)).encode()
    return (
        f'{head}Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
        f"{text}\r\n--b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
        f"{base64.b64encode(content).decode()}\r\n--b--\r\n"
    ).encode()


def write_box(path: Path, events: Iterable[Transfer | Session]) -> Path:
    """The tables of a mailbox, made by the pipeline's own rooms."""
    records = Records()
    records.add(events)
    with TableWriter(path) as writer:
        for name, table in records.take():
            writer.write(name, table)
    return path
