"""Tables to search: the incident, and mails that hold one value of each kind at each place."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tables_made
from support.records import HOUR, NOON, transfer

INNER = (
    b"From: Inner <inner@deep.example>\r\nTo: x@example.org\r\nSubject: inner\r\nUser-Agent: InnerAgent 1\r\n"
    b"X-Originating-IP: [192.0.2.77]\r\nContent-Type: text/plain\r\n\r\nhttp://inner-link.example/a\r\n"
)
MAIL = (
    b"Received: from relay.example ([203.0.113.9]) by mx.example; Mon, 24 Jun 2024 10:00:00 +0000\r\n"
    b"From: Boss <boss@mail.corp.example>\r\nReply-To: other@freemail.example\r\nTo: zhangsan@example.com\r\n"
    b"Cc: =?utf-8?b?5YyX5Lqs?= <li@xn--bcher-kva.example>\r\nSubject: order\r\nX-Mailer: BulkMailer 3\r\n"
    b"X-Originating-IP: 2001:db8::7\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/html\r\n\r\n"
    b'<a href="http://User@Login.Evil.example:80/Path?q=1#top">x</a> <a href="http://192.0.2.66/x">y</a>\r\n'
    b'--b\r\nContent-Type: application/octet-stream; name="Order.PDF.exe"\r\n'
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n"
    b"ZXZpbCBjb250ZW50\r\n"  # evil content
    b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + INNER + b"--b--\r\n"
)  # fmt: skip


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`MAIL` whole; cut off; as a preview alone; and a preview of a mail that was fetched later."""
    out = tmp_path_factory.mktemp("places") / "out"
    plain = b"From: a@example.org\r\nSubject: plain\r\n\r\nHello\r\n"
    tables_made.write(
        out,
        [
            transfer(uid="CaaaA1", raw=MAIL),
            transfer(
                uid="CbbbB2", ts=NOON + HOUR, raw=plain[:30], complete=False, missing_bytes=17, uidl="2"
            ),
            transfer(uid="CcccC3", ts=NOON + 2 * HOUR, raw=plain[:40], command="TOP", uidl="3"),
            transfer(uid="CdddD4", ts=NOON + 3 * HOUR, raw=plain[:40], command="TOP", uidl="4"),
            transfer(uid="CdddD4", ts=NOON + 4 * HOUR, raw=plain, trans_depth=2, uidl="4", msg_num=7),
        ],
    )
    return out
