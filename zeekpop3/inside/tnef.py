"""TNEF containers ([MS-OXTNEF]), which Outlook sends as winmail.dat → the names and contents of their files,
and the texts that Outlook shows instead of those of the mail.

A container is a list of attributes; the long name of a file is in a list of MAPI properties ([MS-OXCDATA],
section 2.11) inside one of them. Every length is checked before it is used, and every byte is visited a
bounded number of times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import charge, current
from zeekpop3.message.charsets import decode

SIGNATURE = b"\x78\x9f\x3e\x22"
_KEY_BYTES = 2
_CHECKSUM_BYTES = 2
MAX_DEPTH = 5  # containers inside containers

# Attributes ([MS-OXTNEF], section 2.1.3.1): the type in the upper half, the name in the lower half
_CODE_PAGE = 0x00069007
_NEW_FILE = 0x00069002
_TITLE = 0x00018010
_CONTENT = 0x0006800F
_PROPERTIES = 0x00069005
_BODY = 0x0002800C
_MESSAGE_PROPERTIES = 0x00069003

# Properties of a file ([MS-OXPROPS])
_DISPLAY_NAME = 0x3001
_CONTENT_PROPERTY = 0x3701
_FILE_NAME = 0x3704
_LONG_FILE_NAME = 0x3707
_NAMES = (_LONG_FILE_NAME, _FILE_NAME, _TITLE, _DISPLAY_NAME)  # best first

# Properties of the message: its text as plain text, HTML and compressed RTF
_BODIES = frozenset((0x1000, 0x1013, 0x1009))
_RTF = 0x1009
_MAX_RTF = 1 << 20  # bytes; more are not unpacked
# What the dictionary of compressed RTF begins with ([MS-OXRTFCP], section 2.1.2.1)
_RTF_WORDS = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20"
    rb"\b\i\u\tab\tx"
)
_RTF_HEADER_BYTES = 16
_DICTIONARY = 4_096
_RTF_COST = 24  # times what other steps take for a byte

# Types of properties: size in bytes, with the padding to four
_FIXED = {0: 0, 1: 0, 2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
_OBJECT, _STRING, _UNICODE, _BINARY = 13, 30, 31, 258
_VARIABLE = frozenset((_OBJECT, _STRING, _UNICODE, _BINARY))
_MULTIPLE = 0x1000
_FIRST_NAMED = 0x8000
_INTERFACE_BYTES = 16  # the identifier before the content of an object


class _Reader:
    """Takes bytes from the front. Raises ValueError if fewer are left than asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        at = self._at
        if size > len(self._data) - at:
            raise ValueError("cut off")
        self._at = at + size
        return self._data[at : at + size]

    def number(self, size: int = 4) -> int:
        return int.from_bytes(self.take(size), "little")

    def padded(self, size: int) -> bytes:
        """`size` bytes, and the padding to a multiple of four."""
        value = self.take(size)
        self.take(-size % 4)
        return value


def files(data: bytes, defects: Defects) -> Iterator[tuple[str | None, tuple[bytes]]]:
    """Name and content (in one piece) of the files in a container; its texts, which have no name, and the
    files of containers inside follow.

    Reports `attachment_unpack_failed` for a broken container; the files before the broken place are returned.
    """
    containers = [(data, 1)]
    for container, depth in containers:  # the list grows
        for file in _files(container, defects):
            yield file.name, (file.content,)
            if file.content.startswith(SIGNATURE) and depth < MAX_DEPTH:
                containers.append((file.content, depth + 1))


