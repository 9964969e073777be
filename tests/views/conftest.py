"""Tables that several modules only read."""

from __future__ import annotations

from pathlib import Path

import pytest

import zeekpop3


@pytest.fixture(scope="session")
def everything(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of all recorded logs of the exact form, and of the incident."""
    out = tmp_path_factory.mktemp("everything") / "out"
    logs = sorted((fixtures / "logs").glob("*.exact.log*"))
    zeekpop3.run([*logs, fixtures / "incident" / "pop3_events.log"], out, jobs=1)
    return out
