"""Other commands while a follower runs: refused, or safe."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import zeekpop3
from support.growing import Expected, Note, assert_same, sessions, tables
from support.traffic.eventlog import log_header, log_lines, uid_of
from zeekpop3.errors import OutputError
from zeekpop3.follow import Follower, Options, output
from zeekpop3.store.files import sync_folder
from zeekpop3.store.maintenance import prune

QUICK = Options(flush_s=0.0, poll=True, merge_s=0.0)


def _follow(spool: Path, out: Path) -> None:
    with Follower([spool], out, options=QUICK) as follower:
        follower.once()


def test_an_overwrite_is_refused(spool: Path, tmp_path: Path, lines: list[bytes]) -> None:
    """`run --overwrite` does not replace the tables of a live follower, and leaves nothing behind."""
    out = tmp_path / "out"
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines))
    with Follower([spool], out, options=QUICK) as follower:
        follower.once()
        before = tables(out)
        with pytest.raises(OutputError, match="in use by a follower"):
            zeekpop3.run([spool], out, mode="overwrite", jobs=1)
        assert tables(out) == before
    assert not list(out.glob(".zeekpop3-staging*"))


def test_a_follower_that_starts_during_an_overwrite(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes]
) -> None:
    """The overwrite is refused at its end, too, and the follower's tables stay."""
    from zeekpop3.store.write import TableWriter

    out = tmp_path / "out"
    (spool / "pop3_events.log").write_bytes(log_header() + b"".join(lines))
    _follow(spool, out)
    before = tables(out)
    with pytest.raises(OutputError, match="in use by a follower"), TableWriter(out, "overwrite"):
        follower = Follower([spool], out, options=QUICK)
    follower.close()
    assert tables(out) == before
    assert not list(out.glob(".zeekpop3-staging*"))


def test_a_follower_after_an_overwrite(
    spool: Path,
    tmp_path: Path,
    notes: list[Note],
    lines: list[bytes],
    batch: Callable[[list[bytes]], Expected],
) -> None:
    """It does not rely on its old checkpoint, but looks what the new tables hold."""
    out = tmp_path / "out"
    log = spool / "pop3_events.log"
    log.write_bytes(log_header() + b"".join(lines[: len(lines) // 2]))
    _follow(spool, out)
    log.write_bytes(log_header() + b"".join(lines))
    zeekpop3.run([spool], out, mode="overwrite", jobs=1)
    _follow(spool, out)
    assert any("tables contain rows" in note.text for note in notes)
    assert_same(out, batch(lines))


@pytest.mark.slow
def test_an_append_beside_a_merge(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_days: list[bytes]
) -> None:
    """`run --append` of other logs writes its rows even while the follower replaces the day's parts."""

    def slow(folder: Path) -> None:
        sync_folder(folder)
        time.sleep(0.1)

    monkeypatch.setattr(output, "sync_folder", slow)
    out = tmp_path / "out"
    log = spool / "pop3_events.log"
    log.write_bytes(log_header() + b"".join(two_days[: len(two_days) // 3]))
    _follow(spool, out)
    found = {uid_of(900 + n): rows for n, rows in enumerate(sessions(12, per_connection=1, seed=5).values())}
    others = []
    for number, (uid, rows) in enumerate(found.items()):
        path = tmp_path / f"other-{number}.log"
        path.write_bytes(log_header() + b"".join(log_lines({uid: rows})))
        others.append(path)
    errors: list[BaseException] = []

    def append() -> None:
        try:
            for path in others:
                zeekpop3.run([path], out, mode="append", jobs=1)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=append)
    thread.start()
    with Follower([spool], out, options=QUICK) as follower:
        for share in range(4, 13):
            log.write_bytes(log_header() + b"".join(two_days[: len(two_days) * share // 12]))
            follower.once()
        thread.join(60)
        follower.once()
    assert not errors
    logs = [log, *others]
    zeekpop3.run(logs, tmp_path / "batch", jobs=1)
    assert_same(out, tables(tmp_path / "batch"))


def test_a_prune_beside_a_follower(
    spool: Path, tmp_path: Path, two_days: list[bytes], batch: Callable[[list[bytes]], Expected]
) -> None:
    """`prune` removes days while the follower writes and merges; the other days are complete."""
    out = tmp_path / "out"
    log = spool / "pop3_events.log"
    done = threading.Event()
    errors: list[BaseException] = []

    def often() -> None:
        now = dt.datetime(2023, 11, 15, 12, tzinfo=dt.UTC)
        while not done.is_set():
            try:
                if (out / "emails").is_dir():
                    prune(out, 0, now)
            except BaseException as error:
                errors.append(error)
            time.sleep(0.01)

    thread = threading.Thread(target=often)
    thread.start()
    with Follower([spool], out, options=QUICK) as follower:
        for share in range(1, 13):
            log.write_bytes(log_header() + b"".join(two_days[: len(two_days) * share // 12]))
            for _ in range(20):
                try:
                    follower.once()
                    break
                except (OSError, OutputError):  # `run` would try again
                    continue
    done.set()
    thread.join(60)
    assert not errors
    prune(out, 0, dt.datetime(2023, 11, 15, 12, tzinfo=dt.UTC))
    found, expected = tables(out), batch(two_days)
    for name, rows in expected.items():
        kept = [row for row in rows if row["ts"].date() >= dt.date(2023, 11, 15)]
        assert kept or name in ("links", "attachments", "members", "enclosed"), name
        assert found.get(name, []) == kept, name
