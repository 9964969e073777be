"""Header fields: folding, decoding, addresses, dates, hops; each case is a form that real mail has."""

from __future__ import annotations

import datetime

import pytest

from support.invariants import check


def subject(raw: bytes) -> str | None:
    return check(b"Subject: " + raw + b"\r\n\r\n").subject


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"=?iso-8859-1?q?caf=E9?=", "café"),
        (b"=?UTF-8?B?w6Q=?= =?UTF-8?B?w7Y=?=", "äö"),
        (b"=?utf-8?q?one?= two =?utf-8?q?three?=", "one two three"),
        (b"=?utf-8?b?w6Qgw?=\r\n =?utf-8?b?7Y=?=", "ä ö"),
        (b"=?utf-8?q?=E2=82?=\r\n =?utf-8?q?=AC?=", "€"),
        (b"=?utf-8*en?q?language?=", "language"),
        (b"=?utf-8?q?with spaces in it?=", "with spaces in it"),
        (b'"=?utf-8?q?quoted?="', '"quoted"'),
        (b"x=?utf-8?q?glued?=y", "xgluedy"),
        (b"=?utf-8?q?what??=", "what?"),
        (b"=?utf-8?b?w6Q?=", "ä"),
        (b"=?utf-8?x?nothing?=", "=?utf-8?x?nothing?="),
        (b"=?utf-8?q?never closed", "=?utf-8?q?never closed"),
        ("grüße".encode(), "grüße"),
        ("grüße".encode("latin-1"), "grüße"),
        (b"=?iso-8859-1?q?Fr\xf6sche?=", "Frösche"),
        (b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?gb2312?b?1tC5+g==?=", "中国"),
        (b"=?ks_c_5601-1987?b?x9GxuQ==?=", "한국"),
        (b"=?windows-1251?q?=CC=E8=F0?=", "Мир"),
        (b"=?iso-8859-1?q?it=92s?=", "it’s"),
        (b"=?utf-7?q?+2AA-?=", "\ufffd"),
        (b"=?utf-8?q?=F0=9F=93=A7?=", "📧"),
    ],
)
def test_subject_is_decoded(raw: bytes, text: str) -> None:
    """RFC 2047 and what mail programs make of it; raw 8-bit; charsets under the names that mail uses."""
    assert subject(raw) == text


def test_fields_are_unfolded_and_all_kept() -> None:
    """Folds go, their white space stays; the order and the letters of names are kept, duplicates, too."""
    mail = check(b"Subject: a\r\n b\r\n\tc\r\nX-One: 1\r\nsubject : second\r\n\r\n")
    assert mail.header_names == ["Subject", "X-One", "subject"]
    assert mail.header_values == ["a b\tc", "1", "second"]
    assert (mail.subject, mail.defects) == ("a b\tc", ["duplicate_header"])


def test_empty_is_not_absent() -> None:
    """A field without a value is an empty text, or a list without members; one that is not there is None."""
    mail = check(b"Subject:\r\nTo: undisclosed-recipients:;\r\n\r\n")
    assert (mail.subject, mail.to, mail.cc, mail.reply_to) == ("", [], None, None)


def test_mbox_lines_and_lines_that_are_no_fields() -> None:
    """Separators of mailbox files are not fields; parsing continues."""
    mail = check(b"From a@b Mon Jan  1 10:00:00 2024\r\nFrom: a@b\r\n>From x@y\r\nSubject: s\r\n\r\nbody")
    assert (mail.from_, mail.subject, mail.text) == ("a@b", "s", "body")


def test_header_without_blank_line_ends_where_text_begins() -> None:
    """A line that is not a field, without a field after it, begins the text."""
    mail = check(b"Subject: s\r\nDear all,\r\nthis is text.\r\n\r\nmore")
    assert (mail.subject, mail.text) == ("s", "Dear all,\nthis is text.\n\nmore")


