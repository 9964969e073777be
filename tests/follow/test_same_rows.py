"""The recorded logs give the same rows by `follow` as by `run`, in all tables and with every setting."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import zeekpop3
from support.growing import assert_same, tables
from zeekpop3.follow import Follower, Options
from zeekpop3.pipeline.settings import Settings
from zeekpop3.tables import Privacy

SETTINGS = {
    "all": Settings(attachment_content=True, sensor="dmz-1"),
    "hashed": Settings(Privacy(hash_key=b"k"), sensor="dmz-1"),
    "no body": Settings(Privacy(keep_body=False)),
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_recorded_logs(fixtures: Path, spool: Path, tmp_path: Path, settings: str) -> None:
    """Links, addresses, messages inside and listings too."""
    for log in (*sorted((fixtures / "logs").glob("*.exact.log")), fixtures / "incident" / "pop3_events.log"):
        shutil.copy(log, spool / f"pop3_events.{log.parent.name}.{log.name}")
    chosen = SETTINGS[settings]
    zeekpop3.run([spool], tmp_path / "batch", jobs=1, settings=chosen)
    with Follower([spool], tmp_path / "out", options=Options(settings=chosen)) as follower:
        follower.once()
    expected = tables(tmp_path / "batch")
    assert_same(tmp_path / "out", expected)
    full = chosen.privacy == Privacy()
    # No fixture has an archive.
    assert {name for name, rows in expected.items() if not rows} - {"members"} == (
        set() if full else {"links"} if chosen.privacy.keep_body else {"links", "enclosed"}
    )
    assert {row["sensor"] for row in expected["emails"]} == {chosen.sensor}
