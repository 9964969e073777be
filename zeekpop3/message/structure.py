"""The parts of a mail (RFC 2045, 2046) as offsets into its bytes: nothing is copied, nothing recurses.

A multipart's delimiters are looked for in its own range only, so an outer boundary always wins over an inner
one. A delimiter is a whole line: a boundary that is the beginning of another one is none.
"""

from __future__ import annotations

import re
from typing import Final

from zeekpop3.message import fields, params, transfer
from zeekpop3.message.defects import Defects

MAX_DEPTH = 100
MAX_MESSAGE_DEPTH = 20  # each is hashed with all that is in it
MAX_PARTS = 10_000

_TAIL: Final = re.compile(rb"(--)?+[ \t]*+(?:\r?\n|\r?\Z)")
_LOOKS_DELIMITED: Final = re.compile(rb"(?:\A|\n)--([^\r\n]{1,200}+)\r?\n(?=content-[a-z-]+:)", re.IGNORECASE)
_GUESS_WITHIN: Final = 1 << 20
_LONG: Final = 1 << 14  # bytes
_HYPHENS: Final = 32
_HTML: Final = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_MESSAGES: Final = frozenset(("message/rfc822", "message/global", "message/news"))


class Part:
    """One entity: its body is `src[start:end]`. `children` are a multipart's parts, or the one message
    inside.

    `section` is its number as in IMAP (RFC 3501, section 6.4.5), "" for the outermost multipart.
    """

    __slots__ = (
        "children", "content_id", "disposition", "encoding", "end", "file_params", "kind", "params",
        "section",
        "src", "start", "within",
    )  # fmt: skip

    def __init__(
        self, src: bytes, start: int, end: int, head: dict[str, str], default: str, defects: Defects
    ) -> None:
        self.src = src
        self.start = min(start, end)  # a header may be all there is, and its blank line lie behind the end
        self.end = end
        value = head.get("content-type")
        if value:
            self.kind, self.params = params.content_type(value, defects)
        else:
            self.kind = default
            self.params = params.NONE
        value = head.get("content-transfer-encoding")
        self.encoding = transfer.name_of(value) if value else ""
        value = head.get("content-disposition")
        if value:
            self.disposition: str | None
            self.disposition, self.file_params = params.disposition(value, defects)
        else:
            self.disposition = None
            self.file_params = params.NONE
        self.content_id = head.get("content-id")
        self.section = "1"
        self.within = ""
        self.children: list[Part] | None = None

    @property
    def filename(self) -> str | None:
        """What the part says its name is, decoded, path and all."""
        return self.file_params.get("filename") or self.params.get("name") or None


def tree(src: bytes, start: int, end: int, head: dict[str, str], defects: Defects, complete: bool) -> Part:
    """The outermost entity, with everything in it that is within the bounds."""
    root = Part(src, start, end, head, "text/plain", defects)
    if root.kind.startswith(("multipart/", "message/")):
        _grow(root, defects, complete)
    return root


