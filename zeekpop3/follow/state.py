"""The options of a follower (`Options`), and what it remembers: the checkpoint (`State`).

The checkpoint is one JSON file. It says how far the logs are in the tables, and in which files. At any time
there is exactly one. Parts are staged before it is written and published after that: a restart publishes
(again) the parts that it names; other parts were never published. If there is no checkpoint, the tables say
what was written already.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from zeekpop3.errors import OutputError, first_line
from zeekpop3.follow.catalogue import KnownLog
from zeekpop3.follow.connections import WrittenRows
from zeekpop3.pipeline.settings import Counters, Settings
from zeekpop3.store.files import new_file
from zeekpop3.store.maintenance import PART_BYTES, Swap
from zeekpop3.store.parquet import part_files
from zeekpop3.tables.schema import TABLES, schema

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 2


class DamagedStateError(Exception):
    """The checkpoint exists but is corrupt."""


@dataclass(slots=True)
class State:
    """All that outlives the process. `clock`: the newest row's time (microseconds since the epoch).

    `publish`: staged parts, relative to the tables. `rebuilding`: the tables, not this state, say what was
    written already.
    `open`: a `ConnectionCheckpoint` of each open connection, as JSON.
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
    """What a state file holds in addition to the state."""

    version: int
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

    Raises DamagedStateError, OutputError for another version's, OSError.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        frame = msgspec.json.decode(text, type=_Frame)
        if frame.version != VERSION:
            raise OutputError(
                f"{path}: written by another zeekpop3 (state version {frame.version}, expected {VERSION})"
            )
        state = msgspec.json.decode(text, type=State)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DamagedStateError(f"cannot be read: {error}") from None
    # Remove the line of the checksum when editing by hand.
    if frame.crc not in (None, zlib.crc32(text[: text.rfind(b' "crc"')])):
        raise DamagedStateError("checksum mismatch")
    return state


# -- options -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a follower.

    `flush_s`: rows are in the tables at most this many seconds after they were read.

    `idle_s`: a connection without rows is closed after this many seconds of log time. `max_memory`: about how
    many bytes are held in all. `poll`: do not use file-system notifications; `interval_s`: look for changes
    at least this often. `metrics`: a Prometheus textfile. `settings`: what is stored of a mail. `merge_s`:
    small parts are merged at this interval, into parts of about `part_bytes` (in memory). `matcher` gets the
    new rows of each commit by table, and returns rows of the table `hits`, which are written with them.
    `on_hit`: a command, and its arguments, that gets each hit (see `hits`). `keep_days`: days that ended more
    than this many days before the newest one are removed, once a day.
    """

    flush_s: float = 60.0
    idle_s: float = 3600.0
    max_memory: int = 1 << 30
    poll: bool = False
    interval_s: float = 1.0
    metrics: Path | None = None
    merge_s: float = 600.0
    part_bytes: int = PART_BYTES
    matcher: Callable[[Mapping[str, pa.Table]], pa.Table] | None = None
    on_hit: tuple[str, ...] = ()
    keep_days: int | None = None
    settings: Settings = field(default_factory=Settings)


# -- without a checkpoint ----------------------------------------------------------------------------


# The rows of a connection are written in their order, so their number tells which ones are there.

#: The tables in the order in which parts are published: a mail or session that is in the tables has its rows
#: in all other tables, too.
PUBLISHED_FIRST = tuple(name for name in TABLES if name not in ("emails", "commands", "sessions"))
PUBLISHED = (*PUBLISHED_FIRST, "emails", "commands", "sessions")

RowKey = tuple[str, int | None]
"""uid and trans_depth; None for rows of the session."""


def holds_rows(out: Path) -> bool:
    """Tell whether any table has a row. Raises OutputError if a part cannot be read."""
    tables = ("emails", "sessions", "commands")
    return any(_read(path, ["uid"]).num_rows for name in tables for path in part_files(out / name))


def written_rows(out: Path, first_day: str) -> dict[str, WrittenRows]:
    """How many rows of each connection are in the tables, from `first_day` (YYYY-MM-DD) on."""
    found: dict[str, WrittenRows] = {}
    for name, column in (("emails", "trans_depth"), ("commands", "seq"), ("sessions", None)):
        for path in part_files(out / name, first_day):
            table = _read(path, ["uid", column] if column else ["uid"])
            numbers = table[column].to_pylist() if column else [0] * table.num_rows
            for uid, number in zip(table["uid"].to_pylist(), numbers, strict=True):
                entry = found.setdefault(uid, WrittenRows())
                if name == "emails":
                    entry.mails = max(entry.mails, number)
                elif name == "commands":
                    entry.commands = max(entry.commands, number + 1)
                else:
                    entry.session = True
    return found


def orphans(out: Path, first_day: str, known: dict[str, WrittenRows]) -> dict[str, set[RowKey]]:
    """Of each table that is published before `emails` and `sessions`: rows whose mail or session is missing.

    They were published just before the state was lost, and will be written again.
    """
    found: dict[str, set[RowKey]] = {}
    for name in PUBLISHED_FIRST:
        if "uid" not in schema(name).names:
            continue  # `inputs`: see `entered_logs`
        columns = [column for column in ("uid", "trans_depth") if column in schema(name).names]
        for path in part_files(out / name, first_day):
            for uid, depth in _keys(_read(path, columns)):
                entry = known.get(uid, WrittenRows())
                if not (entry.session if depth is None else entry.mails >= depth):
                    found.setdefault(name, set()).add((uid, depth))
    return found


def entered_logs(out: Path, first_day: str) -> set[str]:
    """The first rows of the logs that have a row in `inputs`, from `first_day` on."""
    parts = part_files(out / "inputs", first_day)
    return {row for path in parts for row in _read(path, ["first_row"])["first_row"].to_pylist() if row}


def without(table: pa.Table, keys: set[RowKey]) -> pa.Table:
    """The rows of a table without those with these keys."""
    return table.filter([key not in keys for key in _keys(table)])


def _keys(table: pa.Table) -> list[RowKey]:
    uids = table["uid"].to_pylist()
    if "trans_depth" not in table.column_names:
        return [(uid, None) for uid in uids]
    return list(zip(uids, table["trans_depth"].to_pylist(), strict=True))


def _read(path: Path, columns: list[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read(columns)
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
