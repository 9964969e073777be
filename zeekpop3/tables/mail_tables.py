"""The tables of mails and of what is in them."""

from __future__ import annotations

from zeekpop3.tables.column import (
    AUTHENTICATED_AS,
    CONNECTION,
    DEFECTS,
    DEPTH,
    FIDELITY,
    TS,
    UID,
    USER,
    Column,
    looked_up,
    of,
    of_item,
    structs,
    table,
)

_RECEIVED = (
    Column("raw", "The field as written, unfolded."),
    Column("from", "Host after `from`, with the text in parentheses.", source="from_"),
    Column("by", "Host after `by`.", repeats=True),
    Column("with", "Protocol after `with`.", source="with_", repeats=True),
    Column("id", "Identifier after `id`."),
    Column("for", "Recipient after `for`.", source="for_"),
    Column("date", "Time after the semicolon; null if it cannot be parsed.", "time"),
)
_DKIM = (
    Column("domain", "Domain that signed (`d=`)."),
    Column("selector", "Selector of the key (`s=`)."),
    Column("algorithm", "Algorithm (`a=`), such as rsa-sha256."),
    Column(
        "body",
        "pass or fail: whether the body has the signed hash; partial: the signed part has it, and more "
        "follows; null: not checked, for instance because only a preview was fetched. Needs no key.",
    ),
    Column("bh", "Signed hash of the body, Base64 (`bh=`)."),
    Column("signed_bytes", "Bytes of the canonical body that are signed (`l=`); null: all.", "int64"),
)
_HEADER = (
    Column("name", "Field name as written.", source=0, repeats=True),
    Column("value", "Field value, unfolded and decoded (RFC 2047, raw 8-bit).", source=1),
)
# A mailbox taken apart.
_NAME = Column("name", "Display name, decoded.", personal="free")
_ADDRESS = Column("address", "Address, lower case.", personal="name", looked_up=True)
_DOMAIN = looked_up("domain", "Host part of the address, lower case, IDN decoded.", "name")
_SITE = looked_up("site", "Registered domain of the address, by the public suffix list.", "name")


def _first(field: str, *columns: Column) -> tuple[Column, ...]:
    """Columns of the first mailbox of a header field."""
    label = field.replace("_", "-").title()
    return tuple(
        column._replace(
            name=f"{field}_{column.name}",
            meaning=f"First mailbox of {label}: {column.name}.",
            source=f"{field}_mailbox.{column.name}",
        )
        for column in columns
    )


def _verdict(method: str, meaning: str) -> Column:
    return Column(f"auth_{method}", meaning, personal="verdict", repeats=True)


