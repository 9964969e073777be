"""Mails in files (.eml, mbox, Maildir) → the same tables as those from the wire.

Goal: an analyst can add a mail that came another way, or compare a server's spool with what was seen. Plan:
each file is read in blocks and cut into mails, each with the line ends that a server sends (RFC 1939, section
3: CRLF), which become `Transfer`s without a connection. `max_message` bounds memory.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from zeekpop3.defects import Defect
from zeekpop3.errors import LogError, OutputError, reason
from zeekpop3.log.chunks import OnError
from zeekpop3.log.file import LogFile, open_log
from zeekpop3.log.find import each_path
from zeekpop3.pipeline.records import Inputs, Records
from zeekpop3.pipeline.settings import Counters, Settings
from zeekpop3.session.events import Transfer
from zeekpop3.store.write import Mode, TableWriter, check_mode

_BLOCK = 1 << 16
_WRITE_BYTES = 32 << 20  # of rows, from which on they are written
_AT_ONCE = 10_000  # uids that are looked up in the tables together
_FOLDERS = ("cur", "new")  # of a Maildir, with mails; `tmp` has some that are being written
_SUFFIXES = (".eml", ".mbox", ".mbx", ".eml.gz", ".mbox.gz")
_FLAGS = re.compile(r"[:;!]2,[A-Za-z]*$")  # of a mail in a Maildir: replied, seen, …
_FROM = b"From "
_FROM_LINE = re.compile(rb"From [^\r\n]{1,500}?\d\d?:\d\d[^\r\n]{0,500}\r?\n?")
_FROM_DATE = re.compile(rb" [A-Z][a-z]{2} ([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})\s*$")
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


class FoundMail(NamedTuple):
    """A mail in a file: `ts` in microseconds, `raw` with CRLF line ends, `missing` bytes beyond the limit;
    the file's name without its folder."""

    uid: str
    ts: int
    raw: bytes
    missing: int
    file: str

    def transfer(self) -> Transfer:
        """As a transfer of no connection."""
        return Transfer(
            uid=self.uid,
            ts=self.ts,
            conn_id=None,
            user=None,
            trans_depth=1,
            command="FILE",
            msg_num=None,
            uidl=None,
            octets_declared=None,
            fidelity="exact",
            complete=not self.missing,
            missing_bytes=self.missing,
            raw=self.raw,
            defects=[Defect.MESSAGE_TOO_LARGE] if self.missing else [],
            log=self.file,
        )


def import_mails(
    paths: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    mode: Mode = "new",
    force: bool = False,
    settings: Settings | None = None,
    on_error: OnError | None = None,
) -> Counters:
    """Read mails in files and write the tables to the folder `out`, as `run` does with event logs.

    `paths`: .eml and mbox files, also gzip; Maildirs; folders that contain them. Rows have the `uid` "F" and
    a hash of source, position and message, `command` FILE, no user and no session; `ts` is the date of the
    mbox's From line, else the time of the file. Appending refuses a mail that the tables contain, unless
    `force`. A file that cannot be read goes to `on_error` (default: a warning of the logger "zeekpop3").
    Raises LogError if there is nothing to read, OutputError, and UsageError for an unknown mode.
    """
    check_mode(mode)
    settings = settings or Settings()
    files = find_mail_files(paths)
    records = Records(settings)
    inputs = Inputs("import", settings)
    counts = Counters(logs=len(files))
    if mode == "append" and not force:
        _refuse_repeated(files, Path(out), settings.max_message)
    tell = counts.counting(on_error)
    with TableWriter(out, mode) as writer:
        for path in files:
            for mail in mails_in(path, settings.max_message, tell, partial(inputs.add, path)):
                counts.rows += 1
                inputs.rows[path] += 1
                records.add([mail.transfer()])
                if records.nbytes >= _WRITE_BYTES:
                    counts.parts += _write(records, writer)
        counts.parts += _write(records, writer)
        if (table := inputs.table()) is not None:
            counts.parts += len(writer.write("inputs", table))
    counts += records.take_counts()
    return counts


def _write(records: Records, writer: TableWriter) -> int:
    return sum(len(writer.write(name, table)) for name, table in records.take())


def _refuse_repeated(files: list[Path], out: Path, max_message: int) -> None:
    """Raise OutputError for the first file of which `out` contains a mail."""
    from zeekpop3.store.read import uids_present

    def ignore(error: LogError) -> None:
        """The import itself reports what cannot be read."""

    waiting: dict[str, Path] = {}

    def look() -> None:
        if known := uids_present(out, "emails", waiting):
            uid = min(known)
            raise OutputError(
                f"{waiting[uid]}: {out} already contains this mail ({uid}/1); use --force to add it again"
            )
        waiting.clear()

    for path in files:
        for mail in mails_in(path, max_message, ignore):
            waiting[mail.uid] = path
            if len(waiting) >= _AT_ONCE:
                look()
    if waiting:
        look()


# -- which files -------------------------------------------------------------------------------------


def find_mail_files(sources: str | Path | Iterable[str | Path]) -> list[Path]:
    """The files with mails in `sources`, in order of their names, each once. Raises LogError.

    A file that is named itself may have any name; in folders, .eml and .mbox files count, and the mails of
    Maildirs (`cur` and `new`). Links in folders are not followed.
    """
    found: dict[tuple[int, int], Path] = {}
    for source in map(Path, each_path(sources)):
        if not source.exists():
            raise LogError(source, "no such file or folder")
        paths = sorted(_below(source)) if source.is_dir() else [source]
        if not paths:
            raise LogError(source, "no mails in this folder (.eml, .mbox, or a Maildir with cur and new)")
        for path in paths:
            status = path.stat()
            found.setdefault((status.st_dev, status.st_ino), path)
    return list(found.values())


