"""SQL answers on a terminal: they fit, and nothing that must stay together is broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeekpop3.views.grid import grid
from zeekpop3.views.text import text_width, visible

UID = "CHhAvVGS1DHFjwGM9"
SHA256 = "b0e7bb274b9559c74b495d1648382c097b551e383668ec4e628e0e3c44c3e0e0"


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("vertical", [False, True])
def test_answers_fit_and_keep_keys_whole(width: int, vertical: bool) -> None:
    """Text is shortened or goes below; uids, hashes and numbers are never cut or broken over lines."""
    columns = ["uid", "subject", "sha256", "size", "octets_declared_by_the_server"]
    rows = [(UID, "long subject " * 90, SHA256, 12345678, 7), ("Cx", "你好 " * 90, None, 1, None)]
    lines = list(grid(columns, rows, width, vertical=vertical))
    assert max(map(text_width, lines)) <= width
    text = "\n".join(lines)
    for value in (UID, SHA256, "12345678", "octets_declared_by_the_server"):
        assert value in text
    assert "…" in text


def test_a_table_if_it_fits() -> None:
    """Columns are aligned, numbers to the right; a column of text gives way to its neighbours."""
    assert list(grid(["uid", "size", "text"], [(UID, 7, "a" * 80), (UID, 100, None)], 60)) == [
        "uid                size  text",
        "─────────────────  ────  ───────────────────────────────────",
        f"{UID}     7  {'a' * 34}…",
        f"{UID}   100",
    ]
    assert list(grid(["a"], [], 60)) == ["a", "─"]


def test_a_record_if_it_does_not_fit() -> None:
    """One line per value, unknown ones left out, long ones folded."""
    assert list(grid(["uid", "text", "none"], [(UID, "b" * 30, None)], 24, vertical=True)) == [
        "── 1 ───────────────────",
        f"uid   {UID}",
        "text  " + "b" * 18,
        "      " + "b" * 12,
    ]


@pytest.mark.parametrize("width", [40, 80, 100, 120, 140, 170, 200])
def test_lists_are_not_cut(width: int) -> None:
    """The reasons of `suspicious` are whole at every width; a wider terminal does not show less."""
    reasons = [
        "display name of payroll at corp.example: ann@evil.test",
        "link text shows another site: " + "x" * 40,
    ]
    lines = grid(["mail", "subject", "reasons"], [(UID, "long subject " * 9, reasons)], width)
    text = " ".join(line.strip() for line in lines)
    assert "".join("; ".join(reasons).split()) in "".join(text.split())


@given(
    st.lists(st.lists(st.one_of(st.text(), st.integers(), st.none()), min_size=3, max_size=3), max_size=5),
    st.integers(20, 120),
    st.booleans(),
)
def test_every_line_is_visible(rows: list[list[object]], width: int, vertical: bool) -> None:
    """Whatever the values are: no hidden character, and no text wider than the terminal."""
    for line in grid(["a", "\x1b[2J", "c"], rows, width, vertical=vertical):
        assert visible(line) == line


def test_folded_at_a_blank() -> None:
    """Words stay whole if the line is more than half full."""
    words = "alpha beta gamma delta"
    lines = list(grid(["text"], [(words,)], 24, vertical=True))
    assert [line.strip() for line in lines[1:]] == ["text  alpha beta gamma", "delta"]
