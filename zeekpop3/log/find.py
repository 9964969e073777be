"""Finds the event logs, in the order of time.

Zeek's names: `pop3_events.log` while it is written; `pop3_events.HH:MM:SS-HH:MM:SS.log.gz` in a folder
YYYY-MM-DD, or `pop3_events-YYYY-MM-DD-HH-MM-SS.log`, when archived. logrotate adds `.1`, `-20240101`, `.gz`.
The order is that of the first rows' `ts`, as names can be changed.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from zeekpop3.errors import LogError, reason
from zeekpop3.log.header import LOG_PATH, read_head

_ARCHIVED = re.compile(r"\d{4}-\d\d-\d\d")
_NAME = re.compile(rf"{LOG_PATH}.*\.log([.-]\d[\d.-]*)?(\.gz)?")


def each_path(given: str | Path | Iterable[str | Path]) -> list[str | Path]:
    """Several paths; one alone need not be in a list."""
    return [given] if isinstance(given, (str, Path)) else list(given)


def find_logs(sources: str | Path | Iterable[str | Path]) -> list[Path]:
    """The event logs in `sources` (files, folders with all their subfolders, glob patterns), by time.

    Each file occurs once, even if it is named twice or by links. A file that is named itself may have any
    name; in folders only the names of event logs count. Raises LogError for a source without logs.
    """
    found: dict[tuple[int, int], Path] = {}
    for source in each_path(sources):
        paths = list(_paths(Path(source)))
        if not paths:
            raise LogError(
                source,
                f"no event log in this folder ({LOG_PATH}*.log or .log.gz); Zeek writes it with our script: "
                'zeek … "$(zeekpop3 scripts)/exact.zeek"',
            )
        for path in paths:
            try:
                status = path.stat()
            except OSError as error:
                raise LogError(path, f"cannot be read: {reason(error)}") from None
            found.setdefault((status.st_dev, status.st_ino), path)
    return sorted(found.values(), key=_time_key)


def is_log_name(name: str) -> bool:
    """Whether a file of this name, found in a folder, is an event log."""
    return _NAME.fullmatch(name) is not None


def log_name(path: Path) -> str:
    """How tables name a log: its file name, in Zeek's archive with the folder of its day before it.

    Other folders are left out: they tell of disks, people and cases, and tables are passed on.
    """
    day = path.absolute().parent.name
    return f"{day}/{path.name}" if _ARCHIVED.fullmatch(day) else path.name


def _paths(source: Path) -> Iterator[Path]:
    paths = [source]
    if not (source.exists() or source.is_symlink()):
        if not glob.has_magic(str(source)):
            raise LogError(source, "no such file or folder")
        paths = [Path(match) for match in sorted(glob.glob(str(source), recursive=True))]  # noqa: PTH207
        if not paths:
            raise LogError(source, "no file matches")
    for path in paths:
        if path.is_dir():
            yield from _below(path)
        else:
            yield path


def _below(folder: Path) -> Iterator[Path]:
    """The logs in a folder and its subfolders, also by links (Zeek's `current` is one), each folder once."""
    seen: set[tuple[int, int]] = set()
    waiting = [str(folder)]  # not os.walk: it recurses, and folders may be a thousand deep
    while waiting:
        where = waiting.pop()
        try:
            status = os.stat(where)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(where), key=lambda entry: entry.name)
        except OSError:
            continue  # as os.walk does
        folders = []
        for entry in entries:
            if os.path.isdir(entry.path):  # noqa: PTH112
                folders.append(entry.path)
            elif is_log_name(entry.name):
                yield Path(entry.path)
        waiting += reversed(folders)


def _time_key(path: Path) -> tuple[float, str]:
    """The time of the log's first row; the end of time if it has no rows, so that nothing depends on it."""
    try:
        first = read_head(path).first_time()
    except LogError:
        first = None
    return (float("inf") if first is None else first), str(path)
