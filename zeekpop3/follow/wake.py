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
            self._watch(folders)

    def _watch(self, folders: Iterable[Path]) -> None:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        event = self._event

        class Handler(FileSystemEventHandler):
            def on_any_event(self, change: Any) -> None:
                if change.event_type in ("opened", "closed_no_write"):
                    return  # by this process, most likely
                paths = (change.src_path, getattr(change, "dest_path", ""))
                if any(is_log_name(Path(str(path)).name) for path in paths):
                    event.set()

        observer = Observer()
        try:
            for folder in folders:
                where = folder if folder.is_dir() else folder.parent
                observer.schedule(Handler(), str(where), recursive=True)
            observer.start()
            self._observer, self.watching = observer, True
        except (OSError, RuntimeError):  # no such folder yet, or no more watches: look at intervals
            pass

    def wait(self, seconds: float) -> bool:
        """Wait for a change, but no longer than this; True if there was one."""
        changed = self._event.wait(seconds)
        self._event.clear()
        return changed

    def close(self) -> None:
        """End the watching."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(2)
