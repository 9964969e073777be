"""Hosts in one form, and their registered domains (sites) by the public suffix list.

The form of every host, domain and site column: lower case, IDN decoded to Unicode, no dot at the end. The
list is the one that the package `publicsuffixlist` ships; nothing is fetched.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_HOST = 253  # characters (RFC 1035, section 2.3.4)

_CACHED = 1 << 11
_ASCII_LABELS = re.compile(r"[a-z0-9_-]++(?:\.[a-z0-9_-]++)*+")
_OTHER_DOTS = re.compile("[\u3002\uff0e\uff61]")
# Characters that UTS 46 ignores in host names.
_IGNORED = re.compile("[\u00ad\u034f\u180b-\u180d\u200b\u2060\ufe00-\ufe0f\ufeff]")
_NOT_IN_LABEL = re.compile(r"[\0-,/:-@\[-^`{-\x7f]")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_PART_OF_IPV4 = re.compile(r"[0-9]{1,20}|0x[0-9a-f]{0,16}")


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    # Hosts are looked up decoded, so the list is not needed in Punycode: a third of the time to load it.
    return PublicSuffixList(accept_encoded_idn=False)


def host_and_site(host: str) -> tuple[str, str | None]:
    """`host` in the form of the columns, and its registered domain: None for IP addresses, public suffixes,
    and what is not a host name. A label that is not valid Punycode stays as it is.
    """
    return _known(host) if len(host) <= MAX_HOST else (host.lower().rstrip("."), None)


def normal_host(host: str) -> str:
    """`host` in the form of the columns."""
    return host_and_site(host)[0]


def site_of(host: str) -> str | None:
    """The registered domain, or None."""
    return host_and_site(host)[1]


def listed_site(host: str) -> str | None:
    """The registered domain if the list has its suffix: for words of a text that may be a host."""
    name, site = host_and_site(host)
    return site if site is not None and _suffixes().publicsuffix(name, accept_unknown=False) else None


def is_public_suffix(name: str) -> bool:
    """Whether names directly below `name` can be registered (`com`, `co.uk`, `github.io`)."""
    name = normal_host(name)
    return _is_name(name) and _suffixes().is_public(name)


@lru_cache(_CACHED)
def _known(host: str) -> tuple[str, str | None]:
    name = host.lower()
    if not name.isascii():
        name = unicodedata.normalize("NFKC", _IGNORED.sub("", _OTHER_DOTS.sub(".", name))).lower()
    name = name.rstrip(".")
    if "xn--" in name:
        name = ".".join(_decoded(label) if label.startswith("xn--") else label for label in name.split("."))
    site = _suffixes().privatesuffix(name) if _is_name(name) else None
    return name, name if site == name else site  # the same string, not two


def _is_name(name: str) -> bool:
    """Whether a host is a name and not an IP address (WHATWG URL, "ends in a number")."""
    if _ASCII_LABELS.fullmatch(name) is None and (
        name.isascii() or _NOT_IN_LABEL.search(name) or not name.isprintable() or "" in name.split(".")
    ):
        return False
    return _NUMBER.fullmatch(name, name.rfind(".") + 1) is None


def _decoded(label: str) -> str:
    """A label of Punycode (RFC 3492) as Unicode, if it is the encoding of what can be shown as a label."""
    if len(label) > 63:
        return label
    try:
        text = label[4:].encode("ascii").decode("punycode")
        if text.isascii() or text.encode("punycode") != label[4:].encode("ascii"):
            return label
    except (ValueError, OverflowError):
        return label
    is_normal = text == unicodedata.normalize("NFKC", text).lower()
    return text if is_normal and text.isprintable() and not _NOT_IN_LABEL.search(text) else label


def compressed(host: str) -> str:
    """An IPv6 address in its shortest form."""
    try:
        return f"[{IPv6Address(host[1:-1])}]"
    except ValueError:
        return host


def dotted(host: str) -> str:
    """An IPv4 address in any of the forms that browsers take (`0x7f.1`, `2130706433`) with four numbers."""
    numbers: list[int] = []
    for part in host.split("."):
        if _PART_OF_IPV4.fullmatch(part) is None:
            return host
        base = 16 if part[:2] == "0x" else 8 if part[0] == "0" and part.isdigit() and len(part) > 1 else 10
        try:
            numbers.append(int(part[2:] or "0" if base == 16 else part, base))
        except ValueError:
            return host
    *first, last = numbers
    if len(first) > 3 or any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return host
    value = last + sum(number << 8 * (3 - i) for i, number in enumerate(first))
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
