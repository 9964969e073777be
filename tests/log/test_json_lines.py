"""The event log's rows as JSON lines: the same rows give the same tables, in whatever they are wrapped."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden
import zeekpop3
from support.log_rows import head
from support.program import program
from zeekpop3.errors import LogError
from zeekpop3.follow import Follower
from zeekpop3.log.batch import Batch, read_chunk
from zeekpop3.log.chunks import chunks
from zeekpop3.log.header import COLUMNS
from zeekpop3.log.json_lines import row_of

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
LOGS = sorted(path for path in (FIXTURES / "logs").glob("*.log*") if path.is_file())


def rows_of(log: Path) -> Iterator[dict[str, Any]]:
    """The rows as Zeek's JSON writer has them: unset left out, escapes of the ASCII writer undone."""
    open_ = gzip.open if log.read_bytes()[:2] == b"\x1f\x8b" else open
    with open_(log, "rb") as file:
        for line in file.read().splitlines():
            if line.startswith(b"#"):
                continue
            row: dict[str, Any] = {}
            for (name, kind), value in zip(COLUMNS.items(), line.decode().split("\t"), strict=True):
                if value == "-":
                    continue
                text = value.encode().decode("unicode_escape") if "\\" in value else value
                row[name] = (
                    float(text) if kind == "time" else int(text) if kind in ("count", "port") else text
                )
            yield row


WRAPPINGS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "zeek": lambda row: row,
    "kafka": lambda row: {"pop3_events": row},
    "kafka zeek_": lambda row: {"zeek_pop3_events": row},
    "filebeat message": lambda row: {
        "@timestamp": "2024-06-24T12:00:00.000Z",
        "message": json.dumps(row),
        "host": {"name": "sensor"},
    },
    "filebeat json": lambda row: {"@timestamp": "x", "json": row, "agent": {}},
    "filebeat of kafka": lambda row: {"message": json.dumps({"pop3_events": row})},
    "streaming": lambda row: {"_path": "pop3_events", "_write_ts": 1.5, **row},
}


def as_json(log: Path, wrap: Callable[[dict[str, Any]], Any] = WRAPPINGS["zeek"]) -> bytes:
    return b"".join(json.dumps(wrap(row)).encode() + b"\n" for row in rows_of(log))


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_every_recorded_log_reads_the_same(tmp_path: Path, log: Path) -> None:
    """Column by column, the rows of JSON are those of TSV."""
    path = tmp_path / "x.json"
    path.write_bytes(as_json(log))
    assert _columns(path) == _columns(log)


def _columns(path: Path, size: int = 1 << 16) -> list[Any]:
    """All rows of a log; it must have no error."""

    def refuse(error: LogError) -> None:
        raise error

    return [
        row for chunk in chunks(path, size=size, on_error=refuse) for row in _rows(read_chunk(chunk, refuse))
    ]


def _rows(batch: Batch) -> list[Any]:
    uids = [batch.uids[code] for code in batch.uid_code]
    columns = (batch.ts, batch.seq, batch.kind, batch.command, batch.offset, batch.length, batch.data)
    ids = (batch.orig_h, batch.orig_p, batch.resp_h, batch.resp_p)
    return [tuple(row) for row in zip(uids, *map(list, columns), *map(list, ids), strict=True)]


def tables(log: Path) -> dict[str, list[dict[str, Any]]]:
    """The tables of a log, without what they say of the file itself."""
    found = golden.tables([log])
    for row in found["inputs"]:
        del row["file"], row["sha256"]
    for row in found["emails"]:
        del row["log"]
    return found


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("form", golden.FORMS)
def test_the_same_tables(tmp_path: Path, wrapping: str, form: str) -> None:
    """Through a queue or not, plain or packed."""
    log = golden.log_of("poplib", form)
    path = tmp_path / "pop3_events.log.gz"
    path.write_bytes(gzip.compress(as_json(log, WRAPPINGS[wrapping])))
    assert tables(path) == tables(log)


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


@pytest.mark.slow
@given(st.sampled_from(list(WRAPPINGS)), TEXT, st.integers(0, 2**50), st.binary(max_size=40))
def test_any_value_arrives(wrapping: str, command: str, ts: int, data: bytes) -> None:
    """Tabs, line ends, backslashes, `-` and `(empty)` are values like others; times stay exact."""
    import pybase64

    from zeekpop3.log.header import unescape

    row = {"ts": ts / 1e6, "uid": "C1", "seq": 3, "kind": "sent", "command": command}
    row["data"] = pybase64.b64encode(data).decode()
    line = json.dumps(WRAPPINGS[wrapping](row)).encode()
    values = dict(zip(COLUMNS, row_of(line, tuple(COLUMNS)).split(b"\t"), strict=True))
    assert round(float(values["ts"]) * 1e6) == ts if ts < 1e16 else True
    assert values["offset"] == values["id.orig_h"] == b"-"
    if command == "":
        assert values["command"] == b"(empty)"
    else:
        assert values["command"] not in (b"-", b"(empty)")
        assert b"\n" not in values["command"]
        assert unescape(values["command"]) == command


