"""Tables for others: what is own is nowhere in them, what is the attacker's is there as it was."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path

import duckdb
import pytest

from support.program import program
from support.records import NOON, command, session, transfer
from support.report_boxes import write_box
from zeekpop3.errors import QueryError
from zeekpop3.session.events import ConnId, Listed
from zeekpop3.store.read import read
from zeekpop3.tables import TABLES
from zeekpop3.views.share import Own, Pseudonyms, share

CONN = ConnId("10.20.0.11", 41000, "198.51.100.7", 110)
TOKEN = base64.b64encode(b"user=benedikta@corp.example;x").decode()
#: In all places where a mail can name its reader.
PLANTED = f"""From: "Payroll" <hr@c0rp-payroll.test>\r
To: Benedikta Winterberg <benedikta@corp.example>, zwiebelfisch@mail.corp.example\r
Cc: "Quentin Oberholzer" <quentin.oberholzer@corp.example>\r
Delivered-To: benedikta@corp.example\r
Received: from evil.test ([203.0.113.66]) by mx7-intern.corp.example (10.20.9.9)\r
 for <benedikta@corp.example>;\r
 Mon, 24 Jun 2024 10:00:00 +0000\r
Received: from desktop-q17.corp.example ([192.168.77.3]) by evil.test; Mon, 24 Jun 2024 09:00:00 +0000\r
Subject: Benedikta, your salary\r
Message-ID: <1@evil.test>\r
In-Reply-To: <77@mx7-intern.corp.example>\r
X-Originating-IP: [10.77.1.2]\r
X-Note: winterberg\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
Dear Benedikta Winterberg,\r
as Oberholzer said: https://evil.test/login?u=benedikta%40corp%2Eexample&t={TOKEN} and\r
https://portal.corp.example/x, or //fileserver-9.corp.example/share, 10.20.0.99, fd00:1::17.\r
--b\r
Content-Type: text/html\r
\r
<p title="quentin&#46;oberholzer&#64;corp&#46;example">BENEDIKTA</p><a href="https://evil.test/w/winterberg">x</a>\r
--b\r
Content-Type: application/pdf\r
Content-Disposition: attachment; filename="Winterberg_salary.pdf"\r
\r
x\r
--b--\r
"""
OWN = (
    "benedikta", "winterberg", "quentin", "oberholzer", "zwiebelfisch", "corp.example", "mx7-intern",
    "desktop-q17", "fileserver-9", "10.20.0.11", "198.51.100.7", "10.20.9.9", "192.168.77.3", "10.77.1.2",
    "10.20.0.99", "fd00:1::17",
    "sieglinde", "corp%2eexample", TOKEN.lower(), "corp&#46;example",
)  # fmt: skip
KEPT = ("c0rp-payroll.test", "203.0.113.66", "https://evil.test/login?u=", "<1@evil.test>")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A phish for benedikta, in a session that also refused sieglinde; another mail that is not chosen."""
    events = [
        session(
            uid="C1", user="benedikta", users_refused=["sieglinde"], conn_id=CONN,
            greeting="mx7-intern.corp.example ready",
            listing=[Listed(1, 99, "u1")],
        ),
        transfer(uid="C1", raw=PLANTED.encode(), user="benedikta", conn_id=CONN, msg_num=1),
        command(uid="C1", command="USER", argument="benedikta", message="hello benedikta"),
        command(uid="C1", ts=NOON + 1, command="APOP", argument="sieglinde"),
        transfer(uid="C2", raw=b"From: x@other.test\r\nSubject: other\r\n\r\nx\r\n", ts=NOON + 2),
    ]  # fmt: skip
    return write_box(tmp_path / "out", events)


def everything(folder: Path) -> str:
    """All values of all tables as text, and the names of the files."""
    texts = [str(path) for path in folder.rglob("*")]
    for name in TABLES:
        texts += [
            str(row) for row in duckdb.sql(f"from read_parquet('{folder}/{name}/*/*.parquet')").fetchall()
        ]
    return "\n".join(texts).lower()


def test_nothing_own_is_left(tables: Path, tmp_path: Path) -> None:
    """Twenty planted names, hosts, addresses and encodings, in every field, column and text: none is
    found."""
    before = everything(tables)
    assert [name for name in OWN if name not in before and "&#" not in name] == []
    assert share(tables, tmp_path / "case", own=["corp.example"]) == 2
    after = everything(tmp_path / "case").replace(str(tmp_path).lower(), "")
    assert [name for name in OWN if name in after] == []
    assert [name for name in KEPT if name not in after] == []


