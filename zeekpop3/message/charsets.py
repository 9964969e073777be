"""Bytes → text, by the charset label that a mail gives. Never raises; the text has no lone surrogates.

Bytes that the label's charset cannot decode are read in a larger set of the same name, as UTF-8, or by a
guess; each of these is a defect.

Only codecs on the list below are ever used. Python has codecs that transform (base64, zlib, rot13), that are
slow (idna, punycode) or that read escapes; a label in a mail must never reach them. The table of labels holds
the standard library's aliases of the listed codecs and the names that mail programs write.

Western text without a label has few high bytes, each among ASCII letters: it needs no detector. Text with
many of them, or with pairs of them, goes to charset-normalizer: a bounded sample, and only charsets that mail
is written in.
"""

from __future__ import annotations

import re
from codecs import charmap_decode, register_error, replace_errors
from encodings.aliases import aliases
from functools import cache, lru_cache

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.budget import DETECTION, charge, current

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
    "utf_7": "csunicode11utf7 csutf7 utf7imap xunicode20utf7",
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


_SURROGATE = re.compile(f"[{chr(0xD800)}-{chr(0xDFFF)}]")
_NO_CHARACTER = re.compile("[\ufffd\ue000-\uf8ff]")  # or a private one
_MARKS = {b"\xff\xfe": "utf_16_le", b"\xfe\xff": "utf_16_be"}
_MARKS_32 = {b"\xff\xfe\0\0": "utf_32_le", b"\0\0\xfe\xff": "utf_32_be"}
# The first characters of two bytes: JIS X 0208, KS C 5601.
_ESCAPES = re.compile(rb"\x1b\$(?:[@B](?=[!-~]{2})|\)C)")
_JAPANESE_ESCAPE = re.compile(rb"(\x1b(?:\$[@B]|\([BJI]))")
_MAX_ESCAPES = 100_000
_AT_ONCE = 1 << 16  # bytes
_WITH_HIGH_BIT = bytes(byte | 128 for byte in range(256))
# Codecs, the bytes of a character, and which of them is the letter; the others are NUL in Latin text.
_PLACES = (("utf_32_le", 4, 0), ("utf_32_be", 4, 3), ("utf_16_le", 2, 0), ("utf_16_be", 2, 1))
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\r"})
_ASCII_TEXT = bytes((*range(32, 127), *b"\t\n\r"))
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

_ASCII_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MARK_HIGH = b" " * 128 + b"x" * 128
_IN_1252 = bytes(set(range(256)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D})
_LOOK_AT_BYTES = 32_768
_DETECT_BYTES = 2_048
CANDIDATES = [
    "cp1252", "cp1251", "koi8_r", "cp1250", "iso8859_2", "cp1253", "cp1254", "cp1255", "cp1256", "cp874",
    "gb18030", "big5", "shift_jis", "euc_jp", "cp949",
]  # fmt: skip


_NOT_ASCII = bytes(range(128, 256))
_BLANKS = bytes(code if code < 128 else 32 for code in range(256))


def decode(data: bytes, label: str | None, defects: Defects) -> str:
    """Text of `data` in the charset that `label` names (None: no label).

    Reports `charset_unknown`, `charset_wrong`, `charset_guessed` or `charset_broken`.
    """
    charge(len(data))
    codec = codec_of(label) if label else "ascii"
    is_wide = codec is not None and codec.startswith(("utf_16", "utf_32"))
    if is_wide or data[:2] in _MARKS or b"\0" in data:
        found = wide_codec(data)
        if found is not None:
            # Programs go by the mark, or by where the NULs are.
            if codec is None or not found.startswith(codec):
                defects[Defect.CHARSET_WRONG] = None
            return replaced(data, found).removeprefix("\ufeff")
        if not is_wide:
            defects[Defect.CHARSET_WRONG] = None  # programs leave NULs out
        elif _is_narrow(data):
            defects[Defect.CHARSET_WRONG] = None  # programs that do not know the charset show the text
            return eight_bit(data, defects)
    if codec not in SHIFTING and b"\x1b" in data and (found := _iso_2022_codec(data)) is not None:
        text = _decoded(data, found)
        if text is not None:
            defects[Defect.CHARSET_WRONG if label else Defect.CHARSET_GUESSED] = None
            return text
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


