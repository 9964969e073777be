"""The type of a file by its first bytes: types that `filetype` does not know, and files that can hold
others."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

ZIP_END = b"PK\x05\x06"
"""What a zip file ends with, whatever it begins with: a program, a picture."""
HEAD_BYTES = 36_864
"""Of a file, for `container_of`: the marks of a disk image (ECMA-119, ECMA-167) begin at 32,769."""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ONENOTE = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"
SHORTCUT = b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"
_VOLUME = 32_769
_USTAR = 257
_TYPE_BYTES = 8_192  # that filetype looks at
_DER_BYTES = 64

#: Beginning → (kind of container, MIME type). Only those of `containers` are opened.
_BEGINNINGS = {
    b"PK\x03\x04": ("zip", None),
    b"PK\x05\x06": ("zip", None),
    b"\x1f\x8b\x08": ("gzip", None),
    b"BZh": ("bzip2", None),
    b"\xfd7zXZ\x00": ("xz", None),
    OLE: ("ole", "application/x-ole-storage"),
    b"%PDF-": ("pdf", None),
    b"{\\rt": ("rtf", "application/rtf"),
    b"Rar!\x1a\x07": ("rar", "application/x-rar-compressed"),
    b"7z\xbc\xaf\x27\x1c": ("7z", None),
    b"MSCF\0\0\0\0": ("cab", None),
    b"ISc(": ("cab", "application/x-installshield"),
    b"MSWIM\0\0\0": ("wim", "application/x-ms-wim"),
    b"vhdxfile": ("vhdx", "application/x-vhdx-disk"),
    b"conectix": ("vhd", "application/x-vhd-disk"),
    ONENOTE: ("onenote", "application/onenote"),
    b"ITSF\x03\0\0\0": ("chm", "application/vnd.ms-htmlhelp"),
    b"\x28\xb5\x2f\xfd": ("zstd", None),
    b"\x04\x22\x4d\x18": ("lz4", None),
    b"LZIP": ("lzip", None),
    b"\x89LZO\0": ("lzop", None),
    b"\x1f\x9d": ("compress", None),
    b"\x60\xea": ("arj", "application/x-arj"),
    b"xar!": ("xar", "application/x-xar"),
    b"!<arch>\n": ("ar", None),
    b"\xed\xab\xee\xdb": ("rpm", None),
    b"070701": ("cpio", "application/x-cpio"),
    b"070707": ("cpio", "application/x-cpio"),
    b"\x78\x9f\x3e\x22": ("tnef", "application/vnd.ms-tnef"),
    b"ActiveMime\0": ("activemime", "application/x-mso"),
    b"\x5d\0\0": ("lzma", "application/x-lzma"),
    b"hsqs": ("squashfs", "application/x-squashfs"),
    b"KDMV": ("vmdk", "application/x-vmdk-disk"),
    b"QFI\xfb": ("qcow", "application/x-qcow-disk"),
    b"-----BEGIN PKCS7": ("pem", None),
    b"-----BEGIN CMS": ("pem", None),
    b"-----BEGIN PGP MESSAGE": ("encrypted", "application/pgp-encrypted"),
    SHORTCUT: (None, "application/x-ms-shortcut"),
    b"[InternetShortcut]": (None, "application/x-mswinurl"),
    b"\xca\xfe\xba\xbe": (None, "application/java-vm"),
    b"\xcf\xfa\xed\xfe": (None, "application/x-mach-binary"),
    b"\xce\xfa\xed\xfe": (None, "application/x-mach-binary"),
    b"regf": (None, "application/x-windows-registry-hive"),
}
_BEGINNING = re.compile(b"|".join(re.escape(begin) for begin in sorted(_BEGINNINGS, key=len, reverse=True)))
_LHA = re.compile(rb"-l[hz][0-9ds]-")
_VOLUMES = (b"CD001", b"BEA01", b"NSR02", b"NSR03")
# A message in a file: three header fields in a row, or what Office writes; in front of it what mbox has.
_MESSAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?+(?:From [^\r\n]{0,998}+\r?\n)?+(?:MIME-Version: ?1"
    rb"|(?:[A-Za-z][A-Za-z0-9-]{1,40}+: [^\r\n]{0,998}+\r?\n(?:[ \t][^\r\n]{0,998}+\r?\n){0,9}){3})"
)
_UUENCODED = re.compile(rb"begin[ \t]{1,8}[0-7]{3,4}[ \t]{1,8}[^\r\n]")
#: Programs that unpack what they carry: the marks of rar, 7z and cab files in them.
_PROGRAM = b"MZ"
_CARRIED = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"MSCF\0\0\0\0")
#: Extensions of files with a message in them.
MESSAGE_EXTENSIONS = frozenset(("eml", "emlx", "mbox", "mht", "mhtml", "nws"))
#: ContentInfo with the type signedData or compressedData (RFC 5652, 5.1; RFC 3274).
_SIGNED = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
_COMPRESSED = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09"
#: ContentInfo with the type envelopedData or authEnvelopedData (RFC 5652, 6.1; RFC 5083).
_ENVELOPED = (
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03",
    b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17",
)


#: Beginnings of files that hold no others and that the detector does not know: metafiles of Windows, sound,
#: certificates and keys (DER).
_WITHOUT_FILES = (
    b"\x01\0\0\0\x6c\0\0\0", b"\xd7\xcd\xc6\x9a", b"\x01\0\x09\0", b".snd",
    b"\x30\x80", b"\x30\x81", b"\x30\x82", b"\x30\x83",
)  # fmt: skip
#: Types that the detector knows and that hold no files, or of which only a program knows what is in them.
_PLAIN = frozenset((
    "application/pdf", "application/rtf", "application/postscript", "application/dicom", "application/wasm",
    "application/x-msdownload", "application/x-executable", "application/java-vm",
    "application/x-mach-binary", "application/x-ms-shortcut", "application/x-mswinurl",
    "application/x-windows-registry-hive",
    "application/font-sfnt", "application/font-woff",
))  # fmt: skip
_MEDIA = ("image/", "audio/", "video/", "font/", "text/")


def may_hold_files(head: bytes, tail: list[bytes]) -> bool:
    """Whether a file with this beginning and these last pieces is a container of any kind."""
    return (
        container_of(head) is not None or head.startswith(_PROGRAM) or any(ZIP_END in piece for piece in tail)
    )


def container_of(head: bytes) -> str | None:
    """The kind of container that a file begins like: "zip", "rar", …, "encrypted" for PGP and S/MIME; None if
    nothing can be inside.
    """
    return _found(head)[0]


def mime_type(head: bytes, declared: str | None) -> str | None:
    """The MIME type, or None if the bytes do not show it. The declared type is tried first."""
    import filetype

    known = _found(head)[1]
    if head[:1] == b"<":
        return known  # text, which has no magic; most of what is in documents
    head = head[:_TYPE_BYTES]
    try:
        if declared is not None and len(declared) < 40:
            matcher = _matcher(declared)
            if matcher is not None and matcher.match(bytearray(head)):
                return declared
        found: str | None = filetype.guess_mime(head)
    except Exception:  # a failure of the detector is not a failure of the mail
        return known
    return found or known


@lru_cache(maxsize=256)
def _matcher(declared: str) -> Any:
    """The library's test for one type; none for zip, which is also the beginning of a .docx."""
    import filetype

    return None if "zip" in declared else filetype.get_type(mime=declared)


