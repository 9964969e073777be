"""The head of a Zeek log, checked before zat sees the file.

zat looks for the line `#fields` without end: a file that has none (empty, JSON, binary) must not reach it.
The lines are those of Zeek's ASCII writer (src/logging/writers/ascii/Ascii.cc, `WriteHeader`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zeekpop3.errors import LogError

LOG_PATH = "pop3_events"

COLUMNS: dict[str, str] = {
    "ts": "time",
    "uid": "string",
    "id.orig_h": "addr",
    "id.orig_p": "port",
    "id.resp_h": "addr",
    "id.resp_p": "port",
    "seq": "count",
    "kind": "string",
    "command": "string",
    "offset": "count",
    "length": "count",
    "data": "string",
}
"""The event log's columns and their Zeek types, in the order in which zeek-scripts/ writes them."""

_MAX_HEAD = 1 << 16
_PCAP_MAGICS = (
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xc3\xd4",
    b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
)


@dataclass(frozen=True)
class Header:
    """What the head of one log says: `fields` and `types` are parallel, in the order of the log's columns."""

    path: Path
    fields: tuple[str, ...]
    types: tuple[str, ...]
    separator: str = "\t"
    set_separator: str = ","
    empty_field: str = "(empty)"
    unset_field: str = "-"
    log_path: str = LOG_PATH
    open: str | None = None


def read_header(fileobj: BinaryIO, path: str | Path) -> Header:
    """The header of the log that `fileobj` (bytes, at its beginning) holds.

    Raises LogError, which names `path`, if it is no event log: something else, another stream's log, a
    column missing.
    """
    return parse_header(fileobj.read(_MAX_HEAD), path)[0]


def parse_header(head: bytes, path: str | Path, line: int = 1) -> tuple[Header, int]:
    """The header at the beginning of `head`, and its size in bytes; `line` is the number of its first line.

    Raises LogError as `read_header` does.
    """
    path = Path(path)
    if not head.startswith(b"#"):
        raise LogError(path, _what_else(head))
    lines, size = [], 0
    for text in head.split(b"\n"):
        if not text.startswith(b"#"):
            break
        lines.append(text.rstrip(b"\r").decode("utf-8", "replace"))
        size += len(text) + 1
    says, at = _directives(lines)
    fields = says.get("fields")
    if fields is None:
        raise LogError(path, "is no Zeek log: it has no #fields line", line)
    log_path = says.get("path", [LOG_PATH])[0]
    if not log_path.startswith(LOG_PATH):
        raise LogError(path, f"is the log of another Zeek stream (#path {log_path}, not {LOG_PATH})", line)
    missing = [name for name in COLUMNS if name not in fields]
    place = line + at["fields"]
    if missing:
        raise LogError(
            path, f"the event log lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}", place
        )
    if len(set(fields)) != len(fields):
        raise LogError(path, "a column stands twice in #fields", place)
    types = says.get("types") or [COLUMNS.get(name, "string") for name in fields]
    if len(types) != len(fields):
        raise LogError(path, f"#fields names {len(fields)} columns, #types {len(types)}", place)
    header = Header(
        path=path,
        fields=tuple(fields),
        types=tuple(types),
        separator=says["separator"][0],
        set_separator=says.get("set_separator", [","])[0],
        empty_field=says.get("empty_field", ["(empty)"])[0],
        unset_field=says.get("unset_field", ["-"])[0],
        log_path=log_path,
        open=says.get("open", [None])[0],
    )
    return header, min(size, len(head))


def _directives(lines: list[str]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """What each `#name` line says, as a list of its values, and the index of that line."""
    says: dict[str, list[str]] = {"separator": ["\t"]}
    at: dict[str, int] = {}
    for index, text in enumerate(lines):
        if text.startswith("#separator "):
            # The only line that is parted by a blank; the value is written as \xNN.
            raw = re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text[11:])
            if len(raw) == 1:
                says["separator"] = [raw]
            continue
        name, *values = text[1:].split(says["separator"][0])
        if values:
            says[name] = values
            at[name] = index
    return says, at


def _what_else(head: bytes) -> str:
    """Why a file that does not begin with `#` cannot be an event log, in words that help."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return "is empty"
    if start.startswith((b"{", b"[")):
        return "is JSON; the event log must be Zeek's TSV (LogAscii::use_json=F for this stream)"
    if head.startswith(_PCAP_MAGICS):
        return "is a capture, not a log: `zeekpop3 pcap` reads it"
    if b"\0" in head:
        return "is no Zeek log: it is binary"
    return "is no Zeek log: it does not begin with a Zeek header"
