"""The search: every place that an indicator can be at, nothing else, and what cannot be ruled out."""

from __future__ import annotations

import hashlib
import ipaddress
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zeekpop3
import zeekpop3.detect.search
from detect.conftest import MAIL
from zeekpop3.detect.search import new_hits
from zeekpop3.errors import IndicatorError, QueryError, UsageError
from zeekpop3.store.read import read_table

EVIL = b"evil content"
PLACES = [
    ("boss@mail.corp.example", "EMAIL", "addresses.from", ""),
    ("OTHER@freemail.example", "EMAIL", "addresses.reply_to", ""),
    ("li@bücher.example", "EMAIL", "addresses.cc", ""),
    ("corp.example", "DOMAIN", "addresses.from", ""),
    ("xn--bcher-kva.example", "DOMAIN", "addresses.cc", ""),
    ("evil.example", "DOMAIN", "links.host", ""),
    ("login[.]evil[.]example", "DOMAIN", "links.host", ""),
    ("hxxps://login.evil.example/Path?q=1", "URL", "links.url", ""),
    ("192.0.2.66", "ADDR", "links.host", ""),
    ("192.0.2.64/29", "SUBNET", "links.host", ""),
    ("203.0.113.9", "ADDR", "emails.path", ""),
    ("2001:db8:0:0::7", "ADDR", "emails.x_originating_ip", ""),
    ("192.0.2.10", "ADDR", "emails.id_orig_h", ""),
    ("192.0.2.110", "ADDR", "emails.id_resp_h", ""),
    (hashlib.md5(EVIL).hexdigest().upper(), "FILE_HASH", "attachments.md5", "2"),
    (hashlib.sha1(EVIL).hexdigest(), "FILE_HASH", "attachments.sha1", "2"),
    (hashlib.sha256(EVIL).hexdigest(), "FILE_HASH", "attachments.sha256", "2"),
    (hashlib.sha256(MAIL).hexdigest(), "FILE_HASH", "emails.sha256", ""),
    ("order.pdf.EXE", "FILE_NAME", "attachments.filename", "2"),
    ("Intel::USER_NAME zhangSan", "USER_NAME", "emails.user", ""),
    ("Intel::SOFTWARE bulkmailer 3", "SOFTWARE", "emails.user_agent", ""),
    ("inner@deep.example", "EMAIL", "addresses.from", "3"),
    ("deep.example", "DOMAIN", "addresses.from", "3"),
    ("inner-link.example", "DOMAIN", "links.host", "3"),
    ("192.0.2.77", "ADDR", "enclosed.x_originating_ip", "3"),
    ("Intel::SOFTWARE InnerAgent 1", "SOFTWARE", "enclosed.user_agent", "3"),
]
ABSENT = (
    "orp.example", "il.example", "www.login.evil.example", "oss@mail.corp.example", "192.0.2.6",
    "198.51.100.0/24", "http://login.evil.example/path?q=1",
    "http://login.evil.example/", "order.pdf", "0" * 64,
)  # fmt: skip


def listed(path: Path, *values: str) -> Path:
    """A list of indicators; `Intel::TYPE value` states the type."""
    lines = ["#fields\tindicator\tindicator_type\tmeta.source"]
    plain = []
    for value in values:
        if value.startswith("Intel::"):
            kind, _, value = value.partition(" ")
            lines.append(f"{value}\t{kind}\tfeed")
        else:
            plain.append(value)
    path.write_text("\n".join(lines if len(lines) > 1 else plain) + "\n")
    return path


@pytest.mark.parametrize(("value", "kind", "field", "part"), PLACES, ids=[p[0] for p in PLACES])
def test_every_place(places: Path, tmp_path: Path, value: str, kind: str, field: str, part: str) -> None:
    """A list of one indicator has a hit at this place of the whole mail."""
    found = zeekpop3.hunt(places, listed(tmp_path / "list", value)).table.to_pylist()
    assert (kind, field, part) in {
        (row["type"], row["field"], row["part"]) for row in found if row["uid"] == "CaaaA1"
    }
    assert {row["indicator"] for row in found} == {value.split(" ", 1)[-1]}


def test_what_is_not_there(places: Path, tmp_path: Path) -> None:
    """Parts of names, addresses outside networks, other paths: no hit."""
    assert zeekpop3.hunt(places, listed(tmp_path / "list", *ABSENT)).table.to_pylist() == []


def test_three_values(places: Path, tmp_path: Path) -> None:
    """Hit, ruled out, cannot be ruled out: bytes missing, or a preview of a mail that was never fetched."""
    found = zeekpop3.hunt(places, listed(tmp_path / "list", "evil.example"))
    assert (found.searched, found.with_hits) == (5, 1)
    assert [(row["uid"], row["reason"]) for row in found.undecided.to_pylist()] == [
        ("CcccC3", "preview only (TOP); the mail was not fetched"),
        ("CbbbB2", "bytes are missing"),
    ]
    assert (found.table.num_rows, found.ruled_out, found.undecided.num_rows) == (1, 2, 2)
    found = zeekpop3.hunt(places, listed(tmp_path / "list", "a@example.org"))
    assert [row["uid"] for row in found.undecided.to_pylist()] == []


