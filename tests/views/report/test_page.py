"""The page as a file: what it counts, what it leaves out, how it is sealed; without a browser."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import html
import json
import re
import stat
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from support.records import DAY, NOON, session, transfer
from support.report_boxes import payloads, write_box
from zeekpop3.cli.app import app
from zeekpop3.errors import OutputError, QueryError
from zeekpop3.store.filters import Filters
from zeekpop3.views.report.charts import MAX_BUCKETS, Bucket, Chart, Timeline, ranking, stacked_bars
from zeekpop3.views.report.figures import gather
from zeekpop3.views.report.mails import TEXT, in_script
from zeekpop3.views.report.page import page_environment, write_report
from zeekpop3.views.report.summary import answers
from zeekpop3.views.sql import ask

_SHAPES = {
    "viewBox", "class", "x", "y", "x1", "x2", "y1", "y2", "rx", "width", "height", "aria-hidden", "focusable",
}  # fmt: skip
#: Hardly to be compressed.
_DENSE = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(40))
NOON_UTC = dt.datetime(2024, 6, 24, 12, tzinfo=dt.UTC)
_SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.S)


def _lines(page: str) -> list[list[Any]]:
    found = re.search(r'<script type="application/json" id="lines">(.*?)</script>', page, re.S)
    assert found is not None
    lines: list[list[Any]] = json.loads(found[1])
    return lines


def _details(page: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for attributes, text in _SCRIPT.findall(page):
        if "gzip" in attributes:
            made += [entry for _, entry in sorted(json.loads(gzip.decompress(base64.b64decode(text))))]
    return made


def _svg(charts: list[Chart]) -> str:
    template = page_environment().from_string("{% from 'charts.html' import draw %}{{ draw(charts) }}")
    return template.render(charts=charts)


def _mail(subject: str, body: str, sender: str = "a@example.org") -> bytes:
    return f"From: {sender}\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three users' connections: one whole, one with a loss, one that the log left open; and a TOP."""
    events = [
        transfer(uid="Ca", raw=_mail("one", "x")),
        transfer(uid="Ca", trans_depth=2, raw=_mail("two", "y" * (TEXT + 10)), ts=NOON + 1),
        transfer(uid="Ca", trans_depth=3, command="TOP", raw=_mail("preview", ""), ts=NOON + 2),
        transfer(
            uid="Cb",
            user="wangwu",
            ts=NOON + DAY,
            complete=False,
            missing_bytes=5,
            raw=_mail("three", _DENSE),
        ),
        transfer(
            uid="Cc", user="lisi", ts=NOON + 2 * DAY, complete=False, raw=_mail("four", "z", "b@example.org")
        ),
        session(uid="Ca", auth_mechanism="USER", auth_result="success", logins_failed=2),
        session(uid="Cb", ts=NOON + DAY, user="wangwu", auth_mechanism="APOP", missing_bytes=5),
        session(uid="Cc", ts=NOON + 2 * DAY, user="lisi", auth_mechanism="PLAIN", closed="open"),
    ]
    return write_box(tmp_path_factory.mktemp("small") / "out", events)


@pytest.mark.slow
def test_figures(small: Path) -> None:
    """Mails, bytes, users, senders, logins and reasons are counted; a TOP is not a mail."""
    figures = gather(small, Filters(), answers(small, Filters()))
    assert (figures.mails.mails, figures.previews) == (4, 1)
    assert {user: tally.mails for user, tally in figures.users.items()} == {
        "zhangsan": 2,
        "wangwu": 1,
        "lisi": 1,
    }
    assert {sender: tally.mails for sender, tally in figures.senders.items()} == {
        "a@example.org": 3,
        "b@example.org": 1,
    }
    assert [(login.user, login.exposed, login.tally.failed) for login in figures.logins] == [
        ("lisi", "password", 0),
        ("zhangsan", "password", 2),
        ("wangwu", "digest", 0),
    ]
    assert dict(figures.reasons) == {"bytes were lost in the capture": 1, "the log ended first": 1}
    assert (figures.lossy_sessions, figures.lost_bytes) == (1, 5)


