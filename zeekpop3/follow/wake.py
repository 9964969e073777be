"""When to look again: when the system reports a change of a log, and in any case after an interval.

Some file systems (NFS) report nothing, and links are not watched: looking at intervals always works.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zeekpop3.log.find import is_log_name


class Waker:
    """Waits for changes below folders; `poll`: without file-system notifications. `close` ends threads."""

    def __init__(self, folders: Iterable[Path], *, poll: bool = False) -> None:
        self._event = threading.Event()
        self._observer: Any = None
        self.watching = False
        if not poll:
            self._watch(list(folders))

    def _watch(self, folders: list[Path]) -> None:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        event = self._event

        class Handler(FileSystemEventHandler):
            def on_any_event(self, change: Any) -> None:
                if change.event_type in ("opened", "closed_no_write"):
                    return  # by this process, most likely
                for path in (change.src_path, getattr(change, "dest_path", "")):
                    if path and is_log_name(Path(str(path)).name):
                        event.set()

        observer = Observer()
        try:
            for folder in folders:
                observer.schedule(
                    Handler(), str(folder if folder.is_dir() else folder.parent), recursive=True
                )
            observer.start()
        except (OSError, RuntimeError):  # no such folder yet, or no more watches: look at intervals
            return
        self._observer, self.watching = observer, True

    def wait(self, seconds: float) -> bool:
        """Wait for a change, but no longer than this; True if there was one."""
        changed = self._event.wait(max(seconds, 0.0))
        self._event.clear()
        return changed

    def close(self) -> None:
        """End the watching."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(2)
            self._observer = None
