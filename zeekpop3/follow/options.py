"""What a follower can be told, and how it tells what happens: data only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zeekpop3.session.machine import MAX_MESSAGE
from zeekpop3.tables import Privacy


@dataclass(frozen=True, slots=True)
class Options:
    """`flush_s`: rows are in the tables so many seconds after they were read, at most.

    `idle_s`: a connection without rows is given up after so many seconds of log time. `max_message`: bytes
    of one message that are held; `max_memory`: bytes that are held in all, about. `poll`: don't ask the
    system about changes; `interval_s`: look at least so often. `metrics`: a Prometheus textfile.
    """

    flush_s: float = 60.0
    idle_s: float = 3600.0
    max_message: int = MAX_MESSAGE
    max_memory: int = 1 << 30
    poll: bool = False
    interval_s: float = 1.0
    privacy: Privacy | None = None
    attachment_content: bool = False
    metrics: Path | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened: `level` is info, warning or error; `fields` are its numbers and names."""

    level: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


Tell = Callable[[Note], None]