@pytest.mark.slow
def test_a_mail_has_one_reason(tmp_path: Path) -> None:
    """SQL and page agree why each mail is incomplete; an open log explains only a connection's last mail."""
    events = [
        transfer(uid="Ca", raw=_mail("lost", "x"), complete=False, missing_bytes=7),
        transfer(uid="Ca", trans_depth=2, raw=_mail("cut off", "x"), complete=False, missing_bytes=912),
        transfer(uid="Cb", raw=_mail("lost", "x"), complete=False, missing_bytes=None),
        transfer(uid="Cc", raw=_mail("no end", "x"), complete=False, missing_bytes=0),
        session(uid="Ca", closed="open"),
        session(uid="Cb"),
        session(uid="Cc"),
    ]
    tables = write_box(tmp_path / "out", events)
    by_sql = {
        (row["uid"], row["trans_depth"]): row["reason"] for row in ask(tables, query="incomplete").dicts()
    }
    assert by_sql == {
        ("Ca", 1): "bytes were lost in the capture",
        ("Ca", 2): "the log ended first",
        ("Cb", 1): "bytes were lost in the capture",
        ("Cc", 1): "the end was not seen",
    }
    page = tmp_path / "page.html"
    write_report(tables, page)
    text = page.read_text("utf-8")
    settings = re.search(r'id="settings">(.*?)</script>', text)
    assert settings is not None
    reasons = json.loads(settings[1])["reasons"]
    assert {(line[1], line[2]): reasons[line[9]] for line in _lines(text)} == by_sql
    counted = gather(tables, Filters(), answers(tables, Filters())).reasons
    assert dict(counted) == Counter(by_sql.values())


@pytest.mark.slow
def test_filters(small: Path, tmp_path: Path) -> None:
    """A page of one user, or of a span of time, counts and lists nothing else."""
    page = tmp_path / "page.html"
    listing = write_report(small, page, filters=Filters(user="LISI"))
    assert listing.listed == 1
    assert "wangwu" not in page.read_text("utf-8")
    assert write_report(small, page, filters=Filters(since="2024-06-25", until="2024-06-26")).listed == 1


