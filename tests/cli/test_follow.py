"""`follow --print-unit`: a unit that runs the given command."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from support.program import program
from zeekpop3.cli import follow


def test_the_unit_runs_the_given_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments and options are in it, with absolute paths; a key is not, but stderr names its file."""
    monkeypatch.chdir(tmp_path)
    arguments = ["follow", "my logs", "--out", "out/t", "--flush", "5", "--no-body", "--max-memory", "256"]
    arguments += ["--indicators", "a.intel", "--indicators", "b.intel", "--metrics", "prom/x.prom"]
    done = program(*arguments, "--hash-users", "secret", "--print-unit")
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line and line[0] != "#")
    words = shlex.split(lines["ExecStart"])
    assert words[words.index("follow") :] == [
        "follow", f"{tmp_path}/my logs", "--out", f"{tmp_path}/out/t", "--flush", "5.0",
        "--max-memory", "256", "--indicators", f"{tmp_path}/a.intel", "--indicators", f"{tmp_path}/b.intel",
        "--metrics", f"{tmp_path}/prom/x.prom", "--no-body",
    ]  # fmt: skip
    assert Path(words[0]).is_absolute()
    assert lines["ReadWritePaths"] == f"{tmp_path}/out/t {tmp_path}/prom"
    assert lines["ReadOnlyPaths"] == f'"{tmp_path}/my logs"'
    assert "secret" not in done.stdout
    assert "ZEEKPOP3_HASH_KEY" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_unit_without_arguments() -> None:
    """The usual places of Zeek stand for what is missing."""
    done = program("follow", "--print-unit")
    assert "follow /opt/zeek/logs --out /var/lib/zeekpop3/tables" in done.stdout
    assert "StateDirectory=zeekpop3\n" in done.stdout
    assert "@" not in done.stdout.replace("@system-service", "").replace("@privileged @resources", "")


@pytest.mark.parametrize("folder", ["/home/ann/src/zeekpop3/.venv/bin", "/root/zeekpop3/bin", "/tmp/x"])
def test_a_program_that_the_unit_does_not_see(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """ProtectHome and PrivateTmp hide it (203/EXEC): a line on stderr warns, and says where to install."""
    monkeypatch.setattr(follow, "_program", lambda: [f"{folder}/zeekpop3"])
    lines = follow.unseen([])
    assert f"The program is in /{folder.split('/')[1]}." in lines[0]
    assert "/opt/zeekpop3/bin/pip install" in lines[0]


def test_folders_that_the_unit_does_not_see() -> None:
    """`follow /home/zeek/logs --out /srv/mail`: the logs are hidden; only /srv/mail may be written."""
    done = program("follow", "/home/zeek/logs", "--out", "/srv/mail", "--print-unit")
    assert "/home/zeek/logs is in /home. The unit does not see it" in done.stderr
    assert "/srv/mail is in" not in done.stderr
    assert "ReadWritePaths=/srv/mail\n" in done.stdout
    assert "install -d -o zeekpop3 -m 0700 /srv/mail\n" in done.stdout


@pytest.mark.parametrize("missing", [["follow"], ["follow", "logs"]])
def test_missing_arguments_are_named(missing: list[str]) -> None:
    """LOGDIR and --out are needed to follow."""
    done = program(*missing)
    assert done.returncode == 2
    assert "missing" in done.stderr
