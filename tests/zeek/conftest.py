"""The zeek that the tests of the package run."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.zeek_runs import Zeek


@pytest.fixture
def pop3(zeek: str, scripts: Path, tmp_path: Path) -> Zeek:
    """The package in a real Zeek."""
    return Zeek(zeek, scripts, tmp_path)
