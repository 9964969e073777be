"""Runs the zeek program on a capture with the bundled package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from zeekpop3.errors import ZeekError
from zeekpop3.zeek.capture import whole_bytes

#: Only the end of Zeek's standard error is read.
_MAX_ERROR = 64 << 10

#: Zeek compares what is sent again with the last segments that were acknowledged, too (by default with none):
#: the acknowledgement may be forged, and the receiver may have the later ones.
COMPARED = "tcp_max_old_segments=64"


def scripts_dir() -> Path:
    """The folder of the Zeek package, in an installed zeekpop3 or in its source tree. Raises ZeekError."""
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "zeek-scripts", here.parent / "zeek-scripts"):
        if (folder / "__load__.zeek").is_file():
            return folder
    raise ZeekError(f"{here}: Zeek scripts not found; the installation is incomplete")


def find_zeek(zeek: str | None = None) -> str:
    """The path of the `zeek` program: the given one, or that on PATH. Raises ZeekError if it is not found."""
    found = shutil.which(zeek or "zeek")
    if found is None:
        raise ZeekError(
            f"{zeek or 'zeek'}: not found on PATH; install Zeek or name it with --zeek; "
            "an existing event log is processed by `zeekpop3 run`"
        )
    return found


def record(
    pcap: Path,
    folder: Path,
    *,
    plain: bool = False,
    zeek: str | None = None,
    exact_ports: Sequence[str] = (),
    on_error: Callable[[ZeekError], None] | None = None,
) -> Path | None:
    """Run Zeek on a capture; it writes its logs to `folder`, the event log in the exact form unless `plain`;
    also on further `exact_ports` ("1110/tcp").

    Returns the event log, or None if the capture contains no POP3. Of a capture that is cut off, or damaged
    from some byte on, the whole records before it are used, and `on_error` gets how much was left out.
    Raises ZeekError if Zeek cannot read the capture.
    """
    program = find_zeek(zeek)
    more = ["-e", f"redef Pop3Events::exact_ports += {{ {', '.join(exact_ports)} }};"] if exact_ports else []
    script = scripts_dir() / ("__load__.zeek" if plain else "exact.zeek")
    if not pcap.is_file():
        raise ZeekError(f"{pcap}: no such capture")

    def run(source: str, stdin: int, feed: Callable[[IO[bytes]], None] | None = None) -> str | None:
        """None, or why Zeek failed."""
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                [program, "-C", "-r", source, str(script), COMPARED, *more],
                cwd=folder,
                env={**os.environ, "TZ": "UTC"},
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                umask=0o077,  # the logs hold all mails
            ) as process,
        ):
            try:
                if feed is not None and process.stdin is not None:
                    with suppress(BrokenPipeError), process.stdin:
                        feed(process.stdin)
                code = process.wait()
            except BaseException:
                process.kill()
                raise
            if code == 0:
                return None
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _MAX_ERROR))
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
            return lines[-1] if lines else f"exit code {code}"

    # Zeek 8.2 has a reader of its own for pcapng. It says nothing of what is cut off or damaged, and leaves
    # out simple packet blocks. libpcap, which Zeek used before, does not. And a name may contain "::".
    failure = run(f"pcap::{pcap.resolve()}", subprocess.DEVNULL)
    if failure is not None:
        with pcap.open("rb") as file:
            if file.read(1) in (b"#", b"{"):
                raise ZeekError(f"{pcap}: a log, not a capture; use `zeekpop3 run`")
        whole, size = whole_bytes(pcap), pcap.stat().st_size
        if whole is None or whole >= size or run("-", subprocess.PIPE, partial(_copy, pcap, whole)):
            raise ZeekError(f"{pcap}: zeek failed: {failure}")
        if on_error is not None:
            left = f"{size - whole} of {size} bytes"
            on_error(ZeekError(f"{pcap}: cut off within a packet; the last {left} were left out"))
    log = folder / "pop3_events.log"
    return log if log.is_file() else None


def _copy(path: Path, size: int, to: IO[bytes]) -> None:
    """The first `size` bytes of a file, some at a time."""
    with path.open("rb") as file:
        while size > 0 and (data := file.read(min(size, 1 << 20))):
            to.write(data)
            size -= len(data)
