"""Keeps Arrow from importing pandas, which costs 0.15 to 0.6 s and 45 MiB per process.

With its first array, pyarrow imports pandas if it is installed, to tell pandas' types from others
(python/pyarrow/pandas-shim.pxi, https://github.com/apache/arrow/pull/3893). No upstream issue found; polars
works around the same effect in https://github.com/pola-rs/polars/pull/14562. pyarrow still imports pandas
when something really needs it, such as `to_pandas`.
"""

from __future__ import annotations

import importlib.abc
import sys


class _HidePandas(importlib.abc.MetaPathFinder):
    """A finder of modules for which pandas is not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def hide_pandas() -> None:
    """Let pyarrow make its first array while pandas is hidden; nothing if pandas is loaded already."""
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    finder = _HidePandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([], pa.null())
    finally:
        sys.meta_path.remove(finder)
