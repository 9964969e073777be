"""What stands in the values of header fields beside plain text: encoded words and comments.

Encoded words (RFC 2047) are decoded as mail programs do it: anywhere in a value, also broken and split words.
Adjacent words in one charset are joined as bytes before they are decoded, because mail programs split
characters between them.

Comments (RFC 5322, section 3.2.2) are parentheses, nested, with quoted pairs. One that is not closed begins
no comment, nor does any after it, so that each character is read once.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import current
from zeekpop3.message.charsets import codec_of, decode

# The text may contain spaces and question marks (forbidden, but in use); it ends at the first "?=".
_WORD = re.compile(r"=\?([^?\s]{0,80})\?([bBqQ])\?((?:[^?]++|\?(?!=))*+)\?=")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")

_Word = tuple[str, str]  # encoding, text

_MAX_DEPTH = 200
_NEXT = re.compile(r"[()]|\\.", re.DOTALL)
_BLANKS = re.compile(r"\s*+")
_PLAIN_REST = re.compile(r"[^()\\]*+\)")


def decoded(value: str, defects: Defects) -> str:
    """`value` with its encoded words decoded; white space between two of them is dropped (section 6.2)."""
    last = value.rfind("?=")
    if last < 0:
        return value
    # No search goes past the last "?=": every word that starts has an end, so time stays linear.
    out: list[str] = []
    words: list[_Word] = []  # adjacent words in one charset
    charset = ""
    at = 0
    limits = current()
    for word in _WORD.finditer(value, value.find("=?"), last + 2):
        limits.words -= 1
        if limits.words < 0:
            defects[Defect.ENCODED_WORD_BROKEN] = None
            break
        between = value[at : word.start()]
        label = word[1].partition("*")[0].lower()
        adjacent = words and (not between or between.isspace())
        if words and not (adjacent and label == charset):
            out.append(_text_of(words, charset, defects))
            words = []
        if not adjacent:
            out.append(between)
        words.append((word[2], word[3]))
        charset = label
        at = word.end()
    if words:
        out.append(_text_of(words, charset, defects))
    out.append(value[at:])
    return "".join(out)


def _text_of(words: list[_Word], charset: str, defects: Defects) -> str:
    if codec_of(charset) is None:
        defects[Defect.ENCODED_WORD_BROKEN] = None
    return decode(b"".join(_content(words, charset, defects)), charset or None, defects)


def _content(words: list[_Word], charset: str, defects: Defects) -> Iterator[bytes]:
    """The bytes of adjacent words. Some programs split Base64 anywhere: quads continue in the next word."""
    base64 = ""
    for encoding, text in words:
        if encoding in "qQ":
            if base64:
                yield _base64(base64, defects)
                base64 = ""
            if "\r" in text:
                text = text.replace("=\r", "=3D\r")  # binascii would skip the rest
            yield binascii.a2b_qp(_bytes_of(text, charset), header=True)
        else:
            base64 += text
            if len(base64) % 4 == 0 or base64.endswith("="):
                yield _base64(base64, defects)
                base64 = ""
    if base64:
        yield _base64(base64, defects)


def _bytes_of(text: str, charset: str) -> bytes:
    """The bytes of a word's text. Raw 8-bit text in it (forbidden) was decoded with the header."""
    if text.isascii():
        return text.encode("ascii")
    try:
        return text.encode(codec_of(charset) or "utf-8")
    except UnicodeError:
        return text.encode("utf-8", "replace")


def _base64(text: str, defects: Defects) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except ValueError:
        pass
    clean = _NOT_BASE64.sub("", text)
    rest = len(clean) % 4
    if rest == 1:
        clean = clean[:-1]
        defects[Defect.ENCODED_WORD_BROKEN] = None
    elif rest:
        clean += "=" * (4 - rest)
    return binascii.a2b_base64(clean)


def comment_end(text: str, at: int) -> int:
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


def split_comments(text: str) -> list[str]:
    """Text and comments in turn, beginning and ending with text: "a (b) c" → "a ", "(b)", " c"."""
    out: list[str] = []
    at = 0
    while (start := text.find("(", at)) >= 0 and (end := comment_end(text, start + 1)) >= 0:
        out += (text[at:start], text[start:end])
        at = end
    out.append(text[at:])
    return out


def is_comment(text: str) -> bool:
    """Whether a text is nothing but comments and blanks, and begins with a comment."""
    at = 0
    while text.startswith("(", at):
        end = comment_end(text, at + 1)
        if end < 0:
            return False
        at = _BLANKS.match(text, end).end()  # type: ignore[union-attr]
    return at == len(text)


def without_comments(text: str, blank: str = " ") -> str:
    """Text with `blank` for each comment. A parenthesis that is left is not closed."""
    return blank.join(split_comments(text)[::2]) if "(" in text else text
