"""README.md is run: its commands, its code, and its tables of columns and defects.

    python tests/readme.py            says what is not true
    python tests/readme.py --renew    writes the outputs and tables anew, to be looked at with git diff

A ```console block holds commands after `$ ` and what they print (stdout and stderr, 100 columns wide); they
run one after the other, in a folder that has the repository's fixtures. A ```python block prints what the
```text block behind it says. `<!-- zeek -->` before a block: it needs a zeek on PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
_FENCE = re.compile(r"(?P<mark><!-- [a-z ]+ -->\n)?```(?P<kind>console|python)\n(?P<body>.*?)\n```\n"
                    r"(?P<out>\n```text\n(?P<printed>.*?)\n```\n)?", re.DOTALL)  # fmt: skip
_GENERATED = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass
class Block:
    """A block of README.md that can be run; `said` is what it should print."""

    kind: str
    code: list[str]
    said: list[str]
    needs_zeek: bool
    span: tuple[int, int]


def blocks(text: str) -> Iterator[Block]:
    """The blocks in order. Of a console block, `code` and `said` are parallel."""
    for found in _FENCE.finditer(text):
        mark = found["mark"] or ""
        if "not run" in mark or "test command" in mark or "first command" in mark:
            continue
        span = (found.start(), found.end())
        if found["kind"] == "python":
            yield Block("python", [found["body"]], [found["printed"] or ""], "zeek" in mark, span)
            continue
        code: list[str] = []
        said: list[str] = []
        for line in found["body"].split("\n"):
            if line.startswith("$ "):
                code.append(line[2:])
                said.append("")
            elif code and code[-1].endswith("\\") and not said[-1]:
                code[-1] += "\n" + line
            else:
                said[-1] += line + "\n"
        yield Block("console", code, [s.rstrip("\n") for s in said], "zeek" in mark, span)


def run(block: Block, folder: Path) -> list[str]:
    """What the block prints, command by command."""
    env = {
        **os.environ,
        "COLUMNS": "100",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    printed = []
    for code in block.code:
        argv = [sys.executable, "-c", code] if block.kind == "python" else ["bash", "-c", code]
        done = subprocess.run(
            argv,
            cwd=folder,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        lines = [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")]
        printed.append("\n".join(lines).rstrip("\n"))
    return printed


def workplace(folder: Path) -> Path:
    """A folder to run the README in."""
    (folder / "fixtures").symlink_to(ROOT / "fixtures")
    return folder


def generated(what: str) -> str:
    """The text of a generated part: the columns of the tables, or the defects."""
    if what == "columns":
        from zeekpop3.tables.schema import TABLES

        parts = []
        for table in TABLES.values():
            lines = [
                f"**{table.name}**: {table.meaning} Key: {', '.join(f'`{k}`' for k in table.key)}.",
                "",
            ]
            lines += ["| column | type | meaning |", "|---|---|---|"]
            lines += [f"| `{c.name}` | {_type(c)} | {c.meaning} |" for c in table.columns]
            parts.append("\n".join(lines))
        return "\n\n".join(parts) + "\n"
    from zeekpop3.session.defects import DEFECTS

    rows = [f"| `{name}` | {meaning} |" for name, meaning in sorted(DEFECTS.items())]
    return "\n".join(["| defect | meaning |", "|---|---|", *rows]) + "\n"


def _type(column: object) -> str:
    name = column.type  # type: ignore[attr-defined]
    if column.fields:  # type: ignore[attr-defined]
        name = "{" + " ".join(field.name for field in column.fields) + "}"  # type: ignore[attr-defined]
    return f"{name}[]" if column.repeated else name  # type: ignore[attr-defined]


def renewed(text: str) -> str:
    """README.md with what its commands print now."""
    text = _GENERATED.sub(lambda m: m[1] + generated(m[2]) + m[3], text)
    with tempfile.TemporaryDirectory() as name:
        folder = workplace(Path(name))
        out, at = [], 0
        for block in blocks(text):
            if block.needs_zeek and shutil.which("zeek") is None:
                continue  # what it prints cannot be renewed here
            printed = run(block, folder)
            out.append(text[at : block.span[0]])
            found = text[block.span[0] : block.span[1]]
            if block.kind == "console":
                body = "\n".join(f"$ {c}\n{p}".rstrip("\n") for c, p in zip(block.code, printed, strict=True))
                head, _, _ = found.partition("```console\n")
                out.append(f"{head}```console\n{body}\n```\n")
            else:
                head, _, _ = found.partition("```python\n")
                out.append(f"{head}```python\n{block.code[0]}\n```\n\n```text\n{printed[0]}\n```\n")
            at = block.span[1]
        return "".join(out) + text[at:]


if __name__ == "__main__":
    old = README.read_text("utf-8")
    new = renewed(old)
    if "--renew" in sys.argv:
        README.write_text(new, "utf-8")
    elif new != old:
        sys.exit("README.md is not what its commands print: python tests/readme.py --renew")
