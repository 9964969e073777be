"""The budget of a mail: counted work, kept content, hashes of signatures; the clock as last resort."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading

import pytest

from support.hostile_contents import TNEF, attached, attribute, rtf_attribute
from support.invariants import check
from zeekpop3.inside import parse
from zeekpop3.message import budget, mail

HEAD = b"From: a@b.example\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nSubject: s\r\n"
MESSAGE = b"Content-Type: message/rfc822\r\n\r\n"
WORK = HEAD + b"Content-Type: text/plain\r\n\r\n" + b"x" * 5_000


def nested(levels: int, size: int) -> bytes:
    """A message in messages, with a file of `size` bytes in the innermost one."""
    data = base64.encodebytes(os.urandom(size)).replace(b"\n", b"\r\n")
    file = b"Content-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data
    return HEAD + MESSAGE * levels + file


def test_mail_over_budget_keeps_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same step ends the mail each time; the header was read before."""
    monkeypatch.setattr(budget, "WORK_AT_LEAST", 0)
    monkeypatch.setattr(budget, "WORK_PER_BYTE", 1)
    first, second = check(WORK), check(WORK)
    assert first == second
    assert first.defects == ["parse_limited"]
    assert (first.subject, first.from_mailbox.address, first.text) == ("s", "a@b.example", None)


def test_whole_mail_is_within_its_budget() -> None:
    """A mail as usual is not limited, and none is after one that was."""
    assert "parse_limited" not in check(WORK).defects


