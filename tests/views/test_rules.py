"""The rules of `suspicious`: each on a planted mail that it must find, and on near misses; own rules."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from support.program import program
from support.queries import answer, fetched, letter
from support.records import DAY, NOON
from support.report_boxes import write_box
from support.tables_made import with_attachment
from zeekpop3.errors import QueryError
from zeekpop3.views.queries import rules
from zeekpop3.views.sql import ask

PE = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8" + bytes(43) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0L\x01"
HTML = "Content-Type: text/html; charset=utf-8"


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return packed.getvalue()


def linked(text: str, url: str) -> str:
    return f'<html><body><a href="{url}">{text}</a></body></html>\r\n'


LETTERS = {
    "link shows another site": letter(
        "a@a.example", HTML, text=linked("https://bank.example/", "https://evil.test/x")
    ),
    "link with a false host": letter(
        "a@a.example", HTML, text=linked("sign in", "https://bank.example@evil.test/x")
    ),
    "link to a program": letter("a@a.example", text="see http://evil.test/get/setup.exe?x=1\r\n"),
    "program with another name": with_attachment("Quota_form.pdf", PE),
    "program": with_attachment("setup.msi", b"x"),
    "program in an archive": with_attachment("invoice.zip", zipped(invoice__exe=PE)),
    "invisible characters in the name": with_attachment("Rechnung\u202efdp.exe"),
    "double extension": with_attachment("invoice.pdf  .exe"),
    "script": with_attachment("start.js", b"x"),
    "shortcut": with_attachment("open.lnk", b"x"),
    "disk image": with_attachment("scan.iso", b"x"),
    "attached page": with_attachment("page.html", b"<html><script>x</script></html>"),
    "document with macros": with_attachment("offer.docm", b"x"),
    "replies go elsewhere": letter("a@a.example", "Reply-To: b@b.example"),
    "failed verdict": letter("a@a.example", "Authentication-Results: mx.corp.example; spf=fail"),
}
NEAR = [
    letter("a@a.example", HTML, text=linked("https://www.bank.example/", "https://login.bank.example/x")),
    letter("a@a.example", HTML, text=linked("read on", "https://evil.test/x")),
    letter(
        "a@a.example", text="ftp://anonymous@files.example/x and http://a.example/?mail=b@shop.example\r\n"
    ),
    letter("a@a.example", text="http://a.example/setup.exe.html and http://a.example/?file=setup.exe\r\n"),
    with_attachment("report.pdf", b"%PDF-1.4"),
    with_attachment("archive.tar.gz", b"x"),
    with_attachment("pictures.zip", zipped(a__txt=b"x")),
    letter("a@a.example", "Reply-To: c@a.example"),
    letter("a@a.example", "Authentication-Results: mx.corp.example; spf=neutral"),
]


@pytest.mark.slow
@pytest.mark.parametrize("reason", LETTERS)
def test_each_rule_finds_its_mail(tmp_path: Path, reason: str) -> None:
    """The planted mail has the reason; of the near misses none is in the answer."""
    rows = answer(tmp_path, "suspicious", fetched(LETTERS[reason], *NEAR))
    assert {row["mail"] for row in rows} == {"C1/1"}
    assert any(each.startswith(f"{reason}: ") for each in rows[0]["reasons"]), rows[0]["reasons"]
    if reason == "invisible characters in the name":
        assert "\u202e" in rows[0]["reasons"][0]


@pytest.mark.slow
def test_locked_archive(tmp_path: Path) -> None:
    """A zip whose entries are encrypted; the flag is set by hand, as Python writes none."""
    content = bytearray(zipped(a__txt=b"secret"))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    (row,) = answer(tmp_path, "suspicious", fetched(with_attachment("a.zip", bytes(content))))
    assert any(each.startswith("encrypted file: ") for each in row["reasons"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sender", "found"),
    [
        ("boss@corp.example.mail-login.test", True),
        ("boss@cropp.example", True),
        ("boss@corp-hr.example", True),
        ("boss@c0rp.example", True),
        ("boss@xn--crp-sed.example", True),
        ("boss@corp.test", True),
        ("boss@incorporated.example", False),
        ("boss@coral.example", False),
    ],
)
def test_look_alikes_of_an_own_site(tmp_path: Path, sender: str, found: bool) -> None:
    """The own name as a label, hyphenated, in another order, by homoglyphs, under another suffix."""
    write_box(tmp_path / "out", fetched(letter(sender), letter("c@corp.example")))
    rows = ask(tmp_path / "out", query="suspicious", own=["corp.example"]).dicts()
    reasons = [reason for row in rows for reason in row["reasons"]]
    said = ("sender looks like an own site: ", "sender contains the name of an own site: ")
    assert any(each.startswith(said) for each in reasons) == found


@pytest.mark.slow
def test_a_host_with_the_own_name_accuses_no_other_host(tmp_path: Path) -> None:
    """Sites with many customers: only the host that has the own name as a label looks like the own site."""
    events = fetched(
        letter("x@corp.shared.test"), letter("y@other.shared.test"),
        letter("z@a.example", text="https://corp.shared.test/in\r\n"),
        letter("z@b.example", text="https://www.shared.test/in\r\n"),
    )  # fmt: skip
    write_box(tmp_path / "out", events)
    rows = ask(tmp_path / "out", query="suspicious", own=["corp.example"]).dicts()
    assert {row["mail"]: row["reasons"][0] for row in rows} == {
        "C1/1": "sender looks like an own site: corp.shared.test for corp.example",
        "C3/1": "link looks like an own site: corp.shared.test for corp.example",
    }


def test_numbered_and_rare_sites_are_no_look_alikes(tmp_path: Path) -> None:
    """One letter differs: that counts beside a site that sends often, and not if the letter is a number."""
    often = [letter("a@mailer7.example")] * 4 + [letter("a@northbank.example")] * 4
    events = fetched(
        *often, letter("a@mailer8.example"), letter("a@northbanc.example"),
        letter("a@wintergarten.example"), letter("b@wintergarten.example"), letter("a@wintergarden.example"),
    )  # fmt: skip
    rows = answer(tmp_path, "look-alikes", events)
    assert [(row["site"], row["similar_to"]) for row in rows] == [("northbanc.example", "northbank.example")]


@pytest.mark.slow
def test_a_name_of_somebody_here_weighs_more(tmp_path: Path) -> None:
    """A display name of an own address is another reason than one that any sender has."""
    events = fetched(
        letter("Carl Boss <carl@corp.example>"),
        letter("Carl Boss <ceo@freemail.test>"),
        letter("Shop Owner <s@shop.example>"),
        letter("Shop Owner <s@other.example>"),
    )
    write_box(tmp_path / "out", events)
    rows = ask(tmp_path / "out", query="suspicious", own=["corp.example"]).dicts()
    assert [(row["mail"], row["reasons"][0].partition(":")[0], row["score"]) for row in rows] == [
        ("C2/1", "display name of somebody here", 50),
        ("C4/1", "display name of another address", 20),
    ]


@pytest.mark.slow
def test_a_link_that_shows_an_own_site_weighs_more(tmp_path: Path) -> None:
    """The text names one's own portal, the link leads elsewhere: more than for a site of others."""
    portal, shop = (
        linked(f"https://{name}/login", "https://evil.test/x")
        for name in ("sso.corp.example", "shop.example")
    )
    write_box(
        tmp_path / "out",
        fetched(letter("a@a.example", HTML, text=portal), letter("b@b.example", HTML, text=shop)),
    )
    rows = ask(tmp_path / "out", query="suspicious", own=["corp.example"]).dicts()
    assert [(row["mail"], row["severity"], row["score"]) for row in rows] == [
        ("C1/1", "high", 90),
        ("C2/1", "medium", 45),
    ]
    assert rows[0]["reasons"][0] == "link shows an own site: corp.example, leads to evil.test"


