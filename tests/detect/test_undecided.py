"""What cannot be ruled out: attachments that were not looked into, limits, doubtful numbers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import zeekpop3
from support import tables_made
from support.archives import central, compound, deflated, end, local, mail_with, zipped
from support.records import NOON, transfer

EXE = b"MZ\x90\0 not really a program" * 50
PLAIN = b"From: a@a.example\r\nSubject: s\r\n\r\nHello\r\n"
LOCKED = local(b"a.exe", deflated(EXE), EXE, flags=1)
LOCKED += end(central(b"a.exe", len(deflated(EXE)), EXE, 0, flags=1), len(LOCKED))
DEEP = zipped({"1.zip": zipped({"2.zip": zipped({"a.exe": EXE})})})
MAILS = {
    "plain": PLAIN,
    "listed": mail_with(zipped({"docs/Invoice.exe": EXE, "b": b"b"}), "invoice.zip"),
    "encrypted": mail_with(LOCKED, "secret.zip"),
    "unsupported": mail_with(b"Rar!\x1a\x07\x01\0 ....", "a.rar"),
    "broken": mail_with(zipped({"a.exe": EXE})[:-90], "half.zip"),
    "too large": mail_with(DEEP, "deep.zip"),
    "page": mail_with(zipped({"page.html": b"<a href=http://x.example>y</a>"}), "page.zip"),
    "script": mail_with(b"<script>location = a(b)</script>", "script.html"),
    "paper": mail_with(zipped({"paper.pdf": b"%PDF-1.4"}), "paper.zip"),
    "macro": mail_with(compound({"VBA/Module1": b"compressed" * 500}), "bill.doc"),
    "macro within": mail_with(
        zipped({"word/vbaProject.bin": compound({"VBA/Module1": b"compressed" * 500})}), "bill.docm"
    ),
}
HASHES = [hashlib.new(name, EXE).hexdigest() for name in ("md5", "sha1", "sha256")]
OPEN = {"encrypted", "unsupported", "too large", "script"}


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undecided") / "out"
    tables_made.write(out, [transfer(uid=name, raw=raw, ts=NOON) for name, raw in MAILS.items()])
    return out


def hunted(path: Path, tmp_path: Path, *values: str) -> tuple[set[str], dict[str, str], list[dict[str, Any]]]:
    """The uids with hits, the reasons of those that are undecided, the hits."""
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(values) + "\n")
    found = zeekpop3.hunt(path, listed)
    rows = found.table.to_pylist()
    reasons = {row["uid"]: row["reason"] for row in found.undecided.to_pylist()}
    return {row["uid"] for row in rows}, reasons, rows


@pytest.mark.parametrize("value", HASHES)
def test_a_file_in_an_archive(mails: Path, tmp_path: Path, value: str) -> None:
    """A hash of whatever kind is found in an archive; what was not looked into cannot be ruled out."""
    hits, reasons, rows = hunted(mails, tmp_path, value)
    assert hits == {"listed"}
    assert {(row["part"], row["field"].partition(".")[0]) for row in rows} == {("2", "members")}
    assert set(reasons) == OPEN | {"broken"}
    assert reasons["encrypted"] == "attachment 2 (secret.zip) is encrypted"
    assert (
        reasons["unsupported"] == "attachment 2 (a.rar) is, or has in it, a file of a type that is not opened"
    )
    assert reasons["broken"] == "attachment 2 (half.zip) is broken"
    assert (
        reasons["too large"] == "attachment 2 (deep.zip) is too large, or nested too deeply, to be unpacked"
    )


@pytest.mark.slow
def test_names_links_and_addresses(mails: Path, tmp_path: Path) -> None:
    """A name is found among members; links in pages are found; a sender can be ruled out."""
    hits, reasons, _ = hunted(mails, tmp_path, "indicator,type", "invoice.EXE,FILE_NAME")
    assert (hits, set(reasons)) == ({"listed"}, OPEN | {"broken"})
    hits, reasons, _ = hunted(mails, tmp_path, "http://evil.example/x")
    assert (hits, set(reasons)) == (set(), OPEN | {"broken", "macro", "macro within"})
    assert reasons["macro"] == "macros of attachment 2 (bill.doc) are not read"
    assert hunted(mails, tmp_path, "http://x.example/")[0] == {"page"}
    assert hunted(mails, tmp_path, "someone@evil.example")[:2] == (set(), {})


@pytest.mark.slow
def test_limits(tmp_path: Path) -> None:
    """What a limit cut off is not ruled out, for what may lie there."""
    out = tmp_path / "out"
    many = PLAIN.replace(b"Hello", b" ".join(b"http://a.example/%d" % number for number in range(12_000)))
    part = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    nested = b"".join(part % (number, number) for number in range(120))
    tables_made.write(out, [transfer(uid="many", raw=many), transfer(uid="deep", raw=nested)])
    assert hunted(out, tmp_path, "http://evil.example/x")[1] == {
        "many": "it has more links than are kept, or some that could not be read",
        "deep": "its parts are nested too deeply",
    }  # fmt: skip
    assert set(hunted(out, tmp_path, "0" * 64)[1]) == {"deep"}


def test_readings_that_were_not_tried(tmp_path: Path) -> None:
    """501 decoys use up the readings, then comes the part that a mail program shows."""
    out = tmp_path / "out"
    decoy = b"--b\r\nContent-Type: text/html\r\nX-A: y\r\r<p>hello</p>\r\nX-B: z\r\n\r\nbenign\r\n"
    shown = decoy.replace(b"<p>hello</p>", b'<a href="http://evil.example/login">log in</a>')
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + decoy * 501 + shown + b"--b--\r\n"
    tables_made.write(out, [transfer(uid="decoys", raw=raw)])
    hits, reasons, _ = hunted(out, tmp_path, "http://evil.example/login")
    assert hits or reasons == {"decoys": "not all other readings of its bytes were tried"}


def test_mails_that_were_lost_or_are_doubtful(tmp_path: Path) -> None:
    """An answer that is missing; two versions of bytes; a number that may be that of another mail."""
    out = tmp_path / "out"
    cut = {"raw": b"", "complete": False, "missing_bytes": 99, "defects": ["answer_missing"]}
    tables_made.write(
        out,
        [
            transfer(uid="C1", trans_depth=1, msg_num=1, uidl="u1", **cut),
            transfer(uid="C1", trans_depth=2, msg_num=1, uidl=None, raw=PLAIN, defects=["number_doubtful"]),
            transfer(uid="C2", trans_depth=1, msg_num=1, uidl="u2", **cut),
            transfer(uid="C2", trans_depth=2, msg_num=1, uidl="u2", raw=PLAIN),
            transfer(uid="C3", raw=PLAIN, uidl="u3", defects=["stream_ambiguous"]),
            transfer(uid="C4", raw=PLAIN, uidl="u4", command="TOP", octets_declared=len(PLAIN)),
            transfer(uid="C5", raw=PLAIN, uidl="u5", command="TOP", octets_declared=len(PLAIN) + 1),
        ],
    )
    assert hunted(out, tmp_path, "someone@evil.example")[1] == {
        "C1": "the whole answer is missing",
        "C3": "the capture has two versions of its bytes",
        "C5": "preview only (TOP); the mail was not fetched",
    }


def test_tables_of_earlier_versions(fixtures: Path, tmp_path: Path) -> None:
    """They have no members: an archive in them was not looked into."""
    out = tmp_path / "out"
    tables_made.write(out, [transfer(uid="C1", raw=mail_with(zipped({"a.exe": EXE}), "a.zip"))])
    (part,) = out.glob("attachments/*/*.parquet")
    table = pq.read_table(part, partitioning=None)
    pq.write_table(table.drop_columns(["reading", "other_names", "inside"]), part)
    (members,) = out.glob("members/*/*.parquet")
    members.unlink()
    assert hunted(out, tmp_path, HASHES[0])[1] == {
        "C1": "attachment 2 (a.zip) was not looked into by the version that wrote the tables"
    }


def test_a_script_may_lead_anywhere(mails: Path, tmp_path: Path) -> None:
    """It is not run, so neither links nor files that it makes can be ruled out; a sender can."""
    assert "script" in hunted(mails, tmp_path, "http://evil.example/")[1]
    assert "script" in hunted(mails, tmp_path, HASHES[0])[1]
    assert "script" not in hunted(mails, tmp_path, "someone@evil.example")[1]
