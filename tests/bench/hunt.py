"""What `hunt` costs: seconds and memory for indicators x mails, beside a plain DuckDB script and grep.

    python tests/bench/hunt.py [--mails 100000] [--indicators 100000] [--grep 5000]

The mails are made here, some with planted values of each kind; the list has these and made-up ones. The hits
must be those planted, and in a sample those of a plain loop. grep searches .eml files of the first mails for
the same list; its time is scaled up to all mails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
sys.path.append(str(HERE.parents[1]))

import measure  # noqa: E402

SEED, START, EVERY, LOOP = 11, 1_719_230_400_000_000, 97, 60
SCRIPT = """
import duckdb, sys
out, csv = sys.argv[1:]
c = duckdb.connect()
t = lambda name: f"read_parquet('{out}/{name}/*/*.parquet', union_by_name=true)"
c.execute(f"create table i as select lower(indicator) as value, type "
          f"from read_csv('{csv}', all_varchar=true)")
parts = lambda column: (f"unnest(list_transform(range(1, len(string_split({column}, '.')) + 1), "
                        f"lambda n: array_to_string(string_split({column}, '.')[n:], '.')))")
c.execute(f'''create table o as
    select uid, trans_depth, 'EMAIL' as type, lower(address) as value from {t('addresses')}
    union all select uid, trans_depth, 'DOMAIN', {parts('domain')} from {t('addresses')}
    union all select uid, trans_depth, 'DOMAIN', {parts('host')} from {t('links')}
    union all select uid, trans_depth, 'URL', regexp_replace(url, '^[a-z]+://', '') from {t('links')}
    union all select uid, trans_depth, 'ADDR', unnest(path) from {t('emails')}
    union all select uid, trans_depth, 'ADDR', id_orig_h from {t('emails')}
    union all select uid, trans_depth, 'FILE_HASH', unnest([md5, sha1, sha256]) from {t('attachments')}
    union all select uid, trans_depth, 'FILE_NAME', lower(filename) from {t('attachments')}''')
