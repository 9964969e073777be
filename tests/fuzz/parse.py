"""Coverage-guided fuzzing of `zeekpop3.message.parse` (needs atheris, which is no dependency of the project).

    python tests/fuzz/parse.py CORPUS_FOLDER -max_total_time=7200 -timeout=20 -rss_limit_mb=3000

Checks what no mail may break: nothing is raised, texts can be encoded, defects are on the list, parallel
columns are parallel, and times are in the range of a 64-bit column. The folder is also where new inputs are
kept; `seeds` of test_mutations.py are a start. `--check FILE...` runs single files without atheris.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[2]),
    str(Path(__file__).resolve().parents[1]),
]

from message.invariants import check  # noqa: E402


def one_input(data: bytes) -> None:
    check(data)


def main() -> None:
    if "--check" in sys.argv:
        for name in sys.argv[2:]:
            check(Path(name).read_bytes())
        return
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
