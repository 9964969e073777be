"""SQL: the views, the ready queries, Zeek's logs beside them, and nothing else within reach."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from support.program import program
from support.tables_made import PAYLOADS, PDF, Made
from zeekpop3.errors import LogError, QueryError
from zeekpop3.views.queries import READY_QUERIES
from zeekpop3.views.sql import ask
from zeekpop3.views.text import visible
from zeekpop3.zeek.logs import read_zeek_log

CONN = r"""#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	conn
#open	2024-06-24-12-00-00
#fields	ts	uid	id.orig_h	id.orig_p	duration	orig_bytes	resp_bytes	conn_state	history	tunnel_parents
#types	time	string	addr	port	interval	count	count	string	string	set[string]
1719230400.100001	CaaaA1	192.0.2.10	41000	1.5	100	900	SF	ShAdDaFf	(empty)
1719230401.000000	Cother	192.0.2.10	41001	-	-	-	S0	#"S'x	a,b\x2cc
#close	2024-06-24-13-00-00
"""

SMTP = """#separator \\x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	smtp
#fields	ts	uid	id.orig_h	mailfrom	msg_id	tls
#types	time	string	addr	string	string	bool
1719226800.000000	Csmtp1	198.51.100.7	lisi@example.org	<t1@example.org>	F
1719226800.000000	Csmtp2	198.51.100.7	\\xe4\\xbd\\xa0@example.org	-	T
"""


def answers(made: Made, query: str, **logs: Path) -> list[dict[str, Any]]:
    return ask(made.path, query=query, logs=logs).dicts()


def test_the_views(made: Made) -> None:
    """Four views with all columns and their day; lists and structs are DuckDB's."""
    assert ask(made.path, "select count(*) from emails").rows == [(len(made.transfers),)]
    assert ask(made.path, "select count(*) from sessions join commands using (uid)").rows == [(4,)]
    rows = ask(
        made.path, "select day::varchar, \"to\"[1], attachments[1].size, raw from emails where uid = 'CaaaA1'"
    )
    assert rows.rows[1] == ("2024-06-24", "zhangsan@example.com", 20, made.transfers[1].raw)
    assert ask(made.path, "select user from emails where uid = 'CevilE' order by trans_depth").rows == [
        (payload,) for payload in PAYLOADS
    ]


def test_who_fetched_which_attachment(made: Made) -> None:
    """A row per content, with the users that have it."""
    rows = answers(made, "attachment-hashes")
    digest = hashlib.sha256(PDF).hexdigest()
    assert [(row["sha256"], row["fetched_by"], row["times"], row["users"]) for row in rows] == [
        (digest, ["wangwu", "zhangsan"], 2, 2),
        (hashlib.sha256(b"own").hexdigest(), ["wangwu"], 1, 1),
    ]
    assert rows[0]["filename"] == "r.pdf"


def test_clear_text_logins(made: Made) -> None:
    """By user and mechanism: what was exposed, from where, how often."""
    rows = {row["user"]: row for row in answers(made, "clear-text-logins")}
    assert rows["zhangsan"]["logins"] == 2
    assert rows["zhangsan"]["exposed"] == "password"
    assert rows["wangwu"]["clients"] == ["192.0.2.11"]


def test_incomplete_mails_with_their_reason(made: Made) -> None:
    """Newest first; lost bytes, and a log that ended, are different reasons."""
    rows = answers(made, "incomplete")
    assert [(row["uid"], row["reason"], row["missing_bytes"]) for row in rows] == [
        ("CcccC3", "the log ended first", 0),
        ("CbbbB2", "bytes were lost in the capture", 34),
    ]


def test_top_senders_per_day(made: Made) -> None:
    """At most ten a day, the most mails first; the payloads' day has more senders than that."""
    rows = answers(made, "top-senders")
    by_day = [str(row["day"]) for row in rows]
    assert by_day == sorted(by_day, reverse=True)
    assert by_day.count("2024-06-23") == 10
    first = next(row for row in rows if str(row["day"]) == "2024-06-25")
    assert (first["sender"], first["mails"], first["users"]) == ("Li Si <lisi@example.org>", 2, 1)


def test_connections_of_mails(made: Made, tmp_path: Path) -> None:
    """conn.log joined by uid; its types, odd characters and sets are read as they are."""
    log = tmp_path / "conn.log"
    log.write_text(CONN)
    rows = answers(made, "conn", conn=log)
    assert [(row["uid"], row["trans_depth"], row["conn_state"], row["duration"]) for row in rows] == [
        ("CaaaA1", 1, "SF", 1.5),
        ("CaaaA1", 2, "SF", 1.5),
    ]
    table = read_zeek_log(log).to_pylist()
    assert table[0]["ts"].isoformat() == "2024-06-24T12:00:00.100001+00:00"
    assert (table[0]["tunnel_parents"], table[1]["tunnel_parents"]) == ([], ["a", "b,c"])
    assert (table[1]["history"], table[1]["orig_bytes"]) == ("#\"S'x", None)
    assert table[0]["id_orig_p"] == 41000


