"""The ready queries that join mails with Zeek's other logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.queries import CLIENT, answer, fetched, letter
from support.records import NOON, session
from support.tables_made import with_attachment
from zeekpop3.errors import QueryError
from zeekpop3.views.sql import ask

HTTP = """\
{{"ts":{before},"uid":"Ch0","id.orig_h":"192.0.2.10","host":"known.example","uri":"/x","resp_fuids":["F0"]}}
{{"ts":{after},"uid":"Ch1","id.orig_h":"192.0.2.10","host":"bad.example","uri":"/in?id=1","resp_fuids":["F1"]}}
{{"ts":{after},"uid":"Ch2","id.orig_h":"192.0.2.10","host":"BAD.example","uri":"http://bad.example/in?id=1"}}
{{"ts":{after},"uid":"Ch3","id.orig_h":"192.0.2.99","host":"bad.example","uri":"/in?id=1","resp_fuids":["F3"]}}
{{"ts":{after},"uid":"Ch4","id.orig_h":"192.0.2.10","host":"host.example","uri":"/other"}}
{{"ts":{after},"uid":"Ch5","id.orig_h":"192.0.2.10","host":"www.known.example","uri":"/"}}
{{"ts":{after},"uid":"Ch6","id.orig_h":"192.0.2.10","host":"known.example","uri":"/x"}}
"""
SSL = '{{"ts":{after},"uid":"Cs1","id.orig_h":"192.0.2.10","server_name":"xn--bcher-kva.example"}}\n'
LINKS = (
    "http://bad.example/in?id=1#top http://host.example/page https://bücher.example/a "
    "http://unvisited.example/ http://known.example/x\r\n"
)


def logs_at(text: str) -> str:
    return text.format(before=NOON / 1e6 - 60, after=NOON / 1e6 + 3600)


def test_clicks(tmp_path: Path) -> None:
    """The same client, later; the URL itself, its host, or its server name in TLS. Another client, an earlier
    visit, another host of the site are not clicks."""
    raw = letter("a@a.example", "Content-Type: text/plain; charset=utf-8", text=LINKS)
    rows = answer(tmp_path, "clicks", fetched(raw), http=logs_at(HTTP), ssl=logs_at(SSL))
    assert {row["url"]: (row["match"], row["times"], row["known_host"]) for row in rows} == {
        "http://bad.example/in?id=1#top": ("URL", 2, False),
        "http://host.example/page": ("host", 1, False),
        "https://bücher.example/a": ("server name", 1, False),
        "http://known.example/x": ("URL", 1, True),
    }
    assert {row["client"] for row in rows} == {CLIENT}


def test_clicks_needs_one_of_two_logs(tmp_path: Path) -> None:
    """http.log or ssl.log alone will do; without both the error names the options."""
    raw = letter("a@a.example", text="https://bad.example/\r\n")
    log = logs_at('{{"ts":{after},"id.orig_h":"192.0.2.10","server_name":"bad.example"}}\n')
    (row,) = answer(tmp_path, "clicks", fetched(raw), ssl=log)
    assert row["match"] == "server name"
    with pytest.raises(QueryError, match=r"needs --log http=http\.log or --log ssl=ssl\.log"):
        ask(tmp_path / "out", query="clicks")


def test_downloads(tmp_path: Path) -> None:
    """Attachments seen elsewhere by any hash, files from links; not the transfer of the mail itself."""
    import hashlib

    content = b"MZ planted"
    md5, sha256 = hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest()
    rows = (
        ("F1", f'"md5":"{"0" * 32}","uid":"Ch1","id.orig_h":"192.0.2.10"'),
        ("F7", f'"md5":"{md5}","conn_uids":["Cx"],"rx_hosts":["192.0.2.77"]'),
        ("F8", f'"md5":"{md5}","uid":"C1","id.orig_h":"192.0.2.10"'),
        ("F9", f'"md5":"{"1" * 32}","uid":"Cy","id.orig_h":"192.0.2.10"'),
        ("FA", f'"sha256":"{sha256}","uid":"Cz","id.orig_h":"192.0.2.5"'),
    )
    files = "".join(f'{{"ts":1719234000.5,"fuid":"{fuid}",{more}}}\n' for fuid, more in rows)
    events = [
        *fetched(
            with_attachment("x.exe", content), letter("a@a.example", text="http://bad.example/in?id=1\r\n")
        ),
        session(uid="C1"),
    ]
    found = answer(tmp_path, "downloads", events, files=files, http=logs_at(HTTP))
    assert [(row["client"], row["origin"], row["mail"]) for row in found] == [
        ("192.0.2.10", "link", "C2/1"),
        ("192.0.2.77", "attachment", "C1/1"),
        ("192.0.2.5", "attachment", "C1/1"),
    ]
    assert len(ask(tmp_path / "out", query="downloads", logs={"files": tmp_path / "files.log"}).rows) == 2


def test_one_token_is_one_visit(tmp_path: Path) -> None:
    """Three users behind one address: the request for the token of one is no visit of the host by the others,
    nor are the name's DNS query and the TLS connection of that moment; a later one is."""
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
    mails = [letter("a@a.example", text=f"http://go.example/t/{n}\r\n") for n in range(3)]
    http = '{{"ts":{after},"id.orig_h":"192.0.2.10","host":"go.example","uri":"/t/1"}}\n'
    dns = '{{"ts":{after},"id.orig_h":"192.0.2.10","query":"go.example"}}\n'
    rows = answer(tmp_path / "a", "clicks", fetched(*mails), http=logs_at(http), dns=logs_at(dns))
    assert [(row["url"], row["match"]) for row in rows] == [("http://go.example/t/1", "URL")]
    later = f'{{"ts":{NOON / 1e6 + 9000},"id.orig_h":"192.0.2.10","query":"go.example"}}\n'
    rows = answer(tmp_path / "b", "clicks", fetched(*mails), http=logs_at(http), dns=later)
    assert sorted(row["match"] for row in rows) == ["DNS query", "DNS query", "URL"]
