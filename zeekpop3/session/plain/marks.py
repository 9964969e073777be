"""Folds by evidence: a `header` row stands between the last line of a field and the line after it.

Zeek's MIME analyzer sees the lines untrimmed and raises `mime_one_header` when a field has ended
(src/analyzer/protocol/mime/MIME.cc, `FinishHeader`), so what lies between two marks is one field, but for
lines before it that are no field at all (no colon), of which Zeek says nothing.
"""

from __future__ import annotations

import re
from typing import Final

from zeekpop3.session.plain.looks import fold_by_looks, fold_header

_DELIMITER: Final = b"--"
_NAME: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
# `MIME_get_field_name`: comments before and after the name are skipped, and before it whatever is no name.
_FIELD: Final = re.compile(rb"(?:\([^()]*\)|[^!-9;-~])*+([!-9;-~]++)(?:[ \t]|\([^()]*\))*+:")


def fold_by_marks(lines: list[bytes], marks: list[tuple[int, bytes]]) -> bool:
    """Puts a blank in front of each continuation line of `lines`; whether some of them had to be guessed."""
    guessed = False
    count = len(lines)
    begin = 0  # the first line after the field or header before
    in_body = False
    for end, name in marks:
        if end > count:
            break
        if end < begin:
            continue  # out of order: not Zeek's
        if begin < end:
            if not in_body and lines[begin].startswith(name + b":"):
                first = begin
            else:
                first = _field_line(lines, begin, end, name, in_body)
                if not in_body:
                    _fold_before(lines, begin, first)
            if first >= 0:
                for index in range(first + 1, end):
                    lines[index] = b" " + lines[index]
            elif not in_body:
                guessed |= fold_header(lines, begin, end)
        if end < count and not lines[end]:
            # An empty line where a field ends is the end of the header. (One within a field was a line of
            # blanks.)
            in_body = True
            begin = end + 1
        else:
            in_body = False
            begin = end
    if not in_body and begin < count and _NAME.match(lines[begin]):
        # Its mark is not there: the log, or the mail, was cut off.
        guessed |= fold_by_looks(lines, begin)
    return guessed


def _fold_before(lines: list[bytes], begin: int, first: int) -> None:
    """Lines above a field that are no field: one with a name and a colon would have a mark, did it not
    continue."""
    for index in range(begin, first):
        if _NAME.match(lines[index]):
            lines[index] = b" " + lines[index]


def _field_line(lines: list[bytes], begin: int, end: int, name: bytes, in_body: bool) -> int:
    """The line of lines[begin:end] in which the field `name` begins, or -1."""
    name = name.lower()
    if name.startswith(b".."):
        name = name[1:]  # Zeek's analyzer does not unstuff dots (RFC 1939, section 3)
    if not in_body:
        # A field that looks like this and stands higher would have a mark of its own.
        return next((index for index in range(begin, end) if _starts(lines[index], name)), -1)
    nearest = -1
    for index in range(end - 1, begin - 1, -1):
        if _starts(lines[index], name):
            if index == begin or lines[index - 1].startswith(_DELIMITER):
                return index
            if nearest < 0:
                nearest = index
    return nearest


def _starts(line: bytes, name: bytes) -> bool:
    """Whether the field `name` (in lower case) begins in `line`, by the rules of MIME.cc."""
    match = _FIELD.match(line)
    return match is not None and match[1].lower() == name
