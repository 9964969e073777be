"""How fast `zeekpop3.parse` is, beside the standard library, in one run; and its time per byte on
hostile mail.

    python tests/bench/message.py [SAMPLE.tar.gz | FOLDER] [--no-hostile] [--size MB]

Prints CPU time (one process, one core). Every engine reads the same fields of the same mails and hashes every
attachment (md5, sha1, sha256): once those that the standard library knows, once all that parse reads, which
takes an HTML parser (html.parser) and some expressions beside it. policy.default takes minutes for all mails,
so it reads a fixed random subset, each mail within a time limit; the ratio is of the times on that subset.
"""

from __future__ import annotations

import argparse
import email
import email.header
import email.policy
import email.utils
import gc
import hashlib
import random
import re
import signal
import sys
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]
sys.path.append(str(ROOT))  # what is installed comes first: it may be compiled

from support import hostile_mails as hostile  # noqa: E402
from zeekpop3.inside import parse  # noqa: E402
from zeekpop3.message import mail  # noqa: E402

SAMPLE = ROOT.parent / "shared" / "mail-sample.tar.gz"
SUBSET = 250
ROUNDS = 3
LIMIT_S = 5


def mails(source: Path, pattern: str = "*.eml") -> list[bytes]:
    """All .eml files of a folder or a .tar.gz, in order of their names, with CRLF lines as POP3 has them."""
    if source.is_dir():
        raws = [path.read_bytes() for path in sorted(source.rglob(pattern)) if path.is_file()]
    else:
        with tarfile.open(source) as archive:
            members = sorted((m for m in archive if m.name.endswith(".eml")), key=lambda m: m.name)
            raws = [archive.extractfile(m).read() for m in members]  # type: ignore[union-attr]
    return [raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for raw in raws]


def hashes(data: bytes) -> tuple[str, str, str]:
    return hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest(), hashlib.sha256(data).hexdigest()


class Links(HTMLParser):
    """The addresses that HTML leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src", "action"):
                self.found[value] = None


def rest(bodies: list[tuple[str, str]], hops: list[str]) -> None:
    """What parse reads and the standard library has no name for: URLs, and the clauses of Received fields."""
    for kind, text in bodies:
        if kind == "html":
            links = Links()
            links.feed(text)
            links.close()
        else:
            dict.fromkeys(URL.findall(text))
    for value in hops:
        value, _, _ = " ".join(value.split()).rpartition(";")
        CLAUSES.split(value)
        ADDRESS.findall(value)


URL = re.compile(r"(?:https?|ftp)://[^\s<>\"]+")
CLAUSES = re.compile(r"(?:^|\s)(from|by|via|with|id|for)\s")
ADDRESS = re.compile(r"[\[(]([0-9]{1,3}(?:\.[0-9]{1,3}){3})[\])]")


def compat32(raw: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """What parse reads, with the standard library's older policy and the functions that belong to it. Gives
    back the bodies and the Received fields, for `rest`.
    """
    message = email.message_from_bytes(raw)

    def text(value: Any) -> str:
        try:
            return str(email.header.make_header(email.header.decode_header(value)))
        except Exception:
            return str(value)

    for _, value in message.items():
        text(value)
    for name in ("to", "cc", "bcc", "from", "reply-to"):
        email.utils.getaddresses([text(value) for value in message.get_all(name, [])])
    if message["date"] is not None:
        email.utils.parsedate_tz(message["date"])
    hops = [str(value) for value in message.get_all("received", [])]
    for value in hops:
        email.utils.parsedate_tz(value.rpartition(";")[2])
    bodies = []
    for part in message.walk():
        if part.is_multipart():
            continue
        name = part.get_filename()
        try:
            data = part.get_payload(decode=True) or b""
        except Exception:
            continue
        if name or part.get_content_disposition() == "attachment" or part.get_content_maintype() != "text":
            hashes(data)
        else:
            try:
                text_of = data.decode(part.get_content_charset("ascii"), "replace")
            except LookupError:
                continue
            bodies.append((part.get_content_subtype(), text_of))
    return bodies, hops


def default(raw: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """The same with policy.default."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for name, value in message.items():
        str(value)
        if name.lower() in ("to", "cc", "bcc", "from", "reply-to"):
            [str(address) for address in getattr(value, "addresses", ())]
    date = message["date"]
    _ = date and getattr(date, "datetime", None)
    hops = [str(value) for value in message.get_all("received", [])]
    for value in hops:
        email.utils.parsedate_tz(value.rpartition(";")[2])
    bodies = []
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        if body is not None:
            try:
                bodies.append((kind, body.get_content()))
            except (LookupError, ValueError):
                pass
    for part in message.walk():
        if not part.is_multipart() and (part.get_filename() or part.get_content_maintype() != "text"):
            hashes(part.get_payload(decode=True) or b"")
    return bodies, hops


