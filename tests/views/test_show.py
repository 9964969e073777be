"""What people see: the list, one mail, JSON, CSV; through the program, and on a real terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from support.program import on_a_terminal, program
from support.records import session, transfer
from support.report_boxes import write_box
from support.tables_made import PAYLOADS, Made, write
from zeekpop3.errors import QueryError
from zeekpop3.store.filters import Filters
from zeekpop3.views import show
from zeekpop3.views.find import find_mail, read_mails
from zeekpop3.views.text import visible

#: What a terminal acts upon in our own output: line ends and rich's colours.
OURS = re.compile(r"\x1b\[[0-9;]*m")


def printed(path: Path, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(show.listing(read_mails(path, show.LIST_COLUMNS, Filters()), width))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_small_terminal_keeps_what_matters(made: Made) -> None:
    """At 40 columns: sender, subject, and whether the mail is complete; not the half of a size."""
    heads = printed(made.path, 40).splitlines()[0].split()
    assert heads == ["time", "(UTC)", "from", "subject", "complete"]
    assert "user" in printed(made.path, 50).splitlines()[0]
    assert any(line.endswith(" no") for line in map(str.rstrip, printed(made.path, 40).splitlines()))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_the_list_fits_and_keeps_its_keys(made: Made, width: int) -> None:
    """A line per mail, none wider than the terminal; from 60 columns on every key is whole."""
    lines = printed(made.path, width).splitlines()
    assert len(lines) == 1 + len(made.transfers)
    assert all(len(line) <= width for line in lines)
    if width >= 60:
        assert all(re.search(r"C\w{5}/\d+", line) for line in lines[1:])
        assert "CcccC3/1" in lines[1]


@pytest.mark.slow
def test_a_folded_subject_reads_as_one_line(tmp_path: Path) -> None:
    """The tab of a fold is a blank in the list and in the page of the mail; JSON keeps it."""
    write(tmp_path, [transfer(raw=b"Subject: one\r\n\ttwo\r\n\r\nx\r\n")])
    assert "one two" in printed(tmp_path, 200)
    assert "Subject: one two" in program("show", tmp_path, "CtP0p3").stdout
    assert r"one\ttwo" in program("show", tmp_path, "--json").stdout


def test_long_uids_are_shortened_on_a_narrow_terminal_and_still_name_the_mail(tmp_path: Path) -> None:
    """Below 100 columns a uid is cut to what tells it from the others listed, and that finds the mail."""
    uids = ["CHhAvVGS1DHFjwGM9", "CHhAvVGS2DHFjwGM9", "Cx7"]
    write(tmp_path, [transfer(uid=uid) for uid in uids])
    assert re.findall(r"C\w+/1", printed(tmp_path, 80)) == ["CHhAvVGS1/1", "CHhAvVGS2/1", "Cx7/1"]
    assert re.findall(r"C\w+/1", printed(tmp_path, 120)) == [f"{uid}/1" for uid in uids]
    assert find_mail(tmp_path, "CHhAvVGS2/1")["uid"] == uids[1]
    assert find_mail(tmp_path, "CHhAvVGS1")["uid"] == uids[0]
    with pytest.raises(QueryError, match="matches several connections"):
        find_mail(tmp_path, "CHhAvVGS/1")


def test_the_list_says_what_matters(made: Made) -> None:
    """Time, user, sender, subject, size, attachments, and whether it is whole."""
    lines = printed(made.path, 200).splitlines()
    line = next(line for line in lines if "CbbbB2/2" in line)
    for part in ("2024-06-25 12:00:00", "wangwu", "Li Si <lisi@example.org>", "report", " 1 ", "yes"):
        assert part in line
    assert next(line for line in lines if "CbbbB2/3" in line).rstrip().endswith("no")


def test_no_markup_of_a_mail_is_obeyed(made: Made) -> None:
    """rich's own markup, links and emoji names are shown as written."""
    text = printed(made.path, 250)
    for payload in PAYLOADS:
        assert visible(payload) in text


def test_one_mail_in_full(made: Made) -> None:
    """Capture, header, text and attachments; only our own words stand in the first column."""
    lines = [line.plain for line in show.mail_page(find_mail(made.path, "CaaaA1/2"))]
    text = "\n".join(lines)
    for part in (
        "2024-06-24T13:00:00.123456Z by zhangsan (RETR 3)",
        "192.0.2.10:41000",
        "exact, complete",
        "  Subject: report",
        "  See there.",
        "  r.pdf  application/pdf  20 bytes\n    sha256 ",
    ):
        assert part in text
    ours = [line for line in lines if not line.startswith("  ")]
    assert ours == ["Mail CaaaA1/2", "Header", "Text", "Attachments"]
    for depth, payload in enumerate(PAYLOADS, 1):
        page = [line.plain for line in show.mail_page(find_mail(made.path, f"CevilE/{depth}"))]
        assert [line for line in page if not line.startswith("  ")] == [
            f"Mail CevilE/{depth}",
            "Header",
            "Text",
        ]
        assert all(visible(line) == line for line in page)
        assert any(visible(payload) in line for line in page)


