"""README.md is true: its commands print what it says, its tables are those of the code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import readme

TEXT = readme.README.read_text("utf-8")


def test_commands_print_what_the_readme_says(tmp_path: Path) -> None:
    """Every command and piece of code, in order, in one folder."""
    pytest.importorskip("duckdb")
    folder = readme.workplace(tmp_path)
    for block in readme.blocks(TEXT):
        if block.needs_zeek and shutil.which("zeek") is None:
            continue
        assert readme.run(block, folder) == block.said, block.code


def test_generated_parts_are_up_to_date() -> None:
    """The tables of columns and of defects are those of the code."""
    found = list(re.finditer(r"<!-- generated: ([a-z ]+) -->\n(.*?)<!-- end -->", TEXT, re.DOTALL))
    assert [match[1] for match in found] == ["columns", "defects"]
    for match in found:
        assert match[2] == readme.generated(match[1])


def test_every_command_is_in_the_readme() -> None:
    """No command of the program is left out."""
    from typer.main import get_command

    from zeekpop3.cli.app import app

    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert {name for name in commands if f"zeekpop3 {name}" not in TEXT} == set()


def test_every_option_has_help() -> None:
    """`--help` says what each command, argument and option is for."""
    from typer.main import get_command

    from zeekpop3.cli.app import app

    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None) or parameter.name == "help", (name, parameter.name)
