"""A good log, however it is written and cut, gives each row exactly."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.log_rows import CLOSE, FIELDS, IDS, TYPES, head, row, write
from zeekpop3.errors import LogError
from zeekpop3.log.batch import Batch, group, read_chunk
from zeekpop3.log.chunks import chunks
from zeekpop3.log.header import COLUMNS, parse_header
from zeekpop3.session.events import ConnId


def batches(path: Path, size: int = 1 << 20) -> list[Batch]:
    return [read_chunk(chunk, pytest.fail) for chunk in chunks(path, size=size, on_error=pytest.fail)]


def columns(path: Path, size: int = 1 << 20) -> list[tuple[object, ...]]:
    """All rows of a log as tuples."""
    return [
        item
        for batch in batches(path, size)
        for item in zip(
            [batch.uids[code] for code in batch.uid_code.tolist()],
            batch.ts.tolist(),
            batch.seq.tolist(),
            batch.kind.tolist(),
            batch.command.tolist(),
            batch.offset.tolist(),
            batch.length.tolist(),
            batch.data,
            batch.orig_h.tolist(),
            batch.orig_p.tolist(),
            batch.resp_h.tolist(),
            batch.resp_p.tolist(),
            strict=True,
        )
    ]


def test_every_column(tmp_path: Path) -> None:
    """Each column comes as its type; what is unset is None, -1 or no bytes."""
    text = row(0, "request", b"1", command="RETR", ids=IDS) + row(1, "contents", None, offset=7, length="-")
    assert columns(write(tmp_path / "x.log", head() + text)) == [
        ("CAAA", 1719230400123456, 0, "request", "RETR", -1, 1, b"1", "192.0.2.1", 49152, "2001:db8::1", 110),
        ("CAAA", 1719230400123456, 1, "contents", None, 7, -1, b"", None, -1, None, -1),
    ]


def test_what_pandas_would_take_for_nothing(tmp_path: Path) -> None:
    """NA, null, None, nan, quotes, `#`, commas and blanks in texts and in base64 come as they are."""
    words = [
        "NA",
        "N/A",
        "null",
        "None",
        "NULL",
        "nan",
        "NaN",
        '"',
        '"a',
        "'",
        "#",
        "a#b",
        ",",
        " a ",
        "1.0",
        "(empty)x",
    ]
    text = "".join(row(i, "request", None, command=word, length="-") for i, word in enumerate(words))
    assert [r[4] for r in columns(write(tmp_path / "x.log", head() + text))] == words
    encoded = ["null", "None", "NULL", "NaN+", "true", "1234"]
    text = "".join(
        row(i).replace("eA==", word).replace("\t1\t", "\t3\t", 1) for i, word in enumerate(encoded)
    )
    text = "".join(line.replace("\t-\t1\t", "\t-\t3\t") for line in text.splitlines(keepends=True))
    import base64

    assert [r[7] for r in columns(write(tmp_path / "y.log", head() + text))] == [
        base64.b64decode(e) for e in encoded
    ]


def test_zeeks_escapes(tmp_path: Path) -> None:
    """`\\xNN`, `\\\\` and `(empty)` are undone in texts; bytes that are not UTF-8 stay visible."""
    words = {
        "X\\x2dY": "X-Y",
        "a\\\\x41": "a\\x41",
        "(empty)": "",
        "\\xc3\\xa9": "é",
        "\\xe9": "\\xe9",
        "\\x09": "\t",
    }
    text = "".join(row(i, "request", None, command=word, length="-") for i, word in enumerate(words))
    assert [r[4] for r in columns(write(tmp_path / "x.log", head() + text))] == list(words.values())


@given(st.integers(min_value=0, max_value=8_500_000_000_000_000))
@settings(max_examples=60, deadline=None)
def test_times_are_exact(tmp_path_factory: pytest.TempPathFactory, microseconds: int) -> None:
    """Every time that Zeek writes comes back to the microsecond."""
    seconds, rest = divmod(microseconds, 1_000_000)
    path = write(tmp_path_factory.mktemp("t") / "x.log", head() + row(0, ts=f"{seconds}.{rest:06d}"))
    assert [r[1] for r in columns(path)] == [microseconds]


_ANY_DATA = st.lists(st.one_of(st.none(), st.binary(max_size=40)), min_size=1, max_size=30)


@given(_ANY_DATA, st.integers(1, 400), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_data_cut_anywhere(
    tmp_path_factory: pytest.TempPathFactory, data: list[bytes | None], size: int, gz: bool
) -> None:
    """Any bytes come back, in whatever pieces the log is read, compressed or not."""
    text = head() + "".join(row(i, data=item) for i, item in enumerate(data)) + CLOSE
    path = write(tmp_path_factory.mktemp("d") / "x.log", text, gz=gz)
    got = columns(path, size)
    assert [r[7] for r in got] == [item or b"" for item in data]
    assert [r[2] for r in got] == list(range(len(data)))


@pytest.mark.parametrize("size", [1, 100, 1000, 1 << 20])
@pytest.mark.parametrize("gz", [False, True])
def test_a_piece_knows_its_place(tmp_path: Path, size: int, gz: bool) -> None:
    """A piece is whole lines, of about the size asked for, and knows the byte and the line where it
    begins."""
    text = head() + "".join(row(i, data=b"y" * i) for i in range(60)) + CLOSE + head() + row(60) + CLOSE
    raw = text.encode()
    got = list(chunks(write(tmp_path / "x.log", text, gz=gz), size=size, on_error=pytest.fail))
    for chunk in got:
        piece = bytes(chunk.text())
        assert raw[chunk.offset : chunk.offset + chunk.size] == piece
        assert raw[: chunk.offset].count(b"\n") == chunk.line - 1
        assert raw[: chunk.end].count(b"\n") == chunk.end_line - 1
        assert piece.endswith(b"\n")
        assert len(piece) < size + 250
    assert sum(len(read_chunk(chunk, pytest.fail)) for chunk in got) == 61


def test_a_piece_is_cheap_to_send(tmp_path: Path) -> None:
    """A piece of a plain file is pickled without its bytes, one of a .gz with them; both read the same."""
    text = head() + "".join(row(i, data=b"z" * 500) for i in range(100))
    for gz in (False, True):
        (chunk,) = chunks(write(tmp_path / "x.log", text, gz=gz), on_error=pytest.fail)
        sent = pickle.dumps(chunk.without_data())
        assert (len(sent) < 2000) is not gz
        assert read_chunk(pickle.loads(sent), pytest.fail).data == read_chunk(chunk, pytest.fail).data


def test_columns_by_name(tmp_path: Path) -> None:
    """Columns in another order, and more of them than needed, make no difference."""
    order = [*reversed(FIELDS), "extra", "_node"]
    kinds = [*reversed(TYPES), "set[string]", "string"]
    lines = (row(0, "request", b"1", command="RETR", ids=IDS) + row(1)).splitlines()
    text = "".join("\t".join([*reversed(line.split("\t")), "a,b", "-"]) + "\n" for line in lines)
    plain = write(tmp_path / "a.log", head() + "\n".join(lines) + "\n")
    assert columns(write(tmp_path / "b.log", head(order, kinds) + text)) == columns(plain)


def test_concatenated_logs(tmp_path: Path) -> None:
    """A second header in the middle holds from there on, even with another order of columns; a foreign one
    is reported."""
    swapped = [FIELDS[1], FIELDS[0], *FIELDS[2:]]
    second = row(1).split("\t")
    second[0], second[1] = second[1], second[0]
    text = (
        head() + row(0) + CLOSE + head(swapped, [TYPES[1], TYPES[0], *TYPES[2:]]) + "\t".join(second) + CLOSE
    )
    for size in (1, 150, 1 << 20):
        assert [r[:3] for r in columns(write(tmp_path / "x.log", text), size)] == [
            ("CAAA", 1719230400123456, 0),
            ("CAAA", 1719230400123456, 1),
        ]
    foreign = head(["ts", "uid"], ["time", "string"], "http") + "1.5\tC\n"
    errors: list[LogError] = []
    found = list(
        chunks(write(tmp_path / "y.log", head() + row(0) + foreign + head() + row(1)), on_error=errors.append)
    )
    assert [read_chunk(chunk, pytest.fail).seq.tolist() for chunk in found] == [[0], [1]]
    assert [error.line for error in errors] == [10]


def test_line_ends(tmp_path: Path) -> None:
    """CR LF, and a last row without a line end, are read like LF."""
    text = head() + row(0, data=b"a") + row(1, data=b"b")
    expected = columns(write(tmp_path / "a.log", text))
    assert columns(write(tmp_path / "b.log", text.replace("\n", "\r\n"))) == expected
    assert columns(write(tmp_path / "c.log", text[:-1])) == expected


def test_a_row_longer_than_a_block(tmp_path: Path) -> None:
    """A row of many megabytes is read whole."""
    big = bytes(range(256)) * 30_000
    text = head() + row(0) + row(1, "contents", big, offset=0) + row(2)
    assert [r[7] for r in columns(write(tmp_path / "x.log", text), 1 << 16)] == [b"x", big, b"x"]


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Cutting a log takes memory by the size of a piece, not of the log."""
    line = row(0, data=b"q" * 600)
    path = write(tmp_path / "x.log.gz", gzip.compress((head() + line * 30_000).encode(), 1))
    tracemalloc.start()
    try:
        total = sum(chunk.size for chunk in chunks(path, size=1 << 20, on_error=pytest.fail))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert total > 25_000_000


