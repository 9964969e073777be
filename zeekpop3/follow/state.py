"""The checkpoint: one JSON file that says how far the logs are in the tables, and which parts that means.

It is written whole, flushed, and renamed over the old one: at any instant there is one checkpoint, and it is
true. Parts are staged before it, and get their names after it: what it names is published (again) at a
restart, what it does not name never was.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zeekpop3.errors import OutputError
from zeekpop3.follow.connections import Place, Written
from zeekpop3.follow.files import LogFile
from zeekpop3.store.parquet import sync_folder

VERSION = 1


class Damaged(Exception):
    """The state file is there, but cannot be believed."""


@dataclass(slots=True)
class Totals:
    """What was done since the first start; counters that only grow."""

    rows: int = 0
    mails: int = 0
    incomplete: int = 0
    attachments: int = 0
    sessions: int = 0
    commands: int = 0
    log_bytes: int = 0
    mail_bytes: int = 0
    late_rows: int = 0
    problems: int = 0
    parts: int = 0


@dataclass(slots=True)
class Swap:
    """A day's folder (relative to the tables) in which `parts` take the place of `replaces`."""

    folder: str
    parts: list[str]
    replaces: list[str]


@dataclass(slots=True)
class State:
    """All that outlives the process. `clock`: the newest row's time (microseconds since the epoch).

    `publish`: staged parts, relative to the tables. `rebuilding`: the tables tell what is written already.
    """

    token: str
    number: int = 0
    clock: int = 0
    rebuilding: bool = False
    totals: Totals = field(default_factory=Totals)
    publish: list[str] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)
    next_log: int = 1
    logs: list[LogFile] = field(default_factory=list)
    open: list[Place] = field(default_factory=list)
    given_up: dict[str, int] = field(default_factory=dict)


def save(state: State, path: Path) -> None:
    """Write the state file. Raises OSError; then the old one is still there."""
    text = _text(state)
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def load(path: Path) -> State | None:
    """The state, None if there is no file. Raises Damaged, OutputError for a newer version's, OSError."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    try:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise Damaged("it is no JSON object")
        if (version := data.get("version")) != VERSION:
            if isinstance(version, int) and version > VERSION:
                raise OutputError(
                    f"{path}: was written by a newer zeekpop3 (version {version} of the state, not {VERSION})"
                )
            raise Damaged("it has no version that is known")
        check = data.pop("check", None)
        state = _state(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"it cannot be read: {error}") from None
    # Edited by hand, the line is to be removed.
    if check is not None and check != _check(state):
        raise Damaged("its contents do not match their checksum")
    return state


def _state(data: dict[str, Any]) -> State:
    return State(
        token=_typed(data["token"], str),
        number=_typed(data["number"], int),
        clock=_typed(data["clock"], int),
        rebuilding=_typed(data["rebuilding"], bool),
        totals=Totals(**data["totals"]),
        publish=[_typed(name, str) for name in data["publish"]],
        swaps=[Swap(**swap) for swap in data["swaps"]],
        next_log=_typed(data["next_log"], int),
        logs=[_log(log) for log in data["logs"]],
        open=[_place(place) for place in data["open"]],
        given_up={_typed(uid, str): _typed(ts, int) for uid, ts in data["given_up"].items()},
    )


def _log(data: dict[str, Any]) -> LogFile:
    seen = {_typed(path, str): (size, mtime) for path, (size, mtime) in data.pop("seen").items()}
    for name in ("number", "first", "offset", "line"):
        _typed(data[name], int)
    return LogFile(**data, seen=seen)


def _place(data: dict[str, Any]) -> Place:
    for name in ("ts", "rows", "base_row"):
        _typed(data[name], int)
    return Place(
        **{
            **data,
            "logs": {int(log): _typed(offset, int) for log, offset in data["logs"].items()},
            "written": Written(**data["written"]),
            "base": Written(**data["base"]),
        }
    )


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _data(state: State) -> dict[str, Any]:
    return {"version": VERSION, **asdict(state)}


def _check(state: State) -> int:
    text = json.dumps(_data(state), sort_keys=True)
    return zlib.crc32(text.encode("utf-8", "surrogateescape"))


def _text(state: State) -> str:
    """A line for each log and each connection: to be read, and compared, by people."""
    lines = []
    for name, value in {**_data(state), "check": _check(state)}.items():
        if isinstance(value, list) and value:
            inner = ",\n".join("  " + json.dumps(item) for item in value)
            lines.append(f'"{name}": [\n{inner}\n ]')
        else:
            lines.append(f'"{name}": {json.dumps(value)}')
    return "{\n " + ",\n ".join(lines) + "\n}\n"
