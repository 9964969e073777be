"""The tables: name, type and meaning of each column.

Names are those of Zeek's logs where they exist (smtp.log, files.log, conn.log), with `_` for `.`. Unknown is
null. The list of a header field is null if the mail does not have the field, and empty if the field is empty;
what `privacy` leaves out is null. The partition column `day` (UTC day of `ts`) is in the folder names, not in
the files.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from zeekpop3.tables.column import Column, Table, arrow_field, of

if TYPE_CHECKING:
    import pyarrow as pa

#: Raised by one whenever columns or tables are added; every file has it in its metadata.
SCHEMA_VERSION = 1

VERSION_KEY = b"zeekpop3.schema_version"
TABLE_KEY = b"zeekpop3.table"

_TS = Column(
    "ts", "time", "Time of the request; of the reply if the request was not captured.", searched=True
)
_UID = Column(
    "uid", "string", "Zeek's identifier of the connection, as in conn.log.", repeats=True, searched=True
)
_DEPTH = Column("trans_depth", "int32", "Ordinal of the transfer in its connection, from 1.", searched=True)
_USER = Column(
    "user", "string", "Mailbox user; null if no login was seen.", personal="name", repeats=True, searched=True
)
_CONNECTION = (
    Column(
        "id_orig_h",
        "string",
        "Client address; null if the log does not tell.",
        "conn_id.orig_h",
        repeats=True,
    ),
    Column("id_orig_p", "port", "Client port.", "conn_id.orig_p", repeats=True),
    Column("id_resp_h", "string", "Server address.", "conn_id.resp_h", repeats=True),
    Column("id_resp_p", "port", "Server port.", "conn_id.resp_p", repeats=True),
)
_DEFECTS = Column(
    "defects", "string", "Names of what is wrong or was guessed; empty if nothing.", repeated=True
)
_FIDELITY = Column(
    "fidelity",
    "string",
    "exact: the bytes as sent; trimmed: lines as Zeek's pop3_data gives them.",
    repeats=True,
)

_RECEIVED = (
    Column("raw", "string", "The field as written, unfolded."),
    Column("from", "string", "Host after `from`, with the text in parentheses.", "from_"),
    Column("by", "string", "Host after `by`."),
    Column("with", "string", "Protocol after `with`.", "with_"),
    Column("id", "string", "Identifier after `id`."),
    Column("for", "string", "Recipient after `for`.", "for_"),
    Column("date", "time", "Time after the semicolon; null if it cannot be parsed."),
)
_HEADER = (
    Column("name", "string", "Field name as written.", 0),
    Column("value", "string", "Field value, unfolded and decoded (RFC 2047, raw 8-bit).", 1),
)
_ATTACHMENT = (
    Column("filename", "string", "File name without any path, decoded (RFC 2047, 2231)."),
    Column("content_type", "string", "Declared content type.", repeats=True),
    Column("disposition", "string", "Content-Disposition: attachment, inline, or null.", repeats=True),
    Column("content_id", "string", "Content-ID without angle brackets."),
    Column("size", "int64", "Size of the decoded content in bytes.", searched=True),
    Column("md5", "string", "MD5 of the decoded content, hex."),
    Column("sha1", "string", "SHA-1 of the decoded content, hex."),
    Column("sha256", "string", "SHA-256 of the decoded content, hex.", searched=True),
)

#: Columns that the mail parser fills, for a mail and for a message inside a message.
_HEADER_COLUMNS = of(
    "mail",
    Column("date", "time", "Date field; null if it cannot be parsed.", searched=True),
    Column("date_raw", "string", "Date field as written."),
    Column("from", "string", "From field, decoded.", "from_", personal="addresses"),
    Column("to", "string", "To field, one entry per address.", repeated=True, personal="addresses"),
    Column("cc", "string", "Cc field, one entry per address.", repeated=True, personal="addresses"),
    Column("bcc", "string", "Bcc field, one entry per address.", repeated=True, personal="addresses"),
    Column("reply_to", "string", "Reply-To field, decoded.", personal="addresses"),
    Column("sender", "string", "Sender field, decoded.", personal="addresses"),
    Column("return_path", "string", "Return-Path: the envelope sender.", personal="addresses"),
    Column(
        "delivered_to", "string", "Delivered-To fields, one entry each.", repeated=True, personal="addresses"
    ),
    Column("subject", "string", "Subject field, decoded.", personal="text"),
    Column("msg_id", "string", "Message-ID as written, as in Zeek's smtp.log.", searched=True),
    Column("in_reply_to", "string", "In-Reply-To as written."),
    Column("references", "string", "References, one entry per message id.", repeated=True),
    Column("user_agent", "string", "User-Agent or X-Mailer."),
    Column("x_originating_ip", "string", "X-Originating-IP."),
    Column("first_received", "string", "First Received field, as in Zeek's smtp.log.", personal="free"),
    Column("second_received", "string", "Second Received field, as in Zeek's smtp.log.", personal="free"),
    Column(
        "received",
        "struct",
        "Parsed Received fields, newest first.",
        repeated=True,
        fields=_RECEIVED,
        personal="free",
    ),
    Column("path", "string", "IP addresses of the hosts that relayed the mail, newest first.", repeated=True),
    Column("mime_version", "string", "MIME-Version.", repeats=True),
    Column("content_type", "string", "Content type of the message, without parameters.", repeats=True),
    Column("charset", "string", "Declared character set of the message.", repeats=True),
    Column("text", "string", "Decoded plain text body.", personal="body"),
    Column("html", "string", "Decoded HTML body. Treat as untrusted.", personal="body"),
    Column("urls", "string", "Distinct URLs in text and HTML.", repeated=True, personal="body"),
)

EMAILS = Table(
    "emails",
    "A message that the server sent: one row per RETR or TOP with a positive response.",
    ("uid", "trans_depth"),
    (
        *of("transfer", _TS, _UID),
        *_CONNECTION,
        *of(
            "transfer",
            _USER,
            _DEPTH,
            Column("command", "string", "RETR, or TOP (header and first lines only).", repeats=True),
            Column("msg_num", "int64", "Message number in the mailbox (RFC 1939).", searched=True),
            Column("uidl", "string", "Unique id of the message, from UIDL."),
            Column("octets_declared", "int64", "Size declared by the server (response to RETR, or LIST)."),
        ),
        Column(
            "size",
            "int64",
            "Size of the captured message in bytes (CRLF line ends, without dot-stuffing and terminator).",
            searched=True,
        ),
        *of(
            "transfer",
            _FIDELITY,
            Column(
                "complete",
                "bool",
                "True only if the end was captured and no byte is missing.",
                repeats=True,
                searched=True,
            ),
            Column(
                "missing_bytes",
                "int64",
                "Bytes of the message that the capture lost; null if unknown.",
                searched=True,
            ),
        ),
        _DEFECTS,
        Column(
            "sha256", "string", "SHA-256 of the message, hex; null unless exact and complete.", searched=True
        ),
        *_HEADER_COLUMNS,
        Column(
            "headers",
            "struct",
            "All header fields, in order.",
            repeated=True,
            fields=_HEADER,
            personal="free",
        ),
        Column(
            "attachments",
            "struct",
            "The attachments, without content.",
            "mail.attachments",
            repeated=True,
            fields=_ATTACHMENT,
        ),
        Column("raw", "binary", "The message itself.", "transfer.raw", personal="raw"),
    ),
)

ATTACHMENTS = Table(
    "attachments",
    "A part of a message that a mail program offers to save.",
    ("uid", "trans_depth", "part"),
    (
        *of("transfer", _TS._replace(meaning="The `ts` of the mail."), _UID, _DEPTH),
        *of(
            "item",
            Column(
                "part",
                "string",
                "Section of the part, numbered as in IMAP (RFC 3501, 6.4.5): 2 or 1.3.",
                searched=True,
            ),
            _ATTACHMENT[0],
            Column("filename_raw", "string", "File name as in the mail, decoded, with any path."),
            _ATTACHMENT[1],
            Column(
                "mime_type", "string", "Content type detected from the content; null if none was detected."
            ),
            *_ATTACHMENT[2:],
            Column("content", "binary", "The decoded content; null unless asked for.", personal="raw"),
        ),
    ),
)

SESSIONS = Table(
    "sessions",
    "A POP3 connection.",
    ("uid",),
    (
        *of("session", _TS._replace(meaning="Time of the connection's first row in the event log."), _UID),
        *_CONNECTION,
        Column("duration", "float64", "Seconds from the first to the last row, as in conn.log."),
        *of(
            "session",
            _USER,
            Column(
                "auth_mechanism", "string", "Login method: USER, APOP, or the SASL mechanism.", repeats=True
            ),
            Column("auth_result", "string", "success, failure, or null if no login was seen.", repeats=True),
            Column("logins_failed", "int64", "Failed logins."),
            Column("capabilities", "string", "Response to CAPA, one entry per line.", repeated=True),
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
            _FIDELITY,
            Column("missing_bytes", "int64", "Bytes that the capture lost, both directions.", searched=True),
            _DEFECTS,
        ),
    ),
)

COMMANDS = Table(
    "commands",
    "A command and its response.",
    ("uid", "seq"),
    (
        _TS,
        _UID,
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

TABLES: dict[str, Table] = {table.name: table for table in (EMAILS, ATTACHMENTS, SESSIONS, COMMANDS)}


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
