"""Sessions and hits as documents of the Elastic Common Schema (ECS 9.4), each once, a day at a time.

What ECS has no field for is below `zeekpop3`. In the state of an export, a session is its uid with the depth
0, which no mail has, and a hit is the SHA-256 of its key with the depth -1.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from zeekpop3.store.dataset import dataset, retry_while_merging
from zeekpop3.store.filters import HASHES, Filters
from zeekpop3.store.read import read_table
from zeekpop3.store.times import instant
from zeekpop3.views.export.ecs import VERSION, bare_id, connection, distinct, valid_ip, without_empty
from zeekpop3.views.export.mails import ExportState, Key, parts_by_day
from zeekpop3.views.text import iso

Row = dict[str, Any]
#: Documents that are given out at once.
_ROWS = 1000
_CONNECTION = ("id_orig_h", "id_resp_h", "id_resp_p", "community_id", "sensor", "user")
_OWN_OF_SESSION = (
    "uid", "auth_mechanism", "authenticated_as", "logins_failed", "users_refused", "listed", "retrieved",
    "deleted", "quit", "closed", "fidelity", "missing_bytes", "defects",
)  # fmt: skip
_SESSION_COLUMNS = ("ts", *_CONNECTION, "id_orig_p", "duration", "auth_result", "tls", *_OWN_OF_SESSION)
_HIT_KEY = ("uid", "trans_depth", "part", "indicator", "type", "field", "value")
_HIT_COLUMNS = ("ts", *_HIT_KEY, "source", "description")
_MAIL_COLUMNS = ("uid", "trans_depth", *_CONNECTION, "mail_id", "subject", "from_address", "msg_id")
#: ECS threat.indicator.type of Zeek's indicator types; others have only a name.
_INDICATOR_TYPES = {
    "DOMAIN": "domain-name", "EMAIL": "email-addr", "FILE_HASH": "file", "FILE_NAME": "file",
    "URL": "url", "USER_NAME": "user-account",
}  # fmt: skip


def new_events(path: str | Path, state: ExportState, filters: Filters | None) -> Iterator[list[Row]]:
    """The documents of the sessions and hits that `state` does not hold, some at a time, by day and time.

    The next call adds a list to the state. `filters` may name user, sensor, since and until. Raises
    QueryError, OutputError.
    """
    for table, documents in (("sessions", _sessions), ("hits", _hits)):
        done, names = state.parts(), set[str]()
        for day, parts in parts_by_day(dataset(path, table)).items():
            names |= parts
            if parts <= done:
                continue
            wanted = _within(filters or Filters(), day)
            every = retry_while_merging(path, partial(documents, path, wanted))
            found = [each for each in every if not state.holds(each[0])]
            for start in range(0, len(found), _ROWS):
                some = found[start : start + _ROWS]
                yield [document for _, document in some]
                state.add(key for key, _ in some)
        if filters is None:
            state.keep_parts(table, names)


def _within(filters: Filters, day: dt.date) -> Filters:
    """The filters, and only this day."""
    begin = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    end = begin + dt.timedelta(days=1) if day < dt.date.max else None
    since = max(begin, instant(filters.since)) if filters.since is not None else begin
    until = min(filter(None, (end, None if filters.until is None else instant(filters.until))), default=None)
    return replace(filters, since=since, until=until)


def _sessions(path: str | Path, filters: Filters) -> list[tuple[Key, Row]]:
    rows = read_table(path, "sessions", _SESSION_COLUMNS, filters).to_pylist()
    rows.sort(key=lambda row: (row["ts"], row["uid"]))
    return [((row["uid"], 0), session_document(row)) for row in rows]


def session_document(session: Row) -> Row:
    """A session: who logged in, or tried to, from where, and what was fetched; without fields that have no
    value."""
    tried = session["auth_result"] is not None or bool(session["logins_failed"])
    outcome = "success" if session["auth_result"] == "success" else "failure" if tried else "unknown"
    seconds = session["duration"]
    end = None if seconds is None else session["ts"] + dt.timedelta(seconds=seconds)
    document: Row = _connection(session) | {
        "event": {
            "kind": "event",
            "category": ["authentication", "network"] if tried else ["network"],
            "type": ["start", "connection"] if tried else ["connection"],
            "action": "pop3-session",
            "outcome": outcome,
            "dataset": "zeekpop3.sessions",
            "id": session["uid"],
            "start": iso(session["ts"]),
            "end": None if end is None else iso(end),
            "duration": None if seconds is None else round(seconds * 1e9),
        },
        "tls": {"established": session["tls"]},
        "zeekpop3": {name: session[name] for name in _OWN_OF_SESSION},
    }
    document["related"]["user"] = distinct(
        [session["user"], session["authenticated_as"], *(session["users_refused"] or [])]
    )
    return dict(without_empty(document))


def _hits(path: str | Path, filters: Filters) -> list[tuple[Key, Row]]:
    """The hits of a span of time, with what is known of the mail, or of the connection, that each is in."""
    span = Filters(since=filters.since, until=filters.until)
    rows = read_table(path, "hits", _HIT_COLUMNS, span).to_pylist()
    keys = frozenset((row["uid"], row["trans_depth"]) for row in rows if row["trans_depth"] is not None)
    about: dict[tuple[str, int | None], Row] = {}
    if keys:
        mails = read_table(path, "emails", _MAIL_COLUMNS, replace(filters, keys=keys)).to_pylist()
        about |= {(mail["uid"], mail["trans_depth"]): mail for mail in mails}
    if any(row["trans_depth"] is None for row in rows):
        sessions = read_table(path, "sessions", ("uid", *_CONNECTION), filters).to_pylist()
        about |= {(session["uid"], None): session for session in sessions}
    asked = filters.user is not None or filters.sensor is not None
    unknown = dict.fromkeys(_MAIL_COLUMNS)
    found = []
    for row in sorted(rows, key=lambda row: (row["ts"], row["uid"], row["trans_depth"] or 0)):
        place = about.get((row["uid"], row["trans_depth"]))
        if place is not None or not asked:
            digest = hashlib.sha256(json.dumps([row[name] for name in _HIT_KEY]).encode()).hexdigest()
            found.append(((digest, -1), hit_document(row, {**unknown, **(place or {})}, digest)))
    return found


def hit_document(hit: Row, place: Row, number: str) -> Row:
    """A hit as an alert; `place` are columns of the mail or connection that it is in, null if unknown."""
    value, kind = hit["indicator"], hit["type"]
    indicator: Row = {"name": value, "provider": hit["source"], "description": hit["description"]}
    indicator["type"] = _INDICATOR_TYPES.get(kind)
    if kind == "ADDR" and (address := valid_ip(value)):
        indicator |= {"ip": address, "type": "ipv6-addr" if ":" in address else "ipv4-addr"}
    elif kind == "EMAIL":
        indicator["email"] = {"address": value}
    elif kind == "URL":
        indicator["url"] = {"original": value}
    elif kind == "DOMAIN":
        indicator["url"] = {"domain": value}
    elif kind == "FILE_NAME":
        indicator["file"] = {"name": value}
    elif kind == "FILE_HASH" and len(value) in HASHES:
        indicator["file"] = {"hash": {HASHES[len(value)]: value.lower()}}
    in_mail = hit["trans_depth"] is not None
    mail = f"{hit['uid']}/{hit['trans_depth']}" if in_mail else None
    document: Row = _connection({**place, "ts": hit["ts"]}) | {
        "event": {
            "kind": "alert",
            "category": ["email", "threat"] if in_mail else ["network", "threat"],
            "type": ["indicator"],
            "action": "indicator-found",
            "dataset": "zeekpop3.hits",
            "id": number,
        },
        "email": {
            "local_id": mail,
            "subject": place["subject"],
            "from": {"address": distinct([place["from_address"]])},
            "message_id": bare_id(place["msg_id"]),
        },
        "threat": {"indicator": indicator},
        "zeekpop3": {**{name: hit[name] for name in _HIT_KEY}, "mail_id": place["mail_id"]},
    }
    return dict(without_empty(document))


def _connection(row: Row) -> Row:
    """What all documents of a connection have."""
    addresses = [valid_ip(row["id_orig_h"]), valid_ip(row["id_resp_h"])]
    return {
        "@timestamp": iso(row["ts"]),
        "ecs": {"version": VERSION},
        **connection(row),
        "related": {"ip": distinct(addresses), "user": distinct([row["user"]])},
    }
