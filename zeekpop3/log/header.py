"""The head of a Zeek log, TSV or JSON lines: checked here first, then read by zat.

zat searches for the `#fields` line without end, so a file that has none (empty, JSON, binary) must not reach
it. The rules of the header lines and of escapes, which Zeek's other logs and intel files share, are here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from operator import itemgetter
from pathlib import Path

from zeekpop3.errors import LogError
from zeekpop3.log.file import LogFile, open_log
from zeekpop3.log.json_lines import OtherStream, begun_row, looks_like_json

LAST_SECOND = 9e9  # the year 2255, before pandas' nanoseconds end

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

HEAD_BYTES = 1 << 16
_TYPES_FOLLOW = re.compile(rb"^#fields\t.*\n#types\t", re.MULTILINE)
_MAIL = re.compile(
    rb"From |(?:Return-Path|Received|From|Date|Delivered-To|Message-ID|Subject):", re.IGNORECASE
)
PCAP_MAGICS = (
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xc3\xd4",
    b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
)


@dataclass(frozen=True, slots=True)
class LogHeader:
    """What the header lines of a log say. `fields` and `types` are parallel, in the log's column order.

    `text` is the header as it stands in the log; `size` is its length in bytes. `is_json`: rows are JSON
    objects; separator and the like are those of the rows that `json_lines` makes of them.
    """

    path: Path
    fields: tuple[str, ...]
    types: tuple[str, ...]
    separator: str = "\t"
    empty_field: str = "(empty)"
    unset_field: str = "-"
    text: bytes = field(default=b"", compare=False)
    is_json: bool = False

    @property
    def size(self) -> int:
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Head:
    """The first 64 KiB of a log (decompressed): `header` and the rows behind it.

    `start` is the offset of `text` in the file. It is 0 unless the log was truncated in place, which leaves
    a run of NUL bytes at the beginning.
    """

    header: LogHeader
    text: bytes
    start: int

    def first_time(self) -> float | None:
        """The `ts` (seconds since the epoch) of the first row that is not `contents`; None without rows.

        A `contents` row has the time of its first byte. Zeek may have held it while the previous log was
        written, so it only counts if the head has no other row. A row whose time is no time is a bad row.
        """
        ts, kind = self.header.fields.index("ts"), self.header.fields.index("kind")
        times = ((row[kind] == b"contents", _seconds(row[ts])) for row in self.rows())
        valid = [(is_late, time) for is_late, time in times if time is not None]
        return min(valid, key=itemgetter(0))[1] if valid else None

    def first_row(self) -> str | None:
        """`ts`, `uid` and `seq` of the first row, which occur in no other log; None without rows."""
        places = [self.header.fields.index(name) for name in ("ts", "uid", "seq")]
        row = next(self.rows(), [])
        if len(row) <= max(places):
            return None
        return " ".join(row[place].decode("utf-8", "replace") for place in places)

    def rows(self) -> Iterator[list[bytes]]:
        """The fields of each row; the last row may be cut, but has its time, uid and kind."""
        needed = max(map(self.header.fields.index, ("ts", "uid", "kind")))
        lines = self.text[self.header.size :].split(b"\n")
        for line in _begun_rows(lines, self.header.fields) if self.header.is_json else lines:
            row = line.split(self.header.separator.encode())
            if len(row) > needed:
                yield row


def read_head(path: Path) -> Head:
    """The head of an event log. Raises LogError if it is not an event log, or cannot be read."""
    with open_log(path) as file:
        return head_of(file, path)


def head_of(file: LogFile, path: Path) -> Head:
    """The head of an open log. Raises LogError."""
    text, start = read_start(file)
    if not text and file.problem:
        raise LogError(path, file.problem)
    return parse_head(text, start, path)


def read_start(file: LogFile) -> tuple[bytes, int]:
    """The first 64 KiB of an open log and their offset, which is behind leading NUL bytes."""
    start = file.skip_hole()
    return file.read(HEAD_BYTES), start


def parse_head(text: bytes, start: int, path: Path) -> Head:
    """The head of a log of which `text` is the beginning, at offset `start`. Raises LogError."""
    if _is_headless(text):
        # Truncated in place: the header went with the rows. The columns are those of our package.
        return Head(LogHeader(path, tuple(COLUMNS), tuple(COLUMNS.values())), text, start)
    if looks_like_json(text):
        return _json_head(text, start, path)
    whole_lines = text[: text.rfind(b"\n") + 1] or text
    head = Head(parse_header(whole_lines, path), text, start)
    if _is_of_0_1(head):
        raise LogError(path, "written by the Zeek package of 0.1, which is no longer read; run Zeek again")
    return head


def parse_header(text: bytes, path: Path, line: int = 1) -> LogHeader:
    """The header at the beginning of `text`, whose first line is line `line` of the log.

    Raises LogError if it is not the header of an event log: other data, another stream, a missing column.
    """
    if not text.startswith(b"#"):
        raise LogError(path, _what_else(text))
    lines = list(takewhile(lambda line: line.startswith(b"#"), text.split(b"\n")))
    text = text[: sum(map(len, lines)) + len(lines)]
    values, places = directives(one.rstrip(b"\r").decode("utf-8", "replace") for one in lines)
    fields = values.get("fields")
    if fields is None:
        raise LogError(path, "not a Zeek log: no #fields line", line)
    log_path = values.get("path", [LOG_PATH])[0]
    if not log_path.startswith(LOG_PATH):
        raise LogError(path, f"log of another Zeek stream: #path is {log_path}, not {LOG_PATH}", line)
    line += places["fields"]
    if missing := [name for name in COLUMNS if name not in fields]:
        raise LogError(path, f"missing column{'s'[: len(missing) > 1]}: {', '.join(missing)}", line)
    if len(set(fields)) != len(fields):
        raise LogError(path, "a column occurs twice in #fields", line)
    types = values.get("types") or [COLUMNS.get(name, "string") for name in fields]
    if len(types) != len(fields):
        raise LogError(path, f"#fields has {len(fields)} columns, #types has {len(types)}", line)
    for name, kind in zip(fields, types, strict=True):
        if COLUMNS.get(name, kind) != kind:
            raise LogError(path, f"column {name} has type {kind}, expected {COLUMNS[name]}", line)
    return LogHeader(
        path=path,
        fields=tuple(fields),
        types=tuple(types),
        separator=values["separator"][0],
        empty_field=values.get("empty_field", ["(empty)"])[0],
        unset_field=values.get("unset_field", ["-"])[0],
        text=text,
    )


# -- zat -----------------------------------------------------------------------------------------------


def read_by_zat(header: LogHeader) -> LogHeader:
    """The header with the fields and types that zat reads in the log, if zat can read it.

    zat opens a file by its name, expects tabs, and takes the line after `#fields` for the types. Raises
    LogError if it reads something else than was checked here: then the log was replaced meanwhile.
    """
    if header.separator != "\t" or not _TYPES_FOLLOW.search(header.text):
        return header
    from zat.utils.field_info import get_field_info

    fields, types = get_field_info(str(header.path))
    if tuple(fields) != header.fields:
        raise LogError(header.path, "the log was replaced while it was opened")
    return replace(header, types=tuple(types))


# -- JSON lines ----------------------------------------------------------------------------------------


def _json_head(text: bytes, start: int, path: Path) -> Head:
    header = LogHeader(path, tuple(COLUMNS), tuple(COLUMNS.values()), is_json=True)
    head = Head(header, text, start)
    if next(head.rows(), None) is None:
        problem = "JSON log without a row of the event log (an object a line, with ts, uid, seq and kind)"
        raise LogError(path, problem)
    return head


def _begun_rows(lines: list[bytes], fields: tuple[str, ...]) -> Iterator[bytes]:
    """The lines of JSON that are rows, as TSV."""
    for line in lines:
        try:
            yield begun_row(line, fields)
        except (OtherStream, ValueError):
            continue


# -- what is not a header ------------------------------------------------------------------------------


def _is_headless(text: bytes) -> bool:
    """Whether `text` begins with a row of our columns, without a header before it."""
    row = text[: text.find(b"\n") + 1].split(b"\t")
    return len(row) == len(COLUMNS) and re.fullmatch(rb"\d+\.\d+", row[0]) is not None


def _is_of_0_1(head: Head) -> bool:
    """Whether the first rows are those of version 0.1: marks of header fields are rows of their own, or a
    connection has logins beside lines of the client.
    """
    uid, kind = head.header.fields.index("uid"), head.header.fields.index("kind")
    sent, logins = set(), set()
    for row in head.rows():
        if row[kind] == b"header":
            return True
        if row[kind] == b"sent":
            sent.add(row[uid])
        elif row[kind] == b"login":
            logins.add(row[uid])
    return not sent.isdisjoint(logins)


def _what_else(head: bytes) -> str:
    """Why a file that does not begin with `#` cannot be an event log, in words that help."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return "empty file"
    if start.startswith(b"["):
        return "a JSON array; event logs in JSON have one object a line"
    if head.startswith(PCAP_MAGICS):
        return "packet capture, not a log; use `zeekpop3 pcap`"
    if b"\0" in head:
        return "not a Zeek log: binary data"
    if _MAIL.match(start):
        return "a mail or a mailbox, not an event log; use `zeekpop3 import`"
    return "not a Zeek log: no Zeek header"


