"""All tables: name, type and meaning of each column. Those of mails are in `mail_tables`.

Names are those of Zeek's logs where they exist (smtp.log, files.log, conn.log), with `_` for `.`. Unknown is
null. The list of a header field is null if the mail does not have the field, and empty if the field is empty;
what `privacy` leaves out is null. The partition column `day` (UTC day of `ts`) is in the folder names, not in
the files.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from zeekpop3.tables.column import (
    AUTHENTICATED_AS,
    CONNECTION,
    DEFECTS,
    FIDELITY,
    TS,
    UID,
    USER,
    Column,
    Table,
    arrow_field,
    of,
    structs,
    table,
)
from zeekpop3.tables.mail_tables import ADDRESSES, ATTACHMENTS, EMAILS, ENCLOSED, HITS, LINKS, MEMBERS

if TYPE_CHECKING:
    import pyarrow as pa

SESSIONS = table(
    "sessions",
    "A POP3 connection.",
    "uid",
    *of("session", TS._replace(meaning="Time of the connection's first row in the event log."), UID),
    *CONNECTION,
    Column("duration", "Seconds from the first to the last row, as in conn.log.", "float64"),
    *of(
        "session",
        USER,
        Column("auth_mechanism", "Login method: USER, APOP, or the SASL mechanism.", repeats=True),
        Column("auth_result", "success, failure, or null if no login was seen.", repeats=True),
        Column("logins_failed", "Failed logins.", "int64"),
        Column(
            "users_refused",
            "Users whose login the server refused, each once.",
            repeated=True,
            personal="name",
        ),
        Column("capabilities", "Response to CAPA, one entry per line.", repeated=True),
        Column(
            "starttls_offered",
            "CAPA lists STLS; null if the server did not list its capabilities.",
            "bool",
            repeats=True,
        ),
        Column("stat_messages", "Messages in the mailbox, from STAT.", "int64"),
        Column("stat_octets", "Size of the mailbox in octets, from STAT.", "int64"),
        Column("listed", "Messages named by LIST or UIDL.", "int64"),
        Column("retrieved", "Messages sent in response to RETR.", "int64"),
        Column("deleted", "Messages marked by DELE.", "int64"),
        Column("tls", "STLS succeeded: the rest of the connection is encrypted.", "bool"),
        Column("quit", "QUIT was sent (deletions are committed).", "bool"),
        Column(
            "closed", "closed: Zeek saw the end; idle: timed out; open: the log ended first.", repeats=True
        ),
        Column("commands", "Commands.", "int64"),
        Column("errors", "Commands with an -ERR response.", "int64"),
        Column("unknown", "Commands that are not POP3.", "int64"),
        Column("greeting", "First line of the server, without +OK."),
        FIDELITY,
        Column(
            "missing_bytes",
            "Bytes that the capture or the log lost, both directions.",
            "int64",
            searched=True,
        ),
        DEFECTS,
        AUTHENTICATED_AS,
    ),
)

COMMANDS = table(
    "commands",
    "A command and its response.",
    "uid seq",
    TS,
    UID,
    Column("seq", "Ordinal of the command in its connection, from 0.", "int64", searched=True),
    Column("command", "The verb; null for a response whose command was not captured.", repeats=True),
    Column("argument", "Argument of the command, without secrets.", personal="argument"),
    Column("status", "OK, ERR, or null if no response was captured.", repeats=True),
    Column("message", "Rest of the status line.", personal="free"),
    Column("lines", "Lines of a multi-line response, without status line and terminator.", "int64"),
    Column("octets", "Octets of these lines, as sent.", "int64"),
    Column("reply_ts", "Time of the response.", "time"),
)

_MESSAGE = (
    Column("msg_num", "Message number (RFC 1939).", "int64"),
    Column("octets", "Size from LIST; null if unknown.", "int64"),
    Column("uidl", "Unique id from UIDL; null if unknown."),
)
LISTINGS = table(
    "listings",
    "What LIST and UIDL said of a mailbox: one row per connection that listed the whole mailbox.",
    "uid",
    *of(
        "session",
        SESSIONS.columns[0]._replace(source="ts"),
        UID,
        USER,
        Column("id_resp_h", "Server address.", source="conn_id.resp_h", repeats=True),
        structs("messages", "The messages, by their numbers.", *_MESSAGE, source="listing"),
    ),
)

INPUTS = table(
    "inputs",
    "A file that was read to make these tables: an event log with rows, a capture, a file with mails.",
    "ts file read_at",
    Column(
        "ts",
        "Time of its first row, or first mail. So filters and `prune` treat the row as they treat mails.",
        "time",
        searched=True,
    ),
    Column(
        "file",
        "Its name, in Zeek's archive with the folder of the day before it; other folders are left out. "
        "`-`: standard input.",
        personal="file",
        repeats=True,
        searched=True,
    ),
    Column(
        "sha256",
        "SHA-256 of its bytes, hex, as `sha256sum` gives it; null where a log may still grow (`follow`), and "
        "on Spark.",
        looked_up=True,
    ),
    Column(
        "first_row",
        "`ts`, `uid` and `seq` of the log's first row. They stay when the log is renamed, moved or "
        "compressed, and no other log has them. Null for mail files, and on Spark.",
    ),
    Column("rows", "Rows (of mail files: mails) that were read; null where the log may still grow.", "int64"),
    Column("version", "Version of zeekpop3 that read it.", repeats=True),
    Column(
        "command",
        "Command that read it, with the options that decide what is kept; without paths and keys.",
        repeats=True,
    ),
    Column("read_at", "When it was read.", "time"),
)


# -- all tables --------------------------------------------------------------------------------------


#: Raised by one whenever columns or tables are added; every file has it in its metadata.
SCHEMA_VERSION = 4

VERSION_KEY = b"zeekpop3.schema_version"
TABLE_KEY = b"zeekpop3.table"

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        EMAILS,
        ADDRESSES,
        LINKS,
        ATTACHMENTS,
        MEMBERS,
        ENCLOSED,
        SESSIONS,
        LISTINGS,
        COMMANDS,
        HITS,
        INPUTS,
    )
}


@cache
def schema(name: str) -> pa.Schema:
    """The Arrow schema of a table, with the meanings of table and columns as `description` in the metadata.

    Raises KeyError if there is no such table.
    """
    import pyarrow as pa

    table = TABLES[name]
    return pa.schema(
        [arrow_field(column) for column in table.columns],
        metadata={
            b"description": table.meaning.encode(),
            TABLE_KEY: name.encode(),
            VERSION_KEY: str(SCHEMA_VERSION).encode(),
        },
    )