def forwarded(inner: bytes) -> bytes:
    """A mail of a colleague with another mail attached."""
    head = 'Content-Type: multipart/mixed; boundary="outer"'
    text = "--outer\r\n\r\nLook at this.\r\n--outer\r\nContent-Type: message/rfc822\r\n\r\n"
    text += f"{inner.decode()}\r\n--outer--\r\n"
    return letter("ben@corp.example", head, text=text)


@pytest.mark.slow
def test_a_message_inside_counts(tmp_path: Path) -> None:
    """Links, files and a look-alike sender of a forwarded phish are reasons of the mail that brings it; a
    message of a colleague inside gives no reason."""
    program_ = with_attachment("Quota_form.pdf", PE).replace(b"lisi@example.org", b"help@corp-login.example")
    inside = (
        letter("help@evil.test", HTML, text=linked("https://bank.example/", "https://evil.test/x")),
        letter("help@evil.test", text="Renew it: http://login.evil.test/keep\r\n"),
        program_,
        letter("carl@corp.example", text="see https://wiki.example/page\r\n"),
    )
    write_box(tmp_path / "out", fetched(*map(forwarded, inside)))
    rows = ask(tmp_path / "out", query="suspicious", own=["corp.example"]).dicts()
    found = {row["mail"]: row["reasons"] for row in rows}
    assert sorted(found) == ["C1/1", "C2/1", "C3/1"]
    place = "in the message inside from help@"
    assert found["C1/1"][0] == f"link shows another site: bank.example, leads to evil.test {place}evil.test"
    assert found["C2/1"] == ["message inside: from help@evil.test, with login.evil.test"]
    assert f"program with another name: Quota_form.pdf {place}corp-login.example" in found["C3/1"]
    assert (
        "sender of a message inside contains the name of an own site: corp-login.example for corp.example"
        in found["C3/1"]
    )


