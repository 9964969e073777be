"""Which rows are meant: filters that the Parquet reader applies, so that only these rows are read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_, or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from zeekpop3.errors import FilterError
from zeekpop3.store.times import Time, instant

#: The hashes of files by their length in hex.
HASHES = {32: "md5", 40: "sha1", 64: "sha256"}


@dataclass(frozen=True, slots=True)
class Filters:
    """All that are set must match; without any, all rows match.

    `user`: the complete name, case ignored. `sensor`: its name. `sender` and `subject`: a part of From and
    Subject, case ignored. `since` is inclusive, `until` is exclusive. `attachment`: MD5, SHA-1 or SHA-256 of
    an attachment's content, in hex. `incomplete`: only incomplete mails. `uid_start`: the first characters of
    the uid. `names`: names, in lower case, of the user's mailbox, each with its server; they replace `user`.
    `keys`: uid and trans_depth are those of one of these mails.
    """

    user: str | None = None
    sender: str | None = None
    subject: str | None = None
    since: Time | None = None
    until: Time | None = None
    attachment: str | None = None
    incomplete: bool = False
    uid: str | None = None
    uid_start: str | None = None
    trans_depth: int | None = None
    keys: frozenset[tuple[str, int]] | None = None
    sensor: str | None = None
    names: frozenset[tuple[str, str]] | None = None

    def __post_init__(self) -> None:
        """Times become datetimes, once: "7d" is before the time at which the filters are made."""
        for name in ("since", "until"):
            if (time := getattr(self, name)) is not None:
                object.__setattr__(self, name, instant(time))

    def with_keys(self, keys: frozenset[tuple[str, int]]) -> Filters:
        """The same, and one of these mails."""
        return replace(self, keys=keys)


def condition(filters: Filters, uids: set[str] | None = None) -> ds.Expression | None:
    """The filters as a condition on rows, and that the uid is one of `uids`; None if all rows match."""
    terms: list[Any] = []
    if filters.names:
        terms.append(reduce(or_, [_opened(*name) for name in sorted(filters.names)]))
    elif filters.user is not None:
        terms.append(pc.utf8_lower(pc.field("user")) == filters.user.lower())
    if filters.sensor is not None:
        terms.append(pc.field("sensor") == filters.sensor)
    for name, part in (("from", filters.sender), ("subject", filters.subject)):
        if part is not None:
            terms.append(pc.match_substring(pc.field(name), part, ignore_case=True))
    if filters.since is not None:
        since = instant(filters.since)
        terms += [pc.field("day") >= since.date(), pc.field("ts") >= since]
    if filters.until is not None:
        until = instant(filters.until)
        terms += [pc.field("day") <= until.date(), pc.field("ts") < until]
    if filters.incomplete:
        terms.append(~pc.field("complete"))
    for name, value in (("uid", filters.uid), ("trans_depth", filters.trans_depth)):
        if value is not None:
            terms.append(pc.field(name) == value)
    if filters.uid_start is not None:
        terms.append(pc.starts_with(pc.field("uid"), filters.uid_start))
    if uids is not None:
        terms.append(pc.field("uid").isin(pa.array(sorted(uids), pa.string())))
    return reduce(and_, terms) if terms else None


def _opened(name: str, server: str) -> Any:
    at = pc.field("id_resp_h")
    return (pc.utf8_lower(pc.field("user")) == name) & (at == server if server else at.is_null())


def days(filters: Filters) -> tuple[str, str]:
    """The first and the last day (YYYY-MM-DD) that can have rows that match; empty if there is no bound."""
    since, until = (None if each is None else instant(each) for each in (filters.since, filters.until))
    return (since.date().isoformat() if since else ""), (until.date().isoformat() if until else "")


def hash_column(digest: str) -> tuple[str, str]:
    """The column of attachments that holds such a hash, and the hash in its form. Raises FilterError."""
    digest = digest.strip().lower()
    column = HASHES.get(len(digest))
    if column is None or not re.fullmatch("[0-9a-f]+", digest):
        raise FilterError(f"invalid hash {digest!r}: expected MD5, SHA-1 or SHA-256 in hex")
    return column, digest
