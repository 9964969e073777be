"""What an indicator is: a type, a value, and the key by which it is compared.

The key is the normalised value: addresses and domains in lower case, hashes in lower case, networks with
their host bits cleared, URLs without scheme, as Zeek's Intel framework has them. Spellings that lead to the
same place have the same key: of a URL by the WHATWG URL standard, of a file name as Windows opens it. A value
may be defanged (`hxxp://evil[.]example`), as reports write them.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

from zeekpop3.message import urls
from zeekpop3.message.sites import is_public_suffix, normal_host

#: The types that can be matched, named as in Zeek's `Intel::Type` (base/frameworks/intel/main.zeek).
#: Zeek has none for subjects.
TYPES = (
    "ADDR", "SUBNET", "URL", "DOMAIN", "EMAIL", "USER_NAME", "FILE_HASH", "FILE_NAME", "SOFTWARE", "SUBJECT",
)  # fmt: skip
# A port behind an address or a name: 192.0.2.7:443, 192.0.2.7|443, evil.example:8080, [2001:db8::7]:25.
_WITH_PORT = re.compile(r"([^\s:/|@\[\]]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])[:|]([0-9]{1,5})")
_HASH = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_DEFANGED = (
    (re.compile(r"^h(?:xx|\*\*|tt)p(s?)(?=[\[(:])", re.IGNORECASE), r"http\1"),
    (re.compile(r"[\[({]://[\])}]|[\[({]:[\])}]//|:[\[({]//[\])}]"), "://"),
    (re.compile(r"[\[({]:[\])}](?=\d)"), ":"),
    (re.compile(r"\[/\]"), "/"),
    (re.compile(r"\s?[\[({]\s?(?:\.|dot|punkt)\s?[\])}]\s?|\\\.", re.IGNORECASE), "."),
    (re.compile(r"\s?[\[({]\s?(?:@|at)\s?[\])}]\s?", re.IGNORECASE), "@"),
)
_DOMAIN = re.compile(r"(?:[\w](?:[\w-]{0,61}\w)?\.)+\w[\w-]{0,61}\w", re.IGNORECASE)
_EXTENSION = re.compile(
    r"\.(?:exe|dll|scr|js|jse|vbs|vbe|wsf|hta|bat|cmd|ps1|lnk|iso|img|vhd|zip|rar|7z|gz|tar|cab|ace|docx?|docm|xlsx?|"
    r"xlsm|xlsb|pptx?|pptm|rtf|pdf|html?|shtml|svg|one|jar|apk|msi|chm|url|xll|txt|csv|eml|msg)$",
    re.IGNORECASE,
)
_URL = re.compile(r"https?:|ftp:|//|\\\\", re.IGNORECASE)
_QUOTED_ATOM = re.compile(r"\"([\w!#$%&'*+/=?^`{|}~.-]{1,64})\"")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Indicator:
    """One value to look for. `type` is one of TYPES, `value` as the list has it, `key` what is compared."""

    type: str
    value: str
    key: str
    source: str | None = None
    description: str | None = None


def refang(value: str) -> str:
    """A defanged value as it was: `hxxp` → `http`, `[.]` → `.`, `[at]` → `@`."""
    for pattern, replacement in _DEFANGED:
        value = pattern.sub(replacement, value)
    return value


def without_port(value: str) -> str:
    """An address or a host name without the port behind it; other values as they are."""
    match = _WITH_PORT.fullmatch(value)
    return match[1] if match is not None else value


def kinds_of(value: str) -> list[str]:
    """The types that a value without a stated type can have; empty if none is recognised.

    `report.zip` is a file name and a domain; it is matched as both.
    """
    if _HASH.fullmatch(value):
        return ["FILE_HASH"]
    if "://" in value or _URL.match(value):
        return ["URL"]
    try:
        ipaddress.ip_address(value.strip("[]"))
        return ["ADDR"]
    except ValueError:
        pass
    if "/" in value:
        try:
            ipaddress.ip_network(value, strict=False)
            return ["SUBNET"]
        except ValueError:
            return ["URL"] if _DOMAIN.fullmatch(value.partition("/")[0]) else []
    if _EMAIL.fullmatch(value):
        return ["EMAIL"]
    found = ["FILE_NAME"] if _EXTENSION.search(value) else []
    host = normal_host(value.lstrip("*."))
    top = host.rpartition(".")[2]
    if _DOMAIN.fullmatch(host) and not top.isdigit() and (not found or is_public_suffix(top)):
        found.append("DOMAIN")
    return found


def key_of(kind: str, value: str) -> str:
    """The form of a value that is compared. Raises ValueError if it does not have the form of its type."""
    if kind == "ADDR":
        address = ipaddress.ip_address(value.strip("[]"))
        return str(getattr(address, "ipv4_mapped", None) or address)
    if kind == "SUBNET":
        return str(ipaddress.ip_network(value, strict=False))
    if kind == "FILE_HASH":
        if not _HASH.fullmatch(value):
            raise ValueError(f"invalid hash {value[:80]!r}: expected MD5, SHA-1 or SHA-256 in hex; skipped")
        return value.lower()
    if kind == "URL":
        return url_key(value)
    if kind == "DOMAIN":
        if "/" in value:  # a URL, or a slash at the end
            value = urls.split(value if "//" in value else f"//{value}")[1]
        return normal_host(value.strip().lstrip("*."))
    if kind == "EMAIL":
        local, at, host = value.strip("<> ").lower().removeprefix("mailto:").rpartition("@")
        if (quoted := _QUOTED_ATOM.fullmatch(local)) is not None:  # the same mailbox (RFC 5321, 4.1.2)
            local = quoted[1]
        return f"{local}{at}{normal_host(host)}"
    if kind == "SUBJECT":
        return " ".join(value.split()).casefold()
    if kind == "FILE_NAME":
        return file_key(value)
    return value.casefold()  # USER_NAME, SOFTWARE


# -- spellings of a URL, of a file name --------------------------------------------------------------


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
_AT_THE_END = re.compile(r"[.\s]++\Z")
# Beside characters of format (Cf), what is drawn as nothing (Unicode: Default_Ignorable_Code_Point).
_UNDRAWN = re.compile(
    "[\u034f\u17b4\u17b5\u180b-\u180f\u2065\ufe00-\ufe0f\ufff0-\ufff8\U000e0000-\U000e0fff]++"
)
_BLANK = re.compile("[\\s\u115f\u1160\u2800]")  # also fillers of Hangul, and Braille without a dot


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
    no dots and blanks at the end, nothing that is not drawn; blanks of all kinds, compatible characters
    (NFKC) and letters of both cases are the same.
    """
    name = name.partition("\0")[0]
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
        name = "".join([letter for letter in name if unicodedata.category(letter) != "Cf"])
        name = _BLANK.sub(" ", _UNDRAWN.sub("", name))
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = _AT_THE_END.sub("", _STREAM.sub("", _AT_THE_END.sub("", name)))
    return name.casefold()
