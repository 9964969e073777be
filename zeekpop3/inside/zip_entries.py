"""The entries of a zip file (APPNOTE.TXT 6.3), as each kind of program finds them.

Most programs read the directory at the end, some the headers in front of the entries. Both are read: where
they disagree, both readings are entries and the file is malformed; so is one whose entries overlap, or with
entries that the directory does not name. Bytes in front of the file are allowed. Nothing is unpacked here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from zeekpop3.defects import Defect, Defects
from zeekpop3.inside.magic import ZIP_END
from zeekpop3.inside.unpack import BrokenError

STORED, DEFLATED, BZIP2, LZMA, AES = 0, 8, 12, 14, 99
_ENCRYPTED, _DESCRIPTOR, _UTF8, _MASKED = 0x1, 0x8, 0x800, 0x2000
_END, _END64_LOCATOR, _END64 = ZIP_END, b"PK\x06\x07", b"PK\x06\x06"
_CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_END_BYTES, _COMMENT_BYTES, _CENTRAL_BYTES, _LOCAL_BYTES = 22, 65_535, 46, 30
_UNKNOWN = 0xFFFFFFFF
_UNICODE_PATH = 0x7075
_MAX_EXTRA = 64  # extra fields of an entry; entries may share their bytes


class ZipEntry(NamedTuple):
    """An entry: its packed bytes are `data[start : start + packed]`; `packed` None: up to where they end.

    `size`: as stated, None if it is not. `crc` None: unknown. `names`: more than one if programs differ.
    """

    names: tuple[str, ...]
    method: int
    encrypted: bool
    start: int
    packed: int | None
    size: int | None
    crc: int | None


class _Central(NamedTuple):
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    name: bytes
    extra: bytes


class LocalHeader(NamedTuple):
    """What stands in front of an entry. Its packed bytes begin at `start`."""

    flags: int
    method: int
    crc: int
    packed: int
    size: int
    name: bytes
    extra: bytes
    start: int

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & _ENCRYPTED) or self.method == AES


def is_zip(data: bytes) -> bool:
    """Whether a file ends like a zip file, whatever it begins with."""
    return data.rfind(_END, max(0, len(data) - _END_BYTES - _COMMENT_BYTES)) >= 0


def entries(data: bytes, defects: Defects, limit: int) -> Iterator[ZipEntry]:
    """The entries: first those of the directory, then others. At most `limit` of the directory are read.

    Raises BrokenError after the last entry of a file without a directory, as some may be lost.
    """
    seen: list[tuple[int, int]] = []
    directory = _directory_range(data)
    named = 0
    if directory is not None:
        begin, end, shift = directory
        for central in _central(data, begin, end, defects):
            named += 1
            if named > limit:
                break
            yield from _both(data, central, central.offset + shift, seen, defects)
        seen.append((begin, len(data)))
    else:
        defects[Defect.CONTAINER_MALFORMED] = None
    yield from _unnamed(data, seen, defects)
    if directory is None:
        raise BrokenError


def _directory_range(data: bytes) -> tuple[int, int, int] | None:
    """Where the directory begins and ends, and what is to be added to its offsets: bytes stand in front."""
    at = data.rfind(_END, max(0, len(data) - _END_BYTES - _COMMENT_BYTES))
    if at < 0 or at + _END_BYTES > len(data):
        return None
    size, offset = struct.unpack_from("<II", data, at + 12)
    end = at
    locator = at - 20
    if locator >= 0 and data.startswith(_END64_LOCATOR, locator):
        end64 = data.rfind(_END64, max(0, locator - 4_096), locator)
        if end64 >= 0 and end64 + 56 <= len(data):
            end = end64
            size, offset = struct.unpack_from("<QQ", data, end64 + 40)
    begin = end - size
    if begin < 0 or (size and not data.startswith(_CENTRAL, begin)):
        # Not directly in front of its end, as it should be; perhaps where it says.
        if offset + size > len(data) or not data.startswith(_CENTRAL, offset):
            return None
        return offset, offset + size, 0
    return begin, end, begin - offset


def _central(data: bytes, at: int, end: int, defects: Defects) -> Iterator[_Central]:
    while at + _CENTRAL_BYTES <= end and data.startswith(_CENTRAL, at):
        flags, method = struct.unpack_from("<HH", data, at + 8)
        crc, packed, size, name, extra, comment = struct.unpack_from("<IIIHHH", data, at + 16)
        (offset,) = struct.unpack_from("<I", data, at + 42)
        names = at + _CENTRAL_BYTES
        fields = data[names + name : names + name + extra]
        size, packed, offset = _wide(fields, size, packed, offset)
        yield _Central(flags, method, crc, packed, size, offset, data[names : names + name], fields)
        at = names + name + extra + comment
    if at != end:
        defects[Defect.CONTAINER_MALFORMED] = None


def _wide(fields: bytes, *values: int) -> tuple[int, ...]:
    """Values, those that are unknown from the extra field of ZIP64 (section 4.5.3), in its order."""
    if _UNKNOWN not in values:
        return values
    wide = _extra(fields, 1)
    found = []
    for value in values:
        if value == _UNKNOWN and len(wide) >= 8:
            value, wide = int.from_bytes(wide[:8], "little"), wide[8:]
        found.append(value)
    return tuple(found)


def _extra(fields: bytes, ident: int) -> bytes:
    """The content of an extra field; of very many fields only the first are looked at."""
    for found, start, stop in islice(_extra_fields(fields), _MAX_EXTRA):
        if found == ident:
            return fields[start:stop]
    return b""


def _has_many(fields: bytes) -> bool:
    """Whether there are more extra fields than are looked at."""
    return next(islice(_extra_fields(fields), _MAX_EXTRA, None), None) is not None


def _extra_fields(fields: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each extra field its identifier, and where its content starts and stops (section 4.5.1)."""
    at = 0
    while at + 4 <= len(fields):
        ident, size = struct.unpack_from("<HH", fields, at)
        yield ident, at + 4, at + 4 + size
        at += 4 + size