def limited(
    engine: Callable[[bytes], Any], more: Callable[[Any], None] = lambda found: None
) -> Callable[[bytes], None]:
    """An engine, and what comes after it, that gives up on a mail after LIMIT_S and stops at no exception."""

    def run(raw: bytes) -> None:
        signal.alarm(LIMIT_S)
        try:
            more(engine(raw))
        except Exception:
            FAILED[engine.__name__] = FAILED.get(engine.__name__, 0) + 1
        finally:
            signal.alarm(0)

    return run


FAILED: dict[str, int] = {}


def _expired(*_: object) -> None:
    raise TimeoutError


def cpu_s(engine: Callable[[bytes], Any], raws: list[bytes], rounds: int) -> float:
    """CPU seconds for all mails; of each mail the best of some rounds, so that a busy machine weighs
    little.
    """
    best = [float("inf")] * len(raws)
    clock = time.process_time_ns
    for _ in range(rounds):
        gc.collect()
        for i, raw in enumerate(raws):
            start = clock()
            engine(raw)
            took = clock() - start
            if took < best[i]:
                best[i] = took
    return sum(best) / 1e9


def compare(raws: list[bytes]) -> None:
    """Twice: over the fields that the standard library has, and over all fields that parse reads."""
    signal.signal(signal.SIGALRM, _expired)
    size = sum(map(len, raws))
    subset = random.Random(3).sample(raws, min(SUBSET, len(raws)))
    ours, ours_subset = cpu_s(parse, raws, ROUNDS), cpu_s(parse, subset, ROUNDS)
    compiled = not mail.__file__.endswith(".py")
    print(f"{len(raws)} mails, {size / 1e6:.1f} MB, mean {size / len(raws) / 1e3:.1f} kB; CPU time per mail:")
    print(
        f"  parse           {ours / len(raws) * 1e6:8.1f} us   {size / ours / 1e6:6.1f} MB/s   "
        f"{'compiled' if compiled else 'not compiled'}; "
        f"{ours_subset / len(subset) * 1e6:.1f} us on the {len(subset)} mails of policy.default"
    )
    for title, more in (("its own fields", lambda found: None), ("all fields", lambda found: rest(*found))):
        older = cpu_s(limited(compat32, more), raws, ROUNDS)
        newer = cpu_s(limited(default, more), subset, ROUNDS)
        print(f"  compat32        {older / len(raws) * 1e6:8.1f} us   {older / ours:6.1f} x      {title}")
        mean = newer / len(subset) * 1e6
        print(f"  policy.default  {mean:8.1f} us   {newer / ours_subset:6.1f} x      {title}")
    print(f"  gave up or failed, of {ROUNDS} rounds: {FAILED or 'none'}")


def compare_large() -> None:
    raw = hostile.attachment_mail(1_000_000)
    for name, engine in (("compat32", compat32), ("policy.default", default)):
        ours = cpu_s(parse, [raw], 20)
        theirs = cpu_s(engine, [raw], 5)
        print(
            f"1 MB attachment: parse {ours * 1e3:.2f} ms, {len(raw) / ours / 1e6:.0f} MB/s; "
            f"{theirs / ours:.1f} x {name}"
        )


def unstoppable(size: int) -> None:
    print(f"hostile mail of about {size / 1e6:.0f} MB each; CPU time; peak memory as a multiple of the size:")
    worst = 0.0
    for name, make in hostile.GENERATORS.items():
        raw = make(size)
        start = time.process_time()
        mail = parse(raw)
        took = time.process_time() - start
        del mail
        gc.collect()
        tracemalloc.start()
        mail = parse(raw)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        per_10mb = took / len(raw) * 1e7
        worst = max(worst, per_10mb)
        print(
            f"  {name:34} {len(raw) / 1e6:7.1f} MB {took:7.3f} s {took / len(raw) * 1e9:8.1f} ns/byte "
            f"{per_10mb:6.2f} s/10MB {peak / len(raw):5.1f} x  {','.join(mail.defects)}"
        )
    print(f"worst: {worst:.2f} s per 10 MB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--no-hostile", action="store_true")
    parser.add_argument("--only-hostile", action="store_true")
    parser.add_argument("--size", type=float, default=10, help="size of each hostile mail, in MB")
    options = parser.parse_args()
    if options.only_hostile:
        unstoppable(int(options.size * 1e6))
        return
    if options.source.exists():
        compare(mails(options.source))
    else:
        print(f"no mails: {options.source} is not there; give a folder of .eml files or a .tar.gz of them")
    compare_large()
    if not options.no_hostile:
        unstoppable(int(options.size * 1e6))


if __name__ == "__main__":
    main()
