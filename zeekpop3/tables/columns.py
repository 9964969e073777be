"""Records to columns: a row is one tuple, the columns fall out of all rows at once, in C.

`add` costs a microsecond where it is compiled; nothing is converted before `table`. Rows keep the order in
which they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from zeekpop3.tables.arrays import binary, flat, list_of, lists, struct_of
from zeekpop3.tables.privacy import Privacy
from zeekpop3.tables.schema import EMAILS, schema

if TYPE_CHECKING:
    import pyarrow as pa

    from zeekpop3.message import Attachment, Mail, Received
    from zeekpop3.session.events import Command, Session, Transfer

_NOWHERE: Final = (None, None, None, None)
_ROW_BYTES: Final = 400
_SOME: Final = 1024

# fmt: off
_ATTACHMENT_SHORT: Final = (
    "filename", "content_type", "disposition", "content_id", "size", "md5", "sha1", "sha256"
)
_ATTACHMENT: Final = attrgetter(
    "part", "filename", "filename_raw", "content_type", "mime_type", "disposition", "content_id", "size",
    "md5", "sha1", "sha256",
)
_SESSION: Final = attrgetter(
    "auth_mechanism", "auth_result", "logins_failed", "capabilities", "stat_messages", "stat_octets",
    "listed", "retrieved", "deleted", "tls", "quit", "closed", "commands", "errors", "unknown", "greeting",
    "fidelity", "missing_bytes", "defects",
)
# fmt: on
_AT: Final = {column.name: i for i, column in enumerate(EMAILS.columns)}


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
    """Rows of `emails`. Header fields and hops, of which a mail has many, are taken from their lists while
    the processor still has these at hand; the rows hold how many they are.
    """

    name = "emails"

    def __init__(self, privacy: Privacy | None = None) -> None:
        super().__init__(privacy)
        self._forget_lists()

    def _forget_lists(self) -> None:
        self._header_names: list[str] = []
        self._header_values: list[str] = []
        self._hops: list[Received] = []

    def reset(self) -> None:
        """Forget all rows."""
        super().reset()
        self._forget_lists()

    def add(self, transfer: Transfer, mail: Mail) -> None:
        """One transfer and what `message.parse` made of its raw."""
        raw = transfer.raw
        exact = transfer.complete and transfer.fidelity == "exact"
        orig_h, orig_p, resp_h, resp_p = transfer.conn_id or _NOWHERE
        row: tuple[Any, ...] = (
            transfer.ts,
            transfer.uid,
            orig_h,
            orig_p,
            resp_h,
            resp_p,
            transfer.user,
            transfer.trans_depth,
            transfer.command,
            transfer.msg_num,
            transfer.uidl,
            transfer.octets_declared,
            len(raw),
            transfer.fidelity,
            transfer.complete,
            transfer.missing_bytes,
            _defects(transfer.defects, mail.defects),
            hashlib.sha256(raw).hexdigest() if exact else None,
            mail.date,
            mail.date_raw,
            mail.from_,
            mail.to,
            mail.cc,
            mail.bcc,
            mail.reply_to,
            mail.sender,
            mail.return_path,
            mail.delivered_to,
            mail.subject,
            mail.msg_id,
            mail.in_reply_to,
            mail.references,
            mail.user_agent,
            mail.x_originating_ip,
            mail.first_received,
            mail.second_received,
            len(mail.received),
            mail.path,
            mail.mime_version,
            mail.content_type,
            mail.charset,
            mail.text,
            mail.html,
            mail.urls,
            len(mail.header_names),
            mail.attachments,
            raw,
        )
        if self.privacy is not None:
            row = _private_mail(self.privacy, row)
        self._rows.append(row)
        held = 3 * _ROW_BYTES
        if row[_AT["received"]] is not None:
            self._hops += mail.received
        if row[_AT["headers"]] is not None:
            self._header_names += mail.header_names
            self._header_values += mail.header_values
            # They are held twice, here and in columns of their own, as bodies are besides raw.
            held += 2 * sum(map(len, mail.header_values)) + 20 * len(mail.header_names)
        for body in (row[_AT["text"]], row[_AT["html"]], row[_AT["raw"]]):
            if body is not None:
                held += len(body)
        self.nbytes += held

    def _array(self, field: pa.Field, column: Sequence[Any]) -> pa.Array:
        if field.name == "headers":
            values = struct_of([self._header_names, self._header_values], field.type.value_type)
            return lists(column, values)
        if field.name == "received":
            return lists(column, _tuples(self._hops, field.type.value_type))
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
        argument, message = command.argument, command.message
        if self.privacy is not None and self.privacy.hash_key is not None:
            argument, message = self.privacy.argument(command.command, argument), None
        self._rows.append(
            (
                command.ts,
                command.uid,
                command.seq,
                command.command,
                argument,
                command.status,
                message,
                command.lines,
                command.octets,
                command.reply_ts,
            )
        )
        self.nbytes += _ROW_BYTES


def _defects(of_transfer: list[str], of_mail: list[str]) -> list[str]:
    """Defects of the transfer, then of the mail, each name once."""
    if not of_mail:
        return of_transfer
    return list(dict.fromkeys([*of_transfer, *of_mail]))


def _private_mail(privacy: Privacy, row: tuple[Any, ...]) -> tuple[Any, ...]:
    out = list(row)
    out[_AT["user"]] = privacy.name(out[_AT["user"]])
    if not privacy.keep_raw or not privacy.keep_body:
        out[_AT["raw"]] = None
    if not privacy.keep_body:
        for name in ("text", "html", "urls"):
            out[_AT[name]] = None
    if privacy.hash_key is not None:
        for name in ("text", "html", "urls", "headers", "raw"):
            out[_AT[name]] = None
        for name in ("received", "first_received", "second_received"):
            out[_AT[name]] = None
        for name in ("from", "sender", "reply_to", "return_path"):
            out[_AT[name]] = privacy.addresses(out[_AT[name]])
        for name in ("to", "cc", "bcc", "delivered_to"):
            people = out[_AT[name]]
            out[_AT[name]] = None if people is None else [privacy.addresses(person) for person in people]
        out[_AT["subject"]] = privacy.text(out[_AT["subject"]])
    return tuple(out)


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
            column.extend(values)
    return struct_of(columns, kind)
