"""The event log as JSON lines, as written by Zeek's JSON writer, Kafka or Filebeat, converted to TSV.

Goal: the same rows give the same tables, whichever way they were transported. Plan: convert each line of JSON
to the line that Zeek's ASCII writer would write for the row (tabs, `-` for unset), so that one reader reads
both. A line that is not a row becomes the line `#`, which the reader skips; line numbers do not change.

Sources: src/threading/formatters/JSON.cc and Ascii.cc of Zeek (unset fields are left out; times are seconds,
milliseconds or ISO 8601 by `LogAscii::json_timestamps`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any

_WRAPPERS = ("pop3_events", "zeek_pop3_events", "json", "message", "zeek")
_MAX_WRAPPERS = 4
_NEEDED = ("ts", "uid", "seq", "kind")
_ENDS = (b"", b'"}', b'"}}', b'"}}}', b'\\"}"}', b'\\"}}"}')  # of a row that was cut in its data
_SPECIAL = re.compile(r"[\x00-\x1f\\\x7f]")
_MILLISECONDS = 1e11  # a larger time is not in seconds (year 5138)
_BOM = b"\xef\xbb\xbf"


class OtherStream(ValueError):
    """The line is a row of another log, as in a queue that carries all logs."""


def looks_like_json(text: bytes) -> bool:
    """Whether a log begins with a JSON object."""
    return text.removeprefix(_BOM).lstrip().startswith(b"{")


def tsv_of(text: bytes | bytearray, fields: Sequence[str], on_error: Callable[[int, str], None]) -> bytes:
    """The lines of JSON as TSV rows with these columns; a line that is not a row becomes `#`.

    `on_error` gets the index of such a line and what is wrong; rows of other streams are skipped silently.
    """
    rows = []
    lines = bytes(text).split(b"\n")
    if not lines[-1]:
        lines.pop()
    for index, line in enumerate(lines):
        row = b"#"
        if line.startswith(b"#") or not line.strip():
            pass
        else:
            try:
                row = row_of(line, fields)
            except OtherStream:
                pass
            except ValueError as error:
                on_error(index, f"{error}; row skipped")
        rows.append(row)
    rows.append(b"")
    return b"\n".join(rows)


def row_of(line: bytes, fields: Sequence[str]) -> bytes:
    """A line of JSON as a row of TSV. Raises OtherStream; ValueError if it is not a row."""
    row = _unwrapped(line)
    nested = row.get("id")
    values = []
    for name in fields:
        value = row.get(name)
        if value is None and name.startswith("id."):
            value = nested.get(name[3:]) if isinstance(nested, dict) else row.get(name.replace(".", "_"))
        values.append(_time(value) if name == "ts" else _text(value))
    return "\t".join(values).encode("utf-8", "surrogatepass")


def begun_row(line: bytes, fields: Sequence[str]) -> bytes:
    """As `row_of`, also of a line that is cut in its last value, `data`."""
    for end in _ENDS:
        try:
            return row_of(line + end, fields)
        except OtherStream:
            raise
        except ValueError:
            continue
    raise ValueError("not a row of the event log")


def _unwrapped(line: bytes) -> dict[str, Any]:
    import msgspec  # takes 20 ms, which logs of the usual kind do not need

    found: Any = line.strip().removeprefix(_BOM)
    for _ in range(_MAX_WRAPPERS):
        if isinstance(found, (bytes, str)):
            try:
                found = msgspec.json.decode(found)
            except (msgspec.DecodeError, RecursionError, UnicodeError):
                raise ValueError("not JSON, one object a line") from None
        if not isinstance(found, dict):
            break
        if found.get("_path", "pop3_events") not in ("pop3_events", None):
            raise OtherStream(str(found["_path"]))
        if "kind" in found and "uid" in found:
            if missing := [name for name in _NEEDED if found.get(name) is None]:
                raise ValueError(f"no value for `{missing[0]}`")
            return found
        name = next((name for name in _WRAPPERS if isinstance(found.get(name), (dict, str))), None)
        if name is None:
            if len(found) == 1 and isinstance(next(iter(found.values())), dict):
                raise OtherStream(next(iter(found)))
            break
        found = found[name]
    raise ValueError("not a row of the event log: no `uid` and `kind`")


def _time(value: Any) -> str:
    """A time in seconds, as Zeek's ASCII writer has it."""
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            return _text(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        whole = moment.replace(microsecond=0)
        return f"{int(whole.timestamp())}.{moment.microsecond:06d}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _text(value)
    try:
        value = float(value)
    except OverflowError:
        return "inf"  # the reader says that it is out of range
    if value > _MILLISECONDS:
        value /= 1000
    return f"{value:.6f}"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if value == "":
        return "(empty)"
    text = str(value)
    if text in ("-", "(empty)"):
        return f"\\x{ord(text[0]):02x}{text[1:]}"
    return _SPECIAL.sub(lambda match: f"\\x{ord(match[0]):02x}", text) if _SPECIAL.search(text) else text
