"""`Content-Type` and `Content-Disposition`: the value, and its parameters (RFC 2045, RFC 2231).

Parameters are read as mail programs write them: values with spaces and no quotes, quotes that never close,
RFC 2231 pieces out of order, encoded words in file names. The first of two parameters with one name counts.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from zeekpop3.message.charsets import codec_of, decode
from zeekpop3.message.defects import Defects
from zeekpop3.message.words import decoded

MAX_PARAMETERS = 1_000
_MAX_LENGTH: Final = 1 << 16

# What stands between semicolons; a semicolon in quotes is none. Each character is looked at once.
_SEGMENT: Final = re.compile(
    r"(?:[^;\"\s]|\"(?:[^\"\\]++|\\.)*+\"?+)(?:[^;\"]++|\"(?:[^\"\\]++|\\.)*+\"?+)*+", re.DOTALL
)
_QUOTED: Final = re.compile(r"\"((?:[^\"\\]++|\\.)*+)(\")?+", re.DOTALL)
_PIECE: Final = re.compile(r"([^*]+)(?:\*(\d{1,9}))?(\*)?")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_COMMENT: Final = re.compile(r"\([^()]*+\)")
_TYPE: Final = re.compile(r"\s*+([^\s/;,\"()]++)\s*+/\s*+([^\s/;,\"()]++)")


Params = dict[str, str]
NONE: Final[Params] = {}

# Most mails have one of a few values here; what is written into the cache must not be changed by anyone.
_TYPES: Final[dict[str, tuple[str, Params]]] = {}
_TYPES_MAX: Final = 1_024


def content_type(value: str, defects: Defects) -> tuple[str, Params]:
    """("type/subtype" in lower case, parameters). What cannot be read is text/plain (RFC 2045, section
    5.2).
    """
    known = _TYPES.get(value)
    if known is not None:
        return known
    match = _TYPE.match(value)
    before = len(defects)
    if match is None:
        kind = "text/plain"
        head = value.partition(";")[0].strip().lower()
        if head in ("text", "html", "text/"):
            kind = "text/html" if head == "html" else "text/plain"
        defects["content_type_malformed"] = None
    else:
        kind = f"{match[1]}/{match[2]}".lower()
    result = (kind, parameters(value, defects))
    if len(value) < 80 and len(defects) == before and "boundary" not in result[1]:
        if len(_TYPES) >= _TYPES_MAX:
            _TYPES.clear()
        _TYPES[value] = result
    return result


def disposition(value: str, defects: Defects) -> tuple[str, Params]:
    """("attachment", "inline" or what is written, in lower case; parameters)."""
    head = value.partition(";")[0]
    return _COMMENT.sub("", head).strip().lower(), parameters(value, defects)


def parameters(value: str, defects: Defects) -> Params:
    """Parameters by lower-cased name, decoded."""
    if ";" not in value:
        return NONE
    if len(value) > _MAX_LENGTH:
        defects["parameter_malformed"] = None
        value = value[:_MAX_LENGTH]
    if "(" in value and '"' not in value:
        value = _COMMENT.sub("", value)
    start = value.find(";")
    if start < 0:
        return NONE
    found: Params = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    count = 0
    segments: list[str] = _SEGMENT.findall(value, start)
    for segment in segments:
        name, equals, text = segment.partition("=")
        name = name.strip().lower()
        text = text.strip()
        if not equals or not name or '"' in name:
            if name and "@" not in name:
                defects["parameter_malformed"] = None
            continue
        count += 1
        if count > MAX_PARAMETERS:
            defects["parameter_malformed"] = None
            break
        if text[:1] == '"':
            quoted = _QUOTED.match(text)
            if quoted is not None:
                text = quoted[1]
                if "\\" in text:
                    text = _ESCAPE.sub(r"\1", text)
                if quoted[2] is None:
                    defects["parameter_malformed"] = None
        elif text[:1] == "'" == text[-1:] and len(text) > 1:
            text = text[1:-1]
        if "*" in name:
            piece = _PIECE.fullmatch(name)
            if piece is None:
                defects["parameter_malformed"] = None
                continue
            base, number, starred = piece.groups()
            pieces.setdefault(base, []).append((int(number or -1), starred is not None, text))
        else:
            found.setdefault(name, decoded(text, defects) if "=?" in text else text)
    for base, parts in pieces.items():
        found[base] = _joined(parts, defects)
    return found


def _joined(parts: list[tuple[int, bool, str]], defects: Defects) -> str:
    """RFC 2231: pieces in order of their numbers; charset and language stand in the first one."""
    if any(number < 0 for number, _, _ in parts):
        parts = [part for part in parts if part[0] < 0][:1]
    else:
        parts = sorted(parts, key=lambda part: part[0])
        if [number for number, _, _ in parts] != list(range(len(parts))):
            defects["parameter_malformed"] = None
    charset: str | None = None
    data: list[bytes] = []
    for i, (_, starred, text) in enumerate(parts):
        if starred:
            if i == 0 and text.count("'") >= 2:
                charset, _, text = text.split("'", 2)
            data.append(unquote_to_bytes(text))
        else:
            data.append(text.encode("utf-8", "replace"))
    joined = b"".join(data)
    if charset and codec_of(charset) is None:
        defects["charset_unknown"] = None
        charset = None
    text = decode(joined, charset, defects)
    return decoded(text, defects) if "=?" in text else text
