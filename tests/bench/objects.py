"""What tshark's export of mails finds of a capture's true mails, and what it costs, beside Zeek and us.

    python tests/bench --parts tshark
    python tests/bench/objects.py --mb 10

The true mails are those that the maker of the capture put in, known by their hashes; their bytes are taken
from our table, by these hashes. tshark (4.4) puts a mail together only from segments after the one with the
status line, and only as many bytes as a status line `+OK N octets` says: one capture is made just so.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import measure  # noqa: E402

PYTHON = sys.executable
CAPTURES: dict[str, list[str]] = {
    "lock-step": [],
    "pipelined": ["--pipelined"],
    "lock-step, size said, status line in a segment of its own": ["--flavour", "dovecot", "--status-apart"],
    "the same, 1 MB attachments": ["--flavour", "dovecot", "--status-apart", "--attachment", "1MB"],
}
_END = re.compile(rb"(?:\A|(?<=\n))\.\r?\n?\Z")
_STUFFED = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """How many true mails there are, and how many are rows of ours byte for byte; the files tshark wrote, and
    how many true mails one of these equals: byte for byte; but for line ends and blank lines at the end; once
    the dot that ends a response and stuffed dots are taken away, too."""

    mails: int
    ours: int
    files: int
    equal: int
    normal: int
    unstuffed: int


def compare(truth: Path, tables: Path, objects: Path) -> Found:
    import pyarrow.parquet as pq

    told = json.loads(truth.read_bytes())["transfers"]
    ours: dict[str, bytes] = {}
    for part in (tables / "emails").rglob("*.parquet"):
        table = pq.read_table(part, columns=["sha256", "raw"], partitioning=None)
        ours.update(zip(table["sha256"].to_pylist(), table["raw"].to_pylist(), strict=True))
    true = [ours[transfer["sha256"]] for transfer in told if transfer["sha256"] in ours]
    written = [path.read_bytes() for path in objects.iterdir()] if objects.exists() else []
    return Found(
        len(told),
        len(true),
        len(written),
        _among(true, written),
        _among(map(_normal, true), map(_normal, written)),
        _among(map(_normal, true), (_normal(_STUFFED.sub(b"", _END.sub(b"", data))) for data in written)),
    )


def _among(mails: Iterable[bytes], objects: Iterable[bytes]) -> int:
    held = set(objects)
    return sum(mail in held for mail in mails)


def _normal(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")


def part(folder: Path, mb: float) -> None:
    """Measure and print a table; captures and logs go to the folder."""
    if shutil.which("tshark") is None:
        print("\n(no tshark on PATH)")
        return
    rows = [_row(folder, number, name, mb) for number, name in enumerate(CAPTURES)]
    print(f"\n### tshark --export-objects imf beside Zeek and our stage (exact form), {mb:g} MB captures\n")
    print(
        "True mails: what the capture's maker put in, by SHA-256. tshark: how many of them one of its files\n"
        "equals, byte for byte; line ends and blank lines at the end apart; stuffed dots and the final dot\n"
        "apart, too. Ours: byte for byte. (tshark keeps 1,000 files of one name, its default, and looks for\n"
        "a free name one by one, which shows in its time where it writes a file per segment.)\n"
    )
    head = ["", "true mails", "ours", "tshark, equal", "ends apart", "dots apart", "its files"]
    head += ["tshark, s", "Zeek + stage, s", "tshark ÷ these"]
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(row) + " |", flush=True)


def _row(folder: Path, number: int, name: str, mb: float) -> list[str]:
    place = folder / f"objects-{mb:g}-{number}"
    place.mkdir(exist_ok=True)
    capture, truth = place / "x.pcap", place / "x.truth.json"
    options = CAPTURES[name]
    sample = ROOT.parent / "shared" / "mail-sample.tar.gz"
    generated = [] if "--attachment" in options or sample.exists() else ["--generated"]
    make = [PYTHON, HERE / "capture.py", "--out", capture, "--truth", truth, "--mb", str(mb)]
    measure.run([*make, *options, *generated])
    for old in ("out", "imf"):
        shutil.rmtree(place / old, ignore_errors=True)
    zeek = measure.run(["zeek", "-Cr", capture, ROOT / "zeek-scripts" / "exact.zeek"], cwd=place)
    run = [PYTHON, "-m", "zeekpop3", "run", place / "pop3_events.log", "--out", place / "out", "--jobs", "1"]
    stage = measure.run(run, cwd=ROOT)
    tshark = measure.run(["tshark", "-Q", "-r", capture, "--export-objects", f"imf,{place / 'imf'}"])
    found = compare(truth, place / "out", place / "imf")
    counts = (found.mails, found.ours, found.equal, found.normal, found.unstuffed, found.files)
    ours = zeek.cpu + stage.cpu
    return [name, *map(str, counts), f"{tshark.cpu:.1f}", f"{ours:.1f}", f"**{tshark.cpu / ours:.1f}**"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mb", type=float, default=25, help="size of each capture in 10^6 bytes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zeekpop3-bench-") as folder:
        part(Path(folder), args.mb)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
