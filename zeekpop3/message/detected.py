"""The type that a file's first bytes show, by the library of the extra `detect`; None without it."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any


@cache
def _library() -> Any:
    try:
        import filetype
    except ImportError:
        return None
    return filetype


@lru_cache(maxsize=256)
def _matcher(declared: str) -> Any:
    """The library's test for one type. A container's is none: a .docx is a zip, too."""
    return None if "zip" in declared else _library().get_type(mime=declared)


def mime_type(head: bytes, declared: str | None) -> str | None:
    """MIME type by the first bytes of a file, or None if they show nothing. What is declared is tried
    first.
    """
    library = _library()
    if library is None:
        return None
    try:
        if declared is not None and len(declared) < 40:
            matcher = _matcher(declared)
            if matcher is not None and matcher.match(bytearray(head)):
                return declared
        found = library.guess_mime(head)
    except Exception:  # a detector's fault is no mail's fault
        return None
    return found if isinstance(found, str) else None