def test_what_is_not_in_the_tables(fixtures: Path, tmp_path: Path) -> None:
    """With --no-body a link cannot be ruled out, a hash can."""
    out = tmp_path / "out"
    log = fixtures / "incident" / "pop3_events.log"
    zeekpop3.run([log], out, settings=zeekpop3.Settings(privacy=zeekpop3.Privacy(keep_body=False)), jobs=1)
    for path, value, reason in ((out, "badhost.test", "its links are not in the tables"),):
        found = zeekpop3.hunt(path, listed(tmp_path / "list", value))
        reasons = [row["reason"] for row in found.undecided.to_pylist()]
        assert reasons.count(reason) > 5
        assert zeekpop3.hunt(path, listed(tmp_path / "list", "0" * 64)).undecided.num_rows < len(reasons)


def test_the_incident(incident: Path, fixtures: Path) -> None:
    """Twelve hits in the three fetched copies of the phish."""
    found = zeekpop3.hunt(str(incident), [fixtures / "incident" / "indicators.intel"])
    assert (found.table.num_rows, found.searched, found.with_hits, found.undecided.num_rows) == (12, 7, 3, 0)
    rows = found.table.to_pylist()
    assert {row["source"] for row in rows} == {"feed-a", "feed-b"}
    assert [row["ts"] for row in rows] == sorted((row["ts"] for row in rows), reverse=True)


def test_hits_equal_those_of_a_plain_loop(incident: Path, places: Path, tmp_path: Path) -> None:
    """Values out of the tables and near ones, against each value of each row, without DuckDB."""
    rng = random.Random(7)
    for path in (incident, places):
        values = sorted({value for *_, value in _values(path)})
        wanted = rng.sample(values, 15) + [
            value[1:] for value in rng.sample(values, 10) if value[0].isalpha()
        ]
        wanted += ["192.0.2.0/28", "example", "10.20.0.0/16"]
        file = tmp_path / "list.csv"
        file.write_text("indicator,type\n" + "".join(f'"{value}",{_kind(value)}\n' for value in wanted))
        found = zeekpop3.hunt(path, file).table.to_pylist()
        names = ("uid", "trans_depth", "type", "value")
        assert {tuple(row[name] for name in names) for row in found} == set(_plain_loop(path, wanted))
        assert len(found) > 15


def _kind(value: str) -> str:
    if re.fullmatch(r"[0-9./]+|[0-9a-f:]+", value):
        return "SUBNET" if "/" in value else "ADDR"
    return "EMAIL" if "@" in value else "DOMAIN"


def _values(path: Path) -> Iterator[tuple[str, int | None, str, str]]:
    for row in read_table(path, "addresses").to_pylist():
        yield row["uid"], row["trans_depth"], "EMAIL", row["address"]
        yield row["uid"], row["trans_depth"], "DOMAIN", row["domain"]
    for row in read_table(path, "links").to_pylist():
        yield row["uid"], row["trans_depth"], _kind(row["host"]), row["host"]
    for row in read_table(path, "emails").to_pylist():
        for address in {row["id_orig_h"], row["id_resp_h"], *(row["path"] or [])}:
            yield row["uid"], row["trans_depth"], "ADDR", address
    for row in read_table(path, "sessions").to_pylist():
        if not row["retrieved"]:
            for address in (row["id_orig_h"], row["id_resp_h"]):
                yield row["uid"], None, "ADDR", address


def _plain_loop(path: Path, wanted: list[str]) -> Iterator[tuple[Any, ...]]:
    for uid, depth, kind, value in _values(path):
        for one in wanted:
            asked = _kind(one)
            if asked == "SUBNET" and kind == "ADDR":
                if ipaddress.ip_address(value) in ipaddress.ip_network(one):
                    yield uid, depth, "SUBNET", value
            elif asked == kind and (value == one or (kind == "DOMAIN" and value.endswith("." + one))):
                yield uid, depth, kind, value


def test_hits_are_added_once(tmp_path: Path, fixtures: Path) -> None:
    """By several at the same time, too; a block that fails adds nothing."""
    out = tmp_path / "out"
    zeekpop3.run([fixtures / "incident" / "pop3_events.log"], out, jobs=1)
    found = zeekpop3.hunt(out, fixtures / "incident" / "indicators.intel").table
    with pytest.raises(RuntimeError), new_hits(out, found):
        raise RuntimeError
    assert read_table(out, "hits").num_rows == 0
    added = []

    def add() -> None:
        with new_hits(out, found) as new:
            added.append(new.num_rows)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == [0, 0, 0, 12]
    assert read_table(out, "hits").num_rows == 12


def test_tables_of_version_2(fixtures: Path, tmp_path: Path) -> None:
    """What they have is searched."""
    found = zeekpop3.hunt(fixtures / "tables-2" / "batch", listed(tmp_path / "list", "0.0.0.0/0"))
    assert found.with_hits == found.searched > 0


def test_errors(places: Path, tmp_path: Path) -> None:
    """A list or a folder that cannot be read, named in the message."""
    with pytest.raises(IndicatorError, match="none: no such file"):
        zeekpop3.hunt(places, tmp_path / "none")
    with pytest.raises(QueryError, match="no such folder"):
        zeekpop3.hunt(tmp_path / "none", listed(tmp_path / "list", "evil.example"))
    with pytest.raises(IndicatorError, match="line 1"):
        zeekpop3.hunt(places, listed(tmp_path / "list", "?!"))
    with pytest.raises(UsageError, match="nothing to search for"):
        zeekpop3.hunt(places)
