"""The record of one mail: `parse` goes through the rooms of this package in order and never raises.

Typed columns take what mail programs show: of a field that stands twice the first one, of To, Cc and Bcc all.
What Zeek's smtp.log names is meant as Zeek means it.
"""

from __future__ import annotations

from typing import Final

from zeekpop3.message import addresses, attachments, bodies, fields, received, structure, urls
from zeekpop3.message.attachments import Attachment
from zeekpop3.message.dates import instant
from zeekpop3.message.defects import Defects
from zeekpop3.message.received import Received
from zeekpop3.message.words import decoded

MAX_REFERENCES = 10_000

_ONCE: Final = frozenset(
    [
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "sender",
        "reply-to",
        "message-id",
        "in-reply-to",
        "references",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "content-id",
    ]
)
_AGENTS: Final = frozenset(("x-mailer", "user-agent", "x-user-agent"))


class Mail:
    """What one mail says. Strings are decoded and hold no lone surrogates; None where a field is not there.

    `date`: microseconds since the epoch, UTC. `to`, `cc`, `bcc`, `delivered_to`, `references`: lists, None
    where the field is not there, empty where it names nobody. `received`, `path`, `urls`, `header_names` and
    `header_values` (parallel, all fields in order), `attachments`, `defects` (names from `DEFECTS`, each
    once): lists.
    """

    # fmt: off
    __slots__ = (
        "attachments", "bcc", "cc", "charset", "content_type", "date", "date_raw", "defects", "delivered_to",
        "first_received", "from_", "header_names", "header_values", "html", "in_reply_to", "mime_version",
        "msg_id",
        "path", "received", "references", "reply_to", "return_path", "second_received", "sender", "subject",
        "text",
        "to", "urls", "user_agent", "x_originating_ip",
    )
    # fmt: on

    date: int | None
    date_raw: str | None
    from_: str | None
    to: list[str] | None
    cc: list[str] | None
    bcc: list[str] | None
    reply_to: str | None
    sender: str | None
    return_path: str | None
    delivered_to: list[str] | None
    subject: str | None
    msg_id: str | None
    in_reply_to: str | None
    references: list[str] | None
    user_agent: str | None
    x_originating_ip: str | None
    first_received: str | None
    second_received: str | None
    received: list[Received]
    path: list[str]
    mime_version: str | None
    content_type: str | None
    charset: str | None
    text: str | None
    html: str | None
    urls: list[str]
    header_names: list[str]
    header_values: list[str]
    attachments: list[Attachment]
    defects: list[str]


def parse(raw: bytes, *, complete: bool = True, content: bool = False) -> Mail:
    """The record of the mail `raw`. Never raises; what is wrong with the mail is in `defects`.

    `complete`: False if the mail was not seen to its end (a TOP, a lost connection): an end that is missing
    is then reported as `truncated`. `content`: keep the decoded bytes of attachments.
    """
    mail = Mail()
    defects: Defects = {}
    if raw.find(b"\n") < 0:
        raw = raw.replace(b"\r", b"\n")  # the old Macintosh
    start = 3 if raw[:3] == b"\xef\xbb\xbf" else 0
    if raw[start : start + 5] == b"From ":
        start = raw.find(b"\n", start) + 1 or len(raw)  # an mbox's separator
    header = fields.split(raw, start, len(raw), defects)
    head = header.first
    _header_columns(mail, header, head, defects)
    root = structure.tree(raw, header.body, len(raw), head, defects, complete)
    mail.content_type = root.kind if "content-type" in head else None
    _body_columns(mail, root, defects, content)
    mail.defects = list(defects)
    return mail


def _header_columns(mail: Mail, header: fields.Header, head: dict[str, str], defects: Defects) -> None:
    lowered = header.lowered
    values = shown = header.values
    show = head
    if not lowered:
        defects["header_missing"] = None
    if header.words:
        shown = [decoded(value, defects) if "=?" in value else value for value in values]
        show = fields.first_of(lowered, shown)
    mail.header_names = header.names
    mail.header_values = shown
    hops = _all("received", lowered, shown) if "received" in head else []
    if len(lowered) - len(head) > max(len(hops) - 1, 0):
        _find_duplicates(lowered, defects)

    mail.date_raw = raw_date = show.get("date")
    mail.date = None if raw_date is None else instant(raw_date, defects)
    mail.from_ = show.get("from")
    mail.to = _people("to", lowered, values, defects) if "to" in head else None
    mail.cc = _people("cc", lowered, values, defects) if "cc" in head else None
    mail.bcc = _people("bcc", lowered, values, defects) if "bcc" in head else None
    mail.reply_to = show.get("reply-to")
    mail.sender = show.get("sender")
    mail.return_path = show.get("return-path")
    mail.delivered_to = _all("delivered-to", lowered, shown) if "delivered-to" in head else None
    mail.subject = show.get("subject")
    mail.msg_id = show.get("message-id")
    mail.in_reply_to = show.get("in-reply-to")
    mail.mime_version = show.get("mime-version")
    references = show.get("references")
    if references is None:
        mail.references = None
    else:
        mail.references = found = references.split()
        if len(found) > MAX_REFERENCES:
            defects["references_cut"] = None
            del found[MAX_REFERENCES:]
    agents = "x-mailer" in head or "user-agent" in head or "x-user-agent" in head
    mail.user_agent = _last_agent(lowered, shown) if agents else None
    mail.x_originating_ip = None
    if "x-originating-ip" in head:
        for value in _all("x-originating-ip", lowered, values):
            mail.x_originating_ip = received.first_address(value) or mail.x_originating_ip
    if hops:
        _received_columns(mail, hops, defects)
    else:
        mail.received = []
        mail.path = []
        mail.first_received = mail.second_received = None


def _received_columns(mail: Mail, values: list[str], defects: Defects) -> None:
    # As Zeek does it: the last field in the header is the first hop.
    mail.first_received = values[-1]
    mail.second_received = values[-2] if len(values) > 1 else None
    if len(values) > received.MAX_RECEIVED:
        defects["received_cut"] = None
        del values[received.MAX_RECEIVED :]
    mail.received, mail.path = received.route(values)


def _body_columns(mail: Mail, root: structure.Part, defects: Defects, content: bool) -> None:
    text, html = bodies.choose(root)
    mail.text = bodies.text_of(text, defects) if text is not None else None
    mail.html = bodies.text_of(html, defects) if html is not None else None
    label = root.params.get("charset")
    if label is None:
        body = text or html
        label = body.params.get("charset") if body is not None else None
    mail.charset = label.lower() if label else None
    mail.urls = urls.collect(mail.text, mail.html, defects)
    mail.attachments = attachments.collect(root, defects, content)


def _all(name: str, lowered: list[str], values: list[str]) -> list[str]:
    out: list[str] = []
    for i, low in enumerate(lowered):
        if low == name:
            out.append(values[i])
    return out


def _people(name: str, lowered: list[str], values: list[str], defects: Defects) -> list[str]:
    return addresses.mailboxes(_all(name, lowered, values), defects)


def _last_agent(lowered: list[str], values: list[str]) -> str | None:
    for i in range(len(lowered) - 1, -1, -1):
        if lowered[i] in _AGENTS:
            return values[i]
    return None


def _find_duplicates(lowered: list[str], defects: Defects) -> None:
    seen: set[str] = set()
    for name in lowered:
        if name in _ONCE:
            if name in seen:
                defects["duplicate_header"] = None
                return
            seen.add(name)
