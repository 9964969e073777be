"""The data of the session machine: what goes in (`Rows`), what comes out (`Command`, `Transfer`, `Session`).

Times are integers, microseconds since the epoch (UTC). Text from the wire stays bytes until a record is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from zeekpop3.defects import Defect
from zeekpop3.session.protocol import has_lone_dot, has_single_dots, unstuff


class ConnId(NamedTuple):
    """The four-tuple of a connection, as in Zeek's `conn_id`: the client is the originator."""

    orig_h: str
    orig_p: int
    resp_h: str
    resp_p: int


class Rows(NamedTuple):
    """Rows of the event log that belong to one connection, in order, as parallel columns.

    `data` is decoded, and empty where it was unset; it is shorter than `length` where the log lost a part of
    the field. Unset numbers are -1, unset strings None. `log` is the name of the log that they stand in.
    """

    ts: Sequence[int]
    seq: Sequence[int]
    kind: Sequence[str]
    command: Sequence[str | None]
    offset: Sequence[int]
    length: Sequence[int]
    data: Sequence[bytes]
    conn_id: ConnId | None = None
    log: str | None = None

    def part(self, start: int, stop: int) -> Rows:
        """Some of the rows."""
        return Rows(*(column[start:stop] for column in self[:7]), self.conn_id, self.log)  # type: ignore[arg-type, call-arg]


@dataclass(slots=True)
class Exchange:
    """A request and its response, as the reader of either form hands it to the dialogue.

    `body` holds the lines of a multi-line response: dots unstuffed, CRLF line ends, without terminator.
    `ended` is True if the end of the response was seen. `missing` counts the bytes that the body lacks; -1 if
    some are missing and their number is unknown. `lines` and `wire_octets` measure the body as sent.
    `challenged`: the server answered AUTH with a challenge (RFC 5034); `responses`: how many the client sent,
    the initial one included. `doubtful`: request and response may not belong together, or the request may not
    be what the server read. `stream_start`, `stream_end`: where the response lies in the server's stream,
    status line and terminator included; None where that is unknown, and in the plain form.
    """

    command: str | None
    argument: str | None
    ts: int
    status: str | None = None
    message: str | None = None
    reply_ts: int | None = None
    body: bytes | None = None
    ended: bool = True
    missing: int = 0
    wire_octets: int | None = None
    lines: int | None = None
    challenged: bool = False
    responses: int = 0
    doubtful: bool = False
    defects: list[Defect] = field(default_factory=list)
    stream_start: int | None = None
    stream_end: int | None = None

    def set_body(self, sent: bytes, dotted: bool = True) -> bytes:
        """Take the lines of the response as sent, and return the body; `dotted`: one may start with
        a dot.
        """
        self.wire_octets = len(sent)
        if dotted and has_single_dots(sent):
            self.defects.append(Defect.DOT_NOT_DOUBLED)
        if dotted and has_lone_dot(sent):
            self.defects.append(Defect.TERMINATOR_UNUSUAL)
        self.body = unstuff(sent) if dotted else sent
        return self.body


@dataclass(slots=True)
class Command:
    """A request and its reply (RFC 1939, section 3); a row of `commands`.

    `seq` counts the connection's commands from 0. `command` is None for a reply without a request. `lines`
    and `octets` are those of a multi-line response as sent, without status line and terminator; None where
    the response had none. `status` is "OK", "ERR" or None (not seen). `reply_ts` is None where the log does
    not tell: a row of the exact form has the time of its first byte only.
    """

    uid: str
    seq: int
    ts: int
    command: str | None
    argument: str | None = None
    status: str | None = None
    message: str | None = None
    lines: int | None = None
    octets: int | None = None
    reply_ts: int | None = None


@dataclass(slots=True)
class Transfer:
    """A message as it crossed the wire: the response to a RETR or TOP; a row of `emails` before it is parsed.

    `raw` is the message as the mailbox holds it: CRLF lines, dots unstuffed, no terminator; where bytes are
    missing, the bytes that are left. `trans_depth` counts the connection's transfers from 1. `fidelity` is
    "exact" or "trimmed"; `complete` is True only if the end was seen and no byte is missing; `missing_bytes`
    is None if some are missing and their number is unknown. `authenticated_as` is set where another user than
    `user` logged in (SASL: RFC 4422, section 2). `log` is the name of the log (or file) in which the message
    was read to its end; `stream_start` and `stream_end` are those of the `Exchange`.
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
    defects: list[Defect] = field(default_factory=list)
    authenticated_as: str | None = None
    log: str | None = None
    stream_start: int | None = None
    stream_end: int | None = None


class Listed(NamedTuple):
    """A message of the mailbox, as LIST and UIDL named it (RFC 1939, sections 5 and 7)."""

    msg_num: int
    octets: int | None
    uidl: str | None


@dataclass(slots=True)
class Session:
    """A connection, from its first row to its close; a row of `sessions`.

    `duration` is in microseconds. `closed` is how it ended: "closed" (Zeek removed the connection), "idle"
    (given up) or "open" (the log ended first). `user` is the user of the last login that the server accepted;
    `authenticated_as` is whose password it was, if not that user's. `missing_bytes` counts both directions.
    `starttls_offered` is None if the server did not list its capabilities, `listing` if it did not list the
    whole mailbox.
    """

    uid: str
    ts: int
    conn_id: ConnId | None
    duration: int = 0
    user: str | None = None
    auth_mechanism: str | None = None
    auth_result: str | None = None
    logins_failed: int = 0
    users_refused: list[str] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)
    starttls_offered: bool | None = None
    stat_messages: int | None = None
    stat_octets: int | None = None
    listed: int | None = None
    listing: list[Listed] | None = None
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
    defects: list[Defect] = field(default_factory=list)
    authenticated_as: str | None = None

    def add_defect(self, defect: Defect) -> None:
        """Note a defect of the session, once."""
        if defect not in self.defects:
            self.defects.append(defect)


Event = Transfer | Command | Session
"""What the machine returns."""
