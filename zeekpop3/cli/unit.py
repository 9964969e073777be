"""The systemd unit that `follow --print-unit` prints: this installation, with the options that were given."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path

_LOGS, _OUT = Path("/opt/zeek/logs"), Path("/var/lib/zeekpop3/tables")
_STATE = Path("/var/lib")
#: Memory of the program beside what --max-memory bounds, in MiB.
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
    writable = [out.parent] if metrics is None else [out.parent, metrics.absolute().parent]
    memory = max_memory + _BASE_MEMORY
    values = {
        "exec": " ".join(map(_quoted, words)),
        "mounts": " ".join(_quoted(str(path)) for path in [*logs, out.parent]),
        "read": " ".join(_quoted(str(path)) for path in logs),
        "write": " ".join(_quoted(str(path)) for path in dict.fromkeys(writable)),
        "state": _quoted(str(out.parent.relative_to(_STATE))) if _STATE in out.parent.parents else "",
        "max_memory": str(max_memory),
        "memory_high": str(memory),
        "memory_max": str(memory * 8 // 7),
    }
    text = files("zeekpop3.cli").joinpath("zeekpop3-follow.service").read_text("utf-8")
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], text)


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
