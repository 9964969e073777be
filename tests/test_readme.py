"""README.md and the page of the Python API are true: commands and code print what they say.

The examples of each command's help run, too.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.main import get_command

import readme
import zeekpop3
from support.program import program
from zeekpop3.cli.app import app

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
TEXT = (readme.ROOT / "README.md").read_text("utf-8")
HAS_ZEEK = shutil.which("zeek") is not None


@pytest.mark.slow
@pytest.mark.parametrize("page", readme.PAGES)
def test_commands_print_what_the_page_says(page: str, tmp_path: Path) -> None:
    """Every command and piece of code, in order, in one copy of the repository."""
    folder = readme.workplace(tmp_path)
    for block in readme.blocks((readme.ROOT / page).read_text("utf-8")):
        if readme.can_run(block):
            assert readme.run(block, folder) == block.said, block.code


def test_every_command_is_on_a_page() -> None:
    """No command of the program is left out."""
    pages = "".join((readme.ROOT / page).read_text("utf-8") for page in readme.PAGES)
    assert {name for name in COMMANDS if f"zeekpop3 {name}" not in pages} == set()


def test_the_readme_is_short() -> None:
    """What a newcomer reads first has at most 180 lines; the rest are pages beside the code."""
    assert len(TEXT.splitlines()) <= 180


def test_every_public_name_is_on_the_page_of_the_api() -> None:
    """No name of the package is left out."""
    page = (readme.ROOT / "zeekpop3" / "README.md").read_text("utf-8")
    names = set(zeekpop3.__all__) - {"__version__"}
    assert {name for name in names if f"`{name}" not in page} == set()


def test_links_lead_somewhere() -> None:
    """Every relative link of a page names a file."""
    for page in (*readme.PAGES, "CONTRIBUTING.md", "zeekpop3/follow/README.md"):
        path = readme.ROOT / page
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), (page, target)


def test_every_option_has_help() -> None:
    """`--help` says what each command, argument and option is for."""
    for name, command in COMMANDS.items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None) or parameter.name == "help", (name, parameter.name)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_screen(name: str) -> None:
    """Fifty lines at a width of 100 columns."""
    lines = program(name, "--help", columns=100).stdout.splitlines()
    assert 10 < len(lines) <= 50, len(lines)
    assert max(map(len, lines)) <= 100


UID = "CHhAvVGS1DHFjwGM9"  # stands for any connection in the examples


@pytest.fixture(scope="module")
def made_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of one log."""
    folder = tmp_path_factory.mktemp("made") / "tables"
    zeekpop3.run([readme.ROOT / "fixtures/logs/poplib.exact.log"], folder, jobs=1)
    return folder


def examples_folder(folder: Path, made_tables: Path | None) -> None:
    """A folder with all files that the examples name."""
    fixtures = readme.ROOT / "fixtures"
    for source, target in {
        "logs/poplib.exact.log": "pop3_events.log",
        "logs/article.exact.log": "logs/2024-06-24/pop3_events.10:00:00-11:00:00.log",
        "poplib.pcap": "traffic.pcap",
        "incident/indicators.intel": "feed.intel",
        **{f"incident/{name}.log": f"{name}.log" for name in ("conn", "dns", "http", "ssl", "files", "smtp")},
    }.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(fixtures / source, folder / target)
    mail = "From: a@example.org\nSubject: s\n\nhello\n"
    (folder / "reported.eml").write_text(mail)
    (folder / "spool.mbox").write_text(f"From a@example.org Mon Jun 24 12:00:00 2024\n{mail}")
    (folder / "hashes.txt").write_text("d41d8cd98f00b204e9800998ecf8427e\n")
    (folder / "rules.yar").write_text('rule program { strings: $mz = "MZ" condition: $mz at 0 }\n')
    if made_tables is not None:
        shutil.copytree(made_tables, folder / "tables")


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_the_help_run(name: str, tmp_path: Path, made_tables: Path) -> None:
    """Each command has two examples, which exit with 0 where the files and tables are that they name."""
    examples = re.findall(r"^\$ (.+)$", COMMANDS[name].epilog or "", re.MULTILINE)
    assert len(examples) >= 2
    examples_folder(tmp_path, None if name in ("run", "pcap", "follow") else made_tables)
    uid = zeekpop3.read_emails(made_tables, columns=["uid"])["uid"][0]
    for example in examples:
        if not HAS_ZEEK and re.search(r"\bzeek\b|\bpcap\b", example):
            continue
        command = example.replace(UID, uid).replace("/opt/zeek/logs", "logs")
        command = command.replace("/var/lib/zeekpop3/", "")
        if name == "follow" and "--once" not in command:
            command += " --once"
        block = readme.Block("console", [command + "\necho exit $?"], [], "", (0, 0))
        printed = readme.run(block, tmp_path)[0]
        assert printed.endswith("exit 0"), (example, printed)
