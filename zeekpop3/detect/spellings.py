"""Spellings that lead to the same place: of a URL (WHATWG URL) and of a file name (as Windows opens it)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from zeekpop3.message import urls

# Browsers ignore the first at both ends of a URL, and the second anywhere in it.
_EDGES = "".join(map(chr, range(33)))
_NOT_IN_URL = re.compile(r"[\t\n\r]+")
# `host:8080/a` has no scheme; `mailto:a` has one.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+-]*+):(?![0-9]{1,5}(?:[/?#\\]|\Z))")
_DEFAULT_PORTS = {"http": (80,), "https": (443,), "ws": (80,), "wss": (443,), "ftp": (21,), "": (80, 443)}
_AUTHORITY = re.compile(r"[^/?#]*+")
_PORT = re.compile(r":([0-9]*+)\Z")
_CODE = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_KEPT = "!#$%&'()*+,/:;=?@[]\\|"  # of ASCII what a path or a query may have as it is
_MAX_SEGMENTS = 1_000

_STREAM = re.compile(r"::?\$[a-z_]{1,40}\Z", re.IGNORECASE)
_AT_THE_END = re.compile(r"[.\s\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+\Z")


def url_key(url: str) -> str:
    """What all spellings of a URL have in common, without scheme, as Zeek's Intel framework has URLs: host in
    the form of the tables, port unless it is the scheme's, path without `.`, `..` and last slash, and query.
    What need not be percent-encoded is not. User and fragment do not count.
    """
    url = _NOT_IN_URL.sub("", url.strip(_EDGES)).partition("#")[0]
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match is not None else ""
    rest = url[match.end() :] if match is not None else url
    if scheme and scheme not in _DEFAULT_PORTS and not rest.startswith(("//", "\\\\")):
        return f"{scheme}:{rest}"
    path, mark, query = rest.partition("?")
    path = path.replace("\\", "/").lstrip("/")
    authority = _AUTHORITY.match(path)[0]  # type: ignore[index]
    path = path[len(authority) :]
    authority = authority.rpartition("@")[2]
    port = _PORT.search(authority)
    shown_port = ""
    if port is not None:
        number = port[1].lstrip("0")
        if number and not (len(number) < 6 and int(number) in _DEFAULT_PORTS.get(scheme, ())):
            shown_port = f":{number}"
        authority = authority[: port.start()]
    host = urls.split(f"http://{authority}")[1]
    path = _without_dots(_decoded(path)).rstrip("/")
    return f"{host}{shown_port}{path}" + (f"?{_decoded(query)}" if mark and query else "")


def _decoded(text: str) -> str:
    """Text with the same characters percent-encoded, however it is written (RFC 3986, section 6.2.2)."""
    if "%" in text:
        text = _CODE.sub(_character, text)
    return text if text.isascii() and text.isalnum() else quote(text, safe=_KEPT)


def _character(code: re.Match[str]) -> str:
    number = int(code[1], 16)
    return chr(number) if number in _UNRESERVED else code[0].upper()


def _without_dots(path: str) -> str:
    """A path without `.` and `..` (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    out: list[str] = []
    for segment in path.split("/", _MAX_SEGMENTS):
        if segment == "..":
            if len(out) > 1:
                out.pop()
        elif segment != ".":
            out.append(segment)
    return "/".join(out)


def file_key(name: str) -> str:
    """What all spellings of a file name have in common: nothing behind a NUL, no folder, no stream of NTFS,
    no dots and blanks at the end; compatible characters (NFKC) and letters of both cases are the same.
    """
    name = unicodedata.normalize("NFKC", name.partition("\0")[0])
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = _AT_THE_END.sub("", _STREAM.sub("", _AT_THE_END.sub("", name)))
    return name.casefold()
