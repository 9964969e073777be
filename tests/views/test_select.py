"""Filters of `show` and `eml` that look into lists, bodies and attachments."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import program
from support.records import DAY, NOON, session, transfer
from support.report_boxes import write_box
from support.tables_made import with_attachment

PLAIN = (
    b"From: Boss <boss@corp.example>\r\nTo: Zhang San <zhangsan@mail.example>, wangwu@mail.example\r\n"
    b"Cc: lisi@mail.example\r\nSubject: plain\r\nMessage-ID: <p1@corp.example>\r\n"
    b"X-Originating-IP: [198.51.100.7]\r\n"
    b"Received: from mx (mx [203.0.113.9]) by here; Mon, 24 Jun 2024 11:00:00 +0000\r\n\r\n"
    b"See the Invoice at https://pay.shop.example/pay?id=1\r\n"
)
REPLY = (
    b"From: x\r\nMessage-ID: <p2@corp.example>\r\nIn-Reply-To: <p1@corp.example>\r\n"
    b"Content-Type: text/html\r\n\r\n<p>Dear <b>you</b></p>\r\n"
)
BOTH = (
    b"Subject: both\r\nContent-Type: multipart/alternative; boundary=q\r\n\r\n--q\r\n\r\nharmless words\r\n"
    b"--q\r\nContent-Type: text/html\r\n\r\n<p>pay <i>now</i></p>\r\n--q--\r\n"
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain mail, its answer in HTML, one with an attachment, one whose HTML says something else than its
    text, an older one without anything.
    """
    events = [
        transfer(uid="Cplain", raw=PLAIN),
        transfer(uid="Chtml", raw=REPLY),
        transfer(uid="Cpdf", raw=with_attachment("Report.PDF")),
        transfer(uid="Cboth", raw=BOTH),
        transfer(uid="Cold", ts=NOON - 30 * DAY, raw=b"Subject: old\r\n\r\nnothing\r\n"),
        session(uid="Cplain"),
    ]
    return write_box(tmp_path_factory.mktemp("select") / "out", events)


def found(tables: Path, *arguments: str) -> set[str]:
    done = program("show", tables, "--csv", *arguments)
    assert done.returncode == 0, done.stderr
    return {line.split(",")[1] for line in done.stdout.splitlines()[1:]}


@pytest.mark.parametrize(
    ("arguments", "uids"),
    [
        (["--to", "LISI@mail"], {"Cplain"}),
        (["--to", "wangwu"], {"Cplain"}),
        (["--to", "zhangsan@"], {"Cplain", "Cpdf"}),
        (["--text", "invoice"], {"Cplain"}),
        (["--url", "shop.example/PAY"], {"Cplain"}),
        (["--text", "dear you"], {"Chtml"}),
        (["--text", "<b>"], set()),
        (["--text", "HARMLESS"], {"Cboth"}),
        (["--text", "pay now"], {"Cboth"}),
        (["--site", "SHOP.example"], {"Cplain"}),
        (["--site", "pay.shop.example"], {"Cplain"}),
        (["--site", "mail.example"], {"Cplain"}),
        (["--site", "hop.example"], set()),
        (["--thread", "<p1@corp.example>"], {"Cplain", "Chtml"}),
        (["--thread", "p2@corp.example"], {"Cplain", "Chtml"}),
        (["--thread", "Chtml/1"], {"Cplain", "Chtml"}),
        (["--thread", "p9@corp.example"], set()),
        (["--ip", "203.0.113.9"], {"Cplain"}),
        (["--ip", "198.51.100.7"], {"Cplain"}),
        (["--ip", "192.0.2.110"], {"Cplain", "Chtml", "Cpdf", "Cboth", "Cold"}),
        (["--has-attachment"], {"Cpdf"}),
        (["--attachment-name", "report"], {"Cpdf"}),
        (["--extension", "pdf"], {"Cpdf"}),
        (["--extension", ".PDF"], {"Cpdf"}),
        (["--extension", "df"], set()),
        (["--ip", "192.0.2.110", "--since", "2024-06-01"], {"Cplain", "Chtml", "Cpdf", "Cboth"}),
        (["--ip", "192.0.2.110", "--until", "2024-06-01"], {"Cold"}),
        (["--to", "zhangsan@", "--has-attachment", "--subject", "rep"], {"Cpdf"}),
        (["--to", "zhangsan@", "--text", "x' or '1'='1"], set()),
    ],
)
def test_filters(tables: Path, arguments: list[str], uids: set[str]) -> None:
    """Each by itself, and together with others: all must hold."""
    assert found(tables, *arguments) == uids


def test_filters_with_a_hash(tables: Path) -> None:
    """The older filter by hash and a new one narrow each other."""
    import hashlib

    from support.tables_made import PDF

    digest = hashlib.sha256(PDF).hexdigest()
    assert found(tables, "--attachment", digest) == {"Cpdf"}
    assert found(tables, "--attachment", digest, "--to", "zhangsan") == {"Cpdf"}
    assert found(tables, "--attachment", digest, "--to", "lisi") == set()
