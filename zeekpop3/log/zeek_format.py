"""The text format of Zeek's ASCII writer: its header lines, and its escapes.

Sources: src/logging/writers/ascii/Ascii.cc (`WriteHeader`), src/threading/formatters/Ascii.cc. Event logs,
Zeek's other logs and intel files are read by these rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
