"""Mails as evidence: one zip with each message, what is known of it, and a manifest that anybody can check.

    UID-DEPTH/message.eml       the message, as `eml` writes it
    UID-DEPTH/record.json       its row of `emails`, without the bytes
    UID-DEPTH/connection.json   the connection: addresses, ports, times, where the response lies in the stream
    UID-DEPTH/hashes.json       MD5, SHA-1, SHA-256 of the message and of its attachments
    UID-DEPTH/dkim.json         the result for each signature, and the key records that were known for it
    inputs.json                 the rows of `inputs` for the logs that the mails were read from
    versions.json               of zeekpop3 and of the tables
    MANIFEST.sha256             the SHA-256 of each of these files, for `sha256sum -c`

Nothing is signed: whoever vouches for the bundle signs the manifest. The same tables and keys give the same
bytes: the present time does not come in, and nothing is compressed, as the result would depend on the
library's version. No file name comes from a mail.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

from zeekpop3._version import __version__
from zeekpop3.detect.keys import Keys
from zeekpop3.detect.verify import key_name, verdicts_of
from zeekpop3.store.dataset import dataset, reading
from zeekpop3.store.files import new_file
from zeekpop3.store.filters import Filters, condition
from zeekpop3.store.read import read_table, rows
from zeekpop3.tables.schema import SCHEMA_VERSION
from zeekpop3.views.eml import ExportSummary, file_name, message, with_raw
from zeekpop3.views.find import find_mail, only
from zeekpop3.views.text import to_jsonable

MANIFEST = "MANIFEST.sha256"
#: The earliest time that a zip can name.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_CONNECTION = (
    "uid", "id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p", "community_id", "sensor", "log",
    "stream_start", "stream_end",
)  # fmt: skip
_HASHES = ("md5", "sha1", "sha256")
_PART = ("part", "filename", "size", *_HASHES)
_SESSION = ("ts", "duration", "user", "closed", "tls", "missing_bytes", "defects")


def write_bundle(
    path: str | Path,
    file: str | Path,
    filters: Filters | None = None,
    *,
    keys: Sequence[str] = (),
    dkim_keys: Keys | None = None,
    overwrite: bool = False,
) -> ExportSummary:
    """Write the mails with `keys` (UID/DEPTH), or those that match the filters, into one zip file (0600).

    An existing file is replaced only with `overwrite`. Without a mail whose bytes are in the tables nothing
    is written. Raises QueryError, and OutputError if the file exists or cannot be written.
    """
    done = ExportSummary()
    chosen = _chosen(path, filters, keys)
    mails = with_raw(_mails(path, chosen), done)
    first = next(mails, None)
    if first is None:
        return done
    logs: set[str | None] = set()
    known = dkim_keys or Keys()
    sessions, parts = _sessions(path, {uid for uid, _ in chosen}), _parts(path, chosen)
    with new_file(Path(file), exclusive=not overwrite) as out, zipfile.ZipFile(out, "w") as archive:
        bundle = _Bundle(archive)
        for mail in chain([first], mails):
            key = (mail["uid"], mail["trans_depth"])
            _add_mail(bundle, mail, sessions.get(mail["uid"]), parts.get(key, []), known)
            logs.add(mail["log"])
        logs.discard(None)
        read = read_table(path, "inputs").to_pylist()
        bundle.add_json("inputs.json", [row for row in read if row["file"] in logs])
        bundle.add_json("versions.json", {"zeekpop3": __version__, "schema": SCHEMA_VERSION})
        bundle.add_manifest()
    return done


def _chosen(
    path: str | Path, filters: Filters | None, keys: Sequence[str]
) -> dict[tuple[str, int], dt.datetime]:
    """The times of the mails by key, in order, each once, however they were named."""
    key = ["uid", "trans_depth", "ts"]
    found = (
        [find_mail(path, each, key) for each in keys]
        if keys
        else read_table(path, "emails", key, filters).to_pylist()
    )
    times: dict[tuple[str, int], dt.datetime] = {}
    for mail in found:
        times.setdefault((mail["uid"], mail["trans_depth"]), mail["ts"])
    return dict(sorted(times.items()))


def _mails(path: str | Path, chosen: dict[tuple[str, int], dt.datetime]) -> Iterator[dict[str, Any]]:
    """The mails one by one: together they may not fit into memory."""
    for (uid, depth), ts in chosen.items():
        yield from islice(rows(path, "emails", None, only(uid, depth, ts)), 1)


def _sessions(path: str | Path, uids: set[str]) -> dict[str, dict[str, Any]]:
    """The sessions of these connections by uid."""
    with reading(path):
        wanted = condition(Filters(), uids)
        found = dataset(path, "sessions").to_table(columns=["uid", *_SESSION], filter=wanted).to_pylist()
    sessions: dict[str, dict[str, Any]] = {}
    for session in found:
        sessions.setdefault(session.pop("uid"), session)
    return sessions


def _parts(
    path: str | Path, chosen: Collection[tuple[str, int]]
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The attachments of these mails by key."""
    columns = ("uid", "trans_depth", *_PART)
    parts: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for part in read_table(path, "attachments", columns, Filters(keys=frozenset(chosen))).to_pylist():
        parts.setdefault((part.pop("uid"), part.pop("trans_depth")), []).append(part)
    return parts


class _Bundle:
    """A zip whose bytes depend on its content alone."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._lines: list[str] = []

    def add(self, name: str, content: bytes) -> None:
        """Add a file, and its line to the manifest."""
        self._lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        self._write(name, content)

    def add_json(self, name: str, value: Any) -> None:
        """Add a value as JSON in ASCII."""
        self.add(name, json.dumps(to_jsonable(value), indent=1, allow_nan=False).encode() + b"\n")

    def add_manifest(self) -> None:
        """Add the manifest, as the last file."""
        self._write(MANIFEST, "".join(self._lines).encode())

    def _write(self, name: str, content: bytes) -> None:
        info = zipfile.ZipInfo(name, _TIME)
        info.create_system = _UNIX
        info.external_attr = 0o100600 << 16
        self._archive.writestr(info, content, zipfile.ZIP_STORED)


def _add_mail(
    bundle: _Bundle,
    mail: dict[str, Any],
    session: dict[str, Any] | None,
    parts: list[dict[str, Any]],
    known: Keys,
) -> None:
    folder = file_name(mail["uid"], mail["trans_depth"]).removesuffix(".eml")
    raw = mail["raw"]
    bundle.add(f"{folder}/message.eml", message(mail, raw))
    bundle.add_json(f"{folder}/record.json", {name: mail[name] for name in mail if name != "raw"})
    connection = {name: mail[name] for name in _CONNECTION}
    told = {"proto": "tcp", "mail_ts": mail["ts"], "session": session}
    bundle.add_json(f"{folder}/connection.json", {**connection, **told})
    hashes = {name: hashlib.new(name, raw, usedforsecurity=False).hexdigest() for name in _HASHES}
    told = {"size": len(raw), "sha256_in_tables": mail["sha256"], "mail_id": mail["mail_id"]}
    bundle.add_json(f"{folder}/hashes.json", {**hashes, **told, "attachments": parts})
    verdicts = list(verdicts_of(mail, known)) if mail["dkim"] else []
    names = sorted({name for one in verdicts if (name := key_name(one.selector, one.domain)) is not None})
    used = [asdict(key) for name in names for key in known.records(name)]
    results = [verdict._asdict() for verdict in verdicts]
    bundle.add_json(f"{folder}/dkim.json", {"results": results, "keys": used})
