"""The texts and the HTML bodies that mail programs show, as Unicode.

Every text/plain and text/html part that is not an attachment counts, in order: also each of several
alternatives of one kind, because programs differ in which one they show, and all texts of a
multipart/related, whatever its `start` says. Without such parts, any other text
counts, also of a message inside.
"""

from __future__ import annotations

import re
from io import StringIO
from itertools import zip_longest

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import transfer_encoding
from zeekpop3.message.budget import current
from zeekpop3.message.charsets import ascii_reading, decode
from zeekpop3.message.parts import Part

_META_WITHIN = 4_096
_META = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_BASE64_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_STUFFED = re.compile(r"^ ", re.MULTILINE)
# Quote marks, the space that a line was stuffed with, its text.
_LINE = re.compile(r"(?!\Z)(>*+)( ?+)([^\n]*+)\n?+")
_PROBE_BYTES = 400
_WORD = re.compile(r"\w+")

# A multipart without its boundary is read as one text (see `parts`).
TEXTS = frozenset(("text/plain", "text/x-plain"))
HTMLS = frozenset(("text/html", "text/x-html"))
SHOWN = TEXTS | HTMLS
_SAID = frozenset(("text/plain", "text/html"))


def choose(root: Part, *, in_messages: bool) -> tuple[list[Part], list[Part]]:
    """The parts with the texts and the HTML of a message. If it has none itself and `in_messages`, those of
    the messages inside; else any other text (RFC 2046, section 4.1.4: it is shown as plain text).
    """
    texts, htmls, other = _shown(root, in_messages=False)
    if not texts and not htmls and in_messages:
        texts, htmls, inner = _shown(root, in_messages=True)
        other = other or inner
    if not texts and not htmls and other is not None:
        texts = [other]
    return texts, htmls


def _shown(root: Part, *, in_messages: bool) -> tuple[list[Part], list[Part], Part | None]:
    """Plain texts, HTML bodies, and the first other text."""
    texts: list[Part] = []
    htmls: list[Part] = []
    other: Part | None = None
    stack = [root]
    while stack:
        part = stack.pop()
        kind = part.kind
        if part.children:
            if not kind.startswith("message/") or (in_messages and part.disposition != "attachment"):
                stack.extend(reversed(part.children))
        elif part.disposition == "attachment" or (kind not in _SAID and _is_blank(part)):
            continue
        elif kind in TEXTS:
            if not texts or part.start < part.end:
                texts.append(part)
        elif kind in HTMLS:
            if not htmls or part.start < part.end:
                htmls.append(part)
        elif other is None and kind.startswith("text/") and part.filename is None:
            other = part
    return texts, htmls, other


def _is_blank(part: Part) -> bool:
    return not part.src[part.start : part.end].strip()


def with_words(parts: list[Part], texts: dict[int, str]) -> list[Part]:
    """The parts whose texts, by the part's `id`, are not blank; one part if there are only blank ones."""
    if len(parts) < 2:
        return parts
    return [part for part in parts if texts[id(part)].strip()] or parts[:1]


def joined(texts: list[str]) -> str | None:
    """Texts, with a blank line between them; None without texts."""
    if len(texts) < 2:
        return texts[0] if texts else None
    return "\n\n".join([*(text.rstrip("\n") for text in texts[:-1]), texts[-1]])


def same_words(one: str, other: str) -> bool:
    """Whether two texts differ in white space and punctuation at most."""
    return all(
        left is not None and right is not None and left[0] == right[0]
        for left, right in zip_longest(_WORD.finditer(one), _WORD.finditer(other))
    )


def text_of(part: Part, defects: Defects, plain: list[str] | None = None) -> str:
    """The text of a part: lines end with LF, flowed paragraphs (RFC 3676) are joined. To `plain` is added the
    ASCII that the text lacks: see `charsets.ascii_reading`.
    """
    data = _content(part, defects)
    label = part.params.get("charset")
    if not label and part.kind == "text/html" and not data.isascii():
        meta = _META.search(data, 0, _META_WITHIN)
        if meta is not None:
            try:
                data.decode("utf-8")
            except UnicodeDecodeError:
                label = meta[1].decode("ascii")
    text = decode(data, label, defects)
    if plain is not None and (reading := ascii_reading(data, text)) is not None:
        plain.append(reading)
    text = text.replace("\r\n", "\n")
    if part.params.get("format", "").lower() == "flowed":
        limits = current()
        limits.lines -= text.count("\n")
        if limits.lines >= 0:
            return _unflowed(text, part.params.get("delsp", "").lower() == "yes")
        defects[Defect.URLS_CUT] = None  # one may go on on the next line
    return text


def _content(part: Part, defects: Defects) -> bytes:
    """The decoded content of a part; undecoded if it is obviously not in the declared transfer encoding."""
    encoding = part.encoding
    if encoding == "base64" and part.kind.startswith("text/") and not is_base64(part):
        defects[Defect.ENCODING_WRONG] = None
        encoding = ""
    return transfer_encoding.decoded(part.src, part.start, part.end, encoding, defects)


def is_base64(part: Part) -> bool:
    """Whether the first line of a part may be Base64."""
    first = first_line(part)
    return b" " not in first and len(first.translate(None, _BASE64_CHARACTERS)) * 4 <= len(first)


def is_pure_base64(part: Part) -> bool:
    """Whether the first line of a part has no other character."""
    return not first_line(part).translate(None, _BASE64_CHARACTERS)


def first_line(part: Part) -> bytes:
    """The beginning of the first line that is not blank."""
    probe = part.src[part.start : min(part.end, part.start + _PROBE_BYTES)].lstrip()
    return probe.partition(b"\n")[0].strip()


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
