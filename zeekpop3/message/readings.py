"""The second look: what lies in no text, attachment or frame, and what other programs make of the same bytes.

Goal: every byte of a mail is accounted for. The ordinary reading divides a mail into texts, attachments and
frame (headers, delimiters, what stands around the parts). After it, this module looks once more at

- the frame: text before the first and after the last delimiter, lines after the end of Base64;
- each part whose header is in doubt: the entities that other programs make of it (`doubts`);
- each text and each undecoded part: a delimiter or MIME fields within, Base64, uuencode, yEnc, an encrypted
  block.

What turns out to be content becomes an attachment with its `reading`. The work is bounded: each byte is
searched a fixed number of times, readings of readings stop at `_MAX_DEPTH`, and all content that is found may
be `_TIMES_ITS_SIZE` of the mail. Words in the frame ("This is a multi-part message in MIME format.") do not
count as content unless they have a link.
"""

from __future__ import annotations

import re

import pybase64

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import bodies, doubts, encoded_blocks, parts, transfer_encoding
from zeekpop3.message.budget import charge
from zeekpop3.message.files import Files, has_properties
from zeekpop3.message.params import NONE, Params
from zeekpop3.message.parts import Part

MAX_FOUND = 500
_MAX_ENTITIES = 1_000
_MAX_PARTS = 1_000  # of all readings
_MAX_TRIED = 1_000  # also contents that are known already
_MAX_DEPTH = 2
_TIMES_ITS_SIZE = 4
_ROOM_AT_LEAST = 1 << 16
_TAIL_BYTES = 100
_SHORTEST = 8  # fewer bytes are not looked at
_MAX_WORDS = 400
_LONG_WORD = 16

_LINK = re.compile(rb"://|\bwww\.[a-z0-9]|<[a-z!/]", re.IGNORECASE)
# A few header fields, up to the first one of MIME.
_FIELDS = r"(?:[!-9;-~]{1,100}+:[^\n]*+\n(?:[ \t][^\n]*+\n)*+){0,8}?content-(?:type|transfer-encoding|disp)"
_LIKE_DELIMITER = rb"--([^\r\n]{1,200}+)\r?\n(?=%b)" % _FIELDS.encode()
_FIRST_DELIMITER = re.compile(_LIKE_DELIMITER, re.IGNORECASE)
_DELIMITER = re.compile(rb"\n" + _LIKE_DELIMITER, re.IGNORECASE)
_MIME_FIELD = re.compile(rb"(?:\A|\n)(content-(?:type|transfer-encoding|disposition)[ \t]*+:)", re.IGNORECASE)
# MIME fields at the beginning of a body, behind blank lines or a few other fields.
_FIELDS_FIRST = re.compile(rb"[\s\0]*+(?=%b[a-z-]*+[ \t]*+:)" % _FIELDS.encode(), re.IGNORECASE)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]|[A-Za-z0-9+/=][ \t]++[A-Za-z0-9+/=]")
_CODE = re.compile(rb"=(?:[0-9A-F]{2}|\r?\n)")
# What a text must have for a second look: a line that begins like one of these, or fields as its beginning.
_SIGN = re.compile(
    r"\n[ >]{0,2}+(?:[A-Za-z0-9+/](?:[A-Za-z0-9+/]{39}|egin(?:-base64 |[ \t]{1,8}+[0-9]))|=ybegin "
    r"|\(This file must be|--(?:[^\r\n]{1,200}+\r?\n[!-9;-~]{1,100}+:|---BEGIN PGP MESSAGE))"
)
_FIRST = re.compile(
    r"[\s\0]*+(?:[A-Za-z0-9+/]{40}|=ybegin |begin(?:-base64 |[ \t]{1,8}+[0-9])|\(This file|--|"
    + _FIELDS
    + ")",
    re.I,
)


