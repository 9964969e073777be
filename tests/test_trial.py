"""What an analyst asks, typed as one would type it, over the two days of fixtures/trial.

`support/traffic/trial.py` has the story; each answer is one that was planted there.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

import zeekpop3
from support.program import program
from support.traffic import pcap, record, trial
from zeekpop3.tables import TABLES

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "trial"
LOGS = FOLDER / "logs"
WAVE = sorted(trial.WAVE)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the two days; tests only read them."""
    out = tmp_path_factory.mktemp("trial") / "out"
    done = program("run", LOGS, "--out", out)
    assert done.stderr.startswith("19 mails, 1 preview (TOP), 1 incomplete, 5 attachments, 25 sessions")
    return out


def rows(*arguments: str | Path) -> list[Row]:
    """The answer of a command as JSON lines."""
    done = program(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def asked(tables: Path, name: str, *logs: str) -> list[Row]:
    """The answer of a ready query, with these logs of the archive."""
    options = [option for log in logs for option in ("--log", f"{log}={LOGS}")]
    return rows("sql", tables, "--query", name, "--own", "corp.example", *options)


def users(found: list[Row]) -> list[str]:
    return sorted({row["user"] for row in found})


def key(row: Row) -> str:
    return f"{row['uid']}/{row['trans_depth']}"


def mail_of(tables: Path, user: str, *filters: str) -> str:
    """UID/DEPTH of the only mail of a user that matches."""
    (row,) = rows("show", tables, "--user", user, *filters)
    return key(row)


# -- the fixture ---------------------------------------------------------------------------------------


def test_the_capture_is_made_again_byte_for_byte(tmp_path: Path) -> None:
    pcap.write_frames(tmp_path / "again.pcap", trial.frames())
    assert (tmp_path / "again.pcap").read_bytes() == (FOLDER / "trial.pcap").read_bytes()
    assert trial.indicators() == (FOLDER / "indicators.intel").read_text()
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 400_000


@pytest.mark.zeek
def test_zeek_still_writes_these_logs(zeek: str) -> None:
    have = {str(p.relative_to(LOGS)): gzip.decompress(p.read_bytes()) for p in LOGS.rglob("*.gz")}
    now = {name: gzip.decompress(data) for name, data in trial.logs(FOLDER / "trial.pcap").items()}
    assert sorted(now) == sorted(have)
    assert [name for name in now if _plain(now[name]) != _plain(have[name])] == []


#: What Zeek 8.1 and later add to dns.log and files.log, in what follows from our packets.
_ADDED = (
    (re.compile(rb"(rejected)\topcode\topcode_name$", re.M), rb"\1"),
    (re.compile(rb"(bool)\tcount\tstring$", re.M), rb"\1"),
    (re.compile(rb"(\t[FT])\t0\tquery$", re.M), rb"\1"),
    (re.compile(rb"(\tMD5,SHA1),SHA256([,\t].*\t[0-9a-f]{40}\t)[0-9a-f]{64}\t"), rb"\1\2-\t"),
)


def _plain(text: bytes) -> bytes:
    for what, rest in _ADDED:
        text = what.sub(rest, text)
    return record.NOISE.sub(b"", text)


# -- 1 to 8: mails -------------------------------------------------------------------------------------


def test_1_who_got_mail_from_a_domain(tables: Path) -> None:
    assert users(rows("show", tables, "--site", "parcel-fast.test")) == WAVE
    assert users(rows("show", tables, "--from", "supplier.test")) == ["carla", "eva"]


def test_2_links_to_a_site(tables: Path) -> None:
    """Also in an enclosed message, and behind a gateway's rewritten link."""
    evil = rows("show", tables, "--site", "evil-site.test")
    assert {row["user"]: row["subject"] for row in evil} == {
        "frank": "Please confirm", "eva": "Fwd: is this real?",
    }  # fmt: skip
    assert users(rows("show", tables, "--site", "price-list.test")) == ["frank"]
    about = program("sql", tables, "--about", "login.evil-site.test")
    assert about.returncode == 0
    assert "Please confirm" in about.stdout and "Fwd: is this real?" in about.stdout


def test_3_replies_go_elsewhere(tables: Path) -> None:
    (row,) = asked(tables, "reply-elsewhere")
    assert (row["sender"], row["reply_to"]) == ("sales@price-list.test", ["sales@freemail.example"])


def test_4_names_of_others(tables: Path) -> None:
    """Carl Boss is somebody here; the address is not his."""
    found = asked(tables, "names-borrowed")
    assert {(row["name"], row["address"], row["belongs_to"], row["own"]) for row in found} == {
        ("Carl Boss", "carl.boss@corp.example.mail-login.test", "carl.boss@corp.example", True)
    }


def test_5_failed_verdicts(tables: Path) -> None:
    """The wave failed SPF and DMARC. The signed mail that was only previewed is not accused."""
    found = asked(tables, "verdicts-failed")
    assert {row["sender"] for row in found} == {"service@parcel-fast.test"}
    assert {(row["spf"], row["dmarc"]) for row in found} == {("fail", "fail")}
    assert users(found) == WAVE


def test_6_a_thread(tables: Path) -> None:
    first = mail_of(tables, "anna", "--from", "carl.boss@corp.example")
    found = rows("show", tables, "--thread", first)
    assert [row["subject"] for row in found] == ["Re: Budget", "Budget"]


@pytest.mark.slow
def test_7_attachments(tables: Path) -> None:
    """By extension, by hash, by a type that is not that of the name, within archives."""
    assert users(rows("show", tables, "--extension", "zip")) == ["carla", "eva"]
    digest = hashlib.sha256(trial.QUOTA).hexdigest()
    assert users(rows("show", tables, "--attachment", digest)) == ["dave"]
    reasons: dict[str, str] = {}
    for row in asked(tables, "suspicious"):
        reasons[row["user"]] = reasons.get(row["user"], "") + " ".join(row["reasons"])
    assert "program with another name: Quota_form.pdf" in reasons["dave"]
    assert "invoice.exe in invoice.zip" in reasons["carla"]
    assert "encrypted file: locked.zip" in reasons["eva"]
    statement = "select filename, extension, mime_type from attachments where extension = 'pdf'"
    assert {row["mime_type"] for row in rows("sql", tables, statement)} == {"application/x-msdownload"}


def test_8_listed_and_not_fetched(tables: Path) -> None:
    """Carla left her newsletter, Grace only previewed; Frank fetched all, though his client knows no UIDL."""
    found = asked(tables, "unfetched")
    assert [(row["user"], row["octets"], row["state"]) for row in found] == [
        ("carla", 184, "unfetched"), ("grace", 1025, "unfetched"),
    ]  # fmt: skip


# -- 9 to 15: what was done ----------------------------------------------------------------------------


def test_9_who_deleted_what(tables: Path) -> None:
    (row,) = asked(tables, "deleted")
    assert (row["user"], row["client"], row["subject"]) == ("dave", trial.INTRUDER, "Mailbox quota")
    assert row["final"]


def test_10_refused_logins_then_success(tables: Path) -> None:
    """Worst first: who got in after refusals, then who never did."""
    found = [row for row in asked(tables, "logins") if row["refused"]]
    told = [(row["user"], row["refused"], row["accepted"], row["fetched"]) for row in found]
    assert told == [("dave", 5, 1, 2), ("admin", 3, 0, 0), ("root", 2, 0, 0)]
    assert {row["client"] for row in found} == {trial.INTRUDER}
    assert [(row["success_after_refusal"] or "")[:16] for row in found] == ["2026-10-14T10:05", "", ""]
    (row,) = asked(tables, "same-client")
    assert (row["client"], row["refused_as"]) == (trial.INTRUDER, ["admin", "dave", "root"])


@pytest.mark.slow
def test_11_five_hundred_indicators(tables: Path) -> None:
    """Five of 500 hit: in an enclosed message, an archive and a rewritten link, too. The locked archive, the
    lossy mail and the preview cannot be ruled out."""
    feed = FOLDER / "indicators.intel"
    assert len(feed.read_text().splitlines()) == 501
    found = rows("hunt", tables, "--indicators", feed)
    assert {(row["indicator"], row["user"]) for row in found} == {
        ("evil-site.test", "frank"), ("evil-site.test", "eva"), ("sales@freemail.example", "frank"),
        (hashlib.sha256(trial.PROGRAM).hexdigest(), "carla"), ("Quota_form.pdf", "dave"),
        ("files.price-list.test/setup.exe", "frank"),
    }  # fmt: skip
    assert all(row["mail"] and row["id_orig_h"] and row["from_address"] and row["subject"] for row in found)
    undecided = rows("hunt", tables, "--indicators", feed, "--undecided")
    assert users(undecided) == ["eva", "grace", "judy"]
    summary = program("hunt", tables, "--indicators", feed).stderr
    assert "hits in 6 of 20 mails; 11 ruled out; 3 cannot be ruled out" in summary


@pytest.mark.slow
def test_12_show_and_save(tables: Path, tmp_path: Path) -> None:
    """A mail by UID/DEPTH, Message-ID or hash: what it is, why it is suspicious; then its files."""
    mail = mail_of(tables, "carla", "--extension", "zip")
    (row,) = rows("show", tables, mail)
    shown = program("show", tables, mail).stdout
    assert "invoice.exe" in shown and "program" in shown
    assert program("show", tables, row["msg_id"]).stdout == shown
    assert program("show", tables, row["sha256"]).stdout == shown
    quota = program(
        "show", tables, mail_of(tables, "dave", "--ip", trial.CLIENTS["dave"], "--extension", "pdf")
    )
    assert "application/x-msdownload" in quota.stdout
    enclosed = program("show", tables, mail_of(tables, "eva", "--subject", "Fwd")).stdout
    assert "Your password expires" in enclosed and "http://login.evil-site.test/keep" in enclosed
    done = program("eml", tables, mail, "--out", tmp_path / "case", "--attachments")
    assert done.returncode == 0, done.stderr
    (saved,) = (tmp_path / "case").glob("*.eml")
    assert saved.read_bytes() == trial.mailbox("carla").messages[1]
    files = [path.read_bytes() for path in (tmp_path / "case").rglob("*") if path.is_file()]
    contents = [part.get_payload(decode=True) for part in message_from_bytes(saved.read_bytes()).walk()]
    assert [content for content in contents[2:] if content not in files] == []


def test_13_who_clicked(tables: Path) -> None:
    """In two days of an archive; a rewritten link counts as its target, and so does what came of it."""
    found = asked(tables, "clicks", "http", "ssl", "dns")
    assert {(row["user"], row["match"], row["opened"][:16]) for row in found} == {
        ("anna", "server name", "2026-10-14T08:22"), ("ben", "URL", "2026-10-14T08:44"),
        ("frank", "URL", "2026-10-14T09:15"), ("eva", "URL", "2026-10-15T07:15"),
    }  # fmt: skip
    program_files = [row for row in asked(tables, "downloads", "files", "http") if row["mime_type"]]
    assert [(row["client"], row["users"]) for row in program_files] == [(trial.CLIENTS["frank"], ["frank"])]
    only_dns = asked(tables, "clicks", "dns")
    assert {(row["user"], row["match"]) for row in only_dns} == {("ben", "DNS query"), ("eva", "DNS query")}


def test_13_logs_as_an_archive_has_them(tables: Path) -> None:
    """A folder, a glob of days, each file: the same answer, and what was read is said."""
    files = sorted(LOGS.glob("*/http.*.log.gz"))
    want = asked(tables, "clicks", "http")
    ways = [[f"http={LOGS}/*/http.*"], [f"http={path}" for path in files], [f"http={LOGS}/*"]]
    for paths in ways:
        options = [option for path in paths for option in ("--log", path)]
        done = program("sql", tables, "--query", "clicks", "--json", *options)
        assert [json.loads(line) for line in done.stdout.splitlines()] == want
        assert "http: 3 files, 3 rows, 2026-10-14 08:44:00 to 2026-10-15 07:15:00" in done.stderr


def test_14_dkim(tables: Path) -> None:
    """Anna's copy passes with the key of dns.log; the preview is not checked, and not accused."""
    found = rows("verify", tables, "--dns", LOGS)
    assert {key(row): row["result"] for row in found} == {
        mail_of(tables, "anna", "--from", "partner-bank"): "pass",
        mail_of(tables, "grace"): "unclear",
    }


def test_15_clear_text(tables: Path) -> None:
    """All eight who logged in showed a password; Dan's client turned to TLS."""
    found = [row for row in asked(tables, "clear-text-logins") if row["logins"]]
    assert sorted(row["user"] for row in found) == sorted(set(trial.CLIENTS) - {"dan"})
    assert {row["exposed"] for row in found} == {"password"}


# -- 16 to 25: work with it ----------------------------------------------------------------------------


@pytest.mark.slow
def test_16_timeline_of_a_client(tables: Path) -> None:
    """The intruder: ten refusals, a login, two mails, one deletion, in order."""
    found = rows("timeline", tables, "--ip", trial.INTRUDER, "--log", f"http={LOGS}")
    assert [row["event"] for row in found] == ["refused"] * 10 + ["login", "mail", "mail", "deleted"]
    assert [row["ts"] for row in found] == sorted(row["ts"] for row in found)
    told = program("timeline", tables, "--user", "dave").stdout
    assert told.count("refused") == 2  # of the five, one event
    assert "5 logins were refused, the last at 10:00:12" in told
    ben = rows("timeline", tables, "--user", "ben", "--log", f"http={LOGS}")
    assert [row["event"] for row in ben] == ["login", "mail", "click"]
    assert any("parcel-fast" in reason for reason in ben[1]["reasons"])


def test_17_export(tables: Path, tmp_path: Path) -> None:
    """Each format has each mail once; with a state nothing comes twice."""
    for name in ("ecs", "ocsf", "json", "zeek-json"):
        lines = program("export", tables, "--as", name).stdout.splitlines()
        assert len(lines) >= 20 and all(json.loads(line) for line in lines)
    state = tmp_path / "state"
    assert "20 mails" in program("export", tables, "--as", "json", "--state", state).stderr
    assert program("export", tables, "--as", "json", "--state", state).stdout == ""


def test_18_missing_bytes(tables: Path) -> None:
    (row,) = asked(tables, "incomplete")
    assert (row["user"], row["subject"], row["missing_bytes"]) == ("judy", "Free rooms", 1460)
    assert row["reason"] == "bytes were lost in the capture"
    assert [row["complete"] for row in rows("show", tables, "--user", "judy", "--incomplete")] == [False]


def test_19_pivot_by_uid_and_community_id(tables: Path) -> None:
    """From an alert of another tool to the mail, and to the connection in conn.log."""
    statement = (
        f"select uid, community_id from sessions where id_orig_h = '{trial.INTRUDER}' and user = 'dave'"
    )
    (session,) = rows("sql", tables, statement)
    for value in session.values():
        about = program("sql", tables, "--about", value).stdout
        assert "Mailbox quota" in about and trial.INTRUDER in about
    found = [row for row in asked(tables, "conn", "conn") if row["uid"] == session["uid"]]
    assert len(found) == 2
    assert {row["conn_state"] for row in found} == {"SF"}


def test_20_new_senders_and_look_alikes(tables: Path) -> None:
    (row,) = asked(tables, "look-alikes")
    assert (row["site"], row["similar_to"], row["own"]) == ("mail-login.test", "corp.example", True)
    new = [row["sender"] for row in asked(tables, "senders-new") if row["first"] >= "2026-10-15"]
    assert new == ["rooms@corp.example", "accounts@supplier.test"]
    types = asked(tables, "new-attachment-types")
    assert (types[0]["extension"], types[0]["days_before"]) == ("zip", 1)


@pytest.mark.slow
def test_21_campaign(tables: Path) -> None:
    """One wave, though no two mails of it are equal; who opened its link, over two days."""
    found = asked(tables, "campaigns", "http", "dns")
    first = found[0]
    assert (first["users"], first["reached"], first["clicked"]) == (5, WAVE, ["ben", "eva"])
    assert first["sender"] == "service@parcel-fast.test"
    assert "link template" in first["shared"]
    assert all("parcel" not in row["subject"] for row in found[1:])


@pytest.mark.slow
def test_22_share(tables: Path, tmp_path: Path) -> None:
    """Own people, hosts and addresses are gone from every file; the attacker's stay; all commands read it."""
    out = tmp_path / "shared"
    done = program("share", tables, "--out", out, "--own", "corp.example", "--site", "parcel-fast.test")
    assert done.returncode == 0, done.stderr
    text = ""
    for name in TABLES:
        text += "\n".join(json.dumps(row, default=str) for row in rows("sql", out, f"select * from {name}"))
    assert [own for own in ("corp.example", "10.20.0.", "10.0.0.66") if own in text] == []
    assert re.findall(r"\b(?:anna|dave|frank)\b", text) == []
    assert "service@parcel-fast.test" in text and trial.WAVE_HOST in text
    assert asked(out, "campaigns")[0]["users"] == 5


@pytest.mark.slow
def test_23_the_page(tables: Path, tmp_path: Path) -> None:
    """It opens with sentences that anybody understands."""
    page = tmp_path / "page.html"
    logs = [option for name in ("http", "ssl", "dns") for option in ("--log", f"{name}={LOGS}")]
    done = program("report", tables, "-o", page, "--own", "corp.example", "--title", "Case 7", *logs)
    assert done.returncode == 0, done.stderr
    text = page.read_text("utf-8")
    for sentence in (
        "5 users received “Your parcel 88412 is waiting” under the forged sender service@parcel-fast.test "
        "(SPF or DMARC failed); "
        "2 users opened its link (ben and eva).",
        "10.0.0.66 got into the mailbox of dave after 5 refused logins, and fetched 2 mails.",
        "Logins as admin and root were refused (5 in all), and never accepted.",
        "10.0.0.66, one of several clients of dave, deleted 1 mail.",
        "2 messages are in mailboxes, and were not seen to be fetched.",
        "1 mail is incomplete: what is missing was not searched.",
    ):
        assert sentence in text
    assert "<title>Case 7" in text
    # A wave without a link is not said to have one.
    assert (
        "2 users received “Invoice 2026-118” that names accounts@supplier.test as its sender, unconfirmed.<"
        in text
    )


@pytest.mark.slow
def test_24_a_notebook(tables: Path) -> None:
    """The same questions as DataFrames."""
    assert {"read", "query", "timeline", "hunt", "share"} <= set(dir(zeekpop3))
    assert sorted(zeekpop3.mails(tables, site="parcel-fast.test")["user"].unique()) == WAVE
    waves = zeekpop3.query(str(tables), "campaigns", logs={"http": LOGS}, own="corp.example")
    assert list(waves["clicked"][0]) == ["ben", "eva"]
    hits = zeekpop3.hunt(tables, values=["evil-site.test"]).table
    assert set(hits["indicator"].to_pylist()) == {"evil-site.test"}
    assert list(zeekpop3.timeline(tables, client=trial.INTRUDER)["event"])[-1] == "deleted"
    verdicts = zeekpop3.verify(tables, dns=LOGS)
    assert sorted(verdicts["result"]) == ["pass", "unclear"]


def test_25_eml_and_back(tables: Path, tmp_path: Path) -> None:
    """Saved mails are byte for byte those of the mailbox, and parse as they did."""
    done = program("eml", tables, "--out", tmp_path / "mails", "--user", "ben")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "mails").glob("*.eml")
    raw = path.read_bytes()
    assert raw == trial.mailbox("ben").messages[0]
    again = zeekpop3.parse(raw)
    assert again.subject == "Your parcel 88413 is waiting"
    shutil.rmtree(tmp_path / "mails")
    done = program("eml", tables, "--mbox", tmp_path / "all.mbox")
    assert (tmp_path / "all.mbox").read_bytes().count(b"\nFrom ") + 1 == 20