print(len(c.sql("select distinct * from o join i using (type, value)").fetchall()))
"""


def values(number: int) -> dict[str, str]:
    """The values of a mail that an indicator can be."""
    rng = random.Random(number)
    return {
        "EMAIL": f"user{rng.randrange(5000)}@mail{number % 3000}.example",
        "DOMAIN": f"host{number}.site{number % 7000}.example",
        "URL": f"www{number % 900}.shop.example/{number}/offer",
        "ADDR": f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}",
        "FILE_HASH": hashlib.sha256(b"content %d" % number).hexdigest(),
        "FILE_NAME": f"invoice-{number}.pdf",
    }


def mail(number: int) -> bytes:
    """A mail of 2 kB with two links and an attachment."""
    found = values(number)
    text = " ".join(f"word{(number * n) % 977}" for n in range(1, 160))
    return (
        f"Received: from relay ([{found['ADDR']}]) by mx.example; Mon, 24 Jun 2024 10:00:00 +0000\r\n"
        f"From: Somebody <{found['EMAIL']}>\r\nTo: zhangsan@example.com\r\nSubject: mail {number}\r\n"
        f"Message-ID: <{number}@example>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="b"\r\n'
        f"\r\n--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\nhttp://{found['DOMAIN']}/\r\n"
        f"https://{found['URL']}\r\n--b\r\nContent-Type: application/pdf\r\n"
        f'Content-Disposition: attachment; filename="{found["FILE_NAME"]}"\r\n\r\n'
        f"content {number}\r\n--b--\r\n"
    ).encode()


def make(out: Path, mails: int) -> None:
    """Write the tables (in a process of its own: a program that is started inherits our peak of memory)."""
    from support.records import transfer
    from zeekpop3.pipeline.records import Records
    from zeekpop3.store.write import TableWriter

    with TableWriter(out) as writer:
        for start in range(0, mails, 5000):
            records = Records()
            for number in range(start, min(mails, start + 5000)):
                connection, depth = divmod(number, 20)
                records.add(
                    [
                        transfer(
                            uid=f"C{connection}", trans_depth=depth + 1, ts=START + number, raw=mail(number)
                        )
                    ]
                )
            for name, table in records.take():
                writer.write(name, table)


def indicators(mails: int, count: int) -> Iterator[tuple[str, str]]:
    """Planted values of some mails, then values that no mail has."""
    for number in range(0, mails, EVERY):
        kind = list(values(number))[number // EVERY % 6]
        yield kind, values(number)[kind]
    for number in range(mails, mails + count - len(range(0, mails, EVERY))):
        kind = list(values(number))[number % 6]
        yield kind, values(number)[kind].replace(".example", ".absent.test")


def plain_loop(out: Path, listed: list[tuple[str, str]], uids: list[str]) -> set[tuple[str, int, str, str]]:
    """The hits of some connections, each value compared with each indicator of its type."""
    from zeekpop3.store.filters import Filters
    from zeekpop3.store.read import read_table

    keys = frozenset((uid, depth) for uid in uids for depth in range(1, 21))
    rows = {name: read_table(out, name, filters=Filters(keys=keys)).to_pylist()
            for name in ("addresses", "links", "attachments", "emails")}  # fmt: skip
    found = set()
    seen: list[tuple[dict, str, str]] = []
    seen += [(row, kind, row[name]) for row in rows["addresses"]
             for kind, name in (("EMAIL", "address"), ("DOMAIN", "domain"))]  # fmt: skip
    seen += [(row, "DOMAIN", row["host"]) for row in rows["links"]]
    seen += [(row, "URL", row["url"].partition("://")[2]) for row in rows["links"]]
    seen += [(row, "FILE_HASH", row["sha256"]) for row in rows["attachments"]]
    seen += [(row, "FILE_NAME", row["filename"]) for row in rows["attachments"]]
    seen += [(row, "ADDR", address) for row in rows["emails"] for address in [*row["path"], row["id_orig_h"]]]
    for row, kind, value in seen:
        for wanted, text in listed:
            if wanted == kind and (value == text or (kind == "DOMAIN" and value.endswith("." + text))):
                found.add((row["uid"], row["trans_depth"], kind, text))
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("mails", 100_000), ("indicators", 100_000), ("grep", 5000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zeekpop3-hunt-") as name:
        folder = Path(name)
        out = folder / "out"
        making = multiprocessing.get_context("spawn").Process(target=make, args=(out, given.mails))
        making.start()
        making.join()
        listed = list(indicators(given.mails, given.indicators))
        feed, plain = folder / "feed.csv", folder / "feed.txt"
        feed.write_text("indicator,type\n" + "".join(f"{value},{kind}\n" for kind, value in listed))
        plain.write_text("".join(f"{value}\n" for _, value in listed))
        eml = folder / "eml"
        eml.mkdir()
        for number in range(given.grep):
            (eml / f"{number}.eml").write_bytes(mail(number))
        command = [sys.executable, "-m", "zeekpop3", "hunt", out, "--indicators", feed]
        costs = measure.quickest(3, {
            "zeekpop3 hunt": lambda: measure.run([*command, "--json"]),
            "plain DuckDB script": lambda: measure.run([sys.executable, "-c", SCRIPT, out, feed]),
            "grep -rlFf": lambda: measure.run(["grep", "-rlFf", plain, eml]),
        })  # fmt: skip
        hits = [
            json.loads(line) for line in costs["zeekpop3 hunt"].output.splitlines() if line.startswith("{")
        ]
        report(costs, given, len(listed))
        check(out, listed, hits, given.mails)


def report(costs: dict[str, measure.Cost], given: argparse.Namespace, listed: int) -> None:
    """The costs; those of grep also for as many mails as the others had."""
    print(f"{given.mails} mails, {listed} indicators (best of 3 by wall clock)")
    for name, cost in costs.items():
        mails = given.grep if name.startswith("grep") else given.mails
        scaled = cost.wall * given.mails / mails
        print(f"{name:<20} {mails:>7} mails  {cost.wall:6.2f} s wall  {cost.cpu:6.2f} s CPU"
              f"  {cost.rss:6.0f} MiB  {scaled:7.2f} s wall for {given.mails}")  # fmt: skip


def check(out: Path, listed: list[tuple[str, str]], hits: list[dict], mails: int) -> None:
    """The hits are the planted ones, and in a sample those of a plain loop."""
    found = {(hit["uid"], hit["trans_depth"], hit["type"], hit["indicator"]) for hit in hits}
    planted = {
        (f"C{number // 20}", number % 20 + 1, kind, value)
        for number, (kind, value) in zip(range(0, mails, EVERY), listed, strict=False)
    }
    assert planted <= found, sorted(planted - found)[:3]
    uids = random.Random(SEED).sample([f"C{number}" for number in range(-(-mails // 20))], LOOP // 20)
    uids += [hit["uid"] for hit in hits[:2]]
    expected = plain_loop(out, listed, uids)
    assert expected == {hit for hit in found if hit[0] in uids}
    kinds = Counter(hit[2] for hit in found)
    print(f"{len(found)} hits: {len(planted)} planted, all found; {dict(kinds)}; "
          f"{len(expected)} in {len(uids)} sampled connections, as by a plain loop")  # fmt: skip


if __name__ == "__main__":
    main()
