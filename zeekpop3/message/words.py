"""Encoded words (RFC 2047) to text, as mail programs do it: anywhere in a value, broken and split ones, too.

Words in one charset that follow each other are joined as bytes before they are decoded, since mail programs
split characters between them.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from zeekpop3.message.charsets import codec_of, decode
from zeekpop3.message.defects import Defects

# Text may hold spaces and question marks, which it may not; it ends at the first "?=" (linear, see
# `decoded`).
_WORD: Final = re.compile(r"=\?([^?\s]{0,80})\?([bBqQ])\?((?:[^?]++|\?(?!=))*+)\?=")
_MANY: Final = 8
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")


def decoded(value: str, defects: Defects) -> str:
    """`value` with its encoded words decoded; white space between two of them is dropped (section 6.2)."""
    last = value.rfind("?=")
    if last < 0:
        return value
    # No search goes past the last "?=": so one that starts a word also finds its end, and time stays linear.
    out: list[str] = []
    run: list[tuple[str, ...]] = []
    at = 0
    for word in _WORD.finditer(value, value.find("=?"), last + 2):
        between = value[at : word.start()]
        if not run:
            out.append(between)
        elif between and not between.isspace():
            out.append(_run_text(run, defects))
            out.append(between)
            run = []
        run.append(word.groups())
        at = word.end()
    if run:
        out.append(_run_text(run, defects))
    out.append(value[at:])
    return "".join(out)


def _run_text(run: list[tuple[str, ...]], defects: Defects) -> str:
    if len(run) > _MANY:
        charset = run[0][0]
        joined = "".join([text for _, _, text in run])
        if (
            joined.isascii()
            and "\r" not in joined
            and all(charset == other and encoding in "qQ" for other, encoding, _ in run)
            and not any("=" in text[-2:] for _, _, text in run)
        ):
            charset = charset.partition("*")[0].lower()
            return _text(binascii.a2b_qp(joined, header=True), charset, defects)
    out: list[str] = []
    pieces: list[bytes] = []
    open_base64 = ""
    current = ""
    for charset, encoding, text in run:
        charset = charset.partition("*")[0].lower()
        if charset != current:
            if open_base64:
                pieces.append(_base64(open_base64, defects))
                open_base64 = ""
            if pieces:
                out.append(_text(b"".join(pieces), current, defects))
                pieces = []
            current = charset
        if encoding in "qQ":
            if open_base64:
                pieces.append(_base64(open_base64, defects))
                open_base64 = ""
            if "\r" in text:
                text = text.replace("=\r", "=3D\r")  # binascii would leave out all that follows
            pieces.append(binascii.a2b_qp(_bytes_of(text, charset), header=True))
        else:
            # Some programs cut a Base64 stream into words anywhere: quads go on in the next word.
            text = open_base64 + text
            open_base64 = ""
            if len(text) % 4 == 0 or text.endswith("="):
                pieces.append(_base64(text, defects))
            else:
                open_base64 = text
    if open_base64:
        pieces.append(_base64(open_base64, defects))
    out.append(_text(b"".join(pieces), current, defects))
    return "".join(out)


def _bytes_of(text: str, charset: str) -> bytes:
    """The bytes of a word's text. Raw 8-bit in it (forbidden) was decoded before: that is undone."""
    if text.isascii():
        return text.encode("ascii")
    try:
        return text.encode(codec_of(charset) or "utf-8")
    except UnicodeError:
        return text.encode("utf-8", "replace")


def _text(data: bytes, charset: str, defects: Defects) -> str:
    if codec_of(charset) is None:
        defects["encoded_word_broken"] = None
    return decode(data, charset or None, defects)


def _base64(text: str, defects: Defects) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        pass
    clean = _NOT_BASE64.sub("", text)
    rest = len(clean) % 4
    if rest == 1:
        clean = clean[:-1]
        defects["encoded_word_broken"] = None
    elif rest:
        clean += "=" * (4 - rest)
    return binascii.a2b_base64(clean)