@pytest.mark.slow
def test_a_mail_whose_html_says_something_else(tmp_path: Path) -> None:
    """Both texts are shown, one after the other."""
    raw = (
        b"Content-Type: multipart/alternative; boundary=q\r\n\r\n--q\r\n\r\nharmless words\r\n"
        b"--q\r\nContent-Type: text/html\r\n\r\n<p>pay <i>now</i></p>\r\n--q--\r\n"
    )
    write(tmp_path, [transfer(raw=raw)])
    text = program("show", tmp_path, "CtP0p3", columns=80).stdout
    assert "Text\n  harmless words\n" in text
    assert "Text of the HTML\n  pay now\n" in text


@pytest.mark.slow
def test_a_mail_without_plain_text(tmp_path: Path) -> None:
    """The text of the HTML, where links lead and what they show, what the server said of the sender."""
    raw = (
        b"From: a@a.example\r\nAuthentication-Results: mx.b.example; spf=fail; dmarc=none\r\n"
        b"Content-Type: text/html\r\n\r\n<p>Dear <b>you</b></p>"
        b'<a href="http://evil.example/in">www.bank.example</a><a href="http://x.example/">\x1b[1m</a>\r\n'
    )
    write(tmp_path, [transfer(raw=raw)])
    text = program("show", tmp_path, "CtP0p3", columns=80).stdout
    assert "Text of the HTML\n  Dear you\n" in text
    assert "Text\n" not in text.replace("Text of the HTML\n", "")
    assert "<p>" not in text
    assert "  http://evil.example/in  shown as: www.bank.example\n" in text
    assert "verdicts  SPF fail, DMARC none (said by mx.b.example)" in text
    assert visible(text.replace("\n", "")) == text.replace("\n", "")


@pytest.mark.slow
def test_folded_lines_stay_indented(tmp_path: Path) -> None:
    """A long line of a mail cannot put its words where ours begin."""
    words = " ".join(f"Mail {n}/1" for n in range(60))
    write(tmp_path, [transfer(raw=f"Subject: {words}\r\n\r\n{words} {'x' * 300}\r\n".encode())])
    lines = program("show", tmp_path, "CtP0p3", columns=50).stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == ["Mail CtP0p3/1", "Header", "Text"]
    assert max(map(len, lines)) <= 50


def test_the_only_mail_of_a_connection_needs_no_depth(made: Made) -> None:
    """UID alone will do where it is clear; where it isn't, the error says what there is."""
    with pytest.raises(QueryError, match=r"has 3 mails: add the depth, CbbbB2/DEPTH \(1, 2, 3\)"):
        find_mail(made.path, "CbbbB2")
    for odd in ("Cnone/1", "CbbbB2/9", "", "/", "a/b/c"):
        with pytest.raises(QueryError):
            find_mail(made.path, odd)


@pytest.mark.slow
def test_the_mail_id_finds_the_mail(tmp_path: Path) -> None:
    """Fetched again it is the same mail: the newest is shown. Another user's copy is another mail."""
    again = {"uid": "Cagain", "ts": transfer().ts + 1}
    write(tmp_path, [transfer(), transfer(**again), transfer(uid="Cother", user="lisi")])
    mail_id = find_mail(tmp_path, "CtP0p3")["mail_id"]
    assert find_mail(tmp_path, mail_id.upper())["uid"] == "Cagain"
    assert f"  mail id   {mail_id}" in program("show", tmp_path, mail_id, columns=120).stdout
    with pytest.raises(QueryError, match="is 3 mails"):
        find_mail(tmp_path, find_mail(tmp_path, mail_id)["sha256"])
    with pytest.raises(QueryError, match="no mail"):
        find_mail(tmp_path, "0" * 64)
    told = program("eml", tmp_path, mail_id, "--out", tmp_path / "mails")
    assert told.returncode == 0, told.stderr
    assert [path.name for path in (tmp_path / "mails").glob("*.eml")] == ["Cagain-1.eml"]
    about = program("sql", tmp_path, "--about", mail_id, "--json").stdout
    assert about.count("emails.mail_id") == 2
    assert program("export", tmp_path, "--as", "ecs").stdout.count(f'"mail_id": "{mail_id}"') == 2
    assert "Cagain/1" in program("timeline", tmp_path, mail_id).stdout


def test_json_lines(made: Made) -> None:
    """A JSON object a line: lossless, times ISO 8601, unknown null."""
    done = program("show", made.path, "--json")
    mails = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(mails) == len(made.transfers)
    assert [mail["user"] for mail in mails if mail["uid"] == "CevilE"] == PAYLOADS[::-1]
    assert mails[0]["ts"] == "2024-06-26T12:00:00.123456Z"
    assert mails[1]["user"] is mails[1]["id_orig_p"] is None
    assert visible(done.stdout.replace("\n", "")) == done.stdout.replace("\n", "")
    (one,) = program("show", made.path, "CaaaA1/1", "--json").stdout.splitlines()
    assert json.loads(one)["text"] == "Hello\n"


