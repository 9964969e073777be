"""README.md and the pages beside the code (PAGES) are run: their commands, code, and what these print.

    python tests/readme.py            reports what differs
    python tests/readme.py --renew    writes the outputs again; read the diff

A ```console block holds commands after `$ ` and what they print (stdout and stderr, 100 columns wide); they
run one after the other, in a copy of the repository. A ```python block prints what the ```text block behind
it says. `<!-- zeek -->` before a block: it needs a zeek on PATH; `<!-- java -->`: it needs Java and pyspark,
which talk on stderr. `<!-- not run -->`: it is not run.
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
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "README.md",
    "zeekpop3/README.md",
    "zeekpop3/LIMITS.md",
    "zeekpop3/views/QUESTIONS.md",
    "zeekpop3/store/LAKES.md",
    "zeekpop3/follow/SHIPPERS.md",
)
#: What commands of README.md leave in a clone; a fresh one has none of it.
_LEFT = {line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").split() if line.startswith("/")}
_FENCE = re.compile(r"(?P<mark><!-- [a-z ]+ -->\n)?```(?P<kind>console|python)\n(?P<body>.*?)\n```\n"
                    r"(?P<out>\n```text\n(?P<printed>.*?)\n```\n)?", re.DOTALL)  # fmt: skip


@dataclass
class Block:
    """A block of a page that can be run; `said` is what it should print, `needs` a program that it needs."""

    kind: str
    code: list[str]
    said: list[str]
    needs: str
    span: tuple[int, int]


def blocks(text: str) -> Iterator[Block]:
    """The blocks in order. Of a console block, `code` and `said` are parallel."""
    for found in _FENCE.finditer(text):
        mark = found["mark"] or ""
        if "not run" in mark or "test command" in mark or "first command" in mark:
            continue
        span = (found.start(), found.end())
        needs = next((name for name in ("zeek", "java") if name in mark), "")
        if found["kind"] == "python":
            yield Block("python", [found["body"]], [found["printed"] or ""], needs, span)
            continue
        code: list[str] = []
        said: list[str] = []
        for line in found["body"].split("\n"):
            if code and "<<'END'" in code[-1] and not code[-1].endswith("\nEND"):
                code[-1] += "\n" + line
            elif line.startswith("$ "):
                code.append(line[2:])
                said.append("")
            elif code and code[-1].endswith("\\") and not said[-1]:
                code[-1] += "\n" + line
            else:
                said[-1] += line + "\n"
        yield Block("console", code, [s.rstrip("\n") for s in said], needs, span)


def can_run(block: Block) -> bool:
    """Whether what the block needs is here."""
    if block.needs == "java" and find_spec("pyspark") is None:
        return False
    return not block.needs or shutil.which(block.needs) is not None


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
            stderr=subprocess.DEVNULL if block.needs == "java" else subprocess.STDOUT,
            check=False,
        )
        lines = [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")]
        printed.append("\n".join(lines).rstrip("\n"))
    return printed


def workplace(folder: Path) -> Path:
    """A copy of the repository, as a fresh clone has it, to run the commands in."""

    def ignored(path: str, names: list[str]) -> list[str]:
        top = Path(path) == ROOT
        junk = {"__pycache__", *(_LEFT if top else ())}
        return [name for name in names if name in junk or (top and name.startswith("."))]

    return Path(shutil.copytree(ROOT, folder / "zeekpop3", ignore=ignored))


def renewed(text: str) -> str:
    """A page with what its commands print now."""
    with tempfile.TemporaryDirectory() as name:
        folder = workplace(Path(name))
        out, at = [], 0
        for block in blocks(text):
            if not can_run(block):
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


def main() -> None:
    """Compare the pages with what their commands print, or write them again."""
    different = []
    for name in PAGES:
        page = ROOT / name
        old = page.read_text("utf-8")
        new = renewed(old)
        if new != old:
            different.append(name)
        if "--renew" in sys.argv:
            page.write_text(new, "utf-8")
    if different and "--renew" not in sys.argv:
        sys.exit(f"{', '.join(different)}: commands print something else; python tests/readme.py --renew")


if __name__ == "__main__":
    main()
