"""A search of all mails in tables, or of the rows of a follower's commit, for indicators and by YARA rules.

A mail without a hit is ruled out only if all of it was searched. One that is incomplete, or a preview (TOP)
of a mail that was never fetched, may hold the indicator in the part that is missing. One with an attachment
that was not looked into, or that a limit cut, may hold a file, a link or a host there; it can still be ruled
out for a sender's address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from zeekpop3.defects import Defect
from zeekpop3.detect.lists import OnError, read_indicators
from zeekpop3.detect.matching import IndicatorIndex, find_hits
from zeekpop3.detect.yara import Scanner
from zeekpop3.errors import IndicatorError, UsageError
from zeekpop3.store.dataset import closed, connect, retry_while_merging, table_folder
from zeekpop3.store.files import exclusive, make_folder
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import read_table
from zeekpop3.store.write import TableWriter
from zeekpop3.tables.schema import TABLES, schema

_ORDER = [("ts", "descending"), ("uid", "ascending"), ("trans_depth", "ascending")]


def search(
    path: str | Path,
    indicators: Iterable[str | Path] = (),
    *,
    values: Iterable[str] = (),
    rules: Iterable[str | Path] = (),
    filters: Filters | None = None,
    on_error: OnError | None = None,
    others: Counter[str] | None = None,
) -> Hits:
    """See `zeekpop3.hunt`; `filters` say which mails are searched, `others` is as in `read_indicators`.

    Raises UsageError if there is nothing to search for.
    """
    index = IndicatorIndex(read_indicators(indicators, on_error, values, others=others))
    scanner = Scanner(rules) if (rules := list(rules)) else None
    types = index.types | ({"YARA"} if scanner else set())
    if not types:
        raise UsageError("nothing to search for: give indicators, values or rules")

    def attempt() -> Hits:
        hits = schema("hits").empty_table()
        with connect(path, filters=filters) as connection:
            if index.types:
                hits = find_hits(connection, index)
            if scanner is not None:
                by_rules = pa.Table.from_pylist(list(scanner.hits(path, filters)), schema("hits"))
                hits = pa.concat_tables([hits, by_rules]).sort_by(_ORDER)
            found = with_undecided(connection, hits, scanner.unscanned if scanner else {}, types)
        return found._replace(unseen=unseen_sessions(path, filters or Filters()))

    return retry_while_merging(path, attempt, duckdb.Error)


# -- what a search cannot know -----------------------------------------------------------------------


class Unseen(NamedTuple):
    """Sessions of the time and sensor of a search, of any user: how many switched to TLS (their users are not
    known), how many were not read completely, and the defects of these.
    """

    encrypted: int = 0
    unread: int = 0
    defects: tuple[str, ...] = ()


#: Of a session: mails may have crossed the wire that are in no table.
_NOT_ALL_READ = frozenset(
    {
        Defect.LIMIT_REACHED,
        Defect.LINES_NOT_KEPT,
        Defect.NOT_UNDERSTOOD,
        Defect.REPLY_MALFORMED,
        Defect.ROWS_MISSING,
    }
)


def unseen_sessions(path: str | Path, filters: Filters) -> Unseen:
    """The sessions of the filters' time and sensor whose mails may be in no table. Raises QueryError."""
    span = Filters(since=filters.since, until=filters.until, sensor=filters.sensor)
    sessions = read_table(path, "sessions", ["tls", "defects"], span)
    lost = [_NOT_ALL_READ.intersection(defects or ()) for defects in sessions["defects"].to_pylist()]
    return Unseen(
        encrypted=sum(map(bool, sessions["tls"].to_pylist())),
        unread=sum(map(bool, lost)),
        defects=tuple(sorted(frozenset().union(*lost))),
    )


class Hits(NamedTuple):
    """What a search found. `table` has a row for each hit, with the columns of the table `hits`.

    `searched` counts the mails, `with_hits` those that have one. `undecided` has a row for each mail without
    a hit that cannot be ruled out: ts, uid, trans_depth, user, subject, missing_bytes, reason. `connections`
    counts those that have a hit and no mails; all other mails are `ruled_out`. `unseen`: the sessions whose
    mails may be in no table.
    """

    table: pa.Table
    searched: int
    with_hits: int
    undecided: pa.Table
    unseen: Unseen

    @property
    def ruled_out(self) -> int:
        undecided: int = self.undecided.num_rows
        return self.searched - self.with_hits - undecided

    @property
    def connections(self) -> int:
        uids: list[str] = self.table.filter(self.table["trans_depth"].is_null())["uid"].to_pylist()
        return len(set(uids))