def test_csv(made: Made) -> None:
    """A header and a line per mail, whatever is in them; no cell is a formula."""
    done = program("show", made.path, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == len(made.transfers) == len(done.stdout.splitlines()) - 1
    assert not [cell for row in rows for cell in row.values() if cell[:1] in tuple("=+-@")]
    assert rows[0]["ts"] == "2024-06-26T12:00:00.123456Z"


def test_filters_and_limit(made: Made) -> None:
    """The options reach the query; what is left out by the limit is said."""
    done = program("show", made.path, "--user", "wangwu", "--limit", "2")
    assert "CbbbB2/3" in done.stdout
    assert "CbbbB2/1" not in done.stdout
    assert "newest 2;" in done.stderr
    none = program("show", made.path, "--subject", "nothing of the kind")
    assert (none.returncode, none.stderr) == (0, "No mails found.\n")


def test_nothing_found_because_of_tls(tmp_path: Path) -> None:
    """Sessions that switched to TLS are mentioned if no mail is found."""
    write_box(tmp_path / "out", [session(tls=True), session(uid="Cb", tls=True), session(uid="Cc")])
    for command in (["show", tmp_path / "out"], ["eml", tmp_path / "out", "--out", tmp_path / "to"]):
        done = program(*command)
        assert "2 sessions switched to TLS (STLS); mails fetched there are encrypted." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["show", "{tmp}/none"], 1, "no such folder"),
        (["show", "{made}", "--since", "later"], 2, "invalid time"),
        (["show", "{made}", "Cnone/1"], 1, "no mail 'Cnone/1'"),
        (["show", "{made}", "--json", "--csv"], 2, "use either --json or --csv"),
        (["sql", "{made}"], 2, "statement"),
        (["sql", "{made}", "select 1", "--log", "x"], 2, "NAME=PATH"),
        (["prune", "{made}", "--keep", "soon"], 2, "invalid retention"),
    ],
)
def test_errors_are_one_line(made: Made, tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    """Exit code 1 for what cannot be read, 2 for bad usage; no traceback."""
    done = program(*(a.format(made=made.path, tmp=tmp_path) for a in arguments))
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_a_terminal_without_unicode(made: Made) -> None:
    """What the terminal's encoding cannot hold is spelled out, and nothing fails."""
    for arguments in (["show", made.path], ["show", made.path, "--json"], ["show", made.path, "CevilE/1"]):
        done = program(*arguments, encoding="ascii")
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii()


@pytest.mark.parametrize(
    "arguments", [["show"], ["show", "--json"], ["sql", "select user, subject from emails"]]
)
def test_nothing_in_a_mail_controls_the_terminal(made: Made, arguments: list[str]) -> None:
    """Every payload arrives on a real terminal as visible text; only our colours and line ends act."""
    command, *rest = arguments
    seen = OURS.sub("", on_a_terminal(command, made.path, *rest)[1])
    assert "CevilE" in seen or command == "sql"
    text = seen.replace("\r\n", "")
    assert visible(text) == text
    for payload in ("\\x1b[2J", "\\u202e", "[bold red]mark"):
        assert payload in text or "--json" in rest


def test_one_mail_on_a_terminal(made: Made) -> None:
    """The same for the page of one mail: subject, header, body."""
    text = OURS.sub("", on_a_terminal("show", made.path, "CevilE/1")[1]).replace("\r\n", "")
    assert visible(text) == text
    assert text.count(visible(PAYLOADS[0])) >= 4


@pytest.mark.slow
def test_what_stands_in_messages_inside_invitations_and_holes(tmp_path: Path) -> None:
    """An enclosed link leads elsewhere than its text; an invitation says who and when; a hash has a doubt."""
    event = "ORGANIZER;CN=Boss:mailto:b@corp.example\nDTSTART:20260301T100000Z\nSUMMARY:Budget\x1b[2J"
    raw = (
        "Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\n"
        "Content-Type: text/calendar\n\n"
        f"BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
        "--b\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: text/html\n\n"
        '<a href="https://evil.test/x">https://bank.example</a>\n--b--\n'
    )
    write(tmp_path, [transfer(raw=raw.encode(), complete=False, missing_bytes=7)])
    shown = program("show", tmp_path, "CtP0p3").stdout
    assert "https://evil.test/x  shown as: https://bank.example" in shown
    assert shown.index("Message inside") < shown.index("https://evil.test/x  shown")
    assert "Budget" in shown and "REQUEST" in shown and "\x1b" not in shown
    assert "when      2026-03-01T10:00:00Z" in shown and "organizer Boss b@corp.example" in shown
    assert shown.count("the mail is incomplete, the file may be, too") == 2
