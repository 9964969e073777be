"""Values as text: sizes, counts, JSON lines and CSV cells that are safe for terminals and spreadsheets."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import time
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zeekpop3.views.text import cell, csv_cell, csv_lines, human_size, json_line, plural, visible


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "0 B"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_950, "100 kB"), (5e18, "5000000 TB")],
)
def test_sizes(size: float | None, text: str) -> None:
    """Sizes have the unit that needs the fewest digits."""
    assert human_size(size) == text


def test_plurals() -> None:
    """One is singular, every other number plural."""
    assert [plural(number, "mail") for number in (0, 1, 2)] == ["0 mails", "1 mail", "2 mails"]


@given(st.text(st.characters(codec=None)))
def test_json_is_lossless_and_visible(text: str) -> None:
    """JSON gives the very text back, and holds no hidden character while doing so."""
    line = json_line({"text": text})
    assert json.loads(line) == {"text": text}
    assert visible(line) == line


@given(st.text(st.characters(codec=None)))
def test_a_cell_is_one_visible_line_and_no_formula(text: str) -> None:
    """Neither a second line nor a formula can come out of a mail into a spreadsheet."""
    cell = csv_cell(text)
    assert visible(cell) == cell
    assert cell[:1] not in ("=", "+", "-", "@")


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe62", "\u2212"]
)
def test_formulas_are_disarmed(start: str) -> None:
    """ASCII and full-width characters that start a formula, also behind blanks; numbers stay numbers."""
    for text in (start + "1", "  " + start + "1"):
        assert csv_cell(text) == "'" + text
    lines = list(csv_lines([start + "x", "n"], [[start + "y", -5], [[start + "z"], Decimal("-1.5")]]))
    assert list(csv.reader(io.StringIO("\n".join(lines)))) == [
        ["'" + start + "x", "n"],
        ["'" + start + "y", "-5"],
        ["'" + start + "z", "-1.5"],
    ]


@given(st.lists(st.text(st.sampled_from(";,\t\"=+-@\u2212\uff1d \u00a0'\n\rx"))))
@example(["x;=1+1;"])
@example(['x; "=1+1"', 'x;\t"-1'])
@example([";;@SUM(1)"])
def test_no_formula_wherever_a_spreadsheet_cuts(texts: list[str]) -> None:
    """A German or French Excel separates cells at `;`, others at tabs: no cell begins a formula there."""
    (_, line) = csv_lines(["a"] * (len(texts) + 1), [[*texts, texts]])
    for separator in ",;\t":
        for found in next(csv.reader([line], delimiter=separator)):
            assert unicodedata.normalize("NFKC", found.lstrip()[:1]) not in ("=", "+", "-", "@", "\u2212")


def test_many_separators_take_linear_time() -> None:
    """A subject of a mebibyte of anything that could be read as the start of a cell."""
    for text in (";", " ", '"', ';"', "; ", ";=", "=;\t"):
        began = time.process_time()
        csv_cell(text * (1 << 20 >> (len(text) - 1)))
        assert time.process_time() - began < 8


def test_cells() -> None:
    """Times to the second in UTC, unknown empty, bytes by their number, everything else visible."""
    two = dt.timezone(dt.timedelta(hours=2))
    assert cell(dt.datetime(2024, 6, 24, 14, 0, 0, 5, two)) == "2024-06-24 12:00:00"
    assert [cell(value) for value in (None, True, 1.5, b"abc", ["a", "b\x1b"], {"a": "\n"})] == [
        "", "true", "1.5", "(3 bytes)", "a; b\\x1b", '{"a": "\\n"}',
    ]  # fmt: skip
