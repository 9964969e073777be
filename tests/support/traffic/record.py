"""Records the event logs of the captures in fixtures/, in both forms, with the Zeek on PATH.

    python tests/support/traffic/record.py [--out fixtures/logs] [NAME...]

Zeek's random seeds are fixed (-D), so that connection ids are the same each time; only the times of #open
and #close change, and they are set to a fixed one. Large logs are packed. `rotated/` holds the log of one
capture as Zeek's archiver leaves it: a folder per day, a packed file per interval.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = {"plain": ROOT / "zeek-scripts", "exact": ROOT / "zeek-scripts" / "exact.zeek"}
OPTIONS = {("decrypted", "exact"): ("Pop3Events::exact_ports+={995/tcp}",)}
PACKED_FROM = 60_000
ROTATED = "rotated"
NOISE = re.compile(rb"^#(open|close)\t\d{4}(-\d\d){5}$", re.M)


def zeek(pcap: Path, form: str, folder: Path, *options: str) -> None:
    """Runs Zeek on a capture in a folder, where it leaves its logs."""
    seeds = folder / "seeds"
    rng = random.Random(pcap.stem)
    seeds.write_text("".join(f"{rng.getrandbits(32)}\n" for _ in range(21)))
    command = ["zeek", "--load-seeds", str(seeds), "-C", "-r", str(pcap), str(SCRIPTS[form]), *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"zeek on {pcap.name}: exit {done.returncode}: {done.stderr}")


def event_log(pcap: Path, form: str) -> bytes:
    """The event log of a capture, with fixed times of opening and closing; empty if Zeek wrote none."""
    with tempfile.TemporaryDirectory() as folder:
        zeek(pcap, form, Path(folder), *OPTIONS.get((pcap.stem, form), ()))
        path = Path(folder) / "pop3_events.log"
        return NOISE.sub(rb"#\1\t2024-01-01-00-00-00", path.read_bytes()) if path.exists() else b""


def rotated(pcap: Path, form: str) -> dict[str, bytes]:
    """Relative path and content of the logs that rotation every two minutes leaves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        zeek(pcap, form, folder, "Log::default_rotation_interval=2min")
        out = {}
        for path in sorted(folder.glob("pop3_events.*.log")):
            day, time = re.findall(r"\d{4}-\d\d-\d\d|\d\d-\d\d-\d\d(?=\.log)", path.name)
            text = NOISE.sub(rb"#\1\t2024-01-01-00-00-00", path.read_bytes())
            out[f"{day}/pop3_events.{time}.log.gz"] = gzip.compress(text, mtime=0)
        return out


def recorded(pcaps: Iterable[Path]) -> dict[str, bytes]:
    """Relative path and content of all that is recorded of these captures."""
    out: dict[str, bytes] = {}
    for pcap in pcaps:
        for form in SCRIPTS:
            text = event_log(pcap, form)
            if text:
                packed = len(text) > PACKED_FROM
                name = f"{pcap.stem}.{form}.log" + (".gz" if packed else "")
                out[name] = gzip.compress(text, mtime=0) if packed else text
            if pcap.stem == ROTATED:
                out |= {f"{ROTATED}.{form}/{name}": data for name, data in rotated(pcap, form).items()}
    return out


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pcaps", type=Path, default=ROOT / "fixtures", help="folder of captures")
    parser.add_argument("--out", type=Path, default=ROOT / "fixtures" / "logs")
    parser.add_argument("names", nargs="*", help="captures to record (default: all)")
    args = parser.parse_args(argv)
    if shutil.which("zeek") is None:
        raise SystemExit("no zeek on PATH")
    pcaps = sorted(p for p in args.pcaps.glob("*.pcap") if not args.names or p.stem in args.names)
    logs = recorded(pcaps)
    if not args.names:
        shutil.rmtree(args.out, ignore_errors=True)
    for name, data in logs.items():
        path = args.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"{len(logs)} logs of {len(pcaps)} captures, {sum(map(len, logs.values()))} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
