"""Restores the header folds of the plain form's lines.

Zeek trims each line (`trim_whitespace`, src/analyzer/protocol/pop3/POP3.cc), and with the blanks at its start
a continuation line loses what makes it one (RFC 5322, section 2.2.3). Zeek's MIME analyzer sees the lines
untrimmed and raises `mime_one_header` when a field has ended (src/analyzer/protocol/mime/MIME.cc,
`FinishHeader`): the log has a mark there. So between two marks there is one field, and before it perhaps
lines without a colon, which Zeek does not report. Where a mark is missing, the looks of the lines must do,
and the mail has a defect.
"""

from __future__ import annotations

import re

from zeekpop3.defects import Defect

_DELIMITER = b"--"
_NAME = re.compile(rb"[!-9;-~]+[ \t]*:")
# `MIME_get_field_name` skips comments before and after the name, and before it whatever is not part of a
# name.
_FIELD = re.compile(rb"(?:\([^()]*\)|[^!-9;-~])*+([!-9;-~]++)(?:[ \t]|\([^()]*\))*+:")


def refold(lines: list[bytes], marks: list[tuple[int, bytes]] | None) -> tuple[bytes, list[Defect]]:
    """The message of which `lines` are the lines, and its defects (`header_fold_guessed`, if marks lack).

    `lines` are the trimmed lines of one message, dots unstuffed, without line ends. `marks` are its header
    marks in order, each the number of lines before it and the field's name; None if the log has none.
    Continuation lines get one blank in front. Every line ends with CRLF. Linear time.
    """
    folded = list(lines)
    guessed = _fold_by_looks(folded, 0, len(folded)) if marks is None else _fold_by_marks(folded, marks)
    folded.append(b"")
    return b"\r\n".join(folded), [Defect.HEADER_FOLD_GUESSED] if guessed else []


def _fold_by_marks(lines: list[bytes], marks: list[tuple[int, bytes]]) -> bool:
    """Put a blank in front of each continuation line of `lines`; True if a mark was missing."""
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
                guessed |= _fold_by_looks(lines, begin, end)
        if end < count and not lines[end]:
            # An empty line where a field ends is the end of the header. (One within a field was a line of
            # blanks.)
            in_body = True
            begin = end + 1
        else:
            in_body = False
            begin = end
    if not in_body and begin < count and _NAME.match(lines[begin]):
        # The last mark is missing: the log, or the mail, was cut off.
        guessed |= _fold_by_looks(lines, begin, count)
    return guessed


def _fold_by_looks(lines: list[bytes], begin: int, end: int) -> bool:
    """Without marks: in the header that begins at `begin`, a line that does not look like a field continues
    the one before it. True if there was a field: its lines may be others'."""
    begun = False
    for index in range(begin, end):
        if not lines[index]:
            break
        if _NAME.match(lines[index]):
            begun = True
        elif begun:
            lines[index] = b" " + lines[index]
    return begun


def _fold_before(lines: list[bytes], begin: int, first: int) -> None:
    """Lines before the field: any that look like a field are continuations, otherwise Zeek would have
    reported them."""
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
    """True if the field `name` (in lower case) starts in `line`, by the rules of MIME.cc."""
    match = _FIELD.match(line)
    return match is not None and match[1].lower() == name
