"""Disk full, folders gone, files that cannot be read: said once, tried again, nothing lost."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.growing import Expected, Notes, assert_same, tables
from support.traffic.eventlog import log_header
from zeekpop3.errors import OutputError
from zeekpop3.follow import Follower, Options, follower, is_transient, state
from zeekpop3.follow.output import Output

QUICK = Options(flush_s=0.05, interval_s=0.05, poll=True)


class Running:
    """A follower that runs in a thread; `notes` is what it said."""

    def __init__(self, spool: Path, out: Path, options: Options = QUICK) -> None:
        self._handler = Notes()
        self.notes = self._handler.notes
        self._logger = logging.getLogger("zeekpop3.follow")
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.INFO)
        self.follower = Follower([spool], out, options=options)
        self.good: bool | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.good = self.follower.run()

    def texts(self, level: str) -> list[str]:
        return [note.text for note in self.notes if note.level == level]

    def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, [note.text for note in self.notes]
            time.sleep(0.02)

    def end(self) -> bool | None:
        self.follower.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.follower.close()
        self._logger.removeHandler(self._handler)
        return self.good


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short."""
    monkeypatch.setattr(follower, "_LONGEST_PAUSE_S", 0.1)


@pytest.mark.parametrize("step", ["stage", "save", "settle"])
def test_a_full_disk(
    spool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
    step: str,
) -> None:
    """Wherever in a commit the disk is full, it is said once, and all is written when there is room."""
    full = threading.Event()
    tried = [0]

    def failing(do):  # type: ignore[no-untyped-def]
        def wrapped(*args, **kwargs):  # type: ignore[no-untyped-def]
            if full.is_set():
                tried[0] += 1
                if step == "stage":
                    raise OutputError("part: cannot be written: No space left on device")
                raise OSError(errno.ENOSPC, "No space left on device")
            return do(*args, **kwargs)

        return wrapped

    if step == "save":
        monkeypatch.setattr("zeekpop3.follow.follower.save", failing(state.save))
    else:
        monkeypatch.setattr(Output, step, failing(getattr(Output, step)))
    out = tmp_path / "out"
    log = spool / "pop3_events.log"
    log.write_bytes(log_header() + b"".join(lines[: len(lines) // 4]))
    running = Running(spool, out)
    running.until(lambda: any("written" in text for text in running.texts("info")))
    full.set()
    with log.open("ab") as file:
        file.write(b"".join(lines[len(lines) // 4 : len(lines) // 2]))
    running.until(lambda: tried[0] >= 3)
    with log.open("ab") as file:
        file.write(b"".join(lines[len(lines) // 2 :]))
    assert len([text for text in running.texts("error") if "No space left" in text]) == 1
    full.clear()
    running.until(lambda: "output can be written again" in running.texts("info"))
    assert running.end() is True
    assert_same(out, batch(lines))


def test_a_disk_that_is_full_at_the_start(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes]
) -> None:
    """Not even the lock can be written: one line, and the command tries again."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "out"
    with monkeypatch.context() as context:
        context.setattr(os, "pwrite", full)
        with pytest.raises(OutputError, match="No space left on device") as caught:
            Follower([spool], out, options=QUICK)
    assert is_transient(caught.value)
    Follower([spool], out, options=QUICK).close()


def test_stopped_while_the_disk_is_full(
    spool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
) -> None:
    """It still ends, logs that something is missing, and the next follower reads that again."""

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "out"
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines))
    with monkeypatch.context() as context:
        running = Running(spool, out)
        context.setattr(Output, "stage", full)
        running.until(lambda: bool(running.texts("error")))
        assert running.end() is False
    with Follower([spool], out, options=QUICK) as again:
        again.once()
    assert_same(out, batch(lines))


def test_the_output_is_gone(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """An output folder that is gone (unmounted?) is not created again: the follower waits for it."""
    out, away = tmp_path / "out", tmp_path / "away"
    log = spool / "pop3_events.log"
    log.write_bytes(log_header() + b"".join(lines[: len(lines) // 4]))
    running = Running(spool, out)
    running.until(lambda: any("written" in text for text in running.texts("info")))
    out.rename(away)
    with log.open("ab") as file:
        file.write(b"".join(lines[len(lines) // 4 :]))
    running.until(lambda: any("was removed" in text for text in running.texts("error")))
    time.sleep(0.3)
    assert not out.exists()
    away.rename(out)
    running.until(lambda: len(tables(out)["sessions"]) == 30)
    assert running.end() is True
    assert_same(out, batch(lines))


def test_the_logs_come_later(
    tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """A log folder that does not exist yet is reported once; the follower waits for it."""
    spool, out = tmp_path / "logs", tmp_path / "out"
    running = Running(spool, out)
    running.until(lambda: any("no such file or folder" in text for text in running.texts("error")))
    time.sleep(0.3)
    spool.mkdir()
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines))
    running.until(lambda: len(tables(out)["sessions"]) == 30)
    assert running.end() is True
    assert len(running.texts("error")) == 1
    assert_same(out, batch(lines))


def test_a_log_that_cannot_be_read(
    spool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
) -> None:
    """A log without read permission is reported once, and read as soon as it can be."""
    half = len(lines) // 2
    first = spool / "pop3_events-1.log"
    first.write_bytes(log_header() + b"".join(lines[:half]))
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines[half:]))
    denied = threading.Event()
    denied.set()
    opened = os.open

    def guarded(path, *args, **kwargs):  # type: ignore[no-untyped-def]
        if denied.is_set() and path == first:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", guarded)
    out = tmp_path / "out"
    running = Running(spool, out)
    running.until(lambda: bool(running.texts("error")))
    time.sleep(0.5)
    told = running.texts("error")
    denied.clear()
    running.until(lambda: len(tables(out)["sessions"]) == 30)
    assert running.end() is True
    assert len(told) == 1
    assert "Permission denied" in told[0]
    assert_same(out, batch(lines))


def test_changes_are_noticed(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """Without --poll the system tells of changes: no interval has to pass."""
    out = tmp_path / "out"
    log = spool / "pop3_events.log"
    log.write_bytes(log_header() + b"".join(lines[: len(lines) // 8]))
    running = Running(spool, out, Options(flush_s=0.05, interval_s=600))
    running.until(lambda: any("written" in text for text in running.texts("info")))
    with log.open("ab") as file:
        file.write(b"".join(lines[len(lines) // 8 :]))
    running.until(lambda: len(tables(out)["sessions"]) == 30)
    assert running.end() is True
    assert_same(out, batch(lines))