@pytest.mark.slow
def test_worst_first_and_each_rule_once(tmp_path: Path) -> None:
    """The score is the sum of the weights of the rules; two links of one kind are one reason."""
    two = linked("https://bank.example/", "https://evil.test/x") + linked(
        "https://www.shop.example/", "https://evil.test/y"
    )
    events = fetched(letter("a@a.example", HTML, text=two), with_attachment("invoice.pdf.exe", PE))
    rows = answer(tmp_path, "suspicious", events)
    assert [row["mail"] for row in rows] == ["C2/1", "C1/1"]
    weights = {rule.name: rule.weight for rule in rules()}
    assert rows[0]["score"] == weights["double-extension"] + weights["program"] + weights["first-mail"]
    assert rows[1]["score"] == weights["link-elsewhere"] + weights["first-link"]
    assert rows[1]["reasons"][0].count("leads to evil.test") == 2
    assert (rows[0]["severity"], rows[1]["severity"]) == ("high", "medium")


@pytest.mark.slow
def test_a_link_in_a_first_mail_is_no_reason_alone(tmp_path: Path) -> None:
    """It adds to the score of mails for which another rule holds."""
    assert answer(tmp_path, "suspicious", fetched(letter("a@a.example", text="https://b.example/\r\n"))) == []


def test_one_mail_makes_no_own_site(tmp_path: Path) -> None:
    """Recipients that a phish names, and to which it links, are not own sites."""
    phish = letter(
        "x@megac0rp.example", "Cc: y@megac0rp.example", "Delivered-To: z@megac0rp.example",
        to="w@megacorp.example", text="https://megac0rp.example/login\r\n",
    )  # fmt: skip
    events = fetched(*(letter(f"p{n}@firm{n}.example", to="w@megacorp.example") for n in range(8)), phish)
    rows = answer(tmp_path, "look-alikes", events)
    assert [(row["site"], row["similar_to"]) for row in rows] == [("megac0rp.example", "megacorp.example")]


@pytest.mark.slow
def test_own_rules_of_a_site(tmp_path: Path) -> None:
    """A folder of rules adds to ours, or replaces one of the same name; one without a weight is refused."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "greeting.sql").write_text(
        "-- Says hello.\n-- weight 7\nselect uid || '/' || trans_depth as mail, 'greeting' as reason, "
        "from_address as detail "
        "from emails where contains(text, 'hello');\n"
    )
    write_box(tmp_path / "out", fetched(letter("a@a.example")))
    done = program("sql", tmp_path / "out", "-q", "suspicious", "--rules", folder, "--json")
    assert '"score": 7' in done.stdout and "greeting: a@a.example" in done.stdout
    (folder / "greeting.sql").write_text("select 1")
    done = program("sql", tmp_path / "out", "-q", "suspicious", "--rules", folder)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "greeting: expected '-- A sentence.' and '-- weight NUMBER'" in done.stderr
    with pytest.raises(QueryError, match="no rules in this folder"):
        ask(tmp_path / "out", query="suspicious", rules=tmp_path / "out")


def test_own_query_of_a_site(tmp_path: Path) -> None:
    """--query takes a file, which may use our queries by their names."""
    write_box(tmp_path / "out", fetched(letter("a@a.example", "Reply-To: b@b.example")))
    query = tmp_path / "mine.sql"
    query.write_text("select mail from ({reply-elsewhere}) where sender = 'a@a.example'")
    assert program("sql", tmp_path / "out", "-q", query, "--csv").stdout == "mail\nC1/1\n"
    assert "cannot read the query" in program("sql", tmp_path / "out", "-q", tmp_path / "none.sql").stderr


@pytest.mark.slow
def test_own_sites_are_said(tmp_path: Path) -> None:
    """A guess is said, with the way to name the sites; named ones are used without a word."""
    write_box(tmp_path / "out", fetched(letter("a@a.example"), letter("b@b.example")))
    done = program("sql", tmp_path / "out", "-q", "suspicious")
    assert "Own sites (a guess): corp.example. Use --own SITE or ZEEKPOP3_OWN" in done.stderr
    assert "guess" not in program("sql", tmp_path / "out", "-q", "suspicious", "--own", "b.example").stderr


def test_first_mail_with_a_program(tmp_path: Path) -> None:
    """A sender who wrote before is not new, even if the first program comes later."""
    program_ = with_attachment("a.exe", PE).replace(b"lisi@example.org", b"new@example.org")
    events = fetched((letter("lisi@example.org"), {"ts": NOON - DAY}), with_attachment("b.exe", PE), program_)
    rows = answer(tmp_path, "suspicious", events)
    first = [
        row["mail"]
        for row in rows
        if any(r.startswith("first mail of this sender: ") for r in row["reasons"])
    ]
    assert first == ["C3/1"]
