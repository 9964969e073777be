"""The MIME type of a file by its first bytes, from the library filetype."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=256)
def _matcher(declared: str) -> Any:
    """The library's test for one type; none for zip, which is also the beginning of a .docx."""
    import filetype

    return None if "zip" in declared else filetype.get_type(mime=declared)


def mime_type(head: bytes, declared: str | None) -> str | None:
    """The MIME type, or None if the bytes do not show it. The declared type is tried first."""
    import filetype

    try:
        if declared is not None and len(declared) < 40:
            matcher = _matcher(declared)
            if matcher is not None and matcher.match(bytearray(head)):
                return declared
        found = filetype.guess_mime(head)
    except Exception:  # a failure of the detector is not a failure of the mail
        return None
    return found if isinstance(found, str) else None
