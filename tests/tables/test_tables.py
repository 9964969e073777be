"""Records become Arrow rows: every column, every odd value, nothing lost and nothing made up."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.records import attachment, command, mail, received, session, table_of, transfer
from zeekpop3.errors import UsageError
from zeekpop3.message.files import Attachment
from zeekpop3.message.links import Link
from zeekpop3.message.mailboxes import Address
from zeekpop3.session.events import ConnId
from zeekpop3.tables import (
    TABLES,
    Column,
    ItemsRecord,
    MailRecord,
    Privacy,
    SessionRecord,
    TableBuilder,
    schema,
)
from zeekpop3.tables.column import ITEM

PARSED = """date date_raw from to cc bcc reply_to sender return_path delivered_to
from_name from_address from_domain from_site reply_to_name reply_to_address reply_to_domain reply_to_site
sender_name sender_address sender_domain sender_site return_path_address return_path_site
subject msg_id in_reply_to references thread_id user_agent x_originating_ip first_received second_received
received path auth_server auth_spf auth_dkim auth_dmarc auth_arc dkim mime_version content_type charset text
html html_text urls headers"""
COLUMNS = {
    "emails": f"""ts uid id_orig_h id_orig_p id_resp_h id_resp_p community_id sensor user trans_depth command
msg_num uidl octets_declared size fidelity complete missing_bytes defects sha256 {PARSED} attachments raw
authenticated_as mail_id log stream_start stream_end invitation""",
    "addresses": "ts uid trans_depth part field position name address local_part domain site",
    "links": """ts uid trans_depth part position url target scheme host site text origin text_site
attachment""",
    "attachments": """ts uid trans_depth part filename filename_raw extension content_type mime_type
disposition content_id size md5 sha1 sha256 content reading other_names inside""",
    "members": """ts uid trans_depth part path name extension size mime_type sha256 md5 sha1 encrypted
inside""",
    "enclosed": f"ts uid trans_depth part size sha256 defects {PARSED} invitation",
    "sessions": """ts uid id_orig_h id_orig_p id_resp_h id_resp_p community_id sensor duration user
auth_mechanism auth_result logins_failed users_refused capabilities starttls_offered stat_messages stat_octets
listed retrieved deleted tls quit closed commands errors unknown greeting fidelity missing_bytes defects
authenticated_as""",
    "listings": "ts uid user id_resp_h messages",
    "commands": "ts uid seq command argument status message lines octets reply_ts",
    "hits": "ts uid trans_depth part indicator type field value source description",
    "inputs": "ts file sha256 first_row rows version command read_at",
}


def row(transfer_: Any, mail_: Any, privacy: Privacy | None = None) -> dict[str, Any]:
    return dict(table_of("emails", MailRecord(transfer_, mail_), privacy=privacy).to_pylist()[0])


def test_the_columns_are_those_of_the_design() -> None:
    """Names and order of all tables, and the key's types."""
    assert {name: schema(name).names for name in TABLES} == {n: c.split() for n, c in COLUMNS.items()}
    assert schema("emails").field("ts").type == pa.timestamp("us", tz="UTC")
    assert schema("emails").field("id_resp_p").type == pa.uint16()
    assert "day" not in schema("emails").names


@pytest.mark.parametrize("name", list(TABLES))
def test_every_table_and_field_describes_itself(name: str) -> None:
    """Descriptions stand in the metadata of table, field and nested field."""

    def fields(of: Any) -> Any:
        for field in of:
            yield field
            kind = field.type.value_type if pa.types.is_list(field.type) else field.type
            if pa.types.is_struct(kind):
                yield from fields([kind.field(i) for i in range(kind.num_fields)])

    assert schema(name).metadata[b"description"]
    assert all(field.metadata[b"description"].endswith(b".") for field in fields(schema(name)))


@pytest.mark.parametrize("name", list(TABLES))
def test_no_rows_make_an_empty_table(name: str) -> None:
    """A table without rows still has its schema."""
    table = table_of(name)
    assert table.num_rows == 0
    assert table.schema.equals(schema(name), check_metadata=True)


