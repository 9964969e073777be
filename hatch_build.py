"""Compiles what every row and every mail goes through (session, refold, message, rows of tables) with mypyc,
when a wheel is built where a C compiler is; without one, or if that fails, the wheel holds the same code as
Python alone.

`ZEEKPOP3_PURE=1` leaves it out; editable installs are never compiled. Nothing is written beside the sources.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED = (
    "zeekpop3/log/cut.py",
    "zeekpop3/message/",
    "zeekpop3/pipeline/records.py",
    "zeekpop3/refold/",
    "zeekpop3/session/",
    "zeekpop3/tables/arrays.py",
    "zeekpop3/tables/columns.py",
)
LEFT_OUT = frozenset({"__init__.py", "rows.py"})  # doors, and classes that mypyc does not know
SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
modules = mypycify(["--config-file=mypy.ini", *sys.argv[1:]], opt_level="3", debug_level="0")
setup(name="zeekpop3", ext_modules=modules, packages=[], script_args=["build_ext", "--inplace"])
"""
MYPY_INI = "[mypy]\nignore_missing_imports = True\nfollow_imports = silent\n"


class CompileHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling (docs: "Custom build hook")."""

    def dependencies(self) -> list[str]:
        return ["mypy>=1.10", "setuptools"] if self._wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not self._wanted():
            return
        temporary = tempfile.TemporaryDirectory(prefix="zeekpop3-build-")
        self._temporary = temporary  # until the wheel is written
        work = Path(temporary.name)
        error = compile_in(Path(self.root), work)
        built = {} if error else {str(path): str(path.relative_to(work)) for path in work.rglob("*.so")}
        if not built:
            self.app.display_warning(f"zeekpop3 is not compiled, but works as it is: {error}")
            return
        build_data["force_include"].update(built)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        temporary = getattr(self, "_temporary", None)
        if temporary is not None:
            temporary.cleanup()

    def _wanted(self) -> bool:
        return self.target_name == "wheel" and not os.environ.get("ZEEKPOP3_PURE") and has_compiler()


def has_compiler() -> bool:
    """Whether the compiler that this Python was made with, and the headers of this Python, are there."""
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return (
        sys.implementation.name == "cpython"
        and shutil.which(command.split()[0]) is not None
        and header.exists()
    )


def compile_in(root: Path, work: Path) -> str | None:
    """Compile the package's modules in a copy in `work`; returns what went wrong, in a line."""
    shutil.copytree(
        root / "zeekpop3", work / "zeekpop3", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    (work / "mypy.ini").write_text(MYPY_INI)
    (work / "setup.py").write_text(SETUP)
    modules = (path for path in work.glob("zeekpop3/*/*.py") if path.name not in LEFT_OUT)
    files = sorted(
        path for path in (str(path.relative_to(work)) for path in modules) if path.startswith(COMPILED)
    )
    done = subprocess.run(
        [sys.executable, "setup.py", *files],
        cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    shutil.rmtree(work / "build", ignore_errors=True)
    if done.returncode:
        lines = done.stdout.strip().splitlines()
        return next(
            (line for line in lines if "error" in line.lower()), lines[-1] if lines else "mypyc failed"
        )
    return None
