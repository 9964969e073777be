"""Runs Zeek over a capture with the bundled package; all that knows of the `zeek` program is here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from zeekpop3.errors import ZeekError

LOG_NAME = "pop3_events.log"


def scripts_dir() -> Path:
    """The folder of the Zeek package: in an installed zeekpop3, or in its source tree.

    Raises ZeekError if it is in neither.
    """
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "zeek-scripts", here.parent / "zeek-scripts"):
        if (folder / "__load__.zeek").is_file():
            return folder
    raise ZeekError(f"{here}: the Zeek package is not there: is the installation whole?")


def find_zeek(zeek: str | None = None) -> str:
    """The `zeek` program: the one given, or that on PATH. Raises ZeekError if there is none."""
    found = shutil.which(zeek or "zeek")
    if found is None:
        raise ZeekError(f"{zeek or 'zeek'}: no such program on PATH; with an event log at hand, use `run`")
    return found


def record(pcap: Path, folder: Path, *, plain: bool = False, zeek: str | None = None) -> Path | None:
    """Have Zeek read a capture and write its event log to `folder` (in the exact form unless `plain`).

    Returns the log; None if the capture holds no POP3. Zeek's other logs are left in `folder`, too. Raises
    ZeekError if Zeek cannot read the capture; a capture that was cut off in the middle of a packet is read up
    to there, as Zeek does.
    """
    program = find_zeek(zeek)
    script = scripts_dir() / ("__load__.zeek" if plain else "exact.zeek")
    if not pcap.is_file():
        raise ZeekError(f"{pcap}: no such capture")
    done = subprocess.run(
        [program, "-C", "-r", str(pcap.resolve()), str(script)],
        cwd=folder,
        env={**os.environ, "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    log = folder / LOG_NAME
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ZeekError(f"{pcap}: zeek failed: {lines[-1] if lines else f'exit code {done.returncode}'}")
    return log if log.is_file() else None
