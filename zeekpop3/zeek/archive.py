"""Finds Zeek's logs in an archive.

Zeek writes `http.log`; its archive has a folder for each day with `http.HH:MM:SS-HH:MM:SS.log.gz` (zeekctl's
archive-log), and other rotations have names such as `http_20261128-100000.log`. A folder is searched with the
folders in it, and a glob may have wildcards in each component.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from zeekpop3.errors import LogError, reason
from zeekpop3.log.find import each_path

#: Folders of an archive are not nested more deeply.
_MAX_DEPTH = 16


def find_zeek_logs(stream: str, given: str | Path | Iterable[str | Path]) -> list[Path]:
    """The files of a log stream ("http"), each once: those given, and in folders and globs those of its name.

    Raises LogError for a path without such a log.
    """
    found: dict[Path, None] = {}
    for each in each_path(given):
        files = sorted(_files(stream, str(each)))
        if not files:
            raise LogError(each, _nothing(stream, Path(each)))
        found |= dict.fromkeys(files)
    return list(found)


def _files(stream: str, given: str) -> Iterator[Path]:
    path, name = Path(given), _name(stream)
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from _below(path, name)
    elif glob.has_magic(given):
        matches = [Path(match) for match in glob.iglob(given, recursive=True)]  # noqa: PTH207
        files = [match for match in matches if match.is_file()]
        # The files with the stream's name; all files, if the glob matches none of these.
        yield from [file for file in files if name.fullmatch(file.name)] or files
        for match in matches:
            if match.is_dir():
                yield from _below(match, name)


def _name(stream: str) -> re.Pattern[str]:
    """The names of a stream's files: `http.log`, `http.10:00:00-11:00:00.log.gz`, `http_20261128.log`."""
    return re.compile(rf"(?:json_streaming_)?{re.escape(stream)}(?:[._-]\d[^/]*)?\.log(?:\.\d+)?(?:\.gz)?")


def _below(folder: Path, name: re.Pattern[str]) -> Iterator[Path]:
    folders = [(folder, 0)]
    while folders:
        at, depth = folders.pop()
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=depth == 0) and depth < _MAX_DEPTH:
                        folders.append((Path(entry.path), depth + 1))
                    elif name.fullmatch(entry.name) and entry.is_file():
                        yield Path(entry.path)
        except OSError as error:
            raise LogError(at, f"cannot be read: {reason(error)}") from error


def _nothing(stream: str, path: Path) -> str:
    if path.is_dir() or glob.has_magic(str(path)):
        return f"no {stream}.log, {stream}.*.log or {stream}.*.log.gz there"
    return "no such log file"
