"""Messages inside a message, and what else the record of a mail takes from several fields."""

from __future__ import annotations

import base64
import hashlib

import pytest

from support.invariants import check
from zeekpop3.inside import parse

INNER = (
    b"From: Boss <boss@bank.example>\r\nTo: li@a.example\r\nSubject: inner\r\n"
    b"Message-ID: <2@bank.example>\r\n"
    b"Content-Type: text/html\r\n\r\n<p>See <a href='http://evil.example/'>www.bank.com</a></p>"
)


def mixed(*parts: bytes, fields: bytes = b"") -> bytes:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return (
        b"From: a@x.example\r\n"
        + fields
        + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        + body
        + b"--b--\r\n"
    )


def forwarded(inner: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + inner


def test_message_inside_is_a_record_of_its_own() -> None:
    """Its columns are those of a mail; its part, size and hash are those of the attachment that it is."""
    mail = check(mixed(b"\r\nouter\r\n", forwarded(INNER)))
    (inner,) = mail.enclosed
    assert (inner.part, inner.subject, inner.msg_id) == ("2", "inner", "<2@bank.example>")
    assert (inner.size, inner.sha256) == (len(INNER), hashlib.sha256(INNER).hexdigest())
    assert (inner.html_text, inner.text) == ("See www.bank.com", None)
    assert inner.from_mailbox.address == "boss@bank.example"
    assert [(link.site, link.text_site, link.origin) for link in inner.links] == [
        ("evil.example", "bank.com", "html"),
        ("bank.com", None, "shown"),
    ]
    assert [address.address for address in inner.addresses] == ["boss@bank.example", "li@a.example"]
    # What is inside is not the outer mail's.
    assert mail.text == "outer\n"
    assert mail.links == []
    assert [address.address for address in mail.addresses] == ["a@x.example"]


def test_messages_at_any_depth() -> None:
    """A message in a message in a message, encoded or not; each with its own part."""
    inner = mixed(b"\r\nmiddle\r\n", forwarded(INNER))
    encoded = (
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(inner)
    )
    mail = check(mixed(encoded, forwarded(b"Subject: other\r\n\r\nx")))
    assert [(message.part, message.subject) for message in mail.enclosed] == [
        ("1", None), ("1.2", "inner"), ("2", "other"),
    ]  # fmt: skip
    assert mail.enclosed[0].text == "middle\n"
    assert [attachment.part for attachment in mail.attachments] == ["1", "1.2", "2"]


def test_mail_that_is_only_a_message() -> None:
    """The outer mail shows the text of the message inside, as mail programs do; both have it."""
    mail = check(b"Subject: outer\r\nContent-Type: message/rfc822\r\n\r\n" + INNER)
    assert mail.html == mail.enclosed[0].html is not None
    assert (mail.subject, mail.enclosed[0].subject) == ("outer", "inner")


def test_digest_and_other_types() -> None:
    """The parts of a digest are messages (RFC 2046, 5.1.5); so are message/global and message/news."""
    digest = (
        b'Content-Type: multipart/digest; boundary="b"\r\n\r\n--b\r\n\r\nSubject: 1\r\n\r\nx\r\n--b\r\n\r\n'
        b"Subject: 2\r\n\r\ny\r\n--b--\r\n"
    )
    assert [message.subject for message in check(digest).enclosed] == ["1", "2"]
    for kind in (b"message/global", b"message/news"):
        mail = check(mixed(b"Content-Type: " + kind + b"\r\n\r\nSubject: s\r\n\r\nx"))
        assert [message.subject for message in mail.enclosed] == ["s"]


def test_signature_of_a_message_inside() -> None:
    """A forwarded mail is often whole: its signed body is checked as well."""
    body = b"hello\r\n"
    digest = base64.b64encode(hashlib.sha256(body).digest())
    field = b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.example; s=x; b=YWJj; bh=" + digest
    raw = mixed(forwarded(field + b"\r\n\r\nhello\r\n"))
    (signature,) = check(raw).enclosed[0].dkim
    assert signature[:4] == ("a.example", "x", "rsa-sha256", "pass")


@pytest.mark.parametrize(("complete", "exact"), [(False, True), (True, False), (False, False)])
def test_bodies_are_checked_only_if_all_bytes_are_there(complete: bool, exact: bool) -> None:
    """What was cut, or is not byte for byte what the server sent, proves nothing."""
    raw = b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=x; b=YWJj; bh=YWJj\r\n\r\nhello\r\n"
    assert parse(raw).dkim[0].body == "fail"
    assert parse(raw, complete=complete, exact=exact).dkim[0].body is None


@pytest.mark.parametrize(
    ("fields", "root"),
    [
        (b"Message-ID: <1@a>\r\n", "<1@a>"),
        (b"Message-ID: <3@a>\r\nIn-Reply-To: <2@a>\r\n", "<2@a>"),
        (b"Message-ID: <3@a>\r\nIn-Reply-To: <2@a>\r\nReferences: <1@a> <2@a>\r\n", "<1@a>"),
        (b"In-Reply-To: Your message of Monday <2@a>\r\nReferences: \r\n", "<2@a>"),
        (b"References: <1@a><2@a>\r\n", "<1@a>"),
        (b"Message-ID: odd id\r\n", "odd"),
        (b"Message-ID: \r\n", None),
        (b"Subject: x\r\n", None),
    ],
)
def test_thread_id(fields: bytes, root: str | None) -> None:
    """The first Message-ID of the conversation: of References, else of In-Reply-To, else its own."""
    assert check(fields + b"\r\n").thread_id == root


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("a.pdf", "pdf"), ("a.PDF.Exe", "exe"), ("a.tar.gz", "gz"), ("a.exe. .", "exe"), ("a", None),
        (".profile", None), ("a.b c", None), ("a." + "x" * 40, None), ("ä.Ä", "ä"), ("x/y.z/a", None),
    ],
)  # fmt: skip
def test_extension(name: str, extension: str | None) -> None:
    """In lower case; none where Windows sees none."""
    raw = b'Content-Type: application/x-a; name="' + name.encode() + b'"\r\n\r\nx'
    (attachment,) = check(raw).attachments
    assert attachment.extension == extension


