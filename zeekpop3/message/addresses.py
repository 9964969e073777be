"""Address fields (RFC 5322, section 3.4) → a list with one entry per mailbox, as written, decoded.

A field is split before it is decoded, because an encoded word may contain a comma. Members of groups are
entries, group names are not; a group without members (`undisclosed-recipients:;`) and a comment give no
entry.
"""

from __future__ import annotations

import re
from itertools import islice

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import comments
from zeekpop3.message.encoded_words import decoded

MAX_ADDRESSES = 10_000

_QUOTED = r"\"(?:[^\"\\]++|\\.)*+\""
_ANGLE = r"<[^<>\",;]*+>|<(?:[^\"<>]++|\"[^\"]*+\")*+>"
# An encoded word; a colon in it, as some programs write, does not begin a group.
_WORD = r"=(?:\?[^\s?\",;:()<>]{1,80}\?[bBqQ]\?[^ \t?\",;()<>]*+\?=)?+"
# Fields in which only quotes and angle brackets can hide a comma or a colon.
_ENTRY = rf"(?:[^\",;:()<=]++|{_WORD}|\"[^\"\\]*+\"|<[^<>\",;:()]*+>)*+"
_NEXT_ENTRY = re.compile(rf"({_ENTRY})(?:,|\Z)")
# Text that belongs to one mailbox, or a single character that may separate.
_TOKEN = re.compile(rf"(?:[^\",;:()<=]++|{_WORD}|{_QUOTED}|{_ANGLE})++|.", re.DOTALL)
_WITHOUT_COMMENTS = re.compile(rf"(?:[^\",;:<=]++|{_WORD}|{_QUOTED}|{_ANGLE})++|.", re.DOTALL)
_UNQUOTED = re.compile(r"[^,;:]++|.", re.DOTALL)
_MAX_FAILURES = 32
_MAX_TOKENS = 1_000
_TWO = re.compile(r"[^\s<>\"()@]++@[^\s<>\"()@]++(?:\s++[^\s<>\"()@]++@[^\s<>\"()@]++)++")
# Mailboxes without a comma between them: each ends at its angle bracket.
_ANGLED = r"(?:[^<>\"()]++|\"[^\"\\]*+\")*+<[^\s<>\"()@]++@[^\s<>\"()@]++>\s*+"
_ONE_ANGLED = re.compile(_ANGLED)
_SEVERAL_ANGLED = re.compile(rf"(?:{_ANGLED}){{2,}}+")


def entries(value: str, defects: Defects) -> list[str]:
    """The mailboxes of one field (unfolded), in order, as written: see `shown`."""
    out: list[str] = []
    if '"' in value or "(" in value or ";" in value or ":" in value:
        pieces = _split(value, defects)
    else:
        pieces = value.split(",")
    for entry in pieces:
        entry = entry.strip()
        if not entry or (entry[0] == "(" and comments.is_comment(entry)):
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


def shown(entry: str, defects: Defects) -> str:
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
    next_token = _TOKEN.match
    while len(out) <= MAX_ADDRESSES and (match := next_token(value, at)) is not None:
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
        if token == "(" and next_token == _TOKEN.match:
            end = comments.end_of(value, at)
            if end < 0:
                next_token = _WITHOUT_COMMENTS.match
                failures += 1
            else:
                token = value[at - 1 : end]
                at = end
        elif token == '"' or token == "<":
            # Opened and not closed. After some of them only commas count, so that time stays linear.
            failures += 1
            if token == '"' or failures > _MAX_FAILURES:
                next_token = _UNQUOTED.match
        elif "@" in token:
            has_at = True
        current.append(token)
        if len(current) > _MAX_TOKENS:
            current = ["".join(current)]
    if failures:
        defects[Defect.ADDRESS_MALFORMED] = None
    out.append("".join(current))
    return out
