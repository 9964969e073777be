"""What comes out of the session machine, and (from `rows`) what goes in. Data only: no behaviour, no I/O.

Times are integers, microseconds since the epoch (UTC). Texts from the wire are bytes until a record is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from zeekpop3.session.rows import ConnId, Rows

__all__ = ["Command", "ConnId", "Rows", "Session", "Transfer"]


# Compiled, a class is made by an `__init__` of its own several times faster than by a dataclass's, and is
# pickled only if it says how; so the many have one, and all say it.


@dataclass(init=False, slots=True)
class Command:
    """A request and its reply (RFC 1939, section 3); a row of `commands`.

    `seq` counts the connection's commands from 0. A reply that nobody asked for has `command` None.
    `lines` and `octets` are those of a multi-line response as sent, without status line and terminator;
    None where the response had none. `status` is "OK", "ERR" or None (not seen). `reply_ts` is None where the
    log does not tell: a row of the exact form has the time of its first byte only.
    """

    uid: str
    seq: int
    ts: int
    command: str | None
    argument: str | None
    status: str | None
    message: str | None
    lines: int | None
    octets: int | None
    reply_ts: int | None

    def __init__(
        self,
        uid: str,
        seq: int,
        ts: int,
        command: str | None,
        argument: str | None = None,
        status: str | None = None,
        message: str | None = None,
        lines: int | None = None,
        octets: int | None = None,
        reply_ts: int | None = None,
    ) -> None:
        self.uid = uid
        self.seq = seq
        self.ts = ts
        self.command = command
        self.argument = argument
        self.status = status
        self.message = message
        self.lines = lines
        self.octets = octets
        self.reply_ts = reply_ts

    def __reduce__(self) -> tuple[Any, ...]:
        return Command, values(self)


@dataclass(init=False, slots=True)
class Transfer:
    """A message as it crossed the wire: the response to a RETR or TOP; a row of `emails` before it is parsed.

    `raw` is the message as the mailbox holds it: CRLF lines, dots unstuffed, terminator off; where bytes are
    missing, what there is of it. `trans_depth` counts the connection's transfers from 1. `fidelity` is
    "exact" or "trimmed"; `complete` is True only if the end was seen and no byte is missing;
    `missing_bytes` is None where some are and their number cannot be known.
    """

    uid: str
    ts: int
    conn_id: ConnId | None
    user: str | None
    trans_depth: int
    command: str
    msg_num: int | None
    uidl: str | None
    octets_declared: int | None
    fidelity: str
    complete: bool
    missing_bytes: int | None
    raw: bytes
    defects: list[str]

    def __init__(
        self,
        uid: str,
        ts: int,
        conn_id: ConnId | None,
        user: str | None,
        trans_depth: int,
        command: str,
        msg_num: int | None,
        uidl: str | None,
        octets_declared: int | None,
        fidelity: str,
        complete: bool,
        missing_bytes: int | None,
        raw: bytes,
        defects: list[str] | None = None,
    ) -> None:
        self.uid = uid
        self.ts = ts
        self.conn_id = conn_id
        self.user = user
        self.trans_depth = trans_depth
        self.command = command
        self.msg_num = msg_num
        self.uidl = uidl
        self.octets_declared = octets_declared
        self.fidelity = fidelity
        self.complete = complete
        self.missing_bytes = missing_bytes
        self.raw = raw
        self.defects = [] if defects is None else defects

    def __reduce__(self) -> tuple[Any, ...]:
        return Transfer, values(self)


@dataclass(slots=True)
class Session:
    """A connection, from its first row to its close; a row of `sessions`.

    `duration` is in microseconds. `closed` is how it ended: "closed" (Zeek removed the connection), "idle"
    (given up) or "open" (the log ended first).
    """

    uid: str
    ts: int
    conn_id: ConnId | None
    duration: int = 0
    user: str | None = None
    auth_mechanism: str | None = None
    auth_result: str | None = None
    logins_failed: int = 0
    capabilities: list[str] = field(default_factory=list)
    stat_messages: int | None = None
    stat_octets: int | None = None
    listed: int | None = None
    retrieved: int = 0
    deleted: int = 0
    tls: bool = False
    quit: bool = False
    closed: str = "open"
    commands: int = 0
    errors: int = 0
    unknown: int = 0
    greeting: str | None = None
    fidelity: str = "trimmed"
    missing_bytes: int = 0
    defects: list[str] = field(default_factory=list)

    def __reduce__(self) -> tuple[Any, ...]:
        return Session, values(self)


def values(record: Any) -> tuple[Any, ...]:
    """A record's values in the order of its fields, which is that of the arguments that it is made from."""
    return tuple([getattr(record, each.name) for each in fields(record)])
