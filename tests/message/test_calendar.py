"""What an invitation says, in one event after the other; hostile calendars end in time."""

from __future__ import annotations

import time

import pytest

from zeekpop3.inside import parse
from zeekpop3.message.calendar import MAX_EVENTS, Event, events

INVITATION = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN="Boss, Carl":MAILTO:Carl@Corp.example
DTSTART;TZID=Europe/Berlin:20260301T100000
DTEND:20260301T100000Z
SUMMARY:Budget\\, all\\nof it
LOCATION:Room
  7
BEGIN:VALARM
SUMMARY:not this one
END:VALARM
END:VEVENT
END:VCALENDAR
"""


def test_an_invitation() -> None:
    """Quoted names, times in their zone and in UTC, folded and escaped texts; nothing of alarms and zones."""
    want = Event(
        "REQUEST", "carl@corp.example", "Boss, Carl", "2026-03-01T10:00:00 Europe/Berlin",
        "2026-03-01T10:00:00Z", "Budget, all\nof it", "Room 7",
    )  # fmt: skip
    assert events(INVITATION) == [want]
    raw = f"Subject: s\nContent-Type: text/calendar; method=REQUEST\n\n{INVITATION}".encode()
    assert parse(raw).invitation == [want]
    inner = b"Content-Type: message/rfc822\n\n" + raw
    assert [(m.part, len(m.invitation)) for m in (parse(inner), *parse(inner).enclosed)] == [
        ("", 0),
        ("1", 1),
    ]


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("DTSTART;VALUE=DATE:20260301", "2026-03-01"),
        ("DTSTART:tomorrow", None),
        ("DTSTART:20260301T1000", None),
    ],
)
def test_a_time_is_never_guessed(line: str, start: str | None) -> None:
    (event,) = events(f"BEGIN:VEVENT\n{line}\nEND:VEVENT")
    assert event.start == start


@pytest.mark.parametrize(
    "hostile",
    [
        "BEGIN:VEVENT\nEND:VEVENT\n" * 9999,
        "BEGIN:VEVENT\n" * 19999,
        "ORGANIZER;" + ';CN="' * 60_000,
        "\n " * 130_000,
    ],
)
def test_hostile_calendars_end_in_time(hostile: str) -> None:
    start = time.process_time()
    assert len(events(hostile)) <= MAX_EVENTS
    assert time.process_time() - start < 1
