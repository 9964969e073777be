""".eml files: the very bytes, names that no mail chose, and a manifest that says what is what."""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import mailbox
import stat
from pathlib import Path
from typing import Any

import pytest

from support.program import program
from support.records import transfer
from support.tables_made import PDF, Made, with_attachment, write
from zeekpop3.errors import OutputError
from zeekpop3.store.filters import Filters
from zeekpop3.views.eml import MARK, export, file_name


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_exact_mails_come_out_byte_for_byte(made: Made, tmp_path: Path) -> None:
    """The exact form as it was, the plain form with our field on top; the manifest names each."""
    written = export(made.path, tmp_path / "to")
    assert (written.mails, written.previews, written.without_raw) == (len(made.transfers) - 1, 1, 0)
    for each in made.transfers:
        expected = each.raw if each.fidelity == "exact" else MARK + each.raw
        assert (tmp_path / "to" / f"{each.uid}-{each.trans_depth}.eml").read_bytes() == expected
    facts = {entry["file"]: entry for entry in manifest(tmp_path / "to")}
    assert set(facts) == {p.name for p in (tmp_path / "to").glob("*.eml")}
    assert facts["CbbbB2-3.eml"]["complete"] is False
    assert facts["CbbbB2-3.eml"]["missing_bytes"] == 34
    assert facts["CaaaA1-1.eml"]["sha256"] == hashlib.sha256(made.transfers[0].raw).hexdigest()


def test_another_parser_reads_the_same_fields(made: Made, tmp_path: Path) -> None:
    """The standard library opens what we wrote, the mark included, with the fields of the table."""
    export(made.path, tmp_path)
    for name in ("CaaaA1-2.eml", "CcccC3-1.eml"):
        parsed = email.message_from_bytes((tmp_path / name).read_bytes(), policy=email.policy.default)
        assert parsed["Subject"] in ("report", "This is a test mail")
        assert "lisi@example.org" in parsed["From"]
        assert (parsed["X-Zeekpop3-Fidelity"] == "trimmed") == (name == "CcccC3-1.eml")


def test_attachments_by_hash(made: Made, tmp_path: Path) -> None:
    """Each content once, under its SHA-256; the manifest says who got it, under which name."""
    written = export(made.path, tmp_path, attachments=True)
    assert (written.attachments, len(written.contents)) == (3, 2)
    folder = tmp_path / "attachments"
    assert (folder / hashlib.sha256(PDF).hexdigest()).read_bytes() == PDF
    assert sorted(p.name for p in folder.iterdir() if p.suffix == "") == sorted(
        hashlib.sha256(content).hexdigest() for content in (PDF, b"own")
    )
    assert [(e["uid"], e["user"], e["filename"]) for e in manifest(folder)] == [
        ("CaaaA1", "zhangsan", "r.pdf"),
        ("CbbbB2", "wangwu", "other.pdf"),
        ("CbbbB2", "wangwu", "own.pdf"),
    ]


def test_filters(made: Made, tmp_path: Path) -> None:
    """Only what was asked for is written."""
    assert export(made.path, tmp_path, Filters(user="wangwu", incomplete=True)).mails == 1
    assert [p.name for p in tmp_path.glob("*.eml")] == ["CbbbB2-3.eml"]


@pytest.mark.parametrize("uid", ["../../up", "a/b", "", ".", "CON.", "x" * 300, "é", "\x00", "C1-2"])
def test_no_uid_leads_out_of_the_folder(uid: str) -> None:
    """A log can say anything; a file name is ours alone, and differs where uids differ."""
    name = file_name(uid, 1)
    assert name.isascii()
    assert "/" not in name
    assert name[0] == "x"
    assert len(name) < 100
    assert file_name("CHhAvVGS1DHFjwGM9", 3) == "CHhAvVGS1DHFjwGM9-3.eml"


