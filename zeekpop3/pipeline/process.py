"""How a process is set up that runs tasks one after the other: nothing in it waits for memory.

A task makes some hundred thousand objects, hardly any in a circle, and lets go of them together at its end:
the garbage collector would look at them again and again and find nothing. And it asks for the same large
buffers as the task before: glibc and Arrow give such back to the system at once, and the kernel clears every
page anew.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
_KEPT_BYTES = 256 << 20
_LARGEST_FROM_HEAP = 32 << 20

_TASKS_A_COLLECTION = 8

_alone = _collected = False
_tasks = 0


@contextmanager
def no_collector() -> Iterator[None]:
    """Keep the cyclic garbage collector out; what it has to do it does at the end."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def keep_to_itself() -> None:
    """Say that this process is there for tasks alone: memory that is freed is kept, up to some bound, and the
    collector runs between tasks only."""
    global _alone, _collected
    _alone, _collected = True, gc.isenabled()
    gc.disable()
    _own_pool()
    leave_pandas_out()
    keep_freed_memory()


def be_a_worker() -> None:
    """Say that this process is there for another one's tasks, and ends with it, however that ends."""
    from multiprocessing import parent_process

    keep_to_itself()
    parent = parent_process()

    def leave() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def between_tasks() -> None:
    """Now and then collect what tasks have left in circles, which is little; what was there before the first
    one ended is not looked at.

    Does nothing in a process that has other things to do.
    """
    global _tasks
    if not _alone:
        return
    if _tasks == 0:
        gc.freeze()  # the libraries
    elif _tasks % _TASKS_A_COLLECTION == 0:
        gc.collect()
    _tasks += 1


def open_up() -> None:
    """Undo `keep_to_itself`, but for the memory."""
    global _alone, _tasks
    _alone, _tasks = False, 0
    gc.unfreeze()
    if _collected:
        gc.enable()


def _own_pool() -> None:
    """Have Arrow take its memory where all take it."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def leave_pandas_out() -> None:
    """Have Arrow make its first array as if there were no pandas.

    With the first one Arrow loads pandas, if it is there, to tell its types from others (pyarrow,
    pandas-shim.pxi), and that takes longer than a small log does. Where something is then wanted of pandas
    (`to_pandas`), Arrow still loads it.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([], pa.null())
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """A finder of modules (importlib.abc.MetaPathFinder) for which pandas is not installed."""

    @staticmethod
    def find_spec(name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def keep_freed_memory() -> None:
    """Have malloc keep what is freed for the next one who asks, up to some bound, for as long as the process
    lives."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return  # no glibc: then it only costs time
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_FROM_HEAP)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
