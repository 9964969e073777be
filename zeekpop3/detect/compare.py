"""Mails of the tables, found again in captures: are the bytes the same?

Goal: each mail is named that is not, byte for byte, in the captures. Plan: Zeek reads the captures again, and
the session machine makes transfers of its log. Of each only the hash is kept. Then the mails of the tables
are read once; each is looked up by the connection's four-tuple (Zeek's uid is another one in each run), its
time, and where in the connection it stands. If one has the plain form, and the captures give it in the exact
one, they are read once more in the plain form. Of those that differ, the place of the first other byte is
looked for in a second reading.

What cannot be compared is said, and is not the same: the result of the whole is only good if all mails are.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zeekpop3.errors import QueryError, ZeekError, ZeekPop3Error, first_line
from zeekpop3.log.batch import group, read_chunk
from zeekpop3.log.chunks import chunks
from zeekpop3.pipeline.connections import OpenConnections
from zeekpop3.session import ConnId, Transfer
from zeekpop3.session.machine import MAX_MESSAGE
from zeekpop3.store.dataset import table_folders
from zeekpop3.store.filters import Filters, days
from zeekpop3.store.parquet import part_names
from zeekpop3.store.read import read_table, rows
from zeekpop3.zeek.program import find_zeek, run_zeek

RESULTS = ("same", "differs", "missing", "not compared")
_COLUMNS = (
    "ts", "uid", "trans_depth", "id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p", "user", "command",
    "msg_num", "uidl", "size", "fidelity", "complete", "missing_bytes", "sha256", "raw", "stream_start",
)  # fmt: skip
_FACTS = ("command", "msg_num", "uidl", "user")
#: By how much the clocks of two sensors may differ.
_CLOCK_US = 3_600_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_US = dt.timedelta(microseconds=1)
_MAX_LOCATED = 1000
_HMAC_DIGITS = 64

OnError = Callable[[ZeekPop3Error], None]


class Comparison(NamedTuple):
    """The result for one mail of the tables: "same"; "differs"; "missing" (it is in no capture); "not
    compared" (bytes are missing on one side, or the tables hold none).

    `capture` is the capture's name, `offset` the place of the first byte that differs, from 0 in the message,
    `captured_sha256` the hash of the message in the capture.
    """

    ts: dt.datetime
    uid: str
    trans_depth: int
    result: str
    reason: str | None
    capture: str | None = None
    offset: int | None = None
    sha256: str | None = None
    captured_sha256: str | None = None


@dataclass(slots=True)
class Captured:
    """A mail in a capture, without its bytes."""

    capture: int
    uid: str
    trans_depth: int
    ts: int
    fidelity: str
    complete: bool
    missing: int | None
    size: int
    digest: bytes
    stream_start: int | None
    facts: tuple[Any, ...]
    known: bool  # it is in the tables


def compare(
    path: str | Path,
    captures: Iterable[str | Path],
    filters: Filters | None = None,
    *,
    zeek: str | None = None,
    on_error: OnError,
) -> tuple[list[Comparison], int]:
    """A comparison for each mail of the tables, the oldest first, and how many mails of the captures are not
    in the tables.

    A capture that cannot be read goes to `on_error`. Raises ZeekError without Zeek, or if no capture can be
    read; QueryError for the tables, with the file that is damaged.
    """
    files = [Path(capture) for capture in captures]
    find_zeek(zeek)
    ports, largest = _wanted(path, filters)
    with tempfile.TemporaryDirectory(prefix="zeekpop3-") as folder:
        again = _Captures(files, Path(folder), ports, max(MAX_MESSAGE, largest + 1), zeek, on_error)
        again.read()
        results = _located(path, [_compared(mail, again) for mail in _mails(path, filters)], again)
    return sorted(
        results, key=lambda one: (one.ts or _EPOCH, one.uid or "", one.trans_depth or 0)
    ), again.unknown()


def _wanted(path: str | Path, filters: Filters | None) -> tuple[set[int], int]:
    """The ports with the exact form, and the size of the largest mail."""
    columns = ["id_resp_p", "fidelity", "size"]
    with _damage_named(path, filters):
        table = read_table(path, "emails", columns, filters).to_pylist()
    ports = {row["id_resp_p"] for row in table if row["fidelity"] == "exact" and row["id_resp_p"]}
    return {port for port in ports if 0 < port < 1 << 16}, max((row["size"] or 0 for row in table), default=0)


def _mails(path: str | Path, filters: Filters | None) -> Iterator[dict[str, Any]]:
    with _damage_named(path, filters):
        yield from rows(path, "emails", _COLUMNS, filters)


@contextmanager
def _damage_named(path: str | Path, filters: Filters | None) -> Iterator[None]:
    """If a part cannot be read, the error names it."""
    try:
        yield
    except QueryError:
        for folder in table_folders(path, "emails"):
            for _, part in part_names(folder, *days(filters or Filters())):
                _check_part(part)
        raise


def _check_part(part: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.ParquetFile(part).read()
    except (OSError, pa.ArrowException) as error:
        raise QueryError(f"{part}: damaged: {first_line(error)}") from error


# -- captures → what is in them ----------------------------------------------------------------------


class _Captures:
    """The mails of the captures, by connection and by content."""

    def __init__(
        self,
        files: list[Path],
        folder: Path,
        ports: set[int],
        max_message: int,
        zeek: str | None,
        on_error: OnError,
    ) -> None:
        self.files = files
        self._folder, self._ports, self._max_message = folder, ports, max_message
        self._zeek, self._on_error = zeek, on_error
        self._logs: list[tuple[int, Path]] = []
        self._has_plain = False
        self._by_connection: dict[ConnId, list[Captured]] = defaultdict(list)
        self._by_digest: dict[bytes, list[Captured]] = defaultdict(list)

    def read(self, *, plain: bool = False) -> None:
        """Run Zeek on each capture, and enter the mails: in the exact form, or once more in the plain one, in
        which they are not counted again. Raises ZeekError if no capture can be read.
        """
        self._has_plain |= plain
        usable = 0
        for number, capture in enumerate(self.files):
            folder = self._folder / f"{number:04d}-{'plain' if plain else 'exact'}"
            folder.mkdir(mode=0o700)
            more = () if plain else tuple(f"{port}/tcp" for port in sorted(self._ports))
            try:
                log = run_zeek(
                    capture, folder, plain=plain, zeek=self._zeek, exact_ports=more, on_error=self._on_error
                )
            except ZeekError as error:
                self._on_error(error)
                continue
            usable += 1
            if log is None:
                continue
            self._logs.append((number, log))
            for transfer in _transfers(log, self._max_message, self._on_error):
                self._enter(transfer, number, known=plain)
        if not usable:
            raise ZeekError("no capture could be read")

    def _enter(self, transfer: Transfer, number: int, *, known: bool) -> None:
        found = Captured(
            number,
            transfer.uid,
            transfer.trans_depth,
            transfer.ts,
            transfer.fidelity,
            transfer.complete,
            transfer.missing_bytes,
            len(transfer.raw),
            hashlib.sha256(transfer.raw).digest(),
            transfer.stream_start,
            tuple(getattr(transfer, name) for name in _FACTS),
            known,
        )
        if transfer.conn_id is not None:
            self._by_connection[transfer.conn_id].append(found)
        self._by_digest[found.digest].append(found)

    def find(self, mail: dict[str, Any], digest: bytes | None) -> list[Captured]:
        """Where a mail of the tables may be, the likeliest place first: in its form, or else in the other.
        All of these places are known from now on.
        """
        found = self._places(mail, digest)
        if found and mail["fidelity"] == "trimmed" and not self._has_plain and not _of_form(mail, found):
            self.read(plain=True)
            found = self._places(mail, digest)
        for one in {one.fidelity: one for one in reversed(found)}.values():
            one.known = True
        return _of_form(mail, found) or found

    def _places(self, mail: dict[str, Any], digest: bytes | None) -> list[Captured]:
        """Of the same connection, or, if the tables have none, of the same content; in each form."""
        conn_id = ConnId(*(mail[f"id_{name}"] for name in ConnId._fields))
        if None in conn_id:
            return self._by_digest.get(digest or b"", [])
        ts = (mail["ts"] - _EPOCH) // _US if mail["ts"] is not None else 0
        near = [one for one in self._by_connection.get(conn_id, ()) if abs(one.ts - ts) < _CLOCK_US]
        start = mail["stream_start"]
        here = [
            one
            for one in near
            if one.trans_depth == mail["trans_depth"] or (start is not None and one.stream_start == start)
        ]
        return sorted(
            here,
            key=lambda one: (
                one.uid != mail["uid"],
                one.stream_start != start,
                one.trans_depth != mail["trans_depth"],
                abs(one.ts - ts),
            ),
        )

    def raw_of(
        self, wanted: dict[tuple[int, str, int, str], bytes]
    ) -> Iterator[tuple[tuple[Any, ...], bytes]]:
        """The bytes of mails, by capture, uid, depth and fidelity: the logs are read once more."""
        for number, log in self._logs:
            for transfer in _transfers(log, self._max_message, lambda error: None):
                key = (number, transfer.uid, transfer.trans_depth, transfer.fidelity)
                if key in wanted:
                    yield key, transfer.raw

    def unknown(self) -> int:
        """How many mails of the captures are not in the tables."""
        return sum(not one.known for found in self._by_digest.values() for one in found)


def _of_form(mail: dict[str, Any], found: list[Captured]) -> list[Captured]:
    return [one for one in found if one.fidelity == mail["fidelity"]]


def _transfers(log: Path, max_message: int, on_error: OnError) -> Iterator[Transfer]:
    connections = OpenConnections(max_message)
    for chunk in chunks(log, on_error=on_error):
        for uid, of_uid in group(read_chunk(chunk, on_error)):
            for event in connections.feed(uid, of_uid):
                if isinstance(event, Transfer):
                    yield event
    for events in connections.finish():
        yield from (event for event in events if isinstance(event, Transfer))


# -- a mail of the tables beside one of a capture ----------------------------------------------------


def _compared(mail: dict[str, Any], again: _Captures) -> Comparison:
    """The result for a mail."""
    raw, told = mail["raw"], mail["sha256"]
    digest = hashlib.sha256(raw).digest() if raw is not None else None
    if digest is None and told is not None and len(told) == _HMAC_DIGITS:
        digest = _bytes(told)
    result = Comparison(mail["ts"], mail["uid"], mail["trans_depth"], "not compared", None)
    result = result._replace(sha256=digest.hex() if digest is not None else told)
    if mail["command"] == "FILE":
        return result._replace(reason="it came from a file, not from the wire")
    found = again.find(mail, digest)
    if not found:
        if None in [mail[f"id_{name}"] for name in ConnId._fields] and digest is None:
            return result._replace(reason="the tables have neither its connection nor its bytes")
        return result._replace(result="missing", reason=f"not in {_named(again.files)}")
    seen = found[0]
    if seen.fidelity != mail["fidelity"]:
        return result._replace(reason="the capture does not give it in the same form")
    name = again.files[seen.capture].name
    result = result._replace(capture=name, captured_sha256=seen.digest.hex())
    if raw is not None and told is not None and digest is not None and told != digest.hex():
        same = "and the bytes are those of" if digest == seen.digest else "and the bytes are not those of"
        return result._replace(
            result="differs", reason=f"sha256 of the tables is not that of raw, {same} {name}"
        )
    if raw is not None and mail["size"] != len(raw):
        return result._replace(result="differs", reason=f"size is {mail['size']}, raw has {len(raw)} bytes")
    return _judged(mail, digest, seen, result)


def _judged(mail: dict[str, Any], digest: bytes | None, seen: Captured, result: Comparison) -> Comparison:
    """The result for a mail that was found, by bytes or hash, and by what is said of it."""
    if digest is None:
        return result._replace(reason="the tables have neither its bytes nor their hash")
    if digest != seen.digest:
        if mail["complete"] and not seen.complete:
            return result._replace(reason=f"bytes are missing in {result.capture}")
        if seen.complete and not mail["complete"]:
            return result._replace(reason="bytes are missing in the tables")
        lacking = mail["missing_bytes"], mail["size"]
        if not seen.complete and lacking != (seen.missing, seen.size):
            return result._replace(reason="bytes are missing, and not the same ones")
        return result._replace(result="differs", reason=f"its bytes are not those of {result.capture}")
    for name, value in zip(_FACTS, seen.facts, strict=True):
        ours = mail[name]
        if name == "user" and ours is not None and len(ours) == _HMAC_DIGITS:
            continue  # a pseudonym
        if ours != value:
            reason = f"{name} is {ours}, in {result.capture} {value}; the bytes are the same"
            return result._replace(result="differs", reason=reason)
    return result._replace(result="same")


def _located(path: str | Path, found: list[Comparison], again: _Captures) -> list[Comparison]:
    """The results, of those that differ with the place of the first other byte, as far as both are there."""
    differ = [one for one in found if one.result == "differs" and one.sha256 != one.captured_sha256]
    keys = frozenset((one.uid, one.trans_depth) for one in differ[:_MAX_LOCATED])
    if not keys:
        return found
    wanted: dict[tuple[int, str, int, str], bytes] = {}
    owners: dict[tuple[int, str, int, str], list[tuple[str, int]]] = defaultdict(list)
    for mail in rows(path, "emails", _COLUMNS, Filters(keys=keys)):
        if mail["raw"] is None:
            continue
        digest = hashlib.sha256(mail["raw"]).digest()
        for seen in again.find(mail, digest)[:1]:
            key = (seen.capture, seen.uid, seen.trans_depth, seen.fidelity)
            wanted[key] = mail["raw"]
            owners[key].append((mail["uid"], mail["trans_depth"]))
    places: dict[tuple[str, int], tuple[int, str]] = {}
    for key, raw in again.raw_of(wanted):
        for owner in owners[key]:
            places[owner] = _first_other(wanted[key], raw)
    out = []
    for one in found:
        place = places.get((one.uid, one.trans_depth)) if one.result == "differs" else None
        if place is not None:
            one = one._replace(offset=place[0], reason=f"{one.reason}: {place[1]}")
        out.append(one)
    return out


def _first_other(ours: bytes, captured: bytes) -> tuple[int, str]:
    """The place of the first byte that differs, and what is there."""
    low, high = 0, min(len(ours), len(captured))
    while low < high:  # the longest beginning that both have
        middle = (low + high + 1) // 2
        if ours[low:middle] == captured[low:middle]:
            low = middle
        else:
            high = middle - 1
    sides = [f"0x{side[low]:02x}" if low < len(side) else "the end" for side in (ours, captured)]
    return low, f"at byte {low} {sides[0]}, there {sides[1]}"


def _bytes(digits: str) -> bytes | None:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


def _named(files: list[Path]) -> str:
    return files[0].name if len(files) == 1 else f"any of the {len(files)} captures"