def ascii_reading(data: bytes, text: str) -> str | None:
    """The ASCII of `data`, if `text`, as it was decoded, lacks some of it: bytes below 128 without NULs, a
    blank for each other byte. None if nothing is missing.

    A decoder may swallow ASCII (behind the first of two bytes, behind a shift), replace it, or take two
    letters for one (UTF-16); a program that does not know the charset, or drops NULs, shows that ASCII. So
    this one rule stands for all charsets:

        FF FE h t t p   →  text: two characters of UTF-16   this: "  http"
        81 h t t p      →  text: one character and "ttp"    this: " http"
    """
    if len(text) == len(data) and "\0" not in text and data.isascii():
        return None
    seen = text.encode("ascii", "ignore").translate(None, b" ")
    if data.translate(None, _NOT_ASCII + b"\0 ") == seen:
        return None
    return data.translate(_BLANKS, b"\0").decode("ascii")


def wide_codec(data: bytes) -> str | None:
    """The codec of UTF-16 or UTF-32 that begins with its mark, or that has the NULs of Latin text."""
    if data[:2] in _MARKS:
        wider = _MARKS_32.get(data[:4])
        return _MARKS[data[:2]] if wider is None or len(data) % 4 else wider
    head = data[:_PAIRS]
    nuls = head.count(0)
    for codec, width, place in _PLACES if nuls else ():
        letters = head[place::width]
        others = len(letters.translate(None, _ASCII_TEXT))
        if others * 10 < len(letters) and nuls * 10 > (len(head) - len(letters)) * 7:
            return codec
    return None


def _iso_2022_codec(data: bytes) -> str | None:
    """The codec whose escape sequences a text has (RFC 1468, RFC 1557): programs go by them."""
    match = _ESCAPES.search(data)
    if match is None or not data.isascii():
        return None
    return "iso2022_kr" if match[0].endswith(b"C") else "iso2022_jp_ext"


def _is_narrow(data: bytes) -> bool:
    """Whether bytes are mostly ASCII letters, or UTF-8 without controls; CJK in UTF-16 is neither."""
    head = data[:_PAIRS]
    if b"\0" in head or len(head.translate(None, _ASCII_TEXT)) * 10 <= len(head):
        return b"\0" not in head
    if head.translate(None, _CONTROLS) != head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(data) > len(head) and error.start > len(head) - 4
    return True


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
    if codec.startswith("iso2022_jp"):
        if data.isascii() and (text := _iso_2022_jp_of_windows(data)) is not None:
            return text
        for other in ("utf_8", "euc_jp", "cp932"):
            if not data.isascii() and (text := _decoded(data, other)) is not None:
                defects[Defect.CHARSET_WRONG] = None
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
    text = min((replaced(data, candidate) for candidate in candidates), key=_damage)
    return _SURROGATE.sub("\ufffd", text) if codec == "utf_7" else text


def replaced(data: bytes, codec: str) -> str:
    """Text with U+FFFD for what is broken. Codecs that are slow at that do it only so often in a mail; then
    each byte is a character.
    """
    if not codec.startswith(("utf_7", "utf_16", "utf_32")):
        return data.decode(codec, "replace")
    try:
        return data.decode(codec, _REPLACE)
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    limits = current()
    limits.broken -= 1
    if limits.broken < 0:
        raise error
    return replace_errors(error)


_REPLACE = "zeekpop3-replace"
register_error(_REPLACE, _replace)