@pytest.mark.parametrize(
    "ts",
    [1719230400.123456, "2024-06-24T12:00:00.123456Z", "2024-06-24T14:00:00.123456+02:00", 1719230400123.456],
)
def test_the_forms_of_a_time(ts: object) -> None:
    """`LogAscii::json_timestamps`: seconds, ISO 8601, milliseconds."""
    line = json.dumps({"ts": ts, "uid": "C", "seq": 0, "kind": "close"}).encode()
    text = row_of(line, tuple(COLUMNS)).split(b"\t")[0]
    assert dt.datetime.fromtimestamp(float(text), dt.UTC).isoformat() == "2024-06-24T12:00:00.123456+00:00"


@pytest.mark.parametrize(
    "connection",
    [
        {"id.orig_h": "192.0.2.1", "id.resp_p": 110},
        {"id": {"orig_h": "192.0.2.1", "resp_p": 110}},
        {"id_orig_h": "192.0.2.1", "id_resp_p": 110},
    ],
)
def test_the_spellings_of_the_connection(connection: dict[str, Any]) -> None:
    """With dots, nested as Elastic keeps it, with Zeek's other scope separator."""
    line = json.dumps({"ts": 1.5, "uid": "C", "seq": 0, "kind": "close", **connection}).encode()
    assert row_of(line, ("id.orig_h", "id.resp_p", "id.resp_h")) == b"192.0.2.1\t110\t-"


BAD = {
    b'{"ts": 1.5, "uid": "C", "kind": "data"}': "no value for `seq`",
    b'{"ts": 1.5, "uid": "C", "seq": 0, "kind": ': "not JSON",
    b'{"a": 1, "b": 2}': "no `uid` and `kind`",
    b'{"message": "12:00 all is well"}': "not JSON",
    b'{"json":' * 9 + b"1" + b"}" * 9: "no `uid` and `kind`",
    b"[" * 100_000: "not JSON",
    b'{"ts": 1.5, "uid": "C", "seq": -1, "kind": "data"}': "invalid value in `seq`",
    b'{"ts": [1], "uid": "C", "seq": 1, "kind": "data"}': "invalid value in `ts`",
    b'{"ts": NaN, "uid": "C", "seq": 1, "kind": "data"}': "not JSON",
    b"hello": "not JSON",
}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad[:40].decode())
def test_a_bad_line_is_named_and_the_others_are_used(tmp_path: Path, bad: bytes) -> None:
    """Its number counts all lines of the file; blank lines and those of other streams are not errors."""
    good = [b'{"ts": %d.5, "uid": "C", "seq": %d, "kind": "close"}' % (n, n) for n in (1, 2)]
    other = b'{"conn": {"ts": 1.5, "uid": "C", "kind": "x"}}'
    path = tmp_path / "x.json"
    path.write_bytes(b"\n".join([good[0], b"", other, b'{"_path": "http", "uid": "C"}', bad, good[1]]))
    errors: list[LogError] = []
    found = [
        row
        for chunk in chunks(path, on_error=errors.append)
        for row in _rows(read_chunk(chunk, errors.append))
    ]
    assert [row[2] for row in found] == [1, 2]
    assert [(error.line, BAD[bad] in error.reason) for error in errors] == [(5, True)], errors


@pytest.mark.parametrize("end", [b"", b"\n", b'{"ts": 2.5, "uid": "C", "se'])
def test_how_the_last_line_ends(tmp_path: Path, end: bytes) -> None:
    """Without a line end it counts if it is whole; if it is cut, that is one error."""
    path = tmp_path / "x.json"
    path.write_bytes(
        b'{"ts": 1.5, "uid": "C", "seq": 0, "kind": "close"}' + (b"\n" if len(end) > 1 else b"") + end
    )
    errors: list[LogError] = []
    (chunk,) = chunks(path, on_error=errors.append)
    assert len(read_chunk(chunk, errors.append)) == 1
    assert len(errors) == (len(end) > 1)


def test_a_first_row_longer_than_the_head(tmp_path: Path) -> None:
    """A log may begin with a row of a megabyte, wrapped or not."""
    import pybase64

    row = {"ts": 1.5, "uid": "C", "seq": 0, "kind": "contents", "offset": 0, "length": 1 << 20}
    row["data"] = pybase64.b64encode(bytes(1 << 20)).decode()
    for number, wrap in enumerate(WRAPPINGS.values()):
        path = tmp_path / f"{number}.json"
        path.write_bytes(json.dumps(wrap(row)).encode() + b"\n")
        ((chunk),) = _columns(path)
        assert len(chunk[7]) == 1 << 20


