"""Functions of ours that SQL statements may call."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from support.queries import fetched, letter
from support.report_boxes import write_box
from zeekpop3.views.sql import Database, host_of, shape_of, site_of


def test_functions(tmp_path: Path) -> None:
    """Functions of ours that any statement may call."""
    write_box(tmp_path / "out", fetched(letter("a@a.example")))
    with Database(tmp_path / "out") as database:
        assert database.ask(
            "select host_of('https://u@WWW.Example.co.uk:8/x'), site_of('www.example.co.uk'),"
            " site_of('10.0.0.1'), path_of('http://a/b?c#d'), path_of('http://a'), shape_of('Сорp0rn'),"
            " host_of(null)"
        ).rows == [("www.example.co.uk", "example.co.uk", None, "/b?c", "/", "coppom", None)]


@given(
    st.text()
    | st.text().map(lambda text: "http://" + text)
    | st.text("xn--.[]:@%/0ａ。\u00ad\u0301", max_size=40)
)
def test_functions_take_any_text(text: str) -> None:
    """No host in a mail or log can make a query fail."""
    for function in (host_of, site_of, shape_of):
        assert function(text) is None or isinstance(function(text), str)


def test_functions_are_linear() -> None:
    """Long hosts and URLs take no longer than their length."""
    for piece in ("a.", "xn--", "http://", "rn", "\u0301", "1" * 99 + "."):
        text = piece * (300_000 // len(piece))
        started = time.process_time()
        for function in (host_of, site_of, shape_of):
            function(text)
            function("http://" + text)
        assert time.process_time() - started < 2
