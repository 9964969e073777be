"""Mails in files become the same records as mails from the wire; each once, privately, within bounds."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import golden
import zeekpop3
from support.dialogues import dialogue
from support.growing import lines_of
from support.hostile_mails import GENERATORS
from support.log_rows import head
from support.program import program
from support.tables_made import PAYLOADS, hostile, with_attachment
from zeekpop3.errors import LogError, OutputError, UsageError
from zeekpop3.tables import Privacy

TRANSPORT = {
    *("ts", "uid", "trans_depth", "id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p", "community_id"),
    *("sensor", "user", "command", "msg_num", "uidl", "octets_declared", "mail_id", "day"),
    *("log", "stream_start", "stream_end"),
}
ODD = [
    b"Subject: from\r\n\r\nFrom the start\r\n>From there\r\n>>From\r\n\r\nFrom nobody at all\r\n\r\n",
    b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n",
    b"Subject: blank lines at the end\r\n\r\nx\r\n\r\n\r\n\r\n",
    b"Subject: no body\r\n\r\n",
    b"Subject: only a header\r\n",
    b"Subject: \xff\xfe 8 bit\r\n\r\nlone \r in a line \xe9\r\n",
]


def two_hundred() -> list[bytes]:
    """Mails as servers send them: CRLF line ends, also at the end."""
    rng = random.Random(1)
    mails = [*ODD, *map(hostile, PAYLOADS)]
    makers = list(GENERATORS.values())
    while len(mails) < 200:
        if rng.random() < 0.5:
            mails.append(with_attachment(f"{len(mails)}.pdf", rng.randbytes(rng.randrange(900))))
        else:
            mails.append(makers[len(mails) % len(makers)](rng.randrange(200, 3_000)))
    lines = ([line.rstrip(b"\r") for line in mail.split(b"\n")] for mail in mails)
    return [b"\r\n".join(found if not found[-1] else [*found, b""]) for found in lines]


MAILS = two_hundred()


def as_log(path: Path, mails: list[bytes]) -> Path:
    """The event log of a connection that fetches them."""
    turns = [("USER lisi", b"+OK\r\n"), ("PASS x", b"+OK\r\n")]
    for number, mail in enumerate(mails, 1):
        stuffed = b"\n".join(b"." * line.startswith(b".") + line for line in mail.split(b"\n"))
        turns.append((f"RETR {number}", b"+OK\r\n" + stuffed + b".\r\n"))
    path.write_bytes(head().encode() + b"".join(lines_of({"Cwire": dialogue(*turns, exact=True)})))
    return path


def as_mbox(path: Path, mails: list[bytes], quote: bytes = b">") -> Path:
    """mboxrd, as Dovecot and `zeekpop3 eml --mbox` write it."""
    import re

    parts = []
    for mail in mails:
        text = mail.replace(b"\r\n", b"\n")
        parts.append(b"From lisi@example.org Mon Jun 24 12:00:00 2024\n")
        parts.append(re.sub(rb"^>*From ", lambda match: quote + match[0], text, flags=re.MULTILINE) + b"\n")
    path.write_bytes(b"".join(parts))
    return path


def as_maildir(path: Path, mails: list[bytes]) -> Path:
    """Some new, some seen; what is being written does not count."""
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True)
    (path / "tmp" / "half").write_bytes(b"Subject: half\n\nx\n")
    (path / "dovecot.index").write_bytes(b"\0\1")
    for number, mail in enumerate(mails):
        name = f"cur/{number:04}.host:2,S" if number % 2 else f"new/{number:04}.host"
        (path / name).write_bytes(mail.replace(b"\r\n", b"\n"))
    return path


def as_eml(path: Path, mails: list[bytes]) -> Path:
    path.mkdir()
    for number, mail in enumerate(mails):
        (path / f"{number:04}.eml").write_bytes(mail)
    (path / "readme.txt").write_text("not a mail")
    return path


def records(out: Path) -> list[dict[str, Any]]:
    """The mails without what the transport says, sorted."""
    rows = zeekpop3.sql(out, "select * from emails").to_dict("records")
    return sorted(({k: v for k, v in row.items() if k not in TRANSPORT} for row in rows), key=repr)


@pytest.mark.slow
def test_the_wire_and_every_kind_of_file_give_equal_records(tmp_path: Path) -> None:
    """200 mails over POP3, as mbox, as Maildir, as .eml: all columns but those of the transport."""
    zeekpop3.run(as_log(tmp_path / "x.log", MAILS), tmp_path / "wire", jobs=1)
    wire = records(tmp_path / "wire")
    assert len(wire) == len(MAILS) == 200
    for name, source in (
        ("mbox", as_mbox(tmp_path / "mails.mbox", MAILS)),
        ("maildir", as_maildir(tmp_path / "spool", MAILS)),
        ("eml", as_eml(tmp_path / "files", MAILS)),
    ):
        counts = zeekpop3.import_mails(source, tmp_path / name)
        assert (counts.mails, counts.problems) == (200, 0)
        found = records(tmp_path / name)
        for one, other in zip(found, wire, strict=True):
            assert repr(one) == repr(other)


def test_what_the_rows_say(tmp_path: Path) -> None:
    """No connection, no user, no session; the time of the From line; other tables as of any mail."""
    zeekpop3.import_mails(as_mbox(tmp_path / "x.mbox", [with_attachment("a.pdf")]), tmp_path / "out")
    (mail,) = zeekpop3.read_emails(tmp_path / "out").to_dict("records")
    assert (mail["command"], mail["trans_depth"], mail["fidelity"]) == ("FILE", 1, "exact")
    assert mail["uid"].startswith("F")
    assert pd.isna(mail["user"])
    assert str(mail["ts"]) == "2024-06-24 12:00:00+00:00"
    assert len(zeekpop3.read_sessions(tmp_path / "out")) == 0
    assert len(zeekpop3.read_attachments(tmp_path / "out")) == 1


def test_what_eml_writes_comes_back(made: Any, tmp_path: Path) -> None:
    """`eml --mbox` and back: the same hashes."""
    whole = program("eml", made.path, "--mbox", tmp_path / "x.mbox", "--user", "wangwu")
    assert whole.returncode == 0
    zeekpop3.import_mails(tmp_path / "x.mbox", tmp_path / "out")
    before = zeekpop3.mails(made.path, user="wangwu", columns=["sha256", "complete"])
    found = set(zeekpop3.read_emails(tmp_path / "out")["sha256"])
    assert set(before["sha256"].dropna()) <= found


def test_each_mail_once(tmp_path: Path) -> None:
    """Again with --append: refused, also after a mail was marked as seen; --force adds it."""
    spool, out = as_maildir(tmp_path / "spool", MAILS[:4]), tmp_path / "out"
    assert program("import", spool, spool, spool / "new", "--out", out).returncode == 0
    assert len(zeekpop3.read_emails(out)) == 4
    (spool / "new" / "0000.host").rename(spool / "cur" / "0000.host:2,RS")
    again = program("import", spool / "cur" / "0000.host:2,RS", "--out", out, "--append")
    assert again.returncode == 2
    assert "already contains this mail" in again.stderr
    with pytest.raises(OutputError, match="already contains tables"):
        zeekpop3.import_mails(spool, out)
    other = tmp_path / "other.eml"
    other.write_bytes(MAILS[9])
    assert program("import", other, "--out", out, "--append").returncode == 0
    other.write_bytes(MAILS[10])  # another mail at the same place
    assert program("import", other, "--out", out, "--append").returncode == 0
    assert program("import", other, "--out", out, "--append", "--force").returncode == 0
    assert len(zeekpop3.read_emails(out)) == 7


def test_privacy(tmp_path: Path) -> None:
    """No message, no body, no address of it in any file of the output."""
    raw = b"From: Li Si <lisi@secret.example>\r\nSubject: x\r\n\r\nthe secret body\r\n"
    source = as_eml(tmp_path / "files", [raw])
    settings = zeekpop3.Settings(Privacy(keep_raw=False, keep_body=False, hash_key=b"k"))
    zeekpop3.import_mails(source, tmp_path / "out", settings=settings)
    told = repr(zeekpop3.read_emails(tmp_path / "out").to_dict("records"))
    assert "secret" not in told
    assert "FILE" in told
    done = program("import", source, "--out", tmp_path / "cli", "--hash-users", "k", "--no-body")
    assert done.returncode == 0
    assert "secret" not in repr(zeekpop3.read_emails(tmp_path / "cli").to_dict("records"))


def test_a_mail_that_is_too_large(tmp_path: Path) -> None:
    """What is beyond the limit is counted; the next mail of the mbox is whole."""
    large = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" * 40_000
    source = as_mbox(tmp_path / "x.mbox", [large, MAILS[0]])
    (tmp_path / "x.eml").write_bytes(large)
    settings = zeekpop3.Settings(max_message=10_000)
    zeekpop3.import_mails([source, tmp_path / "x.eml"], tmp_path / "out", settings=settings)
    rows = zeekpop3.read_emails(tmp_path / "out").to_dict("records")
    assert sorted(row["complete"] for row in rows) == [False, False, True]
    for row in rows:
        if not row["complete"]:
            assert row["missing_bytes"] > 0
            assert "message_too_large" in row["defects"]
            assert pd.isna(row["sha256"])


@pytest.mark.slow
@pytest.mark.parametrize("text", [b"\n", b"x" * 1_000, b"From \n", b"\nFrom x 1:11\n"], ids=repr)
def test_memory_is_bounded(tmp_path: Path, text: bytes) -> None:
    """Lines of a byte, one line without an end, millions of From lines."""
    from zeekpop3.pipeline.mail_files import mails_in

    path = tmp_path / "x.mbox"
    path.write_bytes(b"From a 1:11\n" + text * (400_000 // len(text)))
    tracemalloc.start()
    try:
        for mail in mails_in(path, 1 << 20, pytest.fail):
            assert len(mail.raw) <= 2 << 20
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    """Whatever the limit of one mail is: there may be many thousand files."""
    from zeekpop3.pipeline.mail_files import mails_in

    (tmp_path / "x.eml").write_bytes(MAILS[0])
    tracemalloc.start()
    try:
        (mail,) = mails_in(tmp_path / "x.eml", 64 << 20, pytest.fail)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert mail.raw == MAILS[0]


def test_odd_files(tmp_path: Path) -> None:
    """A missing path, a folder without mails, an empty file, a FIFO, damaged gzip: each is one error."""
    import os

    with pytest.raises(LogError, match="no such file"):
        zeekpop3.import_mails(tmp_path / "none", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogError, match="no mails in this folder"):
        zeekpop3.import_mails(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(UsageError):
        zeekpop3.import_mails(tmp_path, tmp_path / "out", mode="other")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
    files = as_eml(tmp_path / "files", [MAILS[0]])
    (files / "a.eml").write_bytes(b"")
    (files / "b.eml.gz").write_bytes(gzip.compress(MAILS[1])[:-9])
    os.mkfifo(files / "c.eml")
    (files / "d.eml").symlink_to("/etc/passwd")
    done = program("import", files, files / "c.eml", "--out", tmp_path / "out")
    assert done.returncode == 1
    for said in ("a.eml: empty file", "truncated gzip", "c.eml: not a regular file"):
        assert said in done.stderr
    assert len(zeekpop3.read_emails(tmp_path / "out")) == 2


def test_run_names_the_command(tmp_path: Path) -> None:
    """A mail given to `run`."""
    (tmp_path / "x.eml").write_bytes(MAILS[0])
    assert "zeekpop3 import" in program("run", tmp_path / "x.eml", "--out", tmp_path / "out").stderr


@pytest.mark.slow
def test_a_mail_beside_those_of_a_log(tmp_path: Path) -> None:
    """Appended to the tables of a run; listed, shown, searched and exported like the others."""
    out = tmp_path / "out"
    zeekpop3.run(golden.log_of("article", "exact"), out)
    (tmp_path / "x.eml").write_bytes(MAILS[0])
    zeekpop3.import_mails(tmp_path / "x.eml", out, mode="append")
    uid = next(uid for uid in zeekpop3.read_emails(out)["uid"] if uid.startswith("F"))
    for command in (
        ["show", out],
        ["show", out, uid],
        ["sql", out, "--query", "suspicious"],
        ["export", out, "--as", "json"],
    ):
        done = program(*command)
        assert done.returncode == 0, done.stderr
    assert f'"{uid}/1"' in program("export", out, "--as", "ecs").stdout
    assert program("report", out, "--output", tmp_path / "x.html").returncode == 0
