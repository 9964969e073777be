"""What the rules of `suspicious` find, and whom they accuse: `python tests/bench/rules.py [FOLDER LABELS]`.

Precision and recall over the firm of ten days (`support/traffic/firm.py`); then over the mails of FOLDER
(.eml). LABELS is a table with a line for each, tab-separated, its file name first: a line with the folder
`spam` is spam, one with `ham` or `nice` an innocent mail, others are not counted. Most spam attacks nobody,
so that there the precision counts, and not the recall.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
_SPAM, _HAM = re.compile(r"/spam(_2)?/|/spam/"), re.compile(r"_ham|/nice/")


def judged(tables: Path, own: list[str], kinds: dict[str, str], key: str) -> None:
    """Print what is found: `kinds` says "bad" or "good" of each mail by the value of the column `key`."""
    from zeekpop3.views.sql import ask

    statement = f"select uid || '/' || trans_depth as mail, {key} as key from emails"
    kind = {row["mail"]: kinds.get(row["key"]) for row in ask(tables, statement).dicts()}
    found = ask(tables, query="suspicious", own=own).dicts()
    levels = Counter((row["severity"], kind[row["mail"]]) for row in found)
    total = sum(each == "bad" for each in kind.values())
    good = bad = 0
    for level in ("high", "medium", "low"):
        good, bad = good + levels[level, "good"], bad + levels[level, "bad"]
        precision = f"precision {bad / (good + bad):.2f}" if good + bad else "nothing found"
        print(f"{level:>6} and above: {precision}, recall {bad / max(total, 1):.2f} ({bad} bad, {good} good)")
    reasons: dict[str, Counter[str | None]] = defaultdict(Counter)
    for row in found:
        for reason in row["reasons"]:
            reasons[reason.partition(": ")[0]][kind[row["mail"]]] += 1
    for reason, count in sorted(reasons.items(), key=lambda each: -each[1]["good"]):
        print(f"{count['bad']:6} bad {count['good']:4} good  {reason}")


def main(folder: Path | None, labels: Path | None) -> None:
    import zeekpop3
    from support.traffic import firm

    with tempfile.TemporaryDirectory(prefix="zeekpop3-bench-") as scratch:
        print(f"{len(firm.LETTERS)} mails of the firm")
        kinds = {sha256(each.raw).hexdigest(): "bad" if each.attack else "good" for each in firm.LETTERS}
        judged(firm.make_tables(Path(scratch)), [firm.OWN], kinds, "sha256")
        if folder is None or labels is None:
            return
        kinds = {}
        for line in labels.read_text("utf-8").splitlines():
            name, _, rest = line.partition("\t")
            if _HAM.search(rest) or _SPAM.search(rest):
                kinds[name] = "good" if _HAM.search(rest) else "bad"
        print(f"{len(kinds)} mails of {folder.name}")
        zeekpop3.import_mails(folder, Path(scratch) / "mails")
        judged(Path(scratch) / "mails", ["corp.example"], kinds, "log")


if __name__ == "__main__":
    main(*(Path(each) for each in sys.argv[1:3]) if len(sys.argv) > 2 else (None, None))
