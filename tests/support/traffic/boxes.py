"""The mailboxes of the fixtures: a mail for each oddity, all written by us.

Passwords are test secrets, also listed in fixtures/secrets.txt.
"""

from __future__ import annotations

import random

from support.traffic import mails
from support.traffic.pop3 import Mailbox, crlf

USERS = {
    "zhangsan": "Zh4ng-S3same!open",
    "lisi": "L1si/Passw0rt+42",
    "wangwu": "82640193",
    "zhaoliu": "m4ny-M41ls_here",
}
WRONG = "wr0ng-Pa55phrase"

ARTICLE = crlf(b"""\
Return-Path: <lisi@localdomain.com>
X-Original-To: zhangsan@localdomain.com
Delivered-To: zhangsan@localdomain.com
Received: from [192.168.153.18] (unknown [192.168.153.18])
\tby localhost.localdomain.com (Postfix) with ESMTP id 3B96EA37B5
\tfor <zhangsan@localdomain.com>; Fri,  5 Mar 2021 23:00:46 -0500 (EST)
To: zhangsan@localdomain.com
From: lisi <lisi@localdomain.com>
Subject: This is a test mail
Message-ID: <7ea7b5a3-3e76-ceee-2a49-a9ab81d5cc4c@localdomain.com>
Date: Fri, 5 Mar 2021 23:00:37 -0500
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101
 Thunderbird/78.7.1
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8; format=flowed
Content-Transfer-Encoding: 7bit
Content-Language: en-US

Hello zhangsan

""")

ARTICLE_FIRST = crlf(b"""\
Return-Path: <root@localdomain.com>
X-Original-To: zhangsan@localdomain.com
Delivered-To: zhangsan@localdomain.com
Received: by localhost.localdomain.com (Postfix, from userid 0)
\tid 51A02A37B1; Fri,  5 Mar 2021 22:41:09 -0500 (EST)
Date: Fri, 05 Mar 2021 22:41:09 -0500
To: zhangsan@localdomain.com
Subject: hello
User-Agent: Heirloom mailx 12.5 7/5/10
Message-Id: <20210306034109.51A02A37B1@localhost.localdomain.com>
From: root@localdomain.com (root)

hello, there!
""")


_HEAD = b"From: anna@mail.example\nTo: lisi@example.org\nDate: Tue, 12 Mar 2024 10:00:00 +0100\n"

_ODD = (
    b"plain\n\nTwo lines.\nThe second.\n",
    b"a very\n folded\n\tsubject  with   blanks\nX-Empty:\nX-Tail: blank at the end \n\nbody\n",
    b"folds that look like fields\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; d=mail.example;\n\th=from:to:subject:date;\n"
    b"\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n b=abc:def\n"
    b"X-Forefront-Antispam-Report:\n CIP:255.255.255.255;CTRY:;LANG:de;\n SCL:1;\n"
    b"X-Microsoft-Antispam:\n\tBCL:0;\n"
    b"X-Spam-Report:\n\t*  0.5 URIBL: listed\n\t* -1.0 BAYES_00 BODY: spam probability\n\nbody\n",
    "Grüße aus Köln\nX-Raw: 岛屿\n\nÄÖÜ, 岛屿, naïve\n".encode(),
    b"latin-1 without a label\n\n\xc4\xd6\xdc caf\xe9 \xff\xfe\n",
    b"dots\n\n.\n..\n...\n.hidden\n..twice\n a.b\n. \n.\n",
    b"blanks\n\n  indented\n\ttab\nlots   of    blanks\ntrailing   \n-- \nsignature\n \n\t\n\n",
    b"a long line\n\n" + b"0123456789 " * 1500 + b"\nshort\n",
    b"empty body\n\n",
    b"no empty line after the header\n",
    b"=?utf-8?B?w5xiZXJzaWNodA==?= =?iso-8859-1?Q?_f=FCr?=\n =?utf-8?Q?_M=C3=A4rz?=\n\nx\n",
    b"attachment\nMIME-Version: 1.0\n"
    b'Content-Type: multipart/mixed;\n boundary="b1"\n\npreamble: not a field\n'
    b"--b1\nContent-Type: text/plain; charset=utf-8\n\nSee attachment.\n"
    b'--b1\nContent-Type: application/octet-stream;\n name="data.bin"\nContent-Transfer-Encoding: base64\n'
    b'Content-Disposition: attachment;\n\tfilename="data.bin"\n\n'
    + mails.attachment_lines(6000)
    + b"--b1--\n"
    b"epilogue: not a field\n of this mail\n",
    b"forwarded\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=out\n\n"
    b"--out\nContent-Type: message/rfc822\n\nFrom: inner@mail.example\nSubject: inner\n folded\n"
    b"Content-Type: multipart/alternative; boundary=in\n\n--in\n\nText\n"
    b"--in\nContent-Type: text/html\n\n<p>Text</p>\n--in--\n--out--\n",
    b"quoted printable\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n"
    b"Content-Transfer-Encoding: quoted-printable\n\nStra=DFe und =\nUmbruch=20\n=2E\n",
    b"\nSubject: twice\nReceived: one\nReceived: two\nBcc:\nX-No-Blank:x\nX Blank: y\n\nbody\n",
    b"looks like POP3\n\n+OK 12 octets\n-ERR no\nRETR 1\n+OK\n.QUIT\n",
)
_HEADLESS = (
    b"\nNo header at all, only a body.\nSecond line: with a colon\n",
    b"This has no header field either\n\nand goes on.\n",
    b"From lisi Fri Mar  5 23:00:46 2021\n" + _HEAD + b"Subject: mbox line in front\n\n>From here\n",
)


def odd() -> list[bytes]:
    """One mail for each oddity that a rebuilt mail must survive."""
    return [*(crlf(_HEAD + b"Subject: " + rest) for rest in _ODD), *(crlf(text) for text in _HEADLESS)]


def many(count: int) -> list[bytes]:
    """Mails of some 400 bytes, for clients that fetch hundreds at once."""
    rng = random.Random(count)
    out = []
    for number in range(1, count + 1):
        word = rng.choice(["report", "invoice", "reminder", "notice"])
        head = f"From: robot@mail.example\nTo: zhaoliu@example.org\nSubject: {word} {number}\n"
        head += f"Message-ID: <{number}.{rng.getrandbits(48):x}@mail.example>\n"
        head += "Received: from a\n\tby b; today\n\n"
        lines = [f"{'.' * rng.randint(0, 2)}{word} {rng.getrandbits(32)}\n" for _ in range(rng.randint(1, 6))]
        body = "".join(lines)
        out.append(crlf((head + body).encode()))
    return out


def boxes() -> dict[str, Mailbox]:
    """What each user of the recorded server has in the mailbox."""
    varied = [mails.small(number, seed=7) for number in range(12)]
    held = {
        "zhangsan": [ARTICLE_FIRST, ARTICLE],
        "lisi": odd(),
        "wangwu": [*varied, mails.with_attachment(1, 9_000, seed=7)],
        "zhaoliu": many(320),
    }
    return {user: Mailbox(messages, user=user, password=USERS[user]) for user, messages in held.items()}
