"""The numbers of a page: the tables are read once, a few rows at a time, and counted.

A mail is a RETR here; a TOP is a preview and is counted separately. Texts are kept as stored; the page makes
them visible. Memory grows with the number of users, servers, senders and contents, and with that of mails
that are incomplete or have attachments, not with the number of all mails.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zeekpop3.store.filters import Filters
from zeekpop3.store.read import rows
from zeekpop3.views.queries import EXPOSED
from zeekpop3.views.report.charts import Timeline
from zeekpop3.views.report.summary import Answers

_MAIL_COLUMNS = (
    "ts", "uid", "trans_depth", "command", "user", "id_orig_h", "id_resp_h", "id_resp_p", "from", "size",
    "complete", "attachments",
)  # fmt: skip
_SESSION_COLUMNS = (
    "ts", "uid", "id_orig_h", "id_resp_h", "id_resp_p", "user", "auth_mechanism", "auth_result",
    "logins_failed", "users_refused", "tls", "missing_bytes",
)  # fmt: skip
_PART_COLUMNS = ("ts", "uid", "trans_depth", "filename", "content_type", "mime_type", "size", "sha256")

Key = tuple[str, int]


@dataclass(slots=True)
class Tally:
    """Counts of a user, server, sender, type or content, and the times of its first and last appearance."""

    mails: int = 0
    size: int = 0
    sessions: int = 0
    failed: int = 0
    tls: int = 0
    users: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    servers: set[str] = field(default_factory=set)
    names: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    first: dt.datetime | None = None
    last: dt.datetime | None = None

    def seen(self, ts: dt.datetime) -> None:
        """Extend the time to one more moment."""
        if self.first is None or ts < self.first:
            self.first = ts
        if self.last is None or ts > self.last:
            self.last = ts

    def involve(self, row: dict[str, Any], server: str) -> None:
        """Add time, server, user and client of a mail or a session."""
        self.seen(row["ts"])
        self.servers.add(server)
        if row["user"] is not None:
            self.users.add(row["user"].lower())
        if row["id_orig_h"] is not None:
            self.clients.add(row["id_orig_h"])


@dataclass(slots=True)
class Login:
    """The logins of a user by one mechanism to one server."""

    user: str
    mechanism: str | None
    server: str
    exposed: str
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Figures:
    """All counts of a page. `incomplete` has the reason of each incomplete mail, of all users and times;
    `suspicious` has a row of the query of that name for each suspicious mail, worst first."""

    mails: Tally = field(default_factory=Tally)
    previews: int = 0
    timeline: Timeline = field(default_factory=Timeline)
    users: dict[str | None, Tally] = field(default_factory=lambda: defaultdict(Tally))
    servers: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    senders: dict[str | None, Tally] = field(default_factory=lambda: defaultdict(Tally))
    types: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    contents: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    attachments: int = 0
    logins: list[Login] = field(default_factory=list)
    sessions: Tally = field(default_factory=Tally)
    lossy_sessions: int = 0
    lost_bytes: int = 0
    incomplete: dict[Key, str] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    suspicious: dict[Key, dict[str, Any]] = field(default_factory=dict)

    def reason(self, key: Key) -> str:
        """Why a mail is incomplete; unknown for one that a follower wrote while the page was made."""
        return self.incomplete.get(key, "unknown")


def gather(path: str | Path, filters: Filters, found: Answers) -> Figures:
    """Count the tables; of the filters, only user, since and until may be set. Raises QueryError."""
    figures = Figures(incomplete=found.incomplete)
    owners: dict[Key, str] = {}
    suspicious, chosen = found.suspicious, set[Key]()
    for mail in rows(path, "emails", _MAIL_COLUMNS, filters):
        _add_mail(figures, mail, owners)
        if (key := (mail["uid"], mail["trans_depth"])) in suspicious:
            chosen.add(key)
    figures.suspicious = {key: row for key, row in suspicious.items() if key in chosen}
    logins: dict[tuple[str, str | None, str], Login] = {}
    for session in rows(path, "sessions", _SESSION_COLUMNS, filters):
        _add_session(figures, session, logins)
    figures.logins = sorted(
        logins.values(), key=lambda login: (login.exposed != "password", login.user, login.mechanism or "")
    )
    # Attachments have no user of their own; those of mails that the filters leave out are not counted.
    span = Filters(since=filters.since, until=filters.until)
    for part in rows(path, "attachments", _PART_COLUMNS, span):
        _add_part(figures, part, owners)
    return figures


def _lower(user: str | None) -> str | None:
    """A user as mail servers compare users: the case of letters does not count."""
    return None if user is None else user.lower()


def host(address: str | None, port: int | None) -> str:
    """A server as address and port, IPv6 in brackets."""
    if address is None:
        return "unknown"
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _add_mail(figures: Figures, mail: dict[str, Any], owners: dict[Key, str]) -> None:
    key = (mail["uid"], mail["trans_depth"])
    if mail["attachments"]:
        owners[key] = _lower(mail["user"]) or mail["id_orig_h"] or "unknown"
    if not mail["complete"]:
        figures.reasons[figures.reason(key)] += 1
    if mail["command"] == "TOP":
        figures.previews += 1
        return
    size = mail["size"] or 0
    figures.timeline.add(mail["ts"], complete=mail["complete"], size=size)
    server = host(mail["id_resp_h"], mail["id_resp_p"])
    counted = (figures.users[_lower(mail["user"])], figures.servers[server], figures.senders[mail["from"]])
    for tally in (figures.mails, *counted):
        tally.mails += 1
        tally.size += size
        tally.involve(mail, server)


def _add_session(
    figures: Figures, session: dict[str, Any], logins: dict[tuple[str, str | None, str], Login]
) -> None:
    server = host(session["id_resp_h"], session["id_resp_p"])
    user, mechanism = _lower(session["user"]), session["auth_mechanism"]
    refused = [name.lower() for name in session["users_refused"] or []]
    tallies = [figures.sessions, figures.servers[server]]
    if user is not None:
        tallies.append(figures.users[user])
    # Also of users whom the server refused: what they sent was as readable.
    for name in dict.fromkeys([*([] if user is None else [user]), *refused]):
        login = Login(name, mechanism, server, EXPOSED.get(mechanism, "name"))
        tally = logins.setdefault((name, mechanism, server), login).tally
        tally.mails += session["auth_result"] == "success" and name == user
        tallies.append(tally)
    for tally in tallies:
        tally.sessions += 1
        tally.tls += bool(session["tls"])
        tally.failed += session["logins_failed"] or 0
        tally.involve(session, server)
    if session["missing_bytes"]:
        figures.lossy_sessions += 1
        figures.lost_bytes += session["missing_bytes"]


def _add_part(figures: Figures, part: dict[str, Any], owners: dict[Key, str]) -> None:
    user = owners.get((part["uid"], part["trans_depth"]))
    if user is None:
        return
    figures.attachments += 1
    kind = part["mime_type"] or part["content_type"] or "unknown"
    tallies = [figures.types[kind]]
    if part["sha256"] is not None:
        tallies.append(figures.contents[part["sha256"]])
    for tally in tallies:
        tally.mails += 1
        tally.size += part["size"] or 0
        tally.users.add(user)
        tally.names[part["filename"] or "(no name)"] += 1
        tally.types[kind] += 1
        tally.seen(part["ts"])
