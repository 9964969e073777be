"""Broken input: each gives one clear line with file and place, and what was readable is used."""

from __future__ import annotations

import gzip
import json
import os
import threading
import zlib
from pathlib import Path

import pytest

from support.log_rows import CLOSE, FIELDS, TYPES, head, row, write
from zeekpop3.errors import LogError
from zeekpop3.log import chunks as cutting
from zeekpop3.log.batch import read_chunk
from zeekpop3.log.chunks import chunks
from zeekpop3.log.file import LogFile
from zeekpop3.log.find import find_logs


def read(path: Path, size: int = 1 << 20) -> tuple[list[bytes], list[LogError]]:
    """The data of all rows of a log, and what was reported."""
    errors: list[LogError] = []
    data = [
        item
        for chunk in chunks(path, size=size, on_error=errors.append)
        for item in read_chunk(chunk, errors.append).data
    ]
    return data, errors


NO_LOGS = {
    "text": (b"hello\nworld\n", "not a Zeek log"),
    "json": (json.dumps({"ts": 1.5, "kind": "data"}).encode() + b"\n", "JSON"),
    "empty": (b"", "empty file"),
    "blank": (b"\n\n", "empty file"),
    "binary": (bytes(range(256)) * 9, "binary"),
    "capture": (b"\xd4\xc3\xb2\xa1" + bytes(20), "zeekpop3 pcap"),
    "no fields": (b"#separator \\x09\n#path\tpop3_events\n1.5\tC\n", "no #fields"),
    "only a comment": (b"#close\t2024-06-24-13-00-00\n", "no #fields"),
    "other stream": (head(["ts", "uid"], ["time", "string"], "http").encode(), "http"),
    "types missing some": (head(FIELDS, TYPES[:-1]).encode(), "#types has 11"),
    "another type": (
        head(types=["string" if kind == "time" else kind for kind in TYPES]).encode(),
        "column ts has type string, expected time",
    ),
    "column twice": (head([*FIELDS, "uid"], [*TYPES, "string"]).encode(), "twice"),
    "cut in the header": (head().encode()[:170], "no #fields"),
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_a_file_that_is_not_an_event_log_is_one_error(tmp_path: Path, name: str) -> None:
    """A file that is not an event log gives no row and one error, which names the file and says why."""
    content, reason = NO_LOGS[name]
    path = write(tmp_path / "x.log", content)
    data, errors = read(path)
    assert data == []
    assert len(errors) == 1
    assert reason in str(errors[0])
    assert str(path) in str(errors[0])


@pytest.mark.parametrize("name", [name for name in NO_LOGS if name != "empty"])
def test_the_same_in_gzip(tmp_path: Path, name: str) -> None:
    """Compressed, the same files give the same errors."""
    content, reason = NO_LOGS[name]
    data, errors = read(write(tmp_path / "x.log.gz", content, gz=True))
    assert (data, len(errors)) == ([], 1)
    assert reason in str(errors[0])


@pytest.mark.parametrize("column", FIELDS)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    """A log that lacks a column is refused as a whole, and the column is named with the line."""
    at = FIELDS.index(column)
    path = write(tmp_path / "x.log", head(FIELDS[:at] + FIELDS[at + 1 :], TYPES[:at] + TYPES[at + 1 :]))
    data, errors = read(path)
    assert data == []
    assert f"missing column: {column}" in str(errors[0])
    assert errors[0].line == 7


def test_header_only_is_not_an_error(tmp_path: Path) -> None:
    """A log without a row, closed or not, is read in silence."""
    for text in (head(), head() + CLOSE):
        assert read(write(tmp_path / "x.log", text)) == ([], [])


def test_cut_in_a_row(tmp_path: Path) -> None:
    """Wherever the last row is cut: all before it is used, and if something is lost, one error names its
    line."""
    whole = head() + row(0, data=b"first") + row(1, data=b"the second row")
    begin = len(head() + row(0, data=b"first"))
    for cut in range(begin + 1, len(whole)):
        data, errors = read(write(tmp_path / "x.log", whole[:cut]))
        assert data[0] == b"first"
        rest = data[1:]
        assert rest in ([], [b"the second row"]) or b"the second row".startswith(rest[0])
        if rest != [b"the second row"] or errors:
            assert [error.line for error in errors] == [10]


@pytest.mark.parametrize("size", [200, 1 << 20])
def test_cut_in_a_gzip_member(tmp_path: Path, size: int) -> None:
    """A .gz that ends in the middle gives the rows before that place, and one error."""
    rows = [os.urandom(300) for _ in range(400)]
    packed = gzip.compress((head() + "".join(row(i, data=data) for i, data in enumerate(rows))).encode())
    path = write(tmp_path / "x.log.gz", packed[: len(packed) * 2 // 3])
    data, errors = read(path, size)
    assert 200 < len(data) < 400
    assert data[:-1] == rows[: len(data) - 1]
    assert rows[len(data) - 1].startswith(data[-1])
    assert any("truncated gzip file" in str(error) for error in errors)
    assert all(str(path) in str(error) for error in errors)


def test_members_padding_and_garbage_in_gzip(tmp_path: Path) -> None:
    """Several gzip members are one log; zeros behind them are padding; all else is reported and skipped."""
    members = gzip.compress((head() + row(0)).encode()) + gzip.compress(row(1).encode())
    assert read(write(tmp_path / "a.log.gz", members)) == ([b"x", b"x"], [])
    assert read(write(tmp_path / "b.log.gz", members + bytes(600))) == ([b"x", b"x"], [])
    data, errors = read(write(tmp_path / "c.log.gz", members + b"garbage"))
    assert data == [b"x", b"x"]
    assert len(errors) == 1
    assert "trailing garbage" in str(errors[0])


def by_gzip(path: Path) -> bytes:
    """What the standard library reads of a damaged file."""
    found = []
    with gzip.open(path) as file:
        try:
            while block := file.read1():  # type: ignore[attr-defined]
                found.append(block)
        except (OSError, EOFError, zlib.error):
            pass
    return b"".join(found)


DAMAGE = {
    "wrong checksum": lambda packed: packed[:-8] + bytes(4) + packed[-4:],
    "wrong length": lambda packed: packed[:-4] + bytes(4),
    "cut in the trailer": lambda packed: packed[:-3],
    "cut in the middle": lambda packed: packed[: len(packed) // 2],
    "garbage behind": lambda packed: packed + b"garbage",
    "damaged block": lambda packed: (
        packed[: len(packed) // 2] + bytes(100) + packed[len(packed) // 2 + 100 :]
    ),
    "damaged second member": lambda packed: packed + packed[:-8] + bytes(8),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("size", [4000, 1 << 20])
def test_every_byte_that_gzip_reads_is_used(tmp_path: Path, name: str, size: int) -> None:
    """Of a damaged .gz, as many bytes are used as the standard library gives before it fails."""
    rows = "".join(row(i, data=bytes([i % 256]) * 250 + os.urandom(50)) for i in range(5000))
    path = tmp_path / "x.log.gz"
    path.write_bytes(DAMAGE[name](gzip.compress((head() + rows).encode())))
    expected = by_gzip(path)
    assert len(expected) > 800_000
    errors: list[LogError] = []
    found = list(chunks(path, size=size, on_error=errors.append))
    end = max(chunk.end for chunk in found)
    assert b"\n" not in expected[end:]  # only an incomplete row is not used
    assert b"".join(bytes(chunk.text()) for chunk in found) in expected
    assert len(errors) == 1
    assert "gzip" in str(errors[0])


def test_broken_gzip_data(tmp_path: Path) -> None:
    """Damage within gzip data ends the reading there, with what came before it used."""
    packed = bytearray(
        gzip.compress((head() + "".join(row(i, data=os.urandom(99)) for i in range(3000))).encode())
    )
    packed[len(packed) // 2 :] = os.urandom(len(packed) // 2)
    data, errors = read(write(tmp_path / "x.log.gz", bytes(packed)), 4000)
    assert len(data) > 1000
    assert any("gzip" in str(error) for error in errors)


@pytest.mark.parametrize(
    ("line", "reason", "kept"),
    [
        (row(1).replace("\tdata\t", "\t", 1), "found 11", False),
        (row(1).rstrip("\n") + "\textra\n", "found 13", False),
        (row("1x"), "seq", False),  # type: ignore[arg-type]
        (row("-"), "seq", False),  # type: ignore[arg-type]
        (row(1, ts="yesterday"), "ts", False),
        (row(1, ts="-"), "ts", False),
        (row(1, ts="99999999999999"), "ts", False),
        (row(1, ts="nan"), "ts", False),
        (row(1, uid="-"), "uid", False),
        (row(1, kind="-"), "kind", False),
        (row(1, offset="99999999999999999999999"), "offset", False),
        (row(1, offset="18446744073709551610"), "offset", False),
        (row(1, offset="-5"), "offset", False),
        (row(1, ids="192.0.2.1\t70000\t192.0.2.2\t110"), "id.orig_p", False),
        ("\0\0\0\0\n", "found 1", False),
        (row(1).replace("eA==", "e\rA="), "carriage return", False),
        (row(1).replace("eA==", "!!!!"), "invalid or truncated base64", True),
        (row(1).replace("eA==", "eA="), "invalid or truncated base64", True),
        (row(1).replace("eA==", "e\0A="), "invalid or truncated base64", True),
        (row(1, data=b"abc", length=9), "`length` is 9", True),
        (row(1, data=None, length=5), "`length` is 5", True),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, reason: str, kept: bool) -> None:
    """A malformed row is dropped, one whose data is damaged is kept; file and line are reported, the
    others are used."""
    path = write(tmp_path / "x.log", head() + row(0, data=b"before") + line + row(2, data=b"after"))
    data, errors = read(path)
    assert data[0] == b"before"
    assert data[-1] == b"after"
    assert len(data) == 2 + kept
    assert [(error.path, error.line) for error in errors] == [(str(path), 10)]
    assert reason in str(errors[0])


def test_data_cut_by_zeek_is_kept_with_its_full_length(tmp_path: Path) -> None:
    """A field that Zeek's limit of 4096 bytes cut keeps what decodes, and `length` what it should be."""
    line = row(0, data=bytes(range(256)) * 30)
    head_of_line, _, text = line.rpartition("\t")
    path = write(tmp_path / "x.log", head() + f"{head_of_line}\t{text[:4095]}\n")
    errors: list[LogError] = []
    (chunk,) = chunks(path, on_error=errors.append)
    batch = read_chunk(chunk, errors.append)
    assert batch.length.tolist() == [7680]
    assert (bytes(range(256)) * 30).startswith(batch.data[0])
    assert len(batch.data[0]) == 4095 // 4 * 3 + 2
    assert errors[0].line == 9


def test_many_bad_rows_are_counted(tmp_path: Path) -> None:
    """After the first ten bad rows of a piece only their number is reported."""
    path = write(tmp_path / "x.log", head() + "bad\n" * 500 + row(0))
    data, errors = read(path)
    assert data == [b"x"]
    assert [error.line for error in errors[:10]] == list(range(9, 19))
    assert len(errors) == 11
    assert "490 more" in str(errors[10])


def test_an_unreadable_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be opened is one error that says why."""
    path = write(tmp_path / "x.log", head())

    opened = os.open

    def refuse(file, *args, **kwargs):  # type: ignore[no-untyped-def]
        if file == path:
            raise PermissionError(13, "Permission denied")
        return opened(file, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    data, errors = read(path)
    assert data == []
    assert "Permission denied" in str(errors[0])


def test_a_file_that_shrinks_is_reported(tmp_path: Path) -> None:
    """A piece that another process reads again is an error if the file was cut since."""
    import pickle

    path = write(tmp_path / "x.log", head() + row(0) * 100)
    (chunk,) = chunks(path, on_error=pytest.fail)
    far = pickle.loads(pickle.dumps(chunk.without_data()))
    write(path, head())
    with pytest.raises(LogError, match="truncated"):
        read_chunk(far, pytest.fail)


def test_sources_that_give_nothing(tmp_path: Path) -> None:
    """A source that does not exist, matches nothing or holds no log is an error."""
    (tmp_path / "conn.log").touch()
    for source, reason in [("none.log", "no such"), ("*.gz", "no file matches"), (".", "no event log")]:
        with pytest.raises(LogError, match=reason):
            find_logs([tmp_path / source])
    (tmp_path / "dangling.log").symlink_to(tmp_path / "gone")
    with pytest.raises(LogError, match="cannot be read"):
        find_logs([tmp_path / "dangling.log"])


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    """A FIFO, folder or device with the name of a log is one error; nothing waits for it."""
    path = tmp_path / "pop3_events.log"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    found: list[tuple[list[bytes], list[LogError]]] = []
    thread = threading.Thread(target=lambda: found.append(read(path)), daemon=True)
    thread.start()
    thread.join(20)
    ((data, errors),) = found
    assert data == []
    assert [error.reason for error in errors] == ["not a regular file"]


def test_a_log_of_headers_is_read_in_linear_time(tmp_path: Path) -> None:
    """Rows between `#` lines make one piece; a log with too many different headers ends there."""
    errors: list[LogError] = []
    text = head() + (row(0) + CLOSE + head()) * 300 + row(1)
    found = list(chunks(write(tmp_path / "x.log", text), on_error=errors.append))
    assert len(found) == 1
    assert len(read_chunk(found[0], pytest.fail)) == 301
    assert errors == []
    swapped = [FIELDS[1], FIELDS[0], *FIELDS[2:]]
    other = head(swapped, [TYPES[1], TYPES[0], *TYPES[2:]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "_MAX_CHANGES", 100)
        data, errors = read(write(tmp_path / "y.log", (head() + row(0) + other + swap(row(1))) * 300))
    assert len(data) == 101
    assert "more than 100 different headers" in str(errors[0])


def swap(line: str) -> str:
    """A row with its first two columns exchanged."""
    first, second, rest = line.split("\t", 2)
    return f"{second}\t{first}\t{rest}"


def test_a_long_line_is_read_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long line is not copied again with each block; beyond a limit, reading ends with one error."""
    path = write(tmp_path / "x.log", head() + row(0) + "x" * 3_000_000)
    blocks = []
    readinto = LogFile.readinto

    def counted(file: LogFile, view: memoryview) -> int:
        blocks.append(len(view))
        return readinto(file, view)

    monkeypatch.setattr(LogFile, "readinto", counted)
    data, errors = read(path, 1000)
    assert data == [b"x"]
    assert len(blocks) < 40
    assert "middle of a row" in str(errors[0])
    monkeypatch.setattr(cutting, "_MAX_LINE", 1_000_000)
    data, errors = read(path, 1000)
    assert data == [b"x"]
    assert "line longer than" in str(errors[0])


@pytest.mark.parametrize(
    ("kinds", "refused"),
    [
        (("request", "header", "data"), True),
        (("sent", "login", "contents"), True),
        (("request", "login", "data"), False),
        (("sent", "contents", "close"), False),
    ],
)
def test_a_log_of_version_0_1_is_refused(tmp_path: Path, kinds: tuple[str, ...], refused: bool) -> None:
    """One line; a log of either present form is read."""
    log = write(tmp_path / "x.log", head() + "".join(row(seq, kind=kind) for seq, kind in enumerate(kinds)))
    errors: list[LogError] = []
    found = list(chunks(log, on_error=errors.append))
    assert (bool(found), len(errors)) == (not refused, int(refused))
    if refused:
        assert "written by the Zeek package of 0.1, which is no longer read" in str(errors[0])


@pytest.mark.parametrize(
    "time", ["inf", "-inf", "nan", "1e308", "9e9", "-1.0", "9" * 400], ids=lambda time: time[:9]
)
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("place", [0, 2])
def test_a_time_that_is_no_time_makes_a_bad_row(tmp_path: Path, time: str, as_json: bool, place: int) -> None:
    """The first row, too, in both forms: `run` reads the rest, `follow` starts; one line names the row."""
    import zeekpop3

    source = Path(__file__).resolve().parents[2] / "fixtures" / "logs" / "article.exact.log"
    lines = source.read_text("latin-1").splitlines()
    header, rows = [one for one in lines if one.startswith("#")], [one for one in lines if one[0] != "#"]
    rows.insert(place, "\t".join([time, *rows[0].split("\t")[1:]]))
    if as_json:
        names = next(one for one in header if one.startswith("#fields")).split("\t")[1:]
        rows = [json_row(dict(zip(names, one.split("\t"), strict=True))) for one in rows]
    log = tmp_path / "logs" / "pop3_events.log"
    log.parent.mkdir()
    log.write_text("\n".join(rows if as_json else [*header[:-1], *rows, header[-1]]) + "\n", "latin-1")
    told: list[LogError] = []
    counters = zeekpop3.run([log], tmp_path / "out", jobs=1, on_error=told.append)
    assert (counters.mails, len(told), told[0].path) == (1, 1, str(log))
    with zeekpop3.Follower([log.parent], tmp_path / "followed") as follower:
        assert follower.once().mails == 1


def json_row(fields: dict[str, str]) -> str:
    """A row as Zeek's JSON writer has it; a time that JSON cannot say stands there as it is."""
    numbers = ("ts", "seq", "id.orig_p", "id.resp_p", "offset", "length")
    said = {name: value for name, value in fields.items() if value not in ("-", "(empty)")}
    pairs = (f'"{name}":{value if name in numbers else json.dumps(value)}' for name, value in said.items())
    return "{" + ",".join(pairs) + "}"