@pytest.mark.parametrize(
    ("raw", "entries"),
    [
        (b"a@b.example", ["a@b.example"]),
        (b"A B <a@b>, c@d", ["A B <a@b>", "c@d"]),
        (b'"B, A" <a@b>, "C\\"D" <c@d>', ['"B, A" <a@b>', '"C\\"D" <c@d>']),
        (b"a@b (Anna, of b), c@d", ["a@b (Anna, of b)", "c@d"]),
        (b"a@b ((nested, (deep)) comment), c@d", ["a@b ((nested, (deep)) comment)", "c@d"]),
        (b"Team: a@b, C <c@d>;, e@f", ["a@b", "C <c@d>", "e@f"]),
        (b"undisclosed-recipients:;", []),
        (b"(no To-header on input)", []),
        (b"(a) Team (b) : a@b (c) , (d) (e(f)) ; (g)", ["a@b (c)"]),
        (b"(a) b@c, (d", ["(a) b@c", "(d"]),
        (b"=?utf-8?q?M=C3=BCller=2C_A?= <a@b>, c@d", ["Müller, A <a@b>", "c@d"]),
        ("jürgen@exämple.de".encode(), ["jürgen@exämple.de"]),
        (b'"quoted local"@b.example', ['"quoted local"@b.example']),
        (b"<@relay,@other:a@b>, c@d", ["<@relay,@other:a@b>", "c@d"]),
        (b"a@[IPv6:2001:db8::1]", ["a@[IPv6:2001:db8::1]"]),
        (b"a@x b@y", ["a@x", "b@y"]),
        (b'A B <a@b> "C, D" <c@d>, e@f', ["A B <a@b>", '"C, D" <c@d>', "e@f"]),
        (b"=?utf-8?q?M=C3=BC?= <a@b>  C <c@d>", ["Mü <a@b>", "C <c@d>"]),
        (b"=?utf-8?q?M=C3=BC?= <a@b> =?utf-8?q?=2C?= C <c@d>", ["Mü <a@b>", "C <c@d>"]),
        (b"a@b <a@b.example>", ["a@b <a@b.example>"]),
        (b",, a@b,,", ["a@b"]),
        (b"A: =?utf-8?q?B:_=C3=BC?= <a@b>, =?utf-8?q?C:D?= <c@d>;", ["B: ü <a@b>", "C:D <c@d>"]),
        (b"=?utf-8?q?C:D?= =?q <c@d>, =?=?e@f", ["C:D =?q <c@d>", "=?=?e@f"]),
    ],
)  # fmt: skip
def test_addresses(raw: bytes, entries: list[str]) -> None:
    """One entry for each mailbox, as written, decoded after it was split."""
    assert check(b"To: " + raw + b"\r\n\r\n").to == entries


def test_all_fields_of_recipients_count() -> None:
    """Several To fields are taken together, as mail programs and Zeek do."""
    assert check(b"To: a@b\r\nTo: c@d\r\n\r\n").to == ["a@b", "c@d"]


