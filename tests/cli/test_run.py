"""`run` and `pcap`: refusals that say what to do, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import on_a_terminal, program


def test_a_capture_given_to_run_leaves_nothing(fixtures: Path, tmp_path: Path) -> None:
    """The error names the right command, and the output folder does not exist afterwards."""
    out = tmp_path / "out"
    done = program("run", fixtures / "article.pcap", "--out", out)
    assert done.returncode == 1
    assert "zeekpop3 pcap" in done.stderr
    assert not out.exists()
    assert program("run", fixtures / "logs" / "article.exact.log", "--out", out).returncode == 0


def test_one_readable_log_is_enough(fixtures: Path, tmp_path: Path) -> None:
    """Files that cannot be read are reported, the others are used, and the exit code is 1."""
    logs = [fixtures / "article.pcap", fixtures / "logs" / "article.exact.log"]
    done = program("run", *logs, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "article.pcap: " in done.stderr
    assert "1 mail, 0 attachments, 1 session" in done.stderr


def test_a_missing_format_is_one_clear_line(incident: Path) -> None:
    """`zeekpop3 export mail`: the formats, without escapes; the same for an unknown format."""
    for arguments in ([], ["--as", "bad"]):
        done = program("export", incident, *arguments)
        line, hint = done.stderr.splitlines()
        assert (done.returncode, hint.endswith("zeekpop3 export --help")) == (2, True)
        assert "\\" not in line
        assert all(name in line for name in ("ecs", "ocsf", "json", "zeek", "zeek-json"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["report", "-o", "r.html"], ["eml", "--mbox", "m"], ["sql", "select 1", "-o", "a.csv"]]
)
def test_a_folder_that_is_not_there_is_named(incident: Path, tmp_path: Path, arguments: list[str]) -> None:
    """`report -o /nonexistent/r.html`: the folder, not a temporary file."""
    *options, name = arguments
    done = program(options[0], incident, *options[1:], tmp_path / "none" / name)
    assert done.returncode == 2
    assert done.stderr == f"zeekpop3: {tmp_path}/none: cannot be written: No such file or directory\n"


@pytest.mark.parametrize("url", ["s3://bucket/x", "hdfs:///mail", "https://example.org/x", "file:///tmp/x"])
@pytest.mark.parametrize("command", ["run", "follow"])
def test_a_url_is_not_a_folder(fixtures: Path, tmp_path: Path, url: str, command: str) -> None:
    """It would become a folder `s3:` here; the error names what copies to such places."""
    done = program(command, fixtures / "logs" / "article.exact.log", "--out", url)
    assert done.returncode == 2
    assert "rclone" in done.stderr
    assert not Path(url.split(":")[0] + ":").exists()


def test_existing_tables_are_refused_with_the_options(fixtures: Path, tmp_path: Path) -> None:
    """The message names --append and --overwrite."""
    log = fixtures / "logs" / "article.exact.log"
    assert program("run", log, "--out", tmp_path / "out").returncode == 0
    done = program("run", log, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "--append" in done.stderr
    assert "--overwrite" in done.stderr
    done = program("run", log, "--out", tmp_path / "out", "--append", "--overwrite")
    assert (done.returncode, "use either --append or --overwrite" in done.stderr) == (2, True)


def test_wrong_usage_is_one_line_and_a_hint(tmp_path: Path) -> None:
    """An unknown command or option, or a missing argument: exit code 2, and where the help is."""
    for arguments in (["nonsense"], ["run"], ["run", "x"], ["show", "--nonsense"], ["prune", "x"]):
        done = program(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 2
        assert done.stderr.splitlines()[1].startswith("Try: ")
        assert done.stderr.splitlines()[1].endswith(" --help")
    assert program().returncode == 2


def test_a_closed_pipe_is_not_an_error(fixtures: Path, tmp_path: Path) -> None:
    """`zeekpop3 … | head -1` ends quietly with exit code 0."""
    import subprocess
    import sys

    log = fixtures / "logs" / "poplib.exact.log"
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m zeekpop3 transcript {log} | head -n 1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_progress_on_a_terminal(fixtures: Path, tmp_path: Path) -> None:
    """Nothing of the progress line is left when the counts are printed."""
    code, text = on_a_terminal("run", fixtures / "logs" / "poplib.exact.log", "--out", tmp_path / "out")
    assert code == 0
    assert text.rstrip().splitlines()[-1].split("\r")[-1].startswith("20 mails, 6 previews (TOP), ")


def test_kept_logs_are_private(fixtures: Path, tmp_path: Path) -> None:
    """Zeek's logs hold all mails: files of mode 0600 in folders of mode 0700."""
    zeek, kept = tmp_path / "zeek", tmp_path / "kept"
    zeek.write_text(f"#!/bin/sh\ncat {fixtures}/logs/article.exact.log > pop3_events.log\n")
    zeek.chmod(0o755)
    done = program(
        "pcap", fixtures / "article.pcap", "--out", tmp_path / "out", "--keep-logs", kept, "--zeek", zeek
    )
    assert done.returncode == 0, done.stderr
    folder = next(kept.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "pop3_events.log").stat().st_mode & 0o777 == 0o600