class Readings:
    """What a second look at one mail finds, which is added to its `files`."""

    def __init__(self, size: int, files: Files, defects: Defects) -> None:
        self._files = files
        self._before = len(files.attachments)
        self._defects = defects
        self._room = _TIMES_ITS_SIZE * size + _ROOM_AT_LEAST
        self._tried = 0
        self._parts = 0
        self._inner: list[tuple[Part, str, int]] = []

    def tree(self, root: Part, texts: dict[int, str]) -> None:
        """Looks at all parts of the ordinary reading. `texts`: those that are shown, by the part's `id`."""
        stack = [root]
        while stack:
            part = stack.pop()
            if part.children is not None:
                stack.extend(reversed(part.children))
            if part.boundary or part.doubtful is not None or part.end - part.start >= _SHORTEST:
                self._part(part, texts.get(id(part)), 1)
        for part, reading, depth in self._inner:  # the list grows
            self._leaves(part, reading, depth)

    def _part(self, part: Part, text: str | None, depth: int) -> None:
        if self._tried and self._is_full():
            return
        if part.boundary:
            self._frame(part, depth)
        if part.doubtful is not None or part.params.others:
            for other, reading in doubts.alternatives(part):
                self._entity(other, reading, part.section, depth)
        if part.children is not None or part.end - part.start < _SHORTEST:
            return
        if part.encoding == "base64":
            self._after_base64(part, depth)
        if text is None and (part.encoding != "base64" or part.kind.startswith("text/")):
            text = _decoded_part(part)[0].decode("latin-1")
        if text is not None and _has_signs(text) and self._text(part, text, depth):
            return
        self._encoding(part)

    def _frame(self, part: Part, depth: int) -> None:
        if part.preamble_end > part.start:
            self._region(part, part.start, part.preamble_end, "preamble", depth)
        if 0 <= part.epilogue < part.end:
            self._region(part, part.epilogue, part.end, "epilogue", depth)

    def _region(self, part: Part, start: int, end: int, reading: str, depth: int) -> None:
        """Bytes that belong to no part: divided where the delimiter or another one occurs, else an entity
        that begins with MIME fields, else a text.
        """
        src = part.src
        if end - start < _MAX_WORDS and _is_words(src[start:end]):
            return
        frame = _text_part(src, start, end, part.section)
        delimiter = src.find(b"--" + part.boundary, start, end) if part.boundary else -1
        if delimiter >= 0 and (delimiter == start or src[delimiter - 1] in b"\r\n"):
            self._entity(_multipart(frame, part.boundary), reading, part.section, depth)
            end = delimiter
        elif self._divided(frame, reading, depth):
            return
        if (field := _MIME_FIELD.search(src, max(start - 1, 0), end)) is not None:
            entity = parts.entity(src, field.start(1), end, "text/plain", {})
            entity.section = part.section
            self._entity(entity, reading, part.section, depth)
            end = field.start(1)
        frame.end = end
        if not self._decoded(frame, src[start:end], reading) and _LINK.search(src, start, end) is not None:
            self._add(frame, reading, part.section)

    def _after_base64(self, part: Part, depth: int) -> None:
        """Lines after the end of Base64."""
        tail = part.src[max(part.start, part.end - _TAIL_BYTES) : part.end]
        if _NOT_BASE64.search(tail) is not None:
            bad = _NOT_BASE64.search(part.src, part.start, part.end)
            line = part.src.rfind(b"\n", part.start, bad.start()) + 1 if bad is not None else 0
            if line:
                self._region(part, line, part.end, "transfer_encoding", depth)

    def _text(self, part: Part, text: str, depth: int) -> bool:
        """Whether a text has something else in it."""
        data, inner = _decoded_part(part)
        if self._divided(inner, "content_type", depth) or self._fields_first(inner, depth):
            return True
        # Of a plain text of the ordinary reading the uuencoded files are known.
        uuencoded = depth > 1 or part.kind != "text/plain"
        found = self._decoded(part, data, "transfer_encoding", uuencoded)
        if encoded_blocks.PGP in text:
            for block in encoded_blocks.pgp_messages(text):
                if self._is_full():
                    break
                content = block.encode("utf-8", "replace")
                self._content(part.section, None, "application/pgp-encrypted", content, None, "encrypted")
        return found

    def _divided(self, part: Part, reading: str, depth: int) -> bool:
        """Whether a delimiter with MIME fields after it occurs in a part; then it is read as a multipart."""
        src, start, end = part.src, part.start, part.end
        like = _FIRST_DELIMITER.match(src, 0, end) if start == 0 else None
        # Most texts have no line that begins with "--": finding one is faster than the expression.
        if like is None and (at := src.find(b"\n--", max(start - 1, 0), end)) >= 0:
            like = _DELIMITER.search(src, at, end)
        if like is None:
            return False
        self._entity(_multipart(part, like[1].rstrip().removesuffix(b"--")), reading, part.section, depth)
        return True

    def _fields_first(self, part: Part, depth: int) -> bool:
        """Whether a body begins with MIME fields; then it is read as an entity."""
        match = _FIELDS_FIRST.match(part.src, part.start, part.end)
        if match is None:
            return False
        entity = parts.entity(part.src, match.end(), part.end, "text/plain", {})
        entity.section = part.section
        reading = "content_type" if part.kind.startswith("message/") else "header"
        self._entity(entity, reading, part.section, depth)
        return True

    def _decoded(self, part: Part, data: bytes, reading: str, uuencoded: bool = True) -> bool:
        """Whether content without a label was found in `data`: yEnc, uuencode, BinHex, Base64."""
        count = len(self._files.attachments)
        at = 0
        while (block := encoded_blocks.yenc_block(data, at)) is not None and not self._is_full():
            name, at, stop = block
            content = encoded_blocks.ydecoded_lines(data, at, stop)
            self._content(part.section, name.decode("latin-1") or None, None, content, reading)
            at = stop
        if uuencoded and encoded_blocks.UU_BEGIN.search(data) is not None:
            for name, lines in encoded_blocks.uuencoded_blocks(data):
                if self._is_full():
                    break
                content = b"".join(encoded_blocks.uudecoded_lines(lines, 0, {}))
                self._content(part.section, name.decode("latin-1") or None, None, content, reading)
        if encoded_blocks.BINHEX in data:
            start = data.find(encoded_blocks.BINHEX)
            self._content(
                part.section, None, "application/mac-binhex40", data[start:], reading, "unsupported"
            )
        if has_properties(part):
            data = encoded_blocks.without_property_files(data)
        for run in encoded_blocks.base64_runs(data.decode("latin-1")):
            if self._is_full():
                break
            self._content(part.section, None, None, _lenient(run), reading)
        return len(self._files.attachments) > count

    def _encoding(self, part: Part) -> None:
        """A part whose bytes look like another transfer encoding than the declared one."""
        src, start, end = part.src, part.start, part.end
        declared = part.encoding
        if declared == "base64":
            if bodies.is_pure_base64(part):
                return
            # Programs differ in what they make of a line with something else in it: all of it, or none.
            seen = "none"
            if part.kind.startswith("text/") and not bodies.is_base64(part):
                if not encoded_blocks.is_content_with_junk(src[start:end]):
                    return  # its bytes are the text that is shown
                seen = "base64"
        else:
            seen = encoded_blocks.looks_like(src, start, end)
            if seen == declared:
                return
        if not seen and declared not in transfer_encoding.KNOWN and _CODE.search(src, start, end):
            seen = "quoted-printable"
        if seen:
            other = _text_part(src, start, end, part.section)
            other.kind, other.params, other.file_params = part.kind, part.params, part.file_params
            other.encoding = "" if seen == "none" else seen
            self._add(other, "transfer_encoding", part.section)

    def _entity(self, part: Part, reading: str, section: str, depth: int) -> None:
        """An entity of another reading, to be divided later."""
        if len(self._inner) >= _MAX_ENTITIES:
            self._defects[Defect.READINGS_CUT] = None
            return
        part.section = section
        self._inner.append((part, reading, depth))

    def _leaves(self, root: Part, reading: str, depth: int) -> None:
        section = root.section
        is_multipart = root.kind.startswith("multipart/")
        cut: Defects = {}
        parts.grow(root, cut, complete=True, limit=max(_MAX_PARTS - self._parts, 1))
        if Defect.PARTS_CUT in cut or Defect.NESTING_CUT in cut:
            self._defects[Defect.READINGS_CUT] = None
        if is_multipart and root.children is None:
            if root.encoding:
                self._add(root, reading, section)
            return
        if root.children is None:
            self._encoding(root)
        elif depth < _MAX_DEPTH and 0 <= root.epilogue < root.end:
            self._region(root, root.epilogue, root.end, reading, depth + 1)
        stack = [root]
        while stack and not self._is_full():
            part = stack.pop()
            self._parts += 1
            if part.children is not None:
                stack.extend(reversed(part.children))
            if part.children is None or part.kind.startswith("message/"):
                self._add(part, reading, section)
            if depth < _MAX_DEPTH and part is not root:
                part.section = section
                self._part(part, None, depth + 1)

    def _add(self, part: Part, reading: str, section: str) -> None:
        """A file by another reading."""
        if part.children is None and not part.src[part.start : part.end].strip():
            return
        if self._has_room(part.end - part.start):
            self._files.add_part(part, reading, section)

    def _content(
        self, section: str, name: str | None, kind: str | None, content: bytes,
        reading: str | None, inside: str | None = None,
    ) -> None:  # fmt: skip
        if content and self._has_room(len(content)):
            self._files.add_content(content, reading, section, name, kind, inside)

    def _has_room(self, size: int) -> bool:
        """Whether content of a size may be looked at; if so, it counts."""
        if self._is_full():
            return False
        charge(size)
        self._room -= size
        self._tried += 1
        return not self._is_full()

    def _is_full(self) -> bool:
        if (
            len(self._files.attachments) - self._before < MAX_FOUND
            and self._room >= 0
            and self._tried <= _MAX_TRIED
        ):
            return False
        self._defects[Defect.READINGS_CUT] = None
        return True


