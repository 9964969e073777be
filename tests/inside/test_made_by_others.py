"""Mails that the standard library writes come back as what was put into them."""

from __future__ import annotations

import datetime
import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.invariants import check

# What a header can hold: no controls, no line ends of any kind.
PRINTABLE = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
WORDS = st.text(PRINTABLE, max_size=60)
NAMES = st.text(PRINTABLE, max_size=20).map(str.strip)
LOCAL = st.from_regex(r"[a-z][a-z0-9+-]{0,8}(\.[a-z0-9]{1,4})?", fullmatch=True)
DOMAIN = st.sampled_from(["a.example", "xn--bcher-kva.example", "[192.0.2.1]"])
ONE = st.builds(Address, NAMES, LOCAL, DOMAIN)
# Of several with names that it encodes and folds, the standard library may encode the comma, too.
SEVERAL = st.lists(
    st.builds(Address, st.text("aB ,;:.()<>@\"\\'[]", max_size=9).map(str.strip), LOCAL, DOMAIN), max_size=4
)
# Lines end with LF in what is put in and in what comes out; a bare CR would be one more line end.
# NULs are a defect: programs differ in what they make of them.
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0"), max_size=200)
ENCODINGS = st.sampled_from(["quoted-printable", "base64", "8bit"])
FILE_NAMES = st.text(PRINTABLE, min_size=1, max_size=30).map(str.strip).filter(bool)
FILES = st.lists(st.tuples(FILE_NAMES, st.binary(max_size=300)), max_size=3)
DATES = st.datetimes(
    datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC)
).map(lambda moment: moment.replace(microsecond=0))


def bare(text: str | None) -> str:
    """Without white space: where it is folded, the standard library drops and adds some."""
    return "".join((text or "").split())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORDS, ONE, SEVERAL, DATES, TEXT, TEXT, ENCODINGS, FILES)
def test_what_was_put_in_comes_out(
    subject: str,
    sender: Address,
    to: list[Address],
    date: datetime.datetime,
    text: str,
    html: str,
    encoding: Any,
    files: list[tuple[str, bytes]],
) -> None:
    """Subject, people, date, both bodies and every file, however they are encoded."""
    made = EmailMessage(policy=SMTP)
    made["Subject"] = subject
    made["From"] = sender
    made["To"] = to
    made["Date"] = date
    made.set_content(text, cte=encoding)
    made.add_alternative(html, subtype="html", cte=encoding)
    for name, data in files:
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    mail = check(made.as_bytes())

    assert bare(mail.subject) == bare(subject)
    assert mail.date == int(date.timestamp()) * 1_000_000
    for entry, address in zip([mail.from_ or "", *(mail.to or [])], [sender, *to], strict=True):
        assert entry.endswith((f"<{address.addr_spec}>", address.addr_spec))
        name = entry.removesuffix(f"<{address.addr_spec}>") if address.display_name else ""
        assert unquoted(bare(name)) == bare(address.display_name)
    assert mail.text == text + "\n" * (not text.endswith("\n"))
    assert mail.html == html + "\n" * (not html.endswith("\n"))
    assert [file.sha256 for file in mail.attachments] == [
        hashlib.sha256(data).hexdigest() for _, data in files
    ]
    assert [bare(file.filename_raw) for file in mail.attachments] == [bare(name) for name, _ in files]
    assert mail.defects == []


def unquoted(name: str) -> str:
    if name[:1] == '"' == name[-1:] and len(name) > 1:
        name = name[1:-1].replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
    return name
