"""The tables of mails and of what is in them."""

from __future__ import annotations

from zeekpop3.tables.column import Column, Table, looked_up, of
from zeekpop3.tables.mail_columns import ADDRESS, DOMAIN, HEADERS, NAME, PARSED, SITE
from zeekpop3.tables.shared_columns import CONNECTION, DEFECTS, DEPTH, FIDELITY, TS, UID, USER

_ATTACHMENT = (
    Column("filename", "string", "File name without any path, decoded (RFC 2047, 2231)."),
    Column("content_type", "string", "Declared content type.", repeats=True),
    Column("disposition", "string", "Content-Disposition: attachment, inline, or null.", repeats=True),
    Column("content_id", "string", "Content-ID without angle brackets."),
    Column("size", "int64", "Size of the decoded content in bytes.", searched=True),
    Column("md5", "string", "MD5 of the decoded content, hex.", looked_up=True),
    Column("sha1", "string", "SHA-1 of the decoded content, hex.", looked_up=True),
    Column("sha256", "string", "SHA-256 of the decoded content, hex.", searched=True, looked_up=True),
)

EMAILS = Table(
    "emails",
    "A message that the server sent: one row per RETR or TOP with a positive response.",
    ("uid", "trans_depth"),
    (
        *of("transfer", TS, UID),
        *CONNECTION,
        *of(
            "transfer",
            USER,
            DEPTH,
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
            FIDELITY,
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
        DEFECTS,
        Column(
            "sha256",
            "string",
            "SHA-256 of the message, hex; null unless exact and complete.",
            searched=True,
            looked_up=True,
        ),
        *of("mail", *PARSED),
        HEADERS,
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

#: What tables of the things in a mail begin with.
_OF_MAIL = of("transfer", TS._replace(meaning="The `ts` of the mail."), UID, DEPTH)
_PART = Column(
    "part",
    "string",
    "Message that it is in: empty for the mail itself, else the section as in `enclosed`.",
    searched=True,
)

ADDRESSES = Table(
    "addresses",
    "A mailbox in an address field of a mail or of a message inside it.",
    ("uid", "trans_depth", "part", "field", "position"),
    (
        *_OF_MAIL,
        _PART,
        *of(
            "item",
            Column(
                "field",
                "string",
                "from, sender, reply_to, to, cc, bcc, return_path or delivered_to.",
                repeats=True,
                searched=True,
            ),
            Column("position", "int32", "Ordinal in the field, from 1."),
            NAME,
            ADDRESS,
            Column("local_part", "string", "Part before the @ as written, without quotes.", personal="name"),
            DOMAIN,
            SITE,
        ),
    ),
)

LINKS = Table(
    "links",
    "A link in the text or HTML of a mail or of a message inside it; each different one once.",
    ("uid", "trans_depth", "part", "position"),
    (
        *_OF_MAIL,
        _PART,
        Column("position", "int32", "Ordinal in the message, from 1."),
        *of(
            "item",
            Column("url", "string", "The URL as written.", personal="body", looked_up=True),
            Column(
                "target",
                "string",
                "The original URL, if a mail gateway has rewritten it.",
                personal="body",
                looked_up=True,
            ),
            Column("scheme", "string", "Scheme of `target`, else of `url`.", personal="body", repeats=True),
            looked_up("host", "Host of `target`, else of `url`: lower case, IDN decoded.", "body"),
            looked_up("site", "Registered domain of `host`, by the public suffix list.", "body"),
            Column("text", "string", "What the HTML shows for the link.", personal="body"),
            Column("origin", "string", "text or html.", repeats=True),
            Column(
                "text_site",
                "string",
                "Registered domain that the text of the link shows.",
                personal="body",
                repeats=True,
                searched=True,
            ),
        ),
    ),
)

ATTACHMENTS = Table(
    "attachments",
    "A part of a message that a mail program offers to save.",
    ("uid", "trans_depth", "part"),
    (
        *_OF_MAIL,
        *of(
            "item",
            _PART._replace(meaning="Section of the part, numbered as in IMAP (RFC 3501, 6.4.5): 2 or 1.3."),
            _ATTACHMENT[0],
            Column("filename_raw", "string", "File name as in the mail, decoded, with any path."),
            Column(
                "extension",
                "string",
                "Extension of the file name, lower case, without the dot.",
                repeats=True,
                searched=True,
            ),
            _ATTACHMENT[1],
            Column(
                "mime_type", "string", "Content type detected from the content; null if none was detected."
            ),
            *_ATTACHMENT[2:],
            Column("content", "binary", "The decoded content; null unless asked for.", personal="raw"),
        ),
    ),
)

ENCLOSED = Table(
    "enclosed",
    "A message inside a mail (message/rfc822 and the like), at any depth.",
    ("uid", "trans_depth", "part"),
    (
        *_OF_MAIL,
        *of(
            "mail",
            _PART._replace(meaning="Section of the part that contains it, as in `attachments`."),
            Column("size", "int64", "Size of the message in bytes."),
            Column("sha256", "string", "SHA-256 of the message, hex.", searched=True, looked_up=True),
            DEFECTS,
            *PARSED,
        ),
        HEADERS,
    ),
)

HITS = Table(
    "hits",
    "An indicator found in the tables, by `hunt --write` or `follow --indicators`.",
    ("uid", "trans_depth", "part", "indicator", "type", "field", "value"),
    (
        TS._replace(meaning="The `ts` of the mail, or of the connection."),
        UID,
        DEPTH._replace(meaning="Ordinal of the mail in its connection; null if the hit is in a connection."),
        _PART,
        Column("indicator", "string", "The indicator as in its list.", repeats=True, looked_up=True),
        Column("type", "string", "Type of the indicator, as in Zeek's Intel framework.", repeats=True),
        Column("field", "string", "Table and column in which it was found.", repeats=True),
        Column("value", "string", "The value that matched."),
        Column("source", "string", "Source of the indicator (meta.source).", repeats=True),
        Column("description", "string", "Description of the indicator (meta.desc).", repeats=True),
    ),
)
