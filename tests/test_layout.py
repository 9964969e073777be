"""The layout of the package: what may import what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "zeekpop3"

#: The folders from the command line down to the wire. A module imports its own folder and those below.
LEVELS = (
    ("cli",),
    ("views",),
    ("detect",),
    ("follow", "spark"),
    ("pipeline",),
    ("store",),
    ("tables",),
    ("zeek",),
    ("log",),
    ("inside",),
    ("message",),
    ("session",),
    ("defects",),
    ("_version",),
    ("errors",),
)
LEVEL = {folder: level for level, folders in enumerate(LEVELS) for folder in folders}
ROOT_FILES = {
    "README.md",
    "LIMITS.md",
    "__init__.py",
    "__main__.py",
    "_version.py",
    "defects.py",
    "errors.py",
    "py.typed",
}


def modules() -> dict[str, Path]:
    """Each module by its dotted name without `zeekpop3.`; packages by the name of the folder."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


MODULES = modules()


def imports(name: str, *, typing_only: bool = True) -> Iterator[str]:
    """The modules of the package that a module imports, wherever in it the import stands."""
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    skipped = set() if typing_only else {id(n) for guard in _guards(tree) for n in ast.walk(guard)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (_known(alias.name) for alias in node.names if alias.name.startswith("zeekpop3."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zeekpop3"):
            assert node.level == 0, f"{name}: relative import"
            for alias in node.names:
                yield _known(f"{node.module}.{alias.name}")


def _guards(tree: ast.AST) -> Iterator[ast.If]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield node


def _known(dotted: str) -> str:
    name = dotted.removeprefix("zeekpop3").removeprefix(".")
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_go_down(name: str) -> None:
    """A folder imports itself and the folders below it, for types too."""
    folder = name.partition(".")[0]
    if folder in ("", "__main__"):
        return  # the public names and the program
    for target in imports(name):
        below = target.partition(".")[0]
        if below == folder:
            continue
        assert below in LEVEL, f"{name} imports {target}, which is not in a folder of the layout"
        assert LEVEL[below] > LEVEL[folder], f"{name} imports {target}, which is not below it"


def test_no_circular_import() -> None:
    """No module imports itself by way of others, imports inside functions included."""
    graph = {
        name: {t for t in imports(name, typing_only=False) if t and t != name and not _is_parent(t, name)}
        for name in MODULES
        if name
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "circular import: " + " → ".join((*path[path.index(name) :], name))
        if name in done:
            return
        for target in sorted(graph[name]):
            visit(target, (*path, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())


def _is_parent(package: str, name: str) -> bool:
    return name.startswith(package + ".")


def test_the_root_holds_folders_alone() -> None:
    """Beside its folders: pages on the API and on limits, the public names, program, errors, defects."""
    assert {path.name for path in PACKAGE.iterdir() if path.is_file()} <= ROOT_FILES
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__", "zeek-scripts"}
    assert folders <= set(LEVEL)


def test_tests_mirror_the_package() -> None:
    """A folder of tests has the name of the folder that it tests."""
    others = {"support", "bench", "btest", "fuzz", "zeek", "__pycache__"}
    folders = {path.name for path in Path(__file__).parent.iterdir() if path.is_dir()}
    assert folders - others <= set(LEVEL)
