"""Charset labels → codecs of Python. Only codecs on the list below are ever used.

Python has codecs that transform (base64, zlib, rot13), that are slow (idna, punycode) or that read escapes; a
label in a mail must never reach them. The table of labels holds the standard library's aliases of the listed
codecs and the names that mail programs write.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases
from functools import lru_cache

_CODECS = frozenset(
    """
    ascii utf_8 utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le latin_1 iso8859_1
    iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10
    iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255
    cp1256 cp1257 cp1258 cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862
    cp863 cp864 cp865 cp866 cp869 cp874 cp1125 koi8_r koi8_u koi8_t kz1048 ptcp154 tis_620 hp_roman8
    mac_roman mac_cyrillic mac_greek mac_turkish mac_iceland mac_latin2 big5 big5hkscs cp950 gb2312
    gbk gb18030 hz euc_jp euc_jis_2004 euc_jisx0213 shift_jis shift_jis_2004 shift_jisx0213 cp932
    iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext euc_kr cp949
    johab iso2022_kr
    """.split()  # noqa: SIM905
)
# Labels in use that the standard library does not know, in the form of `_key`.
_LABELS = {
    "ascii": "7bit asciius usascii7 usascii8bit",
    "big5": "big5eten chinesebig5 cnbig5 xbig5 xxbig5",
    "cp1250": "xcp1250",
    "cp1251": "xcp1251",
    "cp1252": "ansi cp1252http iso88591windows1252 latin1windows1252 windows1252http xansi xcp1252",
    "cp1258": "tcvn viscii",
    "cp720": "dos720",
    "cp862": "dos862",
    "cp866": "cp866nr",
    "cp874": "dos874 windows874",
    "cp932": "cswindows31j mssjis windows31j xmssjis",
    "cp949": "windows949 xwindows949",
    "cp950": "windows950 xeuctw",
    "euc_jp": "eucjpms xeuc xeucjp",
    "euc_kr": "ksc56011989 xeuckr",
    "gb2312": "cngb xeuccn xxgb2312",
    "gbk": "windows936 xgbk",
    "iso2022_jp": "jis xjis",
    "iso2022_jp_ext": "cp50220 cp50221 cp50222 iso2022jpms",
    "iso8859_15": "isolatin9",
    "iso8859_6": "iso88596e iso88596i",
    "iso8859_8": "iso88598e iso88598i logical visual",
    "johab": "ksc56011992",
    "koi8_r": "isoir111 koi koi8 xkoi8r",
    "koi8_u": "koi8ru",
    "latin_1": "isolatin1",
    "mac_cyrillic": "xmaccyrillic xmacukrainian",
    "mac_greek": "xmacgreek",
    "mac_latin2": "xmacce",
    "mac_roman": "mac xmacroman",
    "mac_turkish": "xmacturkish",
    "shift_jis": "xsjis",
    "tis_620": "thai8 tis6202533",
    "utf_16": "unicode",
    "utf_16_be": "iso10646ucs2 ucs2",
    "utf_32_be": "iso10646ucs4 ucs4",
    "utf_7": "csunicode11utf7 utf7imap xunicode20utf7",
    "utf_8": "unicode11utf8 utf8mb4 utf8n xutf8",
}
# Supersets that mail programs put under the label of the smaller set, best first.
LARGER = {
    "gb2312": ("gb18030",),
    "gbk": ("gb18030",),
    "hz": ("gb18030",),
    "euc_kr": ("cp949",),
    "cp949": ("johab",),
    "shift_jis": ("cp932", "shift_jis_2004"),
    "cp932": ("shift_jis_2004",),
    "big5": ("cp950", "big5hkscs"),
    "cp950": ("big5hkscs",),
    "euc_jp": ("euc_jis_2004",),
    "tis_620": ("cp874",),
    "iso8859_11": ("cp874",),
    "iso2022_jp": ("iso2022_jp_ext", "iso2022_jp_2004", "iso2022_jp_2"),
    "iso8859_8": ("cp1255",),
    "iso8859_7": ("cp1253",),
    "iso8859_6": ("cp1256",),
    "utf_16": ("utf_16_le",),
}
SHIFTING = frozenset(
    name for name in _CODECS if name.startswith(("iso2022", "hz", "utf_7", "utf_16", "utf_32"))
)
"""Codecs that are not supersets of ASCII: seven-bit bytes may be any character."""

_WINDOWS_PREFIXES = ("windows", "win", "xwindows", "mswindows", "microsoftcp", "wincp", "window", "ms")
_ISO_PREFIXES = ("iso8859", "iso", "xiso8859", "iso88859", "8859", "iso8859x", "isoiec8859")
_MAX_LABEL = 64
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_AFTER_LABEL = re.compile(r"[$;,?*=\s\"']")


def _key(label: str) -> str:
    return _PUNCTUATION.sub("", label)


def _table() -> dict[str, str]:
    table = {_key(alias): codec for alias, codec in aliases.items() if codec in _CODECS}
    table.update((_key(codec), codec) for codec in _CODECS)
    table.update((label, codec) for codec, labels in _LABELS.items() for label in labels.split())
    for codec in _CODECS:
        if codec.startswith("cp12"):
            for prefix in _WINDOWS_PREFIXES:
                table.setdefault(prefix + codec[2:], codec)
        elif codec.startswith("iso8859"):
            for prefix in _ISO_PREFIXES:
                table.setdefault(prefix + codec.removeprefix("iso8859_"), codec)
    table["latin1"] = table["iso88591"] = "latin_1"
    table.pop("", None)
    return table


_TABLE = _table()


def codec_of(label: str) -> str | None:
    """The codec for a charset label, or None if the label is unknown or does not name a text charset."""
    return _codec_of(label[:_MAX_LABEL])


@lru_cache(maxsize=512)
def _codec_of(label: str) -> str | None:
    label = label.lower()
    key = _key(label)
    codec = _TABLE.get(key)
    if codec is None and key:
        # A known name with something after it: "utf-8; format=flowed", "iso-8859-1?q", "iso-2022-jp$ESC".
        codec = _TABLE.get(_key(_AFTER_LABEL.split(label.lstrip(" _\"'"), maxsplit=1)[0]))
    return codec
