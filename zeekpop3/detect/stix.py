"""STIX 2.1 bundles (OASIS, plain JSON) → values with the names of their types.

Indicators have patterns; of these, comparisons of a value with `=` or `IN` are read, each on its own: a mail
that fulfils one of several conditions is worth a look. Observables (`ipv4-addr`, `file`, …) have values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_COMPARISON = re.compile(
    r"(?P<object>[a-z0-9-]{1,64}):(?P<path>[A-Za-z0-9_.'\"\[\]*-]{1,200}?)\s*(?P<operator>=|IN)\s*"
    r"(?P<values>'(?:[^'\\]|\\.)*+'|\((?:[^()'\\]|'(?:[^'\\]|\\.)*+')*+\))"
)
_STRING = re.compile(r"'((?:[^'\\]|\\.)*+)'")
_ESCAPED = re.compile(r"\\(.)")
_NOT = re.compile(r"\bNOT\s*\Z")
_HASH = re.compile(r"hashes\b")
#: Object and property → type of indicator.
_TYPES = {
    ("ipv4-addr", "value"): "ADDR",
    ("ipv6-addr", "value"): "ADDR",
    ("domain-name", "value"): "DOMAIN",
    ("url", "value"): "URL",
    ("email-addr", "value"): "EMAIL",
    ("email-message", "subject"): "SUBJECT",
    ("email-message", "from_ref.value"): "EMAIL",
    ("email-message", "sender_ref.value"): "EMAIL",
    ("file", "name"): "FILE_NAME",
    ("user-account", "account_login"): "USER_NAME",
}


class Value(NamedTuple):
    """A value, the name of its type, and what the bundle says about it."""

    type: str
    value: str
    source: str | None
    description: str | None


def read_bundle(text: str) -> Iterator[Value]:
    """The values in a bundle, or in one object. Raises ValueError if the text is not STIX."""
    try:
        bundle = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(bundle, dict) or not isinstance(bundle.get("type"), str):
        raise ValueError("JSON without a type")
    objects = bundle.get("objects") if bundle["type"] == "bundle" else [bundle]
    if not isinstance(objects, list):
        raise ValueError("a bundle without objects")
    kept = [each for each in objects if isinstance(each, dict)]
    names = {each.get("id"): each.get("name") for each in kept if each.get("type") == "identity"}
    for each in kept:
        if each.get("revoked") is True:
            continue
        source = names.get(each.get("created_by_ref"))
        described = each.get("name") or each.get("description")
        for kind, value in _values(each):
            yield Value(kind, value, _text(source), _text(described))


def _values(each: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if each.get("type") == "indicator":
        pattern = each.get("pattern")
        if isinstance(pattern, str) and each.get("pattern_type", "stix") == "stix":
            yield from _of_pattern(pattern)
        return
    for (kind, name), indicator in _TYPES.items():
        if each.get("type") == kind and isinstance(value := each.get(name), str):
            yield indicator, value
    hashes = each.get("hashes")
    if each.get("type") == "file" and isinstance(hashes, dict):
        yield from (("FILE_HASH", value) for value in hashes.values() if isinstance(value, str))


def _of_pattern(pattern: str) -> Iterator[tuple[str, str]]:
    for match in _COMPARISON.finditer(pattern):
        path = match["path"].strip()
        kind = _TYPES.get((match["object"], path))
        if kind is None and match["object"] == "file" and _HASH.match(path):
            kind = "FILE_HASH"
        if kind is None or _NOT.search(pattern, max(0, match.start() - 8), match.start()):
            continue
        for string in _STRING.finditer(match["values"]):
            yield kind, _ESCAPED.sub(r"\1", string[1])


def _text(value: object) -> str | None:
    return value[:1_000] if isinstance(value, str) and value else None