def test_a_mail_becomes_a_row() -> None:
    """Each attribute lands in its own column."""
    hop = received(raw="from a by b; x", from_="a", by="b", date=5)
    part = attachment()
    got = row(
        transfer(defects=["gap"]),
        mail(
            date=7,
            from_="Li <a@b.c>",
            to=["x@y", "z@y"],
            subject="s",
            received=[hop],
            header_names=["A", "a"],
            header_values=["1", ""],
            attachments=[part],
            text="",
            urls=["http://x/"],
            defects=["gap", "date"],
        ),
    )
    assert got["id_orig_h"] == "192.0.2.10"
    assert got["id_resp_p"] == 110
    assert got["size"] == len(got["raw"])
    assert got["sha256"] == hashlib.sha256(got["raw"]).hexdigest()
    assert got["defects"] == ["gap", "date"]
    assert got["date"].timestamp() == 7e-6
    assert (got["from"], got["to"], got["cc"]) == ("Li <a@b.c>", ["x@y", "z@y"], [])
    assert got["headers"] == [{"name": "A", "value": "1"}, {"name": "a", "value": ""}]
    assert got["received"][0]["from"] == "a"
    assert got["received"][0]["for"] is None
    assert got["attachments"][0]["filename"] == "a.pdf"
    assert got["attachments"][0]["sha256"] == part.sha256
    assert (got["text"], got["html"]) == ("", None)


@pytest.mark.parametrize("changes", [{"fidelity": "trimmed"}, {"complete": False}])
def test_no_hash_of_what_is_not_the_message(changes: dict[str, Any]) -> None:
    """sha256 is null unless the bytes are exact and all there."""
    assert row(transfer(**changes), mail())["sha256"] is None


def _id(**changes: Any) -> str | None:
    found: str | None = row(transfer(**changes), mail())["mail_id"]
    return found


def test_the_mail_id_is_that_of_the_mail_and_not_of_the_connection() -> None:
    """What Zeek, the client or the sensor chose does not matter; message, server, user and unique id do."""
    other = ConnId("198.51.100.9", 5, "192.0.2.110", 110)
    same = [
        _id(),
        _id(uid="Cother", ts=5, trans_depth=9, conn_id=other, msg_num=7, octets_declared=None),
        _id(user=" ZhangSan"),
    ]
    assert len(set(same)) == 1
    server = ConnId("192.0.2.10", 41000, "192.0.2.111", 110)
    port = ConnId("192.0.2.10", 41000, "192.0.2.110", 995)
    different = [
        _id(raw=b"x"),
        _id(user="lisi"),
        _id(user=None),
        _id(uidl="0002"),
        _id(uidl=None),
        _id(conn_id=server),
        _id(conn_id=port),
        _id(user="zhangsan0001", uidl=None),
        _id(user=None, uidl="zhangsan0001"),
    ]
    assert len({same[0], *different}) == 1 + len(different)


def test_the_mail_id_can_be_computed_elsewhere() -> None:
    """The definition, written out: SHA-256 of five SHA-256 digests."""
    parts = (transfer().raw, b"192.0.2.110", b"110", b"zhangsan", b"0001")
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    assert _id() == hashlib.sha256(digests).hexdigest()


def test_a_mail_of_which_nothing_was_seen_has_no_mail_id() -> None:
    """Two mails of which nothing was seen must not look like one; a unique id is enough."""
    assert _id(raw=b"", uidl=None, complete=False) is None
    assert _id(raw=b"", complete=False) is not None


def test_unknown_connection_is_null() -> None:
    """A transfer whose connection's addresses were never logged."""
    got = row(transfer(conn_id=None, user=None, msg_num=None), mail())
    assert got["id_orig_h"] is None
    assert got["id_resp_p"] is None
    assert got["user"] is None


def test_numbers_that_do_not_fit_are_null_and_harm_no_other_row() -> None:
    """A client may ask for message 99999999999999999999."""
    columns = TableBuilder(TABLES["emails"])
    columns.add(MailRecord(transfer(msg_num=10**20, octets_declared=2**63), mail(date=10**30)))
    columns.add(MailRecord(transfer(), mail(date=1)))
    first, second = columns.table().to_pylist()
    assert first["msg_num"] is first["octets_declared"] is first["date"] is None
    assert (second["msg_num"], second["octets_declared"]) == (2, 38)


def test_lone_surrogates_are_replaced() -> None:
    """What UTF-8 cannot hold becomes U+FFFD; the rest of the column is untouched."""
    columns = TableBuilder(TABLES["emails"])
    columns.add(
        MailRecord(transfer(), mail(subject="a\ud800b", header_names=["X"], header_values=["\udfff"]))
    )
    columns.add(
        MailRecord(transfer(), mail(subject="\U0001f600\x00", header_names=["Y"], header_values=["ä"]))
    )
    first, second = columns.table().to_pylist()
    assert first["subject"] == "a\ufffdb"
    assert first["headers"] == [{"name": "X", "value": "\ufffd"}]
    assert second["subject"] == "\U0001f600\x00"
    assert second["headers"] == [{"name": "Y", "value": "ä"}]


