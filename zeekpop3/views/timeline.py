"""What a user, a client or a mail did, in the order of time, as one query over all tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from zeekpop3.errors import QueryError
from zeekpop3.views.find import find_mail
from zeekpop3.views.queries import literal, timeline_sql
from zeekpop3.views.sql import Database, Logs, Result
from zeekpop3.views.text import stamp

#: SQL conditions by what is asked for, of the tables emails and sessions, and of the query `deleted`.
_MAILBOX = "(select mailbox from mailboxes m where m.user = lower({0}))"
_BY_USER = (
    f"(lower(e.user) = lower({{0}}) or mailbox_of(e.user, id_resp_h) in {_MAILBOX})",
    f"lower(s.user) = lower({{0}}) or mailbox_of(s.user, id_resp_h) in {_MAILBOX}"
    " or list_contains(list_transform(users_refused, lambda name: lower(name)), lower({0}))",
    f"(lower(d.user) = lower({{0}}) or mailbox_of(d.user, d.server) in {_MAILBOX})",
)
_BY_CLIENT = ("e.id_orig_h = {0}", "s.id_orig_h = {0}", "d.client = {0}")
_BY_MAIL = (
    "(e.uid = {0} and e.trans_depth = {1} or e.sha256 = {2} or e.msg_id = {3})",
    "s.uid in (select uid from chosen)",
    "d.mail in (select uid || '/' || trans_depth from chosen)",
)


def timeline(
    path: str | Path,
    *,
    user: str | None = None,
    client: str | None = None,
    mail: str | None = None,
    logs: Logs | None = None,
    own: Collection[str] = (),
    sensor: str | None = None,
) -> tuple[Result, list[str]]:
    """The events of a user, of a client's address, or of a mail and its copies (`UID/DEPTH`).

    Columns: ts, event (login, session, refused, mail, preview, deleted, hit, click), user, client, server,
    mail, what (a sentence), score, severity and reasons (of the query `suspicious`). `logs` as in
    `Database`; with them come clicks, and lines that say what was read. `sensor`: only what it saw.
    Raises QueryError, LogError.
    """
    given = [
        name for name, value in (("user", user), ("client", client), ("mail", mail)) if value is not None
    ]
    if len(given) != 1:
        raise QueryError("timeline: give a user, a client or a mail, one of them")
    if mail is not None:
        found = find_mail(path, mail, ["uid", "trans_depth", "sha256", "msg_id"])
        values = [literal(found["uid"]), str(found["trans_depth"])]
        values += ["null" if found[name] is None else literal(found[name]) for name in ("sha256", "msg_id")]
        conditions = _BY_MAIL
    else:
        values = [literal(user if user is not None else client or "")]
        conditions = _BY_USER if user is not None else _BY_CLIENT
    mails, sessions, deletions = (condition.format(*values) for condition in conditions)
    statement = timeline_sql(mails, sessions, deletions, logs or (), own)
    with Database(path, logs, sensor) as database:
        return database.ask(statement), database.logs_read


def lines(result: Result) -> Iterator[str]:
    """The events as lines for a person; the day stands once, above its events.

    Sessions of one client that refused one user, one after the other, are one event.
    """
    day = ""
    for row, last in _joined(result.dicts()):
        when = stamp(row["ts"])
        if when[:10] != day:
            day = when[:10]
            yield f"{day} (UTC)"
        yield f"  {when[11:19]}  {row['event']:<8} {_who(row)}"
        until = f", the last at {stamp(last)[11:19]}" if last != row["ts"] else ""
        yield f"            {row['what']}{until}" + (f"  [{row['mail']}]" if row["mail"] else "")
        label = f"{row['severity']} ({row['score']}): "
        for reason in row["reasons"] or []:
            yield f"            {label}{reason}"
            label = " " * len(label)


def _joined(rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each event with the time of its last repetition: refusals of one user, client, server and day."""
    by_whom = itemgetter("event", "user", "client", "server")
    for (event, *_), run in groupby(rows, lambda row: (*by_whom(row), stamp(row["ts"])[:10])):
        same = list(run)
        if event != "refused" or len(same) == 1:
            yield from ((row, row["ts"]) for row in same)
            continue
        count = sum(int(row["what"].split()[0]) for row in same)
        yield {**same[0], "what": f"{count} logins were refused"}, same[-1]["ts"]


def _who(row: dict[str, Any]) -> str:
    user, client = row["user"] or "(unknown user)", row["client"] or "(unknown client)"
    return f"{user} at {client}" + (f", server {row['server']}" if row["server"] else "")
