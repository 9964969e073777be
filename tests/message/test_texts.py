"""Every text that a mail program shows is in the record: all plain texts, all HTML, any other text as an
attachment.
"""

from __future__ import annotations

import pytest

from support.invariants import check

HIDDEN = "see http://hidden.example/x"


def entity(kind: str, content: str, *fields: str) -> str:
    return "\r\n".join([f"Content-Type: {kind}", *fields, "", content])


def multipart(kind: str, *parts: str, boundary: str = "BB") -> str:
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return entity(f"multipart/{kind}; boundary={boundary}", f"{body}--{boundary}--\r\n")


PLAIN, HTML = entity("text/plain", "first"), entity("text/html", "<p>first</p>")


@pytest.mark.parametrize("kind", ["mixed", "alternative", "related", "signed", "parallel"])
def test_second_plain_text(kind: str) -> None:
    """Of alternatives, too: the sender chooses which of them is harmless."""
    mail = check(multipart(kind, PLAIN, entity("text/plain", HIDDEN)).encode())
    assert (mail.text, mail.urls) == (f"first\n\n{HIDDEN}", ["http://hidden.example/x"])
    assert (mail.attachments, mail.defects) == ([], [])


@pytest.mark.parametrize("kind", ["mixed", "alternative", "related"])
def test_second_html(kind: str) -> None:
    """Its links and its visible text count, whatever the first one leaves open."""
    second = '<p>second <a href="http://hidden.example/">x</a></p>'
    for first in ("<p>first</p>", "<p>first</p><!-- open", "<p>first</p><script>open", "<p>first<a title='"):
        mail = check(multipart(kind, entity("text/html", first), entity("text/html", second)).encode())
        assert mail.html == f"{first}\n\n{second}"
        assert mail.html_text is not None
        assert mail.html_text.startswith("first")
        assert mail.html_text.endswith("\n\nsecond x")
        assert mail.urls == ["http://hidden.example/"]


def test_texts_between_images() -> None:
    """Text, image, text, as phones send it; blank texts between images add nothing."""
    image = entity("image/png; name=a.png", "x")
    blank = entity("text/plain", "\r\n")
    mail = check(multipart("mixed", blank, image, PLAIN, image, blank, entity("text/plain", "last")).encode())
    assert (mail.text, len(mail.attachments)) == ("first\n\nlast", 2)
    assert check(multipart("mixed", blank, image, blank).encode()).text == "\n"


def test_footer_of_a_list_behind_html() -> None:
    """The HTML is one thing, the plain text of the footer another; both are there."""
    mail = check(multipart("mixed", HTML, entity("text/plain", HIDDEN)).encode())
    assert (mail.html, mail.html_text, mail.text) == ("<p>first</p>", "first", HIDDEN)
    assert mail.urls == ["http://hidden.example/x"]


def test_visible_text_of_html_with_the_words_of_the_text() -> None:
    """It is left out only where it says nothing else."""
    for text, expected in (
        ("Hello, *world*!\r\n", None),
        ("hello world", "Hello world"),
        ("Hello", "Hello world"),
        ("Hello world and more", "Hello world"),
        ("", "Hello world"),
    ):
        raw = multipart("alternative", entity("text/plain", text), entity("text/html", "<b>Hello</b> world"))
        assert check(raw.encode()).html_text == expected


@pytest.mark.parametrize(
    "kind",
    ["text/calendar; method=REQUEST", "text/enriched", "text/richtext", "text/x-amp-html", "text/rtf",
     "text/vbscript", "text/rfc822-headers", "text/css", "text/vcard", "message/delivery-status"],
)  # fmt: skip
def test_other_texts_are_attachments(kind: str) -> None:
    """Named or not, with a hash; the plain text beside them stays the text."""
    mail = check(multipart("alternative", PLAIN, entity(kind, HIDDEN)).encode())
    (file,) = mail.attachments
    assert (file.part, file.content_type, file.content) == ("2", kind.partition(";")[0], HIDDEN.encode())
    assert mail.text == "first"


def test_other_text_alone_is_text_and_attachment() -> None:
    """RFC 2046, section 4.1.4: an unknown subtype is shown as plain text."""
    mail = check(entity("text/enriched", "<bold>x</bold>").encode())
    assert (mail.text, [file.content for file in mail.attachments]) == (
        "<bold>x</bold>",
        [b"<bold>x</bold>"],
    )


def test_start_of_a_related() -> None:
    """Some programs follow `start`, others show the first part: both are texts."""
    parts = (entity("text/html", "<p>decoy</p>", "Content-ID: <a>"), entity("text/html", "<p>x</p>"))
    mail = check(multipart('related; start="<a>"', *parts).encode())
    assert mail.html_text == "decoy\n\nx"
    assert check(multipart("related", PLAIN, HTML).encode()).text == "first"


@pytest.mark.parametrize("field", ["Content-Disposition: inline; filename=a.html", "X-A: b"])
def test_html_with_a_file_name(field: str) -> None:
    """A body that is marked inline is shown; with a name it can be saved, too."""
    mail = check(entity("text/html", "<p>x</p>", field).encode())
    assert (mail.html_text, len(mail.attachments)) == ("x", int("filename" in field))


