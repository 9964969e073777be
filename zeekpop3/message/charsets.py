"""Bytes to text by the charset that a mail names: only codecs on a list of our own are ever asked.

Python knows codecs that transform (base64, zlib, rot13), that are slow (idna, punycode) or that read escapes;
a label from a mail must never reach them. So labels are looked up in a table made of the standard library's
aliases of the codecs below, and of the names that mail programs really write.
"""

from __future__ import annotations

import re
from codecs import charmap_decode
from encodings.aliases import aliases
from functools import lru_cache
from typing import Final

from zeekpop3.message.defects import Defects
from zeekpop3.message.detect import guess

# fmt: off
_CODECS: Final = frozenset((
    "ascii", "utf_8", "utf_7", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le",
    "latin_1", "iso8859_1", "iso8859_2", "iso8859_3", "iso8859_4", "iso8859_5", "iso8859_6", "iso8859_7",
    "iso8859_8",
    "iso8859_9", "iso8859_10", "iso8859_11", "iso8859_13", "iso8859_14", "iso8859_15", "iso8859_16",
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
    "cp437", "cp720", "cp737", "cp775", "cp850", "cp852", "cp855", "cp857", "cp858", "cp860", "cp861",
    "cp862",
    "cp863", "cp864", "cp865", "cp866", "cp869", "cp874", "cp1125",
    "koi8_r", "koi8_u", "koi8_t", "kz1048", "ptcp154", "tis_620", "hp_roman8",
    "mac_roman", "mac_cyrillic", "mac_greek", "mac_turkish", "mac_iceland", "mac_latin2",
    "big5", "big5hkscs", "cp950", "gb2312", "gbk", "gb18030", "hz",
    "euc_jp", "euc_jis_2004", "euc_jisx0213", "shift_jis", "shift_jis_2004", "shift_jisx0213", "cp932",
    "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext",
    "euc_kr", "cp949", "johab", "iso2022_kr",
))
_IN_USE: Final = {
    "ansi": "cp1252", "windows1252http": "cp1252", "xansi": "cp1252", "cp1252http": "cp1252",
    "usascii7": "ascii", "7bit": "ascii", "asciius": "ascii", "ansix341986": "ascii", "usascii8bit": "ascii",
    "utf8mb4": "utf_8", "utf8n": "utf_8", "unicode11utf8": "utf_8", "xutf8": "utf_8", "unicode": "utf_16",
    "unicode11utf7": "utf_7", "xunicode20utf7": "utf_7", "csunicode11utf7": "utf_7", "utf7imap": "utf_7",
    "iso10646ucs2": "utf_16_be", "ucs2": "utf_16_be", "ucs4": "utf_32_be", "iso10646ucs4": "utf_32_be",
    "iso88591windows1252": "cp1252", "latin1windows1252": "cp1252", "isolatin1": "latin_1", "isolatin9":
    "iso8859_15",
    "iso88598i": "iso8859_8", "iso88598e": "iso8859_8", "iso88596i": "iso8859_6", "iso88596e": "iso8859_6",
    "visual": "iso8859_8", "logical": "iso8859_8", "dos862": "cp862", "dos720": "cp720",
    "xmacroman": "mac_roman", "macintosh": "mac_roman", "mac": "mac_roman", "xmaccyrillic": "mac_cyrillic",
    "xmacce": "mac_latin2", "xmacgreek": "mac_greek", "xmacturkish": "mac_turkish", "xmacukrainian":
    "mac_cyrillic",
    "xsjis": "shift_jis", "xmssjis": "cp932", "mssjis": "cp932", "windows31j": "cp932", "cswindows31j":
    "cp932",
    "xeucjp": "euc_jp", "eucjpms": "euc_jp", "xeuc": "euc_jp", "iso2022jpms": "iso2022_jp_ext", "jis":
    "iso2022_jp",
    "cp50220": "iso2022_jp_ext", "cp50221": "iso2022_jp_ext", "cp50222": "iso2022_jp_ext", "xjis":
    "iso2022_jp",
    "xgbk": "gbk", "cngb": "gb2312", "xeuccn": "gb2312", "euccn": "gb2312", "gb231280": "gb2312",
    "hzgb2312": "hz",
    "cnbig5": "big5", "xxbig5": "big5", "xbig5": "big5", "big5eten": "big5", "chinesebig5": "big5",
    "xeuctw": "cp950", "cp936": "gbk", "ms936": "gbk", "windows936": "gbk", "windows950": "cp950",
    "ksc56011987": "euc_kr", "ksc56011989": "euc_kr", "ksc5601": "euc_kr", "ksc56011992": "johab",
    "windows949": "cp949", "xwindows949": "cp949", "uhc": "cp949", "xeuckr": "euc_kr", "korean": "euc_kr",
    "windows874": "cp874", "dos874": "cp874", "tis6202533": "tis_620", "thai8": "tis_620", "isoir166":
    "tis_620",
    "koi8": "koi8_r", "koi": "koi8_r", "koi8ru": "koi8_u", "xkoi8r": "koi8_r", "cskoi8r": "koi8_r",
    "xcp1250": "cp1250", "xcp1251": "cp1251", "xcp1252": "cp1252", "cp866nr": "cp866", "isoir111": "koi8_r",
    "xxgb2312": "gb2312", "viscii": "cp1258", "tcvn": "cp1258",
}
# What a label's codec cannot decode, a larger set that mail programs put under the same label often can.
_LARGER: Final = {
    "gb2312": ("gb18030",), "gbk": ("gb18030",), "hz": ("gb18030",), "euc_kr": ("cp949",),
    "cp949": ("johab",),
    "shift_jis": ("cp932", "shift_jis_2004"), "cp932": ("shift_jis_2004",), "big5": ("cp950", "big5hkscs"),
    "cp950": ("big5hkscs",), "euc_jp": ("euc_jis_2004",), "tis_620": ("cp874",), "iso8859_11": ("cp874",),
    "iso2022_jp": ("iso2022_jp_ext", "iso2022_jp_2004", "iso2022_jp_2"), "iso8859_8": ("cp1255",),
    "iso8859_7": ("cp1253",), "iso8859_6": ("cp1256",), "utf_16": ("utf_16_le",),
}
# fmt: on
# Not supersets of ASCII: seven-bit bytes may be anything in them.
_SHIFTING: Final = frozenset(
    name for name in _CODECS if name.startswith(("iso2022", "hz", "utf_7", "utf_16", "utf_32"))
)
_NOT_NAME: Final = re.compile(r"[^a-z0-9]+")
_SURROGATE: Final = re.compile(f"[{chr(0xD800)}-{chr(0xDFFF)}]")
_NO_CHARACTER: Final = re.compile("[\ufffd\ue000-\uf8ff]")  # and for private use
_FLEXIBLE_BYTES: Final = 1 << 20