_INVITATION = structs(
    "invitation",
    "The events that its calendar parts ask for.",
    Column("method", "What is asked: REQUEST, CANCEL, REPLY, … (RFC 5546).", repeats=True),
    Column("organizer", "Address of the organizer, lower case."),
    Column("organizer_name", "Display name of the organizer."),
    Column("start", "Date and time as given, then Z for UTC or the name of the time zone."),
    Column("end", "When it ends, in the same form."),
    Column("title", "What it is called (SUMMARY)."),
    Column("place", "Where it is (LOCATION)."),
    source="mail.invitation",
    personal="body",
)
# What the mail parser fills, for a mail and for a message inside a mail.
_PARSED = (
    Column("date", "Date field; null if it cannot be parsed.", "time", searched=True),
    Column("date_raw", "Date field as written.", personal="free"),
    Column("from", "From field, decoded.", source="from_", personal="addresses"),
    Column("to", "To field, one entry per address.", repeated=True, personal="addresses"),
    Column("cc", "Cc field, one entry per address.", repeated=True, personal="addresses"),
    Column("bcc", "Bcc field, one entry per address.", repeated=True, personal="addresses"),
    Column("reply_to", "Reply-To field, decoded.", personal="addresses"),
    Column("sender", "Sender field, decoded.", personal="addresses"),
    Column("return_path", "Return-Path: the envelope sender.", personal="addresses"),
    Column("delivered_to", "Delivered-To fields, one entry each.", repeated=True, personal="addresses"),
    *_first("from", _NAME, _ADDRESS, _DOMAIN, _SITE),
    *_first("reply_to", _NAME, _ADDRESS, _DOMAIN, _SITE),
    *_first("sender", _NAME, _ADDRESS, _DOMAIN, _SITE),
    *_first("return_path", _ADDRESS, _SITE),
    Column("subject", "Subject field, decoded.", personal="text"),
    Column("msg_id", "Message-ID as written, as in Zeek's smtp.log.", looked_up=True),
    Column("in_reply_to", "In-Reply-To as written."),
    Column("references", "References, one entry per message id.", repeated=True),
    Column(
        "thread_id",
        "Message-ID with which the conversation began: first of References, else In-Reply-To, else its own.",
        looked_up=True,
    ),
    Column("user_agent", "User-Agent or X-Mailer."),
    Column("x_originating_ip", "X-Originating-IP."),
    Column("first_received", "First Received field, as in Zeek's smtp.log.", personal="free"),
    Column("second_received", "Second Received field, as in Zeek's smtp.log.", personal="free"),
    structs("received", "Parsed Received fields, newest first.", *_RECEIVED, personal="free"),
    Column("path", "IP addresses of the hosts that relayed the mail, newest first.", repeated=True),
    Column(
        "auth_server",
        "Server that made the topmost Authentication-Results field; null if it names none.",
        personal="text",
        repeats=True,
    ),
    _verdict("spf", "SPF result in that field, else in Received-SPF: pass, fail, softfail, none, …."),
    _verdict("dkim", "DKIM result in that field."),
    _verdict("dmarc", "DMARC result in that field."),
    _verdict("arc", "ARC result in that field, else in ARC-Seal."),
    structs("dkim", "DKIM-Signature fields, in order.", *_DKIM, personal="signatures"),
    Column("mime_version", "MIME-Version.", personal="free", repeats=True),
    Column("content_type", "Content type of the message, without parameters.", repeats=True),
    Column("charset", "Declared character set of the message.", repeats=True),
    Column(
        "text", "Every plain text that a mail program shows, in order, a blank line apart.", personal="body"
    ),
    Column(
        "html",
        "Every HTML body, also of alternatives, in order, a blank line apart. Treat as untrusted.",
        personal="body",
    ),
    Column(
        "html_text",
        "What a reader sees of the HTML; null without HTML, and if `text` has the same words.",
        personal="body",
    ),
    Column("urls", "Distinct URLs in text and HTML.", repeated=True, personal="body"),
)
_HEADERS = structs("headers", "All header fields, in order.", *_HEADER, personal="free")

_EXTENSION = Column(
    "extension", "Extension of the file name, lower case, without the dot.", repeats=True, searched=True
)
_MIME_TYPE = Column("mime_type", "Content type detected from the content; null if none was detected.")
_ATTACHMENT = (
    Column("filename", "File name without any path, decoded (RFC 2047, 2231)."),
    Column("content_type", "Declared content type.", repeats=True),
    Column("disposition", "Content-Disposition: attachment, inline, or null.", repeats=True),
    Column("content_id", "Content-ID without angle brackets."),
    Column("size", "Size of the decoded content in bytes.", "int64", searched=True),
    Column("md5", "MD5 of the decoded content, hex.", looked_up=True),
    Column("sha1", "SHA-1 of the decoded content, hex.", looked_up=True),
    Column("sha256", "SHA-256 of the decoded content, hex.", looked_up=True),
)

