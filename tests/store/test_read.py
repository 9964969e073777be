"""Reading back: filters, columns, order, types; and one clear line where it makes no sense."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zeekpop3
from support.tables_made import PDF, Made
from zeekpop3.errors import QueryError
from zeekpop3.store.filters import Filters
from zeekpop3.store.read import read_table, rows
from zeekpop3.store.times import instant
from zeekpop3.tables import schema


def keys(frame: pd.DataFrame) -> list[tuple[str, int]]:
    return list(zip(frame["uid"], frame["trans_depth"], strict=True))


def test_all_columns_as_python_and_nullable(made: Made) -> None:
    """Unknown integers are <NA>, not floats; lists and structs are plain; times know that they are UTC."""
    frame = zeekpop3.read_emails(made.path)
    assert [*frame.columns] == [name for name in schema("emails").names if name != "raw"]
    assert len(frame) == len(made.transfers)
    assert str(frame["msg_num"].dtype) == "Int64"
    assert str(frame["id_resp_p"].dtype) == "UInt16"
    assert str(frame["complete"].dtype) == "boolean"
    assert frame["ts"].dt.tz is not None
    mail = frame[(frame["uid"] == "CaaaA1") & (frame["trans_depth"] == 2)].iloc[0]
    assert mail["attachments"][0]["filename"] == "r.pdf"
    assert mail["to"] == ["zhangsan@example.com"]
    assert mail["headers"][2] == {"name": "Subject", "value": "report"}
    top = frame[frame["command"] == "TOP"].iloc[0]
    assert top["id_resp_p"] is pd.NA
    assert top["to"] is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"user": "WANGWU"}, 3),
        ({"user": "wang"}, 0),
        ({"sender": "LISI@"}, 6),
        ({"subject": "TEST mail"}, 3),
        ({"subject": "[bold red]"}, 1),
        ({"subject": ".*"}, 0),
        ({"incomplete": True}, 2),
        ({"attachment": hashlib.sha256(PDF).hexdigest().upper()}, 2),
        ({"attachment": hashlib.md5(PDF).hexdigest()}, 2),
        ({"attachment": "0" * 64}, 0),
        ({"since": "2024-06-25"}, 5),
        ({"since": "2024-06-25T12:00:00.123457Z"}, 4),
        ({"since": dt.date(2024, 6, 24), "until": dt.datetime(2024, 6, 25)}, 2),
        ({"until": "2024-06-24T12:00:00.123456Z"}, 14),
        ({"since": "1719230400.123456", "until": "2024-06-24T14:00:00+01:00"}, 1),
        ({"user": "wangwu", "incomplete": True, "sender": "nobody"}, 0),
    ],
)
def test_filters(made: Made, filters: dict[str, Any], expected: int) -> None:
    """Each filter, its bounds, and that text is text: no pattern."""
    assert len(zeekpop3.read_emails(made.path, columns=["uid"], **filters)) == expected


def test_attachment_means_the_mail_not_the_connection(made: Made) -> None:
    """Of a connection's mails only the one with the attachment is found."""
    digest = hashlib.sha256(b"own").hexdigest()
    found = zeekpop3.read_emails(made.path, columns=["uid", "trans_depth"], attachment=digest)
    assert keys(found) == [("CbbbB2", 2)]
    assert keys(zeekpop3.read_emails(made.path, attachment=digest, limit=1)) == [("CbbbB2", 2)]


def test_columns_order_and_day(made: Made) -> None:
    """Columns come in the order asked for; `day` is one of them."""
    frame = zeekpop3.read_emails(made.path, columns=["subject", "day", "uid"], user="wangwu", limit=1)
    assert list(frame.columns) == ["subject", "day", "uid"]
    assert str(frame["day"][0])[:10] == "2024-06-25"


def test_newest_first_over_days(made: Made) -> None:
    """The limit takes the newest, days and times downwards, and equal times by depth."""
    everything = read_table(made.path, "emails", ["uid", "trans_depth", "ts"], newest_first=True)
    times = everything["ts"].to_pylist()
    assert times == sorted(times, reverse=True)
    assert everything["trans_depth"].to_pylist()[:2] == [1, 2]
    for limit in (0, 1, 2, 5, 99):
        some = read_table(made.path, "emails", ["uid", "trans_depth", "ts"], limit=limit, newest_first=True)
        assert some.equals(everything.slice(0, limit))