@dataclass(slots=True)
class _File:
    """`names`: by the attribute or property that gives them."""

    names: dict[int, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def name(self) -> str | None:
        return next((self.names[ident] for ident in _NAMES if self.names.get(ident)), None)


def _files(data: bytes, defects: Defects) -> Iterator[_File]:
    reader = _Reader(data)
    charset: str | None = None
    file: _File | None = None
    texts: dict[bytes, None] = {}
    try:
        if reader.take(len(SIGNATURE)) != SIGNATURE:
            raise ValueError("not a TNEF container")
        reader.take(_KEY_BYTES)
        while reader:
            _take_property()
            reader.take(1)  # level: message or attachment
            ident = reader.number()
            value = reader.take(reader.number())
            reader.take(_CHECKSUM_BYTES)
            if ident == _CODE_PAGE:
                charset = f"cp{int.from_bytes(value[:4], 'little')}"
            elif ident == _NEW_FILE:
                if file is not None:
                    yield file
                file = _File()
            elif ident == _BODY:
                texts[value.rstrip(b"\0")] = None
            elif ident == _MESSAGE_PROPERTIES:
                texts |= _texts(value, defects)
            elif file is None:
                continue
            elif ident == _TITLE:
                file.names[ident] = _text(value, charset, defects)
            elif ident == _CONTENT:
                file.content = value
            elif ident == _PROPERTIES:
                _read_properties(file, value, charset, defects)
    except ValueError:
        defects[Defect.ATTACHMENT_UNPACK_FAILED] = None
        if file is not None and not file.content:
            file = None
    if file is not None:
        yield file
    yield from (_File(content=text) for text in texts if text.strip())


def _texts(data: bytes, defects: Defects) -> dict[bytes, None]:
    """The texts of a message, each once."""
    found: dict[bytes, None] = {}
    try:
        for kind, ident, value in _properties(data):
            if ident not in _BODIES:
                continue
            if kind == _UNICODE:
                value = _text(value, "utf-16-le", defects).encode("utf-8", "replace")
            elif ident == _RTF:
                value = rtf_unpacked(value)
            found[value.rstrip(b"\0")] = None
    except ValueError:
        defects[Defect.ATTACHMENT_UNPACK_FAILED] = None
    return found


def rtf_unpacked(data: bytes) -> bytes:
    """RTF as it was before [MS-OXRTFCP] compressed it, at most `_MAX_RTF` bytes. Raises ValueError.

    Each control byte says of the next eight units whether it is a byte, or a reference to what came before:
    twelve bits of place in the dictionary, four of length. A reference to the present place is the end.
    """
    if data[8:12] == b"MELA":
        return data[_RTF_HEADER_BYTES:]
    if data[8:12] != b"LZFu":
        raise ValueError("not compressed RTF")
    limits = current()
    limits.packed_rtf -= len(data)
    if limits.packed_rtf < 0:
        raise ValueError("too much compressed RTF")
    size = 4 + int.from_bytes(data[:4], "little")
    text = _unpacked(data[:size] if size > _RTF_HEADER_BYTES else data)
    charge(_RTF_COST * len(text))
    return text


def _unpacked(data: bytes) -> bytes:
    """What follows the header, as far as it goes; see `rtf_unpacked`."""
    out = bytearray(_RTF_WORDS)
    first = len(out)
    at = _RTF_HEADER_BYTES
    end = len(data)
    while at < end and len(out) < _MAX_RTF:
        control = data[at]
        at += 1
        for bit in range(8):
            if not control >> bit & 1:
                out += data[at : at + 1]
                at += 1
                continue
            if at + 2 > end:
                return bytes(out[first:])
            place, length = data[at] << 4 | data[at + 1] >> 4, (data[at + 1] & 15) + 2
            at += 2
            back = (len(out) - place) % _DICTIONARY
            if not back:
                return bytes(out[first:])
            start = len(out) - back
            if start < 0:
                raise ValueError("a reference to nothing")
            piece = out[start : start + length]
            out += (piece * (length // len(piece) + 1))[:length]
    return bytes(out[first:])


def _read_properties(file: _File, data: bytes, charset: str | None, defects: Defects) -> None:
    for kind, ident, value in _properties(data):
        if ident == _CONTENT_PROPERTY and kind in (_BINARY, _OBJECT):
            file.content = value[_INTERFACE_BYTES:] if kind == _OBJECT else value
        elif ident in _NAMES and kind in (_STRING, _UNICODE):
            file.names[ident] = _text(value, "utf-16-le" if kind == _UNICODE else charset, defects)


def _take_property() -> None:
    """Counts one. Raises ValueError if the mail has too many."""
    limits = current()
    limits.properties -= 1
    if limits.properties < 0:
        raise ValueError("too many properties")


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, identifier, value) of the properties with a variable size. Raises ValueError."""
    reader = _Reader(data)
    for _ in range(reader.number()):
        _take_property()
        kind, ident = reader.number(2), reader.number(2)
        if ident >= _FIRST_NAMED:
            reader.take(16)  # the property set
            if reader.number() == 0:
                reader.take(4)
            else:
                reader.padded(reader.number())
        base = kind & ~_MULTIPLE
        if base in _VARIABLE:
            for _ in range(reader.number()):
                _take_property()
                yield base, ident, reader.padded(reader.number())
        elif base in _FIXED:
            count = reader.number() if kind & _MULTIPLE else 1
            reader.padded(_FIXED[base] * count)
        else:
            raise ValueError(f"unknown type of property: {kind:#x}")


def _text(value: bytes, charset: str | None, defects: Defects) -> str:
    if charset == "utf-16-le":
        text = value[: len(value) // 2 * 2].decode("utf-16-le", "replace")
    else:
        text = decode(value.rstrip(b"\0"), charset, defects)
    return text.rstrip("\0")