EMAILS = table(
    "emails",
    "A message that the server sent: one row per RETR or TOP, unless it was refused.",
    "uid trans_depth",
    *of("transfer", TS, UID),
    *CONNECTION,
    *of(
        "transfer",
        USER,
        DEPTH,
        Column(
            "command",
            "RETR; TOP (header and first lines only); FILE: from a file, by `import`.",
            repeats=True,
        ),
        Column("msg_num", "Message number in the mailbox (RFC 1939).", "int64", searched=True),
        Column("uidl", "Unique id of the message, from UIDL."),
        Column("octets_declared", "Size declared by the server (response to RETR, or LIST).", "int64"),
    ),
    Column(
        "size",
        "Size of the captured message in bytes (CRLF line ends, without dot-stuffing and terminator).",
        "int64",
        searched=True,
    ),
    *of(
        "transfer",
        FIDELITY,
        Column(
            "complete",
            "True only if the end was captured and no byte is missing.",
            "bool",
            repeats=True,
            searched=True,
        ),
        Column(
            "missing_bytes",
            "Bytes of the message that the capture lost; null if unknown.",
            "int64",
            searched=True,
        ),
    ),
    DEFECTS,
    Column("sha256", "SHA-256 of the message, hex; null unless exact and complete.", looked_up=True),
    *of("mail", *_PARSED),
    _HEADERS,
    structs("attachments", "The attachments, without content.", *_ATTACHMENT, source="mail.attachments"),
    Column("raw", "The message itself.", "binary", source="transfer.raw", personal="raw"),
    *of("transfer", AUTHENTICATED_AS),
    Column(
        "mail_id",
        "Hash of what repeats when the same traffic is read again, by any sensor: message, server, user, "
        "uidl. The same mail fetched twice has it twice.",
        personal="name",
        looked_up=True,
    ),
    *of(
        "transfer",
        Column(
            "log",
            "Name of the log in which the mail was read to its end, as `file` in `inputs`; of the file, by "
            "`import`.",
            personal="file",
            repeats=True,
        ),
        Column(
            "stream_start",
            "Where the response begins in the server's TCP stream, from 0: its status line. Null if unknown, "
            "and unless exact.",
            "int64",
        ),
        Column("stream_end", "Where it ends: behind the terminator. Null if that was not seen.", "int64"),
    ),
    _INVITATION,
)

# What the tables of the things in a mail begin with.
_OF_MAIL = of("transfer", TS._replace(meaning="The `ts` of the mail."), UID, DEPTH)
_PART = Column(
    "part",
    "Message that it is in: empty for the mail itself, else the section as in `enclosed`.",
    searched=True,
)

ADDRESSES = table(
    "addresses",
    "A mailbox in an address field of a mail or of a message inside it.",
    "uid trans_depth part field position",
    *_OF_MAIL,
    _PART,
    *of_item(
        Column(
            "field",
            "from, sender, reply_to, to, cc, bcc, return_path or delivered_to.",
            repeats=True,
            searched=True,
        ),
        Column("position", "Ordinal in the field, from 1.", "int32"),
        _NAME,
        _ADDRESS,
        Column("local_part", "Part before the @ as written, without quotes.", personal="name"),
        _DOMAIN,
        _SITE,
    ),
)

LINKS = table(
    "links",
    "A link in the texts or HTML of a mail, of a message inside it, or in an attachment; each different one "
    "once.",
    "uid trans_depth part position",
    *_OF_MAIL,
    _PART,
    *of_item(
        Column("position", "Ordinal in the message, from 1.", "int32"),
        Column("url", "The URL as written.", personal="body", looked_up=True),
        Column(
            "target", "The original URL, if a mail gateway has rewritten it.", personal="body", looked_up=True
        ),
        Column("scheme", "Scheme of `target`, else of `url`.", personal="body", repeats=True),
        looked_up("host", "Host of `target`, else of `url`: lower case, IDN decoded.", "body"),
        looked_up("site", "Registered domain of `host`, by the public suffix list.", "body"),
        Column("text", "What the HTML shows for the link.", personal="body"),
        Column(
            "origin",
            "text; html; shown: a URL or host that is text in the HTML, also hidden or in its title, and to "
            "which nothing in the HTML leads; attachment.",
            repeats=True,
        ),
        Column(
            "text_site",
            "Registered domain that the text of the link shows.",
            personal="body",
            repeats=True,
            searched=True,
        ),
        Column(
            "attachment",
            "Section of the attachment that the link is in, as `part` in `attachments`; null: in none.",
            searched=True,
        ),
    ),
)

