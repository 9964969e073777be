"""What the tests of `follow` share: a stream of rows, and the rows of the tables that it must give."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import zeekpop3
from support.growing import Expected, Note, Notes, lines_of, sessions, tables
from support.traffic.eventlog import log_header


@pytest.fixture(scope="session")
def lines() -> list[bytes]:
    """Thirty connections that overlap, 120 mails, in both forms."""
    return lines_of(sessions(30))


@pytest.fixture(scope="session")
def two_days() -> list[bytes]:
    """Some connections in two days, so that the parts of the first are merged."""
    return lines_of(sessions(12, per_connection=2, apart_us=1_000_000) | _tomorrow())


def _tomorrow() -> dict[str, Any]:
    later = sessions(3, per_connection=2, apart_us=1_000_000, seed=1)
    day_us = 86_400_000_000
    return {uid: rows._replace(ts=[ts + day_us for ts in rows.ts]) for uid, rows in later.items()}


@pytest.fixture(scope="session")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[bytes]], Expected]:
    """What a batch run makes of lines, all in one log."""
    known: dict[int, Expected] = {}

    def run(lines: list[bytes]) -> Expected:
        if id(lines) not in known:
            folder = tmp_path_factory.mktemp("batch")
            log = folder / "pop3_events.log"
            log.write_bytes(log_header() + b"".join(lines))
            zeekpop3.run([log], folder / "out", jobs=1)
            known[id(lines)] = tables(folder / "out")
        return known[id(lines)]

    return run


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where the logs are."""
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def notes() -> Iterator[list[Note]]:
    """What followers log during the test."""
    logger, handler = logging.getLogger("zeekpop3.follow"), Notes()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.notes
    logger.removeHandler(handler)
    logger.setLevel(level)
