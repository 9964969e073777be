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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from zeekpop3.errors import OutputError
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import batches
from zeekpop3.views.format import json_line, plural

#: First line of a message that was rebuilt from trimmed lines: its bytes are not those that the server sent.
MARK = b"X-Zeekpop3-Fidelity: trimmed\r\n"

_SAFE_UID = re.compile(r"[A-Za-z0-9]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAIL_COLUMNS = (
    "uid", "trans_depth", "ts", "user", "command", "size", "fidelity", "complete", "missing_bytes", "sha256"
)  # fmt: skip
_PART_COLUMNS = (
    "part", "filename", "filename_raw", "content_type", "mime_type", "disposition", "content_id", "size",
    "md5", "sha1", "sha256",
)  # fmt: skip


@dataclass(slots=True)
class ExportSummary:
    """Counts of an export. Mails `without_raw` could not be written: their tables leave out raw bytes."""

    mails: int = 0
    attachments: int = 0
    contents: int = 0
    without_raw: int = 0

    def __str__(self) -> str:
        text = plural(self.mails, "mail")
        if self.attachments:
            text += f", {plural(self.attachments, 'attachment')} ({self.contents} different)"
        if self.without_raw:
            text += f"; not written: {plural(self.without_raw, 'mail')} without raw bytes in the tables"
        return text


def export(
    path: str | Path, to: str | Path, filters: Filters | None = None, *, attachments: bool = False
) -> ExportSummary:
    """Write the mails that match the filters as .eml files below `to`, with `attachments` also their parts.

    Files of the same name are replaced. Raises QueryError, and OutputError if `to` cannot be written.
    """
    to = Path(to)
    done = ExportSummary()
    columns = [*_MAIL_COLUMNS, "raw"]
    with contextlib.ExitStack() as open_files, _writing(to):
        mails = batches(path, "emails", columns, filters)
        first = next(mails, None)
        _make_folder(to)
        manifest = open_files.enter_context(_create_text(to / "manifest.jsonl"))
        parts = to / "attachments"
        part_manifest: TextIO | None = None
        if attachments:
            _make_folder(parts)
            part_manifest = open_files.enter_context(_create_text(parts / "manifest.jsonl"))
        seen: set[str] = set()
        for mail in _rows(first, mails):
            raw = mail.pop("raw")
            if raw is None:
                done.without_raw += 1
                continue
            name = file_name(mail["uid"], mail["trans_depth"])
            exact = mail["fidelity"] == "exact"
            _write(to / name, raw if exact else MARK + raw)
            manifest.write(json_line({"file": name, **mail}) + "\n")
            done.mails += 1
            if part_manifest is not None:
                _attachments(mail, raw, parts, part_manifest, seen, done)
    done.contents = len(seen)
    return done


def file_name(uid: str, trans_depth: int) -> str:
    """`UID-DEPTH.eml`; a uid that Zeek would not make is replaced by its hash."""
    safe = (
        uid if _SAFE_UID.fullmatch(uid) else "x" + hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()
    )
    return f"{safe}-{int(trans_depth)}.eml"


def _attachments(
    mail: dict[str, Any], raw: bytes, folder: Path, manifest: TextIO, seen: set[str], done: ExportSummary
) -> None:
    from zeekpop3.message import parse

    for part in parse(raw, complete=mail["complete"], content=True).attachments:
        if part.content is None or part.sha256 is None or not _SHA256.fullmatch(part.sha256):
            continue
        if part.sha256 not in seen:
            _write(folder / part.sha256, part.content)
            seen.add(part.sha256)
        of_mail = {name: mail[name] for name in ("uid", "trans_depth", "ts", "user", "complete")}
        of_part = {name: getattr(part, name) for name in _PART_COLUMNS}
        manifest.write(json_line({"file": part.sha256, **of_mail, **of_part}) + "\n")
        done.attachments += 1


def _rows(first: Any, rest: Iterator[Any]) -> Iterator[dict[str, Any]]:
    while first is not None:
        yield from first.to_pylist()
        first = next(rest, None)


def _make_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _create_text(path: Path) -> TextIO:
    path.unlink(missing_ok=True)  # never write through an existing link
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8")


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)


@contextlib.contextmanager
def _writing(to: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{error.filename or to}: cannot write: {error.strerror or error}") from error
