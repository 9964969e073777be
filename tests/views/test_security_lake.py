"""Export to Security Lake: the events of the JSON export, as files in the layout of a custom source."""

from __future__ import annotations

import datetime as dt
import json
import stat
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import zeekpop3
from support.program import program
from support.schemas import ocsf_problems
from support.tables_made import Made
from zeekpop3.errors import UsageError
from zeekpop3.views.export.ecs import without_empty
from zeekpop3.views.export.mails import ExportState
from zeekpop3.views.export.security_lake import schema, write_files

PLACE = {"region": "eu-central-1", "account": "123456789012"}


def written(tables: Path, out: Path, **more: Any) -> list[tuple[int, Path]]:
    return list(zeekpop3.export_security_lake(tables, out, **PLACE, **more))


def events(path: Path) -> list[dict[str, Any]]:
    """The events of a file or of all files below a folder, as they are in JSON."""
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    found = [event for file in files for event in pq.ParquetFile(file).read().to_pylist()]
    for event in found:
        event["unmapped"] = dict(event["unmapped"])
        event["unmapped"] = {
            name: value if name in _TEXTS else json.loads(value) for name, value in event["unmapped"].items()
        }
    return [{**without_empty(event), "email": _email(event["email"])} for event in found]


_TEXTS = {
    "community_id",
    "sensor",
    "uidl",
    "fidelity",
    "from_site",
    "user_agent",
    "auth_server",
    "auth_arc",
    "mail_id",
}


def _email(email: dict[str, Any]) -> dict[str, Any]:
    return {**without_empty(email), **({} if email["to"] else {"to": []})}


def in_json(tables: Path) -> list[dict[str, Any]]:
    documents = [json.loads(line) for line in zeekpop3.export(tables, "ocsf")]
    return [{**each, "email": _email({"to": [], **each["email"]})} for each in documents]


def by_id(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(documents, key=lambda each: each["metadata"]["uid"])


def test_the_events_are_those_of_the_json_export(
    everything: Path, made: Made, fixtures: Path, tmp_path: Path
) -> None:
    """Each mail once, each attribute, of hostile mails and of older tables, too."""
    for number, path in enumerate((everything, made.path, fixtures / "tables-2" / "batch")):
        out = tmp_path / str(number)
        counts = written(path, out)
        found = events(out)
        assert sum(count for count, _ in counts) == len(found) > 5
        assert by_id(found) == by_id(in_json(path))
        assert not [problem for event in found for problem in ocsf_problems(event)]


def test_the_layout_of_a_custom_source(everything: Path, tmp_path: Path) -> None:
    """Partitions, one class, UTC days, sorted by time, zstd, one schema."""
    paths = [path for _, path in written(everything, tmp_path / "lake")]
    assert sorted(paths) == sorted((tmp_path / "lake").rglob("*.parquet"))
    assert len({path.parent for path in paths}) > 1
    for path in paths:
        region, account, day, name = path.relative_to(tmp_path / "lake").parts
        assert (region, account) == ("region=eu-central-1", "accountId=123456789012")
        assert name.startswith("zeekpop3-")
        found = pq.ParquetFile(path)
        assert found.schema_arrow == schema()
        times = found.read(["time"])["time"].to_pylist()
        assert times == sorted(times)
        days = {f"eventDay={dt.datetime.fromtimestamp(time / 1000, dt.UTC):%Y%m%d}" for time in times}
        assert days == {day}
        assert set(found.read(["class_uid"])["class_uid"].to_pylist()) == {4009}
        group = found.metadata.row_group(0)
        assert {group.column(index).compression for index in range(group.num_columns)} == {"ZSTD"}
        assert group.column(0).is_stats_set
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_mail_once(tmp_path: Path, fixtures: Path) -> None:
    """With a state, the next run writes only what is new, also after the files were moved away."""
    state, growing = tmp_path / "state", tmp_path / "growing"
    zeekpop3.run([fixtures / "logs" / "article.exact.log"], growing, jobs=1)
    ((count, path),) = written(growing, tmp_path / "lake", state=state)
    path.rename(tmp_path / "sent.parquet")
    assert written(growing, tmp_path / "lake", state=state) == []
    zeekpop3.run([fixtures / "logs" / "poplib.exact.log"], growing, mode="append", jobs=1)
    written(growing, tmp_path / "lake", state=state)
    found = [*events(tmp_path / "sent.parquet"), *events(tmp_path / "lake")]
    assert by_id(found) == by_id(in_json(growing))
    assert count == 1


def test_a_run_that_was_killed_repeats_no_mail_under_another_name(everything: Path, tmp_path: Path) -> None:
    """A file that appeared before the state knew of it is written again with the same name."""
    for kill_at in range(3):
        out = tmp_path / str(kill_at)
        with ExportState(out.with_suffix(".state")) as state:
            run = write_files(everything, out, state, **PLACE)
            for _ in range(kill_at + 1):
                next(run)
            del run  # the state does not have the last file
        written(everything, out, state=out.with_suffix(".state"))
        assert by_id(events(out)) == by_id(in_json(everything))
        assert not list(out.rglob(".*"))


@pytest.mark.parametrize("region", ["", "..", "eu-central-1/..", "EU-central-1", "eu-central-1\n"])
def test_an_invalid_region(everything: Path, tmp_path: Path, region: str) -> None:
    """It becomes a folder, so it is checked."""
    with pytest.raises(UsageError, match="invalid region"):
        list(
            zeekpop3.export_security_lake(
                everything, tmp_path / "lake", region=region, account="123456789012"
            )
        )
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("account", ["", "12345678901", "../123456789012", "external_", "external_a/b"])
def test_an_invalid_account(everything: Path, tmp_path: Path, account: str) -> None:
    """The same; of sources outside AWS it is external_ and the external id."""
    with pytest.raises(UsageError, match="invalid account"):
        list(
            zeekpop3.export_security_lake(
                everything, tmp_path / "lake", region="us-gov-west-1", account=account
            )
        )
    written = zeekpop3.export_security_lake(
        everything, tmp_path, region="us-gov-west-1", account="external_pop3"
    )
    assert next(written)[1].parts[-3] == "accountId=external_pop3"


def test_the_command(everything: Path, tmp_path: Path) -> None:
    """It says how much it wrote; the options belong together."""
    lake = tmp_path / "lake"
    place = ["--region", "eu-central-1", "--account", "123456789012"]
    done = program("export", everything, "--as", "ocsf", "--parquet", lake, *place, "--user", "anna")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"3 mails in 1 file -> {lake}\n"
    for wrong in (
        ["--as", "ecs", "--parquet", lake, *place],
        ["--as", "ocsf", "--parquet", lake, *place[:2]],
        ["--as", "ocsf", *place],
        ["--as", "ocsf", "--parquet", lake, "--region", "x", "--account", "123456789012"],
    ):
        done = program("export", everything, *wrong)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
