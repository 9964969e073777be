"""The dialogue as text, from both forms of the log."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from support.program import program
from support.traffic.eventlog import log_header
from zeekpop3.errors import LogError
from zeekpop3.views.transcript import transcript


def lines(*logs: Path, **options: object) -> list[str]:
    def fail(error: LogError) -> None:
        raise error

    return list(transcript(logs, on_error=fail, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["exact", "plain"])
def test_one_connection(fixtures: Path, form: str) -> None:
    """Requests, replies and data in order; the form of the log makes no difference here."""
    found = lines(fixtures / "logs" / f"article.{form}.log")
    assert found[0] == "reply: cmd: OK, msg: Dovecot ready."
    assert found[-2:] == ["request: cmd: QUIT, arg: ", "reply: cmd: OK, msg: Logging out."]
    assert "data: Hello zhangsan" in found
    assert not [line for line in found if line.startswith("connection")]


def test_without_data(fixtures: Path) -> None:
    """--no-data leaves requests and replies."""
    log = fixtures / "logs" / "article.exact.log"
    done = program("transcript", log, "--no-data")
    assert done.stdout.splitlines() == [line for line in lines(log) if not line.startswith("data:")]


def test_several_connections(fixtures: Path) -> None:
    """Each has a title with uid and addresses; --uid selects one, without a title."""
    log = next((fixtures / "logs").glob("parallel.exact.log*"))
    titles = [line for line in lines(log) if line.startswith("connection: ")]
    assert len(titles) > 1
    assert titles[0].count(":") == 3
    uid = titles[0].split()[1]
    assert lines(log, uid=uid) == lines(log)[1 : lines(log).index("")]


def test_rows_of_several_lines(tmp_path: Path) -> None:
    """A data row of the plain form holds several lines; marks of header fields are not among them."""
    data = base64.b64encode(b"Subject: hi\n\0SUBJECT\n\nbody").decode()
    rows = [
        ("0", "request", "RETR", base64.b64encode(b"1").decode(), "1"),
        ("1", "reply", "OK", "-", "-"),
        ("2", "data", "-", data, "26"),
        ("3", "end", "-", "-", "-"),
    ]
    log = tmp_path / "pop3_events.log"
    log.write_bytes(
        log_header()
        + b"".join(
            f"1719230400.0\tCx\t-\t-\t-\t-\t{seq}\t{kind}\t{command}\t-\t{length}\t{text}\n".encode()
            for seq, kind, command, text, length in rows
        )
    )
    assert lines(log) == [
        "request: cmd: RETR, arg: 1",
        "reply: cmd: OK, msg: ",
        "data: Subject: hi",
        "data: ",
        "data: body",
    ]
