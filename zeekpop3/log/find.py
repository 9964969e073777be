"""Which files are meant, in the order of time.

Zeek's names: `pop3_events.log` while it is written; `pop3_events.HH:MM:SS-HH:MM:SS.log.gz` in a folder
YYYY-MM-DD, or `pop3_events-YYYY-MM-DD-HH-MM-SS.log`, when archived. The first row's `ts` decides, as names
can be changed.
"""

from __future__ import annotations

import calendar
import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from zeekpop3.errors import LogError
from zeekpop3.log.header import LOG_PATH, parse_header
from zeekpop3.log.stream import ByteStream

_NAME = re.compile(rf"{LOG_PATH}.*\.log(\.gz)?")
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_CLOCK = re.compile(r"(\d\d)[-:](\d\d)[-:](\d\d)")
_HEAD = 1 << 16


def find_logs(sources: Iterable[str | Path]) -> list[Path]:
    """The event logs that `sources` (files, folders with all below them, glob patterns) stand for.

    In order of time, each file once, however often or by whatever link it is named. A file that is named
    itself is taken whatever its name; in folders only Zeek's names count. Raises LogError for a source that
    gives nothing.
    """
    found: dict[tuple[int, int], Path] = {}
    for source in sources:
        paths = list(_paths(Path(source)))
        if not paths:
            raise LogError(source, f"the folder holds no event log ({LOG_PATH}*.log or .log.gz)")
        for path in paths:
            try:
                status = path.stat()
            except OSError as error:
                raise LogError(path, f"cannot be read: {error.strerror or error}") from None
            found.setdefault((status.st_dev, status.st_ino), path)
    return sorted(found.values(), key=_time_key)


def is_log_name(name: str) -> bool:
    """Whether a file of this name, met in a folder, is an event log."""
    return _NAME.fullmatch(name) is not None


def _paths(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from _below(source)
    elif source.exists() or source.is_symlink():
        yield source
    elif glob.has_magic(str(source)):
        matches = sorted(glob.glob(str(source), recursive=True))  # noqa: PTH207
        if not matches:
            raise LogError(source, "no file matches")
        for match in matches:
            path = Path(match)
            if path.is_dir():
                yield from _below(path)
            else:
                yield path
    else:
        raise LogError(source, "no such file or folder")


def _below(folder: Path) -> Iterator[Path]:
    """The logs in a folder and below; links are followed (Zeek's `current` is one), but never in a circle."""
    seen: set[str] = set()
    for where, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(files):
            if is_log_name(name):
                yield Path(where, name)


def _time_key(path: Path) -> tuple[float, str]:
    """When the log's first row was written; what the name says if there is none; else at the end."""
    first = _first_ts(path)
    if first is None:
        first = _named_time(path)
    return (float("inf") if first is None else first), str(path)


def _first_ts(path: Path) -> float | None:
    """The `ts` of the first row, from the head of the file alone.

    A `contents` row has the time of its first byte, and may have been held while a log before it was written:
    it tells only where the head has no other row.
    """
    try:
        with ByteStream(path) as stream:
            head = stream.read(_HEAD)
        header, size = parse_header(head, path)
    except LogError:
        return None
    ts, kind = header.fields.index("ts"), header.fields.index("kind")
    rows = [line.split(header.separator.encode()) for line in head[size:].split(b"\n")]
    rows = [row for row in rows if len(row) > max(ts, kind)]
    try:
        return float(next((row for row in rows if row[kind] != b"contents"), rows[0])[ts])
    except (IndexError, ValueError):
        return None


def _named_time(path: Path) -> float | None:
    """The time (as if UTC) that the name and the folder say."""
    day = _DAY.search(path.name) or _DAY.fullmatch(path.parent.name)
    if day is None:
        return None
    clock = _CLOCK.search(path.name, day.end() if day.string == path.name else 0)
    numbers = [*map(int, day.groups()), *(map(int, clock.groups()) if clock else (0, 0, 0))]
    try:
        return float(calendar.timegm((*numbers, 0, 0, 0)))
    except ValueError:
        return None
