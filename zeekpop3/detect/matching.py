"""Indicators against observables: DuckDB gives each distinct value once, and finds the rows of matches.

A domain matches itself and all names below it, a network the addresses in it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

import duckdb
import pyarrow as pa

from zeekpop3.detect import observables
from zeekpop3.detect.indicators import Indicator, key_of
from zeekpop3.tables.schema import schema

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
    connection.execute("create or replace temp view observables as " + observables.query())
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