def with_undecided(
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
    asked = {
        "links": not _IN_LINKS.isdisjoint(types),
        "addresses": not _IN_ADDRESSES.isdisjoint(types),
        "files": not _IN_FILES.isdisjoint(types),
    }
    cut = [(defect.value, reason) for defect, (kinds, reason) in _CUT.items() if not kinds.isdisjoint(types)]
    connection.register("cut", _strings(defect=[one for one, _ in cut], reason=[why for _, why in cut]))
    connection.register("containers", _strings(mime_type=_CONTAINERS))
    undecided = connection.sql(_UNDECIDED, params=asked).to_arrow_table()
    return Hits(hits, searched, with_hits, undecided, Unseen())


def _strings(**columns: Collection[str]) -> pa.Table:
    return pa.table({name: pa.array(list(values), pa.string()) for name, values in columns.items()})


_IN_LINKS = frozenset(("URL", "DOMAIN", "ADDR", "SUBNET"))
_IN_ADDRESSES = frozenset(("EMAIL", "DOMAIN"))
_IN_FILES = frozenset(("FILE_HASH", "FILE_NAME", "YARA")) | _IN_LINKS
_IN_HEADERS = frozenset(("EMAIL", "DOMAIN", "ADDR", "SUBNET", "SOFTWARE", "SUBJECT"))
_IN_MAILS = _IN_FILES | _IN_HEADERS

#: What a limit cut off a mail, or what could not be decoded: the indicators that may lie there, the reason.
_CUT: dict[Defect, tuple[frozenset[str], str]] = {
    Defect.PARSE_LIMITED: (_IN_MAILS, "it took too much work to be read completely"),
    Defect.ATTACHMENTS_CUT: (_IN_FILES, "it has more attachments than are read"),
    Defect.PARTS_CUT: (_IN_MAILS, "it has more parts than are read"),
    Defect.NESTING_CUT: (_IN_MAILS, "its parts are nested too deeply"),
    Defect.ENCLOSED_CUT: (_IN_MAILS, "it has more messages inside than are read"),
    Defect.READINGS_CUT: (_IN_MAILS, "not all other readings of its bytes were tried"),
    Defect.CHARSET_BROKEN: (_IN_LINKS, "a text of it does not decode in its charset"),
    Defect.CHARSET_UNKNOWN: (_IN_LINKS, "a text of it has an unknown charset"),
    Defect.URLS_CUT: (_IN_LINKS, "it has more links than are kept, or some that could not be read"),
    Defect.SCRIPT_NOT_RUN: (
        _IN_FILES,
        "a page or script attached to it may make links and files when it runs",
    ),
    Defect.HEADER_CUT: (_IN_MAILS, "its header is larger than what is read"),
    Defect.ADDRESSES_CUT: (_IN_ADDRESSES, "it has more addresses than are kept"),
    Defect.RECEIVED_CUT: (frozenset(("ADDR", "SUBNET")), "it has more Received fields than are kept"),
    Defect.ATTACHMENT_UNPACK_FAILED: (_IN_FILES, "an attachment of it (winmail.dat, uuencode) is broken"),
    Defect.ENCODING_UNKNOWN: (_IN_FILES, "a part of it has an unknown transfer encoding"),
}
#: Types that have members; tables of versions that did not look into them have no `inside`.
_CONTAINERS = (
    "application/zip", "application/gzip", "application/x-bzip2", "application/x-xz", "application/x-tar",
    "application/x-rar-compressed", "application/x-7z-compressed", "application/vnd.ms-cab-compressed",
)  # fmt: skip

_COUNTS = """
    select count(*), count(*) filter (exists (
        select 1 from found_hits h where h.uid = e.uid and h.trans_depth = e.trans_depth))
    from emails e
"""

_UNDECIDED = """
    with seen_in_part as (
        select e.uid, e.trans_depth,
            case when e.command = 'TOP' then 'preview only (TOP); the mail was not fetched'
                 when list_contains(e.defects, 'answer_missing') then 'the whole answer is missing'
                 when e.missing_bytes > 0 then 'bytes are missing'
                 when e.complete then 'the capture has two versions of its bytes'
                 else 'the end was not captured' end as reason
        from emails e
        where (not e.complete or list_contains(e.defects, 'stream_ambiguous')
                or e.command = 'TOP' and e.size is distinct from e.octets_declared)
            and not exists (
                select 1 from emails f
                where f.command = 'RETR' and f.complete
                    and not list_has_any(f.defects, ['stream_ambiguous', 'number_doubtful'])
                    and not list_contains(e.defects, 'number_doubtful')
                    and (f.uid, f.trans_depth) <> (e.uid, e.trans_depth)
                    and ((f.uid = e.uid and f.msg_num = e.msg_num)
                        or (f.uidl = e.uidl and lower(f.user) = lower(e.user) and f.id_resp_h = e.id_resp_h)))
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
    ),
    closed_part as (
        select uid, trans_depth, part, 'attachment ' || part || coalesce(' (' || filename || ')', '')
            || case inside when 'encrypted' then ' is encrypted'
                when 'too_large' then ' is too large, or nested too deeply, to be unpacked'
                when 'broken' then ' is broken'
                when 'unsupported' then ' is, or has in it, a file of a type that is not opened'
                else ' was not looked into by the version that wrote the tables' end as reason
        from attachments
        where $files and (inside <> 'listed' or inside is null and mime_type in (select * from containers))
        union all
        select distinct a.uid, a.trans_depth, a.part, 'macros of attachment ' || a.part
            || coalesce(' (' || a.filename || ')', '') || ' are not read'
        from attachments a join members m on (m.uid, m.trans_depth, m.part) = (a.uid, a.trans_depth, a.part)
        where $links and regexp_matches(m.path, '(^|/)VBA/')
    ),
    unopened as (
        select uid, trans_depth, array_to_string(list(reason order by part)[:3], '; ')
            || if(count(*) > 3, '; and ' || (count(*) - 3) || ' more', '') as reason
        from closed_part group by uid, trans_depth
    ),
    limited as (
        select uid, trans_depth, min(reason) as reason
        from emails join cut on list_contains(defects, cut.defect) group by uid, trans_depth
    )
    select e.ts, e.uid, e.trans_depth, e.user, e.subject, e.missing_bytes,
        coalesce(p.reason, u.reason, m.reason, l.reason, o.reason) as reason
    from emails e
        left join seen_in_part p using (uid, trans_depth)
        left join unscanned u using (uid, trans_depth)
        left join missing m using (uid, trans_depth)
        left join limited l using (uid, trans_depth)
        left join unopened o using (uid, trans_depth)
    where coalesce(p.reason, u.reason, m.reason, l.reason, o.reason) is not null
        and not exists (select 1 from found_hits h where h.uid = e.uid and h.trans_depth = e.trans_depth)
    order by e.ts desc, e.uid, e.trans_depth
"""


# -- the table hits ----------------------------------------------------------------------------------


_KEY = ("uid", "trans_depth", "part", "indicator", "type", "field", "value")


@contextmanager
def new_hits(path: str | Path, hits: pa.Table) -> Iterator[pa.Table]:
    """The hits that the table of an output folder does not hold; they are added when the block has succeeded.

    `hits` has the schema of the table. Other processes that add hits wait meanwhile. Raises QueryError,
    OutputError.
    """
    folder = table_folder(path, "hits")  # of one folder: of several, that of a hit is not known
    make_folder(folder)
    with exclusive(folder):
        known = set(_keys(read_table(path, "hits", _KEY)))
        unknown = hits.filter(pa.array([key not in known for key in _keys(hits)], pa.bool_()))
        yield unknown
        if unknown.num_rows:
            with TableWriter(folder.parent, "append") as writer:
                writer.write("hits", unknown)


def _keys(hits: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(hits.column(name).to_pylist() for name in _KEY), strict=True)


# -- the rows of a follower's commit -----------------------------------------------------------------


class LiveMatcher:
    """Lists of indicators, kept up to date. Calling it with the tables of a commit gives their hits.

    Raises IndicatorError if a list cannot be read at the start; later problems are reported to `on_error`.
    `on_change` gets the number of indicators after each change: mail that is in the tables already is not
    searched for new ones.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        on_error: OnError,
        on_change: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._paths = [Path(path) for path in paths]
        self._on_error = on_error
        self._on_change = on_change
        self._stamp = self._look()
        self._index = IndicatorIndex(read_indicators(self._paths, on_error))

    def __call__(self, tables: Mapping[str, pa.Table]) -> pa.Table:
        """The hits in `tables` (Arrow tables by name; missing ones are empty), as the table `hits`."""
        self._reload()
        with closed({name: tables.get(name, schema(name).empty_table()) for name in TABLES}) as connection:
            return find_hits(connection, self._index)

    def _reload(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        try:
            indicators = read_indicators(self._paths, self._on_error)
        except IndicatorError as error:
            self._on_error(error)
        else:
            self._index = IndicatorIndex(indicators)
            self._on_change(len(indicators))
        self._stamp = stamp

    def _look(self) -> list[tuple[Path, int, int, int]]:
        """What changes when a list does."""
        found = []
        for path in self._paths:
            with suppress(OSError):
                status = path.stat()
                found.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
        return found
