"""What the receiving server said about SPF, DKIM, DMARC and ARC (RFC 8601, RFC 7208, RFC 8617).

Only the topmost statement counts, with the server that made it: a sender can write such fields further down.
Real fields rarely keep to the grammar (Microsoft's name no server, Google's have comments everywhere), so
comments are left out, the rest is split at semicolons, and `method=result` is read from each piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from zeekpop3.message.header_text import without_comments

_MAX_LENGTH = 1 << 14  # characters of a field

_PIECE = re.compile(r"(?:[^\";]++|\"(?:[^\"\\]++|\\.)*+\")*+(?:;|\Z)", re.DOTALL)
_RESULT = re.compile(
    r"\s*+(spf|dkim|dmarc|arc)(?:\s*+/\s*+\d++)?\s*+=\s*+([a-z]{1,20})(?![\w-])", re.IGNORECASE | re.ASCII
)
_ANY_RESULT = re.compile(r"\s*+[\w-]++(?:\s*+/\s*+\d++)?\s*+=")
_WORD = re.compile(r"\s*+([a-z]{1,20})(?![\w-])", re.IGNORECASE | re.ASCII)
_RECEIVER = re.compile(r"(?:^|[\s;])receiver\s*+=\s*+\"?([^\s;\"]++)", re.IGNORECASE | re.ASCII)
_INSTANCE = re.compile(r"\s*+i\s*+=\s*+\d++\s*+;")
_CHAIN = re.compile(r"(?:^|;)\s*+cv\s*+=\s*+(none|pass|fail)\s*+(?:;|\Z)", re.IGNORECASE | re.ASCII)

FIELDS = frozenset(("authentication-results", "received-spf", "arc-authentication-results", "arc-seal"))


class Verdicts(NamedTuple):
    """Results in lower case (`pass`, `softfail`, …), None if nothing is said. `server` made them."""

    server: str | None = None
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    arc: str | None = None


def collect(lowered: list[str], values: list[str]) -> Verdicts:
    """The verdicts in a header. `lowered`: field names in lower case; `values`: unfolded."""
    server, results = _authentication_results(lowered, values)
    first: dict[str, str] = {}
    for name, value in zip(lowered, values, strict=True):
        if name in FIELDS:
            first.setdefault(name, value[:_MAX_LENGTH])
    if server is None and not results:
        value = first.get("arc-authentication-results", "")
        instance = _INSTANCE.match(value)
        server, results = _read(value if instance is None else value[instance.end() :])
    if "spf" not in results and (word := _WORD.match(first.get("received-spf", ""))) is not None:
        if server is None and not results:
            receiver = _RECEIVER.search(_without_comments(first["received-spf"]))
            server = receiver[1].lower() if receiver is not None else None
        results["spf"] = word[1].lower()
    if "arc" not in results and (chain := _CHAIN.search(first.get("arc-seal", ""))) is not None:
        results["arc"] = chain[1].lower()
    return Verdicts(server, *map(results.get, ("spf", "dkim", "dmarc", "arc")))


def _authentication_results(lowered: list[str], values: list[str]) -> tuple[str | None, dict[str, str]]:
    """The topmost field, with those of the same server before the next Received (some write several)."""
    server: str | None = None
    results: dict[str, str] = {}
    found = False
    for low, value in zip(lowered, values, strict=True):
        if low == "authentication-results":
            name, more = _read(value[:_MAX_LENGTH])
            if not found:
                server, results, found = name, more, True
            elif name == server:
                results = {**more, **results}
            else:
                break
        elif found and low == "received":
            break
    return server, results


def _read(field: str) -> tuple[str | None, dict[str, str]]:
    """The server and the results of one field. Of several DKIM results, one `pass` is enough."""
    server: str | None = None
    results: dict[str, str] = {}
    for number, piece in enumerate(_pieces(_without_comments(field))):
        result = _RESULT.match(piece)
        if result is not None:
            method, said = result[1].lower(), result[2].lower()
            if method not in results or (method == "dkim" and said == "pass"):
                results[method] = said
        elif number == 0 and _ANY_RESULT.match(piece) is None:
            words = piece.split(maxsplit=1)
            server = words[0].strip('"').lower() or None if words else None
    return server, results


def _pieces(text: str) -> Iterator[str]:
    """The text between semicolons that are not in quotes. A quote that is not closed ends none of them: from
    there on each semicolon counts, so that each character is looked at twice at most.
    """
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            yield from text[at:].split(";")
            return
        yield piece[0].rstrip(";")
        at = piece.end()


def _without_comments(text: str) -> str:
    """Text without comments; one that is not closed goes to the end."""
    return without_comments(text).partition("(")[0]