def local_header(data: bytes, at: int) -> LocalHeader | None:
    """The header of the entry that begins at `at`; None if none does."""
    if at < 0 or at + _LOCAL_BYTES > len(data) or not data.startswith(LOCAL, at):
        return None
    flags, method = struct.unpack_from("<HH", data, at + 6)
    crc, packed, size, name, extra = struct.unpack_from("<IIIHH", data, at + 14)
    names = at + _LOCAL_BYTES
    start = names + name + extra
    if start > len(data):
        return None
    fields = data[names + name : start]
    size, packed = _wide(fields, size, packed)
    return LocalHeader(flags, method, crc, packed, size, data[names : names + name], fields, start)


def _both(
    data: bytes, central: _Central, at: int, seen: list[tuple[int, int]], defects: Defects
) -> Iterator[ZipEntry]:
    """The entry that the directory names; a second one if the header in front of it describes another."""
    local = local_header(data, at)
    names = _names(central.flags, central.name, central.extra)
    encrypted = bool(central.flags & (_ENCRYPTED | _MASKED)) or central.method == AES
    if local is None:
        defects[Defect.CONTAINER_MALFORMED] = None
        yield ZipEntry(names, central.method, encrypted, len(data), 0, central.size, central.crc)
        return
    if _has_many(central.extra) or _has_many(local.extra):
        defects[Defect.CONTAINER_MALFORMED] = None
    for name in _names(local.flags, local.name, local.extra):
        # Encrypted directories mask the names in the headers (section 7.3).
        if name not in names and not local.flags & _MASKED:
            defects[Defect.CONTAINER_MALFORMED] = None
            names = (*names, name)
    yield ZipEntry(names, central.method, encrypted, local.start, central.packed, central.size, central.crc)
    seen.append((at, local.start + central.packed))
    stated = not local.flags & _DESCRIPTOR
    other = (local.method, local.flags & _ENCRYPTED) != (central.method, central.flags & _ENCRYPTED)
    if other or (stated and (local.packed, local.size) != (central.packed, central.size)):
        defects[Defect.CONTAINER_MALFORMED] = None
        yield _of_local(local)


def _of_local(local: LocalHeader) -> ZipEntry:
    stated = not local.flags & _DESCRIPTOR
    return ZipEntry(
        names=_names(local.flags, local.name, local.extra),
        method=local.method,
        encrypted=local.encrypted,
        start=local.start,
        packed=local.packed if stated else None,
        size=local.size if stated else None,
        crc=local.crc if stated else None,
    )


def _unnamed(data: bytes, seen: list[tuple[int, int]], defects: Defects) -> Iterator[ZipEntry]:
    """Entries between those of the directory: programs that read from the front find them."""
    seen.sort()
    at = 0
    for begin, end in [*seen, (len(data), len(data))]:
        if begin < at:
            defects[Defect.CONTAINER_MALFORMED] = None  # entries overlap
        while at < begin and (at := data.find(LOCAL, at, begin)) >= 0:
            local = local_header(data, at)
            if local is None:
                at += 1
                continue
            defects[Defect.CONTAINER_MALFORMED] = None
            yield _of_local(local)
            at = local.start + (0 if local.flags & _DESCRIPTOR else local.packed)
        at = max(at, end, begin)


def _names(flags: int, name: bytes, extra: bytes) -> tuple[str, ...]:
    """The name, and that of the extra field for Unicode (section 4.6.9), which some programs prefer."""
    found = [_text(name, utf8=bool(flags & _UTF8))]
    unicode = _extra(extra, _UNICODE_PATH)[5:]
    if unicode and (text := _text(unicode, utf8=True)) not in found:
        found.append(text)
    return tuple(found)


def _text(name: bytes, *, utf8: bool) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("utf-8", "replace") if utf8 else name.decode("cp437")
