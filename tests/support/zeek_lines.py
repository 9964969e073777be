"""What Zeek makes of a mail in the plain form, rewritten from its source: the trimmed lines and the header
marks.

Follows src/analyzer/protocol/pop3/POP3.cc (`trim_whitespace`, `ProcessReply`),
src/analyzer/protocol/mime/MIME.cc (`MIME_Entity`) and src/analyzer/protocol/tcp/ContentLine.cc (a lone CR
or LF ends a line, too) of Zeek 8.0.10. Only what decides where a header field ends is here.
"""

from __future__ import annotations

import re

MAX_HEADER_BYTES = 65536
MAX_DEPTH = 100
_SPACES = re.compile(rb"  +")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_FIELD_CHARS = frozenset(range(33, 127)) - {58}
_SPECIALS = frozenset(b'()<>@,;:\\"/[]?=')
_TOKEN_CHARS = frozenset(range(33, 127)) - _SPECIALS


def split_lines(raw: bytes) -> list[bytes]:
    """The lines of a message, without their ends."""
    lines = _LINE_END.split(raw)
    if lines and not lines[-1]:
        lines.pop()
    return lines


def trim(line: bytes) -> bytes:
    """POP3.cc's trim_whitespace: ends at a NUL, no blanks in front or at the end, one for many within."""
    line = line.partition(b"\0")[0].lstrip(b" \t")
    return _SPACES.sub(b" ", line).rstrip(b" ")


def simulate(raw: bytes, status: bytes = b"+OK") -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """(trimmed lines with dots unstuffed, marks) of one message as a RETR gives them."""
    lines = split_lines(raw)
    marks: list[tuple[int, bytes]] = []
    mail = _Entity(None, marks)
    mail.deliver(status, 0)
    for index, line in enumerate(lines):
        mail.deliver(b"." + line if line.startswith(b".") else line, index)
    mail.end(len(lines))
    return [trim(line) for line in lines], marks


class _Entity:
    """MIME_Entity: a message or part, which hands the lines of its body on to the part they belong to."""

    def __init__(self, parent: _Entity | None, marks: list[tuple[int, bytes]]) -> None:
        self.depth: int = parent.depth + 1 if parent else 0
        self.marks = marks
        self.in_header = True
        self.ended = False
        self.field: list[bytes] | None = None
        self.field_bytes = 0
        self.type = b"text"
        self.boundary: bytes | None = None
        self.child: _Entity | None = None

    def deliver(self, line: bytes, index: int) -> None:
        if not self.in_header:
            self._body_line(line, index)
        elif not line or line[0] == 0:
            self._finish_header(index)
            self.in_header = False
            if self.type == b"message":
                self._begin_child()
        elif line[:1] in b" \t" and self.field is not None:
            if self.field_bytes < MAX_HEADER_BYTES:
                self.field.append(line)
                self.field_bytes += len(line)
        else:
            self._finish_header(index)
            line = line.lstrip(b" \t")
            if line:
                self.field = [line]
                self.field_bytes = len(line)

    def end(self, index: int) -> None:
        if self.ended:
            return
        self.ended = True
        if self.in_header:
            self._finish_header(index)
            self.in_header = False
        elif self.child is not None:
            self._end_child(index)

    def _body_line(self, line: bytes, index: int) -> None:
        if self.type == b"multipart" and self.boundary is not None and line.startswith(b"--" + self.boundary):
            if self.child is not None:
                self._end_child(index)
            if line[len(self.boundary) + 2 :].startswith(b"--"):
                self.end(index)
            elif not self.ended:
                self._begin_child()
        elif self.type in (b"multipart", b"message") and self.child is not None:
            self.child.deliver(line, index)

    def _begin_child(self) -> None:
        if self.depth < MAX_DEPTH:
            self.child = _Entity(self, self.marks)

    def _end_child(self, index: int) -> None:
        assert self.child is not None
        self.child.end(index)
        self.child = None

    def _finish_header(self, index: int) -> None:
        if self.field is None:
            return
        text = b"".join(self.field)
        self.field = None
        name, value = _name_and_value(text)
        if name is None:
            return
        if name.lower() == b"content-type":
            self._content_type(value)
        self.marks.append((index, name))

    def _content_type(self, value: bytes) -> None:
        first, at = _token(value, 0)
        at = _skip(value, at)
        if first is None or value[at : at + 1] != b"/":
            return
        second, at = _token(value, at + 1)
        if second is None:
            return
        self.type = first.lower()
        if self.type in (b"multipart", b"message"):
            self._parameters(value, at)
        if self.type == b"multipart" and self.boundary is None:
            self.type = b"other"

    def _parameters(self, value: bytes, at: int) -> None:
        while True:
            at = _skip(value, at)
            if value[at : at + 1] != b";":
                return
            attribute, at = _token(value, at + 1)
            if attribute is None:
                return
            at = _skip(value, at)
            if value[at : at + 1] != b"=":
                continue
            at += 1
            is_boundary = self.type == b"multipart" and attribute.lower() == b"boundary"
            text, end = _value(value, at, is_boundary)
            if text is not None:
                at = end
                if is_boundary:
                    self.boundary = text


def _skip_comment(text: bytes, at: int) -> int:
    depth = 0
    while at < len(text):
        char = text[at]
        if char == 0x28:
            depth += 1
        elif char == 0x29:
            depth -= 1
            if depth == 0:
                return at + 1
        elif char == 0x5C:
            at += 1
        at += 1
    return len(text)


def _skip(text: bytes, at: int) -> int:
    """MIME_skip_lws_comments."""
    while at < len(text):
        if text[at] in b" \t":
            at += 1
        elif text[at] == 0x28:
            at = _skip_comment(text, at)
        else:
            break
    return at


def _name_and_value(text: bytes) -> tuple[bytes | None, bytes]:
    """MIME_Header's constructor: the name, or None if the field is malformed."""
    at = _skip(text, 0)
    while at < len(text) and text[at] not in _FIELD_CHARS:
        next_at = _skip(text, at)
        at = next_at if next_at > at else at + 1
    begin = at
    while at < len(text) and text[at] in _FIELD_CHARS:
        at += 1
    name = text[begin:at]
    at = _skip(text, at)
    if not name or text[at : at + 1] != b":":
        return None, b""
    return name, text[at + 1 :].lstrip(b" \t\r\n\v\f")


def _token(text: bytes, at: int, *, boundary: bool = False) -> tuple[bytes | None, int]:
    chars = frozenset(range(33, 127)) - {0x22} if boundary else _TOKEN_CHARS
    if not boundary:
        at = _skip(text, at)
    while at < len(text):
        if text[at] in chars:
            begin = at
            while at < len(text) and text[at] in chars:
                at += 1
            return text[begin:at], at
        next_at = _skip(text, at)
        at = next_at if next_at > at else at + 1
    return None, at


def _value(text: bytes, at: int, boundary: bool) -> tuple[bytes | None, int]:
    if not boundary:
        at = _skip(text, at)
    if text[at : at + 1] != b'"':
        return _token(text, at, boundary=boundary)
    begin = at + 1
    at = begin
    while at < len(text):
        if text[at] == 0x22:
            return re.sub(rb"\\(.)", rb"\1", text[begin:at], flags=re.DOTALL), at + 1
        at += 2 if text[at] == 0x5C else 1
    return None, at
