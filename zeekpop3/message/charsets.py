"""Bytes → text, by the charset label that a mail gives. Never raises; the text has no lone surrogates.

Bytes that the label's charset cannot decode are read in a larger set of the same name, as UTF-8, or by a
guess; each of these is a defect.
"""

from __future__ import annotations

import re
from codecs import charmap_decode

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import charge
from zeekpop3.message.charset_guess import guess
from zeekpop3.message.charset_names import LARGER, SHIFTING, codec_of

_SURROGATE = re.compile(f"[{chr(0xD800)}-{chr(0xDFFF)}]")
_NO_CHARACTER = re.compile("[\ufffd\ue000-\uf8ff]")  # or a private one
_MARKS = {b"\xff\xfe": "utf_16_le", b"\xfe\xff": "utf_16_be"}
_PAIRS = 1_024  # bytes
_SAMPLE_BYTES = 1 << 20
_SAMPLE_CHARACTERS = 1 << 16


def _windows_table(codec: str) -> str:
    """A decoding table: where Windows has no character, the control character of ISO 8859."""
    return "".join(bytes((byte,)).decode(codec, "ignore") or chr(byte) for byte in range(256))


# ISO 8859-1 and -9 have only controls at 0x80-0x9F; mail programs mean, and show, what Windows has there.
_WINDOWS = {
    "latin_1": _windows_table("cp1252"),
    "iso8859_1": _windows_table("cp1252"),
    "cp1252": _windows_table("cp1252"),
    "iso8859_9": _windows_table("cp1254"),
    "cp1254": _windows_table("cp1254"),
}


def decode(data: bytes, label: str | None, defects: Defects) -> str:
    """Text of `data` in the charset that `label` names (None: no label).

    Reports `charset_unknown`, `charset_wrong`, `charset_guessed` or `charset_broken`.
    """
    charge(len(data))
    codec = codec_of(label) if label else "ascii"
    if (data[:2] in _MARKS or b"\0" in data) and (
        codec is None or not codec.startswith(("utf_16", "utf_32"))
    ):
        # Programs go by the mark; NULs are either UTF-16, or left out by programs.
        defects[Defect.CHARSET_WRONG] = None
        found = utf_16_codec(data)
        if found is not None:
            return data.decode(found, "replace").removeprefix("\ufeff")
    if codec == "utf_8":
        text = _decoded(data, codec)
        return _undecodable(data, codec, defects) if text is None else text.removeprefix("\ufeff")
    if codec not in SHIFTING and data.isascii():
        return data.decode("ascii")
    if codec is None:
        defects[Defect.CHARSET_UNKNOWN] = None
        return eight_bit(data, defects)
    if codec == "ascii":
        if label:
            defects[Defect.CHARSET_WRONG] = None
        return eight_bit(data, defects)
    if codec in _WINDOWS:
        return charmap_decode(data, "strict", _WINDOWS[codec])[0]
    text = _decoded(data, codec)
    if text is None:
        return _undecodable(data, codec, defects)
    if codec == "utf_7" and _SURROGATE.search(text):
        defects[Defect.CHARSET_BROKEN] = None
        text = _SURROGATE.sub("\ufffd", text)
    return text


def utf_16_codec(data: bytes) -> str | None:
    """The codec of UTF-16 that begins with its mark, or whose beginning has NUL as every second byte."""
    if data[:2] in _MARKS:
        return _MARKS[data[:2]]
    for codec, nuls, others in (
        ("utf_16_le", data[1:_PAIRS:2], data[:_PAIRS:2]),
        ("utf_16_be", data[:_PAIRS:2], data[1:_PAIRS:2]),
    ):
        if nuls.count(0) * 10 > len(nuls) * 7 and others.count(0) * 10 < len(others):
            return codec
    return None


def eight_bit(data: bytes, defects: Defects, hint: str | None = None) -> str:
    """Text of bytes without a charset label: UTF-8 if it is valid (RFC 6532), else a guess, which is a
    defect.

    `hint`: a likely codec, because something else in the mail names it. Seven-bit codecs are ignored.
    """
    text = _decoded(data, "utf_8")
    if text is not None:
        return text.removeprefix("\ufeff")
    if _mostly_utf8(data):
        defects[Defect.CHARSET_BROKEN] = None
        return data.decode("utf-8", "replace")
    defects[Defect.CHARSET_GUESSED] = None
    codec = hint if hint is not None and hint not in SHIFTING else guess(data)
    if codec == "cp1252":
        return charmap_decode(data, "strict", _WINDOWS[codec])[0]
    text = _decoded(data, codec)
    if text is None:
        defects[Defect.CHARSET_BROKEN] = None
        text = data.decode(codec, "replace")
    return text


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeError:
        return None


def _undecodable(data: bytes, codec: str, defects: Defects) -> str:
    for larger in LARGER.get(codec, ()):
        if (text := _decoded(data, larger)) is not None:
            return text
    if codec == "utf_8":
        if not _mostly_utf8(data):
            defects[Defect.CHARSET_WRONG] = None
            return eight_bit(data, defects)
    elif not data.isascii() and (text := _decoded(data, "utf_8")) is not None:
        defects[Defect.CHARSET_WRONG] = None
        return text
    defects[Defect.CHARSET_BROKEN] = None
    # The larger set has more characters, but resynchronises later after a lost or invalid byte.
    candidates = (*LARGER.get(codec, ()), codec)
    text = min((data.decode(candidate, "replace") for candidate in candidates), key=_damage)
    return _SURROGATE.sub("\ufffd", text) if codec == "utf_7" else text


def _damage(text: str) -> int:
    """How many invalid or private characters the beginning of a text has."""
    return len(_NO_CHARACTER.findall(text, 0, _SAMPLE_CHARACTERS))


def _mostly_utf8(data: bytes) -> bool:
    """Whether broken UTF-8 is more likely than another charset: most of the non-ASCII bytes decode."""
    text = data[:_SAMPLE_BYTES].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    good = len(text) - broken - len(text.encode("ascii", "ignore"))
    return good > 2 * broken
