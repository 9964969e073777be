"""zat reads the header of the log itself; and zat's own reader for pandas gets every row of it."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from zat.log_to_dataframe import LogToDataFrame
from zat.utils import field_info

from support.log_rows import CLOSE, IDS, head, row, write
from zeekpop3.errors import LogError
from zeekpop3.log.batch import Batch, read_chunk
from zeekpop3.log.chunks import chunks
from zeekpop3.log.header import COLUMNS

RECORDED = sorted(
    path.name
    for path in (Path(__file__).resolve().parents[2] / "fixtures" / "logs").glob("*.log*")
    if path.is_file()
)


def batch_of(path: Path) -> Batch:
    """All rows of a log that fits in one chunk."""
    (chunk,) = chunks(path, on_error=pytest.fail)
    return read_chunk(chunk, pytest.fail)


def by_zat(path: Path) -> pd.DataFrame:
    """The log as zat's LogToDataFrame reads it."""
    return LogToDataFrame().create_dataframe(str(path), ts_index=False, aggressive_category=False)


def values(column: Any) -> list[Any]:
    """A column of a DataFrame with None for what is missing."""
    return [None if pd.isna(value) else value for value in column]


def assert_lossless(path: Path) -> None:
    """zat's DataFrame holds what our reader gives, column by column."""
    frame, batch = by_zat(path), batch_of(path)
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == len(batch)
    assert values(frame["uid"]) == [batch.uids[code] for code in batch.uid_code]
    # zat's times are nanoseconds from a double: exact to the microsecond when rounded.
    ts = frame["ts"].dt.round("us").astype("datetime64[us]").astype("int64")
    assert ts.tolist() == batch.ts.tolist()
    for name, column in [
        ("seq", batch.seq),
        ("offset", batch.offset),
        ("length", batch.length),
        ("id.orig_p", batch.orig_p),
        ("id.resp_p", batch.resp_p),
    ]:
        assert [-1 if value is None else int(value) for value in values(frame[name])] == column.tolist(), name
    for name, texts in [
        ("kind", batch.kind),
        ("command", batch.command),
        ("id.orig_h", batch.orig_h),
        ("id.resp_h", batch.resp_h),
    ]:
        assert values(frame[name]) == texts.tolist(), name
    data = [b"" if text is None else base64.b64decode(text) for text in values(frame["data"])]
    assert data == batch.data


def test_zats_dataframe_is_lossless(tmp_path: Path) -> None:
    """Any bytes, times and numbers survive zat's LogToDataFrame, because free text is base64."""
    data = [bytes([i % 256, i // 7 % 256]) * (i % 50) for i in range(1000)] + [
        b'"',
        b"#",
        b"NA",
        b"-",
        b"a\tb\n",
    ]
    rows = "".join(
        row(
            seq,
            "contents" if seq % 3 else "sent",
            item,
            ts=f"{1719230400 + seq}.{seq * 7919 % 1_000_000:06d}",
            command="RETR" if seq % 3 == 0 else "-",
            offset=seq * 1000,
            ids=IDS if seq % 5 == 0 else "-\t-\t-\t-",
        )
        for seq, item in enumerate(data)
    )
    assert_lossless(write(tmp_path / "pop3_events.log", head() + rows + CLOSE))


@pytest.mark.parametrize("name", RECORDED)
def test_zats_dataframe_is_lossless_on_a_recorded_log(fixtures: Path, tmp_path: Path, name: str) -> None:
    """The same with every log that Zeek wrote, of either form; zat reads those that are not compressed."""
    log = fixtures / "logs" / name
    if log.suffix == ".gz":
        text = gzip.decompress(log.read_bytes())
        log = tmp_path / "pop3_events.log"
        log.write_bytes(text)
    assert_lossless(log)


def test_what_pandas_takes_for_missing(tmp_path: Path) -> None:
    """Three base64 words, of three bytes each, are missing values to pandas; `length` gives them away."""
    words = ["null", "None", "NULL"]
    log = write(
        tmp_path / "x.log", head() + "".join(row(n, data=base64.b64decode(w)) for n, w in enumerate(words))
    )
    frame = by_zat(log)
    assert values(frame["data"]) == [None, None, None]
    assert values(frame["length"]) == [3, 3, 3]
    assert batch_of(log).data == [base64.b64decode(word) for word in words]


@pytest.mark.parametrize("gz", [False, True])
def test_zat_reads_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gz: bool) -> None:
    """zat's own function reads it in the log; of .gz, which zat cannot open, the header is checked alone."""
    log = write(tmp_path / "x.log", head() + row(0), gz=gz)
    read: list[str] = []
    by_name = field_info.get_field_info

    def watched(path: str) -> Any:
        read.append(path)
        return by_name(path)

    monkeypatch.setattr(field_info, "get_field_info", watched)
    (chunk,) = chunks(log, on_error=pytest.fail)
    assert chunk.header.types == tuple(COLUMNS.values())
    assert read == ([] if gz else [str(log)])


def test_a_log_that_changes_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If zat reads another header than the one that was checked, the log is not read."""
    log = write(tmp_path / "x.log", head() + row(0))
    monkeypatch.setattr(field_info, "get_field_info", lambda path: ([*COLUMNS, "more"], [*COLUMNS.values()]))
    errors: list[LogError] = []
    assert list(chunks(log, on_error=errors.append)) == []
    assert "replaced" in str(errors[0])
