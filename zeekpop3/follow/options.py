"""The options of a follower."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zeekpop3.pipeline.settings import Settings
from zeekpop3.store.merge import PART_BYTES

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Options:
    """`flush_s`: rows are in the tables at most so many seconds after they were read.

    `idle_s`: a connection without rows is closed after so many seconds of log time. `max_memory`: bytes held
    in all, about. `poll`: do not use file-system notifications; `interval_s`: look for changes at least so
    often. `metrics`: a Prometheus textfile. `settings`: what of the mail is kept. `merge_s`: small parts are
    merged at this interval, into parts of about `part_bytes` (in memory). `matcher` gets the new rows of each
    commit by table, and returns rows of the table `hits`, which are written with them.
    """

    flush_s: float = 60.0
    idle_s: float = 3600.0
    max_memory: int = 1 << 30
    poll: bool = False
    interval_s: float = 1.0
    metrics: Path | None = None
    merge_s: float = 600.0
    part_bytes: int = PART_BYTES
    matcher: Callable[[Mapping[str, pa.Table]], pa.Table] | None = None
    settings: Settings = field(default_factory=Settings)
