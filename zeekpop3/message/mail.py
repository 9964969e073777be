"""Bytes of one mail → its record. `parse` goes through the modules of this package in order and never raises.

Columns with one value take the first of several fields, as mail programs do; To, Cc and Bcc take all of them.
Columns that Zeek's smtp.log has mean what they mean there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zeekpop3.message import addresses, attachments, bodies, header, parts, received, urls
from zeekpop3.message.attachments import Attachment
from zeekpop3.message.dates import instant
from zeekpop3.message.defects import Defects
from zeekpop3.message.encoded_words import decoded
from zeekpop3.message.header import Header
from zeekpop3.message.received import Received
from zeekpop3.session.field_names import SINGLE

MAX_REFERENCES = 10_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_AGENTS = frozenset(("x-mailer", "user-agent", "x-user-agent"))


@dataclass(slots=True)
class Mail:
    """The record of one mail. Strings are decoded and have no lone surrogates; None: there is no such field.

    `date`: microseconds since the epoch, UTC. `to`, `cc`, `bcc`, `delivered_to`, `references`: None without
    such a field, empty if the field has no address. `header_names` and `header_values` are parallel: all
    fields in order. `defects`: names from `session.defects`, each once.
    """

    date: int | None = None
    date_raw: str | None = None
    from_: str | None = None
    to: list[str] | None = None
    cc: list[str] | None = None
    bcc: list[str] | None = None
    reply_to: str | None = None
    sender: str | None = None
    return_path: str | None = None
    delivered_to: list[str] | None = None
    subject: str | None = None
    msg_id: str | None = None
    in_reply_to: str | None = None
    references: list[str] | None = None
    user_agent: str | None = None
    x_originating_ip: str | None = None
    first_received: str | None = None
    second_received: str | None = None
    received: list[Received] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    mime_version: str | None = None
    content_type: str | None = None
    charset: str | None = None
    text: str | None = None
    html: str | None = None
    urls: list[str] = field(default_factory=list)
    header_names: list[str] = field(default_factory=list)
    header_values: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def parse(raw: bytes, *, complete: bool = True, content: bool = False) -> Mail:
    """The record of the mail `raw`. Never raises; what is wrong with the mail is in `defects`.

    `complete`: False if the end of the mail was not captured (TOP, a lost connection); a missing end is then
    reported as `truncated`. `content`: keep the decoded content of attachments.
    """
    mail = Mail()
    defects: Defects = {}
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")  # line ends of the classic Mac OS
    start = len(_BYTE_ORDER_MARK) if raw.startswith(_BYTE_ORDER_MARK) else 0
    if raw.startswith(b"From ", start):
        start = raw.find(b"\n", start) + 1 or len(raw)  # the separator line of an mbox file
    fields = header.split(raw, start, len(raw), defects)
    _fill_header_columns(mail, fields, defects)
    root = parts.tree(raw, len(raw), fields, defects, complete)
    mail.content_type = root.kind if "content-type" in fields.first else None
    _fill_body_columns(mail, root, defects, content)
    mail.defects = list(defects)
    return mail


def _fill_header_columns(mail: Mail, fields: Header, defects: Defects) -> None:
    values, shown = fields.values, fields.first
    if not fields.names:
        defects["header_missing"] = None
    if fields.has_encoded_words:
        values = [decoded(value, defects) if "=?" in value else value for value in values]
        shown = header.first_values(fields.lowered, values)
    mail.header_names = fields.names
    mail.header_values = values
    hops = _all("received", fields, values)
    if len(fields.lowered) - len(shown) > max(len(hops) - 1, 0):
        _report_duplicates(fields.lowered, defects)

    mail.date_raw = date = shown.get("date")
    mail.date = None if date is None else instant(date, defects)
    mail.from_ = shown.get("from")
    mail.to = _mailboxes("to", fields, defects)
    mail.cc = _mailboxes("cc", fields, defects)
    mail.bcc = _mailboxes("bcc", fields, defects)
    mail.reply_to = shown.get("reply-to")
    mail.sender = shown.get("sender")
    mail.return_path = shown.get("return-path")
    mail.delivered_to = _all("delivered-to", fields, values) or None
    mail.subject = shown.get("subject")
    mail.msg_id = shown.get("message-id")
    mail.in_reply_to = shown.get("in-reply-to")
    mail.mime_version = shown.get("mime-version")
    mail.references = _references(shown.get("references"), defects)
    if not _AGENTS.isdisjoint(shown):
        mail.user_agent = next(
            value
            for name, value in zip(reversed(fields.lowered), reversed(values), strict=True)
            if name in _AGENTS
        )
    for value in _all("x-originating-ip", fields, fields.values):
        mail.x_originating_ip = received.first_address(value) or mail.x_originating_ip
    if hops:
        _fill_hops(mail, hops, defects)


def _fill_hops(mail: Mail, values: list[str], defects: Defects) -> None:
    # As in Zeek: the last field in the header is the first hop.
    mail.first_received = values[-1]
    mail.second_received = values[-2] if len(values) > 1 else None
    if len(values) > received.MAX_RECEIVED:
        defects["received_cut"] = None
        del values[received.MAX_RECEIVED :]
    mail.received, mail.path = received.route(values)


def _fill_body_columns(mail: Mail, root: parts.Part, defects: Defects, content: bool) -> None:
    text, html = bodies.choose(root)
    mail.text = bodies.text_of(text, defects) if text is not None else None
    mail.html = bodies.text_of(html, defects) if html is not None else None
    charset = root.params.get("charset")
    if charset is None and (body := text or html) is not None:
        charset = body.params.get("charset")
    mail.charset = charset.lower() if charset else None
    mail.urls = urls.collect(mail.text, mail.html, defects)
    mail.attachments = attachments.collect(root, defects, content)


def _all(name: str, fields: Header, values: list[str]) -> list[str]:
    """The values of all fields of one name."""
    count = fields.lowered.count(name)
    if count == 1:
        return [values[fields.lowered.index(name)]]
    if count == 0:
        return []
    return [value for other, value in zip(fields.lowered, values, strict=True) if other == name]


def _mailboxes(name: str, fields: Header, defects: Defects) -> list[str] | None:
    if name not in fields.first:
        return None
    return addresses.mailboxes(_all(name, fields, fields.values), defects)


def _references(value: str | None, defects: Defects) -> list[str] | None:
    if value is None:
        return None
    references = value.split()
    if len(references) > MAX_REFERENCES:
        defects["references_cut"] = None
        del references[MAX_REFERENCES:]
    return references


def _report_duplicates(lowered: list[str], defects: Defects) -> None:
    single = [name for name in lowered if name in SINGLE]
    if len(single) > len(set(single)):
        defects["duplicate_header"] = None
