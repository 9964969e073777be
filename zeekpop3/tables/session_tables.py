"""The tables of connections."""

from __future__ import annotations

from zeekpop3.tables.column import Column, Table, of
from zeekpop3.tables.shared_columns import CONNECTION, DEFECTS, FIDELITY, TS, UID, USER

SESSIONS = Table(
    "sessions",
    "A POP3 connection.",
    ("uid",),
    (
        *of("session", TS._replace(meaning="Time of the connection's first row in the event log."), UID),
        *CONNECTION,
        Column("duration", "float64", "Seconds from the first to the last row, as in conn.log."),
        *of(
            "session",
            USER,
            Column(
                "auth_mechanism", "string", "Login method: USER, APOP, or the SASL mechanism.", repeats=True
            ),
            Column("auth_result", "string", "success, failure, or null if no login was seen.", repeats=True),
            Column("logins_failed", "int64", "Failed logins."),
            Column(
                "users_refused",
                "string",
                "Users whose login the server refused, each once.",
                repeated=True,
                personal="name",
            ),
            Column("capabilities", "string", "Response to CAPA, one entry per line.", repeated=True),
            Column(
                "starttls_offered",
                "bool",
                "CAPA lists STLS; null if the server did not list its capabilities.",
                repeats=True,
            ),
            Column("stat_messages", "int64", "Messages in the mailbox, from STAT."),
            Column("stat_octets", "int64", "Size of the mailbox in octets, from STAT."),
            Column("listed", "int64", "Messages named by LIST or UIDL."),
            Column("retrieved", "int64", "Messages sent in response to RETR."),
            Column("deleted", "int64", "Messages marked by DELE."),
            Column("tls", "bool", "STLS succeeded: the rest of the connection is encrypted."),
            Column("quit", "bool", "QUIT was sent (deletions are committed)."),
            Column(
                "closed",
                "string",
                "closed: Zeek saw the end; idle: timed out; open: the log ended first.",
                repeats=True,
            ),
            Column("commands", "int64", "Commands."),
            Column("errors", "int64", "Commands with an -ERR response."),
            Column("unknown", "int64", "Commands that are not POP3."),
            Column("greeting", "string", "First line of the server, without +OK."),
            FIDELITY,
            Column("missing_bytes", "int64", "Bytes that the capture lost, both directions.", searched=True),
            DEFECTS,
        ),
    ),
)

COMMANDS = Table(
    "commands",
    "A command and its response.",
    ("uid", "seq"),
    (
        TS,
        UID,
        Column("seq", "int64", "Ordinal of the command in its connection, from 0.", searched=True),
        Column(
            "command", "string", "The verb; null for a response whose command was not captured.", repeats=True
        ),
        Column("argument", "string", "Argument of the command, without secrets.", personal="argument"),
        Column("status", "string", "OK, ERR, or null if no response was captured.", repeats=True),
        Column("message", "string", "Rest of the status line.", personal="free"),
        Column("lines", "int64", "Lines of a multi-line response, without status line and terminator."),
        Column("octets", "int64", "Octets of these lines, as sent."),
        Column("reply_ts", "time", "Time of the response."),
    ),
)

LISTINGS = Table(
    "listings",
    "What LIST and UIDL said of a mailbox: one row per connection that listed the whole mailbox.",
    ("uid",),
    of(
        "session",
        SESSIONS.columns[0]._replace(source="ts"),
        UID,
        USER,
        Column("id_resp_h", "string", "Server address.", "conn_id.resp_h", repeats=True),
        Column(
            "messages",
            "struct",
            "The messages, by their numbers.",
            "listing",
            repeated=True,
            fields=(
                Column("msg_num", "int64", "Message number (RFC 1939)."),
                Column("octets", "int64", "Size from LIST; null if unknown."),
                Column("uidl", "string", "Unique id from UIDL; null if unknown."),
            ),
        ),
    ),
)
