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

MAX_RECEIVED: Final = 1_000
_MAX_CLAUSES_LENGTH: Final = 65_536

_INNERMOST: Final = r"\([^()]*+\)"
_INNER: Final = rf"\([^()\\]*+(?:(?:\\.|{_INNERMOST})[^()\\]*+)*+\)"
_COMMENT: Final = rf"\([^()\\]*+(?:(?:\\.|{_INNER})[^()\\]*+)*+\)"
_CLAUSE: Final = rf"[^ \t();]++(?:[ \t]*+{_COMMENT})*+"
# with: "Microsoft SMTPSVC(5.0)", "local (Exim 3.36)": words up to the next keyword
_WORDS: Final = rf"(?:{_CLAUSE}|{_COMMENT})(?:[ \t]++(?!(?:id|for|from|by|via)[ \t]){_CLAUSE})*+"
_HOST: Final = rf"[^ \t();]++(?:[ \t]++\[[^ \t\]]*+\])?+(?:[ \t]*+{_COMMENT})*+"
_USUAL: Final = re.compile(
    rf"(?:{_COMMENT}[ \t]*+)?+(?:from[ \t]++({_HOST}|{_COMMENT})[ \t]*+)?+"
    rf"(?:by[ \t]++({_HOST})[ \t]*+)?+(?:{_COMMENT}[ \t]*+)*+"
    rf"(?:via[ \t]++{_CLAUSE}[ \t]*+)?+(?:with[ \t]++({_WORDS})[ \t]*+)?+(?:id[ \t]++({_CLAUSE})[ \t]*+)?+"
    rf"(?:for[ \t]++({_CLAUSE})[ \t]*+)?+(?:{_COMMENT}[ \t]*+)*+;(?:{USUAL}\Z|[^;]*+\Z)",
    re.DOTALL,
)
_PIECE: Final = re.compile(rf"{_COMMENT}|[^\s()]++|\S", re.DOTALL)
_KEYWORDS: Final = frozenset(("from", "by", "via", "with", "id", "for"))

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_ANY_IPV4 = re.compile(_IPV4)
_IN_BRACKETS: Final = re.compile(rf"\[({_IPV4})\]")
# One kind of wrapping at a time: an expression that begins with a fixed character is searched for much
# quicker.
_IN_OTHERS: Final = re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}[) }]")
_DOUBLE_COLON: Final = re.compile("::")
_WRAPPED_IPV4 = re.compile(rf"([\[({{ ])({_IPV4})(?=([\])}} ]))")
_PAIRS: Final = {"[": "]", "(": ")", "{": "}", " ": " ", "": ""}
_IPV6_CANDIDATE = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")


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


def hop(raw: str) -> Received:
    """A `Received` field's value, taken apart as far as that goes."""
    match = _USUAL.match(raw)
    if match is None:
        return _unusual(raw)
    from_, by, with_, id_, for_, day, hour, minute, second, zone = match.groups()
    date = since_epoch(day, hour, minute, second, zone) if day is not None else None
    if date is None:
        date = instant(raw.rpartition(";")[2], None)
    if for_ is not None and for_[0] == "<" and for_[-1] == ">":
        for_ = for_[1:-1]
    return _new(Received, (raw, from_, by, with_, id_, for_, date))


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
    return Received(
        raw,
        said.get("from"),
        said.get("by"),
        said.get("with"),
        said.get("id"),
        _bare(clauses.get("for")),
        date,
    )


def _bare(pieces: list[str] | None) -> str | None:
    if not pieces:
        return None
    text = " ".join(pieces)
    return text[1:-1] if text[0] == "<" and text[-1] == ">" else text


def path(values: list[str]) -> list[str]:
    """Addresses of the hosts that a mail went through, from its `Received` fields in order (the last host
    first).
    """
    joined = "\n".join(values)
    only_brackets = (
        joined.count(":") <= 2 * len(values) + 5
        and _DOUBLE_COLON.search(joined) is None
        and _IN_OTHERS.search(joined) is None
    )
    find = _IN_BRACKETS.findall if only_brackets else _wrapped
    last = ""
    out: list[str] = []
    for value in values:
        found = find(value)
        if found:
            address = found[1] if len(found) > 1 else found[0]
            if address != last:
                out.append(address)
                last = address
    return out


def first_address(value: str) -> str | None:
    """The first IP address anywhere in a value (X-Originating-IP), or None."""
    if "." in value:
        match = _ANY_IPV4.search(value[:_MAX_CLAUSES_LENGTH])
        if match is not None and ":" not in value:
            return match[0]
    found = _addresses(value)
    return found[0][1] if found else None


def _wrapped(value: str) -> list[str]:
    if "::" in value or value.count(":") > 6:
        found = _addresses(value)
    else:
        if _IN_OTHERS.search(value) is None:
            return _IN_BRACKETS.findall(value)
        found = _WRAPPED_IPV4.findall(value)
    return [address for before, address, after in found if _PAIRS.get(before) == after]


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