@pytest.mark.parametrize("text", ['{"ts": 1.5, "uid": "C"}', '{"conn": {"ts": 1, "uid": "C"}}', "{}", "[{}]"])
def test_json_that_is_not_an_event_log_is_one_line(tmp_path: Path, text: str) -> None:
    """The line names the file and says what is missing; no output folder is left."""
    path = tmp_path / "conn.log"
    path.write_text(text + "\n")
    done = program("run", path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "conn.log: " in done.stderr
    assert "JSON" in done.stderr
    assert not (tmp_path / "out").exists()


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run -` reads TSV and JSON from a pipe, and nothing of it is left behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    log = golden.log_of("article", "exact")
    for name, text in (
        ("tsv", log.read_bytes()),
        ("json", as_json(log)),
        ("gz", gzip.compress(as_json(log))),
    ):
        done = program("run", "-", "--out", tmp_path / name, stdin=text)
        assert done.returncode == 0, done.stderr
        assert len(zeekpop3.read_emails(tmp_path / name)) == 1
    assert not list(tmp_path.glob("zeekpop3-*"))
    again = program("run", "-", "--out", tmp_path / "json", "--append", stdin=as_json(log))
    assert again.returncode == 2
    assert again.stderr.startswith(f"zeekpop3: standard input: {tmp_path}/json already contains this log")


def test_errors_name_standard_input(tmp_path: Path) -> None:
    """Not the copy that is read."""
    text = golden.log_of("article", "exact").read_bytes()
    broken = program("run", "-", "--out", tmp_path / "out", stdin=text + b"x\n")
    lines = text.count(b"\n")
    expected = f"zeekpop3: standard input, line {lines + 1}: expected 12 fields, found 1; row skipped\n"
    assert broken.stderr.startswith(expected)
    for command in (["run", "--out", str(tmp_path / "none")], ["transcript"]):
        for text in (b"", b"nothing\n"):
            done = program(*command, "-", stdin=text)
            assert (done.returncode, done.stderr.count("\n")) == (1, 1)
            assert done.stderr.startswith("zeekpop3: standard input: ")


def test_transcript_of_standard_input() -> None:
    """The same as of the file."""
    log = golden.log_of("article", "exact")
    assert program("transcript", "-", stdin=log.read_bytes()).stdout == program("transcript", log).stdout


def test_follow_reads_no_standard_input(tmp_path: Path) -> None:
    """It would lose what it has read, if it is killed."""
    done = program("follow", "-", "--out", tmp_path / "out", stdin=b"")
    expected = "zeekpop3: -: follow reads logs in folders; `zeekpop3 run -` reads standard input\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_follow_reads_a_growing_log_of_json(tmp_path: Path) -> None:
    """Line by line, cut anywhere; what a run reads at once, a follower reads as it grows."""
    log = golden.log_of("poplib", "exact")
    text = as_json(log, WRAPPINGS["kafka"])
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "pop3_events.log").write_bytes(text[:100])
    with Follower([spool], tmp_path / "out") as follower:
        follower.once()
        assert not follower.failed
        for end in (5_000, len(text) // 2, len(text)):
            (spool / "pop3_events.log").write_bytes(text[:end])
            follower.once()
        assert not follower.failed
    followed, run = (zeekpop3.read_emails(tmp_path / "out"), golden.tables([log])["emails"])
    assert sorted(followed["mail_id"]) == sorted(row["mail_id"] for row in run)


def test_a_log_that_turns_to_tsv(tmp_path: Path) -> None:
    """A header within the file holds for the rows below it."""
    path = tmp_path / "x.log"
    row = b"2.500000\tC\t-\t-\t-\t-\t1\tclose\t-\t-\t-\t-\n"
    path.write_bytes(b'{"ts": 1.5, "uid": "C", "seq": 0, "kind": "close"}\n' + head().encode() + row)
    assert [found[2] for found in _columns(path)] == [0, 1]


@pytest.mark.zeek
@pytest.mark.parametrize("script", ["", "exact.zeek"])
def test_zeeks_own_json(zeek: str, scripts: Path, tmp_path: Path, script: str) -> None:
    """A second filter of the stream writes a JSON log as well: the same tables."""
    (tmp_path / "json.zeek").write_text(
        "event zeek_init() &priority=-20 { Log::add_filter(Pop3Events::LOG,"
        ' [$name="json", $path="json", $config=table(["use_json"]="T")]); }\n'
    )
    capture = FIXTURES / "odd-logins.pcap"
    subprocess.run([zeek, "-Cr", capture, scripts / script, "json.zeek"], cwd=tmp_path, check=True)
    assert tables(tmp_path / "json.log") == tables(tmp_path / "pop3_events.log")
