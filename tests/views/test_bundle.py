"""`eml --bundle`: all that is known of a mail in one file, which anybody can check."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

import golden
import zeekpop3
from support.program import program
from support.tables_made import Made
from zeekpop3.errors import OutputError, UsageError
from zeekpop3.store.files import new_file
from zeekpop3.tables.schema import SCHEMA_VERSION
from zeekpop3.views.bundle import MANIFEST
from zeekpop3.views.eml import MARK


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "tables"
    zeekpop3.run(golden.log_of("poplib", "exact"), out, jobs=1)
    return out


def unpacked(file: Path, to: Path) -> Path:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(to)
    return to


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """As anybody checks it."""
    command = ["sha256sum", "-c", MANIFEST]
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def test_what_is_in_it(tables: Path, tmp_path: Path) -> None:
    """The message, where it came from, its hashes, versions, and the log that was read."""
    mail = zeekpop3.read_emails(tables, columns=["uid", "trans_depth", "raw", "sha256", "log"]).iloc[3]
    key = f"{mail['uid']}/{mail['trans_depth']}"
    done = program("eml", tables, key, "--bundle", tmp_path / "case.zip")
    assert (done.returncode, done.stderr) == (0, f"1 mail -> {tmp_path / 'case.zip'}\n")
    folder = unpacked(tmp_path / "case.zip", tmp_path / "case")
    assert checked(folder).returncode == 0
    name = key.replace("/", "-")
    of_mail = ("message.eml", "record.json", "connection.json", "hashes.json", "dkim.json")
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        *(f"{name}/{each}" for each in of_mail),
        *("inputs.json", "versions.json", MANIFEST),
    }
    assert (folder / name / "message.eml").read_bytes() == mail["raw"]
    record, connection = read(folder, f"{name}/record.json"), read(folder, f"{name}/connection.json")
    assert "raw" not in record
    assert record["sha256"] == mail["sha256"]
    assert connection["stream_end"] - connection["stream_start"] > len(mail["raw"])
    assert (connection["id_resp_p"], connection["session"]["closed"]) == (110, "closed")
    assert read(folder, f"{name}/hashes.json")["sha256"] == hashlib.sha256(mail["raw"]).hexdigest()
    assert [row["file"] for row in read(folder, "inputs.json")] == [mail["log"]]
    assert read(folder, "versions.json") == {"zeekpop3": zeekpop3.__version__, "schema": SCHEMA_VERSION}
    assert stat.S_IMODE((tmp_path / "case.zip").stat().st_mode) == 0o600


@pytest.mark.slow
def test_the_same_tables_give_the_same_bytes(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever order the mails are named, at another time, in another time zone, by any umask."""
    mails = zeekpop3.read_emails(tables, columns=["uid", "trans_depth"])
    keys = [f"{uid}/{depth}" for uid, depth in mails.itertuples(index=False)]
    zeekpop3.eml(tables, tmp_path / "a.zip", keys, bundle=True)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    old = os.umask(0)
    try:
        zeekpop3.eml(tables, tmp_path / "b.zip", [*reversed(keys), keys[0]], bundle=True)
        zeekpop3.eml(tables, tmp_path / "c.zip", bundle=True)
    finally:
        os.umask(old)
    assert len({(tmp_path / f"{name}.zip").read_bytes() for name in "abc"}) == 1


