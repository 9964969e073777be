"""DKIM keys as Zeek saw them: TXT answers for `selector._domainkey.domain` in dns.log, and files of them.

A key file has one JSON object per line: `name` (selector._domainkey.domain, lower case), `txt` (the record,
RFC 6376 section 3.6.1), `first` and `last` (when it was seen, ISO 8601).
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from zeekpop3.errors import KeyFileError
from zeekpop3.zeek.logs import read_zeek_log

_LABEL = "._domainkey."
_MAX_RECORD = 16_384


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key record; `first` and `last` are the times (UTC) at which it was seen."""

    name: str
    txt: str
    first: dt.datetime
    last: dt.datetime


class Keys:
    """Key records by name. A name may have several: keys change."""

    def __init__(self, keys: Iterable[DkimKey] = ()) -> None:
        self._keys: dict[tuple[str, str], DkimKey] = {}
        self._by_name: dict[str, list[str]] = {}
        for key in keys:
            self.add(key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[DkimKey]:
        return iter(sorted(self._keys.values(), key=lambda key: (key.name, key.first, key.txt)))

    def add(self, key: DkimKey) -> None:
        """Add a key record, or widen the time at which it was seen."""
        known = self._keys.get((key.name, key.txt))
        if known is None:
            self._by_name.setdefault(key.name, []).append(key.txt)
        else:
            key = replace(known, first=min(known.first, key.first), last=max(known.last, key.last))
        self._keys[key.name, key.txt] = key

    def records(self, name: str) -> list[DkimKey]:
        """The records seen for a name, the last seen first."""
        name = name.lower().rstrip(".")
        found = [self._keys[name, txt] for txt in self._by_name.get(name, [])]
        return sorted(found, key=lambda key: key.last, reverse=True)


def keys_of_dns_log(path: str | Path) -> Iterator[DkimKey]:
    """The keys in a dns.log, a glob of them, or a folder of logs. Raises LogError if it cannot be read."""
    where = Path(path) / "dns*.log*" if Path(path).is_dir() else path
    table = read_zeek_log(where, containing=_LABEL.encode())
    if not table.num_columns:
        return  # JSON lines without a key
    if not {"ts", "query", "answers"} <= set(table.column_names):
        raise KeyFileError(path, "not a dns.log: it lacks ts, query or answers")
    columns = (table.column(name).to_pylist() for name in ("ts", "query", "answers"))
    for ts, query, answers in zip(*columns, strict=True):
        name = (query or "").lower().rstrip(".")
        if ts is None or _LABEL not in name:
            continue
        for each in answers or []:
            txt = txt_of_answer(each or "")
            if txt is not None and len(txt) <= _MAX_RECORD:
                yield DkimKey(name, txt, ts, ts)


def txt_of_answer(answer: str) -> str | None:
    """The record in an answer as dns.log has it: `TXT 9 v=DKIM1;…`, several strings in a row; None if it is
    not one.

    Source: the event dns_TXT_reply in Zeek's base/protocols/dns/main.zeek.
    """
    strings = []
    at = 0
    while answer.startswith("TXT ", at):
        number, blank, _ = answer[at + 4 : at + 12].partition(" ")
        if not blank or not number.isdecimal():
            return None
        start = at + 4 + len(number) + 1
        if start + int(number) > len(answer):
            return None
        strings.append(answer[start : start + int(number)])
        at = start + int(number) + 1
    return "".join(strings) if strings and at > len(answer) else None


def read_keys(path: str | Path) -> Iterator[DkimKey]:
    """The keys of a key file. Raises KeyFileError, with the line, if it cannot be read."""
    try:
        with Path(path).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _key(path, number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(path, getattr(error, "strerror", None) or "not a text file") from error


def _key(path: str | Path, number: int, line: str) -> DkimKey:
    try:
        found = json.loads(line)
        times = [dt.datetime.fromisoformat(found[name]) for name in ("first", "last")]
        first, last = (time if time.tzinfo else time.replace(tzinfo=dt.UTC) for time in times)
        return DkimKey(str(found["name"]).lower(), str(found["txt"]), first, last)
    except (ValueError, KeyError, TypeError) as error:
        raise KeyFileError(
            path, "expected a JSON object with name, txt, first and last", line=number
        ) from error


def write_keys(path: str | Path, keys: Iterable[DkimKey]) -> None:
    """Write a key file, completely or not at all. Raises KeyFileError if it cannot be written."""
    lines = [
        json.dumps({"name": k.name, "txt": k.txt, "first": k.first.isoformat(), "last": k.last.isoformat()})
        + "\n"
        for k in keys
    ]
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text("".join(lines), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise KeyFileError(path, error.strerror or str(error)) from error
