"""Documents checked against the facts of published schemas; see tests/views/data/README.md."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "views" / "data"


def ecs_problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with a document of ECS; fields below `zeekpop3` are its own."""
    schema = json.loads((DATA / "ecs-9.4.0.json").read_text())
    found = []
    for name, value in _leaves(document, ""):
        if name.startswith("zeekpop3."):
            continue
        entry = schema["fields"].get(name)
        if entry is None:
            found.append(f"{name}: unknown field")
            continue
        kind, allowed = entry if isinstance(entry, list) else (entry, None)
        if kind.endswith("[]") is not isinstance(value, list):
            found.append(f"{name}: {value!r} is not {kind}")
            continue
        for each in value if isinstance(value, list) else [value]:
            if not _is(each, kind.removesuffix("[]")) or (allowed and each not in allowed):
                found.append(f"{name}: {each!r} is not {kind}")
    event = document.get("event", {})
    types = {kind for one in event.get("category", []) for kind in schema["event_types"].get(one, [])}
    found += [f"event.type: {kind} is not expected" for kind in event.get("type", []) if kind not in types]
    required = {"@timestamp", "ecs"} - document.keys()
    return found + [f"{name}: missing" for name in required]


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Dotted names and their values; the fields of objects in a list are leaves of each of them."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for each in value:
            yield from _leaves(each, name)
    else:
        yield name, value


def _is(value: Any, kind: str) -> bool:
    if kind == "long":
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    if kind == "boolean":
        return isinstance(value, bool)
    if not isinstance(value, str):
        return False
    try:
        if kind == "date":
            return dt.datetime.fromisoformat(value).tzinfo is not None
        if kind == "ip":
            return bool(ipaddress.ip_address(value))
    except ValueError:
        return False
    return kind in ("keyword", "wildcard", "match_only_text")


def ocsf_problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with an event of OCSF's class Email Activity."""
    schema = json.loads((DATA / "ocsf-1.8.0.json").read_text())
    return list(_object(schema, schema["class"], document, ""))


def _object(schema: dict[str, Any], rules: dict[str, Any], value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: not an object"
        return
    for name, each in value.items():
        rule = rules["attributes"].get(name)
        if rule is None:
            yield f"{where}{name}: unknown attribute"
            continue
        text, enum = rule if isinstance(rule, list) else (rule, None)
        kind = text.split()[0]
        if "deprecated" in text:
            yield f"{where}{name}: deprecated"
        if kind.endswith("[]") is not isinstance(each, list):
            yield f"{where}{name}: {each!r} is not {kind}"
            continue
        for one in each if isinstance(each, list) else [each]:
            yield from _typed(schema, kind.removesuffix("[]"), one, f"{where}{name}")
            if enum and one not in enum:
                yield f"{where}{name}: {one!r} is not one of {enum}"
    for name, rule in rules["attributes"].items():
        text = rule[0] if isinstance(rule, list) else rule
        if " required" in text and value.get(name) is None:
            yield f"{where}{name}: required"
    one_of = rules.get("constraints", {}).get("at_least_one", [])
    if one_of and all(value.get(name) is None for name in one_of):
        yield f"{where}: none of {one_of}"


def _typed(schema: dict[str, Any], kind: str, value: Any, where: str) -> Iterator[str]:
    if kind in schema["objects"]:
        yield from _object(schema, schema["objects"][kind], value, f"{where}.")
        return
    if kind == "object":
        if not isinstance(value, dict):
            yield f"{where}: not an object"
        return
    rule = schema["types"][kind]
    base = {"integer_t": int, "long_t": int, "string_t": str, "boolean_t": bool}[rule["type"]]
    good = isinstance(value, base) and (base is bool or not isinstance(value, bool))
    if good and "regex" in rule:
        good = re.search(rule["regex"], value) is not None
    if good and "range" in rule:
        good = rule["range"][0] <= value <= rule["range"][1]
    if not good or (isinstance(value, str) and len(value) > rule.get("max_len", len(value))):
        yield f"{where}: {value!r} is not {kind}"
