"""Mails out of the tables as files: .eml, and attachments. No name of a file comes from a mail.

`UID-DEPTH.eml` holds the message as it stands in `raw`: the very bytes in the exact form. A rebuilt one
(plain form) says so in a header field of ours on top. `manifest.jsonl` says of each file what it is and how
whole.
Attachments are `attachments/SHA256`, each content once; `attachments/manifest.jsonl` has a line for each
attachment of each mail, so who got which content is found there. The files are 0600, their folders 0700.
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
from zeekpop3.store.read import Filters, batches
from zeekpop3.views.show import plain
from zeekpop3.views.visible import json_line

#: On top of a message that was rebuilt from trimmed lines: it is not what the server sent, byte for byte.
MARK = b"X-Zeekpop3-Fidelity: trimmed\r\n"

_PLAIN_UID = re.compile(r"[A-Za-z0-9]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FACTS = (
    "uid", "trans_depth", "ts", "user", "command", "size", "fidelity", "complete", "missing_bytes", "sha256"
)  # fmt: skip
_PART_FACTS = (
    "part", "filename", "filename_raw", "content_type", "mime_type", "disposition", "content_id", "size",
    "md5", "sha1", "sha256",
)  # fmt: skip


@dataclass(slots=True)
class Written:
    """What an export did: `without_raw` mails could not be written: the tables were made so."""

    mails: int = 0
    attachments: int = 0
    contents: int = 0
    without_raw: int = 0

    def __str__(self) -> str:
        parts = f", {self.attachments} attachments ({self.contents} different)" if self.attachments else ""
        skipped = f"; {self.without_raw} mails have no raw bytes in the tables" if self.without_raw else ""
        return f"{self.mails} mails{parts}{skipped}"


def export(
    path: str | Path, to: str | Path, filters: Filters | None = None, *, attachments: bool = False
) -> Written:
    """Write the mails that the filters mean as .eml files below `to`, and with `attachments` their parts,
    too.

    Files of the same name are replaced. Raises QueryError, and OutputError if `to` cannot be written.
    """
    to = Path(to)
    done = Written()
    columns = [*_FACTS, "raw"]
    with contextlib.ExitStack() as open_files, _one_line(to):
        mails = batches(path, "emails", columns, filters)
        first = next(mails, None)
        _folder(to)
        manifest = open_files.enter_context(_text(to / "manifest.jsonl"))
        parts = to / "attachments"
        part_manifest: TextIO | None = None
        if attachments:
            _folder(parts)
            part_manifest = open_files.enter_context(_text(parts / "manifest.jsonl"))
        seen: set[str] = set()
        for mail in _rows(first, mails):
            raw = mail.pop("raw")
            if raw is None:
                done.without_raw += 1
                continue
            name = file_name(mail["uid"], mail["trans_depth"])
            exact = mail["fidelity"] == "exact"
            _write(to / name, raw if exact else MARK + raw)
            manifest.write(json_line({"file": name, **plain(mail)}) + "\n")
            done.mails += 1
            if part_manifest is not None:
                _attachments(mail, raw, parts, part_manifest, seen, done)
    done.contents = len(seen)
    return done


def file_name(uid: str, trans_depth: int) -> str:
    """`UID-DEPTH.eml`; a uid that Zeek would not make is replaced by its hash: a log can say anything."""
    safe = (
        uid if _PLAIN_UID.fullmatch(uid) else "x" + hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()
    )
    return f"{safe}-{int(trans_depth)}.eml"


def _attachments(
    mail: dict[str, Any], raw: bytes, folder: Path, manifest: TextIO, seen: set[str], done: Written
) -> None:
    from zeekpop3.message import parse

    for part in parse(raw, complete=mail["complete"], content=True).attachments:
        if part.content is None or part.sha256 is None or not _SHA256.fullmatch(part.sha256):
            continue
        if part.sha256 not in seen:
            _write(folder / part.sha256, part.content)
            seen.add(part.sha256)
        of_mail = {name: mail[name] for name in ("uid", "trans_depth", "ts", "user", "complete")}
        of_part = {name: getattr(part, name) for name in _PART_FACTS}
        manifest.write(json_line({"file": part.sha256, **plain(of_mail), **plain(of_part)}) + "\n")
        done.attachments += 1


def _rows(first: Any, rest: Iterator[Any]) -> Iterator[dict[str, Any]]:
    while first is not None:
        yield from first.to_pylist()
        first = next(rest, None)


def _folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _text(path: Path) -> TextIO:
    path.unlink(missing_ok=True)  # Never through a link that lies there.
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8")


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)


@contextlib.contextmanager
def _one_line(to: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{error.filename or to}: cannot be written: {error.strerror or error}") from error
