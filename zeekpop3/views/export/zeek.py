"""The mails as a Zeek log, `pop3_mails.log`: TSV as Zeek's ASCII writer has it, or JSON lines.

Columns are the scalars and lists of `emails` under Zeek's names (`id.orig_h`), without bodies; attachments
are represented by their names and SHA-256. Escapes: Zeek's src/Desc.cc and src/threading/formatters/Ascii.cc.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from zeekpop3.tables.schema import TABLES
from zeekpop3.views.text import HIDDEN, json_line

_PATH = "pop3_mails"
_BODIES = {"text", "html", "html_text"}
_TYPES = {
    "string": "string",
    "bool": "bool",
    "int32": "count",
    "int64": "count",
    "port": "port",
    "time": "time",
}
_EMPTY, _UNSET, _SEPARATOR = "(empty)", "-", ","
#: Characters that Zeek escapes, and others that are not visible.
_ESCAPED = re.compile(rf"\\|{HIDDEN.pattern}")
_ESCAPED_IN_LIST = re.compile(rf"{_SEPARATOR}|{_ESCAPED.pattern}")

#: Column of the tables, name and type in the log.
_FIELDS: tuple[tuple[str, str, str], ...] = (
    *(
        (
            column.name,
            re.sub(r"^id_(orig|resp)_([hp])$", r"id.\1_\2", column.name),
            "addr" if column.name in ("id_orig_h", "id_resp_h")
            else f"vector[{_TYPES[column.type]}]" if column.repeated else _TYPES[column.type],
        )
        for column in TABLES["emails"].columns
        if column.type in _TYPES and column.name not in _BODIES
    ),
    ("attachments", "attachments", "vector[string]"),
    ("attachments", "attachments_sha256", "vector[string]"),
)  # fmt: skip
COLUMNS = tuple(dict.fromkeys(column for column, _, _ in _FIELDS if column != "attachments"))


def header(now: dt.datetime) -> Iterator[str]:
    """The lines before the first mail."""
    yield "#separator \\x09"
    yield f"#set_separator\t{_SEPARATOR}"
    yield f"#empty_field\t{_EMPTY}"
    yield f"#unset_field\t{_UNSET}"
    yield f"#path\t{_PATH}"
    yield f"#open\t{now:%Y-%m-%d-%H-%M-%S}"
    yield "\t".join(["#fields", *(name for _, name, _ in _FIELDS)])
    yield "\t".join(["#types", *(kind for _, _, kind in _FIELDS)])


def footer(now: dt.datetime) -> str:
    """The last line."""
    return f"#close\t{now:%Y-%m-%d-%H-%M-%S}"


def tsv_line(mail: dict[str, Any]) -> str:
    """A mail as a line of the log."""
    return "\t".join(_text(_value(mail, column, name)) for column, name, _ in _FIELDS)


def json_log_line(mail: dict[str, Any]) -> str:
    """A mail as Zeek's JSON writer has it: times in seconds, unset fields left out."""
    found = {name: _value(mail, column, name) for column, name, _ in _FIELDS}
    return json_line({name: _seconds(value) for name, value in found.items() if value is not None})


def _value(mail: dict[str, Any], column: str, name: str) -> Any:
    if column != "attachments":
        return mail[column]
    part = "sha256" if name.endswith("sha256") else "filename"
    return [each[part] for each in mail["attachments"] or []]


def _seconds(value: Any) -> Any:
    return value.timestamp() if isinstance(value, dt.datetime) else value


def _text(value: Any) -> str:
    """A value as it is in a line."""
    if value is None:
        return _UNSET
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, dt.datetime):
        return f"{value.timestamp():.6f}"
    if isinstance(value, list):
        return (
            _SEPARATOR.join(_UNSET if one is None else _escaped(one, _ESCAPED_IN_LIST) for one in value)
            or _EMPTY
        )
    return _escaped(str(value), _ESCAPED)


def _escaped(text: str, pattern: re.Pattern[str]) -> str:
    if not text:
        return _EMPTY
    if text in (_UNSET, _EMPTY):
        return f"\\x{ord(text[0]):02x}{text[1:]}"
    return pattern.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("utf-8", "surrogatepass"))
