"""`zeekpop3 sql` as a shell: statements from stdin, a prompt, a row limit, files; on pipes and terminals."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from support.program import on_a_terminal, program
from support.tables_made import Made
from zeekpop3.views.text import visible


def test_statements_from_stdin(made: Made) -> None:
    """Without a statement they are read from stdin and run one after the other."""
    done = program("sql", made.path, "--json", stdin="select 1 as a;\nselect 2 as b; -- end\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"a": 1}, {"b": 2}]
    done = program("sql", made.path, stdin="  \n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "give an SQL statement" in done.stderr


def test_the_row_limit_is_announced(made: Made) -> None:
    """A table shows 1,000 rows, with a note; --limit changes that; JSON, CSV and files hold all rows."""
    query = "select * from range(1500)"
    done = program("sql", made.path, query)
    assert len(done.stdout.splitlines()) == 1002
    assert done.stderr == "Showing the first 1000 rows; use --limit for more.\n"
    assert len(program("sql", made.path, query, "--limit", "1500").stdout.splitlines()) == 1502
    assert program("sql", made.path, query, "--limit", "1500").stderr == ""
    assert len(program("sql", made.path, query, "--json").stdout.splitlines()) == 1500
    assert len(program("sql", made.path, query, "--csv", "-n", "7").stdout.splitlines()) == 8


@pytest.mark.parametrize("column", ["from", "to", "references"])
def test_a_hint_where_quotes_are_missing(made: Made, column: str) -> None:
    """Three column names are SQL keywords; other mistakes get no such hint."""
    for query in (
        f"select {column}, subject from emails",
        f"select uid, {column} from emails",
        f"select subject from emails where {column} = 'x'",
    ):
        done = program("sql", made.path, query)
        assert done.returncode == 1
        assert 'the columns "from", "to" and "references" must be written in double quotes' in done.stderr
    assert "quotes" not in program("sql", made.path, "selec 1").stderr


def test_vertical(made: Made) -> None:
    """--vertical, or a row too wide for the terminal: a line per value."""
    query = "select uid, size from emails where uid = 'CaaaA1' limit 1"
    done = program("sql", made.path, query, "--vertical")
    assert done.stdout.splitlines()[1:] == ["uid   CaaaA1", "size  93"]
    wide = program("sql", made.path, "select * from emails limit 1", columns=80).stdout.splitlines()
    assert any(line.startswith("uid             C") for line in wide)
    assert max(map(len, wide)) <= 80


def test_files(made: Made, tmp_path: Path) -> None:
    """--output writes CSV, JSON Lines or Parquet, private, and says how many rows."""
    query = "select uid, ts, \"from\" from emails where uid = 'CbbbB2' order by trans_depth"
    for name in ("a.csv", "a.json", "a.parquet"):
        done = program("sql", made.path, query, "--output", tmp_path / name)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"3 rows -> {tmp_path / name}\n"
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    with (tmp_path / "a.csv").open() as file:
        assert [row["uid"] for row in csv.DictReader(file)] == ["CbbbB2"] * 3
    lines = [json.loads(line) for line in (tmp_path / "a.json").read_text().splitlines()]
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["uid", "ts", "from"]
    assert [line["from"] for line in lines] == table["from"].to_pylist()
    none = program("sql", made.path, query.replace("CbbbB2", "none"), "-o", tmp_path / "none.parquet")
    assert none.stderr.startswith("0 rows")
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


@pytest.mark.parametrize("name", ["a.xlsx", "none/a.csv", "s3://bucket/a.csv"])
def test_files_that_cannot_be(made: Made, tmp_path: Path, name: str) -> None:
    """An unknown format, a missing folder, a URL: one line, and nothing is left."""
    path = name if "//" in name else str(tmp_path / name)
    done = program("sql", made.path, "select 1", "-o", path)
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


def test_a_broken_statement_leaves_the_old_file(made: Made, tmp_path: Path) -> None:
    """A file is replaced only by a complete answer."""
    old = tmp_path / "a.csv"
    old.write_text("old")
    assert program("sql", made.path, "select cast(subject as int) from emails", "-o", old).returncode == 1
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    "value",
    ["timestamp 'infinity'", "date '-infinity'", "[timestamptz 'infinity']", "{'a': date 'infinity'}"],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"], ["--vertical"]])
def test_infinite_times(made: Made, value: str, form: list[str]) -> None:
    """Python has no infinite time; the answer has the word."""
    done = program("sql", made.path, f"select {value} as t", *form)
    assert (done.returncode, done.stderr) == (0, "")
    assert "infinity" in done.stdout


def test_a_prompt_on_a_terminal(made: Made, tmp_path: Path) -> None:
    """Statements of several lines, errors that do not end it, dot commands, and a private history."""
    keys = (
        "select uid\nfrom emails where uid = 'CcccC3' limit 1;\n"
        "select nothing from emails;\n.tables\n.queries\n.query incomplete\n.nonsense\n.quit\n"
    )
    code, text = on_a_terminal(
        "sql", made.path, keys=keys, prompt="sql> ", columns=80, XDG_STATE_HOME=str(tmp_path)
    )
    assert code == 0
    for part in ("sql> ", "CcccC3", '"nothing" not found', "emails: ts, uid", "top-senders", ".vertical"):
        assert part in text
    assert "bytes were lost in the capture" in text
    history = tmp_path / "zeekpop3" / "sql_history"
    assert "where uid = 'CcccC3' limit 1;" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_nothing_in_a_mail_controls_the_terminal_at_the_prompt(made: Made, tmp_path: Path) -> None:
    """Answers and errors at the prompt are visible text as well."""
    keys = "select user from emails where uid = 'CevilE';\nselect cast(subject as int) from emails;\n.quit\n"
    code, text = on_a_terminal(
        "sql", made.path, keys=keys, prompt="sql> ", XDG_STATE_HOME=str(tmp_path), TERM="dumb"
    )
    assert code == 0
    assert "\\x1b[2J" in text
    assert "Could not convert" in text
    text = text.replace("\r\n", "").replace("\r", "")
    assert visible(text) == text


def test_the_prompt_ends_with_its_input(made: Made, tmp_path: Path) -> None:
    """Ctrl-D leaves."""
    code, _ = on_a_terminal("sql", made.path, keys="\x04", prompt="sql> ", XDG_STATE_HOME=str(tmp_path))
    assert code == 0