def test_group_by_connection(tmp_path: Path) -> None:
    """Interleaved rows come by uid in order of appearance, by seq within, with the first four-tuple there
    is."""
    text = (
        row(0, uid="CB", data=b"b0")
        + row(0, uid="CA", data=b"a0")
        + row(1, "request", None, uid="CB", command="STAT", ids=IDS)
        + row(2, uid="CA", data=b"a2")
        + row(1, uid="CA", data=b"a1")
    )
    (batch,) = batches(write(tmp_path / "x.log", head() + text))
    (uid_b, rows_b), (uid_a, rows_a) = group(batch)
    assert (uid_b, uid_a) == ("CB", "CA")
    assert list(rows_b.data) == [b"b0", b""]
    assert list(rows_b.command) == [None, "STAT"]
    assert rows_b.conn_id == ConnId("192.0.2.1", 49152, "2001:db8::1", 110)
    assert (rows_a.data, list(rows_a.seq), rows_a.conn_id) == ([b"a0", b"a1", b"a2"], [0, 1, 2], None)
    assert isinstance(rows_a.ts[0], int)


@given(st.lists(st.sampled_from("ABCD"), max_size=40))
@settings(max_examples=40, deadline=None)
def test_group_loses_nothing(tmp_path_factory: pytest.TempPathFactory, uids: list[str]) -> None:
    """For any interleaving each connection's rows come whole and in order."""
    seen: dict[str, int] = {}
    text = head()
    for uid in uids:
        seen[uid] = seen.get(uid, -1) + 1
        text += row(seen[uid], uid=uid, data=f"{uid}{seen[uid]}".encode())
    path = write(tmp_path_factory.mktemp("g") / "x.log", text)
    got = {uid: rows.data for batch in batches(path) for uid, rows in group(batch)}
    assert list(got) == list(seen)
    assert got == {uid: [f"{uid}{i}".encode() for i in range(last + 1)] for uid, last in seen.items()}


def test_parse_header() -> None:
    """The header says the columns, their types and how nothing is written."""
    header = parse_header(head().encode() + row(0).encode(), Path("x.log"))
    assert header.text == head().encode()
    assert header.fields == tuple(FIELDS)
    assert dict(zip(header.fields, header.types, strict=True)) == COLUMNS
    assert (header.separator, header.unset_field, header.empty_field) == ("\t", "-", "(empty)")


def test_another_separator(tmp_path: Path) -> None:
    """A log with another separator and other words for nothing is read by what its header says."""
    text = head().replace("#separator \\x09", "#separator \\x7c").replace("\t", "|")
    text = text.replace("#unset_field|-", "#unset_field|?").replace("(empty)", "<none>")
    text += (row(0, command="<none>") + row(1, data=None)).replace("\t", "|").replace("|-", "|?")
    assert [r[4:8] for r in columns(write(tmp_path / "x.log", text))] == [
        ("", -1, 1, b"x"),
        (None, -1, -1, b""),
    ]


def test_import_is_cheap() -> None:
    """Importing the room loads neither zat nor pandas nor Arrow."""
    code = (
        "import sys, zeekpop3.log.batch, zeekpop3.log.find;"
        "print(sorted({'zat', 'pandas', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
