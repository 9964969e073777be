"""The columns of the four tables: name, type and description of each, as plain data; no pyarrow until asked.

Names are Zeek's where Zeek has one (smtp.log, files.log, conn.log) with `_` for `.`. Unknown is null. The
list of a header field is null where the field is not there, and empty where it names nothing; what was left
out on purpose (see `privacy`) is null. The hive partition column `day` (UTC day of `ts`) is in the folder
names, never in the files.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

#: Raised by one whenever a column changes its name, type or meaning; stands in each file's metadata.
SCHEMA_VERSION = 1

VERSION_KEY = b"zeekpop3.schema_version"
TABLE_KEY = b"zeekpop3.table"


class Column(NamedTuple):
    """A column: `type` is one of string, binary, bool, float64, int32, int64, port, time, struct.

    `many` makes it a list of these. A struct has `members`.
    """

    name: str
    type: str
    description: str
    many: bool = False
    members: tuple[Column, ...] = ()


class Table(NamedTuple):
    """A table: its name, what a row is, its key and its columns in order."""

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


_CONNECTION = (
    Column("id_orig_h", "string", "Client's address; null if no row of the connection said it."),
    Column("id_orig_p", "port", "Client's port."),
    Column("id_resp_h", "string", "Server's address."),
    Column("id_resp_p", "port", "Server's port."),
)

_RECEIVED = (
    Column("raw", "string", "The field as written, unfolded."),
    Column("from", "string", "Host after `from`, with what stands in brackets."),
    Column("by", "string", "Host after `by`."),
    Column("with", "string", "Protocol after `with`."),
    Column("id", "string", "Identifier after `id`."),
    Column("for", "string", "Recipient after `for`."),
    Column("date", "time", "Instant after the semicolon; null if it cannot be read."),
)

_HEADER = (
    Column("name", "string", "Field name as written."),
    Column("value", "string", "Field value, unfolded and decoded (RFC 2047, raw 8-bit)."),
)

_ATTACHMENT = (
    Column("filename", "string", "File name, decoded (RFC 2047, 2231), without any path."),
    Column("content_type", "string", "Declared content type."),
    Column("disposition", "string", "Content-Disposition: attachment, inline, or null."),
    Column("content_id", "string", "Content-ID, without angle brackets."),
    Column("size", "int64", "Bytes of the decoded content."),
    Column("md5", "string", "MD5 of the decoded content, hex."),
    Column("sha1", "string", "SHA-1 of the decoded content, hex."),
    Column("sha256", "string", "SHA-256 of the decoded content, hex."),
)

_DEFECTS = Column(
    "defects", "string", "What is wrong or was guessed, one name each; empty if nothing.", many=True
)
_FIDELITY = Column(
    "fidelity", "string", "exact: the bytes as sent; trimmed: lines as Zeek's pop3_data gives them."
)

EMAILS = Table(
    "emails",
    "A message that the server sent: a row per RETR or TOP that it answered +OK.",
    ("uid", "trans_depth"),
    (
        Column("ts", "time", "When the client asked for it (or the reply came, if nobody was seen asking)."),
        Column("uid", "string", "Zeek's identifier of the connection, as in conn.log."),
        *_CONNECTION,
        Column("user", "string", "Mailbox user of the connection; null if no login was seen."),
        Column("trans_depth", "int32", "Ordinal of the transfer in its connection, from 1."),
        Column("command", "string", "RETR, or TOP (then only headers and the first lines)."),
        Column("msg_num", "int64", "Message number in the mailbox (RFC 1939)."),
        Column("uidl", "string", "Unique id that the server's UIDL gave the message."),
        Column(
            "octets_declared", "int64", "Size in octets that the server declared (reply to RETR, or LIST)."
        ),
        Column(
            "size", "int64", "Bytes of the message as captured: CRLF lines, dots unstuffed, terminator off."
        ),
        _FIDELITY,
        Column("complete", "bool", "True only if the end was seen and no byte is missing."),
        Column("missing_bytes", "int64", "Bytes that the capture lost in the message."),
        _DEFECTS,
        Column("sha256", "string", "SHA-256 of the message, hex; null unless exact and complete."),
        Column("date", "time", "Date field as an instant; null if it cannot be read."),
        Column("date_raw", "string", "Date field as written."),
        Column("from", "string", "From field, decoded."),
        Column("to", "string", "To, an entry per address.", many=True),
        Column("cc", "string", "Cc, an entry per address.", many=True),
        Column("bcc", "string", "Bcc, an entry per address.", many=True),
        Column("reply_to", "string", "Reply-To field, decoded."),
        Column("sender", "string", "Sender field, decoded."),
        Column("return_path", "string", "Return-Path: the envelope's sender."),
        Column("delivered_to", "string", "Delivered-To fields, an entry each.", many=True),
        Column("subject", "string", "Subject, decoded."),
        Column("msg_id", "string", "Message-ID as written, as in Zeek's smtp.log."),
        Column("in_reply_to", "string", "In-Reply-To as written."),
        Column("references", "string", "References, an entry per message id.", many=True),
        Column("user_agent", "string", "User-Agent or X-Mailer."),
        Column("x_originating_ip", "string", "X-Originating-IP."),
        Column("first_received", "string", "The first Received field, as in Zeek's smtp.log."),
        Column("second_received", "string", "The second Received field, as in Zeek's smtp.log."),
        Column(
            "received", "struct", "Received fields, newest first, taken apart.", many=True, members=_RECEIVED
        ),
        Column("path", "string", "Addresses of the hosts that the mail passed, newest first.", many=True),
        Column("mime_version", "string", "MIME-Version."),
        Column("content_type", "string", "Content type of the message, without parameters."),
        Column("charset", "string", "Character set that the message declares."),
        Column("text", "string", "Plain text body, decoded."),
        Column("html", "string", "HTML body, decoded. Hostile until proven otherwise."),
        Column("urls", "string", "URLs in the bodies, each once.", many=True),
        Column("headers", "struct", "All header fields, in order.", many=True, members=_HEADER),
        Column("attachments", "struct", "The attachments, without content.", many=True, members=_ATTACHMENT),
        Column("raw", "binary", "The message itself."),
    ),
)

ATTACHMENTS = Table(
    "attachments",
    "A part of a message that a mail program would offer to save.",
    ("uid", "trans_depth", "part"),
    (
        Column("ts", "time", "The message's ts."),
        Column("uid", "string", "Zeek's identifier of the connection, as in conn.log."),
        Column("trans_depth", "int32", "Ordinal of the transfer in its connection, from 1."),
        Column("part", "string", "Section of the part as IMAP counts (RFC 3501, 6.4.5), e.g. 2 or 1.3."),
        _ATTACHMENT[0],
        Column("filename_raw", "string", "File name, decoded, as the mail has it, path included."),
        _ATTACHMENT[1],
        Column("mime_type", "string", "Content type detected from the content; null if none was."),
        *_ATTACHMENT[2:],
        Column("content", "binary", "The decoded content; null unless asked for."),
    ),
)

SESSIONS = Table(
    "sessions",
    "A connection in which POP3 was spoken.",
    ("uid",),
    (
        Column("ts", "time", "Time of the connection's first row in the event log."),
        Column("uid", "string", "Zeek's identifier of the connection, as in conn.log."),
        *_CONNECTION,
        Column("duration", "float64", "Seconds from the first to the last row, as conn.log's."),
        Column("user", "string", "Mailbox user."),
        Column("auth_mechanism", "string", "How the user logged in: USER, APOP, or the SASL mechanism."),
        Column("auth_result", "string", "success, failure, or null if no login was seen."),
        Column("logins_failed", "int64", "Logins that the server refused."),
        Column("capabilities", "string", "Answer to CAPA, a line each.", many=True),
        Column("stat_messages", "int64", "Messages in the mailbox, by STAT."),
        Column("stat_octets", "int64", "Octets in the mailbox, by STAT."),
        Column("listed", "int64", "Messages that LIST or UIDL named."),
        Column("retrieved", "int64", "Messages sent in answer to RETR."),
        Column("deleted", "int64", "Messages marked by DELE."),
        Column("tls", "bool", "STLS succeeded: the rest of the connection is encrypted."),
        Column("quit", "bool", "The client said QUIT: deletions take effect."),
        Column("closed", "string", "closed: Zeek saw the end; idle: given up; open: the log ended first."),
        Column("commands", "int64", "Commands seen."),
        Column("errors", "int64", "Commands that the server answered -ERR."),
        Column("unknown", "int64", "Commands that RFC 1939 and its extensions do not know."),
        Column("greeting", "string", "The server's first line, without +OK."),
        _FIDELITY,
        Column("missing_bytes", "int64", "Bytes that the capture lost, both directions."),
        _DEFECTS,
    ),
)

COMMANDS = Table(
    "commands",
    "A request and its reply.",
    ("uid", "seq"),
    (
        Column("ts", "time", "Time of the request (of the reply, if nobody was seen asking)."),
        Column("uid", "string", "Zeek's identifier of the connection, as in conn.log."),
        Column("seq", "int64", "Ordinal of the command in its connection, from 0."),
        Column("command", "string", "The verb; null for a reply that nobody was seen asking for."),
        Column("argument", "string", "What followed the verb, secrets left out."),
        Column("status", "string", "OK, ERR, or null if no reply was seen."),
        Column("message", "string", "The rest of the status line."),
        Column("lines", "int64", "Lines of a multi-line response, without status line and terminator."),
        Column("octets", "int64", "Octets of them, as sent."),
        Column("reply_ts", "time", "Time of the reply."),
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in (EMAILS, ATTACHMENTS, SESSIONS, COMMANDS)}


def _simple(name: str) -> pa.DataType:
    import pyarrow as pa

    if name == "time":
        return pa.timestamp("us", tz="UTC")
    if name == "port":
        return pa.uint16()
    return {
        "string": pa.string(),
        "binary": pa.binary(),
        "bool": pa.bool_(),
        "float64": pa.float64(),
        "int32": pa.int32(),
        "int64": pa.int64(),
    }[name]


def _field(column: Column) -> pa.Field:
    import pyarrow as pa

    kind = (
        pa.struct([_field(member) for member in column.members]) if column.members else _simple(column.type)
    )
    return pa.field(
        column.name, pa.list_(kind) if column.many else kind, metadata={"description": column.description}
    )


@cache
def schema(name: str) -> pa.Schema:
    """The Arrow schema of a table; each field's metadata holds its `description`, the schema's the table's.

    Raises KeyError if there is no table of that name.
    """
    import pyarrow as pa

    table = TABLES[name]
    return pa.schema(
        [_field(column) for column in table.columns],
        metadata={
            b"description": table.description.encode(),
            TABLE_KEY: name.encode(),
            VERSION_KEY: str(SCHEMA_VERSION).encode(),
        },
    )
