"""What all tests share: where things are, and which tests need a Zeek."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# What CI finds must be found again; the search for new examples is for people's own runs.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # an installed package goes first

_NO_ZEEK = "no zeek on PATH"
#: CPU seconds above which an unmarked test fails. Those above 1 s are marked; slower machines need more.
_UNMARKED_S = 3.0


@pytest.fixture(scope="session", autouse=True)
def no_flush() -> Iterator[None]:
    """Nothing here cuts the power: a process that is killed loses nothing that it has written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of captures, their truth and their recorded logs."""
    return ROOT / "fixtures"


@pytest.fixture(scope="session")
def scripts() -> Path:
    """The Zeek package."""
    return ROOT / "zeek-scripts"


@pytest.fixture(scope="session")
def secrets(fixtures: Path) -> list[bytes]:
    """Every password of the fixtures, in clear and as sent: none may be in a log or a table."""
    lines = (fixtures / "secrets.txt").read_text().splitlines()
    return [line.encode() for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="session")
def zeek() -> str:
    """The zeek on PATH."""
    path = shutil.which("zeek")
    if path is None:
        pytest.skip(_NO_ZEEK)
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if shutil.which("zeek") is not None:
        return
    skip = pytest.mark.skip(reason=_NO_ZEEK)
    for item in items:
        if item.get_closest_marker("zeek"):
            item.add_marker(skip)


def _cpu_seconds() -> float:
    """CPU time of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that takes long carries the mark `slow`, so that the others stay quick."""
    start = _cpu_seconds()
    yield
    spent = _cpu_seconds() - start
    if spent > _UNMARKED_S and not any(map(item.get_closest_marker, ("slow", "zeek"))):
        pytest.fail(f"it took {spent:.1f} s of CPU time: mark it `slow`")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [each for each in terminalreporter.stats.get("skipped", ()) if _NO_ZEEK in str(each.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests skipped: they need a zeek on PATH", yellow=True)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder; tests only read it."""
    from support.tables_made import Made, mails, write

    path = tmp_path_factory.mktemp("views") / "out"
    transfers = mails()
    write(path, transfers)
    return Made(path, transfers)


@pytest.fixture(scope="session")
def incident(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the incident; tests only read them."""
    import zeekpop3

    out = tmp_path_factory.mktemp("incident") / "out"
    zeekpop3.run([fixtures / "incident" / "pop3_events.log"], out, jobs=1)
    return out
