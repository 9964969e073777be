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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from zeekpop3.store.filters import Filters
from zeekpop3.store.read import batches
from zeekpop3.views.files import make_folder, new_file, writing
from zeekpop3.views.format import json_line, plural
from zeekpop3.views.show import find_mail

#: First line of a message that was rebuilt from trimmed lines: its bytes are not those that the server sent.
MARK = b"X-Zeekpop3-Fidelity: trimmed\r\n"

_SAFE_UID = re.compile(r"[A-Za-z0-9]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
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
    """Counts of an export. `previews` are answers to TOP. Mails `without_raw` could not be written: their
    tables leave out raw bytes."""

    mails: int = 0
    previews: int = 0
    attachments: int = 0
    contents: int = 0
    without_raw: int = 0

    def count(self, mail: dict[str, Any]) -> None:
        """Count a mail that was written."""
        if mail["command"] == "TOP":
            self.previews += 1
        else:
            self.mails += 1

    def __bool__(self) -> bool:
        """Whether any mail was found."""
        return bool(self.mails or self.previews or self.without_raw)

    def __str__(self) -> str:
        text = plural(self.mails, "mail")
        if self.previews:
            text += f", {plural(self.previews, 'preview')} (TOP)"
        if self.attachments:
            text += f", {plural(self.attachments, 'attachment')} ({self.contents} different)"
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
    with contextlib.ExitStack() as open_files, writing(to):
        make_folder(to)
        manifest = open_files.enter_context(_create_text(to / "manifest.jsonl"))
        parts = _Attachments(to / "attachments", open_files, done) if attachments else None
        for mail in chain([first], mails):
            raw = mail.pop("raw")
            if raw is None:
                done.without_raw += 1
                continue
            name = file_name(mail["uid"], mail["trans_depth"])
            _write(to / name, _message(mail, raw))
            manifest.write(json_line({"file": name, **mail}) + "\n")
            done.count(mail)
            if parts is not None:
                parts.write(mail, raw)
    return done


def write_mbox(
    path: str | Path, file: str | Path, filters: Filters | None = None, *, keys: Sequence[str] = ()
) -> ExportSummary:
    """Write the same mails into one mbox file (mboxrd: LF line ends, `>` before `From ` lines; 0600).

    Raises QueryError, and OutputError if the file cannot be written.
    """
    done = ExportSummary()
    mails = _selected(path, filters, keys)
    first = next(mails, None)
    if first is None:
        return done
    with new_file(Path(file)) as out:
        for mail in chain([first], mails):
            if mail["raw"] is None:
                done.without_raw += 1
                continue
            _append_to_mbox(out, mail)
            done.count(mail)
    return done


def _append_to_mbox(out: BinaryIO, mail: dict[str, Any]) -> None:
    text = _message(mail, mail["raw"]).replace(b"\r\n", b"\n")
    out.write(f"From MAILER-DAEMON {mail['ts']:%a %b %d %H:%M:%S %Y}\n".encode())
    out.write(_FROM_LINE.sub(rb">\g<0>", text))
    out.write(b"\n" if text.endswith(b"\n") else b"\n\n")


def _selected(path: str | Path, filters: Filters | None, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    columns = [*_MAIL_COLUMNS, "raw"]
    if keys:
        for key in keys:
            yield find_mail(path, key, columns)
        return
    for batch in batches(path, "emails", columns, filters):
        yield from batch.to_pylist()


def _message(mail: dict[str, Any], raw: bytes) -> bytes:
    return raw if mail["fidelity"] == "exact" else MARK + raw


def file_name(uid: str, trans_depth: int) -> str:
    """`UID-DEPTH.eml`; a uid that Zeek would not make is replaced by its hash."""
    safe = (
        uid if _SAFE_UID.fullmatch(uid) else "x" + hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()
    )
    return f"{safe}-{int(trans_depth)}.eml"


class _Attachments:
    """Writes the attachments of mails: each content once, and a manifest of who got it."""

    def __init__(self, folder: Path, open_files: contextlib.ExitStack, done: ExportSummary) -> None:
        make_folder(folder)
        self._folder = folder
        self._manifest = open_files.enter_context(_create_text(folder / "manifest.jsonl"))
        self._written: set[str] = set()
        self._done = done

    def write(self, mail: dict[str, Any], raw: bytes) -> None:
        from zeekpop3.message import parse

        of_mail = {name: mail[name] for name in ("uid", "trans_depth", "ts", "user", "complete")}
        for part in parse(raw, complete=mail["complete"], content=True).attachments:
            if part.content is None or part.sha256 is None or not _SHA256.fullmatch(part.sha256):
                continue
            if part.sha256 not in self._written:
                _write(self._folder / part.sha256, part.content)
                self._written.add(part.sha256)
            of_part = {name: getattr(part, name) for name in _PART_COLUMNS}
            self._manifest.write(json_line({"file": part.sha256, **of_mail, **of_part}) + "\n")
            self._done.attachments += 1
        self._done.contents = len(self._written)


def _create_text(path: Path) -> TextIO:
    path.unlink(missing_ok=True)  # never write through an existing link
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8")


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
