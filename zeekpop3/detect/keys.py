"""DKIM keys as Zeek saw them: TXT answers for `selector._domainkey.domain` in dns.log, and files of them.

A key file has one JSON object per line: `name` (selector._domainkey.domain, lower case), `txt` (the record,
RFC 6376 section 3.6.1), `first` and `last` (when it was seen, ISO 8601).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

from zeekpop3.errors import KeyFileError, reason
from zeekpop3.store.files import new_file
from zeekpop3.zeek.logs import read_zeek_log

_LABEL = "._domainkey."
_MAX_RECORD = 16_384
_STRING = re.compile(r"TXT (\d{1,7}) ")


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
        self._by_name: dict[str, dict[str, DkimKey]] = {}
        for key in keys:
            self.add(key)

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def __iter__(self) -> Iterator[DkimKey]:
        keys = chain.from_iterable(records.values() for records in self._by_name.values())
        return iter(sorted(keys, key=lambda key: (key.name, key.first, key.txt)))

    def add(self, key: DkimKey) -> None:
        """Add a key record, or widen the time at which it was seen."""
        records = self._by_name.setdefault(key.name, {})
        if known := records.get(key.txt):
            key = replace(known, first=min(known.first, key.first), last=max(known.last, key.last))
        records[key.txt] = key

    def records(self, name: str) -> list[DkimKey]:
        """The records seen for a name, the last seen first."""
        found = self._by_name.get(name.lower().rstrip("."), {}).values()
        return sorted(found, key=lambda key: key.last, reverse=True)


def keys_of_dns_log(path: str | Path) -> Iterator[DkimKey]:
    """The keys in a dns.log, a glob of them, or a folder of logs. Raises LogError if it cannot be read."""
    table = read_zeek_log(path, containing=_LABEL.encode(), stream="dns")
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
    """The record in an answer of dns.log, `TXT 9 v=DKIM1;…`, several strings in a row; else None.

    Source: the event dns_TXT_reply in Zeek's base/protocols/dns/main.zeek.
    """
    strings = []
    at = 0
    while start := _STRING.match(answer, at):
        end = start.end() + int(start[1])
        strings.append(answer[start.end() : end])
        at = end + 1
    return "".join(strings) if at == len(answer) + 1 else None


def read_keys(path: str | Path) -> Iterator[DkimKey]:
    """The keys of a key file. Raises KeyFileError, with the line, if it cannot be read."""
    try:
        with Path(path).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _key(path, number, line)
    except UnicodeDecodeError as error:
        raise KeyFileError(path, "not a text file") from error
    except OSError as error:
        raise KeyFileError(path, reason(error)) from error


def _key(path: str | Path, number: int, line: str) -> DkimKey:
    try:
        found = json.loads(line)
        times = [dt.datetime.fromisoformat(found[name]) for name in ("first", "last")]
        first, last = (time if time.tzinfo else time.replace(tzinfo=dt.UTC) for time in times)
        return DkimKey(str(found["name"]).lower(), str(found["txt"]), first, last)
    except (ValueError, KeyError, TypeError) as error:
        problem = "expected a JSON object with name, txt, first and last"
        raise KeyFileError(path, problem, line=number) from error


def write_keys(path: str | Path, keys: Iterable[DkimKey]) -> None:
    """Write a key file, completely or not at all. Raises OutputError if it cannot be written."""
    with new_file(path) as file:
        for key in keys:
            file.write(json.dumps(asdict(key), default=dt.datetime.isoformat).encode() + b"\n")
