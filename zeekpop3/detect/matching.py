"""Indicators against what the tables hold, by DuckDB.

Each row of the view `observables` is one value at one place of one mail: `kind` is the type of indicator that
is compared with it, `field` names the place, `value` is the value as the tables have it. DuckDB gives each
distinct value once, and finds the rows of matches: over Parquet for `hunt`, over the rows of one commit for
`follow`. A domain matches itself and all names below it, a network the addresses in it, a URL without a
query the same URL with any.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from zeekpop3.detect.indicators import Indicator, key_of
from zeekpop3.tables.schema import schema

if TYPE_CHECKING:
    import duckdb

#: Characters of a domain name (RFC 1035, 3.1); the end of a longer one is matched.
_LONGEST_NAME = 253
#: Values that are taken from DuckDB at once.
_VALUES = 10_000


class IndicatorIndex:
    """Indicators by type and key. `find(kind, value)` yields those that a value of the tables matches.

    `types` are the types that occur, `hashes` the keys of the hashes.
    """

    def __init__(self, indicators: Iterable[Indicator]) -> None:
        self.types: set[str] = set()
        self.hashes: list[str] = []
        self._by_key: dict[tuple[str, str], Indicator] = {}
        self._networks: dict[tuple[int, int], dict[int, Indicator]] = {}
        for indicator in indicators:
            self.types.add(indicator.type)
            if indicator.type == "FILE_HASH":
                self.hashes.append(indicator.key)
            if indicator.type == "SUBNET":
                network = ipaddress.ip_network(indicator.key)
                same = self._networks.setdefault((network.version, network.prefixlen), {})
                same[int(network.network_address)] = indicator
            else:
                self._by_key[indicator.type, indicator.key] = indicator

    def find(self, kind: str, value: str) -> Iterator[Indicator]:
        """The indicators that `value`, an observable of `kind`, matches."""
        try:
            key = key_of(kind, value)
        except ValueError:
            return  # an address field, a host or a hash that is malformed in the mail
        if kind == "DOMAIN":
            yield from self._parents(key)
        elif found := self._by_key.get((kind, key)):
            yield found
        if kind == "URL" and "?" in key and (found := self._by_key.get((kind, key.partition("?")[0]))):
            yield found
        if kind == "ADDR":
            yield from self._around(key)

    def _parents(self, host: str) -> Iterator[Indicator]:
        if len(host) > _LONGEST_NAME:
            host = host[-_LONGEST_NAME:].partition(".")[2]
        while host:
            if found := self._by_key.get(("DOMAIN", host)):
                yield found
            host = host.partition(".")[2]

    def _around(self, address: str) -> Iterator[Indicator]:
        ip = ipaddress.ip_address(address)
        number = int(ip)
        for (version, length), networks in self._networks.items():
            if version == ip.version:
                shift = ip.max_prefixlen - length
                if found := networks.get(number >> shift << shift):
                    yield found


def find_hits(connection: duckdb.DuckDBPyConnection, index: IndicatorIndex) -> pa.Table:
    """The hits as rows of the table `hits`, newest first. `connection` has the tables as views."""
    connection.execute("create or replace temp view observables as " + observables_sql())
    connection.register("hashes", pa.table({"value": pa.array(index.hashes, pa.string())}))
    distinct = connection.execute(_DISTINCT)
    rows: list[tuple[str | None, ...]] = []
    while values := distinct.fetchmany(_VALUES):
        for kind, value in values:
            for one in index.find(kind, value):
                rows.append((kind, value, one.value, one.type, one.source, one.description))
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(_MATCHED))]
    connection.register("matched", pa.table(columns, names=_MATCHED))
    found = connection.sql(_HITS).to_arrow_table()
    return found.select(schema("hits").names).cast(schema("hits"))


_MATCHED = ("kind", "value", "indicator", "type", "source", "description")
#: The tables have hashes in the form of keys; most of their distinct values are hashes.
_DISTINCT = """
    select distinct kind, value from observables
    where kind <> 'FILE_HASH' or value in (select value from hashes)
"""
_HITS = """
    select distinct o.ts, o.uid, o.trans_depth, coalesce(o.part, '') as part, m.indicator, m.type, o.field,
        o.value, m.source, m.description
    from observables o join matched m using (kind, value)
    -- A follower publishes a mail in `emails` last: only then its rows elsewhere are complete.
    where o.trans_depth is null or (o.uid, o.trans_depth) in (select (uid, trans_depth) from emails)
    order by o.ts desc, o.uid, o.trans_depth, part, o.field, m.type, m.indicator, o.value
"""


# -- where indicators are looked for -----------------------------------------------------------------


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
_HOST_OF_INNER = r"regexp_extract(unnest(%s), '://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)', 1)"
#: URLs inside the `url` of a link, as open redirects have them (`…?u=https%3A%2F%2Fevil.example`): a list.
#: What begins a URL is decoded first, so that nothing else in the link can spoil it; then `?`, `=` and `&`.
INNER_URLS = r"""list_transform(
    regexp_extract_all(
        regexp_replace(regexp_replace(url[9:], '(?i)%(25)*3a', ':', 'g'), '(?i)%(25)*2f', '/', 'g'),
        '(?i)https?://[^\s<>"&]+'),
    lambda one: regexp_replace(regexp_replace(regexp_replace(
        one, '(?i)%(25)*3f', '?', 'g'), '(?i)%(25)*3d', '=', 'g'), '(?i)%(25)*26', '&', 'g'))"""
#: Whether there may be one. A gateway's link has its original in `target`.
HAS_INNER_URL = r"target is null and regexp_matches(url[9:], '(?i)https?(:|%(25)*3a)')"
_FETCHED_NOTHING = "coalesce(retrieved, 0) = 0"

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
    # Of a connection that fetched nothing; of others the mails have these.
    Place("ADDR", "sessions", "id_orig_h", where=_FETCHED_NOTHING),
    Place("ADDR", "sessions", "id_resp_h", where=_FETCHED_NOTHING),
    Place("USER_NAME", "sessions", "user", where=_FETCHED_NOTHING),
    Place("USER_NAME", "sessions", "users_refused", "unnest(users_refused)"),
    Place("EMAIL", "addresses", "address"),
    Place("DOMAIN", "addresses", "domain"),
    Place("URL", "links", "url"),
    Place("URL", "links", "target"),
    Place("DOMAIN", "links", "host"),
    Place("DOMAIN", "links", "target", _HOST_OF_TARGET, "target is not null"),
    Place("URL", "links", "url", f"unnest({INNER_URLS})", HAS_INNER_URL),
    Place("DOMAIN", "links", "url", _HOST_OF_INNER % INNER_URLS, HAS_INNER_URL),
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
    Place("FILE_NAME", "members", "path", where="contains(path, chr(0))"),
)


def observables_sql() -> str:
    """The SQL text of the view `observables`: ts, uid, trans_depth, part, kind, field, value."""
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
