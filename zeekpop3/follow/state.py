"""The checkpoint: one JSON file that says how far the logs are in the tables, and which files that means.

It is written completely, flushed, and renamed over the old one, so at any time there is one checkpoint. Parts
are staged before it and published after it: what it names is published (again) at a restart, and what it
does not name never was.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import msgspec

from zeekpop3.errors import OutputError
from zeekpop3.follow.catalogue import KnownLog
from zeekpop3.pipeline.counters import Counters
from zeekpop3.store.files import new_file
from zeekpop3.store.merge import Swap

VERSION = 2


class DamagedStateError(Exception):
    """The checkpoint exists but is corrupt."""


@dataclass(slots=True)
class State:
    """All that outlives the process. `clock`: the newest row's time (microseconds since the epoch).

    `publish`: staged parts, relative to the tables. `rebuilding`: the tables tell what was written already.
    `open`: a `ConnectionCheckpoint` of each open connection, as JSON: there may be 600,000 of them.
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
    open: list[msgspec.Raw] = field(default_factory=list)
    given_up: dict[str, int] = field(default_factory=dict)


class _Frame(msgspec.Struct):
    """What is in a state file beside the state; `check` in version 1, `crc` since version 2."""

    version: int
    check: int | None = None
    crc: int | None = None


def save(state: State, path: Path) -> None:
    """Write the state file. Raises OutputError; then the old one is still there."""
    with new_file(path) as file:
        crc = 0
        for line in _lines(state):
            file.write(line)
            crc = zlib.crc32(line, crc)
        file.write(b' "crc": %d\n}\n' % crc)


def _lines(state: State) -> Iterator[bytes]:
    """A line for each log and each connection, so that people can read and compare it."""
    yield b'{\n "version": %d,\n' % VERSION
    for each in fields(state):
        value = getattr(state, each.name)
        if isinstance(value, list) and value:
            yield b' "%s": [\n' % each.name.encode()
            for item in value[:-1]:
                yield b"  %s,\n" % msgspec.json.encode(item)
            yield b"  %s\n ],\n" % msgspec.json.encode(value[-1])
        else:
            yield b' "%s": %s,\n' % (each.name.encode(), msgspec.json.encode(value))


def load(path: Path) -> State | None:
    """The state; None without a state file.

    Raises DamagedStateError, OutputError for a newer version's, OSError.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        frame = msgspec.json.decode(text, type=_Frame)
        if frame.version > VERSION:
            raise OutputError(
                f"{path}: written by a newer zeekpop3 (state version {frame.version}, expected {VERSION})"
            )
        state = msgspec.json.decode(text, type=State)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DamagedStateError(f"cannot be read: {error}") from None
    # Remove the line of the checksum when editing by hand.
    is_good = frame.crc in (None, zlib.crc32(text[: text.rfind(b' "crc"')]))
    if not is_good or (frame.check is not None and frame.check != _check_of_version_1(text)):
        raise DamagedStateError("checksum mismatch")
    return state


def _check_of_version_1(text: bytes) -> int:
    data = json.loads(text)
    del data["check"]
    for connection in data["open"]:  # the numbers of logs were sorted as numbers
        connection["logs"] = {int(log): offset for log, offset in connection["logs"].items()}
    return zlib.crc32(json.dumps(data, sort_keys=True).encode())
