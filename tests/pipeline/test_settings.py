"""Settings shared by run, follow and Spark: an empty key for pseudonyms is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import program
from zeekpop3.errors import UsageError
from zeekpop3.pipeline.settings import Settings


def test_defaults_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options and without the variable, the settings are the defaults."""
    monkeypatch.delenv("ZEEKPOP3_HASH_KEY", raising=False)
    assert Settings.of_options() == Settings()


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_empty_key_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is set but empty is an error, whether it is an option or an environment variable."""
    monkeypatch.delenv("ZEEKPOP3_HASH_KEY", raising=False)
    with pytest.raises(UsageError, match="--hash-users"):
        Settings.of_options(hash_users=key)
    monkeypatch.setenv("ZEEKPOP3_HASH_KEY", key)
    with pytest.raises(UsageError, match="ZEEKPOP3_HASH_KEY"):
        Settings.of_options()


def test_option_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """--hash-users replaces the key of the environment."""
    monkeypatch.setenv("ZEEKPOP3_HASH_KEY", "one")
    assert Settings.of_options().privacy.hash_key == b"one"
    assert Settings.of_options(hash_users="two").privacy.hash_key == b"two"


@pytest.mark.parametrize("size", [0, -1])
def test_size_below_one_is_refused(size: int) -> None:
    """A limit without a meaning would leave out every message."""
    with pytest.raises(UsageError, match="--max-message"):
        Settings.of_options(max_message_mib=size)


@pytest.mark.parametrize("command", ["run", "follow"])
def test_commands_refuse_an_empty_variable(
    command: str, fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run` and `follow` exit with 2 and one line, and write no table, if the variable is set but empty."""
    monkeypatch.setenv("ZEEKPOP3_HASH_KEY", "")
    done = program(command, fixtures / "logs", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "zeekpop3: ZEEKPOP3_HASH_KEY: the key is empty; set a key, or unset ZEEKPOP3_HASH_KEY to keep users "
        "in clear"
    ]
    assert list(tmp_path.rglob("*.parquet")) == []


def test_spark_refuses_an_empty_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Spark program exits with 2 before it starts Spark if the variable is set but empty."""
    pytest.importorskip("pyspark")
    from zeekpop3.spark.__main__ import main

    monkeypatch.setenv("ZEEKPOP3_HASH_KEY", "")
    assert main(["x.log", "--out", str(tmp_path / "out")]) == 2
    assert "ZEEKPOP3_HASH_KEY: the key is empty" in capsys.readouterr().err


def test_the_program_has_the_library_s_defaults() -> None:
    """The command line states them again, so that it starts without loading the session machine."""
    from zeekpop3.cli.options import RecordOptions

    assert RecordOptions().settings == Settings.of_options()