def _grow(root: Part, defects: Defects, complete: bool) -> None:
    if root.kind.startswith("multipart/"):
        root.section = ""
    count = 1
    stack = [(root, 0, 0, complete)]
    while stack:
        part, depth, messages, complete = stack.pop()
        kind = part.kind
        if kind.startswith("multipart/"):
            if depth >= MAX_DEPTH:
                defects["nesting_cut"] = None
                continue
            ranges = _ranges(part, MAX_PARTS - count, defects, complete)
            if ranges is None:
                # Shown as text only where the mail has no other: see bodies.
                part.kind = "text/x-html" if _HTML.match(part.src, part.start, part.end) else "text/x-plain"
                part.section = part.section or "1"
                continue
            default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            prefix = f"{part.section}." if part.section else ""
            part.children = children = []
            for number, (start, end) in enumerate(ranges, start=1):
                header = fields.split(part.src, start, end, defects)
                child = Part(part.src, header.body, end, header.first, default, defects)
                child.section = f"{prefix}{number}"
                child.within = kind
                children.append(child)
            count += len(children)
        elif kind in _MESSAGES or _is_first_piece(part):
            if messages >= MAX_MESSAGE_DEPTH or depth >= MAX_DEPTH or count >= MAX_PARTS:
                defects["nesting_cut"] = None
                continue
            src, start, end = part.src, part.start, part.end
            if part.encoding in ("base64", "quoted-printable"):
                src = transfer.decoded(src, start, end, part.encoding, defects)
                start, end = 0, len(src)
            header = fields.split(src, start, end, defects)
            child = Part(src, header.body, end, header.first, "text/plain", defects)
            child.section = part.section if child.kind.startswith("multipart/") else f"{part.section}.1"
            child.within = kind
            part.children = children = [child]
            count += 1
            messages += 1
            complete = complete and kind != "message/partial"
        else:
            continue
        stack.extend(
            (child, depth + 1, messages, complete)
            for child in children
            if child.kind.startswith(("multipart/", "message/"))
        )


def _is_first_piece(part: Part) -> bool:
    """Whether a part is the beginning of a mail that was sent in pieces (RFC 2046, section 5.2.2.1).

    It is read like a message inside, as far as it goes; the other pieces have no header of their own.
    """
    return part.kind == "message/partial" and part.params.get("number", "").strip() == "1"


def _ranges(part: Part, limit: int, defects: Defects, complete: bool) -> list[tuple[int, int]] | None:
    """Where a multipart's parts (header and body) start and end; None if there is no delimiter at all."""
    boundary = part.params.get("boundary", "").rstrip().encode("utf-8", "replace")
    found: list[tuple[int, int]] = []
    closed = False
    if boundary:
        found, closed = _between(part.src, part.start, part.end, boundary, limit, defects)
    if not found and not closed:
        guess = _LOOKS_DELIMITED.search(
            part.src, max(part.start - 1, 0), min(part.end, part.start + _GUESS_WITHIN)
        )
        if guess is not None:
            found, closed = _between(part.src, part.start, part.end, guess[1].rstrip(), limit, defects)
            if found:
                defects["boundary_guessed"] = None
    if not found:
        if closed:
            return found
        defects["boundary_missing" if complete else "truncated"] = None
        return None
    if not closed:
        defects["boundary_unclosed" if complete else "truncated"] = None
    return found


def _between(
    src: bytes, start: int, end: int, boundary: bytes, limit: int, defects: Defects
) -> tuple[list[tuple[int, int]], bool]:
    marker = b"\n--" + boundary
    size = len(marker)
    found: list[tuple[int, int]] = []
    begin = -1
    tail_at = _TAIL.match
    # The line end before a delimiter may be the one that ended the header, or there may be none at all.
    here = src.startswith(marker[1:], start, end)
    at = start - 1 if here else _find(src, marker, max(start - 1, 0), end)
    while here or at >= 0:
        here = False
        tail = at + size
        match = tail_at(src, tail, end)
        if match is not None:
            if begin >= 0:
                stop = at - 1 if src[at - 1] == 13 else at
                found.append((begin, max(begin, stop)))
            begin = match.end()
            if match[1] is not None:
                return found, True
            if len(found) >= limit:
                defects["parts_cut"] = None
                return found, True
            tail = begin - 1
        at = _find(src, marker, tail, end)
    if begin >= 0:
        found.append((begin, end))
    return found, False


def _find(src: bytes, marker: bytes, start: int, end: int) -> int:
    """`src.find`; for a marker that begins with "\\n--" in a long range."""
    if end - start > _LONG:
        # Base64 has no hyphens, and a single byte is searched for many times quicker than several.
        for _ in range(_HYPHENS):
            hyphen = src.find(b"-", start + 1, end)
            if hyphen < 0:
                return -1
            if src.startswith(marker, hyphen - 1, end):
                return hyphen - 1
            start = hyphen
    return src.find(marker, start, end)
