"""The parts of a mail (RFC 2045, 2046) as offsets into its bytes: nothing is copied, nothing recurses.

The delimiters of a multipart are searched in its own range only, so an outer boundary takes precedence over
an inner one. A delimiter is a whole line: a line that only begins with the boundary does not count, unless a
blank follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import cms, header, params, transfer_encoding
from zeekpop3.message.budget import charge, current
from zeekpop3.message.header import Header
from zeekpop3.message.header_text import decoded
from zeekpop3.message.params import Params

MAX_DEPTH = 100
MAX_MESSAGE_DEPTH = 20  # each message is hashed with all that is in it
MAX_PARTS = 10_000
_MAX_GUESS_BYTES = 1 << 20
_SEARCH_IS_FASTER = 8  # than the other work on a byte
_HASHING_IS_FASTER = 4  # than decoding, and takes no memory

_TAIL = re.compile(rb"(--)?+[ \t]*+(?:\r?\n|\r?\Z)")
# Text after a blank or a control character, or a bare CR: mail programs differ.
_MALFORMED_TAIL = re.compile(rb"(--)?+(?:[ \t]*+\r|[ \t\v\f\0][^\r\n]*+(?:\r?\n|\r|\Z))")
# What every delimiter goes on with.
_MAY_END = rb"(?:--)?+(?=[ \t\v\f\0\r\n]|\Z)"
_MANY = 64  # lines
_MAX_COMPILED = 1 << 10  # bytes
_LIKE_DELIMITER = re.compile(rb"(?:\A|\n)--([^\r\n]{1,200}+)\r?\n(?=content-[a-z-]+:)", re.IGNORECASE)
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
MIME_FIELDS = ("content-type", "content-transfer-encoding", "content-disposition")
_MESSAGES = frozenset(("message/rfc822", "message/global", "message/news", "message/rfc2822"))
# RFC 2046, section 5.2; message/global may be encoded (RFC 6532, section 3.5).
_NEVER_ENCODED = _MESSAGES - {"message/global"} | {"message/partial", "message/external-body"}
_ENCODINGS = frozenset(("base64", "quoted-printable"))
_MAX_BASE = 1_024  # characters
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]{0,63}:", re.IGNORECASE | re.ASCII)
_CR = 13


@dataclass(slots=True)
class Part:
    """One entity; its body is `src[start:end]`.

    `kind`: "type/subtype". `section`: its number as in IMAP (RFC 3501, section 6.4.5), "" for an outermost
    multipart. `children`: the parts of a multipart, the one message inside, which has its `header`, or
    the one entity that is signed.
    `head`: where its header starts. `doubtful`: its fields, if something about them is a defect, so that
    programs may differ. `preamble_end`, `epilogue`: of a divided multipart, where its first delimiter starts
    and where the line of the last one ends; `boundary` is what separates its parts.
    `inside`: of an S/MIME message, why it was not opened. `base`: what relative URLs in it refer to, if the
    header fields of it, or of a multipart around it, say so.
    """

    src: bytes
    start: int
    end: int
    kind: str
    params: Params
    encoding: str
    disposition: str | None
    file_params: Params
    content_id: str | None
    section: str = "1"
    children: list[Part] | None = None
    header: Header | None = None
    head: int = 0
    doubtful: Header | None = None
    preamble_end: int = -1
    epilogue: int = -1
    boundary: bytes = b""
    inside: str | None = None
    base: str | None = None

    @property
    def filename(self) -> str | None:
        """The file name that the part gives, decoded, with its path."""
        return self.file_params.get("filename") or self.params.get("name") or None


def tree(
    src: bytes, end: int, fields: Header, defects: Defects, complete: bool, limit: int | None = None
) -> Part:
    """The outermost entity, with everything in it that is within the limits. Its header is `fields`."""
    root = part_of(src, end, fields, "text/plain", defects)
    root.doubtful = fields if defects else None
    if root.kind.startswith("multipart/"):
        root.section = ""
    grow(root, defects, complete, limit)
    return root


def entity(src: bytes, start: int, end: int, default: str, defects: Defects) -> Part:
    """The part `src[start:end]`, header and body, undivided; `default`: its kind without Content-Type."""
    own: Defects = {}
    fields = header.split(src, start, end, own)
    part = part_of(src, end, fields, default, own)
    part.head = start
    if own:
        part.doubtful = fields
        defects.update(own)
    return part


def grow(root: Part, defects: Defects, complete: bool, limit: int | None = None) -> None:
    """Divide an entity into the parts in it, at most `limit` (else `MAX_PARTS`)."""
    limits = current()
    limit = min(MAX_PARTS if limit is None else limit, max(limits.parts, 1))
    count = 1
    stack = [(root, 0, 0, complete)]  # the depth of each in parts and in messages, and if it is complete
    while stack:
        part, depth, messages, complete = stack.pop()
        if part.kind in _NEVER_ENCODED and part.encoding in _ENCODINGS:
            defects[Defect.MESSAGE_ENCODED] = None
        if part.kind.startswith("multipart/"):
            if depth >= MAX_DEPTH or not current().may_search(part.end - part.start):
                defects[Defect.NESTING_CUT] = None
                continue
            _divide_multipart(part, limit - count, defects, complete)
        # Of a mail in pieces (RFC 2046, section 5.2.2.1) the first is read as far as it goes.
        elif part.kind in _MESSAGES or (
            part.kind == "message/partial" and part.params.get("number", "").strip() == "1"
        ):
            size = (part.end - part.start) // (1 if part.encoding in _ENCODINGS else _HASHING_IS_FASTER)
            is_deep = messages >= MAX_MESSAGE_DEPTH or depth >= MAX_DEPTH or count >= limit
            if is_deep or not current().may_open(size):
                defects[Defect.NESTING_CUT] = None
                continue
            _open_message(part, defects)
            messages += 1
            complete = complete and part.kind != "message/partial"
        elif cms.may_be_signed(part.kind, part.filename if part.params or part.file_params else None):
            is_deep = messages >= MAX_MESSAGE_DEPTH or depth >= MAX_DEPTH or count >= limit
            if not is_deep and current().may_open(part.end - part.start):
                _open_signed(part)
                messages += 1
            else:
                part.inside = "too_large"
                defects[Defect.NESTING_CUT] = None
        if part.children is not None:
            count += len(part.children)
            stack += [(child, depth + 1, messages, complete) for child in part.children]
    limits.parts -= count


def part_of(src: bytes, end: int, fields: Header, default: str, defects: Defects) -> Part:
    """The part with the header `fields`; `default`: its kind if it has no Content-Type."""
    head = fields.first
    if len(fields.lowered) > len(head) and max(map(fields.lowered.count, MIME_FIELDS)) > 1:
        defects[Defect.DUPLICATE_HEADER] = None
    kind, parameters = default, params.NONE
    if value := head.get("content-type"):
        kind, parameters = params.content_type(value, defects)
    encoding = ""
    if value := head.get("content-transfer-encoding"):
        if "=?" in value:
            value = decoded(value, defects)
            defects[Defect.ENCODING_MALFORMED] = None
        encoding = transfer_encoding.name_of(value)
        if not transfer_encoding.is_word(value):
            defects[Defect.ENCODING_MALFORMED] = None
    disposition, file_params = None, params.NONE
    if value := head.get("content-disposition"):
        disposition, file_params = params.disposition(value, defects)
    # A header may be all there is; the blank line after it may then lie behind the end.
    start = min(fields.body, end)
    part = Part(src, start, end, kind, parameters, encoding, disposition, file_params, head.get("content-id"))
    if "content-base" in head or "content-location" in head:
        part.base = _base(head)
        if part.base is not None and len(part.base) > _MAX_BASE:
            part.base = None  # each page inside would cost its length
            defects[Defect.URLS_CUT] = None
    return part


def _base(head: dict[str, str]) -> str | None:
    """The absolute URL in Content-Base (RFC 2110, section 4.2), else in Content-Location (RFC 2557, section
    4.2); a folded URL has no blanks.
    """
    for name in ("content-base", "content-location"):
        url = "".join(head.get(name, "").split()).strip('"<>')
        if _ABSOLUTE.match(url):
            return url
    return None


def _divide_multipart(part: Part, limit: int, defects: Defects, complete: bool) -> None:
    ranges = _ranges(part, limit, defects, complete)
    if ranges is None:
        # Shown as text only if the mail has no other text: see bodies.
        part.kind = "text/x-html" if _HTML.match(part.src, part.start, part.end) else "text/x-plain"
        part.section = part.section or "1"
        return
    default = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
    prefix = f"{part.section}." if part.section else ""
    part.children = []
    for number, (start, end) in enumerate(ranges, start=1):
        child = entity(part.src, start, end, default, defects)
        child.section = f"{prefix}{number}"
        child.base = child.base or part.base
        part.children.append(child)


def _open_message(part: Part, defects: Defects) -> None:
    src, start, end = part.src, part.start, part.end
    if part.encoding in _ENCODINGS:
        src = transfer_encoding.decoded(src, start, end, part.encoding, defects)
        start, end = 0, len(src)
    own: Defects = {}
    fields = header.split(src, start, end, own)
    child = part_of(src, end, fields, "text/plain", own)
    child.head = start
    if own:
        child.doubtful = fields
        defects.update(own)
    child.section = part.section if child.kind.startswith("multipart/") else f"{part.section}.1"
    child.header = fields
    part.children = [child]


def _open_signed(part: Part) -> None:
    """Take the signed content of an S/MIME message as the entity that it is (RFC 8551, section 3.5.2)."""
    data = transfer_encoding.decoded(part.src, part.start, part.end, part.encoding, {})
    charge(len(data))
    content, part.inside = cms.opened(data)
    if content:
        child = entity(content, 0, len(content), "text/plain", {})
        child.section = f"{part.section}.1"
        part.children = [child]


def _ranges(part: Part, limit: int, defects: Defects, complete: bool) -> list[tuple[int, int]] | None:
    """Where the parts of a multipart (header and body) start and end; None if there is no delimiter."""
    boundary = part.boundary or part.params.get("boundary", "").rstrip().encode("utf-8", "replace")
    found: list[tuple[int, int]] = []
    closed = False
    if boundary:
        found, closed = _between(part, boundary, limit, defects)
    if not found and not closed:
        stop = min(part.end, part.start + _MAX_GUESS_BYTES)
        guess = _LIKE_DELIMITER.search(part.src, max(part.start - 1, 0), stop)
        if guess is not None:
            found, closed = _between(part, guess[1].rstrip(), limit, defects)
            if found:
                defects[Defect.BOUNDARY_GUESSED] = None
    if not found and not closed:
        defects[Defect.BOUNDARY_MISSING if complete else Defect.TRUNCATED] = None
        return None
    if not closed:
        defects[Defect.BOUNDARY_UNCLOSED if complete else Defect.TRUNCATED] = None
    return found


def _between(part: Part, boundary: bytes, limit: int, defects: Defects) -> tuple[list[tuple[int, int]], bool]:
    """The ranges between the delimiters, and whether the last one was a closing delimiter."""
    src, start, end = part.src, part.start, part.end
    charge((end - start) // _SEARCH_IS_FASTER)
    part.boundary = boundary
    delimiter = b"--" + boundary
    found: list[tuple[int, int]] = []
    begin = -1
    for at in _line_starts(src, start, end, delimiter):
        after = at + len(delimiter)
        tail = _TAIL.match(src, after, end)
        usual = tail is not None and (at == start or src[at - 1] != _CR)
        if tail is None:
            tail = _MALFORMED_TAIL.match(src, after, end)
        if tail is None:
            continue
        if not usual:
            defects[Defect.BOUNDARY_MALFORMED] = None
        if begin >= 0:
            found.append((begin, max(begin, at - 2 if src[at - 2 : at] == b"\r\n" else at - 1)))
        else:
            part.preamble_end = at
        part.epilogue = begin = tail.end()
        if tail[1] is not None:
            return found, True
        if len(found) >= limit:
            defects[Defect.PARTS_CUT] = None
            return found, True
    if begin >= 0:
        found.append((begin, end))
        part.epilogue = end
    return found, False


def _line_starts(src: bytes, start: int, end: int, text: bytes) -> Iterator[int]:
    """Where lines of `src[start:end]` start that begin with `text`. Bare CR ends a line, too. Of very many,
    some are left out that cannot be delimiters.
    """
    at = start
    if src.startswith(text, start, end):
        yield start
        at += len(text)
    line_ends = _after(src, at, end, b"\n", text)
    if src.find(b"\r" + text, at, end) >= 0:
        line_ends = merge(line_ends, _after(src, at, end, b"\r", text))
    yield from line_ends


def _after(src: bytes, at: int, end: int, mark: bytes, text: bytes) -> Iterator[int]:
    """Where `text` stands after `mark`. Behind the first places, an expression leaves out those that
    cannot be delimiters; for a few it is slower than a plain search.
    """
    wanted = mark + text
    found = 0
    while (at := src.find(wanted, at, end)) >= 0:
        yield at + 1
        at += len(wanted)
        found += 1
        if found == _MANY and len(text) < _MAX_COMPILED:
            for match in re.compile(re.escape(wanted) + _MAY_END).finditer(src, at, end):
                yield match.start() + 1
            return