def test_hostile_names_stay_in_the_manifest(tmp_path: Path) -> None:
    """An attachment called ../../x is a name in a manifest; links in the folder are not followed."""
    raw = with_attachment("../../../escape\x1b.pdf")
    write(tmp_path / "out", [transfer(uid="../CevilUid", raw=raw)])
    victim = tmp_path / "victim"
    victim.write_text("mine")
    to = tmp_path / "to"
    to.mkdir()
    (to / "manifest.jsonl").symlink_to(victim)
    (to / file_name("../CevilUid", 1)).symlink_to(victim)
    export(tmp_path / "out", to, attachments=True)
    assert victim.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "to", "victim"]
    assert (to / file_name("../CevilUid", 1)).read_bytes() == raw


def test_mails_by_key(made: Made, tmp_path: Path) -> None:
    """UID/DEPTH names the mails to write; the beginning of a uid is enough, an unknown one is an error."""
    done = program("eml", made.path, "CbbbB2/2", "Caaa/1", "--out", tmp_path / "to")
    assert (done.returncode, done.stderr) == (0, f"2 mails -> {tmp_path / 'to'}\n")
    assert sorted(p.name for p in (tmp_path / "to").glob("*.eml")) == ["CaaaA1-1.eml", "CbbbB2-2.eml"]
    done = program("eml", made.path, "Cnone/1", "--out", tmp_path / "none")
    assert (done.returncode, (tmp_path / "none").exists()) == (1, False)


def test_mbox(made: Made, tmp_path: Path) -> None:
    """One file that other programs read: as many messages, the same contents, LF line ends."""
    tricky = [
        transfer(raw=b"Subject: a\r\n\r\nFrom here\r\n>From there\r\n>>From\r\nend"),
        transfer(trans_depth=2, raw=b"Subject: b\r\n\r\n\r\n", ts=1),
        transfer(trans_depth=3, command="TOP", raw=b"Subject: c\r\n\r\n"),
    ]
    write(tmp_path / "out", tricky)
    done = program("eml", tmp_path / "out", "--mbox", tmp_path / "x.mbox")
    assert done.stderr == f"2 mails, 1 preview (TOP) -> {tmp_path / 'x.mbox'}\n"
    found = {message["Subject"]: message for message in mailbox.mbox(tmp_path / "x.mbox", create=False)}
    assert list(found) == ["b", "a", "c"]
    assert found["a"].get_payload() == ">From here\n>>From there\n>>From\nend\n"
    assert stat.S_IMODE((tmp_path / "x.mbox").stat().st_mode) == 0o600
    export_mbox = program("eml", made.path, "--mbox", tmp_path / "all.mbox")
    assert export_mbox.returncode == 0
    assert len(mailbox.mbox(tmp_path / "all.mbox", create=False)) == len(made.transfers)


def test_where_to(made: Made, tmp_path: Path) -> None:
    """--out or --mbox is needed; --to is the recipient."""
    assert program("eml", made.path).returncode == 2
    assert program("eml", made.path, "--out", "a", "--mbox", "b").returncode == 2
    assert program("eml", made.path, "--to", tmp_path / "old").returncode == 2
    done = program("eml", made.path, "--to", "ZHANGSAN@example", "--out", tmp_path / "new")
    assert done.stderr.startswith("3 mails ->")


def test_private_modes(made: Made, tmp_path: Path) -> None:
    """Files 0600, folders 0700."""
    export(made.path, tmp_path / "to", attachments=True)
    for path in [tmp_path / "to", *(tmp_path / "to").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_the_program(made: Made, tmp_path: Path) -> None:
    """`zeekpop3 eml` counts mails and previews apart; a folder that cannot be is one line."""
    done = program("eml", made.path, "--out", tmp_path / "to", "--attachments")
    assert (done.returncode, done.stdout) == (0, "")
    mails = len(made.transfers) - 1
    assert done.stderr.startswith(f"{mails} mails, 1 preview (TOP), 3 attachments (2 different) ->")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot (be written|create)"):
        export(made.path, tmp_path / "file")