def _table() -> dict[str, str]:
    table = {_NOT_NAME.sub("", alias): codec for alias, codec in aliases.items() if codec in _CODECS}
    table.update((_NOT_NAME.sub("", codec), codec) for codec in _CODECS)
    table.update(_IN_USE)
    for codec in _CODECS:
        if codec.startswith("cp12"):
            for prefix in ("windows", "win", "xwindows", "mswindows", "microsoftcp", "wincp", "window", "ms"):
                table.setdefault(prefix + codec[2:], codec)
        elif codec.startswith("iso8859"):
            number = codec.removeprefix("iso8859_")
            for prefix in ("iso8859", "iso", "xiso8859", "iso88859", "8859", "iso8859x", "isoiec8859"):
                table.setdefault(prefix + number, codec)
    table["latin1"] = table["iso88591"] = "latin_1"
    table.pop("", None)
    return table


_TABLE: Final = _table()


def _windows_table(codec: str) -> str:
    """A decoding table: where Windows has no character, the control of ISO 8859."""
    return "".join(bytes((byte,)).decode(codec, "ignore") or chr(byte) for byte in range(256))


# ISO 8859-1 and -9 have only controls at 0x80-0x9F; mail programs mean, and show, what Windows has there.
_WINDOWS: Final = {
    "latin_1": _windows_table("cp1252"),
    "iso8859_1": _windows_table("cp1252"),
    "cp1252": _windows_table("cp1252"),
    "iso8859_9": _windows_table("cp1254"),
    "cp1254": _windows_table("cp1254"),
}


