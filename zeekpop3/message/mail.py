"""Bytes of one mail → its record. `parse` goes through the modules of this package in order and never raises.

Columns with one value take the first of several fields, as mail programs do; To, Cc and Bcc take all of them.
Columns that Zeek's smtp.log has mean what they mean there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from zeekpop3.defects import Defect, Defects
from zeekpop3.errors import UsageError
from zeekpop3.message import bodies, calendar, dkim, header, links, mailboxes, parts, received, verdicts
from zeekpop3.message.budget import Budget, OverBudget, charge
from zeekpop3.message.calendar import Event
from zeekpop3.message.dates import instant
from zeekpop3.message.dkim import Signature
from zeekpop3.message.files import Attachment, Collector, Files, Member
from zeekpop3.message.header import Header
from zeekpop3.message.header_text import decoded
from zeekpop3.message.links import Link
from zeekpop3.message.mailboxes import NO_MAILBOX, Address
from zeekpop3.message.readings import Readings
from zeekpop3.message.received import Received

MAX_REFERENCES = 10_000
MAX_ENCLOSED = 1_000
MAX_FOUND = 20_000  # addresses and links of a mail and of the messages in it
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_AGENTS = frozenset(("x-mailer", "user-agent", "x-user-agent"))


@dataclass(slots=True)
class Mail:
    """The record of one mail. Strings are decoded and have no lone surrogates; None: the mail has no such
    field.

    `date`: microseconds since the epoch, UTC. `to`, `cc`, `bcc`, `delivered_to`, `references`: None without
    such a field, empty if the field has no address. `header_names` and `header_values` are parallel: all
    fields in order. `defects`: names from `zeekpop3.defects`, each once.

    `…_mailbox`: the first mailbox of a field, `NO_MAILBOX` if there is none. `html_text`: what a reader sees
    of the HTML, unless `text` has the same words. `thread_id`: the Message-ID with which the conversation
    began. `part`, `size`, `sha256`: only of a message in `enclosed`; such a message has no `attachments`,
    `members` and `enclosed` itself.
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
    members: list[Member] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    from_mailbox: Address = NO_MAILBOX
    reply_to_mailbox: Address = NO_MAILBOX
    sender_mailbox: Address = NO_MAILBOX
    return_path_mailbox: Address = NO_MAILBOX
    thread_id: str | None = None
    html_text: str | None = None
    links: list[Link] = field(default_factory=list)
    invitation: list[Event] = field(default_factory=list)
    auth_server: str | None = None
    auth_spf: str | None = None
    auth_dkim: str | None = None
    auth_dmarc: str | None = None
    auth_arc: str | None = None
    dkim: list[Signature] = field(default_factory=list)
    part: str = ""
    size: int | None = None
    sha256: str | None = None
    enclosed: list[Mail] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)


def parse(
    raw: bytes | bytearray | memoryview,
    collector: Collector | None,
    *,
    complete: bool = True,
    exact: bool = True,
    preview: bool = False,
    content: bool = False,
) -> Mail:
    """The record of the mail `raw`. `collector` reads its files; without it the record has none. For the rest
    see `zeekpop3.inside.parse`.
    """
    if isinstance(raw, str):
        raise UsageError("a mail is bytes, and not text: open its file with mode 'rb'")
    raw = bytes(raw)  # no copy of bytes
    mail = Mail()
    defects: Defects = {}
    try:
        with Budget(len(raw)):
            whole = not preview if complete and exact else None
            root, shown = _read(mail, raw, defects, complete, whole)
            if collector is not None:
                files = collector(len(raw), defects, keep_content=content, first=len(mail.links) + 1)
                _add_files(mail, files, root, defects, whole, shown)
            else:
                _add_enclosed(mail, root, defects, whole, shown)
    except OverBudget:
        defects[Defect.PARSE_LIMITED] = None  # with what was read before
    mail.defects = list(defects)
    return mail


