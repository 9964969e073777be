"""Text of HTML → text as it is shown: character references decoded, white space collapsed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from io import StringIO

_CHUNK = 1 << 16  # characters
_MAX_REFERENCE = 40  # characters

# `int` refuses thousands of digits; a number of eight digits is not a character.
_ZEROS = re.compile("&#0++(?=[0-9])")
_TOO_LARGE = re.compile("&#[0-9]{8,}+;?")

# Characters that take no room: they hide words from a search. Joiners have a meaning between letters.
_INVISIBLE = ("\u00ad", "\u034f", "\u200b", "\u2060", "\ufeff")
_JOINERS = re.compile("(?<![^\\s\u200c\u200d])[\u200c\u200d]+|[\u200c\u200d]+(?=\\s|\\Z)")


def tidy(text: str) -> str:
    """Text with its character references decoded and its white space collapsed."""
    out = StringIO()
    follows = False  # whether a line has been written
    empty = False  # whether an empty line comes before the next one
    for chunk in _chunks(text):
        for line in without_references(chunk).split("\n"):
            words = line.split()
            if words:
                out.write("\n\n" if empty and follows else "\n" if follows else "")
                out.write(" ".join(words))
                follows, empty = True, False
            elif "\f" in line:
                empty = True
    return out.getvalue()


def _chunks(text: str) -> Iterator[str]:
    """The text in pieces that end with a line. A line longer than a piece is broken, at a blank if it can."""
    at = 0
    while len(text) - at > _CHUNK:
        stop = text.rfind("\n", at, at + _CHUNK)
        if stop <= at:
            stop = max(
                text.rfind(" ", at, at + _CHUNK), text.rfind("&", at + _CHUNK - _MAX_REFERENCE, at + _CHUNK)
            )
            stop = stop if stop > at else at + _CHUNK
        yield text[at:stop]
        at = stop
    yield text[at:]


def with_characters(text: str) -> str:
    """Text with its character references decoded (HTML standard, section 13.5)."""
    if "&#" in text:
        text = _TOO_LARGE.sub("\ufffd", _ZEROS.sub("&#", text))
    return unescape(text)


def without_references(text: str) -> str:
    """Text with its character references decoded, and without characters that are never seen."""
    if "&" in text:
        text = with_characters(text.replace("&nbsp;", " "))
    if not text.isascii():
        for character in _INVISIBLE:
            if character in text:
                text = text.replace(character, "")
        if "\u200c" in text or "\u200d" in text:
            text = _JOINERS.sub("", text)
    return text
