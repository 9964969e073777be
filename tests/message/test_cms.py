"""Opaque S/MIME signatures are unwrapped like a multipart; what cannot be opened says why."""

from __future__ import annotations

import base64

import pytest

from support.invariants import check
from zeekpop3.message import cms

SIGNED, ENVELOPED, DATA = "2a864886f70d010702", "2a864886f70d010703", "2a864886f70d010701"
AUTH_ENVELOPED, COMPRESSED = "2a864886f70d0109100117", "2a864886f70d0109100109"
INNER = (
    b"Content-Type: multipart/mixed; boundary=BB\r\n\r\n--BB\r\nContent-Type: text/plain\r\n\r\n"
    b"see http://hidden.example/\r\n--BB\r\nContent-Type: a/b; name=evil.exe\r\n\r\nMZ\r\n--BB--\r\n"
)


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes((size,)) if size < 128 else b"\x84" + size.to_bytes(4, "big")
    return bytes((tag,)) + length + content


def endless(tag: int, content: bytes) -> bytes:
    """Of indefinite length (BER)."""
    return bytes((tag, 0x80)) + content + b"\0\0"


def pieces(content: bytes) -> bytes:
    return b"".join(tlv(0x04, content[at : at + 50]) for at in range(0, len(content), 50))


def der(kind: str, content: bytes) -> bytes:
    return tlv(0x30, tlv(0x06, bytes.fromhex(kind)) + tlv(0xA0, content))


def ber(kind: str, content: bytes) -> bytes:
    return endless(0x30, tlv(0x06, bytes.fromhex(kind)) + endless(0xA0, content))


HEAD = tlv(0x02, b"\1") + tlv(0x31, tlv(0x30, tlv(0x06, b"\x60\x86")))
OID = tlv(0x06, bytes.fromhex(DATA))
DER = der(SIGNED, tlv(0x30, HEAD + tlv(0x30, OID + tlv(0xA0, tlv(0x04, INNER))) + tlv(0x31, b"")))
FORMS = {
    "der": DER,
    "octets-in-pieces": der(SIGNED, tlv(0x30, HEAD + tlv(0x30, OID + tlv(0xA0, tlv(0x24, pieces(INNER)))))),
    "indefinite": ber(
        SIGNED,
        endless(
            0x30, HEAD + endless(0x30, OID + endless(0xA0, endless(0x24, pieces(INNER)))) + tlv(0x31, b"")
        ),
    ),
    "indefinite-algorithms": ber(
        SIGNED,
        endless(
            0x30,
            tlv(0x02, b"\1")
            + endless(0x31, endless(0x30, tlv(0x06, b"\x60")))
            + endless(0x30, OID + endless(0xA0, tlv(0x04, INNER))),
        ),
    ),
    "pieces-of-pieces": ber(
        SIGNED,
        endless(0x30, HEAD + endless(0x30, OID + endless(0xA0, endless(0x24, tlv(0x24, pieces(INNER)))))),
    ),
    "cut-off": DER[: DER.index(b"--BB--") + 8],
}


def mail_of(
    data: bytes, kind: str = "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m"
) -> bytes:
    head = f"Subject: s\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    return head + base64.encodebytes(data)


@pytest.mark.parametrize("form", FORMS)
def test_signed_message_is_unwrapped(form: str) -> None:
    """Text, links and attachments inside are the mail's; the signed file itself is a row, too."""
    mail = check(mail_of(FORMS[form]))
    assert mail.text is not None
    assert mail.text.strip() == "see http://hidden.example/"
    assert mail.urls == ["http://hidden.example/"]
    assert [(file.part, file.content, file.inside) for file in mail.attachments] == [
        ("1", FORMS[form], None),
        ("1.1.2", b"MZ", None),
    ]
    assert mail.defects == []


@pytest.mark.parametrize(
    "kind",
    ["application/x-pkcs7-mime", "application/pkcs7-mime", "application/octet-stream; name=smime.p7m"],
)
def test_spellings_of_the_type(kind: str) -> None:
    """Old names, and the file name alone (RFC 8551, section 3.2.1)."""
    assert check(mail_of(DER, kind)).urls == ["http://hidden.example/"]


@pytest.mark.parametrize(
    ("data", "inside"),
    [
        (der(ENVELOPED, tlv(0x30, b"x")), "encrypted"),
        (ber(ENVELOPED, tlv(0x30, b"x")), "encrypted"),
        (der(AUTH_ENVELOPED, tlv(0x30, b"x")), "encrypted"),
        (der(COMPRESSED, tlv(0x30, b"x")), "unsupported"),
        (der("2a03", tlv(0x30, b"x")), "broken"),
        (b"no DER at all", "broken"),
        (DER[:20], "broken"),
        (der(SIGNED, tlv(0x30, HEAD + tlv(0x30, OID))), None),
    ],
)
def test_what_is_not_opened_says_why(data: bytes, inside: str | None) -> None:
    """Encrypted, compressed, damaged; a detached signature has nothing inside."""
    (file,) = check(mail_of(data)).attachments
    assert (file.inside, file.content) == (inside, data)


def test_signed_within_signed() -> None:
    """As deep as parts may be nested."""
    inner = der(SIGNED, tlv(0x30, HEAD + tlv(0x30, OID + tlv(0xA0, tlv(0x04, mail_of(DER))))))
    assert check(mail_of(inner)).urls == ["http://hidden.example/"]


@pytest.mark.parametrize(
    "unit", [b"\x30\x80", b"\x24\x80", b"\x31\x80", b"\0\0", b"\x04\0", b"\xff", b"\x30\x84\xff\xff\xff\xff"]
)
def test_hostile_structures_end(unit: bytes) -> None:
    """Nesting, lengths and ends that lead nowhere."""
    for start in (b"", DER[:40], ber(SIGNED, b"")[:17] + b"\x30\x80\x02\x01\x01"):
        content, inside = cms.opened(start + unit * 200_000)
        assert content is None or len(content) <= 200_000 * len(unit)
        assert inside in (None, "broken")


@pytest.mark.parametrize("end", [b"-----END PGP MESSAGE-----", b""])
def test_encrypted_with_openpgp(end: bytes) -> None:
    """RFC 3156: the version part holds nothing, the other one is encrypted."""
    raw = (
        b'Content-Type: multipart/encrypted; boundary=BB; protocol="application/pgp-encrypted"\r\n\r\n'
        b"--BB\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
        b"--BB\r\nContent-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nabcd\r\n"
        + end
        + b"\r\n--BB--\r\n"
    )
    assert [file.inside for file in check(raw).attachments] == [None, "encrypted"]
