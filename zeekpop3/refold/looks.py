"""Folds by the looks of the lines, where no `header` row says where a field ended.

A line without `name:` continues the field before it. A line that has one may still do so (the list of
fields in a DKIM signature, times and clauses in Received, verdicts of filters), so the name, what follows
the colon, and what the field before still lacks decide.
"""

from __future__ import annotations

import re

from zeekpop3.refold.names import KNOWN

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_PLAIN_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9]*(?:[-_.][A-Za-z0-9]+)*")
_LIST_OF_NAMES = re.compile(rb"[A-Za-z0-9_-]+(?: ?: ?[A-Za-z0-9_-]+)* ?[:;]?")
_SIGNED_FIELDS = re.compile(rb"(?:^|[;\s])h ?= ?[^;]*$")
_BOUNDARY = re.compile(rb'boundary[ \t]*=[ \t]*(?:"([^"]*)"|([^\s;]+))', re.IGNORECASE)
_DATED = re.compile(rb";[^;]*\d\d?:\d\d")
_SIGNATURES = (
    b"dkim-signature",
    b"domainkey-signature",
    b"x-google-dkim-signature",
    b"arc-message-signature",
)
_MESSAGE = re.compile(rb"message/(?:rfc822|global|news)", re.IGNORECASE)
_PEEK = 40


def fold_by_looks(lines: list[bytes], begin: int) -> bool:
    """Puts a blank in front of each line of `lines` that seems to continue a field; whether there was one.

    `begin` is the first line of a header; those of the parts are found by their boundaries.
    """
    guessed = 0
    boundaries: set[bytes] = set()
    count = len(lines)
    delimiters: list[int] | None = None
    next_delimiter = 0
    at = begin
    while at < count:
        end = _header_end(lines, at)
        guessed += fold_header(lines, at, end)
        kind, boundary = _content_type(lines, at, end)
        at = end + 1
        if boundary:
            boundaries.add(b"--" + boundary)
        if _MESSAGE.match(kind):
            continue
        if not boundaries:
            break
        if delimiters is None:
            delimiters = [index for index in range(at, count) if lines[index][:2] == b"--"]
        while next_delimiter < len(delimiters):
            index = delimiters[next_delimiter]
            next_delimiter += 1
            if index >= at and lines[index] in boundaries:
                at = index + 1
                break
        else:
            break
    return guessed > 0


def fold_header(lines: list[bytes], begin: int, end: int) -> int:
    """The same for the header in lines[begin:end]; how many lines seem to continue a field."""
    folds = 0
    field: list[bytes] = []
    name = b""
    for index in range(begin, end):
        line = lines[index]
        match = _NAME.match(line)
        if match is not None:
            found = match[1].lower()
            if not field or _begins_field(found, line, match.end(), name, field):
                name = found
                field = [line]
                continue
        elif not field:
            # An mbox "From " line, or what is no header at all.
            continue
        field.append(line)
        lines[index] = b" " + line
        folds += 1
    return folds


def _begins_field(found: bytes, line: bytes, colon: int, name: bytes, field: list[bytes]) -> bool:
    """Whether `line`, which has the looks of a field `found`, begins one, although the field `name` comes
    before."""
    if found.startswith(b"x-"):
        known = True
    else:
        known = found in KNOWN
    if (
        name.endswith(_SIGNATURES)
        and _LIST_OF_NAMES.fullmatch(line)
        and _SIGNED_FIELDS.search(b" ".join(field))
    ):
        return False
    if known:
        return True
    if not _PLAIN_NAME.fullmatch(found) or line[colon : colon + 1] not in b" \t":
        return False
    if name == b"received" and not _DATED.search(b" ".join(field)):
        return False
    if found == name:
        return False
    return b"-" in found or not field[-1].endswith((b",", b";"))


def _header_end(lines: list[bytes], begin: int) -> int:
    try:
        return lines.index(b"", begin)
    except ValueError:
        return len(lines)


def _content_type(lines: list[bytes], begin: int, end: int) -> tuple[bytes, bytes]:
    """What the Content-Type of the folded header in lines[begin:end] says: the type, and the boundary if it
    has one."""
    for index in range(begin, end):
        if lines[index][:13].lower() == b"content-type:":
            stop = index + 1
            while stop < end and lines[stop].startswith(b" "):
                stop += 1
            value = b"".join(lines[index:stop])[13:].strip()
            match = _BOUNDARY.search(value)
            return value, (match[1] or match[2] or b"") if match else b""
    return b"", b""
