"""The options of a follower."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from zeekpop3.pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Options:
    """`flush_s`: rows are in the tables at most so many seconds after they were read.

    `idle_s`: a connection without rows is closed after so many seconds of log time. `max_memory`: bytes held
    in all, about. `poll`: do not use file-system notifications; `interval_s`: look for changes at least so
    often. `metrics`: a Prometheus textfile. `settings`: what of the mail is kept.
    """

    flush_s: float = 60.0
    idle_s: float = 3600.0
    max_memory: int = 1 << 30
    poll: bool = False
    interval_s: float = 1.0
    metrics: Path | None = None
    settings: Settings = field(default_factory=Settings)
