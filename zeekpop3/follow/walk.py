"""Which files there are: all logs in folders and below, each once, with what tells whether one has changed.

A folder of old logs is looked into only if its own time has changed, and once a minute all the same: there
may be years of them.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from zeekpop3.log.header import LOG_PATH

#: Zeek's names, and those that logrotate makes of them (`.log.1`, `.log-20240101.gz`).
_NAME = re.compile(rf"{LOG_PATH}.*\.log([.-]\d[\d.-]*)?(\.gz)?")
_OLD_NS = 3_600_000_000_000
_FULL_S = 60.0


class Key(NamedTuple):
    """As long as this stays, a file has not changed. `size` in bytes, `mtime` in nanoseconds."""

    device: int
    inode: int
    size: int
    mtime: int


class _Folder(NamedTuple):
    mtime: int
    below: list[str]
    logs: list[tuple[Path, Key]]


class Walker:
    """Remembers the folders of old logs from look to look."""

    def __init__(self) -> None:
        self._old: dict[str, _Folder] = {}
        self._full_at = -_FULL_S

    def look(self, folders: Iterable[Path], problems: dict[Path, str]) -> Iterator[tuple[Path, Key]]:
        """The logs below the folders, by name. What cannot be read goes to `problems`."""
        if time.monotonic() - self._full_at >= _FULL_S:
            self._full_at = time.monotonic()
            self._old.clear()
        files: set[tuple[int, int]] = set()
        seen: set[tuple[int, int]] = set()
        for folder in folders:
            if folder.is_file():
                found = self._file(folder, problems)
                logs = [(folder, found)] if found is not None else []
            else:
                logs = list(self._below(str(folder), seen, problems))
            for path, key in logs:
                if key[:2] not in files:  # else reached by a second link
                    files.add(key[:2])
                    yield path, key

    def _below(
        self, where: str, seen: set[tuple[int, int]], problems: dict[Path, str]
    ) -> Iterator[tuple[Path, Key]]:
        try:
            status = os.stat(where)  # noqa: PTH116
            # Links are followed (zeekctl's `current` is one), but never in a circle.
            if (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            folder = self._old.get(where)
            if folder is None or folder.mtime != status.st_mtime_ns:
                folder = self._listed(where, status.st_mtime_ns, problems)
        except FileNotFoundError:
            return
        except OSError as error:
            problems[Path(where)] = f"cannot be read: {error.strerror or error}"
            return
        yield from folder.logs
        for name in folder.below:
            yield from self._below(name, seen, problems)

    def _listed(self, where: str, mtime: int, problems: dict[Path, str]) -> _Folder:
        folder = _Folder(mtime, [], [])
        with os.scandir(where) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if is_log_name(entry.name):
                    path = Path(entry.path)
                    if (key := self._file(path, problems)) is not None:
                        folder.logs.append((path, key))
                elif not entry.name.startswith(".") and entry.is_dir():
                    folder.below.append(entry.path)
        newest = max([mtime, *(key.mtime for _, key in folder.logs)])
        if newest < time.time_ns() - _OLD_NS:
            self._old[where] = folder
        return folder

    def _file(self, path: Path, problems: dict[Path, str]) -> Key | None:
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            problems[path] = f"cannot be read: {error.strerror or error}"
            return None
        return Key(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def is_log_name(name: str) -> bool:
    """Tell whether a file name is one of an event log."""
    return _NAME.fullmatch(name) is not None