def _read(
    mail: Mail, raw: bytes, defects: Defects, complete: bool, whole: bool | None
) -> tuple[parts.Part, dict[int, str]]:
    """Fill the record of the mail `raw`, without files; `whole`: see `_fill`. Its outermost part, and its
    texts by the `id` of their part. Raises OverBudget.
    """
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")  # line ends of the classic Mac OS
    start = len(_BYTE_ORDER_MARK) if raw.startswith(_BYTE_ORDER_MARK) else 0
    if raw.startswith(b"From ", start):
        start = raw.find(b"\n", start) + 1 or len(raw)  # the separator line of an mbox file
    fields = header.split(raw, start, len(raw), defects)
    root = parts.tree(raw, len(raw), fields, defects, complete)
    shown: dict[int, str] = {}
    _fill(mail, fields, root, defects, whole, shown)
    return root, shown


def _add_files(
    mail: Mail, files: Files, root: parts.Part, defects: Defects, whole: bool | None, shown: dict[int, str]
) -> None:
    """Add the files of a mail, and the records of the messages inside. Raises OverBudget."""
    try:
        files.collect(root)
        mail.attachments = files.attachments
        _add_enclosed(mail, root, defects, whole, shown)
        Readings(len(root.src), files, defects).tree(root, shown)
        files.finish()
    finally:
        mail.attachments, mail.members = files.attachments, files.members
        mail.links += files.links


def _fill(
    mail: Mail, fields: Header, root: parts.Part, defects: Defects, whole: bool | None, shown: dict[int, str]
) -> None:
    """Fill the record of a mail, or of a message inside, without attachments. `whole`: see `dkim.Bodies`;
    None: signatures are not checked. Texts that are shown are added to `shown`, by the `id` of their part.
    """
    _fill_header_columns(mail, fields, defects)
    mail.content_type = root.kind if "content-type" in fields.first else None
    if not fields.first.keys().isdisjoint(verdicts.FIELDS):
        said = verdicts.collect(fields.lowered, fields.values)
        mail.auth_server, mail.auth_spf, mail.auth_dkim, mail.auth_dmarc, mail.auth_arc = said
    if "dkim-signature" in fields.first:
        body = None if whole is None else dkim.Bodies(root.src[root.start : root.end], whole=whole)
        mail.dkim = dkim.collect(_all("dkim-signature", fields, fields.values), body, defects)
    _fill_body_columns(mail, root, defects, shown)


def _add_enclosed(
    mail: Mail, root: parts.Part, defects: Defects, whole: bool | None, shown: dict[int, str]
) -> None:
    """Add the records of the messages inside, at any depth; size and hash are those of their attachments."""
    if not root.children:
        return
    files = {attachment.part: attachment for attachment in mail.attachments}
    found = len(mail.addresses) + len(mail.links)
    stack = [root]
    while stack:
        part = stack.pop()
        if not part.children:
            continue
        stack.extend(reversed(part.children))
        inner = part.children[0]
        if inner.header is None:
            continue
        if len(mail.enclosed) >= MAX_ENCLOSED or found > MAX_FOUND:
            defects[Defect.ENCLOSED_CUT] = None
            break
        own: Defects = {}
        message = Mail(part=part.section)
        _fill(message, inner.header, inner, own, whole, shown)
        message.defects = list(own)
        if (file := files.get(part.section)) is not None:
            message.size, message.sha256 = file.size, file.sha256
        found += len(message.addresses) + len(message.links)
        mail.enclosed.append(message)


