"""The systemd unit that `follow --print-unit` prints: this installation, with the options that were given."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.resources import files
from pathlib import Path

from zeekpop3.views.text import visible

_LOGS, _OUT = Path("/opt/zeek/logs"), Path("/var/lib/zeekpop3/tables")
_STATE = Path("/var/lib")
#: What ProtectHome= and PrivateTmp= hide: systemd.exec(5).
_HIDDEN = [Path(name) for name in ("/home", "/root", "/run/user", "/tmp", "/var/tmp")]
_INSTALL = (
    "The unit does not see it there (ProtectHome, PrivateTmp). Install it elsewhere, and print the unit from "
    "there: python3 -m venv /opt/zeekpop3 && /opt/zeekpop3/bin/pip install FOLDER_OF_ZEEKPOP3"
)
#: Memory that the program needs in addition to --max-memory, in MiB.
_BASE_MEMORY = 776


def unit(
    logs: list[Path], out: Path | None, options: list[str], max_memory: int, metrics: Path | None
) -> str:
    """The text of the unit. `options` are further command-line words, `max_memory` is in MiB.

    Without `logs` or `out`, usual places stand for them. The folder of the file `metrics` is writable too.
    """
    logs = [path.absolute() for path in logs] or [_LOGS]
    out = (out or _OUT).absolute()
    words = [*_program(), "follow", *map(str, logs), "--out", str(out), *options]
    is_state = _STATE in out.parent.parents  # systemd makes that folder; another must exist
    writable = [out.parent if is_state else out] + ([metrics.absolute().parent] if metrics else [])
    memory = max_memory + _BASE_MEMORY
    values = {
        "exec": " ".join(map(_quoted, words)),
        "mounts": " ".join(_quoted(str(path)) for path in [*logs, out.parent]),
        "read": " ".join(_quoted(str(path)) for path in logs),
        "write": " ".join(_quoted(str(path)) for path in dict.fromkeys(writable)),
        "state": _quoted(str(out.parent.relative_to(_STATE))) if is_state else "",
        "out": visible(shlex.quote(str(out.parent if is_state else out))),
        "max_memory": str(max_memory),
        "memory_high": str(memory),
        "memory_max": str(memory * 8 // 7),
    }
    text = files("zeekpop3.cli").joinpath("zeekpop3-follow.service").read_text("utf-8")
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], text)


def unseen(paths: list[Path]) -> list[str]:
    """A line for each path, of the program and of `paths`, that is hidden from the unit."""
    program = [Path(_program()[0]), Path(sys.executable), Path(sys.prefix), Path(__file__)]
    places = [(path, True) for path in program] + [(path, False) for path in paths]
    found: dict[str, None] = {}
    for path, is_program in places:
        for each in (path.absolute(), path.resolve()):
            hidden = next((folder for folder in _HIDDEN if folder in each.parents or folder == each), None)
            if hidden is None:
                continue
            line = f"{path.absolute()} is in {hidden}. The unit does not see it (ProtectHome, PrivateTmp)."
            found[f"The program is in {hidden}. {_INSTALL}" if is_program else line] = None
    return list(found)


def _program() -> list[str]:
    """The words that start this installation's program."""
    program = Path(sys.argv[0])
    if program.name == "zeekpop3":
        return [str(program.absolute())]
    return [sys.executable, "-m", "zeekpop3"]


def _quoted(word: str) -> str:
    """A word of a unit file: systemd.service(5), "Command lines"; `%` and `$` are special there."""
    word = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", word, re.ASCII):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