def _iso_2022_jp_of_windows(data: bytes) -> str | None:
    """Text in ISO-2022-JP with the characters that Windows has beside those of JIS X 0208, as mail programs
    write it: each pair of bytes as in Shift JIS; None if it is something else.
    """
    if data.count(b"\x1b") > _MAX_ESCAPES:
        return None
    out: list[bytes] = []
    escape = b"\x1b(B"
    for piece in _JAPANESE_ESCAPE.split(data):
        if piece[:1] == b"\x1b":
            escape = piece
        elif escape[1:2] == b"$":
            try:
                for at in range(0, len(piece), _AT_ONCE):
                    some = piece[at : at + _AT_ONCE]
                    pairs = zip(some[::2], some[1::2], strict=True)
                    out.append(b"".join([_shift_jis()[pair] for pair in pairs]))
            except (KeyError, ValueError):
                return None
        else:
            out.append(piece.translate(_WITH_HIGH_BIT) if escape == b"\x1b(I" else piece)
    return _decoded(b"".join(out), "cp932")


@cache
def _shift_jis() -> dict[tuple[int, int], bytes]:
    """Each pair of JIS X 0208, rows and cells from 0x21 on, in Shift JIS."""
    found = {}
    for row in range(0x21, 0x7F):
        lead = (row - 1 >> 1) + (0x71 if row < 0x5F else 0xB1)
        for cell in range(0x21, 0x7F):
            trail = cell + (0x7E if row % 2 == 0 else 0x20 if cell > 0x5F else 0x1F)
            found[row, cell] = bytes((lead, trail))
    return found


def _damage(text: str) -> int:
    """How many invalid or private characters the beginning of a text has."""
    return len(_NO_CHARACTER.findall(text, 0, _SAMPLE_CHARACTERS))


def _mostly_utf8(data: bytes) -> bool:
    """Whether broken UTF-8 is more likely than another charset: most of the non-ASCII bytes decode."""
    text = data[:_SAMPLE_BYTES].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    good = len(text) - broken - len(text.encode("ascii", "ignore"))
    return good > 2 * broken


def guess(data: bytes) -> str:
    """Name of a codec for `data`, which is 8-bit and not UTF-8; "cp1252" if no other is more likely."""
    head = data[:_LOOK_AT_BYTES]
    if head.isascii():
        at = len(data) - len(data.lstrip(bytes(range(128))))
        head = data[at : at + _LOOK_AT_BYTES]
    runs = head.translate(_MARK_HIGH).split()
    high = sum(map(len, runs))
    in_runs = high - runs.count(b"x")
    if high < 4:
        return "cp1252"
    if in_runs * 2 <= high and not head.translate(None, _IN_1252):
        letters = len(head) - len(head.translate(None, _ASCII_LETTERS))
        if high * 20 < letters:
            return "cp1252"
    return _detected(_dense(head))


def _detected(sample: bytes) -> str:
    """What the detector finds; what it found last if the mail has had as many detections as it may."""
    limits = current()
    if limits.detections > 0:
        limits.detections -= 1
        limits.charge(DETECTION)
        limits.guess = detect(sample)
    return limits.guess


def _dense(head: bytes) -> bytes:
    """The lines with high bytes, up to a bound: the input of the detector."""
    if len(head) <= _DETECT_BYTES:
        return head
    lines: list[bytes] = []
    size = 0
    for line in head.split(b"\n"):
        if not line.isascii():
            lines.append(line)
            size += len(line) + 1
            if size >= _DETECT_BYTES:
                break
    return b"\n".join(lines)[: 2 * _DETECT_BYTES]


@lru_cache(maxsize=256)
def detect(sample: bytes) -> str:
    """The codec that charset-normalizer finds."""
    from charset_normalizer import from_bytes

    try:
        best = from_bytes(sample, cp_isolation=CANDIDATES, preemptive_behaviour=False).best()
    except Exception:  # a failure of the detector is not a failure of the mail
        best = None
    return "cp1252" if best is None or best.encoding not in CANDIDATES else best.encoding
