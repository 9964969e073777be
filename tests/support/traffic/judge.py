"""Holds an `emails` table against the truth about the capture that it came from.

    python tests/support/traffic/judge.py TRUTH.json TABLES

Prints a line of figures; exit 1 if a mail is wrongly called complete or a whole one is not there byte for
byte.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support.traffic.zeek import trimmed_sha256  # noqa: E402

FLOW = ("id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p")
KEY = (*FLOW, "command", "msg_num")


@dataclass
class Verdict:
    """Counts of transfers.

    `whole`: nothing of the response is missing; `right`: of these, found under the right number, complete,
    with the right hash (or size, for a trimmed form). `spared`: the message is whole, its status line or
    terminator is not. `wrongly_complete`: called complete though bytes miss, or with another message's
    bytes. `torn`: bytes of the message miss; `counted`: of these, found with the right `missing_bytes`.
    """

    whole: int = 0
    right: int = 0
    spared: int = 0
    spared_right: int = 0
    torn: int = 0
    torn_found: int = 0
    counted: int = 0
    wrongly_complete: int = 0
    misnamed: int = 0
    extra: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.right == self.whole and not self.wrongly_complete and not self.misnamed

    def line(self) -> str:
        return (
            f"whole {self.right}/{self.whole}, message whole {self.spared_right}/{self.spared}, "
            f"torn found {self.torn_found}/{self.torn} (missing_bytes right {self.counted}), "
            f"wrongly complete {self.wrongly_complete}, misnamed {self.misnamed}, rows too many {self.extra}"
        )


def judge(told: dict[str, Any], rows: list[dict[str, Any]]) -> Verdict:
    """The verdict on the rows of an `emails` table (as dictionaries), by a truth file's content."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for each in sorted(rows, key=lambda row: row["trans_depth"]):
        found[tuple(each[k] for k in KEY)].append(each)
    verdict = Verdict()
    whole = [truth for truth in told["transfers"] if truth["body_whole"]]
    for truth in told["transfers"]:
        key = tuple(truth[k] for k in KEY)
        if not truth["seen"]:
            continue
        group = found[key]
        row = next((r for r in group if _same(r, truth)), None) if truth["body_whole"] else None
        if row is None and truth["body_whole"]:
            unnamed = found[(*key[:4], truth["command"], None)]
            row = next((r for r in unnamed if _same(r, truth)), None)
            group = group if row is None else unnamed
        if row is None and group:
            # A whole mail that was fetched again is not this one.
            left = [r for r in group if not any(_same(r, other) for other in whole)]
            left = [] if truth["complete"] else left
            row = next((r for r in group if not r["complete"]), left[0] if left else None)
        if row is not None:
            group.remove(row)
        _count(verdict, truth, row)
    held = defaultdict(list)
    for truth in told["transfers"]:
        if truth["body_whole"]:
            held[tuple(truth[k] for k in FLOW)].append(truth)
    for key, group in found.items():
        for row in group:
            verdict.extra += 1
            mail = next((truth for truth in held[key[:4]] if _same(row, truth)), None)
            if mail is not None:
                verdict.misnamed += 1
                verdict.faults.append(f"mail {mail['msg_num']} under another number: {_name(row)}")
            elif row["complete"]:
                verdict.wrongly_complete += 1
                verdict.faults.append(f"complete, but not in the capture: {_name(row)}")
    return verdict


def _same(row: dict[str, Any], truth: dict[str, Any]) -> bool:
    if row["fidelity"] == "exact":
        return row["complete"] and row["sha256"] == truth["sha256"]
    return row["complete"] and trimmed_sha256(row["raw"]) == truth["trimmed_sha256"]


def _count(verdict: Verdict, truth: dict[str, Any], row: dict[str, Any] | None) -> None:
    right = row is not None and truth["body_whole"] and _same(row, truth)
    if truth["complete"]:
        verdict.whole += 1
        verdict.right += right
        if not right:
            how = "absent" if row is None else f"complete={row['complete']} missing={row['missing_bytes']}"
            verdict.faults.append(f"whole, but {how}: {_name(truth)}")
        return
    if truth["body_whole"]:
        verdict.spared += 1
        verdict.spared_right += right
    else:
        verdict.torn += 1
        verdict.torn_found += row is not None
        if row is not None:
            right_count = row["missing_bytes"] in (truth["missing_bytes"], truth["missing_wire"])
            verdict.counted += right_count
            if not right_count:
                counts = (
                    f"{row['missing_bytes']}, not {truth['missing_bytes']} ({truth['missing_wire']} as sent)"
                )
                verdict.faults.append(f"missing_bytes {counts}: {_name(truth)}")
    if row is not None and row["complete"] and not right:
        verdict.wrongly_complete += 1
        verdict.faults.append(f"complete, but bytes miss: {_name(truth)}")


def _name(row: dict[str, Any]) -> str:
    number = "?" if row["msg_num"] is None else row["msg_num"]
    where = f"{row['id_orig_h']}:{row['id_orig_p']}"
    return f"{where} {row['command']} {number}, the {row['trans_depth']}. one"


COLUMNS = [*KEY, "trans_depth", "complete", "missing_bytes", "sha256", "fidelity", "size", "raw"]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("truth", type=Path)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--faults", type=int, default=5, help="how many faults to print")
    args = parser.parse_args(argv)
    import pandas as pd

    import zeekpop3

    table = zeekpop3.read_emails(args.tables, columns=COLUMNS)
    rows = [{k: None if v is pd.NA else v for k, v in row.items()} for row in table.to_dict("records")]
    verdict = judge(json.loads(args.truth.read_text()), rows)
    print(f"{args.truth.name}: {verdict.line()}")
    for fault, times in list(Counter(verdict.faults).items())[: args.faults]:
        print(f"  {fault}" + (f" ({times} times)" if times > 1 else ""))
    return 0 if verdict.good else 1


if __name__ == "__main__":
    raise SystemExit(main())
