"""Event logs made by hand, for the tests of the reading."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

from zeekpop3.log.header import COLUMNS

FIELDS = [*COLUMNS]
TYPES = [*COLUMNS.values()]


def head(fields: list[str] | None = None, types: list[str] | None = None, path: str = "pop3_events") -> str:
    """The header as Zeek's ASCII writer writes it."""
    return (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
        f"#path\t{path}\n#open\t2024-06-24-12-00-00\n"
        + "\t".join(["#fields", *(fields or FIELDS)])
        + "\n"
        + "\t".join(["#types", *(types or TYPES)])
        + "\n"
    )


CLOSE = "#close\t2024-06-24-13-00-00\n"


def row(
    seq: int,
    kind: str = "data",
    data: bytes | None = b"x",
    *,
    uid: str = "CAAA",
    ts: str = "1719230400.123456",
    command: str = "-",
    offset: int | str = "-",
    length: int | str | None = None,
    ids: str = "-\t-\t-\t-",
) -> str:
    """One line of the log; `data` None is unset."""
    if length is None:
        length = "-" if data is None else len(data)
    text = "-" if not data else base64.b64encode(data).decode()
    return f"{ts}\t{uid}\t{ids}\t{seq}\t{kind}\t{command}\t{offset}\t{length}\t{text}\n"


IDS = "192.0.2.1\t49152\t2001:db8::1\t110"


def write(path: Path, text: str | bytes, *, gz: bool = False) -> Path:
    """The file `path` with that text, compressed if so wished."""
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if gz else data)
    return path