def _seconds(text: bytes) -> float | None:
    """Seconds since the epoch; None for what is no time that the tables can hold (also inf, nan)."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < LAST_SECOND else None


# -- the text format of Zeek's ASCII writer ----------------------------------------------------------


# Sources: src/logging/writers/ascii/Ascii.cc (`WriteHeader`), src/threading/formatters/Ascii.cc.

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|\\)")


def unescape(text: bytes) -> str:
    """A text with `\\xNN` and `\\\\` undone, as UTF-8; bytes that are not UTF-8 stay `\\xNN`."""
    if b"\\" in text:
        text = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]) if match[1] else b"\\", text)
    return text.decode("utf-8", "backslashreplace")


def directives(lines: Iterable[str]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The values of each header line (`#name value ...`) by its name, and the index of that line.

    `separator` is always there. If a line occurs again, the last one counts.
    """
    values: dict[str, list[str]] = {"separator": ["\t"]}
    places: dict[str, int] = {}
    for index, line in enumerate(lines):
        if line.startswith("#separator "):
            # The only line with a blank before its value, which is written as \xNN.
            separator = unescape(line[11:].encode())
            if len(separator) == 1:
                values["separator"] = [separator]
            continue
        name, *rest = line[1:].split(values["separator"][0])
        if rest:
            values[name] = rest
            places[name] = index
    return values, places