@pytest.mark.parametrize(
    ("raw", "utc"),
    [
        ("Mon, 29 Jul 2002 11:28:02 +0100", "2002-07-29T10:28:02"),
        ("29 Jul 2002 11:28 -0330", "2002-07-29T14:58:00"),
        ("Mon, 29 Jul 02 11:28:02 GMT", "2002-07-29T11:28:02"),
        ("Mon, 29 Jul 102 11:28:02 EST", "2002-07-29T16:28:02"),
        ("Mon, 29 Jul 2002 11:28:02 PM -0500", "2002-07-30T04:28:02"),
        ("Mon, 29 Jul 2002 12:28AM EST", "2002-07-29T05:28:00"),
        ("Mon, 29 Jul 2002 12:28 p.m.", "2002-07-29T12:28:00"),
        ("Mon, 29 Jul 2002 23:28:02 PM +0100", "2002-07-29T22:28:02"),
        ("Monday, July 29, 2002 9:28 PM", "2002-07-29T21:28:00"),
        ("Mon, 29 Jul 2002 11:28:02 +01:00", "2002-07-29T10:28:02"),
        ("Mon, 29 Jul 2002 11:28:02 GMT+0100", "2002-07-29T10:28:02"),
        ("Mon, 29 Jul 2002 11:28:02 UTC-3", "2002-07-29T14:28:02"),
        ("2002-07-29T11:28:02Z", "2002-07-29T11:28:02"),
        ("2002-07-29 11:28:02.75 +0100", "2002-07-29T10:28:02.75"),
        ("2002-07-29 11:28", "2002-07-29T11:28:00"),
        ("2002-13-29 11:28:00 +0100", None),
        ("2002-07-29 11:28:00 +9900", None),
        ("Mon, 29 Jul 2002 11:28:02 EST", "2002-07-29T16:28:02"),
        ("Mon, 29 Jul 2002 11:28:02 CEST", "2002-07-29T09:28:02"),
        ("Mon, 29 Jul 2002 11:28:02 (a (nested) comment) -0000", "2002-07-29T11:28:02"),
        ("Mon, 29 Jul 2002 11:28:02 +0100 (BST)", "2002-07-29T10:28:02"),
        ("Mon Jul 29 11:28:02 2002", "2002-07-29T11:28:02"),
        ("Mon, 31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00"),
        ("Mon, 30 Feb 2002 11:28:02 +0100", None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates(raw: str, utc: str | None) -> None:
    """Forms of dates, obsolete ones too, as an instant; None for other text."""
    mail = check(f"Date: {raw}\r\n\r\n".encode())
    wanted = None
    if utc is not None:
        moment = datetime.datetime.fromisoformat(utc).replace(tzinfo=datetime.UTC)
        wanted = int(moment.timestamp() * 1_000_000)
    assert mail.date_raw == raw
    assert mail.date == wanted
    assert ("date_malformed" in mail.defects) == (utc is None)


@pytest.mark.parametrize(
    "raw",
    ["(24 Jun 2024) 25 Jun 2024 12:00:00 +0000", "24 Jun 2024 12.30.00 +0000", "24 Jun 2024 12:00:00 -00:30"],
)
def test_dates_that_programs_read_differently(raw: str) -> None:
    """There is a date, and a defect says that other programs show another one."""
    mail = check(f"Date: {raw}\r\n\r\n".encode())
    assert mail.date is not None
    assert mail.defects == ["date_malformed"]


@pytest.mark.parametrize(
    ("raw", "hop"),
    [
        ("from a.example (b.example [1.2.3.4])\r\n\tby c.example (8.11/8.11) with ESMTP id g6T\r\n\t"
         "for <x@y.example>; "
         "Mon, 29 Jul 2002 11:28:02 +0100",
         ("a.example (b.example [1.2.3.4])", "c.example (8.11/8.11)", "ESMTP", "g6T", "x@y.example")),
        ("from phobos [127.0.0.1] by localhost with IMAP (fetchmail-5.9.0) for jm@localhost (single-drop); "
         "Mon, 29 Jul 2002 11:28:02 +0100 (IST)",
         ("phobos [127.0.0.1]", "localhost", "IMAP (fetchmail-5.9.0)", None, "jm@localhost (single-drop)")),
        ("by 10.0.0.1 with SMTP id abc; Mon, 29 Jul 2002 11:28:02 +0100",
         (None, "10.0.0.1", "SMTP", "abc", None)),
        ("(qmail 1 invoked by uid 0); 29 Jul 2002 10:28:02 -0000", (None, None, None, None, None)),
        ("FROM a.example BY b.example; Mon, 29 Jul 2002 11:28:02 +0100",
         ("a.example", "b.example", None, None, None)),
        ("from mail pickup service by m.example with Microsoft SMTPSVC; Mon, 29 Jul 2002 11:28:02 +0100",
         ("mail pickup service", "m.example", "Microsoft SMTPSVC", None, None)),
    ],
)  # fmt: skip
def test_received(raw: str, hop: tuple[str | None, ...]) -> None:
    """Clauses stand between their keywords, comments included; the date is an instant."""
    (found,) = check(f"Received: {raw}\r\n\r\n".encode()).received
    assert (found.from_, found.by, found.with_, found.id, found.for_) == hop
    assert found.date == 1_027_938_482_000_000
    assert found.raw == raw.replace("\r\n", "")


def test_path_and_first_received_are_those_of_zeek() -> None:
    """As in Zeek's smtp.log: the last field is the first hop; of each field the second address, else the
    first.
    """
    mail = check(
        b"Received: from a ([10.0.0.1]) by b\r\n"
        b"Received: from [10.0.0.1] (helo [10.9.9.9]) by c\r\n"
        b"Received: from 192.168.1.1 by d\r\n"
        b"Received: from x (10.0.0.3) by d\r\n"
        b"Received: from x (y [2001:db8::1]) by d\r\n"
        b"Received: from x ([10.0.0.300]) by d\r\n"
        b"X-Originating-IP: [172.16.0.9]\r\nX-Mailer: one\r\nUser-Agent: two\r\n\r\n"
    )
    assert mail.path == ["10.0.0.1", "10.9.9.9", "192.168.1.1", "10.0.0.3", "2001:db8::1"]
    assert mail.first_received == "from x ([10.0.0.300]) by d"
    assert mail.second_received == "from x (y [2001:db8::1]) by d"
    assert (mail.x_originating_ip, mail.user_agent) == ("172.16.0.9", "two")


@pytest.mark.parametrize("others", [0, 1, 3])
def test_path_with_an_ipv6_address_written_out(others: int) -> None:
    """An address without "::" is found, however few colons the other fields have."""
    long = b"Received: from a ([2001:db8:1:2:3:4:5:6]) by b; Mon, 29 Jul 2002 18:48:02 +0000\r\n"
    assert check(long + b"Received: from c by d\r\n" * others + b"\r\n").path == ["2001:db8:1:2:3:4:5:6"]


DATE = "; Mon, 29 Jul 2002 18:48:02 +0000"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (f"from a ([10.0.0.1]) by b{DATE}", ["10.0.0.1"]),
        (f"from a [10.0.0.1] ([10.0.0.2]) by b [10.0.0.3]{DATE}", ["10.0.0.2"]),
        (f"from a ([10.0.0.300] [10.0.0.01]) by b{DATE}", ["10.0.0.01"]),
        (f"from a ([10.0.0.1.2] [[10.0.0.2]) by b{DATE}", ["10.0.0.2"]),
        (f"from a ([10.0.0.1) by b{DATE}", []),
        (f"from a (10.0.0.1) by b [10.0.0.2]{DATE}", ["10.0.0.2"]),
        (f"from a by b (8.9.3/8.9.3) id 1.2.3.4{DATE}", []),
        (f"from a by b{DATE} (from [10.0.0.1])", ["10.0.0.1"]),
        (f"from a by b{DATE} ([::1])", ["::1"]),
        (f"from a ([::1]) by b{DATE}", ["::1"]),
        (f"from x:y ([10.0.0.1]) by b{DATE}", ["10.0.0.1"]),
        ("from a ([10.0.0.1]) by b; today", ["10.0.0.1"]),
        ("from a (unclosed [10.0.0.1] by b", ["10.0.0.1"]),
    ],
)
def test_addresses_of_a_received_field(raw: str, path: list[str]) -> None:
    """Of each field the second address in brackets or between blanks, else the first; wherever it stands."""
    assert check(f"Received: {raw}\r\n\r\n".encode()).path == path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("A: b", "b"),
        ("A:b", "b"),
        ("A:", ""),
        ("A: ", ""),
        ("A: \tb \t", "b"),
        ("A: b{}\tc", "b\tc"),
        ("A: b {} c", "b  c"),
        ("A:{} b", " b"),
        ("A: {} b{} {}\tc {} ", " b \tc"),
        ("A:\x0b\xa0b", "\x0b\xa0b"),
        ("A: b\r\r", "b"),
        ("A: b\rc", "b\rc"),
    ],
)
def test_folds_and_blanks(field: str, value: str, end: str) -> None:
    """Of a fold the line end goes; blanks go before the first character of the first line and at the end."""
    raw = field.replace("{}", end) + end
    for block, values in ((raw, [value]), (raw + f"B: c{end}" + raw, [value, "c", value])):
        assert check((block + end).encode()).header_values == values


