"""Records to columns: a row is one tuple, the columns fall out of all rows at once, in C.

`add` costs some microseconds; nothing is converted before `table`. Rows keep the order in which they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from zeekpop3.tables.arrays import binary, flat, list_of, struct_of
from zeekpop3.tables.privacy import Privacy
from zeekpop3.tables.schema import schema

if TYPE_CHECKING:
    import pyarrow as pa

    from zeekpop3.message import Attachment, Mail
    from zeekpop3.session.events import Command, Session, Transfer

_NOWHERE = (None, None, None, None)
_ROW_BYTES = 400
_SOME = 1024

_TRANSFER_HEAD = attrgetter("ts", "uid")
_TRANSFER_TAIL = attrgetter("user", "trans_depth", "command", "msg_num", "uidl", "octets_declared")
# fmt: off
_MAIL_NAMES = (
    "date", "date_raw", "from_", "to", "cc", "bcc", "reply_to", "sender", "return_path", "delivered_to",
    "subject", "msg_id", "in_reply_to", "references", "user_agent", "x_originating_ip", "first_received",
    "second_received", "received", "path", "mime_version", "content_type", "charset", "text", "html", "urls",
)
_ATTACHMENT_SHORT = (
    "filename", "content_type", "disposition", "content_id", "size", "md5", "sha1", "sha256"
)
_ATTACHMENT = attrgetter(
    "part", "filename", "filename_raw", "content_type", "mime_type", "disposition", "content_id", "size",
    "md5", "sha1", "sha256",
)
_SESSION = attrgetter(
    "auth_mechanism", "auth_result", "logins_failed", "capabilities", "stat_messages", "stat_octets",
    "listed", "retrieved", "deleted", "tls", "quit", "closed", "commands", "errors", "unknown", "greeting",
    "fidelity", "missing_bytes", "defects",
)
_COMMAND = attrgetter(
    "ts", "uid", "seq", "command", "argument", "status", "message", "lines", "octets", "reply_ts"
)
# fmt: on
_MAIL = attrgetter(*_MAIL_NAMES)
_AT = {name: i for i, name in enumerate(_MAIL_NAMES)}


class _Columns:
    """Rows of one table on their way to Arrow. `nbytes` estimates what they hold in memory, in bytes."""

    name: ClassVar[str]

    def __init__(self, privacy: Privacy | None = None) -> None:
        self.privacy = None if privacy is None or privacy.changes_nothing else privacy
        self.nbytes = 0
        self._rows: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def reset(self) -> None:
        """Forget all rows."""
        self.nbytes = 0
        self._rows = []

    def table(self) -> pa.Table:
        """The rows as an Arrow table of `schema(name)`; they stay until `reset`."""
        import pyarrow as pa

        wanted = schema(self.name)
        columns: Iterable[Sequence[Any]] = zip(*self._rows, strict=True) if self._rows else [()] * len(wanted)
        arrays = [self._array(field, column) for field, column in zip(wanted, columns, strict=True)]
        return pa.Table.from_arrays(arrays, schema=wanted)

    def _array(self, field: pa.Field, column: Sequence[Any]) -> pa.Array:
        import pyarrow as pa

        if pa.types.is_list(field.type):
            kind = field.type.value_type
            return list_of(column, lambda values: flat(list(values), kind))
        return flat(column, field.type)


class EmailColumns(_Columns):
    """Rows of `emails`."""

    name = "emails"

    def add(self, transfer: Transfer, mail: Mail) -> None:
        """One transfer and what `message.parse` made of its raw."""
        raw: bytes | None = transfer.raw
        size = len(transfer.raw)
        exact = transfer.complete and transfer.fidelity == "exact"
        sha256 = hashlib.sha256(transfer.raw).hexdigest() if exact else None
        fields: Sequence[Any] = _MAIL(mail)
        headers: tuple[list[str], list[str]] | None = (mail.header_names, mail.header_values)
        who = _TRANSFER_TAIL(transfer)
        if self.privacy is not None:
            fields, headers, raw = _private_mail(self.privacy, fields, headers, raw)
            who = (self.privacy.name(who[0]), *who[1:])
        self._rows.append(
            (
                *_TRANSFER_HEAD(transfer),
                *(transfer.conn_id or _NOWHERE),
                *who,
                size,
                transfer.fidelity,
                transfer.complete,
                transfer.missing_bytes,
                _defects(transfer.defects, mail.defects),
                sha256,
                *fields,
                headers,
                mail.attachments,
                raw,
            )
        )
        # Header fields are held twice (`headers`, and their own columns), bodies once more besides raw.
        held = 3 * _ROW_BYTES + (0 if raw is None else size)
        text, html = fields[_AT["text"]], fields[_AT["html"]]
        held += (len(text) if text else 0) + (len(html) if html else 0)
        if headers is not None:
            held += 2 * sum(map(len, headers[1])) + 20 * len(headers[0])
        self.nbytes += held

    def _array(self, field: pa.Field, column: Sequence[Any]) -> pa.Array:
        if field.name == "headers":
            return _header_lists(column, field.type.value_type)
        if field.name == "received":
            kind = field.type.value_type
            return list_of(column, lambda hops: _tuples(hops, kind))
        if field.name == "raw":
            return binary(column)
        if field.name == "attachments":
            kind = field.type.value_type
            return list_of(column, lambda parts: _structs(parts, _ATTACHMENT_SHORT, kind))
        return super()._array(field, column)


class AttachmentColumns(_Columns):
    """Rows of `attachments`."""

    name = "attachments"

    def add(self, transfer: Transfer, attachment: Attachment) -> None:
        """One attachment of a transfer's mail."""
        content = attachment.content
        if self.privacy is not None:
            content = None
        self._rows.append(
            (transfer.ts, transfer.uid, transfer.trans_depth, *_ATTACHMENT(attachment), content)
        )
        self.nbytes += _ROW_BYTES + (0 if content is None else len(content))


