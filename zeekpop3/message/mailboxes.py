"""Address fields (RFC 5322, section 3.4) → their mailboxes: the name that a mail program shows, and the
address that a reply goes to.

A field is split into entries before it is decoded, and each entry is taken apart before its encoded words
are: these may hold `,`, `<`, `@` and quotes that mean nothing (RFC 2047, section 5). Members of groups are
entries, group names are not; a group without members (`undisclosed-recipients:;`) and a comment give no
entry. Of several addresses in one entry, the one in the last angle brackets counts. Whatever is guessed is
marked by the defect `address_malformed`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import NamedTuple
from unicodedata import category

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import budget
from zeekpop3.message.header_text import comment_end, decoded, is_comment
from zeekpop3.message.sites import host_and_site

MAX_ADDRESSES = 10_000

_QUOTED = r"\"(?:[^\"\\]++|\\.)*+\""
_ANGLE = r"<[^<>\",;]*+>|<(?:[^\"<>]++|\"[^\"]*+\")*+>"
# An encoded word; a colon in it, as some programs write, does not begin a group.
_WORD = r"=(?:\?[^\s?\",;:()<>]{1,80}\?[bBqQ]\?[^ \t?\",;()<>]*+\?=)?+"
# Fields in which only quotes and angle brackets can hide a comma or a colon.
_ENTRY = rf"(?:[^\",;:()<=]++|{_WORD}|\"[^\"\\]*+\"|<[^<>\",;:()]*+>)*+"
_NEXT_ENTRY = re.compile(rf"({_ENTRY})(?:,|\Z)")
# Text that belongs to one mailbox, or a single character that may separate.
_FIELD_TOKEN = re.compile(rf"(?:[^\",;:()<=]++|{_WORD}|{_QUOTED}|{_ANGLE})++|.", re.DOTALL)
_FIELD_TOKEN_WITHOUT_COMMENTS = re.compile(rf"(?:[^\",;:<=]++|{_WORD}|{_QUOTED}|{_ANGLE})++|.", re.DOTALL)
_FIELD_TOKEN_WITHOUT_QUOTES = re.compile(r"[^,;:]++|.", re.DOTALL)
_MAX_FAILURES = 32
_MAX_TOKENS = 1_000
_TWO = re.compile(r"[^\s<>\"()@]++@[^\s<>\"()@]++(?:\s++[^\s<>\"()@]++@[^\s<>\"()@]++)++")
# Mailboxes without a comma between them: each ends at its angle bracket.
_ANGLED = r"(?:[^<>\"()]++|\"[^\"\\]*+\")*+<[^\s<>\"()@]++@[^\s<>\"()@]++>\s*+"
_ONE_ANGLED = re.compile(_ANGLED)
_SEVERAL_ANGLED = re.compile(rf"(?:{_ANGLED}){{2,}}+")

#: Header fields whose mailboxes are kept, with their name in the column `field`.
FIELDS = {
    name: name.replace("-", "_")
    for name in ("from", "sender", "reply-to", "to", "cc", "bcc", "return-path", "delivered-to")
}

_LISTS = frozenset(("to", "cc", "bcc"))
_MAX_CACHED = 200  # characters
_MAX_LENGTH = 1 << 16  # characters of one entry; the rest is not looked at

_ATOM = r"[^\0-\x20\x7f-\xa0\",;:()<>@\\\[\]]"
_DOMAIN = rf"(?:{_ATOM}++|\[[^\s\[\]<>]++\])"
# Nearly all mailboxes: a name in quotes or plain words, and an address in angle brackets; or the address.
_USUAL = re.compile(
    rf"(?:\"([^\"\\=]*+)\"[ \t]*+|([^\0-\x20\x7f-\xa0\",;:()<>@=\\][^\",;:()<>@=\\]*+))?+"
    rf"<(?!')({_ATOM}++)@({_DOMAIN})>|(?!')((?:(?!=){_ATOM})++)@({_DOMAIN})"
)
_ADDRESS = re.compile(rf"({_ATOM}++)@({_DOMAIN})")
_QUOTED_LOCAL = re.compile(rf"\"((?:[^\"\\]++|\\.)*+)\"@({_DOMAIN})", re.DOTALL)
_NO_DOMAIN = re.compile(rf"{_ATOM}++")
_LIKE_ADDRESS = re.compile(rf"(?<!{_ATOM})({_ATOM}++)@({_DOMAIN})")
_DOT_ATOM = re.compile(rf"(?:(?!\.){_ATOM})++(?:\.(?:(?!\.){_ATOM})++)*+")
_AROUND_DOTS = re.compile(r"(?<=[.@])\s++|(?<!\s)\s++(?=[.@])")  # never from within blanks
# An encoded word is one piece: some programs leave parentheses and quotes in it unencoded.
_TOKEN = re.compile(
    r"=\?[^?\s]{1,80}+\?[bBqQ]\?[^?\s]*+\?=|\"((?:[^\"\\]++|\\.)*+)\""
    r"|<((?:[^<>\"]++|\"[^\"<>]*+\"|\")*+)(>?+)|[^\"(<=]++|.",
    re.DOTALL,
)
# The same without quotes: one that is not closed would be looked at again and again.
_UNQUOTED_TOKEN = re.compile(
    r"((?!))?=\?[^?\s]{1,80}+\?[bBqQ]\?[^?\s]*+\?=|<([^<>]*+)(>?+)|[^(<=]++|.", re.DOTALL
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Address(NamedTuple):
    """One mailbox of an address field.

    `field`: one of the values of `FIELDS`; `position` counts in it from 1. `name` is decoded. `address` is in
    lower case, its domain in the form of `sites`; None if there is none. `local_part` is as written, without
    quotes. `site` is the registered domain.
    """

    field: str
    position: int
    name: str | None
    address: str | None
    local_part: str | None
    domain: str | None
    site: str | None


NO_MAILBOX = Address("", 0, None, None, None, None, None)
"""Stands for the mailbox of a field that a mail does not have."""

_Mailbox = tuple[str | None, str | None, str | None, str | None, str | None]  # an Address from `name` on


def collect(
    lowered: list[str], values: list[str], defects: Defects
) -> tuple[list[Address], dict[str, list[str]]]:
    """The mailboxes of all address fields, and their entries in To, Cc and Bcc as text, by the field.

    `lowered`: field names in lower case; `values`: unfolded, not decoded. Mailboxes that hold nothing (`<>`)
    are left out.
    """
    out: list[Address] = []
    people: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for low, value in zip(lowered, values, strict=True):
        if low not in FIELDS:
            continue
        field = FIELDS[low]
        usual = _usual(value) if len(value) <= _MAX_CACHED else None
        found = entries(value, defects) if usual is None else [value]
        if field in _LISTS:
            people.setdefault(field, []).extend([_shown_entry(entry, defects) for entry in found])
        position = counts.get(field, 0)
        for entry in found[: MAX_ADDRESSES + 1 - len(out)]:
            mailbox = usual or (len(entry) <= _MAX_CACHED and _usual(entry)) or _unusual(entry, defects)
            if mailbox is not None:
                position += 1
                out.append(Address(field, position, *mailbox))
        counts[field] = position
    if max([len(out), *map(len, people.values())]) > MAX_ADDRESSES:
        defects[Defect.ADDRESSES_CUT] = None
        del out[MAX_ADDRESSES:]
        for entered in people.values():
            del entered[MAX_ADDRESSES:]
    return out, people


def first(addresses: list[Address]) -> dict[str, Address]:
    """The first mailbox of each field."""
    return {address.field: address for address in reversed(addresses)}


@lru_cache(1 << 12)
def _usual(entry: str) -> _Mailbox | None:
    """An entry of the usual form. The same people write to each other, so most entries come again."""
    match = _USUAL.fullmatch(entry)
    if match is None:
        is_local = _NO_DOMAIN.fullmatch(entry) is not None and "=?" not in entry
        return (None, entry.lower(), entry, None, None) if is_local else None
    quoted, plain, local, domain, bare, bare_domain = match.groups()
    address = entry[match.start(3) if bare is None else 0 :]
    if not address.isascii() and _without_format(address) != address:
        return None
    name = " ".join((quoted or plain or "").split()) or None
    if bare is None:
        return None if "=?" in local else _mailbox(name, local, local, domain)
    return _mailbox(name, bare, bare, bare_domain)


def _unusual(entry: str, defects: Defects) -> _Mailbox | None:
    """Any entry."""
    name, written = _name_and_address(entry, defects)
    if name is None and not written:
        return None
    mailbox = _of_written(name, written, defects)
    return mailbox if mailbox[0] is not None or mailbox[1] is not None else None


def _name_and_address(entry: str, defects: Defects) -> tuple[str | None, str]:
    """The decoded name and the raw address of one entry."""
    words, comment, address, in_brackets, doubtful = _pieces(entry[:_MAX_LENGTH])
    if doubtful or len(entry) > _MAX_LENGTH:
        defects[Defect.ADDRESS_MALFORMED] = None
    name = _shown(words, defects) or _shown(comment, defects)
    if "=?" in address:
        # Not allowed (RFC 2047, section 5), but mail programs show the address that is in there.
        defects[Defect.ADDRESS_MALFORMED] = None
        address = decoded(address, defects).strip()
        if not in_brackets and "<" in address:
            before, _, after = address.rpartition("<")
            return _shown(before.strip(' "'), defects) or name, after.partition(">")[0].strip()
    return name, address


def _pieces(entry: str) -> tuple[str, str, str, bool, bool]:
    """Name, comments and address as written; whether the address is in brackets, and anything doubtful."""
    address = ""
    in_brackets = doubtful = False
    words: list[str] = []
    written: list[str] = []
    said: list[str] = []
    at = named = 0
    next_token = _TOKEN.match
    limits = budget.current()
    while (token := next_token(entry, at)) is not None:
        limits.tokens -= 1
        if limits.tokens < 0:
            doubtful = True
            break
        at = token.end()
        if token[0] == "(":
            end = comment_end(entry, at)
            doubtful |= end < 0
            end = end if end >= 0 else len(entry)
            said.append(entry[at : end - 1])
            at = end
        elif token[2] is not None:
            # Of several addresses the last one counts; those before it are only shown.
            if address.strip():
                words.append(f"<{address}>")
            doubtful |= in_brackets or not token[3]
            address = token[2]
            in_brackets = True
            named = len(words)
            written = []
        else:
            if token[0] == '"':
                doubtful = True
                next_token = _UNQUOTED_TOKEN.match
            words.append(token[0] if token[1] is None else _ESCAPE.sub(r"\1", token[1]))
            written.append(token[0])
    rest = "".join(written).strip()
    if in_brackets:
        doubtful |= bool(rest)
    else:
        address = rest
    return "".join(words[:named]), " ".join(said), address.strip(), in_brackets, doubtful


def _shown(words: str, defects: Defects) -> str | None:
    """A name as mail programs show it; None if there is nothing to be seen."""
    if "=?" in words:
        words = decoded(words, defects)
    return " ".join(words.split()) or None


def _of_written(name: str | None, written: str, defects: Defects) -> _Mailbox:
    """The mailbox of a written address that is not of the usual form."""
    if written.startswith("@"):
        route, _, written = written.rpartition(":")  # a source route (RFC 5322, section 4.4)
        if "," in route:
            defects[Defect.ADDRESS_MALFORMED] = None  # to some programs each host is an address
    if not written.isascii() and (seen := _without_format(written)) != written:
        defects[Defect.ADDRESS_MALFORMED] = None
        written = seen
    if " " in written or "\t" in written:
        written = _AROUND_DOTS.sub("", written)
    if written[:7].lower() == "mailto:" or (written[:1] == "'" == written[-1:]):
        defects[Defect.ADDRESS_MALFORMED] = None
        written = written.removeprefix(written[:7]) if written[0] != "'" else written.strip("'")
    quoted = _QUOTED_LOCAL.fullmatch(written)
    if quoted is not None:
        local, domain = _ESCAPE.sub(r"\1", quoted[1]), quoted[2]
        mailbox = local if _DOT_ATOM.fullmatch(local) else f'"{quoted[1]}"'
        return _mailbox(name, mailbox, local, domain)
    match = _ADDRESS.fullmatch(written)
    if match is None:
        if _NO_DOMAIN.fullmatch(written):
            return name, written.lower(), written, None, None
        defects[Defect.ADDRESS_MALFORMED] = None
        local, at, domain = written.rpartition("@")
        if at and _NO_DOMAIN.fullmatch(local.replace("@", "")) and _NO_DOMAIN.fullmatch(domain):
            return _mailbox(name, local, local, domain)
        match = _LIKE_ADDRESS.search(written)
        if match is None:
            return name or _shown(written, defects), None, None, None, None
        name = name or _shown(written[: match.start()].strip("<[(\"' "), defects)
    return _mailbox(name, match[1], match[1], match[2])


def _without_format(address: str) -> str:
    """An address without characters that are not drawn: marks of direction, joiners, blanks of no width."""
    return "".join([character for character in address if category(character) != "Cf"])


def _mailbox(name: str | None, mailbox: str, local: str, domain: str) -> _Mailbox:
    host, site = host_and_site(domain)
    return name, f"{mailbox.lower()}@{host}", local, host, site


def entries(value: str, defects: Defects) -> list[str]:
    """The mailboxes of one field (unfolded), in order, as written: see `_shown_entry`."""
    out: list[str] = []
    if '"' in value or "(" in value or ";" in value or ":" in value:
        pieces = _split(value, defects)
    else:
        pieces = value.split(",")
    for entry in pieces:
        entry = entry.strip()
        if not entry or (entry[0] == "(" and is_comment(entry)):
            continue
        if entry.count("<") > 1 and _SEVERAL_ANGLED.fullmatch(entry):
            defects[Defect.ADDRESS_MALFORMED] = None
            matches = islice(_ONE_ANGLED.finditer(entry), MAX_ADDRESSES + 1)
            out.extend(match[0].strip() for match in matches)
        elif entry.count("@") > 1 and "<" not in entry and "=?" not in entry and _TWO.fullmatch(entry):
            defects[Defect.ADDRESS_MALFORMED] = None
            out.extend(entry.split(maxsplit=MAX_ADDRESSES)[: MAX_ADDRESSES + 1])
        else:
            out.append(entry)
    if len(out) > MAX_ADDRESSES:
        defects[Defect.ADDRESSES_CUT] = None
        del out[MAX_ADDRESSES:]
    return out


def _shown_entry(entry: str, defects: Defects) -> str:
    """An entry with its encoded words decoded. Some programs encode the comma, too."""
    return decoded(entry, defects).strip(" ,") if "=?" in entry else entry


def _split(value: str, defects: Defects) -> list[str]:
    """The text between commas that are not in quotes, comments or angle brackets, without group names."""
    out: list[str] = []
    if value.count(",") <= MAX_ADDRESSES:
        end = 0
        while (entry := _NEXT_ENTRY.match(value, end)) is not None:
            out.append(entry[1])
            end = entry.end()
            if end == len(value):
                return out
        out = []
    current: list[str] = []
    at = 0
    failures = 0
    has_at = False
    next_token = _FIELD_TOKEN.match
    limits = budget.current()
    while len(out) <= MAX_ADDRESSES and (match := next_token(value, at)) is not None:
        limits.tokens -= 1
        if limits.tokens < 0:
            defects[Defect.ADDRESSES_CUT] = None
            break
        token = match[0]
        at = match.end()
        if token == "," or token == ";":
            out.append("".join(current))
            current = []
            has_at = False
            continue
        if token == ":" and not has_at:
            current = []
            continue
        if token == "(" and next_token == _FIELD_TOKEN.match:
            end = comment_end(value, at)
            if end < 0:
                next_token = _FIELD_TOKEN_WITHOUT_COMMENTS.match
                failures += 1
            else:
                token = value[at - 1 : end]
                at = end
        elif token == '"' or token == "<":
            # Opened and not closed. After some of them only commas count, so that time stays linear.
            failures += 1
            if token == '"' or failures > _MAX_FAILURES:
                next_token = _FIELD_TOKEN_WITHOUT_QUOTES.match
        elif "@" in token:
            has_at = True
        current.append(token)
        if len(current) > _MAX_TOKENS:
            current = ["".join(current)]
    if failures:
        defects[Defect.ADDRESS_MALFORMED] = None
    out.append("".join(current))
    return out