def test_sessions_and_commands() -> None:
    """Duration is in seconds; an unsolicited reply has no command."""
    made = SessionRecord(session(capabilities=["TOP", "UIDL"], defects=["late"]))
    got = table_of("sessions", made).to_pylist()[0]
    assert (got["duration"], got["capabilities"], got["quit"]) == (1.5, ["TOP", "UIDL"], True)
    got = table_of("commands", command(command=None, argument=None, reply_ts=None)).to_pylist()[0]
    assert (got["command"], got["seq"], got["octets"], got["reply_ts"]) == (None, 4, 760, None)


@pytest.mark.parametrize(
    ("name", "item"), [("addresses", Address), ("links", Link), ("attachments", Attachment)]
)
def test_columns_of_items_are_their_fields(name: str, item: Any) -> None:
    """In the same order: rows are made of whole items."""
    columns = [column.name for column in TABLES[name].columns if column.source == ITEM]
    assert columns == list(item._fields)


def test_attachment_rows() -> None:
    """Attachments have a table of their own, with content only where it was kept."""
    parts = [attachment(content=b"abc", mime_type="application/x"), attachment(part="1.3")]
    first, second = table_of("attachments", ItemsRecord(transfer(trans_depth=3), parts)).to_pylist()
    assert (first["trans_depth"], first["part"], first["content"]) == (3, "2", b"abc")
    assert (first["filename"], first["filename_raw"]) == ("a.pdf", "C:\\tmp\\a.pdf")
    assert (second["part"], second["content"], second["mime_type"]) == ("1.3", None, None)


