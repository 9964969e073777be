"""Runs the zeek program on a capture with the bundled package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from zeekpop3.errors import ZeekError


def scripts_dir() -> Path:
    """The folder of the Zeek package, in an installed zeekpop3 or in its source tree. Raises ZeekError."""
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "zeek-scripts", here.parent / "zeek-scripts"):
        if (folder / "__load__.zeek").is_file():
            return folder
    raise ZeekError(f"{here}: Zeek scripts not found; the installation is incomplete")


def find_zeek(zeek: str | None = None) -> str:
    """The path of the `zeek` program: the given one, or that on PATH. Raises ZeekError if there is none."""
    found = shutil.which(zeek or "zeek")
    if found is None:
        raise ZeekError(
            f"{zeek or 'zeek'}: not found on PATH; install Zeek or name it with --zeek; "
            "an existing event log is processed by `zeekpop3 run`"
        )
    return found


def record(pcap: Path, folder: Path, *, plain: bool = False, zeek: str | None = None) -> Path | None:
    """Run Zeek on a capture; it writes its logs to `folder`, the event log in the exact form unless `plain`.

    Returns the event log, or None if the capture contains no POP3. Raises ZeekError if Zeek cannot read the
    capture. Zeek reads a truncated capture up to the last complete packet.
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
        umask=0o077,  # the logs hold all mails
    )
    log = folder / "pop3_events.log"
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        with pcap.open("rb") as file:
            if file.read(1) in (b"#", b"{"):
                raise ZeekError(f"{pcap}: a log, not a capture; use `zeekpop3 run`")
        raise ZeekError(f"{pcap}: zeek failed: {lines[-1] if lines else f'exit code {done.returncode}'}")
    return log if log.is_file() else None
