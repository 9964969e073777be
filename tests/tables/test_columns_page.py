"""The page of the columns is what the schema says."""

from __future__ import annotations

import columns
from zeekpop3.defects import MAIL_DEFECTS, SESSION_DEFECTS
from zeekpop3.tables import TABLES


def test_the_page_is_up_to_date() -> None:
    """`python tests/columns.py --renew` writes it."""
    assert columns.PAGE.read_text("utf-8") == columns.page()


def test_the_page_names_everything() -> None:
    """Each table, column and defect has a line."""
    lines = columns.page().splitlines()
    for table in TABLES.values():
        assert f"## {table.name}" in lines
        assert all(any(line.startswith(f"| `{each.name}` |") for line in lines) for each in table.columns)
    assert all(
        any(line.startswith(f"| `{name}` |") for line in lines) for name in SESSION_DEFECTS | MAIL_DEFECTS
    )
