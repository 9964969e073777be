"""The log's own format, whatever a site makes of its other logs; and silence on stderr."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.traffic import pop3 as server
from support.traffic import tcp
from support.traffic.pcap import Flow, Packet
from support.zeek_runs import Zeek

pytestmark = pytest.mark.zeek

LONG = b"Subject: " + b"x" * 9000 + b"\r\nX-\xe4\\\xff: y\r\n\r\nbody\r\n"
SITE = """
redef LogAscii::use_json = T;
redef LogAscii::separator = "|";
redef LogAscii::set_separator = ";";
redef LogAscii::empty_field = "EMPTY";
redef LogAscii::unset_field = "NULL";
redef LogAscii::meta_prefix = "%";
redef LogAscii::enable_utf_8 = F;
redef Log::default_scope_sep = "_";
redef Log::default_field_name_map = { ["uid"] = "connection" };
redef record conn_id += { vlan_of_site: count &log &default=7; };
type Pop3TestExtension: record { node: string &log; };
redef Log::default_ext_func = function(path: string): Pop3TestExtension { return [$node="n1"]; };
"""


def packets(port: int = 110) -> list[Packet]:
    box = server.Mailbox([LONG] * 3)
    turns = server.dialogue(box, server.fetch_all(box))
    return tcp.Connection(Flow(server_p=port)).play(server.steps(turns)).packets


@pytest.mark.parametrize("form", [".", "exact.zeek"])
def test_the_header(pop3: Zeek, form: str) -> None:
    """Path, columns and types are those of the contract."""
    lines = pop3.run(packets(), form).raw.decode().split("\n")
    assert lines[0] == "#separator \\x09"
    assert "#path\tpop3_events" in lines
    assert (
        "#types\ttime\tstring\taddr\tport\taddr\tport\tcount\tstring\tstring\tcount\tcount\tstring" in lines
    )


@pytest.mark.parametrize("form", [".", "exact.zeek"])
def test_a_site_cannot_change_the_format(pop3: Zeek, form: str, tmp_path: Path) -> None:
    """JSON, separators, field names, extensions, more endpoints: the rows stay the same."""
    site = tmp_path / "site.zeek"
    site.write_text(SITE)
    usual = pop3.run(packets(), form)
    for order in ([str(site), form], [form, str(site)]):
        changed = pop3.run(packets(), *order)
        assert changed.rows == [row for row in changed.rows if row.uid]
        strip = [(r.seq, r.kind, r.command, r.offset, r.length, r.data) for r in changed.rows]
        assert strip == [(r.seq, r.kind, r.command, r.offset, r.length, r.data) for r in usual.rows]
        assert (changed.folder / "conn.log").read_bytes().startswith(b"{")


def test_long_lines_are_whole(pop3: Zeek) -> None:
    """Lines and rows beyond Zeek's string limits (8.1 and later) are not cut."""
    assert any(b"x" * 9000 in (row.data or b"") for row in pop3.run(packets(), ".").of("data"))
    assert max(row.length or 0 for row in pop3.run(packets(), "exact.zeek").of("contents")) > 4096


@pytest.mark.parametrize(
    "load",
    [
        ["."],
        ["exact.zeek"],
        ["files.zeek"],
        [".", "exact.zeek", "files.zeek"],
        ["files.zeek", "exact.zeek", "."],
    ],
)
@pytest.mark.parametrize("site", [[], ["local"], ["-b"], ["-b", "base/protocols/smtp"]])
def test_zeek_has_nothing_to_say(pop3: Zeek, load: list[str], site: list[str]) -> None:
    """Any part with any other, with the site's scripts and in bare mode: nothing on stderr, nothing in
    reporter.log."""
    result = pop3.run(packets(), *load, more=site)
    assert bool(result.rows) == (load != ["files.zeek"])
    assert not (result.folder / "reporter.log").exists()


def test_the_same_rows_in_bare_mode(pop3: Zeek) -> None:
    """The package loads what it needs."""
    for form in (".", "exact.zeek"):
        usual, bare = pop3.run(packets(), form), pop3.run(packets(), form, more=["-b"])
        assert [(r.seq, r.kind, r.command, r.data) for r in usual.rows] == [
            (r.seq, r.kind, r.command, r.data) for r in bare.rows
        ]


def test_a_policy_hook_can_veto(pop3: Zeek, tmp_path: Path) -> None:
    """log_policy sees each row."""
    site = tmp_path / "site.zeek"
    site.write_text(
        "hook Pop3Events::log_policy(rec: Pop3Events::Info, id: Log::ID, filter: Log::Filter)\n"
        '\t{ if ( rec$kind == "data" ) break; }\n'
    )
    result = pop3.run(packets(), ".", str(site))
    assert result.rows and not result.of("data")


def test_attachments_are_files(pop3: Zeek) -> None:
    """files.zeek: each MIME entity of each mail is a file of its own, with its hashes."""
    part = (
        b"--x\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n"
    )
    mail = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + part * 2 + b"--x--\r\n"
    box = server.Mailbox([mail, mail])
    played = tcp.Connection().play(server.steps(server.dialogue(box, server.fetch_all(box))))
    for load in (["files.zeek"], ["files.zeek", "exact.zeek"], ["files.zeek", "."]):
        result = pop3.run(played.packets, *load, more=["frameworks/files/hash-all-files"])
        rows = [
            line.split(b"\t")
            for line in (result.folder / "files.log").read_bytes().split(b"\n")
            if line and not line.startswith(b"#")
        ]
        pdf = [row for row in rows if b"application/pdf" in row]
        assert len({row[1] for row in pdf}) == 4
        assert all(b"POP3" in row and b"8eb3f2ae4bfa3ce1ccc0c7cd91e8ddb1" not in row for row in pdf)
