"""A quick fuzz run with a fixed seed: mutations of small mails keep the rules. The long one is
tests/fuzz/parse.py.
"""

from __future__ import annotations

import base64
import binascii
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from message.test_defects import MAILS
from support.hostile_mails import GENERATORS
from support.invariants import check
from zeekpop3.message import encoded_blocks, transfer_encoding

seeds = [raw for raw in MAILS.values() if len(raw) < 4_000] + [make(600) for make in GENERATORS.values()]
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\0", b"\r\n\r\n", b"--b", b"--b--", b"--", b"=?utf-8?q?", b"=?utf-8?b?", b"?=",
    b"=", b";",
    b'"', b"(", b")", b"<", b">", b"@", b":", b",", b" ", b"\xff", b"\xe4", b"\xc3",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n", b"Content-Transfer-Encoding: base64\r\n", b"begin 644 a\r\n",
    b"charset=utf-7",
    b"filename*0*=utf-8''%e4", b"+2AA-", b"%", b"&#xd800;", b"href=", b"http://",
]  # fmt: skip


def mutated(raw: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(raw))
        to = min(len(raw), at + rng.choice((0, 0, 1, 2, 8, 60)))
        choice = rng.random()
        if choice < 0.5:
            raw = raw[:at] + rng.choice(TOKENS) * rng.choice((1, 1, 1, 3, 30)) + raw[to:]
        elif choice < 0.7:
            raw = raw[:at] + rng.randbytes(rng.randint(1, 4)) + raw[to:]
        elif choice < 0.85:
            other = rng.choice(seeds)
            start = rng.randint(0, len(other))
            raw = raw[:at] + other[start : start + 200] + raw[to:]
        else:
            raw = raw[:at] + raw[to:]
    return raw


@pytest.mark.parametrize("seed", range(8))
def test_mutations_keep_the_rules(seed: int) -> None:
    """Whatever is done to a mail, its record keeps the rules."""
    rng = random.Random(seed)
    for _ in range(400):
        check(mutated(rng.choice(seeds), rng), complete=rng.random() < 0.8)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    """Any bytes are a mail."""
    check(raw)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_in_a_header(value: str) -> None:
    """A header in UTF-8 (RFC 6532) comes back as it was."""
    value = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    if "=?" in value:
        return
    mail = check(b"Subject: " + value.encode("utf-8", "replace") + b"\r\n\r\n")
    assert mail.subject == value.encode("utf-8", "replace").decode()


LINES = st.lists(
    st.one_of(
        st.binary(max_size=40).map(base64.b64encode),
        st.binary(min_size=1, max_size=40).map(lambda data: binascii.b2a_uu(data).rstrip(b"\n")),
        st.binary(max_size=20).map(lambda data: binascii.b2a_qp(data, quotetabs=True)),
        st.sampled_from(
            [b"", b"begin 644 a", b"`", b"end", b"=", b"= ", b"==", b"ab=", b"-- ", b"a" * 60, b"!"]
        ),
    ),
    max_size=30,
)


@settings(max_examples=400, deadline=None)
@given(LINES, st.sampled_from([b"\r\n", b"\n"]), st.integers(1, 200))
@example([b"begin 644 a", b"#0V%T", b"#0V%T", b"`", b"end"], b"\n", 12)
@example([b"=", b"!    ", b"AA=="], b"\r\n", 1)
@example([b"AAAAAA==", b"= "], b"\r\n", 1)
@example([b"c2bS]]", b"AAAA"], b"\r\n", 1)
def test_content_in_pieces_is_the_same(lines: list[bytes], line_end: bytes, size: int) -> None:
    """However small the pieces are in which content is decoded, it is the same content."""
    text = line_end.join(lines)
    for encoding in ("", "base64", "quoted-printable", "uuencode"):
        whole = b"".join(transfer_encoding.pieces(text, 0, len(text), encoding, {}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transfer_encoding, "CHUNK_BYTES", size)
            patch.setattr(encoded_blocks, "PIECE_BYTES", size)
            assert b"".join(transfer_encoding.pieces(text, 0, len(text), encoding, {})) == whole


def test_comment_that_holds_the_only_semicolon() -> None:
    """Found by fuzzing: nothing is left of the parameters once the comments are out."""
    assert check(b"Content-Type: text/plain (;)\r\n\r\nx").text == "x"


def test_eight_bit_header_in_a_mail_of_seven_bit_text() -> None:
    """Found by fuzzing: what the mail's text is in, UTF-7, is not what its 8-bit header is in."""
    raw = b"Subject: \xe4 +2AA-\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n"
    assert check(raw).subject == "ä +2AA-"


def test_equals_sign_before_a_bare_carriage_return() -> None:
    """What follows on the line is not lost: in a body, in an encoded word, in a run of many of them."""
    words = b"=?utf-8?q?=\ra?= =?utf-8?q?b?=" + b" =?utf-8?q?c?=" * 20
    head = b"Content-Transfer-Encoding: quoted-printable\r\nSubject: " + words + b"\r\n\r\n"
    mail = check(head + b"one=\rtwo\r\nthree= \r\n=41=\r\nfour")
    assert mail.subject == "=\rab" + "c" * 20
    assert mail.text == "one=\rtwo\nthreeAfour"