def test_pseudonyms_are_stable_and_join(tables: Path, tmp_path: Path) -> None:
    """The same user in emails, sessions and commands; the same in a second share; another key, other
    names."""
    for name in ("one", "two"):
        share(tables, tmp_path / name, own=["corp.example"])
    users = [set(read(tmp_path / "one", table)["user"].dropna()) for table in ("sessions", "listings")]
    assert users[0] == users[1] and users[0] <= set(read(tmp_path / "one", "emails")["user"])
    assert set(read(tmp_path / "one", "emails")["user"]) == set(read(tmp_path / "two", "emails")["user"])
    own = Own({"corp.example"}, {"ben"}, set())
    texts = {Pseudonyms(own, bytes([n]) * 32).text("ben at ben@corp.example") for n in range(2)}
    assert len(texts) == 2 and not any("corp" in text for text in texts)


def test_only_the_chosen_mails(tables: Path, tmp_path: Path) -> None:
    """By the filters of the other commands, with what belongs to them; all commands read the result."""
    done = program(
        "share", tables, "--out", tmp_path / "case", "--subject", "salary", "--own", "corp.example"
    )
    assert (done.returncode, done.stderr) == (0, f"1 mail -> {tmp_path / 'case'}\n")
    assert set(read(tmp_path / "case", "emails")["uid"]) == {"C1"}
    assert set(read(tmp_path / "case", "commands")["uid"]) == {"C1"}
    assert read(tmp_path / "case", "emails", columns=["raw"])["raw"].isna().all()
    assert "hr@c0rp-payroll.test" in program("show", tmp_path / "case", "--json").stdout
    done = program("share", tables, "--out", tmp_path / "case", "--own", "corp.example")
    assert (done.returncode, "already contains tables" in done.stderr) == (2, True)


def test_without_an_own_site_nothing_is_shared(tables: Path, tmp_path: Path) -> None:
    """A share that would hide nothing is an error."""
    with pytest.raises(QueryError, match="--own SITE"):
        share(tables, tmp_path / "case")


@pytest.mark.slow
def test_texts_take_linear_time() -> None:
    """Runs of letters, dots, percent signs, colons: eight times the text takes about eight times the time."""
    pseudonyms = Pseudonyms(Own({"corp.example"}, {"ben"}, set()), b"k" * 32)
    for unit in ("a", "a.", "%41", "&#", ":", "a@", "-", "ben.", "1.", "A/", "=", "_"):
        seconds = []
        for size in (50_000, 400_000):
            start = time.process_time()
            pseudonyms.text(unit * (size // len(unit)))
            seconds.append(time.process_time() - start)
        assert seconds[1] < 30 * max(seconds[0], 0.01), (unit, seconds)


#: Spellings of Jörg Weißenburger of wellblech.example in mails, phishing kits and names of files.
SPELLINGS = (
    "Jörg Weißenburger", "JÖRG WEISSENBURGER", "Jo\u0308rg", "joerg.weissenburger", "jorg",
    "JoergWeissenburger", "weissenburgerjoerg", "jweissenburger", "weissenburgerj", "Weissenburger2026",
    "WELLBLECH", b"joerg.weissenburger@wellblech.example".hex(),
    base64.b64encode("Gruß an Jörg".encode()).decode(),
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_spellings_of_own_names(spelling: str) -> None:
    """Accents, joined words, numbers behind them, hex and base64, also as names of files: all go."""
    own = Own({"wellblech.example"})
    for name in ("wellblech", "joerg.weissenburger", "Jörg Weißenburger"):
        own.add_name(name)
    said = Pseudonyms(own, b"k").text(f"Hello {spelling}, see {spelling}.pdf")
    assert [word for word in re.findall(r"[^\W_]{4,}", spelling) if word in said] == []
    assert said.startswith("Hello ") and "see " in said


def test_what_names_us_and_stays_is_told(tmp_path: Path) -> None:
    """A look-alike of the own site is the attacker's: it stays, and a line names it."""
    raw = PLANTED.replace("evil.test", "corp-login.test").encode()
    box = write_box(tmp_path / "t", [transfer(uid="C1", raw=raw, user="benedikta", conn_id=CONN)])
    kept: set[str] = set()
    share(box, tmp_path / "s", own=["corp.example"], kept=kept)
    assert kept == {"corp-login.test"}
