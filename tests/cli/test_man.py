"""The manual page: complete, and without errors of roff."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from typer.main import get_command

from zeekpop3.cli.app import app, manual_page

PROGRAM = get_command(app)
PAGE = "\n".join(manual_page(PROGRAM))


@pytest.mark.parametrize("name", PROGRAM.commands)  # type: ignore[attr-defined]
def test_every_command_and_option_is_on_the_page(name: str) -> None:
    """Each command has a section with all its options."""
    section = PAGE.split(f".SS zeekpop3 {name} ")[1].split(".SS ")[0].replace("\\-", "-")
    for option in PROGRAM.commands[name].params:  # type: ignore[attr-defined]
        assert option.param_type_name == "argument" or option.opts[0] in section


def test_groff_reads_the_page() -> None:
    """No warning of groff."""
    if shutil.which("groff") is None:
        pytest.skip("no groff on PATH")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"], input=PAGE.encode(), capture_output=True, check=True
    )
    assert done.stderr == b""