class SessionColumns(_Columns):
    """Rows of `sessions`."""

    name = "sessions"

    def add(self, session: Session) -> None:
        """One connection."""
        user = session.user if self.privacy is None else self.privacy.name(session.user)
        conn_id = session.conn_id or _NOWHERE
        self._rows.append(
            (session.ts, session.uid, *conn_id, session.duration / 1_000_000, user, *_SESSION(session))
        )
        self.nbytes += 2 * _ROW_BYTES


class CommandColumns(_Columns):
    """Rows of `commands`."""

    name = "commands"

    def add(self, command: Command) -> None:
        """One request and its reply."""
        row = _COMMAND(command)
        if self.privacy is not None and self.privacy.hash_key is not None:
            ts, uid, seq, verb, argument, status, _, *rest = row
            row = (ts, uid, seq, verb, self.privacy.argument(verb, argument), status, None, *rest)
        self._rows.append(row)
        self.nbytes += _ROW_BYTES


def _defects(of_transfer: list[str], of_mail: list[str]) -> list[str]:
    """Defects of the transfer, then of the mail, each name once."""
    if not of_mail:
        return of_transfer
    return list(dict.fromkeys([*of_transfer, *of_mail]))


def _private_mail(
    privacy: Privacy, fields: Sequence[Any], headers: tuple[list[str], list[str]] | None, raw: bytes | None
) -> tuple[list[Any], tuple[list[str], list[str]] | None, bytes | None]:
    out = list(fields)
    if not privacy.keep_raw or not privacy.keep_body:
        raw = None
    if not privacy.keep_body:
        for name in ("text", "html", "urls"):
            out[_AT[name]] = None
    if privacy.hash_key is not None:
        for name in ("text", "html", "urls", "received", "first_received", "second_received"):
            out[_AT[name]] = None
        for name in ("from_", "sender", "reply_to", "return_path"):
            out[_AT[name]] = privacy.addresses(out[_AT[name]])
        for name in ("to", "cc", "bcc", "delivered_to"):
            people = out[_AT[name]]
            out[_AT[name]] = None if people is None else [privacy.addresses(person) for person in people]
        out[_AT["subject"]] = privacy.text(out[_AT["subject"]])
        headers, raw = None, None
    return out, headers, raw


def _structs(objects: Iterable[Any], names: Sequence[str], kind: pa.StructType) -> pa.Array:
    """A struct array of objects' attributes: a pass for each attribute costs less than a tuple per object."""
    rows = list(objects)
    return struct_of([list(map(attrgetter(name), rows)) for name in names], kind)


def _tuples(tuples: Iterable[tuple[Any, ...]], kind: pa.StructType) -> pa.Array:
    """A struct array of tuples that have the struct's members in order."""
    columns: list[list[Any]] = [[] for _ in range(kind.num_fields)]
    rows = iter(tuples)
    while some := list(islice(rows, _SOME)):  # quicker than a member at a time, and than all at once
        for column, values in zip(columns, zip(*some, strict=True), strict=True):
            column += values
    return struct_of(columns, kind)


def _header_lists(column: Sequence[tuple[list[str], list[str]] | None], kind: pa.StructType) -> pa.Array:
    """The `headers` column: names and values are parallel lists, so no object per field is ever made."""
    names = [None if entry is None else entry[0] for entry in column]
    values = [value for entry in column if entry is not None for value in entry[1]]
    return list_of(names, lambda flat_names: struct_of([list(flat_names), values], kind))
