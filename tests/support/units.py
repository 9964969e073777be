"""Random units of a few characters, repeated in every field that the parser reads and in bodies.

Such mails find expressions and loops that take more than linear time: most hostile mails repeat something
short. `PLACES` are the places in a mail where a unit is put.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from zeekpop3.inside import parse

# Characters and words that mean something in header fields, and in bodies.
_IN_FIELDS = [
    *"\"()<>@,;:\\.[]=?/%&!~#*'-_+|{}`$^aZ19 \t",
    "\r\n ", "\xe4", "\xff\x80", "\0", "\r", "::", "=?utf-8?q?", "=?x?b?", "?=", "i=", "by ", "from ",
    "with ", "GMT+1 ", "1:00", "'' ", "*0*=", "x=", "charset=", "http://", "../", "[1.2.3.4]", "dkim=pass",
]  # fmt: skip
_IN_BODIES = [
    *"<>\"'=/&#;:.?![]()-_ \t@%*aB1\\,+~`{}|^$",
    "\r\n", "\n", "\r", "\0", "\xe4", "\xff\x80", "http://", "www.", "<a href=", "</a>", "<!--", "-->", "<b ",
    "<p>", "<style>", "</style>", "<script", "&amp;", "&#", "style=", "display:none", "url(", "<img src=",
    "srcset=", "<base href=", "<!--[if", "<![endif]-->", "<svg>", "<title>", "<li hidden>", "<meta charset=",
    "--b", "--b--", "begin 644 a", "=20", "=\r\n", "Content-Type: ", "\r\n\r\n", "/v3/__", "___", "x@y.z",
]  # fmt: skip
_HEADS = ("", "", "", '"', "(", "<", "<a", "a <", "a@b, ", "a; b=", 'a; b="', "=?utf-8?q?", "i=1; ", "[", ":")
_TAILS = ("", "", "", '"', ")", ">", "b@c>", "?=", "; x", "(", '(")', "]", "x")

_DATE = "Mon, 1 Jan 2024 10:00:00 "
_FIELDS = {
    **dict.fromkeys(("From", "To", "Cc", "Bcc", "Sender", "Reply-To", "Return-Path", "Delivered-To"), ()),
    **dict.fromkeys(("Subject", "Message-ID", "References", "In-Reply-To", "X-Mailer", "MIME-Version"), ()),
    "Date": ("Mon, 1 Jan 2024 ", "2024-01-01T10:00:00", _DATE),
    "Received": ("from x by y with ", "from x (", f"from x by y; {_DATE} (", "by y id x for <"),
    "X-Originating-IP": (),
    "Authentication-Results": ("mx.example; spf=pass ", "mx.example; dkim="),
    "ARC-Authentication-Results": ("i=1; mx.example; ",),
    "Received-SPF": ("pass (", "pass receiver="),
    "ARC-Seal": ("i=1; cv=",),
    "DKIM-Signature": ("v=1; a=rsa-sha256; d=a.example; s=b; bh=", "v=1; a=rsa-sha256; d=", "v=1; l="),
    "Content-Type": ("text/plain; ", "text/html; charset=", "multipart/mixed; boundary=", "a/b; name="),
    "Content-Disposition": ("attachment; ", "attachment; filename=", "attachment; filename*=utf-8''"),
    "Content-Transfer-Encoding": ("base64 ",),
    "Content-ID": (),
    "X-Other": (),
}
_BODIES = {
    "plain": "Content-Type: text/plain\r\n\r\n",
    "html": "Content-Type: text/html\r\n\r\n",
    "html_tag": "Content-Type: text/html\r\n\r\n<a ",
    "html_link": 'Content-Type: text/html\r\n\r\n<a href="http://',
    "html_style": 'Content-Type: text/html\r\n\r\n<p style="',
    "page": "Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n",
    "flowed": "Content-Type: text/plain; format=flowed\r\n\r\n",
    "multipart": "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    "message": "Content-Type: message/rfc822\r\n\r\n",
    "quoted": "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    "base64": "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    "file": "Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n",
    "uuencoded": "Content-Type: a/b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n",
    "utf7": "Content-Type: text/plain; charset=utf-7\r\n\r\n",
}
_GATEWAYS = (
    "https://urldefense.com/v3/__",
    "https://url.avanan.click/v2/___",
    "https://urldefense.proofpoint.com/v2/url?u=",
    "https://x.safelinks.protection.outlook.com/?url=",
    "https://secure-web.cisco.com/",
    "https://www.google.com/url?q=",
    "https://linkscan.io/scan/",
)
PLACES = [*_FIELDS, *_BODIES, "gateway", "part_field"]


class Unit(NamedTuple):
    """A text to repeat, what stands before and behind, and where in a mail."""

    place: str
    head: str
    text: str
    tail: str

    def mail(self, size: int) -> bytes:
        """A mail of about `size` bytes."""
        body = self.head + self.text * max(1, size // len(self.text)) + self.tail
        if self.place in _FIELDS:
            text = f"{self.place}: {body}\r\n\r\nbody\r\n"
        elif self.place == "part_field":
            part = f"--b\r\nContent-Type: a/b; name={self.head}{self.text * 20}{self.tail}\r\n\r\nx\r\n"
            text = "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * max(1, size // len(part))
        else:
            text = _BODIES.get(self.place, _BODIES["plain"]) + body
        return text.encode("latin-1", "replace")


LINEAR = 2.5
"""More growth than that, from a mail to one of four times its size, is not linear."""


def units(seed: int, count: int, places: list[str] = PLACES) -> list[Unit]:
    """`count` random units for each of `places`, always the same for the same seed."""
    return [unit_at(random.Random(f"{seed} {place} {i}"), place) for i in range(count) for place in places]


def unit_at(rng: random.Random, place: str) -> Unit:
    in_field = place in _FIELDS or place == "part_field"
    letters = _IN_FIELDS if in_field else _IN_BODIES
    text = "".join(rng.choices(letters, k=rng.randint(1, 6)))
    head = rng.choice(_HEADS)
    if (more := _FIELDS.get(place)) and rng.random() < 0.7:
        head = rng.choice(more) + head
    if place == "gateway":
        head = rng.choice(_GATEWAYS)
    return Unit(place, head, text, rng.choice(_TAILS))


def seconds(raw: bytes, times: int = 1) -> float:
    """CPU seconds to parse a mail: the best of `times`."""
    return min(_once(raw) for _ in range(times))


def _once(raw: bytes) -> float:
    start = time.process_time()
    parse(raw)
    return time.process_time() - start


def growth(make: Callable[[int], bytes], small: int, large: int, shortest_s: float) -> float:
    """How much longer the large mail takes than the small one, per byte: about 1 if time is linear.

    Times below `shortest_s` count as that, so that noise does not look like growth. The best of up to four
    measurements, because what else runs on the machine only ever adds.
    """
    best = float("inf")
    few, many = make(small), make(large)
    for times in (1, 3, 5, 9):
        short, long = max(seconds(few, times), shortest_s), seconds(many, times)
        best = min(best, long / short * len(few) / len(many))
        if best < LINEAR or (times > 1 and short + long > 1):
            break
    return best