ATTACHMENTS = table(
    "attachments",
    "A part of a message that a mail program offers to save, or a text that is neither plain nor HTML.",
    "uid trans_depth part",
    *_OF_MAIL,
    *of_item(
        _PART._replace(meaning="Section of the part, numbered as in IMAP (RFC 3501, 6.4.5): 2 or 1.3."),
        _ATTACHMENT[0],
        Column("filename_raw", "File name as in the mail, decoded, with any path."),
        _EXTENSION,
        _ATTACHMENT[1],
        _MIME_TYPE,
        *_ATTACHMENT[2:],
        Column("content", "The decoded content; null unless asked for.", "binary", personal="raw"),
        Column(
            "reading",
            "Null, or by which other reading only some programs show this part: preamble, epilogue, "
            "boundary, transfer_encoding, content_type, header or filename.",
            repeats=True,
            searched=True,
        ),
        Column("other_names", "Further file names that other programs show.", repeated=True),
        Column(
            "inside",
            "listed: its contents are in `members`; null: nothing can be inside; or why not all of it was "
            "looked into: encrypted, too_large, broken or unsupported (a type that is not opened or known).",
            repeats=True,
            searched=True,
        ),
    ),
)

MEMBERS = table(
    "members",
    "A file in an attachment that is an archive or a document, at most two levels deep.",
    "uid trans_depth part path",
    *_OF_MAIL,
    *of_item(
        _PART._replace(meaning="Section of the attachment, as in `attachments`."),
        Column(
            "path",
            "Name in the attachment as written; behind the name of the archive in it, if any, and `//`.",
        ),
        Column("name", "File name without folders and hidden characters."),
        _EXTENSION,
        Column(
            "size",
            "Size of the content in bytes; as stated, where it was not unpacked.",
            "int64",
            searched=True,
        ),
        _MIME_TYPE,
        Column("sha256", "SHA-256 of the content, hex; null where it was not unpacked.", looked_up=True),
        Column("md5", "MD5 of the content, hex.", looked_up=True),
        Column("sha1", "SHA-1 of the content, hex.", looked_up=True),
        Column("encrypted", "Whether a password protects the content.", "bool", repeats=True),
        Column(
            "inside",
            "As in `attachments`: why the file, or what is in it, was not looked into.",
            repeats=True,
            searched=True,
        ),
    ),
)

ENCLOSED = table(
    "enclosed",
    "A message inside a mail (message/rfc822 and the like), at any depth.",
    "uid trans_depth part",
    *_OF_MAIL,
    *of(
        "mail",
        _PART._replace(meaning="Section of the part that contains it, as in `attachments`."),
        Column("size", "Size of the message in bytes.", "int64"),
        Column("sha256", "SHA-256 of the message, hex.", looked_up=True),
        DEFECTS,
        *_PARSED,
    ),
    _HEADERS,
    _INVITATION,
)

HITS = table(
    "hits",
    "An indicator found in the tables, by `hunt --write` or `follow --indicators`.",
    "uid trans_depth part indicator type field value",
    TS._replace(meaning="The `ts` of the mail, or of the connection."),
    UID,
    DEPTH._replace(meaning="Ordinal of the mail in its connection; null if the hit is in a connection."),
    _PART,
    Column("indicator", "The indicator as in its list.", repeats=True, looked_up=True),
    Column("type", "Type of the indicator, as in Zeek's Intel framework.", repeats=True),
    Column("field", "Table and column in which it was found.", repeats=True),
    Column("value", "The value that matched."),
    Column("source", "Source of the indicator (meta.source).", repeats=True),
    Column("description", "Description of the indicator (meta.desc).", repeats=True),
)
