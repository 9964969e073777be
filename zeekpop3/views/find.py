"""Finds mails: by key, Message-ID or hash, or by filters; and what other tables hold of one."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from zeekpop3.detect.indicators import refang
from zeekpop3.errors import FilterError, QueryError, UsageError
from zeekpop3.message import urls
from zeekpop3.store.dataset import connect, retry_while_merging
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import read_table
from zeekpop3.store.times import instant
from zeekpop3.views.queries import filled, literal
from zeekpop3.views.sql import add_functions
from zeekpop3.views.text import plural, stamp
from zeekpop3.views.which import CONDITIONS, MailFilters, Span

SEVERAL = "to read several folders, give a glob in quotes: 'sensors/*'"
_PART_COLUMNS = {
    "attachments": (
        "part", "filename", "content_type", "mime_type", "size", "sha256", "reading", "other_names", "inside",
    ),
    "members": ("part", "path", "size", "mime_type", "sha256", "encrypted"),
    "enclosed": ("part", "headers", "text", "html_text", "html", "defects", "invitation"),
    "hits": ("indicator", "type", "field", "value"),
}  # fmt: skip
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
#: The shortest beginning of a uid that may stand for the whole uid.
_MIN_UID_PREFIX = 4
_LAST = dt.datetime.max.replace(tzinfo=dt.UTC)
_OF_MAIL = ("user", "id_orig_h", "from_address", "subject")
#: What a hit alone does not tell: the mail's id (UID/DEPTH), whose it is, who fetched it, who sent it.
ABOUT_MAIL = ("mail", *_OF_MAIL)


def _host(text: str) -> str:
    """The host of a site, a host or a URL, also of a defanged one."""
    text = refang(text.strip())
    return urls.split(text if "//" in text else f"//{text}")[1] or text


def mail_filters(path: str | Path, **given: Unpack[MailFilters]) -> Filters:
    """The filters as the tables are read with. Raises QueryError for an invalid time, hash, name, address."""
    asked: dict[str, Any] = {name: value for name, value in given.items() if value not in (None, False)}
    found = Filters(**{name: asked.pop(name) for name in Filters.__slots__ if name in asked})
    found = _of_mailbox(path, found)
    if unknown := asked.keys() - CONDITIONS.keys():
        raise QueryError(f"unknown filter {', '.join(sorted(unknown))}")
    return found.with_keys(_matching(path, asked, found)) if asked else found


def _of_mailbox(path: str | Path, filters: Filters) -> Filters:
    """The filters, with all names of the user's mailbox."""
    if filters.user is None:
        return filters
    statement = """select m."user", server from mailboxes m
        where mailbox in (select mailbox from mailboxes m where m."user" = lower($name))"""
    with connect(path) as connection:
        add_functions(connection)
        found = connection.execute(filled(statement), {"name": filters.user}).fetchall()
    return replace(filters, names=frozenset(found) or None)


def span_filters(path: str | Path, **span: Unpack[Span]) -> Filters:
    """The filters of a user and a span of time. Raises QueryError for an invalid time or name."""
    if unknown := span.keys() - Span.__annotations__.keys():
        raise QueryError(f"unknown filter {', '.join(sorted(unknown))}")
    return _of_mailbox(path, Filters(**span))


def _matching(path: str | Path, values: dict[str, Any], span: Filters) -> frozenset[tuple[str, int]]:
    """The keys of the mails that meet the conditions of all `values`, in the time of `span`."""
    terms = [f"({CONDITIONS[name]})" for name in values]
    if "site" in values:
        values["site"] = _host(values["site"])
    if "ip" in values:
        values["ip"] = ip_address(values["ip"])
    for name, value, operator in (("since", span.since, ">="), ("until", span.until, "<")):
        if value is not None:
            terms.append(f"e.ts {operator} ${name}")
            values[name] = instant(value)
    statement = filled(f"select uid, trans_depth from emails e where {' and '.join(terms)}")
    with connect(path) as connection:
        return frozenset(connection.execute(statement, values).fetchall())


