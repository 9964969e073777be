"""`verify --pcap`: a mail whose bytes are not those of the capture is named, whoever changed what."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import golden
import zeekpop3
from support.program import Done, program
from zeekpop3.detect import compare as module
from zeekpop3.errors import QueryError, ZeekError
from zeekpop3.pipeline.settings import Settings
from zeekpop3.tables import Privacy


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[tuple[str, bool], Path]:
    """What Zeek makes of a capture is a recorded log; a test may put another log there."""
    logs = {(n, f == "plain"): golden.log_of(n, f) for n in ("poplib", "gap", "ipv6") for f in golden.FORMS}

    def run_zeek(pcap: Path, folder: Path, *, plain: bool = False, **how: Any) -> Path | None:
        if (pcap.stem, plain) not in logs:
            raise ZeekError(f"{pcap}: zeek failed")
        log = logs[pcap.stem, plain]
        return Path(shutil.copy(log, folder / log.name))

    monkeypatch.setattr(module, "run_zeek", run_zeek)
    monkeypatch.setattr(module, "find_zeek", lambda zeek: "zeek")
    return logs


def changed(out: Path, column: str, change: Callable[[Any], Any], which: int = 3) -> str:
    """Change a value in the tables, as somebody might; returns the mail, UID/DEPTH."""
    (part,) = (out / "emails").rglob("*.parquet")
    table = pq.read_table(part, partitioning=None)
    values = table[column].to_pylist()
    values[which] = change(values[which])
    place = table.column_names.index(column)
    table = table.set_column(
        place, table.schema.field(place), pa.array(values, table.schema.field(place).type)
    )
    pq.write_table(table, part)
    return f"{table['uid'][which]}/{table['trans_depth'][which]}"


def flipped(data: bytes, at: int | None = None) -> bytes:
    at = len(data) // 2 if at is None else at
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def verify(out: Path, *pcaps: str, more: Sequence[str] = ()) -> tuple[list[dict[str, Any]], Done]:
    options = [word for pcap in pcaps for word in ("--pcap", f"/captures/{pcap}.pcap")]
    done = program("verify", out, *options, "--json", *more)
    return [json.loads(line) for line in done.stdout.splitlines()], done


def bad(found: list[dict[str, Any]]) -> list[str]:
    return [f"{one['uid']}/{one['trans_depth']}" for one in found if one["result"] != "same"]


@pytest.fixture(params=golden.FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return request.param


def made(folder: Path, form: str, *names: str, **settings: Any) -> Path:
    zeekpop3.run(
        [golden.log_of(n, form) for n in names], folder / "out", jobs=1, settings=Settings(**settings)
    )
    return folder / "out"


def test_what_nobody_changed_is_the_same(captures: Any, tmp_path: Path, form: str) -> None:
    """Every mail, also previews and incomplete ones, by another run of Zeek, in which uids are others."""
    out = made(tmp_path, form, "poplib", "gap", "ipv6")
    found, done = verify(out, "poplib", "gap", "ipv6")
    assert (bad(found), done.returncode, len(found)) == ([], 0, len(zeekpop3.read_emails(out)))
    # Of lossy connections the exact form has mails that the plain one has not.
    assert done.stderr.startswith(f"{len(found)} mails: {len(found)} same, 0 differs, 0 missing")


def test_other_uids_make_no_difference(captures: Any, tmp_path: Path) -> None:
    """Zeek makes new ones in each run."""
    log = tmp_path / "x.log"
    uid = zeekpop3.read_emails(made(tmp_path, "exact", "poplib"))["uid"][0]
    log.write_bytes(golden.log_of("poplib", "exact").read_bytes().replace(uid.encode(), b"Cother"))
    zeekpop3.run(log, tmp_path / "other")
    found, _ = verify(tmp_path / "other", "poplib")
    assert found and bad(found) == []


@pytest.mark.parametrize(
    ("column", "change", "reason"),
    [
        ("raw", flipped, "sha256 of the tables is not that of raw"),
        ("sha256", lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"), "sha256 of the tables is not"),
        ("size", lambda size: size ^ 1, "size is"),
        ("user", lambda user: "x" + user, "user is"),
        ("msg_num", lambda number: number ^ 64, "msg_num is"),
        ("command", lambda _: "RETR", "command is"),
    ],
)
def test_a_change_in_the_tables_is_named(
    captures: Any, tmp_path: Path, column: str, change: Callable[[Any], Any], reason: str
) -> None:
    """One bit of a message or of its hash, and what is said of it: this mail, and no other."""
    out = made(tmp_path, "exact", "poplib")
    commands = zeekpop3.read_emails(out)["command"].tolist()
    which = commands.index("TOP") if column == "command" else commands.index("RETR")
    mail = changed(out, column, change, which)
    found, done = verify(out, "poplib")
    assert (bad(found), done.returncode) == ([mail], 1)
    assert [one["reason"].startswith(reason) for one in found if one["result"] == "differs"] == [True]


def test_a_change_that_fits_its_hash_is_named(captures: Any, tmp_path: Path, form: str) -> None:
    """A new hash does not hide the change from the capture; the result names the place in each form."""
    import hashlib

    log, out = tmp_path / "x.log", tmp_path / "out"
    text = golden.log_of("poplib", form).read_bytes()
    log.write_bytes(re.sub(rb"\tC[A-Za-z0-9]{10,}\t", lambda uid: uid[0][:-2] + b"_\t", text))
    zeekpop3.run(log, out)
    changed(out, "raw", lambda raw: flipped(raw, 300))
    raw = zeekpop3.read_emails(out, columns="raw")["raw"][3]
    mail = changed(out, "sha256", lambda _: hashlib.sha256(raw).hexdigest())
    found, _ = verify(out, "poplib")
    assert bad(found) == [mail]
    (one,) = (one for one in found if one["result"] == "differs")
    assert one["offset"] == 300
    assert one["reason"].startswith("its bytes are not those of poplib.pcap: at byte 300 0x")


@pytest.mark.parametrize("column", ["id_orig_h", "id_resp_h", "id_orig_p", "ts"])
def test_a_mail_that_was_put_elsewhere_is_missing(captures: Any, tmp_path: Path, column: str) -> None:
    """Another client, another server, another time."""
    import datetime as dt

    out = made(tmp_path, "exact", "poplib")
    change = {"id_orig_p": lambda port: port ^ 1, "ts": lambda ts: ts - dt.timedelta(days=1)}
    mail = changed(out, column, change.get(column, lambda address: "192.0.2.99"))
    found, done = verify(out, "poplib")
    assert (bad(found), done.returncode) == ([mail], 1)
    assert [one["reason"] for one in found if one["result"] == "missing"] == ["not in poplib.pcap"]


def test_a_change_in_the_capture_is_named(captures: Any, tmp_path: Path) -> None:
    """One bit of a segment."""
    out = made(tmp_path, "exact", "poplib")
    lines = golden.log_of("poplib", "exact").read_bytes().split(b"\n")
    row = max(range(len(lines)), key=lambda n: len(lines[n]))
    *cells, data = lines[row].split(b"\t")
    text = base64.b64decode(data)
    lines[row] = b"\t".join([*cells, base64.b64encode(flipped(text))])
    captures["poplib", False] = tmp_path / "other.log"
    captures["poplib", False].write_bytes(b"\n".join(lines))
    found, done = verify(out, "poplib")
    (one,) = (one for one in found if one["result"] != "same")
    assert (one["result"], done.returncode) == ("differs", 1)
    raw = next(
        r
        for r in zeekpop3.read_emails(out, columns=["raw", "trans_depth"]).itertuples()
        if r.trans_depth == one["trans_depth"]
    ).raw
    assert f"at byte {one['offset']} 0x{raw[one['offset']]:02x}" in one["reason"]


def test_other_mails_are_counted(captures: Any, tmp_path: Path) -> None:
    """Those of a capture that the tables lack; mails of another capture are missing in this one."""
    out = made(tmp_path, "exact", "poplib")
    _, done = verify(out, "poplib", "ipv6")
    assert done.returncode == 0
    assert "in the captures and not among them" in done.stderr
    found, done = verify(out, "ipv6")
    assert {one["result"] for one in found} == {"missing"}
    assert done.returncode == 1


def test_tables_of_both_forms(captures: Any, tmp_path: Path) -> None:
    """Two sensors: a mail that one of them saw is not counted again in the other form."""
    out = made(tmp_path, "exact", "poplib")
    zeekpop3.run(golden.log_of("ipv6", "plain"), out, mode="append")
    found, done = verify(out, "poplib", "ipv6")
    assert (bad(found), done.returncode) == ([], 0)
    assert done.stderr == f"{len(found)} mails: {len(found)} same, 0 differs, 0 missing\n"


def test_tables_without_bytes_are_compared_by_hash(captures: Any, tmp_path: Path) -> None:
    """What has neither is not called the same."""
    out = made(tmp_path, "exact", "poplib", "gap", privacy=Privacy(keep_raw=False, hash_key=b"k"))
    complete = zeekpop3.read_emails(out)["complete"].tolist()
    found, done = verify(out, "poplib", "gap")
    results = [one["result"] for one in found]
    assert results.count("same") == complete.count(True)
    assert results.count("not compared") == complete.count(False) > 0
    assert done.returncode == 1


def test_mails_from_files_are_not_compared(captures: Any, tmp_path: Path) -> None:
    """They did not come over the wire."""
    (tmp_path / "x.eml").write_bytes(b"Subject: a\r\n\r\nb\r\n")
    zeekpop3.import_mails(tmp_path / "x.eml", tmp_path / "out")
    found, done = verify(tmp_path / "out", "poplib")
    assert [one["reason"] for one in found] == ["it came from a file, not from the wire"]
    assert done.returncode == 1


def test_a_damaged_file_is_named(captures: Any, tmp_path: Path) -> None:
    """Wherever a bit of the stored messages flips: a mail, or the file."""
    out = made(tmp_path, "exact", "poplib")
    (part,) = (out / "emails").rglob("*.parquet")
    whole = part.read_bytes()
    group = pq.read_metadata(part).row_group(0)
    raw = next(group.column(n) for n in range(group.num_columns) if group.column(n).path_in_schema == "raw")
    start = raw.dictionary_page_offset or raw.data_page_offset
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    places = [start + step * raw.total_compressed_size // 12 for step in range(1, 12)]
    for place in [*places, footer, len(whole) - 6, len(whole) - 1]:
        part.write_bytes(flipped(whole, place))
        found, done = verify(out, "poplib")
        assert done.returncode != 0
        assert bad(found) or part.name in done.stderr


def test_only_the_mails_that_are_asked_for(captures: Any, tmp_path: Path) -> None:
    """The filters of the command."""
    out = made(tmp_path, "exact", "poplib", "gap")
    found, done = verify(out, "poplib", more=["--until", "2026-11-23T23:20:56"])
    assert (bad(found), done.returncode) == ([], 0)
    assert 0 < len(found) < len(zeekpop3.read_emails(out))


def test_for_people_and_programs(captures: Any, tmp_path: Path) -> None:
    """People see what is not the same; the function gives all, and raises for what cannot be read."""
    out = made(tmp_path, "exact", "poplib")
    mail = changed(out, "raw", flipped)
    done = program("verify", out, "--pcap", "/captures/poplib.pcap")
    assert [line.split()[2] for line in done.stdout.splitlines()[2:]] == [mail]
    frame = zeekpop3.verify(out, pcap="/captures/poplib.pcap")
    assert frame["result"].value_counts().to_dict() == {"same": len(frame) - 1, "differs": 1}
    with pytest.raises(ZeekError, match="zeek failed"):
        zeekpop3.verify(out, pcap=["/captures/x.pcap"])
    with pytest.raises(QueryError):
        zeekpop3.verify(tmp_path, pcap=["/captures/poplib.pcap"])
    assert program("verify", out, "--pcap", "a", "--dns", "b").returncode == 2


@pytest.mark.zeek
def test_with_zeek(zeek: str, fixtures: Path, tmp_path: Path) -> None:
    """Captures of both forms and of another port; a flipped bit of a packet; a capture of something else."""
    for name, how in (("port-1110", ()), ("poplib", ()), ("ipv6", ("--plain",))):
        out = tmp_path / name
        capture = fixtures / f"{name}.pcap"
        assert program("pcap", capture, "--out", out, *how).returncode == 0
        done = program("verify", out, "--pcap", capture, "--zeek", zeek)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    data = (fixtures / "poplib.pcap").read_bytes()
    longest = max(zeekpop3.read_emails(tmp_path / "poplib", columns="raw")["raw"], key=len)
    at = data.index(longest[200:240]) + 20
    other = tmp_path / "poplib.pcap"
    other.write_bytes(flipped(data, at))
    done = program("verify", tmp_path / "poplib", "--pcap", other, "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    (one,) = (one for one in found if one["result"] != "same")
    assert f"at byte {one['offset']} 0x{data[at]:02x}, there 0x{data[at] ^ 1:02x}" in one["reason"]
    assert done.returncode == 1
    assert program("verify", tmp_path / "poplib", "--pcap", __file__).returncode == 1
