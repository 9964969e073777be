"""Files that a view writes: complete or not at all, readable by their owner only (0600 in 0700)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zeekpop3.errors import OutputError


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name, and replaces one of that name, if the block succeeds. Raises OutputError."""
    with writing(path):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a system error into an OutputError that names the file."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{error.filename or path}: cannot write: {error.strerror or error}") from error


def make_folder(folder: Path) -> None:
    """Create a folder (0700) and its parents, if it does not exist."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
