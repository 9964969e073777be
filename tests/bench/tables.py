"""What the tables cost: CPU time a mail for adding, Arrow and Parquet, beside parsing, from one run.

    python tests/bench/tables.py [MAILS.tar.gz]

MAILS is an archive of .eml files (default: ../shared/mail-sample.tar.gz beside the repository).
"""

from __future__ import annotations

import gc
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from zeekpop3.inside import parse
from zeekpop3.pipeline.records import Records
from zeekpop3.session.events import ConnId, Transfer
from zeekpop3.store.write import TableWriter

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "mail-sample.tar.gz"
ROUNDS = 8
COPIES = 4  # of the sample, so that a part is as large as in a run
LARGEST = 100_000  # bytes: small mails are where a row's cost shows
CLIENT = ConnId("192.0.2.1", 40000, "192.0.2.2", 110)


def transfer(number: int, raw: bytes) -> Transfer:
    """A whole transfer in the exact form; twenty to a connection."""
    connection, depth = divmod(number, 20)
    ts = 1_719_230_400_000_000 + number
    return Transfer(
        f"C{connection}", ts, CLIENT, f"user{connection % 50}", depth + 1, "RETR",
        depth + 1, f"{number:08x}", len(raw), "exact", True, 0, raw,
    )  # fmt: skip


def one_round(mails: list[bytes], folder: str) -> tuple[dict[str, float], float]:
    """Seconds for each step, and the estimate of the memory ÷ the truth."""
    transfers = [transfer(number, raw) for number, raw in enumerate(mails)]
    clock = [time.process_time()]
    parsed = [parse(raw) for raw in mails]
    clock.append(time.process_time())
    rows, records = Records(), iter(parsed)
    with patch("zeekpop3.pipeline.records.parse", lambda *_, **__: next(records)):
        rows.add(transfers)
    clock.append(time.process_time())
    estimate = rows.nbytes
    tables = rows.take()
    clock.append(time.process_time())
    with TableWriter(folder) as writer:
        for name, table in tables:
            writer.write(name, table)
        clock.append(time.process_time())
    steps = zip(("parse", "add", "arrow", "parquet"), clock, clock[1:], strict=False)
    return {name: end - start for name, start, end in steps}, estimate / sum(t.nbytes for _, t in tables)


def main() -> None:
    """Print the figures: the least of some rounds."""
    archive = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    if not archive.exists():
        sys.exit(f"{archive}: no such archive; name one of .eml files")
    with tarfile.open(archive) as tar:
        files = [tar.extractfile(member) for member in tar if member.name.endswith(".eml")]
        mails = [file.read() for file in files if file is not None]
    mails = [mail for mail in mails if len(mail) <= LARGEST] * COPIES
    gc.disable()  # as in the stage (pipeline.tasks.no_collector)
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(one_round(mails, folder))
            written = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
        gc.collect()
    count = len(mails)
    print(f"{count} mails, mean {sum(map(len, mails)) / count:.0f} bytes; {written / count:.0f} in Parquet")
    least = {name: min(spent[name] for spent, _ in rounds) for name in rounds[0][0]}
    for name, seconds in least.items():
        print(f"{name:<8} {seconds / count * 1e6:6.1f} us a mail, {seconds / least['parse']:.2f} of parsing")
    print(f"nbytes estimate: {rounds[0][1]:.2f} of the truth")


if __name__ == "__main__":
    main()