def test_searches_for_delimiters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A multipart in more multiparts than may be searched is not divided, and that is a defect."""
    monkeypatch.setattr(budget, "SEARCHED_AT_LEAST", 0)
    monkeypatch.setattr(budget, "SEARCHED_PER_BYTE", 4)
    level = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    file = b"Content-Type: a/b\r\n\r\n" + b"x" * 5_000
    for levels, is_read in ((3, True), (9, False)):
        found = check(HEAD + b"".join(level % (i, i) for i in range(levels)) + file)
        assert ("nesting_cut" not in found.defects) == is_read
        assert (len(found.attachments) == 1) == is_read


HTML = b"Content-Type: text/html\r\n\r\n"
UUENCODE = b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\n"
LIMITS = {
    "MAX_TAGS": (HTML + b"<b>a<b>b<b>c", "urls_cut"),
    "MAX_ELEMENTS": (HTML + b"<img src=//a><img src=//b><img src=//c>", "urls_cut"),
    "MAX_REFERENCES": (HTML + b"&lt;&gt;&amp;", "urls_cut"),
    "MAX_URLS": (b"\r\nhttp://a/ http://a/ http://a/", "urls_cut"),
    "MAX_LINES": (b"Content-Type: text/plain; format=flowed\r\n\r\na \nb \nc \n", "urls_cut"),
    "MAX_WORDS": (b"Subject: " + b"=?utf-8?q?a?= x " * 3 + b"\r\n\r\n", "encoded_word_broken"),
    "MAX_PARAMETERS": (
        b"Content-Disposition: attachment" + b"; a=b" * 30 + b"; filename=c\r\n\r\nx", "parameter_malformed",
    ),
    "MAX_TOKENS": (b"To: (a) b@c, (d) e@f\r\n\r\n", "addresses_cut"),
    "MAX_PROPERTIES": (
        attached(TNEF + 3 * attribute(0x0002800C, b"x"), "winmail.dat"), "attachment_unpack_failed",
    ),
    "MAX_PACKED_RTF": (
        attached(TNEF + rtf_attribute(b"\0abcdefgh"), "winmail.dat"), "attachment_unpack_failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_limits_of_a_mail(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more than a mail may have is left out, and that is a defect; the mail is read on."""
    raw, defect = LIMITS[name]
    assert defect not in check(HEAD + raw).defects
    monkeypatch.setattr(budget, name, 2)
    found = check(HEAD + raw)
    assert defect in found.defects
    assert "parse_limited" not in found.defects
    # The same in several parts: the limit is that of the mail.
    if raw.startswith(HTML):
        body = raw.removeprefix(HTML)
        part = b"--b\r\n" + HTML + body[: len(body) * 2 // 3]
        head = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        assert defect in check(head + part + b"\r\n" + part + b"\r\n--b--").defects


def test_broken_characters_are_replaced_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a text with more of them each byte is a character."""
    raw = b"Content-Type: text/plain; charset=utf-7\r\n\r\n\xff\xff\xffabc"
    assert check(raw).text == "\ufffd\ufffd\ufffdabc"
    monkeypatch.setattr(budget, "MAX_BROKEN", 2)
    assert (check(raw).text, check(raw).defects) == ("\xff\xff\xffabc", ["charset_broken"])


def test_messages_in_messages_are_opened_as_far_as_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded, each of them is as large as the mail: some levels are read, then they are only attachments."""
    monkeypatch.setattr(budget, "OPENED_AT_LEAST", 0)
    encoded = MESSAGE[:-2] + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    found = check(HEAD + 12 * encoded + WORK)
    assert "nesting_cut" in found.defects
    assert 3 <= len(found.enclosed) <= 5
    assert "nesting_cut" not in check(HEAD + 2 * encoded + WORK).defects


def test_clock_ends_a_mail_where_work_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `watch`, the clock is looked at while work is counted."""
    monkeypatch.setattr(budget, "SECONDS_AT_LEAST", -1.0)
    monkeypatch.setattr(budget, "_LOOK_EVERY", 1)
    assert "parse_limited" in parse(WORK).defects


def test_content_of_messages_in_messages_is_not_multiplied() -> None:
    """Twenty levels: the file is kept, the messages around it only as far as four times the mail."""
    raw = nested(20, 300_000)
    found = parse(raw, content=True)
    kept = [attachment for attachment in found.attachments if attachment.content is not None]
    assert sum(len(attachment.content or b"") for attachment in kept) <= 4 * len(raw) + budget.KEPT_AT_LEAST
    assert kept[-1].content_type == "application/x-a"
    assert len(kept) < len(found.attachments)
    assert "parse_limited" in found.defects
    assert all(attachment.sha256 and attachment.size for attachment in found.attachments)
    assert "parse_limited" not in parse(nested(2, 300_000), content=True).defects


def test_signatures_in_messages_are_not_hashed_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight hashes for each of twenty levels would be 160; the mail has as many as if it were not nested."""
    signatures = b"".join(
        b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=b; l=%d; bh=QQ==; b=QQ==\r\n" % n
        for n in range(8)
    )
    hashed: list[int] = []
    may_hash = budget.Budget.may_hash

    def counted(self: budget.Budget, size: int) -> bool:
        allowed = may_hash(self, size)
        hashed.append(size if allowed else 0)
        return allowed

    monkeypatch.setattr(budget.Budget, "may_hash", counted)
    raw = HEAD + (signatures + MESSAGE) * 20 + HEAD + b"\r\n" + b"x" * 100_000
    found = parse(raw)
    assert 4 * len(raw) < sum(hashed) <= 8 * len(raw)
    assert any("dkim_cut" in message.defects for message in found.enclosed)


def test_threads_have_budgets_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that one thread parses does not use up the budget of another's."""
    seen: list[object] = []

    def slow(*_: object) -> None:
        monkeypatch.undo()
        other = threading.Thread(target=lambda: seen.append(parse(WORK).defects))
        other.start()
        other.join()
        raise budget.OverBudget

    monkeypatch.setattr(mail, "instant", slow)
    assert parse(WORK).defects == ["parse_limited"]
    assert seen == [[]]
    assert parse(WORK).defects == []


SLOW_EXPRESSION = """
import re, sys, time
from zeekpop3.inside import parse
from zeekpop3.message import budget, mail
budget.SECONDS_AT_LEAST = 0.5
budget.watch()
collect = mail.links.collect
mail.links.collect = lambda *_: re.match("(a+)+b", "a" * 60)
found = parse(b"Subject: s\\r\\n\\r\\n")
mail.links.collect = collect
print(found.subject, *found.defects)
print(*parse(b"Subject: t\\r\\n\\r\\n").defects)
began = time.process_time()
while time.process_time() < began + 1.5:
    pass  # outside of a mail nothing is ended
print("end")
"""


@pytest.mark.slow
def test_watch_ends_a_mail_within_an_expression() -> None:
    """A single search that would take years is ended by the timer; the next mail is read as usual."""
    done = subprocess.run(
        [sys.executable, "-c", SLOW_EXPRESSION], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines() == ["s parse_limited", "", "end"], done.stderr
