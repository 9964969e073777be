"""A program that calls `run` stays as it was: its pandas, its Arrow, its imports, its collector."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zeekpop3.pipeline import run as module

_CALLER = """
import gc, sys
import zeekpop3
before = gc.isenabled(), gc.get_threshold()
zeekpop3.run([sys.argv[1]], sys.argv[2])
assert (gc.isenabled(), gc.get_threshold()) == before
assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith('zeekpop3')]
import numpy as np
import pandas as pd
import pyarrow as pa
assert pa.array(pd.Series([1.0, None, 3.0])).null_count == 1
assert pa.array(pd.Series(["a", None], dtype=object)).to_pylist() == ["a", None]
assert pa.array(pd.Series(pd.to_datetime(["2024-06-24", None]))).null_count == 1
assert pa.Table.from_pandas(pd.DataFrame({"x": [np.nan, 1.0]}))["x"].null_count == 1
print("unchanged")
"""


def test_the_callers_process_is_left_alone(fixtures: Path, tmp_path: Path) -> None:
    """In a process that has not imported pandas before, missing values are missing afterwards."""
    log, out = fixtures / "logs" / "article.exact.log", tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", _CALLER, log, out], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("unchanged\n", "")


def test_a_script_without_a_guard(fixtures: Path, tmp_path: Path) -> None:
    """Its workers run the script again, and end (docs.python.org, "Safe importing of main module")."""
    script = tmp_path / "script.py"
    log = fixtures / "logs" / "article.exact.log"
    script.write_text(f"import zeekpop3\nzeekpop3.run({str(log)!r}, {str(tmp_path / 'out')!r}, jobs=2)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        f"zeekpop3.errors.ZeekPop3Error: {tmp_path / 'out'}: not complete: a worker process"
    )
    assert last.endswith('below `if __name__ == "__main__":`')


def test_where_a_process_is_not_bound_to_cores(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS has no `sched_getaffinity`: all cores count."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert module._cores() == 5
    counts = module.run([fixtures / "logs" / "article.exact.log"], tmp_path / "out")
    assert counts.mails == 1
