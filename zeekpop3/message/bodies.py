"""The text and the HTML that a mail program would show, as Unicode.

Chosen like `email.message.EmailMessage.get_body`: the first text/plain and the first text/html that are not
attachments; only the root of a multipart/related. If there is neither, any other text, also of a message
inside.
"""

from __future__ import annotations

import re
from io import StringIO

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import transfer_encoding
from zeekpop3.message.charsets import decode
from zeekpop3.message.parts import Part

_META_WITHIN = 4_096
_META = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_BASE64_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_STUFFED = re.compile(r"^ ", re.MULTILINE)
# Quote marks, the space that a line was stuffed with, its text.
_LINE = re.compile(r"(?!\Z)(>*+)( ?+)([^\n]*+)\n?+")
_PROBE_BYTES = 400


def choose(root: Part, *, in_messages: bool) -> tuple[Part | None, Part | None]:
    """The parts with a mail's text and HTML; if `in_messages`, else those of a message inside."""
    text, html = _first(root, strict=True, in_messages=False)
    if text is None and html is None:
        text, html = _first(root, strict=False, in_messages=in_messages)
    return text, html


def _first(root: Part, *, strict: bool, in_messages: bool) -> tuple[Part | None, Part | None]:
    text = html = other = None
    stack = [root]
    while stack:
        part = stack.pop()
        kind = part.kind
        if part.children:
            if kind.startswith("message/"):
                if in_messages and part.disposition != "attachment":
                    stack.extend(part.children)
            elif strict and kind == "multipart/related":
                start = part.params.get("start")
                named = [child for child in part.children if start and child.content_id == start]
                stack.append((named or part.children)[0])
            else:
                stack.extend(reversed(part.children))
        elif part.disposition != "attachment" and kind.startswith("text/"):
            if kind == "text/plain":
                text = text or part
            elif kind == "text/html":
                html = html or part
            elif not strict and part.filename is None:
                if kind == "text/x-html":
                    html = html or part
                elif other is None and part.src[part.start : part.end].strip():
                    other = part
            if text is not None and html is not None:
                break
    if text is None and html is None:
        # RFC 2046, section 4.1.4: an unknown subtype is shown as plain text.
        text = other
    return text, html


def text_of(part: Part, defects: Defects) -> str:
    """The text of a part: lines end with LF, flowed paragraphs (RFC 3676) are joined."""
    data = _content(part, defects)
    label = part.params.get("charset")
    if not label and part.kind == "text/html" and not data.isascii():
        meta = _META.search(data, 0, _META_WITHIN)
        if meta is not None:
            try:
                data.decode("utf-8")
            except UnicodeDecodeError:
                label = meta[1].decode("ascii")
    text = decode(data, label, defects).replace("\r\n", "\n")
    if part.params.get("format", "").lower() == "flowed":
        return _unflowed(text, part.params.get("delsp", "").lower() == "yes")
    return text


def _content(part: Part, defects: Defects) -> bytes:
    """The decoded content of a part; as it is if it is obviously not in the declared transfer encoding."""
    encoding = part.encoding
    if encoding == "base64" and part.kind.startswith("text/"):
        probe = part.src[part.start : min(part.end, part.start + _PROBE_BYTES)].lstrip()
        first = probe.partition(b"\n")[0].strip()
        if b" " in first or len(first.translate(None, _BASE64_CHARACTERS)) * 4 > len(first):
            defects[Defect.ENCODING_WRONG] = None
            encoding = ""
    return transfer_encoding.decoded(part.src, part.start, part.end, encoding, defects)


def _unflowed(text: str, delete_space: bool) -> str:
    """Text in format=flowed (RFC 3676) with its paragraphs joined: a line that ends with a space continues.

    Quote marks stay as they are; the space that a line was stuffed with is removed.
    """
    if " \n" not in text and not text.endswith(" "):
        return _STUFFED.sub("", text) if text.startswith(" ") or "\n " in text else text
    out = StringIO()
    write = out.write
    depth = 0
    open_paragraph = False
    for match in _LINE.finditer(text):
        marks, stuffed, line = match.groups()
        flows = line.endswith(" ") and line != "-- "
        if open_paragraph and (len(marks) != depth or line == "-- "):
            write("\n")
            open_paragraph = False
        if marks and not open_paragraph:
            write(marks + stuffed)
        write(line[:-1] if flows and delete_space else line)
        if not flows:
            write("\n")
        open_paragraph = flows
        depth = len(marks)
    if open_paragraph:
        write("\n")
    return out.getvalue() if text.endswith("\n") else out.getvalue()[:-1]