@pytest.mark.slow
def test_sealed(small: Path, tmp_path: Path) -> None:
    """The policy names the page's own style and script by hash, and nothing in the file is loaded."""
    page = tmp_path / "page.html"
    write_report(small, page)
    text = page.read_text("utf-8")
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert found is not None
    policy = dict(part.split(" ", 1) for part in html.unescape(found[1]).split("; "))

    def hashed(content: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

    scripts = [content for attributes, content in _SCRIPT.findall(text) if not attributes]
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    assert policy["default-src"] == "'none'"
    assert [policy["script-src"]] == [hashed(content) for content in scripts]
    assert policy["style-src"] == hashed(style[1])
    assert not re.search(r'(src|href)="(?!#|data:,")', text)
    assert not re.search(r"url\(|@import|\beval\b|innerHTML|document\.write", text)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


@pytest.mark.slow
def test_the_same_again(small: Path, tmp_path: Path) -> None:
    """The same tables give the same bytes."""
    write_report(small, tmp_path / "a")
    write_report(small, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.slow
def test_bounded(small: Path, tmp_path: Path) -> None:
    """Long texts are cut, mails past the limit only counted, details beyond the size left out; it says so."""
    page = tmp_path / "page.html"
    listing = write_report(small, page)
    two = next(detail for detail in _details(page.read_text("utf-8")) if "more_text" in detail)
    assert (len(two["text"]), two["more_text"]) == (TEXT, 11)  # the line end counts
    assert listing.shortened == 1
    listing = write_report(small, page, limit=2)
    text = page.read_text("utf-8")
    assert [line[6] for line in _lines(text)] == ["four", "three"]
    assert listing.unlisted == 3
    assert "not listed here, to keep the page small: 3 older mails" in text
    listing = write_report(small, page, max_bytes=1300)
    text = page.read_text("utf-8")
    assert listing.without_details == listing.listed > 0
    assert f"small: {listing.without_details} mails, the oldest;" in text
    assert len(_lines(text)) == listing.listed


@pytest.mark.slow
def test_without_bodies(small: Path, tmp_path: Path) -> None:
    """On request no text, HTML source or URL of a mail is in the page; headers are."""
    page = tmp_path / "page.html"
    write_report(small, page, body=False)
    details = _details(page.read_text("utf-8"))
    assert len(details) == 5
    for detail in details:
        assert not {"text", "html", "urls"} & set(detail)
        assert detail["headers"]


@pytest.mark.slow
def test_twice_in_the_tables(tmp_path: Path) -> None:
    """Tables that were filled twice from one log list each mail twice, each with its details."""
    write_box(tmp_path / "out", [transfer(), transfer(), session()])
    listing = write_report(tmp_path / "out", tmp_path / "page.html")
    details = _details((tmp_path / "page.html").read_text("utf-8"))
    assert listing.listed == len(details) == 2
    assert None not in details


@pytest.mark.slow
def test_no_mails(tmp_path: Path) -> None:
    """Tables without a row give a page that says so."""
    write_box(tmp_path / "out", [])
    assert write_report(tmp_path / "out", tmp_path / "page.html").listed == 0
    assert "No mails" in (tmp_path / "page.html").read_text("utf-8")


def test_script_data() -> None:
    """JSON in a script element holds no character that could end the element, or the line."""
    for payload in payloads("http://192.0.2.1/"):
        text = in_script([payload])
        assert not set("<>&\u2028\u2029") & set(text)
        assert json.loads(text) == [payload]


@pytest.mark.parametrize("payload", payloads("http://192.0.2.1/"))
def test_charts_hold_shapes_only(payload: str) -> None:
    """Whatever a label is: a chart has shapes and text, no script, style, link or event handler."""
    for charts in (ranking([(payload, 3), ("b", 1)], str), stacked_bars([payload, "b"], [[1, 2]], str)):
        chart = _svg(charts)
        tags = set(re.findall(r"<([^/\s>]+)", chart))
        assert tags == {"svg", "line", "rect", "text", "title"} - (
            {"line"} if not charts[0].guides else set()
        )
        names = set(re.findall(r'\s([A-Za-z:-]+)="', re.sub(r">[^<]*<", "><", chart)))
        assert names <= _SHAPES


@pytest.mark.parametrize(
    "span_s", [0, 7, 59, 3600, 86400, 40 * 86400, 3 * 365 * 86400, 54 * 365 * 86400, 400 * 365 * 86400]
)
def test_buckets(span_s: int) -> None:
    """However long the time: at most 48 bars in order, none twice, and every mail is counted once."""
    start = dt.datetime(2024, 6, 24, 12, tzinfo=dt.UTC)
    counted = Timeline()
    for index in range(200):
        ts = start + dt.timedelta(seconds=span_s * index / 199)
        counted.add(ts, complete=index % 3 > 0, size=10)
    _, bars = counted.buckets()
    assert 1 <= len(bars) <= MAX_BUCKETS
    assert len({bar.label for bar in bars}) == len(bars)
    assert (sum(bar.complete for bar in bars), sum(bar.incomplete for bar in bars)) == (133, 67)
    assert sum(bar.size for bar in bars) == 2000


def test_a_short_capture_has_a_timeline() -> None:
    """Mails of seven seconds are not one bar."""
    counted = Timeline()
    for second in range(7):
        counted.add(NOON_UTC + dt.timedelta(seconds=second), complete=True, size=1)
    assert counted.buckets() == ("second", [Bucket(f"06-24 12:00:0{n}", 1, 0, 1) for n in range(7)])


def test_many_moments_are_counted_in_bounded_memory() -> None:
    """Ten thousand different seconds become fewer, longer buckets; none is lost."""
    counted = Timeline()
    for number in range(10_000):
        counted.add(NOON_UTC + dt.timedelta(seconds=37 * number), complete=True, size=1)
    assert len(counted._counts) <= 4096
    assert sum(bar.complete for bar in counted.buckets()[1]) == 10_000


@pytest.mark.slow
def test_command(small: Path, tmp_path: Path) -> None:
    """The command writes the file and says on stderr what is in it and what is not."""
    page = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["report", str(small), "-o", str(page), "--limit", "3"])
    assert result.exit_code == 0
    assert f"2 mails, 1 preview (TOP), 2 older ones only counted -> {page}" in result.stderr.replace("\n", "")
    assert result.stdout == ""


@pytest.mark.slow
def test_errors(small: Path, tmp_path: Path) -> None:
    """No tables, no place to write: an error of ours that says which."""
    with pytest.raises(QueryError, match="no such folder"):
        write_report(tmp_path / "none", tmp_path / "page.html")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(small, tmp_path / "none" / "page.html")


@pytest.mark.slow
def test_suspicious_mails_come_first(tmp_path: Path) -> None:
    """A section above all others lists them with their reasons, most reasons first; the table marks them."""
    failed = b"Authentication-Results: mx; spf=fail\r\n"
    events = [
        transfer(uid="Ca", raw=failed + _mail("one reason", "x")),
        transfer(
            uid="Cb",
            ts=NOON + 1,
            raw=failed + b'Reply-To: "<b>"@evil.example\r\n' + _mail("two <i>reasons", "x"),
        ),
        transfer(uid="Cc", raw=_mail("harmless", "x"), ts=NOON + DAY),
    ]
    write_report(write_box(tmp_path / "out", events), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    found = re.findall(r'<a href="#mail=(.*?)"><bdi>(.*?)</bdi></a></th><td>.*?</td><td>(<ul.*?)</td>', text)
    reasons = [re.sub("<[^>]*>", "|", each[2]).replace("||", "|") for each in found]
    assert [each[:2] for each in found] == [("Cb/1", "two &lt;i&gt;reasons"), ("Ca/1", "one reason")]
    assert "failed verdict: SPF" in reasons[0]
    assert "replies go elsewhere: &#34;&lt;b&gt;&#34;@evil.example" in reasons[0]
    assert text.index('id="suspicious"') < text.index('id="timeline"') < text.index('id="mails"')
    assert {line[1]: bool(line[14]) for line in _lines(text)} == {"Ca": True, "Cb": True, "Cc": False}
    write_report(tmp_path / "out", tmp_path / "page.html", limit=2)
    text = (tmp_path / "page.html").read_text()
    assert [line[1] for line in _lines(text)] == ["Cc", "Cb", "Ca"]
    assert [detail["text"] for detail in _details(text)] == ["x\n"] * 3
    write_report(tmp_path / "out", tmp_path / "page.html", filters=Filters(user="other"))
    assert '"#mail=C' not in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_html_only_mails_have_a_text(tmp_path: Path) -> None:
    """What a reader sees of the HTML is the text; the source is there as well."""
    raw = b"Content-Type: text/html\r\n\r\n<p>Dear <b>you</b></p><script>no</script>\r\n"
    write_report(write_box(tmp_path / "out", [transfer(raw=raw)]), tmp_path / "page.html")
    (detail,) = _details((tmp_path / "page.html").read_text())
    assert detail["text"].strip() == "Dear you"
    assert "<script>" in detail["html"]


def test_text_and_html_that_differ_are_both_there(tmp_path: Path) -> None:
    """An attacker chooses which one is harmless."""
    raw = (
        b"Content-Type: multipart/alternative; boundary=q\r\n\r\n--q\r\n\r\nharmless words\r\n"
        b"--q\r\nContent-Type: text/html\r\n\r\n<p>pay <i>now</i></p>\r\n--q--\r\n"
    )
    write_report(write_box(tmp_path / "out", [transfer(raw=raw)]), tmp_path / "page.html")
    (detail,) = _details((tmp_path / "page.html").read_text())
    assert [detail[name].strip() for name in ("text", "html_text")] == ["harmless words", "pay now"]


@pytest.mark.parametrize("count", range(2, MAX_BUCKETS + 1))
def test_times_below_the_bars_do_not_overlap(count: int) -> None:
    """For any number of bars; the first and the last have a label."""
    for chart in stacked_bars(["11-14 22:13:20"] * count, [[1] * count], str):
        spans = []
        for label in chart.labels:
            if label.text.startswith("11-14"):
                length = 6.3 * len(label.text)
                start = label.x - length * {"start": 0, "middle": 0.5, "end": 1}[label.anchor]
                spans.append((start, start + length))
        assert len(spans) >= 2
        assert all(end < start for (_, end), (start, _) in pairwise(spans))
