"""Golden tables: what the tables hold for a recorded log, written down whole.

    python tests/golden.py            # compares all, prints what differs
    python tests/golden.py --renew    # writes them again; read the diff

One file per capture and form in fixtures/golden, a line per value, nulls left out. Long texts and bytes are
cut, with their length and hash.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
GOLDEN = FIXTURES / "golden"
CAPTURES = (
    *(
        "apop",
        "article",
        "curl-login",
        "curl-plain-ir",
        "cut-off",
        "decrypted",
        "failed-login",
        "gap",
        "ipv6",
        "odd-logins",
    ),
    *("poplib", "stls", "torn"),
)
FORMS = ("exact", "plain")
LONG = 120


def log_of(name: str, form: str) -> Path:
    """The recorded log of a capture."""
    return next(p for p in (FIXTURES / "logs").glob(f"{name}.{form}.log*") if p.is_file())


def tables(sources: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """The rows of all tables that come of these logs, whole, in the order of their keys."""
    import pyarrow.dataset as ds

    import zeekpop3
    from zeekpop3.tables import TABLES

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "tables"
        settings = zeekpop3.Settings(attachment_content=True)
        zeekpop3.run(sources, out, jobs=1, settings=settings)
        found = {}
        for name in TABLES:
            if name == "hits":  # not of a log
                continue
            files = sorted((out / name).rglob("*.parquet"))
            rows = ds.dataset([str(f) for f in files]).to_table().to_pylist() if files else []
            for row in rows if name == "inputs" else []:
                del row["version"], row["read_at"]
            found[name] = sorted(rows, key=_key)
        return found


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    depth, seq, position = (-1 if row.get(k) is None else row[k] for k in ("trans_depth", "seq", "position"))
    uid = row.get("uid", "")
    return (uid, depth, seq, row.get("part") or "", row.get("field") or "", position)


def dump(found: dict[str, list[dict[str, Any]]]) -> str:
    """The rows as JSON that a person can compare."""
    return json.dumps({name: [_shown(row) for row in rows] for name, rows in found.items()}, indent=1) + "\n"


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _shown(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_shown(v) for v in value]
    if isinstance(value, bytes) or (isinstance(value, str) and len(value) > LONG):
        data = value if isinstance(value, bytes) else value.encode()
        start = data[:40].decode("utf-8", "backslashreplace")
        return f"{start}… {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}"
    if isinstance(value, (datetime.datetime, datetime.timedelta)):
        return str(value)
    return value


def differing(renew: bool) -> list[str]:
    """The captures whose golden file is not what the tables are now; with `renew`, those written again."""
    changed = []
    for name in CAPTURES:
        for form in FORMS:
            path = GOLDEN / f"{name}.{form}.json"
            now = dump(tables([log_of(name, form)]))
            if not path.exists() or path.read_text() != now:
                changed.append(path.name)
                if renew:
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(now)
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--renew", action="store_true", help="write the golden files again")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    changed = differing(args.renew)
    for name in changed:
        print(("written: " if args.renew else "differs: ") + name)
    return 0 if args.renew else int(bool(changed))


if __name__ == "__main__":
    raise SystemExit(main())
