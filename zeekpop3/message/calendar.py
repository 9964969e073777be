"""What the calendar parts of a message ask for (iCalendar, RFC 5545; iTIP, RFC 5546): who invites whom to
what, and when.

Goal: what a calendar program shows beside the mail, in linear time. Plan: unfold the lines; of each VEVENT,
outside of its alarms, take the first property of each wanted name. Nothing is reckoned: a time stays in its
own zone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from zeekpop3.defects import Defect, Defects
from zeekpop3.message import transfer_encoding
from zeekpop3.message.charsets import decode
from zeekpop3.message.parts import Part

KINDS = frozenset(("text/calendar", "text/x-vcalendar", "application/ics"))
MAX_EVENTS = 50
_MAX_BYTES = 1 << 18
_MAX_VALUE = 1_000
_FOLD = re.compile(r"\r?\n[ \t]")
# A name, its parameters (of which values may be quoted), a value.
_LINE = re.compile(r'([A-Za-z-]{1,30}+)((?:;(?:[^":\r\n]++|"[^"\r\n]*+")*+)?):([^\r\n]*+)')
_PARAMETER = re.compile(r';(CN|TZID)=(?:"([^"]*+)"|([^;:"]*+))', re.IGNORECASE)
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")
_ESCAPED = re.compile(r"\\([\\;,nN])")
_WANTED = {
    "ORGANIZER": "organizer",
    "DTSTART": "start",
    "DTEND": "end",
    "SUMMARY": "title",
    "LOCATION": "place",
}


class Event(NamedTuple):
    """An event that a message asks for.

    `method`: REQUEST, CANCEL, …; of the calendar. `organizer`, `organizer_name`: address and display name.
    `start`, `end`: date and time, then Z for UTC or the name of the time zone, as the sender gives it.
    """

    method: str | None
    organizer: str | None
    organizer_name: str | None
    start: str | None
    end: str | None
    title: str | None
    place: str | None


def collect(root: Part, defects: Defects) -> list[Event]:
    """The events in the calendar parts of a message, not those of messages inside; at most `MAX_EVENTS`."""
    found: list[Event] = []
    stack = [root]
    while stack and len(found) < MAX_EVENTS:
        part = stack.pop()
        if part.children and not part.kind.startswith("message/"):
            stack.extend(reversed(part.children))
        elif part.kind in KINDS:
            data = transfer_encoding.decoded(part.src, part.start, part.end, part.encoding, {})
            if len(data) > _MAX_BYTES:
                defects[Defect.PARSE_LIMITED] = None
            text = decode(data[:_MAX_BYTES], part.params.get("charset") or "utf-8", {})
            found += events(text)
    return found[:MAX_EVENTS]


def events(calendar: str) -> list[Event]:
    """The events of a calendar; the first `MAX_EVENTS`."""
    found: list[Event] = []
    method: str | None = None
    inside: list[str] = []
    event: dict[str, str | None] = {}
    for line in _FOLD.sub("", calendar).splitlines():
        match = _LINE.match(line[: 4 * _MAX_VALUE])
        if match is None:
            continue
        name, parameters, value = match[1].upper(), match[2], match[3].strip()
        if name == "BEGIN":
            inside = [*inside[:9], value.upper()]
            event = {} if inside[-1:] == ["VEVENT"] else event
        elif name == "END":
            if inside[-1:] == ["VEVENT"] and len(found) < MAX_EVENTS:
                found.append(Event(*(event.get(field) for field in Event._fields)))
            inside = inside[:-1]
        elif name == "METHOD" and "VEVENT" not in inside:
            method = value[:_MAX_VALUE].upper() or None
        elif inside[-1:] == ["VEVENT"] and (field := _WANTED.get(name)) and field not in event:
            event |= _values(field, parameters, value)
    return [each._replace(method=method) for each in found]


def _values(field: str, parameters: str, value: str) -> dict[str, str | None]:
    """What a property says of a field."""
    said = {key.upper(): (quoted or plain).strip() for key, quoted, plain in _PARAMETER.findall(parameters)}
    if field in ("start", "end"):
        return {field: _time(value, said.get("TZID"))}
    if field == "organizer":
        address = value[7:] if value[:7].lower() == "mailto:" else value
        return {
            field: address.lower()[:_MAX_VALUE] or None,
            "organizer_name": said.get("CN", "")[:_MAX_VALUE] or None,
        }
    text = _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)
    return {field: text[:_MAX_VALUE] or None}


def _time(value: str, zone: str | None) -> str | None:
    """A date or a time (RFC 5545, sections 3.3.4 and 3.3.5); None if it is neither."""
    match = _TIME.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, utc = match.groups()
    date = f"{year}-{month}-{day}"
    if hour is None:
        return date
    return f"{date}T{hour}:{minute}:{second}" + (utc or (f" {zone[:60]}" if zone else ""))