def _fill_header_columns(mail: Mail, fields: Header, defects: Defects) -> None:
    values, shown = fields.values, fields.first
    if not fields.names:
        defects[Defect.HEADER_MISSING] = None
    if fields.has_encoded_words:
        values = [decoded(value, defects) if "=?" in value else value for value in values]
        shown = header.first_values(fields.lowered, values)
    mail.header_names = fields.names
    mail.header_values = values
    hops = _all("received", fields, values)
    if len(fields.lowered) - len(shown) > max(len(hops) - 1, 0):
        single = [name for name in fields.lowered if name in header.SINGLE]
        if len(single) > len(set(single)):
            defects[Defect.DUPLICATE_HEADER] = None

    mail.date_raw = date = shown.get("date")
    mail.date = None if date is None else instant(date, defects)
    mail.from_ = shown.get("from")
    mail.addresses, people = mailboxes.collect(fields.lowered, fields.values, defects)
    mail.to, mail.cc, mail.bcc = people.get("to"), people.get("cc"), people.get("bcc")
    first = mailboxes.first(mail.addresses)
    mail.from_mailbox = first.get("from", NO_MAILBOX)
    mail.reply_to_mailbox = first.get("reply_to", NO_MAILBOX)
    mail.sender_mailbox = first.get("sender", NO_MAILBOX)
    mail.return_path_mailbox = first.get("return_path", NO_MAILBOX)
    mail.reply_to = shown.get("reply-to")
    mail.sender = shown.get("sender")
    mail.return_path = shown.get("return-path")
    mail.delivered_to = _all("delivered-to", fields, values) or None
    mail.subject = shown.get("subject")
    mail.msg_id = shown.get("message-id")
    mail.in_reply_to = shown.get("in-reply-to")
    mail.mime_version = shown.get("mime-version")
    if "references" in shown:
        mail.references = shown["references"].split()
        if len(mail.references) > MAX_REFERENCES:
            defects[Defect.REFERENCES_CUT] = None
            del mail.references[MAX_REFERENCES:]
    mail.thread_id = _thread_id(mail)
    if not shown.keys().isdisjoint(_AGENTS):
        agents = [value for name, value in zip(fields.lowered, values, strict=True) if name in _AGENTS]
        mail.user_agent = agents[-1]
    for value in _all("x-originating-ip", fields, fields.values):
        mail.x_originating_ip = received.first_address(value) or mail.x_originating_ip
    if hops:
        # As in Zeek: the last field in the header is the first hop.
        mail.first_received = hops[-1]
        mail.second_received = hops[-2] if len(hops) > 1 else None
        if len(hops) > received.MAX_RECEIVED:
            defects[Defect.RECEIVED_CUT] = None
            del hops[received.MAX_RECEIVED :]
        mail.received, mail.path = received.route(hops)


def _fill_body_columns(mail: Mail, root: parts.Part, defects: Defects, shown: dict[int, str]) -> None:
    texts, htmls = bodies.choose(root, in_messages=not mail.part)
    charset = root.params.get("charset")
    if charset is None and (bodies_shown := texts or htmls):
        charset = bodies_shown[0].params.get("charset")
    mail.charset = charset.lower() if charset else None
    plain_texts: list[str] = []
    plain_htmls: list[str] = []
    for part in texts:
        shown[id(part)] = bodies.text_of(part, defects, plain_texts)
    for part in htmls:
        shown[id(part)] = bodies.text_of(part, defects, plain_htmls)
    texts, htmls = bodies.with_words(texts, shown), bodies.with_words(htmls, shown)
    text_bodies = [shown[id(part)] for part in texts]
    html_bodies = [shown[id(part)] for part in htmls]
    mail.text, mail.html = bodies.joined(text_bodies), bodies.joined(html_bodies)
    charge(len(mail.text or "") + len(mail.html or ""))
    bases = [*(part.base for part in htmls), *(None for _ in plain_htmls)]
    mail.links, visible = links.collect(text_bodies + plain_texts, html_bodies + plain_htmls, defects, bases)
    if html_bodies:
        seen = bodies.joined(visible[: len(html_bodies)])
        if seen is not None and not (mail.text and bodies.same_words(seen, mail.text)):
            mail.html_text = seen
    mail.urls = list(dict.fromkeys([link.url for link in mail.links]))
    mail.invitation = calendar.collect(root, defects)


def _all(name: str, fields: Header, values: list[str]) -> list[str]:
    """The values of all fields of one name."""
    if name not in fields.first:
        return []
    return [value for other, value in zip(fields.lowered, values, strict=True) if other == name]


def _thread_id(mail: Mail) -> str | None:
    """The Message-ID that began the conversation, as far as this mail shows."""
    for value in (*(mail.references or ())[:1], mail.in_reply_to, mail.msg_id):
        if value and not value.isspace():
            match = _MESSAGE_ID.search(value)
            return match[0] if match is not None else value.split()[0]
    return None
