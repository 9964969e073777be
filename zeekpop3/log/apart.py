"""Long rows: their data goes by the reader, which would only copy it three times.

Nearly all of an exact log is base64 in its last field. Here that field is cut off each line and decoded
where it lies; what is left of the lines, some fifty bytes each, is the reader's. Where the data are no last
field, or the lines are short, all goes through the reader, which is quicker then.
"""

from __future__ import annotations

import pybase64

from zeekpop3.log.base64 import DataFields, decoded_field
from zeekpop3.log.header import Header

_PROBE = 1 << 18
_LONG = 1_000  # bytes a line, on average, from which on it pays


def data_apart(text: bytes | bytearray, header: Header) -> tuple[bytes, DataFields] | None:
    """The lines of `text` without their data, and the data; None if they shall stay together.

    Whether a line has all its fields is for the reader to see: with a line that has no separator at all, they
    stay together.
    """
    if header.fields[-1] != "data" or text.count(b"\n", 0, _PROBE) * _LONG > min(_PROBE, len(text)):
        return None
    separator = header.separator.encode()
    nothing = (header.unset_field.encode(), header.empty_field.encode())
    shortest = max(map(len, nothing))
    rest: list[bytes | bytearray] = []
    fields: list[bytes] = []
    broken: list[int] = []
    size = len(text)
    begin = 0
    with memoryview(text) as view:
        while begin < size:
            end = text.find(b"\n", begin)
            if end < 0:
                end = size
            last = text.rfind(separator, begin, end)
            if last < 0:
                return None
            rest.append(text[begin:last])
            begin = end + 1
            last += len(separator)
            if end - last <= shortest and bytes(text[last:end]) in nothing:
                fields.append(b"")
                continue
            try:
                fields.append(pybase64.b64decode(view[last:end], None, True))
            except ValueError:
                field, good = decoded_field(bytes(text[last:end]))
                if not good:
                    broken.append(len(fields))
                fields.append(field)
    rest.append(b"")
    return b"\n".join(rest), DataFields(fields, broken)