@lru_cache(maxsize=512)
def codec_of(label: str) -> str | None:
    """The codec for a charset label, or None if it is unknown or not for text."""
    name = _NOT_NAME.sub("", label[:64].lower())
    codec = _TABLE.get(name)
    if codec is None and name:
        # iso-2022-jp$ESC, "utf-8; format=flowed", iso-8859-1?q: a known name with something after it
        head = _NOT_NAME.sub(
            "", re.split(r"[$;,?*=\s\"']", label[:64].lower().lstrip(" _\"'"), maxsplit=1)[0]
        )
        codec = _TABLE.get(head)
    return codec


def decode(data: bytes, label: str | None, defects: Defects) -> str:
    """Text of `data`, in the charset that `label` names (None: no label). Never raises; no lone surrogates.

    Reports `charset_unknown`, `charset_wrong`, `charset_guessed` or `charset_broken`.
    """
    if label:
        codec = codec_of(label)
        if codec is None:
            if data.isascii():
                return data.decode("ascii")
            defects["charset_unknown"] = None
            return eight_bit(data, defects)
    else:
        codec = "ascii"
    if codec == "utf_8":
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return _undecodable(data, "utf_8", defects)
        return text.removeprefix("\ufeff")
    if codec not in _SHIFTING and data.isascii():
        return data.decode("ascii")
    if codec == "ascii":
        if label:
            defects["charset_wrong"] = None
        return eight_bit(data, defects)
    if codec in _WINDOWS:
        return charmap_decode(data, "strict", _WINDOWS[codec])[0]
    return _strict(data, codec, defects)


def eight_bit(data: bytes, defects: Defects, hint: str | None = None) -> str:
    """Text of bytes whose charset nobody says: UTF-8 if it is that (RFC 6532), else a guess that is said.

    `hint`: a codec that is likely, since something else in the mail names it. One for seven bits is none.
    """
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        pass
    if _mostly_utf8(data):
        defects["charset_broken"] = None
        return data.decode("utf-8", "replace")
    defects["charset_guessed"] = None
    codec = hint if hint is not None and hint not in _SHIFTING else guess(data)
    if codec == "cp1252":
        return charmap_decode(data, "strict", _WINDOWS[codec])[0]
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        defects["charset_broken"] = None
        return data.decode(codec, "replace")


def _strict(data: bytes, codec: str, defects: Defects) -> str:
    try:
        text = data.decode(codec)
    except UnicodeError:
        return _undecodable(data, codec, defects)
    if codec == "utf_7" and _SURROGATE.search(text):
        defects["charset_broken"] = None
        text = _SURROGATE.sub("\ufffd", text)
    return text


def _undecodable(data: bytes, codec: str, defects: Defects) -> str:
    for larger in _LARGER.get(codec, ()):
        try:
            text = data.decode(larger)
        except UnicodeError:
            continue
        return text
    if codec == "utf_8":
        if not _mostly_utf8(data):
            defects["charset_wrong"] = None
            return eight_bit(data, defects)
    elif not data.isascii():
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            defects["charset_wrong"] = None
            return text
    defects["charset_broken"] = None
    # The larger set has more characters, but finds its way back later after a byte that is lost or none.
    candidates = (*_LARGER.get(codec, ()), codec)
    text = min((data.decode(candidate, "replace") for candidate in candidates), key=_damage)
    return _SURROGATE.sub("\ufffd", text) if codec == "utf_7" else text


def _damage(text: str) -> int:
    """How much of a text's beginning is no character, or one that nobody writes."""
    return len(_NO_CHARACTER.findall(text, 0, _FLEXIBLE_BYTES >> 4))


def _mostly_utf8(data: bytes) -> bool:
    """Whether broken UTF-8 is more likely than another charset: most of what is not ASCII decodes."""
    text = data[:_FLEXIBLE_BYTES].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    good = len(text) - broken - len(text.encode("ascii", "ignore"))
    return good > 2 * broken
