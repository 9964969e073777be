"""What RFC 1939 and its extensions say of commands and responses, as tables and small pure functions.

Which response has more than one line is a property of the command, its argument and the status: RFC 1939,
sections 5 to 7; CAPA and AUTH: RFC 2449, RFC 5034; LANG: RFC 6856; STLS: RFC 2595.
"""

from __future__ import annotations

import re
from typing import Final

ALWAYS_MULTILINE: Final = frozenset({"RETR", "TOP", "CAPA"})
MULTILINE_WITHOUT_ARGUMENT: Final = frozenset({"LIST", "UIDL", "AUTH", "LANG"})
# The `sent` row has no argument for these: AUTH's is known from elsewhere, if at all; XTND's subcommands
# (RFC 1082) differ in what they answer.
MULTILINE_BY_LOOKS: Final = frozenset({"AUTH", "LANG", "XTND"})
NUMBERED_COMMANDS: Final = frozenset({"RETR", "TOP", "LIST", "UIDL", "DELE"})
_PIECE: Final = 1 << 16
_WORTH_NUMPY: Final = 6000
MESSAGE_COMMANDS: Final = frozenset({"RETR", "TOP"})

_STATUS: Final = re.compile(rb"(?:\+(OK)|-(ERR))(?:[ \t]+|$)(.*)", re.IGNORECASE | re.DOTALL)
_OCTETS: Final = re.compile(r"(\d\d{0,17})\s+(?:octets|bytes)\b", re.IGNORECASE)  # \d first: soon found
_TWO_DOTS: Final = re.compile(rb"\n\.\.")  # nearly twice as fast as bytes.find
_LISTING: Final = re.compile(rb"\s*(\d{1,10})[ \t]+(\S+)")


def is_multiline(command: str | None, argument: str | None, status: str | None) -> bool:
    """Tell whether the response to a command goes on after its status line (RFC 1939, section 3)."""
    if status != "OK" or command is None:
        return False
    if command in ALWAYS_MULTILINE:
        return True
    return command in MULTILINE_WITHOUT_ARGUMENT and not argument


def parse_status(line: bytes) -> tuple[str, str] | None:
    """Split a status line into ("OK" or "ERR", text); None if it is none (RFC 1939, section 3)."""
    line = line.rstrip(b"\r\n")
    if line.startswith(b"+OK "):  # as nearly all do
        return "OK", to_text(line[4:].lstrip(b" \t"))
    found = _STATUS.match(line)
    if found is None:
        return None
    return ("OK" if found[1] else "ERR"), to_text(found[3])


def declared_octets(message: str | None) -> int | None:
    """The size in octets that a reply to RETR announces ("+OK 760 octets"); None if it does not."""
    at = 0
    while message and (found := _OCTETS.search(message, at)):
        start, at = found.span()
        if start == 0 or message[start - 1] == "(" or message[start - 1].isspace():
            return int(found[1])
    return None


def parse_listing(line: bytes) -> tuple[int, bytes] | None:
    """A line of LIST or UIDL as (message number, size or unique id); None if it is none (sections 5, 7)."""
    number, _, value = line.partition(b" ")
    if value.isalnum() and number.isdigit() and len(number) <= 10:  # as nearly all are
        return int(number), value
    found = _LISTING.match(line)
    return (int(found[1]), found[2]) if found else None


def unstuff(body: bytes) -> bytes:
    """Undo the dot-stuffing of a multi-line response's lines (RFC 1939, section 3).

    Only a doubled dot is undone: a server that does not stuff sends single ones, and means them.
    """
    if body.startswith(b".."):
        body = body[1:]
    return body.replace(b"\n..", b"\n.") if _is_stuffed(body) else body


def _is_stuffed(body: bytes) -> bool:
    # Base64 holds no dots, and a single byte is searched for many times faster than three.
    for at in range(0, len(body), _PIECE):
        dot = body.find(b".", at, at + _PIECE)
        if dot >= 0 and _TWO_DOTS.search(body, max(dot - 1, 0), at + _PIECE + 2):
            return True
    return False


def count_lines(body: bytes | bytearray) -> int:
    """The number of line ends in a text of any size."""
    if len(body) < _WORTH_NUMPY:
        return body.count(b"\n")
    import numpy as np

    # bytes.count goes byte by byte (Python 3.13 and older), which is most of what reading a large mail costs.
    count = 0
    for at in range(0, len(body), _PIECE):
        piece = np.frombuffer(body, np.uint8, min(_PIECE, len(body) - at), at)
        count += int(np.count_nonzero(piece == 0x0A))
    return count


def to_text(data: bytes) -> str:
    """Bytes of the dialogue as text: UTF-8 (RFC 6856), with U+FFFD for what is not."""
    return data.decode("ascii") if data.isascii() else data.decode("utf-8", "replace")
