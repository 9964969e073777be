"""The enumeration of defects is complete and documented."""

from __future__ import annotations

import json
from pathlib import Path

from zeekpop3.defects import DEFECTS, MAIL_DEFECTS, SESSION_DEFECTS, Defect


def test_each_defect_is_given(root: Path) -> None:
    """The enumeration has no name that the package does not use."""
    texts = [
        path.read_text("utf-8") for path in (root / "zeekpop3").rglob("*.py") if path.name != "defects.py"
    ]
    assert [defect for defect in Defect if not any(f"Defect.{defect.name}" in text for text in texts)] == []


def test_each_defect_of_the_golden_tables_is_documented(fixtures: Path) -> None:
    """The defects that the fixtures show are in the dictionary."""
    found: set[str] = set()
    for path in (fixtures / "golden").glob("*.json"):
        for rows in json.loads(path.read_text("utf-8")).values():
            for row in rows:
                found |= set(row.get("defects", ()))
    assert "header_fold_guessed" in found
    assert found - DEFECTS.keys() == set()


def test_each_meaning_is_a_sentence() -> None:
    """Each defect has one meaning, a sentence."""
    assert len(DEFECTS) == len(SESSION_DEFECTS) + len(MAIL_DEFECTS)
    for meaning in DEFECTS.values():
        assert meaning[0].isupper()
        assert meaning.endswith(".")