def test_digits_of_other_scripts_are_none() -> None:
    """A date or an address in non-ASCII digits is not read; parsing continues."""
    raw = (
        "Date: Wed, 24 Jul 2002 18:55:4๑ -0500\r\n"
        "Received: from a ([1.2.3.๑]) by b; Wed, 24 Jul 2002 18:55:4๑ -0500 (CDT)\r\n\r\n"
    ).encode()
    mail = check(raw)
    assert (mail.path, mail.received[0].by) == ([], "b")


@pytest.mark.parametrize("count", [1, 2, 20, 2_000])
def test_runs_of_encoded_words(count: int) -> None:
    """However many words follow each other, they read the same; an escape that a word breaks off stays."""
    for word, text in ((b"=?utf-8?q?=C3=BC_?=", "ü "), (b"=?utf-8?Q?=C3=BC=4?=", "ü=4")):
        assert check(b"Subject: " + b"\r\n ".join([word] * count) + b"\r\n\r\n").subject == text * count
    mixed = b"=?utf-8?q?=C3?= =?utf-8?b?vA==?= =?latin1?q?=FC?="
    assert check(b"Subject: " + b" ".join([mixed] * count) + b"\r\n\r\n").subject == "üü" * count


def test_ipv6_literals() -> None:
    """An address in brackets may have the tag of RFC 5321, section 4.1.3."""
    mail = check(
        b"Received: from a (unknown [IPv6:2001:db8::1]) by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        b"X-Originating-IP: [IPv6:2001:db8::2]\r\n\r\n"
    )
    assert (mail.path, mail.x_originating_ip) == (["2001:db8::1"], "2001:db8::2")


@pytest.mark.parametrize(
    ("zone", "hour", "defects"),
    [
        ("+-0500", 20, []),
        ("--0500", 20, []),
        ("-0500", 20, []),
        ("01800", None, ["date_zone_unknown"]),
        ("-05000", None, ["date_zone_unknown"]),
        ("+9999", None, ["date_zone_unknown"]),
    ],
)
def test_odd_zones_of_a_date(zone: str, hour: int | None, defects: list[str]) -> None:
    """Two signs count as the second one; what programs read differently has a defect."""
    mail = check(f"Date: Mon, 10 Jun 2002 15:24:14 {zone}\r\n\r\n".encode())
    assert mail.defects == defects
    assert mail.date is not None
    assert hour in (None, mail.date // 3_600_000_000 % 24)
