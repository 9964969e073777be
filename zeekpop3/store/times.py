"""Times as people write them.

A time is a datetime or date (UTC if it has no zone), ISO 8601 text, seconds since the epoch as in Zeek's
logs, or "90m", "12h", "7d", "2w": so long before now.
"""

from __future__ import annotations

import datetime as dt
import re

from zeekpop3.errors import FilterError

Time = str | dt.date | dt.datetime | int | float

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_AGO_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def instant(value: Time, now: dt.datetime | None = None) -> dt.datetime:
    """The time in UTC that a user means; "90m", "12h", "7d" are so long before `now` (default: the present).

    Raises FilterError if it is not a time.
    """
    try:
        if isinstance(value, dt.datetime):
            return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
        if isinstance(value, dt.date):
            return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        if isinstance(value, (int, float)):
            return _EPOCH + dt.timedelta(microseconds=round(value * 1_000_000))
        text = value.strip()
        ago = _AGO.fullmatch(text)
        if ago:
            return (now or dt.datetime.now(dt.UTC)) - dt.timedelta(seconds=int(ago[1]) * _AGO_S[ago[2]])
        if re.fullmatch(r"\d{9,10}(\.\d+)?", text):
            return instant(float(text))
        return instant(dt.datetime.fromisoformat(text))
    except (ValueError, OverflowError, AttributeError) as error:
        raise FilterError(
            f"invalid time {value!r}: expected a date such as 2024-06-24 or 2024-06-24T12:00 (UTC), "
            "or a time ago: 12h, 7d"
        ) from error
