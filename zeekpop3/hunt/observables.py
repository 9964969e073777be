"""What the tables hold that an indicator can be compared with, as one SQL query.

Each row of the view `observables` is one value at one place of one mail: `kind` is the type of indicator that
is compared with it, `field` names the place, `value` is the value as the tables have it. One engine reads it,
DuckDB: over Parquet for `hunt`, over the rows of one commit for `follow`.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A place of indicators in the tables: `field` is a column; `value` and `where` are SQL over `table`."""

    kind: str
    field: str
    table: str
    value: str
    part: str = "null"
    where: str = "true"
    depth: str = "trans_depth"


_HOST_OF_TARGET = (
    r"regexp_extract(target, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)', 1)"
)


def _of_message(table: str, part: str) -> list[Place]:
    """Places that a mail and a message inside a mail share."""
    prefix = "" if table == "emails" else "enclosed."
    return [
        Place("ADDR", prefix + "path", table, "unnest(path)", part),
        Place("ADDR", prefix + "x_originating_ip", table, "x_originating_ip", part),
        Place("FILE_HASH", prefix + "sha256", table, "sha256", part),
        Place("SOFTWARE", prefix + "user_agent", table, "user_agent", part),
    ]


PLACES: tuple[Place, ...] = (
    *_of_message("emails", "null"),
    *_of_message("enclosed", "part"),
    Place("ADDR", "id_orig_h", "emails", "id_orig_h"),
    Place("ADDR", "id_resp_h", "emails", "id_resp_h"),
    Place("USER_NAME", "user", "emails", "user"),
    Place("USER_NAME", "users_refused", "sessions", "unnest(users_refused)", depth="null"),
    Place("EMAIL", "", "addresses", "address", "part"),
    Place("DOMAIN", "", "addresses", "domain", "part"),
    Place("URL", "url", "links", "url", "part"),
    Place("URL", "target", "links", "target", "part"),
    Place("DOMAIN", "host", "links", "host", "part"),
    Place("DOMAIN", "target", "links", _HOST_OF_TARGET, "part", "target is not null"),
    Place("ADDR", "host", "links", "host", "part", r"regexp_matches(host, '^[0-9.]+$|:')"),
    Place("FILE_HASH", "md5", "attachments", "md5", "part"),
    Place("FILE_HASH", "sha1", "attachments", "sha1", "part"),
    Place("FILE_HASH", "sha256", "attachments", "sha256", "part"),
    Place("FILE_NAME", "filename", "attachments", "filename", "part"),
)


def query() -> str:
    """The SQL text of `observables`: ts, uid, trans_depth, part, kind, field, value."""
    parts = [
        f"""select ts, uid, {place.depth}::int as trans_depth, {place.part}::varchar as part,
            '{place.kind}' as kind, {_field(place)} as field, value from
            (select *, {place.value} as value from {place.table} where {place.where})
            where value is not null and value <> ''"""
        for place in PLACES
    ]
    return "\nunion all\n".join(parts)


def _field(place: Place) -> str:
    """SQL for the name of the place: table and column, for addresses the header field."""
    if place.table == "addresses":
        return "'addresses.' || field"
    return f"'{place.field}'" if "." in place.field else f"'{place.table}.{place.field}'"
