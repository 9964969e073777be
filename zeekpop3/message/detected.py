"""The type that a file's first bytes show, by the library of the extra `detect`; None without it."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _library() -> Any:
    try:
        import filetype
    except ImportError:
        return None
    return filetype


def mime_type(head: bytes) -> str | None:
    """MIME type by the first bytes of a file, or None if they show nothing."""
    library = _library()
    if library is None:
        return None
    try:
        found = library.guess_mime(head)
    except Exception:  # a detector's fault is no mail's fault
        return None
    return found if isinstance(found, str) else None
