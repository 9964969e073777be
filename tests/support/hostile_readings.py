"""Hostile mails against the second look (`zeekpop3.message.readings`) and S/MIME: many readings of the same
bytes, readings within readings, and what only seems to be content.
"""

from __future__ import annotations

import base64

from support.hostile_mails import PLAIN, filled, hostile

MIXED = b"Subject: s\r\nContent-Type: multipart/mixed; boundary=BB\r\n\r\n"
AFTER_IT = MIXED + b"--BB\r\n\r\nx\r\n--BB--\r\n"
LINE = base64.b64encode(b"MZ" + bytes(43))


@hostile
def runs_of_base64(size: int) -> bytes:
    unit = len(LINE) + 4
    return PLAIN + b"".join(
        base64.b64encode(b"MZ%043d" % number) + b"\nno\n" for number in range(size // unit)
    )


@hostile
def the_same_run_of_base64(size: int) -> bytes:
    return filled(LINE + b"\nno no\n", size, PLAIN)


@hostile
def delimiters_in_a_text(size: int) -> bytes:
    return filled(b"--x\r\nContent-Type: a/b\r\n\r\ny\r\n", size, PLAIN)


@hostile
def delimiters_and_fields_without_end(size: int) -> bytes:
    return filled(b"--x\r\nA: b\r\n c\r\n", size, PLAIN)


@hostile
def parts_in_the_epilogue(size: int) -> bytes:
    return filled(b"--BB\r\nContent-Type: a/b\r\n\r\ny\r\n", size, AFTER_IT)


@hostile
def delimiters_of_delimiters(size: int) -> bytes:
    unit = b"--BB\r\nContent-Type: text/plain\r\n\r\n--C%07d\r\nContent-Type: a/b\r\n\r\nx\r\n"
    return AFTER_IT + b"".join(unit % number for number in range(size // len(unit)))


@hostile
def fields_in_the_preamble(size: int) -> bytes:
    return filled(b"Content-Type: a/b\r\n\r\n", size, MIXED, b"--BB\r\n\r\nx\r\n--BB--\r\n")


@hostile
def fields_in_the_body(size: int) -> bytes:
    return filled(b"Content-Type: a/b\r\n\r\n", size, PLAIN)


@hostile
def doubtful_parts(size: int) -> bytes:
    fields = b"Content-Type: text/plain\r\nContent-Type: text/html; name='a'; name=b\r\n"
    encodings = b"Content-Transfer-Encoding: 7bit, base64\r\nContent-Transfer-Encoding: (x) qp\r\n"
    return filled(b"--BB\r\n" + fields + encodings + b"\r\nabcd efgh\r\n", size, MIXED)


@hostile
def five_boundaries(size: int) -> bytes:
    head = (
        b"Content-Type: multipart/mixed; boundary=a; boundary=b; boundary=c; boundary=d; boundary=e\r\n\r\n"
    )
    return filled(b"--a\r\n\r\nx\r\n--b\r\n\r\ny\r\n--c\r\n\r\nz\r\n--d\r\n\r\n", size, head)


@hostile
def two_boundaries_at_each_level(size: int) -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n"
    return filled(head, size // 2) + filled(b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n", size // 2)


@hostile
def blocks_of_yenc(size: int) -> bytes:
    return filled(b"=ybegin line=1 name=a\nabc\n=yend\n", size, PLAIN)


@hostile
def block_of_yenc_without_end(size: int) -> bytes:
    return filled(b"=@=}", size, PLAIN + b"=ybegin line=1 name=a\n")


@hostile
def blocks_of_openpgp(size: int) -> bytes:
    return filled(b"-----BEGIN PGP MESSAGE-----\n-----END PGP MESSAGE-----\n", size, PLAIN)


@hostile
def folded_fields(size: int) -> bytes:
    return filled(b" Content-Type: text/plain\r\n", size, b"Subject: s\r\n", b"\r\nx")


@hostile
def carriage_returns_in_a_header(size: int) -> bytes:
    return filled(b"\r\rContent-Type \r", size, b"Subject: s\r\n", b"\r\nX: y\r\n\r\nx")


@hostile
def parameters_of_one_name(size: int) -> bytes:
    return filled(b" name='x'; name*=y; boundary=z(;", size, b"Content-Type: a/b;", b"\r\n\r\nx")


@hostile
def many_texts(size: int) -> bytes:
    return filled(b"--BB\r\nContent-Type: text/html\r\n\r\n<a href=http://a>x\r\n", size, MIXED)


@hostile
def texts_with_the_same_words(size: int) -> bytes:
    half = filled(b"a b ", size // 2)
    return MIXED + b"--BB\r\n\r\n" + half + b"\r\n--BB\r\nContent-Type: text/html\r\n\r\n" + half


@hostile
def text_of_nuls_and_letters(size: int) -> bytes:
    return filled(b"a\0\0", size, PLAIN)


@hostile
def signatures_without_end(size: int) -> bytes:
    head = b"Content-Type: application/pkcs7-mime\r\n\r\n" + bytes.fromhex(
        "308006092a864886f70d010702a0803080020101"
    )
    return filled(b"\x31\x80", size, head)
