"""The processes that do the tasks of a run: this one, or several worker processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

from zeekpop3.message import budget


def executor(workers: int) -> Executor:
    """Does tasks one by one in this process, or in `workers` processes, which end with this one."""
    if workers == 1:
        return _SameProcess()
    # Not "fork": Arrow's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


class _SameProcess(Executor):
    """An executor that does the work at once, in this process."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        future: Future[object] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _start_worker() -> None:
    hide_pandas()
    budget.watch()
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


class _NoPandas(MetaPathFinder):
    """A finder of modules for which pandas is not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def hide_pandas() -> None:
    """Keep Arrow from importing pandas, which costs 0.4 s of CPU and 45 MiB per process.

    Only for processes of our own, the workers and the program: with its first array, pyarrow imports pandas
    if it is installed, to tell pandas' types from others (python/pyarrow/pandas-shim.pxi,
    https://github.com/apache/arrow/pull/3893), and it remembers if pandas is not there. After this, arrays of
    pandas' objects lack their nulls; only `to_pandas` still works.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)  # None in sys.modules does not stop an import by Cython
    try:
        pa.array([], pa.null())
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def no_collector() -> Iterator[None]:
    """Pause the cyclic garbage collector during a run or a task: many objects and hardly any cycle.

    This saves 15 % of the CPU time on small mails.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
