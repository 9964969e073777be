"""Nothing that a mail, a log, a file name or another program says reaches a real terminal unfiltered."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from support.program import on_a_terminal
from support.tables_made import Made
from support.traffic.eventlog import log_header
from zeekpop3.views.text import visible

#: What may act on the terminal: our own colours and line ends.
OURS = re.compile(r"\x1b\[[0-9;]*m")
PROGRESS = re.compile(r"\r(zeekpop3: \d+ of \d+ MiB, \d+ mails \(\d+/s\)\r)? *\r")
EVIL = "evil\x1b[2J\x1b]0;title\x07\u202ename"
SHOWN = "evil\\x1b[2J\\x1b]0;title\\x07\\u202ename"


def filtered(text: str) -> bool:
    text = PROGRESS.sub("", OURS.sub("", text)).replace("\r\n", "")
    return visible(text) == text


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder whose name, and the names of whose files, are hostile; a fake zeek that fails loudly."""
    folder = tmp_path / EVIL
    folder.mkdir()
    (folder / f"pop3_events.{EVIL}.log").write_bytes(log_header() + f"{EVIL}\trow\n".encode())
    (folder / f"{EVIL}.pcap").write_bytes(b"no capture")
    zeek = folder / "zeek"
    zeek.write_text(f"#!/bin/sh\nprintf '%s\\n' 'fatal: {EVIL}' >&2\nexit 1\n", "utf-8")
    zeek.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "{evil}", "--out", "{tmp}/out"],
        ["run", "{evil}/none", "--out", "{tmp}/out"],
        ["run", "{evil}/{name}.pcap", "--out", "{tmp}/out"],
        ["run", "fixtures/logs/article.exact.log", "--out", "{evil}/{name}.pcap/x"],
        ["pcap", "{evil}/{name}.pcap", "--out", "{tmp}/out", "--zeek", "{evil}/zeek"],
        ["pcap", "{evil}/none.pcap", "--out", "{tmp}/out", "--zeek", "{evil}/zeek"],
        ["pcap", "{evil}/none.pcap", "--out", "{tmp}/out", "--zeek", "{evil}/none"],
        ["transcript", "{evil}"],
        ["follow", "{evil}", "--out", "{tmp}/out", "--once"],
        ["follow", "{evil}", "--out", "{evil}/{name}.pcap", "--once", "--log-format", "json"],
        ["show", "{evil}"],
        ["show", "{made}", "{name}/1"],
        ["show", "{made}", "--since", "{name}"],
        ["show", "{made}", "--attachment", "{name}"],
        ["eml", "{made}", "--out", "{evil}/zeek"],
        ["eml", "{made}", "--out", "{evil}/eml"],
        ["eml", "{evil}", "--out", "{tmp}/eml"],
        ["sql", "{evil}", "select 1"],
        ["sql", "{made}", "select cast(user as int) from emails where uid = 'CevilE'"],
        ["sql", "{made}", "select cast(subject as date) from emails where uid = 'CevilE'"],
        ["sql", "{made}", 'select "{name}" from emails'],
        ["sql", "{made}", 'select 1 as "{name}"'],
        ["sql", "{made}", "select error(subject) from emails where uid = $$CevilE$$"],
        ["sql", "{made}", "--query", "{name}"],
        ["sql", "{made}", "select 1", "--log", "x={evil}"],
        ["sql", "{made}", "select 1", "--log", "{name}=x"],
        ["sql", "{made}", "select 1", "--output", "{evil}/x.csv"],
        ["sql", "{made}", "select 1", "--output", "{evil}/none/x.csv"],
        ["report", "{made}", "--output", "{evil}/report.html"],
        ["report", "{evil}", "--output", "{tmp}/report.html"],
        ["prune", "{evil}", "--keep", "1d"],
        ["prune", "{made}", "--keep", "{name}"],
        ["{name}"],
        ["show", "--{name}"],
        ["show", "{made}", "--limit", "{name}"],
    ],
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_errors_and_paths_are_filtered(made: Made, place: Path, tmp_path: Path, arguments: list[str]) -> None:
    """Every command, its errors and the paths in them; what was hostile is shown as escapes."""
    given = {"made": str(made.path), "evil": str(place), "tmp": str(tmp_path), "name": EVIL}
    code, text = on_a_terminal(*(argument.format(**given) for argument in arguments), columns=400)
    assert filtered(text), text
    assert "\\x1b" in text
    assert "Traceback" not in text
    assert code in (0, 1, 2)


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"], ["show", "--csv"], ["show", "CevilE/1"]])
def test_mails_are_filtered(made: Made, arguments: list[str]) -> None:
    """Lists, single mails, JSON and CSV."""
    command, *rest = arguments
    code, text = on_a_terminal(command, made.path, *rest)
    assert code == 0
    assert filtered(text)
    assert "CevilE" in text


def test_a_transcript_is_filtered(tmp_path: Path, fixtures: Path) -> None:
    """What client and server said."""
    log = (fixtures / "logs" / "article.plain.log").read_bytes()
    hello, evil = (base64.b64encode(text.encode()) for text in ("Dovecot ready.", EVIL))
    assert hello in log
    (tmp_path / "pop3_events.log").write_bytes(log.replace(hello, evil))
    _, text = on_a_terminal("transcript", tmp_path / "pop3_events.log")
    assert filtered(text)
    assert f"reply: cmd: OK, msg: {SHOWN}" in text