def test_text_marked_as_attachment_is_no_text() -> None:
    """It is offered, and not shown as the mail's own text."""
    marked = entity("text/plain", HIDDEN, "Content-Disposition: attachment")
    mail = check(multipart("mixed", PLAIN, marked).encode())
    assert (mail.text, [file.content for file in mail.attachments]) == ("first", [HIDDEN.encode()])


def test_texts_of_a_message_inside() -> None:
    """All of its texts are its own; they are the mail's only where the mail has none."""
    inner = "Subject: i\r\n" + multipart("mixed", PLAIN, entity("text/plain", HIDDEN), boundary="II")
    for first, text in ((entity("text/plain", "outer"), "outer"), (entity("image/png", "x"), None)):
        mail = check(multipart("mixed", first, entity("message/rfc822", inner)).encode())
        assert mail.enclosed[0].text == f"first\n\n{HIDDEN}"
        assert mail.text == (text or mail.enclosed[0].text)


def test_multipart_without_its_boundary_is_a_text() -> None:
    """Beside another text, too: its bytes are shown and not lost."""
    inner = entity("multipart/mixed; boundary=none", HIDDEN)
    mail = check(multipart("mixed", PLAIN, inner).encode())
    assert (mail.text, mail.defects) == (f"first\n\n{HIDDEN}", ["boundary_missing"])


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("label", ["; charset=iso-8859-1", "; charset=utf-8", ""])
def test_wide_characters_with_another_label(codec: str, label: str) -> None:
    """A byte order mark says more than the label; so do the places of the NULs."""
    data = f"<a href='{HIDDEN[4:]}'>x</a>".encode(codec)
    mail = check(f"Content-Type: text/html{label}\r\n\r\n".encode() + data)
    assert mail.urls == [HIDDEN[4:]]
    assert mail.defects == ["charset_wrong"]


@pytest.mark.parametrize("label", ["utf-16", "utf-16be", "utf-32", "ucs-2", "unicode", "=?utf-8?q?utf-16?="])
@pytest.mark.parametrize("codec", ["ascii", "utf-8", "latin-1"])
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_narrow_characters_with_a_wide_label(label: str, codec: str, kind: str) -> None:
    """Programs that do not know the label show the text as it is; so does the record."""
    last = "a" if codec == "ascii" else "\xe4"
    data = f"<a href='{HIDDEN[4:]}'>some more words {last}</a>".encode(codec)
    mail = check(f'Content-Type: text/{kind}; charset="{label}"\r\n\r\n'.encode() + data)
    assert mail.urls == [HIDDEN[4:]]
    assert "charset_wrong" in mail.defects


@pytest.mark.parametrize("label", ["utf-16", "utf-16le"])
def test_wide_text_without_nuls(label: str) -> None:
    """East Asian text in UTF-16 is not taken for something else."""
    text = "\u4f60\u597d\u4e16\u754c\u3002" * 20
    head = f"Content-Type: text/plain; charset={label}\r\n\r\n".encode()
    mail = check(head + text.encode("utf-16-le"))
    assert (mail.text, mail.defects) == (text, [])


@pytest.mark.parametrize(
    ("label", "defect"), [("", "charset_guessed"), ("; charset=us-ascii", "charset_wrong")]
)
@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("iso2022_jp", "\u30b7\u30cb\u30a2 http://a.example/"),
        ("iso2022_kr", "\ud55c\uad6d http://a.example/"),
    ],
)
def test_escape_sequences_without_their_label(label: str, defect: str, codec: str, text: str) -> None:
    """Programs go by the escape sequences."""
    mail = check(f"Content-Type: text/plain{label}\r\n\r\n".encode() + text.encode(codec))
    assert (mail.text, mail.urls, mail.defects) == (text, ["http://a.example/"], [defect])


def test_characters_of_windows_in_iso_2022_jp() -> None:
    """Mail programs write them as if they were of JIS X 0208; what is broken still has a defect."""
    head = b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
    mail = check(head + b"\x1b$B-!3t-b\x1b(B and \x1b(I1\x1b(B")
    assert (mail.text, mail.defects) == ("\u2460\u682a\u2116 and \uff71", [])
    assert check(head + b"\x1b$B-!3\x1b(B and").defects == ["charset_broken"]


@pytest.mark.parametrize("codec", ["shift_jis", "euc_jp", "utf-8"])
def test_other_japanese_text_with_the_label_of_iso_2022_jp(codec: str) -> None:
    text = "\u304a\u540d\u524d\u306f\u5c71\u7530\u592a\u90ce\u3067\u3059\u3002" * 4
    head = b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
    mail = check(head + text.encode(codec))
    assert (mail.text, mail.defects) == (text, ["charset_wrong"])


def test_other_escape_sequences_are_left_alone() -> None:
    """Those of terminals."""
    mail = check(b"Content-Type: text/plain\r\n\r\n\x1b[31mred\x1b[0m $B")
    assert (mail.text, mail.defects) == ("\x1b[31mred\x1b[0m $B", [])


def test_nul_in_a_text_is_told() -> None:
    """Programs leave it out."""
    assert check(b"Subject: s\r\n\r\nht\0tp://a.example/").defects == ["charset_wrong"]


def test_utf_16_as_labelled() -> None:
    """It is what it says."""
    head = b"Content-Type: text/plain; charset=utf-16\r\n\r\n"
    mail = check(head + "hello".encode("utf-16"))
    assert (mail.text, mail.defects) == ("hello", [])
