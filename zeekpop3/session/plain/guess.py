"""Guesses header folds from the content of the lines, where no header mark says where a field ended.

A line without `name:` continues the previous field. A line with one may do so, too: the list of fields in a
DKIM signature, times and clauses in Received, verdicts of filters. So the name, what follows the colon, and
what the previous field still lacks decide. Linear time: only the last lines of a field are read again.
"""

from __future__ import annotations

import re

from zeekpop3.session import field_names

_KNOWN = frozenset(name.encode() for name in field_names.KNOWN)
_ONCE = frozenset(name.encode() for name in field_names.SINGLE) | {b"return-path", b"user-agent", b"x-mailer"}
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_PLAIN_NAME = re.compile(rb"[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)*|\d+")
_LIST_OF_NAMES = re.compile(rb"[\w-]+ ?:(?:(?=\S)| ?[\w-]+ ?[:;])[ \w:-]*(?:;.*)?")
_BOUNDARY = re.compile(rb'boundary[ \t]*=[ \t]*(?:"([^"]*)"|([^\s;]+))', re.IGNORECASE)
_DATED = re.compile(rb";[^;]*?\d:\d\d")
_SIGNATURES = (b"dkim-signature", b"domainkey-signature", b"arc-message-signature")
_ANSWER = frozenset(
    (b"re", b"fw", b"fwd", b"aw", b"wg", b"sv", b"vs", b"tr", b"rv", b"r", b"i", b"antw", b"ref")
)
_MESSAGE = re.compile(rb"message/(?:rfc822|global|news)", re.IGNORECASE)
_PREAMBLES = (b"This is a multi-part message in MIME", b"This is a multipart message in MIME")
_LOOK_BACK = 40
_MAX_VALUE = 1 << 16
_LOOK_AHEAD = 40


def guess_folds(lines: list[bytes], begin: int) -> bool:
    """Put a blank in front of each line of `lines` that seems to continue a field; True if there was one.

    `begin` is the first line of a header; the headers of the parts are found by their boundaries.
    """
    guessed = False
    boundaries: set[bytes] = set()
    count = len(lines)
    delimiters: list[int] | None = None
    passed = 0
    at = begin
    is_message = True
    while at < count:
        header = _Header(is_message)
        end = header.fold(lines, at, _empty_line(lines, at))
        while is_message and end < count and not lines[end] and header.continues_behind(lines, end):
            lines[end] = b" "
            end = header.fold(lines, end + 1, _empty_line(lines, end + 1))
        guessed |= header.folds > 0
        at = end + 1 if end < count and not lines[end] else end
        if header.boundary:
            boundaries.add(b"--" + header.boundary)
        is_message = _MESSAGE.match(header.content_type) is not None
        if is_message:
            continue
        if not boundaries:
            break
        if delimiters is None:
            delimiters = [index for index in range(at, count) if lines[index][:2] == b"--"]
        while passed < len(delimiters) and (
            delimiters[passed] < at or lines[delimiters[passed]] not in boundaries
        ):
            passed += 1
        if passed == len(delimiters):
            break
        at = delimiters[passed] + 1
    return guessed


def guess_header_folds(lines: list[bytes], begin: int, end: int) -> bool:
    """The same for the lines from `begin` to `end` only, all of one header."""
    header = _Header(is_message=True)
    header.fold(lines, begin, end)
    return header.folds > 0


class _Header:
    """One header, read line by line: the present field (`name`, `field`) and what came before it."""

    def __init__(self, is_message: bool) -> None:
        self.is_message = is_message
        self.folds = 0
        self.name = b""
        self.field: list[bytes] = []
        self.seen: set[bytes] = set()
        self.content_type = b""
        self.boundary = b""

    def fold(self, lines: list[bytes], begin: int, end: int) -> int:
        """Fold lines[begin:end]; return where the header ends: `end`, unless the empty line is missing."""
        for index in range(begin, end):
            line = lines[index]
            match = _NAME.match(line)
            if match is not None:
                found = match[1].lower()
                if not self.field or self._is_new(found, line, match.end()):
                    self._close()
                    self.name = found
                    self.field = [line]
                    continue
            elif not self.field:
                if not self.is_message:
                    return begin  # a part without a header
                continue  # an mbox "From " line
            if self._is_body(line):
                end = index
                break
            self.field.append(line)
            lines[index] = b" " + line
            self.folds += 1
        self._close()
        return end

    def continues_behind(self, lines: list[bytes], end: int) -> bool:
        """True if the empty line `end` was one of blanks, in the middle of a field.

        It was if fields follow that a header should have and this one does not have yet. The body of a
        message that quotes another starts with fields, too, but with fields that this header has.
        """
        fresh = 0
        for index in range(end + 1, min(end + 1 + _LOOK_AHEAD, len(lines))):
            line = lines[index]
            if not line:
                break
            match = _NAME.match(line)
            if match is None:
                continue
            found = match[1].lower()
            if found in _ONCE:
                if found in self.seen:
                    return False
                fresh += 1
        return fresh >= 2

    def _close(self) -> None:
        if self.name == b"content-type" and self.field:
            value = b"".join(self.field[:_LOOK_BACK])[:_MAX_VALUE]
            value = value[value.index(b":") + 1 :].strip()
            match = _BOUNDARY.search(value)
            self.content_type = value
            self.boundary = (match[1] or match[2] or b"") if match else b""
        self.seen.add(self.name)

    def _is_new(self, found: bytes, line: bytes, colon: int) -> bool:
        """True if `line`, which looks like a field `found`, is one, and not a part of the previous one."""
        name = self.name
        if name.endswith(_SIGNATURES) and self._is_signed_list(line):
            return False
        if found in _KNOWN or found.startswith(b"x-") or (found[:1] == b">" and found.lstrip(b">") in _KNOWN):
            return True
        if not _PLAIN_NAME.fullmatch(found) or line[colon : colon + 1] not in b" \t":
            return False
        if found == name or (name == b"subject" and found in _ANSWER):
            return False
        before = self._text()
        if name == b"received" and not _DATED.search(before):
            return False
        if before.count(b"(") > before.count(b")") or before.count(b'"') % 2:
            return False
        return b"-" in found or not before.endswith((b",", b";"))

    def _is_signed_list(self, line: bytes) -> bool:
        """True if `line` continues the h= (names of fields) or z= (fields) tag of a signature."""
        before = self._text()
        tag = before[before.rfind(b";") + 1 :].lstrip()
        if self.field and len(self.field) == 1:
            tag = tag.removeprefix(self.field[0][: self.field[0].find(b":") + 1]).lstrip()
        if tag.startswith((b"z=", b"z =")):
            return tag.endswith(b"|")
        if not tag.startswith((b"h=", b"h =")):
            return False
        return tag.endswith(b":") or _LIST_OF_NAMES.fullmatch(line) is not None

    def _is_body(self, line: bytes) -> bool:
        """True if `line` cannot belong to the header, although no empty line came before: a boundary, or a
        preamble."""
        if line.startswith(b"--") and len(self.field) < _LOOK_BACK:
            self._close()
            return bool(self.boundary) and line == b"--" + self.boundary
        return line.startswith(_PREAMBLES)

    def _text(self) -> bytes:
        return b" ".join(self.field[-_LOOK_BACK:])


def _empty_line(lines: list[bytes], begin: int) -> int:
    try:
        return lines.index(b"", begin)
    except ValueError:
        return len(lines)
