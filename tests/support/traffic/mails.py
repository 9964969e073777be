"""Mails of our own: small ones of many kinds, and large ones with an attachment. The same seed gives the
same mails."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from functools import cache

_WORDS = (
    *(
        "alpha",
        "bravo",
        "canal",
        "delta",
        "ember",
        "falcon",
        "garden",
        "harbor",
        "island",
        "jasmine",
        "kettle",
    ),
    *("lantern", "meadow", "nectar", "orchard", "pepper", "quarry", "ribbon", "saddle", "timber", "umbra"),
    *("velvet", "willow", "yonder", "zephyr", "report", "invoice", "meeting", "draft"),
)
_ODD = (".", "..", ". dot", "  indented", "-- ", "From here", "\tTab  ")
_PEOPLE = ("lisi", "zhangsan", "wangwu", "zhaoliu", "anna.berg", "r.stone", "no-reply")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@cache
def _pool(size: int) -> bytes:
    """Bytes that do not compress, as a packed attachment."""
    return random.Random(size).randbytes(size)


def _line(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(words))


def _header(rng: random.Random, number: int) -> list[str]:
    sender, receiver = rng.sample(_PEOPLE, 2)
    when = f"{_DAYS[number % 7]}, {1 + number % 28} Mar 2024 {number % 24:02d}:{number % 60:02d}:07 +0100"
    fields = [f"Return-Path: <{sender}@mail.example>", f"Delivered-To: {receiver}@example.org"]
    for hop in range(rng.randint(1, 3)):
        fields += [
            f"Received: from relay{hop}.example ([198.51.100.{rng.randint(1, 250)}])",
            f"\tby mx{hop}.example.org (Postfix) with ESMTPS id {rng.getrandbits(40):010X}",
            f"\tfor <{receiver}@example.org>; {when}",
        ]
    fields += [
        f"From: {sender.title()} <{sender}@mail.example>",
        f"To: {receiver}@example.org",
        f"Subject: {_line(rng, rng.randint(2, 6))}",
        f"Message-ID: <{number}.{rng.getrandbits(64):x}@mail.example>",
        f"Date: {when}",
    ]
    if rng.random() < 0.5:
        fields += ["DKIM-Signature: v=1; a=rsa-sha256; d=mail.example; s=k1;", "\th=from:to:subject:date;"]
        fields += [
            " bh=" + base64.b64encode(rng.randbytes(32)).decode() + ";",
            "\tb=" + rng.randbytes(24).hex(),
        ]
    return [*fields, "MIME-Version: 1.0"]


def small(number: int, seed: int = 0) -> bytes:
    """A mail of some kilobytes: plain, HTML beside plain, or 8-bit text; some lines begin with dots or
    blanks."""
    rng = random.Random(f"{seed}/{number}")
    head = _header(rng, number)
    text = [_line(rng, rng.randint(0, 14)) for _ in range(rng.randint(3, 120))]
    for _ in range(rng.randint(0, 4)):
        text.insert(
            rng.randint(0, len(text)),
            rng.choice(_ODD),
        )
    kind = number % 3
    if kind == 0:
        head += ["Content-Type: text/plain; charset=us-ascii", "Content-Transfer-Encoding: 7bit", ""]
        body = text
    elif kind == 1:
        mark = f"=_{rng.getrandbits(64):016x}"
        html = ["<html><body>", *(f"<p>{line}</p>" for line in text), "</body></html>"]
        head += ["Content-Type: multipart/alternative;", f'\tboundary="{mark}"', ""]
        body = [f"--{mark}", "Content-Type: text/plain; charset=utf-8", "", *text]
        body += [f"--{mark}", "Content-Type: text/html; charset=utf-8", "", *html, f"--{mark}--"]
    else:
        head += ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", ""]
        body = [line.replace("ember", "Glühwürmchen").replace("island", "岛屿") for line in text]
    return "\r\n".join([*head, *body, ""]).encode()


def with_attachment(number: int, size: int, seed: int = 0) -> bytes:
    """A mail with an attachment of `size` bytes, sent as base64."""
    rng = random.Random(f"{seed}/{number}")
    pool = _pool(size + 4096)
    at = rng.randrange(4096)
    mark = f"=_{rng.getrandbits(64):016x}"
    head = [*_header(rng, number), f'Content-Type: multipart/mixed; boundary="{mark}"', ""]
    head += [f"--{mark}", "Content-Type: text/plain", "", _line(rng, 20)]
    head += [f"--{mark}", f'Content-Type: application/octet-stream; name="file{number}.bin"']
    head += [
        "Content-Transfer-Encoding: base64",
        f'Content-Disposition: attachment; filename="file{number}.bin"',
        "",
    ]
    lines = base64.encodebytes(pool[at : at + size]).replace(b"\n", b"\r\n")
    return "\r\n".join([*head, ""]).encode() + lines + f"--{mark}--\r\n".encode()


def all_small(seed: int = 0) -> Iterator[bytes]:
    """Small mails without end."""
    number = 0
    while True:
        yield small(number, seed)
        number += 1


def attachment_lines(size: int) -> bytes:
    """Base64 lines of so many bytes."""
    return base64.encodebytes(_pool(size))
