"""What `zeekpop3 follow` promises, measured: nothing lost or doubled by kills, the lag, the memory.

    python tests/bench/follow.py kill --kills 200 --mails 10000
    python tests/bench/follow.py lag --rate 2000 --seconds 60 --flush 5
    python tests/bench/follow.py memory --mb 40

Mails and logs are of our own making. Each prints one line, and exits with 1 if the promise is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support.growing import KEYS, GrowingLog, lines_of, sessions, shreds, tables  # noqa: E402
from support.traffic.eventlog import log_header  # noqa: E402

ROTATIONS = ("rename", "rename", "archive", "copytruncate")


def start(logs: Path, out: Path, *options: str, stderr: int | None = None) -> subprocess.Popen[bytes]:
    """A follower in a process of its own."""
    command = [sys.executable, "-m", "zeekpop3", "follow", str(logs), "--out", str(out), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stderr=stderr, env=environment)


def kill_often(
    folder: Path,
    lines: list[bytes],
    kills: int,
    *,
    seed: int = 0,
    rotate_every: int = 40,
    alive_s: float = 1.2,
) -> dict[str, int]:
    """Kill a follower again and again while the log grows; the counts that tell what came of it."""
    import zeekpop3

    rng = random.Random(seed)
    log = GrowingLog(folder / "logs", seed)
    out = folder / "out"
    size = max(2000, sum(map(len, lines)) // (kills * 12))
    pieces = list(shreds(lines, rng, 2 * size))
    log.write(pieces[0])
    done = {"kills": 0, "written": 1}
    stop = threading.Event()

    def write() -> None:
        # The log grows as the kills go on, and ends a little before the last of them.
        for number, piece in enumerate(pieces[1:], 1):
            while number / len(pieces) > (done["kills"] + rng.random()) / max(1, kills - 2):
                if stop.wait(0.02):
                    break
            log.write(piece)
            done["written"] = number + 1
            if number % rotate_every == rotate_every - 1:
                log.rotate(rng.choice(ROTATIONS))
            if number % rotate_every == rotate_every // 2:
                log.compress_one()
            if not stop.is_set():
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    at_once = 0
    while done["kills"] < kills:
        process = start(folder / "logs", out, "--flush", "0.1", "--quiet", "--poll", "0.1")
        state = out / ".zeekpop3-follow" / "state.json"
        # One in five is killed while it starts, the others when they are at work.
        if rng.random() > 0.2:
            before = state.stat().st_mtime_ns if state.exists() else 0
            for _ in range(1000):
                if process.poll() is not None:
                    raise SystemExit(f"the follower ended by itself: {process.returncode}")
                if state.exists() and state.stat().st_mtime_ns != before:
                    break
                time.sleep(0.01)
                at_once += 1
                if at_once % 400 == 0:  # nothing new in the log
                    break
        time.sleep(rng.random() * alive_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done["kills"] += 1
    stop.set()
    writer.join()
    log.close()
    process = start(folder / "logs", out, "--once", "--quiet")
    assert process.wait() == 0
    zeekpop3.run(log.logs(), folder / "batch", jobs=1)
    got, expected = tables(out), tables(folder / "batch")
    counts = {"kills": done["kills"], "mails": len(expected["emails"]), "rotations": log.rotations}
    counts |= {"lost": 0, "doubled": 0, "different": 0}
    for name, key in KEYS.items():
        keys = [tuple(row[column] for column in key) for row in got[name]]
        wanted = {tuple(row[column] for column in key): row for row in expected[name]}
        counts["doubled"] += len(keys) - len(set(keys))
        counts["lost"] += len(set(wanted) - set(keys))
        counts["different"] += sum(wanted.get(k) != row for k, row in zip(keys, got[name], strict=True))
    return counts


def kill(args: argparse.Namespace, folder: Path) -> int:
    began = time.monotonic()
    lines = lines_of(sessions(args.mails // 4, apart_us=300_000, tiny=True, seed=args.seed))
    counts = kill_often(folder, lines, args.kills, seed=args.seed)
    shown = ", ".join(f"{value} {name}" for name, value in counts.items())
    print(f"{shown} (rows of all tables, {len(lines)} log rows, {time.monotonic() - began:.0f} s)")
    return int(any(counts[name] for name in ("lost", "doubled", "different")))


def ends_of_mails(found: dict) -> dict[tuple[str, int], tuple[str, int]]:
    """For each mail the row (uid, seq) that ends it."""
    from support.growing import Rows
    from zeekpop3.session import Connection, Transfer

    ends = {}
    for uid, rows in found.items():
        connection = Connection(uid)
        for at in range(len(rows.seq)):
            cut = slice(at, at + 1)
            one = Rows(*(column[cut] for column in rows[:7]), rows.conn_id)
            for event in connection.receive(one):
                if isinstance(event, Transfer):
                    ends[uid, event.trans_depth] = (uid, rows.seq[at])
    return ends


def lag(args: argparse.Namespace, folder: Path) -> int:
    """From the moment a mail's last row is in the log until a published part that holds it has been read."""
    import pyarrow.parquet as pq

    rows = int(args.rate * args.seconds)
    found = sessions(rows // 38 + 10, apart_us=40_000, tiny=True)
    ends = ends_of_mails(found)
    lines = lines_of(found)[:rows]
    logs, out = folder / "logs", folder / "out"
    log = GrowingLog(logs)
    log.write(lines[0])
    written: dict[tuple[str, int], float] = {}
    seen: dict[tuple[str, int], float] = {}
    process = start(logs, out, "--flush", str(args.flush), "--quiet")
    time.sleep(4)
    known: set[Path] = set()

    def look() -> None:
        for path in (out / "emails").glob("day=*/*.parquet"):
            if path not in known:
                known.add(path)
                table = pq.ParquetFile(path).read(["uid", "trans_depth"])
                now = time.time()
                for uid, depth in zip(
                    table["uid"].to_pylist(), table["trans_depth"].to_pylist(), strict=True
                ):
                    seen.setdefault((uid, depth), now)

    began, at = time.time(), 1
    rotated = began
    while at < len(lines):
        due = min(len(lines), int((time.time() - began) * args.rate) + 1)
        if due > at:
            log.write(b"".join(lines[at:due]))
            now = time.time()
            for line in lines[at:due]:
                cells = line.split(b"\t", 7)
                written[cells[1].decode(), int(cells[6])] = now
            at = due
        if time.time() - rotated > 15:
            log.rotate("archive")
            rotated = time.time()
        look()
        time.sleep(0.02)
    rate = (len(lines) - 1) / (time.time() - began)
    deadline = time.time() + args.flush + 6
    while time.time() < deadline:
        look()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.wait()
    lags = [seen[mail] - written[row] for mail, row in ends.items() if mail in seen and row in written]
    missing = sum(row in written and mail not in seen for mail, row in ends.items())
    worst = max(lags)
    middle = statistics.median(lags)
    print(
        f"{len(lines)} rows at {rate:.0f}/s, --flush {args.flush:g}: {len(lags)} mails, "
        f"lag {min(lags):.2f} s least, {middle:.2f} s median, {worst:.2f} s worst; {missing} missing"
    )
    # Less than nothing would be a row that this harness has taken for a mail's last one, wrongly.
    return int(worst > args.flush + 2 or missing > 0 or min(lags) < 0)


def memory(args: argparse.Namespace, folder: Path) -> int:
    """Peak memory for one hour of log, and for ten hours."""
    found = sessions(int(args.mb * 1e6 / 37_000), apart_us=100_000, per_connection=6)
    lines = lines_of(found)
    peaks = []
    for hours in (1, args.times):
        logs = folder / f"logs-{hours}"
        logs.mkdir()
        for hour in range(hours):
            with (logs / f"pop3_events-{hour:02d}.log").open("wb") as file:
                file.write(log_header())
                file.writelines(_shifted(lines, hour))
        process = start(logs, folder / f"out-{hours}", "--once", "--quiet", "--max-memory", "256")
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        peaks.append(usage.ru_maxrss / 1024)
        size = sum(path.stat().st_size for path in logs.iterdir()) / 1e6
        print(f"{size:.0f} MB of log: peak {peaks[-1]:.0f} MiB, {usage.ru_utime:.1f} s", flush=True)
        shutil.rmtree(logs)
    print(f"ratio {peaks[1] / peaks[0]:.3f}")
    return int(peaks[1] > 1.15 * peaks[0])


def _shifted(lines: list[bytes], hour: int) -> Iterator[bytes]:
    """The same hour again, later and with other connections."""
    for line in lines:
        ts, uid, rest = line.split(b"\t", 2)
        second, dot, micros = ts.partition(b".")
        yield b"%d%s%s\tC%02d%s\t%s" % (int(second) + 3600 * hour, dot, micros, hour, uid[1:], rest)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--folder", type=Path, help="work here, and leave it there")
    commands = parser.add_subparsers(dest="what", required=True)
    one = commands.add_parser("kill")
    one.add_argument("--kills", type=int, default=200)
    one.add_argument("--mails", type=int, default=10_000)
    one.add_argument("--seed", type=int, default=0)
    one = commands.add_parser("lag")
    one.add_argument("--rate", type=int, default=2000, help="rows per second")
    one.add_argument("--seconds", type=float, default=60)
    one.add_argument("--flush", type=float, default=5)
    one = commands.add_parser("memory")
    one.add_argument("--mb", type=float, default=40, help="log of one hour")
    one.add_argument("--times", type=int, default=10)
    args = parser.parse_args(argv)
    work = {"kill": kill, "lag": lag, "memory": memory}[args.what]
    with contextlib.ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="follow-")))
        folder.mkdir(parents=True, exist_ok=True)
        return work(args, folder)


if __name__ == "__main__":
    raise SystemExit(main())
