"""Which files are meant, and their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.log_rows import head, row, write
from zeekpop3.errors import LogError
from zeekpop3.follow.catalogue import LogLister
from zeekpop3.log.find import find_logs, is_log_name


def log(path: Path, ts: int | None, *, gz: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, head() + ("" if ts is None else row(0, ts=f"{ts}.000000")), gz=gz)


def test_a_folder_in_order_of_time(tmp_path: Path) -> None:
    """Archives and the current log of a whole tree come in order of their first rows, other files not at
    all."""
    current = log(tmp_path / "current/pop3_events.log", 1719320000)
    second = log(tmp_path / "2024-06-25/pop3_events.00:00:00-01:00:00.log.gz", 1719273600, gz=True)
    first = log(tmp_path / "2024-06-24/pop3_events.23:00:00-00:00:00.log.gz", 1719270000, gz=True)
    log(tmp_path / "2024-06-24/conn.23:00:00-00:00:00.log", 1)
    log(tmp_path / "2024-06-24/pop3_events.log.tmp", 1)
    assert find_logs([tmp_path]) == [first, second, current]


def test_bytes_that_were_held_do_not_tell_the_time(tmp_path: Path) -> None:
    """A log may begin with bytes that came before the log before it was opened."""
    held = row(5, "contents", ts="1719230399.000000")
    second = write(tmp_path / "pop3_events.a.log", head() + held + row(6, "sent", ts="1719230402.000000"))
    first = log(tmp_path / "pop3_events.b.log", 1719230400)
    alone = write(tmp_path / "pop3_events.c.log", head() + row(7, "contents", ts="1719230403.000000"))
    assert find_logs([tmp_path]) == [first, second, alone]


def test_logs_without_rows_come_last(tmp_path: Path) -> None:
    """A log without rows has no place in the order of time."""
    rows = log(tmp_path / "pop3_events-2024-06-24-12-00-00.log", 1719230400)
    early = log(tmp_path / "2024-06-24/pop3_events.09:00:00-10:00:00.log", None)
    assert find_logs([tmp_path]) == [rows, early]


def test_each_file_once(tmp_path: Path) -> None:
    """A file that is named twice, by a glob, a folder or a link, is read once; circles of links end."""
    path = log(tmp_path / "spool/pop3_events.log", 5)
    (tmp_path / "current").symlink_to(tmp_path / "spool")
    (tmp_path / "spool/loop").symlink_to(tmp_path)
    (tmp_path / "again.log").symlink_to(path)
    found = find_logs([tmp_path / "spool", tmp_path / "*", path, str(tmp_path / "again.log")])
    assert found == [path]


def test_a_file_that_is_named_is_taken(tmp_path: Path) -> None:
    """A file that is named itself may have any name; what it is will be seen when it is read."""
    path = write(tmp_path / "whatever.txt", "no log")
    odd = log(tmp_path / "with [brackets].log", 7)
    assert find_logs([path, odd]) == [odd, path]


@pytest.mark.parametrize(
    ("name", "is_log"),
    [
        ("pop3_events.log", True),
        ("pop3_events.log.gz", True),
        ("pop3_events.12:00:00-13:00:00.log.gz", True),
        ("pop3_events-2024-06-24-12-00-00.log", True),
        ("pop3_events.log.1", True),
        ("pop3_events.log.2.gz", True),
        ("pop3_events.log-20240101.gz", True),
        ("pop3_events.log.tmp", False),
        ("pop3_events.log.gz.part", False),
        (".pop3_events.log", False),
        ("conn.log", False),
    ],
)
def test_names_of_logs(tmp_path: Path, name: str, is_log: bool) -> None:
    """`run`, `follow` and Spark take the same names for logs, those that logrotate makes included."""
    path = log(tmp_path / name, 1719230400, gz=name.endswith(".gz"))
    assert is_log_name(name) is is_log
    listed = [found for found, _ in LogLister().logs([tmp_path], {})]
    assert listed == ([path] if is_log else [])
    if is_log:
        assert find_logs([tmp_path]) == [path]
    else:
        with pytest.raises(LogError, match="no event log"):
            find_logs([tmp_path])


def test_folders_that_are_very_deep(tmp_path: Path) -> None:
    """A log 1,200 folders down is found: nothing recurses. A link to a folder above is not followed again."""
    folder = tmp_path
    for _ in range(1_200):
        folder /= "d"
        folder.mkdir()
    path = log(folder / "pop3_events.log", 1)
    (tmp_path / "loop").symlink_to(tmp_path)
    found = find_logs([tmp_path])
    listed = [each for each, _ in LogLister().logs([tmp_path], {})]
    path.unlink()
    while folder != tmp_path:  # shutil.rmtree would recurse
        folder.rmdir()
        folder = folder.parent
    assert found == listed == [path]
