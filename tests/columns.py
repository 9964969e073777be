"""zeekpop3/tables/COLUMNS.md: the columns of all tables and the names of all defects, from the code.

python tests/columns.py            # compares
python tests/columns.py --renew    # writes it again
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from zeekpop3.defects import MAIL_DEFECTS, SESSION_DEFECTS
from zeekpop3.tables import SCHEMA_VERSION, TABLES, Column, Table

PAGE = Path(__file__).resolve().parent.parent / "zeekpop3" / "tables" / "COLUMNS.md"
_TYPES = {"port": "uint16", "time": "timestamp (µs, UTC)"}


def page() -> str:
    """The page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Tables and columns"
    yield ""
    yield (
        f"Schema version {SCHEMA_VERSION}. Written by `python tests/columns.py --renew`. Unknown is null. "
        "`…[]` is a list. The partition column `day` (UTC day of `ts`) is in the folder names. "
        "Columns and tables are only ever added; in files of an older version they are null or empty."
    )
    for table in TABLES.values():
        yield from _of_table(table)
    for title, defects in (("transfers and sessions", SESSION_DEFECTS), ("mails", MAIL_DEFECTS)):
        yield from ("", f"## Defects of {title}", "", "| Defect | Meaning |", "|---|---|")
        for name, meaning in defects.items():
            yield f"| `{name}` | {_cell(meaning)} |"


def _of_table(table: Table) -> Iterator[str]:
    key = ", ".join(f"`{name}`" for name in table.key)
    yield from ("", f"## {table.name}", "", f"{table.meaning} Key: {key}.", "")
    yield from ("| Column | Type | Meaning |", "|---|---|---|")
    for column in table.columns:
        yield from _rows(column, "")


def _rows(column: Column, before: str) -> Iterator[str]:
    name = before + column.name
    yield f"| `{name}` | {_type(column)} | {_cell(column.meaning)} |"
    for field in column.fields:
        yield from _rows(field, f"{name}.")


def _type(column: Column) -> str:
    kind = (
        f"struct({', '.join(_names(column.fields))})"
        if column.fields
        else _TYPES.get(column.type, column.type)
    )
    return kind + "[]" * column.repeated


def _names(columns: Iterable[Column]) -> list[str]:
    return [column.name for column in columns]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    if "--renew" in sys.argv:
        PAGE.write_text(page(), "utf-8")
    elif PAGE.read_text("utf-8") != page():
        sys.exit(f"{PAGE.name} is out of date: python tests/columns.py --renew")