def test_first_mailboxes_of_the_record() -> None:
    """The columns take the first mailbox of a field; a field that is not there has none."""
    mail = check(b"From: A <a@x.example>, b@y.example\r\nReply-To: c@evil.example\r\nReturn-Path: <>\r\n\r\n")
    assert (mail.from_mailbox.name, mail.from_mailbox.site) == ("A", "x.example")
    assert mail.reply_to_mailbox.domain == "evil.example"
    assert mail.return_path_mailbox.address is None
    assert mail.sender_mailbox.address is None


def test_urls_are_those_of_the_links() -> None:
    """`urls` names each URL once, in the order of `links`."""
    html = b'<a href="http://a.example/">1</a><a href="http://a.example/">2</a><img src="http://b.example/">'
    mail = check(b"Content-Type: text/html\r\n\r\n" + html)
    assert [link.text for link in mail.links] == ["1", "2", None]
    assert mail.urls == ["http://a.example/", "http://b.example/"]


@pytest.mark.parametrize("kind", ["message/rfc822", "message/partial; number=1", "message/partial"])
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_message_in_a_transfer_encoding_is_a_defect(kind: str, encoding: str) -> None:
    """RFC 2046, section 5.2, forbids it: some programs decode it, others show what is written."""
    content = b"Subject: x\r\n\r\nhello\r\n"
    body = base64.b64encode(content) if encoding == "base64" else content
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: "
    assert "message_encoded" in parse(f"{head}{encoding}\r\n\r\n".encode() + body).defects
    assert "message_encoded" not in parse(f"{head}8bit\r\n\r\n".encode() + content).defects
