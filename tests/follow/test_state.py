"""The checkpoint: lost, damaged, from another version; the lock."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import zeekpop3
from support.growing import Expected, Note, assert_same
from support.traffic.eventlog import log_header
from zeekpop3.errors import LogError, OutputError
from zeekpop3.follow import Follower, Options
from zeekpop3.follow.catalogue import LogLister
from zeekpop3.follow.state import load
from zeekpop3.store.files import FOLLOWER_FOLDER as FOLDER
from zeekpop3.store.files import FOLLOWER_STATE as STATE

QUICK = Options(flush_s=0.0, poll=True)


def _follow(spool: Path, out: Path) -> None:
    with Follower([spool], out, options=QUICK) as follower:
        follower.once()


def _grow(spool: Path, lines: list[bytes], share: float) -> None:
    text = log_header() + b"".join(lines[: int(len(lines) * share)])
    (spool / "pop3_events.log").write_bytes(text)


@pytest.mark.parametrize("damage", ["removed", "empty", "half", "one byte", "no object", "wrong type"])
def test_a_lost_state_is_rebuilt(
    spool: Path,
    tmp_path: Path,
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
    damage: str,
    notes: list[Note],
) -> None:
    """Whatever happened to the state file, it is logged, and the tables still get each row once."""
    out = tmp_path / "out"
    _grow(spool, lines, 0.6)
    _follow(spool, out)
    state = out / FOLDER / STATE
    text = state.read_text()
    if damage == "removed":
        state.unlink()
    else:
        offset = json.loads(text)["logs"][0]["offset"]
        broken = {
            "empty": "",
            "half": text[: len(text) // 2],
            "one byte": text.replace(f'"offset":{offset}', f'"offset":{offset + 1}'),
            "no object": "[1, 2]",
            "wrong type": text.replace('"clock": 1', '"clock": "1", "x": 1', 1),
        }[damage]
        assert broken != text
        state.write_text(broken)
    _grow(spool, lines, 0.9)
    notes.clear()
    _follow(spool, out)
    assert any("state" in note.text for note in notes if note.level in ("warning", "error"))
    _grow(spool, lines, 1.0)
    _follow(spool, out)
    assert_same(out, batch(lines))


def test_a_killed_rebuild_goes_on(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """A rebuild that is cut off after some commits does not forget what the tables hold."""
    out = tmp_path / "out"
    _grow(spool, lines, 0.7)
    _follow(spool, out)
    (out / FOLDER / STATE).unlink()
    for _ in range(3):
        with Follower([spool], out, options=QUICK) as follower:
            follower._stop = True  # after the first piece
            follower._reader.round(lambda: False)
            follower._commit()
    _grow(spool, lines, 1.0)
    _follow(spool, out)
    assert_same(out, batch(lines))


def test_tables_of_a_batch_run_are_gone_on_with(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """A follower on an output that `run` filled from the same logs adds nothing twice."""
    out = tmp_path / "out"
    _grow(spool, lines, 1.0)
    zeekpop3.run([spool], out, jobs=1)
    _follow(spool, out)
    assert_same(out, batch(lines))


def test_the_state_is_for_people_too(spool: Path, tmp_path: Path, lines: list[bytes]) -> None:
    """JSON with a version, a line for each log and open connection; small; no user, no text of a mail."""
    out = tmp_path / "out"
    _grow(spool, lines, 0.5)
    _follow(spool, out)
    text = (out / FOLDER / STATE).read_text()
    data = json.loads(text)
    assert data["version"] == 2
    assert len(data["logs"]) == 1
    assert data["open"]
    assert len(text) < 4000 + 400 * len(data["open"])
    assert "user" not in text
    assert ((out / FOLDER / STATE).stat().st_mode & 0o777) == 0o600


def test_a_newer_state_is_refused(spool: Path, tmp_path: Path, lines: list[bytes]) -> None:
    """A state that a later version wrote is not guessed at."""
    out = tmp_path / "out"
    _grow(spool, lines, 0.1)
    _follow(spool, out)
    state = out / FOLDER / STATE
    state.write_text(state.read_text().replace('"version": 2', '"version": 3'))
    with pytest.raises(OutputError, match="newer"):
        _follow(spool, out)


def test_two_followers(spool: Path, tmp_path: Path) -> None:
    """The second follower on an output is refused, with the process that has it."""
    import os

    with (
        Follower([spool], tmp_path / "out", options=QUICK),
        pytest.raises(OutputError, match=f"in use by another follower .*process {os.getpid()}"),
    ):
        Follower([spool], tmp_path / "out", options=QUICK)
    Follower([spool], tmp_path / "out", options=QUICK).close()


def test_a_process_that_is_being_started_holds_no_lock(spool: Path, tmp_path: Path) -> None:
    """Between fork and exec it has the follower's files; the next follower does not wait for that."""
    import os

    release, held = os.pipe()
    with Follower([spool], tmp_path / "out", options=QUICK):
        child = os.fork()
        if not child:
            os.close(held)
            os.read(release, 1)
            os._exit(0)
    try:
        Follower([spool], tmp_path / "out", options=QUICK).close()
    finally:
        os.close(held)
        os.waitpid(child, 0)
        os.close(release)


def test_logs_out_of_reach_at_the_start(
    spool: Path, tmp_path: Path, lines: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """If the folder with the logs of open connections is not there (not mounted?), nothing is given up."""
    out = tmp_path / "out"
    _grow(spool, lines, 0.5)
    _follow(spool, out)
    spool.rename(tmp_path / "away")
    with pytest.raises(LogError, match="no such folder"):
        _follow(spool, out)
    (tmp_path / "away").rename(spool)
    _grow(spool, lines, 1.0)
    _follow(spool, out)
    assert_same(out, batch(lines))


def test_a_log_on_its_way_at_the_start(
    spool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
    notes: list[Note],
) -> None:
    """A log that is being renamed just when a follower starts, and is seen nowhere at first, is not lost."""
    out = tmp_path / "out"
    _grow(spool, lines, 0.5)
    _follow(spool, out)
    listed = LogLister.logs
    looks = 0

    def look(*args):  # type: ignore[no-untyped-def]
        nonlocal looks
        looks += 1
        return iter(()) if looks <= 2 else listed(*args)

    monkeypatch.setattr(LogLister, "logs", look)
    _grow(spool, lines, 1.0)
    notes.clear()
    _follow(spool, out)
    assert all(note.level == "info" for note in notes)
    assert_same(out, batch(lines))


def test_a_state_of_another_version_is_refused(spool: Path, tmp_path: Path, lines: list[bytes]) -> None:
    """Neither a newer release's nor that of 0.1 is taken for damage."""
    out = tmp_path / "out"
    _grow(spool, lines, 0.6)
    _follow(spool, out)
    path = out / FOLDER / STATE
    for version in (1, 99):
        path.write_text(json.dumps({**json.loads(path.read_text()), "version": version}))
        with pytest.raises(OutputError, match=f"state version {version}, expected 2"):
            load(path)
