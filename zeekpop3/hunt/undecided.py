"""What a search cannot know: mails that were searched, but of which bytes are missing.

A mail without a hit is ruled out only if all of it was seen. One that is incomplete, or a preview (TOP) of a
mail that was never fetched, may hold the indicator in the part that is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class Answer(NamedTuple):
    """What a search found. `hits` has the columns of the table `hits`.

    `searched` counts the mails, `with_hits` those that have one. `undecided` has a row for each mail without
    a hit that cannot be ruled out: ts, uid, trans_depth, user, subject, missing_bytes, reason.
    """

    hits: pa.Table
    searched: int
    with_hits: int
    undecided: pa.Table

    def __str__(self) -> str:
        ruled_out = self.searched - self.with_hits - self.undecided.num_rows
        return (
            f"{_count(self.hits.num_rows, 'hit')} in {_count(self.with_hits, 'mail')} of {self.searched}; "
            f"{ruled_out} ruled out; {self.undecided.num_rows} cannot be ruled out (bytes are missing)"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def answer(connection: duckdb.DuckDBPyConnection, hits: pa.Table) -> Answer:
    """The three-valued answer that belongs to the hits of a search over all mails of `connection`."""
    connection.register("found_hits", hits)
    try:
        counts = connection.execute(_COUNTS).fetchone() or (0, 0)
        undecided = connection.sql(_UNDECIDED).to_arrow_table()
    finally:
        connection.unregister("found_hits")
    return Answer(hits, counts[0], counts[1], undecided)


_COUNTS = """
    select count(*), count(*) filter (exists (
        select 1 from found_hits h where h.uid = e.uid and h.trans_depth = e.trans_depth))
    from emails e
"""

_UNDECIDED = """
    select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.missing_bytes,
        case when e.command = 'TOP' then 'preview only (TOP); the mail was not fetched'
             when e.missing_bytes > 0 then 'bytes are missing'
             else 'the end was not seen' end as reason
    from emails e
    where (not e.complete or e.command = 'TOP')
        and not exists (select 1 from found_hits h where h.uid = e.uid and h.trans_depth = e.trans_depth)
        and not exists (
            select 1 from emails f
            where f.command = 'RETR' and f.complete and (f.uid, f.trans_depth) <> (e.uid, e.trans_depth)
                and ((f.uid = e.uid and f.msg_num = e.msg_num)
                    or (f.uidl = e.uidl and f.user = e.user and f.id_resp_h = e.id_resp_h)))
    order by e.ts desc, e.uid, e.trans_depth
"""
