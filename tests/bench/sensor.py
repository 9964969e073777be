"""What the package costs a sensor: user time of Zeek with it, divided by that of Zeek alone.

    python tests/bench/sensor.py                  makes its captures in a temporary folder
    python tests/bench/sensor.py x.pcap y.pcap    uses these

The variants take turns, so that whatever else the machine does falls on all of them; the least of the runs
counts. Start-up is in all numbers; on 40 MB and more it hardly matters.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "zeek-scripts"
VARIANTS: dict[str, list[str]] = {
    "zeek alone": [],
    "exact": ["exact.zeek"],
    "exact, analyzer kept": ["exact.zeek", "Pop3Events::release_analyzer=F"],
    "exact and files": ["exact.zeek", "files.zeek"],
    "plain": ["."],
    "plain, no marks": [".", "Pop3Events::mark_structure=F"],
    "files": ["files.zeek"],
}
TARGETS = {"small": {"exact": 0.8, "plain": 3.0}, "attachments": {"exact": 1.35, "plain": 3.6}}


def capture(folder: Path, name: str, mb: float) -> Path:
    """A capture of small mails or of mails with 1 MB attachments."""
    path = folder / f"{name}.pcap"
    kind = ["--attachment", "1MB"] if name == "attachments" else []
    sample = ROOT.parent / "shared" / "mail-sample.tar.gz"
    if not kind and not sample.exists():
        print(f"{sample} is missing: small mails are generated instead", file=sys.stderr)
        kind = ["--generated"]
    maker = [sys.executable, str(ROOT / "tests" / "bench" / "capture.py")]
    subprocess.run([*maker, "--out", str(path), "--mb", str(mb), *kind], check=True)
    return path


def run(zeek: str, pcap: Path, load: list[str], folder: Path) -> tuple[float, float]:
    """One run: user seconds, and the event log's size in 10^6 bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scripts = [word if "=" in word else str(SCRIPTS / word) for word in load]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [zeek, "-C", "-r", str(pcap.resolve()), *scripts],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    if load and done.stderr:
        print(done.stderr, file=sys.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    log = folder / "pop3_events.log"
    return used, log.stat().st_size / 1e6 if log.exists() else 0.0


def compare(zeek: str, pcap: Path, names: list[str], rounds: int, folder: Path) -> None:
    """Runs all variants in turn and prints a line each."""
    runs: dict[str, list[float]] = {name: [] for name in names}
    logs: dict[str, float] = {}
    for _ in range(rounds):
        for name in names:
            used, logs[name] = run(zeek, pcap, VARIANTS[name], folder / "run")
            runs[name].append(used)
    alone = min(runs["zeek alone"])
    print(f"{pcap.name}: {pcap.stat().st_size / 1e6:.0f} MB, {rounds} runs each")
    print(f"  {'':22} {'user s':>8} {'median':>8} {'ratio':>7} {'log MB':>8}")
    for name in names:
        ratio = min(runs[name]) / alone
        target = TARGETS.get(pcap.stem, {}).get(name)
        note = "" if target is None else f"  (at most {target})"
        seconds = f"{min(runs[name]):8.2f} {median(runs[name]):8.2f}"
        print(f"  {name:22} {seconds} {ratio:7.2f} {logs[name]:8.1f}{note}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pcap", type=Path, nargs="*", help="captures; made if none is given")
    parser.add_argument("--mb", type=float, default=60, help="size of the captures made, in 10^6 bytes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), help="variants to run")
    parser.add_argument("--zeek", default="zeek")
    args = parser.parse_args()
    zeek = shutil.which(args.zeek)
    if zeek is None:
        print(f"{args.zeek}: not found", file=sys.stderr)
        return 2
    names = [name for name in VARIANTS if name == "zeek alone" or not args.only or name in args.only]
    with tempfile.TemporaryDirectory() as folder:
        captures = args.pcap or [capture(Path(folder), name, args.mb) for name in ("small", "attachments")]
        for pcap in captures:
            compare(zeek, pcap, names, args.rounds, Path(folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
