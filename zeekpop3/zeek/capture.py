"""How much of a capture is complete: one that is still being written, or whose disk was full, ends within a
packet.

Zeek stops at such a packet with an error and does not complete its logs. So it is given the bytes before it.
Only the headers of records are read. Formats: pcap (draft-ietf-opsawg-pcap, 4 and 5), pcapng
(draft-ietf-opsawg-pcapng, 3.1).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

#: Magic number of a pcap file → byte order; microseconds and nanoseconds.
_PCAP = {
    bytes.fromhex(magic): order
    for magic, order in (("a1b2c3d4", ">"), ("d4c3b2a1", "<"), ("a1b23c4d", ">"), ("4d3cb2a1", "<"))
}
_PCAP_HEADER, _PCAP_RECORD = 24, 16
_SECTION = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
#: The longest packet and the longest block that libpcap takes.
_MAX_PACKET, _MAX_BLOCK = 256 << 10, 16 << 20


def whole_bytes(path: Path) -> int | None:
    """How many bytes of a capture, from its beginning, are whole records; None if it is not a capture.

    Raises OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size  # of this moment: the capture may grow
        magic = file.read(4)
        file.seek(0)
        if magic in _PCAP:
            return _pcap(file, size, _PCAP[magic])
        return _pcapng(file, size) if magic == _SECTION else None


def _pcap(file: BinaryIO, size: int, order: str) -> int | None:
    """The end of the last whole record: a header of 16 bytes, the third number in it is the length."""
    if size < _PCAP_HEADER:
        return None
    at, header = _PCAP_HEADER, struct.Struct(order + "8xI4x")
    while at + _PCAP_RECORD <= size:
        file.seek(at)
        (length,) = header.unpack(file.read(_PCAP_RECORD))
        after = at + _PCAP_RECORD + length
        if length > _MAX_PACKET or after > size:
            break
        at = after
    return at


def _pcapng(file: BinaryIO, size: int) -> int | None:
    """The end of the last whole block: type, length, body, and the length again."""
    at, order = 0, ""
    while at + 12 <= size:
        file.seek(at)
        head = file.read(12)
        if head[:4] == _SECTION:
            own = _BYTE_ORDERS.get(head[8:], "")
            if not own or order not in ("", own):
                break  # libpcap reads sections of one byte order
            order = own
        (length,) = struct.unpack(order + "I", head[4:8])
        if not 12 <= length <= _MAX_BLOCK or length % 4 or at + length > size:
            break
        file.seek(at + length - 4)
        if file.read(4) != head[4:8]:
            break
        at += length
    return at or None
