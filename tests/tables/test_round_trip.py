"""Records through the tables: what was put into the columns comes out of Parquet unchanged."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.records import attachment, mail, received, table_of, transfer
from zeekpop3.inside import parse
from zeekpop3.store.write import TableWriter
from zeekpop3.tables import MailRecord

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
NOT_FROM_THE_MAIL = frozenset(["ts", "size", "raw", "sha256"])

# Any code point, lone surrogates too, and the texts that readers of tables like to take for null.
WORDS = st.one_of(
    st.text(st.characters(codec=None), max_size=6),
    st.sampled_from(["", "\x00", "a\x00b", "\U0001f600", "\ud800", "\udfff\ud800", "NA", "nan", "null", "-"]),
)
TEXT = st.none() | WORDS
LIST = st.lists(WORDS, max_size=3)
MOMENT = st.none() | st.integers(-(10**16), 10**16)
HOPS = st.lists(
    st.builds(received, raw=WORDS, from_=TEXT, by=TEXT, with_=TEXT, id=TEXT, for_=TEXT, date=MOMENT),
    max_size=2,
)
FILES = st.lists(
    st.builds(attachment, filename=TEXT, content_type=TEXT, disposition=TEXT, content_id=TEXT), max_size=2
)
TEXTS = [
    "date_raw", "from_", "reply_to", "sender", "return_path", "subject", "msg_id", "in_reply_to", "charset",
    "x_originating_ip", "first_received", "second_received", "mime_version", "content_type", "user_agent",
    "text", "html",
]  # fmt: skip
ALL: dict[str, Any] = dict.fromkeys(TEXTS, TEXT)
ALL |= dict.fromkeys(("to", "cc", "bcc", "delivered_to", "references"), st.none() | LIST)
ALL |= {"path": LIST, "urls": LIST, "defects": st.lists(WORDS, max_size=3, unique=True)}
ALL |= {"date": MOMENT, "received": HOPS, "attachments": FILES, "headers": st.lists(st.tuples(WORDS, WORDS))}
FILE_FIELDS = ("filename", "content_type", "disposition", "content_id", "size", "md5", "sha1", "sha256")


def record(values: dict[str, Any]) -> Any:
    headers = values.pop("headers")
    return mail(
        header_names=[name for name, _ in headers], header_values=[value for _, value in headers], **values
    )


def wanted(each: Any) -> dict[str, Any]:
    """The columns that come from the mail, made from its record without the room under test."""
    row = {name.rstrip("_"): getattr(each, name) for name in [*TEXTS, "date", "to", "cc", "bcc"]}
    row |= {name: getattr(each, name) for name in ("delivered_to", "references", "path", "urls", "defects")}
    row["headers"] = [
        {"name": name, "value": value}
        for name, value in zip(each.header_names, each.header_values, strict=True)
    ]
    row["received"] = [
        {"raw": hop.raw, "from": hop.from_, "by": hop.by, "with": hop.with_, "id": hop.id, "for": hop.for_,
         "date": hop.date}
        for hop in each.received
    ]  # fmt: skip
    row["attachments"] = [{name: getattr(file, name) for name in FILE_FIELDS} for file in each.attachments]
    return plain(row)


def plain(value: Any) -> Any:
    """One form for what each reader gives: lists, dicts, microseconds; a lone surrogate as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if value is None or value is pd.NaT or isinstance(value, bytes):
        return None if value is pd.NaT else value
    if isinstance(value, datetime.datetime):
        since = value.replace(tzinfo=value.tzinfo or datetime.UTC) - EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return None if isinstance(value, float) and np.isnan(value) else value


def readers(folder: Path, names: list[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows, in the order of `trans_depth`, by each reader."""
    columns = [*names, "trans_depth", "raw"]
    table = pq.read_table(folder, columns=columns).sort_by("trans_depth")
    yield "pyarrow", table.to_pylist()
    frame = pd.read_parquet(folder, columns=columns).sort_values("trans_depth")
    yield "pandas", frame.astype(object).to_dict("records")
    # By Arrow: DuckDB's own way to Python objects wants another library for times.
    found = duckdb.sql(
        f"select * from read_parquet('{folder}/**/*.parquet') order by trans_depth"
    ).to_arrow_table()
    yield "DuckDB", found.select(columns).to_pylist()


def there_and_back(folder: Path, records: list[Any], raws: list[bytes]) -> None:
    made = [
        MailRecord(transfer(trans_depth=depth, raw=raw, missing_bytes=0), each)
        for depth, (each, raw) in enumerate(zip(records, raws, strict=True))
    ]
    with TableWriter(folder, "overwrite") as writer:
        writer.write("emails", table_of("emails", *made))
    rows = [wanted(each) for each in records]
    for reader, found in readers(folder / "emails", list(rows[0])):
        assert len(found) == len(rows), reader
        for row, got, raw in zip(rows, found, raws, strict=True):
            assert bytes(got["raw"]) == raw
            assert {name: plain(got[name]) for name in row} == row, reader


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.fixed_dictionaries(ALL), st.binary(max_size=20)), min_size=1, max_size=4))
def test_any_record(tmp_path: Path, rows: list[tuple[dict[str, Any], bytes]]) -> None:
    """Every column: NUL, astral, empty and null, texts and lists; only a lone surrogate becomes U+FFFD."""
    there_and_back(tmp_path, [record(dict(values)) for values, _ in rows], [raw for _, raw in rows])


MAIL = (
    b"From: %b\r\nTo: \r\nCc: %b, b@c\r\nSubject: %b\r\nReferences:\r\nDate: %b\r\n"
    b"Received: from %b by b; %b\r\nX-A: =?utf-8?b?8J+YgAA=?=\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=%b\r\n\r\n%b\r\n"
    b'--b\r\nContent-Type: a/b\r\nContent-Disposition: attachment; filename="%b"\r\n\r\nx\r\n--b--\r\n'
)
BYTES = st.one_of(
    st.binary(max_size=8),
    st.text(max_size=5).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from([b"", b"\0", b"utf-7", b"+2AA-", b"=?utf-7?q?+2AA-?=", "\U0001f600".encode(),
                     b"\xed\xa0\x80", b"Mon, 29 Jul 2002 11:28:02 +0100", b"1 Jan 0001 00:00:00 GMT", b"hz"]),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(*[BYTES] * MAIL.count(b"%b")).map(lambda values: MAIL % values), min_size=1, max_size=4
    )
)
def test_any_mail(tmp_path: Path, raws: list[bytes]) -> None:
    """Real records of odd mails come back unchanged."""
    records = [parse(raw) for raw in raws]
    for each in records:
        for text in (each.subject, each.from_, each.text):
            (text or "").encode()
    there_and_back(tmp_path, records, raws)


@pytest.mark.parametrize("values", [None, [], [""], ["", ""]])
def test_empty_and_null_lists(tmp_path: Path, values: list[str] | None) -> None:
    """A field that is not there, one without an address and one with an empty name are three things."""
    records = [mail(to=values, subject=None), mail(to=["a"], subject=""), mail(to=values, subject="\0")]
    there_and_back(tmp_path, records, [b"", b"\0", b"\xff"])
