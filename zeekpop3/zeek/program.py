"""Runs the zeek program on a capture with the bundled package.

A capture that is still being written, or whose disk was full, ends within a packet. Zeek stops there with an
error and does not complete its logs. So it is given the bytes before it.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO

from zeekpop3.errors import ZeekError

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


def run_zeek(
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

    def failure_of(source: str, feed: Callable[[IO[bytes]], None] | None = None) -> str | None:
        return _failure_of([program, "-C", "-r", source, str(script), COMPARED, *more], folder, feed)

    # Zeek 8.2 has a reader of its own for pcapng. It says nothing of what is cut off or damaged, and leaves
    # out simple packet blocks. libpcap, which Zeek used before, does not. And a name may contain "::".
    failure = failure_of(f"pcap::{pcap.resolve()}")
    if failure is not None:
        with pcap.open("rb") as file:
            if file.read(1) in (b"#", b"{"):
                raise ZeekError(f"{pcap}: a log, not a capture; use `zeekpop3 run`")
        whole, size = whole_bytes(pcap), pcap.stat().st_size
        if whole is None or whole >= size or failure_of("-", partial(_copy, pcap, whole)):
            raise ZeekError(f"{pcap}: zeek failed: {failure}")
        if on_error is not None:
            left = f"{size - whole} of {size} bytes"
            on_error(ZeekError(f"{pcap}: cut off within a packet; the last {left} were left out"))
    log = folder / "pop3_events.log"
    return log if log.is_file() else None


def _failure_of(
    command: list[str], folder: Path, feed: Callable[[IO[bytes]], None] | None = None
) -> str | None:
    """Run Zeek in a folder; `feed` writes to its standard input. None, or why it failed."""
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TZ": "UTC"},
            stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
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


def _copy(path: Path, size: int, to: IO[bytes]) -> None:
    """The first `size` bytes of a file, some at a time."""
    with path.open("rb") as file:
        while size > 0 and (data := file.read(min(size, 1 << 20))):
            to.write(data)
            size -= len(data)


# -- how much of a capture is whole ------------------------------------------------------------------


# Only the headers of records are read. Formats: pcap (draft-ietf-opsawg-pcap, 4 and 5), pcapng
# (draft-ietf-opsawg-pcapng, 3.1).

#: Magic number of a pcap file → byte order; microseconds and nanoseconds.
_PCAP = {
    bytes.fromhex(magic): order
    for magic, order in (("a1b2c3d4", ">"), ("d4c3b2a1", "<"), ("a1b23c4d", ">"), ("4d3cb2a1", "<"))
}
_PCAP_HEADER, _PCAP_RECORD = 24, 16
_SECTION = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
#: The longest packet and the longest block that libpcap takes.
_MAX_PACKET, _MAX_BLOCK = 256 << 10, 16 << 20


def whole_bytes(path: Path) -> int | None:
    """How many bytes of a capture, from its beginning, are whole records; None if it is not a capture.

    Raises OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size  # of this moment: the capture may grow
        magic = file.read(4)
        file.seek(0)
        if magic in _PCAP:
            return _pcap(file, size, _PCAP[magic])
        return _pcapng(file, size) if magic == _SECTION else None


def _pcap(file: BinaryIO, size: int, order: str) -> int | None:
    """The end of the last whole record: a header of 16 bytes, the third number in it is the length."""
    if size < _PCAP_HEADER:
        return None
    at, header = _PCAP_HEADER, struct.Struct(order + "8xI4x")
    while at + _PCAP_RECORD <= size:
        file.seek(at)
        (length,) = header.unpack(file.read(_PCAP_RECORD))
        after = at + _PCAP_RECORD + length
        if length > _MAX_PACKET or after > size:
            break
        at = after
    return at


def _pcapng(file: BinaryIO, size: int) -> int | None:
    """The end of the last whole block: type, length, body, and the length again."""
    at, order = 0, ""
    while at + 12 <= size:
        file.seek(at)
        head = file.read(12)
        if head[:4] == _SECTION:
            own = _BYTE_ORDERS.get(head[8:], "")
            if not own or order not in ("", own):
                break  # libpcap reads sections of one byte order
            order = own
        (length,) = struct.unpack(order + "I", head[4:8])
        if not 12 <= length <= _MAX_BLOCK or length % 4 or at + length > size:
            break
        file.seek(at + length - 4)
        if file.read(4) != head[4:8]:
            break
        at += length
    return at or None
