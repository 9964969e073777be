"""The command `man`: a manual page made from the help of all commands."""

from __future__ import annotations

from typing import Any

from typer.main import get_command

from zeekpop3 import __version__
from zeekpop3.cli.options import app, command
from zeekpop3.cli.output import write

_HEAD = f"""\
.TH ZEEKPOP3 1 "" "zeekpop3 {__version__}"
.SH NAME
zeekpop3 \\- mail that users fetch over POP3, from Zeek logs to tables
.SH SYNOPSIS
.B zeekpop3
.I COMMAND
[\\fIOPTION\\fR]...
.SH DESCRIPTION"""


@command("zeekpop3 man > zeekpop3.1", "zeekpop3 man | gzip > zeekpop3.1.gz")
def man() -> None:
    """Print the manual page in the format of man(7)."""
    write(manual_page(get_command(app)))


def manual_page(program: Any) -> list[str]:
    """The lines of the page; `program` is the click group with all commands."""
    lines = [_HEAD, _roff(program.help), ".SH COMMANDS"]
    for name, sub in program.commands.items():
        arguments = [_metavar(one) for one in sub.params if one.param_type_name == "argument"]
        lines.append(f".SS zeekpop3 {name} {_roff(' '.join(arguments))}")
        lines += [_roff(part) + "\n.PP" for part in sub.help.split("\n\n")]
        for option in sub.params:
            names = option.opts if option.param_type_name == "option" else [_metavar(option)]
            value = "" if getattr(option, "is_flag", True) else f" {_metavar(option)}"
            lines += [".TP", f".B {_roff(', '.join(names) + value)}", _roff(option.help or "")]
        examples = sub.epilog.split("\n\n")[1:]
        lines += [".PP", "Examples:", *(f".PP\n.nf\n{_roff(example)}\n.fi" for example in examples)]
    lines += [".SH EXIT STATUS", "0: done. 1: some input could not be read. 2: wrong usage.", ""]
    return "\n".join(lines).split("\n")


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.type.name.upper())


def _roff(text: str) -> str:
    """Text with the characters escaped that mean something to roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text
