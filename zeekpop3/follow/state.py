"""The checkpoint: one JSON file that says how far the logs are in the tables, and which files that means.

It is written completely, flushed, and renamed over the old one, so at any time there is one checkpoint. Parts
are staged before it and published after it: what it names is published (again) at a restart, and what it
does not name never was.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from zeekpop3.errors import OutputError
from zeekpop3.follow.catalogue import KnownLog
from zeekpop3.follow.connections import ConnectionCheckpoint
from zeekpop3.pipeline.counters import Counters
from zeekpop3.store.merge import Swap
from zeekpop3.store.parquet import sync_folder

VERSION = 1


class DamagedStateError(Exception):
    """The checkpoint exists but is corrupt."""


@dataclass(slots=True)
class State:
    """All that outlives the process. `clock`: the newest row's time (microseconds since the epoch).

    `publish`: staged parts, relative to the tables. `rebuilding`: the tables tell what was written already.
    """

    token: str
    number: int = 0
    clock: int = 0
    rebuilding: bool = False
    totals: Counters = field(default_factory=Counters)
    publish: list[str] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)
    next_log: int = 1
    logs: list[KnownLog] = field(default_factory=list)
    open: list[ConnectionCheckpoint] = field(default_factory=list)
    given_up: dict[str, int] = field(default_factory=dict)


def save(state: State, path: Path) -> None:
    """Write the state file. Raises OSError; then the old one is still there."""
    text = _text({"version": VERSION, **asdict(state)})
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def load(path: Path) -> State | None:
    """The state; None without a state file.

    Raises DamagedStateError, OutputError for a newer version's, OSError.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    try:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise DamagedStateError("not a JSON object")
        if (version := data.get("version")) != VERSION:
            if isinstance(version, int) and version > VERSION:
                raise OutputError(
                    f"{path}: written by a newer zeekpop3 (state version {version}, this one knows {VERSION})"
                )
            raise DamagedStateError("unknown version")
        for connection in data["open"]:  # as they were when the checksum was made
            connection["logs"] = {int(log): offset for log, offset in connection["logs"].items()}
        check = data.pop("check", None)
        state = msgspec.convert(data, State)
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # msgspec's are ValueErrors
        raise DamagedStateError(f"cannot be read: {error}") from None
    # Remove the `check` line when editing by hand.
    if check is not None and check != _check(data):
        raise DamagedStateError("checksum mismatch")
    return state


def _check(data: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(data, sort_keys=True).encode())


def _text(data: dict[str, Any]) -> str:
    """A line for each log and each connection, so that people can read and compare it."""
    lines = []
    for name, value in {**data, "check": _check(data)}.items():
        if isinstance(value, list) and value:
            inner = ",\n".join("  " + json.dumps(item) for item in value)
            lines.append(f'"{name}": [\n{inner}\n ]')
        else:
            lines.append(f'"{name}": {json.dumps(value)}')
    return "{\n " + ",\n ".join(lines) + "\n}\n"
