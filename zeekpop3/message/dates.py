"""`Date` fields and the dates of `Received` → microseconds since the epoch, UTC.

One expression reads the usual form. `email.utils` reads the rest, on a bounded length, after forms that it
does not know (AM and PM, zones like GMT+1 and +01:00, ISO 8601) are rewritten. An unknown zone means UTC (RFC
5322, section 4.3), unless its name is unambiguous.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from datetime import date as day_of
from functools import lru_cache

from zeekpop3.defects import Defect, Defects
from zeekpop3.message.header_text import without_comments

_MAX_LENGTH = 200
_EPOCH = day_of(1970, 1, 1).toordinal()
_MONTH_NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
USUAL_DATE = (
    r"[ \t]*+(?:[A-Z][a-z][a-z],?[ \t]++)?+([0-9][0-9]?)[ \t]++([A-Z][a-z][a-z])[ \t]++([0-9]{4})[ \t]++"
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)[ \t]++([-+][0-9]{4}|[A-Z]{2,4})"
    r"(?:[ \t]*+\([^()]*+\))*+[ \t]*+"
)
"""The usual form as a regular expression; its seven groups are the arguments of `from_usual`."""
_USUAL = re.compile(USUAL_DATE)
_TWO_DIGITS = {f"{number:02}": number for number in range(61)}
_ZONE = re.compile(r"\s([A-Za-z]{2,5})\s*$")
_HALF_DAY = re.compile(r"\b([0-9]{1,2}):([0-9]{2})(:[0-9]{2})? ?([AaPp])\.?[Mm]\b\.?")
_NUMERIC_ZONE = re.compile(
    r"(?:(?<=[0-9 ])| ?\b(?:GMT|UTC?) ?)([-+])([0-9]{1,2})(?::?([0-9]{2}))?\Z", re.IGNORECASE | re.ASCII
)
_TWO_SIGNS = re.compile(r"(?<= )[-+](?=[-+][0-9]{4}\Z)")
_ODD_ZONE = re.compile(r" [-+](?![0-9]{4}\Z)[^ ]*\Z| [0-9]{5,}\Z")
# A comment before the time, dots in the time, a zone with a colon and minutes.
_READ_DIFFERENTLY = re.compile(
    r"\A[^:(]*+\(|\b[0-9]{1,2}\.[0-9]{2}\.[0-9]{2}\b|[-+][0-9]{1,2}:(?!00)[0-9]{2}(?![0-9:])"
)
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:[.,][0-9]{1,6})?)?"
    r" ?(Z|UTC|GMT|[-+][0-9]{2}:?[0-9]{2})?"
)
# Minutes east of UTC for names that mail programs write and that are unambiguous.
_ZONES = {
    "CET": 60, "MEZ": 60, "MET": 60, "MEWT": 60, "CEST": 120, "MEST": 120, "MESZ": 120, "EET": 120,
    "EEST": 180, "WET": 0, "WEST": 60, "MSK": 180, "MSD": 240, "JST": 540, "KST": 540, "AEST": 600,
    "AEDT": 660, "NZST": 720, "NZDT": 780, "AKST": -540, "AKDT": -480, "HST": -600, "SGT": 480, "HKT": 480,
}  # fmt: skip
# Those that email.utils knows (RFC 5322, section 4.3)
_AMERICAN = {
    "UT": 0, "UTC": 0, "GMT": 0, "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300,
    "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
}  # fmt: skip


@lru_cache(maxsize=4_096)
def _midnight(day: str, month: str, year: str) -> int | None:
    """Seconds from the epoch to the start of a day; None if there is no such day."""
    try:
        return (day_of(int(year), _MONTHS[month], int(day)).toordinal() - _EPOCH) * 86_400
    except (KeyError, ValueError):
        return None


@lru_cache(maxsize=1_024)
def _offset(zone: str) -> int | None:
    """Seconds east of UTC for a zone like "+0530" or "EST"; None if it is unknown."""
    if zone[0] not in "+-":
        minutes = _AMERICAN.get(zone, _ZONES.get(zone))
        return None if minutes is None else minutes * 60
    seconds = int(zone[1:3]) * 3600 + int(zone[3:]) * 60
    if seconds >= 86_400:
        return None
    return -seconds if zone[0] == "-" else seconds


def from_usual(day: str, month: str, year: str, hour: str, minute: str, second: str, zone: str) -> int | None:
    """Microseconds since the epoch for the groups of `USUAL_DATE`; None if there is no such day or zone."""
    midnight = _midnight(day, month, year)
    offset = _offset(zone)
    if midnight is None or offset is None:
        return None
    seconds = 3600 * _TWO_DIGITS[hour] + 60 * _TWO_DIGITS[minute] + _TWO_DIGITS[second]
    return (midnight + seconds - offset) * 1_000_000


def instant(value: str, defects: Defects | None) -> int | None:
    """Microseconds since the epoch, or None if the date cannot be read."""
    match = _USUAL.fullmatch(value)
    result = from_usual(*match.groups()) if match is not None else None
    if result is None:
        result = _unusual(value[:_MAX_LENGTH], defects)
        if result is None and defects is not None:
            defects[Defect.DATE_MALFORMED] = None
    return result


def _unusual(value: str, defects: Defects | None) -> int | None:
    from email.utils import parsedate_tz  # loads the socket module, so only where it is needed

    if defects is not None and _READ_DIFFERENTLY.search(value) is not None:
        defects[Defect.DATE_MALFORMED] = None
    bare = " ".join(without_comments(value).partition("(")[0].split())
    iso = _ISO.fullmatch(bare)
    if iso is not None:
        return _from_iso(*iso.groups(""))
    bare = _HALF_DAY.sub(_whole_day, bare, count=1)
    bare = _NUMERIC_ZONE.sub(_zone_of_four_digits, _TWO_SIGNS.sub("", bare))
    try:
        parsed = parsedate_tz(bare)
        if parsed is None:
            return None
        year, month, day, hour, minute, second, _, _, _, offset = parsed
        if 100 <= year < 1000:
            year += 1900  # RFC 5322, section 4.3: three digits count from 1900
        if year < 1 or second > 60 or minute > 59 or hour > 23:
            return None
        seconds = (day_of(year, month, day).toordinal() - _EPOCH) * 86_400
        seconds += hour * 3600 + minute * 60 + second
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    zone = _ZONE.search(bare)
    if zone is not None and zone[1].upper() not in _AMERICAN:
        east = _ZONES.get(zone[1].upper())
        if east is not None:
            offset = east * 60
        elif defects is not None:
            defects[Defect.DATE_ZONE_UNKNOWN] = None
    elif defects is not None and _ODD_ZONE.search(bare) is not None:
        defects[Defect.DATE_ZONE_UNKNOWN] = None  # programs differ in what they make of it
    if offset is not None and -86_400 < offset < 86_400:
        seconds -= offset
    elif offset is not None and defects is not None:
        defects[Defect.DATE_ZONE_UNKNOWN] = None
    return seconds * 1_000_000


def _whole_day(clock: re.Match[str]) -> str:
    """3:04 PM → 15:04."""
    hour = int(clock[1])
    if hour <= 12:
        hour = hour % 12 + 12 * (clock[4] in "pP")
    return f"{hour:02}:{clock[2]}{clock[3] or ''}"


def _zone_of_four_digits(zone: re.Match[str]) -> str:
    """+01:00, GMT+1 and UTC+0100 → +0100."""
    if zone[3] is None and len(zone[0].strip()) == len(zone[2]) + 1:
        return zone[0]  # a bare number is not a zone
    return f" {zone[1]}{int(zone[2]):02}{zone[3] or '00'}"


def _from_iso(day: str, minute: str, second: str, zone: str) -> int | None:
    zone = zone if zone[:1] in ("+", "-") else "+00:00"
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}{second}{zone}")
    except ValueError:
        return None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
