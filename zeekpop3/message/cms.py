"""CMS (RFC 5652), as S/MIME (RFC 8551) has it in application/pkcs7-mime: what is signed, taken out; or what
it is.

Only the way to the content is read, and nothing is verified. BER with indefinite lengths and octet strings in
pieces are usual in mail, so lengths are followed and not trusted: each byte is visited a bounded number of
times, and nesting is counted, never recursed into.
"""

from __future__ import annotations

_KINDS = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))

_MAX_DEPTH = 16
_MAX_VALUES = 100_000  # pieces of the content, or values to go over
_SEQUENCE, _SET, _OID, _OCTETS, _INTEGER = 0x10, 0x11, 0x06, 0x04, 0x02
_CONTEXT_0 = 0xA0
_CONSTRUCTED = 0x20
_END = b"\0\0"
_PREFIX = bytes.fromhex("2a864886f70d01")
_SIGNED = _PREFIX + b"\x07\x02"
_ENCRYPTED = (_PREFIX + b"\x07\x03", _PREFIX + b"\x07\x06", _PREFIX + b"\x09\x10\x01\x17")
_COMPRESSED = _PREFIX + b"\x09\x10\x01\x09"


class _Broken(ValueError):
    """The bytes are not BER, or do not have the expected structure."""


def may_be_signed(kind: str | None, filename: str | None) -> bool:
    """Whether a part is opened as a signed message."""
    return kind in _KINDS or (filename is not None and filename.lower().endswith(".p7m"))


def opened(data: bytes) -> tuple[bytes | None, str | None]:
    """The signed content, or None; and why it is missing: `encrypted`, `unsupported` (compressed), `broken`;
    None if the signature is detached from its content.
    """
    try:
        kind, at, end = _content_info(data)
        if kind in _ENCRYPTED:
            return None, "encrypted"
        if kind == _COMPRESSED:
            return None, "unsupported"
        if kind != _SIGNED:
            return None, "broken"
        return _signed(data, at, end), None
    except _Broken:
        return None, "broken"


def _content_info(data: bytes) -> tuple[bytes, int, int]:
    """Type of the content, and where the content starts and ends."""
    _, at, end = _expect(data, 0, len(data), _SEQUENCE | _CONSTRUCTED)
    _, at, stop = _expect(data, at, end, _OID)
    kind = data[at:stop]
    _, at, end = _expect(data, stop, end, _CONTEXT_0)
    return kind, at, end


def _signed(data: bytes, at: int, end: int) -> bytes | None:
    """The encapsulated content of SignedData (RFC 5652, section 5.1)."""
    _, at, end = _expect(data, at, end, _SEQUENCE | _CONSTRUCTED)
    _, _, at = _expect(data, at, end, _INTEGER)
    at = _after(data, at, end)  # the digest algorithms
    _, at, end = _expect(data, at, end, _SEQUENCE | _CONSTRUCTED)
    _, _, at = _expect(data, at, end, _OID)
    if at >= end or data[at : at + 2] == _END:
        return None
    _, at, end = _expect(data, at, end, _CONTEXT_0)
    return b"".join(_pieces(data, at, end))


def _pieces(data: bytes, at: int, end: int) -> list[bytes]:
    """The octet string at `at`, which may consist of octet strings."""
    out: list[bytes] = []
    ends: list[int] = []
    while at < end:
        if data[at : at + 2] == _END:
            if not ends:
                break
            at += 2
            ends.pop()
        else:
            tag, start, stop = _header(data, at, ends[-1] if ends else end)
            if len(out) >= _MAX_VALUES:
                raise _Broken
            if tag == _OCTETS:
                out.append(data[start:stop])
                at = stop
            elif tag == _OCTETS | _CONSTRUCTED and len(ends) < _MAX_DEPTH:
                ends.append(stop)
                at = start
            else:
                raise _Broken
        while ends and at >= ends[-1]:
            ends.pop()
        if not ends:
            break
    return out


def _expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int, int]:
    found = _header(data, at, end)
    if found[0] != tag:
        raise _Broken
    return found


def _header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, start and end of the value at `at`. Of an indefinite length the end is that of what is around; a
    value that is cut off ends there, too.
    """
    if at + 2 > end:
        raise _Broken
    tag, length = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise _Broken  # tags of several bytes do not occur here
    at += 2
    if length == 0x80:
        if not tag & _CONSTRUCTED:
            raise _Broken
        return tag, at, end
    if length > 0x80:
        size = length & 0x7F
        if size > 8:
            raise _Broken
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    return tag, at, min(at + length, end)


def _after(data: bytes, at: int, end: int) -> int:
    """Where the value at `at` ends, whatever it is."""
    open_values = 0  # of indefinite length
    for _ in range(_MAX_VALUES):
        if open_values and data[at : at + 2] == _END:
            open_values -= 1
            at += 2
        else:
            if at + 2 > end:
                raise _Broken
            is_indefinite = data[at + 1] == 0x80
            _, start, stop = _header(data, at, end)
            if is_indefinite:
                open_values += 1
            at = start if is_indefinite else stop
        if not open_values:
            return at
    raise _Broken
