"""Comments of structured header fields (RFC 5322, section 3.2.2): parentheses, nested, with quoted pairs.

All modules of this package take comments from here. A parenthesis that is not closed begins no comment, nor
does any after it, so that each character is read once.
"""

from __future__ import annotations

import re

_MAX_DEPTH = 200
_NEXT = re.compile(r"[()]|\\.", re.DOTALL)
_BLANKS = re.compile(r"\s*+")
_PLAIN_REST = re.compile(r"[^()\\]*+\)")


def end_of(text: str, at: int) -> int:
    """Offset after the comment whose text begins at `at`, behind its parenthesis; -1 if it is not closed.

    The caller must not ask again about the same text after -1: each answer may take as long as the text is.
    """
    plain = _PLAIN_REST.match(text, at)
    if plain is not None:
        return plain.end()
    depth = 1
    for match in _NEXT.finditer(text, at):
        if match[0] == "(":
            depth += 1
            if depth > _MAX_DEPTH:
                return -1
        elif match[0] == ")":
            depth -= 1
            if depth == 0:
                return match.end()
    return -1


def split(text: str) -> list[str]:
    """Text and comments in turn, beginning and ending with text: "a (b) c" → "a ", "(b)", " c"."""
    out: list[str] = []
    at = 0
    while (start := text.find("(", at)) >= 0 and (end := end_of(text, start + 1)) >= 0:
        out += (text[at:start], text[start:end])
        at = end
    out.append(text[at:])
    return out


def is_comment(text: str) -> bool:
    """Whether a text is nothing but comments and blanks, and begins with a comment."""
    at = 0
    while text.startswith("(", at):
        end = end_of(text, at + 1)
        if end < 0:
            return False
        at = _BLANKS.match(text, end).end()  # type: ignore[union-attr]
    return at == len(text)


def without(text: str, blank: str = " ") -> str:
    """Text with `blank` for each comment. A parenthesis that is left is not closed."""
    return blank.join(split(text)[::2]) if "(" in text else text
