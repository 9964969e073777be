"""What the tables hold that an indicator can be compared with, as one SQL query.

Each row of the view `observables` is one value at one place of one mail: `kind` is the type of indicator that
is compared with it, `field` names the place, `value` is the value as the tables have it. One engine reads it,
DuckDB: over Parquet for `hunt`, over the rows of one commit for `follow`.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A place of indicators: a column of a table; `value` (default: the column) and `where` are SQL."""

    kind: str
    table: str
    column: str
    value: str = ""
    where: str = "true"


_HOST_OF_TARGET = (
    r"regexp_extract(target, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)', 1)"
)


PLACES = (
    Place("ADDR", "emails", "path", "unnest(path)"),
    Place("ADDR", "emails", "x_originating_ip"),
    Place("SUBJECT", "emails", "subject"),
    Place("FILE_HASH", "emails", "sha256"),
    Place("SOFTWARE", "emails", "user_agent"),
    Place("ADDR", "enclosed", "path", "unnest(path)"),
    Place("ADDR", "enclosed", "x_originating_ip"),
    Place("SUBJECT", "enclosed", "subject"),
    Place("FILE_HASH", "enclosed", "sha256"),
    Place("SOFTWARE", "enclosed", "user_agent"),
    Place("ADDR", "emails", "id_orig_h"),
    Place("ADDR", "emails", "id_resp_h"),
    Place("USER_NAME", "emails", "user"),
    Place("USER_NAME", "sessions", "users_refused", "unnest(users_refused)"),
    Place("EMAIL", "addresses", "address"),
    Place("DOMAIN", "addresses", "domain"),
    Place("URL", "links", "url"),
    Place("URL", "links", "target"),
    Place("DOMAIN", "links", "host"),
    Place("DOMAIN", "links", "target", _HOST_OF_TARGET, "target is not null"),
    Place("ADDR", "links", "host", "host", r"regexp_matches(host, '^[0-9.]+$|:')"),
    Place("FILE_HASH", "attachments", "md5"),
    Place("FILE_HASH", "attachments", "sha1"),
    Place("FILE_HASH", "attachments", "sha256"),
    Place("FILE_NAME", "attachments", "filename"),
    # A name that some programs end at a NUL.
    Place("FILE_NAME", "attachments", "filename_raw", where="contains(filename_raw, chr(0))"),
    Place("FILE_NAME", "attachments", "other_names", "unnest(other_names)"),
    Place("FILE_HASH", "members", "md5"),
    Place("FILE_HASH", "members", "sha1"),
    Place("FILE_HASH", "members", "sha256"),
    Place("FILE_NAME", "members", "name"),
)


def query() -> str:
    """The SQL text of `observables`: ts, uid, trans_depth, part, kind, field, value."""
    return "\nunion all\n".join(map(_query, PLACES))


def _query(place: Place) -> str:
    depth = "null" if place.table == "sessions" else "trans_depth"
    part = "null" if place.table in ("emails", "sessions") else "part"
    # Of an address, the field is that of the header.
    field = "'addresses.' || field" if place.table == "addresses" else f"'{place.table}.{place.column}'"
    value = place.value or f'"{place.column}"'
    return f"""select ts, uid, {depth}::int as trans_depth, {part}::varchar as part,
        '{place.kind}' as kind, {field} as field, value from
        (select *, {value} as value from {place.table} where {place.where})
        where value is not null and value <> ''"""
