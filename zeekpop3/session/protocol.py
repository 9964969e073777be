"""RFC 1939 and its extensions as tables and small pure functions: statuses, multi-line responses, listings.

Whether a response has more than one line depends on the command, its argument and the status: RFC 1939,
sections 5 to 7; CAPA and AUTH: RFC 2449, RFC 5034; LANG: RFC 6856; STLS: RFC 2595.
"""

from __future__ import annotations

import re

ALWAYS_MULTILINE = frozenset({"RETR", "TOP", "CAPA"})
MULTILINE_WITHOUT_ARGUMENT = frozenset({"LIST", "UIDL", "AUTH", "LANG"})
# The log does not have the argument of these for certain: AUTH's may be secret; the subcommands of XTND (RFC
# 1082) differ in what they answer. The first bytes after the status line decide.
MULTILINE_IF_LINES_FOLLOW = frozenset({"AUTH", "LANG", "XTND"})
NUMBERED_COMMANDS = frozenset({"RETR", "TOP", "LIST", "UIDL", "DELE"})
LOGIN_COMMANDS = frozenset({"USER", "PASS", "APOP", "AUTH"})
TRANSACTION_COMMANDS = frozenset({"STAT", "LIST", "UIDL", "RETR", "TOP", "DELE"})
MESSAGE_COMMANDS = frozenset({"RETR", "TOP"})

STATUS_START = re.compile(rb"\+OK\b|-ERR\b", re.IGNORECASE)
FIELD_START = re.compile(rb"[!-9;-~]{1,76}[ \t]*:")
"""The start of a line that looks like a header field (RFC 5322, section 2.2)."""
LISTING_LINE = re.compile(rb"\s*(\d{1,10})[ \t]+(\S+)")
"""A line of the response to LIST or UIDL (sections 5, 7): a number, then a size or a unique id."""
STAT_MESSAGE = re.compile(r"\s*(\d{1,18})[ \t]+(\d{1,18})")

_STATUS = re.compile(rb"(?:\+(OK)|-(ERR))(?:[ \t]+|$)(.*)", re.IGNORECASE | re.DOTALL)
_OCTETS = re.compile(r"(?<![^\s(])(\d{1,18})\s+(?:octets|bytes)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\s*\+?(\d{1,10})(?:\s|$)")
# Both begin with a fixed character, which is fast to search for.
_LONE_DOT = re.compile(rb"\.(?<![^\n]\.)\r*+\n")
_SINGLE_DOT = re.compile(rb"\.(?<![^\n]\.)(?![.\r\n]|\Z)")


def is_multiline(command: str | None, argument: str | None, status: str | None) -> bool:
    """True if the response to a command continues after its status line (RFC 1939, section 3)."""
    if status != "OK" or command is None:
        return False
    if command in ALWAYS_MULTILINE:
        return True
    return command in MULTILINE_WITHOUT_ARGUMENT and not argument


def starts_status(data: bytes, more: bool) -> bool | None:
    """True if bytes start like a status line; None if `more` bytes may come and are needed to tell."""
    if more and len(data) < 5:
        start = data.upper()
        if b"+OK".startswith(start[:3]) or b"-ERR".startswith(start[:4]):
            return None
    return STATUS_START.match(data) is not None


def parse_status(line: bytes) -> tuple[str, str] | None:
    """Split a status line into ("OK" or "ERR", text); None for any other line (RFC 1939, section 3)."""
    line = line.rstrip(b"\r\n")
    if line.startswith(b"+OK "):  # nearly all
        return "OK", to_text(line[4:].lstrip(b" \t"))
    found = _STATUS.match(line)
    if found is None:
        return None
    return ("OK" if found[1] else "ERR"), to_text(found[3])


def declared_octets(message: str | None) -> int | None:
    """The size in octets that a reply to RETR announces ("+OK 760 octets"); None if it does not."""
    found = _OCTETS.search(message) if message else None
    return int(found[1]) if found else None


def message_number(argument: str | None) -> int | None:
    """The number of the message that a command's argument names; None if it names none."""
    if not argument:
        return None
    if argument.isdecimal() and argument.isascii() and len(argument) <= 10:  # nearly all
        return int(argument)
    found = _NUMBER.match(argument)
    return int(found[1]) if found else None


def parse_listing(line: bytes) -> tuple[int, bytes] | None:
    """A line of LIST or UIDL as (message number, size or unique id); None for any other line."""
    found = LISTING_LINE.match(line)
    return (int(found[1]), found[2]) if found else None


def is_message(body: bytes) -> bool:
    """True if lines begin as a message does, with a header field."""
    return FIELD_START.match(body) is not None or body.startswith(b"From ")


def unstuff(body: bytes) -> bytes:
    """Undo the dot-stuffing of a multi-line response (RFC 1939, section 3).

    Only a doubled dot is undone. A single dot (see `has_single_dots`) stays: a server that does not stuff
    means it.
    """
    if body.startswith(b".."):
        body = body[1:]
    return body.replace(b"\n..", b"\n.")


def has_single_dots(body: bytes) -> bool:
    """Whether a line starts with a dot that the server has not doubled: some clients remove it."""
    return _SINGLE_DOT.search(body) is not None


def has_lone_dot(body: bytes) -> bool:
    """Whether a line, however it ends, is a dot alone: some clients take it for the end of the message."""
    return _LONE_DOT.search(body) is not None


def count_lines(body: bytes | bytearray) -> int:
    """The number of line ends in a text."""
    return body.count(b"\n")


def to_text(data: bytes) -> str:
    """Bytes of the dialogue as text: UTF-8 (RFC 6856), with U+FFFD for other bytes."""
    return data.decode("utf-8", "replace")
