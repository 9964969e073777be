"""The command `follow`: what it cannot do without."""

from __future__ import annotations

import pytest

from support.program import program


@pytest.mark.parametrize("missing", [["follow"], ["follow", "logs"]])
def test_missing_arguments_are_named(missing: list[str]) -> None:
    """LOGDIR and --out are needed to follow."""
    done = program(*missing)
    assert done.returncode == 2
    assert "missing" in done.stderr