def ip_address(text: str) -> str:
    """An IP address in its usual form. Raises FilterError."""
    try:
        return str(ipaddress.ip_address(text.strip().strip("[]")))
    except ValueError:
        raise FilterError(f"{text!r} is not an IP address") from None


def read_mails(
    path: str | Path, columns: Sequence[str] | None, filters: Filters, limit: int | None = None
) -> list[dict[str, Any]]:
    """The mails that match the filters, newest first, as dicts of `columns`. Raises QueryError."""
    table = read_table(path, "emails", columns, filters, limit=limit, newest_first=True)
    return list(table.to_pylist())


def find_mail(path: str | Path, key: str, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """The mail with the key `UID/DEPTH`; `UID` or its beginning is enough if one mail has it.

    `key` may also be the mail's Message-ID, SHA-256 or `mail_id`; of several transfers with this `mail_id`,
    which are one mail, it is the newest. Raises QueryError if no mail, or more than one mail, has the key;
    UsageError for a folder.
    """
    if key.strip("/") and Path(key).is_dir():
        raise UsageError(f"{key} is a folder; {SEVERAL}")
    if "@" in key or _SHA256.fullmatch(key):
        key = _by_content(path, key)
    uid, slash, depth = key.rpartition("/")
    if not slash:
        uid, depth = key, ""
    if depth and not (depth.isascii() and depth.isdigit() and len(depth) < 10):
        raise QueryError(f"invalid mail key {key!r}: expected UID/DEPTH, such as CHhAvVGS1DHFjwGM9/1")
    number = int(depth) if depth else None
    found = read_mails(path, ["ts", "uid", "trans_depth"], Filters(uid=uid, trans_depth=number))
    if not found and len(uid) >= _MIN_UID_PREFIX:
        found = read_mails(path, ["ts", "uid", "trans_depth"], Filters(uid_start=uid, trans_depth=number))
    uids = sorted({mail["uid"] for mail in found})
    depths = sorted({mail["trans_depth"] for mail in found})
    if not found:
        raise QueryError(f"{path}: no mail {key!r}")
    if len(uids) > 1:
        raise QueryError(f"{key!r} matches several connections: {', '.join(map(repr, uids[:5]))}")
    if len(depths) > 1:
        listed = ", ".join(map(str, depths[:20])) + (", …" * (len(depths) > 20))
        raise QueryError(f"{key!r} has {plural(len(depths), 'mail')}: add the depth, {uid}/DEPTH ({listed})")
    return read_mails(path, columns, only(uids[0], depths[0], found[0]["ts"]), 1)[0]


def only(uid: str, trans_depth: int, ts: dt.datetime) -> Filters:
    """The filters for one mail; its time tells the reader which row groups it need not read."""
    until = ts + dt.timedelta(microseconds=1) if ts < _LAST else None
    return Filters(uid=uid, trans_depth=trans_depth, since=ts, until=until)


def _by_content(path: str | Path, key: str) -> str:
    """`UID/DEPTH` of the one mail with this Message-ID, SHA-256 or `mail_id`. Raises QueryError."""
    wanted = literal(key.strip(" <>").lower())
    statement = (
        f"select uid || '/' || trans_depth, coalesce(user, id_orig_h, ''), mail_id = {wanted} from emails e "
        f"where lower(trim(msg_id, '<> ')) = {wanted} or {wanted} in (sha256, mail_id) order by ts"
    ).replace(" user,", ' "user",')
    with connect(path) as connection:
        found = connection.execute(statement).fetchall()
    if not found:
        raise QueryError(f"{path}: no mail {key!r}")
    if len(found) > 1 and not found[-1][2]:
        listed = ", ".join(f"{mail} ({user})" for mail, user, _ in found[:10]) + ", …" * (len(found) > 10)
        raise QueryError(f"{key!r} is {len(found)} mails: {listed}")
    return str(found[-1][0])


def find_parts(path: str | Path, mail: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What other tables hold of a mail: attachments, members, enclosed, hits. Raises QueryError."""
    wanted = Filters(uid=mail["uid"], trans_depth=mail["trans_depth"])
    return {
        name: read_table(path, name, columns, wanted).to_pylist() for name, columns in _PART_COLUMNS.items()
    }


def find_links(path: str | Path, mail: dict[str, Any]) -> list[dict[str, Any]]:
    """The links of a mail and of the messages inside it, which have a `part`. Raises QueryError."""
    wanted = Filters(uid=mail["uid"], trans_depth=mail["trans_depth"])
    return list(read_table(path, "links", ["part", "url", "target", "text", "origin"], wanted).to_pylist())


def why_nothing(path: str | Path, filters: Filters) -> str:
    """Why no mail matches, as far as user, sensor or time explain it: what the tables have instead.

    A sentence, or nothing. Raises QueryError.
    """
    with connect(path) as connection:

        def ask(statement: str) -> list[Any]:
            return connection.execute(statement).fetchall()

        ((first, last),) = ask("select min(ts), max(ts) from emails")
        if first is None:
            return "The tables have no mails."
        if filters.user is not None and (similar := similar_users(ask, filters.user)) is not None:
            return f"No mailbox was opened as {filters.user}" + (
                f"; similar: {', '.join(similar)}." if similar else "."
            )
        if filters.sensor is not None:
            names = [name for (name,) in ask("select distinct sensor from emails order by 1")]
            if filters.sensor not in names:
                return f"Sensors of the tables: {', '.join(name or '(without a name)' for name in names)}."
    since, until = filters.since, filters.until
    if (since is not None and instant(since) > last) or (until is not None and instant(until) <= first):
        return f"The mails are from {stamp(first)} to {stamp(last)} (UTC)."
    return ""


def similar_users(ask: Callable[[str], list[Any]], user: str) -> list[str] | None:
    """Up to five users whose name begins as `user` does, up to the site; None if there is this user."""
    known = [
        name
        for (name,) in ask(
            'select distinct lower("user") from sessions where "user" is not null union '
            'select distinct lower("user") from emails where "user" is not null order by 1'
        )
    ]
    user = user.lower()
    if user in known:
        return None
    start = user.partition("@")[0]
    return [name for name in known if start and name.startswith(start)][:5]


def hits_with_mails(path: str | Path, hits: pa.Table) -> list[dict[str, Any]]:
    """The hits, each with `ABOUT_MAIL`; of a connection with its user and client. Raises QueryError."""
    rows: list[dict[str, Any]] = hits.to_pylist()
    mails = retry_while_merging(path, lambda: _mails_with_hits(path, rows))
    nothing = dict.fromkeys(_OF_MAIL)
    return [
        {**row, "mail": _name(row), **mails.get((row["uid"], row["trans_depth"]), nothing)} for row in rows
    ]


def _name(hit: dict[str, Any]) -> str:
    return str(hit["uid"]) if hit["trans_depth"] is None else f"{hit['uid']}/{hit['trans_depth']}"


def _mails_with_hits(
    path: str | Path, rows: list[dict[str, Any]]
) -> dict[tuple[str, int | None], dict[str, Any]]:
    """`_OF_MAIL` of the mails, and of the connections, that have hits."""
    keys = frozenset((row["uid"], row["trans_depth"]) for row in rows if row["trans_depth"] is not None)
    found: dict[tuple[str, int | None], dict[str, Any]] = {}
    if keys:
        columns = ("uid", "trans_depth", *_OF_MAIL)
        for row in read_table(path, "emails", columns, Filters(keys=keys)).to_pylist():
            found[row["uid"], row["trans_depth"]] = {name: row[name] for name in _OF_MAIL}
    uids = {row["uid"] for row in rows if row["trans_depth"] is None}
    if uids:
        for row in read_table(path, "sessions", ("uid", "user", "id_orig_h")).to_pylist():
            if row["uid"] in uids:
                found[row["uid"], None] = {name: row.get(name) for name in _OF_MAIL}
    return found
