"""What the heavy ready queries cost: `python tests/bench/queries.py [MAILS] [FOLDER]` (default 100,000).

The mails are made here: of each hundred, seventy are ordinary ones of four thousand senders, twenty are
newsletters with a token in each link, and ten belong to waves, with programs, borrowed names and look-alike
sites. The tables stay in FOLDER, if it is given, and are used again.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

START, STEP = 1_719_230_400_000_000, 20_000_000
_LETTERS = random.Random(1)
WORDS = ["".join(_LETTERS.choices("abcdefghiklmnoprstuw", k=_LETTERS.randrange(3, 11))) for _ in range(3000)]
QUERIES = ("suspicious", "campaigns", "look-alikes", "names-borrowed", "unfetched", "logins", "same-mail")


def mail(number: int) -> tuple[str, bytes]:
    """The user of a mail, and its bytes."""
    rng = random.Random(number)
    user = f"user{rng.randrange(300)}@corp.example"
    kind = number % 100
    words = ". ".join(" ".join(rng.choices(WORDS, k=12)) for _ in range(10))
    if kind < 70:
        sender = rng.randrange(4000)
        head = f"From: Person {sender} <p{sender}@firm{sender % 1500}.example>\r\n"
        head += f"Subject: about {words[:30]}\r\n"
        body = f"{words}\r\nhttps://www.firm{sender % 1500}.example/page/{sender % 7}\r\n"
        return user, f"{head}To: {user}\r\nMessage-ID: <{number}@x>\r\n\r\n{body}".encode()
    if kind < 90:
        letter = number // 100 % 200
        head = (
            f"From: News {letter} <news@letter{letter}.example>\r\nSubject: News of week {number // 9000}\r\n"
        )
        token = f"https://click.letter{letter}.example/t/{rng.getrandbits(48):x}"
        links = "".join(f'<p><a href="{token}/{n}">www.shop{n}.example</a></p>' for n in range(5))
        head += f"To: {user}\r\nContent-Type: text/html\r\nMessage-ID: <{number}@x>\r\n\r\n"
        return user, f"{head}<html><body><p>{words}</p>{links}</body></html>\r\n".encode()
    wave = number // 2000
    head = (
        f"From: Person 7 <p7@corp{wave}-example.test>\r\nReply-To: x@free{wave}.example\r\n"
        f"Subject: Invoice {rng.randrange(10**6)} for {user.partition('@')[0]}\r\n"
    )
    name = f'Content-Disposition: attachment; filename="i{number}.pdf"'
    body = (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nPlease pay this invoice today, number "
        f"{number}: http://pay{wave}.test/in/{rng.getrandbits(64):x}\r\n"
        f"--b\r\nContent-Type: application/pdf\r\n{name}\r\n\r\nMZ wave {wave}\r\n--b--\r\n"
    )
    return user, f"{head}To: {user}\r\nMessage-ID: <{number}@x>\r\n{body}".encode()


def make(out: Path, mails: int) -> None:
    """Write the tables."""
    from support.records import session, transfer
    from zeekpop3.pipeline.records import Records
    from zeekpop3.store.write import TableWriter

    with TableWriter(out) as writer:
        for start in range(0, mails, 5000):
            records = Records()
            for number in range(start, min(mails, start + 5000)):
                user, raw = mail(number)
                records.add([transfer(uid=f"C{number}", ts=START + STEP * number, raw=raw, user=user)])
                if number % 10 == 0:
                    records.add([session(uid=f"C{number}", ts=START + STEP * number, user=user)])
            for name, table in records.take():
                writer.write(name, table)


def main(mails: int, folder: Path) -> None:
    if not (folder / "emails").exists():
        make(folder, mails)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {mails} mails")
    program = str(Path(sys.executable).with_name("zeekpop3"))
    user = "user7@corp.example"
    commands = [["sql", str(folder), "-q", name, "-o", str(folder / f"{name}.csv")] for name in QUERIES]
    if "timeline" in subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout:
        commands.append(["timeline", str(folder), "--user", user, "--json"])
    for command in commands:
        start = time.perf_counter()
        done = subprocess.Popen([program, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(done.pid, 0)
        took = time.perf_counter() - start
        cpu = usage.ru_utime + usage.ru_stime
        name = command[3] if command[0] == "sql" else command[0]
        memory = f"{usage.ru_maxrss >> 10} MiB"
        print(f"{name:<16} {took:.1f} s, {cpu:.1f} s of CPU, {memory}, exit code {status >> 8}")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if len(sys.argv) > 2:
        main(count, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory(prefix="zeekpop3-bench-") as scratch:
            main(count, Path(scratch) / "out")
