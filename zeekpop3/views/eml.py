"""Mails as .eml files, and their attachments. No file name comes from a mail.

`UID-DEPTH.eml` holds the message as in `raw`: the exact bytes in the exact form. A rebuilt message (plain
form) starts with a header field of ours that says so. `manifest.jsonl` has a line per file: which mail it is
and how complete. Attachments are `attachments/SHA256`, each content once; `attachments/manifest.jsonl` has a
line per attachment of each mail: who got which content. Files are 0600, folders 0700.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from zeekpop3.store.files import make_folder, new_file, writing
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import rows
from zeekpop3.views.find import find_mail
from zeekpop3.views.text import json_line, plural

#: First line of a message that was rebuilt from trimmed lines: its bytes are not those that the server sent.
MARK = b"X-Zeekpop3-Fidelity: trimmed\r\n"

_SAFE_UID = re.compile(r"[A-Za-z0-9]{1,64}")
_FROM_LINE = re.compile(rb"^>*From ", re.MULTILINE)
_MAIL_COLUMNS = (
    "uid", "trans_depth", "ts", "user", "command", "size", "fidelity", "complete", "missing_bytes", "sha256"
)  # fmt: skip
_PART_COLUMNS = (
    "part", "filename", "filename_raw", "content_type", "mime_type", "disposition", "content_id", "size",
    "md5", "sha1", "sha256",
)  # fmt: skip


@dataclass(slots=True)
class ExportSummary:
    """Counts of an export. `previews` are answers to TOP, `contents` the SHA-256s of all attachments. Mails
    `without_raw` could not be written: their tables leave out raw bytes."""

    mails: int = 0
    previews: int = 0
    attachments: int = 0
    contents: set[str] = field(default_factory=set)
    without_raw: int = 0

    def __bool__(self) -> bool:
        """Whether any mail was found."""
        return bool(self.mails or self.previews or self.without_raw)

    def __str__(self) -> str:
        text = plural(self.mails, "mail")
        if self.previews:
            text += f", {plural(self.previews, 'preview')} (TOP)"
        if self.attachments:
            text += f", {plural(self.attachments, 'attachment')} ({len(self.contents)} different)"
        if self.without_raw:
            text += f"; not written: {plural(self.without_raw, 'mail')} without raw bytes in the tables"
        return text


def export(
    path: str | Path,
    to: str | Path,
    filters: Filters | None = None,
    *,
    keys: Sequence[str] = (),
    attachments: bool = False,
) -> ExportSummary:
    """Write mails as .eml files below `to`, with `attachments` also their parts.

    The mails are those with `keys` (UID/DEPTH), or those that match the filters. Files of the same name are
    replaced; without a mail nothing is written. Raises QueryError, and OutputError if `to` cannot be written.
    """
    to = Path(to)
    done = ExportSummary()
    mails = _selected(path, filters, keys)
    first = next(mails, None)
    if first is None:
        return done
    with writing(to), contextlib.ExitStack() as open_files:
        manifest = open_files.enter_context(_manifest(to))
        parts = open_files.enter_context(_manifest(to / "attachments")) if attachments else None
        for mail in with_raw(chain([first], mails), done):
            name = file_name(mail["uid"], mail["trans_depth"])
            raw = mail.pop("raw")
            with _created(to / name) as file:
                file.write(message(mail, raw))
            manifest.write(json_line({"file": name, **mail}).encode() + b"\n")
            if parts is not None:
                _write_parts(mail, raw, to / "attachments", parts, done)
    return done


def write_mbox(
    path: str | Path,
    file: str | Path,
    filters: Filters | None = None,
    *,
    keys: Sequence[str] = (),
    overwrite: bool = False,
) -> ExportSummary:
    """Write the same mails into one mbox file (mboxrd: LF line ends, `>` before `From ` lines; 0600).

    An existing file is replaced only with `overwrite`. Raises QueryError, and OutputError if the file exists
    or cannot be written.
    """
    done = ExportSummary()
    mails = _selected(path, filters, keys)
    first = next(mails, None)
    if first is None:
        return done
    with new_file(Path(file), exclusive=not overwrite) as out:
        for mail in with_raw(chain([first], mails), done):
            text = message(mail, mail["raw"]).replace(b"\r\n", b"\n")
            out.write(f"From MAILER-DAEMON {mail['ts']:%a %b %d %H:%M:%S %Y}\n".encode())
            out.write(_FROM_LINE.sub(rb">\g<0>", text))
            out.write(b"\n" if text.endswith(b"\n") else b"\n\n")
    return done


def _selected(path: str | Path, filters: Filters | None, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    columns = [*_MAIL_COLUMNS, "raw"]
    if keys:
        for key in keys:
            yield find_mail(path, key, columns)
        return
    yield from rows(path, "emails", columns, filters)


def with_raw(mails: Iterable[dict[str, Any]], done: ExportSummary) -> Iterator[dict[str, Any]]:
    """The mails that can be written; all are counted."""
    for mail in mails:
        if mail["raw"] is None:
            done.without_raw += 1
            continue
        if mail["command"] == "TOP":
            done.previews += 1
        else:
            done.mails += 1
        yield mail


def message(mail: dict[str, Any], raw: bytes) -> bytes:
    """The message as it is written: marked, if it was rebuilt."""
    return raw if mail["fidelity"] == "exact" else MARK + raw


def file_name(uid: str, trans_depth: int) -> str:
    """`UID-DEPTH.eml`; a uid that Zeek would not make is replaced by its hash."""
    if not _SAFE_UID.fullmatch(uid):
        uid = "x" + hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()
    return f"{uid}-{int(trans_depth)}.eml"


def _write_parts(
    mail: dict[str, Any], raw: bytes, folder: Path, manifest: BinaryIO, done: ExportSummary
) -> None:
    """Write the attachments of a mail, each content once, and who got it into the manifest."""
    from zeekpop3.inside import parse

    of_mail = {name: mail[name] for name in ("uid", "trans_depth", "ts", "user", "complete")}
    for part in parse(raw, complete=mail["complete"], content=True).attachments:
        if part.content is None:
            continue
        if part.sha256 not in done.contents:
            with _created(folder / part.sha256) as file:
                file.write(part.content)
            done.contents.add(part.sha256)
        of_part = {name: getattr(part, name) for name in _PART_COLUMNS}
        manifest.write(json_line({"file": part.sha256, **of_mail, **of_part}).encode() + b"\n")
        done.attachments += 1


def _manifest(folder: Path) -> BinaryIO:
    """The open manifest of a folder, which is made if it does not exist."""
    make_folder(folder)
    return _created(folder / "manifest.jsonl")


def _created(path: Path) -> BinaryIO:
    """A new file (0600) that replaces an old one; never written through an existing link."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
