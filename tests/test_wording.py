"""The project's texts are plain technical English: turns that read oddly stay out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ODD = re.compile(
    r"(?<!there )\b(?:is|are) no [a-z]+\b|\bof none\b|\bthat is none\b|\bif it is none\b|"
    r"\bas nearly all\b|\blet go\b|\b(?:is|are|was|were) told\b|\bnobody\b|\bgoes? on with\b|"
    r"\bby (?:its|their|the) looks\b|\bquicker\b|\bwhat was said\b|\banew\b|\bwhosoever\b",
    re.IGNORECASE,
)
TEXTS = sorted(
    path
    for pattern in ("zeekpop3/**/*.py", "zeekpop3/**/*.md", "zeek-scripts/*.zeek", "*.md", "*.toml", "*.meta")
    for path in ROOT.glob(pattern)
    if "zeek-scripts" not in path.relative_to(ROOT).parts[1:]
)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_odd_turns(path: Path) -> None:
    """Subject, verb, object; the field's term; no private dialect."""
    lines = path.read_text("utf-8").splitlines()
    found = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if ODD.search(line)]
    assert not found, "\n".join(found)
