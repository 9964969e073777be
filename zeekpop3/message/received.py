"""`Received` fields (RFC 5321, section 4.4) → hops, and the path of a mail as in Zeek's smtp.log.

A clause is the text between its keyword and the next one, comments included; keywords inside comments do not
count. The path follows Zeek's scripts/base/protocols/smtp/main.zeek and scripts/base/utils/addrs.zeek: of
each field the second address in brackets or between blanks, else the first; an address is not repeated at
once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import NamedTuple

from zeekpop3.message.dates import USUAL_DATE, from_usual, instant
from zeekpop3.message.header_text import split_comments

MAX_RECEIVED = 1_000
_MAX_SEARCHED = 65_536

# Comments, up to three levels deep. Each character is looked at once.
_INNERMOST = r"\([^()]*+\)"
_INNER = rf"\([^()\\]*+(?:(?:\\.|{_INNERMOST})[^()\\]*+)*+\)"
_COMMENT = rf"\([^()\\]*+(?:\)|(?:(?:\\.|{_INNER})[^()\\]*+)++\))"
_CLAUSE = rf"[^ \t();]++(?:[ \t]*+{_COMMENT})*+"
# with: "Microsoft SMTPSVC(5.0)", "local (Exim 3.36)": words up to the next keyword
_WORDS = rf"(?:{_CLAUSE}|{_COMMENT})(?:[ \t]++(?!(?:id|for|from|by|via)[ \t]){_CLAUSE})*+"
_HOST = rf"[^ \t();]++(?:[ \t]++\[[^ \t\]]*+\])?+(?:[ \t]*+{_COMMENT})*+"
# A field as most mail programs write it: from, by, with, id, for, and the groups of the date.
_USUAL = re.compile(
    rf"(?:{_COMMENT}[ \t]*+)?+(?:from[ \t]++({_HOST}|{_COMMENT})[ \t]*+)?+"
    rf"(?:by[ \t]++({_HOST})[ \t]*+)?+(?:{_COMMENT}[ \t]*+)*+(?:via[ \t]++{_CLAUSE}[ \t]*+)?+"
    rf"(?:with[ \t]++({_WORDS})[ \t]*+)?+(?:id[ \t]++({_CLAUSE})[ \t]*+)?+(?:for[ \t]++({_CLAUSE})[ \t]*+)?+"
    rf"(?:{_COMMENT}[ \t]*+)*+;(?:{USUAL_DATE}\Z|[^;]*+\Z)",
    re.DOTALL,
)
_KEYWORDS = frozenset(("from", "by", "via", "with", "id", "for"))

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
# An address in brackets or between blanks, from its first dot: a search for a fixed character is the fastest.
_WRAPPED_IPV4 = re.compile(
    r"\.(?=[0-9]{1,3}\.[0-9])(?:(?<=([\[({ ][0-9]\.))|(?<=([\[({ ][0-9]{2}\.))|"
    r"(?<=([\[({ ](?:25[0-5]|2[0-4][0-9]|[01][0-9]{2})\.)))"
    rf"({_OCTET}\.{_OCTET}\.{_OCTET})(?=([\])}} ]))"
)
_CLOSING = {"[": "]", "(": ")", "{": "}", " ": " ", "": ""}
_IPV6_TAG = re.compile(r"(?<=\[)IPv6:", re.IGNORECASE | re.ASCII)  # RFC 5321, section 4.1.3
_HEX_RUN = re.compile(r"[0-9A-Fa-f:]++")
_MAX_IPV6_LENGTH = 45
_HEX_RUN_WITH_DOTS = re.compile(rf"[0-9A-Fa-f:.]{{0,{_MAX_IPV6_LENGTH + 1}}}+")
_COLONS_OF_A_TIME = 2


class Received(NamedTuple):
    """One hop. Strings as written (`raw`: the unfolded field); `date`: microseconds since the epoch, UTC."""

    raw: str
    from_: str | None
    by: str | None
    with_: str | None
    id: str | None
    for_: str | None
    date: int | None


def route(values: list[str]) -> tuple[list[Received], list[str]]:
    """The hops of `Received` fields, the last host first, and the addresses of the hosts on the path."""
    hops: list[Received] = []
    path: list[str] = []
    last = ""
    for raw in values:
        match = _USUAL.match(raw)
        if match is None:
            hops.append(_unusual(raw))
            found = _wrapped(raw)
        else:
            from_, by, with_, id_, for_, *when = match.groups()
            date = None if when[0] is None else from_usual(*when)
            if date is None:
                date = instant(raw.rpartition(";")[2], None)
            hops.append(Received(raw, from_, by, with_, id_, _without_angles(for_), date))
            # If the only colons are those of the date, there is no IPv6 address.
            plain = when[0] is not None and raw.count(":") == _COLONS_OF_A_TIME
            found = _wrapped_ipv4(raw) if plain else _wrapped(raw)
        if found:
            address = found[1] if len(found) > 1 else found[0]
            if address != last:
                path.append(address)
                last = address
    return hops, path


def first_address(value: str) -> str | None:
    """The first IP address anywhere in a value (X-Originating-IP), or None."""
    found = _addresses(value)
    return found[0][1] if found else None


def _unusual(raw: str) -> Received:
    head, semicolon, when = raw[:_MAX_SEARCHED].rpartition(";")
    if not semicolon:
        head, when = when, ""
    clauses: dict[str, list[str]] = {}
    current: list[str] | None = None
    for piece in _pieces(head):
        keyword = piece.lower()
        if keyword in _KEYWORDS and keyword not in clauses and current != []:
            current = clauses[keyword] = []
        elif current is not None:
            current.append(piece)
    from_, by, with_, id_, for_ = (
        " ".join(clauses.get(keyword, ())) or None for keyword in ("from", "by", "with", "id", "for")
    )
    date = instant(when, None) if when.strip() else None
    return Received(raw, from_, by, with_, id_, _without_angles(for_), date)


def _pieces(text: str) -> Iterator[str]:
    """The words and comments of a field, in order."""
    for index, piece in enumerate(split_comments(text)):
        yield from (piece,) if index % 2 else piece.split()


def _without_angles(address: str | None) -> str | None:
    return address[1:-1] if address and address[0] == "<" and address[-1] == ">" else address


def _wrapped(value: str) -> list[str]:
    """Addresses in brackets or between blanks, in order."""
    if "::" not in value and value.count(":") <= 6:
        return _wrapped_ipv4(value)
    return [address for before, address, after in _addresses(value) if _CLOSING.get(before) == after]


def _wrapped_ipv4(value: str) -> list[str]:
    return [
        begin[1:] + rest
        for one, two, three, rest, after in _WRAPPED_IPV4.findall(value, 0, _MAX_SEARCHED)
        if _CLOSING[(begin := one or two or three)[0]] == after
    ]


def _addresses(value: str) -> list[tuple[str, str, str]]:
    """IP addresses of both kinds with the characters around them, in order."""
    value = _IPV6_TAG.sub("", value[:_MAX_SEARCHED])
    out: list[tuple[int, str, str, str]] = []
    behind = 0  # the end of the last IPv6 address
    for run in _HEX_RUN.finditer(value):
        start = run.start()
        if start < behind or run[0].count(":") < 2:
            continue
        text = _HEX_RUN_WITH_DOTS.match(value, start)[0].rstrip(".")  # type: ignore[index]
        if len(text) > _MAX_IPV6_LENGTH:
            continue
        try:
            IPv6Address(text)
        except ValueError:
            continue
        behind = start + len(text)
        out.append((start, value[start - 1 : start] if start else "", text, value[behind : behind + 1]))
    taken = {start + at for start, _, text, _ in out if "." in text for at in range(len(text))}
    for match in _IPV4.finditer(value):
        start, end = match.span()
        if start not in taken:
            out.append((start, value[start - 1 : start] if start else "", match[0], value[end : end + 1]))
    return [item[1:] for item in sorted(out)]
