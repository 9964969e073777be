"""The processes that do the tasks of a run: this one, or several worker processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager

from zeekpop3.pipeline.hide_pandas import hide_pandas


def executor(workers: int) -> Executor:
    """Does tasks one by one in this process, or in `workers` processes, which end with this one."""
    if workers == 1:
        hide_pandas()
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
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


@contextmanager
def no_collector() -> Iterator[None]:
    """Pause the cyclic garbage collector during a task, which makes many objects and hardly any cycle.

    This saves 15 % of the CPU time on small mails.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