def test_a_flipped_bit_is_named(tables: Path, tmp_path: Path) -> None:
    """In each file of the bundle, by sha256sum; in the zip itself, by its checksums."""
    zeekpop3.eml(tables, tmp_path / "case.zip", bundle=True, user="lisi")
    folder = unpacked(tmp_path / "case.zip", tmp_path / "case")
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    for name in [name for name in names if name != MANIFEST][-20:]:
        whole = (folder / name).read_bytes()
        at = len(whole) // 3
        (folder / name).write_bytes(whole[:at] + bytes((whole[at] ^ 4,)) + whole[at + 1 :])
        found = checked(folder)
        assert found.returncode == 1
        told = [line for line in found.stdout.splitlines() if not line.endswith(": OK")]
        assert told == [f"{name}: FAILED"]
        (folder / name).write_bytes(whole)
    assert checked(folder).returncode == 0
    data = bytearray((tmp_path / "case.zip").read_bytes())
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        member = max(archive.infolist(), key=lambda info: info.file_size)
    data[member.header_offset + 30 + len(member.filename) + member.file_size // 2] ^= 1
    (tmp_path / "case.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        assert archive.testzip() == member.filename


def test_an_existing_file_stays(tables: Path, tmp_path: Path) -> None:
    """Unless it is asked for; also one that appears while the bundle is written, and a dangling link."""
    file = tmp_path / "case.zip"
    file.write_text("mine")
    done = program("eml", tables, "--bundle", file)
    assert (done.returncode, file.read_text()) == (2, "mine")
    assert done.stderr == f"zeekpop3: {file}: exists already\n"
    assert program("eml", tables, "--bundle", file, "--overwrite").returncode == 0
    assert zipfile.is_zipfile(file)
    link = tmp_path / "link.zip"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists already"):
        zeekpop3.eml(tables, link, bundle=True)
    late = tmp_path / "late.zip"
    with pytest.raises(OutputError, match="exists already"), new_file(late, exclusive=True) as out:
        out.write(b"ours")
        late.write_text("theirs")
    assert late.read_text() == "theirs"
    assert {path.name for path in tmp_path.iterdir()} == {"case.zip", "link.zip", "late.zip"}


def test_rebuilt_mails_and_mails_without_bytes(made: Made, tmp_path: Path) -> None:
    """A rebuilt mail is marked, as in an .eml file; without bytes there is nothing to write."""
    zeekpop3.eml(made.path, tmp_path / "case.zip", bundle=True)
    folder = unpacked(tmp_path / "case.zip", tmp_path / "case")
    assert checked(folder).returncode == 0
    plain = [each for each in made.transfers if each.fidelity == "trimmed"]
    assert plain
    for each in plain:
        name = f"{each.uid}-{each.trans_depth}"
        assert (folder / name / "message.eml").read_bytes() == MARK + each.raw
        assert read(folder, f"{name}/hashes.json")["sha256"] == hashlib.sha256(each.raw).hexdigest()
    settings = zeekpop3.Settings(zeekpop3.Privacy(keep_raw=False))
    zeekpop3.run(golden.log_of("article", "exact"), tmp_path / "out", settings=settings)
    done = program("eml", tmp_path / "out", "--bundle", tmp_path / "none.zip")
    assert done.returncode == 1
    assert not (tmp_path / "none.zip").exists()


def test_names_in_it_are_ours(tmp_path: Path) -> None:
    """A uid that leads elsewhere becomes its hash."""
    log = tmp_path / "x.log"
    text = golden.log_of("article", "exact").read_bytes()
    uid = next(line for line in text.splitlines() if not line.startswith(b"#")).split(b"\t")[1]
    log.write_bytes(text.replace(uid, b"../../up"))
    zeekpop3.run(log, tmp_path / "out")
    zeekpop3.eml(tmp_path / "out", tmp_path / "case.zip", bundle=True)
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        names = archive.namelist()
    assert not [name for name in names if ".." in name or name.startswith("/")]
    assert checked(unpacked(tmp_path / "case.zip", tmp_path / "case")).returncode == 0


def test_signatures_and_their_keys(fixtures: Path, tmp_path: Path) -> None:
    """The results are those of `verify`, and the keys that they rest on are there."""
    zeekpop3.run(fixtures / "trial" / "logs", tmp_path / "out")
    dns = str(fixtures / "trial" / "logs")
    verdicts = zeekpop3.verify(tmp_path / "out", dns=dns)
    passed = verdicts[verdicts["result"] == "pass"].iloc[0]
    key = f"{passed['uid']}/{passed['trans_depth']}"
    zeekpop3.eml(tmp_path / "out", tmp_path / "case.zip", key, bundle=True, dns=dns)
    told = read(unpacked(tmp_path / "case.zip", tmp_path / "case"), key.replace("/", "-") + "/dkim.json")
    assert told["results"][0]["result"] == "pass"
    assert told["keys"][0]["name"] == f"{passed['selector']}._domainkey.{passed['domain']}"


@pytest.mark.parametrize(
    "words",
    [("--bundle", "a", "--mbox", "b"), ("--bundle", "a", "--attachments"), ("--out", "a", "--dns", "b")],
)
def test_options_that_do_not_fit(tables: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """One output, and options of the bundle only for it."""
    assert program("eml", tables, *words).returncode == 2
    with pytest.raises(UsageError):
        zeekpop3.eml(tables, tmp_path / "x", bundle=True, mbox=True)