def _found(head: bytes) -> tuple[str | None, str | None]:
    match = _BEGINNING.match(head)
    if match is not None:
        return _BEGINNINGS[match[0]]
    if head[_VOLUME : _VOLUME + 5] in _VOLUMES:
        return "iso", "application/x-iso9660-image"
    if head[_USTAR : _USTAR + 5] == b"ustar":
        return "tar", "application/x-tar"
    if head[7:14] == b"**ACE**":
        return "ace", "application/x-ace-compressed"
    if _LHA.match(head, 2) is not None:
        return "lha", "application/x-lzh-compressed"
    if head[:1] == b"\x30":
        begin = head[:_DER_BYTES]
        if any(mark in begin for mark in _ENVELOPED):
            return "encrypted", "application/pkcs7-mime"
        if _SIGNED in begin or _COMPRESSED in begin:
            return "cms", "application/pkcs7-mime"
    if _is_old_tar(head):
        return "tar", "application/x-tar"
    if _MESSAGE.match(head) is not None:
        return "message", None
    if _UUENCODED.match(head) is not None:
        return "uuencode", None
    return None, None


def _is_old_tar(head: bytes) -> bool:
    """Whether the first block is a header of tar before POSIX, which has no magic, but a sum of its bytes."""
    stated = head[148:156].strip(b" \0")
    if len(head) < 512 or not 0 < len(stated) <= 6 or stated.strip(b"01234567"):
        return False
    return sum(head[:148]) + sum(head[156:512]) + 8 * 32 == int(stated, 8)


def carries_files(content: bytes) -> bool:
    """Whether a program carries an archive that is not opened here, which it unpacks when it runs."""
    return content.startswith(_PROGRAM) and any(mark in content for mark in _CARRIED)


def is_opaque(head: bytes, mime_type: str | None) -> bool:
    """Whether a file that is neither a text nor a container that is known may hold others: its type is
    unknown, or one that packs its content.
    """
    if not head or head.startswith(_WITHOUT_FILES) or container_of(head) is not None:
        return False
    return mime_type is None or not (mime_type.startswith(_MEDIA) or mime_type in _PLAIN)