def test_large_messages_are_not_copied(tmp_path: Path) -> None:
    """In memory they stay where they are, and the file holds them and small ones in order."""
    raws = [bytes([65 + i]) * size for i, size in enumerate([1 << 20, 0, 300_000, 7, 1 << 20])]
    columns = TableBuilder(TABLES["emails"])
    for depth, raw in enumerate(raws):
        columns.add(MailRecord(transfer(trans_depth=depth, raw=raw), mail()))
    table = columns.table()
    held = [chunk.buffers()[2].address for chunk in table["raw"].chunks]
    assert held == [pa.py_buffer(raw).address for raw in raws]
    assert table["raw"].to_pylist() == raws
    pq.write_table(table, tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet")["raw"].to_pylist() == raws


def test_nbytes_follows_what_is_held_and_reset_forgets() -> None:
    """The estimate is never far below the truth, for the pipeline flushes by it."""
    columns = TableBuilder(TABLES["emails"])
    for depth in range(50):
        columns.add(
            MailRecord(transfer(trans_depth=depth, raw=b"x" * 7000), mail(text="y" * 3000, subject="z"))
        )
    assert columns.table().nbytes <= columns.nbytes * 1.1
    assert columns.nbytes <= 2 * columns.table().nbytes
    columns.reset()
    assert (len(columns), columns.nbytes, columns.table().num_rows) == (0, 0, 0)


def test_importing_the_tables_imports_no_pyarrow() -> None:
    """The command line answers --help without the cost of Arrow."""
    code = (
        "import sys, zeekpop3.tables, zeekpop3.store.write; "
        "print([m for m in sys.modules if m in ('pyarrow', 'pandas', 'numpy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


KEY = Privacy(hash_key=b"k")


def test_hashing_leaves_no_name_or_address() -> None:
    """User, addresses, header fields, bodies and raw: nothing of them is left in the row."""
    got = row(
        transfer(user="zhangsan"),
        mail(
            from_="Li Si <lisi@example.org>",
            to=["Zhangsan <zhangsan@example.com>", "undisclosed zhangsan"],
            cc=["lisi@example.org"],
            delivered_to=["zhangsan@example.com"],
            return_path="lisi@example.org",
            subject="for zhangsan@example.com!",
            text="lisi@example.org",
            html="lisi",
            urls=["http://x/?zhangsan"],
            received=[received(raw="for <zhangsan@example.com>", for_="zhangsan@example.com")],
            first_received="for <zhangsan@example.com>",
            header_names=["From"],
            header_values=["Li Si <lisi@example.org>"],
        ),
        KEY,
    )
    assert "lisi" not in str(got).lower()
    assert "zhangsan" not in str(got).lower()
    assert got["from"] == got["cc"][0] == got["return_path"] == KEY.name("LISI@example.org ")
    assert got["to"][0] == got["delivered_to"][0]
    assert got["subject"] == f"for {got['to'][0]}!"
    assert got["headers"] is got["received"] is got["raw"] is got["urls"] is None
    assert got["sha256"]


def test_null_lists_keep_their_neighbours() -> None:
    """A missing list stays null among lists that are there (two writers' rows in one table)."""
    from zeekpop3.tables.records import array_of

    got = array_of([["a"], None, [], ["b", "c"], None], Column("x", "", repeated=True))
    assert got.to_pylist() == [["a"], None, [], ["b", "c"], None]


def test_hashing_a_mail_without_fields() -> None:
    """What is not there stays null."""
    got = row(transfer(user=None), mail(to=None, cc=[], bcc=None, delivered_to=None), KEY)
    assert got["to"] is got["bcc"] is got["from"] is got["user"] is got["subject"] is None
    assert got["cc"] == []


def test_without_body_and_without_raw() -> None:
    """no_body leaves out text, html, urls and raw; no_raw only raw; header fields stay."""
    parsed = mail(text="t", html="h", urls=["u"], subject="s", header_names=["A"], header_values=["1"])
    body = row(transfer(), parsed, Privacy(keep_body=False))
    assert [body[name] for name in ("text", "html", "urls", "raw")] == [None] * 4
    assert (body["subject"], len(body["headers"])) == ("s", 1)
    raw = row(transfer(), parsed, Privacy(keep_raw=False))
    assert (raw["raw"], raw["text"], raw["urls"]) == (None, "t", ["u"])
    for privacy in (Privacy(keep_body=False), Privacy(keep_raw=False), KEY):
        made = ItemsRecord(transfer(), [attachment(content=b"abc")])
        assert table_of("attachments", made, privacy=privacy).to_pylist()[0]["content"] is None


@pytest.mark.parametrize(
    ("verb", "argument", "expected"),
    [
        ("USER", "zhangsan", KEY.name("zhangsan")),
        ("APOP", "zhangsan", KEY.name("zhangsan")),
        ("APOP", "zhangsan 0123abcd", KEY.name("zhangsan")),
        ("AUTH", "PLAIN zhangsan", f"PLAIN {KEY.name('zhangsan')}"),
        ("AUTH", "PLAIN", "PLAIN"),
        ("RETR", "2", "2"),
        ("TOP", "2 0", "2 0"),
        ("XTND", "XMIT zhangsan", None),
        (None, "zhangsan", None),
    ],
)
def test_hashing_commands(verb: str | None, argument: str, expected: str | None) -> None:
    """The name in a login's argument is hashed, free text is dropped, the server's words too."""
    made = command(command=verb, argument=argument, message="zhangsan has 2 messages")
    got = table_of("commands", made, privacy=KEY).to_pylist()[0]
    assert (got["argument"], got["message"]) == (expected, None)


def test_the_key_shows_nowhere() -> None:
    """Neither repr nor an error says the key; an empty one is refused."""
    assert "k'" not in repr(KEY)
    with pytest.raises(UsageError, match="at least one"):
        Privacy(hash_key=b"")


TEXT = st.text(st.characters(codec=None), max_size=8) | st.none()
LIST = st.lists(st.text(max_size=5), max_size=4)


@given(st.lists(st.tuples(TEXT, LIST, LIST, st.integers(-(2**65), 2**65) | st.none(), st.binary(max_size=9))))
def test_any_rows_come_back_as_they_went_in(rows: list[Any]) -> None:
    """Any strings, lists, numbers and bytes: rows keep their order, and each value its own row."""
    columns = TableBuilder(TABLES["emails"])
    for subject, to, names, number, raw in rows:
        columns.add(
            MailRecord(
                transfer(raw=raw, msg_num=number),
                mail(subject=subject, to=to, header_names=names, header_values=names[::-1]),
            )
        )
    got = columns.table().to_pylist()
    assert [each["raw"] for each in got] == [raw for *_, raw in rows]
    assert [each["to"] for each in got] == [to for _, to, *_ in rows]
    assert [[h["name"] for h in each["headers"]] for each in got] == [names for _, _, names, *_ in rows]
    assert [[h["value"] for h in each["headers"]] for each in got] == [
        names[::-1] for _, _, names, *_ in rows
    ]
    for each, (subject, *_, number, _raw) in zip(got, rows, strict=True):
        fits = number is not None and -(2**63) <= number < 2**63
        assert each["msg_num"] == (number if fits else None)
        if subject is None or subject.isascii():
            assert each["subject"] == subject
