"""`Received` fields (RFC 5321, section 4.4) to hops, and the path of a mail as Zeek's smtp.log has it.

A clause is what stands between its keyword and the next one, comments included; keywords inside comments are
none. The path follows Zeek's scripts/base/protocols/smtp/main.zeek and scripts/base/utils/addrs.zeek: of each
field the second address that stands in brackets or between blanks, else the first; an address is not repeated
at once.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from zeekpop3.message.dates import USUAL, instant, since_epoch

MAX_RECEIVED = 1_000
_MAX_CLAUSES_LENGTH: Final = 65_536

_INNERMOST: Final = r"\([^()]*+\)"
_INNER: Final = rf"\([^()\\]*+(?:(?:\\.|{_INNERMOST})[^()\\]*+)*+\)"
_COMMENT: Final = rf"\([^()\\]*+(?:\)|(?:(?:\\.|{_INNER})[^()\\]*+)++\))"


def _pattern(word: str, bracketed: str, comment: str) -> re.Pattern[str]:
    """A field as mail programs write it; given are the characters of its words, its addresses in brackets and
    its comments.
    """
    comment = _COMMENT.replace(r"[^()\\]*+(?:\)|", rf"{comment}*+(?:\)|", 1)
    clause = rf"{word}++(?:[ \t]*+{comment})*+"
    # with: "Microsoft SMTPSVC(5.0)", "local (Exim 3.36)": words up to the next keyword
    words = rf"(?:{clause}|{comment})(?:[ \t]++(?!(?:id|for|from|by|via)[ \t]){clause})*+"
    host = rf"{word}++(?:[ \t]++\[{bracketed}*+\])?+(?:[ \t]*+{comment})*+"
    return re.compile(
        rf"(?:{comment}[ \t]*+)?+(?:from[ \t]++({host}|{comment})[ \t]*+)?+"
        rf"(?:by[ \t]++({host})[ \t]*+)?+(?:{comment}[ \t]*+)*+"
        rf"(?:via[ \t]++{clause}[ \t]*+)?+(?:with[ \t]++({words})[ \t]*+)?+(?:id[ \t]++({clause})[ \t]*+)?+"
        rf"(?:for[ \t]++({clause})[ \t]*+)?+(?:{comment}[ \t]*+)*+;(?:{USUAL}\Z|[^;]*+\Z)",
        re.DOTALL,
    )


_USUAL: Final = _pattern(r"[^ \t();]", r"[^ \t\]]", r"[^()\\]")
# The same for fields in ASCII without controls: a class of what may come is quicker than one of what may not.
_ASCII: Final = _pattern(r"[!-'*-:<-~]", r"[!-\\^-~]", r"[\t -'*-\[\]-~]")
_DAY: Final = 6  # the group
_PIECE: Final = re.compile(rf"{_COMMENT}|[^\s()]++|\S", re.DOTALL)
_KEYWORDS: Final = frozenset(("from", "by", "via", "with", "id", "for"))

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_ANY_IPV4: Final = re.compile(_IPV4)
_OCTETS: Final = frozenset(f"{i:0{width}}" for width in (1, 2, 3) for i in range(256))
_LONGEST_IPV4: Final = 15
# An expression that begins with a fixed character is searched for much quicker.
_IN_OTHERS: Final = re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}[) }]")
_WRAPPED_IPV4: Final = re.compile(rf"([\[({{ ])({_IPV4})(?=([\])}} ]))")
_PAIRS: Final = {"[": "]", "(": ")", "{": "}", " ": " ", "": ""}
_IPV6_CANDIDATE: Final = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")


class Received(NamedTuple):
    """One hop. Strings as written (raw: the field without its folds), `date` in microseconds since the epoch,
    UTC.
    """

    raw: str
    from_: str | None
    by: str | None
    with_: str | None
    id: str | None
    for_: str | None
    date: int | None


_new: Final = tuple.__new__  # half the time of the class's own; a mail has several hops


def route(values: list[str]) -> tuple[list[Received], list[str]]:
    """The hops that `Received` fields tell of, in order (the last host first), and the addresses of the hosts
    that the mail went through.
    """
    hops: list[Received] = []
    path: list[str] = []
    last = ""
    for raw in values:
        found: list[str]
        match = _ASCII.match(raw) or _USUAL.match(raw)
        if match is None:
            hops.append(_unusual(raw))
            found = _wrapped(raw)
        else:
            from_, by, with_, id_, for_, day, minute, second, zone = match.groups()
            date = since_epoch(day, minute, second, zone) if day is not None else None
            if date is None:
                date = instant(raw.rpartition(";")[2], None)
            for_ = _bare(for_) if for_ is not None else None
            hops.append(_new(Received, (raw, from_, by, with_, id_, for_, date)))
            found = _wrapped(raw) if day is None else _before(raw, match.start(_DAY))
        if found:
            address = found[1] if len(found) > 1 else found[0]
            if address != last:
                path.append(address)
                last = address
    return hops, path


def _before(value: str, date: int) -> list[str]:
    """Addresses in a field whose date begins at `date`. None can stand in a date, but in a comment after
    it.
    """
    colon = value.find(":")
    # The colons of the time are all that there are: so no IPv6.
    if colon < date or value.rfind(":") != colon + 3 or value.find(".", date) >= 0:
        return _wrapped(value)
    return _ipv4(value, date)


def _ipv4(value: str, end: int) -> list[str]:
    """IPv4 addresses before `end` that stand in brackets or between blanks, in order."""
    if _IN_OTHERS.search(value, 0, end) is None:
        return _in_brackets(value, end)
    found: list[tuple[str, str, str]] = _WRAPPED_IPV4.findall(value, 0, end)
    return [address for before, address, after in found if _PAIRS[before] == after]


def _in_brackets(value: str, end: int) -> list[str]:
    """The IPv4 addresses in square brackets, in order."""
    out: list[str] = []
    at = value.find("[", 0, end)
    while at >= 0:
        at += 1
        stop = value.find("]", at, at + _LONGEST_IPV4 + 1)
        if stop > 0:
            address = value[at:stop]
            octets = address.split(".")
            if len(octets) == 4 and _OCTETS.issuperset(octets):
                out.append(address)
        at = value.find("[", at, end)
    return out


def _unusual(raw: str) -> Received:
    head, semicolon, when = raw[:_MAX_CLAUSES_LENGTH].rpartition(";")
    if not semicolon:
        head, when = when, ""
    clauses: dict[str, list[str]] = {}
    current: list[str] | None = None
    for piece in _PIECE.findall(head):
        low = piece.lower()
        if low in _KEYWORDS and low not in clauses and current != []:
            current = clauses[low] = []
        elif current is not None:
            current.append(piece)
    date = instant(when, None) if when.strip() else None
    said = {name: " ".join(pieces) or None for name, pieces in clauses.items()}
    for_ = said.get("for")
    return Received(
        raw,
        said.get("from"),
        said.get("by"),
        said.get("with"),
        said.get("id"),
        _bare(for_) if for_ is not None else None,
        date,
    )


def _bare(address: str) -> str:
    return address[1:-1] if address[0] == "<" and address[-1] == ">" else address


def first_address(value: str) -> str | None:
    """The first IP address anywhere in a value (X-Originating-IP), or None."""
    if "." in value:
        match = _ANY_IPV4.search(value[:_MAX_CLAUSES_LENGTH])
        if match is not None and ":" not in value:
            return match[0]
    found = _addresses(value)
    return found[0][1] if found else None


def _wrapped(value: str) -> list[str]:
    """Addresses that stand in brackets or between blanks, in order."""
    if "::" not in value and value.count(":") <= 6:
        return _ipv4(value, len(value))
    return [address for before, address, after in _addresses(value) if _PAIRS.get(before) == after]


def _addresses(value: str) -> list[tuple[str, str, str]]:
    """IP addresses of both kinds with the characters around them, in order."""
    from ipaddress import IPv6Address

    value = value[:_MAX_CLAUSES_LENGTH]
    out: list[tuple[int, str, str, str]] = []
    rest = value
    for match in _IPV6_CANDIDATE.finditer(value):
        text = match[0].rstrip(".")
        try:
            if len(text) > 45:
                continue
            IPv6Address(text)
        except ValueError:
            continue
        start, end = match.start(), match.start() + len(text)
        out.append((start, value[start - 1 : start] if start else "", text, value[end : end + 1]))
    if out:
        rest = _IPV6_CANDIDATE.sub(lambda found: "x" * len(found[0]), value)
    for match in _ANY_IPV4.finditer(rest):
        start, end = match.span()
        out.append((start, value[start - 1 : start] if start else "", match[0], value[end : end + 1]))
    return [item[1:] for item in sorted(out)]
