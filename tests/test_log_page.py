"""zeek-scripts/README.md is true: its rows are in recorded logs, and the code that reads a log does so."""

from __future__ import annotations

import gzip
import re
from functools import cache
from pathlib import Path

import pytest

from zeekpop3.log.header import COLUMNS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "zeek-scripts" / "README.md").read_text("utf-8")
KINDS = {
    *("sent", "contents", "gap", "starttls", "unexpected", "close"),
    *("request", "reply", "data", "end", "login"),
}
NAMED = {
    *(("sent", "lines"), ("sent", "?"), ("gap", "client"), ("gap", "server")),
    *(("unexpected", "limit"), ("unexpected", "rexmit_inconsistency"), ("unexpected", "not_understood")),
    ("unexpected", "syn"),
}


def _examples() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", PAGE, re.S | re.M)
    return [line for block in blocks for line in block.splitlines() if "\t" in line]


@cache
def _recorded() -> set[str]:
    found: set[str] = set()
    for folder in ("logs", "hostile"):
        for path in (ROOT / "fixtures" / folder).glob("*.log*"):
            if path.is_file():
                data = path.read_bytes()
                text = gzip.decompress(data) if path.suffix == ".gz" else data
                found.update(text.decode().splitlines())
    return found


def test_each_example_is_a_real_row() -> None:
    """Rows on the page are rows of recorded logs, as they are."""
    assert [line for line in _examples() if line not in _recorded()] == []


def test_each_kind_has_an_example() -> None:
    """The same holds for each command that makes a row special."""
    rows = [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in _examples()]
    assert {row["kind"] for row in rows} == KINDS
    assert {(row["kind"], row["command"]) for row in rows} >= NAMED


def test_zat_reads_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines for a notebook read all rows, with their bytes."""
    pytest.importorskip("zat")
    [code] = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)
    assert len(code.splitlines()) <= 5
    log = (ROOT / "fixtures" / "logs" / "apop.exact.log").read_bytes()
    (tmp_path / "pop3_events.log").write_bytes(log)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "page", "exec"), names)
    rows = names["rows"]
    assert len(rows) == sum(line[:1] != b"#" for line in log.splitlines())  # type: ignore[arg-type]
    assert b"+OK" in next(iter(rows[rows["kind"] == "contents"]["bytes"]))  # type: ignore[index]
