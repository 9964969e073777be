"""The dictionary of defects is complete, closed and documented."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from zeekpop3.session.defects import DEFECTS, MAIL_DEFECTS, SESSION_DEFECTS


def _strings(root: Path) -> set[str]:
    """All string constants of the package outside the dictionary itself."""
    found: set[str] = set()
    for path in (root / "zeekpop3").rglob("*.py"):
        if path.name != "defects.py":
            tree = ast.parse(path.read_text("utf-8"))
            found |= {
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return found


def _given(root: Path) -> set[str]:
    """The names that the package adds to defects, as far as its text shows."""
    found: set[str] = set()
    paths = [path for room in ("session", "message") for path in (root / "zeekpop3" / room).rglob("*.py")]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Subscript) and "defects" in ast.unparse(node.value):
                found |= {n.value for n in ast.walk(node.slice) if isinstance(n, ast.Constant)}
            elif isinstance(node, ast.Call) and (
                "defects.append" in ast.unparse(node.func) or "_note" in ast.unparse(node.func)
            ):
                for argument in node.args:
                    found |= {n.value for n in ast.walk(argument) if isinstance(n, ast.Constant)}
            elif isinstance(node, ast.keyword) and node.arg == "defects":
                found |= {n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant)}
    return {name for name in found if isinstance(name, str)}


def test_each_defect_that_the_code_gives_is_documented(root: Path) -> None:
    """No code adds a name that the dictionary lacks."""
    given = _given(root)
    assert len(given) > 20
    assert given - DEFECTS.keys() == set()


def test_each_documented_defect_is_given(root: Path) -> None:
    """The dictionary has no name that no code uses."""
    assert DEFECTS.keys() - _strings(root) == set()


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
