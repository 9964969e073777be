"""Several sensors: folders read together by a glob, and `--sensor` for what one of them saw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import zeekpop3
from support.program import program
from support.records import NOON, session, transfer
from zeekpop3.pipeline.records import Records
from zeekpop3.pipeline.settings import Settings
from zeekpop3.store.write import TableWriter


@pytest.fixture(scope="module")
def sensors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of two sensors, a mail with a link each, beside a folder without tables."""
    root = tmp_path_factory.mktemp("sensors")
    (root / "notes").mkdir()
    for number, name in enumerate(("north", "south")):
        raw = f"From: a@{name}.test\r\nSubject: {name}\r\n\r\nhttp://{name}.test/x\r\n".encode()
        uid = f"C{name}"
        records = Records(Settings.of_options(sensor=name))
        records.add([transfer(uid=uid, ts=NOON + number, raw=raw), session(uid=uid, ts=NOON + number)])
        with TableWriter(root / name) as writer:
            for table, rows in records.take():
                writer.write(table, rows)
    return root


@pytest.fixture(scope="module")
def merged(sensors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of both in one folder, as two followers or `run --append` write them."""
    out = tmp_path_factory.mktemp("merged") / "out"
    for source in sorted(sensors.glob("*/*/day=*/*.parquet")):
        target = out / source.relative_to(source.parents[2])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(f"{source.parents[2].name}-{target.name}").write_bytes(source.read_bytes())
    return out


def subjects(*arguments: str | Path) -> list[str]:
    done = program(*arguments)
    assert done.returncode == 0, done.stderr
    return sorted(json.loads(line)["subject"] for line in done.stdout.splitlines())


def test_folders_together(sensors: Path) -> None:
    """`show 'sensors/*'`, `sql`, `hunt` and the others read all folders with tables."""
    both = f"{sensors}/*"
    assert subjects("show", both, "--json") == ["north", "south"]
    assert subjects("show", both, "--json", "--site", "south.test") == ["south"]
    assert subjects("sql", both, "select subject from emails", "--json") == ["north", "south"]
    assert zeekpop3.hunt(both, values=["north.test"]).table["uid"].unique().to_pylist() == ["Cnorth"]
    assert len(list(zeekpop3.export(both, "json"))) == 2
    done = program("sql", both, "select count(*) as n from links", "--csv")
    assert done.stdout.splitlines()[1] == "2"


@pytest.mark.slow
def test_who_saw_it(merged: Path, sensors: Path) -> None:
    """`show` names the sensor: of one mail, in CSV and JSON, and in a list of mails of several."""
    for folder in (merged, f"{sensors}/*"):
        listed = program("show", folder).stdout
        assert "sensor" in listed.splitlines()[0]
        assert "south" in listed
        assert {line.rpartition(",")[2] for line in program("show", folder, "--csv").stdout.split()} >= {
            "south"
        }
        assert "  sensor    south" in program("show", folder, "Csouth").stdout
    assert "sensor" not in program("show", merged, "--sensor", "south").stdout.splitlines()[0]


@pytest.mark.slow
def test_one_sensor(merged: Path) -> None:
    """`--sensor south`: only its mails, in every table of `sql`, too."""
    assert subjects("show", merged, "--json") == ["north", "south"]
    assert subjects("show", merged, "--json", "--sensor", "south") == ["south"]
    assert subjects("show", merged, "--json", "--sensor", "south", "--site", "north.test") == []
    asked = ("sql", merged, "--sensor", "south", "--json")
    assert subjects(*asked, "select subject from emails") == ["south"]
    for table, column in (("links", "host"), ("sessions", "uid"), ("addresses", "domain")):
        done = program(*asked, f"select {column} as found from {table}")
        assert "south" in done.stdout
        assert "north" not in done.stdout
    assert subjects("export", merged, "--as", "json", "--sensor", "north") == ["north"]
    done = program("timeline", merged, "--user", "zhangsan", "--json", "--sensor", "south")
    assert {json.loads(line)["mail"] for line in done.stdout.splitlines()} == {None, "Csouth/1"}
    (merged.parent / "list").write_text("north.test\nsouth.test\n")
    done = program("hunt", merged, "-i", merged.parent / "list", "--sensor", "south", "--json")
    assert done.stdout
    assert "Cnorth" not in done.stdout


@pytest.mark.slow
def test_the_page_of_one_sensor(merged: Path, tmp_path: Path) -> None:
    """The report counts and shows its mails only."""
    done = program("report", merged, "-o", tmp_path / "r.html", "--sensor", "south")
    assert done.stderr.startswith("1 mail ")
    assert "north.test" not in (tmp_path / "r.html").read_text()


def test_folders_without_quotes(sensors: Path) -> None:
    """`show A B`, as a shell makes of an unquoted glob: one line that says how it is meant."""
    done = program("show", sensors / "north", sensors / "south")
    assert done.returncode == 2
    assert "a glob in quotes" in done.stderr


def test_nothing_is_written_to_a_glob(sensors: Path, tmp_path: Path) -> None:
    """Hits that are to be kept, a key for pseudonyms, old days: of one folder only. No folder `*` appears."""
    both = f"{sensors}/*"
    (tmp_path / "list").write_text("north.test\n")
    before = sorted(sensors.rglob("*"))
    for arguments in (
        ["hunt", both, "-i", str(tmp_path / "list"), "--new"],
        ["share", both, "--out", str(tmp_path / "case"), "--own", "corp.example"],
        ["prune", both, "--keep", "1d", "--yes"],
        ["show", f"{sensors}/none*"],
    ):
        done = program(*arguments)
        assert done.returncode in (1, 2), arguments
        assert len(done.stderr.splitlines()) == 1
        assert "share" not in arguments or "share takes one folder of tables" in done.stderr
    assert sorted(sensors.rglob("*")) == before


def test_a_folder_whose_name_is_a_pattern(sensors: Path, tmp_path: Path) -> None:
    """A folder of that very name is meant first."""
    (sensors / "north").rename(tmp_path / "[ab]*")
    try:
        assert subjects("show", tmp_path / "[ab]*", "--json") == ["north"]
    finally:
        (tmp_path / "[ab]*").rename(sensors / "north")
