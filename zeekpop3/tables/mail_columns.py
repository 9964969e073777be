"""The columns that the mail parser fills, for a mail and for a message inside a mail."""

from __future__ import annotations

from zeekpop3.tables.column import Column, looked_up, of

_RECEIVED = (
    Column("raw", "string", "The field as written, unfolded."),
    Column("from", "string", "Host after `from`, with the text in parentheses.", "from_"),
    Column("by", "string", "Host after `by`."),
    Column("with", "string", "Protocol after `with`.", "with_"),
    Column("id", "string", "Identifier after `id`."),
    Column("for", "string", "Recipient after `for`.", "for_"),
    Column("date", "time", "Time after the semicolon; null if it cannot be parsed."),
)
_DKIM = (
    Column("domain", "string", "Domain that signed (`d=`)."),
    Column("selector", "string", "Selector of the key (`s=`)."),
    Column("algorithm", "string", "Algorithm (`a=`), such as rsa-sha256."),
    Column(
        "body",
        "string",
        "pass or fail: whether the body has the signed hash; null if it was not checked. Needs no key.",
    ),
)
_HEADER = (
    Column("name", "string", "Field name as written.", 0),
    Column("value", "string", "Field value, unfolded and decoded (RFC 2047, raw 8-bit).", 1),
)

#: A mailbox taken apart.
NAME = Column("name", "string", "Display name, decoded.", personal="free")
ADDRESS = Column("address", "string", "Address, lower case.", personal="name", searched=True, looked_up=True)
DOMAIN = looked_up("domain", "Host part of the address, lower case, IDN decoded.", "name")
SITE = looked_up("site", "Registered domain of the address, by the public suffix list.", "name")


def _first(field: str, label: str, *columns: Column) -> tuple[Column, ...]:
    """Columns of the first mailbox of a field."""
    return of(
        f"{field}_mailbox",
        *(
            each._replace(
                name=f"{field}_{each.name}",
                source=each.name,
                meaning=f"First mailbox of {label}: {each.name}.",
            )
            for each in columns
        ),
    )


def _verdict(method: str, meaning: str) -> Column:
    return Column(f"auth_{method}", "string", meaning, personal="verdict", repeats=True)


PARSED = (
    Column("date", "time", "Date field; null if it cannot be parsed.", searched=True),
    Column("date_raw", "string", "Date field as written.", personal="free"),
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
    *_first("from", "From", NAME, ADDRESS, DOMAIN, SITE),
    *_first("reply_to", "Reply-To", NAME, ADDRESS, DOMAIN, SITE),
    *_first("sender", "Sender", NAME, ADDRESS, DOMAIN, SITE),
    *_first("return_path", "Return-Path", ADDRESS, SITE),
    Column("subject", "string", "Subject field, decoded.", personal="text"),
    Column(
        "msg_id", "string", "Message-ID as written, as in Zeek's smtp.log.", searched=True, looked_up=True
    ),
    Column("in_reply_to", "string", "In-Reply-To as written."),
    Column("references", "string", "References, one entry per message id.", repeated=True),
    Column(
        "thread_id",
        "string",
        "Message-ID with which the conversation began: first of References, else In-Reply-To, else its own.",
        searched=True,
        looked_up=True,
    ),
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
    Column(
        "auth_server",
        "string",
        "Server that made the topmost Authentication-Results field; null if it names none.",
        personal="text",
        repeats=True,
    ),
    _verdict("spf", "SPF result in that field, else in Received-SPF: pass, fail, softfail, none, …."),
    _verdict("dkim", "DKIM result in that field."),
    _verdict("dmarc", "DMARC result in that field."),
    _verdict("arc", "ARC result in that field, else in ARC-Seal."),
    Column(
        "dkim",
        "struct",
        "DKIM-Signature fields, in order.",
        repeated=True,
        fields=_DKIM,
        personal="signatures",
    ),
    Column("mime_version", "string", "MIME-Version.", personal="free", repeats=True),
    Column("content_type", "string", "Content type of the message, without parameters.", repeats=True),
    Column("charset", "string", "Declared character set of the message.", repeats=True),
    Column("text", "string", "Decoded plain text body.", personal="body"),
    Column("html", "string", "Decoded HTML body. Treat as untrusted.", personal="body"),
    Column(
        "html_text",
        "string",
        "What a reader sees of the HTML body; null if there is a plain text.",
        personal="body",
    ),
    Column("urls", "string", "Distinct URLs in text and HTML.", repeated=True, personal="body"),
)
HEADERS = Column(
    "headers", "struct", "All header fields, in order.", repeated=True, fields=_HEADER, personal="free"
)