def _below(folder: Path) -> Iterator[Path]:
    waiting = [folder]
    while waiting:
        where = waiting.pop()
        is_maildir = where.name in _FOLDERS and all((where.parent / name).is_dir() for name in _FOLDERS)
        try:
            entries = list(os.scandir(where))
        except OSError:
            continue  # as the search for event logs does
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False) and (
                entry.name.lower().endswith(_SUFFIXES) or (is_maildir and not entry.name.startswith("."))
            ):
                yield Path(entry.path)


# -- a file → its mails ------------------------------------------------------------------------------


def mails_in(
    path: Path,
    max_message: int,
    on_error: OnError,
    done: Callable[[int | None, str | None], None] | None = None,
) -> Iterator[FoundMail]:
    """The mails in a file; problems of the file go to `on_error`, what stands before them is used. At the end
    `done` gets the time of the first one (microseconds) and the file's SHA-256.
    """
    first: int | None = None
    try:
        with open_log(path, hashed=done is not None) as file:
            modified = path.stat().st_mtime_ns // 1000
            source = _source(path)
            count = 0
            for offset, ts, text, missing in _texts(file, max_message):
                count += 1
                ts = modified if ts is None else ts
                first = ts if first is None else first
                raw = _as_sent(text)
                digest = hashlib.sha256(
                    hashlib.sha256(f"{source}\0{offset}".encode("utf-8", "replace")).digest()
                )
                digest.update(raw)
                uid = "F" + digest.hexdigest()[:24]
                yield FoundMail(uid, ts, raw, missing, path.name)
            if done is not None:
                done(first, file.sha256())
            if file.problem:
                on_error(LogError(path, file.problem))
            elif not count:
                on_error(LogError(path, "empty file"))
    except LogError as error:
        on_error(error)
    except OSError as error:
        on_error(LogError(path, f"cannot be read: {reason(error)}"))


def _source(path: Path) -> str:
    """The part of a path that stays when a mail program marks the mail as seen: the file moves from `new` to
    `cur`, and its name gets flags.
    """
    whole = path.absolute()
    if whole.parent.name in _FOLDERS:
        return str(whole.parent.parent / _FLAGS.sub("", whole.name))
    return str(whole)


def _texts(file: LogFile, max_message: int) -> Iterator[tuple[int, int | None, bytes, int]]:
    """The mails of an open file: offset, date of the From line, bytes, and how many bytes were too many."""
    first = file.read(len(_FROM))
    file.seek(0)
    kept = bytearray()
    size = 0
    if first != _FROM:
        # In blocks, too: a buffer of the limit's size would take 80 ms for each small file.
        while block := file.read(_BLOCK):
            if size < max_message:
                kept += block
            size += len(block)
        if size:
            text = bytes(kept[:max_message])
            yield 0, None, text, size - len(text)
        return
    start = offset = 0
    date: int | None = None
    begun = False
    after_blank, at_line_start = True, True
    for piece in _pieces(file):
        may_be_from = at_line_start and after_blank and piece.startswith(_FROM)
        is_from = may_be_from and (_FROM_LINE.fullmatch(piece) or not begun)
        if is_from:
            if begun:
                yield _of_mbox(start, date, kept, size, max_message)
            kept, size, begun = bytearray(), 0, True
            start, date = offset, _date(piece)
        else:
            if size < max_message:
                kept += piece
            size += len(piece)
        offset += len(piece)
        after_blank = at_line_start and piece in (b"\n", b"\r\n")
        at_line_start = piece.endswith(b"\n")
    if begun:
        yield _of_mbox(start, date, kept, size, max_message)


def _pieces(file: LogFile) -> Iterator[bytes]:
    """The lines of a file with their ends; a line that is longer than a block comes in pieces."""
    rest = b""
    while block := file.read(_BLOCK):
        lines = _lines(rest + block)
        rest = b"" if lines[-1].endswith(b"\n") or len(lines[-1]) >= _BLOCK else lines.pop()
        yield from lines
    if rest:
        yield rest


def _lines(text: bytes) -> list[bytes]:
    """Lines that end with LF: a lone CR does not end one."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _of_mbox(
    start: int, date: int | None, kept: bytearray, size: int, max_message: int
) -> tuple[int, int | None, bytes, int]:
    """A mail of an mbox: the blank line behind it belongs to the file, and `>From ` stands for `From `."""
    text = bytes(kept[:max_message])
    missing = size - len(text)
    if not missing:
        for blank in (b"\n\r\n", b"\n\n"):
            if text.endswith(blank):
                text = text[: 1 - len(blank)]
                break
    return start, date, _QUOTED_FROM.sub(rb"\1", text), missing


def _date(line: bytes) -> int | None:
    """The time in a From line (RFC 4155: ctime, UTC), in microseconds."""
    if (found := _FROM_DATE.search(line)) is None or found[1] not in _MONTHS:
        return None
    day, hour, minute, second, year = (int(found[number]) for number in range(2, 7))
    try:
        moment = dt.datetime(year, _MONTHS.index(found[1]) + 1, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000


def _as_sent(text: bytes) -> bytes:
    """A message with CRLF line ends, also at its end. If its first line ends with CRLF, it keeps its own."""
    first = text.find(b"\n")
    if first < 1 or text[first - 1] != 0x0D:
        text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text if text.endswith(b"\r\n") else text + b"\r\n"