def _is_words(text: bytes) -> bool:
    """Whether a short text is nothing but blanks and words."""
    if b":" in text or b"<" in text or b"www" in text.lower():
        return False
    return all(len(word) < _LONG_WORD for word in text.split())


def _has_signs(text: str) -> bool:
    """Whether a text may hold more than a text."""
    return _SIGN.search(text) is not None or _FIRST.match(text) is not None


def _text_part(src: bytes, start: int, end: int, section: str) -> Part:
    return Part(src, start, end, "text/plain", NONE, "", None, NONE, None, section)


def _multipart(part: Part, boundary: bytes) -> Part:
    """The same bytes as a multipart."""
    params = Params()
    params["boundary"] = boundary.decode("utf-8", "replace")
    return Part(part.src, part.start, part.end, "multipart/mixed", params, "", None, NONE, None, part.section)


def _decoded_part(part: Part) -> tuple[bytes, Part]:
    """The content of a part, and a part whose bytes that content is."""
    if part.encoding not in ("base64", "quoted-printable", "uuencode"):
        return part.src[part.start : part.end], part
    data = transfer_encoding.decoded(part.src, part.start, part.end, part.encoding, {})
    return data, _text_part(data, 0, len(data), part.section)


def _lenient(run: str) -> bytes:
    """The content of lines of Base64."""
    digits = run.encode("ascii").translate(None, b"\r\n= >")
    return pybase64.b64decode(digits + b"=" * (-len(digits) % 4) if len(digits) % 4 != 1 else digits[:-1])