def test_who_sent_what_was_fetched(made: Made, tmp_path: Path) -> None:
    """smtp.log joined by message id, compressed or not; escaped bytes are read as UTF-8."""
    log = tmp_path / "smtp.log.gz"
    log.write_bytes(gzip.compress(SMTP.encode()))
    rows = answers(made, "smtp", smtp=log)
    assert [(row["mailfrom"], row["fetched_by"], row["pop3_uid"]) for row in rows] == [
        ("lisi@example.org", "zhangsan", "CaaaA1"),
        ("lisi@example.org", "zhangsan", "CcccC3"),
    ]
    second = read_zeek_log(log).to_pylist()[1]
    assert (second["mailfrom"], second["msg_id"], second["tls"]) == ("你@example.org", None, True)


def test_logs_as_json_folder_or_glob(made: Made, tmp_path: Path) -> None:
    """Sites that log JSON, and rotated logs in a folder."""
    (tmp_path / "conn.1.log").write_text(
        '{"ts":1719230400.100001,"uid":"CaaaA1","id.orig_h":"192.0.2.10","history":"S"}\n'
    )
    (tmp_path / "conn.2.log").write_text(
        '{"ts":1719230401,"uid":"CbbbB2","id.orig_h":"192.0.2.11","local_orig":true}\n'
    )
    for path in (tmp_path, tmp_path / "conn.*.log"):
        rows = ask(
            made.path, "select uid, id_orig_h, year(ts) from conn order by uid", logs={"conn": path}
        ).rows
        assert rows == [("CaaaA1", "192.0.2.10", 2024), ("CbbbB2", "192.0.2.11", 2024)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing\n",
        b"#fields\tts\n#types\ttime\tstring\n",
        b"{broken",
        b"\x1f\x8bx",
        CONN.replace("41000", "4x").encode(),
    ],
)
def test_no_zeek_log(tmp_path: Path, content: bytes) -> None:
    """A file that is not a Zeek log gives one clear line that names it."""
    log = tmp_path / "conn.log"
    log.write_bytes(content)
    with pytest.raises(LogError, match=r"conn\.log") as caught:
        read_zeek_log(log)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('{file}')",
        "select * from '{file}'",
        "select * from read_text('{file}')",
        "select * from read_blob('{file}')",
        "select * from read_parquet('{out}/emails/**/*.parquet')",
        "select * from glob('/etc/*')",
        "copy emails to '{file}'",
        "copy (select 1) to '{file}.new'",
        "export database '{file}.dir'",
        "attach '{file}.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false; select 1",
        "reset temp_directory",
        "select * from connection",
        "select * from read_csv('https://example.org/x')",
        "pragma enable_profiling",
        "selec",
        "",
        "select subjekt from emails",
    ],
)
def test_nothing_else_is_within_reach(made: Made, tmp_path: Path, statement: str) -> None:
    """No file, network, extension, setting or Python variable; the error is one line."""
    file = tmp_path / "file.csv"
    file.write_text("secret\n")
    with pytest.raises(QueryError) as caught:
        ask(made.path, statement.format(file=file, out=made.path))
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file.csv"]
    assert file.read_text() == "secret\n"


def test_statements_without_an_answer(made: Made) -> None:
    """A scratch table lives as long as the statement; names that occur twice are made different."""
    assert ask(made.path, "create table t as select 1 as a; select a, a from t").dicts() == [
        {"a": 1, "a_1": 1}
    ]
    assert ask(made.path, "create table t (a int)").rows == []


def test_queries_that_need_a_log_say_so(made: Made) -> None:
    """An unknown query lists the known ones; an invalid name is refused."""
    with pytest.raises(QueryError, match=r"--log conn=conn\.log"):
        ask(made.path, query="conn")
    with pytest.raises(QueryError, match="available: suspicious"):
        ask(made.path, query="nope")
    for name in ("emails", "a b", "1"):
        with pytest.raises(QueryError, match="invalid view name"):
            ask(made.path, "select 1", logs={name: "x"})


def test_the_program(made: Made) -> None:
    """Table, CSV, JSON, and the list of ready queries."""
    listed = program("sql", made.path, "--list").stdout.splitlines()
    assert [line.split()[0] for line in listed if not line.startswith(" ")] == list(READY_QUERIES)
    done = program(
        "sql", made.path, "select uid, \"from\", defects from emails where uid = 'CbbbB2'", "--json"
    )
    assert json.loads(done.stdout.splitlines()[2])["defects"][0] == "gap"
    done = program(
        "sql", made.path, "select user as u from emails where uid = 'CevilE' order by all", "--csv"
    )
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert len(rows) == 1 + len(PAYLOADS)
    assert visible(done.stdout.replace("\n", "")) == done.stdout.replace("\n", "")
    done = program("sql", made.path, "-q", "incomplete", columns=200)
    assert "bytes were lost in the capture" in done.stdout