def test_other_tables(made: Made) -> None:
    """sessions, commands, attachments: same door; a table's own folder will do as well."""
    assert len(zeekpop3.read_sessions(made.path, user="wangwu")) == 1
    assert set(zeekpop3.read_commands(made.path, since="2024-06-25")["uid"]) == {"CbbbB2", "CcccC3"}
    assert len(zeekpop3.read_attachments(made.path / "emails")) == 3
    assert len(zeekpop3.read_emails(made.path / "emails", attachment=hashlib.sha256(PDF).hexdigest())) == 2
    assert len(zeekpop3.read_emails(str(made.path / "commands"))) == len(made.transfers)


def test_rows_are_the_table(made: Made) -> None:
    """Reading row by row gives the same rows in the same order."""
    columns = ["uid", "trans_depth", "raw"]
    whole = read_table(made.path, "emails", columns).to_pylist()
    assert list(rows(made.path, "emails", columns)) == whole
    filters = Filters(attachment=hashlib.sha256(b"own").hexdigest())
    assert len(list(rows(made.path, "emails", columns, filters))) == 1


def test_raw_is_read_only_if_named(made: Made) -> None:
    """Without `columns` the messages themselves are left out; asked for, they are there."""
    assert "raw" not in zeekpop3.read_emails(made.path).columns
    raws = zeekpop3.read_emails(made.path, columns=["raw"])["raw"]
    assert sorted(raws) == sorted(each.raw for each in made.transfers)


def test_a_filter_that_the_table_lacks(made: Made) -> None:
    """A filter on a column that the table does not have is an error, not an empty answer."""
    with pytest.raises(QueryError, match="table commands cannot be filtered by user"):
        zeekpop3.read_commands(made.path, user="wangwu")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"columns": ["subjekt"]}, "no column subjekt; columns: ts, uid"),
        ({"since": "yesterday"}, "invalid time 'yesterday'"),
        ({"until": 1e300}, "invalid time"),
        ({"attachment": "abc"}, "invalid hash"),
        ({"attachment": "g" * 64}, "invalid hash"),
        ({"limit": -1}, "negative"),
    ],
)
def test_senseless_questions(made: Made, arguments: dict[str, Any], says: str) -> None:
    """QueryError, one line, that names what is wrong."""
    with pytest.raises(QueryError, match=says) as caught:
        zeekpop3.read_emails(made.path, **arguments)
    assert "\n" not in str(caught.value)


def test_folders_without_tables(tmp_path: Path) -> None:
    """No folder, an empty one, somebody's file, a part that is not Parquet."""
    with pytest.raises(QueryError, match="no such folder"):
        zeekpop3.read_emails(tmp_path / "none")
    with pytest.raises(QueryError, match="no tables found"):
        zeekpop3.read_emails(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(QueryError, match="no tables found"):
        zeekpop3.read_emails(tmp_path / "file")
    part = tmp_path / "emails" / "day=2024-06-24" / "part-x.parquet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"no parquet")
    with pytest.raises(QueryError, match="cannot be read") as caught:
        zeekpop3.read_emails(tmp_path)
    assert "\n" not in str(caught.value)


def test_moments() -> None:
    """What may stand for a time; no zone means UTC."""
    now = dt.datetime(2024, 6, 24, 12, tzinfo=dt.UTC)
    assert instant("2024-06-24T12:00") == instant("2024-06-24T14:00+02:00") == now
    assert instant("2d", now) == now - dt.timedelta(days=2)
    assert instant(" 90m ", now) == now - dt.timedelta(minutes=90)
    before = dt.datetime.now(dt.UTC) - dt.timedelta(hours=12)
    assert before <= instant("12h") <= before + dt.timedelta(minutes=1)
    assert instant("1719230400") == instant(1719230400) == now
    for odd in ("2x", "999999w", "", "99999999999999999999", "2024-13-01", "inf"):
        with pytest.raises(QueryError):
            instant(odd)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=6), st.sampled_from(["user", "sender", "subject", "since", "attachment"]))
def test_any_text_is_a_filter_or_a_clear_error(made: Made, text: str, name: str) -> None:
    """Whatever a user types: rows or QueryError, never another exception."""
    try:
        zeekpop3.read_emails(made.path, columns=["uid"], **{name: text})
    except QueryError as error:
        assert "\n" not in str(error)
