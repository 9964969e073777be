"""What the page says first: answers of ready queries, and sentences made of them that anybody understands.

A sentence states what the tables hold, nothing else: who received a wave and who opened its link, who got
into a mailbox after refused logins, what crossed the network in clear text. Texts are kept as stored; the
page makes them visible.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zeekpop3.store.filters import Filters
from zeekpop3.store.times import instant
from zeekpop3.views.queries import INCOMPLETE, query_sql
from zeekpop3.views.sql import Database, Logs
from zeekpop3.views.text import plural, shorten

Row = dict[str, Any]
Key = tuple[str, int]
#: Logs of which one is enough to see clicks.
_CLICK_LOGS = frozenset(("http", "ssl", "dns"))
_MOST, _NAMES = 5, 4
#: From these scores on a mail is called so; the query `suspicious` has the same bounds.
MEDIUM, HIGH = 40, 80


_ACTIONS: tuple[tuple[str, str], ...] = (
    (
        "account changed|new bank details|stranger in a thread|name of somebody in the thread",
        "{} should pay nothing, and answer nothing, before a call to a number that was known before",
    ),
    (
        "display name of somebody here|own site as sender, not confirmed|call-back",
        "{} should ask by telephone whether a request is real, at a number that was known before",
    ),
    (
        "program|program in an archive|program with another name|script|shortcut|disk image|"
        "double extension|document with macros|remote template|attached page|encrypted file|"
        "OneNote notebook|link to a program",
        "look at the machines of {}, if a file was opened",
    ),
)
"""What to do about the reasons of rules; `{}` are the users who received such mails."""


@dataclass(slots=True)
class Answers:
    """Rows of the ready queries of these names, of the page's user and time. `clicks` is None without a log.

    `suspicious`: by the key of the mail, worst first.
    `incomplete`: why each incomplete mail is incomplete, of all users and times. `logs_read`: what was read
    of Zeek's other logs.
    """

    suspicious: dict[Key, Row] = field(default_factory=dict)
    campaigns: list[Row] = field(default_factory=list)
    logins: list[Row] = field(default_factory=list)
    second_client: list[Row] = field(default_factory=list)
    unfetched: list[Row] = field(default_factory=list)
    clicks: list[Row] | None = None
    incomplete: dict[Key, str] = field(default_factory=dict)
    logs_read: list[str] = field(default_factory=list)


def answers(
    path: str | Path, filters: Filters, logs: Logs | None = None, own: Collection[str] = ()
) -> Answers:
    """Ask the ready queries that the page shows. Raises QueryError, LogError."""
    found = Answers()
    with Database(path, logs, filters.sensor) as database:

        def ask(name: str, first: str, last: str) -> list[Row]:
            statement = query_sql(name, logs or (), own=own, suspicious="from suspicious")
            return [row for row in database.ask(statement).dicts() if _chosen(row, filters, first, last)]

        # Once: campaigns needs the answer, too.
        database.ask(f"create temp table suspicious as {query_sql('suspicious', own=own)}")
        for row in ask("suspicious", "ts", "ts"):
            uid, _, depth = row["mail"].rpartition("/")
            found.suspicious.setdefault((uid, int(depth)), row)
        found.campaigns = ask("campaigns", "first", "last")
        found.logins = ask("logins", "first", "last")
        found.second_client = ask("second-client", "first", "last")
        found.unfetched = ask("unfetched", "first_listed", "last_listed")
        if _CLICK_LOGS & set(logs or ()):
            found.clicks = ask("clicks", "opened", "opened")
        found.incomplete = {(uid, depth): reason for uid, depth, reason in database.ask(INCOMPLETE).rows}
        found.logs_read = database.logs_read
    return found


def sentences(found: Answers, *, passwords: int, hits: int, incomplete: int) -> Iterator[str]:
    """What matters, worst first. `passwords`: users whose password was readable; counts of mails."""
    yield from _about_mails(found)
    if hits:
        yield f"{plural(hits, 'mail')} {'has' if hits == 1 else 'have'} a hit of an indicator."
    yield from _about_logins(found)
    if passwords:
        noun = "password" if passwords == 1 else "passwords"
        yield f"The {noun} of {plural(passwords, 'user')} could be read on the network."
    unfetched = sum(row["messages"] for row in found.unfetched if row["state"] == "unfetched")
    if unfetched:
        yield f"{_are(unfetched, 'message')} in a mailbox, and was not seen to be fetched.".replace(
            "are in a mailbox, and was", "are in mailboxes, and were"
        )
    if incomplete:
        yield f"{_are(incomplete, 'mail')} incomplete: what is missing was not searched."


def _about_mails(found: Answers) -> Iterator[str]:
    """What happened, who is affected, what to do."""
    for row in [row for row in found.campaigns if row["score"] >= MEDIUM][:_MOST]:
        subject = shorten(row["subject"] or "(no subject)", 80)
        received = f"{plural(row['users'], 'user')} received “{subject}”{_sender(row)}"
        yield received + _opened(row, found.clicks is not None) + "."
    serious = [row for row in found.suspicious.values() if row["score"] >= MEDIUM]
    if not serious:
        return
    high = sum(row["score"] >= HIGH for row in serious)
    count = f"{_are(high, 'mail')} highly suspicious" if high else ""
    if high < len(serious):
        rest = len(serious) - high
        count += f" and {rest} suspicious" if high else f"{_are(rest, 'mail')} suspicious"
    worst = serious[0]
    subject, why = shorten(worst["subject"] or "(no subject)", 80), shorten(worst["reasons"][0], 120)
    yield f"{count}; first look at “{subject}” to {worst['user'] or 'an unknown user'} ({why})."
    reached = sorted({(row["user"] or "an unknown user").lower() for row in serious})
    yield f"They reached {plural(len(reached), 'user')}: {_listed(reached)}."
    yield f"To do: {'; '.join(_to_do(found, serious))}."


def _to_do(found: Answers, serious: list[Row]) -> Iterator[str]:
    """What the reasons of the serious mails, and the clicks, ask for."""
    said = [
        (row["user"] or "an unknown user", reason.partition(": ")[0])
        for row in serious
        for reason in row["reasons"]
    ]
    for reasons, what in _ACTIONS:
        users = sorted({user.lower() for user, reason in said if reason in reasons.split("|")})
        if users:
            yield what.format(_listed(users))
    opened = sorted({user for row in found.campaigns if row["score"] >= MEDIUM for user in row["clicked"]})
    if opened:
        yield f"change the passwords of {_listed(opened)}, who opened a link of a wave"
    yield "delete the mails from the mailboxes and tell those who received them"


def _sender(row: Row) -> str:
    """What is known of the sender of a wave: an address is written by whoever sends, and accuses nobody."""
    sender = row["sender"]
    if not sender:
        return " without a sender"
    replies = f", with replies to {_listed(row['replies_to'])}" if row["replies_to"] else ""
    if row["forged"]:
        return f" under the forged sender {sender} (SPF or DMARC failed){replies}"
    return (
        f" from {sender}" if row["confirmed"] else f" that names {sender} as its sender, unconfirmed"
    ) + replies


def _opened(row: Row, known: bool) -> str:
    opened, visited = row["clicked"], row["visited_host"]
    if opened or visited:
        told = [(opened, "opened its link")] if opened else []
        told += [(visited, "visited its host")] if visited else []
        return "".join(f"; {plural(len(who), 'user')} {what} ({_listed(who)})" for who, what in told)
    has_link = any("link" in shared for shared in row["shared"])
    return "; the logs show no visit to its link" if known and has_link else ""


def _about_logins(found: Answers) -> Iterator[str]:
    """Break-ins, users that were tried in vain, and clients that deleted mail."""
    for row in [row for row in found.logins if row["success_after_refusal"] is not None][:_MOST]:
        fetched = f", and fetched {plural(row['fetched'], 'mail')}" if row["fetched"] else ""
        refused = plural(row["refused"], "refused login")
        yield f"{row['client']} got into the mailbox of {row['user']} after {refused}{fetched}."
    arrived: dict[tuple[Any, Any], list[Row]] = {}
    for row in found.logins:
        if row["success_elsewhere"] is not None:
            arrived.setdefault((row["success_from"], row["user"]), []).append(row)
    for (client, user), rows in [*arrived.items()][:_MOST]:
        refused = plural(sum(row["refused"] for row in rows), "refused login")
        others = _listed(sorted({row["client"] or "(unknown)" for row in rows}))
        yield f"{client}, a new client of {user}, got in within a day after {refused} from {others}."
    accepted = {row["user"] for row in found.logins if row["accepted"]}
    never = [row for row in found.logins if row["refused"] and row["user"] not in accepted]
    if never:
        names = sorted({row["user"] or "(unknown)" for row in never})
        refused = sum(row["refused"] for row in never)
        yield f"Logins as {_listed(names)} were refused ({refused} in all), and never accepted."
    for row in [row for row in found.second_client if row["deleted"]][:_MOST]:
        deleted = plural(row["deleted"], "mail")
        yield f"{row['client']}, one of several clients of {row['user']}, deleted {deleted}."


def _are(count: int, noun: str) -> str:
    return f"{plural(count, noun)} {'is' if count == 1 else 'are'}"


def _chosen(row: Row, filters: Filters, first: str, last: str) -> bool:
    """Whether a row is of the filters' user and time."""
    if filters.user is not None:
        users = [row.get("user"), *row.get("reached", ())]
        names = {filters.user.lower()}.union(*((name, f"{name} at {at}") for name, at in filters.names or ()))
        if names.isdisjoint((user or "").lower() for user in users):
            return False
    begin, end = row[first], row[last]
    if isinstance(begin, str) or isinstance(end, str) or begin is None or end is None:
        return True  # a time that Python cannot hold
    return _after(end, filters.since) and (filters.until is None or begin < instant(filters.until))


def _after(moment: dt.datetime, since: Any) -> bool:
    return since is None or moment >= instant(since)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = [shorten(name, 40) for name in every[:_NAMES]]
    more = len(every) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
