"""`Content-Type` and `Content-Disposition`: the value and its parameters (RFC 2045, RFC 2231).

Parameters are read as mail programs write them: values with spaces and no quotes, quotes that never close,
RFC 2231 pieces out of order, encoded words in file names. The first of two parameters with one name counts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile
from urllib.parse import unquote_to_bytes

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import current
from zeekpop3.message.charsets import codec_of, decode
from zeekpop3.message.header_text import decoded, without_comments


class Params(dict[str, str]):
    """Parameters by lower-case name. `others`: (name, value) of what other programs may read instead: the
    second of two parameters with one name, a plain one beside RFC 2231 pieces.
    """

    __slots__ = ("others",)

    def __init__(self) -> None:
        self.others: list[tuple[str, str]] = []

    def others_of(self, name: str) -> list[str]:
        return [value for other, value in self.others if other == name]


_MAX_LENGTH = 1 << 16
_MAX_CACHED_LENGTH = 80
_ALWAYS_READ = 20  # parameters of a value, however many a mail has

# The text between semicolons; a semicolon in quotes does not count. Each character is looked at once.
_SEGMENT = re.compile(
    r"(?:[^;\"\s]|\"(?:[^\"\\]++|\\.)*+\"?+)(?:[^;\"]++|\"(?:[^\"\\]++|\\.)*+\"?+)*+", re.DOTALL
)
_QUOTED = re.compile(r"\"((?:[^\"\\]++|\\.)*+)(\")?+", re.DOTALL)
_PIECE = re.compile(r"([^*]+)(?:\*(\d{1,9}))?(\*)?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_LETTER = re.compile(r"\\[^\\\"]")
_NAMED_AGAIN = re.compile(r"[\"']?charset\s*=[\s\"']*([^\s\"';]+)", re.IGNORECASE | re.ASCII)
# A value with a comment in or behind it; most programs have the comment as a part of a file name.
_COMMENTED = re.compile(
    r";\s?(?:(boundary)\s?=\s?([^;(\s]*+\([^;]{0,200})|((?:file)?name)\s?=\s?([^;(]{0,200}+\([^;]{0,200}))",
    re.IGNORECASE,
)
_NAMES = frozenset(("name", "filename"))
_AFTER_TYPE = re.compile(r"\s*+(?:\([^()]*+\)\s*+)*+(?:;|\Z)")
_USUAL_TYPE = re.compile(r"[a-z0-9!#-'*+.^_`{|}~-]++/[a-z0-9!#-'*+.^_`{|}~-]++")
_TYPE = re.compile(r"\s*+([^\s/;,\"()]++)\s*+/\s*+([^\s/;,\"()]++)")

_Piece = tuple[int, bool, str]  # number (-1: none), percent-encoded, text

NONE = Params()


def content_type(value: str, defects: Defects) -> tuple[str, Params]:
    """("type/subtype" in lower case, parameters); text/plain if the value cannot be read (RFC 2045, section
    5.2).

    Do not change the parameters: they may come from a cache.
    """
    read = _cached_type if len(value) <= _MAX_CACHED_LENGTH else _read_type
    kind, params, found = read(value)
    defects.update(found)
    return kind, params


def _read_type(value: str) -> tuple[str, Params, Defects]:
    defects: Defects = {}
    match = _TYPE.match(value)
    if match is None and "(" in value:
        match = _TYPE.match(without_comments(value[:_MAX_LENGTH]))
    if match is not None:
        kind = f"{match[1]}/{match[2]}".lower()
        if _USUAL_TYPE.fullmatch(kind) is None or _AFTER_TYPE.match(match.string, match.end()) is None:
            defects[Defect.CONTENT_TYPE_MALFORMED] = None
    else:
        kind = "text/html" if value.partition(";")[0].strip().lower() == "html" else "text/plain"
        defects[Defect.CONTENT_TYPE_MALFORMED] = None
    return kind, parameters(value, defects), defects


_cached_type = lru_cache(maxsize=1_024)(_read_type)


def disposition(value: str, defects: Defects) -> tuple[str | None, Params]:
    """("attachment", "inline" or another word, in lower case, None if there is none; parameters)."""
    head = without_comments(value.partition(";")[0], "").strip().lower()
    if "=" in head:  # a parameter, and no word before it
        defects[Defect.PARAMETER_MALFORMED] = None
        return None, parameters(f";{value}", defects)
    return head or None, parameters(value, defects)


def parameters(value: str, defects: Defects) -> Params:
    """Parameters by lower-case name, decoded."""
    if ";" not in value:
        return NONE
    if len(value) > _MAX_LENGTH:
        defects[Defect.PARAMETER_MALFORMED] = None
        value = value[:_MAX_LENGTH]
    found = Params()
    others = found.others
    if "(" in value and '"' not in value:
        for boundary, literal, name, named in _COMMENTED.findall(value):
            if boundary:
                others.append(("boundary", literal.rstrip()))
                defects[Defect.PARAMETER_MALFORMED] = None
            else:
                others.append((name.lower(), named.rstrip()))
        value = without_comments(value, "")
    start = value.find(";")
    if start < 0:
        return NONE
    pieces: dict[str, list[_Piece]] = {}
    segments = _SEGMENT.findall(value, start)
    if len(value) > _MAX_CACHED_LENGTH:  # others come from a cache, which is not that of one mail
        limits = current()
        limits.parameters -= len(segments)
        if limits.parameters < 0 and len(segments) > _ALWAYS_READ:
            defects[Defect.PARAMETER_MALFORMED] = None
            del segments[_ALWAYS_READ:]
    for segment in segments:
        name, equals, text = segment.partition("=")
        name = name.strip().lower()
        if "\0" in name:
            name = name.replace("\0", "").strip()
            defects[Defect.PARAMETER_MALFORMED] = None
        if not equals or not name or '"' in name:
            if name and "@" not in name:
                defects[Defect.PARAMETER_MALFORMED] = None
            continue
        text = text.strip()
        if name == "charset" and (again := _NAMED_AGAIN.match(text)) is not None:
            defects[Defect.PARAMETER_MALFORMED] = None
            text = again[1]
        if text[:1] == "'" == text[-1:] and len(text) > 1:
            # To RFC 2045 a single quote is a character like any other, to some programs a quote.
            text, other = (text, text[1:-1]) if name == "boundary" else (text[1:-1], text)
            others.append((name, other))
            if name == "boundary":
                defects[Defect.PARAMETER_MALFORMED] = None
        else:
            if name in _NAMES and (other := _other_name(text)) is not None:
                others.append((name, other))
            text = _unquoted(text, defects)
        if name == "boundary" and text[-1:].isspace():
            defects[Defect.PARAMETER_MALFORMED] = None  # programs differ in whether the blank counts
        if "*" not in name:
            text = decoded(text, defects) if "=?" in text else text
            if found.setdefault(name, text) != text:
                defects[Defect.PARAMETER_MALFORMED] = None
                others.append((name, text))
        elif (piece := _PIECE.fullmatch(name)) is not None:
            base, number, starred = piece.groups()
            pieces.setdefault(base, []).append((int(number or -1), starred is not None, text))
        else:
            defects[Defect.PARAMETER_MALFORMED] = None
    for base, parts in pieces.items():
        text, unknowing = _joined(parts, defects)
        others += [(base, other) for other in unknowing]
        if (plain := found.setdefault(base, text)) != text:
            defects[Defect.PARAMETER_MALFORMED] = None
            others.append((base, plain))
            found[base] = text
    return found


def _unquoted(text: str, defects: Defects) -> str:
    if text[:1] == '"':
        quoted = _QUOTED.match(text)
        if quoted is not None:
            text = quoted[1]
            if "\\" in text:
                text = _ESCAPE.sub(r"\1", text)
            if quoted[2] is None:
                defects[Defect.PARAMETER_MALFORMED] = None
    return text


def _other_name(text: str) -> str | None:
    """A file name as programs show it that leave out quotes within it, or that take `\\` for what divides the
    folders of a path and not for a quoting character.
    """
    quoted = _QUOTED.match(text)
    if quoted is None:
        return text.replace('"', "") if '"' in text else None
    rest = text[quoted.end() :]
    if rest:
        return text.replace('"', "")
    return quoted[1] if _ESCAPED_LETTER.search(quoted[1]) is not None else None


def _joined(parts: list[_Piece], defects: Defects) -> tuple[str, list[str]]:
    """The pieces of RFC 2231 in order of their numbers; the first one names charset and language. The second
    value: what programs show that do not know that charset, or that go by other pieces.
    """
    whole = [part for part in parts if part[0] < 0]
    numbered = sorted((part for part in parts if part[0] >= 0), key=lambda part: part[0])
    others: list[str] = []
    if whole and numbered:
        defects[Defect.PARAMETER_MALFORMED] = None
        others.append(_joined(numbered, defects)[0])
    elif not whole and [number for number, _, _ in numbered] != list(range(len(numbered))):
        defects[Defect.PARAMETER_MALFORMED] = None
        others += _joined_up_to_gap(numbered)
    charset: str | None = None
    data: list[bytes] = []
    for i, (_, starred, text) in enumerate(whole[:1] or numbered):
        if starred:
            if i == 0 and text.count("'") >= 2:
                charset, _, text = text.split("'", 2)
            elif i == 0 and "'" in text:
                others.append(text.partition("'")[2])
            data.append(unquote_to_bytes(text))
        else:
            data.append(text.encode("utf-8", "replace"))
    joined = b"".join(data)
    if charset and codec_of(charset) is None:
        defects[Defect.CHARSET_UNKNOWN] = None
        charset = None
    text = decode(joined, charset, defects)
    if charset and any(not starred and "%" in piece for _, starred, piece in numbered):
        others.append(decode(unquote_to_bytes(joined), charset, {}))  # each piece taken for encoded
    plain = joined.decode("ascii") if joined.isascii() else ""
    if plain != text and plain.isprintable() and plain:
        others.append(plain)
    return decoded(text, defects) if "=?" in text else text, others


def _joined_up_to_gap(numbered: list[_Piece]) -> list[str]:
    """Values of pieces for programs that read up to the first number that is missing: with the first, and
    with the last, of several pieces with one number.
    """
    found: list[str] = []
    for pieces in (reversed(numbered), numbered):
        by_number = {piece[0]: piece for piece in pieces}
        run = [by_number[number] for number in takewhile(by_number.__contains__, range(len(by_number)))]
        if run:
            found.append(_joined(run, {})[0])
    return found
