"""YARA rules: messages and decoded attachments, limits, and what was not scanned."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import zeekpop3
from support import tables_made
from support.records import transfer
from zeekpop3.detect.yara import Scanner
from zeekpop3.errors import IndicatorError

yara_x = pytest.importorskip("yara_x")

RULES = """
rule evil_content { meta: description = "planted" strings: $a = "evil content" condition: $a }
rule has_order { strings: $a = "Subject: order" condition: $a }
rule absent { strings: $a = "not in any mail" condition: $a }
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "feed.yar"
    path.write_text(RULES)
    return path


def test_messages_and_decoded_attachments(places: Path, rules: Path) -> None:
    """A text that is base64 in the mail is found in the attachment."""
    found = zeekpop3.hunt(places, rules=rules)
    rows = [(row["uid"], row["indicator"], row["field"], row["part"]) for row in found.table.to_pylist()]
    assert sorted(rows) == [
        ("CaaaA1", "evil_content", "attachments.content", "2"),
        ("CaaaA1", "has_order", "emails.raw", ""),
    ]
    row = next(row for row in found.table.to_pylist() if row["part"])
    assert (row["type"], row["source"], row["description"], row["value"]) == (
        "YARA", "feed", "planted", "Order.PDF.exe"
    )  # fmt: skip
    assert found.undecided.num_rows == 2


def test_limits(places: Path, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than the limit, or takes too long, is not ruled out."""
    scanner = Scanner([rules], max_size=5)
    assert list(scanner.hits(places)) == []
    assert ("CaaaA1", 1) in scanner.unscanned
    slow = Scanner([rules], timeout_s=3)

    def late(data: bytes) -> None:
        raise yara_x.TimeoutError

    monkeypatch.setattr(slow, "_scanner", type("Late", (), {"scan": staticmethod(late)}))
    assert list(slow.hits(places)) == []
    assert slow.unscanned["CaaaA1", 1] == "a scan took longer than 3 s"


def test_a_scan_is_ended(tmp_path: Path) -> None:
    """A rule that takes a minute, on one message of 4 MB."""
    rules, out = tmp_path / "slow.yar", tmp_path / "out"
    rules.write_text(
        "rule slow { condition: for any i in (0..filesize) : "
        "(for any j in (0..filesize) : (uint8(i) + uint8(j) == 999)) }"
    )
    tables_made.write(out, [transfer(raw=b"Subject: x\r\n\r\n" + b"a" * 4_000_000)])
    scanner = Scanner([rules], timeout_s=1)
    assert list(scanner.hits(out)) == []
    assert len(scanner.unscanned) == 1


def test_errors(places: Path, tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that do not compile, a missing file, a missing program: one line each, with the way out."""
    broken = tmp_path / "broken.yar"
    broken.write_text("rule x {")
    for path, text in ((broken, "cannot be compiled"), (tmp_path / "none.yar", "No such file")):
        with pytest.raises(IndicatorError, match=text) as error:
            zeekpop3.hunt(places, rules=[path])
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    monkeypatch.setitem(sys.modules, "yara_x", None)
    with pytest.raises(IndicatorError, match=r"pip install 'zeekpop3\[yara\]'"):
        zeekpop3.hunt(places, rules=rules)
