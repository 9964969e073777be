"""What else the header of a part may mean: the entities that other programs make of it.

Only a header with a defect is in doubt. Each alternative is the same range of bytes with another type,
boundary, transfer encoding or name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zeekpop3.message import header, params, parts, transfer_encoding
from zeekpop3.message.header import Header
from zeekpop3.message.header_text import decoded
from zeekpop3.message.parts import MIME_FIELDS, Part

_MAX_KINDS = 4
_MAX_BOUNDARIES = 4
_KIND = re.compile(r"[a-z][a-z-]{2,40}+/[a-z0-9][a-z0-9.+-]{1,60}+")
_NO_LETTERS = re.compile(r"\([^()]*+\)|[\"'\s\0]")


def alternatives(part: Part) -> Iterator[tuple[Part, str]]:
    """Other entities, and the reading (`content_type`, `boundary`, …) by which each differs from `part`."""
    for boundary in dict.fromkeys(_other_boundaries(part)):
        other = _copy(part)
        other.kind = part.kind if part.kind.startswith("multipart/") else "multipart/mixed"
        other.params = params.Params()
        other.params["boundary"] = boundary
        other.boundary = boundary.encode("utf-8", "replace")  # with blanks at its end
        yield other, "boundary"
    if part.doubtful is None:
        return
    for fields, reading in _other_fields(part, part.doubtful):
        other = parts.part_of(part.src, part.end, fields, part.kind, {})
        other.start, other.head, other.section = part.start, part.head, part.section
        yield from _differing(part, other, reading)
    for encoding in dict.fromkeys(
        transfer_encoding.names_in(part.doubtful.first.get("content-transfer-encoding", ""))
    ):
        if encoding and encoding != part.encoding:
            other = _copy(part)
            other.encoding = encoding
            yield other, "transfer_encoding"
    blank = part.src.find(b"\r\r", part.head, part.start)
    if blank >= 0:
        # Programs that take CR for a line end see a blank line there.
        other = parts.entity(part.src, part.head, blank, part.kind, {})
        other.start, other.end, other.section = blank + 2, part.end, part.section
        yield other, "header"
    for kind in _other_kinds(part.doubtful.first.get("content-type", ""), part.kind):
        other = _copy(part)
        other.kind = kind
        yield other, "content_type"


def other_names(part: Part) -> list[str]:
    """Further file names of a part, beside `part.filename`."""
    found: list[str | None] = []
    if part.file_params and part.params:
        found.append(part.params.get("name"))
    for name, given in (("filename", part.file_params), ("name", part.params)):
        if given.others:
            found += given.others_of(name)
    if part.doubtful is not None:
        for fields, _ in _other_fields(part, part.doubtful):
            found.append(parts.part_of(part.src, part.end, fields, part.kind, {}).filename)
    return [name for name in found if name]


def _copy(part: Part) -> Part:
    return Part(
        part.src, part.start, part.end, part.kind, part.params, part.encoding, part.disposition,
        part.file_params, part.content_id, part.section,
    )  # fmt: skip


def _other_boundaries(part: Part) -> list[str]:
    """Boundaries beside the one that is in use."""
    if not part.boundary or part.children is None:
        return []
    used = part.boundary.decode("utf-8", "replace")
    found = [part.params.get("boundary", ""), *part.params.others_of("boundary")]
    return [each for each in found if each and each != used][:_MAX_BOUNDARIES]


def _other_fields(part: Part, fields: Header) -> Iterator[tuple[Header, str]]:
    """The MIME fields as programs read them that take the last of several, or that forgive more."""
    last = dict(zip(fields.lowered, fields.values, strict=True))
    if any(last[name] != fields.first[name] for name in MIME_FIELDS if name in last):
        yield Header(part.start, first=last), ""
    if part.head < part.start:
        forgiven = header.lenient(part.src, part.head, part.start).first
        merged = {**fields.first, **{name: forgiven[name] for name in MIME_FIELDS if name in forgiven}}
        if merged != fields.first:
            yield Header(part.start, first=merged), "header"


def _differing(part: Part, other: Part, reading: str) -> Iterator[tuple[Part, str]]:
    """`other` if it is another content; if several things differ, also the content with each of them."""
    if other.kind != part.kind or other.params.get("boundary") != part.params.get("boundary"):
        yield other, reading or "content_type"
        if other.encoding != part.encoding:
            recoded = _copy(part)
            recoded.encoding = other.encoding
            yield recoded, reading or "transfer_encoding"
            retyped = _copy(other)
            retyped.encoding = part.encoding
            yield retyped, reading or "content_type"
    elif other.encoding != part.encoding:
        yield other, reading or "transfer_encoding"
    elif other.filename != part.filename and part.filename is None:
        yield other, reading or "filename"
    elif other.disposition == "attachment" != part.disposition:
        yield other, reading or "header"


def _other_kinds(value: str, kind: str) -> list[str]:
    """Further types that a Content-Type may mean, once encoded words, comments and quotes are gone."""
    text = _NO_LETTERS.sub("", decoded(value[:1_000], {}).partition(";")[0]).lower()
    if text.startswith("ulti"):
        text = "m" + text
    found = _KIND.findall(text.replace("x-multipart", "multipart"))
    return [each for each in dict.fromkeys(found) if each != kind][:_MAX_KINDS]
