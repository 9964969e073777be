"""What a search cannot know: a mail without a hit is ruled out only if all of it was searched.

One that is incomplete, or a preview (TOP) of a mail that was never fetched, may hold the indicator in the
part that is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import duckdb
import pyarrow as pa


class Hits(NamedTuple):
    """What a search found. `table` has a row for each hit, with the columns of the table `hits`.

    `searched` counts the mails, `with_hits` those that have one. `undecided` has a row for each mail without
    a hit that cannot be ruled out: ts, uid, trans_depth, user, subject, missing_bytes, reason.
    """

    table: pa.Table
    searched: int
    with_hits: int
    undecided: pa.Table

    def __str__(self) -> str:
        hits = "1 hit" if self.table.num_rows == 1 else f"{self.table.num_rows} hits"
        mails = "1 mail" if self.searched == 1 else f"{self.searched} mails"
        undecided = self.undecided.num_rows
        ruled_out = self.searched - self.with_hits - undecided
        return (
            f"{hits} in {self.with_hits} of {mails}; {ruled_out} ruled out; {undecided} cannot be ruled out"
        )


def judged(
    connection: duckdb.DuckDBPyConnection,
    hits: pa.Table,
    unscanned: Mapping[tuple[str, int], str],
    types: Collection[str],
) -> Hits:
    """The three-valued answer that belongs to the hits of a search over all mails of `connection`.

    `unscanned` has the reason for each mail that the search could not read completely. `types` are the types
    of indicators that were searched for: tables of an older version, or without bodies, cannot show them all.
    """

    reasons = pa.table(
        {
            "uid": pa.array([uid for uid, _ in unscanned], pa.string()),
            "trans_depth": pa.array([depth for _, depth in unscanned], pa.int32()),
            "reason": pa.array(unscanned.values(), pa.string()),
        }
    )
    connection.register("found_hits", hits)
    connection.register("unscanned", reasons)
    ((searched, with_hits),) = connection.execute(_COUNTS).fetchall()
    asked = {"links": not _IN_LINKS.isdisjoint(types), "addresses": not _IN_ADDRESSES.isdisjoint(types)}
    undecided = connection.sql(_UNDECIDED, params=asked).to_arrow_table()
    return Hits(hits, searched, with_hits, undecided)


_IN_LINKS = {"URL", "DOMAIN", "ADDR", "SUBNET"}
_IN_ADDRESSES = {"EMAIL", "DOMAIN"}

_COUNTS = """
    select count(*), count(*) filter (exists (
        select 1 from found_hits h where h.uid = e.uid and h.trans_depth = e.trans_depth))
    from emails e
"""

_UNDECIDED = """
    with seen_in_part as (
        select e.uid, e.trans_depth,
            case when e.command = 'TOP' then 'preview only (TOP); the mail was not fetched'
                 when e.missing_bytes > 0 then 'bytes are missing'
                 when e.complete then 'the capture has two versions of its bytes'
                 else 'the end was not captured' end as reason
        from emails e
        where (not e.complete or e.command = 'TOP' or list_contains(e.defects, 'stream_ambiguous'))
            and not exists (
                select 1 from emails f
                where f.command = 'RETR' and f.complete and not list_contains(f.defects, 'stream_ambiguous')
                    and (f.uid, f.trans_depth) <> (e.uid, e.trans_depth)
                    and ((f.uid = e.uid and f.msg_num = e.msg_num)
                        or (f.uidl = e.uidl and f.user = e.user and f.id_resp_h = e.id_resp_h)))
    ),
    missing as (
        select e.uid, e.trans_depth,
            if(links, 'its links are not in the tables', 'its addresses are not in the tables') as reason
        from (select uid, trans_depth, "from", urls,
                $links and (urls is null or (len(urls) > 0 and (uid, trans_depth) not in (
                    select (uid, trans_depth) from links))) as links,
                $addresses and "from" is not null and (uid, trans_depth) not in (
                    select (uid, trans_depth) from addresses) as addresses
            from emails) e
        where links or addresses
    )
    select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.missing_bytes,
        coalesce(p.reason, u.reason, m.reason) as reason
    from emails e
        left join seen_in_part p using (uid, trans_depth)
        left join unscanned u using (uid, trans_depth)
        left join missing m using (uid, trans_depth)
    where coalesce(p.reason, u.reason, m.reason) is not null
        and not exists (select 1 from found_hits h where h.uid = e.uid and h.trans_depth = e.trans_depth)
    order by e.ts desc, e.uid, e.trans_depth
"""
