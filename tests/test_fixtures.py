"""The captures and logs in fixtures/ are what they are said to be, and what Zeek still writes of them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.traffic import derived, eventlog, pcap, record, rows, truth

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
CAPTURES = sorted(path.stem for path in FIXTURES.glob("*.pcap"))
DAMAGED = {"gap", "gap-pipelined", "gap-many", "gap-parallel", "cut-off", "late", "torn"}
FORMS = ("plain", "exact")


def recorded_log(name: str, form: str) -> Path | None:
    """The log of a capture, packed or not; None if Zeek writes none."""
    found = [p for p in (FIXTURES / "logs").glob(f"{name}.{form}.log*") if p.is_file()]
    return found[0] if found else None


def test_each_capture_is_described_and_all_are_small() -> None:
    """README.md names every capture; all fixtures together stay below 8 MB."""
    text = (FIXTURES / "README.md").read_text()
    assert [name for name in CAPTURES if f"`{name}`" not in text] == []
    assert sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file()) < 8_000_000


@pytest.mark.parametrize("name", CAPTURES)
def test_the_truth_is_that_of_the_packets(name: str) -> None:
    """What the bytes of an undamaged capture say is what its truth file says; a damaged one has as many
    mails."""
    told = json.loads((FIXTURES / f"{name}.truth.json").read_text())["transfers"]
    if name in DAMAGED:
        assert told
        return
    packets = pcap.read(FIXTURES / f"{name}.pcap")
    found = json.loads(json.dumps([truth.as_json(t) for t in truth.of_packets(packets)]))
    keys = ("id_orig_p", "trans_depth", "command", "msg_num", "size", "sha256", "response", "body")
    assert sorted([t[k] for k in keys] for t in found) == sorted([t[k] for k in keys] for t in told)


def test_derived_captures_are_made_again_byte_for_byte(tmp_path: Path) -> None:
    """The code that made the captures from the recorded ones still makes these."""
    for name, make in derived.made(FIXTURES).items():
        pcap.write(tmp_path / "again.pcap", make()[0])
        assert (tmp_path / "again.pcap").read_bytes() == (FIXTURES / f"{name}.pcap").read_bytes(), name


def test_secrets_are_listed() -> None:
    """secrets.txt has all that the captures were made with."""
    lines = (FIXTURES / "secrets.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == derived.secrets()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CAPTURES)
def test_no_secret_in_a_recorded_log(name: str, form: str, secrets: list[bytes]) -> None:
    """Neither the log's text nor what it encodes contains a password, in clear or as it was sent."""
    path = recorded_log(name, form)
    if path is None:
        assert (name, form) == ("late", "plain")
        return
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for session in eventlog.read_log(path).values():
        text += b"\n".join(session.data)
    assert [secret for secret in secrets if secret in text] == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CAPTURES)
def test_the_stand_in_writes_what_zeek_writes(name: str, form: str) -> None:
    """Rows made without a Zeek equal the recorded ones, but for times and a history.

    What the server's stream holds, what the client sent, and Zeek's own events are compared apart: the order
    between these is free, and so is where the server's bytes are cut into rows.
    """
    path = recorded_log(name, form)
    real = {r.conn_id: r for r in eventlog.read_log(path).values()} if path else {}
    made = {
        r.conn_id: r
        for r in rows.of_packets(pcap.read(FIXTURES / f"{name}.pcap"), exact=form == "exact").values()
    }
    assert made.keys() == real.keys()
    for conn_id, theirs in real.items():
        assert _said(made[conn_id]) == _said(theirs)


def _said(held: rows.Rows) -> dict[str, list[tuple[Any, ...]]]:
    out: dict[str, list[tuple[Any, ...]]] = {"server": [], "client": [], "zeek": []}
    for row in zip(held.kind, held.command, held.offset, held.length, held.data, strict=True):
        if row[0] == "contents" and out["server"] and out["server"][-1][0] == "contents":
            kind, command, offset, length, data = out["server"][-1]
            assert row[2] == offset + length
            out["server"][-1] = (kind, command, offset, length + row[3], data + row[4])
        elif row[0] == "contents" or row[:2] == ("gap", "server"):
            out["server"].append(row)
        elif row[:2] == ("sent", "lines"):
            for line in row[4].split(b"\n"):
                command, _, argument = line.partition(b" ")
                length = len(argument) or -1
                out["client"].append(("sent", command.decode(), row[2], length, argument))
        elif row[0] == "sent" or row[:2] == ("gap", "client"):
            out["client"].append(row)
        elif row[0] != "close":
            out["zeek"].append(row)
    return out


@pytest.mark.zeek
def test_zeek_still_writes_these_logs(zeek: str) -> None:
    """Recording all logs again gives those in fixtures/logs (`traffic/record.py` renews them)."""
    folder = FIXTURES / "logs"
    have = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    now = record.recorded(sorted(FIXTURES.glob("*.pcap")))
    assert sorted(now) == sorted(have)
    assert [name for name in now if _text(now[name]) != _text(have[name])] == []


def _text(data: bytes) -> bytes:
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    return re.sub(rb"(?m)^#(?:open|close).*\n", b"", text)
