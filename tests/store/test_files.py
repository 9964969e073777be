"""One way to write a file: complete or not at all, private, never through a link that others made."""

from __future__ import annotations

import datetime as dt
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from zeekpop3.detect.keys import DkimKey, write_keys
from zeekpop3.errors import OutputError, first_line, reason
from zeekpop3.follow import reports, state
from zeekpop3.pipeline.settings import Counters
from zeekpop3.store.files import make_folder, new_file

_NOW = dt.datetime(2024, 6, 24, tzinfo=dt.UTC)


def _write(path: Path) -> None:
    with new_file(path) as file:
        file.write(b"new")


WRITERS: dict[str, Callable[[Path], None]] = {
    "new_file": _write,
    "keys": lambda path: write_keys(path, [DkimKey("a._domainkey.b", "v=DKIM1", _NOW, _NOW)]),
    "state": lambda path: state.save(state.State("token"), path),
    "metrics": lambda path: reports.write_metrics(path, Counters(), dict.fromkeys(reports.GAUGES, 0.0)),
}
parametrized = pytest.mark.parametrize("name", WRITERS)


@parametrized
def test_nothing_is_left_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """If the disk is full, the old file stays as it was, and there is no other."""
    path = tmp_path / "file"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="file: cannot be written: No space left on device") as caught:
        WRITERS[name](path)
    assert isinstance(caught.value.__cause__, OSError)  # a follower tries it again
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@parametrized
def test_modes_are_private(tmp_path: Path, name: str) -> None:
    """Only its owner reads a file; all read the metrics, which are numbers."""
    before = os.umask(0o022)
    try:
        WRITERS[name](tmp_path / "file")
    finally:
        os.umask(before)
    mode = (tmp_path / "file").stat().st_mode & 0o777
    assert mode == (0o644 if name == "metrics" else 0o600)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@parametrized
def test_links_are_not_written_through(tmp_path: Path, name: str) -> None:
    """Links that others made, under the name itself or names that can be foreseen, do not move the write."""
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    folder = tmp_path / "folder"
    folder.mkdir()
    for planted in ("file", "file.new", f".file.{os.getpid()}"):
        (folder / planted).symlink_to(victim)
    WRITERS[name](folder / "file")
    assert victim.read_text() == "theirs"
    assert not (folder / "file").is_symlink()


def test_a_block_that_raises(tmp_path: Path) -> None:
    """Its exception goes on as it is."""
    with pytest.raises(ValueError, match="no"), new_file(tmp_path / "file") as file:
        file.write(b"half")
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_folders_are_private(tmp_path: Path) -> None:
    """A folder and the parents that were missing are 0700; a file in the way is an error of ours."""
    make_folder(tmp_path / "a" / "b")
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot create the folder"):
        make_folder(tmp_path / "file" / "below")


def test_what_an_exception_says() -> None:
    """One line, whatever there is."""
    assert first_line(ValueError(" one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
    assert reason(FileNotFoundError(2, "No such file", "x")) == "No such file"
    arrow = "Error writing bytes to file. Detail: [errno 28] No space left on device"
    assert reason(OSError(28, arrow)) == "No space left on device"
